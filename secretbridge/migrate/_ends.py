"""The ends of a migration together, and what is needed to reach them."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secretbridge.migrate._observe import Transforms, read_values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge.errors import Violation
    from secretbridge.migrate._end import End
    from secretbridge.migrate._observe import Problem
    from secretbridge.migrate._rules import Rules
    from secretbridge.migrate._types import Mark
    from secretbridge.migrate._values import Values

__all__ = ["Ends", "Opened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The open ends of a migration."""

    source: Core
    target: Core
    transforms: Transforms
    values: Values | None
    lender: Core | None

    async def read(self, wanted: Sequence[Mark]) -> list[SecretStr | Problem]:
        """Give the values that are to be written for secrets of the source, in order."""
        if self.values is None:
            found = await read_values(self.source, wanted)
        else:
            found = await self.values.read(self.lender, self.source, wanted)
        return [self.transforms.made(mark.name, value) for mark, value in zip(wanted, found, strict=True)]


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
    values: Values | None = None
    vault: End | None = None

    @asynccontextmanager
    async def opened(self, rules: Rules, *, waits: bool) -> AsyncIterator[Opened]:
        """Open what was not given open; ``waits`` is True on an event loop."""
        async with AsyncExitStack() as stack:
            lent = None if self.values is None else self.values.end
            yield Opened(
                source=await stack.enter_async_context(self.source.opened(waits=waits)),
                target=await stack.enter_async_context(self.target.opened(waits=waits)),
                transforms=Transforms(rules),
                values=self.values,
                lender=None if lent is None else await stack.enter_async_context(lent.opened(waits=waits)),
            )

    def misfits(self, *, waits: bool) -> list[Violation]:
        """Find the bridges of the other kind."""
        lent = None if self.values is None else self.values.end
        given = {"source": self.source, "target": self.target, "values_from": lent, "vault": self.vault}
        found = [end.misfit(name, waits=waits) for name, end in given.items() if end is not None]
        return [one for one in found if one is not None]
