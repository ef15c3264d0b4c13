"""What one transaction does to the vault: rows changed, log lines appended, the state renewed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _records, _sealed
from secretbridge._vault._crypto import damaged
from secretbridge._vault._keys import INDEX_BYTES
from secretbridge._vault._records import Entry, Moved, Record
from secretbridge._vault._rows import SecretRow, ValueRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._records import State
    from secretbridge._vault._rows import Rows, StateRow

#: In a secret's flags: it lost its name to another and is reached through the log alone.
DETACHED: Final = 1


class Known(NamedTuple):
    """A state that this process sealed itself: where its row is found again, it need not be opened."""

    row: StateRow
    state: State


class Held(NamedTuple):
    """A value as the vault holds it, opened; a deleted one still knows its version."""

    row: ValueRow
    record: Record
    deleted: bool


class Change:
    """A write in the making, in one environment.

    The state is opened at the beginning and has to be written back with :meth:`finish`.

    Args:
        rows: the transaction's rows.
        keyring: the vault's keys.
        environment: the number of the environment.
        known: the state as this process wrote it last, or None.
    """

    __slots__ = ("_ahead", "_environment", "_keyring", "_keys", "now", "rows", "state")

    def __init__(self, rows: Rows, keyring: Keyring, environment: int, known: Known | None) -> None:
        self.rows = rows
        self._keyring = keyring
        self._keys = keyring.current
        self._environment = environment
        row = rows.state()
        if known is not None and known.row == row:
            self.state = known.state.copy()
        else:
            self.state = _sealed.open_state(keyring, row)
        self.now = _sealed.now()
        self._ahead: dict[str, tuple[SecretRow | None, ValueRow | None]] = {}

    # Looking

    def held(self, secret: bytes) -> Held | None:
        """This environment's value of a secret, deleted or not."""
        row = self.rows.value(secret, self._environment)
        return self._open(row) if row is not None else None

    def _open(self, row: ValueRow) -> Held:
        return Held(row, *_sealed.open_record(self._keyring, row))

    def named(self, name: str) -> tuple[SecretRow | None, Held | None]:
        """The row of a name and this environment's value of it.

        Raises:
            VaultDamaged: the name inside the record is another.
        """
        ahead = self._ahead.pop(name, None)
        secret, row = ahead or self.rows.named(self._keyring.name_index(name), self._environment)
        held = self._open(row) if row is not None else None
        if held is not None and held.record.name != name:
            raise damaged()
        return secret, held

    # Changing

    def save(
        self,
        operation: int,
        operation_id: bytes,
        record: Record,
        over: Held | None,
        fields: int,
        *,
        deleted: bool = False,
        old_name: str = "",
        moved: Moved | None = None,
    ) -> None:
        """Write a version: its value row and its line in the log.

        Args:
            operation: what is being done, for the audit trail.
            operation_id: unique; settles a commit of unknown outcome.
            record: the version to write.
            over: the value it takes the place of, or None.
            fields: which fields the caller gave.
            deleted: whether this version says that the value is gone.
            old_name: the name before, in a renaming.
            moved: where the value came from, if from another secret.
        """
        secret = bytes.fromhex(record.id)
        self.state.sequence += 1
        plain = _records.encode_record(record, self._environment, deleted=deleted)
        self._put(secret, record.version, plain, over.row if over else None)
        entry = Entry(
            sequence=self.state.sequence,
            at=self.now,
            operation=operation,
            operation_id=operation_id,
            secret=secret,
            environment=self._environment,
            version=record.version,
            previous=over.row.sequence if over else 0,
            fields=fields,
            name=record.name,
            old_name=old_name,
            moved=moved or Moved(bytes(16), 0, 0),
        )
        row, self.state.chain = _sealed.seal_log(
            self._keyring, entry, self.state.chain, None if deleted else plain
        )
        self.rows.append_log(row)

    def _put(self, secret: bytes, version: int, plain: bytes, over: ValueRow | None) -> None:
        state = self.state
        row = _sealed.seal_value(self._keyring, secret, self._environment, version, state.sequence, plain)
        self._replace(over, row)

    def _replace(self, over: ValueRow | None, row: ValueRow) -> None:
        state = self.state
        if over is None:
            self.rows.insert_value(row)
            state.values += 1
        else:
            self.rows.save_value(row)
            state.digest = _sealed.subtract(state.digest, _sealed.value_element(self._keys, over))
        state.digest = _sealed.add(state.digest, _sealed.value_element(self._keys, row))

    def add_secret(self, name: str, secret: bytes | None = None) -> bytes:
        """A new row for a name, under a new id unless one is given."""
        row = SecretRow(self._keyring.name_index(name), secret or _sealed.new_id(), self._keys.epoch, 0)
        self._insert_secret(row)
        return row.id

    def _insert_secret(self, row: SecretRow) -> None:
        self.rows.insert_secret(row)
        self.state.secrets += 1
        self.state.digest = _sealed.add(self.state.digest, _sealed.secret_element(self._keys, row))

    def _remove_secret(self, row: SecretRow) -> None:
        self.rows.delete_secret(row)
        self.state.secrets -= 1
        self.state.digest = _sealed.subtract(self.state.digest, _sealed.secret_element(self._keys, row))

    def look_ahead(self, names: Iterable[str]) -> None:
        """Ask for these names together; each answer serves the next :meth:`named` of its name.

        Nothing but these names may be looked for or changed until all of them were: an answer would be stale.
        """
        wanted = dict.fromkeys(names)
        found = self.rows.named_many(map(self._keyring.name_index, wanted), self._environment)
        self._ahead = dict(zip(wanted, found, strict=True))

    def finish(self) -> Known:
        """Write the state back."""
        row = _sealed.seal_state(self._keyring, self.state)
        self.rows.save_state(row)
        return Known(row, self.state)

    # Renaming

    def rename(self, operation_id: bytes, held: Held, record: Record, fields: int) -> Record:
        """Give this environment's value another name.

        Where only this environment holds a value, the secret is renamed and keeps its id; where others do,
        or the new name is theirs, this value moves to the secret of the new name.

        Args:
            operation_id: of the update that renames.
            held: the value as it stands.
            record: the version to write, with the new name; its id and version are settled here.
            fields: which fields the caller gave.

        Returns:
            The version as written.
        """
        target, there = self.named(record.name)
        if self._alone(held) and (target is None or not self._lives(target)):
            version = max(record.version, self._free_name(target) + 1, self.state.version_floor + 1)
            record = replace(record, version=version)
            self._rename_row(held, record.name)
            self._raise_floor(version)
            self.save(_records.UPDATE, operation_id, record, held, fields, old_name=held.record.name)
            return record
        secret = target.id if target is not None else self.add_secret(record.name)
        known = there.record.version if there is not None else 0
        version = max(record.version, known + 1, self.state.version_floor + 1)
        record = replace(record, id=secret.hex(), version=version)
        moved = Moved(held.row.secret, held.row.version + 1, held.row.sequence)
        old_name = held.record.name
        self.save(_records.UPDATE, operation_id, record, there, fields, old_name=old_name, moved=moved)
        self._leave(held)
        self._raise_floor(version)
        return record

    def _alone(self, held: Held) -> bool:
        others = (row for row in self.rows.values(held.row.secret) if row.environment != self._environment)
        return all(self._open(row).deleted for row in others)

    def _lives(self, secret: SecretRow) -> bool:
        return any(not self._open(row).deleted for row in self.rows.values(secret.id))

    def _free_name(self, target: SecretRow | None) -> int:
        """Take the name from a secret that is deleted everywhere; the newest version it had."""
        if target is None:
            return 0
        self._remove_secret(target)
        index = os.urandom(INDEX_BYTES)
        self._insert_secret(SecretRow(index, target.id, self._keys.epoch, target.flags | DETACHED))
        newest = max(row.version for row in self.rows.values(target.id))
        self._raise_floor(newest)
        return newest

    def _rename_row(self, held: Held, name: str) -> None:
        row = self.rows.secret_by_id(held.row.secret)
        if row is None:
            raise damaged()
        self._remove_secret(row)
        self.add_secret(name, row.id)
        for other in self.rows.values(row.id):
            self._raise_floor(other.version)
            if other.environment != self._environment:  # deleted there; the name inside has to follow
                self._rename_deleted(self._open(other), name)

    def _rename_deleted(self, held: Held, name: str) -> None:
        row = held.row
        plain = _records.encode_record(replace(held.record, name=name), row.environment, deleted=True)
        self._replace(
            row,
            _sealed.seal_value(self._keyring, row.secret, row.environment, row.version, row.sequence, plain),
        )

    def _leave(self, held: Held) -> None:
        """What stays behind of a value that moved: a deleted one, made by the same line of the log."""
        version = held.row.version + 1
        gone = emptied(held.record, version)
        plain = _records.encode_record(gone, self._environment, deleted=True)
        self._put(held.row.secret, version, plain, held.row)

    def _raise_floor(self, version: int) -> None:
        # The old name may be taken again, by a secret that counts from above this.
        self.state.version_floor = max(self.state.version_floor, version)


def emptied(record: Record, version: int) -> Record:
    """The record of a deleted secret: name and version."""
    return replace(record, value=None, description=None, expires_at=None, version=version)


def confirm_miss(rows: Rows, keyring: Keyring, name: str | None, secret_id: bytes) -> None:
    """Make sure that what was not found is not there: a miss is the one answer that no seal vouches for.

    Raises:
        VaultDamaged: rows are missing, or the name is there and its index does not find it.
    """
    state = _sealed.open_state(keyring, rows.state())
    index = keyring.name_index(name) if name is not None else b""
    secret = rows.secret_by_name(index) if name is not None else rows.secret_by_id(secret_id)
    secrets, hits = rows.counted_secrets(index)
    if secrets != state.secrets or hits != (name is not None and secret is not None):
        raise damaged()
    if secret is None:
        return
    for row in rows.values(secret.id):  # one of them may be the missing one, put elsewhere
        _sealed.open_record(keyring, row)
    if rows.counted_values() != state.values:
        raise damaged()
