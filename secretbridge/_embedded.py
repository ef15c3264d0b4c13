"""The embedded vault as ``Local`` and ``Vault`` reach it: their arguments, checked, and records as secrets.

The vault's code loads when a vault is opened, not before.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from secretbridge._models import Secret, secret_str
from secretbridge.errors import InvalidRequest, VaultLocked, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from secretbridge._vault import KeyFile, Passphrase, Record, Vault

__all__ = ["Opening", "path_violations", "secret_of"]

V = TypeVar("V", bound="Vault")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Opening:
    """Which vault to open, in which environment and by which credential; opens nothing by itself.

    Args:
        location: the vault's file, or None for the default place.
        environment: one of the vault's environments.
        passphrase: str, SecretStr, or a callable that gives one when the vault is opened.
        key_file: the path of a key file; without it and a passphrase, the default one.

    Raises:
        InvalidRequest: both credentials are given, or an argument is malformed.
    """

    __slots__ = ("_environment", "_key_file", "_location", "_passphrase")

    def __init__(
        self,
        location: str | os.PathLike[str] | None,
        environment: str,
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None,
        key_file: str | os.PathLike[str] | None,
    ) -> None:
        wrong: list[Violation] = []
        if passphrase is not None and key_file is not None:
            wrong.append(Violation("passphrase", "and key_file are given together", "give one of the two"))
        if passphrase is not None and not callable(passphrase):
            wrong += _passphrase_violations(passphrase)
        for argument, path in (("location", location), ("key_file", key_file)):
            if path is not None:
                wrong += path_violations(argument, path)
        if not isinstance(environment, str) or not environment:
            wrong.append(Violation("environment", "is not a name", "for example production"))
        if wrong:
            raise InvalidRequest(violations=wrong)
        self._location = None if location is None else Path(location)
        self._environment = environment
        self._key_file = None if key_file is None else Path(key_file).expanduser()
        self._passphrase = _wrapped(passphrase) if isinstance(passphrase, str) else passphrase

    def __repr__(self) -> str:
        location = None if self._location is None else str(self._location)
        return f"({location!r}, {self._environment!r})"

    def location(self) -> Path:
        """Give the vault's file, be it there or not."""
        from secretbridge._vault import default_location

        return self._location or default_location()

    def open(self, kind: type[V]) -> V:
        """Open the vault as this class; blocks, and costs a key derivation with a passphrase."""
        from secretbridge._vault import KeyFile, Passphrase, default_key_file, default_location

        credential: KeyFile | Passphrase
        if self._passphrase is None:
            credential = KeyFile(self._key_file or default_key_file())
        else:
            credential = Passphrase(_wrapped(_asked(self._passphrase)))
        return kind.open(
            self._location or default_location(), environment=self._environment, credential=credential
        )


def secret_of(record: Record, *, told: bool = True) -> Secret:
    """Give what the vault tells; a write tells no value, as at the other providers."""
    return Secret(
        id=record.id,
        name=record.name,
        value=_wrapped(record.value) if told and record.value is not None else None,
        description=record.description,
        active=record.active,
        protected=record.protected,
        expires_at=record.expires_at,
        created_at=record.created_at,
        updated_at=record.updated_at,
        version=record.version,
    )


def _wrapped(value: str | SecretStr) -> SecretStr:
    return secret_str()(value) if isinstance(value, str) else value


def _passphrase_violations(passphrase: object) -> list[Violation]:
    """Find what is wrong with a passphrase; blanks within it and at its ends are its own."""
    wrapped = isinstance(passphrase, secret_str()) if not isinstance(passphrase, str) else False
    plain = passphrase.get_secret_value() if wrapped else passphrase  # type: ignore[attr-defined]  # a SecretStr
    if not isinstance(plain, str):
        remedy = "give str, SecretStr or a callable that gives one of them"
        return [Violation("passphrase", f"is not a text but {type(plain).__name__}", remedy)]
    if not plain.strip():
        return [Violation("passphrase", "is empty or white space", "give the passphrase")]
    if not plain.isascii() and _SURROGATE.search(plain):
        return [Violation("passphrase", "holds half of a surrogate pair", "fix where it was decoded")]
    if "\n" in plain or "\r" in plain:
        return [Violation("passphrase", "holds a line break", "strip what was read from a file")]
    return []


def _asked(passphrase: SecretStr | Callable[[], str | SecretStr]) -> str | SecretStr:
    """Give the passphrase, from the caller's callable where it is one.

    Raises:
        VaultLocked: the callable failed; only the class of its exception is told.
        InvalidRequest: it gave something else than a passphrase.
    """
    if not callable(passphrase):
        return passphrase
    failed = ""
    given: str | SecretStr = ""
    try:
        given = passphrase()
    except Exception as error:  # noqa: BLE001 - it may hold the passphrase: only its class is told
        failed = type(error).__name__
    if failed:
        raise VaultLocked(
            f"The callable given as passphrase raised {failed}.", advice="Call it by itself to see the cause."
        )
    if wrong := _passphrase_violations(given):
        raise InvalidRequest(violations=wrong)
    return given


def path_violations(argument: str, path: object) -> list[Violation]:
    """Find what is wrong with a path that a caller gave."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        return [Violation(argument, "is not a path", "give the path of a file")]
    if "\0" in str(path):
        return [Violation(argument, "holds a NUL character", "give the path of a file")]
    if isinstance(path, str) and "://" in path:
        return [Violation(argument, "is a URL", "this version keeps vaults in files; give a path")]
    return []
