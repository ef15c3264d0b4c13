"""A rotation, written once: get a new token, keep it, write it everywhere, revoke the old one."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from secretbridge._everywhere_before import Change
from secretbridge._everywhere_job import Job, resumed
from secretbridge._everywhere_ledger import Ledger, folder_of, forgotten, identities, is_forgotten
from secretbridge._everywhere_names import ROTATION
from secretbridge._everywhere_run import Run
from secretbridge._everywhere_targets import Places
from secretbridge._json import is_array
from secretbridge._models import secret_str
from secretbridge._rotate_kept import Kept
from secretbridge._rotate_steps import Failed
from secretbridge.errors import (
    InvalidRequest,
    JournalMismatch,
    RotationIncomplete,
    SecretBridgeError,
    Violation,
)
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._keep import keeper
from secretbridge.migrate._place import Locks, journal_path

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge._everywhere_results import EverywhereResult
    from secretbridge._everywhere_targets import Face, Place
    from secretbridge._rotate_steps import Steps

__all__ = ["Rotation", "Rotator"]

#: Stands for the token that is not there yet when the targets are checked.
_ANY: Final = "x" * 32
_REFUSED: Final = "Refused before anything was done"
_NO_VAULT: Final = Violation("vault", "is missing", "say which vault keeps the tokens meanwhile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A rotation that came to its end.

    Attributes:
        run_id: the run.
        results: what came of the writing in each target.
        verified: the targets in which the new token was read back.
        revoked: how many old tokens were revoked; targets may have held different ones.
    """

    run_id: str
    results: EverywhereResult
    verified: tuple[str, ...]
    revoked: int


