"""The HTTP transport: the one module that imports httpx.

Transports are called directly, without httpx.Client: nothing here wants its redirects, cookies, logs of full
URLs or merging of options, and a call costs a third less. What the client would have done and we do want is
done here: the choice of a proxy, the Host header, and a bound on the reply's size.
"""

from __future__ import annotations

import ssl
import zlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

import httpx

from secretbridge._exchange import Reply
from secretbridge.errors import (
    InvalidRequest,
    NoReply,
    NotSent,
    SecretBridgeError,
    UnexpectedReply,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from secretbridge._exchange import Request
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


def _meaning(error: Exception) -> SecretBridgeError:
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
            return NoReply(f"No answer: {text}{named}.", advice=_LOOK_FIRST, transient=transient)
    raise AssertionError  # pragma: no cover - Exception is a base of them all


def _tls_failed(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def proxy_for(url: httpx.URL) -> str | None:
    """Choose the proxy that httpx.Client would: by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""
    settings = getproxies()
    for entry in (part.strip() for part in settings.get("no", "").split(",")):
        if entry == "*" or (entry and _excepted(url, entry)):
            return None
    proxy = settings.get(url.scheme) or settings.get("all")
    return None if not proxy else proxy if "://" in proxy else f"http://{proxy}"


def _excepted(url: httpx.URL, entry: str) -> bool:
    """Say whether an entry of NO_PROXY covers this address, in the way httpx reads it."""
    if "://" in entry:
        pattern = httpx.URL(entry)
        return (
            pattern.scheme in {url.scheme, "all"}
            and pattern.host in {url.host, "", "*"}
            and pattern.port in {None, url.port}
        )
    host = entry.split("/", maxsplit=1)[0].lower()
    if host == "localhost" or _is_address(host):
        return url.host == host.strip("[]")
    name, _, port = host.partition(":")
    if port and url.port != int(port):
        return False
    domain = name.lstrip(".")
    return (url.host == domain and not name.startswith(".")) or url.host.endswith(f".{domain}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class _Ways:
    """Remembers parsed addresses with their Host header, and how each is reached.

    Args:
        given: the transport that a caller handed in, or None.
        make: makes a way out from what its transports take as arguments.
    """

    def __init__(self, given: Any, make: Callable[[dict[str, Any]], Any]) -> None:
        self._given = given
        self._make = make
        self._known: dict[str, tuple[httpx.URL, bytes, Any]] = {}
        self._ways: dict[tuple[str, str | None], Any] = {}

    def find(self, address: str) -> tuple[httpx.URL, bytes, Any]:
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MOST_ADDRESSES:
                self._known.clear()
            url = httpx.URL(address)
            known = self._known[address] = (url, url.netloc, self._way(url))
        return known

    def _way(self, url: httpx.URL) -> Any:
        if self._given is not None:
            return self._given
        proxy = proxy_for(url)
        key = (url.scheme, proxy)
        if key not in self._ways:
            self._ways[key] = self._make({"verify": _tls(url, proxy), "proxy": proxy})
        return self._ways[key]

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


class _Body:
    """Collects a reply's body up to its bound."""

    def __init__(self, response: httpx.Response, most: int) -> None:
        self._response = response
        self._most = most
        self._size = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; False where the bound is passed."""
        self._size += len(chunk)
        self._chunks.append(chunk)
        return self._size <= self._most

    def reply(self) -> Reply:
        """Give the whole reply, decompressed within the same bound."""
        response = self._response
        if self._size > self._most:
            return self._spoiled(f"is longer than {self._most:,} bytes")
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"} and body:
            unpacked = _inflate(body, self._most)
            if unpacked is None:
                return self._spoiled(f"does not unpack into at most {self._most:,} bytes")
            body = unpacked
        elif encoding not in {"identity", ""} and body:
            return self._spoiled("is encoded in a way that was not asked for")
        return Reply(response.status_code, response.headers, body)

    def _spoiled(self, problem: str) -> Reply:
        """Give a refusal without its body; a success whose body cannot be had is an error."""
        status = self._response.status_code
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's successes
            return Reply(status, self._response.headers, b"")
        raise UnexpectedReply(f"The answer {problem}.", status=status, advice=_LOOK_FIRST)

    def broken(self, error: Exception) -> Reply:
        """Give a refusal that broke off within its body: the status has told enough."""
        status = self._response.status_code
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's successes
            return Reply(status, self._response.headers, b"")
        raise _meaning(error)


def _inflate(body: bytes, most: int) -> bytes | None:
    """Unpack gzip, zlib or raw deflate; None where it is damaged, cut off or larger than allowed."""
    for window in (47, -15):  # gzip and zlib by their header; then raw deflate, which some servers send
        unpack = zlib.decompressobj(window)
        try:
            plain = unpack.decompress(body, most + 1)
        except zlib.error:
            continue
        return plain if unpack.eof and len(plain) <= most else None
    return None


class BlockingWire:
    """Sends through httpx transports, blocking."""

    def __init__(self, transport: httpx.BaseTransport | None) -> None:
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise InvalidRequest(violations=[_WRONG_TRANSPORT])
        self._ways = _Ways(transport, lambda options: httpx.HTTPTransport(limits=_LIMITS, **options))

    def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try."""
        failure: Exception
        body: _Body | None = None
        try:
            url, host, transport = self._ways.find(request.url)
            response = transport.handle_request(_build(request, url, host, timeout))
            body = _Body(response, request.max_reply)
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
        if isinstance(failure, SecretBridgeError):
            raise failure
        if body is not None:
            return body.broken(failure)
        raise _meaning(failure)

    def close(self) -> None:
        """Close all connections."""
        for transport in self._ways.all():
            transport.close()


class AsyncWire:
    """Sends through httpx transports, on asyncio or trio."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None) -> None:
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
        body: _Body | None = None
        try:
            url, host, lanes = self._ways.find(request.url)
            lane = lanes.freest()
            lane.busy += 1
            try:
                response = await lane.transport.handle_async_request(_build(request, url, host, timeout))
                body = _Body(response, request.max_reply)
                stream: AsyncIterable[bytes] = response.stream
                try:
                    async for chunk in stream:
                        if not body.add(chunk):
                            break
                finally:
                    await response.aclose()
            finally:
                lane.busy -= 1
        except Exception as error:  # noqa: BLE001 - whatever a transport raises, the caller must learn "applied?"
            failure = error
        else:
            return body.reply()
        if isinstance(failure, SecretBridgeError):
            raise failure
        if body is not None:
            return body.broken(failure)
        raise _meaning(failure)

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
