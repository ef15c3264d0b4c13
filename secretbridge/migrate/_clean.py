"""Deleting at the source what has been migrated: after all of it was verified, each looked at once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from secretbridge.errors import SecretBridgeError
from secretbridge.migrate._same import differs, withdrawn
from secretbridge.migrate._side import MOST
from secretbridge.migrate._state import sentence
from secretbridge.migrate._undo import still_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from secretbridge._models import Fields
    from secretbridge.migrate._side import Look, Side
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["blocking", "delete_sources"]


def blocking(items: Sequence[Item], *, unverifiable: bool) -> list[Item]:
    """Give the items that keep every source from being deleted: what is not done and verified."""
    good = {"verified", "unverifiable"} if unverifiable else {"verified"}
    return [item for item in items if item.writes and not (item.state == "done" and item.verified in good)]


async def delete_sources(work: Work) -> None:
    """Delete at the source what this run has written to the target, in windows, each announced first."""
    source = work.source
    assert source is not None  # noqa: S101 - undo has none, and comes not here
    wanted = [item for item in work.items if item.writes]
    waiting = [item for item in wanted if item.deletion != "done"]
    work.counts("delete", wanted, len(wanted) - len(waiting))
    # Each is to be looked at just before: where a look is a request of its own, many of them take minutes.
    size = source.window if source.bulk and work.target.reads_together else MOST
    for start in range(0, len(waiting), size):
        if work.stopped:
            return
        await _window(work, source, waiting[start : start + size])


async def _window(work: Work, source: Side, items: Sequence[Item]) -> None:
    await work.log("deleting", [[item.n] for item in items])
    work.target.forget()
    source.forget()
    rows: list[list[Any]] = []
    try:
        if source.bulk:  # a file is rewritten whole: once for all of them
            await _together(work, source, items, rows)
        else:
            await source.each([_job(work, source, item, rows) for item in items])
    except BaseException:
        work.log_now("deleted", rows)
        raise
    await work.log("deleted", rows)
    for item in items:
        work.tell("deleted" if item.deletion == "done" else "failed", item)


async def _found(work: Work, source: Side, items: Sequence[Item]) -> list[str | None]:
    """Look at both ends; says why a source must stay, "" where it may go, None where it is gone."""
    assert work.reader is not None  # noqa: S101 - undo has none, and comes not here
    there = await source.look_many([(item.step.source, item.step.source_mark.id) for item in items])
    gone = [not isinstance(look, SecretBridgeError) and look.present is False for look in there]
    # What is gone needs no second look: an earlier try got no answer, or somebody else did it.
    left = [item for item, absent in zip(items, gone, strict=True) if not absent]
    arrived = await work.target.look_many([(item.step.target, item.after.id) for item in left])
    # The values are compared even where they were the same already and only other fields were copied; and
    # last of all, for looking at many may take minutes and what changes at the source stands nowhere else.
    read = await work.reader.read(
        [replace(item.step, fields=tuple({"value", *item.step.fields})) for item in left]
    )
    seen = iter(zip(left, read, arrived, strict=True))
    why: list[str | None] = []
    for look, absent in zip(there, gone, strict=True):
        if absent:
            why.append(None)
        else:
            item, fields, at_target = next(seen)
            why.append(_problem(work, item, (look, fields, at_target)))
    return why


async def _together(work: Work, source: Side, items: Sequence[Item], rows: list[list[Any]]) -> None:
    """Delete all that may go in one writing, where values are all there is."""
    going: list[Item] = []
    for item, why in zip(items, await _found(work, source, items), strict=True):
        if why is None or why:
            rows.append([item.n, "failed" if why else "done", why])
        else:
            going.append(item)
    if not going:
        return
    problem: SecretBridgeError | None = None
    try:
        await source.write_many([(item.step.source, None) for item in going])
    except SecretBridgeError as error:
        problem = error
    work.met(problem)
    state, why = ("done", None) if problem is None else ("failed", sentence(problem))
    rows += [[item.n, state, why] for item in going]


def _problem(work: Work, item: Item, seen: tuple[object, Fields | SecretBridgeError, object]) -> str:
    """Say why this source must stay; "" where it may go."""
    for one in seen:
        if isinstance(one, SecretBridgeError):
            return sentence(one)
    left: Look = seen[0]  # type: ignore[assignment]  # errors are gone
    arrived: Look = seen[2]  # type: ignore[assignment]  # likewise
    fields: Fields = seen[1]  # type: ignore[assignment]  # likewise
    source = work.source
    if (
        source is not None
        and left.secret is not None
        and differs(item.step.source_mark, left.secret, steady=source.steady)
    ):
        return "The source has changed since it was copied; it is kept."
    if arrived.value is not None and "value" in fields:
        return (
            ""
            if arrived.value == fields["value"]
            else "The target holds another value by now; the source is kept."
        )
    gone = arrived.secret is not None and withdrawn(item.step, fields, arrived.secret)
    if gone or arrived.present is False or still_ours(work, item, arrived) is False:
        return "The target is not as this run left it; the source is kept."
    return ""


def _job(
    work: Work, source: Side, item: Item, rows: list[list[Any]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def run() -> None:
        step = item.step
        if work.stopped:
            rows.append([item.n, "failed", work.stopped])
            return
        (why,) = await _found(work, source, [item])
        if why is None or why:
            rows.append([item.n, "failed" if why else "done", why])
            return
        by_id = source.of.addressed_by.get("delete") == "id" and step.source_mark.id is not None
        problem: SecretBridgeError | None = None
        try:
            await source.core.delete(
                None if by_id else step.source, step.source_mark.id if by_id else None, missing_ok=True
            )
        except SecretBridgeError as error:
            problem = error
        work.met(problem)
        rows.append([item.n, "done" if problem is None else "failed", problem and sentence(problem)])

    return run
