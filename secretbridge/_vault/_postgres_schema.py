"""The vault's tables on PostgreSQL: those of ``_schema``, one schema of the database to each vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge._vault import _schema

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In whose place a SQLite file has its header: that this is a vault, and of which format.
FORMAT_TABLE: Final = "secretbridge_format"
SET_FORMAT: Final = f"UPDATE secretbridge_format SET format = {_schema.FILE_FORMAT}"  # noqa: S608 - a number of ours
TABLES: Final = frozenset({*_schema.TABLES, FORMAT_TABLE})

CREATE: Final = (
    "CREATE TABLE secretbridge_format (one bigint PRIMARY KEY CHECK (one = 1), format bigint NOT NULL)",
    f"INSERT INTO secretbridge_format VALUES (1, {_schema.FILE_FORMAT})",  # noqa: S608 - a number of ours
    """CREATE TABLE vault (
        one bigint PRIMARY KEY CHECK (one = 1),
        id bytea NOT NULL,
        suite bigint NOT NULL,
        slot_mac bytea NOT NULL)""",
    """CREATE TABLE slot (
        number bigint PRIMARY KEY,
        kind bigint NOT NULL,
        parameters bytea NOT NULL,
        wrapped bytea NOT NULL)""",
    "CREATE TABLE data_key (epoch bigint PRIMARY KEY, wrapped bytea NOT NULL)",
    """CREATE TABLE policy (
        one bigint PRIMARY KEY CHECK (one = 1),
        policy_epoch bigint NOT NULL,
        epoch bigint NOT NULL,
        sealed bytea NOT NULL)""",
    """CREATE TABLE secret (
        name_index bytea PRIMARY KEY,
        id bytea NOT NULL,
        epoch bigint NOT NULL,
        flags bigint NOT NULL)""",
    "CREATE UNIQUE INDEX secret_by_id ON secret (id)",
    # Room in each page for the next versions of its rows: no index is touched by an update then.
    """CREATE TABLE value (
        secret bytea NOT NULL,
        environment bigint NOT NULL,
        version bigint NOT NULL,
        epoch bigint NOT NULL,
        sequence bigint NOT NULL,
        sealed bytea NOT NULL,
        PRIMARY KEY (secret, environment)) WITH (fillfactor = 80)""",
    """CREATE TABLE log (
        sequence bigint PRIMARY KEY,
        operation_id bytea NOT NULL,
        secret bytea NOT NULL,
        environment bigint NOT NULL,
        version bigint NOT NULL,
        previous bigint NOT NULL,
        epoch bigint NOT NULL,
        audit bytea NOT NULL,
        history bytea)""",
    "CREATE UNIQUE INDEX log_by_operation ON log (operation_id)",
    """CREATE TABLE state (
        one bigint PRIMARY KEY CHECK (one = 1),
        sequence bigint NOT NULL,
        epoch bigint NOT NULL,
        sealed bytea NOT NULL) WITH (fillfactor = 20)""",
)

#: From a format to the next one: its number, and what changes the tables. 2 is the first on PostgreSQL.
MIGRATIONS: Final[Mapping[int, tuple[str, ...]]] = {}
