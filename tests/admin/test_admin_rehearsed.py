"""What the vault's keys and rules would become is looked at beforehand, and nothing is changed by that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from secretbridge import AsyncVault, EnvironmentKey, KeyFile, Local, SecretBridge, Vault
from secretbridge.errors import VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault with two slots, and a secret of three versions."""
    with SecretBridge(Local(tmp_path / "vault.db", key_file=tmp_path / "vault.key")) as bridge:
        for value in ("one", "two", "three"):
            bridge.put_secret("TOKEN", value=value)
    with Vault(tmp_path / "vault.db", key_file=tmp_path / "vault.key") as opened:
        opened.slots.add(KeyFile(tmp_path / "second.key"), "second")
        yield opened


def test_a_slot_that_would_be_removed_stays(vault: Vault) -> None:
    before = vault.slots.list(), vault.audit_head()
    gone = vault.slots.remove("second", dry_run=True)
    assert (gone, (vault.slots.list(), vault.audit_head())) == (before[0][1], before)


def test_a_root_key_that_would_be_made_is_not(vault: Vault, tmp_path: Path) -> None:
    before, first = (vault.slots.list(), vault.audit_head()), vault.slots.list()[0]
    left = vault.rotate_root([KeyFile(tmp_path / "second.key")], consent=[first.number], dry_run=True)
    assert ([slot.label for slot in left], (vault.slots.list(), vault.audit_head())) == (["second"], before)
    vault.verify()
    with Vault(tmp_path / "vault.db", key_file=tmp_path / "vault.key") as again:
        assert again.history("TOKEN")[0].version == 3


def test_what_a_new_root_key_would_be_refused_for_is_found(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="drop slots whose credential is not given"):
        vault.rotate_root([KeyFile(tmp_path / "second.key")], dry_run=True)
    KeyFile(tmp_path / "third.key")
    with pytest.raises(VaultLocked):
        vault.rotate_root([KeyFile(tmp_path / "third.key")], dry_run=True)
    assert [slot.label for slot in vault.slots.list()][1:] == ["second"]


def test_a_retention_that_would_be_set_is_counted_as_its_purge(vault: Vault) -> None:
    before = vault.audit_head()
    would = vault.set_retention(versions=1, days=None, dry_run=True)
    assert (vault.retention(), vault.audit_head()) == ((None, None), before)
    assert vault.set_retention(versions=1, days=None) is None
    assert would is not None
    assert (would.versions, vault.purge().versions) == (2, 2)


def test_the_same_awaited(vault: Vault, tmp_path: Path) -> None:
    async def tried() -> tuple[str, list[str], int]:
        async with AsyncVault(tmp_path / "vault.db", key_file=tmp_path / "vault.key") as awaited:
            gone = await awaited.slots.remove(2, dry_run=True)
            left = await awaited.rotate_root([KeyFile(tmp_path / "second.key")], consent=[1], dry_run=True)
            would = await awaited.set_retention(versions=2, days=None, dry_run=True)
            assert would is not None
            return gone.label, [slot.label for slot in left], would.versions

    before = vault.slots.list(), vault.audit_head()
    assert asyncio.run(tried()) == ("second", ["second"], 1)
    assert (vault.slots.list(), vault.audit_head()) == before


def test_a_vault_says_which_key_file_opens_it(tmp_path: Path) -> None:
    key = tmp_path / "vault.key"
    named = Vault(tmp_path / "vault.db", key_file=key), AsyncVault(tmp_path / "vault.db", key_file=key)
    by_default = Vault(tmp_path / "vault.db").key_file()
    other = Vault(tmp_path / "vault.db", credential=EnvironmentKey("KEY")).key_file()
    assert [one.key_file() for one in named] == [key, key]
    assert (by_default is not None and by_default.name, other) == ("vault.key", None)
    assert list(tmp_path.glob("vault.*")) == []
