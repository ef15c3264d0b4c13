"""The report of a run: what came of it, read from its journal alone, as JSON, Markdown and one HTML page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from secretbridge.errors import JournalMismatch
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._place import journal_folder, journal_path, locked_by
from secretbridge.migrate._report_next import NextStep, next_steps
from secretbridge.migrate._run import run_of
from secretbridge.migrate._state import Items, ended_in, replay
from secretbridge.migrate._types import KINDS
from secretbridge.migrate._written import step_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from secretbridge.migrate._journal import Entry
    from secretbridge.migrate._result import Outcome, Run

__all__ = ["REPORT_VERSION", "LossTotal", "Moment", "Phase", "Report", "report", "report_of"]

FORMAT: Final = "secretbridge-report"
#: Counts changes of the JSON that take something away or give it another meaning; what is added is no change.
REPORT_VERSION: Final = 1
Phase = Literal["run", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened to a run as a whole.

    Attributes:
        at: when, in UTC as ISO 8601.
        what: begun, resumed, undo begun, or "ended: " and the state.
        who: user, host and process id, or "" where the journal does not say.
    """

    at: str
    what: str
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTotal:
    """A kind of loss, and how many of the secrets it concerns.

    Attributes:
        kind: a word of ``KINDS``.
        meaning: what that is, in a sentence.
        secrets: how many secrets, those that the plan refused left out.
    """

    kind: str
    meaning: str
    secrets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a run, from its journal alone. It holds no values.

    Attributes:
        run: the run as it stands.
        phase: whether it was carried out or is being, or was, undone.
        program: the version of secretbridge that began it.
        with_vault: whether a vault keeps what undo needs.
        delete_source: whether the source is deleted after all was verified.
        history: what happened to the run as a whole, in order.
        made_at: when the report was made, in UTC as ISO 8601.
    """

    run: Run
    phase: Phase
    program: str
    with_vault: bool
    delete_source: bool
    history: tuple[Moment, ...]
    made_at: str

    @property
    def open(self) -> tuple[Outcome, ...]:
        """The secrets that are not as they were wanted, or of which that is not known."""
        return tuple(one for one in self.run.outcomes if self.is_open(one))

    def is_open(self, one: Outcome) -> bool:
        """Say whether something is left to do about a secret, or to find out."""
        if one.state in {"pending", "failed", "unknown"}:
            return True
        if one.state != "done":
            return False
        return self.phase == "undo" or one.verified in {None, "mismatch"} or one.error is not None

    @property
    def totals(self) -> dict[str, dict[str, int]]:
        """How many secrets there are of each state, reading back, guarantee and so on; none is left out."""
        written = [one for one in self.run.outcomes if one.state in {"done", "undone"}]
        return {
            "states": self.run.counts,
            "verified": dict(Counter(str(one.verified or "not_yet") for one in written)),
            "guarantees": dict(Counter(str(one.guarantee) for one in written if one.guarantee)),
            "secrets": {
                "all": len(self.run.outcomes),
                "open": len(self.open),
                "inferred": sum(one.owner == "inferred" for one in written),
                "resent": sum(one.resent for one in written),
                "restorable": sum(one.restorable for one in written),
                "source_deleted": sum(one.source_deleted for one in written),
            },
        }

    @property
    def losses(self) -> tuple[LossTotal, ...]:
        """What is lost or left behind, by kind; the most frequent first."""
        found = Counter(
            kind
            for one in self.run.outcomes
            if one.state != "refused"
            for kind in {loss.kind for loss in one.losses}
        )
        return tuple(
            LossTotal(kind=kind, meaning=KINDS.get(kind, ""), secrets=count)
            for kind, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        )

    @property
    def next(self) -> tuple[NextStep, ...]:
        """What to do next."""
        return tuple(next_steps(self))

    def to_json(self) -> str:
        """Give the report as JSON, as docs/migrate-report.md describes it; ``version`` counts its changes."""
        return json.dumps(self.document(), ensure_ascii=True, indent=1)

    def document(self) -> dict[str, Any]:
        """Give the report as ``to_json()`` has it, as plain data."""
        whole: dict[str, Any] = json.loads(self.run.to_json())
        secrets = whole.pop("outcomes")
        for name in ("counts", "pruned"):
            whole.pop(name)
        warnings = whole.pop("warnings")
        for row, one in zip(secrets, self.run.outcomes, strict=True):
            row["open"] = self.is_open(one)
        return {
            "format": FORMAT,
            "version": REPORT_VERSION,
            "made_at": self.made_at,
            "run": whole
            | {
                "phase": self.phase,
                "program": self.program,
                "with_vault": self.with_vault,
                "delete_source": self.delete_source,
            },
            "totals": self.totals,
            "losses": [
                {"kind": one.kind, "meaning": one.meaning, "secrets": one.secrets} for one in self.losses
            ],
            "warnings": warnings,
            "next": [{"text": one.text, "command": one.command, "call": one.call} for one in self.next],
            "history": [{"at": one.at, "what": one.what, "who": one.who} for one in self.history],
            "secrets": secrets,
        }

    def to_markdown(self) -> str:
        """Give the report as Markdown, with tables as GitHub reads them."""
        from secretbridge.migrate._report_markdown import markdown  # late: one format is wanted at a time

        return markdown(self)

    def to_html(self) -> str:
        """Give the report as one HTML page that asks for nothing from anywhere: no script, font or image."""
        from secretbridge.migrate._report_html import page  # late, as above

        return page(self)

    def __repr__(self) -> str:
        return f"Report({self.run!r})"


def report(run_id: str | None = None, *, journal: str | os.PathLike[str] | None = None) -> Report:
    """Give the report of a run: finished, interrupted, undone or under way; it changes nothing.

    It is read from the journal alone, so no store has to be reached and no vault to be opened. The seals
    that a vault puts on a journal are not checked: damage is noticed, an edit on purpose is not.

    Args:
        run_id: the run, as ``runs()`` shows it; without it, the one that was begun last.
        journal: the folder of the journals, where it is not the default place.

    Raises:
        InvalidRequest: ``run_id`` is not the id of a run, or the folder cannot be used.
        JournalMismatch: there is no such run, or its journal is damaged or not one of a migration.
    """
    folder = journal_folder(journal, make=False)
    if run_id is not None:
        return report_of(journal_path(folder, run_id))
    for path in sorted(folder.glob("*.db"), reverse=True):
        found = _read(path)
        if found is not None:
            return found
    raise JournalMismatch(
        f"There is no run in {folder}.", advice="journal= says in which folder the journals are."
    )


def report_of(path: Path) -> Report:
    """Give the report of a run by its journal's file.

    Raises:
        JournalMismatch: there is none, it is damaged, or not one of a migration.
    """
    found = _read(path)
    if found is None:
        raise JournalMismatch(
            f"The journal {path} is not one of a migration.", advice="migrate.runs() shows the migrations."
        )
    return found


def _read(path: Path) -> Report | None:
    """Read a journal; None where it is one of another kind of run."""
    # Asked first: a run that ends in between is then reported as running, not as interrupted.
    busy = path.is_file() and locked_by(path.parent, path.stem)
    opened = Journal.open(path)
    try:
        begin = opened.begin
        if "plan" not in begin:
            return None
        items = Items(step_of(json.loads(text)) for text in opened.steps())
        entries = list(opened.entries())
    finally:
        opened.close()
    replay(items, entries)
    state, ended = ended_in(entries)
    run = run_of(path, begin, items, "running" if busy else state, ended)
    return Report(
        run=run,
        phase="undo" if any(entry.kind == "phase" for entry in entries) else "run",
        program=begin["program"],
        with_vault=begin["sealed"],
        delete_source=begin["delete_source"],
        history=tuple(_history(begin, entries)),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _history(begin: Mapping[str, Any], entries: Iterable[Entry]) -> Iterable[Moment]:
    yield Moment(at=begin["at"], what="begun", who=begin["who"])
    for kind, data in entries:
        if kind == "state":
            yield Moment(at=data["at"], what=f"ended: {data['state']}")
        elif kind in {"resumed", "phase"}:
            what = "resumed" if kind == "resumed" else "undo begun"
            yield Moment(at=data["at"], what=what, who=data["who"])
