"""A project folder of its own for each test, in which named connections are written and opened."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import InvalidRequest
from secretbridge._config import connect

if TYPE_CHECKING:
    from collections.abc import Callable

#: What must never be seen.
CANARY = "Zx9c0ffee7QzCanary"

#: Whatever the machine's user may have set.
VARIABLES = (
    "APPFARM_API_KEY",
    "APPFARM_BASE_URL",
    "APPFARM_PATH",
    "APPFARM_SECRETS",
    "INSFORGE_API_KEY",
    "INSFORGE_BASE_URL",
    "IONET_API_KEY",
    "IO_API_KEY",
    "SECRETBRIDGE_CONFIG",
    "SECRETBRIDGE_ENVIRONMENT",
    "SECRETBRIDGE_VAULT",
    "SECRETBRIDGE_VAULT_KEY_FILE",
    "SECRETBRIDGE_VAULT_PASSPHRASE",
    "WIX_ACCOUNT_ID",
    "WIX_API_KEY",
    "WIX_SITE_ID",
)


@dataclass(frozen=True)
class Project:
    """The folder that the process is in."""

    folder: Path

    def write(self, text: str, path: str = "secretbridge.toml", mode: int = 0o600) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        file.chmod(mode)
        return file

    def refused(self, name: str = "one", **options: str) -> list[str]:
        """Ask for a connection that must be refused; give the violations without the folder's name."""
        with pytest.raises(InvalidRequest) as caught:
            connect(name, **options)  # type: ignore[arg-type]  # config= alone
        error = caught.value
        assert error.applied is False
        assert error.__cause__ is None
        assert error.__context__ is None
        assert CANARY not in f"{error!r} {error} {vars(error)!r}"
        return [str(one).replace(f"{self.folder}{os.sep}", "") for one in error.violations]

    def user(self, name: str = "config.toml") -> str:
        """Where the user's file is, from this folder."""
        base = Path(os.environ["HOME"], "Library/Application Support")
        if sys.platform != "darwin":
            base = Path(os.environ["XDG_CONFIG_HOME"])
        return os.path.relpath(base / "secretbridge" / name, self.folder)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    return Project(folder)


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    return monkeypatch.setenv
