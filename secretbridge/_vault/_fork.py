"""What a fork must not carry over.

SQLite keeps its POSIX locks in the process: a child that opens the database while it has its parent's
connection in memory takes the parent's locks for its own, holds none, and another process may then remove
the journal it writes to. (Seen in ``/proc/locks``; merely abandoning the inherited connection does not
help.) So every store closes its connection just before a fork and opens a new one when next used, in the
parent and in the child. Processes started otherwise (subprocess, spawn) carry nothing over.
"""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """A store that can be put to rest round a fork."""

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


# State of the module, because a fork concerns the whole process. Weak: closing a vault needs nothing here.
_OPEN: Final[WeakSet[Forkable]] = WeakSet()


def watch(store: Forkable) -> None:
    """Put this store to rest round every fork, as long as it lives."""
    _OPEN.add(store)


def _before() -> None:
    for store in list(_OPEN):
        store.before_fork()


def _after_in_parent() -> None:
    for store in list(_OPEN):
        store.after_fork_in_parent()


def _after_in_child() -> None:
    for store in list(_OPEN):
        store.after_fork_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
