"""A stand-in as an httpx transport: in process, sync and async in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from secretbridge.testing._exchange import Handler, StandInReply

__all__ = ["StandInTransport"]

_Arguments = tuple[str, bytes, list[tuple[str, str]], bytes]


class StandInTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands each request to a stand-in as it would have gone over the wire, whatever its host.

    Args:
        standin: Who answers.
    """

    def __init__(self, standin: Handler) -> None:
        self._standin = standin

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of ``httpx.Client``."""
        request.read()
        lost: OSError
        try:
            return _response(request, self._standin.handle(*_arguments(request)))
        except ConnectionError as error:
            lost = error
        raise _as_httpx(lost, request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of ``httpx.AsyncClient``, on asyncio or trio."""
        await request.aread()
        lost: OSError
        try:
            return _response(request, await self._standin.handle_async(*_arguments(request)))
        except ConnectionError as error:
            lost = error
        raise _as_httpx(lost, request)


def _arguments(request: httpx.Request) -> _Arguments:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    return request.method, request.url.raw_path, headers, request.content


def _response(request: httpx.Request, reply: StandInReply) -> httpx.Response:
    return httpx.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)


def _as_httpx(error: OSError, request: httpx.Request) -> httpx.TransportError:
    """What httpx raises when the same happens on a socket."""
    if isinstance(error, ConnectionRefusedError):
        return httpx.ConnectError("[Errno 111] Connection refused", request=request)
    if isinstance(error, ConnectionResetError):
        return httpx.ReadError("[Errno 104] Connection reset by peer", request=request)
    return httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
