"""Where this user's files belong: what platformdirs says, without loading it where that is plain."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["config_folder", "data_folder", "state_folder"]

_NAME: Final = "secretbridge"


def config_folder() -> Path:
    """Give the folder of the user's configuration."""
    return _plain("XDG_CONFIG_HOME", ".config") or _asked("config")


def data_folder() -> Path:
    """Give the folder of the user's data."""
    return _plain("XDG_DATA_HOME", ".local/share") or _asked("data")


def state_folder() -> Path:
    """Give the folder of what is remembered between runs."""
    return _plain("XDG_STATE_HOME", ".local/state") or _asked("state")


def _plain(variable: str, default: str) -> Path | None:
    """Give the folder on Linux, where a few lines tell it; None elsewhere, and for what is no whole path."""
    if sys.platform != "linux" or "ANDROID_DATA" in os.environ:
        return None
    base = os.environ.get(variable, "")
    if not base.strip():
        base = os.path.expanduser(f"~/{default}")  # noqa: PTH111 - without a home, pathlib raises
    return Path(base, _NAME) if os.path.isabs(base) else None  # noqa: PTH117 - a text so far


def _asked(kind: str) -> Path:
    import platformdirs  # late: it takes a tenth of a start

    path: Path = getattr(platformdirs, f"user_{kind}_path")(_NAME)
    return path
