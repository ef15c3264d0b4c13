"""The vault's rows inside one transaction.

The statements are those that SQLite and PostgreSQL both understand, with ``?`` for a value; what only one of
them knows belongs in its store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge._vault._dialect import SQLITE
from secretbridge._vault._openers import Slot
from secretbridge._vault._schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secretbridge._vault._dialect import Dialect, Statements


class SecretRow(NamedTuple):
    """A name in the file."""

    name_index: bytes
    id: bytes
    epoch: int
    flags: int


class ValueRow(NamedTuple):
    """A value in the file: a secret's, in one environment."""

    secret: bytes
    environment: int
    version: int
    epoch: int
    sequence: int
    sealed: bytes


class LogRow(NamedTuple):
    """A line of the log: an audit entry and, where there is something to keep, a version of the history."""

    sequence: int
    operation_id: bytes
    secret: bytes
    environment: int
    version: int
    previous: int
    epoch: int
    audit: bytes
    history: bytes | None


class StateRow(NamedTuple):
    """The state of the whole, sealed."""

    sequence: int
    epoch: int
    sealed: bytes


class Past(NamedTuple):
    """What the clear columns of a line say of a version; to be checked against the line before it counts."""

    sequence: int
    version: int
    previous: int
    operation_id: bytes
    kept: bool
    secret: bytes


class Header(NamedTuple):
    """What is needed to open the vault."""

    vault: bytes
    suite: int
    slot_mac: bytes
    slots: tuple[Slot, ...]
    data_keys: dict[int, bytes]
    policy_epoch: int
    policy_key_epoch: int
    policy: bytes


#: Makes a named tuple of one that has all its fields in order: each write makes a dozen, and by their own
#: constructors those take five times as long.
new_tuple: Final = tuple[Any, ...].__new__  # tuple.__new__ itself, and type checkers know what it takes

#: In a secret's flags: it has one value for all environments, which stands in no environment.
SHARED: Final = 2
#: No environment: where the value of a shared secret stands.
EVERYWHERE: Final = 0

# A secret's value as one environment sees it: that one's or, by the flag SHARED, the one that stands at 0.
#: One statement for a read by name: the name's row, its value here if it has one, and the policy's number.
FIND: Final = """SELECT s.id, v.version, v.epoch, v.sealed, v.environment, (SELECT policy_epoch FROM policy)
    FROM secret AS s LEFT JOIN value AS v
    ON v.secret = s.id AND v.environment = CASE WHEN (s.flags & 2) = 2 THEN 0 ELSE ? END
    WHERE s.name_index = ?"""
FIND_ID: Final = """SELECT s.id, v.version, v.epoch, v.sealed, v.environment,
    (SELECT policy_epoch FROM policy)
    FROM secret AS s LEFT JOIN value AS v
    ON v.secret = s.id AND v.environment = CASE WHEN (s.flags & 2) = 2 THEN 0 ELSE ? END
    WHERE s.id = ?"""
#: Both the environment's and the shared values: what is inside them says which of a secret's two counts.
PAGE: Final = """SELECT secret, version, epoch, sealed, environment, (SELECT policy_epoch FROM policy)
    FROM value WHERE secret > ? AND environment IN (0, ?) ORDER BY secret, environment LIMIT ?"""

STATE: Final = "SELECT sequence, epoch, sealed FROM state"
_VALUE: Final = "SELECT secret, environment, version, epoch, sequence, sealed FROM value"
_NAME: Final = "SELECT name_index, id, epoch, flags FROM secret"
_NAMED_IN: Final = """SELECT s.name_index, s.id, s.epoch, s.flags, v.version, v.epoch, v.sequence, v.sealed,
    v.environment
    FROM secret AS s LEFT JOIN value AS v
    ON v.secret = s.id AND v.environment = CASE WHEN (s.flags & 2) = 2 THEN 0 ELSE ? END
    WHERE s.name_index IN"""
