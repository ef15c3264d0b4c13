"""What a provider can do, as data: core refuses from it, docs and plans are generated from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._models import Operation

__all__ = ["FIELDS", "Capabilities", "Limit", "table"]

#: The fields of a secret that a call may give, in the order of update_secret().
FIELDS: Final = (
    "new_name",
    "value",
    "description",
    "active",
    "protected",
    "expires_at",
    "tool_name",
    "tool_arg",
    "default_for_tool",
    "extra",
)

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_NO_LIMITS: Final[Mapping[str, Limit]] = MappingProxyType({})


def _none() -> Mapping[str, str]:
    return _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The limits of a text.

    Attributes:
        min_length: fewest code points.
        max_length: most code points, or None.
        pattern: a regular expression that the whole text must match, or "".
        meaning: the pattern in words.
    """

    min_length: int = 0
    max_length: int | None = None
    pattern: str = ""
    meaning: str = ""

    def __str__(self) -> str:
        if self.max_length is None:
            plural = "" if self.min_length == 1 else "s"
            span = f"at least {self.min_length:,} character{plural}" if self.min_length else "any length"
        else:
            span = f"{self.min_length:,} to {self.max_length:,} characters"
        return f"{span}, {self.meaning}" if self.meaning else span


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do.

    Attributes:
        provider: the short name, such as ``"wix"``.
        title: the name for people.
        operations: the operations it has.
        create: fields that a new secret can be given.
        update: fields that can be changed.
        clear: fields that can be cleared with None.
        one_way: fields whose setting cannot be taken back, with the reason; they need ``allow_one_way=True``.
        why_not: operation or field -> why the provider lacks it and what to do instead.
        addressed_by: operation -> "name", "id" or "either": what the provider itself asks for.
            Core finds the other by listing.
        id_is_uuid: whether an id must be a UUID.
        name: limits of a name.
        finds_any_name: whether secrets may be there whose names a new one could not have; the limits of the
            name then hold for new secrets and new names alone.
        limits: field -> limits.
        list_tells: fields that the listing tells.
        get_tells: fields that reading one secret tells.
        resets: fields of an existing secret that put_secret() cannot return to their default -> remedy.
        emulates_put: whether core makes put_secret() from list, create and update.
        compare_and_set: whether ``if_version=`` is kept.
        max_in_flight: most exchanges at the same time, or None.
        requests_per_minute: the provider's limit, or None where none is known.
        notes: field or topic -> what a user should know.
    """

    provider: str
    title: str
    operations: frozenset[Operation]
    create: frozenset[str] = frozenset()
    update: frozenset[str] = frozenset()
    clear: frozenset[str] = frozenset()
    one_way: Mapping[str, str] = field(default_factory=_none)
    why_not: Mapping[str, str] = field(default_factory=_none)
    addressed_by: Mapping[Operation, Literal["name", "id", "either"]]
    id_is_uuid: bool = False
    name: Limit = Limit(min_length=1)
    finds_any_name: bool = False
    limits: Mapping[str, Limit] = field(default_factory=lambda: _NO_LIMITS)
    list_tells: frozenset[str] = frozenset()
    get_tells: frozenset[str] = frozenset()
    resets: Mapping[str, str] = field(default_factory=_none)
    emulates_put: bool = False
    compare_and_set: bool = False
    max_in_flight: int | None = None
    requests_per_minute: float | None = None
    notes: Mapping[str, str] = field(default_factory=_none)

    @property
    def reads_values(self) -> bool:
        """Whether the provider ever tells a value."""
        return "value" in self.get_tells

    def __str__(self) -> str:
        return table(self)


def _rows(of: Capabilities) -> list[tuple[str, str]]:
    rows = [(verb, "yes" if verb in of.operations else "no") for verb in ("list", "get", "create", "update")]
    rows += [(verb, "yes" if verb in of.operations else "no") for verb in ("put", "delete")]
    rows.append(("tells values", "yes" if of.reads_values else "never"))
    rows += [(name, _field(of, name)) for name in FIELDS if name != "extra"]
    rows += [
        ("limits of the name", str(of.name)),
        ("limits of the value", str(of.limits.get("value", Limit()))),
        ("compare-and-set", "yes" if of.compare_and_set else "no"),
        ("most in flight", str(of.max_in_flight or "no limit")),
        ("requests a minute", f"{of.requests_per_minute:g}" if of.requests_per_minute else "no limit known"),
    ]
    return rows


def _field(of: Capabilities, name: str) -> str:
    can = [
        word
        for word, fields in (("create", of.create), ("set", of.update), ("clear", of.clear))
        if name in fields
    ]
    if name in of.one_way:
        can.append("one way")
    return ", ".join(can) or "no"


def table(*providers: Capabilities) -> str:
    """Render providers side by side as a Markdown table."""
    columns = [_rows(provider) for provider in providers]
    lines = [
        "| | " + " | ".join(provider.title for provider in providers) + " |",
        "|---|" + "---|" * len(providers),
    ]
    lines += [
        f"| {row[0][0]} | " + " | ".join(cell.replace("|", "\\|") for _, cell in row) + " |"
        for row in zip(*columns, strict=True)
    ]
    return "\n".join(lines) + "\n"
