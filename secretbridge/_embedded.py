"""The embedded vault as ``Local`` and ``Vault`` reach it: their arguments, checked, and records as secrets.

The vault's code loads when a vault is opened, not before.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from secretbridge._credentials import KINDS, AccountKey, KeyFile, Passphrase, path_violations
from secretbridge._location import PostgresUrl, is_postgres
from secretbridge._models import Secret, secret_str
from secretbridge._trail import AuditHead
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from secretbridge._credentials import Credential
    from secretbridge._vault import Record, Vault

__all__ = ["Opening", "path_violations", "place_of", "secret_of"]

V = TypeVar("V", bound="Vault")

_NEW: Final = object.__new__
_SET: Final = object.__setattr__
_NUMBERS: Final = ("", "", "two", "three", "four")


class Opening:
    """Which vault to open, in which environment and by which credential; opens nothing by itself.

    Args:
        location: the vault's file, or a URL of PostgreSQL, or None for the default place.
        environment: one of the vault's environments.
        passphrase: str, SecretStr, or a callable that gives one when the vault is opened.
        key_file: the path of a key file.
        credential: any credential.
        account_key: the key of an account. Without any of these four, the default key file opens it.
        expect_head: the vault must continue the audit trail that this anchor was taken from.

    Raises:
        InvalidRequest: several credentials are given, or an argument is malformed.
    """

    __slots__ = ("_credential", "_environment", "_expect_head", "_location")

    def __init__(
        self,
        location: str | os.PathLike[str] | None,
        environment: str,
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None,
        key_file: str | os.PathLike[str] | None,
        credential: Credential | None = None,
        account_key: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        expect_head: AuditHead | str | None = None,
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
        place: Path | PostgresUrl | None = None
        if location is not None:
            try:
                place = place_of(location)
            except InvalidRequest as refused:
                wrong += refused.violations
        if not isinstance(environment, str) or not environment:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            wrong.append(Violation("environment", "is not a name", "for example production"))
        self._expect_head = _head(expect_head, wrong)
        self._credential: Credential | None = None
        for argument in several:
            made = _credential(argument, given[argument], wrong)
            self._credential = self._credential or made
        if wrong:
            raise InvalidRequest(violations=wrong)
        self._location = place
        self._environment = environment

    def __repr__(self) -> str:
        location = None if self._location is None else str(self._location)
        return f"({location!r}, {self._environment!r})"

    @property
    def place(self) -> str:
        """Where the vault is: its file, symbolic links followed, or its URL without credentials."""
        from secretbridge._vault import default_location

        location = self._location or default_location()
        return str(location) if isinstance(location, PostgresUrl) else os.path.realpath(location.expanduser())

    def file(self) -> Path | None:
        """Give the vault's file, be it there or not; None where the vault is on PostgreSQL."""
        from secretbridge._vault import default_location

        location = self._location or default_location()
        return None if isinstance(location, PostgresUrl) else location

    def key_file(self) -> Path | None:
        """Give the key file that opens the vault, be it there or not; None where something else does."""
        from secretbridge._vault import default_key_file

        credential = self._credential or KeyFile(default_key_file())
        return Path(credential.path) if isinstance(credential, KeyFile) else None

    @property
    def schema(self) -> str:
        """The schema of a vault on PostgreSQL; "" for a file."""
        from secretbridge._vault import default_location

        location = self._location or default_location()
        return location.schema if isinstance(location, PostgresUrl) else ""

    @property
    def environment(self) -> str:
        """The environment that was chosen."""
        return self._environment

    def open(self, kind: type[V]) -> V:
        """Open the vault as this class; blocks, and costs a key derivation with a passphrase."""
        from secretbridge._vault import default_key_file, default_location

        credential = self._credential or KeyFile(default_key_file())
        if isinstance(credential, Passphrase | AccountKey):
            credential = credential.asked()  # before anything is locked: somebody may have to type it
        return kind.open(
            self._location or default_location(),
            environment=self._environment,
            credential=credential,
            expect_head=self._expect_head,
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
    secret = _NEW(Secret)
    fields: dict[str, object] = {
        "name": record.name,
        "id": record.id,
        "value": secret_str()(record.value) if told and record.value is not None else None,
        "description": record.description,
        "active": record.active,
        "protected": record.protected,
        "expires_at": record.expires_at,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "version": record.version,
        "extra": {},
    }
    _SET(secret, "__dict__", fields)  # as Secret's own __init__ does, without its checks: this is every get
    return secret


def _head(given: AuditHead | str | None, wrong: list[Violation]) -> AuditHead | None:
    if given is None or isinstance(given, AuditHead):
        return given
    with suppress(InvalidRequest):
        return AuditHead.parse(given)
    remedy = "give what audit_head() gave, or its str()"
    wrong.append(Violation("expect_head", "is not an audit head", remedy))
    return None


def place_of(location: object, argument: str = "location") -> Path | PostgresUrl:
    """Give the file, or the schema on PostgreSQL, that a caller named.

    Raises:
        InvalidRequest: it is neither.
    """
    if isinstance(location, str) and is_postgres(location):
        return PostgresUrl(location)
    if wrong := path_violations(argument, location):
        raise InvalidRequest(violations=wrong)
    return Path(location)  # type: ignore[arg-type]  # seen to be a path
