"""``--dry-run``: the library checks a call as ever, against a store that only listens.

What is checked is what the store's capabilities say, and that the secret is there where the store can be listed.
Rules that a store keeps to itself come up only when it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge.errors import SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge import Capabilities, Secret, SecretBridge
    from secretbridge.errors import Violation

__all__ = ["rehearsed"]


def rehearsed(bridge: SecretBridge) -> SecretBridge:
    """Give a bridge with the same capabilities that changes nothing; the real one lists for it."""
    from secretbridge import SecretBridge as Bridge

    return Bridge(_Listener(bridge))


class _Listener:
    """A provider that lists what is really there and takes every change without making it."""

    def __init__(self, bridge: SecretBridge) -> None:
        self._bridge = bridge

    @property
    def capabilities(self) -> Capabilities:
        return self._bridge.capabilities

    def check(self, operation: str, target: Any, fields: Any) -> Iterable[Violation]:  # noqa: ANN401, ARG002 - the protocol's own types are not public
        return ()

    async def list_page(self, channel: object, cursor: str | None, size: int) -> tuple[list[Secret], None]:  # noqa: ARG002 - as above
        return self._bridge.list_secrets(), None

    async def get(self, channel: object, target: Any) -> Secret:  # noqa: ANN401, ARG002 - as above
        return self._found(target)

    async def create(self, channel: object, name: str, fields: Any) -> Secret:  # noqa: ANN401, ARG002 - as above
        return self._made(name)

    async def put(self, channel: object, name: str, fields: Any) -> Secret:  # noqa: ANN401, ARG002 - as above
        return self._made(name)

    async def update(
        self,
        channel: object,
        target: Any,
        changes: Any,
        *,
        if_version: int | None = None,  # noqa: ARG002 - as above
    ) -> Secret:
        return self._found(target)

    async def delete(self, channel: object, target: Any) -> None:  # noqa: ANN401, ARG002 - as above
        self._found(target)

    def _made(self, name: str) -> Secret:
        from secretbridge import Secret

        return Secret(name=name)

    def _found(self, target: Any) -> Secret:  # noqa: ANN401 - as above
        from secretbridge import Secret

        if "list" in self.capabilities.operations:
            for secret in self._bridge.iter_secrets():
                if target.id == secret.id if target.id is not None else target.name == secret.name:
                    return secret
            raise SecretNotFound(
                f"The store lists no secret {str(target)!r}.", advice="list_secrets() shows what is there."
            )
        return Secret(name=target.name or "", id=target.id)
