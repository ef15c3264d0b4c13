"""Slots: ways into the vault, one per credential, each of its kind."""

from __future__ import annotations

import pickle
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from secretbridge import (
    AccountKey,
    EnvironmentKey,
    ExternalKey,
    KeyFile,
    KeyringKey,
    KeyWrapper,
    Passphrase,
)
from secretbridge._vault import _crypto, _slots
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._openers import Opener
from secretbridge.errors import InvalidRequest, SecretBridgeError, VaultDamaged, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    from secretbridge._credentials import Credential
    from secretbridge._vault._change import Change

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


CANARY = "canary-passphrase-7"


@pytest.fixture(autouse=True)
def a_fast_kdf(monkeypatch: pytest.MonkeyPatch) -> list[_crypto.Argon2]:
    """Which parameters the KDF ran with; the real one is tested in test_vault_keys.py."""
    runs: list[_crypto.Argon2] = []

    def fast(passphrase: bytes, salt: bytes, parameters: _crypto.Argon2) -> bytes:
        runs.append(parameters)
        return _crypto.mac(salt, passphrase)

    monkeypatch.setattr(_crypto, "argon2id", fast)
    return runs


class Kms:
    """A key wrapper as somebody might write it: it keeps the keys itself."""

    def __init__(self) -> None:
        self.keys: dict[bytes, bytes] = {}

    def wrap(self, key: bytes) -> bytes:
        wrapped = b"ticket %d" % len(self.keys)
        self.keys[wrapped] = key
        return wrapped

    def unwrap(self, wrapped: bytes) -> bytes:
        return self.keys[wrapped]


class Ring:
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, user: str) -> str | None:
        if self.locked:
            raise RuntimeError(CANARY)
        return self.entries.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        if user == "refused":
            raise RuntimeError(password)
        self.entries[service, user] = password


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    return made


def opened(place: Place, credential: Credential | None = None) -> AdministeredVault:
    return AdministeredVault.open(
        place.location, environment="development", credential=credential or KeyFile(place.key)
    )


@pytest.fixture
def admin(place: Place, text: Wrap) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        vault.create("KEY", {"value": text("v")})
        yield vault


def told(vault: AdministeredVault) -> list[tuple[int, str, str]]:
    return [(slot.number, slot.kind, slot.label) for slot in vault.slots()]


def credentials(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, Credential]:
    monkeypatch.setenv("VAULT_KEY", EnvironmentKey.generate().get_secret_value() + "\n")
    KeyringKey("secretbridge", "me").create()
    return {
        "passphrase": Passphrase(CANARY),
        "key file": KeyFile(place.folder / "second" / "vault.key"),
        "environment variable": EnvironmentKey("VAULT_KEY"),
        "keyring entry": KeyringKey("secretbridge", "me"),
        "external key": ExternalKey(Kms(), name="kms"),
    }


