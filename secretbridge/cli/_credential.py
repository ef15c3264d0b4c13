"""What opens a vault, as options: by reference, or a passphrase that is asked for; never the thing itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from secretbridge.cli._command import adding
from secretbridge.cli._session import Code, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge import EnvironmentKey, KeyFile, KeyringKey, Passphrase

    Credential = Passphrase | KeyFile | EnvironmentKey | KeyringKey

__all__ = ["credential_options", "credentials_of", "one_credential"]

F = TypeVar("F", bound="Callable[..., Any]")


class _Asked(NamedTuple):
    passphrase: bool
    passphrase_stdin: bool
    key_file: tuple[str, ...]
    env: tuple[str, ...]
    keyring: tuple[str, ...]


def credential_options() -> Callable[[F], F]:
    """Add the options that name credentials."""
    options = [
        click.option("--passphrase", is_flag=True, help="A passphrase, asked for without showing it."),
        click.option("--passphrase-stdin", is_flag=True, help="A passphrase: a line of standard input."),
        click.option("--key-file", multiple=True, metavar="FILE", help="A key file; made where none is."),
        click.option("--env", multiple=True, metavar="VARIABLE", help="A key in an environment variable."),
        click.option("--keyring", multiple=True, metavar="SERVICE/USER", help="A key in the keyring."),
    ]  # fmt: skip
    return adding(options)


def credentials_of(options: dict[str, Any], *, new: bool) -> list[Credential]:
    """Give the credentials that are named; the options are used up.

    Args:
        options: those of the command.
        new: whether a passphrase is one to be chosen, and so is asked for twice.

    Raises:
        UsageError: none is named, or one not as it must be.
        Stop: a passphrase cannot be had.
    """
    asked = _Asked(**{name: options.pop(name) for name in _Asked._fields})
    if asked.passphrase and asked.passphrase_stdin:
        raise click.UsageError("--passphrase and --passphrase-stdin are given together; give one of them.")
    pairs = [one.partition("/") for one in asked.keyring]
    if any(not service or not user for service, _, user in pairs):
        raise click.UsageError("--keyring takes SERVICE/USER.")
    if not any(asked):
        raise click.UsageError("Give --passphrase, --passphrase-stdin, --key-file, --env or --keyring.")
    from secretbridge import EnvironmentKey, KeyFile, KeyringKey, Passphrase

    found: list[Credential] = [
        *map(KeyFile, asked.key_file),
        *map(EnvironmentKey, asked.env),
        *(KeyringKey(service, user) for service, _, user in pairs),
    ]
    if asked.passphrase or asked.passphrase_stdin:
        found.append(Passphrase(_passphrase(stdin=asked.passphrase_stdin, twice=new)))
    return found


def one_credential(options: dict[str, Any]) -> Credential:
    """Give the one credential that is named, a new one.

    Raises:
        UsageError: not exactly one is named.
    """
    every: list[bool | tuple[str, ...]] = [options[name] for name in _Asked._fields]
    named = sum(len(given) if isinstance(given, tuple) else bool(given) for given in every)
    if named > 1:
        raise click.UsageError("One slot takes one credential; give one.")
    return credentials_of(options, new=True)[0]


def _passphrase(*, stdin: bool, twice: bool) -> str:
    if stdin:
        line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
        if not line:
            raise Stop("There is no passphrase; nothing was changed.", code=Code.USAGE)
        return line
    if not sys.stdin.isatty():
        raise Stop(
            "There is no passphrase; nothing was changed.",
            why="Standard input is no terminal to ask on.",
            do="Give --passphrase-stdin, or another credential.",
            code=Code.USAGE,
        )
    from getpass import getpass

    try:
        first = getpass("Passphrase: ", stream=sys.stderr)
        same = not twice or first == getpass("Once more: ", stream=sys.stderr)
    except EOFError:
        raise Stop("No passphrase was given; nothing was changed.") from None
    if not same:
        raise Stop("The two are not the same; nothing was changed.", do="Try again.")
    return first
