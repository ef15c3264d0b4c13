"""``run``: a program that gets secrets as environment variables, in place of this one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import SecretName
from secretbridge.cli._output import note
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import kept_by_runs, opened, revealed, store_argument

if TYPE_CHECKING:
    from secretbridge import SecretBridge

__all__ = ["run"]

#: Opens the whole vault: no program that is started with some of its secrets gets it.
_WITHHELD = "SECRETBRIDGE_VAULT_PASSPHRASE"
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


@command("run", json=False, context_settings={"allow_interspersed_args": False})
@store_argument()
@click.argument(
    "program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PROGRAM [ARGUMENT]..."
)
@click.option(
    "--only",
    multiple=True,
    type=SecretName(),
    metavar="NAME",
    help="This secret; may be given several times.",
)
@click.option(
    "--rename", "renamed", multiple=True, metavar="NAME=VARIABLE",
    help="Call the variable of a secret otherwise; may be given several times.",
)  # fmt: skip
def run(
    session: Session, store: str, program: tuple[str, ...], only: tuple[str, ...], renamed: tuple[str, ...]
) -> None:
    """Run a program that gets secrets as environment variables.

    Options come before the connection: secretbridge run --only TOKEN vault -- program. The program takes this
    process's place, with its exit code. Without --only it gets all secrets of the store that are handed out;
    variables of the same names are replaced. Nothing else gets them, and no file is written. The variable
    SECRETBRIDGE_VAULT_PASSPHRASE is not handed on.
    """
    if program[0] != "--" and program[0].startswith("-"):
        raise click.UsageError(
            "Options come before the connection: secretbridge run --only NAME CONNECTION -- PROGRAM."
        )
    variables = _variables(only, renamed)
    words = program[1:] if program[0] == "--" else program
    if not words:
        raise click.UsageError("Name a program after --.")
    with opened(session, store) as bridge:
        secrets = _secrets(session, bridge, store, only)
    session.doing = None
    if unknown := variables.keys() - secrets.keys():
        raise Stop(f"--rename names what is not handed over: {', '.join(sorted(unknown))}.", code=Code.USAGE)
    environment = {name: text for name, text in os.environ.items() if name != _WITHHELD}
    for name, value in secrets.items():
        variable = variables.get(name, name)
        if "=" in variable or not variable:
            raise Stop(
                f"No variable can be called {name!r}; nothing was started.",
                do=f"Give it a name by --rename '{name}=VARIABLE', or choose others by --only.",
                code=Code.USAGE,
            )
        if "\0" in value:
            raise Stop(f"The value of {name!r} holds a NUL, which no variable can; nothing was started.")
        environment[variable] = value
    _become(words, environment)


def _variables(only: tuple[str, ...], renamed: tuple[str, ...]) -> dict[str, str]:
    """Take NAME=VARIABLE apart; the last = counts, for a secret's name may hold one."""
    variables: dict[str, str] = {}
    for one in renamed:
        name, _, variable = one.rpartition("=")
        if not name or not variable.isidentifier() or not variable.isascii():
            raise click.UsageError("--rename takes NAME=VARIABLE; a variable is of letters, digits and _.")
        variables[name] = variable
    if only and (stray := variables.keys() - set(only)):
        raise click.UsageError(f"--rename names what --only leaves out: {', '.join(sorted(stray))}.")
    if len(set(variables.values())) < len(variables):
        raise click.UsageError("--rename gives two secrets the same variable.")
    return variables


def _secrets(session: Session, bridge: SecretBridge, store: str, only: tuple[str, ...]) -> dict[str, str]:
    """Read the values: of those that are named, or of all that are handed out."""
    from secretbridge.errors import SecretExpired, SecretNotFound

    names = only
    if not only:
        session.doing = Doing(f"list {store}")
        names = tuple(
            secret.name
            for secret in bridge.iter_secrets()
            if secret.active is not False and not kept_by_runs(secret.name)
        )
    values: dict[str, str] = {}
    for name in dict.fromkeys(names):
        session.doing = Doing(f"read {name!r} in {store}")
        try:
            secret = bridge.get_secret(name, metadata=False)
        except (SecretExpired, SecretNotFound) as gone:
            if only:
                if "list" in gone.advice.lower():
                    gone.advice = f"secretbridge list {store} shows what is there."
                raise
            note(session, f"{name!r} is left out: the store does not hand it out.")
            continue
        values[name] = revealed(secret, store, ending="; nothing was started").get_secret_value()
    return values


def _become(words: tuple[str, ...], environment: dict[str, str]) -> None:
    """Let the program take this process's place.

    Raises:
        Exit: it cannot be started; 127 where it is not there, 126 where it cannot be executed, as in a shell.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    code, problem = _NOT_EXECUTABLE, "it cannot be executed"
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - what the user asked to run, and no shell
    except FileNotFoundError:
        code, problem = _NOT_FOUND, "there is no such program"
    except (OSError, ValueError) as failure:
        problem = (failure.strerror if isinstance(failure, OSError) else "") or problem
    sys.stderr.write(f"Error: The program could not be started.\nWhy: {problem}.\n")
    raise click.exceptions.Exit(code)
