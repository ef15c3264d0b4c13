"""What was announced and has no outcome: settled by looking at the target first, never by writing blindly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from secretbridge.errors import Conflict, SecretBridgeError
from secretbridge.migrate._same import differs, same_fields, withdrawn
from secretbridge.migrate._side import completed
from secretbridge.migrate._state import After, sentence
from secretbridge.migrate._verify import duplicate, verify
from secretbridge.migrate._window import outcome_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._models import Fields
    from secretbridge.migrate._side import Look
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["settle", "verify_again"]

_LOOK: Final = "Look at the target, then plan the migration anew."


async def settle(work: Work, items: Sequence[Item]) -> None:
    """Find out what became of writes that got no outcome, and write it down.

    What turns out not to have been written becomes pending, what was written done, with the ownership
    ``inferred``; what cannot be told stays unknown.
    """
    if not items or work.stopped:
        return
    target = work.target
    assert work.reader is not None  # noqa: S101 - undo has none, and comes not here
    if not target.reads:
        work.tell("waiting", seconds=work.options.settle_delay, reason="settling")
        await target.sleep(work.options.settle_delay)  # a listing may lag behind a write
    read = await work.reader.read([item.step for item in items])
    # Listed before the values are read: what the listing says must not be of a change that came after them.
    target.forget()
    marks = await target.snapshot(any(_rich(work, item) for item in items)) if target.reads else {}
    looks = await target.look_many([(item.step.target, _id(item)) for item in items])
    rows: list[list[Any]] = []
    again: list[tuple[Item, Fields]] = []
    for item, fields, look in zip(items, read, looks, strict=True):
        problem = next((one for one in (fields, look) if isinstance(one, SecretBridgeError)), None)
        if problem is not None:
            work.met(problem)
            rows.append(outcome_row(item, "unknown", error=sentence(problem)))
        else:
            sent: Fields = fields  # type: ignore[assignment]  # errors are gone
            seen: Look = look  # type: ignore[assignment]  # likewise
            row = await _settled(work, item, sent, completed(seen, marks.get(item.step.target)))
            if row is None:
                again.append((item, sent))
            else:
                rows.append(row)
    await work.log("outcome", rows)
    for item, fields in again:
        await _resend(work, item, fields)
    await verify_again(work, [item for item in items if item.state == "done"])


def _id(item: Item) -> str | None:
    return None if item.step.target_mark is None else item.step.target_mark.id


def _rich(work: Work, item: Item) -> bool:
    return not set(item.step.fields) <= work.target.of.get_tells


async def _settled(work: Work, item: Item, fields: Fields, look: Look) -> list[Any] | None:
    """Give the outcome that a look tells; None where only sending the same again could settle it."""
    if look.ids:
        return outcome_row(item, "unknown", error=sentence(duplicate(work, item, look.ids)))
    if item.step.action == "create":
        return _created(work, item, fields, look)
    if look.present is False:
        return outcome_row(item, "failed", error=sentence(_conflict(work, item, "is gone")))
    if look.value is not None and (_as_sent(work, fields, look) or _is_ours(work, item, look)):
        return _inferred(work, item, look)
    if _untouched(work, item, look) or await _is_old(work, item, look):
        return outcome_row(item, "pending")
    return None if look.value is None else _strange(work, item)


def _strange(work: Work, item: Item) -> list[Any]:
    problem = _conflict(work, item, "holds neither what was there nor what was sent")
    return outcome_row(item, "unknown", error=sentence(problem))


def _untouched(work: Work, item: Item, look: Look) -> bool:
    """Say whether the target's own mark of changes says that nothing has changed since the plan."""
    mark, seen = item.step.target_mark, look.secret
    if mark is None or seen is None or not work.target.steady:
        return False
    marked = seen.updated_at is not None or seen.version is not None
    return marked and not differs(mark, seen, steady=True)


def _as_sent(work: Work, fields: Fields, look: Look) -> bool:
    told = work.target.of.get_tells | work.target.of.list_tells
    return look.secret is not None and same_fields(fields, look.secret, told)


