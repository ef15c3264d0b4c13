"""Rows and what is inside them: every blob is sealed and opened here, with its place bound to it."""

from __future__ import annotations

import os
import time
from struct import Struct
from typing import TYPE_CHECKING, Final

from secretbridge._vault import _crypto, _records
from secretbridge._vault._crypto import Cipher, damaged
from secretbridge._vault._rows import LogRow, SecretRow, StateRow, ValueRow, new_tuple

if TYPE_CHECKING:
    from secretbridge._vault._keys import DataKeys, Keyring
    from secretbridge._vault._records import Entry, Record, State

_VALUE_ELEMENT: Final = Struct(">B16sIQIQ")
_SECRET_ELEMENT: Final = Struct(">B16s16sII")
_CHAIN_BYTES: Final = 32
_MODULUS: Final = 1 << 256
_NONCE: Final = _crypto.NONCE_BYTES
_TAG: Final = _crypto.TAG_BYTES

GENESIS: Final = bytes(_CHAIN_BYTES)


def new_id() -> bytes:
    """Sixteen bytes: the time, so that rows made later come later, then 72 random bits.

    A clock that goes back costs the order alone; one before 1970 counts as 1970.
    """
    return max(0, now()).to_bytes(7, "big") + os.urandom(9)


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def open_value(  # noqa: PLR0917 - the hot path: keywords cost time
    keyring: Keyring, secret: bytes, environment: int, version: int, epoch: int, sealed: bytes
) -> bytes:
    """The plaintext of a current record, opened at its place.

    Raises:
        VaultDamaged: it is not what was sealed there.
    """
    place = _crypto.place(keyring.vault, _crypto.CURRENT, secret, environment, version, epoch)
    return _crypto.unseal(keyring.record_cipher(epoch, secret), sealed, place)


def seal_value(  # noqa: PLR0917 - the hot path: keywords cost time
    keyring: Keyring, secret: bytes, environment: int, version: int, sequence: int, plain: bytes
) -> ValueRow:
    """The row of a current record."""
    keys = keyring.current
    place = _crypto.place(keyring.vault, _crypto.CURRENT, secret, environment, version, keys.epoch)
    sealed = _crypto.seal(keyring.record_cipher(keys.epoch, secret), plain, place)
    return new_tuple(ValueRow, (secret, environment, version, keys.epoch, sequence, sealed))


def open_record(keyring: Keyring, row: ValueRow) -> tuple[Record, bool]:
    """The record in a row, and whether it was deleted."""
    plain = open_value(keyring, row.secret, row.environment, row.version, row.epoch, row.sealed)
    record = _records.decode_record(plain, row.secret, row.environment)
    if record.version != row.version:  # pragma: no cover - the place it is sealed to names the version, too
        raise damaged()
    return record, _records.is_deleted(plain)


def seal_log(keyring: Keyring, entry: Entry, chain: bytes, history: bytes | None) -> tuple[LogRow, bytes]:
    """The log row of an entry and the chain's new head.

    Args:
        keyring: the vault's keys.
        entry: what happened.
        chain: the chain's head before it.
        history: the plaintext of the version it made, or None.
    """
    keys, vault = keyring.current, keyring.vault
    plain = _records.encode_entry(entry)
    head = keys.chain.mac(chain + plain)
    place = _crypto.place(vault, _crypto.AUDIT, entry.operation_id, 0, entry.sequence, keys.epoch)
    audit = _crypto.seal(keyring.block_cipher(keys.audit, entry.sequence), plain + head, place)
    kept = None
    if history is not None:
        place = _crypto.place(
            vault, _crypto.HISTORY, entry.secret, entry.environment, entry.version, keys.epoch
        )
        kept = _crypto.seal(keyring.record_cipher(keys.epoch, entry.secret), history, place)
    row = (
        entry.sequence,
        entry.operation_id,
        entry.secret,
        entry.environment,
        entry.version,
        entry.previous,
        keys.epoch,
        audit,
        kept,
    )
    return new_tuple(LogRow, row), head


