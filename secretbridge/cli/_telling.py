"""A plan and a run as they are shown, and the exit code that a run comes to."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from secretbridge.cli._output import counted, note, table
from secretbridge.cli._session import Code, Session, Stop
from secretbridge.cli._trouble import in_words

if TYPE_CHECKING:
    from secretbridge.migrate import Plan, Run, Step

__all__ = [
    "CONSENT",
    "broken_off",
    "ended",
    "plan_report",
    "progress",
    "run_report",
    "show_plan",
    "tell_plan",
    "tell_run",
]

#: How an outcome names the consent that would take it back all the same.
CONSENT: Final = re.compile(r'accept=\["(\w+)"\]')
_NAMED: Final = 5
_ORDER: Final = ("refuse", "create", "update", "skip")


def _summary(plan: Plan) -> str:
    """Say in a line what a plan does."""
    counts = ", ".join(
        f"{plan.counts[action]:,} to {action}" for action in ("create", "update", "skip", "refuse")
    )
    return f"{counted(len(plan.steps), 'secret')} from {plan.source} to {plan.target}: {counts}."


def show_plan(session: Session, plan: Plan) -> None:
    """Print what is done, why and what is lost; what is refused comes first."""
    rows = [
        [
            step.action,
            step.source if step.source == step.target else f"{step.source} -> {step.target}",
            _why(step),
        ]
        for step in sorted(plan.steps, key=lambda step: _ORDER.index(step.action))
    ]
    table(("what", "secret", "why and what is lost"), rows)
    tell_plan(session, plan)


def tell_plan(session: Session, plan: Plan) -> None:
    """Say what a plan does, what to know besides, and how long it takes."""
    for warning in dict.fromkeys(plan.warnings):
        note(session, f"Note: {in_words(warning)}")
    of = plan.estimates
    note(
        session,
        f"Expected: {counted(of.source_requests, 'request')} to the source, {of.target_requests:,} to the"
        f" target, {max(of.seconds, 1):,.0f} s by their declared rates.",
    )
    note(session, _summary(plan))


def _why(step: Step) -> str:
    losses = [f"{loss.kind}: {loss.text}" for loss in step.losses]
    writes = [f"writes {', '.join(step.fields)}"] if step.action == "update" else []
    return "; ".join(filter(None, (in_words(step.reason), *writes, *losses)))


def plan_report(plan: Plan, file: str | None = None) -> dict[str, Any]:
    """Give a plan as JSON; ``--out`` writes all of it."""
    return {
        "id": plan.id,
        "made_at": plan.made_at,
        "fingerprint": plan.fingerprint(),
        "source": str(plan.source),
        "target": str(plan.target),
        "counts": dict(plan.counts),
        "steps": [
            {name: getattr(step, name) for name in ("source", "target", "action", "reason")}
            | {
                "fields": list(step.fields),
                "losses": [{"kind": one.kind, "text": one.text} for one in step.losses],
            }
            for step in plan.steps
        ],
        "warnings": list(plan.warnings),
        "source_requests": plan.estimates.source_requests,
        "target_requests": plan.estimates.target_requests,
        "seconds": plan.estimates.seconds,
        "file": file,
    }


def run_report(run: Run) -> dict[str, Any]:
    """Give a run as JSON."""
    import json

    report: dict[str, Any] = json.loads(run.to_json())
    return report


def tell_run(session: Session, run: Run) -> None:
    """Print what came of each secret that the run was about, and of all of them in a line."""
    about = [one for one in run.outcomes if one.state not in {"skipped", "refused"}]
    table(
        ("state", "secret", "read back", "guarantee", "why"),
        [
            [one.state, one.target, one.verified or "", one.guarantee or "", in_words(one.error or "")]
            for one in about
        ],
    )
    counts = ", ".join(f"{count:,} {state}" for state, count in run.counts.items())
    # A sync that finds nothing to do leaves no run behind, and so none to name.
    note(session, f"Run {run.id}: {counts or 'nothing to do'}." if run.id else _idle(counts))


def _idle(counts: str) -> str:
    return "There is nothing to do" + (f": {counts}." if counts else ".")


def ended(run: Run, verb: str, do: str) -> None:
    """Say with the exit code what a run came to.

    Raises:
        Stop: not all was done: 4 where something is not known, 3 where a part was done, else 1.
    """
    left = (
        [one for one in run.outcomes if one.state == "done" or one in run.open]
        if verb == "undo"
        else run.open
    )
    if not left or run.state == "undone":
        return
    states = {one.state for one in run.outcomes}
    done = ("undone" if verb == "undo" else "done") in states
    names = ", ".join(repr(one.target) for one in left[:_NAMED]) + (", …" if len(left) > _NAMED else "")
    raise Stop(
        f"The run {run.id} was not taken back whole."
        if verb == "undo"
        else f"The run {run.id} did not do all.",
        why=f"{len(left):,} of {counted(len(run.outcomes), 'secret is', 'secrets are')} open: {names}.",
        do=do,
        code=Code.UNKNOWN if "unknown" in states else Code.PARTLY if done else Code.FAILED,
    )


def broken_off(journal: str | None = None) -> str | None:
    """Give the id of the run that this process began and that was interrupted."""
    from secretbridge import migrate

    mine = f"(process {os.getpid()})"
    runs = migrate.runs(journal=journal)
    return next((one.id for one in runs if one.state == "interrupted" and one.who.endswith(mine)), None)


def progress(session: Session) -> bool:
    """Say whether it is shown how far a plan or a run is: on a terminal at once, else once a minute."""
    return not (session.quiet or session.json)
