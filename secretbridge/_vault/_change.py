"""What one transaction does to the vault: rows changed, log lines appended, the state renewed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _policy, _records, _retention, _sealed
from secretbridge._vault._crypto import NOWHERE, damaged
from secretbridge._vault._permissions import OWNER, OWNER_ID
from secretbridge._vault._records import Entry, Moved, Record
from secretbridge._vault._rows import EVERYWHERE, SHARED, SecretRow, ValueRow, new_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._permissions import Rights
    from secretbridge._vault._policy import Policy
    from secretbridge._vault._records import State
    from secretbridge._vault._rows import LogRow, Rows, StateRow

#: In a secret's flags: it lost its name to another and is reached by its id alone. Earlier versions of this
#: package left such rows where a renaming took a deleted secret's name; none are made any more.
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

    @property
    def shared(self) -> bool:
        """Whether it is one value for all environments."""
        return self.row.environment == EVERYWHERE


class Change:
    """A write in the making, in one environment.

    The state is opened at the beginning and has to be written back with :meth:`finish`.

    Args:
        rows: the transaction's rows.
        keyring: the vault's keys.
        environment: the number of the environment.
        known: the state as this process wrote it last, from now on this change's; or None.

    Attributes:
        policy: the rules that hold in the transaction.
        principal: the id of whoever does it.
        rights: what that one may do, as the transaction's own policy has it.
    """

    __slots__ = (
        "_ahead",
        "_environment",
        "_keyring",
        "_keys",
        "now",
        "policy",
        "principal",
        "rights",
        "rows",
        "spare_id",
        "state",
    )

    def __init__(self, rows: Rows, keyring: Keyring, environment: int, known: Known | None) -> None:
        self.rows = rows
        self._keyring = keyring
        self._environment = environment
        self.spare_id: bytes | None = None  # of the transaction, where no version takes it
        row = rows.state()
        if keyring.rekeying or (row is not None and row.epoch != keyring.current.epoch):
            keyring.learn(rows.data_keys())
        self._keys = keyring.current
        if known is not None and known.row == row:
            self.state = known.state
        else:
            self.state = _sealed.open_state(keyring, row)
        self.now = _sealed.now()
        self.policy = _policy.FIRST
        self.principal = OWNER_ID
        self.rights: Rights = OWNER
        self._ahead: dict[str, tuple[SecretRow | None, ValueRow | None]] = {}

    # Looking

    def held(self, secret: bytes) -> Held | None:
        """A secret's value as this environment sees it, deleted or not."""
        row = self.rows.held(secret, self._environment)
        return self._seen(row) if row is not None else None

    def _open(self, row: ValueRow) -> Held:
        record, deleted = _sealed.open_record(self._keyring, row)
        return new_tuple(Held, (row, record, deleted))

    def _seen(self, row: ValueRow) -> Held:
        held = self._open(row)
        if held.record.elsewhere:  # the flag in the clear that led here is not the one that was written
            raise damaged()
        return held

    def named(self, name: str) -> tuple[SecretRow | None, Held | None]:
        """The row of a name and its value as this environment sees it.

        Raises:
            VaultDamaged: the name inside the record is another.
        """
        ahead = self._ahead.pop(name, None) if self._ahead else None
        secret, row = ahead or find_named(self.rows, self._keyring, name, self._environment)
        if row is None:
            return secret, None
        held = self._seen(row)
        if held.record.name != name:
            raise damaged()
        return secret, held

    def everywhere(self, secret: bytes) -> list[Held]:
        """All that is held of a secret: in each environment, and shared; deleted or not."""
        return [self._open(row) for row in self.rows.values(secret)]

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
        environment: int | None = None,
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
            environment: where it stands, if not where ``over`` does, nor in this environment.
        """
        secret = bytes.fromhex(record.id)
        if environment is None:
            environment = over.row.environment if over is not None else self._environment
        state = self.state
        state.sequence = sequence = state.sequence + 1
        version = record.version
        plain = _records.encode_record(record, environment, deleted=deleted)
        row_over = over.row if over is not None else None
        value = _sealed.seal_value(self._keyring, secret, environment, version, sequence, plain)
        self._replace(row_over, value)
        entry = new_tuple(
            Entry,
            (
                sequence,
                self.now,
                operation,
                operation_id,
                secret,
                environment,
                version,
                row_over.sequence if row_over is not None else 0,
                fields,
                record.name,
                old_name,
                moved or _records.NOT_MOVED,
                self.principal,
                _records.DONE,
            ),
        )
        row, state.chain = _sealed.seal_log(self._keyring, entry, state.chain, None if deleted else plain)
        self.rows.append_log(row)
        if over is not None and self.policy.forgets:
            _retention.keep_to(self, self.policy, row, record.name)

    def _replace(self, over: ValueRow | None, row: ValueRow) -> None:
        state = self.state
        digest = _sealed.add(state.digest, _sealed.value_element(self._keys, row))
        if over is None:
            self.rows.insert_value(row)
            state.values += 1
        else:
            self.rows.save_value(row)
            keys = self._keyring.epoch(over.epoch)
            digest = _sealed.subtract(digest, _sealed.value_element(keys, over))
        state.digest = digest

    def add_secret(self, name: str, secret: bytes | None = None, flags: int = 0) -> bytes:
        """A new row for a name, under a new id unless one is given."""
        row = SecretRow(self._keyring.name_index(name), secret or _sealed.new_id(), self._keys.epoch, flags)
        self._insert_secret(row)
        return row.id

    def _insert_secret(self, row: SecretRow) -> None:
        self.rows.insert_secret(row)
        self.state.secrets += 1
        keys = self._keyring.epoch(row.epoch)
        self.state.digest = _sealed.add(self.state.digest, _sealed.secret_element(keys, row))

    def _remove_secret(self, row: SecretRow) -> None:
        self.rows.delete_secret(row)
        self.state.secrets -= 1
        keys = self._keyring.epoch(row.epoch)
        self.state.digest = _sealed.subtract(self.state.digest, _sealed.secret_element(keys, row))

    def note(
        self,
        operation: int,
        operation_id: bytes,
        *,
        name: str = "",
        secret: bytes = NOWHERE,
        environment: int = 0,
        version: int = 0,
        fields: int = 0,
        outcome: int = 0,
        at: int | None = None,
    ) -> None:
        """Write a line of the log that makes no version.

        Args:
            operation: what was done, or refused.
            operation_id: unique; settles a commit of unknown outcome.
            name: a text: the secret's name, or a slot's label, or a principal's name.
            secret: the secret that it was about, if about one that is there.
            environment: the number of the environment that it was about, or 0.
            version: the version that it was about, or 0.
            fields: which fields the caller gave.
            outcome: how it ended; see ``_outcomes``.
            at: when it happened, if not now; microseconds since 1970.
        """
        self.state.sequence += 1
        entry = Entry(
            sequence=self.state.sequence,
            at=self.now if at is None else at,
            operation=operation,
            operation_id=operation_id,
            secret=secret,
            environment=environment,
            version=version,
            previous=0,
            fields=fields,
            name=name,
            principal=self.principal,
            outcome=outcome,
        )
        row, self.state.chain = _sealed.seal_log(self._keyring, entry, self.state.chain, None)
        self.rows.append_log(row)

    def save_policy(self, policy: Policy) -> None:
        """Write the rules that hold from now on, in every process that has the vault open."""
        self.state.policy_epoch += 1
        sealed = _sealed.seal_policy(self._keyring, self.state.policy_epoch, _policy.encode(policy))
        self.rows.save_policy(self.state.policy_epoch, self._keys.epoch, sealed)

    def look_ahead(self, names: Iterable[str]) -> None:
        """Ask for these names together; each answer serves the next :meth:`named` of its name.

        Nothing but these names may be looked for or changed until all of them were: an answer would be stale.
        """
        if self._keyring.rekeying:
            return  # a name may be under either of two indexes: each is looked for by itself
        wanted = dict.fromkeys(names)
        found = self.rows.named_many(map(self._keyring.name_index, wanted), self._environment)
        self._ahead = dict(zip(wanted, found, strict=True))

    def finish(self) -> Known:
        """Write the state back."""
        row = _sealed.seal_state(self._keyring, self.state)
        self.rows.save_state(row)
        return new_tuple(Known, (row, self.state))

    # Renaming; see _rename

    def row_of(self, held: Held) -> SecretRow:
        """The row of the name of what is held."""
        row = self.rows.secret_by_id(held.row.secret)
        if row is None:  # pragma: no cover - it was found together with this row
            raise damaged()
        return row

    def lives(self, secret: SecretRow) -> bool:
        """Whether any environment has a value of this secret that is not deleted."""
        return any(not self._open(row).deleted for row in self.rows.values(secret.id))

    def rename_row(self, held: Held, name: str) -> None:
        """Give the row of what is held another name, which no row has, and everything in it."""
        row = self.row_of(held)
        self._remove_secret(row)
        self.add_secret(name, row.id, row.flags)
        for other in self.rows.values(row.id):
            self.raise_floor(other.version)
            if other.environment != held.row.environment:  # it holds nothing; the name inside has to follow
                self.rewrite_deleted(replace(self._open(other).record, name=name), other)

    def reflag(self, row: SecretRow, flags: int) -> None:
        """Other flags for a name."""
        self._remove_secret(row)
        self._insert_secret(row._replace(flags=flags))

    def rewrite_deleted(self, record: Record, row: ValueRow) -> None:
        """Another content for a row that holds no value; it makes no version."""
        plain = _records.encode_record(record, row.environment, deleted=True)
        self._replace(
            row,
            _sealed.seal_value(self._keyring, row.secret, row.environment, row.version, row.sequence, plain),
        )

    def leave(self, held: Held, sequence: int) -> None:
        """What stays behind of a value that moved: a deleted one, made by the same line of the log."""
        version = held.row.version + 1
        gone = emptied(held.record, version)
        plain = _records.encode_record(gone, held.row.environment, deleted=True)
        row = _sealed.seal_value(
            self._keyring, held.row.secret, held.row.environment, version, sequence, plain
        )
        self._replace(held.row, row)

    def raise_floor(self, version: int) -> None:
        """Have every new name count its versions from above this one."""
        # The old name may be taken again, by a secret that counts from above this.
        self.state.version_floor = max(self.state.version_floor, version)

    # Rekeying

    def adopt(self, keyring: Keyring) -> None:
        """Seal what follows, and the state, under the newest data key of this keyring."""
        self._keyring = keyring
        self._keys = keyring.current
        self.state.key_epoch = keyring.current.epoch

    def reseal_name(self, row: SecretRow) -> None:
        """Bring a name under the newest data key."""
        index = row.name_index
        if not row.flags & DETACHED:
            values = self.rows.values(row.id)
            name = self._open(values[0]).record.name if values else ""
            if self._keyring.name_index(name, row.epoch) != index:
                raise damaged()
            index = self._keyring.name_index(name)
        self._remove_secret(row)
        self._insert_secret(row._replace(name_index=index, epoch=self._keys.epoch))

    def reseal_value(self, row: ValueRow) -> None:
        """Bring a value under the newest data key."""
        plain = _sealed.open_value(
            self._keyring, row.secret, row.environment, row.version, row.epoch, row.sealed
        )
        self._replace(
            row,
            _sealed.seal_value(self._keyring, row.secret, row.environment, row.version, row.sequence, plain),
        )

    def reseal_line(self, row: LogRow) -> None:
        """Bring a line of the log and the version it keeps under the newest data key."""
        self.rows.save_log(_sealed.reseal_log(self._keyring, row))

    # Dropping

    @property
    def environment(self) -> int:
        """The number of the environment."""
        return self._environment

    def entry(self, sequence: int) -> Entry:
        """A line of the log, opened.

        Raises:
            VaultDamaged: it is missing, or not what was written.
        """
        row = self.rows.log(sequence)
        if row is None:  # pragma: no cover - lines that were found in this transaction are asked for
            raise damaged()
        return _sealed.open_log(self._keyring, row)[0]

    def opened(self, row: ValueRow) -> Held:
        """A value, opened."""
        return self._open(row)

    def take_id(self) -> bytes:
        """The transaction's own operation id while no line has it, then new ones."""
        taken, self.spare_id = self.spare_id, None
        return taken or _sealed.new_id()

    def remove(self, held: Held) -> None:
        """Take a value's row away, and with its last value the secret's; no version is shown again."""
        row, state = held.row, self.state
        self.rows.delete_value(row)
        state.values -= 1
        keys = self._keyring.epoch(row.epoch)
        state.digest = _sealed.subtract(state.digest, _sealed.value_element(keys, row))
        self.raise_floor(row.version)
        if not self.rows.values(row.secret):
            secret = self.rows.secret_by_id(row.secret)
            if secret is None:
                raise damaged()
            self._remove_secret(secret)


