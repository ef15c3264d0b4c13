"""What came of a run: one outcome for each secret, and the run as a whole."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from secretbridge.migrate._report import Report
    from secretbridge.migrate._types import Action, Loss

__all__ = [
    "GUARANTEES",
    "Guarantee",
    "Outcome",
    "Owner",
    "Run",
    "RunInfo",
    "RunState",
    "State",
    "Verification",
]

State = Literal["done", "skipped", "refused", "pending", "failed", "unknown", "undone"]
Verification = Literal["verified", "mismatch", "unverifiable"]
Guarantee = Literal["atomic", "checked", "best-effort"]
#: ``recorded``: the store acknowledged the write to this run. ``inferred``: it got lost whether it did, and
#: the secret was found as this run would have left it.
Owner = Literal["recorded", "inferred"]
RunState = Literal["running", "interrupted", "incomplete", "done", "undone"]

#: What each guarantee means, in a sentence.
GUARANTEES: Final[Mapping[Guarantee, str]] = {
    "atomic": "the store itself refuses the write where somebody else was faster",
    "checked": "looked at just before the write and again after it: a later writer would have been seen",
    "best-effort": "the store does not show enough to notice every other writer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one secret. It holds no value.

    Attributes:
        source: its name at the source.
        target: its name at the target.
        action: what the plan wanted.
        state: done, skipped, refused (by the plan), pending (not begun), failed (not written), unknown
            (written or not: it could not be settled) or undone.
        reason: the plan's reason, for what is skipped or refused.
        verified: verified (read back, as sent), mismatch (read back, different), unverifiable (the target
            does not tell), or None where nothing was written.
        guarantee: atomic, checked or best-effort; see ``GUARANTEES``. None where nothing was written.
        owner: recorded or inferred, see ``Owner``; None where nothing was written.
        resent: whether the same value was sent again because nobody could say whether it had arrived.
        restorable: whether undo() can bring back what was there before.
        source_deleted: whether the secret was deleted at the source after it had been verified.
        error: class and sentence of what went wrong, or None.
        losses: what the plan said would be lost, consented to.
    """

    source: str
    target: str
    action: Action
    state: State
    reason: str = ""
    verified: Verification | None = None
    guarantee: Guarantee | None = None
    owner: Owner | None = None
    resent: bool = False
    restorable: bool = False
    source_deleted: bool = False
    error: str | None = None
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it stands. It holds no values.

    Attributes:
        id: names the run for ``resume()`` and ``undo()``.
        plan: the plan's fingerprint.
        state: running (some process works on it), interrupted (its process is gone), incomplete, done or
            undone.
        who: user, host and process id of who began it.
        started_at: when, in UTC as ISO 8601.
        finished_at: when it last came to an end by itself, or None.
        journal: the journal's file.
        source: the source in words.
        target: the target in words.
        warnings: what had to be said before the run began.
        outcomes: one for each secret of the plan, in its order.
        pruned: after ``sync(prune=True)``: what earlier runs had created and what became of it, now that the
            source has it no more.
    """

    id: str
    plan: str
    state: RunState
    who: str
    started_at: str
    finished_at: str | None
    journal: Path
    source: str
    target: str
    warnings: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    pruned: tuple[Outcome, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many secrets are in which state; states without any are left out."""
        return dict(Counter(outcome.state for outcome in self.outcomes))

    @property
    def open(self) -> tuple[Outcome, ...]:
        """What is not as it was wanted: pending, failed or unknown, or read back different."""
        return tuple(one for one in self.outcomes if not _settled(one))

    def to_json(self) -> str:
        """Give the run as JSON, without values."""
        return json.dumps(_plain(self), ensure_ascii=False, indent=1, default=str)

    def report(self) -> Report:
        """Give the report of this run as its journal has it now; ``migrate.report()`` gives it later too.

        Raises:
            JournalMismatch: there is no journal, as after a ``sync()`` that had nothing to do.
        """
        from secretbridge.migrate._report import report_of  # late: it reads journals

        return report_of(self.journal)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, state={self.state!r}, counts={self.counts})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What ``migrate.runs()`` tells of a run.

    Attributes:
        id: names it for ``resume()`` and ``undo()``.
        state: as ``Run.state``; ``damaged`` where the journal cannot be read.
        started_at: when it began, in UTC as ISO 8601; "" where the journal cannot be read.
        who: user, host and process id of who began it.
        source: the source in words.
        target: the target in words.
        secrets: how many secrets its plan has.
        journal: the journal's file.
        with_vault: whether it began with ``vault=``: then ``resume()`` and ``undo()`` take the same one.
    """

    id: str
    state: RunState | Literal["damaged"]
    started_at: str
    who: str
    source: str
    target: str
    secrets: int
    journal: Path
    with_vault: bool = False


def _settled(one: Outcome) -> bool:
    return one.state in {"done", "skipped", "refused", "undone"} and one.verified != "mismatch"


def _plain(run: Run) -> dict[str, Any]:
    listed = {"outcomes", "pruned"}
    whole: dict[str, Any] = {name: getattr(run, name) for name in run.__slots__ if name not in listed}
    whole["counts"] = run.counts
    return whole | {name: [_row(one) for one in getattr(run, name)] for name in sorted(listed)}


def _row(one: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(one, name) for name in one.__slots__ if name != "losses"}
    return row | {"losses": [{"kind": loss.kind, "text": loss.text} for loss in one.losses]}
