"""Files that hold secrets, on the disk: who may write them, reading, locking, replacing them whole.

A file is never changed in place. Whoever writes holds the lock beside the file, writes a new file in the same
folder and renames it over the old one: a reader sees the old content or the new, never a part, and a process
that is killed leaves one of the two.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._durable import sync_folder
from secretbridge.errors import (
    Conflict,
    InvalidRequest,
    PermissionDenied,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from secretbridge._models import Operation

__all__ = ["Content", "SecretFile", "refusal"]

#: Seconds to wait for other processes that write the same file.
PATIENCE: Final = 10.0
_PAUSE: Final = 0.001
_ROOT: Final = 0  # root's files are accepted, and root accepts everybody's
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_ACL: Final = "system.posix_acl_access"


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """What a file holds; wrapped, so that no debugger's or tracker's list of variables shows it.

    Attributes:
        data: the bytes.
        found: what the file system says of the file, or None where there is none.
    """

    data: bytes = b""
    found: os.stat_result | None = None


@dataclass(frozen=True, slots=True)
class SecretFile:
    """One file, and how it is named in errors.

    Attributes:
        path: an absolute path; symbolic links are followed at each use.
        provider: the provider's short name.
    """

    path: Path
    provider: str

    def load(self, operation: Operation) -> Content:
        """Read the file; nothing where it is absent. No lock is needed: it is only ever replaced whole.

        Raises:
            InvalidRequest: it is no regular file.
            ProviderError: the operating system refuses.
        """
        with self._told(operation, "reading"):
            return _load(Path(os.path.realpath(self.path)))

    def change(self, operation: Operation, edit: Callable[[Content], bytes]) -> None:
        """Read, edit and replace while no other process does; what is not changed is not written.

        Raises:
            InvalidRequest: others could write to the file, or it cannot be replaced whole.
            Conflict: another program wrote to it meanwhile.
            ProviderUnavailable: others kept it locked too long.
            ProviderError: the operating system refuses.
        """
        real = Path(os.path.realpath(self.path))
        with self._told(operation, "writing"):
            for folder in {self.path.parent, real.parent}:
                _check_folder(folder)
            with self._locked(real, operation):
                old = _load(real)
                if old.found is not None:
                    _check_file(real, old.found)
                new = Content(edit(old))
                if new.data != old.data:
                    self._replace(operation, real, old, new)

    def _replace(self, operation: Operation, real: Path, old: Content, new: Content) -> None:
        beside = _beside(real, "new")
        beside.unlink(missing_ok=True)  # left by a process that was killed: only who has the lock makes one
        try:
            _write_new(beside, new, real, old.found)
            self._require_unchanged(operation, real, old)
            beside.replace(real)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        reason = None
        try:
            sync_folder(real.parent)
        except OSError as problem:
            reason = problem.strerror
        if reason is not None:
            raise ProviderError(
                f"{self.path} has been replaced, and the disk did not confirm it: {reason}.",
                provider=self.provider,
                operation=operation,
                applied=None,
            )

    def _require_unchanged(self, operation: Operation, real: Path, old: Content) -> None:
        """Look once more: programs that know nothing of the lock write too, editors above all."""
        if _mark(old.found) != _mark(_stat(real)):
            raise Conflict(
                f"Another program has changed {self.path} meanwhile.",
                provider=self.provider,
                operation=operation,
                advice="Do it again; the file is as that program left it.",
                transient=True,
            )

    @contextlib.contextmanager
    def _locked(self, real: Path, operation: Operation) -> Generator[None]:
        """Keep other threads and processes from writing; the lock file is gone when nobody writes."""
        path = _beside(real, "lock")
        deadline = time.monotonic() + PATIENCE
        while (descriptor := _try_lock(path)) is None:
            if time.monotonic() >= deadline:
                raise ProviderUnavailable(
                    f"Others kept {self.path} locked for {PATIENCE:g} s.",
                    provider=self.provider,
                    operation=operation,
                    applied=False,
                    advice="Try again.",
                )
            time.sleep(_PAUSE * (1 + os.urandom(1)[0] / 255))  # uneven, so that no two always meet
        try:
            yield
        finally:
            # Removed while it is held: whoever gets the lock of the removed file sees that and begins anew.
            if os.fstat(descriptor).st_nlink:
                with contextlib.suppress(OSError):
                    path.unlink()
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # not by closing alone: a forked child has it open too
            os.close(descriptor)

    @contextlib.contextmanager
    def _told(self, operation: Operation, doing: str) -> Generator[None]:
        """Turn what the operating system refuses, before anything has changed, into an error of ours."""
        failure: ProviderError
        try:
            yield
        except OSError as problem:
            reason = problem.strerror or "unknown reason"
            kind: type[ProviderError] = ProviderError
            advice = ""
            if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
                kind, advice = QuotaExceeded, "Free some space and try again."
            elif problem.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                kind, advice = (
                    PermissionDenied,
                    "Check who owns the file and its folder, and what they permit.",
                )
            message = f"The operating system refused {doing} {self.path}: {reason}."
            failure = kind(message, provider=self.provider, operation=operation, advice=advice)
        else:
            return
        raise failure from None


def refusal(path: Path, problem: str, remedy: str = "") -> InvalidRequest:
    """Give the error for a file that is not as it has to be."""
    return InvalidRequest(violations=[Violation(str(path), problem, remedy)])


def _beside(real: Path, what: str) -> Path:
    return real.with_name(f"{real.name}.secretbridge-{what}")


def _stat(real: Path) -> os.stat_result | None:
    try:
        return real.lstat()
    except FileNotFoundError:
        return None


def _mark(found: os.stat_result | None) -> tuple[int, ...] | None:
    """Give what tells one state of a file from another."""
    return None if found is None else (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _load(real: Path) -> Content:
    try:
        # Not blocking: a FIFO would wait for a writer instead of being refused.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Content()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise refusal(real, "is not a regular file", "give the path of a file")
        stack.pop_all()
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            return Content(file.read(), found)


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which others could exchange the file."""
    found = None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = folder.stat()
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise refusal(folder, "is not a folder", "create it first, for its owner alone")
    _check_owner(folder, found)
    if found.st_mode & _OTHERS_WRITE:
        raise refusal(folder, "can be written by others, who could exchange the file", "run chmod go-w on it")


