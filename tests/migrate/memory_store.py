"""A store in memory whose abilities a test chooses, and the simplest way to carry out a plan on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from secretbridge import Capabilities, Limit, Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge.migrate import Plan

FIELDS = ("description", "protected", "active")


@dataclass(frozen=True)
class Row:
    value: str
    description: str | None = None
    protected: bool = False
    active: bool = True


@dataclass
class Memory:
    """A provider over a dict."""

    rows: dict[str, Row]
    fields: frozenset[str] = frozenset(FIELDS)
    reads: bool = True
    pattern: str = ""
    longest: int | None = None
    capabilities: Capabilities = field(init=False)

    def __post_init__(self) -> None:
        able = self.fields | {"value"}
        self.capabilities = Capabilities(
            provider="memory",
            title="the memory",
            operations=frozenset({"list", "get", "create", "update"}),
            create=able,
            update=able,
            clear=self.fields & {"description"},
            addressed_by={"get": "name", "update": "name"},
            name=Limit(min_length=1, pattern=self.pattern, meaning="as the test says"),
            limits={"value": Limit(max_length=self.longest)},
            list_tells=self.fields,
            get_tells=frozenset({"value"}) if self.reads else frozenset(),
        )

    def check(self, operation: Any, target: Any, fields: Any) -> Iterable[Any]:
        return ()

    async def list_page(self, channel: Any, cursor: str | None, size: int) -> tuple[list[Secret], None]:
        return [
            Secret(name=name, **{known: getattr(row, known) for known in FIELDS if known in self.fields})
            for name, row in self.rows.items()
        ], None

    async def get(self, channel: Any, target: Any) -> Secret:
        return Secret(name=target.name, value=SecretStr(self.rows[target.name].value) if self.reads else None)

    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        raise NotImplementedError

    async def update(
        self, channel: Any, target: Any, changes: Any, *, if_version: int | None = None
    ) -> Secret:
        raise NotImplementedError

    async def put(self, channel: Any, name: str, fields: Any) -> Secret:
        raise NotImplementedError

    async def delete(self, channel: Any, target: Any) -> None:
        raise NotImplementedError


class Unshown(Memory):
    """Makes and changes values, and shows nothing of them: neither lists nor gets."""

    def __post_init__(self) -> None:
        value = frozenset({"value"})
        self.capabilities = Capabilities(
            provider="unshown",
            title="the unshown memory",
            operations=frozenset({"create", "update"}),
            create=value,
            update=value,
            addressed_by={"update": "name"},
        )

    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        self.rows[name] = Row(fields["value"].get_secret_value())
        return Secret(name=name)


def carried_out(plan: Plan, source: Mapping[str, Row], target: Mapping[str, Row]) -> dict[str, Row]:
    """Give the target after every step that is not skipped or refused."""
    rows = dict(target)
    for step in plan.steps:
        if step.action in {"create", "update"}:
            ours = source[step.source]
            there = Row(value="") if step.action == "create" else rows[step.target]
            rows[step.target] = replace(there, **{name: getattr(ours, name) for name in step.fields})
    return rows
