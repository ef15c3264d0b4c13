"""The audit trail: read, exported, and followed along its chain."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tracemalloc
from collections import deque
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from secretbridge import Local, SecretBridge
from secretbridge._trail import AuditHead, Verified
from secretbridge.errors import InvalidRequest, VaultDamaged

if TYPE_CHECKING:
    from admin_place import Home

    from secretbridge._admin import Vault

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores."""
    return str(request.param)


SCHEMA = {
    "sequence", "at", "operation", "secret_id", "name", "old_name", "environment", "version", "fields",
    "outcome", "principal",
}  # fmt: skip


@pytest.fixture
def used(home: Home) -> Home:
    """Six lines, by three environments' work."""
    with home.bridge() as bridge:
        bridge.create_secret("A", value="canary-1", description="canary-2")
        bridge.update_secret("A", new_name="B")
    with home.bridge("production") as bridge:
        bridge.create_secret("B", value="canary-3")
    with home.vault() as admin:
        admin.restore("B", 1)
    with home.bridge("test") as bridge:
        bridge.put_secret("C", value="canary-4")
    return home


def test_the_trail_tells_of_every_change_in_all_environments(used: Home, admin: Vault) -> None:
    entries = list(admin.audit())
    assert [
        (entry.sequence, entry.operation, entry.name, entry.environment, entry.version) for entry in entries
    ] == [
        (1, "vault created", None, None, None),
        (2, "create", "A", "development", 1),
        (3, "rename", "B", "development", 2),
        (4, "create", "B", "production", 3),  # new secrets count from above every renamed one
        (5, "restore", "B", "development", 3),
        (6, "put", "C", "test", 3),
    ]
    assert [entry.old_name for entry in entries] == [None, None, "A", None, None, None]
    assert {entry.outcome for entry in entries} == {"done"}
    assert entries[0].secret_id is None
    assert entries[1].secret_id == entries[3].secret_id
    assert entries[1].fields == ("value", "description")
    assert all(entry.at.tzinfo is UTC and entry.at <= datetime.now(UTC) for entry in entries)
    assert list(admin.audit(after=4)) == entries[4:]
    assert list(admin.audit(after=6)) == list(admin.audit(after=10**30)) == []
    for wrong in (-1, True, "1"):
        with pytest.raises(InvalidRequest):
            list(admin.audit(after=wrong))  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("kind", ["sqlite"])  # files are read
def test_neither_the_trail_nor_its_export_nor_any_file_shows_a_value(used: Home) -> None:
    with used.vault() as admin:
        exported = io.StringIO()
        admin.export_audit(exported)
        admin.backup(used.folder / "copy.db")
        told = repr(list(admin.audit())) + repr(admin.audit_head()) + exported.getvalue()
        files = [path.read_bytes() for path in used.folder.rglob("*") if path.is_file()]
    assert "canary" not in told
    assert len(files) >= 4
    assert not any(b"canary" in content for content in files)


def test_the_export_is_one_json_object_a_line(used: Home, admin: Vault) -> None:
    exported = io.StringIO()
    assert admin.export_audit(exported) == 6
    lines = [json.loads(line) for line in exported.getvalue().splitlines()]
    assert [set(line) for line in lines] == [SCHEMA] * 6
    entries = list(admin.audit())
    assert [datetime.fromisoformat(line["at"]) for line in lines] == [entry.at for entry in entries]
    for key in SCHEMA - {"at", "fields"}:
        assert [line[key] for line in lines] == [getattr(entry, key) for entry in entries]
    assert [tuple(line["fields"]) for line in lines] == [entry.fields for entry in entries]


def test_the_trail_is_read_in_bounded_memory_and_ends_where_it_was(
    bridge: SecretBridge, admin: Vault
) -> None:
    bridge.create_secret("FIRST", value="v")
    made = [(f"NAME_{number}", {"value": bridge.get_secret("FIRST").value}) for number in range(3000)]
    admin._vault()._create_many(made)
    lines = admin.audit()
    first = next(lines)
    bridge.create_secret("LATE", value="v")
    assert [first.sequence, *(entry.sequence for entry in lines)] == list(range(1, 3003))
    peaks = []
    for keep in (1, None):
        tracemalloc.start()
        deque(admin.audit(), maxlen=keep)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] * 2 < peaks[1]


def test_a_missing_line_ends_the_reading(used: Home) -> None:
    used.sql("DELETE FROM log WHERE sequence = 3")
    with used.vault() as admin, pytest.raises(VaultDamaged):
        list(admin.audit())


def test_an_anchor_is_one_word_that_is_read_back(used: Home, admin: Vault) -> None:
    head = admin.audit_head()
    assert (head.sequence, len(head.chain)) == (6, 64)
    assert len(str(head).split()) == 1
    assert AuditHead.parse(f"  {head}\n") == head
    assert admin.verify_audit() == admin.verify_audit(head) == admin.verify_audit(str(head)) == head


@pytest.mark.parametrize("wrong", ["", "sbrv1-0-" + "0" * 64, "sbrv1-1-" + "0" * 63, "6", 6, b"sbrv1-1-"])
def test_what_is_no_anchor_is_refused(admin: Vault, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="anchor"):
        admin.verify_audit(wrong)


