"""The embedded vault: one encrypted file on this machine."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._embedded import Opening, secret_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Secret, Target
    from secretbridge._provider import Page
    from secretbridge._vault import Vault
    from secretbridge.errors import Violation

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
        self._opening = Opening(location, environment, passphrase=passphrase, key_file=key_file)

    @property
    def store(self) -> str:
        """Which vault and environment this is, symbolic links followed."""
        return f"{self._opening.place} {self.environment}"

    @property
    def environment(self) -> str:
        """The environment that was chosen."""
        return self._opening.environment

    def __repr__(self) -> str:
        return f"Local{self._opening!r}"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("Local is not pickled: it may hold a passphrase; make it where it is used")

    def _open(self) -> Vault:
        """Open the vault; blocks, and costs a key derivation with a passphrase."""
        from secretbridge._vault import Vault

        return self._opening.open(Vault)

    def _vault(self, channel: Channel) -> Vault:
        return channel.opened(self, self._open)

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Give nothing: capabilities say it all."""
        return ()

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Give one page."""
        records, following = await channel.call(lambda: self._vault(channel).list(after=cursor, limit=size))
        return [secret_of(record) for record in records], following

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret with its value."""
        return secret_of(await channel.call(lambda: self._vault(channel).get(name=target.name, id=target.id)))

    async def environments_of(self, channel: Channel, ids: Iterable[str]) -> dict[str, list[str]]:
        """Give the other environments in which secrets have a value, by id."""
        return await channel.call(lambda: self._vault(channel).environments_of(ids))

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create a secret."""
        return secret_of(await channel.call(lambda: self._vault(channel).create(name, fields)), told=False)

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Change exactly the given fields, in one transaction."""
        record = await channel.call(
            lambda: self._vault(channel).update(
                changes, name=target.name, id=target.id, if_version=if_version
            )
        )
        return secret_of(record, told=False)

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create or replace, in one transaction."""
        return secret_of(await channel.call(lambda: self._vault(channel).put(name, fields)), told=False)

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret."""
        await channel.call(partial(self._delete, channel, target))

    def _delete(self, channel: Channel, target: Target) -> None:
        self._vault(channel).delete(name=target.name, id=target.id)
