"""The check of the whole vault: every row opened, counted and followed back to its line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._trail import Verified
from secretbridge._vault import _audit, _history, _records, _sealed
from secretbridge._vault._change import DETACHED, check_place
from secretbridge._vault._crypto import damaged

if TYPE_CHECKING:
    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._records import Entry
    from secretbridge._vault._rows import LogRow, Rows, SecretRow

#: The newest version that the log tells of, and its line, by secret and environment.
_Audited = dict[tuple[bytes, int], tuple[int, int]]


def verify(rows: Rows, keyring: Keyring) -> Verified:
    """Check everything there is, in one snapshot. O(n) in the vault and its log.

    Raises:
        VaultDamaged: something was changed, exchanged, put back from an older copy, added or taken away.
    """
    if not rows.sound():
        raise damaged()
    state = _sealed.open_state(keyring, rows.state())
    entries, audited = _follow_log(rows, keyring)
    names = {row.id: row for row in rows.all_secrets()}
    digest = 0
    for secret in names.values():
        digest = _sealed.add(digest, _sealed.secret_element(keyring.epoch(secret.epoch), secret))
    values = 0
    for value in rows.all_values():
        record, _ = _sealed.open_record(keyring, value)
        secret_row = _check_name(keyring, names.get(value.secret), record.name)
        check_place(secret_row, value, record)
        if audited.pop((value.secret, value.environment), None) != (value.version, value.sequence):
            raise damaged()
        digest = _sealed.add(digest, _sealed.value_element(keyring.epoch(value.epoch), value))
        values += 1
    if audited or (digest, len(names), values) != (state.digest, state.secrets, state.values):
        raise damaged()
    return Verified(len(names), values, entries)


def _check_name(keyring: Keyring, secret: SecretRow | None, name: str) -> SecretRow:
    if secret is None:
        raise damaged()
    if not secret.flags & DETACHED and secret.name_index != keyring.name_index(name, secret.epoch):
        raise damaged()
    return secret


def _follow_log(rows: Rows, keyring: Keyring) -> tuple[int, _Audited]:
    entries = 0
    audited: _Audited = {}
    kept = _Kept()
    for row, entry, _ in _audit.chained(rows, keyring):
        entries += 1
        kept.follow(row, entry, has_content=_has_content(keyring, row, entry))
        where = (entry.secret, entry.environment)
        if entry.makes_version:
            audited[where] = (entry.version, entry.sequence)
        elif entry.operation == _records.PURGED and audited.get(where, (0, 0))[0] <= entry.version:
            audited.pop(where, None)  # not old versions alone: the value itself was removed
        if entry.moved.version:
            audited[entry.moved.secret, entry.environment] = (entry.moved.version, entry.sequence)
    kept.check()
    return entries, audited


def _has_content(keyring: Keyring, row: LogRow, entry: Entry) -> bool:
    plain = _sealed.open_history(keyring, row)
    if plain is None:
        return False
    record = _records.decode_record(plain, row.secret, row.environment, with_value=False)
    _history.check_content(entry, record)
    return True


class _Kept:
    """Which contents are there and which are not, to be compared with what the trail says was dropped."""

    def __init__(self) -> None:
        self._missing: dict[tuple[bytes, int], int] = {}  # the newest version without its content
        self._present: dict[tuple[bytes, int], int] = {}  # the oldest version with its content
        self._purged: dict[tuple[bytes, int], int] = {}

    def follow(self, row: LogRow, entry: Entry, *, has_content: bool) -> None:
        where = (entry.secret, entry.environment)
        keeping = not entry.leaves_nothing
        if has_content and not keeping:
            raise damaged()
        if has_content:
            self._present.setdefault(where, row.version)
        elif keeping:
            self._missing[where] = row.version
        elif entry.operation == _records.PURGED:
            self._purged[where] = max(entry.version, self._purged.get(where, 0))

    def check(self) -> None:
        """What is missing was dropped, and what was dropped is missing: nobody put it back.

        Raises:
            VaultDamaged: it is not so.
        """
        for where, version in self._missing.items():
            if version > self._purged.get(where, 0):
                raise damaged()
        for where, version in self._purged.items():
            if self._present.get(where, version + 1) <= version:
                raise damaged()
