"""A runtime that answers from a script and waits in no time: for tests of adapters."""

from __future__ import annotations

import json as _json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from secretbridge._connect import DEFAULT_RETRY, connected
from secretbridge._exchange import Reply
from secretbridge._runtime import finish
from secretbridge._sync import SecretBridge
from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from secretbridge._connect import Pace
    from secretbridge._exchange import Request
    from secretbridge._models import Retry, Timeout
    from secretbridge._provider import Provider

__all__ = ["ScriptedRuntime", "Sent", "answer"]

T = TypeVar("T")

#: What the next exchange comes to: a reply, or an error to raise.
Step = Reply | SecretBridgeError


class Sent(NamedTuple):
    """One request as it would have gone out; headers and body hold secrets and stay out of the repr."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body as JSON; None where there is none."""
        return _json.loads(self.body) if self.body else None

    def __repr__(self) -> str:
        return f"Sent(method={self.method!r}, url={self.url!r})"


def answer(
    status: int, json: object = None, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Make a reply: of JSON, or of the given bytes.

    Args:
        status: the HTTP status.
        json: what the body says; None for no body.
        body: the bytes of the body, instead of ``json``.
        headers: further headers; names in lower case.
    """
    if body is None:
        body = b"" if json is None else _json.dumps(json).encode()
    return Reply(status, {"content-type": "application/json", **(headers or {})}, body)


class ScriptedRuntime:
    """Plays a script of answers, records what would have been sent, and never really waits.

    Args:
        script: replies and errors, one for each exchange, in turn.

    Attributes:
        sent: the requests so far.
        waits: the seconds of every wait so far; the clock moves by them.
    """

    def __init__(self, *script: Step) -> None:
        self._script = list(script)
        self._clock = 0.0
        self.sent: list[Sent] = []
        self.waits: list[float] = []

    def add(self, *script: Step) -> None:
        """Add to the end of the script."""
        self._script += script

    @property
    def left(self) -> int:
        """How many answers were not asked for yet."""
        return len(self._script)

    def bridge(
        self, provider: Provider, *, retry: Retry | None = DEFAULT_RETRY, pace: Pace = None
    ) -> SecretBridge:
        """Open a blocking bridge over this runtime."""
        bridge = object.__new__(SecretBridge)
        # No argument takes a runtime.
        bridge._core = connected(provider, self, 30.0, retry, pace)  # pyright: ignore[reportPrivateUsage]
        return bridge

    async def send(self, request: Request, timeout: Timeout) -> Reply:  # noqa: ARG002 - the protocol's
        """Record the request and give the script's next answer."""
        headers = {
            name.decode().lower(): text.decode() for name, text in (*request.headers, *request.credential)
        }
        self.sent.append(Sent(request.method, request.url, headers, request.body))
        if not self._script:
            raise AssertionError(f"the script has no answer to {request!r}")
        step = self._script.pop(0)
        if isinstance(step, SecretBridgeError):
            raise step
        return step

    async def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.waits.append(seconds)
        self._clock += seconds

    async def call(self, function: Callable[[], T]) -> T:
        """Call it here."""
        return function()

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:  # noqa: ARG002 - one after the other keeps to any limit
        """Run one after the other."""
        return [finish(job()) for job in jobs]

    def now(self) -> float:
        """Give the script's clock."""
        return self._clock

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:  # noqa: ARG002 - one at a time keeps to any limit
        """Give an open gate."""
        return nullcontext()

    def renew(self) -> ScriptedRuntime:
        """Give this one."""
        return self

    async def close(self) -> None:
        """Do nothing: nothing is open."""