def _created(work: Work, item: Item, fields: Fields, look: Look) -> list[Any]:
    if look.present is None:
        return outcome_row(item, "unknown", error=sentence(_conflict(work, item, "cannot be seen")))
    if not look.present:
        return outcome_row(item, "pending")
    if look.value is None and look.secret is not None and withdrawn(item.step, fields, look.secret):
        return outcome_row(item, "unknown", error=sentence(_conflict(work, item, "is there and inactive")))
    if look.value is None or _as_sent(work, fields, look) or _is_ours(work, item, look):
        return _inferred(work, item, look)
    problem = _conflict(work, item, "is there and holds something else than was sent")
    return outcome_row(item, "unknown", error=sentence(problem))


def _is_ours(work: Work, item: Item, look: Look) -> bool:
    """Say whether the value is the one that was going to be sent, whatever the source holds by now."""
    if work.keep is None or not item.fingerprint or look.value is None:
        return False
    return work.keep.fingerprint(item.step.target, look.value) == item.fingerprint


def _inferred(work: Work, item: Item, look: Look) -> list[Any]:
    after = After.of(look.secret, steady=work.target.steady)
    guarantee = "checked" if work.target.reads else "best-effort"
    return outcome_row(item, "done", owner="inferred", guarantee=guarantee, after=after)


async def _is_old(work: Work, item: Item, look: Look) -> bool:
    """Say whether the target still holds what the plan saw, or what the vault kept before the write."""
    if work.as_planned(item, look):
        return True
    if work.keep is None or item.kept is None or look.value is None:
        return False
    kept = await work.keep.kept(work.run_id, item.n, item.kept)
    return kept is not None and kept["value"] == look.value


def _conflict(work: Work, item: Item, what: str) -> Conflict:
    of = work.target.of
    return Conflict(
        f"{item.step.target!r} {what} at {of.title}.", provider=of.provider, operation="update", advice=_LOOK
    )


async def _resend(work: Work, item: Item, fields: Fields) -> None:
    """Send the same value again where that is the declared policy and it is known to be the same."""
    target, step = work.target, item.step
    of = target.of
    problem = ""
    if not work.options.resend:
        problem = f"{of.title} does not tell whether the value arrived; resend=True sends the same again."
    elif item.fingerprint and work.keep is not None:
        value = fields["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # it has a fingerprint
        same = work.keep.fingerprint(step.target, value) == item.fingerprint
        if not same:
            problem = "The value at the source is another one by now, so it is not sent again."
    if problem:
        error = Conflict(problem, provider=of.provider, operation="update", applied=None)
        await work.log("outcome", [outcome_row(item, "unknown", error=sentence(error))])
        return
    known = _id(item)
    by_id = known is not None and of.addressed_by.get("update") == "id"
    row: list[Any]
    try:
        secret = await target.core.update(
            None if by_id else step.target,
            known if by_id else None,
            fields,
            if_version=None,
            allow_one_way=any(loss.kind == "one_way" for loss in step.losses),
            verify=False,
        )
    except SecretBridgeError as error:
        work.met(error)
        # The first one may have arrived even where the second was refused.
        row = outcome_row(item, "unknown", resent=True, error=sentence(error))
    else:
        after = After.of(secret, steady=target.steady)
        row = outcome_row(item, "done", owner="inferred", guarantee="best-effort", resent=True, after=after)
    await work.log("outcome", [row])


async def verify_again(work: Work, items: Sequence[Item]) -> None:
    """Verify what was written and not verified yet, or read back different."""
    assert work.reader is not None  # noqa: S101 - undo has none, and comes not here
    if not items:
        return
    if not work.target.reads:
        await verify(work, [(item, {}) for item in items])
        return
    read = await work.reader.read([item.step for item in items])
    pairs: list[tuple[Item, Fields]] = []
    for item, fields in zip(items, read, strict=True):
        if not isinstance(fields, SecretBridgeError):
            pairs.append((item, fields))
    await verify(work, pairs)