def _check_file(real: Path, found: os.stat_result) -> None:
    _check_owner(real, found)
    if found.st_nlink != 1:
        remedy = "keep one name only; use a symbolic link for others"
        raise refusal(real, "has hard links, which would keep the old content", remedy)
    if found.st_mode & _OTHERS_WRITE:
        raise refusal(real, "can be written by others", "run chmod go-w on it")
    if not found.st_mode & stat.S_IWUSR:
        raise refusal(real, "is read-only", "run chmod u+w on it if it may be changed")


def _check_owner(path: Path, found: os.stat_result) -> None:
    user = os.geteuid()
    if user != _ROOT and found.st_uid not in {_ROOT, user}:
        raise refusal(path, "belongs to another user", "use one of your own, or have it made over to you")


def _try_lock(path: Path) -> int | None:
    """Give the descriptor of a lock that is ours, or None."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not os.fstat(descriptor).st_nlink:
            return None  # removed by its last holder: a lock on it excludes nobody who comes later
        stack.pop_all()
    return descriptor


def _write_new(new: Path, content: Content, real: Path, found: os.stat_result | None) -> None:
    """Write a file that is not there yet, with the owner and mode of the one it replaces; the disk has it."""
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
        if found is None:
            os.fchmod(descriptor, 0o600)
        else:
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fchmod(descriptor, found.st_mode & 0o777)
            if hasattr(os, "listxattr") and _ACL in os.listxattr(real):
                # The mode's middle digit is then the list's mask: without the list the group would gain.
                os.setxattr(descriptor, _ACL, os.getxattr(real, _ACL))
        file.write(content.data)
        file.flush()
        os.fsync(descriptor)
