"""Vendors at their worst: answers and failures that repeat all they were sent."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
from canary_marks import CREDENTIAL, VALUE, echoes

if TYPE_CHECKING:
    from secretbridge.testing import StandIn

SENT = json.dumps(VALUE, ensure_ascii=False).encode()
Ending = Callable[[httpx.Request], httpx.Response]

STATUSES = (
    200, 201, 202, 204, 302, 307, 400, 401, 403, 404, 405, 408, 409, 410,
    413, 418, 422, 423, 425, 428, 429, 500, 502, 503, 507,
)  # fmt: skip


def _body(words: list[str]) -> dict[str, Any]:
    """All four vendors' refusals in one, every text of them an echo."""
    first = words[0]
    return {
        "detail": [{"loc": ["body", word], "msg": word, "type": word, "input": word} for word in words],
        "message": first,
        "error": first,
        "code": first,
        "statusCode": first,
        "nextActions": first,
        "details": {
            "applicationError": {"code": first, "description": first, "data": words},
            "validationError": {
                "fieldViolations": [{"field": word, "description": f"{word} is bad"} for word in words]
            },
        },
        "status": first,
        "secret": first,
        "request_id": first,
        "data": words,
        "secrets": [{"key": word, "value": [word], "createdAt": word} for word in words],
        "value": words,
        first: first,
    }


def _headers(word: str, kind: str = "application/json") -> list[tuple[bytes, bytes]]:
    text = word.encode("utf-8").replace(b"\n", b" ")
    names = (b"x-request-id", b"x-wix-request-id", b"location", b"retry-after", b"etag", b"set-cookie")
    return [(b"content-type", kind.encode()), *((name, text) for name in names)]


def _answering(status: int, first: int = 0) -> Ending:
    words = echoes()[first:]
    data = json.dumps(_body(words)).encode()

    def end(request: httpx.Request) -> httpx.Response:
        # An id of the request can hold what was sent with it; a stored value has no way into one.
        word = words[0] if SENT in request.content else CREDENTIAL
        return httpx.Response(status, headers=_headers(word), content=data)

    return end


def _web_page(_: httpx.Request) -> httpx.Response:
    page = f"<html><title>{VALUE} {CREDENTIAL}</title>"
    return httpx.Response(200, headers=_headers(VALUE, "text/html"), content=page.encode())


def _plain(status: int) -> Ending:
    data = f"{VALUE} {CREDENTIAL}".encode()
    return lambda _: httpx.Response(status, headers=_headers(CREDENTIAL, "text/plain"), content=data)


class _BreakingStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield VALUE.encode()
        raise httpx.RemoteProtocolError(f"broke off after {VALUE} {CREDENTIAL}")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def _breaking(status: int) -> Ending:
    return lambda _: httpx.Response(status, headers=_headers(VALUE), stream=_BreakingStream())


def _raising(kind: Callable[[str], Exception], *, chained: bool = False) -> Ending:
    def end(request: httpx.Request) -> httpx.Response:
        error = kind(f"{VALUE} {CREDENTIAL} {request.headers} {request.content!r}")
        error.add_note(VALUE)
        if chained:
            raise error from ssl.SSLError(f"{VALUE} {CREDENTIAL}")
        raise error

    return end


_FAILURES: list[Callable[[str], Exception]] = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.DecodingError,
    httpx.InvalidURL,
    RuntimeError,
    OSError,
]

#: Ways in which an exchange can end. A new one is one more entry.
ENDINGS: dict[str, Ending] = {
    **{f"{status}": _answering(status) for status in STATUSES},
    **{f"400 {number}": _answering(400, number) for number in range(1, len(echoes()))},
    **{f"{status} plain": _plain(status) for status in (200, 400, 404, 500)},
    **{f"{status} breaking off": _breaking(status) for status in (200, 403)},
    "a web page": _web_page,
    **{kind.__name__: _raising(kind) for kind in _FAILURES},
    "TLS": _raising(httpx.ConnectError, chained=True),
}


class Treacherous(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands the first requests to a stand-in, and lets the one after them come to a bad end."""

    def __init__(self, standin: StandIn, good: int, ending: Ending) -> None:
        self._standin = standin.transport()
        self._good = good
        self._ending = ending
        self.reached = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._good -= 1
        if self._good >= 0:
            return self._standin.handle_request(request)
        self.reached = True
        request.read()
        return self._ending(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._good -= 1
        if self._good >= 0:
            return await self._standin.handle_async_request(request)
        self.reached = True
        await request.aread()
        return self._ending(request)
