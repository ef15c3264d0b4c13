"""``report``: what came of a migration, to be read or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from secretbridge.cli._changes import refuse_change
from secretbridge.cli._command import command
from secretbridge.cli._files import written
from secretbridge.cli._kinds import OneOf, RunId
from secretbridge.cli._migrating import journal_option
from secretbridge.cli._output import note, show_json
from secretbridge.cli._session import Doing, Session

if TYPE_CHECKING:
    from secretbridge.migrate import Report

__all__ = ["report"]

_ENDINGS: Final = {".json": "json", ".md": "markdown", ".html": "html", ".htm": "html"}


@command("report")
@click.argument("run", type=RunId(), metavar="[RUN]", required=False)
@click.option(
    "--format",
    "form",
    type=OneOf("json", "markdown", "html"),
    help="How it is written; by the ending of --out, else markdown, without it.",
)
@click.option("--out", metavar="FILE", help="Write it into this new file, which only you can read.")
@click.option("--overwrite", is_flag=True, help="Let --out replace a file.")
@journal_option()
def report(
    session: Session,
    run: str | None,
    *,
    form: str | None,
    out: str | None,
    overwrite: bool,
    journal: str | None,
) -> None:
    """Report what came of a migration, as JSON, Markdown or a page.

    Of the run that was begun last, if none is named; it may be done, interrupted, undone or under way. It is
    read from the journal alone: no store is asked and no vault opened. No value is in it; names are.
    """
    from secretbridge import migrate

    if run is not None:
        refuse_change(run, "report")
    if session.json and form not in {None, "json"}:
        raise click.UsageError("--json and another --format are given together; give one of them.")
    if overwrite and out is None:
        raise click.UsageError("--overwrite belongs to --out.")
    session.doing = Doing("make the report")
    found = migrate.report(run, journal=journal)
    session.doing = None
    chosen = form or ("json" if session.json else _by_ending(out))
    if out is None and chosen == "json":
        show_json(found.document())
        return
    text = _made(found, chosen)
    if out is None:
        click.echo(text, nl=False)
        return
    written(out, text, what="report", overwrite=overwrite, remedy="Give --out another place, or --overwrite.")
    if session.json:
        show_json(found.document())
    note(session, f"Wrote the report of the run {found.run.id} into {out}.")


def _by_ending(out: str | None) -> str:
    return next((form for ending, form in _ENDINGS.items() if out and out.endswith(ending)), "markdown")


def _made(found: Report, form: str) -> str:
    if form == "json":
        return found.to_json() + "\n"
    return found.to_html() if form == "html" else found.to_markdown()
