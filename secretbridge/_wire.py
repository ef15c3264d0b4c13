"""The HTTP transport: the one module that imports httpx.

Transports are called directly, without httpx.Client: nothing here wants its redirects, cookies, logs of full
URLs or merging of options, and a call costs a third less. What the client would have done and we do want is
done here: the choice of a proxy, the Host header, and a bound on the reply's size.
"""

from __future__ import annotations

import ssl
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

import httpx

from secretbridge._body import Body
from secretbridge._proxy import choose
from secretbridge.errors import InvalidRequest, NoReply, NotSent, SecretBridgeError, Violation

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Timeout

__all__ = ["AsyncWire", "BlockingWire", "proxy_for"]

_IDLE: Final = 15.0
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE)
#: Addresses are parsed once; bulk work over more secrets than this parses some again.
_MOST_ADDRESSES: Final = 4096

#: Exchanges under way on one asynchronous transport before the next one is used, and most transports.
_FEW: Final = 4
_MOST_LANES: Final = 16
_LANE_LIMITS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=_IDLE)

_CHECK_NETWORK: Final = "Check the address, the network and the proxy settings."
_LOOK_FIRST: Final = "The change may have been made: look before you repeat it."
_NOTHING_CHANGED: Final = "Nothing was to be changed: it is safe to repeat."

#: Every failure that httpx names, and what it means for the change. Others are looked up by their bases.
_NOT_SENT: Final[dict[type[Exception], tuple[str, bool]]] = {
    httpx.ConnectError: ("no connection could be made", True),
    httpx.ConnectTimeout: ("no connection could be made in time", True),
    httpx.PoolTimeout: ("no connection became free in time", True),
    httpx.ProxyError: ("the proxy did not connect", True),
    httpx.UnsupportedProtocol: ("the address has no scheme that can be used", False),
    httpx.InvalidURL: ("the address is not a URL", False),
}
_NO_REPLY: Final[dict[type[Exception], tuple[str, bool]]] = {
    httpx.ReadTimeout: ("no answer came in time", True),
    httpx.WriteTimeout: ("the request was not taken in time", True),
    httpx.ReadError: ("the connection broke before the answer", True),
    httpx.WriteError: ("the connection broke within the request", True),
    httpx.CloseError: ("the connection did not close cleanly", True),
    httpx.RemoteProtocolError: ("the connection ended before a whole answer", True),
    httpx.LocalProtocolError: ("the request could not be written as HTTP", False),
    httpx.DecodingError: ("the answer could not be decoded", False),
    httpx.TooManyRedirects: ("the answer led elsewhere", False),
    httpx.StreamError: ("the answer could not be read", False),
    httpx.HTTPError: ("the exchange failed", False),
    Exception: ("the transport failed", False),
}


def _meaning(error: Exception, advice: str) -> SecretBridgeError:
    """Give our error for one from below. It keeps nothing of it but its class."""
    for kind in type(error).__mro__:
        if kind in _NOT_SENT:
            text, transient = _NOT_SENT[kind]
            if _tls_failed(error):
                return NotSent(
                    "Nothing was sent: the server's certificate or TLS was not accepted.",
                    advice="Check the host name and the trusted certificates (SSL_CERT_FILE, SSL_CERT_DIR).",
                    transient=False,
                )
            return NotSent(f"Nothing was sent: {text}.", advice=_CHECK_NETWORK, transient=transient)
        if kind in _NO_REPLY:
            text, transient = _NO_REPLY[kind]
            named = "" if kind is not Exception else f" ({type(error).__name__})"
            return NoReply(f"No answer: {text}{named}.", advice=advice, transient=transient)
    raise AssertionError  # pragma: no cover - Exception is a base of them all


def _unprepared(error: Exception) -> SecretBridgeError:
    """Give our error for one that came before there was a connection to send on."""
    return NotSent(
        f"Nothing was sent: no connection could be prepared ({type(error).__name__}).",
        advice="Check base_url, the proxy settings (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)"
        " and SSL_CERT_FILE and SSL_CERT_DIR.",
        transient=False,
    )


#: What the ssl module raises where the connection ended or has yet to go on, not where trust was refused.
_TLS_ENDED: Final = (
    ssl.SSLEOFError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLZeroReturnError,
)


def _tls_failed(error: BaseException | None) -> bool:
    """Say whether TLS was refused; a connection that merely ended within the handshake may work later."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _TLS_ENDED):
            return True
        error = error.__cause__ or error.__context__
    return False


def proxy_for(url: httpx.URL) -> str | None:
    """Choose the proxy that httpx.Client would."""
    return choose(getproxies(), url, httpx.URL)


class _Ways:
    """Remembers parsed addresses with their Host header, and how each origin is reached.

    Args:
        given: the transport that a caller handed in, or None.
        make: makes a way out from what its transports take as arguments.
    """

    def __init__(self, given: Any, make: Callable[[dict[str, Any]], Any]) -> None:
        self._given = given
        self._make = make
        self._known: dict[str, tuple[httpx.URL, bytes, Any]] = {}
        self._origins: dict[tuple[str, bytes], Any] = {}
        self._ways: dict[tuple[str, str | None], Any] = {}
        self._choosing = threading.Lock()

    def find(self, address: str) -> tuple[httpx.URL, bytes, Any]:
        known = self._known.get(address)
        if known is None:
            url = httpx.URL(address)
            known = (url, url.netloc, self._way(url))
            if len(self._known) >= _MOST_ADDRESSES:
                self._known.clear()
            self._known[address] = known
        return known

    def _way(self, url: httpx.URL) -> Any:
        if self._given is not None:
            return self._given
        origin = (url.scheme, url.netloc)
        with self._choosing:  # two threads must not make two transports, of which one would never be closed
            if origin not in self._origins:
                # A name that no resolver takes fails here, where it is certain that nothing was sent.
                url.raw_host.decode("ascii").encode("idna")
                proxy = proxy_for(url)
                key = (url.scheme, proxy)
                if key not in self._ways:
                    self._ways[key] = self._make({"verify": _tls(url, proxy), "proxy": proxy})
                self._origins[origin] = self._ways[key]
            return self._origins[origin]

    def all(self) -> list[Any]:
        return [self._given] if self._given is not None else list(self._ways.values())


def _tls(url: httpx.URL, proxy: str | None) -> ssl.SSLContext:
    """Give the trust settings; loading the certificates costs 20 ms that plain HTTP to loopback can spare."""
    if url.scheme == "http" and proxy is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and is never used
    return httpx.create_ssl_context()  # heeds SSL_CERT_FILE and SSL_CERT_DIR


class _Lane:
    """One transport, and how many exchanges are under way on it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.busy = 0


