"""Changes in several stores and rotations that were begun: as rows, and gone on with."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import vault_given

if TYPE_CHECKING:
    from secretbridge import ChangeInfo

__all__ = ["UNFINISHED", "begun", "change_row", "go_on_with", "is_change", "refuse_change", "to_go_on"]

UNFINISHED: Final = frozenset({"interrupted", "incomplete"})
_CHANGE: Final = re.compile("(?:change|rotation)-[0-9a-f]+")


def is_change(run: str) -> bool:
    """Say whether a run is a change in several stores or a rotation, by its id."""
    return _CHANGE.fullmatch(run) is not None


def refuse_change(run: str, what: str) -> None:
    """Say that only a migration has it, where a run is something else.

    Raises:
        Stop: it is a change in several stores or a rotation.
    """
    if is_change(run):
        kind = "rotation" if run.startswith("rotation-") else "change in several stores"
        raise Stop(
            f"There is no {what} of {run}; nothing was changed.",
            why=f"It is a {kind}, and only a migration has one.",
            do=f"secretbridge resume {run} goes on with it, if it is not done; secretbridge runs shows how.",
            code=Code.USAGE,
        )


def change_row(one: ChangeInfo) -> dict[str, Any]:
    """Give it for JSON."""
    return asdict(one) | {
        "targets": list(one.targets),
        "journal": str(one.journal),
        "resume": to_go_on(one) if one.state in UNFINISHED else None,
    }


def to_go_on(one: ChangeInfo) -> str:
    """Give the command that goes on with it; commands of a rotation are not kept."""
    if one.kind == "update":
        from secretbridge.cli._several import how_on

        return how_on(one.id, one.vault)
    revoke = " --revoke COMMAND" if one.revokes else ""
    return f"secretbridge resume {one.id}{vault_given(one.vault)} --obtain COMMAND{revoke}"


def begun(session: Session, run: str) -> ChangeInfo:
    """Give what the journals tell of a change or a rotation.

    Raises:
        Stop: there is no such run.
    """
    from secretbridge import changes

    session.doing = Doing("read the journals")
    found = next((one for one in changes() if one.id == run), None)
    session.doing = None
    if found is None:
        raise Stop(
            "There is no such run; nothing was changed.",
            do="secretbridge runs --all lists them.",
            code=Code.FAILED,
        )
    return found


def go_on_with(session: Session, run: str, vault: str | None, steps: dict[str, Any]) -> None:
    """Go on with a change or a rotation.

    Raises:
        Stop: there is no such run, or it is not done after that either.
    """
    found = begun(session, run)
    if not found.named:
        raise Stop(
            "The run was not begun here; nothing was changed.",
            why="Its stores were given as objects in Python, not as connections.",
            do="Go on with it there: resume_everywhere and resume_rotation take the stores again.",
            code=Code.USAGE,
        )
    keeps = vault or found.vault or "vault"
    if found.kind == "update":
        from secretbridge.cli._several import go_on

        go_on(session, run, found.name, keeps)
    else:
        from secretbridge.cli.rotating import go_on as rotate_on

        rotate_on(session, run, found.name, keeps, steps)
