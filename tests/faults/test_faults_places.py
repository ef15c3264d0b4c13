"""Faults of a place, not of an exchange: nobody there, the wrong one there, or a connection that ended."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest
from authorities import Authority, signed_by_itself
from fault_calls import CALLS, SERVICES, Call, Service, held

from secretbridge import AsyncSecretBridge, SecretBridge, SecretBridgeError, Timeout
from secretbridge.testing import FaultServer, WireFault

if TYPE_CHECKING:
    from secretbridge._provider import Provider

FACES = ("blocking", "asyncio", "trio")
faces = pytest.mark.parametrize("face", FACES)
services = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
Place = Callable[["Service", Authority], AbstractContextManager[tuple[str, Any]]]
SHORT = Timeout(connect=0.2, read=5.0, write=5.0, pool=5.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def tls(host: str, days: int, *, ours: bool = True) -> Place:
    @contextmanager
    def place(service: Service, authority: Authority) -> Iterator[tuple[str, Any]]:
        signed = authority if ours else Authority(authority.file.parent / "other")
        with FaultServer(service.filled(), ssl_context=signed.server(host, days=days)) as server:
            yield server.base_url, server.standin

    return place


@contextmanager
def self_signed(service: Service, authority: Authority) -> Iterator[tuple[str, Any]]:
    context = signed_by_itself(authority.file.parent)
    with FaultServer(service.filled(), ssl_context=context) as server:
        yield server.base_url, server.standin


@contextmanager
def full(service: Service, _: Authority) -> Iterator[tuple[str, Any]]:
    """Somebody listens and takes no connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}", service.filled()
        for one in waiting:
            one.close()


@contextmanager
def nobody(service: Service, _: Authority) -> Iterator[tuple[str, Any]]:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", unknown)
        yield "https://secrets.invalid", service.filled()


@contextmanager
def plain(service: Service, _: Authority) -> Iterator[tuple[str, Any]]:
    """A server that speaks no TLS."""
    with FaultServer(service.filled()) as server:
        yield server.base_url.replace("http://", "https://"), server.standin


PLACES: dict[str, Place] = {
    "certificate of another host": tls("secrets.example", 9),
    "certificate that has expired": tls("127.0.0.1", -1),
    "certificate of an unknown authority": tls("127.0.0.1", 9, ours=False),
    "certificate that signs itself": self_signed,
    "no TLS": plain,
    "no connection in time": full,
    "no such host": nobody,
}


def calls_of(service: Service) -> list[Call]:
    return [call for call in CALLS if service.name in call.exchanges]


def outcomes(face: str, provider: Provider, calls: list[Call], **options: Any) -> dict[str, object]:
    """Class and ``applied`` of each call's error, or "works"; one bridge for all."""
    settings = {"pace": None, "retry": None, "timeout": SHORT, **options}
    found: dict[str, object] = {}
    if face == "blocking":
        with SecretBridge(provider, **settings) as bridge:
            for call in calls:
                try:
                    getattr(bridge, call.verb)(**call.arguments)
                    found[call.name] = "works"
                except SecretBridgeError as error:
                    found[call.name] = type(error).__name__, error.applied
        return found

    async def work() -> None:
        async with AsyncSecretBridge(provider, **settings) as bridge:
            for call in calls:
                try:
                    await getattr(bridge, call.verb)(**call.arguments)
                    found[call.name] = "works"
                except SecretBridgeError as error:
                    found[call.name] = type(error).__name__, error.applied

    anyio.run(work, backend=face)
    return found


