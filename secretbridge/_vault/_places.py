"""Where the vault and its key file are unless someone says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from secretbridge._folders import config_folder, data_folder
from secretbridge._location import PostgresUrl, is_postgres


def default_location() -> Path | PostgresUrl:
    """``SECRETBRIDGE_VAULT``, a path or a URL of PostgreSQL; or ``vault.db`` in the user's data folder."""
    chosen = os.environ.get("SECRETBRIDGE_VAULT")
    if chosen and is_postgres(chosen):
        return PostgresUrl(chosen)
    if chosen:
        return Path(chosen)
    return data_folder() / "vault.db"


def default_key_file() -> Path:
    """``vault.key`` in the user's configuration folder: not beside the vault, so one copy is not both."""
    return config_folder() / "vault.key"
