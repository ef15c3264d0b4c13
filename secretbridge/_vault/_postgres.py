"""The vault in one schema of a PostgreSQL database.

Two connections, each opened when first used and used by one thread at a time: one reads, one writes, so that
nobody reads later because another waits to write. Writers of all processes take turns at the one row of the
sealed state, which each of them locks first.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from secretbridge._vault import _fork, _postgres_schema, _schema
from secretbridge._vault import _postgres_session as pg
from secretbridge._vault._crypto import DAMAGED_ADVICE
from secretbridge._vault._dialect import POSTGRES
from secretbridge._vault._rows import FIND, FIND_ID, PAGE, Rows
from secretbridge.errors import VaultBusy, VaultDamaged, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from secretbridge._location import PostgresUrl
    from secretbridge._vault._create import Creation
    from secretbridge._vault._postgres_session import Session

T = TypeVar("T")

_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FOUND: Final = "SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace(?)"
_MAY_WRITE: Final = """SELECT current_setting('transaction_read_only') = 'off'
    AND has_table_privilege(current_user, 'state', 'UPDATE')"""
_MADE: Final = "SELECT 1 FROM log WHERE operation_id = ?"
#: Seconds that closing waits for another thread.
_CLOSING: Final = 0.2
#: Seconds between attempts to reach a server again that took a commit and did not answer.
_PAUSE: Final = 0.1


class _Line:
    """A connection that is made when it is needed, and who uses it now."""

    def __init__(self, url: PostgresUrl, wait: float) -> None:
        self._url = url
        self._wait = wait
        self.using = threading.Lock()
        self.session: Session | None = None

    def open(self) -> Session:
        """The connection."""
        if self.session is None:
            self.session = pg.connect(self._url, wait=self._wait)
        return self.session

    def drop(self) -> None:
        """Close the connection, if there is one."""
        session, self.session = self.session, None
        if session is not None:
            session.close()

    def drop_if_ended(self) -> None:
        """Close a connection that the server ended while nobody used it: nothing is lost by that."""
        if self.session is not None and pg.went_stale(self.session):
            self.drop()

    def tidy(self) -> bool:
        """Leave no transaction behind; whether the connection was lost."""
        if self.session is not None:
            pg.end_transaction(self.session)
            if pg.broken(self.session):
                self.drop()
        return self.session is None


class _Ended(NamedTuple, Generic[T]):
    """How a transaction came out: its result, what stopped it, and whether the commit had been sent."""

    result: T
    stopped: BaseException | None
    sent: bool


class PostgresStore:
    """Rows in one schema, safe with many threads, many processes and forks.

    Args:
        url: which server, database and schema.
        busy_timeout: seconds to wait for the server and for other writers before ``VaultBusy``.
    """

    def __init__(self, url: PostgresUrl, *, busy_timeout: float) -> None:
        self.url = url
        self.read_only = False
        self._busy_timeout = busy_timeout
        self._closed = False
        self._lost = False
        self._resting: list[threading.Lock] = []
        self._reader, self._writer = _Line(url, busy_timeout), _Line(url, busy_timeout)
        _fork.watch(self)

    # Reading

    def find(self, name_index: bytes, environment: int) -> tuple[Any, ...] | None:
        """Secret id, version, epoch and sealed record of a name; the last three None without a value."""
        row: tuple[Any, ...] | None = self._read(FIND, (environment, name_index)).fetchone()
        return row

    def find_id(self, secret: bytes, environment: int) -> tuple[Any, ...] | None:
        """The same for an id; None without a value."""
        row: tuple[Any, ...] | None = self._read(FIND_ID, (environment, secret)).fetchone()
        return row

    def page(self, after: bytes, environment: int, limit: int) -> list[tuple[Any, ...]]:
        """The same for the next values of an environment, in the order the secrets were made."""
        rows: list[tuple[Any, ...]] = self._read(PAGE, (after, environment, limit)).fetchall()
        return rows

    def _read(self, sql: str, values: tuple[object, ...]) -> Any:  # noqa: ANN401 - a cursor with all its rows
        return self._asked(lambda session: pg.Numbered(session).execute(sql, values))

    def snapshot(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on rows that nothing changes meanwhile; anew where the connection was lost."""

        def inside(session: Session) -> T:
            session.execute(_SNAPSHOT)
            return work(Rows(pg.Numbered(session), POSTGRES))

        return self._asked(inside)

    def _asked(self, work: Callable[[Session], T]) -> T:
        """What ``work`` reads; once more over a new connection where the old one was lost."""
        again = True
        while True:
            with self._reader.using:
                try:
                    return work(self._current(self._reader))
                except pg.FAILURES as problem:
                    failure = pg.translated(problem, self.url, writing=False)
                finally:
                    lost = self._reader.tidy()
            if not (lost and again):
                raise failure
            again = False

    def _current(self, line: _Line) -> Session:
        if self._closed:
            raise VaultError("The vault is closed.", advice="Open it again.")
        if self._lost:
            raise VaultError(
                "This process was forked while the vault was in use.",
                advice="Open the vault in a process that was not forked.",
            )
        return line.open()

    # Opening and closing

    def connect(self, create: Creation | None = None) -> None:
        """Look for the vault's tables; where there are none, ``create`` fills new ones.

        Raises:
            VaultError: every way in which the schema is not a vault that can be used.
        """
        written = self._asked(self._format)
        if written is None and create is None:
            raise VaultError(f"There is no vault {self.url}.", advice="Check database and schema.")
        if written is None or written < _schema.FILE_FORMAT:
            self._build(create)
        self.read_only = not self._asked(_may_write)

    def _format(self, session: Session) -> int | None:
        """The format of the vault in the schema, or None where there is none."""
        found = {name for (name,) in pg.Numbered(session).execute(_FOUND, (f'"{self.url.schema}"',))}
        if not found & _postgres_schema.TABLES:
            return None
        written = None
        if _postgres_schema.FORMAT_TABLE in found:
            # With its schema, so that a missing GRANT is told as such.
            table = f'"{self.url.schema}".{_postgres_schema.FORMAT_TABLE}'
            row = session.execute(f"SELECT format FROM {table}".encode()).fetchone()  # noqa: S608 - names of ours
            written = int(row[0]) if row else None
        if written is None:
            raise VaultDamaged(
                f"{self.url} holds tables, but they are no vault's.",
                advice="Give the vault another schema; this one was left as it is.",
            )
        if written > _schema.FILE_FORMAT:
            raise VaultError(
                f"The vault {self.url} has format {written}; "
                f"this version of secretbridge knows up to {_schema.FILE_FORMAT}.",
                advice="Upgrade secretbridge; the vault was left as it is.",
            )
        return written

    def _build(self, create: Creation | None) -> None:
        """Create the vault, or bring its tables to this format: one at a time, in one transaction."""
        sent, failure = False, None
        with self._turn():
            try:
                session = self._current(self._writer)
                self._lock_schema(session)
                written = self._format(session)
                if written is not None:
                    self._migrate(session, written)
                elif create is not None:
                    self._create(session, create())
                sent = True
                session.execute("COMMIT")
            except pg.FAILURES as problem:
                failure = pg.translated(problem, self.url)
            finally:
                lost = self._writer.tidy()
            if failure is None or (sent and lost and self._settled(self._was_built, failure)):
                return
        raise failure

    def _lock_schema(self, session: Session) -> None:
        session.execute("BEGIN")
        session.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_number(self.url.schema),))

    def _was_built(self, session: Session) -> bool:
        self._lock_schema(session)
        return self._format(session) == _schema.FILE_FORMAT

    def _migrate(self, session: Session, written: int) -> None:
        for number in range(written, _schema.FILE_FORMAT):
            if number not in _postgres_schema.MIGRATIONS:
                raise VaultDamaged(
                    f"The vault {self.url} says that it has format {number}, which was never on PostgreSQL.",
                    advice=DAMAGED_ADVICE,
                )
            for statement in _postgres_schema.MIGRATIONS[number]:
                session.execute(statement.encode())
        session.execute(_postgres_schema.SET_FORMAT.encode())

    def _create(self, session: Session, fill: Callable[[Rows], None]) -> None:
        schema = f'"{self.url.schema}"'
        if session.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,):
            session.execute(f"CREATE SCHEMA {schema}".encode())
        with session.pipeline():
            for statement in _postgres_schema.CREATE:
                session.execute(statement.encode())
            fill(Rows(pg.Numbered(session), POSTGRES))

    def close(self) -> None:
        """Close both connections; twice is once."""
        self._closed = True
        for line in (self._reader, self._writer):
            # Not waited for long: this also runs after Ctrl-C and in a collector.
            free = line.using.acquire(timeout=_CLOSING)
            line.drop()
            if free:
                line.using.release()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and hasattr(self, "_writer"):
            with suppress(Exception):
                self.close()

    # Writing

    def wipe(self) -> bool:
        """Give False: what was removed stays in dead rows and the WAL until the server drops it."""
        return False

    def transact(self, operation_id: bytes, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one durable transaction, or not at all.

        What ``work`` writes is sent together with the commit, so that a write costs few round trips.

        Args:
            operation_id: in the log row that ``work`` appends; it settles a commit of unknown outcome.
            work: reads and changes the rows; what it raises undoes everything.

        Raises:
            VaultReadOnly, VaultBusy, VaultFull, VaultDamaged, VaultError: with ``applied`` False, or None
                where a commit's answer was lost and the server cannot be asked whether it was made.
        """

        def was_made(session: Session) -> bool:
            session.execute("BEGIN")
            statements = pg.Turn(session)  # waits for the end of whoever has it now
            return statements.execute(_MADE, (operation_id,)).fetchone() is not None

        with self._turn():
            self._writer.drop_if_ended()
            session = self._current(self._writer)
            try:
                ended = self._attempt(session, work)
            finally:
                lost = self._writer.tidy()
            if ended.stopped is None:
                return ended.result
            if not isinstance(ended.stopped, pg.FAILURES):
                raise ended.stopped
            failure = pg.translated(ended.stopped, self.url)
            if ended.sent and lost and self._settled(was_made, failure):
                return ended.result
        raise failure

    def _attempt(self, session: Session, work: Callable[[Rows], T]) -> _Ended[T]:
        result: Any = None
        stopped: BaseException | None = None
        commit = None
        try:
            with session.pipeline():
                # Nothing may leave the block early: psycopg would log what else comes of it.
                try:
                    session.execute("BEGIN")
                    turn = pg.Turn(session)
                    result = work(Rows(turn, POSTGRES))
                    pg.check_durable(self.url, turn.durability())
                    commit = session.execute("COMMIT")
                except BaseException as problem:  # noqa: BLE001 - raised again by the caller, after the tidying
                    stopped = problem
        except pg.FAILURES as problem:
            stopped = stopped or problem
        if stopped is None and commit is not None and commit.statusmessage != "COMMIT":
            stopped = VaultError(f"The server of {self.url} rolled the transaction back.", applied=False)
        return _Ended(result, stopped, commit is not None)

    def _settled(self, was_made: Callable[[Session], bool], failure: VaultError) -> bool:
        """Whether a commit that got no answer was made; ``failure`` learns it if even that stays unknown.

        Asked over a new connection, and only once the lost one no longer has its turn: what is not there
        then will never be.
        """
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                return was_made(self._current(self._writer))
            except (*pg.FAILURES, VaultError) as problem:
                retry = not isinstance(problem, VaultError) or problem.transient
            finally:
                self._writer.tidy()
            if not retry or time.monotonic() >= deadline:
                failure.applied = None
                return False
            time.sleep(random.uniform(0.5, 1) * _PAUSE)  # noqa: S311 - jitter, no secret

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Keep this process's other threads from writing."""
        if not self._writer.using.acquire(timeout=self._busy_timeout):
            raise VaultBusy("Another thread held the vault for longer than we wait.", advice="Try again.")
        try:
            yield
        finally:
            self._writer.using.release()

    # Forks

    def before_fork(self) -> None:
        """Wait until no thread is in the middle of something."""
        # Bounded, because a fork from a signal handler may interrupt the very thread that is.
        for line in (self._writer, self._reader):
            if line.using.acquire(timeout=2 * self._busy_timeout):
                self._resting.append(line.using)

    def after_fork_in_parent(self) -> None:
        """Let the threads in again."""
        while self._resting:
            self._resting.pop().release()

    def after_fork_in_child(self) -> None:
        """Leave the connections to the parent."""
        self._lost = self._lost or len(self._resting) < len((self._writer, self._reader))
        self._resting.clear()
        for line in (self._reader, self._writer):
            line.using = threading.Lock()
            if line.session is not None:
                pg.abandon(line.session)
                line.session = None


def _may_write(session: Session) -> bool:
    return bool(pg.Numbered(session).execute(_MAY_WRITE).fetchone() == (True,))


def _lock_number(schema: str) -> int:
    """The number of the advisory lock under which this schema's tables are made and changed."""
    digest = hashlib.sha256(b"secretbridge schema " + schema.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
