"""The journal of one change in many places: what is needed to go on after a kill, and no value.

Values are kept in a vault, under names of the run. What is written down, in this order: "begin" with the
targets; "kept", when the vault has the change; "intended", when it has the previous state too; "outcome" for
each target; "end"; or "forgotten", where it was given up.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from secretbridge._everywhere_before import Before
from secretbridge._everywhere_names import CHANGE, all_of_change, of_change
from secretbridge._everywhere_packed import packed, plain, revived, unpacked
from secretbridge._everywhere_results import TargetResult, Updated, state_of
from secretbridge._folders import state_folder
from secretbridge._models import secret_str
from secretbridge.errors import JournalMismatch, SecretBridgeError, SecretNotFound
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._keep import keeper
from secretbridge.migrate._place import Locks, journal_folder, journal_path

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from secretbridge._core import Core
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Fields

__all__ = ["Ledger", "folder_of", "forgotten", "identities", "is_forgotten"]

_BEGIN_ANEW: Final = "Make the change anew."


def folder_of(journal: str | os.PathLike[str] | None, *, make: bool = True) -> Path:
    """Give the folder of these journals: ``changes`` in the user's state folder where none is given."""
    return journal_folder(state_folder() / "changes" if journal is None else journal, make=make)


class Ledger:
    """The journal of a run, locked, and the values that its vault keeps.

    Args:
        run_id: the run.
        vault: where values are kept.
        journal: the open journal.
        locks: what keeps other processes from this run.
    """

    def __init__(self, run_id: str, vault: Core, journal: Journal, locks: Locks) -> None:
        self.run_id = run_id
        self._vault = vault
        self._journal = journal
        self._locks = locks
        self._numbers: dict[Place, int] = {}

    @classmethod
    async def begin(
        cls,
        run_id: str,
        vault: Core,
        folder: Path,
        *,
        places: Sequence[Place],
        begin: Mapping[str, Any],
        fields: Fields,
    ) -> Ledger:
        """Begin a run: its journal is on the disk, and the change is in the vault, when this returns.

        Raises:
            InvalidRequest: the vault cannot keep values.
            JournalFailed: the journal cannot be written; nothing was sent.
            RunBusy: another run works on this one, or changes one of the secrets; nothing was sent.
            SecretBridgeError: the vault failed; nothing was sent.
        """
        keep = await keeper(vault, make=True)
        content = packed(fields)
        locks = Locks(folder)
        locks.take(run_id, writes=())
        try:
            locks.secrets(identities(places, fields))
            steps = [
                json.dumps(
                    {
                        "connection": one.connection,
                        "target": one.target,
                        "secret": one.secret,
                        "provider": one.core.capabilities.provider,
                        "store": _store(one),
                    }
                )
                for one in places
            ]
            journal = await vault.channel.call(
                lambda: Journal.create(
                    journal_path(folder, run_id),
                    {**begin, "what": CHANGE, "run": run_id, "at": time.time()},
                    steps,
                    keep.seal_key(run_id),
                )
            )
        except BaseException:
            locks.release()
            raise
        ledger = cls(run_id, vault, journal, locks)
        ledger._numbers = {place: number for number, place in enumerate(places)}
        try:
            await vault.put(ledger._name("new"), {"value": content}, allow_one_way=False)
            await ledger._append("kept", {})
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    async def open(cls, run_id: str, vault: Core, folder: Path) -> Ledger:
        """Open the journal of a run.

        Raises:
            InvalidRequest: that is no run's id, or the vault is not the run's.
            JournalMismatch: there is no such journal, or it is not as it was written.
            RunBusy: another process works on this run.
        """
        path = journal_path(folder, run_id)
        keep = await keeper(vault, make=False)
        locks = Locks(folder)
        locks.take(run_id, writes=())
        try:
            journal = await vault.channel.call(lambda: Journal.open(path, keep.seal_key(run_id)))
        except BaseException:
            locks.release()
            raise
        ledger = cls(run_id, vault, journal, locks)
        if journal.begin.get("what") != CHANGE:
            ledger.close()
            raise JournalMismatch(f"The journal {path} is not one of a change in many places.")
        if is_forgotten(journal):
            ledger.close()
            raise forgotten(run_id)
        return ledger

    def hold(self, places: Sequence[Place], fields: Fields) -> None:
        """Keep other journalled runs from the secrets until this one is closed.

        Raises:
            RunBusy: one changes one of them at this moment; nothing was sent.
        """
        self._locks.secrets(identities(places, fields))

    def close(self) -> None:
        """Let go of the journal and of the locks."""
        self._journal.close()
        self._locks.release()

    @property
    def begun(self) -> dict[str, Any]:
        """What was written down first."""
        return self._journal.begin

    @property
    def steps(self) -> list[dict[str, str]]:
        """The targets: their names, the secret's name there, the provider."""
        return [json.loads(text) for text in self._journal.steps()]

    @property
    def has_change(self) -> bool:
        """Whether the vault had the change; before that nothing was sent."""
        return any(entry.kind == "kept" for entry in self._journal.entries())

    @property
    def complete(self) -> bool:
        """Whether the change has been made in every target."""
        return any(kind == "end" and data["complete"] for kind, data in self._journal.entries())

    def attach(self, places: Sequence[Place]) -> list[Place]:
        """Take the targets that were opened again, and give them in the run's order.

        Raises:
            JournalMismatch: one of the run is not among them.
        """
        left = list(places)
        for number, step in enumerate(self.steps):
            fit = [one for one in left if _stands_for(one, step)]
            if not fit:
                raise JournalMismatch(
                    f"The target {step['target']!r} of the run is not among the targets that were given.",
                    advice="Give the same targets as at the beginning.",
                )
            left.remove(fit[0])
            self._numbers[fit[0]] = number
        return list(self._numbers)

    async def fields(self) -> Fields:
        """Give the change.

        Raises:
            JournalMismatch: the run was broken off before the vault had it; nothing was sent.
        """
        if not self.has_change:
            await self.drop()  # it may have been broken off right after
            raise JournalMismatch(
                "Nothing was sent in this run before it was broken off.", advice=_BEGIN_ANEW
            )
        kept = await self._kept("new")
        if kept is None:
            raise JournalMismatch("The vault does not hold this change any more.", advice=_BEGIN_ANEW)
        return kept  # type: ignore[return-value]  # it was packed from a Fields

    async def intended(self, befores: Mapping[Place, Before]) -> None:
        """Keep what was there before, and write down what is going to be changed."""
        for place, before in befores.items():
            row = {
                "fields": json.loads(plain(before.fields)),
                "lacking": before.lacking,
                "version": before.version,
            }
            wrapped = secret_str()(json.dumps(row, ensure_ascii=False))
            await self._vault.put(self._name(self._numbers[place]), {"value": wrapped}, allow_one_way=False)
        numbers = [self._numbers[place] for place in befores]
        await self._append("intended", {"n": numbers, "at": time.time()})

    async def outcome(self, place: Place, result: TargetResult) -> None:
        """Write down what came of a target."""
        error: SecretBridgeError | None = getattr(result, "error", None)
        row = {
            "n": self._numbers[place],
            "at": time.time(),
            "state": state_of(result),
            "guarantee": getattr(result, "guarantee", None),
            "version": getattr(result, "version", None),
            "verified": getattr(result, "verified", None),
            "error": None if error is None else f"{type(error).__name__}: {error.message}",
        }
        await self._append("outcome", row)

    async def end(self, *, complete: bool) -> None:
        """Write down that the run has ended; of one that is complete nothing is kept any more."""
        await self._append("end", {"complete": complete})
        if complete:
            await self.drop()

    async def drop(self) -> None:
        """Keep no value any more: the change has been made everywhere."""
        for name in all_of_change(self.run_id, len(self.steps)):
            await self._vault.delete(name, None, missing_ok=True)

    def _states(self) -> dict[int, dict[str, Any]]:
        """Give the last known state of each target that a change was intended for, by its number."""
        states: dict[int, dict[str, Any]] = {}
        for kind, data in self._journal.entries():
            if kind == "intended":
                for number in data["n"]:
                    states[number] = {"state": "intended", "at": data["at"]}
            elif kind == "outcome":
                states[data["n"]] = data
        return states

    async def before(self, place: Place) -> Before | None:
        """Give what was kept of a target, or None."""
        told = await self._value(str(self._numbers[place]))
        if told is None:
            return None
        row = json.loads(told)
        return Before(fields=revived(row["fields"]), lacking=tuple(row["lacking"]), version=row["version"])

    def state(self, place: Place) -> dict[str, Any] | None:
        """Give what was last written down about a target, or None."""
        return self._states().get(self._numbers[place])

    def result(self, place: Place) -> Updated | None:
        """Give the result of a target in which the change was made, else None."""
        number = self._numbers[place]
        return self.updated(number, target=place.target)

    def updated(self, number: int, *, target: str = "") -> Updated | None:
        """Give the same by the target's number."""
        row = self._states().get(number, {})
        if row.get("state") != "updated":
            return None
        step = self.steps[number]
        return Updated(
            target=target or step["target"],
            secret=step["secret"],
            provider=step["provider"],
            guarantee=row["guarantee"],
            version=row["version"],
            verified=row["verified"],
        )

    async def _kept(self, what: str) -> Mapping[str, object] | None:
        told = await self._value(what)
        return None if told is None else unpacked(told)

    async def _value(self, what: str) -> str | None:
        try:
            return (await self._vault.get(self._name(what), None, metadata=False)).reveal()
        except SecretNotFound:
            return None

    async def _append(self, kind: str, data: object) -> None:
        await self._vault.channel.call(lambda: self._journal.append(kind, data))

    def _name(self, what: str | int) -> str:
        return of_change(self.run_id, what)


