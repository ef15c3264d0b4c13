"""The vault's cryptography, and the only module that imports ``cryptography``.

One suite, numbered so that a later one can stand beside it: AES-256-GCM with a random 96-bit nonce,
HMAC-SHA256 (also for HKDF), Argon2id. What a blob is and where it stands is bound to it by :func:`place`,
a fixed-width struct: two different places can never have the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from struct import Struct, error
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from secretbridge.errors import VaultDamaged, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 1
SUITE: Final = 1

# What a sealed blob is. A record of the history can therefore never pass for the current one.
CURRENT: Final = 1
HISTORY: Final = 2
AUDIT: Final = 3
STATE: Final = 4
POLICY: Final = 5
DATA_KEY: Final = 6
SLOT: Final = 7

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
NOWHERE: Final = bytes(16)  # the id in the place of a blob that belongs to no secret

_PLACE: Final = Struct(">HH16sB16sIQI")

#: The one sentence for every failed decryption: it must not tell an attacker which check failed.
DAMAGED: Final = "The vault's contents are not what was written."
DAMAGED_ADVICE: Final = "Restore the vault from a backup; nothing was changed."


class Argon2(NamedTuple):
    """Parameters of Argon2id: memory in KiB, passes and lanes."""

    memory: int
    passes: int
    lanes: int


#: The second choice of RFC 9106, section 4: 64 MiB, three passes, four lanes.
ARGON2_DEFAULT: Final = Argon2(memory=64 * 1024, passes=3, lanes=4)
_ARGON2_CAPS: Final = Argon2(memory=1024 * 1024, passes=16, lanes=16)


def damaged() -> VaultDamaged:
    """The error for anything in the vault that does not open or is not where it belongs."""
    return VaultDamaged(DAMAGED, advice=DAMAGED_ADVICE)


class MacKey(bytes):
    """A key that many messages are authenticated with: HMAC takes it in once."""

    _begun: HMAC

    def __new__(cls, key: bytes) -> Self:
        """Take the bytes of a key."""
        self = super().__new__(cls, key)
        self._begun = HMAC(key, SHA256())
        return self

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA256 of ``message``."""
        begun = self._begun.copy()
        begun.update(message)
        return begun.finalize()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of ``message``, 32 bytes."""
    if type(key) is MacKey:
        return key.mac(message)
    return hmac.digest(key, message, "sha256")


def same(left: object, right: object) -> bool:
    """Whether two digests are equal, in constant time; what is read from a column may be no bytes at all."""
    return isinstance(left, bytes) and isinstance(right, bytes) and hmac.compare_digest(left, right)


def checksum(data: bytes) -> bytes:
    """SHA-256 of ``data``: finds a slip of the pen, protects against nobody."""
    return hashlib.sha256(data).digest()


def derive(key: bytes, label: bytes, *, salt: bytes = bytes(32), length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869) of ``key``: one label per use, at most 64 bytes."""
    extracted = mac(salt, key)
    first = mac(extracted, label + b"\x01")
    if length <= len(first):
        return first[:length]
    return (first + mac(extracted, first + label + b"\x02"))[:length]


def packed(form: Struct, *values: object) -> bytes:
    """These values as fixed-width bytes.

    Raises:
        VaultDamaged: a column holds what never was written there, such as a text or a negative number.
    """
    try:
        return form.pack(*values)
    except error:
        pass
    raise damaged()


def place(  # noqa: PLR0917 - the hot path: keywords cost time
    vault: bytes, kind: int, owner: bytes = NOWHERE, environment: int = 0, version: int = 0, epoch: int = 0
) -> bytes:
    """The associated data of a blob: what it is and where it stands, 53 bytes.

    Raises:
        VaultDamaged: no blob could stand there.
    """
    try:
        return _PLACE.pack(FORMAT, SUITE, vault, kind, owner, environment, version, epoch)
    except error:
        pass
    raise damaged()


#: AES-256-GCM under one key; made once where many blobs are under it.
Cipher = AESGCM


def seal(cipher: Cipher, plaintext: bytes, associated: bytes) -> bytes:
    """Encrypt and bind: nonce, ciphertext and tag in one blob."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plaintext, associated)


def unseal(cipher: Cipher, sealed: object, associated: bytes) -> bytes:
    """Open what :func:`seal` made.

    Raises:
        VaultDamaged: it is not what was sealed under this key at this place.
    """
    if isinstance(sealed, bytes) and len(sealed) >= NONCE_BYTES + TAG_BYTES:
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
        except InvalidTag:
            pass  # raised below, outside of this block, so that nothing is chained
    raise damaged()


def check_argon2(parameters: Argon2) -> None:
    """Refuse parameters that would exhaust this machine, before the KDF runs.

    Raises:
        VaultDamaged: beyond 1 GiB, 16 passes or 16 lanes, or below what Argon2 allows.
    """
    within = all(0 < given <= cap for given, cap in zip(parameters, _ARGON2_CAPS, strict=True))
    if not within or parameters.memory < 8 * parameters.lanes:
        raise damaged()


def argon2id(passphrase: bytes, salt: bytes, parameters: Argon2) -> bytes:
    """Argon2id (RFC 9106) of a passphrase, 32 bytes.

    Raises:
        VaultError: this build of ``cryptography`` has no Argon2id, or there is not enough memory for it.
    """
    check_argon2(parameters)
    run = _argon2id(salt, parameters)
    if run is not None:
        try:
            return run(passphrase)
        except MemoryError:
            pass
        raise VaultError(
            f"Unlocking with a passphrase needs {parameters.memory // 1024} MiB of free memory.",
            advice="Free some memory, or use a key file.",
        )
    raise VaultError(
        "The installed cryptography package was built without Argon2id.",
        advice="Install the wheel from PyPI, or use a key file.",
    )


def _argon2id(salt: bytes, parameters: Argon2) -> Callable[[bytes], bytes] | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        return Argon2id(
            salt=salt,
            length=KEY_BYTES,
            iterations=parameters.passes,
            lanes=parameters.lanes,
            memory_cost=parameters.memory,
        ).derive
    except UnsupportedAlgorithm:
        return None
