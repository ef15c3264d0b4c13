"""``history``, ``restore`` and ``undelete``: what a vault remembers of a secret."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secretbridge.cli._asking import dry_run_option
from secretbridge.cli._command import command
from secretbridge.cli._kinds import Whole
from secretbridge.cli._output import show_json, stamp, table
from secretbridge.cli._session import Doing, Session, Stop
from secretbridge.cli._stores import in_vault, name_argument, opened_vault
from secretbridge.cli.writing import tell_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge import Secret, Vault

__all__ = ["history", "restore", "undelete"]

_DRY = dry_run_option("Look at the history and say what would be done; change nothing.")


@command("history")
@name_argument()
@in_vault()
def history(session: Session, store: str, name: str) -> None:
    """List the versions of a secret in a vault.

    Newest first, without values; also those of a deleted secret. Columns: version, time, operation, who,
    fields given, name then.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"list the versions of {name!r} in {store}")
        versions = vault.history(name)
    session.doing = None
    if session.json:
        rows = [asdict(one) | {"fields": list(one.fields)} for one in versions]
        show_json({"connection": store, "name": name, "versions": rows})
        return
    table(
        ("version", "time", "operation", "who", "fields", "name"),
        [
            [str(one.version), stamp(one.at), one.operation, one.principal, ",".join(one.fields), one.name]
            for one in versions
        ],
    )


@command("restore")
@name_argument()
@click.argument("version", type=Whole(1), metavar="VERSION")
@in_vault()
@_DRY
def restore(session: Session, store: str, name: str, version: int, *, dry_run: bool) -> None:
    """Bring back an older version of a secret in a vault.

    Its value, description, activity and expiry become a new version; name and protection stay. What was there
    before remains in the history.
    """
    if dry_run:
        _rehearsed(session, "restore", store, name, version)
    else:
        _bring_back(session, "restore", store, name, lambda vault: vault.restore(name, version))


@command("undelete")
@name_argument()
@in_vault()
@_DRY
def undelete(session: Session, store: str, name: str, *, dry_run: bool) -> None:
    """Bring back a deleted secret in a vault."""
    if dry_run:
        _rehearsed(session, "undelete", store, name)
    else:
        _bring_back(session, "undelete", store, name, lambda vault: vault.undelete(name))


def _rehearsed(session: Session, operation: str, store: str, name: str, version: int = 0) -> None:
    """Say by the history whether it could be done.

    Raises:
        Stop: it could not.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"list the versions of {name!r} in {store}")
        versions = vault.history(name)
    session.doing = None
    deleted = bool(versions) and versions[0].deleted
    there = {one.version for one in versions if not (one.deleted or one.purged)}
    why = ""
    if deleted != (operation == "undelete"):
        why = "The secret is deleted; undelete comes first." if deleted else "The secret is not deleted."
    elif version and version not in there:
        why = f"It has no version {version} whose content is kept."
    if why:
        do = f"secretbridge history {name} --in {store} shows what there is."
        raise Stop(f"Could not {operation} {name!r} in {store}; nothing was sent.", why=why, do=do)
    tell_change(session, operation, store, [], name=name, id=None, secret=None, dry_run=True)


def _bring_back(
    session: Session, operation: str, store: str, name: str, call: Callable[[Vault], Secret]
) -> None:
    look = f"secretbridge history {name} --in {store} shows what is there now."
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"{operation} {name!r} in {store}", changes=True, look=look)
        secret = call(vault)
        session.changed(f"did {operation} {name!r} in {store}")
    tell_change(session, operation, store, [], name=name, id=None, secret=secret, dry_run=False)
