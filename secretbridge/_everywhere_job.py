"""One change in many places as a whole: everything checked, then run, then judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge._checks import fields_given
from secretbridge._config import connect, connect_async
from secretbridge._everywhere_before import Change
from secretbridge._everywhere_results import (
    EverywhereResult,
    LeftOut,
    NotApplied,
    Restored,
    Updated,
    state_of,
)
from secretbridge._everywhere_run import run
from secretbridge._everywhere_targets import Face, Places
from secretbridge._runtime import AsyncRuntime, BlockingRuntime
from secretbridge.errors import InvalidRequest, PartialUpdate, SecretBridgeError, Violation

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from secretbridge._everywhere_results import TargetResult
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Fields

__all__ = ["Job", "asynchronous", "blocking"]

_REFUSED: Final = "Refused before anything was sent"
_ON_FAILURE: Final = ("keep", "restore")


def blocking() -> Face:
    """Give the blocking way."""
    from secretbridge._sync import SecretBridge

    other = "give a SecretBridge, or use update_everywhere_async"
    return Face(bridge=SecretBridge, other=other, runtime=BlockingRuntime, connect=connect)


def asynchronous() -> Face:
    """Give the way of event loops."""
    from secretbridge._async import AsyncSecretBridge

    other = "give an AsyncSecretBridge, or use update_everywhere"
    return Face(bridge=AsyncSecretBridge, other=other, runtime=AsyncRuntime, connect=connect_async)


class Job:
    """A change, its targets and its options; used once.

    Args:
        face: how to wait.
        name: the secret's name.
        arguments: the fields, UNSET where they were left out.
        on_failure: ``"keep"`` or ``"restore"``.
        allow_one_way: consent to what a provider cannot take back.
        verify: read back what can be read.
        leave_out_unfit: leave targets out that cannot hold the change.
        config: the configuration file to use in place of all others, or None.
    """

    def __init__(
        self,
        face: Face,
        name: str,
        arguments: Mapping[str, object],
        *,
        on_failure: str,
        allow_one_way: bool,
        verify: bool,
        leave_out_unfit: bool,
        config: str | os.PathLike[str] | None,
    ) -> None:
        self._face = face
        self._name = name
        self._places = Places(face, config)
        self._leave_out_unfit = leave_out_unfit
        self._wrong: list[Violation] = []
        if not isinstance(name, str) or not name:
            self._wrong.append(Violation("name", "is not a name", "give the secret's name"))
        fields = fields_given(arguments, self._wrong)
        if not fields and not self._wrong:
            self._wrong.append(Violation("", "nothing is to be changed", "give at least one field"))
        if on_failure not in _ON_FAILURE:
            self._wrong.append(Violation("on_failure", "is not known", 'give "keep" or "restore"'))
        self._change = Change(
            fields=fields, allow_one_way=allow_one_way, verify=verify, restore=on_failure == "restore"
        )

    async def result(self, targets: object) -> EverywhereResult:
        """Check everything, then make the change in every place.

        Raises:
            InvalidRequest: something is wrong; nothing was sent.
        """
        places, unfit = self._checked(targets)
        fit = [place for place in places if place not in unfit]
        made = await run(self._face.runtime(), fit, self._change)
        results: dict[Place, TargetResult] = dict(zip(fit, made, strict=True))
        for place, error in unfit.items():
            provider = place.core.capabilities.provider
            results[place] = LeftOut(target=place.target, secret=place.secret, provider=provider, error=error)
        return EverywhereResult(results=tuple(results[place] for place in places))

    def _checked(self, targets: object) -> tuple[list[Place], dict[Place, InvalidRequest]]:
        """Give the places, and what keeps some of them from holding the change."""
        places = self._places.of(targets, self._name, self._change.fields.get("new_name"))
        unfit: dict[Place, InvalidRequest] = {}
        if not self._wrong:
            for place in places:
                refused = self._refused(place, self._change.fields)
                if refused is not None:
                    unfit[place] = refused
        wrong = [*self._wrong, *self._places.wrong]
        if unfit and (not self._leave_out_unfit or len(unfit) == len(places)):
            wrong += [one for place, error in unfit.items() for one in _at(place, error)]
        if wrong:
            raise InvalidRequest(_REFUSED, violations=wrong)
        return places, unfit

    def _refused(self, place: Place, fields: Fields) -> InvalidRequest | None:
        try:
            place.core.check_update(
                place.secret, None, fields, if_version=None, allow_one_way=self._change.allow_one_way
            )
        except InvalidRequest as refused:
            return refused.with_traceback(None)
        return None

    def partial(self, result: EverywhereResult) -> PartialUpdate | None:
        """Give the error for a result that is not complete, or None."""
        if result.complete:
            return None
        asked = [one for one in result if not isinstance(one, LeftOut)]
        nowhere = all(isinstance(one, (NotApplied, Restored)) for one in asked)
        failed = [error for one in asked if (error := _error(one)) is not None]
        return PartialUpdate(
            f"{self._name!r} was updated in {len(result.updated)} of {len(asked)} targets; {_told(asked)}.",
            results=result,
            applied=False if nowhere else None,
            transient=bool(failed) and all(error.transient for error in failed),
            advice="The results say more of each target.",
        )

    async def close(self) -> None:
        """Close what was opened for this job."""
        await self._places.close()


def _at(place: Place, error: InvalidRequest) -> list[Violation]:
    """Say where something does not fit."""
    if not error.violations:
        of = place.core.capabilities
        return [Violation(place.target, f"{of.title} has no update", of.why_not.get("update", ""))]
    return [
        Violation(f"{place.target}: {one.field}" if one.field else place.target, one.problem, one.remedy)
        for one in error.violations
    ]


def _error(one: TargetResult) -> SecretBridgeError | None:
    return None if isinstance(one, (Updated, Restored)) else one.error


def _told(results: Sequence[TargetResult]) -> str:
    """Say for each target that was not updated what came of it."""
    told = []
    for one in results:
        error = _error(one)
        why = f" ({type(error).__name__}: {error.message.rstrip('.')})" if error is not None else ""
        stays = getattr(one, "not_restored", "")
        kept = f", not restored ({stays.rstrip('.')})" if stays else ""
        if kept or not isinstance(one, Updated):
            told.append(f"{one.target}: {state_of(one)}{why}{kept}")
    return "; ".join(told)
