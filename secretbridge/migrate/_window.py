"""One window of a run: keep, announce, read, look, write, write down, verify; in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge._models import Write
from secretbridge.errors import Conflict, InvalidRequest, SecretBridgeError
from secretbridge.migrate._same import differs, marked
from secretbridge.migrate._state import After, sentence
from secretbridge.migrate._verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from secretbridge._models import Fields, Secret
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._side import Look
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["carry_out_window", "outcome_row"]

_PLAN_ANEW: Final = "Plan the migration anew."


class _Task(NamedTuple):
    """A secret that is going to be written: its item, what was seen of it before, and what is written.

    ``checked`` says whether the look just before the write was compared with an earlier one.
    """

    item: Item
    before: Look | None
    fields: Fields
    checked: bool = False


def outcome_row(
    item: Item,
    state: str,
    *,
    owner: str | None = None,
    guarantee: str | None = None,
    resent: bool = False,
    after: After = After(),  # noqa: B008 - frozen
    error: str | None = None,
) -> list[Any]:
    """Give the row of an "outcome" entry."""
    return [item.n, state, owner, guarantee, resent, after.row(), error]


async def carry_out_window(work: Work, items: Sequence[Item]) -> None:
    """Carry out some pending items; their outcomes are in the journal when this returns."""
    work.again.difference_update(item.n for item in items)
    before, places, begun = await _kept(work, items)
    hidden = {n for n, look in before.items() if look.value is None}
    # With a vault the next entry waits for the disk: nothing is written at the target before that.
    await work.log(
        "intended",
        [[item.n, places.get(item.n), item.n in hidden] for item in begun],
        waits=work.keep is None,
    )
    for item in begun:
        work.tell("intended", item)
    assert work.reader is not None  # noqa: S101 - undo has none, and comes not here
    read = await work.reader.read([item.step for item in begun])
    tasks: list[_Task] = []
    rows: list[list[Any]] = []
    for item, fields in zip(begun, read, strict=True):
        if isinstance(fields, SecretBridgeError):
            rows.append(_failed(work, item, fields, applied=False))
        else:
            tasks.append(_Task(item, before.get(item.n), fields))
    if work.keep is not None:
        keep = work.keep
        await work.log("read", [[task.item.n, _fingerprint(keep, task)] for task in tasks])
    try:
        if work.target.bulk:
            await _write_together(work, tasks, rows)
        elif work.target.together:
            await _change_together(work, tasks, rows)
        else:
            await _write_each(work, tasks, rows)
    except BaseException:
        work.log_now("outcome", rows)  # what is known by now; the rest is settled by looking
        raise
    await work.log("outcome", rows)
    for item in begun:
        if item.state == "done":
            item.fingerprint = ""  # the journal has it: only what is not settled is looked for by it
        work.tell("written" if item.state == "done" else "failed", item)
    await verify(work, [(task.item, task.fields) for task in tasks if task.item.state == "done"])


def _fingerprint(keep: Keep, task: _Task) -> str:
    """Give a fingerprint of what is going to be written; "" where that is no value."""
    value = task.fields.get("value")
    return "" if value is None else keep.fingerprint(task.item.step.target, value)


def _failed(work: Work, item: Item, error: SecretBridgeError, *, applied: bool | None) -> list[Any]:
    """Give the outcome of what went wrong; True is for a change that was made before the failure."""
    work.met(error)
    work.failed()
    if error.transient and applied is False:
        work.again.add(item.n)
    state = {True: "done", False: "failed", None: "unknown"}[applied]
    owner = "recorded" if applied else None
    return outcome_row(
        item, state, owner=owner, guarantee="best-effort" if applied else None, error=sentence(error)
    )


async def _kept(work: Work, items: Sequence[Item]) -> tuple[dict[int, Look], dict[int, int], list[Item]]:
    """Keep what is going to be changed; give what was seen, where it is kept, and what can go on."""
    target, keep = work.target, work.keep
    wanted = (
        [item for item in items if item.step.action == "update"] if keep is not None and target.reads else []
    )
    if keep is None or not wanted:
        return {}, {}, list(items)
    fields = {name for item in wanted for name in item.step.fields}
    target.forget()
    looks = await target.look_many(
        [(item.step.target, None) for item in wanted], metadata=not fields <= target.of.get_tells
    )
    before: dict[int, Look] = {}
    rows: list[list[Any]] = []
    for item, look in zip(wanted, looks, strict=True):
        problem = look if isinstance(look, SecretBridgeError) else _moved(work, item, look)
        if problem is not None:
            rows.append(_failed(work, item, problem, applied=False))
        elif not isinstance(look, SecretBridgeError):  # pragma: no branch - else it is the problem
            before[item.n] = look
    told = [(n, look.secret) for n, look in before.items() if look.secret is not None]
    places: dict[int, int] = {}
    try:
        places = await keep.keep(work.run_id, told, work.place)
        work.place = 1 + max(places.values(), default=work.place - 1)
    except SecretBridgeError as error:
        rows += [_failed(work, item, error, applied=False) for item in wanted if item.n in before]
        before = {}
    await work.log("outcome", rows)
    gone = {row[0] for row in rows}
    return before, places, [item for item in items if item.n not in gone]


def _moved(work: Work, item: Item, look: Look, before: Look | None = None) -> SecretBridgeError | None:
    """Say in which way a secret is not as the plan, or the look before, saw it."""
    mark, title = item.step.target_mark, work.target.of.title
    text = ""
    if look.present is None:
        return None
    if look.ids:
        text = f"{title} has {len(look.ids)} secrets named {item.step.target!r}"
    elif mark is None:
        text = f"{title} has a secret named {item.step.target!r} by now" if look.present else ""
    elif look.secret is None:
        text = f"{title} has no secret named {item.step.target!r} any more"
    elif differs(mark, look.secret, steady=work.target.steady) or work.as_planned(item, look) is False:
        text = f"{item.step.target!r} has changed at {title} since the plan was made"
    elif before is not None and before.value != look.value:
        text = f"{item.step.target!r} has changed at {title} a moment ago"
    if not text:
        return None
    return Conflict(f"{text}.", provider=work.target.of.provider, operation="update", advice=_PLAN_ANEW)


async def _write_each(work: Work, tasks: Sequence[_Task], rows: list[list[Any]]) -> None:
    """Write one by one, side by side as the target allows."""

    def job(task: _Task) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            if work.stopped:
                rows.append(outcome_row(task.item, "pending", error=work.stopped))
            else:
                rows.append(await _write(work, task))
                work.tell("tried", task.item)

        return run

    await work.target.prepare()
    await work.target.each([job(task) for task in tasks])


async def _write(work: Work, task: _Task) -> list[Any]:
    """Look, and write what is still as it was; gives the outcome."""
    item, target = task.item, work.target
    step, mark = item.step, item.step.target_mark
    known = mark.id if mark is not None else None
    atomic = _atomic(work, task)
    # Where no two secrets bear one name, the create itself refuses a name that is taken.
    refuses = atomic or (step.action == "create" and target.unique)
    checked = target.reads
    try:
        if not refuses:
            look = await target.look(step.target, known)
            problem = _moved(work, item, look, task.before)
            checked = _compared(work, task, look)
            if problem is not None:
                return _failed(work, item, problem, applied=False)
        consent = _consents(task)
        if step.action == "create":
            secret = await target.core.create(step.target, task.fields, allow_one_way=consent)
        else:
            by_id = known is not None and target.of.addressed_by.get("update") == "id"
            secret = await target.core.update(
                None if by_id else step.target,
                known if by_id else None,
                task.fields,
                if_version=mark.version if atomic and mark is not None else None,
                allow_one_way=consent,
                verify=False,
            )
    except SecretBridgeError as error:
        return _failed(work, item, error, applied=error.applied)
    work.met(None)
    guarantee = "atomic" if atomic else "checked" if checked else "best-effort"
    after = After.of(secret, steady=target.steady)
    return outcome_row(item, "done", owner="recorded", guarantee=guarantee, after=after)


def _compared(work: Work, task: _Task, look: Look) -> bool:
    """Say whether a look just before a write shows all that could have changed since an earlier one."""
    mark = task.item.step.target_mark
    if not work.target.reads or mark is None:
        return work.target.reads
    if work.as_planned(task.item, look) or (task.before is not None and task.before.value is not None):
        return True
    return look.secret is not None and marked(mark, look.secret, steady=work.target.steady)


async def _change_together(work: Work, tasks: Sequence[_Task], rows: list[list[Any]]) -> None:
    """Write in one transaction, where the store itself refuses what is not as it was."""
    together: list[_Task] = []
    apart: list[_Task] = []
    for task in tasks:
        (together if _joins(work, task) else apart).append(task)
    # One after the other where what follows a failure has to stay undone.
    if len(together) < 2 or work.stopped or work.options.stop_on_error:  # noqa: PLR2004 - one is not many
        await _write_each(work, tasks, rows)
        return
    writes = [
        Write(
            name=task.item.step.target,
            fields=task.fields,
            creates=task.item.step.action == "create",
            if_version=None if task.item.step.target_mark is None else task.item.step.target_mark.version,
        )
        for task in together
    ]
    problem: SecretBridgeError | None = None
    told: Sequence[Secret | SecretBridgeError] = ()
    try:
        told = await work.target.core.change_many(writes, allow_one_way=False)
    except SecretBridgeError as error:
        problem = error
    if problem is None:
        rows += [_told(work, task, one) for task, one in zip(together, told, strict=True)]
    elif problem.applied is False and not problem.transient:
        apart = [*tasks]  # one by one it shows which of them it is
    else:
        rows += [_failed(work, task.item, problem, applied=problem.applied) for task in together]
    await _write_each(work, apart, rows)


def _atomic(work: Work, task: _Task) -> bool:
    """Say whether the store itself refuses this write where somebody else was faster."""
    mark = task.item.step.target_mark
    return work.target.of.compare_and_set and (mark is None or mark.version is not None)


def _joins(work: Work, task: _Task) -> bool:
    """Say whether a write can be one of many: consent to a loss is given for each by itself."""
    return _atomic(work, task) and not _consents(task)


def _consents(task: _Task) -> bool:
    """Say whether the plan consented to what the target cannot take back."""
    return any(loss.kind == "one_way" for loss in task.item.step.losses)


def _told(work: Work, task: _Task, told: Secret | SecretBridgeError) -> list[Any]:
    """Give the outcome of one of many."""
    if isinstance(told, SecretBridgeError):
        return _failed(work, task.item, told, applied=told.applied)
    work.met(None)
    after = After.of(told, steady=work.target.steady)
    return outcome_row(task.item, "done", owner="recorded", guarantee="atomic", after=after)


async def _write_together(work: Work, tasks: Sequence[_Task], rows: list[list[Any]]) -> None:
    """Look at all, and write together what is still as it was."""
    looks = await work.target.look_many([(task.item.step.target, None) for task in tasks])
    fit: list[_Task] = []
    for task, look in zip(tasks, looks, strict=True):
        if isinstance(look, SecretBridgeError):
            rows.append(_failed(work, task.item, look, applied=False))
        elif (problem := _moved(work, task.item, look, task.before)) is not None:
            rows.append(_failed(work, task.item, problem, applied=False))
        else:
            fit.append(task._replace(checked=_compared(work, task, look)))
    await _halves(work, fit, rows)


async def _halves(work: Work, tasks: Sequence[_Task], rows: list[list[Any]]) -> None:
    """Write all, or where something among them is refused each half for itself."""
    if not tasks:
        return
    if work.stopped:
        rows += [outcome_row(task.item, "pending", error=work.stopped) for task in tasks]
        return
    problem: SecretBridgeError | None = None
    try:
        # Where many are written together, a value is all that is written of each.
        writes = [
            (task.item.step.target, task.fields["value"])  # pyright: ignore[reportTypedDictNotRequiredAccess]
            for task in tasks
        ]
        await work.target.write_many(writes)
    except SecretBridgeError as error:
        problem = error
    if problem is None:
        work.met(None)
        rows += [
            outcome_row(
                task.item,
                "done",
                owner="recorded",
                guarantee="checked" if task.checked else "best-effort",
            )
            for task in tasks
        ]
    elif isinstance(problem, InvalidRequest) and len(tasks) > 1:
        middle = len(tasks) // 2
        await _halves(work, tasks[:middle], rows)
        await _halves(work, tasks[middle:], rows)
    else:
        rows += [_failed(work, task.item, problem, applied=problem.applied) for task in tasks]