def test_a_slot_of_each_kind_opens_the_vault(
    place: Place, admin: AdministeredVault, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, credential in credentials(place, monkeypatch).items():
        admin.add_slot(credential, f"my {kind}")
        with closing(opened(place, credential)) as vault:
            assert vault.get(name="KEY").value == "v"
            assert vault.verify() == admin.verify()
    assert told(admin) == [
        (1, "key file", "key file 1"),
        (2, "passphrase", "my passphrase"),
        (3, "key file", "my key file"),
        (4, "environment variable", "my environment variable"),
        (5, "keyring entry", "my keyring entry"),
        (6, "external key", "my external key"),
    ]


def test_a_vault_is_created_by_any_kind_but_an_accounts_key(
    place: Place, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, credential in credentials(place, monkeypatch).items():
        for _ in range(2):
            file = place.folder / kind / "vault.db"
            with closing(AdministeredVault.open(file, environment="test", credential=credential)) as vault:
                assert told(vault) == [(1, kind, f"{kind} 1")]
    with pytest.raises(VaultLocked, match="the key of an account makes none"):
        opened(place, AccountKey(AccountKey.generate()))
    assert not place.there()


def test_changing_a_passphrase_costs_one_key_derivation_and_rewrites_one_slot(
    place: Place, admin: AdministeredVault, a_fast_kdf: list[_crypto.Argon2]
) -> None:
    for phrase in ("one", "two", "three"):
        admin.add_slot(Passphrase(phrase), phrase)
    before = place_slots(admin)
    a_fast_kdf.clear()
    admin.change_slot("two", Passphrase("zwei"))
    assert a_fast_kdf == [_crypto.ARGON2_DEFAULT]
    assert [old == new for old, new in zip(before, place_slots(admin), strict=True)] == [
        True, True, False, True,
    ]  # fmt: skip
    opened(place, Passphrase("zwei")).close()
    with pytest.raises(VaultLocked, match="This passphrase does not open the vault"):
        opened(place, Passphrase("two"))


def place_slots(vault: AdministeredVault) -> list[tuple[object, ...]]:
    return list(vault._store.snapshot(lambda rows: rows.slots()))


def test_a_slot_taken_away_opens_nothing_and_the_last_one_stays(
    place: Place, admin: AdministeredVault
) -> None:
    with pytest.raises(VaultError, match=r"Slot 1 .* is the last one of the vault's owner"):
        admin.remove_slot(1)
    admin.add_slot(Passphrase("one"), "laptop")
    assert admin.remove_slot("key file 1").number == 1
    with pytest.raises(VaultLocked):
        opened(place)
    with closing(opened(place, Passphrase("one"))) as vault, pytest.raises(VaultError, match="the last one"):
        vault.remove_slot("laptop")
    assert told(admin) == [(2, "passphrase", "laptop")]


def test_another_process_that_holds_the_vault_goes_on(
    place: Place, admin: AdministeredVault, text: Wrap
) -> None:
    with closing(opened(place)) as other:
        admin.add_slot(Passphrase("one"), "")
        admin.remove_slot(1)
        other.update({"value": text("w")}, name="KEY")
        assert other.add_slot(Passphrase("two"), "").number == 3
        assert admin.get(name="KEY").value == "w"
    assert [slot.label for slot in admin.slots()] == ["passphrase 2", "passphrase 3"]


def test_slots_are_in_the_audit_trail_by_name(admin: AdministeredVault) -> None:
    admin.add_slot(Passphrase("one"), "laptop")
    admin.change_slot("laptop", Passphrase("two"))
    admin.remove_slot(1)
    lines = [(line.operation, line.name, line.secret_id, line.version) for line in admin.audit(2)]
    assert lines == [
        ("slot added", "laptop", None, None),
        ("slot changed", "laptop", None, None),
        ("slot removed", "key file 1", None, None),
    ]
    admin.verify()
    admin.verify_audit(None)


def test_a_slot_or_label_that_is_not_there_or_taken_is_refused(admin: AdministeredVault) -> None:
    for which in (7, "laptop"):
        with pytest.raises(InvalidRequest, match=r"there is none .* \(one of 1 \(key file 1\)\)"):
            admin.remove_slot(which)
        with pytest.raises(InvalidRequest, match="there is none"):
            admin.change_slot(which, Passphrase("p"))
    with pytest.raises(InvalidRequest, match="'key file 1' is that of slot 1"):
        admin.add_slot(Passphrase("p"), "key file 1")
    assert told(admin) == [(1, "key file", "key file 1")]


def test_a_slot_put_in_while_the_vault_is_open_is_never_made_good(
    place: Place, admin: AdministeredVault
) -> None:
    place.sql("INSERT INTO slot SELECT 2, kind, parameters, wrapped FROM slot")
    for work in (admin.slots, lambda: admin.add_slot(Passphrase("p"), ""), lambda: admin.remove_slot(2)):
        with pytest.raises(VaultDamaged):
            work()
    place.sql("DELETE FROM vault")
    with pytest.raises(VaultDamaged):
        admin.slots()


def test_a_slot_that_holds_no_bytes_is_damage(place: Place, admin: AdministeredVault) -> None:
    slot = admin._store.snapshot(lambda rows: rows.slots())[0]
    opener = Opener(slot.kind, bytes(32))
    for changed in ({"parameters": "text"}, {"wrapped": None}):
        with pytest.raises(VaultDamaged):
            opener.fits(admin._keyring.vault, slot._replace(**changed))
    external = slot._replace(kind=6, parameters=slot.parameters[:17])
    for broken in (external, external._replace(parameters=bytes(16) + b"\xff" * 4)):
        with pytest.raises(VaultDamaged):
            _ = broken.label
    with pytest.raises(VaultDamaged):
        Opener(2, b"p").fits(admin._keyring.vault, slot._replace(kind=2))


def test_the_slot_of_an_account_is_bound_to_it(place: Place, admin: AdministeredVault) -> None:
    account = AccountKey(AccountKey.generate())
    admin.add_principal(
        "ci", "service", account, roles=(), permissions=(), environments=None, expires_at=None
    )
    opened(place, account).close()
    assert [slot.principal for slot in admin.slots()] == [None, admin._policy.principals[0].id]
    with pytest.raises(VaultError, match="the last one of the vault's owner"):
        admin.remove_slot(1)

    def remove(change: Change, operation_id: bytes) -> None:
        assert _slots.remove_of(change.rows, admin._keyring, bytes(16)) == ()
        change.note(34, operation_id, name="ci")

    admin._write(remove)
    admin.remove_principal("ci")
    with pytest.raises(VaultLocked, match="This account key does not open the vault"):
        opened(place, account)


class Broken(Kms):
    """A wrapper that does one thing wrong."""

    def __init__(self, *, wraps: object = None, unwraps: object = None) -> None:
        super().__init__()
        self.wraps, self.unwraps = wraps, unwraps

    def wrap(self, key: bytes) -> bytes:
        if self.wraps is None:
            return super().wrap(key)
        if self.wraps is RuntimeError:
            raise RuntimeError(key.hex())
        return self.wraps(key) if callable(self.wraps) else self.wraps  # type: ignore[return-value] # that is what is wrong

    def unwrap(self, wrapped: bytes) -> bytes:
        if self.unwraps is None:
            return super().unwrap(wrapped)
        if self.unwraps is RuntimeError:
            raise RuntimeError(self.keys[wrapped].hex())
        return self.unwraps  # type: ignore[return-value] # that is what is wrong


@pytest.mark.parametrize("kind", ["sqlite"])  # tried out before any store
@pytest.mark.parametrize(
    ("wrapper", "why"),
    [
        (Broken(wraps=RuntimeError), "RuntimeError"),
        (Broken(wraps="text"), "it gave no bytes"),
        (Broken(wraps=b""), "it gave no bytes"),
        (Broken(wraps=bytes(16_385)), "it gave no bytes"),
        (Broken(wraps=lambda key: b"plain:" + key), "holds the key itself"),
        (Broken(unwraps=RuntimeError), "it raised RuntimeError"),
        (Broken(unwraps=bytes(31)), "it did not give 32 bytes"),
        (Broken(unwraps="text"), "it did not give 32 bytes"),
        (Broken(unwraps=bytes(32)), "another key than was wrapped"),
    ],
)
def test_a_key_wrapper_that_does_not_work_gets_no_slot(
    admin: AdministeredVault, wrapper: Broken, why: str
) -> None:
    with pytest.raises(VaultError, match=f"The key wrapper 'kms' did not wrap a key: .*{why}") as caught:
        admin.add_slot(ExternalKey(wrapper, name="kms"), "")
    assert caught.value.__context__ is None
    assert not any(key.hex() in repr(caught.value) for key in wrapper.keys.values())
    assert told(admin) == [(1, "key file", "key file 1")]


def test_a_key_wrapper_that_fails_later_opens_nothing_and_says_why(
    place: Place, admin: AdministeredVault
) -> None:
    kms = Broken()
    admin.add_slot(ExternalKey(kms, name="kms"), "")
    kms.unwraps = RuntimeError
    with pytest.raises(VaultLocked, match="did not unwrap the vault's key: it raised RuntimeError") as caught:
        opened(place, ExternalKey(kms, name="kms"))
    assert caught.value.__context__ is None
    with pytest.raises(VaultLocked, match="This external key does not open the vault"):
        opened(place, ExternalKey(kms, name="another"))
    with pytest.raises(VaultLocked, match="did not unwrap"):
        opened(place, ExternalKey(Kms(), name="kms"))
    kms.unwraps = bytes(32)
    with pytest.raises(VaultLocked, match="This external key does not open the vault"):
        opened(place, ExternalKey(kms, name="kms"))


def test_a_key_that_is_not_where_the_credential_says_is_called_so(
    place: Place, admin: AdministeredVault, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = EnvironmentKey.generate().get_secret_value()
    slip = key[:10] + ("A" if key[10] != "A" else "B") + key[11:]
    with pytest.raises(VaultLocked, match="VAULT_KEY is not set"):
        opened(place, EnvironmentKey("VAULT_KEY"))
    for text in (slip, "nonsense", key[:-1]):
        monkeypatch.setenv("VAULT_KEY", text)
        with pytest.raises(
            VaultLocked, match="VAULT_KEY holds no key of a vault, or a damaged one"
        ) as caught:
            opened(place, EnvironmentKey("VAULT_KEY"))
        assert text not in str(caught.value)
    with pytest.raises(VaultLocked, match="The keyring has no entry secretbridge/me"):
        opened(place, KeyringKey("secretbridge", "me"))
    ring.entries["secretbridge", "me"] = slip
    with pytest.raises(VaultLocked, match="entry secretbridge/me holds no key"):
        opened(place, KeyringKey("secretbridge", "me"))
    with pytest.raises(VaultError, match="has an entry secretbridge/me already"):
        KeyringKey("secretbridge", "me").create()
    with pytest.raises(VaultError, match=r"The keyring failed .RuntimeError."):
        KeyringKey("secretbridge", "refused").create()
    ring.locked = True
    with pytest.raises(VaultError, match=r"The keyring failed .RuntimeError.") as failed:
        opened(place, KeyringKey("secretbridge", "me"))
    assert (failed.value.__context__, CANARY in repr(failed.value)) == (None, False)


def test_without_the_package_keyring_the_extra_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(VaultError, match=r"secretbridge\[keyring\]"):
        KeyringKey("service", "user").key()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Passphrase(""),
        lambda: Passphrase(7),  # type: ignore[arg-type] # what a caller may get wrong
        lambda: Passphrase("a\nb"),
        lambda: Passphrase("\ud800"),
        lambda: KeyFile(""),
        lambda: KeyFile("a\0b"),
        lambda: KeyFile("https://example.com/key"),
        lambda: EnvironmentKey(""),
        lambda: EnvironmentKey("A=B"),
        lambda: KeyringKey("service", ""),
        lambda: KeyringKey("s" * 1025, "user"),
        lambda: ExternalKey(Kms(), name="n" * 101),
        lambda: ExternalKey(object()),  # type: ignore[arg-type] # what a caller may get wrong
        lambda: AccountKey("sbk_"),
        lambda: AccountKey(7),  # type: ignore[arg-type] # what a caller may get wrong
    ],
)
def test_a_malformed_credential_is_refused_when_it_is_made(make: Callable[[], Credential]) -> None:
    with pytest.raises(InvalidRequest):
        make()


def test_a_callable_is_asked_late_and_its_failure_tells_no_more_than_its_class(place: Place) -> None:
    def failing() -> str:
        raise RuntimeError(CANARY)

    for credential in (Passphrase(failing), AccountKey(failing)):
        with pytest.raises(VaultLocked, match="raised RuntimeError") as caught:
            credential.asked()
        assert (caught.value.__context__, CANARY in repr(caught.value)) == (None, False)
    key = AccountKey.generate()
    assert AccountKey(lambda: key).asked().key() == AccountKey(key.get_secret_value()).key()
    with pytest.raises(InvalidRequest):
        AccountKey(lambda: "nothing").key()


def test_no_credential_shows_or_pickles_its_secret() -> None:
    key = AccountKey.generate()
    kms = Kms()
    shown = {
        "Passphrase()": Passphrase(CANARY),
        "AccountKey()": AccountKey(key),
        "ExternalKey(name='kms')": ExternalKey(kms, name="kms"),
        "EnvironmentKey(variable='V')": EnvironmentKey("V"),
        "KeyringKey(service='s', user='u')": KeyringKey("s", "u"),
    }
    assert {repr(credential): credential for credential in shown.values()} == shown
    for credential in (*shown.values(), KeyFile("k")):
        with pytest.raises(TypeError, match="is not pickled"):
            pickle.dumps(credential)
    assert isinstance(kms, KeyWrapper)
    assert key.get_secret_value() not in repr(key)


@pytest.mark.parametrize("kind", ["sqlite"])  # files are read; PostgreSQL's are in tests/postgres
def test_nothing_that_opens_the_vault_shows_in_errors_or_in_any_file(
    place: Place, admin: AdministeredVault, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms = Kms()
    account = AccountKey.generate().get_secret_value()
    monkeypatch.setenv("VAULT_KEY", account)
    for credential in (Passphrase(CANARY), EnvironmentKey("VAULT_KEY"), ExternalKey(kms)):
        admin.add_slot(credential, "")
    secrets = [
        CANARY.encode(),
        account.encode(),
        AccountKey(account).key(),
        admin._keyring.root,
        *kms.keys.values(),
    ]
    told_so = repr(admin) + repr(admin.slots()) + repr(Opener(2, CANARY.encode()))
    for wrong in (Passphrase("wrong"), AccountKey(account), ExternalKey(Kms())):
        with pytest.raises(SecretBridgeError) as caught:
            opened(place, wrong)
        told_so += repr(caught.value) + str(caught.value.__dict__)
    everything = told_so.encode() + b"".join(file.read_bytes() for file in place.file.parent.iterdir())
    assert [secret for secret in secrets if secret in everything or secret.hex().encode() in everything] == []
