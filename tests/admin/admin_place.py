"""A vault of its own for each test: the five verbs on it, its administration, and its file as an attacker."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Where a test's vault and its key file are."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "data" / "vault.db"

    @property
    def key(self) -> Path:
        return self.folder / "config" / "vault.key"

    def bridge(self, environment: str = "development") -> SecretBridge:
        return SecretBridge(Local(self.file, environment, key_file=self.key))

    def vault(self, environment: str = "development", *, file: Path | None = None) -> Vault:
        return Vault(file or self.file, environment, key_file=self.key)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What somebody with the file and SQLite can do to it; the vault must be closed."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return Home(folder)


@pytest.fixture
def bridge(home: Home) -> Iterator[SecretBridge]:
    with home.bridge() as opened:
        yield opened


@pytest.fixture
def admin(home: Home) -> Iterator[Vault]:
    with home.vault() as opened:
        yield opened
