"""Between an adapter and its stand-in: each request is written down, and chosen ones come to a bad end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import httpx

from secretbridge.testing._exchange import Lost, Pass, RecordedRequest, Refused, Reply

if TYPE_CHECKING:
    from secretbridge.testing._exchange import Fault

__all__ = ["Probe"]


class Probe(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Records requests and plays faults; everything else goes on to the stand-in.

    Args:
        inner: the transport that leads to the stand-in.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._faults: deque[Fault] = deque()
        self.requests: list[RecordedRequest] = []

    def script(self, *faults: Fault) -> None:
        """Let the next requests come to these ends, in turn."""
        self._faults.extend(faults)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record a request, then answer it by a fault or by the stand-in."""
        request.read()
        fault = self._next(request)
        if (early := _instead(fault, request)) is not None:
            return early
        response: httpx.Response = self._inner.handle_request(request)
        response.read()
        return _unless_lost(fault, request, response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same for the awaited face."""
        await request.aread()
        fault = self._next(request)
        if (early := _instead(fault, request)) is not None:
            return early
        response: httpx.Response = await self._inner.handle_async_request(request)
        await response.aread()
        return _unless_lost(fault, request, response)

    def _next(self, request: httpx.Request) -> Fault:
        headers = tuple(
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in request.headers.raw
        )
        path = request.url.raw_path.decode("latin-1")
        number = len(self.requests) + 1
        self.requests.append(RecordedRequest(request.method, path, headers, request.content, number))
        try:
            return self._faults.popleft()
        except IndexError:
            return Pass()


def _instead(fault: Fault, request: httpx.Request) -> httpx.Response | None:
    if isinstance(fault, Refused):
        raise httpx.ConnectError("refused, as scripted", request=request)
    if not isinstance(fault, Reply):
        return None
    reply = fault.as_reply()
    return httpx.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)


def _unless_lost(fault: Fault, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    if isinstance(fault, Lost):
        kind = httpx.ReadError if fault.how == "reset" else httpx.RemoteProtocolError
        raise kind("lost, as scripted", request=request)
    return response
