"""The verb that keeps a target as its source is, blocking and on an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._runtime import finish
from secretbridge.migrate import _again
from secretbridge.migrate._asked import Asked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import SecretStr

    from secretbridge._async import AsyncSecretBridge
    from secretbridge._provider import Provider
    from secretbridge._sync import SecretBridge
    from secretbridge.migrate._result import Run
    from secretbridge.migrate._rules import Case, Rename, RulesGiven, Transform
    from secretbridge.migrate._types import OnConflict, Progress

__all__ = ["sync", "sync_async"]


def sync(
    source: SecretBridge | Provider,
    target: SecretBridge | Provider,
    *,
    rules: RulesGiven = None,
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    rename: Rename | None = None,
    case: Case | None = None,
    prefix: str | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    on_conflict: OnConflict = "update",
    accept: str | Sequence[str] | None = None,
    environments: Mapping[str, str] | None = None,
    values_from: SecretBridge | Provider | Mapping[str, SecretStr] | Callable[[str], SecretStr] | None = None,
    vault: SecretBridge | Provider | None = None,
    prune: bool = False,
    journal: str | os.PathLike[str] | None = None,
    skip_refused: bool = False,
    stop_on_error: bool = False,
    check: bool = True,
    resend: bool = False,
    patience: float = 60.0,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Bring the target to where the source is; run again, do only what has changed since.

    What earlier runs between these stores did is in their journals: where both stores show by their marks
    that nothing has moved since, no value is read. A sync that finds nothing to do leaves no journal.

    Args:
        source: as for ``migrate.plan()``, and so the arguments up to ``vault``.
        target: likewise.
        rules: likewise.
        select: likewise.
        exclude: likewise.
        rename: likewise.
        case: likewise.
        prefix: likewise.
        transform: likewise.
        on_conflict: likewise; here ``"update"`` is what counts without it.
        accept: likewise.
        environments: likewise.
        values_from: likewise.
        vault: likewise. Its key makes fingerprints, by which a value that was sent is known again: without
            it a target that never tells values is written each time.
        prune: delete at the target what earlier runs created, and the source has no more, or has only as an
            inactive one that ``accept=["inactive"]`` leaves behind (as InsForge lists what was deleted).
            Nothing else is ever deleted, and that only where it is still as the run left it; ``Run.pruned``
            tells.
        journal: the folder of the journals, where it is not the default place.
        skip_refused: leave behind what the plan refuses.
        stop_on_error: end at the first secret that fails.
        check: raise where not all was done; False gives the run as it stands.
        resend: as for ``Plan.apply()``.
        patience: seconds to wait in all for a store that has gone away.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time at each end.

    Raises:
        InvalidRequest: an argument is wrong.
        PlanRefused: something is refused and ``skip_refused`` is not set; nothing was written.
        RunBusy: another run works on one of the stores; nothing was written.
        MigrationIncomplete: not all was done; ``run`` says what was.
        SecretBridgeError: a store cannot be reached at all.
    """
    given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
    given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
    asked = Asked.of({**given, "patience": patience}, waits=False)
    ends = {"source": source, "target": target, "rules": rules, "values_from": values_from}
    single = {
        "select": select,
        "exclude": exclude,
        "rename": rename,
        "case": case,
        "prefix": prefix,
        "transform": transform,
        "on_conflict": on_conflict,
        "accept": accept,
        "environments": environments,
    }
    return finish(_again.sync(ends, single, asked, skip_refused=skip_refused, prune=prune))


async def sync_async(
    source: AsyncSecretBridge | Provider,
    target: AsyncSecretBridge | Provider,
    *,
    rules: RulesGiven = None,
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    rename: Rename | None = None,
    case: Case | None = None,
    prefix: str | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    on_conflict: OnConflict = "update",
    accept: str | Sequence[str] | None = None,
    environments: Mapping[str, str] | None = None,
    values_from: AsyncSecretBridge
    | Provider
    | Mapping[str, SecretStr]
    | Callable[[str], SecretStr]
    | None = None,
    vault: AsyncSecretBridge | Provider | None = None,
    prune: bool = False,
    journal: str | os.PathLike[str] | None = None,
    skip_refused: bool = False,
    stop_on_error: bool = False,
    check: bool = True,
    resend: bool = False,
    patience: float = 60.0,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Bring the target to where the source is; run again, do only what has changed since.

    What earlier runs between these stores did is in their journals: where both stores show by their marks
    that nothing has moved since, no value is read. A sync that finds nothing to do leaves no journal.

    Args:
        source: as for ``migrate.plan()``, and so the arguments up to ``vault``.
        target: likewise.
        rules: likewise.
        select: likewise.
        exclude: likewise.
        rename: likewise.
        case: likewise.
        prefix: likewise.
        transform: likewise.
        on_conflict: likewise; here ``"update"`` is what counts without it.
        accept: likewise.
        environments: likewise.
        values_from: likewise.
        vault: likewise. Its key makes fingerprints, by which a value that was sent is known again: without
            it a target that never tells values is written each time.
        prune: delete at the target what earlier runs created, and the source has no more, or has only as an
            inactive one that ``accept=["inactive"]`` leaves behind (as InsForge lists what was deleted).
            Nothing else is ever deleted, and that only where it is still as the run left it; ``Run.pruned``
            tells.
        journal: the folder of the journals, where it is not the default place.
        skip_refused: leave behind what the plan refuses.
        stop_on_error: end at the first secret that fails.
        check: raise where not all was done; False gives the run as it stands.
        resend: as for ``Plan.apply()``.
        patience: seconds to wait in all for a store that has gone away.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time at each end.

    Raises:
        InvalidRequest: an argument is wrong.
        PlanRefused: something is refused and ``skip_refused`` is not set; nothing was written.
        RunBusy: another run works on one of the stores; nothing was written.
        MigrationIncomplete: not all was done; ``run`` says what was.
        SecretBridgeError: a store cannot be reached at all.
    """
    given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
    given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
    asked = Asked.of({**given, "patience": patience}, waits=True)
    ends = {"source": source, "target": target, "rules": rules, "values_from": values_from}
    single = {
        "select": select,
        "exclude": exclude,
        "rename": rename,
        "case": case,
        "prefix": prefix,
        "transform": transform,
        "on_conflict": on_conflict,
        "accept": accept,
        "environments": environments,
    }
    return await _again.sync(ends, single, asked, skip_refused=skip_refused, prune=prune)
