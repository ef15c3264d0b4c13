"""``capabilities``: what stores can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import ConnectionName
from secretbridge.cli._output import show_json, table
from secretbridge.cli._stores import opened

if TYPE_CHECKING:
    from secretbridge import Capabilities, Limit
    from secretbridge.cli._session import Session

__all__ = ["capabilities"]

_VERBS = ("list", "get", "create", "update", "put", "delete")
_FIELDS = (
    "new_name", "value", "description", "active", "protected", "expires_at", "tool_name", "tool_arg",
    "default_for_tool",
)  # fmt: skip


@command("capabilities")
@click.argument("store", type=ConnectionName(), metavar="[CONNECTION]", required=False)
def capabilities(session: Session, store: str | None) -> None:
    """Show what stores can do.

    Without a connection, the operations of every provider; with one, all that is known of its store:
    fields, limits, and what it can only do one way. Nothing is sent.
    """
    if store is None:
        from secretbridge.providers import names, provider_class

        every = [_of(provider_class(name)) for name in names()]
    else:
        with opened(session, store) as bridge:
            every = [bridge.capabilities]
    if session.json:
        show_json({"providers": [_row(of) for of in every]})
    elif store is None:
        rows = [[of.provider, *("yes" if verb in of.operations else "no" for verb in _VERBS)] for of in every]
        told = [["yes" if of.reads_values else "never"] for of in every]
        table(
            ("provider", *_VERBS, "tells values"),
            [[*row, *more] for row, more in zip(rows, told, strict=True)],
        )
    else:
        table(("", every[0].title), _details(every[0]))


def _of(provider: Any) -> Capabilities:  # noqa: ANN401 - a class whose attribute is the capabilities
    found: Capabilities = provider.capabilities
    return found


def _details(of: Capabilities) -> list[list[str]]:
    rows = [
        [verb, "yes" if verb in of.operations else f"no: {of.why_not.get(verb, '')}".rstrip(": ")]
        for verb in _VERBS
    ]
    rows.append(["tells values", "yes" if of.reads_values else "never"])
    rows += [[name.replace("_", " "), _field(of, name)] for name in _FIELDS]
    rows.append(["limits of the name", str(of.name)])
    rows += [[f"limits of the {name}", str(limit)] for name, limit in of.limits.items()]
    rows.append(["compare-and-set", "yes" if of.compare_and_set else "no"])
    rows.append(["most in flight", str(of.max_in_flight or "no limit")])
    rate = of.requests_per_minute
    rows.append(["requests a minute", f"{rate:g}" if rate else "no limit known"])
    rows += [[f"note: {topic}", text] for topic, text in of.notes.items()]
    return rows


def _field(of: Capabilities, name: str) -> str:
    can = [
        word
        for word, fields in (("create", of.create), ("set", of.update), ("clear", of.clear))
        if name in fields
    ]
    if name in of.one_way:
        can.append(f"one way: {of.one_way[name]}")
    return ", ".join(can) or f"no: {of.why_not.get(name, '')}".rstrip(": ")


def _limit(limit: Limit) -> dict[str, object]:
    return {
        "min_length": limit.min_length,
        "max_length": limit.max_length,
        "pattern": limit.pattern,
        "meaning": limit.meaning,
    }


def _row(of: Capabilities) -> dict[str, object]:
    plain = ("provider", "title", "compare_and_set", "max_in_flight", "requests_per_minute")
    sets = ("operations", "create", "update", "clear", "list_tells", "get_tells")
    return {
        **{name: getattr(of, name) for name in plain},
        **{name: sorted(getattr(of, name)) for name in sets},
        **{name: dict(getattr(of, name)) for name in ("one_way", "why_not", "notes")},
        "name": _limit(of.name),
        "limits": {name: _limit(limit) for name, limit in of.limits.items()},
    }
