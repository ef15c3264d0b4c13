"""Many writes in one transaction mean what they mean one by one: results, refusals, audit trail, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr
from vault_place import kind, place

from secretbridge import Local, SecretBridge, Vault
from secretbridge._models import Write
from secretbridge._runtime import finish
from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from pathlib import Path

    from vault_place import Place

__all__ = ["kind", "place"]

ONE: Final = {"value": SecretStr("one")}
WRITES: Final = [
    Write("PLAIN", ONE, creates=False),
    Write("PLAIN", ONE, creates=True),
    Write("PLAIN", ONE, creates=False, if_version=7),
    Write("OTHER", ONE, creates=False, if_version=1),
    Write("LOCKED", ONE, creates=False),
    Write("LOCKED", {"protected": False}, creates=False),
    Write("SHARED", ONE, creates=False),
    Write("SHARED-AND-GONE", ONE, creates=True),
    Write("GONE", ONE, creates=False),
    Write("GONE", ONE, creates=True),
    Write("NEW", {**ONE, "description": "about it"}, creates=True),
    Write("NEW", {"description": None}, creates=False),
    Write("NEW", {"new_name": "PLAIN"}, creates=False),
    Write("NEW", {"new_name": "RENAMED"}, creates=False),
    Write("NEW", ONE, creates=True),
    Write("ABSENT", ONE, creates=False),
    Write("a/b", ONE, creates=True),
    Write("OTHER", {}, creates=False),
]


def begun(location: str, key: Path) -> str:
    """A vault with a secret of each kind; gives an account's key."""
    with SecretBridge(Local(location, "production", key_file=key)) as bridge:
        for name in ("PLAIN", "OTHER", "LOCKED", "SHARED", "SHARED-AND-GONE", "GONE"):
            bridge.create_secret(name, value="old")
        bridge.update_secret("LOCKED", protected=True)
        with Vault(location, "production", key_file=key) as vault:
            vault.share("SHARED")
            vault.share("SHARED-AND-GONE")
            vault.set_retention(versions=1, days=None)
            permissions = ["create", "update_secret_from_service:PLAIN", "update_secret_from_service:SHARED"]
            made = vault.principals.add_service_account("mover", permissions=permissions)
        bridge.delete_secret("SHARED-AND-GONE")
        bridge.delete_secret("GONE")
    return made.get_secret_value()


def told(found: Any) -> tuple[object, ...]:
    if isinstance(found, SecretBridgeError):
        return type(found), str(found), found.applied, found.transient
    return found.name, found.version, found.description, found.protected, found.value


def written(bridge: SecretBridge, write: Write) -> Any:
    """What one write by itself comes to."""
    fields: dict[str, Any] = dict(write.fields)
    try:
        if write.creates:
            return bridge.create_secret(write.name, **fields)
        return bridge.update_secret(write.name, if_version=write.if_version, **fields)
    except SecretBridgeError as error:
        return error


def outcome(location: str, key: Path, *, account: bool, together: bool) -> list[object]:
    """What came of all writes, and what the vault then holds and tells of it."""
    made = begun(location, key)
    by: dict[str, Any] = {"account_key": made} if account else {"key_file": key}
    with SecretBridge(Local(location, "production", **by)) as bridge:
        if together:
            found: list[Any] = [*finish(bridge._core.change_many(WRITES, allow_one_way=False))]
        else:
            found = [written(bridge, write) for write in WRITES]
    with Vault(location, "production", key_file=key) as vault:
        vault.verify()
        lines = [
            (line.operation, line.name, line.outcome, line.version, str(line.fields), line.principal)
            for line in vault.audit()
        ]
    with SecretBridge(Local(location, "production", key_file=key)) as bridge:
        held = sorted((one.name, one.version, one.description) for one in bridge.list_secrets())
    return [[told(one) for one in found], sorted(map(str, lines)), held]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("account", [False, True])
def test_many_writes_in_one_transaction_come_to_what_they_come_to_one_by_one(
    place: Place, *, account: bool
) -> None:
    places = [(f"{place.address}{n}", place.folder / f"{n}.key") for n in (1, 2)]
    single, many = (
        outcome(*where, account=account, together=together)
        for where, together in zip(places, (False, True), strict=True)
    )
    assert single == many
