"""A vault on PostgreSQL for each test, and a wire to the server that can be cut."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault
from secretbridge._vault._postgres import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres_server import Server

#: The message that makes the server answer.
_SYNC = b"S\0\0\0\4"

Cut = Literal["no", "before", "after", "limbo"]


@dataclass(frozen=True)
class Text:
    """The least that the vault takes for a secret text."""

    text: str

    def get_secret_value(self) -> str:
        return self.text


@dataclass(frozen=True)
class Spot:
    """Where a test's vault is."""

    server: Server
    folder: Path
    schema: str

    @property
    def key(self) -> Path:
        return self.folder / "config" / "vault.key"

    def url(self, **options: object) -> str:
        return self.server.url(self.schema, **options)  # type: ignore[arg-type]  # user is among them

    def open(
        self, environment: str = "development", *, url: str | None = None, busy_timeout: float = 10
    ) -> Vault:
        return Vault.open(
            PostgresUrl(url or self.url()),
            environment=environment,
            credential=KeyFile(self.key),
            busy_timeout=busy_timeout,
        )

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What a superuser can do to the vault's rows."""
        with self.server.connect(self.schema) as connection:
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    @staticmethod
    def store(vault: Vault) -> PostgresStore:
        """The store of an open vault."""
        assert isinstance(vault._store, PostgresStore)
        return vault._store

    def pid(self, vault: Vault, line: Literal["_reader", "_writer"]) -> int:
        """The server's process for one of a vault's two connections."""
        session = getattr(self.store(vault), line).session
        return int(session.info.backend_pid)

    def kill(self, pid: int) -> None:
        """End a session of the server's, and wait until it is gone."""
        self.sql("SELECT pg_terminate_backend(%s, 10000)", pid)


class Wire:
    """Between clients on 127.0.0.1 and the server; cut when the next commit passes by, encrypted if so set.

    Args:
        server: the server's socket file.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self.tls: ssl.SSLContext | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: Cut = "no"
        self.refusing = False
        self.refuses_after = False
        self.cuts = 0
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            if self.tls is not None:
                client.recv(8)  # which asks for TLS
                client.sendall(b"S")
                try:
                    client = self.tls.wrap_socket(client, server_side=True)
                except OSError:  # the client did not like what it was shown
                    client.close()
                    continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._ends += [client, server]  # closed at the end at the latest
            thread = threading.Thread(target=self._carry, args=(client, server))
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), selectors.DefaultSelector() as ready, closing(client):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    while isinstance(key.fileobj, ssl.SSLSocket) and key.fileobj.pending():
                        data += key.fileobj.recv(1 << 16)
                    if not data:
                        server.close()
                        return
                    if key.fileobj is client and b"COMMIT\0" in data and self.cut != "no":
                        self._cut(server, data)
                        return
                    key.data.sendall(data)

    def _cut(self, server: socket.socket, data: bytes) -> None:
        how, self.cut = self.cut, "no"
        self.cuts += 1
        self.refusing = self.refuses_after
        if how == "after":
            server.sendall(data + _SYNC)
            answer = b""
            while b"COMMIT\0" not in answer:
                answer += server.recv(1 << 16)
        if how != "limbo":  # there the server waits for what never comes
            server.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()


@pytest.fixture
def spot(postgres: Server, tmp_path: Path) -> Spot:
    return Spot(postgres, tmp_path, f"t_{hash(tmp_path) & 0xFFFFFFFFFFFF:x}")


@pytest.fixture
def vault(spot: Spot) -> Iterator[Vault]:
    with closing(spot.open()) as opened:
        yield opened


@pytest.fixture
def wire(postgres: Server) -> Iterator[Wire]:
    with closing(Wire(postgres.socket)) as opened:
        yield opened


@pytest.fixture
def text() -> Callable[[str], Text]:
    return Text