@faces
@services
@pytest.mark.parametrize("place", PLACES)
def test_where_nobody_who_is_trusted_answers_nothing_is_sent(
    face: str, service: Service, place: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    (authority.file.parent / "other").mkdir(exist_ok=True)
    calls = calls_of(service)
    if place == "no connection in time":  # each call waits for its end
        calls = [call for call in calls if call.name == "update"]
    with PLACES[place](service, authority) as (url, standin):
        found = outcomes(face, service.provider(standin, url), calls)
        assert found == dict.fromkeys(found, ("NotSent", False))
        assert len(found) == len(calls)
        assert standin.requests == []


@faces
@services
def test_a_trusted_server_is_spoken_to(
    face: str, service: Service, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with FaultServer(service.filled(), ssl_context=authority.server()) as server:
        update = [call for call in calls_of(service) if call.name == "update"]
        found = outcomes(face, service.provider(server.standin, server.base_url), update)
        assert (found, held(server.standin)) == ({"update": "works"}, update[0].wanted)


@faces
@services
@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_connection_that_ended_between_two_calls_is_replaced(
    face: str, service: Service, then: Any
) -> None:
    """The first call leaves a connection behind, and its server ends it before the second one."""
    for call in calls_of(service):
        with FaultServer(service.filled()) as server:
            first = next(one for one in calls_of(service) if one.name in {"list", "update"})
            again = WireFault(handled=True, says=_as_it_is, then=then)
            server.script(*[None] * (len(first.exchanges[service.name]) - 1), again)
            _one_after_the_other(face, server, service, first, call)
            assert (call.name, server.accepted, held(server.standin)) == (call.name, 2, call.wanted)


def _as_it_is(reply: Any) -> list[bytes]:
    from secretbridge.testing._server import bytes_of

    return [bytes_of(reply)]


def _one_after_the_other(face: str, server: FaultServer, service: Service, first: Call, second: Call) -> None:
    provider = service.provider(server.standin, server.base_url)
    if face == "blocking":
        with SecretBridge(provider, pace=None, retry=None) as bridge:
            getattr(bridge, first.verb)(**first.arguments)
            _wait_for_the_end(server)
            getattr(bridge, second.verb)(**second.arguments)
        return

    async def work() -> None:
        async with AsyncSecretBridge(provider, pace=None, retry=None) as bridge:
            await getattr(bridge, first.verb)(**first.arguments)
            _wait_for_the_end(server)
            await anyio.sleep(0.02)  # for the end of the connection to arrive
            await getattr(bridge, second.verb)(**second.arguments)

    anyio.run(work, backend=face)


def _wait_for_the_end(server: FaultServer) -> None:
    until = time.monotonic() + 5
    while server.open and time.monotonic() < until:
        time.sleep(0.005)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@services
def test_a_slow_resolver_is_not_waited_for_beyond_the_time_for_a_connection(
    backend: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    real = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        released.wait(5)
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    update = [call for call in calls_of(service) if call.name == "update"]
    with FaultServer(service.filled()) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        began = time.monotonic()
        threading.Timer(1.0, released.set).start()
        found = outcomes(backend, service.provider(server.standin, url), update, timeout=SHORT)
        took = time.monotonic() - began
        assert (found, server.standin.requests) == ({"update": ("NotSent", False)}, [])
    assert took < 4


@services
def test_a_blocking_call_waits_for_a_slow_resolver_and_then_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.4)  # twice the time for a connection: only the system's resolver bounds it
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    update = [call for call in calls_of(service) if call.name == "update"]
    with FaultServer(service.filled()) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        found = outcomes("blocking", service.provider(server.standin, url), update, timeout=SHORT)
        assert (found, held(server.standin)) == ({"update": "works"}, update[0].wanted)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_deadline_round_an_awaited_call_ends_a_drip_without_end(backend: str) -> None:
    def drip(_: object) -> Iterator[bytes | float]:
        yield b"HTTP/1.1 200 OK\r\nX: "
        while True:
            yield b"x"
            yield 0.02

    service = SERVICES["ionet"]

    async def work() -> float:
        async with AsyncSecretBridge(
            service.provider(server.standin, server.base_url), pace=None, retry=None, timeout=0.5
        ) as bridge:
            began = time.monotonic()
            with anyio.move_on_after(0.3) as scope:
                await bridge.list_secrets()
            assert scope.cancelled_caught
            took = time.monotonic() - began
            assert [one.name for one in await bridge.list_secrets()] == ["EXISTING", "OTHER"]
            return took

    with FaultServer(service.filled()) as server:
        server.script(WireFault(says=drip))
        assert anyio.run(work, backend=backend) < 3


def test_a_server_that_refuses_at_its_end_ends_all_the_same() -> None:
    service = SERVICES["wix"]
    with FaultServer(service.filled()) as server:
        url = urlsplit(server.base_url)
        address = (url.hostname or "", url.port or 0)
        server.script(WireFault(takes="nothing"))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
