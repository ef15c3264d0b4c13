"""``plan`` and ``migrate``: secrets from one store to another, looked at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._files import read_text, written
from secretbridge.cli._interrupt import patient
from secretbridge.cli._migrating import (
    journal_option,
    planned,
    rule_options,
    rules_of,
    store_of_undo,
    stores,
    vault_option,
)
from secretbridge.cli._output import counted, note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import store_argument, vault_given
from secretbridge.cli._telling import (
    broken_off,
    ended,
    plan_report,
    progress,
    run_report,
    show_plan,
    tell_plan,
    tell_run,
)

if TYPE_CHECKING:
    from secretbridge import SecretBridge
    from secretbridge.cli._migrating import Stores
    from secretbridge.migrate import Plan, Run

__all__ = ["migrate", "plan"]


@command("plan")
@store_argument("source", "SOURCE")
@store_argument("target", "TARGET")
@rule_options()
@click.option("--out", metavar="PLAN.json", help="Write the plan into a new file, for migrate --plan.")
def plan(session: Session, source: str, target: str, *, out: str | None, **options: Any) -> int:  # noqa: ANN401 - click's own
    """Say what a migration would do and lose.

    Nothing is written but the file of --out, and no value is kept. Columns: what is done (refuse, create,
    update, skip), the secret, why and what is lost. Ends with 5 where something is refused.
    """
    rules = rules_of(options)
    keeps = store_of_undo(session, None, (source, target), no_undo=False)
    with stores(session, source, target, values=options["values_from"], vault=keeps) as opened:
        made = planned(session, opened, rules)
    if out is not None:
        written(out, made.to_json() + "\n", what="plan")
    if session.json:
        show_json(plan_report(made, out))
    else:
        show_plan(session, made)
    return Code.REFUSED if made.refused else Code.DONE


@command("migrate")
@store_argument("source", "SOURCE")
@store_argument("target", "TARGET")
@rule_options()
@click.option("--plan", "file", metavar="PLAN.json", help="Carry out this plan, which plan --out wrote.")
@vault_option()
@click.option("--no-undo", is_flag=True, help="Keep no replaced values: undo will not restore them.")
@click.option("--skip-refused", is_flag=True, help="Leave behind what the plan refuses.")
@click.option("--stop-on-error", is_flag=True, help="End at the first secret that fails; resume goes on.")
@click.option(
    "--delete-source",
    is_flag=True,
    help="Delete at the source what was written, after all of it was verified.",
)
@click.option(
    "--accept-unverifiable",
    is_flag=True,
    help="With --delete-source: even where the target never tells a value.",
)
@journal_option(there=False)
@yes_option()
@dry_run_option()
def migrate(session: Session, source: str, target: str, **options: Any) -> int | None:  # noqa: ANN401 - click's own
    """Copy secrets from one store to another, by a plan.

    It says first what it will do, and asks. Each secret is written down before it is touched: resume goes on
    after an interruption, and undo takes all of it back. Values that are replaced are kept in the embedded
    vault for that, unless that vault is one of the two stores. The source keeps its secrets, unless
    --delete-source is given: then it loses those that were written, once all of them were read back.
    """
    rules = rules_of(options)
    if options["file"] is not None and rules:
        raise click.UsageError("--plan holds the rules already; give it alone.")
    if options["accept_unverifiable"] and not options["delete_source"]:
        raise click.UsageError("--accept-unverifiable belongs to --delete-source.")
    keeps = store_of_undo(session, options["vault"], (source, target), no_undo=options["no_undo"])
    values = options["values_from"]
    with stores(session, source, target, values=values, vault=keeps) as opened:
        if options["file"] is not None:
            made = _taken_up(session, options["file"], opened)
        else:
            made = planned(session, opened, rules)
        report = {"plan": plan_report(made), "run": None, "dry_run": options["dry_run"]}
        if not _shown(session, made, options, keeps):
            if session.json:
                show_json(report)
            return Code.REFUSED if made.refused and not options["skip_refused"] else Code.DONE
        after = f", and deletes them in {source} once all are verified" if options["delete_source"] else ""
        agree(f"This writes {counted(_writes(made), 'secret')} into {target}{after}.", yes=options["yes"])
        run = _applied(session, made, (source, target, keeps, values), options)
        unseen = keeps is None and not options["delete_source"] and _hides_changes(opened.target)
    session.doing = None
    if session.json:
        show_json(report | {"run": run_report(run)})
    else:
        tell_run(session, run)
    journal = options["journal"]
    again = how_on(run.id, source, target, keeps, values, journal=journal)
    back = how_back(run.id, target, keeps, journal=journal)
    ended(run, "migrate", f"{again} goes on; {back} takes it back.")
    session.changed(f"did the run {run.id}")
    if not options["delete_source"]:  # else the target may hold the only copy, and undo leaves it
        note(session, f"To take it back: {back}{' --accept unseen' if unseen else ''}")
        if unseen:
            note(session, f"{target} does not show whether somebody changed it since: look first.")
    return None


def _hides_changes(target: SecretBridge) -> bool:
    """Say whether a store's listing shows no sign of a change, so that an undo needs consent."""
    from secretbridge.errors import SecretBridgeError

    try:
        first = next(target.iter_secrets(page_size=1), None)
    except SecretBridgeError:  # the run is done all the same, and undo says it too
        return False
    return first is not None and first.version is None and first.updated_at is None


