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
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from secretbridge._vault import _crypto
from secretbridge._vault._crypto import Cipher, MacKey, damaged
from secretbridge.errors import VaultDamaged, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secretbridge._vault._openers import Slot
    from secretbridge._vault._rows import StateRow

T = TypeVar("T")

#: A new key for records, entries and states every so many messages: far below GCM's 2^32 random nonces.
BLOCK_BITS: Final = 20
#: Bytes of the name index.
INDEX_BYTES: Final = 16
#: Ciphers of records that are kept, of 2 to 3 KB each.
_MOST_CIPHERS: Final = 1024
_SLOT_ROW: Final = Struct(">IBII")


@dataclass(frozen=True, slots=True, repr=False)
class DataKeys:
    """The keys of one epoch; no key has two uses."""

    epoch: int
    records: MacKey
    index: MacKey
    audit: bytes
    state: bytes
    policy: bytes
    digest: MacKey
    chain: MacKey


class Keyring:
    """Every key of an open vault. It stays in memory as long as the vault is open; repr shows none.

    Args:
        vault: the vault's id, 16 bytes.
        root: the root key.
        wrapped: the data keys as their rows hold them, by epoch.
    """

    __slots__ = ("_blocks", "_epochs", "_named", "_records", "current", "root", "vault")

    def __init__(self, vault: bytes, root: bytes, wrapped: dict[int, bytes]) -> None:
        self.vault = vault
        self.root = root
        self._epochs = {epoch: self._unwrap(epoch, blob) for epoch, blob in wrapped.items()}
        if not self._epochs:
            raise damaged()
        self.current = self._epochs[max(self._epochs)]
        #: Those that names may be found under, newest first: more than one while a rekey is under way.
        self._named = tuple(sorted(self._epochs, reverse=True))
        # The ciphers used last: setting one up takes longer than opening a record. A thread that finds one
        # missing makes it again.
        self._records: dict[tuple[int, bytes], Cipher] = {}
        self._blocks: dict[bytes, tuple[int, Cipher]] = {}

    @property
    def rekeying(self) -> bool:
        """Whether rows may be under more than one data key."""
        return len(self._named) > 1

    def knows(self, epoch: object) -> bool:
        """Whether the data key of this epoch is known."""
        return epoch in self._epochs

    def learn(self, wrapped: dict[int, bytes]) -> None:
        """Follow the vault's data keys to where they are now. Called inside a snapshot or transaction only.

        A data key that is gone is kept: rows that were read before it went are opened with it.

        Args:
            wrapped: the data keys as their rows hold them, by epoch.

        Raises:
            VaultLocked: one that is new is not under the root key of this keyring.
        """
        if not wrapped or max(wrapped) < self.current.epoch:
            raise damaged()
        found = dict(self._epochs)
        for epoch in wrapped.keys() - found.keys():
            keys = None
            with suppress(VaultDamaged):
                keys = self._unwrap(epoch, wrapped[epoch])
            if keys is None:
                raise root_replaced()
            found[epoch] = keys
        self._epochs = found
        self.current = found[max(wrapped)]
        self._named = tuple(sorted(wrapped, reverse=True))

    def opens(self, epoch: int, wrapped: object) -> bool:
        """Whether this data key is under the root key of this keyring."""
        with suppress(VaultDamaged):
            return isinstance(wrapped, bytes) and bool(self._unwrap(epoch, wrapped))
        return False

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
            UnknownEpoch: there is none, or none yet that this keyring knows.
        """
        keys = self._epochs.get(number)
        if keys is None:
            raise UnknownEpoch(_crypto.DAMAGED, advice=_crypto.DAMAGED_ADVICE)
        return keys

    def record_cipher(self, epoch: int, secret: bytes) -> Cipher:
        """What seals the records of one secret: a key of its own, so that no key sees many messages."""
        cipher = self._records.get((epoch, secret))
        if cipher is None:
            keys = self.current if self.current.epoch == epoch else self.epoch(epoch)
            cipher = Cipher(keys.records.mac(secret))
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

    def name_index(self, name: str, epoch: int | None = None) -> bytes:
        """What finds a name in the file without showing it: a MAC of its exact UTF-8 bytes."""
        keys = self.current if epoch is None else self.epoch(epoch)
        return keys.index.mac(name.encode("utf-8", "surrogatepass"))[:INDEX_BYTES]

    def name_indexes(self, name: str) -> list[bytes]:
        """Everything that a name may be found by: one thing, and several only while rekeying.

        The newest comes first, and once more at the end: names go from an older data key to the newest, so
        one that went while it was looked for is found there.
        """
        named = self._named
        if len(named) == 1:
            return [self.name_index(name, named[0])]
        indexes = [self.name_index(name, epoch) for epoch in named]
        return [*indexes, indexes[0]]

    def follow(self, rows: HasDataKeys) -> bool:
        """Look whether there is another data key by now; called as :meth:`learn` is.

        Returns:
            Whether there was something to learn.
        """
        state, before = rows.state(), self._named
        if self.rekeying or (state is not None and state.epoch != self.current.epoch):
            self.learn(rows.data_keys())
        return self._named != before

    def slot_mac(self, slots: Iterable[Slot]) -> bytes:
        """What binds the table of slots: none can be added, changed or dropped without the root key."""
        return slot_mac(self.vault, self.root, slots)


def slot_mac(vault: bytes, root: bytes, slots: Iterable[Slot]) -> bytes:
    """What binds the table of slots to a root key."""
    key = _crypto.derive(root, b"secretbridge slots")
    rows = (
        _crypto.packed(_SLOT_ROW, slot.number, slot.kind, len(slot.parameters), len(slot.wrapped))
        + slot.parameters
        + slot.wrapped
        for slot in slots
    )
    return _crypto.mac(key, vault + b"".join(rows))


def new_data_key(vault: bytes, root: bytes, *, epoch: int, chain: bytes) -> bytes:
    """A new data key, wrapped together with the chain key that it carries on."""
    return _wrap(vault, root, epoch, os.urandom(_crypto.KEY_BYTES) + chain)


def rewrapped(vault: bytes, old: bytes, new: bytes, epoch: int, wrapped: bytes) -> bytes:
    """A data key under a new root key.

    Raises:
        VaultDamaged: it is not under the old one.
    """
    place = _crypto.place(vault, _crypto.DATA_KEY, epoch=epoch)
    return _wrap(vault, new, epoch, _crypto.unseal(Cipher(_wrapping_key(old)), wrapped, place))


def _wrap(vault: bytes, root: bytes, epoch: int, pair: bytes) -> bytes:
    place = _crypto.place(vault, _crypto.DATA_KEY, epoch=epoch)
    return _crypto.seal(Cipher(_wrapping_key(root)), pair, place)


class UnknownEpoch(VaultDamaged):
    """A row names a data key that the keyring does not know; somebody may have made it meanwhile."""


class RootReplaced(VaultLocked):
    """The vault has another root key than the one that was unlocked: not a matter of who asks."""


def root_replaced() -> RootReplaced:
    """The error where the vault's root key is no longer the one that was unlocked."""
    return RootReplaced(
        "The vault's root key was replaced while it was open here.",
        advice="Open the vault again, with a credential that was kept.",
    )


class HasDataKeys(Protocol):
    """Rows that tell the data keys."""

    def data_keys(self) -> dict[int, bytes]: ...

    def state(self) -> StateRow | None: ...


R = TypeVar("R", bound=HasDataKeys)


def following(rows: R, keyring: Keyring, work: Callable[[R], T]) -> T:
    """Run ``work`` on a snapshot's rows; if it meets a data key made meanwhile, learn it and run again."""
    with suppress(UnknownEpoch):
        return work(rows)
    keyring.learn(rows.data_keys())
    with suppress(UnknownEpoch):
        return work(rows)
    raise damaged()


def _wrapping_key(root: bytes) -> bytes:
    return _crypto.derive(root, b"secretbridge data keys")
