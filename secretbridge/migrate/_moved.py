"""Whether the ends of a plan are still as they were when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._names import Naming
from secretbridge.migrate._observe import marks
from secretbridge.migrate._reach import identities_of

if TYPE_CHECKING:
    from secretbridge._core import Core
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._types import Mark

__all__ = ["moved"]

_ANOTHER: Final = (
    "is another store than the one that the plan was made for",
    "give the plan's own, or plan anew",
)


async def moved(plan: Plan, source: Core, target: Core) -> list[str]:
    """List both ends anew and say what has changed since the plan was made, one sentence each.

    Only what can be seen without values is compared; a warning of the plan names what cannot.

    Raises:
        InvalidRequest: an end is another store than the plan was made for.
    """
    if plan.stores is not None:
        told = await identities_of((source, plan.ends.source.info), (target, plan.ends.target.info))
        pairs = zip(("source", "target"), plan.stores, told, strict=True)
        if wrong := [Violation(name, *_ANOTHER) for name, planned, now in pairs if planned != now]:
            raise InvalidRequest("Refused before anything was written", violations=wrong)
    naming = Naming(plan.rules, plan.source, plan.target)
    # By the texts that the marks hold already: there may be very many.
    left: dict[str, Mark] = {}
    wanted: dict[str, Mark | None] = {}
    for step in plan.steps:
        left[_key(step.source_mark)] = step.source_mark
        if wanted.get(step.target) is None:
            wanted[step.target] = step.target_mark
    found: list[str] = []
    title = source.capabilities.title
    async for mark in marks(source):
        if naming.takes(mark.name):
            before = left.pop(_key(mark), None)
            if before is not None and before.name != mark.name:
                found.append(f"{title}: {before.name!r} is gone.")
                before = None
            found += _difference(title, before, mark)
    found += [f"{title}: {mark.name!r} is gone." for mark in left.values()]
    return found + await _at_target(plan, target, wanted)


def _key(mark: Mark) -> str:
    return mark.name if mark.id is None else mark.id


async def _at_target(plan: Plan, target: Core, wanted: dict[str, Mark | None]) -> list[str]:
    found: list[str] = []
    title = target.capabilities.title
    # Of several secrets of one name none was noted: such a step is refused, and nothing is written there.
    skipped = {step.target for step in plan.steps if step.action == "refuse" and step.target_mark is None}
    async for mark in marks(target):
        if mark.name in wanted and mark.name not in skipped:
            before, wanted[mark.name] = wanted[mark.name], None
            found += _difference(title, before, mark)
    found += [f"{title}: {mark.name!r} is gone." for mark in wanted.values() if mark is not None]
    return found


def _difference(title: str, before: Mark | None, now: Mark) -> list[str]:
    if before is None:
        return [f"{title}: {now.name!r} is new."]
    if before == now:
        return []
    return [f"{title}: {now.name!r} has changed ({', '.join(before.differences(now))})."]
