"""``--dry-run`` of ``resume`` and ``undo``: what they would do, by the journals alone; no store is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Code, Session, Stop

if TYPE_CHECKING:
    from secretbridge import ChangeInfo
    from secretbridge.migrate import Outcome, Report

__all__ = ["rehearse_change", "rehearse_resume", "rehearse_undo"]

_LOOKED_AT: Final = "whether it was written is looked at first"


def rehearse_undo(session: Session, known: Report) -> None:
    """Say what an undo would do."""
    rows = [
        {"secret": one.target, "what": what, "why": why}
        for one in known.run.outcomes
        for what, why in [_undone(one)]
        if what
    ]
    if session.json:
        show_json({"run": known.run.id, "dry_run": True, "secrets": rows})
        return
    table(("what", "secret", "why"), [[one["what"], one["secret"], one["why"]] for one in rows])
    if not rows:
        note(session, f"Dry run: the run {known.run.id} holds nothing to take back.")


def _undone(one: Outcome) -> tuple[str, str]:
    """Give what an undo would do with a secret, and why; nothing where nothing was written."""
    if one.state in {"skipped", "refused", "pending", "failed", "undone"}:
        return "", ""
    if one.source_deleted:
        return "leave", "the source of it was deleted: here may be the only copy"
    if one.state != "done":
        return "look", _LOOKED_AT
    if one.action == "create":
        return "delete", ""
    return ("restore", "") if one.restorable else ("leave", "the value before was not kept")


def rehearse_resume(session: Session, known: Report) -> None:
    """Say what going on with a migration would do.

    Raises:
        Stop: it cannot be gone on with.
    """
    run = known.run.id
    if known.phase == "undo":
        raise Stop(
            f"The run {run} is not gone on with; nothing was changed.",
            why="It is being taken back, or was.",
            do=f"secretbridge undo {run} TARGET --dry-run shows what is left of that.",
            code=Code.USAGE,
        )
    _refuse_running(run, known.run.state)
    rows = [
        {"secret": one.target, "store": None, "what": what, "why": why}
        for one in known.run.outcomes
        for what, why in [_gone_on(one)]
        if what
    ]
    deletes = known.delete_source and any(
        one.state not in {"skipped", "refused"} and not one.source_deleted for one in known.run.outcomes
    )
    if session.json:
        show_json({"run": run, "dry_run": True, "secrets": rows, "deletes_source": deletes})
        return
    table(("what", "secret", "why"), [[str(one[key]) for key in ("what", "secret", "why")] for one in rows])
    if deletes:
        note(session, "Dry run: would then delete at the source what was written and is verified.")
    elif not rows:
        note(session, f"Dry run: nothing is left to do in the run {run}.")


def _gone_on(one: Outcome) -> tuple[str, str]:
    if one.state in {"pending", "failed"}:
        return "write", (one.error or "") if one.state == "failed" else ""
    if one.state == "unknown":
        return "look", _LOOKED_AT
    return ("look", "it was not read back yet") if (one.state, one.verified) == ("done", None) else ("", "")


def rehearse_change(session: Session, found: ChangeInfo) -> None:
    """Say what going on with a change in several stores, or with a rotation, would do.

    Raises:
        Stop: it cannot be gone on with.
    """
    if found.state in {"forgotten", "damaged"}:
        raise Stop(
            f"The run {found.id} is not gone on with; nothing was changed.",
            why="It was given up." if found.state == "forgotten" else "Its journal cannot be read.",
            code=Code.FAILED,
        )
    _refuse_running(found.id, found.state)
    rows = [
        {"secret": found.name, "store": target, "what": "look", "why": _LOOKED_AT}
        for target in (found.targets if found.state != "done" else ())
    ]
    if session.json:
        show_json({"run": found.id, "dry_run": True, "secrets": rows, "deletes_source": False})
        return
    table(("what", "store", "why"), [[str(one[key]) for key in ("what", "store", "why")] for one in rows])
    if not rows:
        note(session, f"Dry run: nothing is left to do in the run {found.id}.")
    elif found.kind == "rotation":
        revoked = " and revoke the old one," if found.revokes else ""
        note(session, f"Dry run: would write the new token,{revoked} as far as that is not done yet.")


def _refuse_running(run: str, state: str) -> None:
    if state == "running":
        raise Stop(
            f"The run {run} is not gone on with; nothing was changed.",
            why="Another process works on it at this moment.",
            do="Wait until it has ended.",
        )
