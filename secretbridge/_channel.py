"""What an adapter speaks through: paced, bounded, repeated and logged exchanges, and blocking calls."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from secretbridge._names import NameCache
from secretbridge._pace import Pacer
from secretbridge._runtime import BlockingRuntime
from secretbridge.errors import ProviderError, RateLimited, SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager
    from logging import Logger

    from secretbridge._exchange import Judge, Reply, Request
    from secretbridge._models import Retry, Timeout
    from secretbridge._runtime import Runtime

__all__ = ["Channel", "Closeable", "Watch"]

T = TypeVar("T")
R = TypeVar("R", bound="Closeable")

_DEBUG: Final = 10  # logging.DEBUG
#: A refusal that is sometimes false (Request.doubtful_codes) is believed at the third time.
_DOUBTS: Final = 2


class Closeable(Protocol):
    """Something that is opened once per bridge and closed with it; after a fork it looks after itself."""

    def close(self) -> None:
        """Let go of it; blocks."""
        ...


class Watch(Protocol):
    """Something that is told what a channel waits for, in the thread or task that waits."""

    def waits(self, seconds: float) -> None:
        """Note that a request is held back for so long, to keep the pace."""
        ...

    def repeats(self, error: SecretBridgeError, tries: int, seconds: float) -> None:
        """Note that a try failed and that the next one is made after so long."""
        ...


class _State:
    """What one process shares between threads or tasks: connections, pace, gate and names."""

    def __init__(self, runtime: Runtime, max_in_flight: int | None) -> None:
        self.runtime = runtime
        self.gate: AbstractAsyncContextManager[object] | None = (
            runtime.gate(max_in_flight) if max_in_flight else None
        )
        self.names = NameCache(runtime.now)
        self.opening = threading.Lock()
        self.worked = False
        self._pacers: dict[float, Pacer] = {}

    def pacer(self, pace: float | None) -> Pacer | None:
        """Give the pacer of a rate: copies of a channel with the same rate share it."""
        if pace is None:
            return None
        return self._pacers.get(pace) or self._pacers.setdefault(pace, Pacer(pace, self.runtime.now))


class Channel:
    """The way from an adapter to its provider; one for each bridge, shared by its ``with_options`` copies.

    Args:
        runtime: how to wait.
        timeout: of each step of an exchange.
        retry: when to repeat an exchange.
        max_in_flight: most exchanges at a time, or None.
        pace: requests a minute, or None for no pacing.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        timeout: Timeout,
        retry: Retry,
        max_in_flight: int | None = None,
        pace: float | None = None,
    ) -> None:
        self.timeout = timeout
        self.retry = retry
        self.pace = pace
        self.watch: Watch | None = None
        self.even = False
        self._max_in_flight = max_in_flight
        self._first = runtime
        self.blocks = isinstance(runtime, BlockingRuntime)
        # By process: a child gets its own, and there its parent's is kept for as long as it lives, untouched.
        self._states = {os.getpid(): _State(runtime, max_in_flight)}
        self._resources: dict[object, Closeable] = {}

    def with_options(self, *, timeout: Timeout, retry: Retry, pace: float | None) -> Channel:
        """Give a channel with other options over the same connections."""
        other = Channel.__new__(Channel)
        other.__dict__.update(self.__dict__)
        other.timeout, other.retry, other.pace = timeout, retry, pace
        return other

    def evenly(self) -> Channel:
        """Give a channel over the same connections that sends no bursts: for work of many requests.

        A store may count its rate by the second; then a burst at the beginning is answered with 429, and the
        pace that this slows down comes back only little by little.
        """
        other = self.with_options(timeout=self.timeout, retry=self.retry, pace=self.pace)
        other.even = True
        return other

    def watched(self, watch: Watch) -> Channel:
        """Give a channel over the same connections that tells what it waits for."""
        other = self.with_options(timeout=self.timeout, retry=self.retry, pace=self.pace)
        other.watch = watch
        return other

    @property
    def runtime(self) -> Runtime:
        """How this channel waits."""
        return self._here().runtime

    @property
    def names(self) -> NameCache:
        """What names and ids the last listing told."""
        return self._here().names

    def _here(self) -> _State:
        """Give this process's state; after a fork a new one, so that nothing is shared with the parent."""
        process = os.getpid()
        state = self._states.get(process)
        if state is None:
            state = self._states.setdefault(process, _State(self._first.renew(), self._max_in_flight))
        return state

    def call(self, function: Callable[[], T]) -> Coroutine[Any, Any, T]:
        """Run a blocking function where it harms nobody."""
        return self._here().runtime.call(function)

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> list[T]:
        """Run jobs side by side, at most ``limit`` at a time; results in order; the first error ends it."""
        return await self._here().runtime.gather(jobs, limit)

    def opened(self, key: object, opener: Callable[[], R]) -> R:
        """Give what ``opener`` opened for this key, opening it at the first call; may block."""
        resource = self._resources.get(key)
        if resource is None:
            with self._here().opening:
                resource = self._resources.get(key)
                if resource is None:
                    resource = self._resources[key] = opener()
        return resource  # type: ignore[return-value]  # one key, one opener

    async def close(self) -> None:
        """Close connections and whatever was opened; what follows would open anew."""
        state = self._here()
        await state.runtime.close()
        for key, resource in list(self._resources.items()):
            await state.runtime.call(resource.close)
            self._resources.pop(key, None)  # not before: what a cancellation left open can be closed again

    async def exchange(self, request: Request, judge: Judge) -> Reply:
        """Send a request until there is an answer to rely on.

        Args:
            request: what to send.
            judge: says what is wrong with a reply, or None.

        Raises:
            SecretBridgeError: what ``judge`` said or why there was no reply; ``applied`` speaks of all tries.
        """
        state = self._here()
        started = state.runtime.now()
        outcome = await self._attempt(state, request, judge, 1)
        if not isinstance(outcome, SecretBridgeError):
            return outcome
        if self.retry.attempts > 1 and _may_repeat(state, request, outcome):
            from secretbridge._retry import repeat  # tenacity loads at the first failure, if ever

            outcome = await repeat(
                lambda number: self._attempt(state, request, judge, number),
                first=outcome,
                started=started,
                policy=self.retry,
                runtime=state.runtime,
                may_repeat=lambda error: _may_repeat(state, request, error),
                on_wait=lambda error, tries, seconds: self._repeats(request, error, tries, seconds),
            )
            if not isinstance(outcome, SecretBridgeError):
                return outcome
        raise outcome

    def _repeats(self, request: Request, error: SecretBridgeError, tries: int, seconds: float) -> None:
        _logger().info(
            "%s of %s: %s at try %d, next in %.2f s",
            request.operation,
            request.secret,
            _sort_of(error),
            tries,
            seconds,
        )
        if self.watch is not None:
            self.watch.repeats(error, tries, seconds)

    async def _attempt(
        self, state: _State, request: Request, judge: Judge, number: int
    ) -> Reply | SecretBridgeError:
        """Make one try, when gate and pace allow; an error is an outcome here."""
        if state.gate is None:
            return await self._paced(state, request, judge, number)
        async with state.gate:
            return await self._paced(state, request, judge, number)

    async def _paced(
        self, state: _State, request: Request, judge: Judge, number: int
    ) -> Reply | SecretBridgeError:
        pacer = state.pacer(self.pace)
        if pacer is not None and (wait := pacer.reserve(evenly=self.even)) > 0:
            if self.watch is not None:
                self.watch.waits(wait)
            await state.runtime.sleep(wait)
        outcome: Reply | SecretBridgeError
        try:
            auth = request.auth
            request.credential = auth.headers() if auth.fixed else await state.runtime.call(auth.headers)
            reply = await state.runtime.send(request, self.timeout)
        except SecretBridgeError as error:
            outcome = error
        else:
            outcome = judge(reply) or reply
        if isinstance(outcome, SecretBridgeError):
            if request.reads:
                outcome.applied = False
            if isinstance(outcome, ProviderError) and outcome.code in request.doubtful_codes:
                request.doubts += 1
            if pacer is not None and isinstance(outcome, RateLimited):
                asked = outcome.retry_after
                # One answer that asks for a day must not hold up every later call for a day: slow down only.
                too_long = asked is not None and asked > self.retry.max_retry_after
                pacer.limited(None if too_long else asked)
        else:
            state.worked = True
            if pacer is not None:
                pacer.went_well()
        _log(request, outcome, number)
        return outcome


def _log(request: Request, outcome: Reply | SecretBridgeError, number: int) -> None:
    logger = _logger()
    if logger.isEnabledFor(_DEBUG):
        logger.debug("%s of %s: %s at try %d", request.operation, request.secret, _sort_of(outcome), number)


def _logger() -> Logger:
    import logging  # late: a vault, which sends nothing, opens sooner without it

    return logging.getLogger("secretbridge")


def _sort_of(outcome: Reply | SecretBridgeError) -> str:
    """Say in a word how a try ended: the status, or the error's class where there is none."""
    status = getattr(outcome, "status", None)
    return type(outcome).__name__ if status is None else str(status)


def _may_repeat(state: _State, request: Request, error: SecretBridgeError) -> bool:
    """Say whether the exchange may be tried again after this error."""
    if isinstance(error, ProviderError):
        if error.code in request.doubtful_codes:
            return state.worked and request.doubts <= _DOUBTS
        if error.status in request.repeat_statuses:
            return error.transient
    return error.transient and (error.applied is False or request.idempotent)
