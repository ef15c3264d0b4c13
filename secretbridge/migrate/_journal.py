"""The journal of one run: an SQLite file that only grows, each entry bound to all before it.

It holds names, marks and states; never a value, and no digest of one. What announces an effect is on the disk
before that is begun, and what came of it before the next one is (WAL, synchronous=FULL). Each entry carries a
digest over all that came before: damage and truncation are noticed at the next opening. Where a vault was
given, a key that is kept there seals the entries as well, and an edit on purpose is noticed too.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from secretbridge._durable import sync_folder
from secretbridge.errors import JournalFailed, JournalMismatch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

__all__ = ["FORMAT", "Entry", "Journal"]

#: Counts changes of what stands in a journal; another one is refused.
FORMAT: Final = 2
_APPLICATION: Final = 0x73624A31
_SCHEMA: Final = """
CREATE TABLE step (n INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;
CREATE TABLE entry (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, data TEXT NOT NULL, link BLOB NOT NULL,
                    seal BLOB) STRICT;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL, link BLOB NOT NULL,
                   seal BLOB) STRICT;
"""
_SETTINGS: Final = (
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
)
_START_ANEW: Final = (
    "Nothing was changed. Begin anew, without this journal: what has been done already is then seen."
)


_UNSEALED: Final = (
    "is not as it was written under this vault's seal: it was edited, or "
    "another vault was given at its beginning"
)


class Entry(NamedTuple):
    """One thing that was written down: what kind, and its data as JSON knows it."""

    kind: str
    data: Any


class Journal:
    """An open journal; use from several threads is one after the other.

    Args:
        path: its file.
        database: the open connection.
        key: what seals the entries, or None.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, key: bytes | None) -> None:
        self.path = path
        self._database = database
        self._key = key
        self._lock = threading.Lock()
        self._count = 0
        self._link = b""

    @classmethod
    def create(cls, path: Path, begin: dict[str, Any], steps: Iterable[str], key: bytes | None) -> Journal:
        """Make a journal with its first entry, "begin", and the plan's steps as JSON texts.

        Raises:
            JournalFailed: it cannot be written; nothing is left of it.
        """
        problem = ""
        new = path.with_suffix(".new")  # renamed when it is whole: a run that is killed now has never begun
        journal: Journal | None = None
        try:
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            journal = cls(new, _connection(new), key)
            journal._fill(begin, steps)
            journal.close()
            new.replace(path)
            sync_folder(path.parent)
            journal = cls._continued(path, journal)
        except (OSError, sqlite3.Error) as error:
            problem = _reason(error)
        if problem or journal is None:
            if journal is not None:
                journal.close()
            for rest in (new, new.with_name(f"{new.name}-wal"), new.with_name(f"{new.name}-shm"), path):
                with contextlib.suppress(OSError):
                    rest.unlink()
            raise JournalFailed(f"The journal {path} cannot be written: {problem}.", advice=_ROOM)
        return journal

    @classmethod
    def _continued(cls, path: Path, filled: Journal) -> Journal:
        """Open what has just been filled and renamed."""
        journal = cls(path, _connection(path), filled._key)
        journal._count, journal._link = filled._count, filled._link
        return journal

    def _fill(self, begin: dict[str, Any], steps: Iterable[str]) -> None:
        digest = hashlib.sha256()
        count = 0

        def rows() -> Iterator[tuple[int, str]]:
            nonlocal count
            for text in steps:
                _add(digest, text)
                yield count, text
                count += 1

        with _transaction(self._database):
            self._database.execute(f"PRAGMA application_id={_APPLICATION}")
            self._database.execute(f"PRAGMA user_version={FORMAT}")
            for statement in _SCHEMA.split(";"):
                self._database.execute(statement)
            self._database.executemany("INSERT INTO step VALUES (?, ?)", rows())
            whole = {**begin, "steps": count, "digest": digest.hexdigest(), "sealed": self._key is not None}
            self._database.execute("INSERT INTO head VALUES (1, 0, x'', NULL)")
            written = self._write("begin", whole)
        self._count, self._link = written

    @classmethod
    def open(cls, path: Path, key: bytes | None = None) -> Journal:
        """Open a journal and check all of it.

        Args:
            path: its file.
            key: what seals its entries; without it only damage is noticed, not an edit on purpose.

        Raises:
            JournalMismatch: there is none, it is of another version, or not as it was written.
        """
        if not path.is_file():
            raise JournalMismatch(
                f"There is no journal {path}.",
                advice="journal= says in which folder it is; migrate.runs() shows the migrations.",
            )
        problem = ""
        journal = None
        try:
            journal = cls(path, _connection(path), key)
            journal._database.execute("BEGIN")  # one view of all of it: its run may be writing at this moment
            problem = journal._checked()
            journal._database.execute("COMMIT")
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError, RecursionError):
            problem = "is damaged: it cannot be read"
        if problem or journal is None:
            if journal is not None:
                journal.close()
            raise JournalMismatch(f"The journal {path} {problem}.", advice=_START_ANEW)
        return journal

    def _checked(self) -> str:
        """Say what is wrong with it, or "" and be ready to go on."""
        database = self._database
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            return "is not a journal of secretbridge"
        if version != FORMAT:
            return f"has format {version}, and this version of secretbridge knows format {FORMAT}"
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return "is damaged"
        changed = "is not as it was written: it was edited, truncated or damaged"
        link, count = b"", 0
        for number, kind, data, kept, seal in database.execute("SELECT * FROM entry ORDER BY n"):
            link = _linked(link, kind, data)
            if number != count or kept != link or not self._fits(link, seal):
                return changed if (number, kept) != (count, link) else _UNSEALED
            count += 1
        head = database.execute("SELECT n, link, seal FROM head").fetchone()
        if (
            not count
            or head is None
            or head[:2] != (count, link)
            or not self._fits(_counted(count, link), head[2])
        ):
            return changed
        self._count, self._link = count, link
        begin = self.begin
        digest = hashlib.sha256()
        for (text,) in database.execute("SELECT data FROM step ORDER BY n"):
            _add(digest, text)
        return "" if digest.hexdigest() == begin["digest"] else changed

    def _fits(self, link: bytes, seal: bytes | None) -> bool:
        if self._key is None:
            return True
        return seal is not None and hmac.compare_digest(seal, self._seal(link) or b"")

    def _seal(self, link: bytes) -> bytes | None:
        return None if self._key is None else hmac.digest(self._key, link, "sha256")

    @property
    def begin(self) -> dict[str, Any]:
        """What was written down first: who, when, which plan, with which options."""
        (data,) = self._database.execute("SELECT data FROM entry WHERE n = 0").fetchone()
        return dict(json.loads(data))

    def steps(self) -> Iterator[str]:
        """Give the plan's steps as JSON texts, in order."""
        with self._lock:
            rows = self._database.execute("SELECT data FROM step ORDER BY n").fetchall()
        return (text for (text,) in rows)

    def entries(self) -> Iterator[Entry]:
        """Give all entries, in the order in which they were written."""
        with self._lock:
            rows = self._database.execute("SELECT kind, data FROM entry ORDER BY n").fetchall()
        return (Entry(kind, json.loads(data)) for kind, data in rows)

    def append(self, kind: str, data: object, *, waits: bool = True) -> None:
        """Write an entry; when this returns, the disk has it, and all before it.

        Args:
            kind: what kind of entry.
            data: what JSON can hold.
            waits: False for what announces no effect: it outlives this process, and the disk has it with the
                next entry that waits.

        Raises:
            JournalFailed: it cannot be written. The run can be resumed once it can.
        """
        problem = ""
        try:
            with self._lock:
                self._database.execute(f"PRAGMA synchronous={'FULL' if waits else 'NORMAL'}")
                with _transaction(self._database):
                    written = self._write(kind, data)
                self._count, self._link = written
        except sqlite3.Error as error:
            problem = _reason(error)
        if problem:
            raise JournalFailed(f"The journal {self.path} cannot be written: {problem}.", advice=_ROOM)

    def _write(self, kind: str, data: object) -> tuple[int, bytes]:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        link = _linked(self._link, kind, text)
        count = self._count + 1
        self._database.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (self._count, kind, text, link, self._seal(link))
        )
        self._database.execute(
            "UPDATE head SET n = ?, link = ?, seal = ?", (count, link, self._seal(_counted(count, link)))
        )
        return count, link

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a journal is not pickled; open it where it is used")


_ROOM: Final = (
    "Make room or free the file; what is written in the journal is kept, and the run can be resumed."
)


def _connection(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        for setting in _SETTINGS:
            database.execute(setting)
    except BaseException:
        database.close()
        raise
    return database


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _linked(before: bytes, kind: str, data: str) -> bytes:
    return hashlib.sha256(b"".join((before, kind.encode(), b"\0", data.encode()))).digest()


def _counted(count: int, link: bytes) -> bytes:
    return count.to_bytes(8, "big") + link


def _add(digest: Any, text: str) -> None:  # noqa: ANN401 - hashlib's objects have no public type
    data = text.encode()
    digest.update(len(data).to_bytes(8, "big") + data)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "unknown reason"
    return str(error) or "unknown reason"  # SQLite's sentences name no data
