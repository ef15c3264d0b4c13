"""Slots of the vault, and the credentials that open and make them.

A slot wraps the root key for one credential. Beside the kind's own parameters it holds, in the clear and
bound to it, whose slot it is and what it is called.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from secretbridge._vault import _crypto, _files
from secretbridge._vault._crypto import ARGON2_DEFAULT, NOWHERE, Argon2, Cipher, damaged
from secretbridge.errors import VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._credentials import Credential, KeyWrapper

KEY_FILE: Final = 1
PASSPHRASE: Final = 2
ENVIRONMENT: Final = 3
KEYRING: Final = 4
ACCOUNT: Final = 5
EXTERNAL: Final = 6
KINDS: Final = {
    KEY_FILE: "key file",
    PASSPHRASE: "passphrase",
    ENVIRONMENT: "environment variable",
    KEYRING: "keyring entry",
    ACCOUNT: "account key",
    EXTERNAL: "external key",
}

#: The principal of the slots that belong to the vault's owner.
OWNER: Final = NOWHERE

_SLOT_SALT: Final = 16
_PASSPHRASE_PARAMETERS: Final = Struct(">16s16sIII")
_EXTERNAL_PARAMETERS: Final = Struct(">16sHH")  # then the wrapper's name and what it wrapped
_MOST_WRAPPED: Final = 16_384
_SLOT_PLACE: Final = Struct(">IB")


class Slot(NamedTuple):
    """One way into the vault, as its row holds it."""

    number: int
    kind: int
    parameters: bytes
    wrapped: bytes

    @property
    def principal(self) -> bytes:
        """Whose slot it is, 16 bytes; zeros are the owner."""
        return self._described()[:16] or OWNER

    @property
    def label(self) -> str:
        """What it is called; empty where it was given no label."""
        return self._described()[16:].decode("utf-8", "replace")

    def _described(self) -> bytes:
        """What comes after the kind's own parameters; nothing in slots of the file's first format."""
        return self.parameters[_own_size(self.kind, self.parameters) :]


def _own_size(kind: int, parameters: bytes) -> int:
    if kind == PASSPHRASE:
        return _PASSPHRASE_PARAMETERS.size
    return sum(map(len, _external(parameters))) + 4 if kind == EXTERNAL else _SLOT_SALT


def _external(parameters: bytes) -> tuple[bytes, bytes, bytes]:
    """Salt, the wrapper's name and what it wrapped."""
    try:
        salt, name, wrapped = _EXTERNAL_PARAMETERS.unpack_from(parameters)
    except struct.error:
        salt, name, wrapped = b"", 0, 0
    begin = _EXTERNAL_PARAMETERS.size
    middle = begin + name
    if not salt or len(parameters) < middle + wrapped:
        raise damaged()
    return salt, parameters[begin:middle], parameters[middle : middle + wrapped]


