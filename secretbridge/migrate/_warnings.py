"""What a plan says besides its steps: what cannot be seen, and what an undo could not restore."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from secretbridge.migrate._decide import alive
from secretbridge.migrate._table import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secretbridge.migrate._end import End
    from secretbridge.migrate._ends import Ends
    from secretbridge.migrate._names import Naming
    from secretbridge.migrate._types import Mark, Step

__all__ = ["hides_value", "warnings_of"]


def warnings_of(steps: tuple[Step, ...], ends: Ends, naming: Naming) -> Iterator[str]:
    """Give what somebody should know before a plan is applied, one sentence each."""
    of = ends.source.capabilities
    if not steps:
        yield f"{of.title} has no secrets to migrate."
    if naming.kept:
        yield f"Left out: {counted(naming.kept, 'secret')} in which the vault keeps earlier runs."
    for pattern in naming.idle_excludes():
        yield f"exclude={pattern!r} matches nothing at the source."
    if unseen := sorted(of.get_tells - of.list_tells - {"value"}):
        yield f"{of.title} does not tell {', '.join(unseen)} in its listing: such losses are not seen."
    if ends.asks:
        yield "Values are asked for when the plan is applied: whether they fit is not known before."
    yield from _unsteady(ends.source, (step.source_mark for step in steps))
    yield from _unsteady(ends.target, (step.target_mark for step in steps if step.target_mark))
    writes = sum(step.action in {"create", "update"} for step in steps)
    if writes and not ends.target.capabilities.reads_values:
        title = ends.target.capabilities.title
        arrive = counted(writes, "value arrives", "values arrive")
        yield f"{title} never tells a value: that {arrive} cannot be verified."
    yield from _undo(steps, ends)


def _unsteady(end: End, found: Iterable[Mark]) -> Iterator[str]:
    listed = [mark.version is None and mark.updated_at is None for mark in found]
    if listed and all(listed):
        title = end.capabilities.title
        yield f"{title} shows no sign of a changed value: before applying, only what it lists is compared."


def _undo(steps: tuple[Step, ...], ends: Ends) -> Iterator[str]:
    updates = sum(step.action == "update" for step in steps)
    updated = counted(updates, "updated secret")
    if updates and not ends.target.capabilities.reads_values:
        title = ends.target.capabilities.title
        yield f"An undo could not restore {updated}: {title} never tells the old value."
    elif updates and ends.vault is None:
        yield f"An undo could not restore {updated}: no vault= keeps the old values."
    elif updates:
        moment = datetime.now(UTC)
        hidden = sum(step.action == "update" and hides_value(step, moment) for step in steps)
        if hidden:
            why = "what is inactive or has expired is not handed out before it is replaced"
            yield f"An undo could not restore the values of {counted(hidden, 'updated secret')}: {why}."


def hides_value(step: Step, now: datetime) -> bool:
    """Say whether an update replaces a value that the target does not hand out."""
    return "value" in step.fields and step.target_mark is not None and not alive(step.target_mark, now)
