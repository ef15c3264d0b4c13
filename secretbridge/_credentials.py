"""What opens a vault: one class for each kind of credential. None shows its secret, and none is pickled.

Nothing is read or derived before a vault is opened, and what that needs loads only then.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeAlias, cast, runtime_checkable

from secretbridge.errors import InvalidRequest, VaultError, VaultLocked, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

__all__ = [
    "AccountKey",
    "Credential",
    "EnvironmentKey",
    "ExternalKey",
    "KeyFile",
    "KeyWrapper",
    "KeyringKey",
    "Passphrase",
]

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_KEY_TEXT: Final = re.compile("sbk_([A-Za-z0-9_-]{48})")
_KEY_BYTES: Final = 32
_LONGEST: Final = 100


class SecretValue(Protocol):
    """What pydantic's ``SecretStr`` is to us: something that tells its text when asked to."""

    def get_secret_value(self) -> str: ...


Given: TypeAlias = "str | SecretValue | Callable[[], str | SecretValue]"


@runtime_checkable
class KeyWrapper(Protocol):
    """What keeps a key for a vault elsewhere: a KMS, an HSM, a secret manager.

    Both may be called from any thread, and each once per slot that is opened or made.
    """

    def wrap(self, key: bytes) -> bytes:
        """Give what these 32 bytes can be had back from; it is stored in the vault's file, in the clear.

        Args:
            key: 32 random bytes, made for one slot.

        Returns:
            1 to 16,384 bytes.
        """
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """Give back the 32 bytes, or raise.

        Args:
            wrapped: what :meth:`wrap` gave.
        """
        ...


class _Unpickled:
    """A credential stays in the process that made it."""

    __slots__ = ()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(f"{kind} is not pickled: it may hold a secret; make it where it is used")


@dataclass(frozen=True, slots=True)
class Passphrase(_Unpickled):
    """A passphrase; it goes through Argon2id (64 MiB, three passes, four lanes), a tenth of a second or so.

    Args:
        secret: str, SecretStr, or a callable that gives one when the vault is opened. It is brought to
            Unicode NFC, so that the same passphrase typed on another system opens the same vault.

    Raises:
        InvalidRequest: it is no text, empty, or holds a line break.
    """

    secret: Given = field(repr=False)

    def __post_init__(self) -> None:
        _keep_text(self, "passphrase", passphrase_violations)

    def asked(self) -> Passphrase:
        """Give the same with the callable asked.

        Raises:
            VaultLocked: the callable failed; only the class of its exception is told.
            InvalidRequest: it gave something else than a passphrase.
        """
        return Passphrase(_asked("passphrase", self.secret, passphrase_violations))

    def encoded(self) -> bytes:
        """Give the bytes that go into the KDF.

        Raises:
            VaultLocked: the callable failed; only the class of its exception is told.
            InvalidRequest: it gave something else than a passphrase.
        """
        import unicodedata

        text = _asked("passphrase", self.secret, passphrase_violations)
        return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class KeyFile(_Unpickled):
    """A key file: 32 random bytes and a checksum. One may open several vaults.

    Args:
        path: where it is. It is created (0600) only together with a new vault or a new slot.

    Raises:
        InvalidRequest: this is no path.
    """

    path: str | os.PathLike[str]

    def __post_init__(self) -> None:
        _refuse(path_violations("key_file", self.path))
        object.__setattr__(self, "path", Path(self.path).expanduser())


@dataclass(frozen=True, slots=True)
class EnvironmentKey(_Unpickled):
    """A key in an environment variable, as :meth:`generate` makes one; read when the vault is opened.

    Args:
        variable: the variable's name.

    Raises:
        InvalidRequest: this is no variable's name.
    """

    variable: str

    def __post_init__(self) -> None:
        _refuse(_word_violations("variable", self.variable, more="="))

    @staticmethod
    def generate() -> SecretStr:
        """Give a new random key as text: ``sbk_`` and 48 characters, the last of them a checksum."""
        return _new_key()

    def key(self) -> bytes:
        """Give the 32 bytes.

        Raises:
            VaultLocked: the variable is not set, or holds no key.
        """
        text = os.environ.get(self.variable)
        if not text:
            raise VaultLocked(
                f"The environment variable {self.variable} is not set.",
                advice="Set it to the key; EnvironmentKey.generate() makes one for a new slot.",
            )
        return _held_in(text, f"The environment variable {self.variable}")


