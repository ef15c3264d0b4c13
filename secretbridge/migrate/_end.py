"""One end of a migration: a bridge of the caller, or a provider that is opened for as long as needed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from secretbridge._connect import DEFAULT_RETRY, DEFAULT_TIMEOUT, connected
from secretbridge._core import Core
from secretbridge._provider import Provider
from secretbridge._runtime import AsyncRuntime, BlockingRuntime
from secretbridge.errors import Violation
from secretbridge.migrate._types import EndInfo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from secretbridge._capabilities import Capabilities

__all__ = ["End"]


class End:
    """One end of a migration.

    Args:
        provider: which store.
        core: the core of the bridge that was given, or None where a provider was given.
    """

    __slots__ = ("_core", "info", "provider")

    def __init__(self, provider: Provider, core: Core | None) -> None:
        self.provider = provider
        self._core = core
        of = provider.capabilities
        self.info = EndInfo(
            provider=of.provider,
            title=of.title,
            store=getattr(provider, "store", ""),
            environment=getattr(provider, "environment", None),
        )

    @classmethod
    def of(cls, argument: str, given: object) -> End | Violation:
        """Take what a caller gave, or say what is wrong with it."""
        core = getattr(given, "_core", None)  # the two bridges have one; faces are not known down here
        if isinstance(core, Core):
            return cls(core.provider, core)
        if isinstance(given, Provider) and not isinstance(given, type):
            return cls(given, None)
        return Violation(
            argument, "is neither a bridge nor a provider", "for example Local() or Dotenv('.env')"
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self.provider.capabilities

    @property
    def pace(self) -> float | None:
        """Requests a minute that are sent at most, or None."""
        return self.capabilities.requests_per_minute if self._core is None else self._core.channel.pace

    def misfit(self, argument: str, *, waits: bool) -> Violation | None:
        """Say what is wrong with a bridge of the other kind; ``waits`` is True on an event loop."""
        if self._core is None or isinstance(self._core.channel.runtime, AsyncRuntime) == waits:
            return None
        if waits:
            return Violation(
                argument, "is a blocking bridge", "give an AsyncSecretBridge or the provider itself"
            )
        return Violation(argument, "is an AsyncSecretBridge", "give a SecretBridge or the provider itself")

    @asynccontextmanager
    async def opened(self, *, waits: bool) -> AsyncGenerator[Core]:
        """Give the bridge's core, without bursts; for a provider one that is closed at the end."""
        if self._core is not None:
            yield _evenly(self._core)
            return
        runtime = AsyncRuntime() if waits else BlockingRuntime()
        core = connected(self.provider, runtime, DEFAULT_TIMEOUT, DEFAULT_RETRY, "provider")
        try:
            yield _evenly(core)
        finally:
            await core.close()

    def __repr__(self) -> str:
        return f"End({self.info})"


def _evenly(core: Core) -> Core:
    return Core(core.provider, core.channel.evenly())
