"""Whether the ends of a plan are still as they were when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge.migrate._names import Naming
from secretbridge.migrate._observe import marks

if TYPE_CHECKING:
    from secretbridge._core import Core
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._types import Mark

__all__ = ["moved"]


async def moved(plan: Plan, source: Core, target: Core) -> list[str]:
    """List both ends anew and say what has changed since the plan was made, one sentence each.

    Only what can be seen without values is compared; a warning of the plan names what cannot.
    """
    naming = Naming(plan.rules, plan.source, plan.target)
    left: dict[tuple[str, str | None], Mark] = {}
    wanted: dict[str, list[Mark]] = {}
    for step in plan.steps:
        left[step.source, step.source_mark.id] = step.source_mark
        wanted.setdefault(step.target, [])
        if step.target_mark is not None and not wanted[step.target]:
            wanted[step.target].append(step.target_mark)
    found: list[str] = []
    title = source.capabilities.title
    async for mark in marks(source):
        if naming.takes(mark.name):
            before = left.pop((mark.name, mark.id), None)
            found += _difference(title, before, mark)
    found += [f"{title}: {name!r} is gone." for name, _ in left]
    return found + await _at_target(plan, target, wanted)


async def _at_target(plan: Plan, target: Core, wanted: dict[str, list[Mark]]) -> list[str]:
    found: list[str] = []
    title = target.capabilities.title
    # Of several secrets of one name none was noted: such a step is refused, and nothing is written there.
    skipped = {step.target for step in plan.steps if step.action == "refuse" and step.target_mark is None}
    async for mark in marks(target):
        if mark.name in wanted and mark.name not in skipped:
            before = wanted[mark.name]
            found += _difference(title, before.pop() if before else None, mark)
    found += [f"{title}: {mark.name!r} is gone." for rest in wanted.values() for mark in rest]
    return found


def _difference(title: str, before: Mark | None, now: Mark) -> list[str]:
    if before is None:
        return [f"{title}: {now.name!r} is new."]
    if before == now:
        return []
    return [f"{title}: {now.name!r} has changed ({', '.join(before.differences(now))})."]
