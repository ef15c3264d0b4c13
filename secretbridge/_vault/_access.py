"""The vault as its users see it: one environment of it, and what the verbs mean there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from secretbridge._vault import (
    _audit,
    _create,
    _decisions,
    _openers,
    _outcomes,
    _policy,
    _records,
    _refusals,
    _rename,
    _sealed,
    _shared,
    _upgrade,
    _verify,
)
from secretbridge._vault._change import Change, Held, confirm_miss, emptied, find_named
from secretbridge._vault._crypto import damaged
from secretbridge._vault._decided import Decided
from secretbridge._vault._decisions import Act
from secretbridge._vault._keys import UnknownEpoch
from secretbridge._vault._permissions import (
    ADMINISTER,
    CREATE,
    DELETE,
    LIST_NAMES,
    READ_AUDIT,
    READ_VALUES,
    updating,
)
from secretbridge._vault._records import Record
from secretbridge._vault._rows import EVERYWHERE
from secretbridge._vault._storage import store_at
from secretbridge._vault._store import SqliteStore
from secretbridge.errors import NotEnvironmentSpecific, SecretBridgeError, SecretLocked, SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from secretbridge._credentials import Credential, SecretValue
    from secretbridge._location import PostgresUrl
    from secretbridge._models import Write
    from secretbridge._trail import AuditHead, Verified
    from secretbridge._vault._openers import Opener
    from secretbridge._vault._permissions import Rights
    from secretbridge._vault._rows import Rows, ValueRow

#: A page of a listing, and the cursor of the next.
Listed: TypeAlias = tuple[list[Record], str | None]
Names: TypeAlias = list[str]  # within the class, list is a method

#: Seconds that an operation waits for other writers.
BUSY_TIMEOUT: Final = 10.0
#: Names that are looked for in one round trip where many secrets are written.
_TOGETHER: Final = 128

_DEFAULTS: Final[Mapping[str, object]] = {
    "description": None,
    "active": True,
    "protected": False,
    "expires_at": None,
}


class Vault(Decided):
    """An open vault in one of its environments. Made by :meth:`open`.

    Safe with many threads, with many processes on one file, and after a fork. The keys stay in memory until
    the object is gone.
    """

    @classmethod
    def open(
        cls,
        location: Path | PostgresUrl,
        *,
        environment: str,
        credential: Credential,
        busy_timeout: float = BUSY_TIMEOUT,
        allow_file_systems: Collection[str] = (),
        expect_head: AuditHead | None = None,
    ) -> Self:
        """Open a vault, or create it where there is none.

        Args:
            location: the vault's file, whose folder is created 0700 if absent; or a schema on PostgreSQL.
            environment: one of the vault's environments.
            credential: what opens it. A missing key file is created only together with a new vault.
            busy_timeout: seconds to wait for other processes at each operation.
            allow_file_systems: network file systems or FUSE, by type, to accept all the same.
            expect_head: the vault must continue the audit trail that this was taken from.

        Raises:
            InvalidRequest: the vault has no such environment.
            VaultLocked: the credential does not open it.
            VaultDamaged: the file is empty, cut short, foreign or changed, or not the one that is expected.
            VaultBusy, VaultReadOnly, VaultFull, VaultError: it cannot be used as it is.
        """
        store = store_at(location, busy_timeout=busy_timeout, allow_file_systems=allow_file_systems)

        openers: list[Opener] = []  # kept from creating, so that the KDF runs once

        def create() -> Callable[[Rows], None]:
            _number(_policy.ENVIRONMENTS, environment)
            if expect_head is not None:
                raise _refusals.vault_missing(location)
            openers.append(_openers.opener(credential, new=True))
            if openers[0].kind == _openers.ACCOUNT:
                raise _refusals.none_made_by_account(location)
            return lambda rows: _create.first_rows(rows, openers[0])

        try:
            store.connect(create)
            opener = openers[0] if openers else _openers.opener(credential, new=False)

            def unlock(rows: Rows) -> _create.Unlocked:
                unlocked = _create.unlock(rows, opener)
                if expect_head is not None:
                    _audit.check_anchor(rows, unlocked.keyring, expect_head)
                return unlocked

            if isinstance(store, SqliteStore) and _upgrade.needed(store):
                _upgrade.upgrade(store, opener)
            keyring, policy, slot = store.snapshot(unlock)
            vault = cls(store, keyring, _number(policy.environments, environment), policy, slot.principal)
            vault._look(Act(_records.OPENED, "open"), lambda _: None, noted=False)
        except BaseException:
            store.close()
            raise
        return vault

    # Reading

    def get(self, *, name: str | None = None, id: str | None = None) -> Record:
        """The secret of this name or id, with its value.

        Raises:
            SecretNotFound: there is none here, or it is not active.
            SecretExpired: its expiry has passed.
            VaultDamaged: it is not what was written.
        """
        row = self._find(name, id)
        standing = self._standing
        if row is not None and standing.reads_freely and row[5] == standing.epoch:
            return self._handed_out(row, name, id)
        return self._get_decided(row, name, id)

    def _get_decided(self, row: tuple[Any, ...] | None, name: str | None, id: str | None) -> Record:
        act = Act(_records.READ, "get", (READ_VALUES,), name, id)

        def look() -> Record:
            found = row
            while found is None or found[5] != self._standing.epoch:
                self._renew()
                found = self._find(name, id)
                if found is None:
                    break
            self._check(act, self._standing.rights)
            if found is None:
                raise self._missing("get", name, id)
            return self._handed_out(found, name, id)

        return self._decided(act, look)

    def _handed_out(self, row: tuple[Any, ...], name: str | None, id: str | None) -> Record:
        secret, version, epoch, sealed, environment = row[:5]
        if version is None:
            raise self._missing("get", name, id)
        plain = _sealed.open_value(self._keyring, secret, environment, version, epoch, sealed)
        record = _records.decode_record(plain, secret, environment)
        if record.version != version or record.elsewhere or (name is not None and record.name != name):
            raise damaged()
        if _records.is_deleted(plain):
            raise _refusals.not_found("get", name, id)
        if not record.active:
            raise _refusals.inactive(record)
        if record.expires_at is not None and record.expires_at <= datetime.now(UTC):
            raise _refusals.expired(record)
        return record

    def list(self, *, after: str | None = None, limit: int = 1000) -> tuple[list[Record], str | None]:
        """The next secrets, without their values, in the order they were made.

        Args:
            after: the cursor that the page before came with; None begins.
            limit: how many at most.

        Returns:
            The records, inactive and expired ones included, and the cursor of the next page or None.

        Raises:
            InvalidRequest: ``after`` is no cursor.
            VaultDamaged: one of them is not what was written.
        """
        act = Act(_records.LISTED, "list", (LIST_NAMES,))
        last = _refusals.cursor(after) if after is not None else b""
        return self._decided(act, lambda: self._listed_following(act, last, limit))

    def _listed_following(self, act: Act, last: bytes, limit: int) -> Listed:
        with suppress(UnknownEpoch):
            return self._listed(act, last, limit)
        self._store.snapshot(self._keyring.follow)
        return self._listed(act, last, limit)

    def _listed(self, act: Act, last: bytes, limit: int) -> Listed:
        found: list[Record] = []
        self._check(act, self._renew().rights)
        while True:
            rows = self._store.page(last, self._environment, limit + 1)
            if rows and rows[0][5] != self._standing.epoch:
                self._check(act, self._renew().rights)
                continue
            more = len(rows) > limit
            if more and rows[-1][4] == EVERYWHERE:
                rows.pop()  # the same secret's value of this environment may follow
            for secret, version, epoch, sealed, environment, _ in rows:
                last = secret
                plain = _sealed.open_value(self._keyring, secret, environment, version, epoch, sealed)
                if not _records.is_deleted(plain):
                    found.append(_records.decode_record(plain, secret, environment, with_value=False))
                    if len(found) == limit:
                        return found, last.hex()
            if not more:
                return found, None

    def _find(self, name: str | None, id: str | None) -> tuple[Any, ...] | None:
        """What the store has of a secret here, whatever data key it is under by now."""
        while True:
            if name is None:
                row = self._store.find_id(_records.id_bytes(id), self._environment)
            else:
                row = self._store.find(self._keyring.name_index(name), self._environment)
                if row is None and self._keyring.rekeying:
                    for index in self._keyring.name_indexes(name)[1:]:
                        row = row or self._store.find(index, self._environment)
            if row is not None and (row[2] is None or self._keyring.knows(row[2])):
                return row
            if not self._store.snapshot(self._keyring.follow):
                return row

    def environments_of(self, ids: Iterable[str]) -> dict[str, Names]:
        """The other environments in which secrets have a value of their own, by id; others are left out.

        Raises:
            GrantMissing: names may not be listed.
            VaultDamaged: one of the values is not what was written.
        """

        def look(rows: Rows) -> dict[str, Names]:
            names = {number: name for name, number in self._policy.environments.items()}
            rights = self._standing.rights
            scope = None if rights is None else rights.environments
            found: dict[str, Names] = {}
            for id_ in ids:
                for row in rows.values(_records.id_bytes(id_)):
                    if row.environment in {EVERYWHERE, self._environment}:
                        continue
                    if scope is not None and row.environment not in scope:
                        continue
                    if not _sealed.open_record(self._keyring, row)[1]:
                        found.setdefault(id_, []).append(names[row.environment])
            return found

        return self._look(Act(_records.LISTED, "list", (LIST_NAMES,)), look, noted=False)

    def identity(self) -> tuple[str, str]:
        """Which vault this is, copies of it included; and how far its audit trail goes: copies part there."""

        def look(rows: Rows) -> tuple[str, str]:
            return self._keyring.vault.hex(), _sealed.open_state(self._keyring, rows.state()).chain.hex()

        return self._look(Act(_records.LISTED, "identify"), look, noted=False)

    def denied(self, wanted: Iterable[tuple[str, str]]) -> Names:
        """Why whoever opened the vault would be denied these operations, in order; "" where not.

        Args:
            wanted: "create", "update" or "get", and a name.
        """

        def look(rows: Rows) -> Names:
            rights = self._standing.rights
            if rights is None or rights.kind == "owner":
                return [""] * len(listed)
            return [self._denial(rows, rights, operation, name) for operation, name in listed]

        listed = list(wanted)
        return self._look(Act(_records.LISTED, "look at grants"), look, noted=False)

    def _denial(self, rows: Rows, rights: Rights, operation: str, name: str) -> str:
        row = find_named(rows, self._keyring, name, self._environment)[1] if operation == "update" else None
        try:
            if row is not None:
                record = _sealed.open_record(self._keyring, row)[0]
                shared = row.environment == EVERYWHERE
                _decisions.check_update(rights, record, {"value": None}, shared=shared)
            else:
                needs = {"create": (CREATE,), "get": (READ_VALUES,)}.get(operation, updating(name))
                _decisions.require(rights, operation, *needs, name=name)
        except (*_outcomes.DENIALS, NotEnvironmentSpecific, SecretLocked) as denial:
            return denial.message
        return ""

    def _missing(self, operation: str, name: str | None, id: str | None) -> Exception:
        """Not found, or damage that hides it."""
        self._snapshot(lambda rows: confirm_miss(rows, self._keyring, name, _records.id_bytes(id)))
        return _refusals.not_found(operation, name, id)

    # Writing

    def create(self, name: str, fields: Mapping[str, object]) -> Record:
        """A new secret. One that was deleted begins anew and goes on counting versions.

        Args:
            name: its name.
            fields: value (required), description, active, protected, expires_at.

        Raises:
            SecretExists: there is one, be it inactive or expired.
        """
        act = Act(_records.CREATE, "create", (CREATE,), name, None, _mask(fields))
        return self._write(lambda change, operation: self._create(change, operation, name, fields), act)

    def _create(self, change: Change, operation_id: bytes, name: str, fields: Mapping[str, object]) -> Record:
        secret, held = change.named(name)
        if held is not None and not held.deleted:
            raise _refusals.exists("create", name)
        if secret is not None and held is not None:
            held = _shared.begin_anew(change, secret, held, "create")
        id_ = secret.id if secret is not None else change.add_secret(name)
        record = _new(change, id_, name, fields, held)
        change.save(_records.CREATE, operation_id, record, held, _mask(fields))
        return record

    def put(self, name: str, fields: Mapping[str, object]) -> Record:
        """Create a secret, or replace it as if newly created; its id stays and its version goes on.

        Args:
            name: its name.
            fields: as for :meth:`create`; what is left out returns to its default.

        Raises:
            SecretLocked: it is protected.
        """
        act = Act(_records.PUT, "put", (), name, None, _mask(fields))
        return self._write(lambda change, operation: self._put(change, operation, name, fields), act)

    def _put(self, change: Change, operation_id: bytes, name: str, fields: Mapping[str, object]) -> Record:
        secret, held = change.named(name)
        there = held.record if held is not None and not held.deleted else None
        _decisions.check_put(change.rights, there, name, fields, shared=held is not None and held.shared)
        if secret is not None and held is not None and held.deleted:
            held = _shared.begin_anew(change, secret, held, "put")
        id_ = secret.id if secret is not None else change.add_secret(name)
        record = _new(change, id_, name, fields, held)
        change.save(_records.PUT, operation_id, record, held, _mask(fields))
        return record

    def update(
        self,
        changes: Mapping[str, object],
        *,
        name: str | None = None,
        id: str | None = None,
        if_version: int | None = None,
    ) -> Record:
        """Change what is given and leave the rest; inactive and expired secrets can be updated too.

        Args:
            changes: fields of :meth:`create` and new_name; None clears description and expires_at.
            name: which secret, by name.
            id: which secret, by id.
            if_version: only if the secret is at this version.

        Raises:
            SecretNotFound: there is none here.
            SecretLocked: it is protected, and ``protected=False`` is not all that was asked.
            Conflict: it is at another version.
            SecretExists: the new name is taken.
        """

        def work(change: Change, operation_id: bytes) -> Record:
            return self._update(change, operation_id, changes, act, if_version)

        act = Act(_records.UPDATE, "update", (), name, id, _mask(changes))
        return self._write(work, act)

    def _update(
        self,
        change: Change,
        operation_id: bytes,
        changes: Mapping[str, object],
        act: Act,
        if_version: int | None,
    ) -> Record:
        held = self._held(change, "update", act.name, act.id)
        record = held.record
        _decisions.check_update(change.rights, record, changes, shared=held.shared)
        if if_version is not None and if_version != record.version:
            raise _refusals.conflict(record, if_version)
        updated = _changed(record, changes, version=record.version + 1, at=change.now)
        if updated.name == record.name:
            change.save(_records.UPDATE, operation_id, updated, held, act.fields)
            return updated
        if _rename.taken(change, updated.name, held):
            raise _refusals.exists("update", updated.name)
        return _rename.rename(change, operation_id, held, updated, act.fields)

    def delete(self, *, name: str | None = None, id: str | None = None) -> None:
        """Delete the value of this environment; the version counter and the history stay.

        Raises:
            SecretNotFound: there is none here.
            SecretLocked: it is protected.
        """
        act = Act(_records.DELETE, "delete", (DELETE,), name, id)
        self._write(lambda change, operation: self._delete(change, operation, name, id), act)

    def _delete(self, change: Change, operation_id: bytes, name: str | None, id: str | None) -> None:
        held = self._held(change, "delete", name, id)
        _decisions.check_whole(change.rights, held.record, DELETE, shared=held.shared, word="delete")
        gone = replace(emptied(held.record, held.record.version + 1), updated_at=_records.moment(change.now))
        change.save(_records.DELETE, operation_id, gone, held, 0, deleted=True)

    def _create_many(self, secrets: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Create all of these in one transaction, or none."""

        def work(change: Change, operation_id: bytes) -> None:
            coming = iter(secrets)
            while some := list(islice(coming, _TOGETHER)):
                change.look_ahead(name for name, _ in some)
                for name, fields in some:
                    self._create(change, operation_id, name, fields)
                    operation_id = _sealed.new_id()

        self._write(work, Act(_records.CREATE, "create", (CREATE,)))

    def write_many(self, writes: Iterable[tuple[str, SecretValue | None]]) -> None:
        """Put and delete in one transaction, in this order; what is to be deleted may be absent.

        Raises:
            SecretLocked: one of them is protected.
        """

        def work(change: Change, operation_id: bytes) -> None:
            for name, value in writes:
                if value is not None:
                    self._put(change, operation_id, name, {"value": value})
                else:
                    _decisions.require(change.rights, "delete", DELETE, name=name)
                    with suppress(SecretNotFound):
                        self._delete(change, operation_id, name, None)
                operation_id = _sealed.new_id()

        self._write(work, Act(_records.PUT, "write many"))

    def change_many(self, writes: Iterable[Write]) -> Sequence[Record | SecretBridgeError]:
        """Create and update secrets of different names in one transaction.

        What is refused is given as the error that says why; the others stand.

        Args:
            writes: name, fields, whether it is new, and the version that an update is to come after, or None.
        """

        def work(change: Change, operation_id: bytes) -> list[Record | SecretBridgeError]:
            found: list[Record | SecretBridgeError] = []
            for start in range(0, len(listed), _TOGETHER):
                some = listed[start : start + _TOGETHER]
                change.look_ahead(write.name for write in some)
                for write in some:
                    one = self._written(change, operation_id, write)
                    found.append(one)
                    operation_id = _sealed.new_id() if isinstance(one, Record) else operation_id
            return found

        listed = list(writes)
        found = self._write(work, Act(_records.UPDATE, "change many"))
        for write, one in zip(listed, found, strict=True):
            if isinstance(one, SecretBridgeError):
                number, word = (_records.CREATE, "create") if write.creates else (_records.UPDATE, "update")
                self._refused(Act(number, word, (), write.name, None, _mask(write.fields)), one)
        return found

    def _written(self, change: Change, operation_id: bytes, write: Write) -> Record | SecretBridgeError:
        """Write one of many; what refuses it has changed nothing yet."""
        name, fields = write.name, write.fields
        try:
            if write.creates:
                _decisions.require(change.rights, "create", CREATE, name=name)
                return self._create(change, operation_id, name, fields)
            act = Act(_records.UPDATE, "update", (), name, None, _mask(fields))
            return self._update(change, operation_id, fields, act, write.if_version)
        except _outcomes.REFUSALS as error:
            return error.with_traceback(None)  # whose frames hold what was being written

    def read_many(self, names: Iterable[str]) -> Sequence[Record]:
        """These secrets with their values, as they were at one moment.

        Raises:
            SecretNotFound, SecretExpired: one of them is not handed out.
        """

        def look(rows: Rows) -> Sequence[Record]:
            found: list[Record] = []
            for start in range(0, len(listed), _TOGETHER):
                some = listed[start : start + _TOGETHER]
                if self._keyring.rekeying:  # a name may be under either of two indexes
                    found += [self._read(rows, name) for name in some]
                    continue
                indexes = [self._keyring.name_index(name) for name in some]
                known = rows.named_many(indexes, self._environment)
                found += [self._read(rows, name, row) for name, (_, row) in zip(some, known, strict=True)]
            return found

        listed = list(names)
        found = self._look(Act(_records.READ, "get", (READ_VALUES,)), look, noted=False)
        self._note_reads(found)
        return found

    def _read(self, rows: Rows, name: str, row: ValueRow | None = None) -> Record:
        row = row or find_named(rows, self._keyring, name, self._environment)[1]
        if row is None:
            confirm_miss(rows, self._keyring, name, b"")
            raise _refusals.not_found("get", name, None)
        return self._handed_out((row.secret, row.version, row.epoch, row.sealed, row.environment), name, None)

    def verify(self) -> Verified:
        """Check the whole vault: every record, the history, the log's chain, the counts.

        Raises:
            VaultDamaged: something in it is not what was written.
        """
        act = Act(_records.AUDIT_READ, "verify", (ADMINISTER, READ_AUDIT))
        return self._look(act, lambda rows: _verify.verify(rows, self._keyring))

    def _held(self, change: Change, operation: str, name: str | None, id: str | None) -> Held:
        held = change.named(name)[1] if name is not None else change.held(_records.id_bytes(id))
        if held is None:
            confirm_miss(change.rows, self._keyring, name, _records.id_bytes(id), state=change.state)
        if held is None or held.deleted:
            if not _decisions.may_know(change.rights, name):
                raise _refusals.grant_missing(change.rights, operation, updating(name), name)
            raise _refusals.not_found(operation, name, id)
        return held


