"""What Markdown and HTML share of a report: its words, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge.migrate._result import GUARANTEES
from secretbridge.migrate._table import shown
from secretbridge.migrate._types import CONSENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secretbridge.migrate._report import Report
    from secretbridge.migrate._result import Outcome

__all__ = ["NOTE", "about", "headline", "listed", "notes_of", "shown", "totals"]

NOTE: Final = (
    "Made from the run's journal alone. It holds no value of any secret. It shows names: give it to those who"
    " may know them."
)
_STATES: Final[Mapping[str, str]] = {
    "done": "written",
    "undone": "taken back",
    "unknown": "not known whether written",
    "failed": "failed, not written",
    "pending": "not begun",
    "refused": "refused by the plan",
    "skipped": "skipped by the plan",
}
_VERIFIED: Final[Mapping[str, str]] = {
    "verified": "read back as sent",
    "mismatch": "read back different",
    "unverifiable": "cannot be read back",
    "not_yet": "not read back yet",
}
_SECRETS: Final[Mapping[str, str]] = {
    "source_deleted": "deleted at the source",
    "inferred": "found as sent; the answer got lost",
    "resent": "sent twice, the same value",
    "restorable": "can be taken back by undo",
}
_HEADLINES: Final[Mapping[str, str]] = {
    "running": "A process is working on this run.",
    "interrupted": "This run was interrupted before its end.",
    "incomplete": "This run ended before all was done.",
    "done": "This run did all that was to be done.",
    "undone": "This run was taken back.",
}
_ORDER: Final = ("unknown", "failed", "pending", "refused", "done", "undone", "skipped")
_REASONS: Final[Mapping[str, str]] = {
    "same": "the same already",
    "policy": "left as it is, by the rule for conflicts",
    "platform": "belongs to the platform",
    "inactive": "inactive, left behind",
    "expired": "expired, left behind",
}


def headline(report: Report) -> str:
    """Say in a sentence what became of the run."""
    if report.phase == "undo" and report.run.state != "undone":
        return "This run is not taken back as a whole."
    return _HEADLINES[report.run.state]


def totals(report: Report) -> list[tuple[str, list[tuple[str, int, str]]]]:
    """Give tables of what is counted: a title, and rows of words, a number and what that means."""
    found = report.totals
    states = [(word, found["states"].get(name, 0), "") for name, word in _STATES.items()]
    verified = [(word, found["verified"].get(name, 0), "") for name, word in _VERIFIED.items()]
    guarantees = [(name, found["guarantees"].get(name, 0), GUARANTEES[name]) for name in GUARANTEES]
    more = [(word, found["secrets"][name], "") for name, word in _SECRETS.items()]
    parts = {"What became of the secrets": states, "Read back": verified}
    parts |= {"Guarantees": guarantees, "Besides": more}  # type: ignore[dict-item]  # the literal names of guarantees are text
    counted = [(title, [row for row in rows if row[1]]) for title, rows in parts.items()]
    return [(title, rows) for title, rows in counted if rows]


def about(report: Report) -> list[tuple[str, str]]:
    """Give the facts of a run as pairs."""
    run = report.run
    return [
        ("Run", run.id),
        ("From", run.source),
        ("To", run.target),
        ("Begun", f"{run.started_at} by {run.who}"),
        ("Ended", run.finished_at or "not yet"),
        ("Former values", "kept in a vault, for an undo" if report.with_vault else "not kept"),
        ("Source", "deleted after all was verified" if report.delete_source else "keeps its secrets"),
        ("Plan", run.plan),
        ("Journal", str(run.journal)),
        ("Program", f"secretbridge {report.program}"),
    ]


def listed(report: Report) -> Iterator[tuple[Outcome, bool, str]]:
    """Give all secrets, what is open first, each with whether it is open and its state in words."""
    ranked = sorted(report.run.outcomes, key=lambda one: (not report.is_open(one), _ORDER.index(one.state)))
    for one in ranked:
        words = _STATES[one.state]
        if one.state == "done" and one.verified is not None:
            words = f"{words}, {_VERIFIED[one.verified]}"
        yield one, report.is_open(one), words


def notes_of(one: Outcome) -> Iterator[str]:
    """Say what there is to say of a secret: what went wrong, why it was left, what is lost."""
    if one.error is not None:
        yield one.error
    if one.reason and one.state in {"skipped", "refused"}:
        yield _REASONS.get(one.reason, one.reason)
    if one.owner == "inferred":
        yield "the answer got lost; it was found as it was sent"
    if one.resent:
        yield "the same value was sent twice"
    if one.source_deleted:
        yield "deleted at the source"
    for loss in one.losses:
        yield f"{loss.kind}: {loss.text}" if loss.kind in CONSENTS else loss.text
