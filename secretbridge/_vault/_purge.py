"""Removing for good: old versions, and deleted secrets with everything about them but their audit lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _retention
from secretbridge._vault._rows import EVERYWHERE

if TYPE_CHECKING:
    from secretbridge._trail import Retention
    from secretbridge._vault._change import Change, Held

#: Values that are looked through in one transaction: others write in between.
BATCH: Final = 256


class Place(NamedTuple):
    """Where a purge of everything is at: the last secret that it looked at, in an environment."""

    environment: int
    secret: bytes


class TakenBack(Exception):
    """Ends the transaction of a dry run before its commit; it says where to go on."""

    def __init__(self, following: Place | None) -> None:
        super().__init__()
        self.following = following


@dataclass(slots=True, kw_only=True)
class Removal:
    """What is to be removed, and what has been.

    Args:
        older_versions: every version but the newest one with a content, and not just what retention drops.
        deleted: deleted secrets too.
        dry_run: only count; each transaction is taken back.
        retention: of a dry run: the rules to count by in place of the vault's, or None.
    """

    older_versions: bool
    deleted: bool
    dry_run: bool = False
    retention: Retention | None = None
    secrets: int = 0
    versions: int = 0

    def begin(self, change: Change, operation_id: bytes) -> None:
        """Begin a transaction."""
        change.spare_id = operation_id
        if self.retention is not None:
            versions, days = self.retention
            change.policy = replace(change.policy, keep_versions=versions, keep_days=days)

    def next_batch(self, change: Change, after: Place) -> Place | None:
        """Look through the values after this one; where to go on, or None at the end.

        Those of the environment come first, then the shared ones: they are everybody's, and so are left
        alone by somebody who is not for all environments.
        """
        rows = change.rows.values_after(after.secret, after.environment, BATCH)
        for row in rows:
            held = change.opened(row)
            if held.record.elsewhere:
                self.left_behind(change, held)
            else:
                self.one(change, held)
        if len(rows) == BATCH:
            return Place(after.environment, rows[-1].secret)
        if after.environment != EVERYWHERE and change.rights.environments is None:
            return Place(EVERYWHERE, b"")
        return None

    def end(self, following: Place | None) -> Place | None:
        """End a transaction: gives where to go on, or takes back what a dry run did.

        Raises:
            TakenBack: it is a dry run.
        """
        if self.dry_run:
            raise TakenBack(following)
        return following

    def one(self, change: Change, held: Held) -> None:
        """Remove what is to be removed of one value."""
        row, name = held.row, held.record.name
        lines = list(_retention.lines_of(change, row.secret, row.environment, row.sequence))
        if held.deleted and self.deleted:
            self.secrets += 1
            self.versions += _forget(change, held, lines)
            left = change.everywhere(row.secret)
            if all(each.record.elsewhere for each in left):  # nothing but what says "not here"
                for each in left:
                    past = _retention.lines_of(change, row.secret, each.row.environment, each.row.sequence)
                    self.versions += _forget(change, each, list(past))
        elif self.older_versions:
            going = _retention.older(lines)
            self.versions += _retention.drop(change, row.secret, row.environment, name, going)
        else:
            self.versions += _retention.forget(change, row.secret, {row.environment}, name)

    def beside(self, change: Change, held: Held) -> None:
        """Remove what is to be removed where this value stood before it was shared, or when it was."""
        if not held.shared and change.rights.environments is not None:
            return  # what was shared is everybody's
        place = change.environment if held.shared else EVERYWHERE
        row = change.rows.value(held.row.secret, place)
        other = change.opened(row) if row is not None else None
        if other is not None and other.record.elsewhere:
            self.left_behind(change, other)

    def left_behind(self, change: Change, held: Held) -> None:
        """Remove older contents where nothing stands any more because the value is elsewhere."""
        row, name = held.row, held.record.name
        if not self.older_versions:
            self.versions += _retention.forget(change, row.secret, {row.environment}, name)
            return
        lines = list(_retention.lines_of(change, row.secret, row.environment, row.sequence))
        needed = row.environment == EVERYWHERE and _undeletes_to(change, row.secret, lines)
        going = _retention.older(lines) if needed else lines
        self.versions += _retention.drop(change, row.secret, row.environment, name, going)


def _undeletes_to(change: Change, secret: bytes, shared: list[_retention.Line]) -> bool:
    """Whether undelete() would bring the newest of these shared contents back in some environment."""
    newest = next((line.version for line in shared if line.kept), 0)
    for each in change.everywhere(secret) if newest else ():
        if each.deleted and not each.shared:
            lines = _retention.lines_of(change, secret, each.row.environment, each.row.sequence)
            if newest > next((line.version for line in lines if line.kept), 0):
                return True
    return False


def _forget(change: Change, held: Held, lines: list[_retention.Line]) -> int:
    row = held.row
    dropped = _retention.emptied(change, row.secret, row.environment, lines)
    change.remove(held)
    _retention.note(change, row.secret, row.environment, held.record.name, row.version)
    return len(dropped)
