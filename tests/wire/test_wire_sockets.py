"""What becomes of an exchange on a real socket when something breaks, on each face."""

from __future__ import annotations

import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from loopback import (
    CREATE,
    FACES,
    INFO,
    KEY,
    READ,
    UPDATE,
    VALUE,
    Say,
    ask,
    failure,
    http,
    judged,
    served,
    unused_url,
)

from secretbridge import AsyncSecretBridge, InvalidRequest, IoNet, SecretBridge, __version__
from secretbridge._models import Timeout

if TYPE_CHECKING:
    from secretbridge import SecretBridgeError

faces = pytest.mark.parametrize("face", FACES)
calls = pytest.mark.parametrize(
    ("call", "unknown"), [(UPDATE, None), (CREATE, None), (READ, False)], ids=["update", "create", "read"]
)
SHORT = Timeout(connect=0.2, read=0.2, write=0.2, pool=0.2)


#: Where a test waits for a timeout, two kinds of call are enough.
two_calls = pytest.mark.parametrize(
    ("call", "unknown"), [(UPDATE, None), (READ, False)], ids=["update", "read"]
)


def assert_chained_to_nothing(error: SecretBridgeError) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    text = "".join(traceback.format_exception(error)) + repr(vars(error))
    for below in ("httpx.", "httpcore.", "anyio.BrokenResource", "[Errno", VALUE, KEY):
        assert below not in text


@faces
@calls
def test_a_refused_connection_is_not_sent(face: str, call: Any, unknown: Any) -> None:
    error = failure(face, unused_url(), call)
    assert judged(error) == ("NotSent", False, True)
    assert "Check the address" in str(error)
    assert_chained_to_nothing(error)


@faces
@calls
def test_a_name_that_no_resolver_knows_is_not_sent(
    face: str, call: Any, unknown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    error = failure(face, "https://secrets.invalid", call)
    assert judged(error) == ("NotSent", False, True)
    assert_chained_to_nothing(error)


@faces
@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_no_resolver_takes_is_not_sent(face: str, host: str) -> None:
    error = failure(face, f"https://{host}", UPDATE)
    assert judged(error) == ("NotSent", False, False)
    assert "base_url" in error.advice
    assert_chained_to_nothing(error)


@faces
@two_calls
def test_a_connection_that_is_not_made_in_time_is_not_sent(face: str, call: Any, unknown: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # fill the queue of those who wait to be accepted
            one.setblocking(False)
            one.connect_ex(address)
        error = failure(face, f"http://127.0.0.1:{address[1]}", call, timeout=SHORT)
        for one in waiting:
            one.close()
    assert judged(error) == ("NotSent", False, True)
    assert "in time" in str(error)
    assert_chained_to_nothing(error)


@faces
@two_calls
def test_an_answer_that_does_not_come_in_time_leaves_a_write_unknown(
    face: str, call: Any, unknown: Any
) -> None:
    with served(Say(b"", "hang")) as server:
        error = failure(face, server.url, call, timeout=SHORT)
        assert server.wait_until(lambda: len(server.requests) == 1)
    assert judged(error) == ("NoReply", unknown, True)
    assert ("look before you repeat" in error.advice) == (unknown is None)
    assert_chained_to_nothing(error)


@faces
@calls
@pytest.mark.parametrize(
    "said",
    [
        Say(b"", "close"),
        Say(b"", "reset"),
        Say(b"HTTP/1.1 200 O", "close"),
        Say(b"HTTP/1.1 200 O", "reset"),
        Say(http(200, b'{"secret', length=900), "close"),
        Say(http(200, b'{"secret', length=900), "reset"),
        Say(http(200, b'{"secret', length=900), "hang"),
        Say(http(201, b'5\r\n{"se', "Transfer-Encoding: chunked"), "close"),
        Say(b"this is no HTTP at all\r\n\r\n", "close"),
    ],
    ids=[
        "closed", "reset", "closed-in-head", "reset-in-head", "truncated", "reset-in-body", "stalled-in-body",
        "truncated-chunk", "no-http",
    ],
)  # fmt: skip
def test_a_success_that_breaks_off_leaves_a_write_unknown(
    face: str, call: Any, unknown: Any, said: Say
) -> None:
    with served(said) as server:
        error = failure(face, server.url, call, timeout=SHORT)
        assert server.wait_until(lambda: len(server.requests) == 1)
    assert judged(error) == ("NoReply", unknown, True)
    assert_chained_to_nothing(error)


@faces
@two_calls
@pytest.mark.parametrize("then", ["close", "reset", "hang"])
def test_a_refusal_that_breaks_off_is_a_refusal(face: str, call: Any, unknown: Any, then: Any) -> None:
    with served(Say(http(403, b'{"deta', length=900), then)) as server:
        error = failure(face, server.url, call, timeout=SHORT)
    assert judged(error) == ("PermissionDenied", False, False)
    assert_chained_to_nothing(error)


@faces
def test_a_server_that_ends_the_tls_handshake_may_be_tried_again(face: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(10)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        error = failure(face, f"https://127.0.0.1:{listener.getsockname()[1]}", UPDATE)
        thread.join(5)
    assert judged(error) == ("NotSent", False, True)
    assert_chained_to_nothing(error)


def test_a_connection_closed_between_two_calls_is_replaced() -> None:
    with (
        served(Say(http(200, INFO), "close")) as server,
        SecretBridge(IoNet(api_key=KEY, base_url=server.url), pace=None, retry=None) as bridge,
    ):
        for times in (1, 2, 3):
            assert bridge.get_secret(**READ[1]).name == "TOKEN"
            assert server.wait_until(lambda: server.open == 0)
            assert (server.accepted, len(server.requests)) == (times, times)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_connection_closed_between_two_awaited_calls_is_replaced(backend: str) -> None:
    async def work(url: str) -> None:
        async with AsyncSecretBridge(IoNet(api_key=KEY, base_url=url), pace=None, retry=None) as bridge:
            for _ in range(3):
                assert (await bridge.get_secret(**READ[1])).name == "TOKEN"
                await anyio.sleep(0.05)  # for the end of the connection to arrive

    with served(Say(http(200, INFO), "close")) as server:
        anyio.run(work, server.url, backend=backend)
        assert (server.accepted, len(server.requests)) == (3, 3)


@faces
def test_what_goes_out_names_the_version_and_asks_for_no_compression(face: str) -> None:
    with served() as server:
        ask(face, server.url, UPDATE)
        head, body = server.requests[0].split(b"\r\n\r\n")
    host = server.url.removeprefix("http://")
    assert head.decode().split("\r\n") == [
        f"PATCH {'/secrets/' + UPDATE[1]['id']} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: secretbridge/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        f"x-api-key: {KEY}",
        f"Content-Length: {len(body)}",
    ]
    assert body == b'{"secret_value":"%s"}' % VALUE.encode()


@faces
def test_plain_http_beyond_loopback_is_refused_before_anything_is_sent(face: str) -> None:
    with pytest.raises(InvalidRequest, match="without encryption"):
        ask(face, "http://secrets.example", UPDATE)
