"""A token bucket: bulk work stays under a provider's rate limit instead of bouncing off it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pacer"]

#: Part of the allowed rate that is used: requests do not arrive as evenly as they are sent.
_SHARE: Final = 0.97
#: Requests that may go out at once after a pause. Together with _SHARE they stay within any minute's limit;
#: where more than ten a second are allowed, the limit may be counted by the second, and waiting costs little.
_BURST: Final = 4
_BURST_INTERVAL: Final = 0.1
#: How far 429 answers slow us down at the most, as a multiple of the interval.
_SLOWEST: Final = 8.0
_SLOWER: Final = 1.25
_FASTER: Final = 0.98


class Pacer:
    """Hands out times to send at. Thread-safe.

    Args:
        per_minute: requests a minute that the provider allows.
        now: a clock in seconds that never goes back.
    """

    def __init__(self, per_minute: float, now: Callable[[], float]) -> None:
        self._least = self._interval = 60.0 / (per_minute * _SHARE)
        spare = int(per_minute * (1 - _SHARE)) if self._least >= _BURST_INTERVAL else 1
        self._burst = max(1, min(_BURST, spare))
        self._now = now
        self._lock = threading.Lock()
        self._next = now() - self._interval * self._burst

    def reserve(self) -> float:
        """Take the next place and give the seconds to wait for it."""
        with self._lock:
            now = self._now()
            self._next = max(self._next, now - self._interval * (self._burst - 1))
            wait = max(0.0, self._next - now)
            self._next += self._interval
            return wait

    def limited(self, retry_after: float | None) -> None:
        """Slow down: the provider said 429, and perhaps for how many seconds."""
        with self._lock:
            self._interval = min(self._interval * _SLOWER, self._least * _SLOWEST)
            pause = self._interval if retry_after is None else retry_after
            self._next = max(self._next, self._now() + pause)

    def went_well(self) -> None:
        """Come back to the allowed rate, a little with every answer."""
        if self._interval > self._least:
            with self._lock:
                self._interval = max(self._interval * _FASTER, self._least)