@pytest.mark.parametrize(("sequence", "chain"), [(0, "0" * 64), (True, "0" * 64), (1, "x"), (1, b"0" * 64)])
def test_an_audit_head_of_anything_else_is_refused(sequence: int, chain: str) -> None:
    with pytest.raises(InvalidRequest):
        AuditHead(sequence, chain)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET audit = zeroblob(length(audit)) WHERE sequence = 3",
        "UPDATE log SET audit = (SELECT audit FROM log WHERE sequence = 4) WHERE sequence = 3",
        "UPDATE log SET version = 9 WHERE sequence = 3",
        "UPDATE log SET environment = 4 WHERE sequence = 3",
        "DELETE FROM log WHERE sequence = 3",
        "DELETE FROM log WHERE sequence = 1",
        "DELETE FROM log WHERE sequence = 6",
        "DELETE FROM log WHERE sequence > 2",
        "DELETE FROM log",
        "UPDATE log SET sequence = 0 WHERE sequence = 1",
        "UPDATE log SET sequence = sequence + 1 WHERE sequence = 6",
        """INSERT INTO log SELECT 7, randomblob(16), secret, environment, version, previous, epoch, audit,
            history FROM log WHERE sequence = 6""",
    ],
)
@pytest.mark.parametrize("anchored", [False, True])
def test_a_line_changed_dropped_or_added_is_found(used: Home, statement: str, *, anchored: bool) -> None:
    with used.vault() as admin:
        anchor = admin.audit_head() if anchored else None
    used.sql(statement)
    with used.vault() as admin, pytest.raises(VaultDamaged):
        admin.verify_audit(anchor)


def test_two_lines_that_changed_places_are_found(used: Home) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        used.sql("UPDATE log SET sequence = ? WHERE sequence = ?", new, old)
    with used.vault() as admin, pytest.raises(VaultDamaged):
        admin.verify_audit()


@pytest.mark.parametrize("kind", ["sqlite"])  # files are copied
def test_an_older_copy_of_the_file_is_found_by_an_anchor_alone(used: Home) -> None:
    older = shutil.copy(used.file, used.folder / "older.db")
    with used.bridge() as bridge, used.vault() as admin:
        bridge.update_secret("B", value="newer")
        anchor = str(admin.audit_head())
    shutil.copy(older, used.file)
    with used.vault() as admin:
        assert admin.verify_audit().sequence == 6
        assert admin.verify() == Verified(secrets=2, values=3, entries=6)
        with pytest.raises(VaultDamaged, match="line 7"):
            admin.verify_audit(anchor)
    with used.bridge() as bridge, used.vault() as admin:  # and it stays found when the trail grows past it
        bridge.update_secret("B", value="another")
        bridge.update_secret("B", value="another")
        assert admin.verify_audit().sequence == 8
        with pytest.raises(VaultDamaged, match="line 7"):
            admin.verify_audit(anchor)


def test_a_trail_cut_off_together_with_its_state_is_found_by_an_anchor(used: Home) -> None:
    state = used.sql("SELECT sequence, epoch, sealed FROM state")[0]
    with used.bridge() as bridge, used.vault() as admin:
        bridge.update_secret("B", value="newer")
        anchor = admin.audit_head()
    used.sql("DELETE FROM log WHERE sequence = 7")
    used.sql("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", *state)
    with used.vault() as admin:
        with pytest.raises(VaultDamaged):
            admin.verify_audit(anchor)
        with pytest.raises(VaultDamaged):
            admin.verify()  # the newer value is still there


@pytest.mark.parametrize("kind", ["sqlite"])  # files are copied
@pytest.mark.parametrize("taken", [1, 2])
def test_lines_from_a_copy_that_went_another_way_are_found_by_the_chain(used: Home, taken: int) -> None:
    apart = used.folder / "apart.db"
    shutil.copy(used.file, apart)
    for file in (apart, used.file):
        with SecretBridge(Local(file, key_file=used.key)) as bridge:
            bridge.update_secret("B", value="newer")
            bridge.update_secret("B", value="newest")
    with closing(sqlite3.connect(apart)) as connection:
        lines = connection.execute("SELECT * FROM log WHERE sequence >= 7 LIMIT ?", (taken,)).fetchall()
    with used.vault() as admin:
        admin.audit_head()  # open already: opening compares the newest line
        used.sql("DELETE FROM log WHERE sequence >= 7 AND sequence < ?", 7 + taken)
        for line in lines:
            used.sql("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *line)
        assert len(list(admin.audit())) == 8  # every line is genuine by itself
        with pytest.raises(VaultDamaged):
            admin.verify_audit()
        with pytest.raises(VaultDamaged):
            admin.verify()


def test_the_anchor_of_another_vault_does_not_fit(used: Home) -> None:
    from admin_place import Home

    folder = used.folder / "other"
    folder.mkdir(mode=0o700)
    with Home(folder).vault() as other, used.vault() as admin, pytest.raises(VaultDamaged, match="anchor"):
        admin.verify_audit(other.audit_head())


def test_an_anchor_still_fits_after_more_was_written(used: Home) -> None:
    with used.bridge() as bridge, used.vault() as admin:
        anchor = admin.audit_head()
        bridge.delete_secret("B")
        assert admin.verify_audit(anchor) == admin.audit_head() != anchor
        assert admin.verify() == Verified(secrets=2, values=3, entries=7)
