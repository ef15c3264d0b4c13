"""Every exception of httpx has one meaning, and nothing of it gets through."""

from __future__ import annotations

import gc
import ssl
import traceback
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from loopback import CREATE, FACES, KEY, READ, UPDATE, VALUE, failure, ionet, judged

from secretbridge import AsyncSecretBridge, InvalidRequest, SecretBridge, SecretBridgeError
from secretbridge._wire import _NO_REPLY, _NOT_SENT

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_SENT, LATER = ("NotSent", False, False), ("NotSent", False, True)
UNKNOWN, UNKNOWN_LATER = ("NoReply", None, False), ("NoReply", None, True)

#: What each class of httpx means for a write; a class that is new in httpx is missing here.
MEANINGS: dict[type[Exception], tuple[str, bool | None, bool]] = {
    httpx.ConnectError: LATER,
    httpx.ConnectTimeout: LATER,
    httpx.PoolTimeout: LATER,
    httpx.ProxyError: LATER,
    httpx.UnsupportedProtocol: NOT_SENT,
    httpx.InvalidURL: NOT_SENT,
    httpx.ReadTimeout: UNKNOWN_LATER,
    httpx.WriteTimeout: UNKNOWN_LATER,
    httpx.ReadError: UNKNOWN_LATER,
    httpx.WriteError: UNKNOWN_LATER,
    httpx.CloseError: UNKNOWN_LATER,
    httpx.RemoteProtocolError: UNKNOWN_LATER,
    httpx.LocalProtocolError: UNKNOWN,
    httpx.DecodingError: UNKNOWN,
    httpx.TooManyRedirects: UNKNOWN,
    httpx.StreamError: UNKNOWN,
    httpx.HTTPError: UNKNOWN,
    # These have no entry of their own: bases that httpx does not raise, and what only a client raises.
    httpx.RequestError: UNKNOWN,
    httpx.TransportError: UNKNOWN,
    httpx.TimeoutException: UNKNOWN,
    httpx.NetworkError: UNKNOWN,
    httpx.ProtocolError: UNKNOWN,
    httpx.HTTPStatusError: UNKNOWN,
    httpx.StreamConsumed: UNKNOWN,
    httpx.StreamClosed: UNKNOWN,
    httpx.ResponseNotRead: UNKNOWN,
    httpx.RequestNotRead: UNKNOWN,
    httpx.CookieConflict: UNKNOWN,
}
BELOW = f"the message of the lower exception with {VALUE} and {KEY}"