_NAMED: Final = f"{_NAMED_IN} (?)"
_HELD: Final = """SELECT v.secret, v.environment, v.version, v.epoch, v.sequence, v.sealed
    FROM secret AS s JOIN value AS v
    ON v.secret = s.id AND v.environment = CASE WHEN (s.flags & 2) = 2 THEN 0 ELSE ? END
    WHERE s.id = ?"""
_LOG: Final = """SELECT sequence, operation_id, secret, environment, version, previous, epoch, audit, history
    FROM log"""
_SAVE_VALUE: Final = """UPDATE value SET version = ?, epoch = ?, sequence = ?, sealed = ?
    WHERE secret = ? AND environment = ?"""
INSERT_VALUE: Final = "INSERT INTO value VALUES (?, ?, ?, ?, ?, ?)"
INSERT_NAME: Final = "INSERT INTO secret VALUES (?, ?, ?, ?)"
INSERT_LOG: Final = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_STATE: Final = "INSERT INTO state VALUES (1, ?, ?, ?)"
INSERT_SLOT: Final = "INSERT INTO slot VALUES (?, ?, ?, ?)"
INSERT_DATA_KEY: Final = "INSERT INTO data_key VALUES (?, ?)"
INSERT_POLICY: Final = "INSERT INTO policy VALUES (1, ?, ?, ?)"
INSERT_VAULT: Final = "INSERT INTO vault VALUES (1, ?, ?, ?)"
_COUNT_UNDER: Final = """SELECT (SELECT count(*) FROM secret WHERE epoch < ?),
    (SELECT count(*) FROM value WHERE epoch < ?), (SELECT count(*) FROM log WHERE epoch < ?)"""
_VALUES_UNDER: Final = """SELECT secret, environment, length(sealed) FROM value
    WHERE (secret, environment) > (?, ?) AND epoch < ? ORDER BY secret, environment LIMIT ?"""
_LINES_UNDER: Final = """SELECT sequence, length(audit) + coalesce(length(history), 0) FROM log
    WHERE sequence > ? AND epoch < ? ORDER BY sequence LIMIT ?"""

# Back along a value's history until a line of another secret, or two in a row that keep nothing: one of those
# may be a deletion, two mean that everything from there on was dropped.
_PAST: Final = """WITH RECURSIVE past(sequence, version, previous, operation_id, kept, secret) AS (
    SELECT sequence, version, previous, operation_id, history IS NOT NULL, secret FROM log WHERE sequence = ?
    UNION ALL
    SELECT l.sequence, l.version, l.previous, l.operation_id, l.history IS NOT NULL, l.secret
    FROM past AS p JOIN log AS l ON l.sequence = p.previous AND l.sequence < p.sequence
    WHERE p.secret = ? AND (p.kept OR l.history IS NOT NULL))
    SELECT sequence, version, previous, operation_id, kept, secret FROM past ORDER BY sequence DESC"""


def _named(row: Sequence[Any] | None) -> tuple[SecretRow | None, ValueRow | None]:
    if row is None:
        return None, None
    name_index, secret, key_epoch, flags, version, epoch, sequence, sealed, environment = row
    value = None
    if version is not None:
        value = new_tuple(ValueRow, (secret, environment, version, epoch, sequence, sealed))
    return new_tuple(SecretRow, (name_index, secret, key_epoch, flags)), value


