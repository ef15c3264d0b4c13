"""What goes into a stand-in and what comes out: one request, one reply, and the faults a test can script.

Nothing here knows a vendor. The stand-ins import nothing from the rest of the package: they are an
independent witness.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "EPOCH",
    "Fault",
    "Handler",
    "Headers",
    "Json",
    "Lost",
    "Pass",
    "RecordedRequest",
    "Refused",
    "Reply",
    "StandInReply",
    "json_reply",
    "timestamp",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Headers: TypeAlias = Sequence[tuple[str, str]]
#: What a body of JSON is, as long as nothing is known of what is inside.
Json: TypeAlias = dict[str, Any] | list[Any] | str | float | bool | None


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it arrived: nothing decoded, nothing normalised.

    Headers and body hold credentials and values, so they stay out of the repr.

    Attributes:
        method: As sent, such as ``"PATCH"``.
        path: The raw request target: path and query, percent-encoding as sent.
        headers: Every header in order, names in the case they were sent in.
        body: The body's bytes.
        number: Its place in the order of arrival, from 1.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    number: int = 0

    @property
    def route(self) -> str:
        """The raw path without the query."""
        return self.path.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header of this name in any case, or None."""
        return next(iter(self.header_values(name)), None)

    def header_values(self, name: str) -> tuple[str, ...]:
        """Every header of this name in any case: two credentials in one request are visible here."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)

    def json(self) -> Any:  # noqa: ANN401  # JSON is any of six types; a test knows which
        """The body read as JSON.

        Raises:
            ValueError: The body is not JSON in UTF-8, or nested too deep.
        """
        try:
            return json.loads(self.body.decode("utf-8"))
        except RecursionError:
            pass
        raise ValueError("the body is nested too deep")


@dataclass(frozen=True, slots=True)
class StandInReply:
    """An answer: status, headers in order, body. The body may hold a value and stays out of the repr."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """Fault: answer this, without handling the request. The stand-in's state does not change.

    Args:
        status: The HTTP status.
        json: Sent as JSON unless None (send ``null`` as ``body=b"null"``).
        body: Sent as it is where ``json`` is None; text goes out as UTF-8.
        headers: Added to the answer, such as ``[("Retry-After", "2")]``.
    """

    status: int
    json: object = field(default=None, repr=False)
    body: bytes | str = field(default=b"", repr=False)
    headers: Headers = ()

    def as_reply(self) -> StandInReply:
        """The reply to send."""
        if self.json is not None:
            return json_reply(self.status, self.json, self.headers)
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return StandInReply(self.status, tuple(self.headers), body)


@dataclass(frozen=True, slots=True)
class Lost:
    """Fault: handle the request, so the state changes, but let the client never see the answer.

    Args:
        how: ``"closed"`` ends the connection in order (``httpx.RemoteProtocolError``), ``"reset"`` tears it
            down (``httpx.ReadError``). It is the same in process and on a socket.
    """

    how: Literal["closed", "reset"] = "closed"


@dataclass(frozen=True, slots=True)
class Refused:
    """Fault: do not handle the request.

    In process this is an ``httpx.ConnectError``. A socket that has been connected cannot be refused any more:
    there the connection is closed without an answer, and the client cannot know what became of the request.
    """


@dataclass(frozen=True, slots=True)
class Pass:
    """No fault: handle this one as ever. It puts a distance between the faults of a script."""


Fault: TypeAlias = Reply | Lost | Refused | Pass


class Handler(Protocol):
    """Who answers requests: what a transport needs to know of a stand-in."""

    def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
        """Answer one request."""
        ...

    async def handle_async(
        self, method: str, raw_path: bytes | str, headers: Headers, body: bytes
    ) -> StandInReply:
        """Answer one request, letting other tasks run meanwhile."""
        ...


def json_reply(status: int, payload: object, headers: Headers = ()) -> StandInReply:
    """A reply of compact JSON in UTF-8; a lone surrogate goes out as its JSON escape."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    kind = ("Content-Type", "application/json; charset=utf-8")
    return StandInReply(status, (kind, *headers), text.encode("utf-8", "backslashreplace"))


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, in milliseconds and with a Z, as the vendors write it."""
    moment = EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
