"""The open vault with its past: history, restore, audit trail, verification and backup."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from secretbridge._trail import Purged, Retention
from secretbridge._vault import (
    _audit,
    _backup,
    _decisions,
    _history,
    _move,
    _openers,
    _outcomes,
    _principals,
    _purge,
    _records,
    _refusals,
    _rekey,
    _rotate,
    _sealed,
    _slots,
)
from secretbridge._vault._access import BUSY_TIMEOUT
from secretbridge._vault._change import Held, confirm_miss, find_named
from secretbridge._vault._crypto import damaged
from secretbridge._vault._decisions import Act
from secretbridge._vault._governed import GovernedVault
from secretbridge._vault._permissions import ADMINISTER, READ_AUDIT
from secretbridge._vault._storage import store_at
from secretbridge.errors import InvalidRequest, SecretBridgeError, VaultLocked, VaultReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from secretbridge._credentials import Credential
    from secretbridge._location import PostgresUrl
    from secretbridge._trail import AuditEntry, AuditHead, SlotInfo, Verified, VersionInfo
    from secretbridge._vault._change import Change
    from secretbridge._vault._move import Progress
    from secretbridge._vault._openers import Opener, Slot
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import Rows


_LOOKING: Final = (READ_AUDIT, ADMINISTER)
_AUDITING: Final = Act(_records.AUDIT_READ, "read the audit trail", _LOOKING)


class AdministeredVault(GovernedVault):
    """A vault, open in one of its environments, for those who look after it. Made by :meth:`open`."""

    # History

    def history(self, *, name: str | None = None, id: str | None = None) -> list[VersionInfo]:
        """The versions of a secret here, newest first.

        Raises:
            SecretNotFound: there never was one.
        """

        def look(rows: Rows) -> list[VersionInfo]:
            held = self._looked_up(rows, "history", name, id)
            versions = _history.seen(rows, self._keyring, held.row, self._environment)
            who = _principals.names_by_id(self._policy)
            return [_history.told(step, who) for step in versions]

        return self._look(Act(_records.LOOKED_BACK, "history", _LOOKING, name, id), look)

    def version(self, name: str, number: int) -> Record:
        """One version of a secret, with its value.

        Raises:
            SecretNotFound: there never was such a secret, or version.
            ValueNotTold: this version says that it was gone.
        """

        def look(rows: Rows) -> Record:
            held = self._looked_up(rows, "version", name, None)
            return _history.kept(rows, self._keyring, held, self._environment, number, "version")

        return self._look(Act(_records.READ, "version", (ADMINISTER,), name), look)

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
            _decisions.check_whole(change.rights, held.record, ADMINISTER, shared=held.shared, word="restore")
            then = _history.kept(change.rows, self._keyring, held, self._environment, number, "restore")
            record = _history.renewed(change, held, then)
            change.save(_records.RESTORE, operation_id, record, held, _history.TAKEN)
            return record

        act = Act(_records.RESTORE, "restore", (ADMINISTER,), name, None, _history.TAKEN)
        return self._write(work, act)

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
            _decisions.check_whole(
                change.rights, held.record, ADMINISTER, shared=held.shared, word="undelete"
            )
            then = _history.last_living(change.rows, self._keyring, held, self._environment)
            record = _history.renewed(change, held, then)
            change.save(_records.UNDELETE, operation_id, record, held, _history.TAKEN)
            return record

        act = Act(_records.UNDELETE, "undelete", (ADMINISTER,), name, None, _history.TAKEN)
        return self._write(work, act)

    def expiring(self, within: timedelta) -> list[Record]:
        """What has expired and what will within this time, soonest first, without values."""
        now = datetime.now(UTC)
        found: list[Record] = []
        following: str | None = None
        while True:
            page, following = self.list(after=following)
            found += [each for each in page if each.expires_at and each.expires_at - now <= within]
            if following is None:
                return sorted(found, key=lambda each: (each.expires_at, each.name))

    def _looked_up(self, rows: Rows, operation: str, name: str | None, id: str | None) -> Held:
        """This environment's value, deleted or not."""
        if name is not None:
            row = find_named(rows, self._keyring, name, self._environment)[1]
        else:
            row = rows.held(_records.id_bytes(id), self._environment)
        if row is None:
            confirm_miss(rows, self._keyring, name, _records.id_bytes(id))
            raise _refusals.not_found(operation, name, id)
        held = Held(row, *_sealed.open_record(self._keyring, row))
        if held.record.elsewhere or (name is not None and held.record.name != name):
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
            page = partial(_audit.page, keyring=self._keyring, after=after, upto=upto)
            entries = self._look(_AUDITING, page, noted=False)
            names = {number: name for name, number in self._policy.environments.items()}
            who = _principals.names_by_id(self._policy)
            yield from (_audit.told(entry, names, who) for entry in entries)
            after = entries[-1].sequence

    def audit_head(self) -> AuditHead:
        """Where the trail is at."""
        return self._look(_AUDITING, lambda rows: _audit.head(rows, self._keyring))

    def verify_audit(self, anchor: AuditHead | None) -> AuditHead:
        """Follow the trail's whole chain; it must continue what the anchor was taken from.

        Raises:
            VaultDamaged: it is not what was written, or another trail.
        """
        return self._look(_AUDITING, lambda rows: _audit.verify(rows, self._keyring, anchor))

    def backup(self, path: Path, *, overwrite: bool) -> Verified:
        """Copy the vault as it is at one moment; see :func:`_backup.backup`."""
        act = Act(_records.ADMINISTERED, "backup", (ADMINISTER,))
        self._look(act, lambda _: None, noted=False)
        begin = partial(self._leaving, act)
        return _backup.backup(self._store, self._keyring, path, overwrite=overwrite, begin=begin)

    # Slots

    def slots(self) -> list[SlotInfo]:
        """The ways into the vault."""
        act = Act(_records.AUDIT_READ, "list the slots", (ADMINISTER,))
        return [
            _slots.told(slot) for slot in self._look(act, lambda rows: _slots.checked(rows, self._keyring))
        ]

    def add_slot(self, credential: Credential, label: str) -> SlotInfo:
        """A new slot of the owner's.

        Raises:
            InvalidRequest: another slot is called so.
        """
        act = Act(_records.SLOT_ADDED, "add a slot", (ADMINISTER,))
        opener = self._opener(act, credential)

        def work(change: Change, operation_id: bytes) -> SlotInfo:
            slot = _slots.add(change.rows, self._keyring, opener, label=label)
            change.note(_records.SLOT_ADDED, operation_id, name=_slots.name_of(slot))
            return _slots.told(slot)

        return self._write(work, act)

    def remove_slot(self, which: int | str, *, dry_run: bool = False) -> SlotInfo:
        """Take a slot away, or only see whether it can be.

        Raises:
            InvalidRequest: there is none of this number or label.
            VaultError: it is the owner's last one.
        """
        act = Act(_records.SLOT_REMOVED, "remove a slot", (ADMINISTER,))
        if dry_run:
            look = partial(_slots.removable, keyring=self._keyring, which=which)
            return _slots.told(self._look(act, look, noted=False))

        def work(change: Change, operation_id: bytes) -> SlotInfo:
            slot = _slots.remove(change.rows, self._keyring, which)
            change.note(_records.SLOT_REMOVED, operation_id, name=_slots.name_of(slot))
            return _slots.told(slot)

        return self._write(work, act)

    def change_slot(self, which: int | str, credential: Credential) -> SlotInfo:
        """Put another credential into a slot.

        Raises:
            InvalidRequest: there is none of this number or label.
        """
        act = Act(_records.SLOT_CHANGED, "change a slot", (ADMINISTER,))
        opener = self._opener(act, credential)

        def work(change: Change, operation_id: bytes) -> SlotInfo:
            slot = _slots.change(change.rows, self._keyring, which, opener)
            change.note(_records.SLOT_CHANGED, operation_id, name=_slots.name_of(slot))
            return _slots.told(slot)

        return self._write(work, act)

    # Keys

    def rekey(self, *, progress: Callable[[int, int], object] | None, batch: int) -> None:
        """Bring everything under a new data key; see :func:`_rekey.rekey`."""
        act = Act(_records.REKEYED, "rekey", (ADMINISTER,))
        self._look(act, lambda _: None, noted=False)  # before anything is counted or told
        write = partial(self._write, act=act)
        _rekey.rekey(write, self._snapshot, self._keyring, progress=progress, batch=batch)

    def rotate_root(
        self, keep: Sequence[Credential], consent: Sequence[int | str], *, dry_run: bool = False
    ) -> list[SlotInfo]:
        """A new root key; see :mod:`_rotate`.

        Returns:
            The slots there are now, or would be.
        """
        act = Act(_records.ROOT_ROTATED, "rotate the root key", (ADMINISTER,))
        self._look(act, lambda _: None, noted=False)
        openers = [_openers.opener(credential, new=False) for credential in keep]
        while True:
            slots = self._snapshot(lambda rows: _slots.checked(rows, self._keyring))
            plan = self._planned(act, slots, openers, consent)
            left = [_slots.told(slot) for slot in sorted(plan.kept)]
            if dry_run:
                return left
            work = partial(_rotate.rotated, keyring=self._keyring, plan=plan)
            if self._write(work, act):
                self._keyring.root = plan.root
                return left

    def _planned(
        self, act: Act, slots: tuple[Slot, ...], openers: Sequence[Opener], consent: Sequence[int | str]
    ) -> _rotate.Plan:
        refusal: SecretBridgeError
        try:
            return _rotate.planned(self._keyring, slots, openers, consent)
        except VaultLocked as error:
            refusal, outcome = error, _outcomes.WRONG_CREDENTIAL
        except (_slots.SlotNeeded, InvalidRequest) as error:
            refusal, outcome = error, _outcomes.number(error)
        self._refused(act, refusal, outcome)
        raise refusal

    # Time

    def create_many(self, secrets: Iterable[tuple[str, Mapping[str, object]]]) -> int:
        """Create all of these in one transaction, or none; how many.

        Raises:
            SecretExists: there is one of them already.
        """
        count = 0

        def counted() -> Iterator[tuple[str, Mapping[str, object]]]:
            nonlocal count
            for each in secrets:
                yield each
                count += 1

        self._create_many(counted())
        return count

    def retention(self) -> Retention:
        """How much of the history is kept, by the rules of this moment."""

        def look(rows: Rows) -> Retention:
            policy = self._standing_in(rows).policy
            return Retention(policy.keep_versions, policy.keep_days)

        return self._look(Act(_records.LISTED, "tell the retention"), look, noted=False)

    def set_retention(self, versions: int | None, days: int | None) -> None:
        """Say how much of the history is kept; it counts from the next write of a secret on."""
        said = f"versions={versions}, days={days}"

        def work(change: Change, operation_id: bytes) -> None:
            change.save_policy(replace(change.policy, keep_versions=versions, keep_days=days))
            change.note(_records.RETENTION_SET, operation_id, name=said)

        self._write(work, Act(_records.RETENTION_SET, "set the retention", (ADMINISTER,), said))

    def would_keep(self, versions: int | None, days: int | None) -> Purged:
        """What a purge would remove by such rules; they are not set, and nothing is removed."""
        rules = Retention(versions, days)
        removal = _purge.Removal(older_versions=False, deleted=False, dry_run=True, retention=rules)
        self._purge_all(removal)
        return Purged(removal.secrets, removal.versions, pending=False)

    def purge(
        self, name: str | None, *, older_versions: bool, deleted: bool, dry_run: bool = False
    ) -> Purged:
        """Remove for good, a few hundred values to a transaction, and bring it to the file at once.

        A dry run goes the same way, and takes each transaction back before its end.

        Raises:
            SecretNotFound: there never was a secret of this name here.
            SecretExists: it is to be removed as deleted, and is not deleted.
        """
        removal = _purge.Removal(older_versions=older_versions, deleted=deleted, dry_run=dry_run)
        if name is not None:
            act = Act(_records.PURGED, "purge", (ADMINISTER,), name)
            with suppress(_purge.TakenBack):
                self._write(lambda change, id_: self._purge_one(change, id_, name, removal), act)
        else:
            self._purge_all(removal)
        pending = not dry_run and not self._store.wipe()
        return Purged(removal.secrets, removal.versions, pending=pending)

    def _purge_one(self, change: Change, operation_id: bytes, name: str, removal: _purge.Removal) -> None:
        removal.begin(change, operation_id)
        held = self._looked_up(change.rows, "purge", name, None)
        if removal.deleted and not removal.older_versions and not held.deleted:
            raise _refusals.not_purgeable(name)
        _decisions.check_reach(change.rights, held.record, shared=held.shared, word="purge")
        removal.one(change, held)
        removal.beside(change, held)
        removal.end(None)

    def _purge_all(self, removal: _purge.Removal) -> None:
        act = Act(_records.PURGED, "purge", (ADMINISTER,))
        after: _purge.Place | None = _purge.Place(self._environment, b"")

        def work(change: Change, operation_id: bytes) -> _purge.Place | None:
            removal.begin(change, operation_id)
            return removal.end(removal.next_batch(change, after) if after is not None else None)

        begun = False
        while after is not None:
            try:
                after = self._write(work, act)
                begun = True
            except _purge.TakenBack as rehearsed:
                after = rehearsed.following
            except SecretBridgeError as error:
                if begun:
                    error.applied = None  # a part was removed; purging again goes on with the rest
                raise

    # Another place

    def _leaving(self, act: Act) -> None:
        """Note that all of the vault goes elsewhere, before it does: so the copy has the line too.

        A vault that cannot be written is copied all the same, but for where each reading has to be noted.
        """
        try:
            self._write(lambda change, id_: change.note(act.operation, id_, name=act.word), act)
        except VaultReadOnly:
            pass
        else:
            return
        self._look(act, lambda _: None)

    def move_to(self, place: Path | PostgresUrl, progress: Progress | None) -> Verified:
        """Copy the vault into an empty place of either kind; see :func:`_move.move`."""
        act = Act(_records.ADMINISTERED, "move", (ADMINISTER,))
        self._look(act, lambda _: None, noted=False)
        target = store_at(place, busy_timeout=BUSY_TIMEOUT)
        try:
            _move.check_free(target, place)
            self._leaving(act)
            return _move.move(self._store, self._keyring, target, place, progress)
        finally:
            target.close()
