"""update_everywhere(): one change in many places, blocking and asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from secretbridge._everywhere_job import Job, asynchronous, blocking, partial, resumed
from secretbridge._runtime import finish
from secretbridge._unset import UNSET, Unset

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pydantic import SecretStr

    from secretbridge._everywhere_results import EverywhereResult
    from secretbridge._everywhere_targets import AsyncStore, AsyncTarget, BlockingStore, BlockingTarget

__all__ = ["resume_everywhere", "resume_everywhere_async", "update_everywhere", "update_everywhere_async"]


def update_everywhere(
    name: str,
    *,
    targets: Iterable[BlockingTarget],
    new_name: str | Unset | None = UNSET,
    value: str | SecretStr | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    active: bool | Unset | None = UNSET,
    protected: bool | Unset | None = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    tool_name: str | Unset | None = UNSET,
    tool_arg: str | Unset | None = UNSET,
    default_for_tool: bool | Unset | None = UNSET,
    extra: Mapping[str, object] | Unset | None = UNSET,
    allow_one_way: bool = False,
    verify: bool = False,
    on_failure: Literal["keep", "restore"] = "keep",
    leave_out_unfit: bool = False,
    dry_run: bool = False,
    check: bool = True,
    config: str | os.PathLike[str] | None = None,
    vault: BlockingStore | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> EverywhereResult:
    """Change exactly the given fields of a secret in many stores, side by side.

    A field left out stays as it is, None clears it, a value sets it, as in ``update_secret``. All targets are
    checked first: where one of them cannot hold the change, nothing is sent anywhere. Then the failure of one
    stops no other.

    Args:
        name: the secret's name.
        targets: where: a connection's name as for ``connect``, a bridge of the same kind as this call, a
            provider, or a pair of one of these and the name that the secret bears there. Bridges stay open;
            what is opened here is closed here.
        new_name: the name it is to have.
        value: the new value.
        description: free text.
        active: whether the provider hands the value out.
        protected: whether the secret refuses changes.
        expires_at: when it ceases to be handed out; with a time zone.
        tool_name: the tool it is bound to (io.net).
        tool_arg: the tool's argument it fills (io.net).
        default_for_tool: whether the tool uses it by default (io.net).
        extra: further fields of providers from other packages.
        allow_one_way: consent to a change that a provider cannot take back.
        verify: read back what can be read. What reads back otherwise counts as not known.
        on_failure: ``"keep"`` leaves things as they are where not all targets could be changed.
            ``"restore"`` looks at every secret first and then puts the previous state back, as far as it
            could be read and nobody else has changed it meanwhile; the results say where it could not. The
            previous values are kept in memory alone.
        leave_out_unfit: leave a target out that cannot hold the change, instead of refusing.
        dry_run: check everything, look whether something is in the way, and send no change; the results are
            ``WouldUpdate`` and ``NotApplied``.
        check: raise PartialUpdate where not all targets were updated; False gives the results all the same.
        config: the configuration file to use in place of all others.
        vault: makes the run a journalled one, which ``resume_everywhere`` can go on with after a kill: the
            new and the previous values are kept in this vault (a connection's name, a bridge or a provider)
            until the change has been made everywhere.
        journal: the folder of the journal; by default ``changes`` in the user's state folder. It holds names
            and states, never a value.

    Returns:
        A result for each target.

    Raises:
        InvalidRequest: a target is unknown, is there twice or cannot hold the change, or an argument is
            malformed; nothing was sent. All that is wrong is told at once.
        PartialUpdate: not all targets were updated; ``results`` tells for each of them.
    """
    job = Job(
        blocking(),
        name,
        {
            "new_name": new_name,
            "value": value,
            "description": description,
            "active": active,
            "protected": protected,
            "expires_at": expires_at,
            "tool_name": tool_name,
            "tool_arg": tool_arg,
            "default_for_tool": default_for_tool,
            "extra": extra,
        },
        on_failure=on_failure,
        allow_one_way=allow_one_way,
        verify=verify,
        leave_out_unfit=leave_out_unfit,
        config=config,
        dry_run=dry_run,
    )
    try:
        result = finish(job.result(targets, vault=vault, journal=journal))
    finally:
        finish(job.close())
    error = partial(name, result) if check else None
    if error is not None:
        raise error
    return result


async def update_everywhere_async(
    name: str,
    *,
    targets: Iterable[AsyncTarget],
    new_name: str | Unset | None = UNSET,
    value: str | SecretStr | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    active: bool | Unset | None = UNSET,
    protected: bool | Unset | None = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    tool_name: str | Unset | None = UNSET,
    tool_arg: str | Unset | None = UNSET,
    default_for_tool: bool | Unset | None = UNSET,
    extra: Mapping[str, object] | Unset | None = UNSET,
    allow_one_way: bool = False,
    verify: bool = False,
    on_failure: Literal["keep", "restore"] = "keep",
    leave_out_unfit: bool = False,
    dry_run: bool = False,
    check: bool = True,
    config: str | os.PathLike[str] | None = None,
    vault: AsyncStore | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> EverywhereResult:
    """Change exactly the given fields of a secret in many stores, side by side.

    A field left out stays as it is, None clears it, a value sets it, as in ``update_secret``. All targets are
    checked first: where one of them cannot hold the change, nothing is sent anywhere. Then the failure of one
    stops no other.

    Args:
        name: the secret's name.
        targets: where: a connection's name as for ``connect``, a bridge of the same kind as this call, a
            provider, or a pair of one of these and the name that the secret bears there. Bridges stay open;
            what is opened here is closed here.
        new_name: the name it is to have.
        value: the new value.
        description: free text.
        active: whether the provider hands the value out.
        protected: whether the secret refuses changes.
        expires_at: when it ceases to be handed out; with a time zone.
        tool_name: the tool it is bound to (io.net).
        tool_arg: the tool's argument it fills (io.net).
        default_for_tool: whether the tool uses it by default (io.net).
        extra: further fields of providers from other packages.
        allow_one_way: consent to a change that a provider cannot take back.
        verify: read back what can be read. What reads back otherwise counts as not known.
        on_failure: ``"keep"`` leaves things as they are where not all targets could be changed.
            ``"restore"`` looks at every secret first and then puts the previous state back, as far as it
            could be read and nobody else has changed it meanwhile; the results say where it could not. The
            previous values are kept in memory alone.
        leave_out_unfit: leave a target out that cannot hold the change, instead of refusing.
        dry_run: check everything, look whether something is in the way, and send no change; the results are
            ``WouldUpdate`` and ``NotApplied``.
        check: raise PartialUpdate where not all targets were updated; False gives the results all the same.
        config: the configuration file to use in place of all others.
        vault: makes the run a journalled one, which ``resume_everywhere`` can go on with after a kill: the
            new and the previous values are kept in this vault (a connection's name, a bridge or a provider)
            until the change has been made everywhere.
        journal: the folder of the journal; by default ``changes`` in the user's state folder. It holds names
            and states, never a value.

    Returns:
        A result for each target.

    Raises:
        InvalidRequest: a target is unknown, is there twice or cannot hold the change, or an argument is
            malformed; nothing was sent. All that is wrong is told at once.
        PartialUpdate: not all targets were updated; ``results`` tells for each of them.
    """
    job = Job(
        asynchronous(),
        name,
        {
            "new_name": new_name,
            "value": value,
            "description": description,
            "active": active,
            "protected": protected,
            "expires_at": expires_at,
            "tool_name": tool_name,
            "tool_arg": tool_arg,
            "default_for_tool": default_for_tool,
            "extra": extra,
        },
        on_failure=on_failure,
        allow_one_way=allow_one_way,
        verify=verify,
        leave_out_unfit=leave_out_unfit,
        config=config,
        dry_run=dry_run,
    )
    try:
        result = await job.result(targets, vault=vault, journal=journal)
    finally:
        await job.close()
    error = partial(name, result) if check else None
    if error is not None:
        raise error
    return result


def resume_everywhere(
    run_id: str,
    *,
    vault: BlockingStore,
    targets: Iterable[BlockingTarget] | None = None,
    journal: str | os.PathLike[str] | None = None,
    check: bool = True,
    config: str | os.PathLike[str] | None = None,
) -> EverywhereResult:
    """Go on with a journalled change in many places that was broken off or is not complete.

    Every target whose outcome is not known is looked at first. The change is made only where it is not there
    and nobody else has changed the secret since the run began; where a store does not tell, the same change
    is sent again and the result says so. A run that is complete gives its results again.

    Args:
        run_id: the run, as in the results and in the note of what broke it off.
        vault: the vault that was given when the run began.
        targets: the same targets again; not needed where all of them were named connections.
        journal: the folder of the journal, as at the beginning.
        check: raise PartialUpdate where not all targets are updated.
        config: the configuration file to use in place of all others.

    Returns:
        A result for each target.

    Raises:
        InvalidRequest: a target or the vault is not as it must be; nothing was sent.
        JournalMismatch: there is no such run, it is not as it was written, or the targets are not its own.
        RunBusy: another process works on this run.
        PartialUpdate: not all targets are updated; ``results`` tells for each of them.
    """
    name, result = finish(
        resumed(blocking(), run_id, vault=vault, targets=targets, journal=journal, config=config)
    )
    error = partial(name, result) if check else None
    if error is not None:
        raise error
    return result


async def resume_everywhere_async(
    run_id: str,
    *,
    vault: AsyncStore,
    targets: Iterable[AsyncTarget] | None = None,
    journal: str | os.PathLike[str] | None = None,
    check: bool = True,
    config: str | os.PathLike[str] | None = None,
) -> EverywhereResult:
    """Go on with a journalled change in many places that was broken off or is not complete.

    Every target whose outcome is not known is looked at first. The change is made only where it is not there
    and nobody else has changed the secret since the run began; where a store does not tell, the same change
    is sent again and the result says so. A run that is complete gives its results again.

    Args:
        run_id: the run, as in the results and in the note of what broke it off.
        vault: the vault that was given when the run began.
        targets: the same targets again; not needed where all of them were named connections.
        journal: the folder of the journal, as at the beginning.
        check: raise PartialUpdate where not all targets are updated.
        config: the configuration file to use in place of all others.

    Returns:
        A result for each target.

    Raises:
        InvalidRequest: a target or the vault is not as it must be; nothing was sent.
        JournalMismatch: there is no such run, it is not as it was written, or the targets are not its own.
        RunBusy: another process works on this run.
        PartialUpdate: not all targets are updated; ``results`` tells for each of them.
    """
    name, result = await resumed(
        asynchronous(), run_id, vault=vault, targets=targets, journal=journal, config=config
    )
    error = partial(name, result) if check else None
    if error is not None:
        raise error
    return result
