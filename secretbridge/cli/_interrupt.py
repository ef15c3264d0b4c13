"""Ctrl-C while many requests are under way: once stops, twice leaves at once."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from secretbridge.cli._output import talk
from secretbridge.cli._session import Code, Session
from secretbridge.cli._trouble import of_interrupt, tell

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["patient", "run_of"]

_STOPPING: Final = "Stopping: requests under way come to their end. Ctrl-C once more leaves at once."
_RUN: Final = re.compile(r"resume_(?:everywhere|rotation)\('([a-z0-9-]+)'")


@contextmanager
def patient(session: Session) -> Generator[None]:
    """Let Ctrl-C end a run in order: nothing new begins, and what is under way comes to its end.

    That is said at once. A second Ctrl-C ends the process, as a kill would: what the journal holds is on the
    disk, and the run can be gone on with.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield
        return
    pressed = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            try:
                tell(session, of_interrupt(session))
                sys.stderr.flush()
            finally:
                os._exit(Code.INTERRUPTED)
        pressed = True
        session.stopping = True
        if not session.json:
            with suppress(RuntimeError):  # it came while something was being printed
                if sys.stderr.isatty():
                    talk("")  # the line may show a ^C, or how far it is
                talk(_STOPPING)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_of(ended: BaseException) -> str | None:
    """Give the run that an exception's notes name, or None; of a change in a rotation, the rotation."""
    for note in reversed(getattr(ended, "__notes__", ())):
        found = _RUN.search(note)
        if found:
            return found[1]
    return None
