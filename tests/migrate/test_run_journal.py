"""The journal notices what is not as it was written, and says so before anything is done."""

from __future__ import annotations

import os
import pickle
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from secretbridge import JsonFile, SecretBridge, migrate
from secretbridge.errors import InvalidRequest, JournalFailed, JournalMismatch
from secretbridge.migrate import runs
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._place import Locks, journal_folder, journal_path, sweep
from secretbridge.migrate._run import who

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = bytes(32)
BEGIN = {"run": "20260101-000000-abcdef01"}


def written(folder: Path, key: bytes | None = None) -> Path:
    path = folder / "20260101-000000-abcdef01.db"
    journal = Journal.create(path, BEGIN, ['{"a":1}', '{"b":2}'], key)
    for number in range(40):
        journal.append("intended", [[number, False]])
    journal.close()
    return path


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)
    database.close()


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.find(b"intended")
    data[place] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "another version": lambda path: execute(path, "PRAGMA user_version=3"),
    "no journal at all": lambda path: execute(path, "PRAGMA application_id=1"),
    "an edited entry": lambda path: execute(path, "UPDATE entry SET data='[[7,true]]' WHERE n=3"),
    "an edited step": lambda path: execute(path, "UPDATE step SET data='{}' WHERE n=1"),
    "a step less": lambda path: execute(path, "DELETE FROM step WHERE n=1"),
    "an entry less": lambda path: execute(path, "DELETE FROM entry WHERE n=3"),
    "an end cut off": lambda path: execute(path, "DELETE FROM entry WHERE n=40"),
    "no head": lambda path: execute(path, "DELETE FROM head"),
    "no table": lambda path: execute(path, "DROP TABLE entry"),
    "a file cut short": truncated,
    "a flipped bit": flipped,
    "an empty file": lambda path: path.write_bytes(b""),
    "something else": lambda path: path.write_bytes(b"not a database at all" * 100),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_journal_is_refused_with(damage: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    DAMAGE[damage](path)
    with pytest.raises(JournalMismatch) as caught:
        Journal.open(path)
    assert [caught.value.applied, caught.value.advice.startswith("Nothing was changed.")] == [False, True]


def test_a_journal_whose_place_is_taken_is_not_made_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    taken = tmp_path / "runs" / "20260101-000000-abcdef01.db"
    taken.mkdir(parents=True)
    with pytest.raises(JournalFailed, match="cannot be written"):
        Journal.create(taken, BEGIN, ['{"a":1}'], None)
    assert list(taken.parent.iterdir()) == [taken]


def test_a_journal_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(JournalMismatch, match="There is no journal"):
        Journal.open(tmp_path / "none.db")


def relinked(path: Path) -> None:
    """Edit an entry and mend every digest after it, as somebody would who knows how they are made."""
    from secretbridge.migrate._journal import _linked

    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE entry SET data='[[7,true]]' WHERE n=3")
        link = b""
        for number, kind, data in database.execute("SELECT n, kind, data FROM entry ORDER BY n").fetchall():
            link = _linked(link, kind, data)
            database.execute("UPDATE entry SET link=? WHERE n=?", (link, number))
        database.execute("UPDATE head SET link=?", (link,))
    database.close()


@pytest.mark.parametrize(("key", "noticed"), [(KEY, True), (None, False)])
def test_an_edit_that_mends_its_traces_is_noticed_with_a_vault_alone(
    key: bytes | None,
    noticed: bool,  # noqa: FBT001 - a table's column
    tmp_path: Path,
) -> None:
    path = written(tmp_path, key)
    relinked(path)
    try:
        Journal.open(path, key).close()
    except JournalMismatch:
        found = True
    else:
        found = False
    assert found == noticed


def test_a_sealed_journal_does_not_open_with_another_vaults_key(tmp_path: Path) -> None:
    path = written(tmp_path, KEY)
    with pytest.raises(JournalMismatch, match="not as it was written"):
        Journal.open(path, bytes(31) + b"\1")


def test_a_commit_that_was_torn_is_as_if_it_had_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "20260101-000000-abcdef01.db"
    journal = Journal.create(path, BEGIN, [], None)
    journal.append("intended", [[0, False]])
    wal = path.with_name(f"{path.name}-wal")
    whole = wal.stat().st_size
    journal.append("outcome", [[0]])
    found = []
    for size in range(whole, wal.stat().st_size, 1000):
        other = tmp_path / f"copy-{size}"
        other.mkdir()
        copy = other / path.name
        copy.write_bytes(path.read_bytes())
        copy.with_name(wal.name).write_bytes(wal.read_bytes()[:size])
        torn = Journal.open(copy)
        found.append([entry.kind for entry in torn.entries()])
        torn.append("outcome", [[0]])
        torn.close()
    journal.close()
    assert [len(found) > 2, [one for one in found if one != ["begin", "intended"]]] == [True, []]


def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path: Path) -> None:
    path = written(tmp_path)
    journal = Journal.open(path)
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(JournalFailed, match="full"):
        journal.append("outcome", ["x" * 10_000])
    journal._database.execute("PRAGMA max_page_count=100000")
    journal.append("outcome", [])
    journal.close()
    again = Journal.open(path)
    kinds = [entry.kind for entry in again.entries()]
    again.close()
    assert kinds == ["begin", *["intended"] * 40, "outcome"]


