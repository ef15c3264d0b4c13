"""One request and its reply, as adapters write and read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from secretbridge._models import Operation
    from secretbridge.errors import SecretBridgeError

__all__ = ["Auth", "Headers", "Judge", "Reply", "Request"]

Headers = tuple[tuple[bytes, bytes], ...]

#: The most that a reply may hold, in bytes after decompression, where an adapter does not say otherwise.
MAX_REPLY = 8 * 1024 * 1024


class Auth(Protocol):
    """Gives the headers that carry the credential."""

    @property
    def fixed(self) -> bool:
        """Whether the headers never change; if not, they are asked for at every exchange."""
        ...

    def headers(self) -> Headers:
        """Give the headers; may block where ``fixed`` is False."""
        ...


@dataclass(slots=True, kw_only=True, repr=False, eq=False)
class Request:
    """One request. Its body and credential are never shown.

    Attributes:
        operation: what it is for, in logs and errors.
        secret: the name or id of the secret, in logs and errors; "" where there is none.
        method: the HTTP method.
        url: the whole address, percent-encoded.
        headers: all but Host, Content-Length and the credential.
        auth: gives the credential's headers.
        body: the bytes to send.
        reads: whether it changes nothing; failures are then never "unknown".
        idempotent: whether sending it twice comes to the same.
        repeat_statuses: HTTP statuses after which it may be repeated even if it is not idempotent.
        doubtful_codes: vendor codes of a refusal that is sometimes false; repeated up to twice on a
            connection that has worked before.
        max_reply: most bytes of the reply, decompressed.
        credential: the credential's headers, as they were sent with the last try.
        doubts: how many tries ended in one of the doubtful codes.
    """

    operation: Operation
    secret: str
    method: str
    url: str
    headers: Headers
    auth: Auth
    body: bytes = b""
    reads: bool = False
    idempotent: bool = False
    repeat_statuses: frozenset[int] = frozenset()
    doubtful_codes: frozenset[str] = frozenset()
    max_reply: int = MAX_REPLY
    credential: Headers = field(default=())
    doubts: int = 0

    def __repr__(self) -> str:
        return f"<Request {self.method} for {self.operation} of {self.secret!r}>"


@dataclass(slots=True, repr=False, eq=False)
class Reply:
    """One reply, read whole. Header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Give a header's value; the name in lower case."""
        return self.headers.get(name)

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"


#: Says what is wrong with a reply, or None where it is a success of the documented shape.
Judge = Callable[[Reply], "SecretBridgeError | None"]