def how_on(
    run: str,
    source: str,
    target: str,
    vault: str | None,
    values: str | None = None,
    *,
    journal: str | None = None,
) -> str:
    """Give the command that goes on with a run."""
    lent = f" --values-from {values}" if values else ""
    return f"secretbridge resume {run} {source} {target}{vault_given(vault)}{lent}{_journal(journal)}"


def how_back(run: str, target: str, vault: str | None, *, journal: str | None = None) -> str:
    """Give the command that takes a run back."""
    return f"secretbridge undo {run} {target}{vault_given(vault)}{_journal(journal)}"


def _journal(folder: str | None) -> str:
    from shlex import quote

    return "" if folder is None else f" --journal {quote(folder)}"


def _writes(made: Plan) -> int:
    return made.counts["create"] + made.counts["update"]


def _taken_up(session: Session, file: str, opened: Stores) -> Plan:
    from secretbridge.migrate import Plan as Library

    text = read_text(file, what="plan")
    session.doing = Doing("take up the plan")
    return Library.from_json(
        text, opened.source, opened.target, values_from=opened.values, vault=opened.vault
    )


def _shown(session: Session, made: Plan, options: dict[str, Any], keeps: str | None) -> bool:
    """Say what is going to be done; give whether to go on.

    Raises:
        Stop: the plan refuses something, and it is not to be left behind.
    """
    refused = bool(made.refused) and not options["skip_refused"]
    if not session.json and (options["dry_run"] or refused or not options["yes"]):
        show_plan(session, made)
    else:
        tell_plan(session, made)
    if keeps is not None and made.counts["update"]:
        note(session, f"Values that are replaced are kept in {keeps}, for an undo.")
    elif made.counts["update"]:
        note(
            session,
            f"No replaced value is kept: undo will not restore the {made.counts['update']:,} updated.",
        )
    if options["dry_run"]:
        return False
    if not refused and not _writes(made):
        note(session, "There is nothing to do.")
        return False
    if refused:
        raise Stop(
            "The plan refuses something; nothing was changed.",
            why=f"It refuses {len(made.refused)} of {counted(len(made.steps), 'secret')}.",
            do="Change the rules, consent by --accept, or leave them behind by --skip-refused.",
            code=Code.REFUSED,
        )
    return True


def _applied(
    session: Session, made: Plan, given: tuple[str, str, str | None, str | None], options: dict[str, Any]
) -> Run:
    source, target, keeps, values = given
    journal = options["journal"]
    chosen = {
        name: options[name]
        for name in ("skip_refused", "stop_on_error", "delete_source", "accept_unverifiable", "journal")
    }
    what = f"migrate from {source} to {target}"
    again = how_on("RUN", source, target, keeps, values, journal=journal)
    look = f"secretbridge runs shows whether it was begun; {again} goes on."
    session.doing = Doing(what, changes=True, look=look)
    try:
        with patient(session):
            return made.apply(**chosen, check=False, progress=progress(session))
    except KeyboardInterrupt:
        run = broken_off(journal)
        if run is None:
            session.doing = None
        else:
            back = how_back(run, target, keeps, journal=journal)
            again = how_on(run, source, target, keeps, values, journal=journal)
            look = f"{again} goes on; {back} takes it back."
            session.doing = Doing(f"{what} (run {run})", changes=True, look=look)
        raise
