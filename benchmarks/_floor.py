"""The floor of an update: the vault's statements and its cryptography in the plainest Python.

No lock file, no rights, no policy, no checks of what is asked or read, no objects: one function for one
value of one environment in one process. What it writes is a whole vault all the same: ``verify()`` finds
nothing amiss.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from secretbridge._vault import KeyFile, Vault, _crypto, _records, _rows, _schema, _sealed

if TYPE_CHECKING:
    from pathlib import Path

# The vault's own encodings.
RECORD, ENTRY, ELEMENT, SAVE_VALUE = (
    _records._RECORD,  # noqa: SLF001
    _records._ENTRY,  # noqa: SLF001
    _sealed._VALUE_ELEMENT,  # noqa: SLF001
    _rows._SAVE_VALUE,  # noqa: SLF001
)
ENVIRONMENT = 1
FIND = """SELECT s.id, v.version, v.sequence, v.sealed
    FROM secret AS s LEFT JOIN value AS v ON v.secret = s.id AND v.environment = ? WHERE s.name_index = ?"""


class Floor:
    """One value of a vault after another, replaced by hand."""

    def __init__(self, path: Path, key: Path) -> None:
        with closing(Vault.open(path, environment="development", credential=KeyFile(key))) as vault:
            self.keyring = vault._keyring  # noqa: SLF001 - the same keys
        self.connection = sqlite3.connect(path, isolation_level=None)
        for name, wanted, _ in _schema.PRAGMAS:
            self.connection.execute(f"PRAGMA {name} = {wanted}")
        row = self.connection.execute(_rows.STATE).fetchone()
        self.state = _sealed.open_state(self.keyring, _rows.StateRow(*row))

    def update(self, name: str, value: str) -> None:
        """Give a secret another value."""
        execute, keyring, state, random = self.connection.execute, self.keyring, self.state, os.urandom
        keys, place = keyring.current, _crypto.place
        vault, epoch, mac = keyring.vault, keys.epoch, keys.digest.mac
        execute("BEGIN IMMEDIATE")
        execute(_rows.STATE).fetchone()
        index = keys.index.mac(name.encode())[:16]
        secret, version, previous, sealed = execute(FIND, (ENVIRONMENT, index)).fetchone()
        cipher = keyring.record_cipher(epoch, secret)
        at = place(vault, _crypto.CURRENT, secret, ENVIRONMENT, version, epoch)
        plain = cipher.decrypt(sealed[:12], sealed[12:], at)
        header = RECORD.unpack_from(plain)
        encoded, now = value.encode(), time.time_ns() // 1000
        value_at = RECORD.size + header[7]
        plain = (
            RECORD.pack(*header[:3], version + 1, *header[4:6], now, header[7], len(encoded), header[9])
            + plain[RECORD.size : value_at]
            + encoded
            + plain[value_at + header[8] :]
        )
        state.sequence = sequence = state.sequence + 1
        nonce = random(12)
        at = place(vault, _crypto.CURRENT, secret, ENVIRONMENT, version + 1, epoch)
        new = nonce + cipher.encrypt(nonce, plain, at)
        old = ELEMENT.pack(1, secret, ENVIRONMENT, version, epoch, previous) + sealed[:12] + sealed[-16:]
        mine = ELEMENT.pack(1, secret, ENVIRONMENT, version + 1, epoch, sequence) + new[:12] + new[-16:]
        gone, come = int.from_bytes(mac(old), "big"), int.from_bytes(mac(mine), "big")
        state.digest = (state.digest + come - gone) % (1 << 256)
        execute(SAVE_VALUE, (version + 1, epoch, sequence, new, secret, ENVIRONMENT))
        operation_id = now.to_bytes(7, "big") + random(9)
        entry = ENTRY.pack(
            _crypto.FORMAT, _records.UPDATE, _records.DONE, sequence, now, operation_id, bytes(16), secret,
            ENVIRONMENT, version + 1, previous, 1, bytes(16), 0, 0, header[7], 0,
        ) + name.encode()  # fmt: skip
        state.chain = keys.chain.mac(state.chain + entry)
        nonce, at = random(12), place(vault, _crypto.AUDIT, operation_id, 0, sequence, epoch)
        audit = keyring.block_cipher(keys.audit, sequence).encrypt(nonce, entry + state.chain, at)
        line = (sequence, operation_id, secret, ENVIRONMENT, version + 1, previous, epoch, nonce + audit)
        nonce, at = random(12), place(vault, _crypto.HISTORY, secret, ENVIRONMENT, version + 1, epoch)
        execute(_rows.INSERT_LOG, (*line, nonce + cipher.encrypt(nonce, plain, at)))
        nonce, at = random(12), place(vault, _crypto.STATE, version=sequence, epoch=epoch)
        whole = keyring.block_cipher(keys.state, sequence).encrypt(nonce, _records.encode_state(state), at)
        execute("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", (sequence, epoch, nonce + whole))
        execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
