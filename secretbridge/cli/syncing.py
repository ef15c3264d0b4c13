"""``sync``: a target kept as its source is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._interrupt import patient
from secretbridge.cli._migrating import planned, rule_options, rules_of, store_of_undo, stores, vault_option
from secretbridge.cli._output import note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import store_argument
from secretbridge.cli._telling import (
    CONSENT,
    broken_off,
    ended,
    plan_report,
    progress,
    run_report,
    show_plan,
    tell_run,
)
from secretbridge.cli._trouble import in_words
from secretbridge.cli.moving import how_back, how_on

if TYPE_CHECKING:
    from secretbridge.cli._migrating import Stores
    from secretbridge.migrate import Plan, Run

__all__ = ["sync"]

#: Whether the target shows it unchanged -> what --prune does about it.
_WOULD: Final = {True: "delete", None: "look", False: "leave"}
_IN_WORDS: Final = {
    "delete": "delete",
    "look": "look at, and delete unless it was changed since,",
    "leave": "leave, for it was changed since,",
}


@command("sync")
@store_argument("source", "SOURCE")
@store_argument("target", "TARGET")
@rule_options()
@vault_option()
@click.option("--no-undo", is_flag=True, help="Keep no replaced values, and know no value again.")
@click.option(
    "--prune", is_flag=True, help="Delete at the target what earlier runs created and the source has no more."
)
@click.option("--skip-refused", is_flag=True, help="Leave behind what would be refused.")
@yes_option()
@dry_run_option("Say what would be written and deleted; do nothing.")
def sync(session: Session, source: str, target: str, **options: Any) -> int | None:  # noqa: ANN401 - click's own
    """Bring a target to where its source is; again, only what has changed.

    For a job that comes again and again: where both stores show that nothing has moved since the last run,
    no value is read, and nothing is written. A value that differs is replaced, unless --on-conflict says
    otherwise. Undo takes a run back; a run that finds nothing to do leaves none behind.
    """
    rules = rules_of(options)
    rules.setdefault("on_conflict", "update")
    keeps = store_of_undo(session, options["vault"], (source, target), no_undo=options["no_undo"])
    with stores(session, source, target, values=options["values_from"], vault=keeps) as opened:
        if options["dry_run"]:
            made = planned(session, opened, rules)
            _rehearsed(session, made, target, prune=options["prune"])
            return Code.REFUSED if made.refused and not options["skip_refused"] else Code.DONE
        prunes = (
            " It deletes there what earlier runs created and the source has no more."
            if options["prune"]
            else ""
        )
        agree(f"This replaces what differs in {target} by what is in {source}.{prunes}", yes=options["yes"])
        run = _done(session, opened, rules, options, (source, target, keeps))
    if session.json:
        show_json({"plan": None, "run": run_report(run), "dry_run": False, "prunes": []})
    else:
        tell_run(session, run)
    again = how_on(run.id, source, target, keeps, options["values_from"])
    ended(run, "sync", f"{again} goes on; {how_back(run.id, target, keeps)} takes it back.")
    if run.id:  # without one nothing was to be written
        session.changed(f"did the run {run.id}")
    _tell_pruned(session, run, target)
    return None


def _rehearsed(session: Session, made: Plan, target: str, *, prune: bool) -> None:
    """Say what a sync would write and, with --prune, delete."""
    session.doing = Doing(f"look for what is left at {target}")
    rows = [
        {"secret": one.name, "what": _WOULD[one.unchanged], "run": one.run}
        for one in (made.orphans() if prune else ())
    ]
    session.doing = None
    if session.json:
        show_json({"plan": plan_report(made), "run": None, "dry_run": True, "prunes": rows})
        return
    show_plan(session, made)
    for one in rows:
        note(session, f"Dry run: would {_IN_WORDS[one['what']]} {one['secret']!r} at {target}.")
    if prune and not rows:
        note(session, f"Dry run: would delete nothing at {target}.")


def _tell_pruned(session: Session, run: Run, target: str) -> None:
    """Say what --prune deleted, and what it left.

    Raises:
        Stop: something was not deleted although nobody had changed it.
    """
    gone = [one.target for one in run.pruned if one.state == "undone"]
    rest = [one for one in run.pruned if one.state != "undone"]
    # Consent would take these back too: they are left by rule, and no failure.
    kept = [one.target for one in rest if CONSENT.search(one.error or "")]
    failed = [one for one in rest if one.target not in kept]
    if gone:
        note(session, f"Deleted at {target}: {', '.join(gone)}.")
    if kept:
        note(session, f"Left at {target}, for it may have been changed since: {', '.join(kept)}.")
    if failed:
        unknown = any(one.state == "unknown" for one in failed)
        raise Stop(
            f"Not all that was to be deleted at {target} was.",
            why="; ".join(f"{one.target!r}: {in_words(one.error or one.state)}" for one in failed),
            do="Sync again.",
            code=Code.UNKNOWN if unknown else Code.PARTLY if gone else Code.FAILED,
        )


def _done(
    session: Session,
    opened: Stores,
    rules: dict[str, Any],
    options: dict[str, Any],
    names: tuple[str, str, str | None],
) -> Run:
    from secretbridge import migrate

    source, target, keeps = names
    what = f"sync {target} with {source}"
    again = how_on("RUN", source, target, keeps, options["values_from"])
    look = f"secretbridge runs shows whether it was begun; {again} goes on."
    session.doing = Doing(what, changes=True, look=look)
    try:
        with patient(session):
            run = migrate.sync(
                opened.source, opened.target, **rules, values_from=opened.values, vault=opened.vault,
                prune=options["prune"], skip_refused=options["skip_refused"], check=False,
                progress=progress(session),
            )  # fmt: skip
    except KeyboardInterrupt:
        begun = broken_off()
        if begun is None:
            session.doing = None
        else:
            again = how_on(begun, source, target, keeps, options["values_from"])
            look = f"{again} goes on; {how_back(begun, target, keeps)} takes it back."
            session.doing = Doing(f"{what} (run {begun})", changes=True, look=look)
        raise
    session.doing = None
    return run
