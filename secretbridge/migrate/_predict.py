"""How many requests a run is going to need, and how long, from the rates that the stores declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge._pace import Pacer
from secretbridge.migrate._side import FRESH, MOST
from secretbridge.migrate._types import Estimates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge._provider import Provider
    from secretbridge.migrate._end import End
    from secretbridge.migrate._ends import Ends
    from secretbridge.migrate._types import Step

__all__ = ["estimates"]

#: A run lists both ends before it begins.
_LISTINGS: Final = 1
_ONCE: Final = (
    "Each secret is read once, written once, looked at before an update and read back where that is possible;"
    " nothing is repeated, and nobody else uses the same rate."
)


def estimates(steps: Iterable[Step], ends: Ends) -> Estimates:
    """Predict a run of these steps."""
    source, target = ends.source, ends.target
    creates = updates = 0
    for step in steps:
        creates += step.action == "create"
        updates += step.action == "update"
    from_source = _LISTINGS
    if ends.values is None:
        from_source += _times(source.provider, creates + updates, "read_many")
    to_target = _LISTINGS + _writes(target, creates, updates)
    source_seconds, target_seconds = _seconds(source, from_source), _seconds(target, to_target)
    return Estimates(
        source_requests=from_source,
        target_requests=to_target,
        source_seconds=source_seconds,
        target_seconds=target_seconds,
        seconds=max(source_seconds, target_seconds),
        assumptions=(
            _rate(source),
            _rate(target),
            _ONCE,
        ),
    )


def _writes(target: End, creates: int, updates: int) -> int:
    costs: Mapping[str, int] = getattr(target.provider, "costs", {})
    if hasattr(target.provider, "write_many"):
        return 2 * _times(target.provider, creates + updates, "write_many")
    requests = (
        _listings(target, creates + updates)
        + creates * costs.get("create", 1)
        + updates * costs.get("update", 1)
    )
    if "get" in target.capabilities.operations:
        requests += updates * costs.get("get", 1)  # looked at before it is replaced
    if target.capabilities.reads_values:
        requests += (creates + updates) * costs.get("get", 1)  # read back
    return requests


def _listings(target: End, writes: int) -> int:
    """Count the listings of a target that can be looked at by them alone: they serve for a while each."""
    of = target.capabilities
    if of.reads_values or "list" not in of.operations:
        return 0
    windows = -(-writes // MOST)  # one after each
    if target.pace is None:
        return windows
    return windows * (1 + int(MOST / (FRESH * target.pace / 60)))


def _times(provider: Provider, secrets: int, bulk: str) -> int:
    return -(-secrets // MOST) if hasattr(provider, bulk) else secrets


def _seconds(end: End, requests: int) -> float:
    """Play the requests against the pacer that the run is going to wait for."""
    if end.pace is None:
        return 0.0
    pacer = Pacer(end.pace, lambda: 0.0)
    wait = 0.0
    for _ in range(requests):
        wait = pacer.reserve(evenly=True)
    return wait


def _rate(end: End) -> str:
    title = end.capabilities.title
    if end.pace is None:
        return f"{title} declares no rate: its time is not counted."
    return f"{title} is sent at most {end.pace:g} requests a minute."
