"""The types of options and arguments. None repeats what was written: it could be a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import click

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any

    from click.shell_completion import CompletionItem

    _Kind = click.ParamType[Any]
else:
    _Kind = click.ParamType  # generic from click 8.5 on

__all__ = ["ConnectionName", "Moment", "OneOf", "Place", "RunId", "SecretName", "Span", "Where", "Whole"]

_SPAN: Final = re.compile(r"([0-9]{1,6})(m|h|d|w)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Whole(_Kind):
    """A whole number between two others."""

    name = "number"

    def __init__(self, least: int, most: int = 10**12) -> None:
        self.least, self.most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        text = str(value)
        if re.fullmatch("[0-9]{1,13}", text) and self.least <= int(text) <= self.most:
            return int(text)
        return self.fail(f"takes a whole number from {self.least:,} to {self.most:,}", param, ctx)


class OneOf(_Kind):
    """One of a few words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002 - click's
        """Show the words in the help."""
        return f"[{'|'.join(self.words)}]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        if value in self.words:
            return str(value)
        return self.fail(f"takes one of {', '.join(self.words)}", param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Offer the words."""
        from secretbridge.cli._complete import offered

        return offered(self.words, incomplete)


class Span(_Kind):
    """A time from now on, such as 90d."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        from datetime import timedelta

        found = _SPAN.fullmatch(str(value))
        if found:
            return timedelta(**{_UNITS[found[2]]: int(found[1])})
        return self.fail("takes a number and m, h, d or w: 30d is thirty days", param, ctx)


class Moment(_Kind):
    """A moment: ISO 8601 with a zone, or a time from now on."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        from datetime import UTC, datetime, timedelta

        text = str(value)
        found = _SPAN.fullmatch(text)
        if found:
            try:
                return datetime.now(UTC) + timedelta(**{_UNITS[found[2]]: int(found[1])})
            except OverflowError:
                return self.fail("is further away than the calendar goes", param, ctx)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return self.fail("takes a moment such as 2027-01-31T00:00Z, or a time such as 90d", param, ctx)
        if moment.tzinfo is None:
            return self.fail("needs a time and a zone: 2027-01-31T00:00Z is midnight in UTC", param, ctx)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            return self.fail("is further away than the calendar goes", param, ctx)


class ConnectionName(_Kind):
    """A connection's name."""

    name = "connection"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        text = str(value)
        if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", text):
            return text
        return self.fail("takes a connection's name: letters, digits, -, _ and dots", param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Offer the names of all connections."""
        from secretbridge.cli._complete import connection_names, offered

        return offered(connection_names(ctx.params.get("config")), incomplete)


class RunId(_Kind):
    """The id of a run, as ``runs`` lists it."""

    name = "run"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        text = str(value)
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", text):
            return text
        return self.fail("takes the id of a run; secretbridge runs lists them", param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Offer the runs that have a journal."""
        from secretbridge.cli._complete import offered, run_ids

        return offered(run_ids(), incomplete)


class SecretName(_Kind):
    """A secret's name, as the store has it."""

    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        text = str(value)
        if text and not re.search("[\ud800-\udfff\0]", text):
            return text
        return self.fail("takes a secret's name, in the terminal's encoding", param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Offer the names in the store, where that can be had without a prompt and without a network."""
        from secretbridge.cli._complete import offered, secret_names

        store = ctx.params.get("store") or next((one.store for one in ctx.params.get("to") or ()), None)
        return offered(secret_names(store, ctx.params.get("config")) if store else (), incomplete)


class Address(NamedTuple):
    """A secret in a store."""

    store: str
    name: str


class Place(_Kind):
    """A secret in a store, as CONNECTION:NAME."""

    name = "connection:name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read it."""
        store, colon, name = str(value).partition(":")
        if colon and name:
            return Address(
                ConnectionName().convert(store, param, ctx), SecretName().convert(name, param, ctx)
            )
        return self.fail("takes CONNECTION:NAME, a secret in another store", param, ctx)


class Target(NamedTuple):
    """A store, and what the secret is called there if not as elsewhere."""

    store: str
    name: str | None


class Where(_Kind):
    """A store to write into, as CONNECTION or CONNECTION:NAME."""

    name = "connection"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Read it."""
        store, colon, name = str(value).partition(":")
        meant = ConnectionName().convert(store, param, ctx)
        return Target(meant, SecretName().convert(name, param, ctx) if colon else None)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Offer the names of all connections."""
        return ConnectionName().shell_complete(ctx, param, incomplete)
