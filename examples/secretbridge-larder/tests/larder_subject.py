"""Larder's adapter with a shelf of its own, as the contract wants them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from larder_standin import LarderStandIn
from secretbridge_larder import WIRE, Larder

from secretbridge.testing import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def larder(kind: type[Larder] = Larder, standin: LarderStandIn | None = None) -> Subject:
    """Give an adapter, and how to look into its store."""
    standin = standin or LarderStandIn()

    def seed(name: str, fields: Mapping[str, object]) -> None:
        standin.seed(name, **{WIRE[field]: _written(given) for field, given in fields.items()})

    def held() -> Iterator[Mapping[str, object]]:
        for row in standin.rows.values():
            fields: dict[str, Any] = {
                ours: row.get(theirs) for ours, theirs in WIRE.items() if ours != "new_name"
            }
            if fields["expires_at"] is not None:
                fields["expires_at"] = datetime.fromisoformat(fields["expires_at"])
            yield {"id": row["id"], "name": row["name"], **fields}

    return Subject(
        provider=kind(standin.base_url, api_key=standin.api_key),
        seed=seed,
        held=held,
        transport=standin.transport(),
        credential=standin.api_key,
    )


def _written(given: object) -> object:
    return given.isoformat() if isinstance(given, datetime) else given
