"""One change in many places as a whole: everything checked, then run, then judged."""

from __future__ import annotations

import secrets
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
    WouldUpdate,
    state_of,
)
from secretbridge._everywhere_run import Run
from secretbridge._everywhere_targets import Face, Places
from secretbridge._runtime import AsyncRuntime, BlockingRuntime
from secretbridge.errors import InvalidRequest, PartialUpdate, SecretBridgeError, Violation

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from secretbridge._core import Core
    from secretbridge._everywhere_ledger import Ledger
    from secretbridge._everywhere_results import TargetResult
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Fields

__all__ = ["Job", "asynchronous", "blocking", "new_run_id", "partial", "resumed"]

_REFUSED: Final = "Refused before anything was sent"
_ON_FAILURE: Final = ("keep", "restore")


def blocking() -> Face:
    """Give the blocking way."""
    from secretbridge._sync import SecretBridge

    other = "give a SecretBridge, or use update_everywhere_async"
    return Face(bridge=SecretBridge, other=other, runtime=BlockingRuntime, connect=connect, closing=_plainly)


def asynchronous() -> Face:
    """Give the way of event loops."""
    from secretbridge._async import AsyncSecretBridge

    other = "give an AsyncSecretBridge, or use update_everywhere"
    return Face(
        bridge=AsyncSecretBridge, other=other, runtime=AsyncRuntime, connect=connect_async, closing=_shielded
    )


async def _plainly(close: Callable[[], Awaitable[None]]) -> None:
    await close()


async def _shielded(close: Callable[[], Awaitable[None]]) -> None:
    from anyio import CancelScope

    with CancelScope(shield=True):  # a cancelled task must not leave a vault or a socket open
        await close()


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
        dry_run: send nothing.
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
        dry_run: bool = False,
    ) -> None:
        self._face = face
        self._dry_run = dry_run
        self._name = name
        self._places = Places(face, config)
        self._leave_out_unfit = leave_out_unfit
        self._wrong: list[Violation] = []
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            self._wrong.append(Violation("name", "is not a name", "give the secret's name"))
        fields = fields_given(arguments, self._wrong)
        if not fields and not self._wrong:
            self._wrong.append(Violation("", "nothing is to be changed", "give at least one field"))
        if on_failure not in _ON_FAILURE:
            self._wrong.append(Violation("on_failure", "is not known", 'give "keep" or "restore"'))
        self._change = Change(
            fields=fields, allow_one_way=allow_one_way, verify=verify, restore=on_failure == "restore"
        )

    async def result(
        self,
        targets: object,
        *,
        vault: object = None,
        journal: str | os.PathLike[str] | None = None,
        run_id: str | None = None,
        part_of: str | None = None,
    ) -> EverywhereResult:
        """Check everything, then make the change in every place.

        Args:
            targets: as the caller gave them.
            vault: what keeps values for a journalled run, or None for one without a journal.
            journal: the folder of journals, or None for the usual one.
            run_id: the run's id, or None for a new one.
            part_of: the rotation that this change is a part of, or None.

        Raises:
            InvalidRequest: something is wrong; nothing was sent.
        """
        keeps = self._places.vault(vault)
        if journal is not None and vault is None:
            self._wrong.append(
                Violation("journal", "is given without vault", "say which vault keeps the values")
            )
        places, unfit = self._checked(targets)
        fit = [place for place in places if place not in unfit]
        ledger: Ledger | None = None
        if keeps is not None and not self._dry_run:
            about = {"vault": vault if isinstance(vault, str) else None, "part_of": part_of}
            ledger = await self._ledger(keeps, _folder(journal), run_id, fit, about)
        try:
            run = Run(self._face.runtime(), fit, self._change, ledger)
            made = await (run.rehearsed() if self._dry_run else run.first())
        finally:
            if ledger is not None:
                ledger.close()
        results: dict[Place, TargetResult] = dict(zip(fit, made, strict=True))
        for place, error in unfit.items():
            provider = place.core.capabilities.provider
            results[place] = LeftOut(target=place.target, secret=place.secret, provider=provider, error=error)
        return EverywhereResult(results=tuple(results[place] for place in places), run_id=made.run_id)

    async def _ledger(
        self, vault: Core, folder: Path, run_id: str | None, places: list[Place], about: Mapping[str, object]
    ) -> Ledger:
        from secretbridge._everywhere_ledger import Ledger

        change = self._change
        begin = {
            **about,
            "name": self._name,
            "allow_one_way": change.allow_one_way,
            "verify": change.verify,
            "restore": change.restore,
        }
        return await Ledger.begin(
            run_id or new_run_id(), vault, folder, places=places, begin=begin, fields=change.fields
        )

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

    async def close(self) -> None:
        """Close what was opened for this job."""
        await self._face.closing(self._places.close)


