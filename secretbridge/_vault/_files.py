"""Rules for the files a vault lives in: who may write them, how they come into being, where they may be.

Nothing here opens a vault's database: opening and closing it in a process that holds a SQLite connection
would drop SQLite's locks. What is to be known about it is asked of the file system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._durable import sync_folder
from secretbridge._vault import _crypto
from secretbridge.errors import VaultDamaged, VaultError, VaultFull, VaultLocked, VaultReadOnly

if TYPE_CHECKING:
    from collections.abc import Collection

#: Where locks and the order of writes are not what SQLite needs. FUSE is judged by its prefix.
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb2",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)

_ROOT: Final = 0  # root's files are accepted, and root accepts everybody's
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_KEY_TOO_OPEN: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
_KEY_FILE: Final = re.compile(rb"secretbridge-vault-key:1:([0-9a-f]{64}):([0-9a-f]{8})\n?")
MOUNT_TABLE: Final = "/proc/self/mountinfo"


def os_failure(problem: OSError, doing: str) -> VaultError:
    """What the operating system's refusal means for the vault."""
    reason = problem.strerror or "unknown reason"
    if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return VaultFull(f"No room is left for {doing}.", advice="Free some space and try again.")
    if problem.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return VaultReadOnly(
            f"No permission for {doing}: {reason}.", advice="Check who owns the folder and its permissions."
        )
    return VaultError(f"The operating system refused {doing}: {reason}.")


def resolve(location: Path) -> Path:
    """The real path of a vault: symbolic links followed, so that two names are one vault."""
    return Path(os.path.realpath(Path(location).expanduser()))


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each for its owner alone.

    Raises:
        VaultReadOnly: not permitted here.
    """
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        failure = None
        try:
            each.mkdir(mode=0o700)
        except FileExistsError:  # pragma: no cover - another process made it since we looked
            pass
        except OSError as problem:
            failure = os_failure(problem, f"creating the folder {each}")
        if failure is not None:
            raise failure


def check_folder(folder: Path) -> None:
    """Refuse a folder in which others could exchange the files.

    Raises:
        VaultError: others can write to it, or it is no folder.
    """
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise VaultError(f"{folder} is not a folder.", advice="Give the vault's file another place.")
    _check_owner(folder, found)
    if found.st_mode & _OTHERS_WRITE:
        shared = found.st_mode & stat.S_ISVTX or found.st_uid != os.geteuid()
        raise VaultError(
            f"Others can write to the folder {folder}, and so could exchange the vault.",
            advice="Put it in a folder of its own." if shared else f"Run: chmod go-w '{folder}'",
        )


def check_file(path: Path) -> None:
    """Refuse a vault file that others can write to or reach by another name, and an empty one.

    Raises:
        VaultError: not a regular file, several hard links, or others can write to it.
        VaultDamaged: it is empty.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise VaultError(f"{path} is not a regular file.", advice="Give the vault's file another place.")
    if found.st_nlink != 1:
        raise VaultError(
            f"{path} has hard links: under another name its lock and its journal would be missed.",
            advice="Keep one name only; use a symbolic link for others.",
        )
    _check_owner(path, found)
    if found.st_mode & _OTHERS_WRITE:
        raise VaultError(f"Others can write to the vault {path}.", advice=f"Run: chmod 600 '{path}'")
    if found.st_size == 0:
        raise VaultDamaged(
            f"The vault file {path} is empty.",
            advice="Restore it from a backup, or remove it if it never held a secret.",
        )


def _check_owner(path: Path, found: os.stat_result) -> None:
    user = os.geteuid()
    if user != _ROOT and found.st_uid not in {_ROOT, user}:
        raise VaultError(
            f"{path} belongs to another user.", advice="Use a vault of your own, or have it made over to you."
        )


def check_file_system(path: Path, *, allowed: Collection[str], table: str = MOUNT_TABLE) -> None:
    """Refuse file systems on which SQLite's locks and syncs cannot be relied on.

    Args:
        path: a resolved path.
        allowed: types, as the mount table names them, that the caller accepts all the same.
        table: Linux's mount table; where there is none (macOS) nothing is checked.

    Raises:
        VaultError: a network file system or FUSE.
    """
    kind = file_system_of(path, table)
    if kind is None or kind in allowed:
        return
    if kind in NETWORK_FILE_SYSTEMS or kind.partition(".")[0] in {"fuse", "fuseblk"}:
        raise VaultError(
            f"The vault {path} is on a network or FUSE file system ({kind}), where locks do not hold.",
            advice="Put it on a local disk.",
        )


def file_system_of(path: Path, table: str) -> str | None:
    """The type of the file system that holds ``path``, or None where the system does not tell."""
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = -1, None
    whole = os.fspath(path)
    for line in lines:
        before, _, after = line.partition(" - ")
        mounted = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        inside = mounted in {"/", whole} or whole.startswith(f"{mounted}/")
        if inside and len(mounted) >= best:  # of several at one place the last covers the others
            best, kind = len(mounted), after.split(" ", 1)[0]
    return kind


def read_key_file(path: Path) -> bytes | None:
    """The 32 bytes of a key file, or None where there is no such file.

    Raises:
        VaultLocked: it is no key file of ours, or damaged.
        VaultError: others can read or change it.
    """
    failure: VaultError | None = None
    text, mode = b"", 0
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1024)
    except FileNotFoundError:
        return None
    except OSError as problem:
        failure = VaultLocked(f"The key file {path} cannot be read: {problem.strerror}.")
    if failure is not None:
        raise failure
    if mode & _KEY_TOO_OPEN:
        raise VaultError(f"Others can read or change the key file {path}.", advice=f"Run: chmod 600 '{path}'")
    match = _KEY_FILE.fullmatch(text)
    key = bytes.fromhex(match[1].decode()) if match else b""
    if match is None or _crypto.checksum(key)[:4].hex().encode() != match[2]:
        raise VaultLocked(
            f"{path} is not a key file of a vault, or it is damaged.",
            advice="Give the key file that the vault was created with.",
        )
    return key


def check_key_place(path: Path) -> None:
    """Refuse to seal a new vault with a key that others own or could exchange.

    Raises:
        VaultError: the file or its folder belongs to another user, or others can write to the folder.
    """
    real = resolve(path)
    _check_owner(real, real.stat())
    check_folder(real.parent)


def create_key_file(path: Path) -> bytes:
    """A new key in a new file, durable before anything depends on it; an existing file is read instead.

    Raises:
        VaultReadOnly: not permitted here.
        VaultError: others can write to the folder, or the file system cannot do it.
    """
    make_folder(path.parent)
    check_folder(path.parent)
    key = os.urandom(_crypto.KEY_BYTES)
    line = f"secretbridge-vault-key:1:{key.hex()}:{_crypto.checksum(key)[:4].hex()}\n"
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    failure = None
    try:
        try:
            write_new(temporary, line.encode())
            # A link, not a rename: of two processes that create this file at once one must lose.
            os.link(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        pass
    except OSError as problem:
        failure = os_failure(problem, f"creating the key file {path}")
    if failure is not None:
        raise failure
    written = read_key_file(path)
    if written is None:  # pragma: no cover - somebody removed it since we made it
        raise VaultLocked(f"The key file {path} vanished while the vault was created.")
    return written


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet, 0600, and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
        file.write(content)
        file.flush()
        os.fsync(descriptor)
