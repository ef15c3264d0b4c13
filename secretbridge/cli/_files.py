"""Files of the command line's own: read as text, written so that only the user can read them."""

from __future__ import annotations

import os

from secretbridge.cli._session import Code, Stop

__all__ = ["read_text", "written"]

#: Bytes; a plan of a hundred thousand secrets has less.
_MOST = 268_435_456


def read_text(path: str, *, what: str) -> str:
    """Read a file of UTF-8.

    Raises:
        Stop: it cannot be read.
    """
    problem = ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would load for this alone
            content = file.read(_MOST)
        return content.decode()
    except UnicodeDecodeError:
        problem = "it is not UTF-8"  # outside of the except block: the error holds the bytes
    except (OSError, ValueError) as failure:
        problem = (failure.strerror if isinstance(failure, OSError) else "") or "it is no usable path"
    raise Stop(f"The file of the {what} could not be read.", why=f"{problem}.", code=Code.USAGE)


def written(
    path: str, text: str, *, what: str, overwrite: bool = False, remedy: str = "Give --out another place."
) -> None:
    """Write a file that only the user can read: a new one, or in one step in place of an old one.

    Raises:
        Stop: there is one already, or it cannot be written; none was left behind.
    """
    problem = ""
    part = f"{path}.{os.getpid()}.part" if overwrite else path
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
                os.fchmod(descriptor, 0o600)
                file.write(text.encode())
            if overwrite:
                os.replace(part, path)  # noqa: PTH105 - pathlib would load for this alone
        except BaseException:
            os.unlink(part)  # noqa: PTH108 - as above
            raise
    except FileExistsError:
        problem = "the file is there already"
    except (OSError, ValueError) as failure:
        problem = (failure.strerror if isinstance(failure, OSError) else "") or "it is no usable path"
    if problem:
        raise Stop(f"The {what} could not be written; no file was left behind.", why=f"{problem}.", do=remedy)
