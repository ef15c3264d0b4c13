"""The JSON of the report of a migration."""

from __future__ import annotations

from typing import Literal, TypedDict

from secretbridge.cli._shapes_migrations import OutcomeRow

__all__ = [
    "ReportLoss",
    "ReportMoment",
    "ReportStep",
    "ReportTotals",
    "ReportedRun",
    "ReportedSecret",
    "RunDocument",
]


class ReportedRun(TypedDict):
    """The run that a report is about."""

    id: str
    plan: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone"]
    phase: Literal["run", "undo"]
    who: str
    program: str
    started_at: str
    finished_at: str | None
    journal: str
    source: str
    target: str
    with_vault: bool
    delete_source: bool


class ReportTotals(TypedDict):
    """How many secrets there are of each; what there is none of may be left out."""

    states: dict[str, int]
    verified: dict[str, int]
    guarantees: dict[str, int]
    secrets: dict[str, int]


class ReportLoss(TypedDict):
    """A kind of loss."""

    kind: str
    meaning: str
    secrets: int


class ReportStep(TypedDict):
    """Something to do next; the command and the call may be empty."""

    text: str
    command: str
    call: str


class ReportMoment(TypedDict):
    """Something that happened to the run as a whole."""

    at: str
    what: str
    who: str


class ReportedSecret(OutcomeRow):
    """What came of one secret, and whether something is left to do about it."""

    open: bool


class RunDocument(TypedDict):
    """``report``; ``version`` counts changes that take something away."""

    format: Literal["secretbridge-report"]
    version: Literal[1]
    made_at: str
    run: ReportedRun
    totals: ReportTotals
    losses: list[ReportLoss]
    warnings: list[str]
    next: list[ReportStep]
    history: list[ReportMoment]
    secrets: list[ReportedSecret]
