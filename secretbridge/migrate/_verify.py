"""What was written is read back: as sent, different, or not to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge.errors import SecretBridgeError, SecretExists
from secretbridge.migrate._same import same_fields, withdrawn
from secretbridge.migrate._side import completed
from secretbridge.migrate._state import After, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._models import Fields
    from secretbridge.migrate._side import Look
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["duplicate", "verify"]


async def verify(work: Work, written: Sequence[tuple[Item, Fields]]) -> None:
    """Look again at what was written, where the target shows it, and write down what was seen."""
    target = work.target
    if not written:
        return
    if not target.reads:
        await _verify_unread(work, [item for item, _ in written])
        return
    # Listed before the values are read: a change that comes in between shows itself at the next look.
    marks = await target.snapshot(any(not fields.keys() <= target.of.get_tells for _, fields in written))
    looks = await target.look_many([(item.step.target, None) for item, _ in written])
    rows: list[list[Any]] = []
    for (item, fields), look in zip(written, looks, strict=True):
        if isinstance(look, SecretBridgeError):
            work.met(look)
            rows.append([item.n, None, item.after.row(), sentence(look)])
            continue
        look = completed(look, marks.get(item.step.target))  # noqa: PLW2901 - the same look, with more of it
        verdict = _verdict(work, item, fields, look)
        # What reads back different is somebody else's: its marks must not be taken for this run's own.
        seen = After() if verdict == "mismatch" else After.of(look.secret, steady=target.steady)
        rows.append([item.n, verdict, item.after.joined(seen).row(), None])
    await work.log("verified", rows, waits=False)  # what is lost of it is looked at again
    work.tell_verified([item for item, _ in written])


def _verdict(work: Work, item: Item, fields: Fields, look: Look) -> str:
    if look.secret is None or (look.value is None and withdrawn(item.step, fields, look.secret)):
        return "mismatch"
    if look.value is None:
        return "unverifiable"  # there, and not handed out: inactive or expired
    told = work.target.of.get_tells | work.target.of.list_tells
    return "verified" if same_fields(fields, look.secret, told) else "mismatch"


async def _verify_unread(work: Work, items: Sequence[Item]) -> None:
    """Look for duplicates and marks where values are never told."""
    target = work.target
    rows: list[list[Any]] = []
    listed: dict[str, Any] = {}
    problem: str | None = None
    if target.lists:
        target.forget()
        try:
            listed = await target.listing()
        except SecretBridgeError as error:
            problem = sentence(error)
    for item in items:
        found = listed.get(item.step.target, [])
        mine = next((row for row in found if row.id == item.after.id), None)
        if item.after.id is None and len(found) == 1:
            mine = found[0]  # else one of another id is somebody else's, even under the same name
        after = item.after.joined(After.of(mine, steady=target.steady))
        gone = target.lists and problem is None and mine is None and (item.after.id is not None or not found)
        several = sentence(duplicate(work, item, [row.id or "" for row in found])) if len(found) > 1 else None
        verdict = None if problem else "mismatch" if gone else "unverifiable"
        rows.append([item.n, verdict, after.row(), several or problem])
    await work.log("verified", rows, waits=False)  # likewise
    work.tell_verified(items)


def duplicate(work: Work, item: Item, ids: Sequence[str]) -> SecretExists:
    """Give the error for a name that several secrets bear at the target."""
    return SecretExists(
        f"{work.target.of.title} has {len(ids)} secrets named {item.step.target!r}: {', '.join(ids)}.",
        provider=work.target.of.provider,
        operation="create",
        advice="Find out which is wanted and delete the others by id=.",
        applied=None,
    )