class Opener:
    """A credential ready to open slots: the KDF runs once per salt, however many slots there are."""

    __slots__ = ("_key", "_prepared", "_stretched", "kind")

    def __init__(self, kind: int, key: bytes) -> None:
        self.kind = kind
        self._key = key
        self._prepared: tuple[bytes, bytes | None] | None = None
        self._stretched: dict[tuple[bytes, Argon2], bytes] = {}

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("what opens a vault is not pickled: its key would be in it")

    def prepare(self, argon2: Argon2 = ARGON2_DEFAULT) -> None:
        """Do the slow part of the next new slot now, while no lock is held."""
        if self._prepared is None:
            own = self._own(argon2)
            self._prepared = own, self._slot_key(own)

    def new_slot(
        self,
        vault: bytes,
        root: bytes,
        *,
        number: int,
        argon2: Argon2 = ARGON2_DEFAULT,
        label: str = "",
        principal: bytes = OWNER,
    ) -> Slot:
        """Wrap the root key for this credential."""
        self.prepare(argon2)
        assert self._prepared is not None  # noqa: S101 - for the type checker: just prepared
        (own, slot_key), self._prepared = self._prepared, None
        parameters = own + principal + label.encode("utf-8", "surrogatepass")
        associated = _slot_place(vault, number, self.kind, parameters)
        key, commitment = _split(slot_key, parameters, associated)
        return Slot(number, self.kind, parameters, commitment + _crypto.seal(Cipher(key), root, associated))

    def fits(self, vault: bytes, slot: Slot) -> bytes | None:
        """The root key, if this credential opens this slot.

        Raises:
            VaultDamaged: the slot's parameters are beyond what is ever written.
        """
        if not isinstance(slot.parameters, bytes) or not isinstance(slot.wrapped, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # a column may hold anything
            raise damaged()
        if slot.kind != self.kind:
            return None
        slot_key = self._slot_key(slot.parameters)
        if slot_key is None:
            return None
        associated = _slot_place(vault, slot.number, slot.kind, slot.parameters)
        key, commitment = _split(slot_key, slot.parameters, associated)
        split = len(commitment)
        # AES-GCM alone does not commit to its key; the commitment does.
        if not _crypto.same(slot.wrapped[:split], commitment):
            return None
        return _crypto.unseal(Cipher(key), slot.wrapped[split:], associated)

    def open(self, vault: bytes, slots: Iterable[Slot]) -> tuple[bytes, Slot]:
        """The root key and the slot it came from, the first that this credential fits.

        Raises:
            VaultLocked: it fits none.
            VaultDamaged: a slot's parameters are beyond what is ever written.
        """
        for slot in slots:
            root = self.fits(vault, slot)
            if root is not None:
                return root, slot
        raise self.refusal()

    def refusal(self) -> VaultLocked:
        """The error for a credential that opens no slot."""
        return VaultLocked(
            f"This {KINDS[self.kind]} does not open the vault.",
            advice="Give a credential that the vault has a slot for.",
        )

    def _own(self, argon2: Argon2) -> bytes:
        """The parameters of a new slot that are the kind's own."""
        salt = os.urandom(_SLOT_SALT)
        if self.kind == PASSPHRASE:
            return _PASSPHRASE_PARAMETERS.pack(salt, os.urandom(_SLOT_SALT), *argon2)
        return salt

    def _slot_key(self, parameters: bytes) -> bytes | None:
        if self.kind != PASSPHRASE:
            return self._key
        if len(parameters) < _PASSPHRASE_PARAMETERS.size:
            raise damaged()
        _, salt, *costs = _PASSPHRASE_PARAMETERS.unpack_from(parameters)
        known = (salt, Argon2(*costs))
        key = self._stretched.get(known) or _crypto.argon2id(self._key, *known)
        self._stretched[known] = key
        return key


class ExternalOpener(Opener):
    """A key wrapper ready to open the slots of its name; what it wraps is a random key per slot."""

    __slots__ = ("_failed", "_made", "_name", "_wrapper")

    def __init__(self, wrapper: KeyWrapper, name: str) -> None:
        super().__init__(EXTERNAL, b"")
        self._wrapper = wrapper
        self._name = name.encode()
        self._failed = ""
        self._made: dict[bytes, bytes] = {}

    def refusal(self) -> VaultLocked:
        """The error where no slot is opened, with what the wrapper failed with last."""
        if not self._failed:
            return super().refusal()
        return VaultLocked(
            f"The key wrapper {self._name.decode()!r} did not unwrap the vault's key: {self._failed}.",
            advice="Call its unwrap() by itself to see the cause.",
        )

    def _own(self, argon2: Argon2) -> bytes:  # noqa: ARG002 - the passphrase's costs
        key = os.urandom(_crypto.KEY_BYTES)
        failed = ""
        wrapped: object = None
        try:
            wrapped = self._wrapper.wrap(key)
        except Exception as error:  # noqa: BLE001 - its text may hold the key: only its class is told
            failed = type(error).__name__
        if not failed and not (isinstance(wrapped, bytes) and 0 < len(wrapped) <= _MOST_WRAPPED):
            failed = f"it gave no bytes, or none from 1 to {_MOST_WRAPPED} of them"
        elif not failed and key in bytes(wrapped):  # type: ignore[call-overload] # bytes, as just found
            failed = "what it gave holds the key itself"
        if not failed:
            assert isinstance(wrapped, bytes)  # noqa: S101 - for the type checker: as just found
            own = _EXTERNAL_PARAMETERS.pack(os.urandom(_SLOT_SALT), len(self._name), len(wrapped))
            own += self._name + wrapped
            # Asked for at once: a slot that its own wrapper does not open would be found out too late.
            if self._slot_key(own) == key:
                return own
            failed = self._failed or "unwrap() gave another key than was wrapped"
        raise VaultError(
            f"The key wrapper {self._name.decode()!r} did not wrap a key: {failed}.",
            advice="Call its wrap() and unwrap() by themselves to see the cause.",
        )

    def _slot_key(self, parameters: bytes) -> bytes | None:
        _, name, wrapped = _external(parameters)
        if name != self._name:
            return None
        if wrapped in self._made:
            return self._made[wrapped]
        key: object = None
        self._failed = ""
        try:
            key = self._wrapper.unwrap(wrapped)
        except Exception as error:  # noqa: BLE001 - its text may hold the key: only its class is told
            self._failed = f"it raised {type(error).__name__}"
        if not self._failed and not (isinstance(key, bytes) and len(key) == _crypto.KEY_BYTES):
            self._failed = "it did not give 32 bytes"
        if self._failed or not isinstance(key, bytes):
            return None
        self._made[wrapped] = key
        return key


def _split(slot_key: bytes | None, parameters: bytes, associated: bytes) -> tuple[bytes, bytes]:
    """What seals the root key in a slot, and what commits to it."""
    both = _crypto.derive(
        slot_key or b"", b"secretbridge slot" + associated, salt=parameters[:_SLOT_SALT], length=64
    )
    return both[:32], both[32:]


def _slot_place(vault: bytes, number: int, kind: int, parameters: bytes) -> bytes:
    return _crypto.place(vault, _crypto.SLOT) + _crypto.packed(_SLOT_PLACE, number, kind) + parameters


def opener(credential: Credential, *, new: bool) -> Opener:
    """The credential, ready to open slots; reads what has to be read for that.

    Args:
        credential: what opens the vault.
        new: whether it is to get a slot; only then a missing key file is created.

    Raises:
        VaultLocked: there is no key where the credential says, or none that is whole.
        VaultError: others can read or change it, or what keeps it failed.
    """
    from secretbridge import _credentials  # late: a glance at the names needs a key file's opener alone

    if isinstance(credential, _credentials.Passphrase):
        return Opener(PASSPHRASE, credential.encoded())
    if isinstance(credential, _credentials.ExternalKey):
        return ExternalOpener(credential.wrapper, credential.name)
    if isinstance(credential, _credentials.KeyFile):
        return opener_of_file(Path(credential.path), new=new)
    kinds: dict[type, int] = {_credentials.EnvironmentKey: ENVIRONMENT, _credentials.KeyringKey: KEYRING}
    return Opener(kinds.get(type(credential), ACCOUNT), credential.key())


def opener_of_file(path: Path, *, new: bool) -> Opener:
    """The opener of a key file; arguments and errors as for :func:`opener`."""
    return Opener(KEY_FILE, _key_in_file(path, new=new))


def _key_in_file(path: Path, *, new: bool) -> bytes:
    key = _files.read_key_file(path)
    if new:
        if key is None:
            key = _files.create_key_file(path)
        _files.check_key_place(path)
    if key is None:
        raise VaultLocked(
            f"The key file {path} of this vault is missing. It is never created anew, because a "
            "new key could not open what the old one sealed.",
            advice="Put the key file back, or give its place.",
        )
    return key
