"""How far a plan or a run is, for people: a bar on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from secretbridge.errors import Violation
from secretbridge.migrate._table import duration, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from secretbridge.migrate._types import Event, EventPhase, Progress, WaitReason

# rich is the extra [cli]; it loads when a run is shown on a terminal.

__all__ = ["Lines", "Tally", "misgiven", "shown_progress"]

Wait: TypeAlias = "Callable[[threading.Event, float], bool]"

#: Seconds between two lines where there is no terminal.
_EVERY: Final = 60.0
#: Seconds over which a rate is told, and most points that it is taken from.
_LATELY: Final = 60.0
_POINTS: Final = 256
#: Times a second that a terminal is drawn anew.
_DRAWN: Final = 5
#: Columns of the bar.
_BAR: Final = 24
_WORDS: Final[Mapping[EventPhase, str]] = {
    "plan": "Comparing",
    "run": "Migrating",
    "delete": "Deleting at the source",
    "undo": "Taking back",
}
_WAITS: Final[Mapping[WaitReason, str]] = {
    "pace": "waiting for the limit of the {}: {}",
    "limit": "the {} says that there were too many requests: again in {}",
    "trouble": "the {} failed, which may pass: again in {}",
    "away": "the {} is away: again in {}",
    "settling": "waiting for the listing of the {} to settle: {}",
}


def misgiven(progress: object) -> list[Violation]:
    """Say what is wrong with a ``progress=``."""
    if progress is None or isinstance(progress, bool) or callable(progress):
        return []
    return [Violation("progress", "cannot be called", "give a function of one argument, or True")]


@contextmanager
def shown_progress(given: Progress | bool | None) -> Generator[Progress | None]:  # noqa: FBT001 - as the verbs take it
    """Give the function that is told of events: the caller's, one that shows them, or None."""
    if not isinstance(given, bool):
        yield given
    elif not given:
        yield None
    else:
        with _display(sys.stderr) as told:
            yield told


