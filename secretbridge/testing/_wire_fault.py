"""What can go wrong with one exchange on a socket, as data: `WireFault`, and a catalogue of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from secretbridge.testing._exchange import StandInReply
from secretbridge.testing._server import bytes_of

if TYPE_CHECKING:
    from secretbridge.testing._exchange import Headers

__all__ = ["WIRE_FAULTS", "WireFault"]

#: What a fault puts on the wire: bytes, and pauses in seconds between them.
_Pieces: TypeAlias = Iterable[bytes | float]
_Says: TypeAlias = Callable[[StandInReply], _Pieces]

_PAUSE: Final = 0.02
_DRIPS: Final = 12
_BOMB: Final = 64 * 1024 * 1024
_CHUNKED: Final = ("Transfer-Encoding", "chunked")


def _nothing(_: StandInReply) -> _Pieces:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """What becomes of one exchange with a `FaultServer`.

    Attributes:
        takes: How much is taken of what the client sends: ``"nothing"``: the connection is refused;
            ``"connection"``: it is accepted, and no byte is read; ``"head"``: the request without its body;
            ``"request"``: all of it.
        handled: Whether the stand-in handles the request, so that its state changes. Only a whole request
            can be handled.
        says: Gives what is sent, from the stand-in's answer (of a request that is not handled: an empty
            200): bytes, and numbers for pauses in seconds.
        then: What becomes of the connection: ``"keep"``, ``"close"`` (in order), ``"reset"`` or ``"stall"``
            (open and silent until the client or the server leaves).
    """

    takes: Literal["nothing", "connection", "head", "request"] = "request"
    handled: bool = False
    says: _Says = field(default=_nothing, repr=False)
    then: Literal["keep", "close", "reset", "stall"] = "close"

    @classmethod
    def answer(
        cls, status: int, body: bytes = b"", *, headers: Headers = (), handled: bool = False
    ) -> WireFault:
        """A fault that answers with this status in place of the stand-in's own answer.

        Args:
            status: The HTTP status.
            body: Sent as it is.
            headers: Sent in order; give a body its ``Content-Type`` here.
            handled: Whether the stand-in handles the request first.
        """
        said = StandInReply(status, tuple(headers), body)
        return cls(handled=handled, says=lambda _: [bytes_of(said)], then="keep")


def _whole(reply: StandInReply) -> bytes:
    return bytes_of(reply)


def _with(reply: StandInReply, *headers: tuple[str, str], body: bytes | None = None) -> bytes:
    """The answer with these headers in place of its own of the same names, and with another body."""
    names = {name.lower() for name, _ in headers}
    kept = tuple((name, value) for name, value in reply.headers if name.lower() not in names)
    return bytes_of(StandInReply(reply.status, (*kept, *headers), reply.body if body is None else body))


def _cut_in_head(_: StandInReply) -> _Pieces:
    return [b"HTTP/1.1 200 O"]


def _cut_in_headers(reply: StandInReply) -> _Pieces:
    return [_whole(reply).partition(b"\r\n\r\n")[0][:-3]]


def _cut_in_body(reply: StandInReply) -> _Pieces:
    head, end, body = _whole(reply).partition(b"\r\n\r\n")
    return [head, end, body[: len(body) // 2]]


def _length(text: str) -> _Says:
    return lambda reply: [_with(reply, ("Content-Length", text))]


def _lengths(reply: StandInReply) -> _Pieces:
    return [_with(reply, ("Content-Length", str(len(reply.body))), ("Content-Length", "1"))]


def _wrong_length(by: int) -> _Says:
    return lambda reply: [_with(reply, ("Content-Length", str(max(0, len(reply.body) + by))))]


def _chunks(garbage: bytes) -> _Says:
    def say(reply: StandInReply) -> _Pieces:
        half = reply.body[: len(reply.body) // 2 + 1]
        return [_chunked_head(reply), b"%x\r\n%s\r\n" % (len(half), half), garbage]

    return say


def _chunked_head(reply: StandInReply) -> bytes:
    return _with(reply, _CHUNKED, body=b"")


def _endless(reply: StandInReply) -> Iterator[bytes]:
    yield _chunked_head(reply)
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    while True:  # until the client leaves
        yield piece


def _kind(kind: str) -> _Says:
    return lambda reply: [_with(reply, ("Content-Type", kind))]


def _body(body: bytes) -> _Says:
    return lambda reply: [_with(reply, body=body)]


def _packed(encoding: str, body: bytes | None = None) -> _Says:
    return lambda reply: [_with(reply, ("Content-Encoding", encoding), body=body)]


def _bomb(reply: StandInReply) -> _Pieces:
    return [_with(reply, ("Content-Encoding", "gzip"), body=gzip.compress(bytes(_BOMB), 1))]


def _not_utf8(reply: StandInReply) -> _Pieces:
    return [_with(reply, body=reply.body.replace(b'"', b'"\xff\xfe'))]


def _headers(*headers: tuple[str, str]) -> _Says:
    return lambda reply: [_with(reply, *headers)]


def _after(*before: bytes) -> _Says:
    return lambda reply: [*before, _whole(reply)]


def _status(status: int) -> _Says:
    return lambda reply: [bytes_of(StandInReply(status, reply.headers, reply.body))]


def _dripped(part: Literal["head", "body"]) -> _Says:
    """A few bytes at a time, each in time, until a read that waits for all has waited for long."""

    def say(reply: StandInReply) -> Iterator[bytes | float]:
        head, end, body = _whole(reply).partition(b"\r\n\r\n")
        slow, rest = (head, end + body) if part == "head" else (body, b"")
        if part == "body":
            yield head + end
        step = len(slow) // _DRIPS + 1
        for start in range(0, len(slow), step):
            yield slow[start : start + step]
            yield _PAUSE
        yield rest

    return say


#: Broken in so many ways; each without and with the request having been handled.
_ENDS: Final[Mapping[str, Literal["close", "reset", "stall"]]] = {
    "closed": "close",
    "reset": "reset",
    "stalled": "stall",
}
_SAID: Final[Mapping[str, tuple[_Says, Literal["keep", "close", "stall"]]]] = {
    "length too long, closed": (_wrong_length(+7), "close"),
    "length too long, stalled": (_wrong_length(+7), "stall"),
    "length too short": (_wrong_length(-1), "close"),
    "length of no number": (_length("many"), "close"),
    "length below zero": (_length("-5"), "close"),
    "two lengths": (_lengths, "close"),
    "chunk size of no number": (_chunks(b"zz\r\n"), "close"),
    "chunk cut off": (_chunks(b"40\r\n{"), "close"),
    "chunk longer than said": (_chunks(b"1\r\nabc\r\n0\r\n\r\n"), "close"),
    "body without end": (_endless, "close"),
    "content type of plain text": (_kind("text/plain"), "keep"),
    "content type of a web page": (_kind("text/html; charset=utf-8"), "keep"),
    "body is a web page": (_body(b"<!DOCTYPE html><title>Log in</title>"), "keep"),
    "body is no JSON": (_body(b"accepted, thank you"), "keep"),
    "body is empty": (_body(b""), "keep"),
    "body is null": (_body(b"null"), "keep"),
    "body is a list": (_body(b"[]"), "keep"),
    "body is not UTF-8": (_not_utf8, "keep"),
    "compression bomb": (_bomb, "close"),
    "said to be gzip": (_packed("gzip"), "keep"),
    "said to be brotli": (_packed("br"), "keep"),
    "header of 64 KB": (_headers(("X-Long", "x" * 65_000)), "keep"),
    "header of 256 KB": (_headers(("X-Long", "x" * 256_000)), "close"),
    "3000 headers": (_headers(*((f"X-{number}", "x" * 80) for number in range(3000))), "close"),
    "no HTTP": (lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], "close"),
    "100 before the answer": (_after(b"HTTP/1.1 100 Continue\r\n\r\n"), "keep"),
    "102 twice before the answer": (_after(b"HTTP/1.1 102 Processing\r\n\r\n" * 2), "keep"),
    "103 before the answer": (_after(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), "keep"),
    "101": (lambda _: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"], "close"),
    "202": (_status(202), "keep"),
    "204": (_status(204), "keep"),
    "206": (_status(206), "keep"),
    "226": (_status(226), "keep"),
    "head dripped": (_dripped("head"), "keep"),
    "body dripped": (_dripped("body"), "keep"),
}

#: Faults by name. A name says whether the request was handled where that can differ.
WIRE_FAULTS: Final[Mapping[str, WireFault]] = MappingProxyType(
    {
        "refused": WireFault(takes="nothing"),
        **{f"{name} at once": WireFault(takes="connection", then=end) for name, end in _ENDS.items()},
        **{f"{name} in the request": WireFault(takes="head", then=end) for name, end in _ENDS.items()},
        **{f"{name} before handling": WireFault(then=end) for name, end in _ENDS.items()},
        **{f"{name} after handling": WireFault(handled=True, then=end) for name, end in _ENDS.items()},
        **{
            f"{name} in the {part}": WireFault(handled=True, says=says, then=end)
            for part, says in (
                ("status line", _cut_in_head),
                ("headers", _cut_in_headers),
                ("body", _cut_in_body),
            )
            for name, end in _ENDS.items()
        },
        **{name: WireFault(handled=True, says=says, then=then) for name, (says, then) in _SAID.items()},
    }
)
