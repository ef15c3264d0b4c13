"""The embedded vault: one encrypted file on this machine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._models import Secret, secret_str
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Target
    from secretbridge._provider import Page
    from secretbridge._vault import KeyFile, Passphrase, Record, Vault

__all__ = ["Local"]

_NO_TOOLS: Final = "the vault binds nothing to tools; leave this out"
_ALL: Final = frozenset({"value", "description", "active", "protected", "expires_at"})


class Local:
    """The embedded vault, in one environment.

    Args:
        location: the vault's file. By default ``SECRETBRIDGE_VAULT``, else ``vault.db`` in the user's data
            folder. It is created where it is absent.
        environment: development, test, staging or production. Each has values of its own.
        passphrase: opens the vault, through Argon2id; as str, SecretStr, or a callable that gives one when
            the vault is opened.
        key_file: opens the vault; created with mode 0600 where both it and the vault are absent. By default
            ``vault.key`` in the user's configuration folder.

    Raises:
        InvalidRequest: both credentials are given, or an argument is malformed.
    """

    capabilities: Capabilities = Capabilities(
        provider="local",
        title="the vault",
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=_ALL,
        update=_ALL | {"new_name"},
        clear=frozenset({"description", "expires_at"}),
        why_not=MappingProxyType(
            {"tool_name": _NO_TOOLS, "tool_arg": _NO_TOOLS, "default_for_tool": _NO_TOOLS}
        ),
        addressed_by=MappingProxyType({"get": "either", "update": "either", "delete": "either"}),
        name=Limit(min_length=1, max_length=1024),
        limits=MappingProxyType(
            {"value": Limit(max_length=16_777_216), "description": Limit(max_length=65_536)}
        ),
        list_tells=_ALL - {"value"},
        get_tells=_ALL,
        compare_and_set=True,
        notes=MappingProxyType(
            {
                "active": "an inactive secret is listed but not handed out",
                "protected": "accepts no change but protected=False",
                "environments": "one file holds four environments; the connection chooses one",
            }
        ),
    )

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        environment: str = "development",
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        key_file: str | os.PathLike[str] | None = None,
    ) -> None:
        wrong: list[Violation] = []
        if passphrase is not None and key_file is not None:
            wrong.append(Violation("passphrase", "and key_file are given together", "give one of the two"))
        if isinstance(passphrase, str) and not passphrase:
            wrong.append(Violation("passphrase", "is empty", "give the passphrase"))
        elif passphrase is not None and not (
            isinstance(passphrase, str) or callable(passphrase) or hasattr(passphrase, "get_secret_value")
        ):
            wrong.append(Violation("passphrase", "is not a text", "give str, SecretStr or a callable"))
        for argument, path in (("location", location), ("key_file", key_file)):
            wrong += _path_violations(argument, path)
        if not isinstance(environment, str) or not environment:
            wrong.append(Violation("environment", "is not a name", "for example production"))
        if wrong:
            raise InvalidRequest(violations=wrong)
        self._location = None if location is None else Path(location)
        self._environment = environment
        self._key_file = None if key_file is None else Path(key_file)
        self._passphrase = _wrapped(passphrase) if isinstance(passphrase, str) else passphrase

    def __repr__(self) -> str:
        location = None if self._location is None else str(self._location)
        return f"Local({location!r}, {self._environment!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("Local is not pickled: it may hold a passphrase; make it where it is used")

    def _open(self) -> Vault:
        """Open the vault; blocks, and costs a key derivation with a passphrase."""
        from secretbridge._vault import KeyFile, Passphrase, Vault, default_key_file, default_location

        credential: KeyFile | Passphrase
        if self._passphrase is None:
            credential = KeyFile(self._key_file or default_key_file())
        else:
            asked = self._passphrase() if callable(self._passphrase) else self._passphrase
            credential = Passphrase(_wrapped(asked))
        return Vault.open(
            self._location or default_location(), environment=self._environment, credential=credential
        )

    def _vault(self, channel: Channel) -> Vault:
        return channel.opened(self, self._open)

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Give nothing: capabilities say it all."""
        return ()

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Give one page."""
        records, following = await channel.call(lambda: self._vault(channel).list(after=cursor, limit=size))
        return [_secret(record) for record in records], following

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret with its value."""
        return _secret(await channel.call(lambda: self._vault(channel).get(name=target.name, id=target.id)))

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create a secret."""
        return _secret(await channel.call(lambda: self._vault(channel).create(name, fields)), told=False)

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Change exactly the given fields, in one transaction."""
        record = await channel.call(
            lambda: self._vault(channel).update(
                changes, name=target.name, id=target.id, if_version=if_version
            )
        )
        return _secret(record, told=False)

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create or replace, in one transaction."""
        return _secret(await channel.call(lambda: self._vault(channel).put(name, fields)), told=False)

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret."""
        await channel.call(partial(self._delete, channel, target))

    def _delete(self, channel: Channel, target: Target) -> None:
        self._vault(channel).delete(name=target.name, id=target.id)


def _secret(record: Record, *, told: bool = True) -> Secret:
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


def _path_violations(argument: str, path: object) -> list[Violation]:
    if path is None:
        return []
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        return [Violation(argument, "is not a path", "give the path of a file")]
    if isinstance(path, str) and "://" in path:
        return [Violation(argument, "is a URL", "this version keeps vaults in files; give a path")]
    return []
