"""Tells a caller how far a plan or a run is: counts, and what its stores make it wait for."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from secretbridge._core import Core
from secretbridge.errors import RateLimited
from secretbridge.migrate._state import sentence
from secretbridge.migrate._types import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secretbridge.errors import SecretBridgeError
    from secretbridge.migrate._ends import Opened
    from secretbridge.migrate._types import EventKind, EventPhase, Progress, Store, WaitReason

__all__ = ["Teller"]

#: What an entry of the journal says by its second column: that a secret is settled, or that it went wrong.
_GOOD: Final = {"outcome": "done", "undone": "done", "deleted": "done"}
_BAD: Final = {
    "outcome": frozenset({"failed", "unknown"}),
    "verified": frozenset({"mismatch"}),
    "undone": frozenset({"failed", "refused"}),
    "deleted": frozenset({"failed"}),
}


class Teller:
    """Tells a caller's function of events, one at a time, from whatever thread they come.

    Args:
        progress: the function, or None: then nothing is counted either.
        now: a clock in seconds that never goes back.
        phase: what is being done.
    """

    def __init__(self, progress: Progress | None, now: Callable[[], float], phase: EventPhase) -> None:
        self._progress = progress
        self._now = now
        self._began = now()
        self._telling = threading.RLock()  # jobs side by side may wait in threads of their own
        self._phase: EventPhase = phase
        self._total = 0
        self._done = 0
        self._failed: set[int] = set()

    def begin(self, phase: EventPhase, total: int, done: int = 0) -> None:
        """Begin to count anew."""
        self._phase, self._total, self._done = phase, total, done
        self._failed.clear()

    def looked(self, name: str) -> None:
        """Count a secret whose value was looked at for a plan."""
        if self._progress is not None:
            with self._telling:
                self._done += 1
                self.tell("looked", name)

    def moved(self, kind: str, rows: Sequence[Sequence[Any]]) -> None:
        """Count what an entry of the journal says."""
        if self._progress is None or kind not in _BAD:
            return
        for row in rows:
            if row[1] == _GOOD.get(kind):
                self._done += 1
            if row[1] in _BAD[kind]:
                self._failed.add(row[0])
            elif row[1] == _GOOD.get(kind):
                self._failed.discard(row[0])

    def tell(
        self,
        kind: EventKind,
        name: str | None = None,
        *,
        seconds: float | None = None,
        store: Store | None = None,
        reason: WaitReason | None = None,
        error: str | None = None,
        attempt: int = 0,
    ) -> None:
        """Tell of an event."""
        if self._progress is None:
            return
        with self._telling:
            self._progress(
                Event(
                    kind=kind,
                    phase=self._phase,
                    name=name,
                    done=self._done,
                    total=self._total,
                    failed=len(self._failed),
                    seconds=self._now() - self._began if seconds is None else seconds,
                    store=store,
                    reason=reason,
                    error=error,
                    attempt=attempt,
                )
            )

    def watched(self, core: Core, store: Store) -> Core:
        """Give a core over the same connections whose waits are told of."""
        if self._progress is None:
            return core
        return Core(core.provider, core.channel.watched(_Watch(self, store)))

    def watching(self, opened: Opened) -> Opened:
        """Give open ends whose waits are told of."""
        values = None if opened.values is None else self.watched(opened.values, "values")
        source, target = self.watched(opened.source, "source"), self.watched(opened.target, "target")
        return replace(opened, source=source, target=target, values=values)


class _Watch:
    """Tells of the waits of one store's channel."""

    def __init__(self, teller: Teller, store: Store) -> None:
        self._teller = teller
        self._store: Store = store

    def waits(self, seconds: float) -> None:
        """Tell that a request is held back so that the store's rate is kept."""
        self._teller.tell("waiting", seconds=seconds, store=self._store, reason="pace")

    def repeats(self, error: SecretBridgeError, tries: int, seconds: float) -> None:
        """Tell that a request has failed and is sent again after a wait."""
        self._teller.tell(
            "retrying",
            seconds=seconds,
            store=self._store,
            reason="limit" if isinstance(error, RateLimited) else "trouble",
            error=sentence(error),
            attempt=tries,
        )
