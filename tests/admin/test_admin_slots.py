"""The slots and keys of the vault through both faces."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from secretbridge import (
    AccountKey,
    AsyncVault,
    EnvironmentKey,
    KeyFile,
    Local,
    Passphrase,
    SecretBridge,
    Vault,
)
from secretbridge._admin_slots import AsyncSlots, Slots
from secretbridge.errors import InvalidRequest, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from admin_place import Home

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


PUBLIC = sorted(name for name in vars(Slots) if not name.startswith("_"))


def test_both_faces_have_the_same_names_parameters_and_docstrings() -> None:
    assert sorted(name for name in vars(AsyncSlots) if not name.startswith("_")) == PUBLIC
    assert PUBLIC == ["add", "change", "list", "remove"]
    for name in PUBLIC:
        ours, theirs = getattr(Slots, name), getattr(AsyncSlots, name)
        assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters
        assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    assert inspect.getdoc(Slots) == inspect.getdoc(AsyncSlots)


def test_slots_are_listed_added_changed_and_removed(
    home: Home, admin: Vault, bridge: SecretBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.create_secret("KEY", value="v")
    key = EnvironmentKey.generate().get_secret_value()
    monkeypatch.setenv("VAULT_KEY", key)
    added = admin.slots.add(EnvironmentKey("VAULT_KEY"), label="ci")
    assert (added.number, added.kind, added.label, added.principal) == (2, "environment variable", "ci", None)
    second = KeyFile(home.folder / "config" / "second.key")
    assert admin.slots.change("ci", second).kind == "key file"
    with SecretBridge(Local(home.location, credential=second)) as other:
        assert other.get_secret("KEY").reveal() == "v"
    with (
        SecretBridge(Local(home.location, credential=EnvironmentKey("VAULT_KEY"))) as other,
        pytest.raises(VaultLocked, match="This environment variable does not open the vault") as caught,
    ):
        other.get_secret("KEY")
    assert key not in str(caught.value)
    assert admin.slots.remove(1).label == "key file 1"
    with pytest.raises(VaultError, match="is the last one of the vault's owner"):
        admin.slots.remove("ci")
    assert [(slot.number, slot.label) for slot in admin.slots.list()] == [(2, "ci")]
    assert bridge.get_secret("KEY").reveal() == "v"
    admin.verify()


WRONG: list[Callable[[Vault], Any]] = [
    lambda vault: vault.slots.add("text"),  # type: ignore[arg-type] # what a caller may get wrong
    lambda vault: vault.slots.add(AccountKey(AccountKey.generate())),
    lambda vault: vault.slots.add(Passphrase("p"), label="l" * 101),
    lambda vault: vault.slots.add(Passphrase("p"), label="a\nb"),
    lambda vault: vault.slots.add(Passphrase("p"), label=7),  # type: ignore[arg-type] # what a caller may get wrong
    lambda vault: vault.slots.change("", Passphrase("p")),
    lambda vault: vault.slots.change(True, Passphrase("p")),
    lambda vault: vault.slots.remove(0),
    lambda vault: vault.slots.remove(1.5),  # type: ignore[arg-type] # what a caller may get wrong
    lambda vault: vault.rekey(batch=0),
    lambda vault: vault.rekey(batch=10_001),
    lambda vault: vault.rotate_root([]),
    lambda vault: vault.rotate_root("key"),  # type: ignore[arg-type] # what a caller may get wrong
    lambda vault: vault.rotate_root(["key"]),  # type: ignore[list-item] # what a caller may get wrong
    lambda vault: vault.rotate_root([KeyFile("k")], consent="laptop"),
    lambda vault: vault.rotate_root([KeyFile("k")], consent=[None]),  # type: ignore[list-item] # what a caller may get wrong
]


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize("wrong", WRONG)
def test_a_malformed_call_is_refused_before_the_vault_is_opened(
    home: Home, wrong: Callable[[Vault], Any]
) -> None:
    with home.vault() as vault, pytest.raises(InvalidRequest):
        wrong(vault)
    assert not home.there()


def test_keys_are_made_anew_while_a_bridge_works(home: Home, admin: Vault, bridge: SecretBridge) -> None:
    for number in range(5):
        bridge.create_secret(f"KEY{number}", value=str(number))
    admin.slots.add(KeyFile(home.folder / "config" / "second.key"), label="second")
    anchor = str(admin.audit_head())
    told: list[tuple[int, int]] = []
    admin.rekey(progress=lambda done, total: told.append((done, total)), batch=2)
    assert told[-1] == (17, 17)
    assert [bridge.get_secret(f"KEY{number}").reveal() for number in range(5)] == list("01234")
    assert [slot.label for slot in admin.rotate_root([KeyFile(home.key)], consent=["second"])] == [
        "key file 1"
    ]
    assert bridge.update_secret("KEY0", value="still").version == 2
    admin.rekey()
    with pytest.raises(VaultLocked, match="Open the vault again"):
        bridge.get_secret("KEY0")
    with home.bridge() as again:
        assert again.get_secret("KEY0").reveal() == "still"
    admin.verify_audit(anchor)
    admin.verify()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_does_it_all(home: Home, backend: str) -> None:
    async def work() -> None:
        async with AsyncVault(home.location, key_file=home.key) as vault:
            second = KeyFile(home.folder / "config" / "second.key")
            assert (await vault.slots.add(second, label="second")).number == 2
            assert (await vault.slots.change(2, KeyFile(home.folder / "config" / "third.key"))).number == 2
            assert len(await vault.slots.list()) == 2
            assert (await vault.slots.remove("second")).number == 2
            assert len(await vault.rotate_root([KeyFile(home.key)])) == 1
            await vault.rekey()
            await vault.verify()

    anyio.run(work, backend=backend)


@pytest.mark.parametrize("kind", ["sqlite"])  # its folder is looked for
def test_a_passphrase_is_asked_for_before_anything_is_locked(home: Home) -> None:
    files: list[bool] = []

    def passphrase() -> str:
        files.append(home.file.parent.exists())
        return "correct horse"

    with Vault(home.file, credential=Passphrase(passphrase)) as vault:
        vault.verify()
    assert files == [False]
