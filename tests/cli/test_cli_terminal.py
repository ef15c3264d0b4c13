"""In a real terminal: hidden prompts, questions, Ctrl-C, and tables that keep to its width and encoding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_place import Shell, Waiting, shell, waiting_as_prod
from cli_terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shell"]

VALUE = "Zx9c0ffee"


def test_a_value_is_asked_for_twice_and_not_shown(shell: Shell) -> None:
    with Terminal("create", "TOKEN", "--to", "vault") as terminal:
        terminal.until("Value of 'TOKEN': ")
        terminal.type(f"{VALUE}\n")
        terminal.until("Once more: ")
        terminal.type(f"{VALUE}\n")
        code = terminal.end()
    assert (code, VALUE in terminal.seen, shell.value("TOKEN")) == (0, False, VALUE)


def test_two_different_values_change_nothing(shell: Shell) -> None:
    with Terminal("create", "TOKEN", "--to", "vault") as terminal:
        terminal.until("Value of 'TOKEN': ")
        terminal.type(f"{VALUE}\n")
        terminal.until("Once more: ")
        terminal.type("another\n")
        code = terminal.end()
    assert (code, "The two are not the same; nothing was sent." in terminal.seen) == (1, True)
    assert shell.ok("list", "vault").out == ""


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("\x03", 130, "Error: Interrupted; nothing was changed."),
        ("\x04", 1, "Error: No value was given; nothing was sent."),
    ],
)
def test_ctrl_c_and_ctrl_d_at_the_prompt_change_nothing(
    shell: Shell, typed: str, code: int, told: str
) -> None:
    with Terminal("update", "TOKEN", "--to", "vault", "--ask") as terminal:
        terminal.until("Value of 'TOKEN': ")
        terminal.type(typed)
        ended = terminal.end()
    assert (ended, told in terminal.seen, "Traceback" in terminal.seen) == (code, True, False)


@pytest.mark.parametrize(("typed", "left"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_delete_says_what_it_will_do_and_asks(shell: Shell, typed: str, left: int) -> None:
    shell.put("TOKEN", "v")
    with Terminal("delete", "TOKEN", "--in", "vault") as terminal:
        terminal.until("This deletes 'TOKEN' in vault. Go on? [y/N] ")
        terminal.type(typed)
        code = terminal.end()
    assert (code, len(shell.ok("list", "vault").rows)) == (left, left)


@pytest.fixture
def waiting(shell: Shell) -> Iterator[Waiting]:
    standin = Waiting()
    standin.seed("TOKEN", "v")
    with waiting_as_prod(shell, standin):
        yield standin


def test_ctrl_c_while_a_change_is_under_way_says_that_it_is_not_known(shell: Shell, waiting: Waiting) -> None:
    with Terminal("update", "TOKEN", "--to", "prod", "--generate") as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        code = terminal.end()
    assert code == 130
    assert "Error: Interrupted while trying to update 'TOKEN' in prod; whether it was done is not known." in (
        terminal.seen
    )
    assert "Do: secretbridge get TOKEN --in prod shows what is there now." in terminal.seen


def test_a_shell_keeps_no_value_in_its_history(shell: Shell) -> None:
    shell.write(VALUE, "value.txt")
    started = f"{sys.executable} -m secretbridge"
    with Terminal("bash", "--norc", "-i", bare=True, HISTFILE="history", PS1="ready> ") as terminal:
        terminal.until("ready> ")
        terminal.type(f"{started} create TYPED --to vault\n")
        terminal.until("Value of 'TYPED': ")
        terminal.type(f"{VALUE}\n")
        terminal.until("Once more: ")
        terminal.type(f"{VALUE}\n")
        terminal.until("ready> ")
        terminal.type(f"{started} create FED --to vault --stdin < value.txt\n")
        terminal.until("Created 'FED'")
        terminal.until("ready> ")
        terminal.type(f"{started} rotate FED --to vault --obtain 'cat value.txt'\n")
        terminal.until("has a new token")
        terminal.until("ready> ")
        terminal.type("history -w; exit\n")
        terminal.end()
    history = (shell.folder / "history").read_text()
    typed = {line for line in history.splitlines() if started in line}
    assert (len(typed), VALUE in history + terminal.seen) == (3, False)
    assert shell.value("TYPED") == shell.value("FED") == VALUE


def test_a_table_is_drawn_with_headings(shell: Shell) -> None:
    shell.put("TOKEN", "v", "--description", "for [bold]billing[/bold]")
    with Terminal("list", "vault") as terminal:
        code = terminal.end()
    assert (code, "\x1b[1m" in terminal.seen) == (0, True)
    assert [word in terminal.seen for word in ("name", "description", "for [bold]billing[/bold]")] == [
        True
    ] * 3


def test_a_table_has_no_colour_where_none_is_wanted_and_keeps_to_the_width(shell: Shell) -> None:
    shell.put("TOKEN", "v", "--description", "a long description of what this is for " * 3)
    with Terminal("list", "vault", NO_COLOR="1", COLUMNS="50", TERM="dumb") as terminal:
        terminal.end()
    lines = terminal.seen.replace("\r", "").splitlines()
    assert ("\x1b" in terminal.seen, max(map(len, lines)) <= 50, len(lines) > 3) == (False, True, True)


def test_control_characters_do_not_reach_the_terminal(shell: Shell) -> None:
    shell.put("TOKEN", "v", "--description", "\x1b[2J\u202e\x9b31m\ttab")
    with Terminal("list", "vault", NO_COLOR="1", TERM="dumb") as terminal:
        terminal.end()
    assert "\\x1b[2J\\u202e\\x9b31m\\ttab" in terminal.seen
    assert [mark in terminal.seen for mark in ("\x1b", "\x9b", "\u202e", "\t")] == [False] * 4


def test_a_terminal_that_is_not_utf_8_gets_escapes(shell: Shell) -> None:
    shell.put("Schlüssel", "v")
    with Terminal("list", "vault", PYTHONIOENCODING="ascii", NO_COLOR="1", TERM="dumb") as terminal:
        code = terminal.end()
    assert (code, "Schl\\xfcssel" in terminal.seen, terminal.seen.isascii()) == (0, True, True)


def test_a_value_on_a_terminal_ends_its_line(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    with Terminal("get", "TOKEN", "--in", "vault", "--reveal") as terminal:
        terminal.end()
    assert terminal.seen == "v\r\n"


def test_init_asks_for_the_first_store(shell: Shell) -> None:
    with Terminal("init", WIX_API_KEY="k") as terminal:
        terminal.until("(wix, ionet, insforge, appfarm, dotenv, jsonfile; empty for none)? ")
        terminal.type("insforge\n")
        terminal.until("What shall it be called? [prod-insforge] ")
        terminal.type("\n")
        terminal.until("base_url, such as https://project.insforge.app: ")
        terminal.type("https://one.insforge.app\n")
        terminal.until("never the key itself)? [env:INSFORGE_API_KEY] ")
        terminal.type("\n")
        code = terminal.end()
    assert code == 0
    assert (shell.folder / "secretbridge.toml").read_text() == (
        '[connections.prod-insforge]\nprovider = "insforge"\nbase_url = "https://one.insforge.app"\n'
        'api_key = "env:INSFORGE_API_KEY"\n'
    )


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("\n", 0, "or begin with the vault"),
        ("acme\n\n", 0, "No such store is guided through here"),
        ("\x04", 3, "The input ended."),
        ("\x03", 130, "made the vault"),
    ],
)
def test_init_can_be_left_and_the_vault_is_there(shell: Shell, typed: str, code: int, told: str) -> None:
    with Terminal("init") as terminal:
        terminal.until("empty for none)? ")
        terminal.type(typed)
        ended = terminal.end()
    assert (ended, told in terminal.seen, list(shell.folder.iterdir())) == (code, True, [])
    assert shell.ok("connections", "check", "vault").rows[0][1] == "ok"


def test_a_reader_that_goes_away_ends_it_quietly(shell: Shell) -> None:
    for number in range(3):
        shell.put(f"TOKEN-{number}", "v", "--description", "x" * 40_000)
    script = '"$0" -m secretbridge list vault | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_output_that_cannot_be_written_is_told(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    with Path("/dev/full").open("w") as full:
        listing, change = (
            subprocess.run(
                [sys.executable, "-m", "secretbridge", *words, "--json"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            for words in (("list", "vault"), ("update", "TOKEN", "--to", "vault", "--inactive"))
        )
    assert (listing.returncode, change.returncode) == (1, 3)
    assert "The output could not be written." in change.stderr