class Tally:
    """What the events so far come to, in words.

    Args:
        now: a clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # Events and drawing come from different threads, and a signal's handler may print within either.
        self._lock = threading.RLock()
        self._points: deque[tuple[float, int]] = deque(maxlen=_POINTS)
        self._waits: tuple[WaitReason, str, float] | None = None
        self._event: Event | None = None
        self._tried = 0
        self._began = now()
        self.last_error = ""
        self.finished = False

    def take(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            if self._event is None or event.phase != self._event.phase or event.kind == "started":
                self._points.clear()
                self._tried = event.done
                self._points.append((self._now(), event.done))
            self._event = event
            self._tried += event.kind == "tried"
            self.finished = event.kind == "finished"
            if event.reason is not None:
                self._wait(event.reason, event.store or "store", self._now() + event.seconds)
            if event.kind == "failed" and event.error is not None:
                self.last_error = shown(f"{event.name}: {event.error}")
            self._points.append((self._now(), self._place()))

    def _wait(self, reason: WaitReason, store: str, until: float) -> None:
        """Keep the longest wait, or one that says more than that the pace is kept."""
        now = self._now()
        if self._waits is None or self._waits[2] <= now or until >= self._waits[2]:
            self._waits = (reason, store, until)

    def _place(self) -> int:
        """Give how many secrets were gone through, well or not."""
        event = self._event
        return 0 if event is None else max(event.done, min(self._tried, event.total))

    @property
    def share(self) -> tuple[int, int]:
        """How many secrets were gone through, and how many there are; 0 of 0 while that is not known."""
        return self._place(), 0 if self._event is None else self._event.total

    def line(self) -> str:
        """Say in one line where it is and what it waits for."""
        return ", ".join(filter(None, (self.counts(), self.wait())))

    def counts(self) -> str:
        """Say where it is."""
        with self._lock:
            event = self._event
            if event is None:
                return "Beginning"
            word = _WORDS[event.phase]
            parts = [f"{word}: {event.done:,} of {event.total:,} done" if event.total else word]
            if event.failed:
                parts.append(f"{event.failed:,} failed")
            parts += self._speed(event)
            return ", ".join(parts)

    def wait(self) -> str:
        """Say what it waits for, and for how long yet; "" where it does not wait."""
        waits = self._waits
        if waits is None or (left := waits[2] - self._now()) <= 0:
            return ""
        return _WAITS[waits[0]].format(waits[1], duration(left))

    def _speed(self, event: Event) -> Iterator[str]:
        now = self._now()
        while len(self._points) > 2 and self._points[1][0] < now - _LATELY:  # noqa: PLR2004 - two points make a rate
            self._points.popleft()
        since, first = self._points[0]
        passed, place = now - since, self._place()
        if place <= first or passed <= 0:
            return
        rate = (place - first) / passed
        yield f"{rate:,.1f} a second" if rate >= 1 else f"{rate * 60:,.1f} a minute"
        if (left := (event.total - place) / rate) >= 1:
            yield f"about {duration(left)} left"

    def summary(self) -> str:
        """Say what it came to; "" where it has not come to its end, or has written nothing."""
        event = self._event
        if event is None or not self.finished or event.phase == "plan":
            return ""
        failed = f", {event.failed:,} failed" if event.failed else ""
        took = duration(self._now() - self._began)
        return f"{_WORDS[event.phase]}: {event.done:,} of {event.total:,} done{failed}, in {took}."


class Lines:
    """Writes a line every so often, and what it came to if there was a line at all.

    Args:
        stream: where to.
        tally: what to say.
        every: seconds between two lines.
        wait: waits for an event so many seconds; says whether it came.
    """

    def __init__(self, stream: TextIO, tally: Tally, every: float, wait: Wait = threading.Event.wait) -> None:
        self._stream = stream
        self._wait = wait
        self._tally = tally
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="secretbridge-progress", daemon=True)
        self._spoke = False

    def __enter__(self) -> Progress:
        self._thread.start()
        return self._tally.take

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._spoke and (told := self._tally.summary()):
            self._say(told)

    def _write(self) -> None:
        while not self._wait(self._ended, self._every):
            self._spoke = True
            self._say(self._tally.line())

    def _say(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (OSError, ValueError):  # nobody reads it: that is no reason to end a run
            return


@contextmanager
def _display(
    stream: TextIO, now: Callable[[], float] = time.monotonic, wait: Wait = threading.Event.wait
) -> Generator[Progress]:
    """Show it in the way that the stream allows."""
    tally = Tally(now)
    drawn = _live(stream, tally)
    if drawn is None:
        with Lines(stream, tally, _EVERY, wait) as take:
            yield take
        return
    with drawn:  # takes itself away at its end, however that comes about
        yield tally.take
    if told := tally.summary():
        drawn.console.print(told, markup=False, highlight=False)


def _live(stream: TextIO, tally: Tally) -> Any:  # noqa: ANN401 - rich's, where it is installed
    """Give what draws on a terminal; None where there is no terminal that can be drawn on, or no rich."""
    if not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return None

    class Unhidden(Console):
        """Leaves the cursor alone: a process that is killed could not bring it back."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 - rich's own
            return False

    def picture() -> Group:
        place, total = tally.share
        bar = ProgressBar(total=total or None, completed=place, width=_BAR, pulse=not total)
        first = Table.grid(padding=(0, 1))
        first.add_row(bar, Text(tally.counts(), no_wrap=True, overflow="ellipsis"))
        more = [tally.wait(), f"last failure: {tally.last_error}" if tally.last_error else ""]
        return Group(first, *(Text(line, no_wrap=True, overflow="ellipsis") for line in more if line))

    # Standard output stays what it is: what a program prints there may go into a pipe.
    return Live(
        console=Unhidden(file=stream, highlight=False),
        get_renderable=picture,
        refresh_per_second=_DRAWN,
        transient=True,
        redirect_stdout=False,
    )
