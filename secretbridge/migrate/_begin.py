"""How a run is begun, taken up again and undone: ends opened, locks taken, the journal made or checked."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from secretbridge._runtime import AsyncRuntime, BlockingRuntime
from secretbridge.errors import InvalidRequest, JournalMismatch, Violation
from secretbridge.migrate._asked import ended
from secretbridge.migrate._before import refusal, stale, unobserved, unrestorable
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._keep import keeper
from secretbridge.migrate._moved import moved
from secretbridge.migrate._place import Locks, journal_folder, journal_path, lock_folder, sweep
from secretbridge.migrate._reach import identities_of, identity_of
from secretbridge.migrate._read import SourceReader
from secretbridge.migrate._restored import restored
from secretbridge.migrate._run import (
    Ending,
    begin_entry,
    carry_out,
    new_run_id,
    now,
    require_done,
    require_same_end,
    run_of,
    undo_all,
    who,
)
from secretbridge.migrate._side import Side
from secretbridge.migrate._state import Items, replay
from secretbridge.migrate._work import Work
from secretbridge.migrate._written import step_of, step_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
    from pathlib import Path

    from secretbridge._core import Core
    from secretbridge.migrate._asked import Asked
    from secretbridge.migrate._end import End
    from secretbridge.migrate._ends import Opened
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._observed import Observed
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._result import Run, RunState
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._tell import Teller

#: How a blocking function is run.
Call: TypeAlias = "Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]]"

__all__ = ["apply", "resume", "taken_up", "undo"]


@asynccontextmanager
async def _locked(
    call: Call, folder: Path, run_id: str, *, writes: Sequence[str], reads: Sequence[str]
) -> AsyncGenerator[None]:
    locks = Locks(folder, await call(partial(lock_folder, folder)))
    await call(partial(locks.take, run_id, writes=writes, reads=reads))
    try:
        yield
    finally:
        locks.release()


async def apply(plan: Plan, asked: Asked, ending: Ending, *, skip_refused: bool) -> Run:
    """Carry out a plan."""
    if wrong := plan.ends.misfits(waits=asked.waits):
        raise InvalidRequest(violations=wrong)
    if plan.refused and not skip_refused:
        raise refusal(plan.refused)
    vault_end = asked.vault or plan.ends.vault
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        opened = await enter(plan.ends.opened(plan.rules, waits=asked.waits))
        teller = stack.enter_context(asked.telling("run", opened.target.channel.runtime.now))
        opened = teller.watching(opened)
        target = opened.target
        vault = None if vault_end is None else await enter(vault_end.opened(waits=asked.waits))
        folder = await target.channel.call(partial(journal_folder, asked.journal))
        await target.channel.call(partial(sweep, folder))
        run_id = await target.channel.call(partial(new_run_id, folder))
        ends = await identities_of((opened.source, plan.source), (target, plan.target))
        writes = ends if ending.delete_source else ends[1:]
        await enter(_locked(target.channel.call, folder, run_id, writes=writes, reads=ends[:1]))
        if found := await moved(plan, opened.source, target):
            raise stale(found)
        keep = None if vault is None else await keeper(vault, make=True)
        warnings = [*plan.warnings, *unobserved(plan, target), *unrestorable(plan.steps, target, keep)]
        begin = begin_entry(run_id, _head(plan), ending, vault=keep is not None, warnings=warnings)
        begin["stores"] = ends
        key = None if keep is None else keep.seal_key(run_id)
        path = journal_path(folder, run_id)
        texts = map(step_text, plan.steps)
        journal = await target.channel.call(partial(Journal.create, path, begin, texts, key))
        stack.callback(journal.close)
        return await _run(
            journal,
            Items(plan.steps),
            asked=asked,
            ending=ending,
            opened=opened,
            keep=keep,
            teller=teller,
            observed=plan.observed,
        )


def _head(plan: Plan) -> dict[str, Any]:
    """Give the plan as its JSON has it, without the steps: the journal keeps those one by one."""
    head: dict[str, Any] = json.loads(replace(plan, steps=()).to_json())
    head["fingerprint"] = plan.fingerprint()
    return head


async def _run(
    journal: Journal,
    items: Sequence[Item],
    *,
    asked: Asked,
    ending: Ending,
    opened: Opened,
    keep: Keep | None,
    teller: Teller,
    observed: Observed | None = None,
) -> Run:
    source, target = Side(opened.source, asked.concurrency), Side(opened.target, asked.concurrency)
    work = Work(
        run_id=journal.begin["run"],
        journal=journal,
        items=items,
        target=target,
        source=source,
        reader=SourceReader(source, opened),
        keep=keep,
        options=asked.options,
        teller=teller,
        observed=observed,
    )
    state = await carry_out(work, ending)
    return _ended(work, state, asked, "resume")


def _ended(work: Work, state: RunState, asked: Asked, verb: str) -> Run:
    run = run_of(work.journal.path, work.journal.begin, work.items, state, now())
    if asked.check:
        require_done(run, work.stopped, verb)
    return run


@asynccontextmanager
async def taken_up(
    asked: Asked, run_id: str, call: Call, vault: Core | None, *, alone: bool
) -> AsyncGenerator[tuple[Journal, Sequence[Item], Keep | None]]:
    """Lock a run, open its journal and bring its items to where they stand.

    Raises:
        JournalMismatch: the journal is not as it was written, or the run's vault is wanting.
    """
    async with AsyncExitStack() as stack:
        folder = await call(partial(journal_folder, asked.journal))
        path = journal_path(folder, run_id)
        keep = None if vault is None else await keeper(vault, make=False)
        # Looked at before anything is locked: which stores there are stands in the journal itself.
        first = await call(partial(Journal.open, path))
        begin = first.begin
        await call(first.close)
        if "plan" not in begin:
            remedy = "migrate.runs() shows the migrations."
            raise JournalMismatch(f"The journal {path} is not one of a migration.", advice=remedy)
        ends: list[str] = begin["stores"]
        writes = ends[1:] if alone or not begin["delete_source"] else ends
        reads = [] if alone else ends[:1]
        await stack.enter_async_context(_locked(call, folder, run_id, writes=writes, reads=reads))
        if keep is not None and not begin["sealed"]:
            remedy = "Leave vault= out, if that is so."
            raise JournalMismatch(f"By its journal the run {run_id} began without a vault.", advice=remedy)
        if keep is None and begin["sealed"]:  # an entry without a seal would spoil the journal for good
            remedy = "Give vault= as at the beginning."
            raise JournalMismatch("This run keeps values in a vault, and none was given.", advice=remedy)
        key = None if keep is None else keep.seal_key(run_id)
        journal = await call(partial(Journal.open, path, key))
        stack.callback(journal.close)
        if begin["run"] != run_id:
            raise JournalMismatch(f"The journal {path} is of the run {begin['run']}.", advice="Give that id.")
        items = Items(step_of(json.loads(text)) for text in journal.steps())
        replay(items, journal.entries())
        yield journal, items, keep


async def resume(run_id: str, given: dict[str, Any], asked: Asked) -> Run:
    """Go on with a run.

    Args:
        run_id: its id.
        given: source, target, transform and values_from, as ``Plan.from_json`` takes them.
        asked: what else the caller asked for.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        call = (AsyncRuntime() if asked.waits else BlockingRuntime()).call
        vault = None if asked.vault is None else await enter(asked.vault.opened(waits=asked.waits))
        journal, items, keep = await enter(taken_up(asked, run_id, call, vault, alone=False))
        begin = journal.begin
        if any(entry.kind == "phase" for entry in journal.entries()):
            raise JournalMismatch(
                "This run is being undone.", advice=f"Go on with migrate.undo({run_id!r}, …)."
            )
        plan = _again(begin["plan"], given)
        if wrong := plan.ends.misfits(waits=asked.waits):
            raise InvalidRequest(violations=wrong)
        opened = await enter(plan.ends.opened(plan.rules, waits=asked.waits))
        require_same_end("source", begin, await identity_of(opened.source, plan.ends.source.info))
        require_same_end("target", begin, await identity_of(opened.target, plan.ends.target.info))
        teller = stack.enter_context(asked.telling("run", opened.target.channel.runtime.now))
        await call(partial(journal.append, "resumed", {"who": who(), "at": now()}))
        ending = Ending(
            delete_source=begin["delete_source"], accept_unverifiable=begin["accept_unverifiable"]
        )
        opened = teller.watching(opened)
        return await _run(journal, items, asked=asked, ending=ending, opened=opened, keep=keep, teller=teller)


