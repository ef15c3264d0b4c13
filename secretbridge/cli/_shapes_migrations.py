"""The JSON of migrations: plans, runs and what is taken back."""

from __future__ import annotations

from typing import Literal, TypedDict

from secretbridge.cli._shapes_changes import ChangeRow  # noqa: TC001 - read from the annotations
from secretbridge.cli._shapes_secrets import Time  # noqa: TC001 - read from the annotations

__all__ = [
    "LossRow",
    "Migration",
    "OutcomeRow",
    "PlanReport",
    "PlanStep",
    "PruneRow",
    "RunList",
    "RunReport",
    "RunRow",
    "Synced",
    "UndoRehearsal",
    "UndoStep",
]


class LossRow(TypedDict):
    """Something that a migration does not carry, or does for good."""

    kind: str
    text: str


class PlanStep(TypedDict):
    """What is to be done about one secret."""

    source: str
    target: str
    action: Literal["create", "update", "skip", "refuse"]
    reason: str
    fields: list[str]
    losses: list[LossRow]


class PlanReport(TypedDict):
    """``plan``; ``file`` is that of ``--out``."""

    id: str
    made_at: Time
    fingerprint: str
    source: str
    target: str
    counts: dict[str, int]
    steps: list[PlanStep]
    warnings: list[str]
    source_requests: int
    target_requests: int
    seconds: float
    file: str | None


class OutcomeRow(TypedDict):
    """What came of one secret of a run."""

    source: str
    target: str
    action: Literal["create", "update", "skip", "refuse"]
    state: Literal["done", "skipped", "refused", "pending", "failed", "unknown", "undone"]
    reason: str
    verified: Literal["verified", "mismatch", "unverifiable"] | None
    guarantee: Literal["atomic", "checked", "best-effort"] | None
    owner: Literal["recorded", "inferred"] | None
    resent: bool
    restorable: bool
    source_deleted: bool
    error: str | None
    losses: list[LossRow]


class RunReport(TypedDict):
    """``resume``, ``undo``: a run as it stands."""

    id: str
    plan: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone"]
    who: str
    started_at: str
    finished_at: str | None
    journal: str
    source: str
    target: str
    warnings: list[str]
    counts: dict[str, int]
    outcomes: list[OutcomeRow]
    pruned: list[OutcomeRow]


class UndoStep(TypedDict):
    """What an undo would do with a secret, by the journal alone."""

    secret: str
    what: Literal["delete", "restore", "look", "leave"]
    why: str


class UndoRehearsal(TypedDict):
    """``undo --dry-run``."""

    run: str
    dry_run: bool
    secrets: list[UndoStep]


class ResumeStep(TypedDict):
    """What ``resume`` would do with a secret; ``store`` is told of a change in several stores alone."""

    secret: str
    store: str | None
    what: Literal["write", "look"]
    why: str


class ResumeRehearsal(TypedDict):
    """``resume --dry-run``."""

    run: str
    dry_run: bool
    secrets: list[ResumeStep]
    deletes_source: bool


class Migration(TypedDict):
    """``migrate``; no run where it was refused or only tried."""

    plan: PlanReport
    run: RunReport | None
    dry_run: bool


class RunRow(TypedDict):
    """A migration that was begun."""

    id: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone", "damaged"]
    started_at: str
    who: str
    source: str
    target: str
    secrets: int
    journal: str
    with_vault: bool


class PruneRow(TypedDict):
    """What ``sync --prune`` would do with a secret that a run created and the source has no more."""

    secret: str
    what: Literal["delete", "look", "leave"]
    run: str


class Synced(TypedDict):
    """``sync``; with ``--dry-run`` a plan and what would be pruned, else a run, which tells what was."""

    plan: PlanReport | None
    run: RunReport | None
    dry_run: bool
    prunes: list[PruneRow]


class RunList(TypedDict):
    """``runs``; newest first."""

    runs: list[RunRow]
    changes: list[ChangeRow]
