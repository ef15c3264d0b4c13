"""Puts a provider, a runtime and a caller's options together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from secretbridge._channel import Channel
from secretbridge._core import Core
from secretbridge._models import Retry, Timeout
from secretbridge._provider import Provider
from secretbridge._unset import Unset
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from secretbridge._runtime import Runtime

__all__ = ["DEFAULT_RETRY", "DEFAULT_TIMEOUT", "Pace", "connected", "reconnected"]

#: ``"provider"``: the provider's known rate; a number: requests a minute; None: no pacing.
Pace = Literal["provider"] | float | None

DEFAULT_TIMEOUT: Final = Timeout()
DEFAULT_RETRY: Final = Retry()
_ONCE: Final = Retry(attempts=1)


def connected(
    provider: object, runtime: Runtime, timeout: float | Timeout | None, retry: Retry | None, pace: Pace
) -> Core:
    """Make the core of a bridge.

    Raises:
        InvalidRequest: the provider or an option is malformed.
    """
    if isinstance(provider, type) or not isinstance(provider, Provider):
        raise InvalidRequest(
            violations=[Violation("provider", "is not a provider", "for example SecretBridge(Local())")]
        )
    return Core(
        provider,
        Channel(
            runtime,
            timeout=Timeout.of(timeout),
            retry=_retry(retry),
            max_in_flight=provider.capabilities.max_in_flight,
            pace=_per_minute(provider, pace),
        ),
    )


def reconnected(
    core: Core, timeout: float | Timeout | Unset | None, retry: Retry | Unset | None, pace: Pace | Unset
) -> Core:
    """Make a core with other options over the same connections."""
    channel = core.channel
    return Core(
        core.provider,
        channel.with_options(
            timeout=channel.timeout if isinstance(timeout, Unset) else Timeout.of(timeout),
            retry=channel.retry if isinstance(retry, Unset) else _retry(retry),
            pace=channel.pace if isinstance(pace, Unset) else _per_minute(core.provider, pace),
        ),
    )


def _retry(retry: object) -> Retry:
    if retry is None:
        return _ONCE
    if not isinstance(retry, Retry):
        raise InvalidRequest(
            violations=[Violation("retry", "is not a Retry", "write it as Retry(attempts=2)")]
        )
    return retry


def _per_minute(provider: Provider, pace: object) -> float | None:
    if pace == "provider":
        return provider.capabilities.requests_per_minute
    if pace is None:
        return None
    if isinstance(pace, (int, float)) and not isinstance(pace, bool) and 0 < pace < float("inf"):
        return float(pace)
    raise InvalidRequest(
        violations=[Violation("pace", "is not a rate", 'give "provider", None or requests a minute')]
    )
