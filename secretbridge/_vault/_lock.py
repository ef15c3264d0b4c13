"""One lock file beside the vault: held round every open, write, checkpoint and close.

SQLite's own waiting is neither fair nor sufficient with many writers. A lock that is asked for again after
a short, random pause is both: nobody sees "database is locked", and nobody is starved.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from secretbridge.errors import VaultBusy

if TYPE_CHECKING:
    from pathlib import Path

_SHORTEST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.002


class FileLock:
    """An exclusive ``flock`` on a file of its own, so that no database file is ever opened for locking.

    Args:
        path: the lock file; created 0600 where absent.
        must_exist: for a vault that cannot be written: use the lock file only if it is there and readable.
    """

    __slots__ = ("_descriptor", "_must_exist", "_path")

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self._path = path
        self._must_exist = must_exist
        self._descriptor: int | None = None

    def acquire(self, deadline: float) -> None:
        """Wait for the lock until ``deadline`` (of ``time.monotonic``); Ctrl-C ends the wait.

        Raises:
            VaultBusy: another process held it all the time.
            OSError: the lock file cannot be opened.
        """
        while True:
            descriptor = self._open()
            if descriptor is None:
                return
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    break
                time.sleep(_SHORTEST_PAUSE + (_LONGEST_PAUSE - _SHORTEST_PAUSE) * os.urandom(1)[0] / 255)
                continue
            if os.fstat(descriptor).st_nlink:
                return
            self.close()  # somebody removed the file: a lock on it excludes nobody who comes later
        raise VaultBusy(
            "Another process kept the vault locked for longer than we wait.",
            advice="Try again, or give a longer busy timeout.",
            applied=False,
        )

    def _open(self) -> int | None:
        if self._descriptor is None:
            if self._must_exist:
                try:
                    self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                except OSError:
                    return None
            else:
                self._descriptor = os.open(
                    self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
                )
        return self._descriptor

    def release(self) -> None:
        """Let the others in. Unlocked by name and not by closing: a forked child has the descriptor too."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
