"""What a plan saw of the values that it replaces: known again just before the write, and never shown."""

from __future__ import annotations

import hmac
import os
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from pydantic import SecretStr

__all__ = ["Observed"]

#: Bytes of a digest.
_SIZE: Final = 16


class Observed:
    """Digests of values at the target, under a random key that stands nowhere but here.

    It lives as long as its plan, in one process, and is no part of the plan's JSON, of its fingerprint or of
    a journal. It takes 24 bytes for each value.
    """

    __slots__ = ("_digests", "_key", "_numbers")

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._numbers = array("Q")
        self._digests = bytearray()

    def digest(self, value: SecretStr) -> bytes:
        """Give the digest by which a value is known again."""
        text = value.get_secret_value().encode(errors="surrogatepass")
        return hmac.digest(self._key, text, "sha256")[:_SIZE]

    def note(self, n: int, digest: bytes) -> None:
        """Take note of what a step is going to replace; step by step, in the order of the plan."""
        self._numbers.append(n)
        self._digests += digest

    def same(self, n: int, value: SecretStr) -> bool | None:
        """Say whether this is the value that the plan saw; None where it saw none."""
        place = bisect_left(self._numbers, n)
        if place == len(self._numbers) or self._numbers[place] != n:
            return None
        kept = self._digests[place * _SIZE : (place + 1) * _SIZE]
        return hmac.compare_digest(kept, self.digest(value))

    def __repr__(self) -> str:
        return f"Observed({len(self._numbers)})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("what a plan observed is not pickled: it lives in one process alone")
