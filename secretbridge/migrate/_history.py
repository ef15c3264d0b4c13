"""What earlier runs between the same two stores wrote, by their journals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secretbridge.errors import JournalMismatch
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._state import Items, replay
from secretbridge.migrate._written import step_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from secretbridge.migrate._decide import Candidate
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._types import Mark

__all__ = ["History", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """The last that is known of one name at the target: which run wrote it, and how."""

    run_id: str
    item: Item


class History:
    """What earlier runs between two stores wrote and did not take back.

    Args:
        folder: the folder of the journals.
        stores: the identities of the two stores, the source's first.
        transform: the names of the transforms that are wanted now: values that were made by others are not
            known.
        keep: the vault, whose key seals the journals: those of runs without it do not count then. Without
            a vault an edited journal is not noticed.
    """

    def __init__(self, folder: Path, stores: Sequence[str], *, transform: object, keep: Keep | None) -> None:
        self._transform = transform
        self._last: dict[str, Written] = {}
        self._made: dict[str, Written] = {}
        self.unread: list[Path] = []
        for path in sorted(folder.glob("*.db")):
            try:
                self._learn(path, stores, keep)
            except JournalMismatch:
                self.unread.append(path)

    def _learn(self, path: Path, stores: Sequence[str], keep: Keep | None) -> None:
        journal = Journal.open(path)
        try:
            begin = journal.begin
            plan = begin.get("plan")
            if plan is None:  # of another kind of run, whose journal lies in the same folder
                return
            if begin["stores"] != [*stores]:
                return
            if keep is not None:  # a journal without a seal could be anybody's
                journal.close()
                journal = Journal.open(path, keep.seal_key(begin["run"]))
            items = Items(step_of(json.loads(text)) for text in journal.steps())
            replay(items, journal.entries())
        finally:
            journal.close()
        same = plan["rules"]["transform"] == self._transform
        for item in items:
            self._take(begin["run"], item, same=same)

    def _take(self, run_id: str, item: Item, *, same: bool) -> None:
        name = item.step.target
        if not item.writes or item.state == "pending":
            return
        if not same or item.undo == "done" or item.state != "done":
            self._last.pop(name, None)  # what is there by now is not known any more
        else:
            self._last[name] = Written(run_id, item)
        if item.step.action == "create":
            if item.state == "done" and item.owner == "recorded" and item.undo != "done":
                self._made[name] = Written(run_id, item)
            else:
                self._made.pop(name, None)

    def written(self, name: str) -> Item | None:
        """Give what the last run did about a name of the target, where that is known."""
        found = self._last.get(name)
        return None if found is None else found.item

    def known(self, candidate: Candidate) -> bool:
        """Say whether the marks of both ends are as the last run left them: then no value has to be read."""
        item = self.written(candidate.target)
        if item is None or len(candidate.there) != 1 or item.verified == "mismatch":
            return False
        ours, theirs = candidate.mark, candidate.there[0]
        steady = ours.version is not None or ours.updated_at is not None
        return steady and item.step.source_mark == ours and unmoved(item, theirs) is True

    def orphans(self, present: Collection[str], wanted: Collection[str]) -> dict[str, list[Item]]:
        """Give what runs created and acknowledged of secrets that the source has no more, by run.

        Args:
            present: the names that the source has.
            wanted: the names at the target that secrets of the source bear there by now.
        """
        found: dict[str, list[Item]] = {}
        for written in self._made.values():
            step = written.item.step
            if step.source not in present and step.target not in wanted:
                found.setdefault(written.run_id, []).append(written.item)
        return found


def unmoved(item: Item, there: Mark) -> bool | None:
    """Say whether the target's mark is as the run left it; None where it has no usable one."""
    after = item.after
    if after.id is not None and there.id is not None and after.id != there.id:
        return False
    if after.version is not None and there.version is not None:
        return after.version == there.version
    if after.updated_at is not None and there.updated_at is not None:
        return after.updated_at == there.updated_at.isoformat()
    return None
