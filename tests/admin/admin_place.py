"""A vault of its own for each test: the five verbs on it, its administration, and its rows as an attacker.

It is in a file. A module whose tests hold for every store overrides the fixture ``kind``.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
from secretbridge._vault._schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres_server import Server


@dataclass(frozen=True)
class Home:
    """Where a test's vault and its key file are."""

    folder: Path
    server: Server | None = None

    @property
    def schema(self) -> str:
        return f"t_{hash(self.folder) & 0xFFFFFFFFFFFF:x}"

    @property
    def location(self) -> str | Path:
        return self.file if self.server is None else self.server.url(self.schema)

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

    def bridge(self, environment: str = "development") -> SecretBridge:
        return SecretBridge(Local(self.location, environment, key_file=self.key))

    def vault(self, environment: str = "development", *, file: Path | None = None) -> Vault:
        return Vault(file or self.location, environment, key_file=self.key)

    def copied(self) -> Callable[[], None]:
        """What puts the vault back as it is now; it must be closed, both times."""
        if self.server is None:
            whole = self.file.read_bytes()

            def put_file_back() -> None:
                self.file.write_bytes(whole)

            return put_file_back
        tables = {table: self.sql(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608 - a name of ours

        def put_rows_back() -> None:
            for table, rows in tables.items():
                self.sql(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
                for row in rows:
                    places = ", ".join("?" * len(row))
                    self.sql(f"INSERT INTO {table} VALUES ({places})", *row)  # noqa: S608 - a name of ours

        return put_rows_back

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
def home(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Home:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return Home(folder, request.getfixturevalue("postgres") if kind == "postgres" else None)


@pytest.fixture
def bridge(home: Home) -> Iterator[SecretBridge]:
    with home.bridge() as opened:
        yield opened


@pytest.fixture
def admin(home: Home) -> Iterator[Vault]:
    with home.vault() as opened:
        yield opened
