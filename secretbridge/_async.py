"""The awaited face: each verb awaits the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Self

from secretbridge._connect import DEFAULT_RETRY, DEFAULT_TIMEOUT, connected, reconnected
from secretbridge._runtime import AsyncRuntime
from secretbridge._unset import UNSET, Unset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    import httpx  # noqa: TID251 - for type checkers alone
    from pydantic import SecretStr

    from secretbridge._capabilities import Capabilities
    from secretbridge._connect import Pace
    from secretbridge._models import Retry, Secret, Timeout
    from secretbridge._provider import Provider

__all__ = ["AsyncSecretBridge"]


class AsyncSecretBridge:
    """The same verbs over one provider, awaited; on asyncio and trio, safe with many tasks.

    Args:
        provider: which store, with which credential.
        timeout: seconds for each step of an exchange, a ``Timeout``, or None to wait for ever. By default
            5 to connect, 30 for every other step.
        retry: when an exchange is repeated; None repeats nothing.
        pace: ``"provider"`` keeps to the provider's known rate, a number to so many requests a minute, None
            sends at once.
        transport: an ``httpx.AsyncBaseTransport`` to send through, for mutual TLS or tests.

    Raises:
        InvalidRequest: an option is malformed.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        timeout: float | Timeout | None = DEFAULT_TIMEOUT,
        retry: Retry | None = DEFAULT_RETRY,
        pace: Pace = "provider",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._core = connected(provider, AsyncRuntime(transport), timeout, retry, pace)

    async def update_secret(
        self,
        name: str | None = None,
        *,
        id: str | None = None,
        new_name: str | Unset | None = UNSET,
        value: str | SecretStr | Unset | None = UNSET,
        description: str | Unset | None = UNSET,
        active: bool | Unset | None = UNSET,
        protected: bool | Unset | None = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        tool_name: str | Unset | None = UNSET,
        tool_arg: str | Unset | None = UNSET,
        default_for_tool: bool | Unset | None = UNSET,
        extra: Mapping[str, object] | Unset | None = UNSET,
        if_version: int | None = None,
        allow_one_way: bool = False,
        verify: bool = False,
    ) -> Secret:
        """Change exactly the given fields of a secret.

        A field left out stays as it is, None clears it, a value sets it. What this provider cannot do is
        refused before anything is sent, all of it at once.

        Args:
            name: the secret's name; or give ``id``.
            id: the provider's id of the secret.
            new_name: the name it is to have.
            value: the new value; limits in code points are in ``capabilities``.
            description: free text.
            active: whether the provider hands the value out. A secret that is inactive or expired stays so
                when its value alone is updated.
            protected: whether the secret refuses changes.
            expires_at: when it ceases to be handed out; with a time zone. A time in the past is allowed
                and ends the secret at once.
            tool_name: the tool it is bound to (io.net).
            tool_arg: the tool's argument it fills (io.net).
            default_for_tool: whether the tool uses it by default (io.net).
            extra: further fields of providers from other packages.
            if_version: change only if the secret is at this version, else Conflict (local vault).
            allow_one_way: consent to a change that the provider cannot take back.
            verify: read back what can be read; ``Secret.verified`` then says True, False, or None where
                the store cannot tell.

        Returns:
            The secret as far as the provider tells it; where it was named by an id alone and the name is not
            told, ``name`` is "".

        Raises:
            InvalidRequest: the call cannot be carried out here; nothing was sent.
            SecretNotFound: there is no such secret.
            AmbiguousSecret: several bear the name; ``ids`` names them.
            SecretBridgeError: anything else; ``applied`` says whether the change was made.
        """
        return await self._core.update(
            name,
            id,
            {
                "new_name": new_name,
                "value": value,
                "description": description,
                "active": active,
                "protected": protected,
                "expires_at": expires_at,
                "tool_name": tool_name,
                "tool_arg": tool_arg,
                "default_for_tool": default_for_tool,
                "extra": extra,
            },
            if_version=if_version,
            allow_one_way=allow_one_way,
            verify=verify,
        )

    async def get_secret(
        self, name: str | None = None, *, id: str | None = None, metadata: bool = True
    ) -> Secret:
        """Give one secret, with its value where the provider tells values.

        Args:
            name: the secret's name; or give ``id``.
            id: the provider's id of the secret.
            metadata: ask for the fields beside the value too. Wix and InsForge tell them in the listing
                alone; False saves that request and leaves them None.

        Raises:
            InvalidRequest: the call cannot be carried out here; nothing was sent.
            SecretNotFound: there is no such secret, or it is not handed out (inactive).
            SecretExpired: its expiry has passed (local vault).
            SecretBridgeError: anything else.
        """
        return await self._core.get(name, id, metadata=metadata)

    async def create_secret(
        self,
        name: str,
        *,
        value: str | SecretStr,
        description: str | Unset | None = UNSET,
        active: bool | Unset | None = UNSET,
        protected: bool | Unset | None = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        tool_name: str | Unset | None = UNSET,
        tool_arg: str | Unset | None = UNSET,
        default_for_tool: bool | Unset | None = UNSET,
        extra: Mapping[str, object] | Unset | None = UNSET,
        allow_one_way: bool = False,
    ) -> Secret:
        """Make a new secret; a field left out, or None, is the provider's default.

        Args:
            name: its name; limits are in ``capabilities``.
            value: its value.
            description: free text.
            active: whether the provider hands the value out.
            protected: whether the secret refuses changes.
            expires_at: when it ceases to be handed out; with a time zone.
            tool_name: the tool it is bound to (io.net).
            tool_arg: the tool's argument it fills (io.net).
            default_for_tool: whether the tool uses it by default (io.net).
            extra: further fields of providers from other packages.
            allow_one_way: consent to what the provider cannot take back.

        Raises:
            InvalidRequest: the call cannot be carried out here; nothing was sent.
            SecretExists: the name is taken.
            SecretBridgeError: anything else; ``applied`` says whether it was made. Where that is None on
                io.net, list before you repeat: a second try makes a second secret of the same name.
        """
        return await self._core.create(
            name,
            {
                "value": value,
                "description": description,
                "active": active,
                "protected": protected,
                "expires_at": expires_at,
                "tool_name": tool_name,
                "tool_arg": tool_arg,
                "default_for_tool": default_for_tool,
                "extra": extra,
            },
            allow_one_way=allow_one_way,
        )

    async def put_secret(
        self,
        name: str,
        *,
        value: str | SecretStr,
        description: str | Unset | None = UNSET,
        active: bool | Unset | None = UNSET,
        protected: bool | Unset | None = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        tool_name: str | Unset | None = UNSET,
        tool_arg: str | Unset | None = UNSET,
        default_for_tool: bool | Unset | None = UNSET,
        extra: Mapping[str, object] | Unset | None = UNSET,
        allow_one_way: bool = False,
    ) -> Secret:
        """Create a secret, or replace it as if newly created.

        Fields left out, or None, return to the provider's default. Where an existing secret has a field that
        cannot be reset (a tool binding on io.net), it is refused: use ``update_secret``.

        Args:
            name: its name; limits are in ``capabilities``.
            value: its value.
            description: free text.
            active: whether the provider hands the value out.
            protected: whether the secret refuses changes.
            expires_at: when it ceases to be handed out; with a time zone.
            tool_name: the tool it is bound to (io.net).
            tool_arg: the tool's argument it fills (io.net).
            default_for_tool: whether the tool uses it by default (io.net).
            extra: further fields of providers from other packages.
            allow_one_way: consent to what the provider cannot take back.

        Raises:
            InvalidRequest: the call cannot be carried out here; nothing was sent.
            AmbiguousSecret: several secrets bear the name; ``ids`` names them.
            SecretBridgeError: anything else; ``applied`` says whether it was done.
        """
        return await self._core.put(
            name,
            {
                "value": value,
                "description": description,
                "active": active,
                "protected": protected,
                "expires_at": expires_at,
                "tool_name": tool_name,
                "tool_arg": tool_arg,
                "default_for_tool": default_for_tool,
                "extra": extra,
            },
            allow_one_way=allow_one_way,
        )

    async def delete_secret(
        self, name: str | None = None, *, id: str | None = None, missing_ok: bool = False
    ) -> None:
        """Delete a secret; at io.net and Wix for good.

        Args:
            name: the secret's name; or give ``id``.
            id: the provider's id of the secret.
            missing_ok: take it as done where there is no such secret.

        Raises:
            InvalidRequest: the call cannot be carried out here; nothing was sent.
            SecretNotFound: there is no such secret, unless ``missing_ok``.
            AmbiguousSecret: several bear the name; ``ids`` names them.
            SecretBridgeError: anything else; ``applied`` says whether it was deleted.
        """
        await self._core.delete(name, id, missing_ok=missing_ok)

    async def list_secrets(self) -> list[Secret]:
        """Give all secrets, without their values.

        Raises:
            UnsupportedOperation: the provider has no listing.
            SecretBridgeError: it failed.
        """
        return await self._core.list()

    async def iter_secrets(self, *, page_size: int = 100) -> AsyncIterator[Secret]:
        """Give all secrets one by one, without their values, in bounded memory where the provider has pages.

        Args:
            page_size: secrets to ask for at a time, 1 to 10,000; of effect on the local vault alone.

        Raises:
            UnsupportedOperation: the provider has no listing.
            SecretBridgeError: it failed.
        """
        cursor: str | None = None
        while True:
            page, cursor = await self._core.page(cursor, page_size)
            for secret in page:
                yield secret
            if cursor is None:
                return

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do; as text, a table."""
        return self._core.capabilities

    def with_options(
        self,
        *,
        timeout: float | Timeout | Unset | None = UNSET,
        retry: Retry | Unset | None = UNSET,
        pace: Pace | Unset = UNSET,
    ) -> AsyncSecretBridge:
        """Give a bridge with other options over the same connections; this one stays as it is.

        Args:
            timeout: as at the start; left out, it stays.
            retry: as at the start; left out, it stays.
            pace: as at the start; left out, it stays.

        Raises:
            InvalidRequest: an option is malformed.
        """
        other = object.__new__(AsyncSecretBridge)
        other._core = reconnected(self._core, timeout, retry, pace)
        return other

    def rehearsal(self) -> AsyncSecretBridge:
        """Give a bridge over the same store that checks every change and sends none: a dry run.

        It refuses what this one would refuse before sending, and what the store's listing shows to be in the
        way: no such secret, one of that name already, one that is protected or at another version. Rules
        that a store keeps to itself come up only when the change is made. Reads are real.
        """
        from secretbridge._rehearsal import rehearsing

        other = object.__new__(AsyncSecretBridge)
        other._core = rehearsing(self._core)
        return other

    async def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        from anyio import CancelScope

        with CancelScope(shield=True):  # a cancelled task must not leave a vault or a socket open
            await self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncSecretBridge({self._core.provider!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a AsyncSecretBridge is not pickled: it holds a credential; open it where it is used")
