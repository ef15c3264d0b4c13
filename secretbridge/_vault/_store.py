"""The vault in one SQLite file: connection, locks, transactions, forks.

Order of locks, everywhere: this process's writer, the lock file, the connection. The lock file is awaited
without the connection, so readers go on meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from secretbridge._vault import _create, _files, _fork, _sqlite
from secretbridge._vault._lock import FileLock
from secretbridge._vault._rows import FIND, FIND_ID, PAGE, Rows
from secretbridge.errors import VaultBusy, VaultError, VaultReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from pathlib import Path

    from secretbridge._vault._create import Creation

T = TypeVar("T")

#: Seconds that closing waits for the lock.
_CLOSING: Final = 0.2


class SqliteStore:
    """Rows in one SQLite file, safe with many threads, many processes and forks.

    Args:
        path: the resolved path of the file.
        busy_timeout: seconds to wait for other processes before ``VaultBusy``.
        allow_file_systems: types of file systems accepted although locks may not hold there.

    Raises:
        VaultError: the place is not fit for a vault.
    """

    def __init__(self, path: Path, *, busy_timeout: float, allow_file_systems: Collection[str] = ()) -> None:
        self.path = path
        self._text = str(path)
        self._busy_timeout = busy_timeout
        self._closed = False
        self._lost = False
        self._resting = False
        self._connection: sqlite3.Connection | None = None
        self._frozen: tuple[object, ...] | None = None
        self._identity: tuple[int, int] | None = None
        self._writing = threading.Lock()
        self._using = threading.Lock()
        existed = self._exists()
        if path.is_dir():
            raise VaultError(f"{path} is a folder.", advice="Give the path of the vault's file in it.")
        if not existed:
            _files.make_folder(path.parent)
        _files.check_folder(path.parent)
        _files.check_file_system(path, allowed=allow_file_systems, table=_files.MOUNT_TABLE)
        writable = os.access(path.parent, os.W_OK)
        if not existed and not writable:
            raise VaultReadOnly(
                f"There is no vault {path}, and its folder cannot be written.",
                advice="Check the path and the folder's permissions.",
            )
        self.read_only = existed and not (writable and os.access(path, os.W_OK))
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), must_exist=self.read_only)
        _fork.watch(self)

    def _exists(self) -> bool:
        failure = None
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError as problem:
            failure = _files.os_failure(problem, f"looking at {self.path}")
        if failure is not None:
            raise failure
        return True

    # Reading

    def find(self, name_index: bytes, environment: int) -> tuple[Any, ...] | None:
        """Secret id, version, epoch and sealed record of a name; the last three None without a value."""
        return self._fetch_one(FIND, (environment, name_index))

    def find_id(self, secret: bytes, environment: int) -> tuple[Any, ...] | None:
        """The same for an id; None without a value."""
        return self._fetch_one(FIND_ID, (environment, secret))

    def page(self, after: bytes, environment: int, limit: int) -> list[tuple[Any, ...]]:
        """The same for the next values of an environment, in the order the secrets were made."""
        return self.read(lambda connection: connection.execute(PAGE, (after, environment, limit)).fetchall())

    def _fetch_one(self, sql: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        # Written out for speed: this is every get.
        connection = self._connection
        if connection is not None and self._frozen is None:
            failure = None
            try:
                with self._using:
                    if connection is self._connection:
                        row: tuple[Any, ...] | None = connection.execute(sql, values).fetchone()
                        return row
            except _sqlite.FAILURES as problem:
                failure = _sqlite.translated(problem, self.path)
            if failure is not None:
                raise failure
        return self.read(lambda live: _one_row(live, sql, values))

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on the connection, opened first if need be."""
        failure: VaultError | None = None
        while True:
            with self._using:
                connection = self._current()
                if connection is not None:
                    try:
                        return work(connection)
                    except _sqlite.FAILURES as problem:
                        failure = _sqlite.translated(problem, self.path)
            if failure is not None:
                raise failure
            self.connect()

    def snapshot(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on rows that nothing changes meanwhile."""

        def inside(connection: sqlite3.Connection) -> T:
            try:  # round BEGIN too: Ctrl-C is raised as soon as it is done
                connection.execute("BEGIN")
                return work(Rows(connection))
            finally:
                _roll_back(connection)

        return self.read(inside)

    # Opening and closing

    def connect(self, create: Creation | None = None) -> None:
        """Open the database, under the lock; where there is none, ``create`` makes it.

        Raises:
            VaultError: every way in which the file is not a vault that can be used.
        """
        with self._exclusive(), self._using:
            self._open(create)

    def _open(self, create: Creation | None = None) -> sqlite3.Connection:
        connection = self._current()
        if connection is not None:
            return connection
        failure: VaultError | None = None
        frozen = False
        try:
            if not self._exists() and create is not None:
                _create.check_vacant(self.path)
                _create.create(self.path, create())
            _files.check_file(self.path)
            connection, frozen = _sqlite.connect(self.path, read_only=self.read_only)
        except _sqlite.FAILURES as problem:
            failure = _sqlite.translated(problem, self.path)
        except FileNotFoundError:
            failure = self._gone()
        except OSError as problem:
            failure = _files.os_failure(problem, f"opening the vault {self.path}")
        if failure is not None:
            raise failure
        assert connection is not None  # noqa: S101 - for the type checker: a failure was raised
        self._identity = self._seen_identity()
        self._frozen = self._signature() if frozen else None
        self._connection = connection
        return connection

    def _current(self) -> sqlite3.Connection | None:
        if self._closed:
            raise VaultError("The vault is closed.", advice="Open it again.")
        if self._lost:
            raise VaultError(
                "This process was forked in the middle of a write to the vault.",
                advice="Open the vault in a process that was not forked.",
            )
        if self._frozen is not None and self._frozen != self._signature():
            self._drop()  # opened as a file that nobody writes, and somebody did
        return self._connection

    def _signature(self) -> tuple[object, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ("gone",)
        journal = self.path.with_name(f"{self.path.name}-wal").exists()
        return (found.st_ino, found.st_size, found.st_mtime_ns, journal)

    def _seen_identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._text)  # noqa: PTH116 - every write asks this, and a Path takes half as long again
        except OSError:
            return None
        return (found.st_dev, found.st_ino)

    def _gone(self) -> VaultError:
        return VaultError(
            f"The vault file {self.path} was removed or replaced while it was open.",
            advice="Put it back, or open the vault again.",
            applied=False,
        )

    def _drop(self) -> None:
        connection, self._connection, self._frozen = self._connection, None, None
        if connection is None:
            return
        if self._seen_identity() != self._identity:
            _sqlite.abandon(connection)
            return
        with suppress(sqlite3.Error):
            connection.close()

    def close(self) -> None:
        """Close the connection, under the lock where it can be had; twice is once."""
        if self._closed:
            return
        if self._connection is not None:
            # Without the lock only an extra precaution is forgone: SQLite has locks of its own. It is not
            # waited for long, since this also runs after Ctrl-C, after VaultBusy and in a collector.
            try:
                self._enter(_CLOSING)
            except VaultError:
                with self._using:
                    self._drop()
            else:
                try:
                    with self._using:
                        self._drop()
                finally:
                    self._leave()
        self._closed = True
        self._lock.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and hasattr(self, "_lock"):
            with suppress(Exception):
                self.close()

    # Writing

    def transact(self, operation_id: bytes, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one durable transaction, or not at all.

        Args:
            operation_id: in the log row that ``work`` appends; it settles a commit of unknown outcome.
            work: reads and changes the rows; what it raises undoes everything.

        Raises:
            VaultReadOnly, VaultBusy, VaultFull, VaultDamaged, VaultError: with ``applied`` False, or None
                where a commit failed and the vault cannot be asked whether it was made.
        """
        if self.read_only:
            raise VaultReadOnly(
                f"The vault {self.path} is read-only here.",
                advice="Check the permissions of the file and its folder.",
            )
        self._enter()
        try:
            with self._using:
                return self._transact(operation_id, work)
        finally:
            self._leave()

    def _transact(self, operation_id: bytes, work: Callable[[Rows], T]) -> T:
        if self._connection is not None and self._seen_identity() != self._identity:
            raise self._gone()
        connection = self._open()
        try:
            return self._attempt(connection, operation_id, work)
        finally:
            _roll_back(connection)  # of no effect where the commit was made; Ctrl-C may come just before it

    def _attempt(self, connection: sqlite3.Connection, operation_id: bytes, work: Callable[[Rows], T]) -> T:
        failure: VaultError
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(Rows(connection))
        except _sqlite.FAILURES as problem:
            failure = _sqlite.translated(problem, self.path)
        else:
            self._commit(connection, operation_id)
            return result
        raise failure

    def _commit(self, connection: sqlite3.Connection, operation_id: bytes) -> None:
        try:
            connection.execute("COMMIT")
        except _sqlite.FAILURES as problem:
            failure = _sqlite.translated(problem, self.path)
        else:
            return
        _roll_back(connection)
        try:
            made = connection.execute("SELECT 1 FROM log WHERE operation_id = ?", (operation_id,)).fetchone()
        except _sqlite.FAILURES:
            failure.applied = None
        else:
            if made is not None:
                return
        raise failure

    def exclusively(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on the connection while no other process writes, opens or closes; it commits itself.

        Raises:
            VaultError: what SQLite or the operating system could not do; what was not committed is undone.
        """
        failure: VaultError | None = None
        with self._exclusive(), self._using:
            connection = self._open()
            try:
                return work(connection)
            except _sqlite.FAILURES as problem:
                failure = _sqlite.translated(problem, self.path)
            except OSError as problem:
                failure = _files.os_failure(problem, f"a copy of the vault {self.path}")
            finally:
                _roll_back(connection)
        raise failure

    def wipe(self) -> bool:
        """Bring the journal into the file and empty it; False where somebody still reads from it.

        Raises:
            VaultError: the vault cannot be reached.
        """

        def emptied(connection: sqlite3.Connection) -> bool:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

        return self.exclusively(emptied)

    @contextmanager
    def _exclusive(self) -> Generator[None]:
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self, longest: float | None = None) -> None:
        wait = self._busy_timeout if longest is None else min(longest, self._busy_timeout)
        deadline = time.monotonic() + wait
        if not self._writing.acquire(timeout=wait):
            raise VaultBusy("Another thread held the vault for longer than we wait.", advice="Try again.")
        failure = None
        try:
            self._lock.acquire(deadline)
        except FileNotFoundError:
            failure = self._gone()
        except OSError as problem:
            failure = _files.os_failure(problem, f"opening the lock file of {self.path}")
        except BaseException:
            self._writing.release()
            raise
        if failure is not None:
            self._writing.release()
            raise failure

    def _leave(self) -> None:
        try:
            self._lock.release()
        finally:
            self._writing.release()

    # Forks

    def before_fork(self) -> None:
        """Close the connection and keep every thread out until the fork is done."""
        # Bounded, because a fork from a signal handler may interrupt the very thread that holds them.
        if not self._writing.acquire(timeout=2 * self._busy_timeout):
            return
        if not self._using.acquire(timeout=2 * self._busy_timeout):
            self._writing.release()
            return
        self._resting = True
        with suppress(VaultError, OSError):
            self._lock.acquire(time.monotonic() + self._busy_timeout)
        self._drop()
        self._lock.release()
        self._lock.close()

    def after_fork_in_parent(self) -> None:
        """Let the threads in again."""
        if self._resting:
            self._resting = False
            self._using.release()
            self._writing.release()

    def after_fork_in_child(self) -> None:
        """Start with locks of our own; a connection that could not be closed makes the vault unusable."""
        if self._connection is not None:
            _sqlite.abandon(self._connection)
            self._connection = None
            self._lost = True
        self._resting = False
        self._writing, self._using = threading.Lock(), threading.Lock()
        self._lock.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _one_row(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = connection.execute(sql, values).fetchone()
    return row
