"""A copy of the vault in use, made by SQLite: complete, checked and on the disk before it gets its name."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._durable import sync_folder
from secretbridge._vault import _files, _move, _sqlite, _verify
from secretbridge._vault._keys import following
from secretbridge._vault._rows import Rows
from secretbridge._vault._store import SqliteStore
from secretbridge.errors import VaultBusy, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._trail import Verified
    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._storage import Store

_JOURNALS: Final = ("-wal", "-shm", "-journal")
_BESIDE: Final = ("", *_JOURNALS, ".lock", ".new")
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def backup(
    store: Store, keyring: Keyring, path: Path, *, overwrite: bool, begin: Callable[[], None]
) -> Verified:
    """Copy the vault as it is at one moment, while others go on writing to it.

    The copy is a SQLite file; that of a vault on PostgreSQL is filled row by row.

    Args:
        store: the open vault.
        keyring: its keys, to check the copy with.
        path: the copy's file; its folder is there.
        overwrite: whether a file that is there already may be replaced.
        begin: called when the target is known to be fit, before anything is copied.

    Returns:
        What was found whole in the copy.

    Raises:
        VaultError: the target is not fit for a copy, or the copy could not be made.
        VaultDamaged: the copy is not whole; it was thrown away.
        VaultBusy: another program keeps the vault locked.
        VaultFull: no room for the copy.
    """
    folder = Path(os.path.realpath(path.expanduser().parent))
    target = folder / path.name
    vault = store.path if isinstance(store, SqliteStore) else None
    failure: VaultError
    placed = False
    try:
        _check_target(target, vault, overwrite=overwrite)
        begin()
        # A name of its own for each copy: two at a time to the same target must not meet.
        copy = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
        try:
            _files.write_new(copy, b"")
            if isinstance(store, SqliteStore):
                store.read(lambda connection: fill(connection, copy))
            else:
                _move.fill_file(store, copy)
            verified = _checked(copy, keyring, vault)
            # Looked at again: a rename replaces whatever came there meanwhile.
            _check_target(target, vault, overwrite=overwrite)
            copy.rename(target)
            placed = True
        finally:
            for ending in ("", *_JOURNALS):
                with suppress(OSError):
                    copy.with_name(f"{copy.name}{ending}").unlink()
        sync_folder(folder)
    except OSError as problem:
        failure = _files.os_failure(problem, f"writing the backup {target}")
        if placed:
            failure.applied = None  # it is there; whether a power failure leaves it there is not known
    else:
        return verified
    raise failure


def _check_target(target: Path, vault: Path | None, *, overwrite: bool) -> None:
    if not target.name or not target.parent.exists():
        raise VaultError(f"There is no folder {target.parent}.", advice="Create it, then make the backup.")
    _files.check_folder(target.parent)
    if vault is not None and target in {vault.with_name(f"{vault.name}{ending}") for ending in _BESIDE}:
        raise VaultError(
            f"{target} is the vault itself or one of its files.", advice="Give the backup another place."
        )
    for ending in _JOURNALS:
        journal = target.with_name(f"{target.name}{ending}")
        if os.path.lexists(journal):
            raise VaultError(
                f"{journal} is there: a database of that name is in use, or its rest would be played into "
                "the backup.",
                advice="Give the backup another name.",
            )
    try:
        found = target.lstat()
    except FileNotFoundError:
        return
    if not overwrite:
        raise VaultError(
            f"{target} is there already.", advice="Give another name, or overwrite=True to replace it."
        )
    itself = vault is not None and os.path.samestat(found, vault.stat())
    if itself or not stat.S_ISREG(found.st_mode):
        raise VaultError(f"{target} cannot be replaced by a backup.", advice="Give the backup another name.")


def fill(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy all pages as of one moment into a file that is there, and wait until the disk has them."""
    failure: VaultError | None = None
    with closing(_target(copy)) as target:
        try:
            # All pages in one step, which is one snapshot: in several, every commit would begin it anew.
            connection.backup(target, pages=-1, progress=_stop_waiting)
        except sqlite3.Error as problem:
            if _damages(problem):
                raise  # the vault's, and told as such
            failure = _sqlite.translated(problem, copy)
    if failure is not None:
        raise failure
    descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _target(copy: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{copy.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    # No journal beside it, and no sync but ours at the end: a copy that was not finished has no use.
    connection.execute("PRAGMA journal_mode = MEMORY").close()
    connection.execute("PRAGMA synchronous = OFF").close()
    return connection


def _stop_waiting(status: int, _remaining: int, _pages: int) -> None:
    if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:  # Python would wait for ever
        raise VaultBusy("Another program holds the vault locked.", advice="Close it and try again.")


def _damages(problem: Exception) -> bool:
    """Whether pages are not what SQLite wrote; the copy has them just as the vault does."""
    return getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE


def _checked(copy: Path, keyring: Keyring, vault: Path | None) -> Verified:
    failure: VaultError | None = None
    try:
        with closing(_sqlite.connect_unchanging(copy)) as connection:
            return following(Rows(connection), keyring, lambda rows: _verify.verify(rows, keyring))
    except _sqlite.FAILURES as problem:
        failure = _sqlite.translated(problem, vault if vault is not None and _damages(problem) else copy)
    raise failure
