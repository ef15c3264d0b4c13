"""Somebody changes the file: a value is right or the vault is damaged, never wrong."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from secretbridge._vault import KeyFile, Vault, _crypto, _sealed
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import SecretBridgeError, SecretNotFound, VaultDamaged, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


VALUE, NAME, DESCRIPTION = "canary-value-1", "CANARY_NAME_2", "canary description 3"


NTH = "(SELECT secret FROM value WHERE environment = 1 ORDER BY secret LIMIT 1 OFFSET ?n)"


@pytest.fixture
def filled(place: Place, text: Wrap) -> Place:
    """A, B and C in development, A and B twice written; B in production too."""
    with closing(place.open()) as vault:
        for name in "ABC":
            vault.create(name, {"value": text(f"{name}-old")})
        for name in "AB":
            vault.update({"value": text(f"{name}-new")}, name=name)
    with closing(place.open("production")) as vault:
        vault.create("B", {"value": text("B-production")})
    return place


def damaged_by(place: Place, statement: str, *values: object) -> Vault:
    """The vault, reopened after somebody ran this on its file; FIRST and SECOND are A's id and B's."""
    assert place.sql("SELECT count(*) FROM value") == [(4,)]
    for word, position in (("FIRST", "0"), ("SECOND", "1")):
        statement = statement.replace(word, NTH.replace("?n", position))
    place.sql(statement, *values)
    return place.open()


def expect_damage(read: Callable[[], object]) -> None:
    with pytest.raises(VaultDamaged) as caught:
        read()
    # One sentence for every failed decryption, and nothing to learn from what lies behind it.
    assert (caught.value.message, caught.value.__context__) == (_crypto.DAMAGED, None)


@pytest.mark.parametrize("kind", ["sqlite"])  # files are read
def test_nothing_that_went_in_is_found_in_any_file(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create(NAME, {"value": text(VALUE), "description": DESCRIPTION})
        vault.update({"value": text(VALUE + "!"), "new_name": NAME + "_B"}, name=NAME)
        vault.delete(name=NAME + "_B")
        contents = {path.name: path.read_bytes() for path in place.file.parent.iterdir()}
    contents["closed"] = place.file.read_bytes()
    assert set(contents) == {"vault.db", "vault.db-wal", "vault.db-shm", "vault.db.lock", "closed"}
    for content in contents.values():
        for secret in (VALUE, NAME, DESCRIPTION, "production"):
            assert secret.encode() not in content
            assert secret.encode("utf-16-le") not in content


def test_exchanged_values_are_noticed(filled: Place) -> None:
    statement = """UPDATE value SET sealed =
        (SELECT sealed FROM value WHERE secret = SECOND AND environment = 1)
        WHERE secret = FIRST AND environment = 1"""
    with closing(damaged_by(filled, statement)) as vault:
        expect_damage(lambda: vault.get(name="A"))
        expect_damage(vault.list)
        assert vault.get(name="B").value == "B-new"
        expect_damage(vault.verify)


def test_a_value_copied_from_the_history_is_noticed(filled: Place) -> None:
    statement = """UPDATE value SET version = 1, sealed =
        (SELECT history FROM log WHERE secret = FIRST AND version = 1) WHERE secret = FIRST"""
    with closing(damaged_by(filled, statement)) as vault:
        expect_damage(lambda: vault.get(name="A"))


def test_a_value_moved_to_another_environment_is_noticed(filled: Place) -> None:
    statement = "UPDATE value SET environment = 4 WHERE secret = FIRST"
    with closing(damaged_by(filled, statement)) as vault:
        with closing(filled.open("production")) as production:
            expect_damage(lambda: production.get(name="A"))
        expect_damage(lambda: vault.get(name="A"))  # a row is missing: not an honest "not found"


def test_exchanged_names_are_noticed(filled: Place) -> None:
    (first,), (second,) = filled.sql("SELECT name_index FROM secret ORDER BY id LIMIT 2")
    filled.sql("UPDATE secret SET name_index = ? WHERE name_index = ?", b"0", first)
    filled.sql("UPDATE secret SET name_index = ? WHERE name_index = ?", first, second)
    with closing(
        damaged_by(filled, "UPDATE secret SET name_index = ? WHERE name_index = ?", second, b"0")
    ) as vault:
        expect_damage(lambda: vault.get(name="A"))
        expect_damage(lambda: vault.update({"description": "d"}, name="A"))
        expect_damage(vault.verify)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM value WHERE secret = FIRST", "DELETE FROM secret WHERE id = FIRST"]
)
def test_a_row_taken_away_is_no_honest_not_found(filled: Place, statement: str) -> None:
    with closing(damaged_by(filled, statement)) as vault:
        expect_damage(lambda: vault.get(name="A"))
        expect_damage(lambda: vault.delete(name="A"))
        expect_damage(vault.verify)


def test_an_honest_miss_is_not_found(filled: Place) -> None:
    with closing(filled.open()) as vault:
        for missing in ({"name": "NONE"}, {"id": "00" * 16}):
            with pytest.raises(SecretNotFound):
                vault.get(**missing)
    with closing(filled.open("production")) as vault, pytest.raises(SecretNotFound):
        vault.get(name="A")


def test_an_older_row_of_the_same_secret_is_found_by_verify(filled: Place, text: Wrap) -> None:
    secret, version, sequence, sealed = filled.sql(
        "SELECT secret, version, sequence, sealed FROM value WHERE environment = 1 ORDER BY secret"
    )[0]
    with closing(filled.open()) as vault:
        vault.update({"value": text("A-newest")}, name="A")
    statement = "UPDATE value SET version = ?, sequence = ?, sealed = ? WHERE secret = ?"
    with closing(damaged_by(filled, statement, version, sequence, sealed, secret)) as vault:
        expect_damage(vault.verify)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE value SET sequence = sequence + 1",
        "UPDATE secret SET flags = 1",
        "UPDATE log SET previous = 7 WHERE sequence = 3",
        "UPDATE log SET version = version + 1 WHERE sequence = 3",
        "UPDATE log SET history = NULL, secret = zeroblob(16) WHERE sequence = 3",
        "DELETE FROM log WHERE sequence = 3",
        "UPDATE log SET sequence = 0 WHERE sequence = 3",
        "UPDATE log SET operation_id = randomblob(16) WHERE sequence = 3",
        "UPDATE log SET history = (SELECT history FROM log WHERE sequence = 2) WHERE sequence = 3",
        "UPDATE log SET audit = (SELECT audit FROM log WHERE sequence = 2) WHERE sequence = 3",
    ],
)
def test_verify_finds_what_reading_does_not_look_at(filled: Place, statement: str) -> None:
    with closing(damaged_by(filled, statement)) as vault:
        expect_damage(vault.verify)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log WHERE sequence = (SELECT max(sequence) FROM log)",
        "UPDATE log SET sequence = sequence + 1 WHERE sequence = (SELECT max(sequence) FROM log)",
        "UPDATE state SET sequence = sequence - 1",
        "UPDATE state SET sealed = zeroblob(length(sealed))",
        "UPDATE state SET sealed = 'text'",
        "UPDATE policy SET policy_epoch = 2",
        "UPDATE policy SET sealed = zeroblob(60)",
        "UPDATE vault SET slot_mac = zeroblob(32)",
        "UPDATE vault SET suite = 2",
        "UPDATE data_key SET epoch = 2",
        "UPDATE data_key SET wrapped = zeroblob(92)",
    ],
)
def test_opening_notices_what_concerns_the_whole(filled: Place, statement: str) -> None:
    expect_damage(lambda: damaged_by(filled, statement))


@pytest.mark.parametrize("kind", ["sqlite"])  # files are copied
def test_a_content_from_a_copy_in_the_place_of_a_deletion_is_noticed_whenever_it_was_made(
    filled: Place, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(filled, folder=filled.folder.with_name("other"))
    shutil.copytree(filled.folder, other.folder)
    moment = _sealed.now()
    with monkeypatch.context() as patched:
        patched.setattr(_sealed, "now", lambda: moment)
        with closing(other.open()) as vault:
            vault.update({"value": text("A-of-the-copy")}, name="A")
        with closing(filled.open()) as vault:
            vault.delete(name="A")
    with closing(filled.open()) as vault:
        vault.update({"value": text("B-newest")}, name="B")
        vault.verify()
    (sequence, history) = other.sql("SELECT sequence, history FROM log ORDER BY sequence DESC LIMIT 1")[0]
    filled.sql("UPDATE log SET history = ? WHERE sequence = ?", history, sequence)
    with closing(filled.open()) as vault:
        expect_damage(vault.verify)


@pytest.mark.parametrize("kind", ["sqlite"])  # files are copied
def test_the_newest_line_of_a_copy_that_went_its_own_way_is_noticed(filled: Place, text: Wrap) -> None:
    other = replace(filled, folder=filled.folder.with_name("other"))
    shutil.copytree(filled.folder, other.folder)
    for one in (filled, other):
        with closing(one.open()) as vault:
            vault.update({"value": text("A-newest")}, name="A")
    newest = "FROM log WHERE sequence = (SELECT max(sequence) FROM log)"
    (line,) = other.sql(f"SELECT * {newest}")
    filled.sql(f"DELETE {newest}")
    filled.sql(f"INSERT INTO log VALUES ({', '.join('?' * len(line))})", *line)  # noqa: S608 - marks
    expect_damage(filled.open)


def test_a_whole_vault_verifies(filled: Place) -> None:
    with closing(filled.open()) as vault:
        assert vault.verify() == (3, 4, 7)


#: The columns that hold bytes, by table, and what tells their rows apart.
BLOBS = {
    "value": (("secret", "sealed"), "sequence"),
    "secret": (("name_index", "id"), "id"),
    "log": (("operation_id", "secret", "audit", "history"), "sequence"),
    "state": (("sealed",), "one"),
    "policy": (("sealed",), "one"),
    "data_key": (("wrapped",), "epoch"),
    "slot": (("parameters", "wrapped"), "number"),
    "vault": (("id", "slot_mac"), "one"),
}


@pytest.mark.parametrize("table", BLOBS)
def test_a_flipped_bit_in_a_row_is_damage_or_found_by_verify(filled: Place, table: str) -> None:
    expected = {"A": "A-new", "B": "B-new", "C": "C-old"}
    dice = random.Random(7)  # noqa: S311 - the same run again
    columns, row = BLOBS[table]
    found = 0
    for column in columns:
        every = filled.sql(f"SELECT {row}, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608 - names from the list above
        which, whole = dice.choice(every)
        assert isinstance(whole, bytes)
        flipped = bytearray(whole)
        flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        change = f"UPDATE {table} SET {column} = ? WHERE {row} = ?"  # noqa: S608 - names from the list above
        filled.sql(change, bytes(flipped), which)
        try:
            with closing(filled.open()) as vault:
                for name, value in expected.items():
                    with suppress(VaultDamaged, SecretNotFound):  # a miss is found by verify()
                        assert vault.get(name=name).value == value
                vault.verify()
        except (VaultDamaged, VaultLocked):
            found += 1
        now = bytes(flipped) if column == row else which
        filled.sql(change, whole, now)
    filled.open().close()
    assert found == len(columns)


@pytest.mark.parametrize("kind", ["sqlite"])  # a file is changed
def test_a_flipped_bit_never_gives_a_wrong_value(filled: Place) -> None:
    whole = filled.file.read_bytes()
    expected = {"A": "A-new", "B": "B-new", "C": "C-old"}
    dice = random.Random(4)  # noqa: S311 - the same places in every run
    used = [at for at in range(len(whole)) if whole[at]]
    told, refused, missed = 0, 0, 0
    for at in dice.sample(used, 200):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << dice.randrange(8)
        filled.file.write_bytes(flipped)
        for journal in ("-wal", "-shm"):
            filled.file.with_name(f"vault.db{journal}").unlink(missing_ok=True)
        try:
            with closing(filled.open()) as vault:
                for name, value in expected.items():
                    try:
                        assert vault.get(name=name).value == value
                        told += 1
                    except SecretNotFound:
                        missed += 1
                        with pytest.raises(VaultDamaged):
                            vault.verify()
                    except VaultDamaged:
                        refused += 1
        except SecretBridgeError:
            refused += len(expected)
    assert told + refused + missed == 600
    assert told > 0
    assert refused > 0


@pytest.mark.parametrize("kind", ["sqlite"])  # SQLite's connection is replaced
def test_a_commit_of_unknown_outcome_is_looked_up(filled: Place, text: Wrap) -> None:
    class Failing:
        """A connection whose commit is reported as failed, after or before it was made."""

        def __init__(self, real: sqlite3.Connection, *, made: bool, gone: bool = False) -> None:
            self.real, self.made, self.gone = real, made, gone
            self.failed = False

        def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if self.failed and self.gone:
                raise sqlite3.OperationalError("disk I/O error")
            if sql == "COMMIT":
                self.failed = True
                self.real.execute("COMMIT" if self.made else "ROLLBACK")
                raise sqlite3.OperationalError("disk I/O error")
            return self.real.execute(sql, values)

        @property
        def in_transaction(self) -> bool:
            return self.real.in_transaction

    with closing(filled.open()) as vault:
        real = filled.in_file(vault)._connection
        assert real is not None

        def update_with(connection: Failing, value: str) -> None:
            filled.in_file(vault)._connection = connection  # type: ignore[assignment] # stands in for a failing disk
            try:
                vault.update({"value": text(value)}, name="A")
            finally:
                filled.in_file(vault)._connection = real

        update_with(Failing(real, made=True), "made")
        assert vault.get(name="A").value == "made"
        for made, gone, applied in ((False, False, False), (True, True, None), (False, True, None)):
            with pytest.raises(SecretBridgeError) as caught:
                update_with(Failing(real, made=made, gone=gone), "unknown")
            assert (caught.value.applied, caught.value.__context__) == (applied, None)
        vault.verify()


@pytest.mark.parametrize(
    "change",
    [
        lambda vault, id_: vault.update({"new_name": "Z"}, id=id_),
        lambda vault, id_: vault.delete(id=id_),
        lambda vault, _: vault.purge(None, older_versions=False, deleted=True),
    ],
)
def test_a_value_without_its_name_is_neither_moved_nor_removed(
    filled: Place, change: Callable[[AdministeredVault, str], object]
) -> None:
    with closing(filled.open()) as vault:
        id_ = vault.get(name="C").id
        if "purge" in change.__code__.co_names:
            vault.delete(name="C")
    filled.sql("DELETE FROM secret WHERE id = ?", bytes.fromhex(id_))
    before = filled.sql("SELECT * FROM value ORDER BY secret, environment")
    key = KeyFile(filled.key)
    with closing(AdministeredVault.open(filled.location, environment="development", credential=key)) as vault:
        expect_damage(lambda: change(vault, id_))
    assert filled.sql("SELECT * FROM value ORDER BY secret, environment") == before
