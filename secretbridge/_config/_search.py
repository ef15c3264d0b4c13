"""Which files of connections there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._config import _access
from secretbridge._folders import config_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Errors load late: names alone, which completion asks for, mostly need none.

__all__ = ["VARIABLE", "explicit", "search"]

#: Names the file to use in place of all others.
VARIABLE: Final = "SECRETBRIDGE_CONFIG"
_NAME: Final = "secretbridge.toml"


def explicit(config: str | os.PathLike[str] | None) -> Path | None:
    """Give the file that the caller or SECRETBRIDGE_CONFIG names, or None.

    Raises:
        InvalidRequest: ``config`` is no path.
    """
    # Callers without a type checker give other things too.
    if config is not None and (
        not isinstance(config, (str, os.PathLike))  # pyright: ignore[reportUnnecessaryIsInstance]
        or not os.fspath(config)
    ):
        from secretbridge.errors import InvalidRequest, Violation

        raise InvalidRequest(violations=[Violation("config", "is not a path", "give the path of a file")])
    chosen = config or os.environ.get(VARIABLE)
    if not chosen:
        return None
    path = _access.expanded(chosen)
    try:
        return path.absolute()  # what it refers to stays where it is when the process changes its folder
    except OSError:  # this folder was removed: reading will say so
        return path


def search() -> Iterator[Path]:
    """Give the files that are there: the project's, then those in the user's configuration folder."""
    project = next((folder / _NAME for folder in _folders() if _is_there(folder / _NAME)), None)
    if project is not None:
        yield project
    user = config_folder()
    yield from (user / name for name in ("config.toml", _NAME) if _is_there(user / name))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is closed to us
        return False


def _folders() -> list[Path]:
    """Give this folder and those above it, up to the one with .git, else up to the home folder.

    Outside of both this folder alone: in the folders above it, /tmp for one, files may be anybody's.
    """
    try:
        here = Path.cwd()
    except OSError:  # it was removed under our feet
        return []
    home = Path(os.path.realpath(_access.expanded("~")))
    folders = [here, *here.parents]
    for end, folder in enumerate(folders, start=1):
        if _is_there(folder / ".git") or folder == home:
            return folders[:end]
    return [here]