def _end(argument: str, given: object, asked: Asked) -> End:
    wrong: list[Violation] = []
    end = ended(argument, given, wrong, waits=asked.waits)
    if end is None:
        raise InvalidRequest(
            violations=wrong or [Violation(argument, "is not given", "give a bridge or a provider")]
        )
    return end


def _again(head: dict[str, Any], given: dict[str, Any]) -> Plan:
    """Give the plan of a run with its ends.

    Raises:
        JournalMismatch: what was given does not belong to this run.
    """
    problem = ""
    try:
        return restored({**head, "steps": []}, **given, vault=None, by_identity=True)
    except InvalidRequest as error:
        problem = "; ".join(map(str, error.violations))
    raise JournalMismatch(
        f"What was given does not belong to this run: {problem}.",
        advice="Give what was given at the beginning; nothing was done.",
    )


async def undo(run_id: str, given: object, asked: Asked, accept: Collection[str]) -> Run:
    """Take a run back."""
    target = _end("target", given, asked)
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(target.opened(waits=asked.waits))
        vault = (
            None
            if asked.vault is None
            else await stack.enter_async_context(asked.vault.opened(waits=asked.waits))
        )
        journal, items, keep = await stack.enter_async_context(
            taken_up(asked, run_id, core.channel.call, vault, alone=True)
        )
        require_same_end("target", journal.begin, await identity_of(core, target.info))
        teller = stack.enter_context(asked.telling("undo", core.channel.runtime.now))
        core = teller.watched(core, "target")
        work = Work(
            run_id=run_id,
            journal=journal,
            items=items,
            target=Side(core, asked.concurrency),
            keep=keep,
            options=asked.options,
            teller=teller,
        )
        state = await undo_all(work, accept)
        return _ended(work, state, asked, "undo")
