"""The verbs about runs that were begun: which there are, go on, take back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge._runtime import finish
from secretbridge.errors import JournalMismatch
from secretbridge.migrate import _begin
from secretbridge.migrate._asked import Asked
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._place import journal_folder, locked_by
from secretbridge.migrate._result import RunInfo
from secretbridge.migrate._state import ended_in
from secretbridge.migrate._undo import undo_consents
from secretbridge.migrate._written import info_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from secretbridge._async import AsyncSecretBridge
    from secretbridge._provider import Provider
    from secretbridge._sync import SecretBridge
    from secretbridge.migrate._result import Run, RunState
    from secretbridge.migrate._rules import Transform
    from secretbridge.migrate._types import Progress
    from secretbridge.migrate._undo import UndoConsent

__all__ = ["resume", "resume_async", "runs", "undo", "undo_async"]


def resume(
    run_id: str,
    source: SecretBridge | Provider,
    target: SecretBridge | Provider,
    *,
    journal: str | os.PathLike[str] | None = None,
    vault: SecretBridge | Provider | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    values_from: SecretBridge | Provider | Mapping[str, SecretStr] | Callable[[str], SecretStr] | None = None,
    stop_on_error: bool = False,
    check: bool = True,
    resend: bool = False,
    patience: float = 60.0,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Go on with a run that was interrupted or did not do all.

    What was announced and has no outcome is settled by looking at the target, never by writing again blindly.

    Args:
        run_id: the run; ``runs()`` shows the ids.
        source: as at the beginning: the journal holds no credentials.
        target: likewise.
        journal: the folder of the journal, where it is not the default place.
        vault: the vault that was given at the beginning, if one was.
        transform: as for ``migrate.plan()``, if one was given there.
        values_from: likewise.
        stop_on_error: end at the first secret that fails.
        check: raise where not all was done; False gives the run as it stands.
        resend: where a target that never tells a value leaves it unknown whether an update arrived, send the
            same value once more.
        patience: seconds to wait in all for a store that has gone away.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time at each end.

    Raises:
        InvalidRequest: an argument is wrong.
        JournalMismatch: the journal is not as it was written, or not of these stores; nothing was done.
        RunBusy: another process works on the run or on one of its stores.
        MigrationIncomplete: not all was done; ``run`` says what was.
        SecretBridgeError: a store cannot be reached at all.
    """
    given: dict[str, object] = {
        "journal": journal,
        "vault": vault,
        "check": check,
        "progress": progress,
        "patience": patience,
    }
    given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
    asked = Asked.of(given, waits=False)
    ends = {"source": source, "target": target, "transform": transform, "values_from": values_from}
    return finish(_begin.resume(run_id, ends, asked))


