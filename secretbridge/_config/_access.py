"""Who can read and write a file that credentials depend on, judged by the file that was opened."""

from __future__ import annotations

import os
import stat
import warnings
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["expanded", "read"]

_ROOT: Final = 0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


def read(path: Path, most: int, *, named: str, target: str, chosen: bool = True) -> tuple[bytes, str, str]:
    """Read a file that only its owner can write, with a warning where others can read it.

    Args:
        path: the file; symbolic links are followed.
        most: bytes; a longer file is refused.
        named: what the warning calls it.
        target: what stands for it in advice about ``chmod``.
        chosen: the caller named the file: root then takes it from any owner. A file that was found by
            searching must be the user's own or root's.

    Returns:
        What it holds, what keeps it from being used ("" where nothing does), and the remedy.
    """
    try:
        # Not blocking: a pipe in the file's place must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            found = os.fstat(descriptor)
            problem, remedy = _problem(found, target, chosen=chosen)
            content = b"" if problem else file.read(most + 1)
    except (OSError, ValueError) as failure:
        reason = (failure.strerror if isinstance(failure, OSError) else "") or "not a usable path"
        return b"", f"cannot be read: {reason}", "check the path and its permissions"
    if len(content) > most:
        return b"", f"is longer than {most:,} bytes", "give the right file"
    if not problem and found.st_mode & _OTHERS_READ:
        _warn(named, target)
    return content, problem, remedy


def _problem(found: os.stat_result, target: str, *, chosen: bool) -> tuple[str, str]:
    user = os.geteuid()
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file", "give the path of a file"
    if found.st_uid not in {_ROOT, user} and not (chosen and user == _ROOT):
        return "belongs to another user", "use a file of your own, or have it made over to you"
    if found.st_mode & _OTHERS_WRITE:
        return "can be written by others", f"look at what it holds, then: chmod 600 {target}"
    return "", ""


@cache  # once for each file and process
def _warn(named: str, target: str) -> None:
    warnings.warn(f"Others can read {named}; run: chmod 600 {target}", UserWarning, stacklevel=3)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Give a path with ``~`` as the home folder, or as it is where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
