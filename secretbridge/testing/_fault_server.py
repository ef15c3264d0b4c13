"""A stand-in on a socket that breaks exchanges as a test scripts it."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from secretbridge.testing._exchange import StandInReply
from secretbridge.testing._server import LINGER_NOT, LoopbackServer

if TYPE_CHECKING:
    import ssl
    from io import BufferedReader
    from types import TracebackType

    from secretbridge.testing._exchange import Headers
    from secretbridge.testing._server import Taken
    from secretbridge.testing._standin import StandIn
    from secretbridge.testing._wire_fault import WireFault

__all__ = ["FaultServer"]


class FaultServer:
    """Serves a stand-in on a free port of 127.0.0.1 while the ``with`` block runs, faults included.

    Args:
        standin: Who handles requests; may be set to another one between exchanges.
        ssl_context: A server's context, to speak TLS.

    Attributes:
        standin: As given.
    """

    def __init__(self, standin: StandIn, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self.standin = standin
        self._server = _Breaking(self, ssl_context)

    def __enter__(self) -> Self:
        self._origin = self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def base_url(self) -> str:
        """Where the stand-in's API begins here."""
        return self._origin + urlsplit(self.standin.base_url).path

    def script(self, *faults: WireFault | None) -> None:
        """Break the next exchanges in turn, in place of what was scripted before; None breaks none.

        A connection that is refused stays so until the next call.
        """
        self._server.script(faults)

    def _handle(self, method: str, target: str, headers: Headers, body: bytes) -> StandInReply:
        return self.standin.handle(method, target, headers, body)

    @property
    def taken(self) -> int:
        """How many requests were taken whole since the last `script`."""
        return self._server.taken

    @property
    def accepted(self) -> int:
        """How many connections were accepted since the last `script`."""
        return self._server.accepted

    @property
    def left(self) -> int:
        """How much of the script was not met yet."""
        return self._server.left

    @property
    def open(self) -> int:
        """How many connections are open."""
        return self._server.open


class _Breaking(LoopbackServer):
    """The server under a `FaultServer`."""

    def __init__(self, owner: FaultServer, ssl_context: ssl.SSLContext | None) -> None:
        # The two are halves of one thing.
        super().__init__(owner._handle, ssl_context)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._script: deque[WireFault | None] = deque()
        self._changing = threading.Lock()
        self.taken = 0
        self.accepted = 0

    @property
    def left(self) -> int:
        return len(self._script)

    @property
    def open(self) -> int:
        with self._lock:
            return len(self._open)

    def script(self, faults: tuple[WireFault | None, ...]) -> None:
        with self._changing:
            self._script = deque(faults)
            self.taken = self.accepted = 0
            if not self._listening:
                self._listen(self._address[1])
            self._refuse_if_next()

    def _refuse_if_next(self) -> bool:
        """Refuse connections from now on where the script says so; whether it does."""
        if not self._script or self._script[0] is None or self._script[0].takes != "nothing":
            return False
        self._script.popleft()
        self._stop_listening()
        return True

    def _next(self, *takes: str) -> WireFault | None:
        """Take the fault that is due now, if it is one that takes so much of what the client sends."""
        with self._changing:
            due = self._script[0] if self._script else None
            if self._script and (due.takes if due else "request") in takes:
                return self._script.popleft()
            return None

    def _converse(self, connection: socket.socket) -> None:
        with self._changing:
            self.accepted += 1
        fault = self._next("connection")
        if fault is None:
            super()._converse(connection)
            return
        with suppress(OSError), connection:
            select([connection], [], [])  # so that the client has connected and sent, not less
            self._end(connection, fault)
        with self._lock:
            del self._open[threading.current_thread()]

    def _exchange(self, connection: socket.socket, stream: BufferedReader) -> bool:
        if stream.peek(1) and (fault := self._next("head")) is not None:
            while stream.readline() not in (b"\r\n", b"\n", b""):
                pass
            return self._end(connection, fault)
        return super()._exchange(connection, stream)

    def _answer(self, connection: socket.socket, request: Taken) -> bool:
        self.taken += 1
        fault = self._next("request")
        stays = self._stays()
        if fault is None:
            return super()._answer(connection, (*request[:4], request[4] and stays))
        reply = self._handle(*request[:4]) if fault.handled else StandInReply(200)
        for piece in fault.says(reply):
            if isinstance(piece, bytes):
                connection.sendall(piece)
            else:
                time.sleep(piece)
        return self._end(connection, fault) and stays

    def _stays(self) -> bool:
        """Whether this connection may stay open: what comes next may need a new one."""
        with self._changing:
            if self._refuse_if_next():
                return False
            due = self._script[0] if self._script else None
            return due is None or due.takes != "connection"

    def _end(self, connection: socket.socket, fault: WireFault) -> bool:
        """Leave the connection as the fault says; True if it stays open for another request."""
        if fault.then == "stall":
            # Below TLS, if there is any: SSLSocket.recv would begin a handshake where there was none.
            while socket.socket.recv(connection, 65_536):
                pass
        elif fault.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        return fault.then == "keep"
