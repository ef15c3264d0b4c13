"""A reply is bounded, as it comes and as it unpacks, whatever the server says of it."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import Any

import anyio
import httpx
import pytest
from loopback import CREATE, FACES, INFO, KEY, READ, UPDATE, Say, ask, failure, http, ionet, judged, served

from secretbridge import AsyncSecretBridge, InsForge, SecretBridge, UnexpectedReply
from secretbridge._exchange import MAX_REPLY, Reply, Request
from secretbridge._models import Timeout
from secretbridge._runtime import AsyncRuntime, BlockingRuntime, finish

faces = pytest.mark.parametrize("face", FACES)
URL = "https://secrets.example"


class NoAuth:
    fixed = True

    def headers(self) -> tuple[()]:
        return ()


def fetched(face: str, transport: Any, *, most: int, url: str = URL) -> Reply:
    """One exchange below the adapters, with a bound of its own."""
    request = Request(
        operation="get", secret="", method="GET", url=url, headers=(), auth=NoAuth(), max_reply=most
    )
    if face == "blocking":
        runtime = BlockingRuntime(transport)
        try:
            return finish(runtime.send(request, Timeout.of(2.0)))
        finally:
            finish(runtime.close())

    async def work() -> Reply:
        awaited = AsyncRuntime(transport)
        try:
            return await awaited.send(request, Timeout.of(2.0))
        finally:
            await awaited.close()

    return anyio.run(work, backend=face)


def saying(status: int, body: bytes, encoding: str | None = None) -> httpx.MockTransport:
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    return httpx.MockTransport(
        # A stream of our own: httpx.Response would unpack what it is given as content.
        lambda _: httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))
    )


def raw_deflate(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(plain) + packer.flush()


PLAIN = b"x" * 1000


@faces
def test_a_reply_may_be_as_long_as_the_bound_and_no_longer(face: str) -> None:
    assert fetched(face, saying(200, PLAIN), most=1000).body == PLAIN
    with pytest.raises(UnexpectedReply, match="is longer than 999 bytes") as caught:
        fetched(face, saying(200, PLAIN), most=999)
    assert (caught.value.status, caught.value.applied, caught.value.__context__) == (200, None, None)


@faces
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("x-gzip", gzip.compress(PLAIN)),
        ("GZIP", gzip.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", raw_deflate(PLAIN)),
        (" identity ", PLAIN),
        ("", PLAIN),
    ],
    ids=["gzip", "x-gzip", "upper-case", "zlib", "raw-deflate", "identity", "empty"],
)
def test_what_comes_packed_is_unpacked_within_the_bound(face: str, encoding: str, packed: bytes) -> None:
    assert fetched(face, saying(200, packed, encoding), most=1000).body == PLAIN
    with pytest.raises(UnexpectedReply, match="999 bytes"):
        fetched(face, saying(200, packed, encoding), most=999)


@faces
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(PLAIN)[:-4]),
        ("gzip", gzip.compress(PLAIN)[:20]),
        ("gzip", gzip.compress(PLAIN)[:-6] + b"\0\0\0\0\0\0"),
        ("gzip", gzip.compress(PLAIN) * 2),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zlib.compress(PLAIN)[:-2]),
        ("br", PLAIN),
        ("zstd", PLAIN),
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN))),
        ("\xb2", PLAIN),
    ],
    ids=[
        "no-gzip", "cut-trailer", "cut", "wrong-checksum", "two-members", "no-deflate", "cut-zlib", "brotli",
        "zstd", "twice", "nonsense",
    ],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_no_success_and_no_worse_refusal(
    face: str, encoding: str, body: bytes
) -> None:
    def saying_so(status: int) -> httpx.MockTransport:
        headers = [(b"Content-Encoding", encoding.encode("latin-1"))]
        return httpx.MockTransport(
            lambda _: httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))
        )

    with pytest.raises(UnexpectedReply) as caught:
        fetched(face, saying_so(200), most=5000)
    assert caught.value.__context__ is None
    reply = fetched(face, saying_so(403), most=5000)
    assert (reply.status, reply.body) == (403, b"")


@faces
def test_an_empty_body_is_empty_however_it_is_said_to_be_packed(face: str) -> None:
    for encoding in ("gzip", "deflate", "br"):
        assert fetched(face, saying(200, b"", encoding), most=10).body == b""


@faces
def test_a_bomb_is_given_up_before_it_fills_the_memory(face: str) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedReply, match="does not unpack into at most 2,000,000 bytes"):
            fetched(face, saying(200, bomb, "gzip"), most=2_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Goes on for ever, even after its end was asked for."""

    def __iter__(self) -> Endless:
        return self

    __aiter__ = __iter__

    def __next__(self) -> bytes:
        return PLAIN

    async def __anext__(self) -> bytes:
        return PLAIN


