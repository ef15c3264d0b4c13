"""What opens a vault, and what does not."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf import argon2

from secretbridge._location import PostgresUrl
from secretbridge._vault import (
    KeyFile,
    Passphrase,
    Vault,
    _crypto,
    _keys,
    default_key_file,
    default_location,
)
from secretbridge._vault._openers import PASSPHRASE, Opener
from secretbridge.errors import VaultDamaged, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


def test_a_vault_opens_again_with_its_key_file(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        made = vault.create("KEY", {"value": text("v")})
    with closing(place.open()) as vault:
        assert vault.get(name="KEY") == made
        vault.verify()


def test_a_vault_opens_with_its_passphrase_in_either_unicode_form_and_with_no_other(
    place: Place, text: Wrap
) -> None:
    def unlock(phrase: str) -> Vault:
        return Vault.open(place.location, environment="test", credential=Passphrase(text(phrase)))

    with closing(unlock("caf\u00e9")) as vault:
        vault.create("KEY", {"value": text("v")})
    with closing(unlock("cafe\u0301")) as vault:
        assert vault.get(name="KEY").value == "v"
    with pytest.raises(VaultLocked, match="This passphrase does not open the vault"):
        unlock("cafe")
    with pytest.raises(VaultLocked, match="This key file does not open the vault"):
        Vault.open(place.location, environment="test", credential=KeyFile(other_key(place)))


def other_key(place: Place) -> Path:
    path = place.folder / "other" / "vault.key"
    Vault.open(place.folder / "other" / "vault.db", environment="test", credential=KeyFile(path)).close()
    return path


def test_unlocking_runs_the_kdf_once(place: Place, text: Wrap, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def fast(passphrase: bytes, salt: bytes, parameters: _crypto.Argon2) -> bytes:
        runs.append(parameters)
        return _crypto.mac(salt, passphrase)

    monkeypatch.setattr(_crypto, "argon2id", fast)
    for expected in (1, 2):
        Vault.open(place.location, environment="test", credential=Passphrase(text("p"))).close()
        assert runs == [_crypto.Argon2(memory=65536, passes=3, lanes=4)] * expected


@pytest.mark.parametrize("kind", ["sqlite"])  # nothing of the store
def test_neither_a_passphrase_nor_a_keyring_shows_anything(place: Place, text: Wrap) -> None:
    assert repr(Passphrase(text("canary"))) == "Passphrase()"
    with closing(place.open()) as vault:
        keyring = vault._keyring
        shown = repr(keyring) + repr(keyring.current) + repr(vault)
        assert keyring.root.hex() not in shown
        assert keyring.current.records.hex() not in shown
        assert repr(keyring.root) not in shown


def test_another_key_file_does_not_open_the_vault(place: Place) -> None:
    place.open().close()
    with pytest.raises(VaultLocked, match="This key file does not open the vault"):
        Vault.open(place.location, environment="test", credential=KeyFile(other_key(place)))


def test_one_key_file_serves_several_vaults(place: Place, text: Wrap) -> None:
    other = place.folder / "second" / "vault.db"
    with (
        closing(place.open()) as first,
        closing(Vault.open(other, environment="test", credential=KeyFile(place.key))) as second,
    ):
        first.create("KEY", {"value": text("1")})
        second.create("KEY", {"value": text("2")})
        assert first.get(name="KEY").value == "1"
        assert first._keyring.root != second._keyring.root


@pytest.mark.parametrize("kind", ["sqlite"])  # files
def test_several_vaults_made_at_once_agree_on_one_key_file(place: Place) -> None:
    barrier = threading.Barrier(4)
    files = [place.folder / f"v{number}" / "vault.db" for number in range(4)]

    def make(file: Path) -> None:
        barrier.wait()
        Vault.open(file, environment="test", credential=KeyFile(place.key)).close()

    threads = [threading.Thread(target=make, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for file in files:
        Vault.open(file, environment="test", credential=KeyFile(place.key)).close()
    assert [path.name for path in place.key.parent.iterdir()] == ["vault.key"]


def test_a_missing_key_file_of_an_existing_vault_is_never_made_anew(place: Place) -> None:
    place.open().close()
    place.key.unlink()
    with pytest.raises(VaultLocked, match=r"missing\. It is never created anew"):
        place.open()
    assert not place.key.exists()


@pytest.mark.parametrize("content", [b"", b"secret", b"\xff" * 99, b"secretbridge-vault-key:1:00:00\n"])
def test_what_is_no_key_file_is_called_so_and_left_alone(place: Place, content: bytes) -> None:
    place.key.parent.mkdir(mode=0o700)
    place.key.write_bytes(content)
    place.key.chmod(0o600)
    with pytest.raises(VaultLocked, match="is not a key file of a vault, or it is damaged"):
        place.open()
    assert (place.key.read_bytes(), place.there()) == (content, False)


def test_a_slip_in_a_key_file_is_noticed(place: Place) -> None:
    place.open().close()
    line = place.key.read_bytes()
    place.key.write_bytes(line[:30] + (b"0" if line[30:31] != b"0" else b"1") + line[31:])
    with pytest.raises(VaultLocked, match="damaged"):
        place.open()


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o666])
def test_a_key_file_open_to_others_is_refused(place: Place, mode: int) -> None:
    place.open().close()
    place.key.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        place.open()


def test_a_key_file_that_is_a_folder_is_refused(place: Place) -> None:
    place.key.mkdir(parents=True)
    with pytest.raises(VaultLocked, match="cannot be read"):
        place.open()


@pytest.mark.parametrize("kind", ["sqlite"])  # files are looked at
def test_files_and_folders_are_for_their_owner_alone_whatever_the_umask(place: Place, text: Wrap) -> None:
    before = os.umask(0)
    try:
        with closing(place.open()) as vault:
            vault.create("KEY", {"value": text("v")})
            modes = {
                path.relative_to(place.folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
                for path in place.folder.rglob("*")
            }
    finally:
        os.umask(before)
    assert modes == {
        "config": 0o700,
        "config/vault.key": 0o600,
        "data": 0o700,
        "data/vault.db": 0o600,
        "data/vault.db-wal": 0o600,
        "data/vault.db-shm": 0o600,
        "data/vault.db.lock": 0o600,
    }


@pytest.mark.parametrize(
    "parameters",
    [
        _crypto.Argon2(1024 * 1024 + 1, 3, 4),
        _crypto.Argon2(65536, 17, 4),
        _crypto.Argon2(65536, 3, 17),
        _crypto.Argon2(31, 3, 4),
        _crypto.Argon2(65536, 0, 4),
    ],
)
def test_costs_beyond_the_caps_are_refused_before_the_kdf_runs(parameters: _crypto.Argon2) -> None:
    slot = Opener(PASSPHRASE, b"p").new_slot(
        bytes(16), bytes(32), number=1, argon2=_crypto.Argon2(memory=32, passes=1, lanes=4)
    )
    costs = b"".join(cost.to_bytes(4, "big") for cost in parameters)
    with pytest.raises(VaultDamaged):
        Opener(PASSPHRASE, b"p").open(bytes(16), [slot._replace(parameters=slot.parameters[:32] + costs)])


def test_a_slot_put_in_from_elsewhere_is_noticed(place: Place) -> None:
    place.open().close()
    place.sql("INSERT INTO slot SELECT 2, kind, parameters, wrapped FROM slot")
    with pytest.raises(VaultDamaged):
        place.open()


def test_hkdf_gives_the_result_of_rfc_5869() -> None:
    # Appendix A.1: salt and info of test case 1.
    given = _crypto.derive(
        b"\x0b" * 22,
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
        salt=bytes.fromhex("000102030405060708090a0b0c"),
        length=42,
    )
    assert given.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def test_the_default_places_are_the_users_folders_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SECRETBRIDGE_VAULT", raising=False)
    location = default_location()
    assert not isinstance(location, PostgresUrl)
    assert location.name == "vault.db"
    assert tmp_path in location.parents
    assert default_key_file().name == "vault.key"
    assert tmp_path in default_key_file().parents
    assert default_key_file().parent != location.parent
    monkeypatch.setenv("SECRETBRIDGE_VAULT", str(tmp_path / "mine.db"))
    assert default_location() == tmp_path / "mine.db"
    monkeypatch.setenv("SECRETBRIDGE_VAULT", "postgresql:///app?schema=mine")
    assert str(default_location()) == "postgresql:///app?schema=mine"


def test_a_library_without_argon2id_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(**_parameters: object) -> None:
        raise UnsupportedAlgorithm("no such algorithm")

    monkeypatch.setattr(argon2, "Argon2id", unsupported)
    with pytest.raises(VaultError, match="without Argon2id") as caught:
        _crypto.argon2id(b"p", bytes(16), _crypto.ARGON2_DEFAULT)
    assert caught.value.__context__ is None


def test_too_little_memory_for_the_kdf_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Starved:
        def __init__(self, **_parameters: object) -> None: ...

        def derive(self, _passphrase: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(argon2, "Argon2id", Starved)
    with pytest.raises(VaultError, match="64 MiB of free memory") as caught:
        _crypto.argon2id(b"p", bytes(16), _crypto.ARGON2_DEFAULT)
    assert caught.value.__context__ is None


def test_a_key_prepared_for_many_messages_authenticates_as_any_other() -> None:
    key = bytes(range(32))
    prepared = _crypto.MacKey(key)
    messages = [b"", b"one", b"x" * 1000, b"one"]
    assert [_crypto.mac(prepared, each) for each in messages] == [_crypto.mac(key, each) for each in messages]
    assert prepared == key


@pytest.mark.parametrize("kind", ["sqlite"])  # nothing of the store
def test_ciphers_of_records_are_kept_for_the_secrets_used_last_and_no_more(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("KEY", {"value": text("v")})
        keyring = vault._keyring
        for number in range(_keys._MOST_CIPHERS + 2):
            keyring.record_cipher(1, number.to_bytes(16, "big"))
        assert len(keyring._records) <= _keys._MOST_CIPHERS
        assert vault.get(name="KEY").value == "v"
