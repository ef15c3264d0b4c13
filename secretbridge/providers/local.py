"""The embedded vault: one encrypted file on this machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from secretbridge._checks import refuse
from secretbridge._embedded import Opening, secret_of
from secretbridge._embedded_capabilities import CAPABILITIES, write_violations

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from pydantic import SecretStr

    from secretbridge._capabilities import Capabilities
    from secretbridge._channel import Channel
    from secretbridge._credentials import Credential
    from secretbridge._models import Fields, Operation, Secret, Target, Write
    from secretbridge._provider import Page
    from secretbridge._trail import AuditHead
    from secretbridge._vault import Vault
    from secretbridge.errors import SecretBridgeError, Violation

__all__ = ["Local"]


class Local:
    """The embedded vault, in one environment.

    Beyond the verbs there are ``read_many`` and ``write_many``: one transaction for any number of secrets.

    Args:
        location: the vault's file, or ``postgresql://…`` (docs/postgresql.md). By default
            ``SECRETBRIDGE_VAULT``, else ``vault.db`` in the user's data folder. It is created where it is
            absent.
        environment: development, test, staging or production. Each has values of its own.
        passphrase: opens the vault, through Argon2id; as str, SecretStr, or a callable that gives one when
            the vault is opened.
        key_file: opens the vault; created with mode 0600 where both it and the vault are absent. By default
            ``vault.key`` in the user's configuration folder.
        credential: opens the vault: a Passphrase, KeyFile, EnvironmentKey, KeyringKey or ExternalKey.
        account_key: opens the vault as one of its accounts; as str, SecretStr, or a callable that gives one.
        expect_head: what ``Vault.audit_head()`` gave earlier, or its ``str()``. The vault that is opened must
            continue this trail, else VaultDamaged: an older copy was put in its place.

    Raises:
        InvalidRequest: several credentials are given, or an argument is malformed.
    """

    capabilities: Capabilities = CAPABILITIES

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        environment: str = "development",
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        credential: Credential | None = None,
        account_key: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        expect_head: AuditHead | str | None = None,
    ) -> None:
        self._opening = Opening(
            location,
            environment,
            passphrase=passphrase,
            key_file=key_file,
            credential=credential,
            account_key=account_key,
            expect_head=expect_head,
        )

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
        return await channel.call(lambda: self.get_blocking(channel, *target))

    def get_blocking(self, channel: Channel, name: str | None, id: str | None) -> Secret:
        """Give one secret with its value, without a coroutine: this is every get of the blocking face."""
        return secret_of(self._vault(channel).get(name=name, id=id))

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
        return await channel.call(lambda: self.update_blocking(channel, *target, changes, if_version))

    def update_blocking(
        self, channel: Channel, name: str | None, id: str | None, changes: Fields, if_version: int | None
    ) -> Secret:
        """Change exactly the given fields, without a coroutine: this is every update of the blocking face."""
        record = self._vault(channel).update(changes, name=name, id=id, if_version=if_version)
        return secret_of(record, told=False)

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create or replace, in one transaction."""
        return secret_of(await channel.call(lambda: self._vault(channel).put(name, fields)), told=False)

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret."""
        await channel.call(partial(self._delete, channel, target))

    def _delete(self, channel: Channel, target: Target) -> None:
        self._vault(channel).delete(name=target.name, id=target.id)

    async def read_many(self, channel: Channel, names: Iterable[str]) -> list[Secret]:
        """Give many secrets with their values, in the order asked for, as they were at one moment.

        Raises:
            SecretNotFound: one of them is not there, or inactive.
            SecretExpired: the expiry of one has passed.
            VaultError: the vault cannot be read.
        """
        listed = list(names)
        records = await channel.call(lambda: self._vault(channel).read_many(listed))
        return [secret_of(record) for record in records]

    async def write_many(self, channel: Channel, writes: Iterable[tuple[str, SecretStr | None]]) -> None:
        """Apply many changes in one transaction: all of them or none.

        Args:
            channel: how to wait.
            writes: name and value, in the order in which they are to count, as put_secret() does; None
                deletes, and what is not there is then no error.

        Raises:
            InvalidRequest: something is wrong with the writes; nothing was written.
            SecretLocked: one of the secrets is protected; nothing was written.
            VaultError: anything else; ``applied`` speaks of all writes together.
        """
        listed = list(writes)
        refuse(self.capabilities, "put", write_violations(listed))
        await channel.call(lambda: self._vault(channel).write_many(listed))

    async def change_many(
        self, channel: Channel, writes: Sequence[Write]
    ) -> list[Secret | SecretBridgeError]:
        """Create and change secrets of different names in one transaction.

        What is refused is given as the error that says why; the others stand. Names and fields are core's to
        check.

        Raises:
            VaultError: the transaction failed; ``applied`` speaks of all writes together.
        """
        listed = list(writes)
        found = await channel.call(lambda: self._vault(channel).change_many(listed))
        return [one if isinstance(one, Exception) else secret_of(one, told=False) for one in found]

    async def identity(self, channel: Channel) -> tuple[str, str]:
        """Give which vault this is, by whichever way it is reached, and how far its audit trail goes."""
        if self._opening.file() is not None:
            return self.store, ""  # a path leads to one file; a copy of it is another vault
        vault, head = await channel.call(lambda: self._vault(channel).identity())
        return f"postgresql {vault} {self._opening.schema} {self.environment}", head

    async def denied(self, channel: Channel, wanted: Iterable[tuple[Operation, str]]) -> list[str]:
        """Say why the account may not do this to these names, in order; "" where it may."""
        listed = list(wanted)
        return await channel.call(lambda: self._vault(channel).denied(listed))