@faces
@pytest.mark.parametrize("status", [200, 500])
def test_a_stream_without_end_is_left(face: str, status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, stream=Endless()))
    if status == 200:
        with pytest.raises(UnexpectedReply, match="is longer than 10,000 bytes"):
            fetched(face, transport, most=10_000)
    else:
        assert fetched(face, transport, most=10_000).body == b""


@faces
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with-length"])
def test_an_endless_reply_is_given_up_at_8_mib(face: str, *, chunked: bool) -> None:
    piece = b" " * 65_536
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for _ in range(136))  # and no end
        said = http(200, body, "Transfer-Encoding: chunked")
    else:
        said = http(200, piece * 136, length=10**15)
    assert MAX_REPLY == 8 * 1024 * 1024 < len(piece) * 136
    with served(Say(said, "hang")) as server:
        told = failure(face, server.url, UPDATE)
        assert judged(told) == ("UnexpectedReply", None, False)
        assert "is longer than 8,388,608 bytes" in str(told)
        read = failure(face, server.url, READ)
        assert judged(read) == ("UnexpectedReply", False, False)
        assert "safe to repeat" in read.advice
        assert server.wait_until(lambda: server.accepted == 2)


@faces
def test_a_refusal_that_is_too_long_is_a_refusal(face: str) -> None:
    with served(http(409, b" " * (MAX_REPLY + 1))) as server:
        error = failure(face, server.url, CREATE)
    assert (error.applied, error.transient, getattr(error, "status", None)) == (False, False, 409)


def test_a_reply_of_exactly_8_mib_is_read() -> None:
    body = INFO + b" " * (MAX_REPLY - len(INFO))
    with served(http(200, body)) as server:
        assert ask("blocking", server.url, READ).name == "TOKEN"


def test_insforge_may_answer_with_more_than_8_mib() -> None:
    big = "v" * (MAX_REPLY + 1)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"key": "TOKEN", "value": big}))
    provider = InsForge(base_url=URL, api_key=KEY)
    with SecretBridge(provider, transport=transport, pace=None, retry=None) as bridge:
        assert len(bridge.get_secret("TOKEN", metadata=False).reveal()) == MAX_REPLY + 1


@faces
def test_a_connection_with_a_reply_left_unread_is_not_used_again(face: str) -> None:
    with served(http(200, b" " * (MAX_REPLY + 70_000)), http(200, INFO)) as server:
        if face == "blocking":
            with SecretBridge(ionet(server.url), pace=None, retry=None) as bridge:
                with pytest.raises(UnexpectedReply):
                    bridge.get_secret(**READ[1])
                assert bridge.get_secret(**READ[1]).name == "TOKEN"
        else:

            async def work() -> None:
                async with AsyncSecretBridge(ionet(server.url), pace=None, retry=None) as bridge:
                    with pytest.raises(UnexpectedReply):
                        await bridge.get_secret(**READ[1])
                    assert (await bridge.get_secret(**READ[1])).name == "TOKEN"

            anyio.run(work, backend=face)
        assert server.accepted == 2
