"""Named connections: from a file, the environment, and references to credentials to a bridge.

From the bottom up: ``_lines`` (where a key stands), ``_access`` (who can read and write a file),
``_references`` and ``_ask`` (how a credential is named and had), ``_tables`` (what a connection may hold; the
only one that imports pydantic when it loads), ``_file``, ``_environment``, ``_connect`` and ``_listing``.
"""

from secretbridge._config._connect import connect, connect_async, connect_vault, connect_vault_async
from secretbridge._config._listing import Connection, connections

__all__ = ["Connection", "connect", "connect_async", "connect_vault", "connect_vault_async", "connections"]
