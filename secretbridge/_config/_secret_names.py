"""secret_names(): what completion asks for, where it takes no prompt and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from secretbridge._config import _access, _search
from secretbridge._config._vault import told_options
from secretbridge._json import is_object

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["secret_names"]

_MOST: Final = 1000
_FILES: Final = frozenset({"dotenv", "jsonfile", "environ"})
#: The options of a vault that is opened by a key file.
_OF_KEY_FILES: Final = frozenset({"provider", "location", "environment", "key_file"})
_ENVIRONMENT: Final = "development"
#: Bytes; no file of connections is longer.
_LONGEST: Final = 262_144


def secret_names(connection: str, *, config: str | os.PathLike[str] | None = None) -> list[str]:
    """Give the names of the secrets in a store, where that takes no prompt and no network.

    They are told by a vault that a key file opens, by dotenv and JSON files, and by the process environment.
    Other stores tell none, and nor does a vault that has not been made; nothing is sent, made or changed. The
    names are read each time and kept nowhere.

    Args:
        connection: the connection's name; looked for as ``connect`` does.
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.

    Returns:
        At most 1,000 names, in the store's order; [] where no connection has this name.

    Raises:
        InvalidRequest: a file of connections cannot be used.
        SecretBridgeError: the store cannot be opened.
    """
    place = _plain_vault(connection, config)
    if place is not None:
        from secretbridge._vault._glance import names

        found = names(*place, most=_MOST)
        if found is not None:
            return found
    return _in_full(connection, config)


def _plain_vault(connection: str, config: str | os.PathLike[str] | None) -> tuple[Path, str, Path] | None:
    """Give file, environment and key file of a vault that is plainly named; None for all that is not."""
    chosen = _search.explicit(config)
    for path in [chosen] if chosen else _search.search():
        import tomllib  # late: mostly there is no file

        content, problem, _ = _access.read(
            path, _LONGEST, named=str(path), target=str(path), chosen=chosen is not None
        )
        try:
            tables: Any = tomllib.loads(content.decode()).get("connections", {})
        except (ValueError, RecursionError):
            return None
        if problem or not isinstance(tables, dict):
            return None
        if connection in tables:
            return _placed(tables[connection], path.parent)
    if chosen is not None or connection not in {"local", "vault"}:
        return None
    return _placed({"provider": "local", **told_options()}, None)


def _placed(table: Any, folder: Path | None) -> tuple[Path, str, Path] | None:  # noqa: ANN401 - whatever TOML holds
    if not is_object(table) or table.get("provider") != "local" or not table.keys() <= _OF_KEY_FILES:
        return None
    if not all(isinstance(value, str) and value and "://" not in value for value in table.values()):
        return None
    from secretbridge._location import PostgresUrl
    from secretbridge._vault._places import default_key_file, default_location

    key_file = _path(table, "key_file", folder) or default_key_file()
    location = _path(table, "location", folder) or default_location()
    if isinstance(location, PostgresUrl):
        return None
    return location, table.get("environment", _ENVIRONMENT), key_file


def _path(table: Mapping[str, str], key: str, folder: Path | None) -> Path | None:
    if key not in table:
        return None
    path = _access.expanded(table[key])
    return path if folder is None else folder / path


def _in_full(connection: str, config: str | os.PathLike[str] | None) -> list[str]:
    """Open the store as ``connect`` does, if it is one that tells names."""
    from secretbridge._config._connect import connect, connect_vault
    from secretbridge._config._listing import connections

    meant = next((one for one in connections(config=config) if one.name == connection), None)
    if meant is None:
        return []
    if meant.provider == "local":
        location = connect_vault(connection, config=config).location()
        if "passphrase" in meant.options or location is None or not location.exists():
            return []
    elif meant.provider not in _FILES:
        return []
    with connect(connection, config=config) as bridge:
        names = (secret.name for secret in bridge.iter_secrets(page_size=_MOST))
        return [name for name, _ in zip(names, range(_MOST), strict=False)]