def emptied(record: Record, version: int) -> Record:
    """The record of a deleted secret: name and version."""
    return replace(record, value=None, description=None, expires_at=None, version=version)


def confirm_miss(
    rows: Rows, keyring: Keyring, name: str | None, secret_id: bytes, *, state: State | None = None
) -> None:
    """Make sure that what was not found is not there: a miss is the one answer that no seal vouches for.

    Args:
        rows: a transaction's rows.
        keyring: the vault's keys.
        name: what was looked for, or None.
        secret_id: what was looked for, where the name is None.
        state: in the middle of a change, what it has come to; else the sealed one.

    Raises:
        VaultDamaged: rows are missing, or the name is there and its index does not find it.
    """
    state = state or _sealed.open_state(keyring, rows.state())
    secret = rows.secret_by_id(secret_id) if name is None else None
    for index in {b""} if name is None else set(keyring.name_indexes(name)):
        named = rows.secret_by_name(index) if name is not None else None
        secrets, hits = rows.counted_secrets(index)
        if secrets != state.secrets or hits != (named is not None):
            raise damaged()
        secret = named or secret
    if secret is None:
        return
    found = rows.values(secret.id)
    for row in found:  # one of them may be the missing one, put elsewhere
        check_place(secret, row, _sealed.open_record(keyring, row)[0])
    if secret.flags & SHARED and EVERYWHERE not in {row.environment for row in found}:
        raise damaged()
    if rows.counted_values() != state.values:
        raise damaged()


def check_place(secret: SecretRow, row: ValueRow, record: Record) -> None:
    """Make sure that a shared secret's value stands in no environment, and any other's in one.

    Raises:
        VaultDamaged: the flag in the clear and what is sealed disagree.
    """
    counts = (row.environment == EVERYWHERE) == bool(secret.flags & SHARED)
    if record.elsewhere == counts:
        raise damaged()


def find_named(
    rows: Rows, keyring: Keyring, name: str, environment: int
) -> tuple[SecretRow | None, ValueRow | None]:
    """The row of a name, whatever data key it is under, and its value in one environment."""
    found: tuple[SecretRow | None, ValueRow | None] = (None, None)
    for index in keyring.name_indexes(name):
        found = rows.named(index, environment)
        if found[0] is not None:
            break
    return found
