"""forget_change(): a journalled change in many places, or a rotation, given up, and its values deleted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from secretbridge._everywhere_job import asynchronous, blocking
from secretbridge._everywhere_ledger import folder_of, is_forgotten
from secretbridge._everywhere_names import CHANGE, ROTATION, all_of_change, all_of_rotation
from secretbridge._everywhere_targets import Places
from secretbridge._runtime import finish
from secretbridge.errors import JournalMismatch
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._keep import Keep, keeper
from secretbridge.migrate._place import Locks, journal_path

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from secretbridge._core import Core
    from secretbridge._everywhere_targets import AsyncStore, BlockingStore, Face

__all__ = ["forget_change", "forget_change_async"]


def forget_change(
    run_id: str,
    *,
    vault: BlockingStore,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> None:
    """Give up a journalled change in many places, or a rotation, and delete the values that it keeps.

    What it has changed stays as it is. It cannot be gone on with afterwards. A new token that a rotation has
    obtained and not written is lost: revoke it at its issuer. Broken off, it can be called again. In a vault
    that keeps a history, what was deleted is gone for good with a purge.

    Args:
        run_id: the run, as ``changes()`` lists it.
        vault: the vault that was given when the run began.
        journal: the folder of the journal, as at the beginning.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: the vault is not as it must be; nothing was deleted.
        JournalMismatch: there is no such run, or it is not as it was written.
        RunBusy: another process works on this run.
        SecretBridgeError: the vault failed.
    """
    finish(_forgotten(blocking(), run_id, vault, journal, config))


async def forget_change_async(
    run_id: str,
    *,
    vault: AsyncStore,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> None:
    """Give up a journalled change in many places, or a rotation, and delete the values that it keeps.

    What it has changed stays as it is. It cannot be gone on with afterwards. A new token that a rotation has
    obtained and not written is lost: revoke it at its issuer. Broken off, it can be called again. In a vault
    that keeps a history, what was deleted is gone for good with a purge.

    Args:
        run_id: the run, as ``changes()`` lists it.
        vault: the vault that was given when the run began.
        journal: the folder of the journal, as at the beginning.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: the vault is not as it must be; nothing was deleted.
        JournalMismatch: there is no such run, or it is not as it was written.
        RunBusy: another process works on this run.
        SecretBridgeError: the vault failed.
    """
    await _forgotten(asynchronous(), run_id, vault, journal, config)


async def _forgotten(
    face: Face,
    run_id: str,
    vault: object,
    journal: str | os.PathLike[str] | None,
    config: str | os.PathLike[str] | None,
) -> None:
    places = Places(face, config)
    try:
        keeps = places.vault_of_run(vault)
        await _given_up(run_id, keeps, await keeper(keeps, make=False), folder_of(journal))
    finally:
        await face.closing(places.close)


async def _given_up(run_id: str, vault: Core, keep: Keep, folder: Path) -> None:
    """Write down that the run is given up, and then delete what it keeps.

    The other way round a kill between the two would leave a run that seems to go on and cannot.
    """
    path = journal_path(folder, run_id)
    locks = Locks(folder)
    locks.take(run_id, writes=())
    try:
        journal = await vault.channel.call(lambda: Journal.open(path, keep.seal_key(run_id)))
        try:
            what = journal.begin.get("what")
            if what not in {CHANGE, ROTATION}:
                raise JournalMismatch(
                    f"The journal {path} is not one of a change in many places or of a rotation.",
                    advice="changes() shows those that are.",
                )
            if not is_forgotten(journal):
                await vault.channel.call(lambda: journal.append("forgotten", {"at": time.time()}))
            names, parts = _kept(journal, run_id, rotation=what == ROTATION)
        finally:
            journal.close()
        for part in parts:
            if journal_path(folder, part).is_file():
                await _given_up(part, vault, keep, folder)
        for name in names:
            await vault.delete(name, None, missing_ok=True)
    finally:
        locks.release()


def _kept(journal: Journal, run_id: str, *, rotation: bool) -> tuple[list[str], list[str]]:
    """Give the names under which the vault keeps values of the run, and the changes that are a part of it."""
    if not rotation:
        return all_of_change(run_id, sum(1 for _ in journal.steps())), []
    parts: list[Any] = [entry.data["run"] for entry in journal.entries() if entry.kind == "writing"]
    return all_of_rotation(run_id), list(dict.fromkeys(parts))
