"""What only an open store tells before a run: which store it is, and what its credential may not do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from secretbridge.migrate._written import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._core import Core
    from secretbridge.migrate._types import EndInfo, Step

__all__ = ["allowed", "identities_of", "identity_of", "one_store"]

#: Secrets that are asked about together: there may be very many.
_AT_ONCE: Final = 1000


async def identity_of(core: Core, info: EndInfo) -> str:
    """Give which store this is; of one that does not tell without its credential only the provider."""
    ask: Any = getattr(core.provider, "identity", None)
    return named(info if ask is None else replace(info, store=(await ask(core.channel))[0]))


async def identities_of(source: tuple[Core, EndInfo], target: tuple[Core, EndInfo]) -> list[str]:
    """Give which two stores these are, the source first: what journals and locks know them by."""
    return [await identity_of(*source), await identity_of(*target)]


async def one_store(source: Core, target: Core) -> bool:
    """Say whether two ways lead to one store, as far as the stores tell."""
    first: Any = getattr(source.provider, "identity", None)
    second: Any = getattr(target.provider, "identity", None)
    if first is None or second is None:
        return False
    for _ in range(3):  # somebody may write between the two looks
        ours, theirs = await first(source.channel), await second(target.channel)
        if ours[0] != theirs[0]:
            return False
        if ours == theirs:
            return True
    return False  # a copy of it that has gone a way of its own


async def allowed(steps: Sequence[Step], target: Core) -> tuple[Step, ...]:
    """Refuse the steps that the target's credential does not allow, where that can be seen."""
    ask: Any = getattr(target.provider, "denied", None)
    writes = [step for step in steps if step.action in {"create", "update"}]
    if ask is None or not writes:
        return tuple(steps)
    reasons: dict[str, str] = {}
    for start in range(0, len(writes), _AT_ONCE):
        part = writes[start : start + _AT_ONCE]
        wanted = [(step.action, step.target) for step in part] + [("get", step.target) for step in part]
        told: Sequence[str] = await ask(target.channel, wanted)
        for step, write, reading in zip(part, told, told[len(part) :], strict=False):
            unread = f"could not be read back: {reading}" if reading else ""
            if why := write or unread:
                reasons[step.target] = (
                    f"the credential of {target.capabilities.title} does not allow it: {why}"
                )
    if not reasons:
        return tuple(steps)
    return tuple(
        replace(step, action="refuse", reason=reasons[step.target].rstrip("."), fields=(), losses=())
        if step.action in {"create", "update"} and step.target in reasons
        else step
        for step in steps
    )
