"""A server on loopback that says exactly the bytes a test scripts, and one way to call all three faces."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio

from secretbridge import AsyncSecretBridge, IoNet, SecretBridge, SecretBridgeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

FACES = ("blocking", "asyncio", "trio")
ID = "6f2c3a52-6b1e-4f0f-9d2b-0c3a5e7d9b11"
KEY = "key-of-the-wire-tests-93"
VALUE = "canary-value-27151"
#: What is asked of a face: a write that may be repeated, one that may not, and a read.
UPDATE: tuple[str, dict[str, Any]] = ("update_secret", {"id": ID, "value": VALUE})
CREATE: tuple[str, dict[str, Any]] = ("create_secret", {"name": "TOKEN", "value": VALUE})
READ: tuple[str, dict[str, Any]] = ("get_secret", {"id": ID})
INFO = b'{"secret_id": "%s", "secret_name": "TOKEN"}' % ID.encode()


@dataclass
class Say:
    """Bytes to send, and what becomes of the connection afterwards."""

    data: bytes = b""
    then: Literal["keep", "close", "reset", "hang"] = "keep"


def http(
    status: int = 200,
    body: bytes = b"{}",
    *headers: str,
    length: int | None = None,
    kind: str = "application/json",
) -> bytes:
    """Write a reply; ``length`` may be a lie."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", *headers]
    if status != 204 and not any(line.lower().startswith("transfer-encoding") for line in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Server:
    """What a test sees of the server."""

    answer: Callable[[bytes], Say]
    context: ssl.SSLContext | None = None
    accepted: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)
    url: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)
    sockets: list[socket.socket] = field(default_factory=list)

    def wait_until(self, true: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(true, 30)  # at once, unless the machine is busy

    def accept(self, listener: socket.socket) -> list[threading.Thread]:
        threads: list[threading.Thread] = []
        while True:
            plain, _ = listener.accept()
            if self.ended.is_set():
                plain.close()
                return threads
            with self.changed:
                self.accepted += 1
                self.open += 1
                self.sockets.append(plain)
            threads.append(threading.Thread(target=self.converse, args=(plain,), daemon=True))
            threads[-1].start()

    def converse(self, plain: socket.socket) -> None:
        try:
            with plain, suppress(OSError):
                connection = plain
                if self.context is not None:
                    connection = self.context.wrap_socket(plain, server_side=True)
                with connection, connection.makefile("rb") as stream:
                    while self.exchange(connection, stream):
                        pass
        finally:
            with self.changed:
                self.open -= 1
                self.changed.notify_all()

    def exchange(self, connection: socket.socket, stream: Any) -> bool:
        head, length = b"", 0
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return False
            head += line
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + stream.read(length)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        said = self.answer(request)
        connection.sendall(said.data)
        if said.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif said.then == "hang":
            self.ended.wait(5)
        return said.then == "keep"


@contextmanager
def served(*script: Say | bytes, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve the scripted replies in turn, the last one for ever."""
    left = [one if isinstance(one, Say) else Say(one) for one in script or (http(),)]
    lock = threading.Lock()

    def answer(_request: bytes) -> Say:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    server = Server(answer, context)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        address = listener.getsockname()
        server.url = f"{'https' if context else 'http'}://127.0.0.1:{address[1]}"
        acceptor = threading.Thread(target=server.accept, args=(listener,), daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            server.ended.set()
            socket.create_connection(address).close()
            acceptor.join(5)
            for one in server.sockets:
                with suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
            assert server.wait_until(lambda: server.open == 0)


def unused_url() -> str:
    """An address on loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def ionet(url: str) -> IoNet:
    return IoNet(api_key=KEY, base_url=url)


def ask(face: str, url: str, call: tuple[str, dict[str, Any]], **options: Any) -> Any:
    """Make one call on a bridge of its own; nothing is paced or repeated unless the options say so."""
    verb, arguments = call
    settings: dict[str, Any] = {"pace": None, "retry": None, "timeout": 2.0, **options}
    if face == "blocking":
        with SecretBridge(ionet(url), **settings) as bridge:
            return getattr(bridge, verb)(**arguments)

    async def work() -> Any:
        async with AsyncSecretBridge(ionet(url), **settings) as bridge:
            return await getattr(bridge, verb)(**arguments)

    return anyio.run(work, backend=face)


def failure(face: str, url: str, call: tuple[str, dict[str, Any]], **options: Any) -> SecretBridgeError:
    """Make one call that must fail, and give its error."""
    try:
        done = ask(face, url, call, **options)
    except SecretBridgeError as error:
        return error
    raise AssertionError(f"it worked: {done!r}")


def judged(error: SecretBridgeError) -> tuple[str, bool | None, bool]:
    """Class, ``applied`` and ``transient`` of an error."""
    return type(error).__name__, error.applied, error.transient