def is_forgotten(journal: Journal) -> bool:
    """Say whether a run was given up."""
    return any(entry.kind == "forgotten" for entry in journal.entries())


def forgotten(run_id: str) -> JournalMismatch:
    """Give the error for a run that was given up."""
    return JournalMismatch(f"The run {run_id} was given up, and what it kept is deleted.", advice=_BEGIN_ANEW)


def _stands_for(place: Place, step: Mapping[str, str]) -> bool:
    known = (place.secret, place.core.capabilities.provider, _store(place))
    return known == (step["secret"], step["provider"], step["store"]) and (place.connection or "") == (
        step["connection"] or ""
    )


def _store(place: Place) -> str:
    """Say which store it is, where that can be told without a credential: a name may mean another by now."""
    return str(getattr(place.core.provider, "store", ""))


def identities(places: Sequence[Place], fields: Mapping[str, object]) -> list[str]:
    """Say which secrets a run changes, for its locks.

    A store that does not tell which one it is, as io.net, is known by its connection's name; one without
    either is not locked.
    """
    found: list[str] = []
    for place in places:
        of = place.core.capabilities.provider
        store = (
            f"{of} {known}" if (known := _store(place)) else place.connection and f"{of} {place.connection}"
        )
        if store:
            found.append(f"{store}\0{place.secret}")
            if isinstance(renamed := fields.get("new_name"), str):
                found.append(f"{store}\0{renamed}")
    return found
