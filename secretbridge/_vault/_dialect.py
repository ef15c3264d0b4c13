"""What only one of the two databases understands; all else in ``_rows`` is understood by both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Where all rows are wanted, so many are fetched at a time: a first few, then about so many bytes of them.
_FIRST: Final = 16
_BYTES: Final = 1 << 21
_MOST: Final = 1000


class Statements(Protocol):
    """What runs a statement with ``?`` for each value: a connection of SQLite's is one."""

    def execute(self, sql: str, values: Any = ..., /) -> Any: ...  # noqa: ANN401 - cursors of two libraries


class Dialect(NamedTuple):
    """One database's own.

    Attributes:
        count_secrets: how many names there are, and how often this one is among them, found by another way
            than the index that finds a name.
        all_names: the clause that has every name read where the names are stored.
        check: the database's own check of its pages, which answers "ok"; None where it has none for us.
        stream: runs a statement whose rows are read one by one, in bounded memory.
    """

    count_secrets: str
    all_names: str
    check: str | None
    stream: Callable[[Statements, str], Iterator[Any]]


def _executed(statements: Statements, sql: str) -> Iterator[Any]:
    rows: Iterator[Any] = statements.execute(sql)
    return rows


def _streamed(statements: Statements, sql: str) -> Iterator[Any]:
    # psycopg would fetch all rows at once, and its own server-side cursors cannot be pipelined. A name of its
    # own each time: a reader that leaves early leaves the cursor open until the transaction ends.
    name = f"stream_{os.urandom(6).hex()}"
    statements.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}")
    size = _FIRST
    while rows := statements.execute(f"FETCH FORWARD {size} FROM {name}").fetchall():
        yield from rows
        fetched = sum(len(column) for row in rows for column in row if isinstance(column, bytes))
        size = max(1, min(_MOST, _BYTES * len(rows) // max(fetched, 1)))
    statements.execute(f"CLOSE {name}")


SQLITE: Final = Dialect(
    # Both trees that hold the names are gone through: a name that damage hid in one is still in the other.
    count_secrets="""SELECT (SELECT count(*) FROM secret NOT INDEXED),
        (SELECT count(*) FROM secret INDEXED BY secret_by_id WHERE name_index = ?)""",
    all_names=" NOT INDEXED",
    check="PRAGMA integrity_check",
    stream=_executed,
)

POSTGRES: Final = Dialect(
    # Columns that no index holds: the names are counted where they are stored, and hits there too.
    count_secrets="SELECT count(flags), count(flags) FILTER (WHERE name_index = ?) FROM secret",
    all_names="",
    check=None,  # amcheck is for superusers; page checksums are the server's
    stream=_streamed,
)
