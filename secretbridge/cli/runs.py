"""``runs``, ``resume`` and ``undo``: what was begun with a journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secretbridge.cli._changes import UNFINISHED, change_row, go_on_with, is_change, refuse_change, to_go_on
from secretbridge.cli._command import command
from secretbridge.cli._interrupt import patient
from secretbridge.cli._kinds import ConnectionName, OneOf, RunId
from secretbridge.cli._migrating import journal_option, stores, vault_option
from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import opened, store_argument
from secretbridge.cli._telling import CONSENT, ended, progress, run_report, tell_run
from secretbridge.cli.moving import how_back, how_on
from secretbridge.cli.rotating import step_options
from secretbridge.cli.writing import agree
from secretbridge.migrate import UNDO_CONSENTS

if TYPE_CHECKING:
    from secretbridge.migrate import Outcome, Report, Run

__all__ = ["resume", "runs", "undo"]

_RUN = click.argument("run", type=RunId(), metavar="RUN")


@command("runs")
@click.option("--all", "whole", is_flag=True, help="Changes and rotations that are done or given up, too.")
@journal_option()
def runs(session: Session, *, whole: bool, journal: str | None) -> None:
    """List what was begun with a journal, and how to go on with it.

    Migrations, changes in several stores, and rotations; of the last two those that are not done. The newest
    first. Columns: run, state (running, interrupted, incomplete, done, undone, forgotten, damaged), when it
    began, secrets, source or secret, target. forget gives a change or a rotation up.
    """
    from secretbridge import changes, migrate

    session.doing = Doing("list the runs")
    found = migrate.runs(journal=journal)
    # A folder that is named is one of migrations; changes have theirs in the user's state folder.
    known = changes() if journal is None else []
    changed = [one for one in known if whole or one.state not in {"done", "forgotten"}]
    session.doing = None
    if session.json:
        show_json(
            {
                "runs": [asdict(one) | {"journal": str(one.journal)} for one in found],
                "changes": [change_row(one) for one in changed],
            }
        )
        return
    rows = [
        (one.started_at, [one.id, one.state, one.started_at[:16], str(one.secrets), one.source, one.target])
        for one in found
    ]
    rows += [
        (one.started_at, [one.id, one.state, one.started_at[:16], "1", one.name, ", ".join(one.targets)])
        for one in changed
    ]
    rows.sort(key=lambda one: one[0], reverse=True)
    table(("run", "state", "began", "secrets", "from", "to"), [row for _, row in rows])
    for one in changed:
        if one.state in UNFINISHED:
            note(session, f"To go on: {to_go_on(one)}")


@command("resume")
@_RUN
@store_argument("source", "[SOURCE", required=False)
@store_argument("target", "TARGET]", required=False)
@vault_option()
@click.option(
    "--values-from",
    "values",
    type=ConnectionName(),
    metavar="CONNECTION",
    help="Where the values are, as at the beginning.",
)
@click.option("--resend", is_flag=True, help="Send again what nobody can say has arrived; the same value.")
@click.option("--stop-on-error", is_flag=True, help="End at the first secret that fails.")
@journal_option()
@step_options(required=False)
def resume(
    session: Session, run: str, source: str | None, target: str | None, *, vault: str | None,
    values: str | None, resend: bool, stop_on_error: bool, journal: str | None, **steps: str | None,
) -> None:  # fmt: skip
    """Go on with a run that was interrupted or did not do all.

    A migration takes the same stores as at the beginning, and the same --vault if there was one; what was
    announced and has no outcome is settled by looking at the target first. A change in several stores needs
    its id alone. A rotation needs its commands again: --obtain, and --revoke if it had one.
    """
    from secretbridge import migrate

    if is_change(run):
        if any((source, values, resend, stop_on_error, journal)):
            belong = "Stores, --values-from, --resend, --stop-on-error and --journal belong to a migration."
            raise click.UsageError(belong)
        go_on_with(session, run, vault, steps)
        return
    if source is None or target is None:
        _known(session, run, journal, f"go on with the run {run}")
        raise click.UsageError("A migration needs its stores again: resume RUN SOURCE TARGET.")
    if any(given is not None for given in steps.values()):
        raise click.UsageError("--obtain, --revoke and what goes with them belong to a rotation.")
    keeps = _keeper(session, run, vault, journal)
    with stores(session, source, target, values=values, vault=keeps) as ends, patient(session):
        again = how_on(run, source, target, keeps, values, journal=journal)
        look = f"{again} goes on; {how_back(run, target, keeps, journal=journal)} takes it back."
        session.doing = Doing(f"go on with the run {run}", changes=True, look=look)
        came = migrate.resume(
            run, ends.source, ends.target, vault=ends.vault, values_from=ends.values, resend=resend,
            check=False, progress=progress(session), stop_on_error=stop_on_error, journal=journal,
        )  # fmt: skip
    _told(session, came, "resume", look)


@command("undo")
@_RUN
@store_argument("target", "TARGET")
@vault_option()
@click.option(
    "--accept",
    type=OneOf(*UNDO_CONSENTS),
    multiple=True,
    help="Take back too what has changed since, what cannot be seen to be unchanged, or what the store"
    " never acknowledged.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--dry-run", is_flag=True, help="Say by the journal what would be taken back; do nothing.")
@journal_option()
def undo(
    session: Session, run: str, target: str, *, vault: str | None, accept: tuple[str, ...],
    yes: bool, dry_run: bool, journal: str | None,
) -> None:  # fmt: skip
    """Take back what a migration did at its target.

    What it created is deleted, what it changed is restored from the vault that kept it; nothing else is
    touched. It can be repeated, and takes the same --vault as migrate, if there was one. --dry-run asks no
    store: what has changed since is seen when it is done. Its columns: what (delete, restore, look, leave),
    secret, why.
    """
    from contextlib import ExitStack

    from secretbridge import migrate

    refuse_change(run, "undo")
    written = _known(session, run, journal, f"take back the run {run}")
    keeps = _keeper(session, run, vault, journal)
    if dry_run:
        _rehearsed(session, written)
        return
    without = "" if keeps is not None else " It kept no values, so what it replaced is not restored."
    agree(f"This takes back in {target} what the run {run} wrote.{without}", yes=yes)
    with ExitStack() as stack, patient(session):
        bridge = stack.enter_context(opened(session, target))
        kept = None if keeps is None else stack.enter_context(opened(session, keeps))
        look = f"{how_back(run, target, keeps, journal=journal)} goes on."
        session.doing = Doing(f"take back the run {run}", changes=True, look=look)
        came = migrate.undo(
            run, bridge, vault=kept, accept=accept, check=False, journal=journal, progress=progress(session)  # type: ignore[arg-type]  # words of UNDO_CONSENTS
        )  # fmt: skip
    _told(session, came, "undo", _all_the_same(came, how_back(run, target, keeps, journal=journal)) or look)


def _known(session: Session, run: str, journal: str | None, what: str) -> Report:
    """Read the journal of a run, before anything is asked or done.

    Raises:
        SecretBridgeError: there is no such run.
    """
    from secretbridge import migrate

    session.doing = Doing(what)
    known = migrate.report(run, journal=journal)
    session.doing = None
    return known


def _rehearsed(session: Session, known: Report) -> None:
    """Say what an undo would do, by what the journal holds; no store is asked."""
    rows = [
        {"secret": one.target, "what": what, "why": why}
        for one in known.run.outcomes
        for what, why in [_would(one)]
        if what
    ]
    if session.json:
        show_json({"run": known.run.id, "dry_run": True, "secrets": rows})
        return
    table(("what", "secret", "why"), [[one["what"], one["secret"], one["why"]] for one in rows])
    if not rows:
        note(session, f"Dry run: the run {known.run.id} holds nothing to take back.")


def _would(one: Outcome) -> tuple[str, str]:
    """Give what an undo would do with a secret, and why; nothing where nothing was written."""
    if one.state in {"skipped", "refused", "pending", "failed", "undone"}:
        return "", ""
    if one.source_deleted:
        return "leave", "the source of it was deleted: here may be the only copy"
    if one.state != "done":
        return "look", "whether it was written is looked at first"
    if one.action == "create":
        return "delete", ""
    return ("restore", "") if one.restorable else ("leave", "the value before was not kept")


def _all_the_same(run: Run, back: str) -> str:
    """Give the command that takes back what was left as it is, or "" where consent would not do."""
    left = [one.error or "" for one in run.outcomes if one.state == "done" or one in run.open]
    words = sorted({word for text in left for word in CONSENT.findall(text)})
    if not words:
        return ""
    return f"Look at what is left; {back} {' '.join(f'--accept {word}' for word in words)} takes it back too."


def _keeper(session: Session, run: str, chosen: str | None, journal: str | None) -> str | None:
    """Give the vault that a run began with: the one that is named, or the embedded one; None without any."""
    from secretbridge import migrate

    session.doing = Doing("read the journal")
    with_vault = any(one.id == run and one.with_vault for one in migrate.runs(journal=journal))
    session.doing = None
    return (chosen or "vault") if with_vault else chosen


def _told(session: Session, run: Run, verb: str, do: str) -> None:
    session.doing = None
    if session.json:
        show_json(run_report(run))
    else:
        tell_run(session, run)
    ended(run, verb, do)
    session.changed(f"did the run {run.id}")
    note(session, f"The run {run.id} is {run.state}.")