async def resume_async(
    run_id: str,
    source: AsyncSecretBridge | Provider,
    target: AsyncSecretBridge | Provider,
    *,
    journal: str | os.PathLike[str] | None = None,
    vault: AsyncSecretBridge | Provider | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    values_from: AsyncSecretBridge
    | Provider
    | Mapping[str, SecretStr]
    | Callable[[str], SecretStr]
    | None = None,
    stop_on_error: bool = False,
    check: bool = True,
    resend: bool = False,
    patience: float = 60.0,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Go on with a run that was interrupted or did not do all.

    What was announced and has no outcome is settled by looking at the target, never by writing again blindly.

    Args:
        run_id: the run; ``runs()`` shows the ids.
        source: as at the beginning: the journal holds no credentials.
        target: likewise.
        journal: the folder of the journal, where it is not the default place.
        vault: the vault that was given at the beginning, if one was.
        transform: as for ``migrate.plan()``, if one was given there.
        values_from: likewise.
        stop_on_error: end at the first secret that fails.
        check: raise where not all was done; False gives the run as it stands.
        resend: where a target that never tells a value leaves it unknown whether an update arrived, send the
            same value once more.
        patience: seconds to wait in all for a store that has gone away.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time at each end.

    Raises:
        InvalidRequest: an argument is wrong.
        JournalMismatch: the journal is not as it was written, or not of these stores; nothing was done.
        RunBusy: another process works on the run or on one of its stores.
        MigrationIncomplete: not all was done; ``run`` says what was.
        SecretBridgeError: a store cannot be reached at all.
    """
    given: dict[str, object] = {
        "journal": journal,
        "vault": vault,
        "check": check,
        "progress": progress,
        "patience": patience,
    }
    given |= {"concurrency": concurrency, "stop_on_error": stop_on_error, "resend": resend}
    asked = Asked.of(given, waits=True)
    ends = {"source": source, "target": target, "transform": transform, "values_from": values_from}
    return await _begin.resume(run_id, ends, asked)


def undo(
    run_id: str,
    target: SecretBridge | Provider,
    *,
    journal: str | os.PathLike[str] | None = None,
    vault: SecretBridge | Provider | None = None,
    accept: Collection[UndoConsent] = (),
    check: bool = True,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Take back what a run did at its target: delete what it created, restore what it changed.

    Only what this run wrote is touched, and only where it is still as this run left it. It can be repeated:
    what was taken back stays so. A run that is being undone cannot be resumed.

    Args:
        run_id: the run; ``runs()`` shows the ids.
        target: as at the beginning.
        journal: the folder of the journal, where it is not the default place.
        vault: the vault that was given at the beginning, if one was; without one nothing that was changed is
            restored.
        accept: words of ``migrate.UNDO_CONSENTS``, for what is otherwise left as it is.
        check: raise where not all was taken back; False gives the run as it stands.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time.

    Raises:
        InvalidRequest: an argument is wrong.
        JournalMismatch: the journal is not as it was written, or not of this store; nothing was done.
        RunBusy: another process works on the run or on its target.
        MigrationIncomplete: not all was taken back; ``run`` says what was, and why the rest was not.
        SecretBridgeError: the target or the vault cannot be reached at all.
    """
    consents = undo_consents(accept)
    given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
    asked = Asked.of({**given, "concurrency": concurrency}, waits=False)
    return finish(_begin.undo(run_id, target, asked, consents))


async def undo_async(
    run_id: str,
    target: AsyncSecretBridge | Provider,
    *,
    journal: str | os.PathLike[str] | None = None,
    vault: AsyncSecretBridge | Provider | None = None,
    accept: Collection[UndoConsent] = (),
    check: bool = True,
    progress: Progress | bool | None = None,
    concurrency: int | None = None,
) -> Run:
    """Take back what a run did at its target: delete what it created, restore what it changed.

    Only what this run wrote is touched, and only where it is still as this run left it. It can be repeated:
    what was taken back stays so. A run that is being undone cannot be resumed.

    Args:
        run_id: the run; ``runs()`` shows the ids.
        target: as at the beginning.
        journal: the folder of the journal, where it is not the default place.
        vault: the vault that was given at the beginning, if one was; without one nothing that was changed is
            restored.
        accept: words of ``migrate.UNDO_CONSENTS``, for what is otherwise left as it is.
        check: raise where not all was taken back; False gives the run as it stands.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.
        concurrency: most requests at a time.

    Raises:
        InvalidRequest: an argument is wrong.
        JournalMismatch: the journal is not as it was written, or not of this store; nothing was done.
        RunBusy: another process works on the run or on its target.
        MigrationIncomplete: not all was taken back; ``run`` says what was, and why the rest was not.
        SecretBridgeError: the target or the vault cannot be reached at all.
    """
    consents = undo_consents(accept)
    given: dict[str, object] = {"journal": journal, "vault": vault, "check": check, "progress": progress}
    asked = Asked.of({**given, "concurrency": concurrency}, waits=True)
    return await _begin.undo(run_id, target, asked, consents)


def runs(*, journal: str | os.PathLike[str] | None = None) -> list[RunInfo]:
    """Give the runs that have a journal, the newest first. It reads files, and makes and changes nothing.

    Where nothing was begun yet, and the folder is not there, there are none.

    Args:
        journal: the folder of the journals, where it is not the default place.

    Raises:
        InvalidRequest: it cannot be used as a folder of journals.
    """
    folder = journal_folder(journal, make=False)
    found = [_info(folder, path) for path in sorted(folder.glob("*.db"), reverse=True)]
    return [info for info in found if info is not None]


def _info(folder: Path, path: Path) -> RunInfo | None:
    found: Journal | None = None
    try:
        found = Journal.open(path)
    except JournalMismatch:
        nothing = {"started_at": "", "who": "", "source": "", "target": "", "secrets": 0}
        return RunInfo(id=path.stem, state="damaged", journal=path, **nothing)  # type: ignore[arg-type]  # as they are named
    try:
        begin: dict[str, Any] = found.begin
        if "plan" not in begin:
            return None  # of another kind of run, whose journal lies in the same folder
        state: RunState = "running" if locked_by(folder, path.stem) else ended_in(found.entries())[0]
    finally:
        found.close()
    return RunInfo(
        id=path.stem,
        state=state,
        started_at=begin["at"],
        who=begin["who"],
        source=str(info_of(begin["plan"]["source"])),
        target=str(info_of(begin["plan"]["target"])),
        secrets=begin["steps"],
        journal=path,
        with_vault=begin["sealed"],
    )
