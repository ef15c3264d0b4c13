"""Who opens the vault and which keys come out of it.

::

    credential --(Argon2id or none)--> slot key --unwraps--> root key
    root key --HKDF--> wrapping key --unwraps--> data key and chain key, one pair per epoch
    data key --HKDF, one label per use--> records, index, audit, state, policy, digest

Slots wrap the root key, so a credential can change without touching a record. Data keys are numbered
(epochs) and every row names its epoch, so a data key can be replaced row by row. The chain key of the audit
trail is carried from epoch to epoch unchanged: replacing a data key leaves the chain whole.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from secretbridge._vault import _crypto
from secretbridge._vault._crypto import Argon2, Cipher, MacKey, damaged
from secretbridge.errors import VaultLocked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY_FILE: Final = 1
PASSPHRASE: Final = 2
KINDS: Final = {KEY_FILE: "key file", PASSPHRASE: "passphrase"}

#: A new key for records, entries and states every so many messages: far below GCM's 2^32 random nonces.
BLOCK_BITS: Final = 20
#: Bytes of the name index.
INDEX_BYTES: Final = 16

#: Ciphers of records that are kept, of 2 to 3 KB each.
_MOST_CIPHERS: Final = 1024

_SLOT_SALT: Final = 16
_PASSPHRASE_PARAMETERS: Final = Struct(">16s16sIII")
_SLOT_PLACE: Final = Struct(">IB")
_SLOT_ROW: Final = Struct(">IBII")


class SecretValue(Protocol):
    """What pydantic's ``SecretStr`` is to us: something that tells its text when asked to."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase that opens a vault; its text is never shown.

    Args:
        secret: anything with ``get_secret_value()``. The text is brought to Unicode NFC, so that the same
            passphrase typed on another system opens the same vault.
    """

    secret: SecretValue = field(repr=False)

    def encoded(self) -> bytes:
        """The bytes that go into the KDF."""
        return unicodedata.normalize("NFC", self.secret.get_secret_value()).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file that opens one vault or several.

    Args:
        path: where it is; created (0600) only together with a new vault.
    """

    path: Path


class Slot(NamedTuple):
    """One way into the vault, as its row holds it."""

    number: int
    kind: int
    parameters: bytes
    wrapped: bytes


class Opener:
    """A credential ready to open slots: the KDF runs once per salt, however many slots there are."""

    __slots__ = ("_key", "_kind", "_stretched")

    def __init__(self, kind: int, key: bytes) -> None:
        self._kind = kind
        self._key = key
        self._stretched: dict[tuple[bytes, Argon2], bytes] = {}

    def new_slot(self, vault: bytes, root: bytes, *, number: int, argon2: Argon2) -> Slot:
        """Wrap the root key for this credential."""
        parameters = os.urandom(_SLOT_SALT)
        if self._kind == PASSPHRASE:
            parameters = _PASSPHRASE_PARAMETERS.pack(parameters, os.urandom(_SLOT_SALT), *argon2)
        associated = _slot_place(vault, number, self._kind, parameters)
        key, commitment = self._slot_keys(parameters, associated)
        return Slot(number, self._kind, parameters, commitment + _crypto.seal(Cipher(key), root, associated))

    def open(self, vault: bytes, slots: Iterable[Slot]) -> bytes:
        """The root key, from the first slot that this credential fits.

        Raises:
            VaultLocked: it fits none.
            VaultDamaged: a slot's parameters are beyond what is ever written.
        """
        for slot in slots:
            if not isinstance(slot.parameters, bytes) or not isinstance(slot.wrapped, bytes):
                raise damaged()
            if slot.kind == self._kind:
                associated = _slot_place(vault, slot.number, slot.kind, slot.parameters)
                key, commitment = self._slot_keys(slot.parameters, associated)
                split = len(commitment)
                # AES-GCM alone does not commit to its key; the commitment does.
                if _crypto.same(slot.wrapped[:split], commitment):
                    return _crypto.unseal(Cipher(key), slot.wrapped[split:], associated)
        raise VaultLocked(
            f"This {KINDS[self._kind]} does not open the vault.",
            advice="Give the passphrase or the key file that the vault was created with.",
        )

    def _slot_keys(self, parameters: bytes, associated: bytes) -> tuple[bytes, bytes]:
        key = self._key
        if self._kind == PASSPHRASE:
            if len(parameters) != _PASSPHRASE_PARAMETERS.size:
                raise damaged()
            _, salt, *costs = _PASSPHRASE_PARAMETERS.unpack(parameters)
            known = (salt, Argon2(*costs))
            key = self._stretched.get(known) or _crypto.argon2id(key, *known)
            self._stretched[known] = key
        both = _crypto.derive(key, b"secretbridge slot" + associated, salt=parameters[:_SLOT_SALT], length=64)
        return both[:32], both[32:]


