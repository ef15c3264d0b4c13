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
#: After so many answers at the full rate a 429 is taken for an accident: where it is counted by the second,
#: some milliseconds on the way are enough for one too many. Slowing down is for the next, if it comes soon.
_ACCIDENT: Final = 10


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
        self._answers = 0  # since the last 429
        self._lock = threading.Lock()
        self._next = now() - self._interval * self._burst

    def reserve(self, *, evenly: bool = False) -> float:
        """Take the next place and give the seconds to wait for it.

        Args:
            evenly: no burst, not even after a pause: for work of many requests.
        """
        with self._lock:
            now = self._now()
            saved = 0 if evenly else self._burst - 1
            self._next = max(self._next, now - self._interval * saved)
            wait = max(0.0, self._next - now)
            self._next += self._interval
            return wait

    def limited(self, retry_after: float | None) -> None:
        """Hold back, and slow down where it happens often: the provider said 429, perhaps for how long."""
        with self._lock:
            if self._answers < _ACCIDENT or self._interval > self._least:
                self._interval = min(self._interval * _SLOWER, self._least * _SLOWEST)
            self._answers = 0
            pause = self._interval if retry_after is None else retry_after
            self._next = max(self._next, self._now() + pause)

    def went_well(self) -> None:
        """Come back to the allowed rate, a little with every answer."""
        self._answers += 1
        if self._interval > self._least:
            with self._lock:
                self._interval = max(self._interval * _FASTER, self._least)
