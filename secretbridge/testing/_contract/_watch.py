"""Runtimes that tell what an adapter waits for, and never really wait themselves.

A wait counts as the runtime's while one of its methods is under way in the same task. Everything else that
suspends the coroutine, sleeps or blocks is the adapter's own doing, and is written down.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import pytest

from secretbridge._runtime import AsyncRuntime, BlockingRuntime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Timeout

__all__ = ["AsyncWatched", "BlockingWatched", "Stepped", "Watch", "listening"]

T = TypeVar("T")

#: Whether this task is within a method of its runtime.
_INSIDE: ContextVar[bool] = ContextVar("secretbridge_contract_inside", default=False)
#: Where blocking calls of this task are written down.
_LISTENER: ContextVar[list[str] | None] = ContextVar("secretbridge_contract_listener", default=None)

_BLOCKING: Final = frozenset(
    {"open", "os.system", "socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"}
)
#: Python opens these itself, when something is imported late.
_CODE: Final = (".py", ".pyc", ".so", ".pyd")


class Watch:
    """What one bridge waited for.

    Attributes:
        steps: how many waits of the runtime began.
        waits: the seconds of every pause; none was really made.
        foreign: how often something else was waited for.
        blocked: what was called in the event loop's thread and blocks it.
        stop: the step at which to hang, and whether before or after its work; None for none.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.waits: list[float] = []
        self.foreign = 0
        self.blocked: list[str] = []
        self.stop: tuple[int, Literal["before", "after"]] | None = None
        self.reached: Callable[[], None] = lambda: None
        self.clock = 0.0

    async def step(self, work: Callable[[], Awaitable[T]], hang: Callable[[], Awaitable[None]]) -> T:
        """Do one wait of the runtime."""
        self.steps += 1
        number = self.steps
        token = _INSIDE.set(True)
        try:
            if self.stop == (number, "before"):
                await hang()
            result = await work()
            if self.stop == (number, "after"):
                await hang()
            return result
        finally:
            _INSIDE.reset(token)

    def pause(self, seconds: float) -> None:
        """Note a pause; the clock moves by it."""
        self.waits.append(seconds)
        self.clock += seconds


class _Gate:
    """The runtime's gate; passing it is a wait as others are."""

    def __init__(
        self, gate: AbstractAsyncContextManager[object], runtime: BlockingWatched | AsyncWatched
    ) -> None:
        self._gate = gate
        self._runtime = runtime

    async def __aenter__(self) -> object:
        token = _INSIDE.set(True)
        try:
            return await self._gate.__aenter__()
        finally:
            _INSIDE.reset(token)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._gate.__aexit__(kind, error, trace)


class BlockingWatched(BlockingRuntime):
    """The blocking runtime, watched. To hang is to be interrupted by Ctrl-C there."""

    def __init__(self, transport: Any, watch: Watch) -> None:
        super().__init__(transport)
        self.watch = watch

    async def _hang(self) -> None:
        self.watch.reached()
        raise KeyboardInterrupt

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        send = super().send
        return await self.watch.step(lambda: send(request, timeout), self._hang)

    async def call(self, function: Callable[[], T]) -> T:
        """Call it here."""
        call = super().call
        return await self.watch.step(lambda: call(function), self._hang)

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:
        """Run jobs side by side."""
        gather = super().gather
        return await self.watch.step(lambda: gather(jobs, limit), self._hang)

    async def sleep(self, seconds: float) -> None:
        """Note the pause."""
        self.watch.pause(seconds)

    def now(self) -> float:
        """Give the clock that pauses move."""
        return self.watch.clock

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate for threads."""
        return _Gate(super().gate(limit), self)


class AsyncWatched(AsyncRuntime):
    """The awaited runtime, watched. To hang is to wait for ever there."""

    def __init__(self, transport: Any, watch: Watch) -> None:
        super().__init__(transport)
        self.watch = watch

    async def _hang(self) -> None:
        import anyio

        self.watch.reached()
        await anyio.sleep_forever()

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        send = super().send
        return await self.watch.step(lambda: send(request, timeout), self._hang)

    async def call(self, function: Callable[[], T]) -> T:
        """Run it in a worker thread."""
        call = super().call
        return await self.watch.step(lambda: call(function), self._hang)

    async def gather(self, jobs: Sequence[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
        """Run jobs side by side."""
        gather = super().gather
        return await self.watch.step(lambda: gather(jobs, limit), self._hang)

    async def sleep(self, seconds: float) -> None:
        """Note the pause, and let others run."""
        from anyio.lowlevel import checkpoint

        self.watch.pause(seconds)
        await self.watch.step(checkpoint, self._hang)

    def now(self) -> float:
        """Give the clock that pauses move."""
        return self.watch.clock

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate for tasks."""
        return _Gate(super().gate(limit), self)


class Stepped:
    """A coroutine whose every suspension is looked at: is it the runtime that waits?"""

    def __init__(self, work: Coroutine[Any, Any, Any], watch: Watch) -> None:
        self._work = work
        self._watch = watch

    def __await__(self) -> Generator[Any, Any, Any]:
        """Pass everything on, in both directions."""
        work = self._work
        try:
            asked = work.send(None)
            while True:
                if not _INSIDE.get():
                    self._watch.foreign += 1
                try:
                    sent = yield asked
                except BaseException as error:  # noqa: BLE001 - a cancellation is handed on
                    asked = work.throw(error)
                else:
                    asked = work.send(sent)
        except StopIteration as stop:
            return stop.value
        finally:
            work.close()


@contextmanager
def listening(into: list[str]) -> Generator[None]:
    """Write down the blocking calls of this task."""
    _add_hook()
    token = _LISTENER.set(into)
    really_sleep = time.sleep

    def sleep(seconds: float) -> None:
        heard = _LISTENER.get()
        if heard is None or _INSIDE.get():
            really_sleep(seconds)
        else:
            heard.append(f"time.sleep({seconds})")

    try:
        with pytest.MonkeyPatch.context() as patch:  # Python tells hooks of it from 3.13 on only
            patch.setattr(time, "sleep", sleep)
            yield
    finally:
        _LISTENER.reset(token)


@cache  # an audit hook cannot be taken away again: one is enough
def _add_hook() -> None:
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:  # pragma: no cover - audit hooks run untraced
    if event not in _BLOCKING:
        return
    into = _LISTENER.get()
    if into is None or _INSIDE.get():
        return
    what = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    if event != "open" or not str(what).endswith(_CODE):
        into.append(f"{event}({what!r})" if event == "open" else event)
