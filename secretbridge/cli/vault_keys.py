"""``vault slots``, ``vault rekey`` and ``vault rotate-root``: who can open a vault."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._credential import credential_options, credentials_of, one_credential
from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import in_vault, opened_vault

if TYPE_CHECKING:
    from secretbridge import SlotInfo

__all__ = ["rekey", "rotate_root", "slots_add", "slots_change", "slots_list", "slots_remove"]

_SLOT = click.argument("slot", metavar="SLOT")
_YES = yes_option()
_DRY = dry_run_option("See whether it can be done; change nothing.")


@command("list")
@in_vault()
def slots_list(session: Session, store: str) -> None:
    """List the ways into a vault.

    Columns: number, kind, label, whose it is. Nothing in them is secret.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"list the slots of {store}")
        found = vault.slots.list()
    session.doing = None
    _show(session, store, found)


@command("add")
@in_vault()
@click.option("--label", default="", metavar="TEXT", help="What to call it; it stands in the file in clear.")
@credential_options()
def slots_add(session: Session, store: str, label: str, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Add a way into a vault; what opens it already stays."""
    credential = one_credential(options)
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"add a slot to {store}", changes=True, look=_look(store))
        made = vault.slots.add(credential, label)
        session.changed(f"added the slot {made.number} to {store}")
    _tell(session, store, made, "Added")


@command("change")
@_SLOT
@in_vault()
@credential_options()
def slots_change(session: Session, store: str, slot: str, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Put another credential into a slot, such as a new passphrase.

    SLOT is a number or a label; both stay. What the old credential could read is not revoked by that.
    """
    credential = one_credential(options)
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"change a slot of {store}", changes=True, look=_look(store))
        made = vault.slots.change(_slot(slot), credential)
        session.changed(f"changed the slot {made.number} of {store}")
    _tell(session, store, made, "Changed")


@command("remove")
@_SLOT
@in_vault()
@_YES
@_DRY
def slots_remove(session: Session, store: str, slot: str, *, yes: bool, dry_run: bool) -> None:
    """Take a way into a vault away.

    SLOT is a number or a label. It does not revoke: whoever has an older copy of the file still opens that;
    rotate-root and then rekey do.
    """
    if not dry_run:
        agree(f"This removes the slot {slot!r} of {store}: its credential will not open the vault.", yes=yes)
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"remove a slot of {store}", changes=not dry_run, look=_look(store))
        gone = vault.slots.remove(_slot(slot), dry_run=dry_run)
        session.doing = None
        if not dry_run:
            session.changed(f"removed the slot {gone.number} of {store}")
    _tell(session, store, gone, "Dry run: would remove" if dry_run else "Removed", dry_run=dry_run)


@command("rekey")
@in_vault()
@_YES
def rekey(session: Session, store: str, *, yes: bool) -> None:
    """Encrypt everything in a vault anew.

    Others go on reading and writing meanwhile. Broken off at any moment it leaves a whole vault, and the next
    rekey goes on. By itself it revokes nothing: rotate-root before it does.
    """
    agree(f"This encrypts everything in {store} anew.", yes=yes)
    with opened_vault(session, store) as vault:
        look = "The vault is whole; secretbridge vault rekey goes on."
        session.doing = Doing(f"encrypt {store} anew", changes=True, look=look)
        vault.rekey()
        session.changed(f"encrypted {store} anew")
    if session.json:
        show_json({"vault": store, "operation": "rekey"})
    note(session, f"Everything in {store} is under a new key.")


@command("rotate-root")
@in_vault()
@click.option(
    "--drop", multiple=True, metavar="SLOT", help="This slot may be dropped; may be given several times."
)
@_YES
@_DRY
@credential_options()
def rotate_root(
    session: Session, store: str, drop: tuple[str, ...], *, yes: bool, dry_run: bool, **options: Any  # noqa: ANN401 - click's own
) -> None:  # fmt: skip
    """Give a vault a new root key, for the credentials that are named.

    Only their slots stay; each other slot has to be named by --drop, those of accounts too. What was
    encrypted before stays under the old key until vault rekey: the two together revoke. --dry-run shows which
    slots would stay.
    """
    keep = credentials_of(options, new=False)
    dropped = f" Dropped: {', '.join(map(repr, drop))}." if drop else ""
    if not dry_run:
        agree(
            f"This gives {store} a new root key; only the credentials that are named open it then.{dropped}",
            yes=yes,
        )
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"give {store} a new root key", changes=not dry_run, look=_look(store))
        left = vault.rotate_root(keep, consent=[_slot(one) for one in drop], dry_run=dry_run)
        session.doing = None
        if not dry_run:
            session.changed(f"gave {store} a new root key")
    _show(session, store, left, dry_run=dry_run)
    if dry_run:
        note(session, f"Dry run: {store} would have a new root key, and these slots.")
        return
    note(
        session,
        f"{store} has a new root key. To revoke what was readable: secretbridge vault rekey --in {store}",
    )


def _slot(written: str) -> int | str:
    return int(written) if written.isdecimal() and len(written) < 10 else written  # noqa: PLR2004 - a number's digits


def _look(store: str) -> str:
    return f"secretbridge vault slots list --in {store} shows what is there now."


def _show(session: Session, store: str, found: list[SlotInfo], *, dry_run: bool = False) -> None:
    if session.json:
        show_json({"vault": store, "slots": [asdict(one) for one in found], "dry_run": dry_run})
        return
    table(
        ("slot", "kind", "label", "whose"),
        [[str(one.number), one.kind, one.label, asdict(one).get("principal") or ""] for one in found],
    )


def _tell(session: Session, store: str, slot: SlotInfo, done: str, *, dry_run: bool = False) -> None:
    if session.json:
        show_json({"vault": store, "slots": [asdict(slot)], "dry_run": dry_run})
    note(session, f"{done} the slot {slot.number} of {store} ({slot.kind}, {slot.label}).")
