"""The JSON of changes in several stores and of rotations."""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = [
    "ChangeEverywhere",
    "ChangeRow",
    "Forgotten",
    "PlaceRow",
    "Rotated",
]


class PlaceRow(TypedDict):
    """What came of a change in one store."""

    target: str
    secret: str
    provider: str
    state: Literal["updated", "not applied", "unknown", "restored", "left out", "would update"]
    seconds: float
    guarantee: Literal["atomic", "checked", "best-effort"] | None
    verified: bool | None
    version: int | None
    why: str | None


class ChangeEverywhere(TypedDict):
    """``update`` with several ``--to``, and ``resume`` of it, which tells no fields."""

    name: str
    fields: list[str]
    complete: bool
    run: str | None
    results: list[PlaceRow]


class Rotated(TypedDict):
    """``rotate``, and ``resume`` of it; ``revoked`` counts old tokens."""

    name: str
    run: str
    results: list[PlaceRow]
    verified: list[str]
    revoked: int
    dry_run: bool


class ChangeRow(TypedDict):
    """A change in several stores, or a rotation, that was begun; ``resume`` is the command to go on with."""

    id: str
    kind: Literal["update", "rotation"]
    state: Literal["running", "interrupted", "incomplete", "done", "forgotten", "damaged"]
    name: str
    targets: list[str]
    started_at: str
    vault: str | None
    named: bool
    revokes: bool
    journal: str
    resume: str | None


class Forgotten(TypedDict):
    """``forget``; ``vault`` is the one that kept the values."""

    run: str
    name: str
    vault: str
    dry_run: bool
