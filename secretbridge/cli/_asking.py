"""Consent to what cannot simply be taken back, and ``--dry-run``, which needs none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from secretbridge.cli._output import confirmed
from secretbridge.cli._session import Code, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["agree", "dry_run_option", "yes_option"]

F = TypeVar("F", bound="Callable[..., Any]")


def yes_option(help: str = "Do not ask; needed where there is no terminal.") -> Callable[[F], F]:
    """Add the option that consents beforehand."""
    return click.option("-y", "--yes", is_flag=True, help=help)


def dry_run_option(help: str = "Say what would be done, and do nothing.") -> Callable[[F], F]:
    """Add the option that leaves everything as it is."""
    return click.option("--dry-run", is_flag=True, help=help)


def agree(what: str, *, yes: bool) -> None:
    """Go on only with consent: by ``--yes``, or typed on the terminal.

    Raises:
        Stop: there is none.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        why = "Nobody can be asked: standard input is no terminal."
        raise Stop(
            "Nothing was changed.", why=f"{what} {why}", do="Say --yes if it is meant.", code=Code.USAGE
        )
    if not confirmed(f"{what} Go on?"):
        raise Stop("Nothing was changed.", why="It was not confirmed.")
