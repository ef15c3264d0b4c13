"""A row of InsForge's secrets table: how it is shown, and what a request's body makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from secretbridge.testing._exchange import EPOCH, timestamp

__all__ = ["InsForgeSecret", "changes_in", "require", "shown"]


@dataclass(frozen=True, slots=True)
class InsForgeSecret:
    """A row as the server holds it. A deleted one is still there, inactive; flags may be null."""

    id: str
    name: str
    value: str = field(repr=False)
    active: bool | None = True
    reserved: bool | None = False
    expires_at: float | None = None
    last_used_at: float | None = None
    created_at: float = 0.0
    updated_at: float = 0.0


def shown(row: InsForgeSecret) -> dict[str, object]:
    """A row in a listing, without its value."""

    def stamp(seconds: float | None) -> str | None:
        return None if seconds is None else timestamp(seconds)

    return {
        "id": row.id,
        "key": row.name,
        "isActive": row.active,
        "isReserved": row.reserved,
        "lastUsedAt": stamp(row.last_used_at),
        "expiresAt": stamp(row.expires_at),
        "createdAt": stamp(row.created_at),
        "updatedAt": stamp(row.updated_at),
    }


def require(value: object, *kinds: type) -> None:
    """Insist on a type, as the server does by failing.

    Raises:
        TypeError: The value is of none of these types.
    """
    if not isinstance(value, kinds):
        raise TypeError


def changes_in(body: dict[str, Any]) -> dict[str, Any]:
    """The changes a body asks for, by our names; unknown fields are passed over.

    Raises:
        TypeError: A field of the wrong type.
        ValueError: A date that is none.
        OverflowError: A date out of range.
    """
    changes: dict[str, Any] = {}
    if "value" in body:
        require(body["value"], str)
        # Stored as UTF-8, in which half of a surrogate pair has no place: it is replaced without a word.
        changes["value"] = re.sub("[\ud800-\udfff]", "\ufffd", body["value"])
    for sent, kept in (("isActive", "active"), ("isReserved", "reserved")):
        if sent in body:
            require(body[sent], bool, type(None))
            changes[kept] = body[sent]
    if "expiresAt" in body:
        changes["expires_at"] = _moment(body["expiresAt"]) if body["expiresAt"] else None
    return changes


def _moment(value: object) -> float:
    """Seconds since 1970 from what JavaScript's Date takes: a number is milliseconds, a text ISO 8601."""
    if isinstance(value, (int, float)):
        moment = EPOCH + timedelta(milliseconds=int(value))
    else:
        require(value, str)
        moment = datetime.fromisoformat(str(value))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1) / 1000
