"""Runs the command that gives a credential: no shell, no terminal, bounded in time and in what it says."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from secretbridge._config._references import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["output_of"]

_REMEDY: Final = "run the command by itself to see why"


def output_of(
    words: Sequence[str],
    folder: Path,
    time_limit: float,
    most: int,
    *,
    fed: bytes = b"",
    variables: Mapping[str, str] | None = None,
) -> bytes:
    """Give what a command writes to its standard output.

    What it writes to standard error is dropped, as it may hold the credential. It has a session of its own,
    so that whatever it started can be ended with it.

    Args:
        words: the program and its arguments.
        folder: where it runs.
        time_limit: seconds.
        most: bytes that it may write.
        fed: its standard input; as much as a pipe holds, 65,536 bytes.
        variables: what its environment has besides our own.

    Raises:
        Malformed: it could not be started, took too long, wrote too much, or failed.
    """
    until = time.monotonic() + time_limit
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, not through a shell
            words,
            cwd=folder,
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **variables} if variables else None,
        )
    except (OSError, ValueError) as failure:
        reason = (failure.strerror if isinstance(failure, OSError) else "") or "malformed"
    else:
        return _answered(process, fed, until, time_limit, most)
    raise Malformed(f"the command cannot be started ({reason})", "check the program's name and PATH")


def _answered(
    process: subprocess.Popen[bytes], fed: bytes, until: float, time_limit: float, most: int
) -> bytes:
    try:
        _feed(process, fed)
        content = _bounded(process, until, time_limit, most)
        status = _status(process, until, time_limit)
    finally:
        _end(process)
    if status:
        how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        raise Malformed(f"the command {how}", _REMEDY)
    return content


def _feed(process: subprocess.Popen[bytes], fed: bytes) -> None:
    """Hand in the standard input; a command that does not read it is not held up by it."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(fed)


def _bounded(process: subprocess.Popen[bytes], until: float, time_limit: float, most: int) -> bytes:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    content = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            piece = os.read(process.stdout.fileno(), 65_536)
            if not piece:
                return bytes(content)
            content += piece
            if len(content) > most:
                raise Malformed(f"the command wrote more than {most:,} bytes", _REMEDY)
    raise _too_long(time_limit)


def _status(process: subprocess.Popen[bytes], until: float, time_limit: float) -> int:
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    raise _too_long(time_limit)


def _too_long(time_limit: float) -> Malformed:
    remedy = 'allow it more with { command = ["…"], time_limit = SECONDS }; it has no terminal to ask at'
    return Malformed(f"the command took longer than {time_limit:g} s", remedy)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started, unless it has ended by itself."""
    if process.stdout is not None:  # pragma: no branch - a pipe was asked for
        process.stdout.close()
    if process.returncode is None:  # not asked anew: until it is reaped nobody else can have its number
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
