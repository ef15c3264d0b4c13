"""A new root key: who is kept, who is dropped, and what everybody else learns."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from secretbridge import AccountKey, ExternalKey, KeyFile, Passphrase
from secretbridge._vault import _crypto
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._openers import Opener
from secretbridge._vault._rotate import planned
from secretbridge.errors import InvalidRequest, SecretBridgeError, VaultDamaged, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    from secretbridge._credentials import Credential

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


PRINCIPAL = bytes(range(16))


class Xor:
    """A key wrapper that hides little, and remembers nothing."""

    def wrap(self, key: bytes) -> bytes:
        return bytes(byte ^ 0x5A for byte in key)

    unwrap = wrap


@pytest.fixture(autouse=True)
def a_fast_kdf(monkeypatch: pytest.MonkeyPatch) -> list[_crypto.Argon2]:
    """Which parameters the KDF ran with; the real one is tested in test_vault_keys.py."""
    runs: list[_crypto.Argon2] = []

    def fast(passphrase: bytes, salt: bytes, parameters: _crypto.Argon2) -> bytes:
        runs.append(parameters)
        return _crypto.mac(salt, passphrase)

    monkeypatch.setattr(_crypto, "argon2id", fast)
    return runs


def opened(place: Place, credential: Credential | None = None) -> AdministeredVault:
    return AdministeredVault.open(
        place.location, environment="development", credential=credential or KeyFile(place.key)
    )


@pytest.fixture
def admin(place: Place, text: Wrap) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        vault.create("KEY", {"value": text("v")})
        vault.add_slot(Passphrase("laptop"), "laptop")
        vault.add_slot(ExternalKey(Xor()), "kms")
        yield vault


def refused(place: Place, credential: Credential) -> bool:
    try:
        opened(place, credential).close()
    except VaultLocked:
        return True
    return False


def test_kept_slots_go_on_and_the_others_are_dropped_by_consent(
    place: Place, admin: AdministeredVault
) -> None:
    root, data_key = admin._keyring.root, place.sql("SELECT wrapped FROM data_key")
    before = admin.slots()
    left = admin.rotate_root([Passphrase("laptop"), ExternalKey(Xor())], ["key file 1"])
    assert left == before[1:] == admin.slots()
    assert admin._keyring.root != root
    assert place.sql("SELECT wrapped FROM data_key") != data_key
    assert refused(place, KeyFile(place.key))
    assert not refused(place, Passphrase("laptop"))
    assert not refused(place, ExternalKey(Xor()))
    with closing(opened(place, Passphrase("laptop"))) as again:
        assert again.get(name="KEY").value == "v"
        assert again.verify() == admin.verify()
        assert [entry.name for entry in again.audit(4)] == ["dropped: 1 (key file 1)"]
        assert again.add_slot(KeyFile(place.key), "").number == 4
        assert (
            again.rotate_root([Passphrase("laptop"), ExternalKey(Xor()), KeyFile(place.key)], [])
            == again.slots()
        )


def test_nothing_is_dropped_without_consent_and_all_of_it_is_named(
    place: Place, admin: AdministeredVault
) -> None:
    before = place.sql("SELECT * FROM slot")
    with pytest.raises(VaultError, match=r"not given: 2 \(laptop\), 3 \(kms\)"):
        admin.rotate_root([KeyFile(place.key)], [])
    with pytest.raises(VaultError, match=r"not given: 3 \(kms\)"):
        admin.rotate_root([KeyFile(place.key)], [2])
    with pytest.raises(InvalidRequest, match=r"names what is kept: 1 \(key file 1\)"):
        admin.rotate_root([KeyFile(place.key)], [1, 2, 3])
    with pytest.raises(InvalidRequest, match="there is none 'phone'"):
        admin.rotate_root([KeyFile(place.key)], ["phone"])
    with pytest.raises(VaultLocked, match="This passphrase does not open the vault"):
        admin.rotate_root([KeyFile(place.key), Passphrase("wrong")], [2, 3])
    assert place.sql("SELECT * FROM slot") == before


def test_an_account_stays_by_its_key_and_the_owner_never_goes(place: Place, admin: AdministeredVault) -> None:
    account = AccountKey(AccountKey.generate())
    admin.add_principal(
        "ci", "service", account, roles=(), permissions=(), environments=None, expires_at=None
    )
    principal = admin.slots()[-1].principal
    with pytest.raises(VaultError, match="No slot of the vault's owner would be left"):
        admin.rotate_root([account], [1, 2, 3])
    left = admin.rotate_root([account, KeyFile(place.key)], [2, 3])
    assert [(slot.label, slot.principal) for slot in left] == [
        ("key file 1", None),
        ("account key 4", principal),
    ]
    assert not refused(place, account)


def test_who_holds_the_old_root_is_told_to_open_again_and_never_that_the_vault_is_damaged(
    place: Place, admin: AdministeredVault, text: Wrap
) -> None:
    with closing(opened(place)) as held, closing(opened(place)) as idle:
        admin.rotate_root([KeyFile(place.key)], [2, 3])
        held.update({"value": text("w")}, name="KEY")  # the data key is the same
        ways: list[Callable[[], object]] = [
            held.slots,
            lambda: held.add_slot(Passphrase("p"), ""),
            lambda: held.remove_slot(1),
            lambda: held.change_slot(1, Passphrase("p")),
            lambda: held.rotate_root([KeyFile(place.key)], []),
            lambda: held.rekey(progress=None, batch=10),
        ]
        for way in ways:
            with pytest.raises(VaultLocked, match=r"root key was replaced.*Open the vault again"):
                way()
        admin.rekey(progress=None, batch=10)
        more: list[Callable[[], object]] = [
            lambda: idle.get(name="KEY"),
            lambda: idle.get(name="NONE"),
            idle.list,
            idle.verify,
            lambda: idle.update({"value": text("x")}, name="KEY"),
        ]
        for way in [*ways, *more]:
            with pytest.raises(VaultLocked, match="root key was replaced"):
                way()
    with closing(opened(place)) as again:
        assert again.get(name="KEY").value == "w"
        assert again.verify() == admin.verify()


def test_a_rotation_in_the_middle_of_a_rekey_takes_both_data_keys_along(
    place: Place, admin: AdministeredVault
) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        admin.rekey(progress=stop, batch=1)
    admin.rotate_root([KeyFile(place.key)], [2, 3])
    with closing(opened(place)) as again:
        assert again.get(name="KEY").value == "v"
        again.rekey(progress=None, batch=1)
        assert place.sql("SELECT epoch FROM data_key") == [(2,)]
        assert again.verify() == admin.verify()


@pytest.mark.parametrize("kind", ["sqlite"])  # a file is copied
def test_only_a_new_root_and_a_new_data_key_together_revoke(place: Place, admin: AdministeredVault) -> None:
    """The old copy and the old credential open the old copy, whatever happens to the vault."""
    admin.close()
    copy = place.folder / "copy.db"
    shutil.copy(place.file, copy)
    with closing(opened(place)) as vault:
        vault.rotate_root([KeyFile(place.key)], ["laptop", "kms"])
        vault.rekey(progress=None, batch=10)
    assert refused(place, Passphrase("laptop"))
    with closing(
        AdministeredVault.open(copy, environment="development", credential=Passphrase("laptop"))
    ) as old:
        assert old.get(name="KEY").value == "v"
        stolen, root = old._keyring.current, old._keyring.root
    with closing(opened(place)) as vault:
        assert vault._keyring.current.records != stolen.records
        wrapped = vault._store.snapshot(lambda rows: rows.data_keys())
        vault._keyring.root = root
        assert [vault._keyring.opens(epoch, blob) for epoch, blob in wrapped.items()] == [False]


def test_slots_that_change_meanwhile_are_planned_for_anew(
    place: Place, admin: AdministeredVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = opened(place)
    plans: list[int] = []

    def meanwhile(*given: object) -> object:
        plans.append(len(plans))
        made = planned(*given)  # type: ignore[arg-type] # handed through
        if len(plans) == 1:
            other.remove_slot("kms")
        return made

    monkeypatch.setattr("secretbridge._vault._rotate.planned", meanwhile)
    with closing(other), pytest.raises(InvalidRequest, match="there is none 'kms'"):
        admin.rotate_root([KeyFile(place.key)], ["laptop", "kms"])
    assert admin.rotate_root([KeyFile(place.key)], ["laptop"]) == admin.slots()
    assert plans == [0, 1, 2]


def test_a_data_key_exchanged_in_the_file_is_not_rewrapped(place: Place, admin: AdministeredVault) -> None:
    place.sql("UPDATE data_key SET wrapped = zeroblob(92)")
    with pytest.raises(SecretBridgeError) as caught:
        admin.rotate_root([KeyFile(place.key)], [2, 3])
    assert isinstance(caught.value, VaultLocked)
    with pytest.raises(VaultDamaged):  # opening again tells which of the two it is
        opened(place)


def test_a_plan_shows_no_key(place: Place, admin: AdministeredVault) -> None:
    slots = admin._store.snapshot(lambda rows: rows.slots())
    plan = planned(admin._keyring, slots, [Opener(2, b"laptop")], [1, 3])
    assert (repr(plan), len(plan.root)) == ("Plan()", 32)
