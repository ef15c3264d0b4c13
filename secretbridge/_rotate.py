"""rotate(): a new token everywhere, then the end of the old one; blocking and asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._everywhere_job import asynchronous, blocking
from secretbridge._rotate_run import Rotator
from secretbridge._rotate_steps import Steps
from secretbridge._runtime import finish

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from pydantic import SecretStr

    from secretbridge._everywhere_targets import AsyncStore, AsyncTarget, BlockingStore, BlockingTarget
    from secretbridge._rotate_run import Rotation

__all__ = ["resume_rotation", "resume_rotation_async", "rotate", "rotate_async"]


def rotate(
    name: str,
    *,
    obtain: Callable[[], str | SecretStr] | Sequence[str],
    targets: Iterable[BlockingTarget],
    vault: BlockingStore,
    revoke: Callable[[SecretStr], object] | Sequence[str] | None = None,
    revoke_variable: str | None = None,
    accept_unverifiable: bool = False,
    time_limit: float = 60.0,
    dry_run: bool = False,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Rotation:
    """Get a new token, write it into every target, read it back, and then revoke the old one.

    Each step is journalled, and ``resume_rotation`` goes on where a kill or a failure ended it. The new token
    is kept in the vault before it is written anywhere, and the old one until it has been revoked.

    Args:
        name: the secret's name.
        obtain: gives the new token: a callable, or a command as a list of words, which runs without a shell
            and writes it to its standard output (one newline at the end is taken off).
        targets: where it is kept, as for ``update_everywhere``.
        vault: what keeps tokens meanwhile: a connection's name, a bridge or a provider.
        revoke: revokes an old token: a callable that gets it, or a command that gets it on its standard
            input, without a newline. It is called again where it is not certain that it was done, and once
            for each token where the targets held different ones.
        revoke_variable: the environment variable in which the command gets the old token instead.
        accept_unverifiable: consent to revoking the old token although a target never tells whether it has
            the new one (io.net, Appfarm).
        time_limit: seconds that a command may take, at most 3600.
        dry_run: check everything, look whether something is in the way at a target, and call nothing; the
            results are ``WouldUpdate`` and ``NotApplied``.
        journal: the folder of the journals; by default ``changes`` in the user's state folder.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: a target cannot hold a token, or an argument is malformed; nothing was done.
        RotationIncomplete: a step failed; ``step`` says which.
        SecretBridgeError: something is in the way at a target, such as that it has no such secret; or the
            old token could not be read, or the vault failed. No token was obtained.
    """
    steps = Steps(obtain=obtain, revoke=revoke, variable=revoke_variable, time_limit=time_limit)
    work = Rotator(blocking(), steps, targets=targets, vault=vault, journal=journal, config=config)
    return finish(work.first(name, accept_unverifiable=accept_unverifiable, dry_run=dry_run))


def resume_rotation(
    run_id: str,
    *,
    obtain: Callable[[], str | SecretStr] | Sequence[str],
    vault: BlockingStore,
    targets: Iterable[BlockingTarget] | None = None,
    revoke: Callable[[SecretStr], object] | Sequence[str] | None = None,
    revoke_variable: str | None = None,
    time_limit: float = 60.0,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Rotation:
    """Go on with a rotation that was broken off or did not come to its end.

    A token that was obtained and kept is not obtained again; one that was obtained at the very moment of a
    kill may be, and the first of the two stays unused.

    Args:
        run_id: the run, as the error of the first try tells it.
        obtain: as at the beginning.
        vault: the vault that was given at the beginning.
        targets: the same targets again; not needed where all of them were named connections.
        revoke: as at the beginning.
        revoke_variable: as at the beginning.
        time_limit: seconds that a command may take, at most 3600.
        journal: the folder of the journals, as at the beginning.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: an argument is malformed; nothing was done.
        JournalMismatch: there is no such run, or it is not as it was written.
        RotationIncomplete: a step failed; ``step`` says which.
        RunBusy: another process works on this run.
    """
    steps = Steps(obtain=obtain, revoke=revoke, variable=revoke_variable, time_limit=time_limit)
    work = Rotator(blocking(), steps, targets=targets, vault=vault, journal=journal, config=config)
    return finish(work.again(run_id))


async def rotate_async(
    name: str,
    *,
    obtain: Callable[[], str | SecretStr] | Sequence[str],
    targets: Iterable[AsyncTarget],
    vault: AsyncStore,
    revoke: Callable[[SecretStr], object] | Sequence[str] | None = None,
    revoke_variable: str | None = None,
    accept_unverifiable: bool = False,
    time_limit: float = 60.0,
    dry_run: bool = False,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Rotation:
    """Get a new token, write it into every target, read it back, and then revoke the old one.

    Each step is journalled, and ``resume_rotation`` goes on where a kill or a failure ended it. The new token
    is kept in the vault before it is written anywhere, and the old one until it has been revoked.

    Args:
        name: the secret's name.
        obtain: gives the new token: a callable, or a command as a list of words, which runs without a shell
            and writes it to its standard output (one newline at the end is taken off).
        targets: where it is kept, as for ``update_everywhere``.
        vault: what keeps tokens meanwhile: a connection's name, a bridge or a provider.
        revoke: revokes an old token: a callable that gets it, or a command that gets it on its standard
            input, without a newline. It is called again where it is not certain that it was done, and once
            for each token where the targets held different ones.
        revoke_variable: the environment variable in which the command gets the old token instead.
        accept_unverifiable: consent to revoking the old token although a target never tells whether it has
            the new one (io.net, Appfarm).
        time_limit: seconds that a command may take, at most 3600.
        dry_run: check everything, look whether something is in the way at a target, and call nothing; the
            results are ``WouldUpdate`` and ``NotApplied``.
        journal: the folder of the journals; by default ``changes`` in the user's state folder.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: a target cannot hold a token, or an argument is malformed; nothing was done.
        RotationIncomplete: a step failed; ``step`` says which.
        SecretBridgeError: something is in the way at a target, such as that it has no such secret; or the
            old token could not be read, or the vault failed. No token was obtained.
    """
    steps = Steps(obtain=obtain, revoke=revoke, variable=revoke_variable, time_limit=time_limit)
    work = Rotator(asynchronous(), steps, targets=targets, vault=vault, journal=journal, config=config)
    return await work.first(name, accept_unverifiable=accept_unverifiable, dry_run=dry_run)


async def resume_rotation_async(
    run_id: str,
    *,
    obtain: Callable[[], str | SecretStr] | Sequence[str],
    vault: AsyncStore,
    targets: Iterable[AsyncTarget] | None = None,
    revoke: Callable[[SecretStr], object] | Sequence[str] | None = None,
    revoke_variable: str | None = None,
    time_limit: float = 60.0,
    journal: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Rotation:
    """Go on with a rotation that was broken off or did not come to its end.

    A token that was obtained and kept is not obtained again; one that was obtained at the very moment of a
    kill may be, and the first of the two stays unused.

    Args:
        run_id: the run, as the error of the first try tells it.
        obtain: as at the beginning.
        vault: the vault that was given at the beginning.
        targets: the same targets again; not needed where all of them were named connections.
        revoke: as at the beginning.
        revoke_variable: as at the beginning.
        time_limit: seconds that a command may take, at most 3600.
        journal: the folder of the journals, as at the beginning.
        config: the configuration file to use in place of all others.

    Raises:
        InvalidRequest: an argument is malformed; nothing was done.
        JournalMismatch: there is no such run, or it is not as it was written.
        RotationIncomplete: a step failed; ``step`` says which.
        RunBusy: another process works on this run.
    """
    steps = Steps(obtain=obtain, revoke=revoke, variable=revoke_variable, time_limit=time_limit)
    work = Rotator(asynchronous(), steps, targets=targets, vault=vault, journal=journal, config=config)
    return await work.again(run_id)
