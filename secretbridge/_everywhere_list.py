"""changes(): which changes in many places, and which rotations, were begun with a journal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from secretbridge._everywhere_ledger import folder_of
from secretbridge._everywhere_names import CHANGE, ROTATION
from secretbridge.errors import JournalMismatch
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._place import locked_by

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["ChangeInfo", "changes"]

_KINDS: Final = {CHANGE: "update", ROTATION: "rotation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeInfo:
    """A journalled change in many places, or a rotation.

    Attributes:
        id: for ``resume_everywhere`` or ``resume_rotation``.
        kind: ``"update"`` or ``"rotation"``.
        state: ``"running"``: some process works on it at this moment. ``"interrupted"``: it was broken off.
            ``"incomplete"``: it ended, and did not do all. ``"done"``. ``"forgotten"``: it was given up.
            ``"damaged"``: its journal cannot be read.
        name: the secret's name.
        targets: where; of a rotation only where all targets were named connections.
        started_at: ISO 8601, in UTC.
        vault: the connection that keeps the values, where it was given by name, or None.
        named: whether all targets were named connections: then they need not be given again.
        revokes: whether a rotation began with ``revoke``, which is then needed to go on.
        journal: the journal's file.
    """

    id: str
    kind: Literal["update", "rotation"]
    state: Literal["running", "interrupted", "incomplete", "done", "forgotten", "damaged"]
    name: str
    targets: tuple[str, ...]
    started_at: str
    vault: str | None
    named: bool
    revokes: bool
    journal: Path


def changes(*, journal: str | os.PathLike[str] | None = None) -> list[ChangeInfo]:
    """Give the journalled changes in many places and the rotations, the newest first.

    It reads files, and makes and changes nothing; where nothing was begun yet there are none. The change that
    a rotation makes is a part of it, and not listed.

    Args:
        journal: the folder of the journals; by default ``changes`` in the user's state folder.

    Raises:
        InvalidRequest: it cannot be used as a folder of journals.
    """
    folder = folder_of(journal, make=False)
    found = [info for path in folder.glob("*.db") if (info := _info(folder, path)) is not None]
    return sorted(found, key=lambda one: (one.started_at, one.id), reverse=True)


def _info(folder: Path, path: Path) -> ChangeInfo | None:
    run = path.stem
    try:
        read = Journal.open(path)
    except JournalMismatch:
        kind: Any = "rotation" if run.startswith("rotation-") else "update"
        return ChangeInfo(
            id=run, kind=kind, state="damaged", name="", targets=(), started_at="", vault=None, named=False,
            revokes=False, journal=path,
        )  # fmt: skip
    try:
        begin = read.begin
        kind = _KINDS.get(begin.get("what", ""))
        if kind is None or begin.get("part_of"):
            return None
        steps: list[dict[str, str]] = [json.loads(text) for text in read.steps()]
        named = (
            begin["targets"] is not None if kind == "rotation" else all(one["connection"] for one in steps)
        )
        targets = (
            [
                f"{store}:{secret}" if secret != begin["name"] else store
                for store, secret in begin["targets"] or ()
            ]
            if kind == "rotation"
            else [one["target"] for one in steps]
        )
        return ChangeInfo(
            id=run,
            kind=kind,
            state=_state(folder, run, read),
            name=str(begin["name"]),
            targets=tuple(targets),
            started_at=datetime.fromtimestamp(begin["at"], UTC).isoformat(timespec="seconds"),
            vault=begin.get("vault"),
            named=named,
            revokes=bool(begin.get("revokes")),
            journal=path,
        )
    finally:
        read.close()


def _state(folder: Path, run: str, read: Journal) -> Any:  # noqa: ANN401 - one of the words above
    if locked_by(folder, run):
        return "running"
    state = "interrupted"
    for kind, data in read.entries():
        if kind == "forgotten":
            return kind
        if kind == "end":
            state = "done" if data.get("complete", True) else "incomplete"
    return state
