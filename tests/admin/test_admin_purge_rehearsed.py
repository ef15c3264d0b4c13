"""A purge that is rehearsed says what it would remove, and removes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from secretbridge import AsyncVault, KeyFile, Local, SecretBridge, SecretExists, Vault

if TYPE_CHECKING:
    from pathlib import Path

#: More than one transaction of a purge looks through.
MANY = 300


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A vault of many secrets with two versions each, and one that was deleted."""
    store = Local(tmp_path / "vault.db", key_file=tmp_path / "vault.key")
    names = [f"S{number:03}" for number in range(MANY)]
    with SecretBridge(store) as bridge:
        for value in ("one", "two"):
            for name in names[:4] if value == "two" else names:
                bridge.put_secret(name, value=value)
        bridge.create_secret("GONE", value="v")
        bridge.delete_secret("GONE")
    return tmp_path


def opened(place: Path) -> Vault:
    return Vault(place / "vault.db", credential=KeyFile(place / "vault.key"))


def test_it_counts_as_the_purge_that_follows(place: Path) -> None:
    with opened(place) as vault:
        tried = vault.purge(older_versions=True, deleted=True, dry_run=True)
        again = vault.purge(older_versions=True, deleted=True, dry_run=True)
        versions = [step.purged for step in vault.history("S000")]
        vault.verify()
        done = vault.purge(older_versions=True, deleted=True)
        assert (tried.secrets, tried.versions, tried.pending) == (done.secrets, done.versions, False)
        assert (tried, tried.secrets, versions) == (again, 1, [False, False])


def test_of_one_secret_it_does_the_same(place: Path) -> None:
    with opened(place) as vault:
        before = vault.audit_head()
        tried = vault.purge("S001", older_versions=True, dry_run=True)
        assert (tried.versions, vault.audit_head()) == (1, before)
        assert vault.undelete("GONE").name == "GONE"


def test_what_could_not_be_purged_is_refused(place: Path) -> None:
    with opened(place) as vault, pytest.raises(SecretExists):
        vault.purge("S001", deleted=True, dry_run=True)


def test_the_same_awaited(place: Path) -> None:
    async def tried() -> int:
        async with AsyncVault(place / "vault.db", credential=KeyFile(place / "vault.key")) as vault:
            return (await vault.purge(deleted=True, dry_run=True)).secrets

    assert (asyncio.run(tried()), asyncio.run(tried())) == (1, 1)
