"""One SQLite connection as the vault wants it, and what SQLite's failures mean."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final

from secretbridge._vault import _schema
from secretbridge._vault._crypto import DAMAGED_ADVICE
from secretbridge._vault._rows import Rows
from secretbridge.errors import VaultBusy, VaultDamaged, VaultError, VaultFull, VaultReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: How long SQLite itself waits, in seconds: only a foreign program, without our lock, can be in the way.
FOREIGN_WAIT: Final = 1.0

#: The oldest SQLite that the vault is written for and tested with.
OLDEST: Final = (3, 37, 0)

_PRIMARY: Final = 0xFF  # what extended codes have in common with the error they refine

_FULL: Final = (VaultFull, "No room is left for the vault {path}.", "Free some space and try again.")
_BUSY: Final = (VaultBusy, "Another program holds the database {path} locked.", "Close it and try again.")
_READ_ONLY: Final = (
    VaultReadOnly,
    "The vault {path} cannot be written.",
    "Check the permissions of the file and its folder.",
)
_FOREIGN: Final = (VaultDamaged, "{path} is not a vault: it is no SQLite database.", DAMAGED_ADVICE)
_DAMAGED: Final = (VaultDamaged, "The vault {path} is damaged or cut short.", DAMAGED_ADVICE)
_NO_WAY_IN: Final = (VaultError, "The vault {path} cannot be opened.", "Check the folder's permissions.")
_MEANINGS: Final[dict[int, tuple[type[VaultError], str, str]]] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_NOTADB: _FOREIGN,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_ERROR: _DAMAGED,  # a table or column is missing
    sqlite3.SQLITE_CONSTRAINT: _DAMAGED,  # a row is there that the sealed state does not know of
    sqlite3.SQLITE_MISMATCH: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _NO_WAY_IN,
}


#: What the sqlite3 module raises. The second where damage got into a text that it decodes.
FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)


def translated(problem: sqlite3.Error | UnicodeDecodeError, path: Path) -> VaultError:
    """The vault's error for SQLite's; it holds neither SQL nor parameters, and is not chained."""
    if isinstance(problem, UnicodeDecodeError):
        extended = sqlite3.SQLITE_CORRUPT
    else:
        extended = getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if extended == sqlite3.SQLITE_IOERR_SHMSIZE:  # shared memory could not grow
        extended = sqlite3.SQLITE_FULL
    known = _MEANINGS.get(extended & _PRIMARY)
    if known is None:
        name = getattr(problem, "sqlite_errorname", "unknown")
        return VaultError(f"Reading or writing the vault {path} failed ({name}).", advice="Check the disk.")
    kind, text, advice = known
    return kind(text.format(path=path), advice=advice)


def connect(path: Path, *, read_only: bool) -> tuple[sqlite3.Connection, bool]:
    """Open an existing vault's database and assert every setting that its promises rest on.

    Returns:
        The connection, and whether it takes the file for one that nobody writes: it then sees no change.

    Raises:
        VaultDamaged: it is no vault.
        VaultError: SQLite is too old; a newer format; a setting that does not hold.
        sqlite3.Error: everything that :func:`translated` translates.
    """
    check_version()
    if not read_only:
        return _prepared(path, "mode=rw", read_only=False), False
    try:
        return _prepared(path, "mode=ro", read_only=True), False
    except sqlite3.OperationalError:
        if path.with_name(f"{path.name}-wal").exists():
            raise
    # Closed cleanly, in a folder where SQLite cannot put the files it reads a WAL database with.
    return connect_unchanging(path), True


def connect_unchanging(path: Path) -> sqlite3.Connection:
    """Open a vault's database that nobody writes to, without SQLite's files beside it."""
    return _prepared(path, "mode=ro&immutable=1", read_only=True)


def _prepared(path: Path, options: str, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{options}",
        uri=True,
        timeout=FOREIGN_WAIT,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        check_identity(connection, path)
        if not read_only:
            _assert(path, "journal_mode", _one(connection, "PRAGMA journal_mode = WAL"), "wal")
        for name, wanted, reads in _schema.PRAGMAS:
            connection.execute(f"PRAGMA {name} = {wanted}").close()
            _assert(path, name, _one(connection, f"PRAGMA {name}"), reads)
    except BaseException:
        connection.close()
        raise
    return connection


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse, before anything is written, what is no vault or is newer than this package knows."""
    if _one(connection, "PRAGMA application_id") != _schema.APPLICATION_ID:
        raise VaultDamaged(
            f"{path} is a SQLite database, but not a vault.",
            advice="Give the vault's file another place; this one was left as it is.",
        )
    written = _one(connection, "PRAGMA user_version")
    if not isinstance(written, int) or written > _schema.FILE_FORMAT:
        raise VaultError(
            f"The vault {path} has format {written}; "
            f"this version of secretbridge knows up to {_schema.FILE_FORMAT}.",
            advice="Upgrade secretbridge; the file was left as it is.",
        )


def check_version() -> None:
    """Refuse a SQLite that is older than what the vault is written for.

    Raises:
        VaultError: it is.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise VaultError(
            f"This Python has SQLite {sqlite3.sqlite_version}; the vault needs {'.'.join(map(str, OLDEST))}.",
            advice="Use a Python with a newer SQLite; the vault was left as it is.",
        )


def abandon(connection: sqlite3.Connection) -> None:
    """Never close this connection, not even at the end of the process.

    Its file has been replaced: closing would delete, by name, the journal that now belongs to another file.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _one(connection: sqlite3.Connection, sql: str) -> object:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None


def _assert(path: Path, name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise VaultError(
            f"SQLite does not keep {name} at {wanted} for the vault {path} (it is {found}).",
            advice="Use a Python whose SQLite supports it, and a local disk.",
        )


def build(path: Path, fill: Callable[[Rows], None]) -> None:
    """A new database with the vault's tables and the rows that ``fill`` writes, complete and on the disk.

    Raises:
        sqlite3.Error: what SQLite could not do.
        OSError: what the file system could not do.
    """
    check_version()
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN")  # before the tables: else each of them waits for the disk by itself
        for statement in _schema.CREATE:
            connection.execute(statement)
        fill(Rows(connection))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
