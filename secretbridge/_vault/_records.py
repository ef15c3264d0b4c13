"""What is sealed: secrets, audit entries, the vault's state and its policy, as canonical bytes.

Fixed-width headers with lengths, then the texts. One meaning has one encoding, which is what the audit
chain runs over; nothing here is JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from struct import Struct, error
from typing import Final, NamedTuple

from secretbridge._vault._crypto import FORMAT, SUITE, damaged

# Operations, as the audit trail numbers them. Append only.
VAULT_CREATED: Final = 1
CREATE: Final = 2
UPDATE: Final = 3
PUT: Final = 4
DELETE: Final = 5
RESTORE: Final = 6
UNDELETE: Final = 7
READ: Final = 30
POLICY_CHANGED: Final = 31
PRINCIPAL_ADDED: Final = 32
PRINCIPAL_CHANGED: Final = 33
PRINCIPAL_REMOVED: Final = 34
SHARED: Final = 35
UNSHARED: Final = 36
LISTED: Final = 37
OPENED: Final = 38
LOOKED_BACK: Final = 39
AUDIT_READ: Final = 50
ADMINISTERED: Final = 51
SLOT_ADDED: Final = 8
SLOT_REMOVED: Final = 9
REKEYED: Final = 10
ROOT_ROTATED: Final = 11
UPGRADED: Final = 12
SLOT_CHANGED: Final = 13
PURGED: Final = 20
RETENTION_SET: Final = 21

#: The operations that make a version, and so a line that a value row points to.
VERSIONED: Final = frozenset({CREATE, UPDATE, PUT, DELETE, RESTORE, UNDELETE, SHARED, UNSHARED})

DONE: Final = 0  # the outcome of an entry; the refusals' numbers are in _outcomes

FIELDS: Final = {
    "value": 1,
    "description": 2,
    "active": 4,
    "protected": 8,
    "expires_at": 16,
    "new_name": 32,
}

_ACTIVE: Final = 1
_PROTECTED: Final = 2
_DELETED: Final = 4
_HAS_VALUE: Final = 8
_HAS_DESCRIPTION: Final = 16
_HAS_EXPIRY: Final = 32
_ELSEWHERE: Final = 64

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400  # seconds
_RECORD: Final = Struct(">BBIQqqqIII")
_ENTRY: Final = Struct(">BBBQq16s16s16sIQQI16sQQII")
_STATE: Final = Struct(">HH16sIQQ32sQQ32sQ")
_NO_PRINCIPAL: Final = bytes(16)
_NO_SECRET: Final = bytes(16)
_EVERYWHERE: Final = 0  # where the values of shared secrets stand


@dataclass(slots=True)
class Record:
    """A secret as the vault holds it in one environment, or for all of them. Nobody changes one.

    It is not frozen because that makes making one cost as much as decrypting it. ``elsewhere`` says that
    this place holds nothing because the secret is shared and this is one environment's, or is not shared and
    this is the place of the shared value.
    """

    id: str
    name: str
    value: str | None = field(repr=False)
    description: str | None
    active: bool
    protected: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    elsewhere: bool = False


class Moved(NamedTuple):
    """Where a renamed value came from, where that was another secret."""

    secret: bytes
    version: int
    previous: int


NOT_MOVED: Final = Moved(_NO_SECRET, 0, 0)


class Entry(NamedTuple):
    """One line of the audit trail: who did what to which secret, and when. It holds no value."""

    sequence: int
    at: int
    operation: int
    operation_id: bytes
    secret: bytes
    environment: int
    version: int
    previous: int
    fields: int
    name: str
    old_name: str = ""
    moved: Moved = NOT_MOVED
    principal: bytes = _NO_PRINCIPAL
    outcome: int = DONE

    @property
    def makes_version(self) -> bool:
        """Whether a version of a secret came of it."""
        return self.outcome == DONE and self.operation in VERSIONED

    @property
    def leaves_nothing(self) -> bool:
        """Whether it is no version, or one that says that nothing is there: deleted, or elsewhere."""
        if self.operation in {SHARED, UNSHARED} and self.outcome == DONE:
            return (self.environment == _EVERYWHERE) == (self.operation == UNSHARED)
        return self.operation == DELETE or not self.makes_version


@dataclass(slots=True)
class State:
    """What the vault as a whole is at: the row that every write renews."""

    vault: bytes
    key_epoch: int
    policy_epoch: int
    sequence: int
    chain: bytes
    secrets: int
    values: int
    digest: int
    version_floor: int


def encode_record(record: Record, environment: int, *, deleted: bool = False) -> bytes:
    """The plaintext of a record. A deleted one keeps its name and version and nothing else to keep."""
    flags = (
        _ACTIVE * record.active
        | _PROTECTED * record.protected
        | _DELETED * deleted
        | _HAS_VALUE * (record.value is not None)
        | _HAS_DESCRIPTION * (record.description is not None)
        | _HAS_EXPIRY * (record.expires_at is not None)
        | _ELSEWHERE * record.elsewhere
    )
    name = record.name.encode("utf-8", "surrogatepass")
    value = (record.value or "").encode("utf-8", "surrogatepass")
    description = (record.description or "").encode("utf-8", "surrogatepass")
    header = _RECORD.pack(
        FORMAT,
        flags,
        environment,
        record.version,
        microseconds(record.expires_at) if record.expires_at is not None else 0,
        microseconds(record.created_at),
        microseconds(record.updated_at),
        len(name),
        len(value),
        len(description),
    )
    return header + name + value + description


def is_deleted(plain: bytes) -> bool:
    """Whether this plaintext is of a record that was deleted."""
    return bool(plain[1] & _DELETED)


def decode_record(plain: bytes, secret: bytes, environment: int, *, with_value: bool = True) -> Record:
    """The record in a plaintext that was opened at the place of this secret and environment.

    Raises:
        VaultDamaged: it belongs to another environment, or is no record.
    """
    try:
        encoding, flags, where, version, expires, created, updated, name_len, value_len, description_len = (
            _RECORD.unpack_from(plain)
        )
    except error:
        encoding = flags = where = version = expires = created = updated = 0
        name_len = value_len = description_len = 0
    if not encoding or where != environment:
        raise damaged()
    value_at = _RECORD.size + name_len
    description_at = value_at + value_len
    if encoding != FORMAT or len(plain) != description_at + description_len:
        raise damaged()
    told = with_value and flags & _HAS_VALUE
    return Record(  # in the order of its fields: keywords would take as long again
        secret.hex(),
        plain[_RECORD.size : value_at].decode("utf-8", "surrogatepass"),
        plain[value_at:description_at].decode("utf-8", "surrogatepass") if told else None,
        plain[description_at:].decode("utf-8", "surrogatepass") if flags & _HAS_DESCRIPTION else None,
        flags & _ACTIVE != 0,
        flags & _PROTECTED != 0,
        moment(expires) if flags & _HAS_EXPIRY else None,
        _EPOCH + timedelta(0, 0, created),
        _EPOCH + timedelta(0, 0, updated),
        version,
        flags & _ELSEWHERE != 0,
    )


def encode_entry(entry: Entry) -> bytes:
    """The canonical plaintext of an audit entry, which the chain runs over."""
    name, old_name = (
        entry.name.encode("utf-8", "surrogatepass"),
        entry.old_name.encode("utf-8", "surrogatepass"),
    )
    header = _ENTRY.pack(
        FORMAT,
        entry.operation,
        entry.outcome,
        entry.sequence,
        entry.at,
        entry.operation_id,
        entry.principal,
        entry.secret,
        entry.environment,
        entry.version,
        entry.previous,
        entry.fields,
        *entry.moved,
        len(name),
        len(old_name),
    )
    return header + name + old_name


def decode_entry(plain: bytes) -> Entry:
    """The audit entry in a plaintext.

    Raises:
        VaultDamaged: it is none.
    """
    if len(plain) < _ENTRY.size:
        raise damaged()
    (
        encoding, operation, outcome, sequence, at, operation_id, principal, secret, environment, version,
        previous, fields, moved_secret, moved_version, moved_previous, name_len, old_len,
    ) = _ENTRY.unpack_from(plain)  # fmt: skip
    name_end = _ENTRY.size + name_len
    if encoding != FORMAT or len(plain) != name_end + old_len:
        raise damaged()
    return Entry(
        sequence=sequence,
        at=at,
        operation=operation,
        operation_id=operation_id,
        secret=secret,
        environment=environment,
        version=version,
        previous=previous,
        fields=fields,
        name=plain[_ENTRY.size : name_end].decode("utf-8", "surrogatepass"),
        old_name=plain[name_end:].decode("utf-8", "surrogatepass"),
        moved=Moved(moved_secret, moved_version, moved_previous),
        principal=principal,
        outcome=outcome,
    )


def encode_state(state: State) -> bytes:
    """The plaintext of the state row."""
    return _STATE.pack(
        FORMAT,
        SUITE,
        state.vault,
        state.key_epoch,
        state.policy_epoch,
        state.sequence,
        state.chain,
        state.secrets,
        state.values,
        state.digest.to_bytes(32, "big"),
        state.version_floor,
    )


def decode_state(plain: bytes) -> State:
    """The state in a plaintext.

    Raises:
        VaultDamaged: it is none.
    """
    if len(plain) != _STATE.size:
        raise damaged()
    encoding, suite, vault, key_epoch, policy_epoch, sequence, chain, secrets, values, digest, floor = (
        _STATE.unpack(plain)
    )
    if (encoding, suite) != (FORMAT, SUITE):
        raise damaged()
    digest = int.from_bytes(digest, "big")
    return State(vault, key_epoch, policy_epoch, sequence, chain, secrets, values, digest, floor)


def id_bytes(id_: str | None) -> bytes:
    """The sixteen bytes of an id as the vault tells it, or none where it is no id."""
    try:
        secret = bytes.fromhex(id_ or "")
    except ValueError:
        return b""
    return secret if len(secret) == len(_NO_SECRET) else b""


def microseconds(when: datetime) -> int:
    """Microseconds since 1970 of an aware moment, exact for every year."""
    since = when - _EPOCH
    return (since.days * _DAY + since.seconds) * 1_000_000 + since.microseconds


def moment(since_1970: int) -> datetime:
    """The aware moment, in UTC, of :func:`microseconds`."""
    return _EPOCH + timedelta(0, 0, since_1970)