class _Lanes:
    """Spreads exchanges over several transports.

    The work of httpx's connection pool grows with what is in flight on it. A few exchanges to each of several
    transports cost half as much at 16 in flight; one after the other they all go over the first.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], most: int) -> None:
        self._make = make
        self._most = most
        self.lanes: list[_Lane] = []

    def freest(self) -> _Lane:
        for lane in self.lanes:
            if lane.busy < _FEW:
                return lane
        if len(self.lanes) < self._most:
            self.lanes.append(_Lane(self._make()))
            return self.lanes[-1]
        return min(self.lanes, key=lambda lane: lane.busy)


def _build(request: Request, url: httpx.URL, host: bytes, timeout: Timeout) -> httpx.Request:
    body = request.body
    headers = [(b"Host", host), *request.headers, *request.credential]
    if body or request.method not in {"GET", "DELETE"}:
        headers.append((b"Content-Length", b"%d" % len(body)))
    return httpx.Request(
        request.method,
        url,
        headers=headers,
        stream=httpx.ByteStream(body),
        extensions={
            "timeout": {
                "connect": timeout.connect,
                "read": timeout.read,
                "write": timeout.write,
                "pool": timeout.pool,
            }
        },
    )


def _body(response: httpx.Response, request: Request) -> Body:
    advice = _NOTHING_CHANGED if request.reads else _LOOK_FIRST
    return Body(response.status_code, response.headers, request.max_reply, advice)


def _ended(failure: Exception, request: Request, body: Body | None) -> Reply:
    """Give what is left of an exchange that failed: a refusal that broke off, or an error."""
    if body is not None:
        if body.too_long:
            return body.reply()
        if (refusal := body.refusal()) is not None:
            return refusal
    raise _meaning(failure, _NOTHING_CHANGED if request.reads else _LOOK_FIRST)


class BlockingWire:
    """Sends through httpx transports, blocking.

    Raises:
        InvalidRequest: what was handed in is not a blocking transport.
    """

    def __init__(self, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise InvalidRequest(violations=[_WRONG_TRANSPORT])
        self._ways = _Ways(transport, lambda options: httpx.HTTPTransport(limits=_LIMITS, **options))

    def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try."""
        failure: Exception
        body: Body | None = None
        try:
            url, host, transport = self._ways.find(request.url)
            outgoing = _build(request, url, host, timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            failure = error
        else:
            try:
                response = transport.handle_request(outgoing)
                body = _body(response, request)
                stream: Iterable[bytes] = response.stream
                try:
                    for chunk in stream:
                        if not body.add(chunk):
                            break
                finally:
                    response.close()
            except Exception as error:  # noqa: BLE001 - whatever a transport raises, the caller must learn "applied?"
                failure = error
            else:
                return body.reply()
            return _ended(failure, request, body)
        raise _unprepared(failure)

    def close(self) -> None:
        """Close all connections."""
        for transport in self._ways.all():
            transport.close()


class AsyncWire:
    """Sends through httpx transports, on asyncio or trio.

    Raises:
        InvalidRequest: what was handed in is not an asynchronous transport.
    """

    def __init__(self, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
            raise InvalidRequest(violations=[_WRONG_TRANSPORT])
        self._ways = _Ways(
            None if transport is None else _Lanes(lambda: transport, 1),
            lambda options: _Lanes(
                lambda: httpx.AsyncHTTPTransport(limits=_LANE_LIMITS, **options), _MOST_LANES
            ),
        )

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try."""
        failure: Exception
        body: Body | None = None
        try:
            url, host, lanes = self._ways.find(request.url)
            outgoing = _build(request, url, host, timeout)
            lane = lanes.freest()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            failure = error
        else:
            lane.busy += 1
            try:
                response = await lane.transport.handle_async_request(outgoing)
                body = _body(response, request)
                stream: AsyncIterable[bytes] = response.stream
                try:
                    async for chunk in stream:
                        if not body.add(chunk):
                            # Not only "break": the end of the connection ends httpx's nested generators in
                            # their order, which nothing else does on an event loop.
                            await response.aclose()
                            if body.far_too_long:
                                break
                finally:
                    await response.aclose()
            except Exception as error:  # noqa: BLE001 - whatever a transport raises, the caller must learn "applied?"
                failure = error
            else:
                return body.reply()
            finally:
                lane.busy -= 1
            return _ended(failure, request, body)
        raise _unprepared(failure)

    async def close(self) -> None:
        """Close all connections."""
        for lanes in self._ways.all():
            for lane in lanes.lanes:
                await lane.transport.aclose()


_WRONG_TRANSPORT: Final = Violation(
    "transport",
    "is not a transport for this bridge",
    "SecretBridge takes an httpx.BaseTransport, AsyncSecretBridge an httpx.AsyncBaseTransport",
)
