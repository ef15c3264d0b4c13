"""Lines of the audit trail about reading: kept for a while and written together, or each at once.

Batched, a crash loses at most ``BATCH`` lines or those of ``SECONDS``, whichever is reached first.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._vault._change import Change

#: Lines that are kept at most before they are written.
BATCH: Final = 1000
#: Seconds that a line is kept at most.
SECONDS: Final = 5.0


class Line(NamedTuple):
    """What there is to tell of one reading, or of a refusal."""

    operation: int
    name: str
    secret: bytes
    environment: int
    version: int
    fields: int
    outcome: int
    at: int
    id: bytes = b""  # of the line in the log, once it was tried to write it


def _write(change: Change, line: Line, operation_id: bytes) -> None:
    """Put a line into the log."""
    change.note(
        line.operation,
        operation_id,
        name=line.name,
        secret=line.secret,
        environment=line.environment,
        version=line.version,
        fields=line.fields,
        outcome=line.outcome,
        at=line.at,
    )


class Batch:
    """Lines that wait to be written, by one process."""

    __slots__ = ("_flush", "_lines", "_lock", "_process", "_timer")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._flush: Callable[[], None] | None = None
        self._process = os.getpid()

    def add(self, line: Line, flush: Callable[[], None], *, seconds: float = SECONDS) -> None:
        """Let a line wait.

        Args:
            line: what was read.
            flush: writes what waits; called when it is enough, after a time, or at the program's end.
            seconds: how long a line waits at most.
        """
        if self._process != os.getpid():
            self._begin()  # what the parent read, it writes itself
        with self._lock:
            self._lines.append(line)
            full = len(self._lines) >= BATCH
            self._wind(flush, seconds)
        if full:
            flush()

    def _wind(self, flush: Callable[[], None], seconds: float) -> None:
        """See to it that what waits is written after a time, and at the program's end."""
        if self._timer is None:
            self._timer = threading.Timer(seconds, flush)
            self._timer.daemon = True
            self._timer.start()
            # Only while lines wait: what is registered is kept alive.
            self._flush = flush
            atexit.register(flush)

    def take(self) -> list[Line]:
        """What waits, from now on the caller's; given back with :meth:`give_back` if it is not written."""
        if not self._lines or self._process != os.getpid():
            return []
        with self._lock:
            lines, self._lines = self._lines, []
            timer, self._timer = self._timer, None
            flush, self._flush = self._flush, None
        if timer is not None:
            timer.cancel()
        if flush is not None:
            atexit.unregister(flush)
        return lines

    def give_back(
        self, lines: list[Line], flush: Callable[[], None] | None = None, *, seconds: float = SECONDS
    ) -> None:
        """Let these wait again, before the others; the oldest go where it would be more than a batch.

        Args:
            lines: what was taken.
            flush: as for :meth:`add`; None where it was just tried, and the next line is waited for.
            seconds: how long they wait at most.
        """
        if lines:
            with self._lock:
                self._lines = [*lines, *self._lines][-BATCH:]
                if flush is not None:
                    self._wind(flush, seconds)


def write_all(change: Change, lines: list[Line], operation_id: bytes = b"") -> None:
    """Put lines into the log, but for those that an earlier try of unknown outcome brought there.

    Args:
        change: the transaction.
        lines: what to write; afterwards what was written, with the ids, to be given back if it fails.
        operation_id: for the first of them.
    """
    lines[:] = [line for line in lines if not line.id or not change.rows.has_line(line.id)]
    for place, line in enumerate(lines):
        id_ = operation_id if operation_id and not place else _sealed.new_id()
        lines[place] = line._replace(id=id_)
        _write(change, line, id_)
