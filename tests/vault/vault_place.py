"""A vault of its own for each test, and its rows opened as an attacker would.

It is in a file. A module whose tests hold for every store overrides the fixture ``kind``.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault
from secretbridge._vault._postgres import PostgresStore
from secretbridge._vault._store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres_server import Server


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
    server: Server | None = None

    @property
    def schema(self) -> str:
        return f"t_{hash(self.folder) & 0xFFFFFFFFFFFF:x}"

    @property
    def address(self) -> str:
        """The location as text, for another process."""
        return str(self.file) if self.server is None else self.server.url(self.schema)

    @property
    def location(self) -> Path | PostgresUrl:
        return self.file if self.server is None else PostgresUrl(self.address)

    @property
    def file(self) -> Path:
        return self.folder / "data" / "vault.db"

    def there(self) -> bool:
        """Whether anything was made of the vault."""
        if self.server is None:
            return self.file.exists()
        with self.server.connect() as server:
            return server.execute("SELECT to_regnamespace(%s)", (self.schema,)).fetchone() != (None,)

    @property
    def key(self) -> Path:
        return self.folder / "config" / "vault.key"

    def open(self, environment: str = "development", **options: float) -> Vault:
        return Vault.open(self.location, environment=environment, credential=KeyFile(self.key), **options)  # type: ignore[arg-type] # busy_timeout is the one option that tests give

    @staticmethod
    def text(text: str) -> Text:
        """A secret text."""
        return Text(text)

    @staticmethod
    def in_file(vault: Vault) -> SqliteStore:
        """The store of a vault in a file."""
        assert isinstance(vault._store, SqliteStore)
        return vault._store

    @contextmanager
    def refusing_writes(self, vault: Vault) -> Iterator[None]:
        """As a read-only file, or a server that became a standby, while the vault is open."""
        store = vault._store
        if isinstance(store, SqliteStore):
            store.read_only = True
            yield
            store.read_only = False
            return
        assert isinstance(store, PostgresStore)
        assert store._writer.session is not None
        store._writer.session.execute("SET default_transaction_read_only = on")
        yield
        store._writer.session.execute("SET default_transaction_read_only = off")

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What somebody with the file and SQLite, or a superuser, can do to it; the vault must be closed."""
        if self.server is not None:
            with self.server.connect(self.schema) as server:
                found = server.execute(statement.replace("?", "%s").encode(), values)
                return found.fetchall() if found.description else []
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture
def kind() -> str:
    """The store that the test's vault is in: sqlite, or postgres."""
    return "sqlite"


@pytest.fixture
def place(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Place:
    folder = tmp_path / "here"
    folder.mkdir(mode=0o700)
    return Place(folder, request.getfixturevalue("postgres") if kind == "postgres" else None)


@pytest.fixture
def text() -> Callable[[str], Text]:
    return Text


@pytest.fixture
def vault(place: Place) -> Iterator[Vault]:
    with closing(place.open()) as opened:
        yield opened
