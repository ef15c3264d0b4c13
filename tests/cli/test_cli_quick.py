"""A secret's name is completed without click where the line is plain, and as click completes it."""

from __future__ import annotations

import os
import shlex

import click
import pytest
from cli_documents import commands
from cli_place import Shell, shell

from secretbridge import connect
from secretbridge.cli import _quick
from secretbridge.cli._kinds import SecretName
from secretbridge.cli._run import run

__all__ = ["shell"]

LINES = (
    "secretbridge get --in vault ",
    "secretbridge get --in vault T",
    "secretbridge get --in app D",
    "secretbridge update --to vault TOKEN",
    "secretbridge rotate --in app ",
    "secretbridge history ",
    "secretbridge history --in vault T",
    "secretbridge vault purge T",
    "secretbridge vault describe --in vault ",
    "secretbridge get --in nowhere T",
    "secretbridge get --in vault --reveal T",
    "secretbridge get --json --in vault -v --out file.txt T",
    "secretbridge update --to vault --description words --verify --if-version 3 T",
    "secretbridge get --in app --config secretbridge.toml D",
    "secretbridge vault purge --older-versions --dry-run T",
    "secretbridge update --to vault --to app T",
    "secretbridge rotate --to app --in vault --obtain 'sh -c \"new x\"' D",
    "secretbridge update --to vault --generate --verify T",
    "secretbridge update --to vault --generate 16 T",
    "secretbridge update --generate --to vault T",
    "secretbridge update --to vault --description 'a $b; (c)' T",
    'secretbridge update --description "it\'s two words" --to vault T',
    "secretbridge get --in 'vault' T",
    "secretbridge get --in 'no where' T",
    "secretbridge update --to vault --description '' ",
)
#: What only click can read, or what is no name of a secret.
OTHERS = (
    "secretbridge get ",
    "secretbridge get --in vault --",
    "secretbridge get --to vault T",
    "secretbridge get --in vault TOKEN T",
    "secretbridge get --in vault --out T",
    "secretbridge get --in vault --id x T",
    "secretbridge put --to vault --to app T",
    "secretbridge get --in vault --config a --config b T",
    "secretbridge update --to vault --generate T",
    "secretbridge update --to vault --generate many T",
    "secretbridge update --to vault --generate",
    "secretbridge get --in --json T",
    "secretbridge update --to vault:OTHER T",
    "secretbridge update --to vault --description 'a b T",
    'secretbridge update --to vault --description "a \\" b" T',
    "secretbridge get --in vault 'T",
    "secretbridge list v",
    "secretbridge ",
    "secretbridge vault ",
)


@pytest.fixture
def filled(shell: Shell) -> Shell:
    shell.write('[connections.app]\nprovider = "dotenv"\npath = "app.env"\n')
    shell.write("DOTTED=v\nTOKEN=v\n", "app.env")
    with connect("vault") as bridge:
        for name in ("TOKEN", "TOKEN_2", "OTHER", "with blank", "-dash"):
            bridge.create_secret(name, value="v")
    return shell


def asked(kind: str, line: str) -> dict[str, str]:
    """What the scripts of the shells set."""
    before, _, last = line.rpartition(" ")
    if kind != "fish":
        try:
            last = str(len(shlex.split(before)))
        except ValueError:  # a quote that is not closed
            last = str(line.count(" "))
    return {"_SECRETBRIDGE_COMPLETE": f"{kind}_complete", "COMP_WORDS": line, "COMP_CWORD": last}


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("line", LINES)
def test_it_says_what_click_would(
    filled: Shell, capsys: pytest.CaptureFixture[str], kind: str, line: str
) -> None:
    for name, text in asked(kind, line).items():
        filled.monkeypatch.setenv(name, text)
    told = _quick.answered()
    quick = capsys.readouterr().out
    run([])
    assert (told, quick) == (True, capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("line", OTHERS)
def test_another_line_is_left_to_click(shell: Shell, kind: str, line: str) -> None:
    for name, text in asked(kind, line).items():
        shell.monkeypatch.setenv(name, text)
    assert _quick.answered() is False


@pytest.mark.parametrize(
    "changed",
    [
        {"_SECRETBRIDGE_COMPLETE": "bash_source"},
        {"_SECRETBRIDGE_COMPLETE": "tcsh_complete"},
        {"COMP_CWORD": "many"},
        {"COMP_CWORD": "4\n"},
    ],
)
def test_what_no_shell_asks_is_left_to_click(shell: Shell, changed: dict[str, str]) -> None:
    for name, text in (asked("bash", LINES[1]) | changed).items():
        shell.monkeypatch.setenv(name, text)
    assert _quick.answered() is False


def test_nothing_is_told_where_nobody_listens(filled: Shell) -> None:
    for name, text in asked("bash", LINES[1]).items():
        filled.monkeypatch.setenv(name, text)
    filled.monkeypatch.setattr("sys.stdout", None)
    assert _quick.answered() is False
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as gone:
        filled.monkeypatch.setattr("sys.stdout", gone)
        assert _quick.answered() is True
        filled.monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)


def test_it_knows_the_commands_that_take_a_secrets_name_first() -> None:
    known: dict[tuple[str, ...], _quick.Named] = {}
    flags: set[str] = set()
    valued: set[str] = set()
    for path, command, _ in commands():
        first = next((one for one in command.params if isinstance(one, click.Argument)), None)
        if first is None or not isinstance(first.type, SecretName):
            continue
        (store,) = [one for one in command.params if one.name in {"store", "to"}]
        default = "" if store.required else str(store.default)
        known[tuple(path.split()[1:])] = _quick.Named(tuple(store.opts), default, several=store.multiple)
        for one in command.params:
            if isinstance(one, click.Option) and one is not store:
                (flags if one.is_flag or one.count else valued).update(one.opts, one.secondary_opts)
    assert known == _quick.NAMED
    # The value of one may be left out, one says which secret instead of its name, and one is refused.
    valued -= {"--generate", "--id", "--value"}
    assert sorted(_quick.FLAGS) == sorted(flags)
    assert sorted(_quick.VALUED) == sorted(valued)


def test_a_process_answers_it(filled: Shell) -> None:
    done = filled.process(environment=asked("bash", "secretbridge get --in vault T"))
    assert (done.code, done.out, done.err) == (0, "plain,TOKEN\nplain,TOKEN_2\n", "")