class Rows:
    """The rows, as one transaction sees and changes them.

    Args:
        statements: what runs the transaction's statements.
        dialect: which database runs them.
    """

    __slots__ = ("_dialect", "_execute", "_statements")

    def __init__(self, statements: Statements, dialect: Dialect = SQLITE) -> None:
        self._statements = statements
        self._execute = statements.execute
        self._dialect = dialect

    def _all(self, sql: str) -> Iterator[Sequence[object]]:
        return self._dialect.stream(self._statements, sql)

    def header(self) -> Header | None:
        """What is needed to open the vault, or None where a part of it is missing."""
        vault = self._execute("SELECT id, suite, slot_mac FROM vault").fetchone()
        policy = self._execute("SELECT policy_epoch, epoch, sealed FROM policy").fetchone()
        slots = self._execute("SELECT number, kind, parameters, wrapped FROM slot ORDER BY number").fetchall()
        keys = dict(self._execute("SELECT epoch, wrapped FROM data_key").fetchall())
        if vault is None or policy is None:
            return None
        return Header._make((*vault, tuple(map(Slot._make, slots)), keys, *policy))

    def state(self) -> StateRow | None:
        """The state row."""
        row = self._execute(STATE).fetchone()
        return new_tuple(StateRow, row) if row else None

    def secret_by_name(self, name_index: bytes) -> SecretRow | None:
        """The secret of this name, whatever environments it has values in."""
        row = self._execute(f"{_NAME} WHERE name_index = ?", (name_index,)).fetchone()
        return SecretRow(*row) if row else None

    def secret_by_id(self, secret: bytes) -> SecretRow | None:
        """The secret of this id."""
        row = self._execute(f"{_NAME} WHERE id = ?", (secret,)).fetchone()
        return SecretRow(*row) if row else None

    def named(self, name_index: bytes, environment: int) -> tuple[SecretRow | None, ValueRow | None]:
        """The secret of this name and its value as it is seen in one environment."""
        return _named(self._execute(_NAMED, (environment, name_index)).fetchone())

    def value(self, secret: bytes, environment: int) -> ValueRow | None:
        """A secret's value in one environment."""
        row = self._execute(
            f"{_VALUE} WHERE secret = ? AND environment = ?", (secret, environment)
        ).fetchone()
        return ValueRow(*row) if row else None

    def values(self, secret: bytes) -> list[ValueRow]:
        """A secret's values in all environments, in their order."""
        rows = self._execute(f"{_VALUE} WHERE secret = ? ORDER BY environment", (secret,))
        return [ValueRow(*row) for row in rows]

    def counted_secrets(self, name_index: bytes) -> tuple[int, int]:
        """How many names there are, and how often this one is among them by the other index. O(n)."""
        names, hits = self._execute(self._dialect.count_secrets, (name_index,)).fetchone()
        return names, hits

    def counted_values(self) -> int:
        """How many values there are. O(n)."""
        (count,) = self._execute("SELECT count(*) FROM value").fetchone()
        return int(count)

    def last_log(self) -> LogRow | None:
        """The newest line of the log."""
        row = self._execute(f"{_LOG} ORDER BY sequence DESC LIMIT 1").fetchone()
        return LogRow(*row) if row else None

    def log(self, sequence: int) -> LogRow | None:
        """One line of the log."""
        row = self._execute(f"{_LOG} WHERE sequence = ?", (sequence,)).fetchone()
        return LogRow(*row) if row else None

    def has_line(self, operation_id: bytes) -> bool:
        """Whether a line of the log has this operation id."""
        return (
            self._execute("SELECT 1 FROM log WHERE operation_id = ?", (operation_id,)).fetchone() is not None
        )

    def log_between(self, after: int, last: int) -> list[LogRow]:
        """The lines of the log after one, up to and with another."""
        rows = self._execute(f"{_LOG} WHERE sequence > ? AND sequence <= ? ORDER BY sequence", (after, last))
        return [LogRow(*row) for row in rows]

    def all_secrets(self) -> Iterator[SecretRow]:
        """Every name."""
        return map(SecretRow._make, self._all(_NAME + self._dialect.all_names))

    def all_values(self) -> Iterator[ValueRow]:
        """Every value."""
        return map(ValueRow._make, self._all(_VALUE))

    def all_log(self) -> Iterator[LogRow]:
        """The log from its beginning."""
        return map(LogRow._make, self._all(f"{_LOG} ORDER BY sequence"))

    def sound(self) -> bool:
        """The database's own check of its pages and indexes, where it has one."""
        check = self._dialect.check
        return check is None or bool(self._execute(check).fetchall() == [("ok",)])

    def insert_secret(self, row: SecretRow) -> None:
        """A new name."""
        self._execute(INSERT_NAME, row)

    def delete_secret(self, row: SecretRow) -> None:
        """Take a name away; its values stay."""
        self._execute("DELETE FROM secret WHERE name_index = ?", (row.name_index,))

    def insert_value(self, row: ValueRow) -> None:
        """A value where there was none."""
        self._execute(INSERT_VALUE, row)

    def save_value(self, row: ValueRow) -> None:
        """A value in place of the one that was there."""
        self._execute(_SAVE_VALUE, row[2:] + row[:2])

    def append_log(self, row: LogRow) -> None:
        """A new line of the log."""
        self._execute(INSERT_LOG, row)

    def save_state(self, row: StateRow) -> None:
        """The state in place of the one before."""
        self._execute("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", row)

    # Policy, and shared secrets

    def policy(self) -> tuple[int, int, bytes] | None:
        """The policy's number, the epoch of the key that seals it, and its blob."""
        row = self._execute("SELECT policy_epoch, epoch, sealed FROM policy").fetchone()
        return (row[0], row[1], row[2]) if row else None

    def save_policy(self, policy_epoch: int, epoch: int, sealed: bytes) -> None:
        """The policy in place of the one before."""
        self._execute(
            "UPDATE policy SET policy_epoch = ?, epoch = ?, sealed = ?", (policy_epoch, epoch, sealed)
        )

    def held(self, secret: bytes, environment: int) -> ValueRow | None:
        """A secret's value as it is seen in one environment."""
        row = self._execute(_HELD, (environment, secret)).fetchone()
        return ValueRow(*row) if row else None

    # Keys: slots, data keys and what is re-encrypted under a new one

    def slots(self) -> tuple[Slot, ...]:
        """The slots, by number."""
        rows = self._execute("SELECT number, kind, parameters, wrapped FROM slot ORDER BY number")
        return tuple(map(Slot._make, rows.fetchall()))

    def vault(self) -> tuple[object, ...] | None:
        """Id, suite and the MAC of the table of slots."""
        row = self._execute("SELECT id, suite, slot_mac FROM vault").fetchone()
        return tuple(row) if row else None

    def insert_slot(self, slot: Slot) -> None:
        """A new slot."""
        self._execute(INSERT_SLOT, slot)

    def delete_slot(self, number: int) -> None:
        """Take a slot away."""
        self._execute("DELETE FROM slot WHERE number = ?", (number,))

    def save_slot_mac(self, slot_mac: bytes) -> None:
        """The MAC of the table of slots in place of the one before."""
        self._execute("UPDATE vault SET slot_mac = ?", (slot_mac,))

    def data_keys(self) -> dict[int, bytes]:
        """The wrapped data keys by epoch."""
        return dict(self._execute("SELECT epoch, wrapped FROM data_key").fetchall())

    def insert_data_key(self, epoch: int, wrapped: bytes) -> None:
        """A new data key."""
        self._execute(INSERT_DATA_KEY, (epoch, wrapped))

    def save_data_key(self, epoch: int, wrapped: bytes) -> None:
        """A data key wrapped anew."""
        self._execute("UPDATE data_key SET wrapped = ? WHERE epoch = ?", (wrapped, epoch))

    def delete_data_keys(self, before: int) -> None:
        """Take the data keys before this epoch away."""
        self._execute("DELETE FROM data_key WHERE epoch < ?", (before,))

    def reseal_policy(self, epoch: int, sealed: bytes) -> None:
        """The same policy under another data key."""
        self._execute("UPDATE policy SET epoch = ?, sealed = ?", (epoch, sealed))

    def save_log(self, row: LogRow) -> None:
        """A line of the log under another data key."""
        self._execute(
            "UPDATE log SET epoch = ?, audit = ?, history = ? WHERE sequence = ?",
            (row.epoch, row.audit, row.history, row.sequence),
        )

    def count_under(self, epoch: int) -> int:
        """How many names, values and lines of the log are under data keys before this one. O(n)."""
        row = self._execute(_COUNT_UNDER, (epoch, epoch, epoch)).fetchone()
        return sum(map(int, row))

    def names_under(self, epoch: int, after: bytes, limit: int) -> list[SecretRow]:
        """The next names, by id, under data keys before this one."""
        rows = self._execute(f"{_NAME} WHERE id > ? AND epoch < ? ORDER BY id LIMIT ?", (after, epoch, limit))
        return [SecretRow(*row) for row in rows.fetchall()]

    def values_under(self, epoch: int, after: tuple[bytes, int], limit: int) -> list[tuple[bytes, int, int]]:
        """Secret, environment and size of the next values under data keys before this one."""
        found: list[tuple[bytes, int, int]] = self._execute(_VALUES_UNDER, (*after, epoch, limit)).fetchall()
        return found

    def lines_under(self, epoch: int, after: int, limit: int) -> list[tuple[int, int]]:
        """Number and size of the next lines of the log under data keys before this one."""
        found: list[tuple[int, int]] = self._execute(_LINES_UNDER, (after, epoch, limit)).fetchall()
        return found

    # Time: what retention and purge ask for and drop

    def past(self, secret: bytes, sequence: int) -> list[Past]:
        """A value's history from this line back, newest first; the last line may be another secret's."""
        return [Past(*row) for row in self._execute(_PAST, (sequence, secret))]

    def values_after(self, secret: bytes, environment: int, limit: int) -> list[ValueRow]:
        """The next values of an environment, in the order the secrets were made."""
        rows = self._execute(
            f"{_VALUE} WHERE secret > ? AND environment = ? ORDER BY secret LIMIT ?",
            (secret, environment, limit),
        )
        return [ValueRow(*row) for row in rows]

    def log_about(self, secret: bytes, environment: int, after: int) -> list[LogRow]:
        """The lines about a value after this one. O(n)."""
        rows = self._execute(
            f"{_LOG} WHERE sequence > ? AND secret = ? AND environment = ? ORDER BY sequence",
            (after, secret, environment),
        )
        return [LogRow(*row) for row in rows]

    def drop_history(self, sequence: int) -> None:
        """Take a version's content away; its line stays."""
        self._execute("UPDATE log SET history = NULL WHERE sequence = ?", (sequence,))

    def delete_value(self, row: ValueRow) -> None:
        """Take a value away; its history stays."""
        self._execute("DELETE FROM value WHERE secret = ? AND environment = ?", row[:2])

    # Many at a time, the first rows of a vault, and whole tables

    def named_many(
        self, name_indexes: Iterable[bytes], environment: int
    ) -> list[tuple[SecretRow | None, ValueRow | None]]:
        """What :meth:`named` gives for each of these, in one round trip to a server."""
        listed = list(name_indexes)
        if not listed:
            return []
        query = f"{_NAMED_IN} ({', '.join('?' * len(listed))})"
        found = {bytes(row[0]): row for row in self._execute(query, (environment, *listed)).fetchall()}
        return [_named(found.get(index)) for index in listed]

    def insert_header(self, header: Header) -> None:
        """What is needed to open the vault."""
        self._execute(INSERT_VAULT, (header.vault, header.suite, header.slot_mac))
        for slot in header.slots:
            self._execute(INSERT_SLOT, slot)
        for epoch, wrapped in header.data_keys.items():
            self._execute(INSERT_DATA_KEY, (epoch, wrapped))
        self._execute(INSERT_POLICY, (header.policy_epoch, header.policy_key_epoch, header.policy))

    def insert_state(self, row: StateRow) -> None:
        """The state, where there was none."""
        self._execute(INSERT_STATE, row)

    def count(self, table: str) -> int:
        """How many rows a table has. O(n)."""
        (count,) = self._execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of ours
        return int(count)

    def dump(self, table: str) -> Iterator[Sequence[object]]:
        """The rows of a table as they are, in no order."""
        return self._all(f"SELECT {', '.join(TABLES[table])} FROM {table}")  # noqa: S608 - names of ours

    def load(self, table: str, row: Sequence[object]) -> None:
        """A row that :meth:`dump` gave."""
        columns = TABLES[table]
        places = ", ".join("?" * len(columns))
        self._execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", row)  # noqa: S608 - names of ours
