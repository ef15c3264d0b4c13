"""The fields of a secret as options: left out stays, ``--clear`` clears, a value sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from secretbridge.cli._command import adding
from secretbridge.cli._kinds import Moment, OneOf

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["field_options", "fields_of"]

F = TypeVar("F", bound="Callable[..., Any]")

_FLAGS: Final = ("active", "protected", "default_for_tool")
_TEXTS: Final = ("description", "tool_name", "tool_arg")
_CLEARED: Final = {word.replace("_", "-"): word for word in ("expires_at", *_TEXTS)}


def field_options(*, clears: bool) -> Callable[[F], F]:
    """Add the options for all fields but name and value."""
    options = [
        click.option("--description", metavar="TEXT", help="Free text."),
        click.option(
            "--expires-at", type=Moment(), metavar="WHEN",
            help="When it expires: 2027-01-31T00:00Z, or 90d from now.",
        ),
        click.option("--active/--inactive", default=None, help="Whether the store hands the value out."),
        click.option("--protected/--unprotected", default=None, help="Whether it refuses changes."),
        click.option("--tool-name", metavar="TEXT", help="The tool it is bound to (io.net)."),
        click.option("--tool-arg", metavar="TEXT", help="The tool's argument it fills (io.net)."),
        click.option(
            "--default-for-tool/--not-default-for-tool", default=None,
            help="Whether the tool uses it by default (io.net).",
        ),
        click.option(
            "--allow-one-way", is_flag=True, help="Consent to a change that the store cannot take back.",
        ),
    ]  # fmt: skip
    if clears:
        told = "Clear a field; may be given several times."
        options.insert(0, click.option("--clear", type=OneOf(*_CLEARED), multiple=True, help=told))
    return adding(options)


def fields_of(options: dict[str, Any]) -> dict[str, Any]:
    """Give the fields that the options name, as the library takes them; the options are used up.

    Raises:
        UsageError: a field is both set and cleared.
    """
    fields = {
        name: given
        for name in ("expires_at", *_FLAGS, *_TEXTS)
        if (given := options.pop(name, None)) is not None
    }
    for word in options.pop("clear", ()):
        if _CLEARED[word] in fields:
            raise click.UsageError(f"--{word} and --clear {word} are given together; give one of them.")
        fields[_CLEARED[word]] = None
    return fields
