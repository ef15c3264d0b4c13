"""The two ways to wait: blocking, and on an event loop.

Core and adapters are written once, as ``async def``. Under BlockingRuntime nothing they await ever suspends,
so ``finish`` runs them to the end in one step, without an event loop: in scripts, threads, notebooks and
after fork.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    import httpx  # noqa: TID251 - for type checkers alone

    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Timeout
    from secretbridge._wire import AsyncWire, BlockingWire

# httpx loads with secretbridge._wire, late: the local vault never needs it.

__all__ = ["AsyncRuntime", "BlockingRuntime", "Runtime", "finish"]

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end and give its result.

    Raises:
        RuntimeError: it waited for something other than the blocking runtime.
    """
    try:
        work.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    work.close()
    raise RuntimeError("an adapter waited for something other than its channel; see Provider")


def _inherited_transport() -> InvalidRequest:
    """Give the error for a caller's transport after fork: its connections are the parent's alone."""
    remedy = "open a bridge with a transport of its own in the child process"
    return InvalidRequest(
        violations=[Violation("transport", "was handed in by the parent process, before a fork", remedy)]
    )


class Runtime(Protocol):
    """How to send, sleep, block and do things side by side."""

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange; TransportError or UnexpectedReply where no usable answer came."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def call(self, function: Callable[[], T]) -> T:
        """Run a blocking function where it harms nobody."""
        ...

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:
        """Run jobs side by side, at most ``limit`` at a time; results in order; the first error ends it."""
        ...

    def now(self) -> float:
        """Give the seconds of a clock that never goes back."""
        ...

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate that lets at most ``limit`` through at a time."""
        ...

    def renew(self) -> Runtime:
        """Give a runtime like this one that shares no connection with it, for use after fork."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class _BlockingGate:
    def __init__(self, limit: int) -> None:
        self._semaphore = threading.BoundedSemaphore(limit)

    async def __aenter__(self) -> None:
        self._semaphore.acquire()  # interruptible by Ctrl-C

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()


class _StoppedError(BaseException):
    """Ends a job of ``gather`` that waits when another one has failed; no Exception, as a cancellation."""


#: Seconds after which a Ctrl-C is noticed that came just before a lock was waited for, and did not end that.
_NOTICED: Final = 0.5
#: What ends the waits of a job of ``gather``: set in the threads of its pool, whatever runtime waits there.
_STOP: ContextVar[threading.Event | None] = ContextVar("secretbridge_stop", default=None)


