"""A stand-in on a real socket: a small HTTP/1.1 server on 127.0.0.1, one thread a connection.

It is written out because ``http.server`` rewrites a path that begins with two slashes, has no way to end the
connections it keeps alive or to reset one, and is slower: benchmarks are served from here.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from secretbridge.testing._exchange import Headers, StandInReply

if TYPE_CHECKING:
    import ssl
    from io import BufferedReader
    from types import TracebackType

__all__ = ["LINGER_NOT", "LoopbackServer", "Taken", "bytes_of", "read_request"]

Handle: TypeAlias = Callable[[str, str, Headers, bytes], StandInReply]
#: Method, target, headers, body, and whether the client keeps the connection.
Taken: TypeAlias = tuple[str, str, Headers, bytes, bool]

_LONGEST_LINE = 65_536
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
LINGER_NOT = struct.pack("ii", 1, 0)  # close sends a reset instead of an orderly end


class _NotUnderstoodError(Exception):
    """The bytes that came are no HTTP/1.1 request this server reads; holds the status to answer."""


class LoopbackServer:
    """Serves while the ``with`` block runs; leaving it ends every connection and every thread.

    Args:
        handle: Answers one request; a ``ConnectionError`` from it closes the connection without an answer.
        ssl_context: A server's context, or None for plain HTTP.
    """

    def __init__(self, handle: Handle, ssl_context: ssl.SSLContext | None = None) -> None:
        self._handle = handle
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._closing = False
        self._listening = False
        self._open: dict[threading.Thread, socket.socket] = {}

    def __enter__(self) -> str:
        self._listen(0)
        return f"{'https' if self._ssl_context else 'http'}://127.0.0.1:{self._address[1]}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closing = True
        self._stop_listening()
        with self._lock:
            talking = list(self._open)
            for connection in self._open.values():
                _shut(connection)
        for thread in talking:
            thread.join()

    def _listen(self, port: int) -> None:
        """Take connections at this port, or at a free one for 0."""
        self._listening = True
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._address: tuple[str, int] = self._listener.getsockname()
        self._acceptor = threading.Thread(target=self._accept, name="stand-in accept", daemon=True)
        self._acceptor.start()

    def _stop_listening(self) -> None:
        """Refuse new connections; those that are open stay."""
        if not self._listening:
            return
        self._listening = False
        # Closing a listener does not wake a thread that waits in accept on every platform; a connection does.
        socket.create_connection(self._address).close()
        self._acceptor.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            plain, _ = self._listener.accept()
            if not self._listening:
                plain.close()
                return
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = plain
            if self._ssl_context:  # the handshake happens in the connection's own thread
                connection = self._ssl_context.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                )
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="stand-in connection", daemon=True
            )
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                if self._ssl_context:
                    connection.do_handshake()  # type: ignore[attr-defined]  # an SSLSocket, as _accept made it
                while not self._closing and self._exchange(connection, stream):
                    pass
        except OSError:
            pass  # the client went away, or spoke no TLS: nothing to answer to
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    def _exchange(self, connection: socket.socket, stream: BufferedReader) -> bool:
        """Read and answer one request; True if the connection stays open for another."""
        try:
            request = read_request(stream)
        except _NotUnderstoodError as error:
            connection.sendall(bytes_of(StandInReply(error.args[0]), keep_alive=False))
            return False
        if request is None:
            return False
        return self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: Taken) -> bool:
        """Answer a whole request; True if the connection stays open for another."""
        method, target, headers, body, keep_alive = request
        try:
            reply = self._handle(method, target, headers, body)
        except ConnectionResetError:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            return False
        except ConnectionError:
            return False
        connection.sendall(bytes_of(reply, method=method, keep_alive=keep_alive))
        return keep_alive


def _shut(connection: socket.socket) -> None:
    """Wake whoever reads from a connection."""
    with suppress(OSError):  # it may be closed already
        # Not SSLSocket.shutdown: that takes the TLS object away under the thread that is reading with it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def read_request(stream: BufferedReader) -> Taken | None:
    """Read method, target, headers, body and whether to keep the connection; None at the end of it."""
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004  # method, target, version
        raise _NotUnderstoodError(HTTPStatus.BAD_REQUEST)
    length, keep_alive = 0, parts[2] != "HTTP/1.0"
    headers: list[tuple[str, str]] = []
    while (line := stream.readline(_LONGEST_LINE)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        name, _, value = line.decode("latin-1").partition(":")
        value = value.strip()
        headers.append((name, value))
        match name.lower():
            case "content-length":
                if not value.isdecimal():
                    raise _NotUnderstoodError(HTTPStatus.BAD_REQUEST)
                length = int(value)
            case "transfer-encoding":  # our clients know their bodies' length
                raise _NotUnderstoodError(HTTPStatus.LENGTH_REQUIRED)
            case "connection":
                keep_alive = keep_alive and "close" not in value.lower()
            case _:
                pass
    body = stream.read(length)
    if len(body) < length:
        return None
    return parts[0], parts[1], headers, body, keep_alive


def bytes_of(reply: StandInReply, *, method: str = "GET", keep_alive: bool = True) -> bytes:
    """Write a reply; a Content-Length among its headers stands as it is."""
    lines = [f"HTTP/1.1 {int(reply.status)} {_PHRASES.get(reply.status, '')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    body = b"" if method == "HEAD" or reply.status in _NO_BODY else reply.body
    named = {name.lower() for name, _ in reply.headers}
    if reply.status not in _NO_BODY and "content-length" not in named:  # a scripted one may be a lie
        lines.append(f"Content-Length: {len(reply.body)}")
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
