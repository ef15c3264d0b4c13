"""``--dry-run``: the library checks a call as ever, against a store that only listens.

What is checked is what the store's capabilities say, and that the secret is there where the store can be
listed. Rules that a store keeps to itself come up only when it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secretbridge import Capabilities, Secret, SecretBridge

__all__ = ["rehearsed"]


def rehearsed(bridge: SecretBridge) -> SecretBridge:
    """Give a bridge with the same capabilities that changes nothing; the real one lists for it."""
    from secretbridge import SecretBridge as Bridge

    return Bridge(_Listener(bridge))


class _Listener:
    """A provider that lists what is really there and takes every change without making it."""

    # Any: the types of the protocol's arguments are not public.

    def __init__(self, bridge: SecretBridge) -> None:
        self._bridge = bridge

    @property
    def capabilities(self) -> Capabilities:
        return self._bridge.capabilities

    def check(self, *_call: Any) -> tuple[()]:  # noqa: ANN401 - see above
        return ()

    async def list_page(self, *_page: Any) -> tuple[list[Secret], None]:  # noqa: ANN401 - see above
        return self._bridge.list_secrets(), None

    async def get(self, _channel: Any, target: Any) -> Secret:  # noqa: ANN401 - see above
        return self._found(target)

    async def create(self, _channel: Any, name: str, _fields: Any) -> Secret:  # noqa: ANN401 - see above
        return self._made(name)

    async def put(self, _channel: Any, name: str, _fields: Any) -> Secret:  # noqa: ANN401 - see above
        return self._made(name)

    async def update(self, *call: Any, **_how: Any) -> Secret:  # noqa: ANN401 - see above
        _, target, _ = call
        return self._found(target)

    async def delete(self, _channel: Any, target: Any) -> None:  # noqa: ANN401 - see above
        self._found(target)

    def _made(self, name: str) -> Secret:
        from secretbridge import Secret

        return Secret(name=name)

    def _found(self, target: Any) -> Secret:  # noqa: ANN401 - see above
        from secretbridge import Secret
        from secretbridge.errors import SecretNotFound

        if "list" in self.capabilities.operations:
            for secret in self._bridge.iter_secrets():
                if target.id == secret.id if target.id is not None else target.name == secret.name:
                    return secret
            raise SecretNotFound(
                f"The store lists no secret {str(target)!r}.", advice="list_secrets() shows what is there."
            )
        return Secret(name=target.name or "", id=target.id)
