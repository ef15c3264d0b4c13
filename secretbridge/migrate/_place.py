"""Where the journals of runs are, and the locks that keep two processes from one run or one store."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._folders import state_folder
from secretbridge.errors import InvalidRequest, RunBusy, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Locks", "default_folder", "journal_folder", "journal_path", "lock_folder", "locked_by", "sweep"]

_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_RUN_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{5,63}")


def default_folder() -> Path:
    """Give the folder of the journals where no other is named; it need not be there."""
    return state_folder() / "runs"


def journal_folder(given: str | os.PathLike[str] | None, *, make: bool = True) -> Path:
    """Give the folder of the journals, made with mode 0700 where it is absent.

    Args:
        given: a folder, or None for ``runs`` in the user's state folder.
        make: False leaves one that is absent so.

    Raises:
        InvalidRequest: it is no folder, or others may write in it.
    """
    if given is None:
        folder = default_folder()
    else:
        # Callers without a type checker give other things too.
        if (
            not isinstance(given, (str, os.PathLike))  # pyright: ignore[reportUnnecessaryIsInstance]
            or not os.fspath(given)
        ):
            raise _wrong("is not a path", "give the path of a folder")
        folder = Path(given).expanduser().absolute()
    reason, mode = "", 0
    try:
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if not stat.S_ISDIR(mode):
            reason = "it is no folder"
    except OSError as problem:
        if make or not isinstance(problem, FileNotFoundError):
            reason = problem.strerror or "unknown reason"
    if reason:
        raise _wrong(f"cannot be used as the folder of journals: {reason}", "give a folder of your own")
    if mode & _OTHERS:
        raise _wrong(f"{folder} can be written by others", "run chmod go-w on it, or give another folder")
    return folder


def lock_folder(journals: Path) -> Path:
    """Give the folder of the locks of stores: one for all runs of this user, wherever their journals are.

    Args:
        journals: the folder of the journals, which serves where the user's state folder cannot be used.
    """
    try:
        return journal_folder(None)
    except InvalidRequest:
        return journals


def journal_path(folder: Path, run_id: object) -> Path:
    """Give the journal's file of a run.

    Raises:
        InvalidRequest: that is no run's id.
    """
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        remedy = "migrate.runs() shows the ids"
        raise InvalidRequest(violations=[Violation("run_id", "is not the id of a run", remedy)])
    return folder / f"{run_id}.db"


def _wrong(problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(violations=[Violation("journal", problem, remedy)])


class Locks:
    """The ``flock`` of a run and of its stores; a lock dies with its process, so none is ever stale.

    The lock files stay: they are empty but for the process id of the last holder, which is only shown.

    Args:
        folder: the folder of the journals.
        stores: the folder of the locks of stores, if another one.
    """

    def __init__(self, folder: Path, stores: Path | None = None) -> None:
        self._folder = folder
        self._stores = stores or folder
        self._held: list[int] = []

    def take(self, run_id: str, *, writes: Iterable[str], reads: Iterable[str] = ()) -> None:
        """Lock a run and its stores, or nothing at all.

        Args:
            run_id: the run.
            writes: identities of stores that it changes: no other run may read or change them meanwhile.
            reads: identities of stores that it reads: no other run may change them meanwhile.

        Raises:
            RunBusy: another process works on the run or on a store.
        """
        changed = {_lock("store", one) for one in writes}
        wanted = [(f"{run_id}.lock", f"run {run_id}", True)]
        wanted += [(name, "this store", True) for name in sorted(changed)]
        wanted += [
            (name, "this store", False) for name in sorted({_lock("store", one) for one in reads} - changed)
        ]
        self._take_all(wanted)

    def secrets(self, identities: Iterable[str]) -> None:
        """Lock secrets besides, each for this run alone; everything is let go of where one is taken.

        Args:
            identities: each says which secret of which store it is.

        Raises:
            RunBusy: another run changes one of them.
        """
        names = sorted({_lock("secret", one) for one in identities})
        self._take_all([(name, "this secret", True) for name in names])

    def _take_all(self, wanted: Iterable[tuple[str, str, bool]]) -> None:
        try:
            for name, what, alone in wanted:
                self._take(name, what, alone=alone)
        except BaseException:
            self.release()
            raise

    def _take(self, name: str, what: str, *, alone: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        folder = self._stores if name.startswith("store-") else self._folder
        descriptor = os.open(folder / name, flags, 0o600)
        self._held.append(descriptor)
        holder = None
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        if holder is not None:
            by = f"process {holder}" if holder else "another process"
            raise RunBusy(
                f"Another run works on {what} already ({by})."
                if what in {"this store", "this secret"}
                else f"Somebody works on {what} already ({by}).",
                advice="Wait until it has ended; a process that is gone holds no lock.",
            )
        if alone:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others in; unlocked by name, for a forked child has the descriptors too."""
        while self._held:
            descriptor = self._held.pop()
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _lock(kind: str, identity: str) -> str:
    return f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}.lock"


def sweep(folder: Path) -> None:
    """Remove what is left of journals that were being made when their process was killed."""
    for path in folder.glob("*.new*"):
        if not locked_by(folder, path.name.partition(".")[0]):
            path.unlink(missing_ok=True)


def locked_by(folder: Path, run_id: str) -> bool:
    """Say whether some process works on a run at this moment."""
    try:
        descriptor = os.open(folder / f"{run_id}.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # who asks makes nothing
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
