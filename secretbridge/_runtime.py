"""The two ways to wait: blocking, and on an event loop.

Core and adapters are written once, as ``async def``. Under BlockingRuntime nothing they await ever suspends,
so ``finish`` runs them to the end in one step, without an event loop: in scripts, threads, notebooks and
after fork.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    import httpx  # noqa: TID251 - for type checkers alone

    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Timeout
    from secretbridge._wire import AsyncWire, BlockingWire

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


class BlockingRuntime:
    """Waits by blocking the thread; safe with many threads."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport
        self._wire: BlockingWire | None = None
        self._opening = threading.Lock()

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        wire = self._wire
        if wire is None:
            with self._opening:
                wire = self._wire
                if wire is None:
                    from secretbridge._wire import BlockingWire  # httpx loads here, never for the local vault

                    wire = self._wire = BlockingWire(self._transport)
        return wire.send(request, timeout)

    async def sleep(self, seconds: float) -> None:
        """Block the thread; Ctrl-C ends it."""
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is this runtime's way to wait

    async def call(self, function: Callable[[], T]) -> T:
        """Call it here."""
        return function()

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:
        """Run one coroutine per thread of a bounded pool, each on this same runtime."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=limit, thread_name_prefix="secretbridge") as pool:
            running = [pool.submit(lambda job=job: finish(job())) for job in jobs]  # type: ignore[misc]  # mypy cannot type a default in a lambda
            try:
                return [future.result() for future in running]
            finally:
                for future in running:
                    future.cancel()

    def now(self) -> float:
        """Give the monotonic clock."""
        return time.monotonic()

    def gate(self, limit: int) -> AbstractAsyncContextManager[object]:
        """Give a gate for threads."""
        return _BlockingGate(limit)

    def renew(self) -> BlockingRuntime:
        """Give a new one; the parent's connections are left alone, not closed."""
        return BlockingRuntime(self._transport)

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
    """Waits on the running event loop, asyncio's or trio's; safe with many tasks."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._wire: AsyncWire | None = None
        self._loop: object = None

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        """Make one try of an exchange."""
        from anyio.lowlevel import current_token

        loop = current_token()
        if self._wire is None or self._loop != loop:  # connections belong to one event loop
            from secretbridge._wire import AsyncWire

            self._wire, self._loop = AsyncWire(self._transport), loop
        return await self._wire.send(request, timeout)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run meanwhile."""
        import anyio

        await anyio.sleep(seconds)

    async def call(self, function: Callable[[], T]) -> T:
        """Run it in a worker thread; a cancellation waits for its end, so that its outcome is known."""
        from anyio import to_thread

        return await to_thread.run_sync(function)

    async def gather(self, jobs: Sequence[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
        """Run tasks of one task group."""
        import anyio

        results: list[Any] = [None] * len(jobs)
        gate = anyio.Semaphore(limit)
        failed: list[Exception] = []

        async def run(place: int, job: Callable[[], Awaitable[T]]) -> None:
            async with gate:
                try:
                    results[place] = await job()
                except Exception as error:  # noqa: BLE001 - handed on below, without an exception group
                    failed.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for place, job in enumerate(jobs):
                group.start_soon(run, place, job)
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
        return AsyncRuntime(self._transport)

    async def close(self) -> None:
        """Close all connections."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()
