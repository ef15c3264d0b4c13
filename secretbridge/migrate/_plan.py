"""The plan of a migration: to look at, to keep as JSON, and to apply."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from secretbridge._runtime import finish
from secretbridge.errors import InvalidRequest
from secretbridge.migrate._written import fingerprint, named, read, written

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from datetime import datetime
    from typing import TextIO

    from secretbridge._async import AsyncSecretBridge
    from secretbridge._provider import Provider
    from secretbridge._sync import SecretBridge
    from secretbridge.migrate._ends import Ends
    from secretbridge.migrate._observed import Observed
    from secretbridge.migrate._orphans import Orphan
    from secretbridge.migrate._result import Run
    from secretbridge.migrate._rules import Rules
    from secretbridge.migrate._types import EndInfo, Estimates, Progress, Step

__all__ = ["Plan"]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Plan:
    """What a migration is going to do, secret by secret; made by ``migrate.plan()``.

    It holds names, flags and dates of both stores, and no value.

    Attributes:
        id: a random name of this plan.
        made_at: when it was made.
        source: where secrets come from.
        target: where they are written.
        rules: by which rules.
        steps: what is to be done, in the order in which the source lists its secrets.
        estimates: requests and time that a run is going to need.
        warnings: what else to know before applying it, one sentence each.
    """

    id: str
    made_at: datetime
    source: EndInfo
    target: EndInfo
    rules: Rules
    steps: tuple[Step, ...]
    estimates: Estimates
    warnings: tuple[str, ...]
    ends: Ends = field(repr=False)
    stores: tuple[str, str] | None = None  # the identities of both, as they told them when they were open
    observed: Observed | None = field(repr=False, default=None)  # None after from_json()

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many secrets are created, updated, skipped and refused."""
        found = Counter(step.action for step in self.steps)
        return {action: found[action] for action in ("create", "update", "skip", "refuse")}

    @property
    def refused(self) -> tuple[Step, ...]:
        """The steps that are refused."""
        return tuple(step for step in self.steps if step.action == "refuse")

    def fingerprint(self) -> str:
        """Give a digest over the rules and over what both ends list of the secrets concerned.

        Two plans of the same rules over stores that have not moved have the same one. What moves when a value
        is read (InsForge's updatedAt) is no part of it. It tells of changes, not of forgeries: it has no key.
        """
        return fingerprint(self.rules, (self.source, self.target), self.steps)

    def print(self, file: TextIO | None = None, *, most: int = 200) -> None:
        """Print what is done, why and what is lost, the totals and the estimates.

        On a terminal it is a table, where rich is installed (extra ``secretbridge[cli]``), else plain text.

        Args:
            file: where to; standard output by default.
            most: how many secrets at most; what is refused comes first.
        """
        from secretbridge.migrate._table import print_plan  # late: a program that applies prints nothing

        print_plan(self, file, most)

    def to_json(self) -> str:
        """Give the plan as JSON, without values; docs/migrate.md describes the format."""
        told: dict[str, object] = {}
        if self.stores is not None and self.stores != (named(self.source), named(self.target)):
            told["stores"] = dict(zip(("source", "target"), self.stores, strict=True))  # names alone say less
        return written(
            {
                "id": self.id,
                "made_at": self.made_at.isoformat(),
                "fingerprint": self.fingerprint(),
                "warnings": list(self.warnings),
                **told,
            },
            rules=self.rules,
            ends={"source": self.source, "target": self.target},
            estimates=self.estimates,
            steps=self.steps,
        )

    @classmethod
    def from_json(
        cls,
        text: str,
        source: object,
        target: object,
        *,
        transform: object = None,
        values_from: object = None,
        vault: object = None,
    ) -> Plan:
        """Take up a plan that ``to_json()`` gave; reads and sends nothing.

        Whether the stores are still as they were is what ``moved()`` says; ``apply()`` looks at it first. A
        store may be given in another way of writing: another URL of the same PostgreSQL is compared, by what
        the vault itself tells, when it is opened.

        What the plan saw of values that it replaces is not in the JSON: where the target shows no sign of a
        changed value either, updates are ``"best-effort"``.

        Args:
            text: the JSON.
            source: the bridge or provider that the plan was made for.
            target: likewise.
            transform: the functions of the plan's rules, given anew: none is loaded because a text names it.
            values_from: as for ``migrate.plan()``.
            vault: as for ``migrate.plan()``.

        Raises:
            InvalidRequest: the text is no plan, one of another version, cut short or edited, or these are not
                its stores or functions.
        """
        from secretbridge.migrate._restored import restored  # late: it needs this module

        return restored(read(text), source, target, transform=transform, values_from=values_from, vault=vault)

    def moved(self) -> list[str]:
        """List both ends anew and say what has changed since the plan was made, one sentence each.

        Only what can be seen without values is compared; ``warnings`` names what cannot.

        Raises:
            InvalidRequest: an end is an AsyncSecretBridge, or another store than the plan was made for.
            SecretBridgeError: an end cannot be listed.
        """
        return finish(self._moved(waits=False))

    async def moved_async(self) -> list[str]:
        """List both ends anew and say what has changed since the plan was made, one sentence each.

        Only what can be seen without values is compared; ``warnings`` names what cannot.

        Raises:
            InvalidRequest: an end is a blocking bridge, or another store than the plan was made for.
            SecretBridgeError: an end cannot be listed.
        """
        return await self._moved(waits=True)

    async def _moved(self, *, waits: bool) -> list[str]:
        from secretbridge.migrate._moved import moved  # late, as the others

        if wrong := self.ends.misfits(waits=waits):
            raise InvalidRequest(violations=wrong)
        async with self.ends.opened(self.rules, waits=waits) as opened:
            return await moved(self, opened.source, opened.target)

    def orphans(self, *, journal: str | os.PathLike[str] | None = None) -> tuple[Orphan, ...]:
        """Give what ``migrate.sync(…, prune=True)`` would look at and delete, and leave it as it is.

        That is what earlier runs between these stores created, and the source has no more. A sync looks at
        each once more: what has been changed since is left.

        Args:
            journal: the folder of the journals, where it is not the default place.

        Raises:
            InvalidRequest: an end is an AsyncSecretBridge.
            SecretBridgeError: an end or the vault cannot be reached.
        """
        from secretbridge.migrate._orphans import orphans  # late, as the others

        return finish(orphans(self, journal, waits=False))

    async def orphans_async(self, *, journal: str | os.PathLike[str] | None = None) -> tuple[Orphan, ...]:
        """Give what ``migrate.sync(…, prune=True)`` would look at and delete, and leave it as it is.

        That is what earlier runs between these stores created, and the source has no more. A sync looks at
        each once more: what has been changed since is left.

        Args:
            journal: the folder of the journals, where it is not the default place.

        Raises:
            InvalidRequest: an end is a blocking bridge.
            SecretBridgeError: an end or the vault cannot be reached.
        """
        from secretbridge.migrate._orphans import orphans  # late, as the others

        return await orphans(self, journal, waits=True)

    def apply(
        self,
        *,
        journal: str | os.PathLike[str] | None = None,
        vault: SecretBridge | Provider | None = None,
        skip_refused: bool = False,
        stop_on_error: bool = False,
        check: bool = True,
        delete_source: bool = False,
        accept_unverifiable: bool = False,
        resend: bool = False,
        patience: float = 60.0,
        progress: Progress | bool | None = None,
        concurrency: int | None = None,
    ) -> Run:
        """Carry the plan out: each secret is written down before it is touched, and can be undone.

        Args:
            journal: the folder of the journal; by default ``runs`` in the user's state folder.
            vault: where the values that are replaced are kept for an undo; by default the plan's own.
            skip_refused: leave behind what the plan refuses.
            stop_on_error: end at the first secret that fails; the others are pending then.
            check: raise where not all was done; False gives the run as it stands.
            delete_source: delete at the source what this run has written, after all of it was verified.
            accept_unverifiable: do so too where the target never tells a value.
            resend: where a target that never tells a value leaves it unknown whether an update arrived,
                send the same value once more.
            patience: seconds to wait in all for a store that has gone away.
            progress: called with an ``Event`` at each step; True shows how far it is on standard error.
            concurrency: most requests at a time at each end; by default what its capabilities suggest.

        Raises:
            InvalidRequest: an argument is wrong, or an end is an AsyncSecretBridge.
            PlanRefused: the plan refuses something and ``skip_refused`` is not set; nothing was written.
            PlanStale: an end has moved since; nothing was written.
            RunBusy: another run works on one of the stores; nothing was written.
            JournalFailed: the journal cannot be written.
            MigrationIncomplete: not all was done; ``run`` says what was.
            SecretBridgeError: an end or the vault cannot be reached at all.
        """
        from secretbridge.migrate._asked import Asked  # late, as the others
        from secretbridge.migrate._begin import apply  # likewise
        from secretbridge.migrate._run import Ending

        given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
        given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
        asked = Asked.of({**given, "patience": patience}, waits=False)
        ending = Ending(delete_source=delete_source, accept_unverifiable=accept_unverifiable)
        return finish(apply(self, asked, ending, skip_refused=skip_refused))

    async def apply_async(
        self,
        *,
        journal: str | os.PathLike[str] | None = None,
        vault: AsyncSecretBridge | Provider | None = None,
        skip_refused: bool = False,
        stop_on_error: bool = False,
        check: bool = True,
        delete_source: bool = False,
        accept_unverifiable: bool = False,
        resend: bool = False,
        patience: float = 60.0,
        progress: Progress | bool | None = None,
        concurrency: int | None = None,
    ) -> Run:
        """Carry the plan out: each secret is written down before it is touched, and can be undone.

        Args:
            journal: the folder of the journal; by default ``runs`` in the user's state folder.
            vault: where the values that are replaced are kept for an undo; by default the plan's own.
            skip_refused: leave behind what the plan refuses.
            stop_on_error: end at the first secret that fails; the others are pending then.
            check: raise where not all was done; False gives the run as it stands.
            delete_source: delete at the source what this run has written, after all of it was verified.
            accept_unverifiable: do so too where the target never tells a value.
            resend: where a target that never tells a value leaves it unknown whether an update arrived,
                send the same value once more.
            patience: seconds to wait in all for a store that has gone away.
            progress: called with an ``Event`` at each step; True shows how far it is on standard error.
            concurrency: most requests at a time at each end; by default what its capabilities suggest.

        Raises:
            InvalidRequest: an argument is wrong, or an end is a blocking bridge.
            PlanRefused: the plan refuses something and ``skip_refused`` is not set; nothing was written.
            PlanStale: an end has moved since; nothing was written.
            RunBusy: another run works on one of the stores; nothing was written.
            JournalFailed: the journal cannot be written.
            MigrationIncomplete: not all was done; ``run`` says what was.
            SecretBridgeError: an end or the vault cannot be reached at all.
        """
        from secretbridge.migrate._asked import Asked  # late, as the others
        from secretbridge.migrate._begin import apply  # likewise
        from secretbridge.migrate._run import Ending

        given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
        given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
        asked = Asked.of({**given, "patience": patience}, waits=True)
        ending = Ending(delete_source=delete_source, accept_unverifiable=accept_unverifiable)
        return await apply(self, asked, ending, skip_refused=skip_refused)

    def __repr__(self) -> str:
        counts = ", ".join(f"{action}={count}" for action, count in self.counts.items())
        return f"Plan({self.id!r}, {self.source} -> {self.target}, {counts})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Plan is not pickled: it holds ways to its stores; use to_json() and from_json()")
