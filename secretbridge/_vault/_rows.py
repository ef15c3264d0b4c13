"""The vault's rows inside one transaction.

The statements are those that SQLite and PostgreSQL both understand, with ``?`` for a value; what only one of
them knows belongs in its store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge._vault._dialect import SQLITE
from secretbridge._vault._keys import Slot
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


#: One statement for a read by name: the name's row, and its value here if it has one.
FIND: Final = """SELECT s.id, v.version, v.epoch, v.sealed
    FROM secret AS s LEFT JOIN value AS v ON v.secret = s.id AND v.environment = ? WHERE s.name_index = ?"""
FIND_ID: Final = "SELECT secret, version, epoch, sealed FROM value WHERE environment = ? AND secret = ?"
PAGE: Final = """SELECT secret, version, epoch, sealed FROM value
    WHERE secret > ? AND environment = ? ORDER BY secret LIMIT ?"""

STATE: Final = "SELECT sequence, epoch, sealed FROM state"
_VALUE: Final = "SELECT secret, environment, version, epoch, sequence, sealed FROM value"
_NAME: Final = "SELECT name_index, id, epoch, flags FROM secret"
_NAMED: Final = """SELECT s.name_index, s.id, s.epoch, s.flags, v.version, v.epoch, v.sequence, v.sealed
    FROM secret AS s LEFT JOIN value AS v ON v.secret = s.id AND v.environment = ? WHERE s.name_index = ?"""
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


def _named(environment: int, row: Sequence[Any] | None) -> tuple[SecretRow | None, ValueRow | None]:
    if row is None:
        return None, None
    value = ValueRow(row[1], environment, row[4], row[5], row[6], row[7]) if row[4] is not None else None
    return SecretRow(row[0], row[1], row[2], row[3]), value


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
        return StateRow(*row) if row else None

    def secret_by_name(self, name_index: bytes) -> SecretRow | None:
        """The secret of this name, whatever environments it has values in."""
        row = self._execute(f"{_NAME} WHERE name_index = ?", (name_index,)).fetchone()
        return SecretRow(*row) if row else None

    def secret_by_id(self, secret: bytes) -> SecretRow | None:
        """The secret of this id."""
        row = self._execute(f"{_NAME} WHERE id = ?", (secret,)).fetchone()
        return SecretRow(*row) if row else None

    def named(self, name_index: bytes, environment: int) -> tuple[SecretRow | None, ValueRow | None]:
        """The secret of this name and its value in one environment."""
        return _named(environment, self._execute(_NAMED, (environment, name_index)).fetchone())

    def value(self, secret: bytes, environment: int) -> ValueRow | None:
        """A secret's value in one environment."""
        row = self._execute(
            f"{_VALUE} WHERE secret = ? AND environment = ?", (secret, environment)
        ).fetchone()
        return ValueRow(*row) if row else None

    def values(self, secret: bytes) -> list[ValueRow]:
        """A secret's values in all environments."""
        return [ValueRow(*row) for row in self._execute(f"{_VALUE} WHERE secret = ?", (secret,))]

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

    # Many at a time, the first rows of a vault, and whole tables

    def named_many(
        self, name_indexes: Iterable[bytes], environment: int
    ) -> list[tuple[SecretRow | None, ValueRow | None]]:
        """What :meth:`named` gives for each of these, in one round trip to a server."""
        asked = [self._execute(_NAMED, (environment, index)) for index in name_indexes]
        return [_named(environment, cursor.fetchone()) for cursor in asked]

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
