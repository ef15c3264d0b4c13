"""Sync: a migration that is run again and does only what has changed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from secretbridge.errors import JournalMismatch, SecretBridgeError
from secretbridge.migrate._begin import apply, taken_up
from secretbridge.migrate._history import History, unmoved
from secretbridge.migrate._keep import keeper
from secretbridge.migrate._orphans import present_at
from secretbridge.migrate._place import journal_folder
from secretbridge.migrate._planning import ends_of, make, refuse
from secretbridge.migrate._reach import identities_of
from secretbridge.migrate._read import SourceReader
from secretbridge.migrate._result import Run
from secretbridge.migrate._rules import Rules
from secretbridge.migrate._run import Ending, now, require_done, who
from secretbridge.migrate._side import MOST, Side
from secretbridge.migrate._state import Items, sentence
from secretbridge.migrate._undo import take_back
from secretbridge.migrate._work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from secretbridge._core import Core
    from secretbridge.errors import Violation
    from secretbridge.migrate._asked import Asked
    from secretbridge.migrate._ends import Ends
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._result import Outcome
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._types import Step

__all__ = ["sync"]


async def sync(
    given: Mapping[str, Any], rules: Mapping[str, Any], asked: Asked, *, skip_refused: bool, prune: bool
) -> Run:
    """Plan with what earlier runs know, apply, and prune.

    Args:
        given: source, target, rules and values_from, as ``migrate.plan()`` takes them.
        rules: the single rules.
        asked: what else the caller asked for.
        skip_refused: leave behind what the plan refuses.
        prune: delete what earlier runs created and the source has no more.
    """
    wrong: list[Violation] = []
    ends = ends_of(
        wrong, given["source"], given["target"], given["values_from"], asked.vault_given, waits=asked.waits
    )
    refuse(wrong)
    assert ends is not None  # noqa: S101 - for the type checker: refused above
    whole = Rules.of(given["rules"], **rules)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(ends.source.opened(waits=asked.waits))
        keep: Keep | None = None
        if ends.vault is not None:
            keep = await keeper(
                await stack.enter_async_context(ends.vault.opened(waits=asked.waits)), make=True
            )
        folder = await source.channel.call(partial(journal_folder, asked.journal))
        transform = whole.document()["transform"]
        async with ends.target.opened(waits=asked.waits) as target:
            stores = await identities_of((source, ends.source.info), (target, ends.target.info))
        read = partial(History, folder, stores, transform=transform, keep=keep)
        history = await source.channel.call(read)
        # Where values come from elsewhere, the stores' own marks say nothing about them.
        known = history.known if ends.values is None else None
        plan = await _plan(given, whole, asked, known)
        plan = replace(plan, steps=await _without_the_same(plan, history, keep, asked))
        writes = any(step.action in {"create", "update"} for step in plan.steps)
        if writes or plan.refused:
            run = await apply(plan, replace(asked, check=False), Ending(), skip_refused=skip_refused)
        else:
            run = _nothing(plan, folder)
        if prune:  # pragma: no branch - Python 3.11 tells the way past it as one into it
            present, wanted = await present_at(source, plan)
            run = replace(run, pruned=await _pruned(history.orphans(present, wanted), ends, asked))
    if asked.check:
        require_done(run, "", "resume")
    return run


async def _plan(given: Mapping[str, Any], rules: Rules, asked: Asked, known: Any) -> Plan:  # noqa: ANN401 - as Frame has it
    return await make(
        given["source"],
        given["target"],
        rules,
        {},
        given["values_from"],
        asked.vault_given,
        waits=asked.waits,
        known=known,
        progress=asked.progress,
    )


async def _without_the_same(
    plan: Plan, history: History, keep: Keep | None, asked: Asked
) -> tuple[Step, ...]:
    """Leave out the updates of what the target never tells, where the last run sent this very value."""
    if keep is None or plan.ends.target.capabilities.reads_values:
        return plan.steps
    wanted: list[tuple[Step, Item]] = []
    for step in plan.steps:
        item = history.written(step.target) if step.action == "update" and step.equal is None else None
        if item is None or not item.fingerprint or step.target_mark is None:
            continue
        lists = "list" in plan.ends.target.capabilities.operations
        if not lists or unmoved(item, step.target_mark) is True:
            wanted.append((step, item))
    same: set[str] = set()
    if wanted:
        async with plan.ends.opened(plan.rules, waits=asked.waits) as opened:
            read = await SourceReader(Side(opened.source), opened).read([step for step, _ in wanted])
        same = {
            step.target
            for (step, item), fields in zip(wanted, read, strict=True)
            if not isinstance(fields, SecretBridgeError)
            and keep.fingerprint(
                step.target,
                fields["value"],  # pyright: ignore[reportTypedDictNotRequiredAccess]  # these steps send it
            )
            == item.fingerprint
        }
    return tuple(
        replace(step, action="skip", reason="same", fields=(), losses=()) if step.target in same else step
        for step in plan.steps
    )


def _nothing(plan: Plan, folder: Path) -> Run:
    """Give the run of a sync that had nothing to do; it leaves no journal."""
    moment = now()
    return Run(
        id="",
        plan=plan.fingerprint(),
        state="done",
        who=who(),
        started_at=moment,
        finished_at=moment,
        journal=folder,
        source=str(plan.source),
        target=str(plan.target),
        warnings=plan.warnings,
        outcomes=tuple(item.outcome() for item in Items(plan.steps)),
    )


async def _pruned(orphans: Mapping[str, Sequence[Item]], ends: Ends, asked: Asked) -> tuple[Outcome, ...]:
    """Take back what is left of earlier runs, in the journals of those runs."""
    found: list[Outcome] = []
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(ends.target.opened(waits=asked.waits))
        vault = None
        if ends.vault is not None:
            vault = await stack.enter_async_context(ends.vault.opened(waits=asked.waits))
        for run_id, orphaned in orphans.items():
            try:
                found += await _run_pruned(run_id, [item.n for item in orphaned], core, vault, asked)
            except JournalMismatch as error:  # it was begun with another vault, for one: nothing was touched
                found += [replace(item.outcome(), error=sentence(error)) for item in orphaned]
    return tuple(found)


async def _run_pruned(
    run_id: str, numbers: Sequence[int], core: Core, vault: Core | None, asked: Asked
) -> list[Outcome]:
    async with taken_up(asked, run_id, core.channel.call, vault, alone=True) as (journal, items, keep):
        target = Side(core, asked.concurrency)
        work = Work(run_id=run_id, journal=journal, items=items, target=target, keep=keep)
        for start in range(0, len(numbers), MOST):
            await take_back(work, [items[n] for n in numbers[start : start + MOST]], ())
        return [items[n].outcome() for n in numbers]
