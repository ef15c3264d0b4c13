"""What to do next about a run: sentences, each with the command and the call that do it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secretbridge.migrate._place import default_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.migrate._report import Report
    from secretbridge.migrate._result import Outcome

__all__ = ["NextStep", "next_steps"]

_SAME_VAULT: Final = " Give the vault that was given at the beginning."


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """Something to do.

    Attributes:
        text: what and why.
        command: the command that does it, with SOURCE and TARGET for the connections' names; "" where none
            does.
        call: the same in Python.
    """

    text: str
    command: str = ""
    call: str = ""


def next_steps(report: Report) -> Iterator[NextStep]:
    """Say what to do next, the most urgent first."""
    run = report.run
    if run.state == "running":
        yield NextStep(text="A process works on this run; make the report again when it has ended.")
        return
    if report.phase == "undo":
        yield from _of_undo(report)
        return
    if run.state != "done":
        yield _resume(report)
    yield from _of_the_open(report)
    yield from _of_the_rest(report)
    if any(one.state == "done" for one in run.outcomes):
        yield _undo(report, "If the secrets are not wanted at the target after all, take the run back.")


def _of_undo(report: Report) -> Iterator[NextStep]:
    left = list(report.open)
    if report.run.state == "undone":
        yield NextStep(text="Nothing is left to do: all that the run wrote was taken back.")
        return
    text = f"{_were(left)} not taken back. Mend what is said of each, or consent to it, and undo again."
    yield _undo(report, text)


def _resume(report: Report) -> NextStep:
    text = "Go on with the run; what is done already is not done twice."
    vault = ", vault=vault" if report.with_vault else ""
    return NextStep(
        text=text + (_SAME_VAULT if report.with_vault else ""),
        command=f"secretbridge resume {report.run.id} SOURCE TARGET{_place(report)}",
        call=f"migrate.resume({report.run.id!r}, source, target{vault}{_journal(report)})",
    )


def _undo(report: Report, text: str) -> NextStep:
    vault = ", vault=vault" if report.with_vault else ""
    return NextStep(
        text=text + (_SAME_VAULT if report.with_vault else ""),
        command=f"secretbridge undo {report.run.id} TARGET{_place(report)}",
        call=f"migrate.undo({report.run.id!r}, target{vault}{_journal(report)})",
    )


def _elsewhere(report: Report) -> bool:
    return report.run.journal.parent != default_folder()


def _place(report: Report) -> str:
    return f" --journal {shlex.quote(str(report.run.journal.parent))}" if _elsewhere(report) else ""


def _journal(report: Report) -> str:
    return f", journal={str(report.run.journal.parent)!r}" if _elsewhere(report) else ""


def _of_the_open(report: Report) -> Iterator[NextStep]:
    """Say what to do about the secrets that are open, one kind after the other."""
    outcomes = report.run.outcomes
    failed = [one for one in outcomes if one.state == "failed"]
    unknown = [one for one in outcomes if one.state == "unknown"]
    differs = [one for one in outcomes if one.state == "done" and one.verified == "mismatch"]
    unread = [one for one in outcomes if one.state == "done" and one.verified is None]
    if failed:
        yield NextStep(
            text=f"{_were(failed)} not written: mend what is said of each, then go on with the run."
        )
    if unknown:
        yield NextStep(
            text=f"Of {_count(unknown)} it is not known whether the target has the new value. Going on looks"
            " at the target again; where that never tells values, --resend (resend=True) sends the same once"
            " more."
        )
    if differs:
        yield NextStep(
            text=f"{_were(differs)} written and then read back different: somebody else wrote after this run."
            " Find out which value is wanted."
        )
    if unread:
        yield NextStep(text=f"{_were(unread)} written and not read back yet; going on with the run does.")


def _of_the_rest(report: Report) -> Iterator[NextStep]:
    run = report.run
    if run.state == "done" and not report.open:
        yield NextStep(text="Nothing is open: all that was to be written is written.")
    unseen = [one for one in run.outcomes if one.state == "done" and one.verified == "unverifiable"]
    if unseen:
        yield NextStep(
            text=f"Try out {_count(unseen)} in use: the target does not tell the value, so nobody saw it"
            " arrive."
        )
    refused = [one for one in run.outcomes if one.state == "refused"]
    if refused:
        yield NextStep(
            text=f"{_were(refused)} refused by the plan and left behind. Change the rules or the secrets,"
            " and plan anew.",
            command="secretbridge plan SOURCE TARGET",
            call="migrate.plan(source, target)",
        )
    kept = [one for one in run.outcomes if one.action == "update" and one.state == "done" and one.restorable]
    if kept and report.with_vault:
        yield NextStep(
            text=f"The vault keeps the former values of {_count(kept)}, under names that begin with"
            f" migration.{run.id}. An undo needs them; delete them when it is not wanted any more."
        )


def _count(outcomes: list[Outcome]) -> str:
    return "1 secret" if len(outcomes) == 1 else f"{len(outcomes):,} secrets"


def _were(outcomes: list[Outcome]) -> str:
    return f"{_count(outcomes)} {'was' if len(outcomes) == 1 else 'were'}"
