"""The vault as its users see it: one environment of it, and what the verbs mean there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from secretbridge._vault import _create, _files, _records, _refusals, _schema, _sealed, _verify
from secretbridge._vault._change import Change, Held, Known, confirm_miss, emptied
from secretbridge._vault._crypto import damaged
from secretbridge._vault._records import Record
from secretbridge._vault._store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from secretbridge._trail import Verified
    from secretbridge._vault._keys import KeyFile, Keyring, Opener, Passphrase, SecretValue
    from secretbridge._vault._rows import Rows

T = TypeVar("T")
Names = list[str]  # within the class, list is a method

_DEFAULTS: Final[Mapping[str, object]] = {
    "description": None,
    "active": True,
    "protected": False,
    "expires_at": None,
}


class Vault:
    """An open vault in one of its environments. Made by :meth:`open`.

    Safe with many threads, with many processes on one file, and after a fork. The keys stay in memory until
    the object is gone.
    """

    def __init__(
        self, store: SqliteStore, keyring: Keyring, environment: int, environments: Mapping[str, int]
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._environment = environment
        self._environments = {number: name for name, number in environments.items()}
        self._last_state: Known | None = None

    @classmethod
    def open(
        cls,
        location: Path,
        *,
        environment: str,
        credential: Passphrase | KeyFile,
        busy_timeout: float = 10.0,
        allow_file_systems: Collection[str] = (),
    ) -> Self:
        """Open a vault, or create it where there is none.

        Args:
            location: the vault's file; its folder is created 0700 if absent.
            environment: one of the vault's environments.
            credential: what opens it. A missing key file is created only together with a new vault.
            busy_timeout: seconds to wait for other processes at each operation.
            allow_file_systems: network file systems or FUSE, by type, to accept all the same.

        Raises:
            InvalidRequest: the vault has no such environment.
            VaultLocked: the credential does not open it.
            VaultDamaged: the file is empty, cut short, foreign or changed.
            VaultBusy, VaultReadOnly, VaultFull, VaultError: it cannot be used as it is.
        """
        store = SqliteStore(
            _files.resolve(location), busy_timeout=busy_timeout, allow_file_systems=allow_file_systems
        )

        openers: list[Opener] = []  # kept from creating, so that the KDF runs once

        def create(path: Path) -> None:
            _number(_schema.ENVIRONMENTS, environment)
            _create.check_vacant(path)
            openers.append(_create.opener(credential, new=True))
            _create.create(path, openers[0])

        try:
            store.connect(create)
            opener = openers[0] if openers else _create.opener(credential, new=False)

            keyring, environments = store.snapshot(lambda rows: _create.unlock(rows, opener))
            return cls(store, keyring, _number(environments, environment), environments)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Close the file; closing twice is closing once."""
        self._store.close()

    # Reading

    def get(self, *, name: str | None = None, id: str | None = None) -> Record:
        """The secret of this name or id, with its value.

        Raises:
            SecretNotFound: there is none here, or it is not active.
            SecretExpired: its expiry has passed.
            VaultDamaged: it is not what was written.
        """
        if name is not None:
            row = self._store.find(self._keyring.name_index(name), self._environment)
        else:
            row = self._store.find_id(_records.id_bytes(id), self._environment)
        if row is None or row[1] is None:
            raise self._missing("get", name, id)
        secret, version, epoch, sealed = row
        plain = _sealed.open_value(self._keyring, secret, self._environment, version, epoch, sealed)
        record = _records.decode_record(plain, secret, self._environment)
        if record.version != version or (name is not None and record.name != name):
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
        found: list[Record] = []
        last = _refusals.cursor(after) if after is not None else b""
        while True:
            rows = self._store.page(last, self._environment, limit)
            for secret, version, epoch, sealed in rows:
                last = secret
                plain = _sealed.open_value(self._keyring, secret, self._environment, version, epoch, sealed)
                if not _records.is_deleted(plain):
                    found.append(_records.decode_record(plain, secret, self._environment, with_value=False))
                    if len(found) == limit:
                        return found, last.hex()
            if len(rows) < limit:
                return found, None

    def environments_of(self, ids: Iterable[str]) -> dict[str, Names]:
        """The other environments in which secrets have a value, by id; a secret without any is left out.

        Raises:
            VaultDamaged: one of the values is not what was written.
        """
        others = [
            (number, name) for number, name in self._environments.items() if number != self._environment
        ]
        found: dict[str, Names] = {}
        for id_ in ids:
            for number, name in others:
                row = self._store.find_id(_records.id_bytes(id_), number)
                if row is None or row[1] is None:
                    continue
                secret, version, epoch, sealed = row[:4]
                plain = _sealed.open_value(self._keyring, secret, number, version, epoch, sealed)
                if not _records.is_deleted(plain):
                    found.setdefault(id_, []).append(name)
        return found

    def _missing(self, operation: str, name: str | None, id: str | None) -> Exception:
        """Not found, or damage that hides it."""
        self._store.snapshot(lambda rows: confirm_miss(rows, self._keyring, name, _records.id_bytes(id)))
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
        return self._write(lambda change, operation: self._create(change, operation, name, fields))

    def _create(self, change: Change, operation_id: bytes, name: str, fields: Mapping[str, object]) -> Record:
        secret, held = change.named(name)
        if held is not None and not held.deleted:
            raise _refusals.exists("create", name)
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

        def work(change: Change, operation_id: bytes) -> Record:
            secret, held = change.named(name)
            if held is not None and not held.deleted and held.record.protected:
                raise _refusals.locked("put", held.record)
            id_ = secret.id if secret is not None else change.add_secret(name)
            record = _new(change, id_, name, fields, held)
            change.save(_records.PUT, operation_id, record, held, _mask(fields))
            return record

        return self._write(work)

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
            held = self._held(change, "update", name, id)
            record = held.record
            if record.protected and not (len(changes) == 1 and changes.get("protected") is False):
                raise _refusals.locked("update", record)
            if if_version is not None and if_version != record.version:
                raise _refusals.conflict(record, if_version)
            updated = _changed(record, changes, version=record.version + 1, at=change.now)
            if updated.name == record.name:
                change.save(_records.UPDATE, operation_id, updated, held, _mask(changes))
                return updated
            if (there := change.named(updated.name)[1]) is not None and not there.deleted:
                raise _refusals.exists("update", updated.name)
            return change.rename(operation_id, held, updated, _mask(changes))

        return self._write(work)

    def delete(self, *, name: str | None = None, id: str | None = None) -> None:
        """Delete the value of this environment; the version counter and the history stay.

        Raises:
            SecretNotFound: there is none here.
            SecretLocked: it is protected.
        """

        def work(change: Change, operation_id: bytes) -> None:
            held = self._held(change, "delete", name, id)
            if held.record.protected:
                raise _refusals.locked("delete", held.record)
            gone = replace(
                emptied(held.record, held.record.version + 1), updated_at=_records.moment(change.now)
            )
            change.save(_records.DELETE, operation_id, gone, held, 0, deleted=True)

        self._write(work)

    def _create_many(self, secrets: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Create all of these in one transaction, or none."""

        def work(change: Change, operation_id: bytes) -> None:
            for name, fields in secrets:
                self._create(change, operation_id, name, fields)
                operation_id = _sealed.new_id()

        self._write(work)

    def verify(self) -> Verified:
        """Check the whole vault: every record, the history, the log's chain, the counts.

        Raises:
            VaultDamaged: something in it is not what was written.
        """
        return self._store.snapshot(lambda rows: _verify.verify(rows, self._keyring))

    def _write(self, work: Callable[[Change, bytes], T]) -> T:
        operation_id = _sealed.new_id()

        def inside(rows: Rows) -> T:
            change = Change(rows, self._keyring, self._environment, self._last_state)
            result = work(change, operation_id)
            self._last_state = change.finish()
            return result

        return self._store.transact(operation_id, inside)

    def _held(self, change: Change, operation: str, name: str | None, id: str | None) -> Held:
        held = change.named(name)[1] if name is not None else change.held(_records.id_bytes(id))
        if held is None:
            confirm_miss(change.rows, self._keyring, name, _records.id_bytes(id))
        if held is None or held.deleted:
            raise _refusals.not_found(operation, name, id)
        return held


def _number(environments: Mapping[str, int], environment: str) -> int:
    number = environments.get(environment)
    if number is None:
        raise _refusals.unknown_environment(environment, environments)
    return number


def _mask(fields: Mapping[str, object]) -> int:
    return sum(_records.FIELDS[field] for field in fields)


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
    return Record(
        id=record.id,
        name=given("new_name", record.name),
        value=value.get_secret_value() if value is not None else record.value,
        description=given("description", record.description),
        active=given("active", record.active),
        protected=given("protected", record.protected),
        expires_at=expires_at.astimezone(UTC) if expires_at is not None else None,
        created_at=record.created_at,
        updated_at=_records.moment(at),
        version=version,
    )