@dataclass(frozen=True, slots=True)
class KeyringKey(_Unpickled):
    """A key in the system's keyring; read when the vault is opened. Needs ``secretbridge[keyring]``.

    Args:
        service: the entry's service.
        user: the entry's user.

    Raises:
        InvalidRequest: one of them is empty or no text.
    """

    service: str
    user: str

    def __post_init__(self) -> None:
        _refuse([*_word_violations("service", self.service), *_word_violations("user", self.user)])

    def create(self) -> None:
        """Make a new random key and put it into the keyring, where there is none yet.

        Raises:
            VaultError: there is an entry already, or the keyring failed.
        """
        if self._ask() is not None:
            raise VaultError(
                f"The keyring has an entry {self.service}/{self.user} already.",
                advice="Use it, or give another service or user.",
            )
        failed = ""
        try:
            import keyring

            keyring.set_password(self.service, self.user, _new_key().get_secret_value())
        except Exception as error:  # noqa: BLE001 - a backend may fail in any way, and its text may tell all
            failed = type(error).__name__
        if failed:
            raise self._failure(failed)

    def key(self) -> bytes:
        """Give the 32 bytes.

        Raises:
            VaultLocked: the keyring has no such entry, or no key is in it.
            VaultError: the package ``keyring`` is not installed, or the keyring failed.
        """
        text = self._ask()
        if text is None:
            raise VaultLocked(
                f"The keyring has no entry {self.service}/{self.user}.",
                advice="KeyringKey(service, user).create() makes one for a new slot.",
            )
        return _held_in(text, f"The keyring's entry {self.service}/{self.user}")

    def _ask(self) -> str | None:
        failed, text = "", None
        try:
            import keyring

            text = keyring.get_password(self.service, self.user)
        except ImportError:
            failed = "ImportError"
        except Exception as error:  # noqa: BLE001 - a backend may fail in any way, and its text may tell all
            failed = type(error).__name__
        if failed:
            raise self._failure(failed)
        return text

    def _failure(self, failed: str) -> VaultError:
        if failed == "ImportError":
            return VaultError(
                "A key in the system's keyring needs the package keyring, which cannot be loaded.",
                advice="Run: pip install 'secretbridge[keyring]'",
            )
        return VaultError(
            f"The keyring failed ({failed}) at the entry {self.service}/{self.user}.",
            advice="Unlock it; `keyring diagnose` shows what is in use.",
        )


@dataclass(frozen=True, slots=True)
class ExternalKey(_Unpickled):
    """A key that something else keeps: a KMS, an HSM, a secret manager.

    Args:
        wrapper: a :class:`KeyWrapper`.
        name: finds the slots that this wrapper opens; 1 to 100 characters, stored in the clear.

    Raises:
        InvalidRequest: the wrapper has no ``wrap`` and ``unwrap``, or the name is malformed.
    """

    wrapper: KeyWrapper = field(repr=False)
    name: str = field(default="external", kw_only=True)

    def __post_init__(self) -> None:
        wrong = _word_violations("name", self.name, longest=_LONGEST)
        wrapper: object = self.wrapper
        if not isinstance(wrapper, KeyWrapper):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            wrong.append(Violation("wrapper", "has no wrap() and unwrap()", "give a KeyWrapper"))
        _refuse(wrong)


@dataclass(frozen=True, slots=True)
class AccountKey(_Unpickled):
    """The key of an account of the vault: it opens the vault as that account and nobody else.

    Args:
        secret: str, SecretStr, or a callable that gives one when the vault is opened.

    Raises:
        InvalidRequest: it is no key, or a damaged one.
    """

    secret: Given = field(repr=False)

    def __post_init__(self) -> None:
        _keep_text(self, "account_key", _key_violations)

    @staticmethod
    def generate() -> SecretStr:
        """Give a new random key as text: ``sbk_`` and 48 characters, the last of them a checksum."""
        return _new_key()

    def asked(self) -> AccountKey:
        """Give the same with the callable asked.

        Raises:
            VaultLocked: the callable failed; only the class of its exception is told.
            InvalidRequest: it gave something else than a key.
        """
        return AccountKey(_asked("account_key", self.secret, _key_violations))

    def key(self) -> bytes:
        """Give the 32 bytes.

        Raises:
            VaultLocked: the callable failed; only the class of its exception is told.
            InvalidRequest: it gave something else than a key.
        """
        return _decoded(_asked("account_key", self.secret, _key_violations)) or b""


#: Any of the kinds.
Credential: TypeAlias = Passphrase | KeyFile | EnvironmentKey | KeyringKey | ExternalKey | AccountKey
KINDS: Final = (Passphrase, KeyFile, EnvironmentKey, KeyringKey, ExternalKey, AccountKey)


