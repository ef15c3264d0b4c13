"""A vault of an older format becomes one of the present format: a copy first, then one transaction.

Format 1 differs from format 2 in the plaintext of the policy alone: there it is a count and, for each
environment, number, length and name.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, Final

from secretbridge._durable import sync_folder
from secretbridge._vault import _backup, _create, _files, _policy, _records, _schema, _sealed
from secretbridge._vault._change import Change
from secretbridge._vault._crypto import damaged
from secretbridge._vault._policy import Policy
from secretbridge._vault._rows import Rows
from secretbridge.errors import VaultReadOnly

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from secretbridge._vault._openers import Opener
    from secretbridge._vault._store import SqliteStore

_COUNT: Final = Struct(">H")
_ENVIRONMENT: Final = Struct(">IH")


def needed(store: SqliteStore) -> bool:
    """Whether the file is of an older format."""
    return store.read(_format) < _schema.FILE_FORMAT


def upgrade(store: SqliteStore, opener: Opener) -> None:
    """Bring the file to the present format; killed at any moment it is of the old one or of the new one.

    Args:
        store: the open file.
        opener: what opens the vault: nothing is copied or changed for somebody who cannot.

    Raises:
        VaultLocked: the credential opens no slot.
        VaultReadOnly: the vault cannot be written.
        VaultError: no copy could be made, or the file could not be changed; it is as it was.
    """
    if store.read_only:
        raise VaultReadOnly(
            f"The vault {store.path} has an older format and has to be upgraded, and it is read-only here.",
            advice="Open it once where it can be written; a copy of the old file is made first.",
        )
    store.exclusively(lambda connection: _upgrade(connection, store.path, opener))


def _upgrade(connection: sqlite3.Connection, path: Path, opener: Opener) -> None:
    written = _format(connection)
    if written == _schema.FILE_FORMAT:  # another process was faster
        return
    rows = Rows(connection)
    connection.execute("BEGIN")
    keyring, header, _ = _create.unlocked(rows, opener)
    connection.execute("ROLLBACK")
    _copy(connection, path, path.with_name(f"{path.name}.format-{written}"))
    connection.execute("BEGIN IMMEDIATE")
    change = Change(rows, keyring, 0, None)
    old = _sealed.open_policy(keyring, header.policy_epoch, header.policy_key_epoch, header.policy)
    policy = _policy.encode(Policy(environments=_environments(old)))
    rows.reseal_policy(keyring.current.epoch, _sealed.seal_policy(keyring, header.policy_epoch, policy))
    formats = f"format {written} to {_schema.FILE_FORMAT}"
    change.note(_records.UPGRADED, _sealed.new_id(), name=formats)
    change.finish()
    connection.execute(f"PRAGMA user_version = {_schema.FILE_FORMAT}")
    connection.execute("COMMIT")


def _copy(connection: sqlite3.Connection, path: Path, copy: Path) -> None:
    """The vault as it is, complete and on the disk before it gets its name."""
    part = copy.with_name(f"{copy.name}.part")
    endings = ("", "-wal", "-shm", "-journal")
    try:
        with suppress(FileNotFoundError):
            part.unlink()  # of an upgrade that was killed
        _files.write_new(part, b"")
        _backup.fill(connection, part)
        part.rename(copy)
    finally:
        for ending in endings:
            with suppress(OSError):
                part.with_name(f"{part.name}{ending}").unlink()
    sync_folder(path.parent)


def _format(connection: sqlite3.Connection) -> int:
    (written,) = connection.execute("PRAGMA user_version").fetchone()
    return int(written)


def _environments(plain: bytes) -> dict[str, int]:
    """The environments in the plaintext of a policy of format 1.

    Raises:
        VaultDamaged: it is none.
    """
    found: dict[str, int] = {}
    at = 0
    try:
        (count,) = _COUNT.unpack_from(plain)
        at = _COUNT.size
        for _ in range(count):
            number, length = _ENVIRONMENT.unpack_from(plain, at)
            at += _ENVIRONMENT.size + length
            found[plain[at - length : at].decode()] = number
    except (struct.error, UnicodeDecodeError):
        found = {}
    if not found or at != len(plain):
        raise damaged()
    return found