def open_log(keyring: Keyring, row: LogRow) -> tuple[Entry, bytes, bytes]:
    """The entry in a log row, its canonical plaintext, and the chain's head after it.

    Raises:
        VaultDamaged: it is not what was sealed there, or the columns in the clear say something else.
    """
    keys = keyring.epoch(row.epoch)
    place = _crypto.place(keyring.vault, _crypto.AUDIT, row.operation_id, 0, row.sequence, row.epoch)
    both = _crypto.unseal(keyring.block_cipher(keys.audit, row.sequence), row.audit, place)
    plain, head = both[:-_CHAIN_BYTES], both[-_CHAIN_BYTES:]
    entry = _records.decode_entry(plain)
    clear = (row.sequence, row.operation_id, row.secret, row.environment, row.version, row.previous)
    sealed = (
        entry.sequence,
        entry.operation_id,
        entry.secret,
        entry.environment,
        entry.version,
        entry.previous,
    )
    if clear != sealed:
        raise damaged()
    return entry, plain, head


def open_history(keyring: Keyring, row: LogRow) -> bytes | None:
    """The plaintext of the version that a log row keeps, or None."""
    if row.history is None:
        return None
    place = _crypto.place(keyring.vault, _crypto.HISTORY, row.secret, row.environment, row.version, row.epoch)
    return _crypto.unseal(keyring.record_cipher(row.epoch, row.secret), row.history, place)


def seal_state(keyring: Keyring, state: State) -> StateRow:
    """The state row."""
    keys = keyring.current
    place = _crypto.place(keyring.vault, _crypto.STATE, version=state.sequence, epoch=keys.epoch)
    sealed = _crypto.seal(
        keyring.block_cipher(keys.state, state.sequence), _records.encode_state(state), place
    )
    return new_tuple(StateRow, (state.sequence, keys.epoch, sealed))


def open_state(keyring: Keyring, row: StateRow | None) -> State:
    """The state in its row.

    Raises:
        VaultDamaged: it is missing, or not what was sealed there.
    """
    if row is None:
        raise damaged()
    keys = keyring.epoch(row.epoch)
    place = _crypto.place(keyring.vault, _crypto.STATE, version=row.sequence, epoch=row.epoch)
    state = _records.decode_state(
        _crypto.unseal(keyring.block_cipher(keys.state, row.sequence), row.sealed, place)
    )
    if (state.vault, state.sequence) != (keyring.vault, row.sequence):  # pragma: no cover - so is the place
        raise damaged()
    return state


def seal_policy(keyring: Keyring, policy_epoch: int, plain: bytes) -> bytes:
    """The policy's blob."""
    keys = keyring.current
    place = _crypto.place(keyring.vault, _crypto.POLICY, version=policy_epoch, epoch=keys.epoch)
    return _crypto.seal(Cipher(keys.policy), plain, place)


def open_policy(keyring: Keyring, policy_epoch: int, key_epoch: int, sealed: bytes) -> bytes:
    """The plaintext of the policy."""
    place = _crypto.place(keyring.vault, _crypto.POLICY, version=policy_epoch, epoch=key_epoch)
    return _crypto.unseal(Cipher(keyring.epoch(key_epoch).policy), sealed, place)


def value_element(keys: DataKeys, row: ValueRow) -> int:
    """What a value row adds to the set digest: bound to its ciphertext by nonce and tag."""
    sealed = row[-1]
    clear = _crypto.packed(_VALUE_ELEMENT, 1, *row[:-1])
    return int.from_bytes(keys.digest.mac(clear + sealed[:_NONCE] + sealed[-_TAG:]), "big")


def secret_element(keys: DataKeys, row: SecretRow) -> int:
    """What a name's row adds to the set digest."""
    clear = _crypto.packed(_SECRET_ELEMENT, 2, row.id, row.name_index, row.epoch, row.flags)
    return int.from_bytes(keys.digest.mac(clear), "big")


def add(digest: int, element: int) -> int:
    """The set digest with one row more: a sum, so that the order of rows does not matter."""
    return (digest + element) % _MODULUS


def subtract(digest: int, element: int) -> int:
    """The set digest with one row less."""
    return (digest - element) % _MODULUS


def reseal_log(keyring: Keyring, row: LogRow) -> LogRow:
    """The same line of the log under the newest data key; its place in the chain stays."""
    entry, plain, head = open_log(keyring, row)
    history = open_history(keyring, row)
    keys, vault = keyring.current, keyring.vault
    place = _crypto.place(vault, _crypto.AUDIT, entry.operation_id, 0, entry.sequence, keys.epoch)
    audit = _crypto.seal(keyring.block_cipher(keys.audit, entry.sequence), plain + head, place)
    kept = None
    if history is not None:
        place = _crypto.place(vault, _crypto.HISTORY, row.secret, row.environment, row.version, keys.epoch)
        kept = _crypto.seal(keyring.record_cipher(keys.epoch, row.secret), history, place)
    return row._replace(epoch=keys.epoch, audit=audit, history=kept)
