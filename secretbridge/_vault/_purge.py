"""Removing for good: old versions, and deleted secrets with everything about them but their audit lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secretbridge._vault import _retention
from secretbridge._vault._policy import Policy

if TYPE_CHECKING:
    from secretbridge._vault._change import Change, Held

#: Values that are looked through in one transaction: others write in between.
BATCH: Final = 256


@dataclass(slots=True, kw_only=True)
class Removal:
    """What is to be removed, and what has been.

    Args:
        older_versions: every version but the newest one with a content, and not just what retention drops.
        deleted: deleted secrets too.
    """

    older_versions: bool
    deleted: bool
    secrets: int = 0
    versions: int = 0

    def next_batch(self, change: Change, after: bytes) -> bytes | None:
        """Look through the values after this secret; where to go on, or None at the end."""
        rows = change.rows.values_after(after, change.environment, BATCH)
        for row in rows:
            self.one(change, change.opened(row))
        return rows[-1].secret if len(rows) == BATCH else None

    def one(self, change: Change, held: Held) -> None:
        """Remove what is to be removed of one value."""
        row, name = held.row, held.record.name
        lines = list(_retention.lines_of(change, row.secret, row.environment, row.sequence))
        if held.deleted and self.deleted:
            self.secrets += 1
            self.versions += _forget(change, held, lines)
        elif self.older_versions:
            going = _retention.older(lines)
            self.versions += _retention.drop(change, row.secret, row.environment, name, going)
        else:
            going = _retention.outlived(lines, change.policy or Policy(), change.now)
            self.versions += _retention.drop(change, row.secret, row.environment, name, going)


def _forget(change: Change, held: Held, lines: list[_retention.Line]) -> int:
    row = held.row
    dropped = _retention.emptied(change, row.secret, row.environment, lines)
    change.remove(held)
    _retention.note(change, row.secret, row.environment, held.record.name, row.version)
    return len(dropped)
