"""``vault verify``, ``audit``, ``anchor`` and ``backup``: looking after an embedded vault."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import Whole
from secretbridge.cli._output import counted, note, show_json, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import in_vault, opened_vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge import AuditEntry

__all__ = ["anchor", "audit", "backup", "verify"]

#: Lines that are drawn at a time.
_PAGE = 256


@command("verify")
@in_vault()
@click.option("--anchor", "known", metavar="ANCHOR", help="What vault anchor printed earlier.")
def verify(session: Session, store: str, known: str | None) -> None:
    """Check a whole vault, and its audit trail against an anchor.

    Every secret, every version and every line of the trail is opened. Without an anchor, an older copy of
    the whole file in the vault's place goes unnoticed.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"verify {store}")
        found, head = vault.verify(), vault.verify_audit(known)
    session.doing = None
    if session.json:
        show_json({**found._asdict(), "anchor": str(head)})
        return
    against = "and continues the anchor" if known is not None else "and was held against no anchor"
    note(
        session,
        f"{store} is whole: {counted(found.secrets, 'name')}, {counted(found.values, 'value')}; the audit"
        f" trail has {counted(found.entries, 'line')} {against}.",
    )


@command("audit")
@in_vault()
@click.option("--after", type=Whole(0), default=0, metavar="N", help="Begin after the line of this number.")
def audit(session: Session, store: str, after: int) -> None:
    """Print the audit trail of a vault.

    All environments, oldest first. Columns: number, time, operation, environment, name, version, fields.
    With --json one object a line. No values and no descriptions are in it.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"read the audit trail of {store}")
        entries = vault.audit(after=after)
        if session.json:
            for entry in entries:
                show_json(asdict(entry) | {"fields": list(entry.fields)}, lines=True)
            return
        while rows := _page(entries):
            table(("line", "time", "operation", "environment", "name", "version", "fields"), rows)


def _page(entries: Iterator[AuditEntry]) -> list[list[str]]:
    from itertools import islice

    return [
        [
            str(one.sequence),
            f"{one.at:%Y-%m-%d %H:%M:%SZ}",
            one.operation,
            one.environment or "",
            one.name or "",
            "" if one.version is None else str(one.version),
            ",".join(one.fields),
        ]
        for one in islice(entries, _PAGE)
    ]


@command("anchor")
@in_vault()
def anchor(session: Session, store: str) -> None:
    """Print where the audit trail is at, to be kept elsewhere.

    It is one word and no secret. vault verify --anchor finds by it whether the vault was replaced by an
    older copy.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"read the audit trail of {store}")
        head = vault.audit_head()
    session.doing = None
    if session.json:
        show_json({"anchor": str(head)})
    else:
        click.echo(str(head))


@command("backup")
@click.argument("file", metavar="FILE")
@in_vault()
@click.option("--overwrite", is_flag=True, help="Replace a backup that is there.")
def backup(session: Session, store: str, file: str, *, overwrite: bool) -> None:
    """Copy a vault as it is at one moment.

    Others may go on writing to it. The copy is verified before it gets its name, and opens with the same
    key: keep a copy of the key file too, and not beside the backup.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"copy {store} to {file}", changes=True)
        copied = vault.backup(file, overwrite=overwrite)
        session.changed(f"copied {store} to {file}")
    if session.json:
        show_json({"file": file, **copied._asdict()})
        return
    held = f"{counted(copied.secrets, 'name')}, {counted(copied.values, 'value')}"
    note(session, f"{file} holds all of {store}: {held}.")
