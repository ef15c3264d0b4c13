"""docs/vault-format.md says what is in the file: a reader written from it alone reads real vaults."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vault_reader import TABLES, Reader, Tables, key_of_file, tables_of

from secretbridge import EnvironmentKey, KeyFile, Passphrase
from secretbridge._vault import _schema
from secretbridge._vault._administered import AdministeredVault

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)

DATA = Path(__file__).parent / "data"
VECTORS: dict[str, Any] = json.loads((DATA / "vectors.json").read_text(encoding="ascii"))
#: The columns that hold bytes, by table; everything else is a number or null.
BYTES = {
    "vault": {"id", "slot_mac"},
    "slot": {"parameters", "wrapped"},
    "data_key": {"wrapped"},
    "policy": {"sealed"},
    "secret": {"name_index", "id"},
    "value": {"secret", "sealed"},
    "log": {"operation_id", "secret", "audit", "history"},
    "state": {"sealed"},
}


def of_vectors() -> Tables:
    """The rows of the vectors, as the reader wants them: without the columns that are always 1."""
    tables: Tables = {}
    for table, columns in TABLES.items():
        names = columns.split(", ")
        rows = [row[-len(names) :] for row in VECTORS["tables"][table]]
        tables[table] = [
            tuple(
                bytes.fromhex(cell) if name in BYTES[table] and cell is not None else cell
                for name, cell in zip(names, row, strict=True)
            )
            for row in rows
        ]
    return tables


def written(place: Place) -> AdministeredVault:
    """The vectors as a file, opened by the package."""
    for folder in (place.file.parent, place.key.parent):
        folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(place.file)) as connection, connection:
        for statement in _schema.CREATE:
            connection.execute(statement)
        for table, rows in of_vectors().items():
            columns = TABLES[table].split(", ")
            marks = ", ".join("?" * len(columns))
            one = table in {"vault", "policy", "state"}
            names = ", ".join(["one", *columns] if one else columns)
            for row in rows:
                connection.execute(
                    f"INSERT INTO {table} ({names}) VALUES ({'1, ' if one else ''}{marks})",  # noqa: S608 - names from the list above
                    row,
                )
    place.file.chmod(0o600)
    return AdministeredVault.open(
        place.file, environment="development", credential=Passphrase(VECTORS["passphrase"])
    )


def test_the_vectors_are_read_by_the_page_alone() -> None:
    reader = Reader(of_vectors(), {1: bytes.fromhex(VECTORS["key_file"])})
    assert reader.root.hex() == VECTORS["root_key"]
    for epoch, keys in VECTORS["keys"].items():
        found_keys = {use: key.hex() for use, key in reader.keys[int(epoch)].items()}
        assert found_keys | {"chain": reader.chain_key.hex()} == keys
    assert sorted(reader.keys) == [1, 2]
    found = {
        name: reader.named(name, 1) for name in ("STRIPE_KEY", "MOVED_NAME", "SHARED_NAME", "GONE", "NO")
    }
    assert {name: record and (record["value"], record["flags"] & 6) for name, record in found.items()} == {
        "STRIPE_KEY": ("sk_live_second", 2),
        "MOVED_NAME": ("development", 0),
        "SHARED_NAME": (None, 4),
        "GONE": (None, 4),
        "NO": None,
    }
    stripe, production = found["STRIPE_KEY"], reader.named("SHARED_NAME", 4)
    assert stripe is not None
    assert production is not None
    assert (stripe["description"], stripe["version"]) == ("p\u00e4yments", 2)
    assert production["value"] == "production"
    told = [(entry["operation"], entry["name"], entry["kept"]) for entry in reader.entries()]
    assert [entry for entry in told if entry[1] not in {"EVERYWHERE", "ONCE_SHARED", "AGAIN"}] == [
        (1, "", None),
        (2, "SHARED_NAME", "production"),
        (2, "STRIPE_KEY", "sk_live_first"),
        (3, "STRIPE_KEY", "sk_live_second"),
        (2, "SHARED_NAME", "development"),
        (3, "MOVED_NAME", "development"),
        (2, "GONE", "g"),
        (5, "GONE", None),
        (8, "la passphrase d'Ad\u00e8le", None),
        (10, "data key 2 begun", None),
    ]
    assert reader.slots() == [(1, 1, bytes(16), ""), (2, 2, bytes(16), "la passphrase d'Ad\u00e8le")]
    environments = {"development": 1, "test": 2, "staging": 3, "production": 4}
    assert reader.policy()["environments"] == environments
    reader.check_whole()


def test_the_shared_secrets_of_the_vectors_are_read_by_the_page_alone() -> None:
    reader = Reader(of_vectors(), {1: bytes.fromhex(VECTORS["key_file"])})
    found = {
        name: [reader.named(name, environment) for environment in (1, 2, 3, 4)]
        for name in ("EVERYWHERE", "ONCE_SHARED", "AGAIN")
    }
    assert {name: [each and each["value"] for each in records] for name, records in found.items()} == {
        "EVERYWHERE": ["everybody's"] * 4,
        "ONCE_SHARED": ["one for all"] * 4,
        "AGAIN": ["one's own", None, None, None],
    }
    lines = [(line["operation"], line["environment"], line["kept"]) for line in reader.entries()]
    assert lines[8:11] == [(2, 1, "everybody's"), (35, 1, None), (35, 0, "everybody's")]
    unshared = [(36, environment, "one for all") for environment in (1, 2, 3, 4)]
    assert lines[13:19] == [(35, 0, "one for all"), *unshared, (36, 0, None)]
    reader.check_whole()


def test_a_flag_in_the_clear_that_contradicts_flag_64_is_noticed_by_the_page_alone() -> None:
    credentials = {1: bytes.fromhex(VECTORS["key_file"])}
    noticed = []
    for place, (name_index, secret, epoch, flags) in enumerate(of_vectors()["secret"]):
        changed = of_vectors()
        changed["secret"][place] = (name_index, secret, epoch, flags ^ 2)
        with pytest.raises(ValueError, match=r"not as docs/vault-format\.md says"):
            Reader(changed, credentials).check_places()
        noticed.append(flags & 2)
    assert (len(noticed), sum(noticed)) == (7, 2)


def test_the_vectors_are_what_the_package_reads(place: Place) -> None:
    with closing(written(place)) as vault:
        assert vault.get(name="STRIPE_KEY").value == "sk_live_second"
        assert vault.version("STRIPE_KEY", 1).value == "sk_live_first"
        assert vault.get(name="MOVED_NAME").value == "development"
        assert vault.undelete("GONE").value == "g"
        assert (vault.get(name="EVERYWHERE").value, vault.describe("EVERYWHERE").shared) == (
            "everybody's",
            True,
        )
        again = Passphrase(VECTORS["passphrase"])
        with closing(AdministeredVault.open(place.file, environment="test", credential=again)) as test:
            assert (test.get(name="ONCE_SHARED").value, test.undelete("AGAIN").value) == (
                "one for all",
                "shared",
            )
        assert vault.verify().entries == 31
        vault.rekey(progress=None, batch=3)
        vault.verify()
    reader = Reader(tables_of(place.file), {2: VECTORS["passphrase"].encode()})
    assert sorted(reader.keys) == [2]
    reader.check_whole()


def test_a_wrong_credential_and_a_changed_row_are_noticed_by_the_page_alone() -> None:
    with pytest.raises(ValueError, match="no slot fits"):
        Reader(of_vectors(), {1: bytes(32)})
    changed = of_vectors()
    changed["value"].pop()
    with pytest.raises(ValueError, match=r"not as docs/vault-format\.md says"):
        Reader(changed, {1: bytes.fromhex(VECTORS["key_file"])}).check_whole()


def test_a_real_vault_is_read_by_the_page_alone(
    place: Place, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = EnvironmentKey.generate().get_secret_value()
    monkeypatch.setenv("VAULT_KEY", key)
    with closing(
        AdministeredVault.open(place.file, environment="test", credential=KeyFile(place.key))
    ) as vault:
        vault.create("KEY", {"value": text("v\u00e4lue")})
        vault.add_slot(EnvironmentKey("VAULT_KEY"), "ci")
        vault.rekey(progress=None, batch=10)
        vault.rotate_root([KeyFile(place.key), EnvironmentKey("VAULT_KEY")], [])
        vault.update({"description": "d"}, name="KEY")
    from base64 import urlsafe_b64decode

    credentials = {1: key_of_file(place.key.read_text(encoding="ascii")), 3: urlsafe_b64decode(key[4:])[:32]}
    for kind, credential in credentials.items():
        reader = Reader(tables_of(place.file), {kind: credential})
        found = reader.named("KEY", 2)
        assert found is not None
        assert (found["value"], found["description"], found["version"]) == ("v\u00e4lue", "d", 2)
        assert reader.slots()[1] == (2, 3, bytes(16), "ci")
        reader.check_whole()


def test_a_vault_of_the_first_format_is_read_by_the_page_alone(tmp_path: Path) -> None:
    file = tmp_path / "copy.db"  # SQLite puts files beside the one that it reads
    shutil.copyfile(DATA / "format-1.db", file)
    key = key_of_file((DATA / "format-1.key").read_text(encoding="ascii"))
    reader = Reader(tables_of(file), {1: key})
    production = reader.named("STRIPE_KEY", 4)
    assert production is not None
    assert production["value"] == "sk_live_production"
    assert reader.slots() == [(1, 1, bytes(16), "")]
    reader.check_whole()