def partial(name: str, result: EverywhereResult) -> PartialUpdate | None:
    """Give the error for a result that is not complete, or None."""
    if result.complete or all(isinstance(one, (WouldUpdate, LeftOut)) for one in result):
        return None
    asked = [one for one in result if not isinstance(one, LeftOut)]
    nowhere = all(isinstance(one, (NotApplied, Restored)) for one in asked)
    failed = [error for one in asked if (error := _error(one)) is not None]
    return PartialUpdate(
        f"{name!r} was updated in {len(result.updated)} of {len(asked)} targets; {_told(asked)}.",
        results=result,
        applied=False if nowhere else None,
        transient=bool(failed) and all(error.transient for error in failed),
        advice=f"resume_everywhere({result.run_id!r}) goes on with it."
        if result.run_id
        else "The results say more of each target.",
    )


def new_run_id() -> str:
    """Give an id that no other run has."""
    return f"change-{secrets.token_hex(8)}"


async def resumed(
    face: Face,
    run_id: str,
    *,
    vault: object,
    targets: object,
    journal: str | os.PathLike[str] | None,
    config: str | os.PathLike[str] | None,
) -> tuple[str, EverywhereResult]:
    """Go on with a run that was broken off or is not complete; gives the secret's name and the results.

    Raises:
        InvalidRequest: a target or the vault is not as it must be.
        JournalMismatch: there is no such run, or the targets are not its own.
    """
    from secretbridge._everywhere_ledger import Ledger

    places = Places(face, config)
    ledger: Ledger | None = None
    try:
        keeps = places.vault_of_run(vault)
        ledger = await Ledger.open(run_id, keeps, _folder(journal))
        name = str(ledger.begun["name"])
        if ledger.complete:
            await ledger.drop()  # it may have been broken off right before
            done = [ledger.updated(number) for number in range(len(ledger.steps))]
            return name, EverywhereResult(
                results=tuple(one for one in done if one is not None), run_id=run_id
            )
        fields = await ledger.fields()
        found = places.of(targets if targets is not None else _named(ledger), name, fields.get("new_name"))
        if places.wrong:
            raise InvalidRequest(violations=places.wrong)
        change = Change(
            fields=fields,
            allow_one_way=bool(ledger.begun["allow_one_way"]),
            verify=bool(ledger.begun["verify"]),
            restore=bool(ledger.begun["restore"]),
        )
        attached = ledger.attach(found)
        ledger.hold(attached, fields)
        return name, await Run(face.runtime(), attached, change, ledger).again()
    finally:
        if ledger is not None:
            ledger.close()
        await face.closing(places.close)


def _named(ledger: Ledger) -> list[tuple[str, str]]:
    """Give the targets of a run by their connections' names.

    Raises:
        InvalidRequest: some were given as bridges or providers.
    """
    if not all(one["connection"] for one in ledger.steps):
        problem = "are needed: not all targets of the run were named connections"
        raise InvalidRequest(
            violations=[Violation("targets", problem, "give the same targets as at the beginning")]
        )
    return [(one["connection"], one["secret"]) for one in ledger.steps]


def _folder(journal: str | os.PathLike[str] | None) -> Path:
    from secretbridge._everywhere_ledger import folder_of

    return folder_of(journal)


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
    return None if isinstance(one, (Updated, Restored, WouldUpdate)) else one.error


def _told(results: Sequence[TargetResult]) -> str:
    """Say for each target that was not updated what came of it."""
    told: list[str] = []
    for one in results:
        error = _error(one)
        why = f" ({type(error).__name__}: {error.message.rstrip('.')})" if error is not None else ""
        stays = getattr(one, "not_restored", "")
        kept = f", not restored ({stays.rstrip('.')})" if stays else ""
        if kept or not isinstance(one, Updated):
            told.append(f"{one.target}: {state_of(one)}{why}{kept}")
    return "; ".join(told)
