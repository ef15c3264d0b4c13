"""The ends of a migration together, and what is needed to reach them."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secretbridge.migrate._end import End
from secretbridge.migrate._observe import Transforms

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from secretbridge._core import Core
    from secretbridge.errors import Violation
    from secretbridge.migrate._rules import Rules

__all__ = ["End", "Ends", "Opened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The open ends of a migration.

    Attributes:
        source: where the listing comes from.
        target: where secrets are written.
        values: where values come from, if not from the source.
        transforms: what makes the value that is written of the one that is read.
    """

    source: Core
    target: Core
    values: Core | None
    transforms: Transforms


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a plan needs to reach its stores; none of it is printed or written.

    Attributes:
        source: where secrets come from.
        target: where they are written.
        values: where values come from, if not from the source.
        vault: where the values that are replaced are kept for an undo, or None.
    """

    source: End
    target: End
    values: End | None = None
    vault: End | None = None

    @asynccontextmanager
    async def opened(self, rules: Rules, *, waits: bool) -> AsyncGenerator[Opened]:
        """Open what was not given open; ``waits`` is True on an event loop."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            yield Opened(
                source=await enter(self.source.opened(waits=waits)),
                target=await enter(self.target.opened(waits=waits)),
                values=None if self.values is None else await enter(self.values.opened(waits=waits)),
                transforms=Transforms(rules),
            )

    @property
    def asks(self) -> bool:
        """Whether somebody is asked for each value; that is not done for a plan."""
        return self.values is not None and getattr(self.values.provider, "asks", False) is True

    def misfits(self, *, waits: bool) -> list[Violation]:
        """Find the bridges of the other kind."""
        given = {
            "source": self.source,
            "target": self.target,
            "values_from": self.values,
            "vault": self.vault,
        }
        found = [end.misfit(name, waits=waits) for name, end in given.items() if end is not None]
        return [one for one in found if one is not None]
