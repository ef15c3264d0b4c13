"""One change in many places, written once: look where it may have to be undone, write, put back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from secretbridge._everywhere_before import look, put_back
from secretbridge._everywhere_results import (
    EverywhereResult,
    NotApplied,
    Restored,
    TargetResult,
    Unknown,
    Updated,
    state_of,
)
from secretbridge.errors import (
    SecretBridgeError,
    Unverified,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from secretbridge._everywhere_before import Before, Change
    from secretbridge._everywhere_results import Guarantee
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Secret
    from secretbridge._runtime import Runtime

__all__ = ["run"]

T = TypeVar("T")

#: Targets that are worked on at the same time.
_AT_ONCE: Final = 16


async def run(runtime: Runtime, places: Sequence[Place], change: Change) -> EverywhereResult:
    """Make a change in all places, side by side.

    Args:
        runtime: waits for all of them; each place has a way to wait of its own for its exchanges.
        places: where; every one has been checked.
        change: what.

    Returns:
        A result for each place; an error of one is in its result, and stops no other.
    """
    results: dict[Place, TargetResult] = {}
    try:
        befores: dict[Place, Before] = {}
        if change.restore:
            await _side_by_side(runtime, places, lambda place: _looked(place, change, befores, results))
        if results:
            for place in places:
                results.setdefault(place, _not_begun(place))
        else:
            await _side_by_side(runtime, places, lambda place: _written(place, change, befores, results))
            if change.restore and not all(isinstance(one, Updated) for one in results.values()):
                again = [place for place in places if not isinstance(results[place], NotApplied)]
                await _side_by_side(runtime, again, lambda place: _put_back(place, change, befores, results))
    except BaseException as ended:
        ended.add_note(_told(places, results))
        raise
    return EverywhereResult(results=tuple(results[place] for place in places))


def _told(places: Sequence[Place], results: Mapping[Place, TargetResult]) -> str:
    """Say how far it came before it was broken off."""
    states = [
        f"{place.target}: {state_of(results[place]) if place in results else 'not known'}" for place in places
    ]
    return f"The change in {len(places)} places was broken off; {', '.join(states)}."


async def _side_by_side(
    runtime: Runtime, places: Sequence[Place], act: Callable[[Place], Coroutine[Any, Any, None]]
) -> None:
    def job(place: Place) -> Callable[[], Coroutine[Any, Any, None]]:
        return lambda: act(place)

    if places:
        await runtime.gather([job(place) for place in places], min(len(places), _AT_ONCE))


async def _guarded(act: Awaitable[T]) -> tuple[T | None, SecretBridgeError | None]:
    """Give what came of it; an error is a value here, and holds no frames, where values might be."""
    failed = ""
    try:
        return await act, None
    except SecretBridgeError as error:
        return None, error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - an adapter from elsewhere; its text may tell all
        failed = type(error).__name__
    return None, SecretBridgeError(f"The provider failed: {failed}.", applied=None)


async def _looked(
    place: Place, change: Change, befores: dict[Place, Before], results: dict[Place, TargetResult]
) -> None:
    """Look at a secret before it is changed; where not even that can be done, nothing is changed anywhere."""
    now = place.core.channel.runtime.now
    started = now()
    before, error = await _guarded(look(place, change))
    if before is not None:
        befores[place] = before
    elif error is not None:
        results[place] = NotApplied(**_about(place), seconds=now() - started, error=_not_made(error))


def _not_made(error: SecretBridgeError) -> SecretBridgeError:
    error.applied = False  # it was about reading
    return error


def _about(place: Place) -> dict[str, Any]:
    return {
        "target": place.target,
        "secret": place.secret,
        "provider": place.core.capabilities.provider,
    }


def _not_begun(place: Place) -> NotApplied:
    error = SecretBridgeError("Not begun: another target could not be read, so nothing was changed anywhere.")
    return NotApplied(**_about(place), error=error)


async def _written(
    place: Place, change: Change, befores: Mapping[Place, Before], results: dict[Place, TargetResult]
) -> None:
    """Make the change in one place."""
    now = place.core.channel.runtime.now
    started = now()
    version = befores[place].version if place in befores else None
    secret, error = await _guarded(
        place.core.update(
            place.secret,
            None,
            change.fields,
            if_version=version,
            allow_one_way=change.allow_one_way,
            verify=change.verify,
        )
    )
    results[place] = replace(
        _result(place, secret, error, atomic=version is not None), seconds=now() - started
    )


def _result(
    place: Place, secret: Secret | None, error: SecretBridgeError | None, *, atomic: bool
) -> TargetResult:
    about = _about(place)
    if error is not None and error.applied is False:
        return NotApplied(**about, error=error)
    if error is not None and error.applied is None:
        return Unknown(**about, error=error)
    if secret is not None and secret.verified is False:
        unlike = Unverified(
            f"{place.core.capabilities.title} accepted the change of {place.secret!r}, but reading it back"
            " shows something else.",
            advice="Somebody else may have changed it at the same moment: look with get_secret().",
        )
        return Unknown(**about, error=unlike)
    verified = None if secret is None else secret.verified
    guarantee: Guarantee = "atomic" if atomic else "checked" if verified else "best-effort"
    version = None if secret is None else secret.version
    return Updated(**about, guarantee=guarantee, verified=verified, version=version, error=error)


async def _put_back(
    place: Place, change: Change, befores: Mapping[Place, Before], results: dict[Place, TargetResult]
) -> None:
    """Put the previous state back, unless somebody else has changed the secret meanwhile."""
    now = place.core.channel.runtime.now
    started = now()
    result, before = results[place], befores[place]
    if not isinstance(result, (Updated, Unknown)):
        return
    told, error = await _guarded(put_back(place, change, before)) if before.fields else (None, None)
    reason = ""
    if error is not None:
        reason = f"{type(error).__name__}: {error.message}"
        if error.applied is None:
            result = Unknown(**_about(place), seconds=result.seconds, error=error)
    guarantee: Guarantee = "best-effort"
    if told is not None:
        reason, guarantee = told
    seconds = result.seconds + now() - started
    not_restored = "; ".join(filter(None, (reason, *before.lacking)))
    if not_restored:
        results[place] = replace(result, seconds=seconds, not_restored=not_restored)
    else:
        results[place] = Restored(**_about(place), seconds=seconds, guarantee=guarantee)