class Rotator:
    """One rotation over one journal; used once.

    Args:
        face: how to wait.
        steps: where tokens come from and how they are revoked.
        targets: as the caller gave them, or None where the journal names them.
        vault: what keeps tokens meanwhile.
        journal: the folder of journals, or None for the usual one.
        config: the configuration file to use in place of all others, or None.
    """

    def __init__(
        self,
        face: Face,
        steps: Steps,
        *,
        targets: object,
        vault: object,
        journal: str | os.PathLike[str] | None,
        config: str | os.PathLike[str] | None,
    ) -> None:
        self._face = face
        self._steps = steps
        once = hasattr(targets, "__next__")
        self._targets: Any = list(targets) if once else targets  # type: ignore[call-overload]  # an iterator
        self._vault = vault
        self._folder = journal
        self._config = config
        self._places = Places(face, config)

    async def first(self, name: str, *, accept_unverifiable: bool, dry_run: bool) -> Rotation:
        """Check everything, begin a journal, and go through all steps; a dry run ends after the check.

        What a target's listing shows to be in the way is found before a token is obtained: an issuer may take
        the old one back, or count the new one, as soon as it is asked.

        Raises:
            InvalidRequest: something is wrong; nothing was done.
            SecretBridgeError: something is in the way at a target; nothing was done.
            RotationIncomplete: a step failed.
        """
        try:
            found, vault = self._checked(name, accept_unverifiable=accept_unverifiable)
            change = Change(fields={"value": secret_str()(_ANY)})
            tried = await Run(self._face.runtime(), found, change).rehearsed()
            if dry_run:
                return Rotation(run_id="", results=tried, verified=(), revoked=0)
            _require_all(tried)
            run_id = f"rotation-{secrets.token_hex(8)}"
            named = [(one.connection, one.secret) for one in found]
            begin = {
                "what": ROTATION,
                "run": run_id,
                "name": name,
                "at": time.time(),
                "vault": self._vault if isinstance(self._vault, str) else None,
                "revokes": self._steps.revoke is not None,
                "targets": named if all(connection for connection, _ in named) else None,
            }
            return await self._locked(run_id, vault, begin, found)
        finally:
            await self._face.closing(self._places.close)

    async def again(self, run_id: str) -> Rotation:
        """Go on with a rotation that was broken off.

        Raises:
            InvalidRequest: something is wrong; nothing was done.
            JournalMismatch: there is no such run.
            RotationIncomplete: a step failed.
        """
        try:
            vault = self._places.vault(self._vault)
            wrong = [*self._steps.wrong(), *self._places.wrong, *([] if self._vault else [_NO_VAULT])]
            if vault is None or wrong:
                raise InvalidRequest(_REFUSED, violations=wrong)
            return await self._locked(run_id, vault, None, None)
        finally:
            await self._face.closing(self._places.close)

    def _checked(self, name: str, *, accept_unverifiable: bool) -> tuple[list[Place], Core]:
        vault = self._places.vault(self._vault)
        found = self._places.of(self._targets, name, None)
        wrong = [*self._steps.wrong(), *self._places.wrong, *([] if self._vault else [_NO_VAULT])]
        for place in found:
            wrong += _unfit(place)
            of = place.core.capabilities
            if self._steps.revoke is not None and not accept_unverifiable and not of.reads_values:
                problem = f"{of.title} never tells a value, so the old token would be revoked unverified"
                wrong.append(Violation(place.target, problem, "consent with accept_unverifiable=True"))
        if self._steps.revoke is not None and found and not any(map(_reads, found)):
            wrong.append(
                Violation("revoke", "would get no old token: no target tells its value", "leave it out")
            )
        if wrong or vault is None:
            raise InvalidRequest(_REFUSED, violations=wrong)
        return found, vault

    async def _locked(
        self, run_id: str, vault: Core, begin: dict[str, Any] | None, found: list[Place] | None
    ) -> Rotation:
        """Open the journal, or make it, and go through what is not done yet."""
        folder = folder_of(self._folder)
        path = journal_path(folder, run_id)
        keep = await keeper(vault, make=begin is not None)
        key = keep.seal_key(run_id)
        locks = Locks(folder)
        locks.take(run_id, writes=())
        journal: Journal | None = None
        try:
            if found is not None:
                locks.secrets(_identities(found))  # before a token is obtained that another run would replace
            if begin is not None:
                content = begin
                journal = await vault.channel.call(lambda: Journal.create(path, content, (), key))
            else:
                journal = await vault.channel.call(lambda: Journal.open(path, key))
            if journal.begin.get("what") != ROTATION:
                raise JournalMismatch(f"The journal {path} is not one of a rotation.")
            if is_forgotten(journal):
                raise forgotten(run_id)
            given = self._targets if self._targets is not None else journal.begin["targets"]
            targets = given and [tuple(one) if is_array(one) else one for one in given]
            name = str(journal.begin["name"])
            places = self._places.of(targets, name, None) if found is None else found
            wrong = [*self._places.wrong, *self._unlike(journal.begin)]
            if wrong:
                raise InvalidRequest(_REFUSED, violations=wrong)
            if found is None:
                locks.secrets(_identities(places))
            with _broken_off(run_id):
                return await self._through(Kept(journal, vault, run_id), places, targets, name, folder)
        finally:
            if journal is not None:
                journal.close()
            locks.release()

    def _unlike(self, begin: Mapping[str, Any]) -> list[Violation]:
        """Find what is not as at the beginning: a token would be called revoked that is not."""
        began, now = begin.get("revokes"), self._steps.revoke is not None
        if began is None or began == now:
            return []
        if began:
            return [Violation("revoke", "is missing, and was given at the beginning", "give it again")]
        problem = "was not given at the beginning, so no old token is kept"
        return [Violation("revoke", problem, "leave it out")]

    async def _through(
        self, kept: Kept, places: list[Place], targets: object, name: str, folder: Path
    ) -> Rotation:
        steps = self._steps
        if kept.did("end"):
            return await self._ended(kept, places, targets, folder)
        if steps.revoke is not None and not kept.did("old"):
            await kept.keep("old", [await _value(place) for place in places if _reads(place)])
        if not kept.did("obtained"):
            await kept.keep("obtained", [await self._stepped(kept, "obtain", steps.obtained)])
        (token,) = await kept.values("obtained")
        results = await self._written(kept, token, targets, name, folder)
        if not results.complete:
            told = "; ".join(
                f"{one.target}: {type(one).__name__}" for one in results if one not in results.updated
            )
            raise RotationIncomplete(
                f"The new token of {name!r} is not in every target ({told}); the old one was not revoked.",
                run_id=kept.run_id,
                step="write",
                results=results,
            )
        verified = await _verified(kept.run_id, places, token, name, results)
        old = [one for one in await kept.values("old") if one.get_secret_value() != token.get_secret_value()]
        if not kept.did("revoked"):
            for one in old:
                await self._stepped(kept, "revoke", partial(steps.revoked, one), results)
            await kept.note("revoked", {"count": len(old)})
        await kept.drop()
        return Rotation(
            run_id=kept.run_id, results=results, verified=verified, revoked=kept.data("revoked")["count"]
        )

    async def _ended(self, kept: Kept, places: list[Place], targets: object, folder: Path) -> Rotation:
        """Give what came of a rotation that has ended; it may have been broken off right before it let go."""
        change = str(kept.data("writing")["run"])
        options: dict[str, Any] = {"vault": self._vault, "journal": folder, "config": self._config}
        _, results = await resumed(self._face, change, targets=targets, **options)
        await kept.let_go()
        verified = tuple(place.target for place in places if _reads(place))
        return Rotation(
            run_id=kept.run_id, results=results, verified=verified, revoked=kept.data("revoked")["count"]
        )

    async def _stepped(
        self,
        kept: Kept,
        step: str,
        act: Callable[[], Any],
        results: EverywhereResult | None = None,
    ) -> Any:  # noqa: ANN401 - what it gives
        """Do a step of the caller's."""
        why = ""
        try:
            return await kept.vault.channel.call(act)
        except Failed as failure:
            why = str(failure)
        how = "No new token was obtained" if step == "obtain" else "The old token was not revoked for certain"
        raise RotationIncomplete(
            f"{how}: {why}.",
            run_id=kept.run_id,
            step=step,
            results=results,
            applied=False if step == "obtain" else None,
        )

    async def _written(
        self, kept: Kept, token: SecretStr, targets: object, name: str, folder: Path
    ) -> EverywhereResult:
        """Write the new token everywhere, or go on with that."""
        options: dict[str, Any] = {"vault": self._vault, "journal": folder}
        change = kept.data("writing").get("run")
        if change is not None and await _begun(change, kept.vault, folder):
            _, results = await resumed(self._face, change, targets=targets, config=self._config, **options)
            return results
        change = f"change-{secrets.token_hex(8)}"
        await kept.note("writing", {"run": change})
        job = Job(
            self._face,
            name,
            {"value": token},
            on_failure="keep",
            allow_one_way=False,
            verify=False,
            leave_out_unfit=False,
            config=self._config,
        )
        try:
            return await job.result(targets, run_id=change, part_of=kept.run_id, **options)
        finally:
            await job.close()