def test_a_journal_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "20260101-000000-abcdef01.db"
    path.with_suffix(".new").mkdir()
    with pytest.raises(JournalFailed):
        Journal.create(path, BEGIN, [], None)
    assert path.exists() is False


def test_what_is_left_of_a_journal_that_was_being_made_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "20260101-000000-abcdef01.new").write_bytes(b"half")
    sweep(tmp_path)
    assert list(tmp_path.glob("*.new")) == []


def test_a_journal_that_a_live_process_is_making_is_not_swept_away(tmp_path: Path) -> None:
    new = tmp_path / "20260101-000000-abcdef01.new"
    new.write_bytes(b"half")
    locks = Locks(tmp_path)
    locks.take(new.stem, writes=())
    sweep(tmp_path)
    there = new.exists()
    locks.release()
    sweep(tmp_path)
    assert (there, new.exists()) == (True, False)


def test_an_entry_whose_writing_is_interrupted_is_not_there_and_the_journal_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    journal = Journal.open(path)
    count = len(list(journal.entries()))

    def interrupted(*_: object) -> tuple[int, bytes]:
        write(journal, "intended", [[1, None]])
        raise KeyboardInterrupt

    write = Journal._write
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append("intended", [[1, None]])
    journal.append("outcome", [[2, None]])
    journal.close()
    again = Journal.open(path)
    kinds = [entry.kind for entry in again.entries()][count:]
    again.close()
    assert kinds == ["outcome"]


def test_a_journal_says_who_began_when_which_plan_and_how_each_secret_stands(tmp_path: Path) -> None:
    source = JsonFile(tmp_path / "source.json")
    with SecretBridge(source) as bridge:
        bridge.create_secret("A", value="1")
    plan = migrate.plan(source, JsonFile(tmp_path / "target.json"))
    run = plan.apply(journal=tmp_path / "runs")
    journal = Journal.open(run.journal)
    begin, entries = journal.begin, [*journal.entries()]
    journal.close()
    (outcome,) = [entry.data for entry in entries if entry.kind == "outcome"]
    (verified,) = [entry.data for entry in entries if entry.kind == "verified"]
    assert [
        begin["run"],
        begin["who"] == who(),
        datetime.fromisoformat(begin["at"]) <= datetime.now(UTC),
        begin["plan"]["fingerprint"],
        outcome[0][:4],
        verified[0][:2],
        entries[-1].data["state"],
    ] == [run.id, True, True, plan.fingerprint(), [0, "done", "recorded", "checked"], [0, "verified"], "done"]


def test_a_journal_is_not_pickled(tmp_path: Path) -> None:
    journal = Journal.open(written(tmp_path))
    with pytest.raises(TypeError, match="a journal is not pickled"):
        pickle.dumps(journal)
    journal.close()


def test_a_damaged_journal_is_listed_as_such(tmp_path: Path) -> None:
    truncated(written(tmp_path))
    assert [(one.id, one.state) for one in runs(journal=tmp_path)] == [
        ("20260101-000000-abcdef01", "damaged")
    ]


def for_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


FOLDERS: dict[str, Callable[[Path], Any]] = {
    "a file": lambda path: path.write_bytes(b""),
    "a folder that others may write": for_all,
}


@pytest.mark.parametrize("what", FOLDERS)
def test_a_folder_of_journals_is_refused_where_it_is(what: str, tmp_path: Path) -> None:
    FOLDERS[what](tmp_path / "x")
    with pytest.raises(InvalidRequest) as caught:
        journal_folder(tmp_path / "x")
    assert [one.field for one in caught.value.violations] == ["journal"]


@pytest.mark.parametrize("run_id", ["", "../../etc/passwd", "A", 3, None])
def test_what_is_no_id_of_a_run_names_no_file(run_id: object, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        journal_path(tmp_path, run_id)
    assert [one.field for one in caught.value.violations] == ["run_id"]


def test_a_journal_folder_is_a_path() -> None:
    with pytest.raises(InvalidRequest):
        partial(journal_folder, 3)()  # type: ignore[arg-type]


def test_an_entry_that_need_not_wait_is_on_the_disk_with_the_next_one(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "20260101-000000-abcdef01.db", BEGIN, [], None)
    found = []
    for waits in (False, True, False):
        journal.append("verified", [], waits=waits)
        found.append(journal._database.execute("PRAGMA synchronous").fetchone())
    journal.close()
    assert found == [(1,), (2,), (1,)]  # 1: at the next checkpoint or full commit; 2: at each commit
