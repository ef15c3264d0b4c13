"""The open vault with its past: history, restore, audit trail, verification and backup."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from secretbridge._vault import _audit, _backup, _history, _move, _records, _refusals, _sealed
from secretbridge._vault._access import BUSY_TIMEOUT, Vault
from secretbridge._vault._change import Held, confirm_miss
from secretbridge._vault._crypto import damaged
from secretbridge._vault._storage import store_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path

    from secretbridge._location import PostgresUrl
    from secretbridge._trail import AuditEntry, AuditHead, Verified, VersionInfo
    from secretbridge._vault._change import Change
    from secretbridge._vault._move import Progress
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import Rows


class AdministeredVault(Vault):
    """A vault, open in one of its environments, for those who look after it. Made by :meth:`open`."""

    # History

    def history(self, *, name: str | None = None, id: str | None = None) -> list[VersionInfo]:
        """The versions of a secret here, newest first.

        Raises:
            SecretNotFound: there never was one.
        """

        def look(rows: Rows) -> list[VersionInfo]:
            held = self._looked_up(rows, "history", name, id)
            return [_history.told(step) for step in _history.steps(rows, self._keyring, held.row)]

        return self._store.snapshot(look)

    def version(self, name: str, number: int) -> Record:
        """One version of a secret, with its value.

        Raises:
            SecretNotFound: there never was such a secret, or version.
            ValueNotTold: this version says that it was gone.
        """

        def look(rows: Rows) -> Record:
            held = self._looked_up(rows, "version", name, None)
            return _history.kept(rows, self._keyring, held, number, "version")

        return self._store.snapshot(look)

    def restore(self, name: str, number: int) -> Record:
        """Make the content of an older version the newest one.

        Raises:
            SecretNotFound: there is no such secret or version, or the secret is deleted.
            ValueNotTold: this version says that it was gone.
            SecretLocked: the secret is protected.
        """

        def work(change: Change, operation_id: bytes) -> Record:
            held = self._looked_up(change.rows, "restore", name, None)
            if held.deleted:
                raise _refusals.still_deleted(name)
            if held.record.protected:
                raise _refusals.locked("restore", held.record)
            then = _history.kept(change.rows, self._keyring, held, number, "restore")
            record = _history.renewed(change, held, then)
            change.save(_records.RESTORE, operation_id, record, held, _history.TAKEN)
            return record

        return self._write(work)

    def undelete(self, name: str) -> Record:
        """Bring the newest version before the deletion back.

        Raises:
            SecretNotFound: there never was such a secret here.
            SecretExists: it is not deleted.
        """

        def work(change: Change, operation_id: bytes) -> Record:
            held = self._looked_up(change.rows, "undelete", name, None)
            if not held.deleted:
                raise _refusals.not_deleted(name)
            record = _history.renewed(change, held, _history.last_living(change.rows, self._keyring, held))
            change.save(_records.UNDELETE, operation_id, record, held, _history.TAKEN)
            return record

        return self._write(work)

    def expiring(self, within: timedelta) -> list[Record]:
        """What has expired and what will within this time, soonest first, without values."""
        now, found = datetime.now(UTC), []
        following: str | None = None
        while True:
            page, following = self.list(after=following)
            found += [each for each in page if each.expires_at and each.expires_at - now <= within]
            if following is None:
                return sorted(found, key=lambda each: (each.expires_at, each.name))

    def _looked_up(self, rows: Rows, operation: str, name: str | None, id: str | None) -> Held:
        """This environment's value, deleted or not."""
        if name is not None:
            row = rows.named(self._keyring.name_index(name), self._environment)[1]
        else:
            row = rows.value(_records.id_bytes(id), self._environment)
        if row is None:
            confirm_miss(rows, self._keyring, name, _records.id_bytes(id))
            raise _refusals.not_found(operation, name, id)
        held = Held(row, *_sealed.open_record(self._keyring, row))
        if name is not None and held.record.name != name:
            raise damaged()
        return held

    # Audit

    def audit(self, after: int) -> Iterator[AuditEntry]:
        """The trail of the whole vault after this line, up to where it is at the beginning.

        Raises:
            VaultDamaged: a line is missing, or not what was written.
        """
        upto = self.audit_head().sequence
        while after < upto:
            names = {number: name for name, number in self._policy.environments.items()}
            page = partial(_audit.page, keyring=self._keyring, after=after, upto=upto)
            entries = self._store.snapshot(page)
            yield from (_audit.told(entry, names) for entry in entries)
            after = entries[-1].sequence

    def audit_head(self) -> AuditHead:
        """Where the trail is at."""
        return self._store.snapshot(lambda rows: _audit.head(rows, self._keyring))

    def verify_audit(self, anchor: AuditHead | None) -> AuditHead:
        """Follow the trail's whole chain; it must continue what the anchor was taken from.

        Raises:
            VaultDamaged: it is not what was written, or another trail.
        """
        return self._store.snapshot(lambda rows: _audit.verify(rows, self._keyring, anchor))

    def backup(self, path: Path, *, overwrite: bool) -> Verified:
        """Copy the vault as it is at one moment; see :func:`_backup.backup`."""
        return _backup.backup(self._store, self._keyring, path, overwrite=overwrite)

    # Another place

    def move_to(self, place: Path | PostgresUrl, progress: Progress | None) -> Verified:
        """Copy the vault into an empty place of either kind; see :func:`_move.move`."""
        target = store_at(place, busy_timeout=BUSY_TIMEOUT)
        try:
            return _move.move(self._store, self._keyring, target, place, progress)
        finally:
            target.close()
