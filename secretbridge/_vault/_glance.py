"""The names in a vault that its owner's key file opens, with a part of the modules that a verb takes.

It is what completion waits for. Nothing is decided here and nothing written down: where rights have to be
looked at, or the audit trail tells of reading, the vault is left to be opened in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge._vault import _create, _files, _openers, _records, _sealed
from secretbridge._vault._store import SqliteStore
from secretbridge.errors import VaultError

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that is waited for a writer: somebody is in the middle of a line.
_PATIENCE: Final = 1.0
#: The one mode of the audit trail in which a listing leaves no line.
_OFF: Final = "off"


def names(location: Path, environment: str, key_file: Path, *, most: int) -> list[str] | None:
    """Give the names of an environment's secrets, in the order they were made.

    Args:
        location: the vault's file.
        environment: one of its environments.
        key_file: what opens it.
        most: names at most.

    Returns:
        The names, none where there is no vault; or None where it has to be opened in full: by an account, to
        tell of it in the audit trail, to upgrade it, or to say what keeps it from being opened.
    """
    path = _files.resolve(location)
    if not path.exists():
        return []
    try:
        store = SqliteStore(path, busy_timeout=_PATIENCE)
        try:
            return _told(store, environment, key_file, most)
        finally:
            store.close()
    except VaultError:
        return None


def _told(store: SqliteStore, environment: str, key_file: Path, most: int) -> list[str] | None:
    opener = _openers.opener_of_file(key_file, new=False)
    store.connect()
    keyring, policy, slot = store.snapshot(lambda rows: _create.unlock(rows, opener))
    if slot.principal != _openers.OWNER or policy.audit_reads != _OFF:
        return None
    number = policy.environments.get(environment)
    if number is None:
        return None
    found: dict[str, None] = {}
    for secret, version, epoch, sealed, place, _ in store.page(b"", number, most):
        plain = _sealed.open_value(keyring, secret, place, version, epoch, sealed)
        if not _records.is_deleted(plain):
            found[_records.decode_record(plain, secret, place, with_value=False).name] = None
    return list(found)
