"""A real terminal: the command line in a pseudo-terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from typing import Self

__all__ = ["Terminal"]

#: Seconds; no test gets near it.
_PATIENCE = 60.0


class Terminal:
    """A process whose standard streams, and whose controlling terminal, are a pseudo-terminal.

    Args:
        words: the program and its arguments; by default the command line before them.
        environment: what is set besides the test's own.
        bare: whether ``words`` are a whole command.
    """

    def __init__(self, *words: str, bare: bool = False, **environment: str) -> None:
        self.seen = ""
        program = words if bare else (sys.executable, "-m", "secretbridge", *words)
        variables = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:  # pragma: no cover - the child becomes the program
            os.execvpe(program[0], program, variables)  # noqa: S606 - no shell is wanted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)

    def until(self, text: str) -> str:
        """Read until this has been shown since the last call; give all since then."""
        start = len(self.seen)
        deadline = time.monotonic() + _PATIENCE
        while text not in self.seen[start:]:
            assert time.monotonic() < deadline, f"{text!r} was not shown, but {self.seen!r}"
            if not self._read():
                raise AssertionError(f"it ended without {text!r}: {self.seen!r}")
        return self.seen[start:]

    def type(self, text: str) -> None:
        """Type it; Ctrl-C not before the program waits: one that comes just before is noticed only later."""
        if text == "\x03":
            time.sleep(0.3)
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; give the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], _PATIENCE)
        assert ready, f"nothing more was shown after {self.seen!r}"
        try:
            content = os.read(self._terminal, 65_536)
        except OSError:  # EIO: the other side was closed
            return False
        self.seen += content.decode("utf-8", "replace")
        return bool(content)
