"""The embedded vault as ``Local`` and ``Vault`` reach it: their arguments, checked, and records as secrets.

The vault's code loads when a vault is opened, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from secretbridge._credentials import KINDS, AccountKey, KeyFile, Passphrase, path_violations
from secretbridge._models import Secret, secret_str
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from pydantic import SecretStr

    from secretbridge._credentials import Credential
    from secretbridge._vault import Record, Vault

__all__ = ["Opening", "path_violations", "secret_of"]

V = TypeVar("V", bound="Vault")

_NUMBERS: Final = ("", "", "two", "three", "four")


class Opening:
    """Which vault to open, in which environment and by which credential; opens nothing by itself.

    Args:
        location: the vault's file, or None for the default place.
        environment: one of the vault's environments.
        passphrase: str, SecretStr, or a callable that gives one when the vault is opened.
        key_file: the path of a key file.
        credential: any credential.
        account_key: the key of an account. Without any of these four, the default key file opens it.

    Raises:
        InvalidRequest: several credentials are given, or an argument is malformed.
    """

    __slots__ = ("_credential", "_environment", "_location")

    def __init__(
        self,
        location: str | os.PathLike[str] | None,
        environment: str,
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None,
        key_file: str | os.PathLike[str] | None,
        credential: Credential | None = None,
        account_key: str | SecretStr | Callable[[], str | SecretStr] | None = None,
    ) -> None:
        wrong: list[Violation] = []
        given = {
            "passphrase": passphrase,
            "key_file": key_file,
            "credential": credential,
            "account_key": account_key,
        }
        several = [argument for argument, each in given.items() if each is not None]
        if len(several) > 1:
            together = f"and {' and '.join(several[1:])} are given together"
            wrong.append(Violation(several[0], together, f"give one of the {_NUMBERS[len(several)]}"))
        if location is not None:
            wrong += path_violations("location", location)
        if not isinstance(environment, str) or not environment:
            wrong.append(Violation("environment", "is not a name", "for example production"))
        self._credential: Credential | None = None
        for argument in several:
            made = _credential(argument, given[argument], wrong)
            self._credential = self._credential or made
        if wrong:
            raise InvalidRequest(violations=wrong)
        self._location = None if location is None else Path(location)
        self._environment = environment

    def __repr__(self) -> str:
        location = None if self._location is None else str(self._location)
        return f"({location!r}, {self._environment!r})"

    def open(self, kind: type[V]) -> V:
        """Open the vault as this class; blocks, and costs a key derivation with a passphrase."""
        from secretbridge._vault import default_key_file, default_location

        credential = self._credential or KeyFile(default_key_file())
        if isinstance(credential, Passphrase | AccountKey):
            credential = credential.asked()  # before anything is locked: somebody may have to type it
        return kind.open(
            self._location or default_location(), environment=self._environment, credential=credential
        )


def _credential(argument: str, given: object, wrong: list[Violation]) -> Credential | None:
    """Make the credential that an argument means; what is wrong with it goes to the list."""
    if isinstance(given, KINDS):
        return given
    kinds: dict[str, Callable[[Any], Credential]] = {
        "passphrase": Passphrase,
        "key_file": KeyFile,
        "account_key": AccountKey,
    }
    try:
        if argument in kinds:
            return kinds[argument](given)
    except InvalidRequest as refused:
        wrong += refused.violations
        return None
    wrong.append(Violation(argument, "is no credential", "for example Passphrase(...) or KeyFile(...)"))
    return None


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
