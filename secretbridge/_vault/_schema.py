"""The vault's tables.

Columns in the clear are hints for finding rows; what counts is inside the sealed blobs and is checked after
opening. Ids and operation ids begin with a time, so that new rows go to the end of their index: a write costs
the same in a large vault as in a small one.
"""

from __future__ import annotations

from typing import Final

#: "sbrv", in the file's header: this is a vault of ours.
APPLICATION_ID: Final = 0x73627276

PAGE_BYTES: Final = 4096

#: The format of the file: its tables, and what its policy and state rows hold. How a blob is sealed is
#: numbered apart, by ``_crypto.FORMAT``: it is bound into every blob and outlives formats of the file.
FILE_FORMAT: Final = 2

CREATE: Final = (
    f"PRAGMA page_size = {PAGE_BYTES}",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FILE_FORMAT}",
    # What is needed before any key is there. slot_mac binds the whole table of slots.
    """CREATE TABLE vault (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id BLOB NOT NULL,
        suite INTEGER NOT NULL,
        slot_mac BLOB NOT NULL)""",
    """CREATE TABLE slot (
        number INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        parameters BLOB NOT NULL,
        wrapped BLOB NOT NULL)""",
    "CREATE TABLE data_key (epoch INTEGER PRIMARY KEY, wrapped BLOB NOT NULL)",
    # Environments, principals and grants, retention: see _policy.
    """CREATE TABLE policy (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        policy_epoch INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        sealed BLOB NOT NULL)""",
    # A name. Its values, one per environment, are rows of their own.
    """CREATE TABLE secret (
        name_index BLOB NOT NULL PRIMARY KEY,
        id BLOB NOT NULL,
        epoch INTEGER NOT NULL,
        flags INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX secret_by_id ON secret (id)",
    # sequence is the log row that made this version; from there the log leads back through the history.
    """CREATE TABLE value (
        secret BLOB NOT NULL,
        environment INTEGER NOT NULL,
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (secret, environment)) WITHOUT ROWID""",
    # History and audit in one, append only. history is null where there is nothing to keep, or no longer.
    """CREATE TABLE log (
        sequence INTEGER PRIMARY KEY,
        operation_id BLOB NOT NULL,
        secret BLOB NOT NULL,
        environment INTEGER NOT NULL,
        version INTEGER NOT NULL,
        previous INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        audit BLOB NOT NULL,
        history BLOB)""",
    "CREATE UNIQUE INDEX log_by_operation ON log (operation_id)",
    """CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        sequence INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        sealed BLOB NOT NULL)""",
)

#: Every table and its columns, on both databases: what a move to another store carries over.
TABLES: Final = {
    "vault": ("one", "id", "suite", "slot_mac"),
    "slot": ("number", "kind", "parameters", "wrapped"),
    "data_key": ("epoch", "wrapped"),
    "policy": ("one", "policy_epoch", "epoch", "sealed"),
    "secret": ("name_index", "id", "epoch", "flags"),
    "value": ("secret", "environment", "version", "epoch", "sequence", "sealed"),
    "log": (
        *("sequence", "operation_id", "secret", "environment", "version", "previous", "epoch"),
        *("audit", "history"),
    ),
    "state": ("one", "sequence", "epoch", "sealed"),
}

#: Set on every connection, and asserted: (name, value to set, value to read).
PRAGMAS: Final = (
    ("synchronous", "FULL", 2),
    ("fullfsync", "ON", 1),
    ("checkpoint_fullfsync", "ON", 1),
    ("secure_delete", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("mmap_size", "0", 0),
    ("temp_store", "MEMORY", 2),
    # KiB, taken as used. With 100,000 entries eight times as much makes a get 4 % faster, and an update not.
    ("cache_size", "-8192", -8192),
)
