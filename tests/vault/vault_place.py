"""A vault of its own for each test, and the file beside it opened as an attacker would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from secretbridge._vault import KeyFile, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Text:
    """The least that the vault takes for a secret text."""

    text: str

    def get_secret_value(self) -> str:
        return self.text


@dataclass(frozen=True)
class Place:
    """Where a test's vault and its key file are."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "data" / "vault.db"

    @property
    def key(self) -> Path:
        return self.folder / "config" / "vault.key"

    def open(self, environment: str = "development", **options: float) -> Vault:
        return Vault.open(self.file, environment=environment, credential=KeyFile(self.key), **options)  # type: ignore[arg-type] # busy_timeout is the one option that tests give

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What somebody with the file and SQLite can do to it; the vault must be closed."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "here"
    folder.mkdir(mode=0o700)
    return Place(folder)


@pytest.fixture
def text() -> Callable[[str], Text]:
    return Text


@pytest.fixture
def vault(place: Place) -> Iterator[Vault]:
    with closing(place.open()) as opened:
        yield opened
