"""Completes the name of a secret in a line as it is mostly written, without click.

Loading click takes as long as opening the vault, and both together longer than somebody who presses TAB likes
to wait. Every line that is not plainly one of these is left to click, which answers the same.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import Final, NamedTuple

__all__ = ["NAMED", "answered"]

#: What the completion scripts set.
_ASKED: Final = "_SECRETBRIDGE_COMPLETE"
#: What every shell parts at its blanks, and nowhere else.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.@%+/ -]*")
#: The same with words in quotes, each closed.
_QUOTED: Final = re.compile(r"""(?:[A-Za-z0-9_.@%+/ -]|"[^"\\]*"|'[^']*')*""")
#: How each shell is told a word.
_FORMS: Final = {"bash": "plain,{}\n", "fish": "plain,{}\n", "zsh": "plain\n{}\n_\n"}
_IN: Final = ("--in",)
#: Its value may be left out.
_GENERATE: Final = "--generate"
_IN_OR_TO: Final = ("--in", "--to")


class Named(NamedTuple):
    """A command that takes the name of a secret first.

    Attributes:
        options: those that name its store.
        store: the store without them, or "".
        several: whether several stores may be named; the first one counts.
    """

    options: tuple[str, ...]
    store: str = ""
    several: bool = False


#: Those commands; a test holds them to what click makes of the commands themselves.
NAMED: Final[dict[tuple[str, ...], Named]] = {
    **dict.fromkeys([("get",), ("delete",), ("lock",), ("unlock",)], Named(_IN)),
    **dict.fromkeys([("create",), ("put",)], Named(_IN_OR_TO)),
    **dict.fromkeys([("update",), ("rotate",)], Named(_IN_OR_TO, several=True)),
    **dict.fromkeys([("history",), ("restore",), ("undelete",)], Named(_IN, "vault")),
    **dict.fromkeys(
        [("vault", verb) for verb in ("describe", "purge", "share", "unshare")], Named(_IN, "vault")
    ),
}


#: The options of these commands that stand alone, and those that take a word; the test holds these too.
FLAGS: Final = frozenset({
    "--accept-unverifiable", "--active", "--allow-empty", "--allow-one-way", "--ask",
    "--default-for-tool", "--deleted", "--dry-run", "--inactive", "--json", "--leave-out-unfit",
    "--missing-ok", "--no-journal", "--not-default-for-tool", "--older-versions", "--overwrite",
    "--protected", "--quiet", "--reveal", "--stdin", "--strip-newline", "--unprotected", "--verbose",
    "--verify", "--yes", "-q", "-v", "-y",
})  # fmt: skip
VALUED: Final = frozenset({
    "--alphabet", "--clear", "--config", "--description", "--drop", "--expires-at", "--file", "--from",
    "--if-version", "--obtain", "--on-failure", "--out", "--rename", "--revoke", "--revoke-variable",
    "--time-limit", "--tool-arg", "--tool-name", "--vault",
})  # fmt: skip


def answered() -> bool:
    """Tell the shell the names, and whether that was done: else click has to read the line."""
    told = _answer()
    if told is None or sys.stdout is None:
        return False
    with suppress(OSError):  # nobody listens any more
        sys.stdout.write(told)
        sys.stdout.flush()
    return True


def _answer() -> str | None:
    shell, _, asked = os.environ.get(_ASKED, "").partition("_")
    if asked != "complete" or shell not in _FORMS:
        return None
    with suppress(KeyError, ValueError):  # not as a shell asks: click says so
        words, incomplete = _line(shell)
        store, config = _store(words)
        if store and not incomplete.startswith("-"):
            from secretbridge.cli._complete import harmless, secret_names

            found = harmless(secret_names(store, config), incomplete)
            return "".join(_FORMS[shell].format(name) for name in found) or "\n"
    return None


def _line(shell: str) -> tuple[list[str], str]:
    """Give the words before the one that is completed, without the program, and that one.

    Raises:
        KeyError, ValueError: it is not a plain line.
    """
    line, at = os.environ["COMP_WORDS"], os.environ["COMP_CWORD"]
    if not _QUOTED.fullmatch(line) or not _PLAIN.fullmatch(at):
        raise ValueError
    words = line.split() if _PLAIN.fullmatch(line) else _parted(line)
    if shell == "fish":  # it gives the word itself, which stands at the line's end too
        return words[1:-1] if at and words[-1] == at else words[1:], at
    place = int(at)
    return words[1:place], words[place] if place < len(words) else ""


def _parted(line: str) -> list[str]:
    from shlex import split  # late: few lines have quotes

    return split(line)


def _store(words: list[str]) -> tuple[str, str | None]:
    """Give the store whose names are asked for, or "" where it is not plainly that; and ``--config``."""
    named = next((NAMED[begin] for begin in (tuple(words[:1]), tuple(words[:2])) if begin in NAMED), None)
    if named is None:
        return "", None
    given: dict[str, str] = {}
    rest = words[2 if tuple(words[:2]) in NAMED else 1 :]
    rest.reverse()  # the next one is the last
    while rest:
        word = rest.pop()
        option = "in" if word in named.options else word
        if option in FLAGS or (option == _GENERATE and rest and rest[-1].startswith("-")):
            continue
        value = rest.pop() if rest else "-"
        again = option in given and not (option == "in" and named.several)
        taken = value.isdecimal() if option == _GENERATE else option in VALUED or option == "in"
        if again or not taken or value.startswith("-"):
            return "", None
        given.setdefault(option, value)
    return given.get("in", named.store), given.get("--config")
