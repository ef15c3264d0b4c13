"""``forget``: a change in several stores, or a rotation, that nobody wants to go on with."""

from __future__ import annotations

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._changes import begun, is_change
from secretbridge.cli._command import command
from secretbridge.cli._kinds import ConnectionName, RunId
from secretbridge.cli._output import note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop

__all__ = ["forget"]


@command("forget")
@click.argument("run", type=RunId(), metavar="RUN")
@click.option(
    "--vault",
    type=ConnectionName(),
    metavar="CONNECTION",
    help="The vault that keeps the values; without it the one that the run began with.",
)
@yes_option()
@dry_run_option()
def forget(session: Session, run: str, *, vault: str | None, yes: bool, dry_run: bool) -> None:
    """Give up a change or a rotation, and delete the values that it keeps.

    What it has changed in stores stays as it is; resume cannot go on with it any more. It can be broken off
    and repeated. In the vault's history the values stay until vault purge --deleted.
    """
    from secretbridge import forget_change

    if not is_change(run):
        raise Stop(
            f"The run {run} was not given up; nothing was changed.",
            why="It is no change in several stores and no rotation; undo and report go by a migration's"
            " journal.",
            do="secretbridge runs shows what there is.",
            code=Code.USAGE,
        )
    found = begun(session, run)
    keeps = vault or found.vault or "vault"
    rotation = found.kind == "rotation"
    what = f"the {'rotation' if rotation else 'change'} {run} of {found.name!r}"
    lost = (
        " A token that it obtained and did not write is lost: revoke that at its issuer." if rotation else ""
    )
    if dry_run:
        note(session, f"Dry run: would give up {what}, and delete what {keeps} keeps for it.{lost}")
    else:
        told = f"This gives up {what}, and deletes what {keeps} keeps for it."
        agree(f"{told} What it has written stays.{lost}", yes=yes)
        look = f"secretbridge forget {run} goes on with it; secretbridge runs --all shows it."
        session.doing = Doing(f"give up {what}", changes=True, look=look)
        forget_change(run, vault=keeps, config=session.config)
        session.changed(f"gave up {what}")
        note(session, f"Gave up {what}. What it kept is deleted in {keeps}; what it has written stays.")
    if session.json:
        show_json({"run": run, "name": found.name, "vault": keeps, "dry_run": dry_run})
