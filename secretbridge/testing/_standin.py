"""The base of the stand-ins: a stateful service in memory, reached in process or over a loopback socket.

A vendor's stand-in says how one request is answered (``_respond``). Everything else is here: recording,
scripted faults, a rate limit, a clock, and the ways to it: ``transport``, ``respx_side_effect``, ``serve``.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, TypedDict
from urllib.parse import urlsplit

from secretbridge.testing._exchange import (
    Fault,
    Lost,
    Pass,
    RecordedRequest,
    Refused,
    Reply,
    StandInReply,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator

    import httpx

    from secretbridge.testing._exchange import (
        Headers,
    )
    from secretbridge.testing._transport import StandInTransport

__all__ = [
    "Fault",
    "Lost",
    "Pass",
    "RecordedRequest",
    "Refused",
    "Reply",
    "StandIn",
    "StandInOptions",
    "StandInReply",
]


class StandInOptions(TypedDict, total=False):
    """What every stand-in takes besides its vendor's settings.

    Attributes:
        clock: Seconds since 1970; stamps, expiries and the rate limit follow it. Default: ``time.time``.
        latency: Seconds each request takes before it is handled, so that requests overlap. Default: 0.
        rate_limit: ``(requests, seconds)``: at most so many requests in any window of so many seconds;
            what is over is answered with 429 and does not count itself. Default: None, no limit.
        retry_after: The ``Retry-After`` of a 429: seconds, or any text. Default: None, no such header.
    """

    clock: Callable[[], float]
    latency: float
    rate_limit: tuple[int, float] | None
    retry_after: float | str | None


class StandIn(ABC):
    """A vendor's service in memory; safe to use from many threads and tasks at once.

    Args:
        base_url: The address it stands for; the path in it is where its API begins.
        clock: See `StandInOptions`, as for the others.
        latency: Seconds.
        rate_limit: ``(requests, seconds)``.
        retry_after: Seconds or text.

    Attributes:
        rejected_at: When requests were answered with 429 by the rate limit, by the stand-in's clock.
        most_in_flight: The most requests that were under way at the same time.
    """

    #: Whose published rules its requests are held against, where SECRETBRIDGE_STANDIN_CHECK asks for it.
    _vendor: ClassVar[str] = ""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], float] = time.time,
        latency: float = 0.0,
        rate_limit: tuple[int, float] | None = None,
        retry_after: float | str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.clock = clock
        self.latency = latency
        self.rate_limit = rate_limit
        self.retry_after = retry_after
        self.rejected_at: list[float] = []
        self.most_in_flight = 0
        self._prefix = urlsplit(self.base_url).path
        self._lock = threading.RLock()
        self._arrivals = 0
        self._in_flight = 0
        self._accepted: deque[float] = deque()
        self._faults: deque[Fault] = deque()
        self._requests: list[RecordedRequest] = []

    @abstractmethod
    def _respond(self, request: RecordedRequest) -> StandInReply:
        """Answer one request as the vendor would; called under the lock."""

    @abstractmethod
    def _too_many(self) -> StandInReply:
        """The vendor's 429."""

    # What a test does before and after.

    def script(self, *faults: Fault) -> None:
        """Answer the next requests by these faults in turn; then handle as ever."""
        with self._lock:
            self._faults.extend(faults)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request that reached the stand-in, also those a fault kept from being handled."""
        with self._lock:
            return list(self._requests)

    @property
    def calls(self) -> list[str]:
        """The same in short: ``["GET /api/v1/secrets/", …]``."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def clear_requests(self) -> None:
        """Forget the requests so far; the state of the service stays."""
        with self._lock:
            self._requests.clear()

    @property
    def rejected(self) -> int:
        """How many requests the rate limit turned away."""
        return len(self.rejected_at)

    # Three ways to reach it.

    def transport(self) -> StandInTransport:
        """An httpx transport, sync and async in one, that answers in process whatever the host is."""
        from secretbridge.testing._transport import StandInTransport  # late: httpx is loaded only if used

        return StandInTransport(self)

    def respx_side_effect(self, request: httpx.Request) -> httpx.Response:
        """Answer a request that respx caught: ``route.mock(side_effect=standin.respx_side_effect)``."""
        return self.transport().handle_request(request)

    @contextmanager
    def serve(self, *, ssl_context: ssl.SSLContext | None = None) -> Generator[str]:
        """Serve on a free port of 127.0.0.1 while the block runs; gives the base URL, vendor's path included.

        Args:
            ssl_context: A server's context, to speak TLS; the certificate must be for 127.0.0.1.
        """
        from secretbridge.testing._server import LoopbackServer  # late: many tests never open a socket

        with LoopbackServer(self.handle, ssl_context) as origin:
            yield origin + self._prefix

    # One request.

    def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
        """Answer one request.

        Args:
            method: The HTTP method.
            raw_path: Path and query as on the wire, percent-encoding kept.
            headers: All headers in order.
            body: The whole body.

        Raises:
            ConnectionRefusedError: The script says `Refused`; nothing was handled.
            ConnectionAbortedError: The script says `Lost`; the request was handled.
            ConnectionResetError: The script says ``Lost("reset")``; the request was handled.
        """
        with self._under_way() as number:
            if self.latency:
                time.sleep(self.latency)
            return self._answer(method, raw_path, headers, body, number)

    async def handle_async(
        self, method: str, raw_path: bytes | str, headers: Headers, body: bytes
    ) -> StandInReply:
        """The same for asyncio and trio: other tasks run meanwhile, and the wait can be cancelled."""
        import anyio  # late, as httpx: the blocking routes do without it

        with self._under_way() as number:
            await anyio.sleep(self.latency)
            return self._answer(method, raw_path, headers, body, number)

    @contextmanager
    def _under_way(self) -> Generator[int]:
        with self._lock:
            self._arrivals += 1
            number = self._arrivals
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield number
        finally:
            with self._lock:
                self._in_flight -= 1

    def _answer(
        self, method: str, raw_path: bytes | str, headers: Headers, body: bytes, number: int
    ) -> StandInReply:
        path = raw_path.decode("latin-1") if isinstance(raw_path, bytes) else raw_path
        request = RecordedRequest(method, path, tuple(headers), body, number)
        self._record(request)
        with self._lock:
            fault: Fault = self._faults.popleft() if self._faults else Pass()
            if isinstance(fault, Reply):
                return fault.as_reply()
            if isinstance(fault, Refused):
                raise ConnectionRefusedError("refused, as scripted")
            reply = self._limited() if self._over_limit() else self._respond(request)
        if isinstance(fault, Lost):
            raise (ConnectionResetError if fault.how == "reset" else ConnectionAbortedError)(
                "lost, as scripted"
            )
        return reply

    def _record(self, request: RecordedRequest) -> None:
        """Keep a request for a test to look at: every request passes here, however it came."""
        with self._lock:
            self._requests.append(request)
        if file := os.environ.get("SECRETBRIDGE_STANDIN_CHECK"):
            from secretbridge.testing._checked import note  # late: it is asked for by tests of this package

            note(self._vendor, request, self._prefix, file)

    def _over_limit(self) -> bool:
        if self.rate_limit is None:
            return False
        most, seconds = self.rate_limit
        now = self.clock()
        while self._accepted and self._accepted[0] <= now - seconds:
            self._accepted.popleft()
        if len(self._accepted) < most:
            self._accepted.append(now)
            return False
        self.rejected_at.append(now)
        return True

    def _limited(self) -> StandInReply:
        reply = self._too_many()
        if self.retry_after is None:
            return reply
        extra = ("Retry-After", str(self.retry_after))
        return StandInReply(reply.status, (*reply.headers, extra), reply.body)
