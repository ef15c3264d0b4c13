"""The one retry loop, on tenacity; loaded when an exchange has failed for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_random_exponential

from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from secretbridge._exchange import Reply
    from secretbridge._models import Retry
    from secretbridge._runtime import Runtime

__all__ = ["repeat"]

_EARLIER: Final = (
    "An earlier try got no certain answer and may have made the change: look before you repeat it."
)


async def repeat(
    attempt: Callable[[int], Awaitable[Reply | SecretBridgeError]],
    *,
    first: SecretBridgeError,
    started: float,
    policy: Retry,
    runtime: Runtime,
    may_repeat: Callable[[SecretBridgeError], bool],
    on_wait: Callable[[SecretBridgeError, int, float], None],
) -> Reply | SecretBridgeError:
    """Go on after a first failure until it works, may not be repeated, or the policy ends.

    Outcomes are values here, not exceptions: nothing is chained, and tenacity sees no request.
    """
    tries = 0
    uncertain = False

    async def next_outcome() -> Reply | SecretBridgeError:
        nonlocal tries, uncertain
        tries += 1
        outcome = first if tries == 1 else await attempt(tries)
        if isinstance(outcome, SecretBridgeError):
            uncertain = uncertain or outcome.applied is None
        return outcome

    def again(outcome: Reply | SecretBridgeError) -> bool:
        return isinstance(outcome, SecretBridgeError) and may_repeat(outcome)

    jitter = wait_random_exponential(multiplier=policy.first_wait, max=policy.max_wait)

    def wait(state: RetryCallState) -> float:
        asked = _failure(state).retry_after
        return jitter(state) if asked is None else asked

    def stop(state: RetryCallState) -> bool:
        return (
            tries >= policy.attempts
            or (_failure(state).retry_after or 0.0) > policy.max_retry_after
            or runtime.now() - started + state.upcoming_sleep > policy.total
        )

    loop = AsyncRetrying(
        sleep=runtime.sleep,
        retry=retry_if_result(again),
        wait=wait,
        stop=stop,
        before_sleep=lambda state: on_wait(_failure(state), tries, state.upcoming_sleep),
        retry_error_callback=_failure,
    )
    last: Reply | SecretBridgeError = await loop(next_outcome)
    if uncertain and isinstance(last, SecretBridgeError) and last.applied is False:
        last.applied = None  # an earlier try may have made the change: a later refusal does not unsay that
        last.advice = f"{last.advice} {_EARLIER}".lstrip()
    return last


def _failure(state: RetryCallState) -> SecretBridgeError:
    """Give the error of the try that has just ended."""
    outcome = None if state.outcome is None else state.outcome.result()
    if isinstance(outcome, SecretBridgeError):
        return outcome
    raise TypeError("only a failure is asked about")  # pragma: no cover - tenacity asks after failures only