def _number(environments: Mapping[str, int], environment: str) -> int:
    number = environments.get(environment)
    if number is None:
        raise _refusals.unknown_environment(environments)
    return number


def _mask(fields: Mapping[str, object]) -> int:
    mask = 0
    for field in fields:
        mask |= _records.FIELDS[field]
    return mask


def _new(change: Change, id_: bytes, name: str, fields: Mapping[str, object], held: Held | None) -> Record:
    blank = Record(
        id=id_.hex(),
        name=name,
        value="",
        description=None,
        active=True,
        protected=False,
        expires_at=None,
        created_at=_records.moment(change.now),
        updated_at=_records.moment(change.now),
        version=_last_version(change, held) + 1,
    )
    return _changed(blank, {**_DEFAULTS, **fields}, version=blank.version, at=change.now)


def _last_version(change: Change, held: Held | None) -> int:
    """The version that a new record comes after: no name ever shows the same version twice."""
    if held is None:
        return change.state.version_floor
    return max(held.record.version, change.state.version_floor) if held.deleted else held.record.version


def _changed(record: Record, changes: Mapping[str, Any], *, version: int, at: int) -> Record:
    given = changes.get
    value: SecretValue | None = given("value")
    expires_at: datetime | None = given("expires_at", record.expires_at)
    return Record(  # in the order of its fields, as decode_record() does
        record.id,
        given("new_name", record.name),
        value.get_secret_value() if value is not None else record.value,
        given("description", record.description),
        given("active", record.active),
        given("protected", record.protected),
        expires_at.astimezone(UTC) if expires_at is not None else None,
        record.created_at,
        _records.moment(at),
        version,
    )
