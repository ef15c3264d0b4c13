"""Named connections: from a file, the environment, and references to credentials to a bridge.

From the bottom up: ``_lines`` (where a key stands), ``_access`` (who can read and write a file),
``_references`` and ``_ask`` (how a credential is named and had), ``_tables`` (what a connection may hold; the
only one that imports pydantic when it loads), ``_file``, ``_environment``, ``_connect``,
``_listing``, ``_names`` and ``_secret_names``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretbridge._config._connect import connect, connect_async, connect_vault, connect_vault_async
    from secretbridge._config._listing import Connection, connections
    from secretbridge._config._names import connection_names
    from secretbridge._config._secret_names import secret_names

__all__ = [
    "Connection",
    "connect",
    "connect_async",
    "connect_vault",
    "connect_vault_async",
    "connection_names",
    "connections",
    "secret_names",
]

#: Where each name lives; it loads on first use, for completion needs the names of connections alone.
_PLACES = {
    "Connection": "_listing",
    "connections": "_listing",
    "connection_names": "_names",
    "secret_names": "_secret_names",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, '_connect')}"), name)
