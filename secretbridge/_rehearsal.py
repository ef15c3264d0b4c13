"""A store that is read as it is and takes every change without making it: what a dry run goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge._core import Core
from secretbridge._models import Secret
from secretbridge.errors import Conflict, SecretExists, SecretNotFound, SecretProtected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Target
    from secretbridge._provider import Page, Provider
    from secretbridge.errors import Violation

__all__ = ["rehearsing"]

_UNLOCK: dict[str, Any] = {"protected": False}


def rehearsing(core: Core) -> Core:
    """Give a core over the same store that checks every change as the real one and sends none."""
    return Core(_Rehearsal(core.provider), core.channel)


class _Rehearsal:
    """A provider whose reads are another one's, and whose changes are only looked at.

    What the listing tells is held against a change: whether the secret is there, protected, at its version.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.capabilities = provider.capabilities

    def __repr__(self) -> str:
        return f"a rehearsal of {self._provider!r}"

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:
        return self._provider.check(operation, target, fields)

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        return await self._provider.list_page(channel, cursor, size)

    async def get(self, channel: Channel, target: Target) -> Secret:
        return await self._provider.get(channel, target)

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:  # noqa: ARG002 - the protocol's
        found = await self._named(channel, name)
        if found is not None and found.active is not False:  # over an inactive one, some stores make it anew
            raise SecretExists(
                f"{self.capabilities.title} has a secret named {name!r} already.",
                advice="Use update_secret() to change it or put_secret() to replace it.",
            )
        return Secret(name=name)

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:  # noqa: ARG002 - the protocol's
        found = await self._named(channel, name)
        if found is not None:
            self._refuse_protected(found)
        return Secret(name=name)

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        found = await self._there(channel, target)
        if dict(changes) != _UNLOCK:
            self._refuse_protected(found)
        if if_version is not None and found.version not in {None, if_version}:
            raise Conflict(
                f"{str(target)!r} is at version {found.version}, not {if_version}.",
                advice="Read it, and decide anew.",
            )
        return found

    async def delete(self, channel: Channel, target: Target) -> None:
        self._refuse_protected(await self._there(channel, target))

    async def _named(self, channel: Channel, name: str) -> Secret | None:
        return next((one for one in await self._listed(channel) if one.name == name), None)

    async def _there(self, channel: Channel, target: Target) -> Secret:
        """Give what is there; where the store does not list, take it to be there."""
        if "list" not in self.capabilities.operations:
            return Secret(name=target.name or "", id=target.id)
        for one in await self._listed(channel):
            if target.id == one.id if target.id is not None else target.name == one.name:
                return one
        raise SecretNotFound(
            f"{self.capabilities.title} lists no secret {str(target)!r}.",
            advice="list_secrets() shows what is there.",
        )

    async def _listed(self, channel: Channel) -> list[Secret]:
        if "list" not in self.capabilities.operations:
            return []
        secrets, cursor = await self._provider.list_page(channel, None, 1000)
        while cursor is not None:
            following, cursor = await self._provider.list_page(channel, cursor, 1000)
            secrets = [*secrets, *following]
        return list(secrets)

    def _refuse_protected(self, found: Secret) -> None:
        if found.protected:
            raise SecretProtected(
                f"{found.name!r} is protected in {self.capabilities.title} and accepts no change.",
                advice="Let it be changed first, with update_secret(protected=False), and nothing else in"
                " that call.",
            )