class BlockingRuntime:
    """Waits by blocking the thread; safe with many threads.

    Args:
        transport: what to send through instead of a transport of our own.

    Raises:
        InvalidRequest: it is not a blocking transport.
    """

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._given = transport is not None
        self._inherited = False
        self._opening = threading.Lock()
        self._kept: BlockingWire | None = None
        self._wire: BlockingWire | None = None
        if transport is not None:
            from secretbridge._wire import BlockingWire

            self._kept = BlockingWire(transport)

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        wire = self._wire
        if wire is None:
            wire = self._open()
        return wire.send(request, timeout)

    def _open(self) -> BlockingWire:
        from secretbridge._wire import BlockingWire

        if self._inherited:
            raise _inherited_transport()
        with self._opening:
            if self._wire is None:
                self._wire = self._kept or BlockingWire(None)
            return self._wire

    async def sleep(self, seconds: float) -> None:
        """Block the thread; Ctrl-C ends it, and in a job of ``gather`` the end of the others."""
        stop = _STOP.get()
        if stop is None:
            time.sleep(seconds)  # noqa: ASYNC251 - blocking is this runtime's way to wait
        elif stop.wait(seconds):
            raise _StoppedError

    async def call(self, function: Callable[[], T]) -> T:
        """Call it here."""
        return function()

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:
        """Run one coroutine per thread of a bounded pool, each on this same runtime."""
        from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

        stop = threading.Event()
        failed: list[Exception] = []

        def run(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
            if stop.is_set():  # the pool takes the next job sooner than it can be cancelled
                raise _StoppedError
            _STOP.set(stop)
            try:
                return finish(job())
            except Exception as error:
                failed.append(error)
                stop.set()
                raise

        with ThreadPoolExecutor(max_workers=limit, thread_name_prefix="secretbridge") as pool:
            running = [pool.submit(run, job) for job in jobs]
            try:
                while not stop.is_set() and wait(running, _NOTICED, FIRST_EXCEPTION).not_done:
                    pass
            finally:  # after a failure or Ctrl-C nothing new begins, and what waits ends
                stop.set()
                for future in running:
                    future.cancel()
        if failed:
            raise failed[0]
        return [future.result() for future in running]

    def now(self) -> float:
        """Give the monotonic clock."""
        return time.monotonic()

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate for threads."""
        return _BlockingGate(limit)

    def renew(self) -> BlockingRuntime:
        """Give a new one; the parent's connections are left alone, not closed."""
        other = BlockingRuntime()
        other._inherited = self._given or self._inherited
        return other

    async def close(self) -> None:
        """Close all connections."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


class _AsyncGate:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loop: object = None
        self._semaphore: Any = None

    async def __aenter__(self) -> None:
        import anyio
        from anyio.lowlevel import current_token

        if self._loop != (loop := current_token()):  # a semaphore belongs to one event loop
            self._loop, self._semaphore = loop, anyio.Semaphore(self._limit)
        await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()


class AsyncRuntime:
    """Waits on the running event loop, asyncio's or trio's; safe with many tasks.

    It serves one event loop at a time: in another one it opens connections anew.

    Args:
        transport: what to send through instead of transports of our own.

    Raises:
        InvalidRequest: it is not an asynchronous transport.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._inherited = False
        self._wire: AsyncWire | None = None
        self._loop: object = None
        if transport is not None:
            from secretbridge._wire import AsyncWire

            AsyncWire(transport)  # a wrong kind is refused here and now

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        from anyio.lowlevel import current_token

        loop = current_token()
        if self._wire is None or self._loop != loop:  # connections belong to one event loop
            from secretbridge._wire import AsyncWire

            if self._inherited:
                raise _inherited_transport()
            self._wire, self._loop = AsyncWire(self._transport), loop
        return await self._wire.send(request, timeout)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run meanwhile."""
        import anyio

        await anyio.sleep(seconds)

    async def call(self, function: Callable[[], T]) -> T:
        """Run it in a worker thread.

        It is never broken off. A cancellation of trio's or anyio's waits for its end; after asyncio's own
        ``Task.cancel()`` it goes on to its end unattended.
        """
        from anyio import to_thread

        return await to_thread.run_sync(function)

    async def gather(self, jobs: Sequence[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
        """Run tasks of one task group; each takes the next job when it has done one."""
        import anyio

        results: list[Any] = [None] * len(jobs)
        waiting = iter(enumerate(jobs))
        failed: list[Exception] = []

        async def work() -> None:
            for place, job in waiting:
                try:
                    results[place] = await job()
                except Exception as error:  # noqa: BLE001 - handed on below, without an exception group
                    failed.append(error)
                    group.cancel_scope.cancel()
                    return

        async with anyio.create_task_group() as group:
            for _ in range(min(limit, len(jobs))):
                group.start_soon(work)
        if failed:
            raise failed[0]
        return results

    def now(self) -> float:
        """Give the monotonic clock."""
        return time.monotonic()

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate for tasks."""
        return _AsyncGate(limit)

    def renew(self) -> AsyncRuntime:
        """Give a new one; the parent's connections are left alone, not closed."""
        other = AsyncRuntime()
        other._inherited = self._transport is not None or self._inherited
        return other

    async def close(self) -> None:
        """Close all connections; those of an event loop that has ended went with it."""
        from anyio.lowlevel import current_token

        wire, self._wire = self._wire, None
        if wire is not None and self._loop == current_token():
            await wire.close()