def _slot_place(vault: bytes, number: int, kind: int, parameters: bytes) -> bytes:
    return _crypto.place(vault, _crypto.SLOT) + _crypto.packed(_SLOT_PLACE, number, kind) + parameters


@dataclass(frozen=True, slots=True, repr=False)
class DataKeys:
    """The keys of one epoch; no key has two uses."""

    epoch: int
    records: bytes
    index: bytes
    audit: bytes
    state: bytes
    policy: bytes
    digest: bytes
    chain: bytes


class Keyring:
    """Every key of an open vault. It stays in memory as long as the vault is open; repr shows none.

    Args:
        vault: the vault's id, 16 bytes.
        root: the root key.
        wrapped: the data keys as their rows hold them, by epoch.
    """

    __slots__ = ("_blocks", "_epochs", "_records", "current", "root", "vault")

    def __init__(self, vault: bytes, root: bytes, wrapped: dict[int, bytes]) -> None:
        self.vault = vault
        self.root = root
        self._epochs = {epoch: self._unwrap(epoch, blob) for epoch, blob in wrapped.items()}
        if not self._epochs:
            raise damaged()
        self.current = self._epochs[max(self._epochs)]
        # The ciphers used last: setting one up takes longer than opening a record. A thread that finds one
        # missing makes it again.
        self._records: dict[tuple[int, bytes], Cipher] = {}
        self._blocks: dict[bytes, tuple[int, Cipher]] = {}

    def _unwrap(self, epoch: int, wrapped: bytes) -> DataKeys:
        pair = _crypto.unseal(
            Cipher(_wrapping_key(self.root)),
            wrapped,
            _crypto.place(self.vault, _crypto.DATA_KEY, epoch=epoch),
        )
        data, chain = pair[: _crypto.KEY_BYTES], pair[_crypto.KEY_BYTES :]
        return DataKeys(
            epoch=epoch,
            records=MacKey(_crypto.derive(data, b"secretbridge records")),
            index=MacKey(_crypto.derive(data, b"secretbridge index")),
            audit=_crypto.derive(data, b"secretbridge audit"),
            state=_crypto.derive(data, b"secretbridge state"),
            policy=_crypto.derive(data, b"secretbridge policy"),
            digest=MacKey(_crypto.derive(data, b"secretbridge digest")),
            chain=MacKey(chain),
        )

    def epoch(self, number: int) -> DataKeys:
        """The keys of an epoch that a row names.

        Raises:
            VaultDamaged: there is no such epoch.
        """
        keys = self._epochs.get(number)
        if keys is None:
            raise damaged()
        return keys

    def record_cipher(self, epoch: int, secret: bytes) -> Cipher:
        """What seals the records of one secret: a key of its own, so that no key sees many messages."""
        cipher = self._records.get((epoch, secret))
        if cipher is None:
            keys = self.current if self.current.epoch == epoch else self.epoch(epoch)
            cipher = Cipher(_crypto.mac(keys.records, secret))
            if len(self._records) >= _MOST_CIPHERS:
                self._records.clear()
            self._records[epoch, secret] = cipher
        return cipher

    def block_cipher(self, key: bytes, number: int) -> Cipher:
        """What seals message ``number`` of those under ``key``: a key of its own for every 2^20 of them."""
        block = number >> BLOCK_BITS
        last = self._blocks.get(key)
        if last is not None and last[0] == block:
            return last[1]
        cipher = Cipher(_crypto.mac(key, block.to_bytes(8, "big")))
        self._blocks[key] = (block, cipher)
        return cipher

    def name_index(self, name: str) -> bytes:
        """What finds a name in the file without showing it: a MAC of its exact UTF-8 bytes."""
        return _crypto.mac(self.current.index, name.encode("utf-8", "surrogatepass"))[:INDEX_BYTES]

    def slot_mac(self, slots: Iterable[Slot]) -> bytes:
        """What binds the table of slots: none can be added, changed or dropped without the root key."""
        key = _crypto.derive(self.root, b"secretbridge slots")
        rows = (
            _crypto.packed(_SLOT_ROW, slot.number, slot.kind, len(slot.parameters), len(slot.wrapped))
            + slot.parameters
            + slot.wrapped
            for slot in slots
        )
        return _crypto.mac(key, self.vault + b"".join(rows))


def new_data_key(vault: bytes, root: bytes, *, epoch: int, chain: bytes) -> bytes:
    """A new data key, wrapped together with the chain key that it carries on."""
    return _crypto.seal(
        Cipher(_wrapping_key(root)),
        os.urandom(_crypto.KEY_BYTES) + chain,
        _crypto.place(vault, _crypto.DATA_KEY, epoch=epoch),
    )


def _wrapping_key(root: bytes) -> bytes:
    return _crypto.derive(root, b"secretbridge data keys")
