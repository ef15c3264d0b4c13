"""connection_names(): what completion asks for, at the cost of reading the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._config import _search
from secretbridge._config._environment import BUILT_IN, options_told
from secretbridge._json import is_object

if TYPE_CHECKING:
    import os

__all__ = ["connection_names"]

#: Bytes; no file of connections is longer.
_MOST = 262_144


def connection_names(config: str | os.PathLike[str] | None = None) -> list[str]:
    """Give the names of the connections, without checking what stands under them.

    They are looked for as by ``connections``, which checks the files whole and takes several times as long. A
    file that cannot be read or is no TOML has no names.

    Args:
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.

    Returns:
        The names, sorted.

    Raises:
        InvalidRequest: ``config`` is no path.
    """
    chosen = _search.explicit(config)
    found: set[str] = set()
    for path in [chosen] if chosen else _search.search():
        import tomllib  # late: mostly there is no file

        try:
            with path.open("rb") as file:
                tree = tomllib.loads(file.read(_MOST).decode())
        except (OSError, ValueError, RecursionError):
            continue
        tables = tree.get("connections")
        found.update(tables if is_object(tables) else ())
    if chosen is None:
        found.update(name for name in BUILT_IN if options_told(name) is not None)
    return sorted(found)
