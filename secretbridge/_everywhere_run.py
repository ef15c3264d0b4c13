"""One change in many places, written once: look where it may have to be undone, write, put back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from secretbridge._everywhere_before import Before, Sight, look, put_back, sight
from secretbridge._everywhere_results import (
    EverywhereResult,
    NotApplied,
    Restored,
    TargetResult,
    Unknown,
    Updated,
    WouldUpdate,
    state_of,
)
from secretbridge._rehearsal import rehearsing
from secretbridge.errors import Conflict, SecretBridgeError, Unverified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence

    from secretbridge._everywhere_before import Change
    from secretbridge._everywhere_ledger import Ledger
    from secretbridge._everywhere_results import Guarantee
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Secret
    from secretbridge._runtime import Runtime

__all__ = ["SETTLE", "Run"]

T = TypeVar("T")

#: Targets that are worked on at the same time.
_AT_ONCE: Final = 16
_ON_ITS_WAY: Final = frozenset({"intended", "unknown"})
#: Seconds in which a request that was on its way when its sender was killed has arrived.
SETTLE: Final = 2.0


class Run:
    """A change in some places, side by side.

    Args:
        runtime: waits for all of them; each place has a way to wait of its own for its exchanges.
        places: where; every one has been checked.
        change: what.
        ledger: writes down how far it came, or None.
    """

    def __init__(
        self, runtime: Runtime, places: Sequence[Place], change: Change, ledger: Ledger | None = None
    ) -> None:
        self._runtime = runtime
        self._places = places
        self._change = change
        self._ledger = ledger
        self._befores: dict[Place, Before] = {}
        self._results: dict[Place, TargetResult] = {}

    async def first(self) -> EverywhereResult:
        """Make the change; an error of one place is in its result, and stops no other."""
        with self._broken_off():
            await self._begun(self._places)
            return await self._ended()

    async def rehearsed(self) -> EverywhereResult:
        """Look in every place whether something is in the way of the change; send none."""
        await self._side_by_side(self._places, self._tried)
        return EverywhereResult(results=tuple(self._results[place] for place in self._places))

    async def _tried(self, place: Place) -> None:
        now = place.core.channel.runtime.now
        started = now()
        change = self._change
        trying = rehearsing(place.core).update(
            place.secret,
            None,
            change.fields,
            if_version=None,
            allow_one_way=change.allow_one_way,
            verify=False,
        )
        _, error = await _guarded(trying)
        about: dict[str, Any] = {**_about(place), "seconds": now() - started}
        if error is None:
            self._results[place] = WouldUpdate(**about)
        else:
            error.applied = False  # it was about reading
            self._results[place] = NotApplied(**about, error=error)

    async def again(self) -> EverywhereResult:
        """Go on with a run that was broken off or not complete: look first, then write what is not there."""
        ledger = self._ledger
        assert ledger is not None  # noqa: S101 - only what is written down can be gone on with
        with self._broken_off():
            states = {place: ledger.state(place) for place in self._places}
            for place in self._places:
                before = await ledger.before(place)
                if before is not None and states[place] is not None:
                    self._befores[place] = before
                    settled = ledger.result(place)
                    if settled is not None:
                        self._results[place] = settled
            open_ = [place for place in self._befores if place not in self._results]
            await self._settle_delay(
                [state["at"] for place in open_ if (state := states[place]) and state["state"] in _ON_ITS_WAY]
            )
            await self._side_by_side(open_, self._settled)
            await self._begun([place for place in self._places if place not in self._befores])
            return await self._ended()

    async def _begun(self, places: Sequence[Place]) -> None:
        if self._change.restore or self._ledger is not None:
            await self._side_by_side(places, self._looked)
        if any(place in self._results for place in places):
            for place in places:
                self._results.setdefault(place, _not_begun(place))
            return
        if self._ledger is not None and places:
            await self._ledger.intended({place: self._befores[place] for place in places})
        await self._side_by_side(places, self._written)

    async def _ended(self) -> EverywhereResult:
        results = self._results
        if self._change.restore and not all(isinstance(one, Updated) for one in results.values()):
            await self._side_by_side(list(self._befores), self._put_back)
        whole = EverywhereResult(
            results=tuple(results[place] for place in self._places),
            run_id=None if self._ledger is None else self._ledger.run_id,
        )
        if self._ledger is not None:
            await self._ledger.end(complete=whole.complete)
        return whole

    async def _settle_delay(self, since: Sequence[float]) -> None:
        """Wait until what was on its way when the run was broken off has arrived."""
        if since:
            await self._runtime.sleep(max(0.0, min(SETTLE, max(since) + SETTLE - time.time())))

    @contextmanager
    def _broken_off(self) -> Generator[None]:
        try:
            yield
        except BaseException as ended:
            ended.add_note(_told(self._places, self._results))
            if self._ledger is not None:
                ended.add_note(f"resume_everywhere({self._ledger.run_id!r}) goes on with it.")
            raise

    async def _side_by_side(
        self, places: Sequence[Place], act: Callable[[Place], Coroutine[Any, Any, None]]
    ) -> None:
        def job(place: Place) -> Callable[[], Coroutine[Any, Any, None]]:
            return lambda: act(place)

        if places:
            await self._runtime.gather([job(place) for place in places], min(len(places), _AT_ONCE))

    async def _looked(self, place: Place) -> None:
        """Look at a secret before it is changed."""
        now = place.core.channel.runtime.now
        started = now()
        before, error = await _guarded(look(place, self._change))
        if before is not None:
            self._befores[place] = before
        elif error is not None and self._change.restore:  # then nothing is changed anywhere
            error.applied = False  # it was about reading
            self._results[place] = NotApplied(**_about(place), seconds=now() - started, error=error)
        elif error is not None:  # pragma: no branch - one of the two is given; for the type checker
            self._befores[place] = Before(lacking=(f"it could not be looked at ({type(error).__name__})",))

    async def _written(self, place: Place) -> None:
        """Make the change in one place."""
        before = self._befores.get(place)
        version = None if before is None else before.version
        sight = Sight(made=False, foreign=False, name=place.secret, version=version)
        await self._write(place, sight, "")

    async def _settled(self, place: Place) -> None:
        """Look what came of a change that was intended, and make it where it was not made."""
        seen, error = await _guarded(sight(place, self._change, self._befores[place]))
        if error is not None:
            self._results[place] = Unknown(**_about(place), error=error)
        elif seen is None or not (seen.made or seen.foreign):
            at = seen or Sight(None, foreign=False, name=place.secret, version=None)
            return await self._write(place, at, "resent" if at.made is None else "")
        elif seen.made:
            self._results[place] = Updated(
                **_about(place), guarantee="checked", verified=True, version=seen.version, settled="seen"
            )
        else:
            conflict = Conflict(
                f"Somebody else has changed {place.secret!r} since the run began.",
                provider=place.core.capabilities.provider,
                operation="update",
                advice="Look at it, and make the change anew if it is still wanted.",
            )
            self._results[place] = NotApplied(**_about(place), error=conflict)
        return await self._noted(place)

    async def _write(self, place: Place, at: Sight, settled: Literal["", "resent"]) -> None:
        now = place.core.channel.runtime.now
        started = now()
        fields: dict[str, object] = dict(self._change.fields)
        if at.name == fields.get("new_name"):
            del fields["new_name"]  # it bears the name already
        secret, error = await _guarded(
            place.core.update(
                at.name,
                None,
                fields,
                if_version=at.version,
                allow_one_way=self._change.allow_one_way,
                verify=self._change.verify,
            )
        )
        result = _result(place, secret, error, atomic=at.version is not None)
        if settled and isinstance(result, Updated):
            result = replace(result, settled=settled)
        self._results[place] = replace(result, seconds=now() - started)
        await self._noted(place)

    async def _noted(self, place: Place) -> None:
        if self._ledger is not None:
            await self._ledger.outcome(place, self._results[place])

    async def _put_back(self, place: Place) -> None:
        """Put the previous state back, unless somebody else has changed the secret meanwhile."""
        now = place.core.channel.runtime.now
        started = now()
        result, before = self._results[place], self._befores[place]
        if not isinstance(result, (Updated, Unknown)):
            return
        told, error = await _guarded(put_back(place, self._change, before)) if before.fields else (None, None)
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
            self._results[place] = replace(result, seconds=seconds, not_restored=not_restored)
        else:
            self._results[place] = Restored(**_about(place), seconds=seconds, guarantee=guarantee)
        await self._noted(place)


def _told(places: Sequence[Place], results: Mapping[Place, TargetResult]) -> str:
    """Say how far it came before it was broken off."""
    states = [
        f"{place.target}: {state_of(results[place]) if place in results else 'not known'}" for place in places
    ]
    return f"The change in {len(places)} places was broken off; {', '.join(states)}."


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


def _about(place: Place) -> dict[str, Any]:
    return {
        "target": place.target,
        "secret": place.secret,
        "provider": place.core.capabilities.provider,
    }


def _not_begun(place: Place) -> NotApplied:
    error = SecretBridgeError("Not begun: another target could not be read, so nothing was changed anywhere.")
    return NotApplied(**_about(place), error=error)


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
