"""Collects a reply's body, up to a bound that also holds for what it unpacks into."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from secretbridge._exchange import Reply
from secretbridge.errors import UnexpectedReply

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Body"]


class Body:
    """The body of one reply as it comes in.

    Args:
        status: the HTTP status.
        headers: the reply's headers, looked up in lower case.
        most: most bytes to take, packed and unpacked.
        advice: of the error where a success cannot be read.
    """

    def __init__(self, status: int, headers: Mapping[str, str], most: int, advice: str) -> None:
        self._status = status
        self._headers = headers
        self._most = most
        self._advice = advice
        self._size = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; False where the bound is passed."""
        self._size += len(chunk)
        if self.too_long:
            return False
        self._chunks.append(chunk)
        return True

    @property
    def too_long(self) -> bool:
        """Whether the bound is passed."""
        return self._size > self._most

    @property
    def far_too_long(self) -> bool:
        """Whether more goes on coming from a connection that was closed at the bound."""
        return self._size > 2 * self._most

    def refusal(self) -> Reply | None:
        """Give a refusal without its body: its status tells enough. None where the status is no refusal."""
        if 200 <= self._status < 300:  # noqa: PLR2004 - HTTP's successes
            return None
        return Reply(self._status, self._headers, b"")

    def reply(self) -> Reply:
        """Give the whole reply, unpacked.

        Raises:
            UnexpectedReply: a success whose body is too long or cannot be unpacked.
        """
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        packing = self._headers.get("content-encoding", "identity").strip().lower()
        if self.too_long:
            return self._spoiled(f"is longer than {self._most:,} bytes")
        if not body or packing in {"identity", ""}:
            return Reply(self._status, self._headers, body)
        if packing not in {"gzip", "x-gzip", "deflate"}:
            return self._spoiled("is encoded in a way that was not asked for")
        unpacked = _unpack(body, self._most)
        if unpacked is None:
            return self._spoiled(f"does not unpack into at most {self._most:,} bytes")
        return Reply(self._status, self._headers, unpacked)

    def _spoiled(self, problem: str) -> Reply:
        refusal = self.refusal()
        if refusal is None:
            raise UnexpectedReply(f"The answer {problem}.", status=self._status, advice=self._advice)
        return refusal


def _unpack(body: bytes, most: int) -> bytes | None:
    """Unpack gzip, zlib or raw deflate; None where it is damaged, cut off, followed by more, or too long."""
    for window in (47, -15):  # gzip and zlib by their header; then raw deflate, which some servers send
        unpack = zlib.decompressobj(window)
        try:
            plain = unpack.decompress(body, most + 1)
        except zlib.error:
            continue
        return plain if unpack.eof and len(plain) <= most and not unpack.unused_data else None
    return None
