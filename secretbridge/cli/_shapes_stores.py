"""The JSON of stores and connections."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

__all__ = [
    "Capability",
    "CapabilityList",
    "Check",
    "Checks",
    "ConnectionChange",
    "ConnectionList",
    "ConnectionRow",
    "Init",
]


class Capability(TypedDict):
    """What a provider can do."""

    provider: str
    title: str
    operations: list[str]
    create: list[str]
    update: list[str]
    clear: list[str]
    list_tells: list[str]
    get_tells: list[str]
    one_way: dict[str, str]
    why_not: dict[str, str]
    notes: dict[str, str]
    name: dict[str, Any]
    limits: dict[str, dict[str, Any]]
    compare_and_set: bool
    max_in_flight: int | None
    requests_per_minute: float | None


class CapabilityList(TypedDict):
    """``capabilities``."""

    providers: list[Capability]


class ConnectionRow(TypedDict):
    """A connection; a credential is given by its reference."""

    name: str
    provider: str
    place: str
    options: dict[str, Any]


class ConnectionList(TypedDict):
    """``connections list``."""

    connections: list[ConnectionRow]


class ConnectionChange(TypedDict):
    """``connections add``, ``connections remove``."""

    name: str
    file: str
    operation: Literal["add", "remove"]
    dry_run: bool


class Check(TypedDict):
    """One check."""

    check: str
    status: Literal["ok", "warning", "failed"]
    detail: str


class Checks(TypedDict):
    """``connections check``, ``doctor``."""

    checks: list[Check]


class Init(TypedDict):
    """``init``."""

    vault: str
    vault_made: bool
    connection: str | None
    file: str | None