def path_violations(argument: str, path: object) -> list[Violation]:
    """Find what is wrong with a path that a caller gave."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        return [Violation(argument, "is not a path", "give the path of a file")]
    if "\0" in str(cast("object", path)):  # a PathLike of text or bytes
        return [Violation(argument, "holds a NUL character", "give the path of a file")]
    if isinstance(path, str) and "://" in path:
        return [Violation(argument, "is a URL", "this version keeps vaults in files; give a path")]
    return []


def passphrase_violations(argument: str, given: object) -> list[Violation]:
    """Find what is wrong with a passphrase; blanks within it and at its ends are its own."""
    plain = _plain(given)
    if not isinstance(plain, str):
        remedy = "give str, SecretStr or a callable that gives one of them"
        return [Violation(argument, f"is not a text but {type(plain).__name__}", remedy)]
    if not plain.strip():
        return [Violation(argument, "is empty or white space", "give the passphrase")]
    if not plain.isascii() and _SURROGATE.search(plain):
        return [Violation(argument, "holds half of a surrogate pair", "fix where it was decoded")]
    if "\n" in plain or "\r" in plain:
        return [Violation(argument, "holds a line break", "strip what was read from a file")]
    return []


def _key_violations(argument: str, given: object) -> list[Violation]:
    plain = _plain(given)
    if not isinstance(plain, str):
        remedy = "give str, SecretStr or a callable that gives one of them"
        return [Violation(argument, f"is not a text but {type(plain).__name__}", remedy)]
    if _decoded(plain) is None:
        remedy = "give it whole, as it was shown: sbk_ and 48 characters"
        return [Violation(argument, "is no key of a vault, or a damaged one", remedy)]
    return []


def _word_violations(argument: str, given: object, *, more: str = "", longest: int = 1024) -> list[Violation]:
    if not isinstance(given, str) or not given:
        return [Violation(argument, "is not a text, or empty", "give its name")]
    if len(given) > longest:
        return [Violation(argument, f"has {len(given)} characters", f"at most {longest}")]
    if _CONTROL.search(given) or _SURROGATE.search(given) or any(sign in given for sign in more):
        return [Violation(argument, "holds a character that no name has", "give its name")]
    return []


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)


def _plain(given: object) -> object:
    """Give the text of something that tells it when asked to, and anything else as it is."""
    tell: Callable[[], object] | None = getattr(given, "get_secret_value", None)
    return given if tell is None else tell()


def _keep_text(
    credential: Passphrase | AccountKey, argument: str, check: Callable[[str, object], list[Violation]]
) -> None:
    secret: object = credential.secret
    if callable(secret):
        return
    _refuse(check(argument, secret))
    if isinstance(secret, str):
        from secretbridge._models import secret_str

        object.__setattr__(credential, "secret", secret_str()(secret))


def _asked(argument: str, secret: Given, check: Callable[[str, object], list[Violation]]) -> str:
    """Give the text, from the caller's callable where it is one."""
    given: object = secret
    if callable(secret):
        failed = ""
        try:
            given = secret()
        except Exception as error:  # noqa: BLE001 - it may hold the secret: only its class is told
            failed = type(error).__name__
        if failed:
            raise VaultLocked(
                f"The callable given as {argument} raised {failed}.",
                advice="Call it by itself to see the cause.",
            )
        _refuse(check(argument, given))
    return str(_plain(given))


def _new_key() -> SecretStr:
    from base64 import urlsafe_b64encode

    from secretbridge._models import secret_str

    key = os.urandom(_KEY_BYTES)
    return secret_str()("sbk_" + urlsafe_b64encode(key + _checksum(key)).decode())


def _checksum(key: bytes) -> bytes:
    from hashlib import sha256

    return sha256(key).digest()[:4]


def _decoded(text: str) -> bytes | None:
    """Give the 32 bytes in the text of a key, or None where it is none."""
    from base64 import urlsafe_b64decode

    match = _KEY_TEXT.fullmatch(text)
    if match is None:
        return None
    both = urlsafe_b64decode(match[1])
    key = both[:_KEY_BYTES]
    return key if _checksum(key) == both[_KEY_BYTES:] else None


def _held_in(text: str, where: str) -> bytes:
    key = _decoded(text.strip())
    if key is None:
        raise VaultLocked(
            f"{where} holds no key of a vault, or a damaged one.",
            advice="Put the key there whole: sbk_ and 48 characters.",
        )
    return key