@contextmanager
def _broken_off(run_id: str) -> Generator[None]:
    try:
        yield
    except RotationIncomplete:  # it says so itself
        raise
    except BaseException as ended:
        ended.add_note(f"resume_rotation({run_id!r}, …) goes on with it.")
        raise


def _reads(place: Place) -> bool:
    return place.core.capabilities.reads_values


async def _value(place: Place) -> SecretStr:
    found = await place.core.get(place.secret, None, metadata=False)
    return secret_str()(found.reveal())


def _identities(places: list[Place]) -> list[str]:
    """Say which secrets it rotates: other locks than those of the change that it makes itself."""
    return [f"rotation {one}" for one in identities(places, {})]


def _unfit(place: Place) -> list[Violation]:
    """Find what keeps a target from holding any new token."""
    try:
        place.core.check_update(place.secret, None, {"value": _ANY}, if_version=None, allow_one_way=False)
    except InvalidRequest as refused:
        told = refused.violations or (Violation("value", f"{place.core.capabilities.title} has no update"),)
        return [Violation(f"{place.target}: {one.field}", one.problem, one.remedy) for one in told]
    return []


def _require_all(tried: EverywhereResult) -> None:
    """Refuse a rotation that could not be written everywhere, as its rehearsal found.

    Raises:
        SecretBridgeError: of the first target where something is in the way; the others are named with it.
    """
    failed = [(one.target, one.error) for one in tried.not_applied]
    if not failed:
        return
    _, first = failed[0]
    first.message = "; ".join(f"{target}: {error.message.rstrip('.')}" for target, error in failed) + "."
    first.args = (first.message,)
    first.applied = False
    raise first.with_traceback(None)


async def _verified(
    run_id: str, places: list[Place], token: SecretStr, name: str, results: EverywhereResult
) -> tuple[str, ...]:
    """Read the new token back wherever that is possible.

    Raises:
        RotationIncomplete: it is not there, or could not be read.
    """
    wrong: dict[str, str] = {}
    for place in filter(_reads, places):
        try:
            same = (await _value(place)).get_secret_value() == token.get_secret_value()
        except SecretBridgeError as error:
            wrong[place.target] = type(error).__name__
        else:
            if not same:
                wrong[place.target] = "it tells another value"
    if wrong:
        told = "; ".join(f"{target}: {why}" for target, why in wrong.items())
        raise RotationIncomplete(
            f"The new token of {name!r} could not be read back ({told}); the old one was not revoked.",
            run_id=run_id,
            step="verify",
            results=results,
        )
    return tuple(place.target for place in places if _reads(place))


async def _begun(run_id: str, vault: Core, folder: Path) -> bool:
    """Say whether a change has begun; one that was broken off before that has sent nothing."""
    if not journal_path(folder, run_id).is_file():
        return False
    ledger = await Ledger.open(run_id, vault, folder)
    try:
        if not ledger.has_change:
            await ledger.drop()  # it may have been broken off right after
        return ledger.has_change
    finally:
        ledger.close()
