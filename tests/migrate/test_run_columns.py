"""The secrets of a run, of which columns say where each stands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import JournalMismatch
from secretbridge.migrate import Mark, Step
from secretbridge.migrate._journal import Entry
from secretbridge.migrate._state import After, Items, replay

if TYPE_CHECKING:
    from secretbridge.migrate._types import Action


def steps(count: int) -> list[Step]:
    actions: tuple[Action, ...] = ("create", "skip", "refuse", "update")
    return [
        Step(source=f"A{n}", target=f"A{n}", action=actions[n % 4], source_mark=Mark(name=f"A{n}"))
        for n in range(count)
    ]


def test_a_secret_that_is_asked_for_twice_stands_where_the_first_sight_of_it_was_moved_to() -> None:
    items = Items(steps(4))
    first = items[3]
    first.state, first.error, first.after = "failed", "why", After("id", 2)
    again = items[-1]
    again.error = None
    assert [again.n, again.state, first.error, again.after, [one.state for one in items]] == [
        3,
        "failed",
        None,
        After("id", 2),
        ["pending", "skipped", "refused", "failed"],
    ]


def test_a_part_of_the_secrets_is_a_list_of_them() -> None:
    items = Items(steps(6))
    part = items[4:0:-2]
    assert [[one.n for one in part], len(items), [one.step.source for one in items[4:]]] == [
        [4, 2],
        6,
        ["A4", "A5"],
    ]


def test_what_all_secrets_share_takes_a_few_bytes_for_each() -> None:
    items = Items(steps(10_000))
    replay(items, [Entry("outcome", [[n, "done", "recorded", "atomic", False, [None, None, None], None]])
                   for n in range(10_000)])  # fmt: skip
    size = sum(map(sys.getsizeof, items._columns.values()))
    assert [size < 16 * len(items), {one.guarantee for one in items}] == [True, {"atomic"}]


@pytest.mark.parametrize("row", [[0, "sold", None, None, False, [None] * 3, None], [9, "done"], [0], [None]])
def test_a_journal_that_says_what_no_run_writes_is_refused(row: list[object]) -> None:
    with pytest.raises(JournalMismatch, match="not as it was written") as caught:
        replay(Items(steps(2)), [Entry("outcome", [row])])
    assert caught.value.__context__ is None