def tree(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def made(kind: type[Exception]) -> Exception:
    """An exception as httpx raises it: chained, and with a message that says too much."""
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", "http://127.0.0.1")
        error: Exception = httpx.HTTPStatusError(BELOW, request=request, response=httpx.Response(500))
    elif kind in {httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead}:
        error = kind()
    else:
        error = kind(BELOW)
    error.__cause__ = OSError(BELOW)
    return error


class Raises(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that only ever raises: at once, or within the body of a reply."""

    def __init__(self, error: BaseException, status: int | None = None) -> None:
        self.error = error
        self.status = status

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.status is None:
            raise self.error
        return httpx.Response(self.status, stream=Breaks(self.error))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


class Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"secret_id": '
        raise self.error

    async def __aiter__(self) -> Any:
        yield b'{"secret_id": '
        raise self.error


def everything_of(error: BaseException) -> str:
    """All text that whoever handles an error may come to show."""
    seen = [repr(error), str(error), "".join(traceback.format_exception(error)), repr(vars(error))]
    return "\n".join(seen)


def test_every_exception_of_httpx_is_known_here() -> None:
    public = {
        thing for thing in vars(httpx).values() if isinstance(thing, type) and issubclass(thing, Exception)
    }
    walked = {
        kind
        for root in (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)
        for kind in tree(root)
        if kind.__module__.startswith("httpx")
    }
    assert public == walked  # nothing of theirs stands outside of these four roots
    assert set(MEANINGS) == walked
    assert {*_NOT_SENT, *_NO_REPLY} <= {*MEANINGS, Exception}
    assert not {*_NOT_SENT} & {*_NO_REPLY}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", MEANINGS, ids=lambda kind: kind.__name__)
def test_an_exception_has_its_meaning_and_leaves_nothing_behind(kind: type[Exception], face: str) -> None:
    expected = MEANINGS[kind]
    for call in (UPDATE, CREATE):
        error = failure(face, "https://secrets.example", call, transport=Raises(made(kind)))
        assert judged(error) == expected
        assert error.__cause__ is None
        assert error.__context__ is None
        text = everything_of(error)
        assert VALUE not in text
        assert KEY not in text
        assert "message of the lower exception" not in text
        assert not any(isinstance(held, httpx.HTTPError | OSError) for held in gc.get_referents(error))
    error = failure(face, "https://secrets.example", READ, transport=Raises(made(kind)))
    assert judged(error) == (expected[0], False, expected[2])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", [ValueError, RuntimeError, OSError, RecursionError, AssertionError])
def test_what_else_a_transport_raises_is_an_unknown_outcome(kind: type[Exception], face: str) -> None:
    error = failure(face, "https://secrets.example", UPDATE, transport=Raises(kind(BELOW)))
    assert judged(error) == UNKNOWN
    assert kind.__name__ in str(error)
    assert VALUE not in everything_of(error)
    assert error.__context__ is None


@pytest.mark.parametrize("face", FACES)
def test_a_child_of_a_known_exception_means_what_its_parent_means(face: str) -> None:
    class OfAnotherPackage(httpx.ConnectTimeout):
        pass

    error = failure(face, "https://secrets.example", UPDATE, transport=Raises(OfAnotherPackage(BELOW)))
    assert judged(error) == LATER


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", [httpx.ReadError, ValueError, ssl.SSLError])
def test_an_exception_within_a_body_leaves_a_success_unknown_and_a_refusal_refused(
    kind: type[Exception], face: str
) -> None:
    error = failure(face, "https://secrets.example", UPDATE, transport=Raises(kind(BELOW), 200))
    assert judged(error) == ("NoReply", None, kind is httpx.ReadError)
    assert VALUE not in everything_of(error)
    error = failure(face, "https://secrets.example", UPDATE, transport=Raises(kind(BELOW), 422))
    assert judged(error) == ("Rejected", False, False)


@pytest.mark.parametrize("face", FACES)
def test_an_error_of_ours_from_a_transport_is_no_certain_answer(face: str) -> None:
    inner = InvalidRequest("of a bridge within a transport")
    error = failure(face, "https://secrets.example", UPDATE, transport=Raises(inner))
    assert judged(error) == UNKNOWN


@pytest.mark.parametrize("cause", [ssl.SSLCertVerificationError("no"), ssl.SSLError("no")])
def test_a_refused_certificate_is_not_tried_again(cause: Exception) -> None:
    below = httpx.ConnectError(BELOW)
    below.__cause__ = RuntimeError()
    below.__cause__.__context__ = cause
    error = failure("blocking", "https://secrets.example", UPDATE, transport=Raises(below))
    assert judged(error) == NOT_SENT
    assert "SSL_CERT_FILE" in error.advice


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes_as_it_is(kind: type[BaseException]) -> None:
    with (
        SecretBridge(_provider(), pace=None, transport=Raises(kind())) as bridge,
        pytest.raises(kind),
    ):
        bridge.get_secret(**READ[1])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_no_exception_passes_as_it_is_when_awaited(backend: str) -> None:
    class Own(BaseException):
        pass

    async def work() -> AsyncSecretBridge:
        bridge = AsyncSecretBridge(_provider(), pace=None, transport=Raises(Own()))
        with pytest.raises(Own):
            await bridge.get_secret(**READ[1])
        return bridge

    anyio.run(work, backend=backend)


@pytest.mark.parametrize("kind", ["SecretBridge", "AsyncSecretBridge"])
def test_a_transport_of_the_wrong_kind_is_refused_at_once(kind: str) -> None:
    wrong: list[Any] = ["https://proxy", object(), httpx.Client, httpx.HTTPTransport]
    wrong.append(httpx.AsyncHTTPTransport() if kind == "SecretBridge" else httpx.HTTPTransport())
    bridge: Any = SecretBridge if kind == "SecretBridge" else AsyncSecretBridge
    for transport in wrong:
        with pytest.raises(InvalidRequest, match=r"transport: is not a transport.*AsyncBaseTransport"):
            bridge(_provider(), transport=transport)


def test_an_error_of_the_wire_says_nothing_of_the_request() -> None:
    error: SecretBridgeError = failure(
        "blocking", "https://secrets.example", UPDATE, transport=Raises(OSError(BELOW))
    )
    assert set(vars(error)) == {"advice", "message", "transient"}


def _provider() -> Any:
    return ionet("https://secrets.example")
