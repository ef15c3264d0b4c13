"""What a sync that prunes would delete: looked for, and left."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from secretbridge.errors import InvalidRequest
from secretbridge.migrate._history import History, unmoved
from secretbridge.migrate._keep import keeper
from secretbridge.migrate._observe import marks
from secretbridge.migrate._place import journal_folder
from secretbridge.migrate._reach import identities_of

if TYPE_CHECKING:
    import os

    from secretbridge._core import Core
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._plan import Plan

__all__ = ["Orphan", "orphans", "present_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A secret at the target that an earlier run created, and that the source has no more.

    Attributes:
        name: what it is called at the target.
        run: the run that created it.
        unchanged: whether the target shows it as the run left it; None where its listing does not show that,
            and the secret has to be read.
    """

    name: str
    run: str
    unchanged: bool | None


async def orphans(plan: Plan, journal: str | os.PathLike[str] | None, *, waits: bool) -> tuple[Orphan, ...]:
    """Find what ``sync(prune=True)`` of this plan would look at, by the journals and both listings.

    Args:
        plan: what is wanted at the target.
        journal: the folder of the journals, or None for the usual one.
        waits: whether there is an event loop to wait on.

    Raises:
        InvalidRequest: an end is a bridge of the other kind.
    """
    ends = plan.ends
    if wrong := ends.misfits(waits=waits):
        raise InvalidRequest(violations=wrong)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(ends.source.opened(waits=waits))
        target = await stack.enter_async_context(ends.target.opened(waits=waits))
        keep: Keep | None = None
        if ends.vault is not None:
            keep = await _keep_of(await stack.enter_async_context(ends.vault.opened(waits=waits)))
            if keep is None:
                return ()
        folder = await source.channel.call(partial(journal_folder, journal, make=False))
        transform = plan.rules.document()["transform"]
        stores = await identities_of((source, plan.source), (target, plan.target))
        read = partial(History, folder, stores, transform=transform, keep=keep)
        history = await source.channel.call(read)
        present, wanted = await present_at(source, plan)
        there = {mark.name: mark async for mark in marks(target)}
    found = history.orphans(present, wanted)
    return tuple(
        Orphan(name=item.step.target, run=run, unchanged=unmoved(item, there[item.step.target]))
        for run, items in found.items()
        for item in items
        if item.step.target in there
    )


async def present_at(source: Core, plan: Plan) -> tuple[set[str], set[str]]:
    """Give the names that the source has, and those that its secrets bear at the target.

    What is inactive there and left behind by consent is not had any more: at InsForge a deletion leaves no
    other sign. What is inactive and refused keeps its copy.
    """
    behind = {step.source for step in plan.steps if (step.action, step.reason) == ("skip", "inactive")}
    present = {
        mark.name async for mark in marks(source) if mark.active is not False or mark.name not in behind
    }
    kept = (step for step in plan.steps if step.source not in behind or step.source in present)
    return present, {step.target for step in kept}


async def _keep_of(vault: Core) -> Keep | None:
    """Give what keeps values in the vault; None where no run has used it, and so none made anything."""
    try:
        return await keeper(vault, make=False)
    except InvalidRequest:
        return None
