"""Migrations from one store to another: planned first, then carried out.

::

    plan = migrate.plan(source, target, select="STRIPE_*", accept=["description"])
    plan.print()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Names load when they are first used, as those of the package itself.

if TYPE_CHECKING:
    from secretbridge.migrate._orphans import Orphan
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._report import REPORT_VERSION, LossTotal, Moment, Report, report
    from secretbridge.migrate._report_next import NextStep
    from secretbridge.migrate._result import GUARANTEES, Outcome, Run, RunInfo
    from secretbridge.migrate._rules import Rules
    from secretbridge.migrate._runs import (
        resume,
        resume_async,
        runs,
        undo,
        undo_async,
    )
    from secretbridge.migrate._syncing import sync, sync_async
    from secretbridge.migrate._types import (
        CONSENTS,
        EVENTS,
        KINDS,
        EndInfo,
        Estimates,
        Event,
        Loss,
        Mark,
        Step,
    )
    from secretbridge.migrate._undo import UNDO_CONSENTS
    from secretbridge.migrate._verbs import plan, plan_async

__all__ = [
    "CONSENTS",
    "EVENTS",
    "GUARANTEES",
    "KINDS",
    "REPORT_VERSION",
    "UNDO_CONSENTS",
    "EndInfo",
    "Estimates",
    "Event",
    "Loss",
    "LossTotal",
    "Mark",
    "Moment",
    "NextStep",
    "Orphan",
    "Outcome",
    "Plan",
    "Report",
    "Rules",
    "Run",
    "RunInfo",
    "Step",
    "plan",
    "plan_async",
    "report",
    "resume",
    "resume_async",
    "runs",
    "sync",
    "sync_async",
    "undo",
    "undo_async",
]

_PLACES = {
    "CONSENTS": "_types",
    "EVENTS": "_types",
    "EndInfo": "_types",
    "Estimates": "_types",
    "Event": "_types",
    "GUARANTEES": "_result",
    "KINDS": "_types",
    "Loss": "_types",
    "LossTotal": "_report",
    "Mark": "_types",
    "Moment": "_report",
    "NextStep": "_report_next",
    "Orphan": "_orphans",
    "Outcome": "_result",
    "Plan": "_plan",
    "REPORT_VERSION": "_report",
    "Report": "_report",
    "Rules": "_rules",
    "Run": "_result",
    "RunInfo": "_result",
    "Step": "_types",
    "UNDO_CONSENTS": "_undo",
    "plan": "_verbs",
    "plan_async": "_verbs",
    "report": "_report",
    "resume": "_runs",
    "resume_async": "_runs",
    "runs": "_runs",
    "sync": "_syncing",
    "sync_async": "_syncing",
    "undo": "_runs",
    "undo_async": "_runs",
}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
