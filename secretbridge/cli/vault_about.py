"""``vault describe`` and ``vault audit-reads``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import OneOf
from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import in_vault, name_argument, opened_vault

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["audit_reads", "describe"]


@command("describe")
@name_argument()
@in_vault()
def describe(session: Session, store: str, name: str) -> None:
    """Tell where a secret has a value, and where it is protected.

    Over all environments of a vault. Columns: environment, whether it has a value there, whether it is
    protected there, whether the value is one for all.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"describe {name!r} in {store}")
        found = vault.describe(name)
        every = list(vault.environments.list())
    session.doing = None
    if session.json:
        show_json({"vault": store, "secret": asdict(found)})
        return
    table(
        ("environment", "value", "protected", "shared"),
        [
            [
                one,
                "yes" if one in found.environments else "no",
                "yes" if one in found.protected else "no",
                "yes" if found.shared else "no",
            ]
            for one in every
        ],
    )


@command("audit-reads")
@click.argument("mode", type=OneOf("off", "batched", "durable"))
@in_vault()
def audit_reads(session: Session, store: str, mode: Literal["off", "batched", "durable"]) -> None:
    """Say whether the audit trail tells of reading and listing.

    off, as in a new vault; durable, each line is on the disk before a value is handed out; or batched, which
    is written together: a crash loses the last 1,000 lines or 5 seconds at most. It holds for every process
    that has the vault open.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"set how {store} tells of reading", changes=True)
        vault.set_audit_reads(mode)
        session.changed(f"set how {store} tells of reading")
    if session.json:
        show_json({"vault": store, "audit_reads": mode})
    note(session, f"The audit trail of {store} tells of reading: {mode}.")
