"""How a credential is named in a file: by where it is, never by itself."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any, Final, Literal

from secretbridge._json import is_array, is_object

__all__ = ["ENVIRONMENT", "SCHEMES", "TIME_LIMIT", "Malformed", "Reference", "reference"]

Scheme = Literal["env", "file", "keyring", "vault", "command"]

SCHEMES: Final[dict[Scheme, str]] = {
    "env": "env:VARIABLE",
    "file": "file:PATH",
    "keyring": "keyring:SERVICE/USER",
    "vault": "vault:NAME",
    "command": "command:PROGRAM ARGUMENT …",
}
#: What can be the name of a vault's environment; the vault says whether it has it.
ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: Seconds that a command may take.
TIME_LIMIT: Final = 30.0
_LONGEST: Final = 3600.0
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Malformed(ValueError):
    """Something written wrongly or not to be had. Holds nothing of what was written or read."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """Where a credential is to be had.

    Attributes:
        scheme: the kind of place.
        words: the variable; the path; service and user; environment ("" for the default) and name; the
            command's words.
        time_limit: seconds, for a command.
    """

    scheme: Scheme
    words: tuple[str, ...]
    time_limit: float = TIME_LIMIT


def reference(written: object) -> Reference:
    """Read a reference as it stands in a file.

    Raises:
        Malformed: it is no reference: most likely the credential itself.
    """
    if is_object(written):
        return _command_table(written)
    if not isinstance(written, str):
        raise Malformed("is not a reference", _remedy())
    name, colon, rest = written.partition(":")
    scheme = name if name in SCHEMES else None
    if not colon or scheme is None:
        raise Malformed(
            "is written in clear, or is no reference",
            f"take it out of this file, change it at the provider if others may have seen it, and name where"
            f" it is: {_forms()}",
        )
    words = _words(scheme, rest)
    if not words or "\0" in rest:
        raise Malformed(f"is not a reference of the form {SCHEMES[scheme]}", _remedy())
    return Reference(scheme, words)


def _words(scheme: Scheme, rest: str) -> tuple[str, ...]:
    """Take the part after the colon apart; nothing where it is malformed."""
    if not rest:
        return ()
    if scheme == "env":
        return (rest,) if _VARIABLE.fullmatch(rest) else ()
    if scheme == "keyring":
        service, _, user = rest.rpartition("/")  # a service may be an address with slashes
        return (service, user) if service and user else ()
    if scheme == "vault":
        environment, slash, name = rest.rpartition("/")  # no name of a new secret has a slash
        return (environment, name) if name and (not slash or ENVIRONMENT.fullmatch(environment)) else ()
    return _split(rest) if scheme == "command" else (rest,)


def _split(line: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError:  # a quote that is not closed
        return ()


def _command_table(table: dict[str, Any]) -> Reference:
    words = table.get("command")
    limit = table.get("time_limit", TIME_LIMIT)
    if set(table) - {"command", "time_limit"}:
        raise Malformed("has a key that no credential has", "known are command and time_limit")
    if (
        not is_array(words)
        or not words
        or not all(isinstance(word, str) and "\0" not in word for word in words)
        or not words[0]
    ):
        raise Malformed("has a command that is no list of texts", 'write it as ["program", "argument"]')
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit <= _LONGEST:
        raise Malformed("has a time_limit that is no number of seconds", "give more than 0, at most 3600")
    return Reference("command", tuple(words), float(limit))


def _forms() -> str:
    return ", ".join(SCHEMES.values())


def _remedy() -> str:
    return f'write {_forms()}, or {{ command = ["program", "argument"] }}'
