"""Deleting at the source what has been migrated: after all of it was verified, each looked at once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from secretbridge.errors import SecretBridgeError
from secretbridge.migrate._same import withdrawn
from secretbridge.migrate._side import MOST
from secretbridge.migrate._state import sentence
from secretbridge.migrate._undo import still_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence

    from secretbridge._models import Fields
    from secretbridge.migrate._side import Look, Side
    from secretbridge.migrate._state import Deletion, Item
    from secretbridge.migrate._work import Work

__all__ = ["blocking", "delete_sources"]


def blocking(items: Sequence[Item], *, unverifiable: bool) -> list[Item]:
    """Give the items that keep every source from being deleted: what is not done and verified.

    An error of an earlier try to delete does not count.
    """
    good = {"verified", "unverifiable"} if unverifiable else {"verified"}

    def settled(item: Item) -> bool:
        fine = item.error is None or item.deletion != ""
        return item.state == "done" and item.verified in good and fine

    return [item for item in items if item.writes and not settled(item)]


async def delete_sources(work: Work) -> None:
    """Delete at the source what this run has written to the target, in windows, each announced first."""
    source = work.source
    assert source is not None  # noqa: S101 - undo has none, and comes not here
    wanted = [item for item in work.items if item.writes]
    waiting = [item for item in wanted if item.deletion != "done"]
    work.counts("delete", len(wanted), len(wanted) - len(waiting))
    # Each is to be looked at just before: where a look is a request of its own, many of them take minutes.
    size = source.window if source.bulk and work.target.reads_together else MOST
    for start in range(0, len(waiting), size):
        if work.stopped:
            return
        await _window(work, source, waiting[start : start + size])


async def _window(work: Work, source: Side, items: Sequence[Item]) -> None:
    begun = {item.n for item in items if item.deletion == "intended"}
    await work.log("deleting", [[item.n] for item in items])
    work.target.forget()
    source.forget()
    rows: list[list[Any]] = []
    try:
        if source.bulk:  # a file is rewritten whole: once for all of them
            await _together(work, source, items, begun, rows)
        else:
            await source.each([_job(work, source, item, begun, rows) for item in items])
    except BaseException:
        work.log_now("deleted", rows)
        raise
    await work.log("deleted", rows)
    for item in items:
        work.tell("deleted" if item.deletion == "done" else "failed", item)


async def _settled(
    work: Work, source: Side, items: Sequence[Item], begun: Collection[int]
) -> list[tuple[Deletion, str | None] | None]:
    """Look at both ends; says where a source stands that is gone or must stay, None where it may go.

    Args:
        work: the run.
        source: its source.
        items: what is to be deleted there.
        begun: the numbers of those that an earlier try may have deleted already.
    """
    assert work.reader is not None  # noqa: S101 - undo has none, and comes not here
    there = await source.look_many([(item.step.source, item.step.source_mark.id) for item in items])
    # What is gone needs no second look: an earlier try got no answer, or somebody else did it.
    early = [_early(work, source, item, look, begun) for item, look in zip(items, there, strict=True)]
    left = [item for item, known in zip(items, early, strict=True) if known is None]
    arrived = await work.target.look_many([(item.step.target, item.after.id) for item in left])
    # The values are compared even where they were the same already and only other fields were copied; and
    # last of all, for looking at many may take minutes and what changes at the source stands nowhere else.
    read = await work.reader.read(
        [replace(item.step, fields=tuple({"value", *item.step.fields})) for item in left]
    )
    seen = iter(zip(left, read, arrived, strict=True))
    settled: list[tuple[Deletion, str | None] | None] = []
    for known in early:
        if known is None:
            item, fields, at_target = next(seen)
            why = _problem(work, item, fields, at_target)
            settled.append(("failed", why) if why else None)
        else:
            settled.append(known)
    return settled


def _early(
    work: Work, source: Side, item: Item, look: Look | SecretBridgeError, begun: Collection[int]
) -> tuple[Deletion, str | None] | None:
    """Say where a source stands, as far as a look at it alone tells."""
    if isinstance(look, SecretBridgeError):
        work.met(look)
        # Of what was begun it stays open whether it was done.
        return "intended" if item.n in begun else "failed", sentence(look)
    if look.present is False or (item.n in begun and _as_deleted(source, item, look)):
        return "done", None
    return None


def _as_deleted(source: Side, item: Item, look: Look) -> bool:
    """Say whether a secret that this run was deleting is as the deletion leaves it: listed and inactive.

    Somebody who only deactivates it leaves the same row, so that the two cannot be told apart; where it is
    another row, or anything else of it has changed, somebody else was there.
    """
    mark, seen = item.step.source_mark, look.secret
    if not source.soft or seen is None or seen.active is not False:
        return False
    same = (mark.id, mark.expires_at, bool(mark.protected))
    return (seen.id, seen.expires_at, bool(seen.protected)) == same


async def _together(
    work: Work, source: Side, items: Sequence[Item], begun: Collection[int], rows: list[list[Any]]
) -> None:
    """Delete all that may go in one writing, where values are all there is."""
    going: list[Item] = []
    for item, settled in zip(items, await _settled(work, source, items, begun), strict=True):
        if settled is None:
            going.append(item)
        else:
            rows.append([item.n, *settled])
    if not going:
        return
    problem: SecretBridgeError | None = None
    try:
        await source.write_many([(item.step.source, None) for item in going])
    except SecretBridgeError as error:
        problem = error
    work.met(problem)
    rows += [[item.n, *_after(problem)] for item in going]


def _after(problem: SecretBridgeError | None) -> tuple[Deletion, str | None]:
    """Say where a source stands after a deletion: open, where it is not known whether that was done."""
    if problem is None:
        return "done", None
    return "intended" if problem.applied is None else "failed", sentence(problem)


def _problem(work: Work, item: Item, fields: Fields | SecretBridgeError, arrived: object) -> str:
    """Say why this source must stay; "" where it may go. A source that has changed was not read."""
    for one in (fields, arrived):
        if isinstance(one, SecretBridgeError):
            work.met(one)
            return sentence(one)
    there: Look = arrived  # type: ignore[assignment]  # errors are gone
    read: Fields = fields  # type: ignore[assignment]  # likewise
    if there.value is not None and "value" in read:
        return (
            ""
            if there.value == read["value"]
            else "The target holds another value by now; the source is kept."
        )
    gone = there.secret is not None and withdrawn(item.step, read, there.secret)
    if gone or there.present is False or still_ours(work, item, there) is False:
        return "The target is not as this run left it; the source is kept."
    return ""


def _job(
    work: Work, source: Side, item: Item, begun: Collection[int], rows: list[list[Any]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def run() -> None:
        step = item.step
        if work.stopped:
            rows.append([item.n, "intended" if item.n in begun else "failed", work.stopped])
            return
        (settled,) = await _settled(work, source, [item], begun)
        if settled is not None:
            rows.append([item.n, *settled])
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
        rows.append([item.n, *_after(problem)])

    return run
