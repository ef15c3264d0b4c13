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
    from secretbridge.migrate._side import Look
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["blocking", "delete_sources"]


def blocking(items: Sequence[Item], *, unverifiable: bool) -> list[Item]:
    """Give the items that keep every source from being deleted: what is not done and verified."""
    good = {"verified", "unverifiable"} if unverifiable else {"verified"}
    return [item for item in items if item.writes and not (item.state == "done" and item.verified in good)]


async def delete_sources(work: Work) -> None:
    """Delete at the source what this run has written to the target, in windows, each announced first."""
    wanted = [item for item in work.items if item.writes]
    waiting = [item for item in wanted if item.deletion != "done"]
    work.counts("delete", wanted, len(wanted) - len(waiting))
    for start in range(0, len(waiting), MOST):
        if work.stopped:
            return
        await _window(work, waiting[start : start + MOST])


async def _window(work: Work, items: Sequence[Item]) -> None:
    source, target = work.source, work.target
    assert source is not None  # noqa: S101 - undo has none, and comes not here
    await work.log("deleting", [[item.n] for item in items])
    target.forget()
    source.forget()
    rows: list[list[Any]] = []
    try:
        await source.each([_job(work, item, rows) for item in items])
    except BaseException:
        work.log_now("deleted", rows)
        raise
    await work.log("deleted", rows)
    for item in items:
        work.tell("deleted" if item.deletion == "done" else "failed", item)


async def _found(work: Work, item: Item) -> str | None:
    """Look at both ends; says why the source must stay, "" where it may go, None where it is gone."""
    source, target, step = work.source, work.target, item.step
    assert source is not None  # noqa: S101 - see above
    assert work.reader is not None  # noqa: S101 - likewise
    (there,) = await source.look_many([(step.source, step.source_mark.id)])
    if not isinstance(there, SecretBridgeError) and there.present is False:
        return None  # an earlier try got no answer, or somebody else did it
    # The values are compared even where they were the same already and only other fields were copied.
    (fields,) = await work.reader.read([replace(step, fields=tuple({"value", *step.fields}))])
    (arrived,) = await target.look_many([(step.target, item.after.id)])
    return _problem(work, item, (there, fields, arrived))


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


def _job(work: Work, item: Item, rows: list[list[Any]]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def run() -> None:
        source, step = work.source, item.step
        assert source is not None  # noqa: S101 - see above
        if work.stopped:
            rows.append([item.n, "failed", work.stopped])
            return
        why = await _found(work, item)
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
