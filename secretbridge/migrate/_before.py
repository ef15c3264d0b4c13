"""What is said before a run begins: that it does not, and why, or what it could not take back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from secretbridge.errors import PlanRefused, PlanStale
from secretbridge.migrate._warnings import hides_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secretbridge._core import Core
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._types import Step

__all__ = ["refusal", "stale", "unobserved", "unrestorable"]

#: Most names that a message lists.
_SHOWN: Final = 10


def refusal(refused: Sequence[Step]) -> PlanRefused:
    """Give the error for a plan that refuses something."""
    listed = "; ".join(f"{step.source!r}: {step.reason}" for step in refused[:_SHOWN])
    more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    error = PlanRefused(
        f"The plan refuses {len(refused)} of its secrets, and nothing was written: {listed}{more}.",
        advice="Change the rules or the secrets and plan anew, or leave these behind with skip_refused=True.",
    )
    error.refused = {step.source: step.reason for step in refused}
    return error


def stale(found: Sequence[str]) -> PlanStale:
    """Give the error for a plan whose stores have moved."""
    shown = " ".join(found[:_SHOWN]) + (f" And {len(found) - _SHOWN} more." if len(found) > _SHOWN else "")
    error = PlanStale(
        f"The stores have moved since the plan was made, and nothing was written: {shown}",
        advice="Plan the migration anew.",
    )
    error.moved = tuple(found)
    return error


def unobserved(plan: Plan, target: Core) -> Iterator[str]:
    """Say which updates cannot be compared with what the plan saw of their values."""
    of = target.capabilities
    if plan.observed is not None or of.compare_and_set or not of.reads_values:
        return
    updates = [step.target for step in plan.steps if step.action == "update"]
    if updates:
        what = f"Whether {of.title} still has the values that the plan saw"
        why = "the plan was read back from JSON, which holds no trace of values"
        yield f"{what} is not known of {_listed(updates)}: {why}."


def unrestorable(steps: Sequence[Step], target: Core, keep: Keep | None) -> Iterator[str]:
    """Say which updates undo() could not take back."""
    updates = [step.target for step in steps if step.action == "update"]
    if keep is not None and target.capabilities.reads_values:
        moment = datetime.now(UTC)
        hidden = [step.target for step in steps if step.action == "update" and hides_value(step, moment)]
        if hidden:
            why = (
                f"{target.capabilities.title} does not hand out the value of what is inactive or has expired"
            )
            yield f"undo() could not restore {_listed(hidden)}: {why}."
        return
    if not updates:
        return
    why = "no vault= was given" if keep is None else f"{target.capabilities.title} never tells a value"
    yield f"undo() could not restore {_listed(updates)}: {why}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} of the secrets that are changed ({shown})"
