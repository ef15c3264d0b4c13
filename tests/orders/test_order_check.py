"""What judges two clients' histories accepts what some order explains, and rejects what none does."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import pytest
from order_check import Call, Done, order
from order_models import ById, Kept, OfAppfarm, OfInsForge, OfVault, Row, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from order_check import Outcome

BEFORE = {"A": Kept(1, "first", there=True)}
MISSING: Outcome = ("SecretNotFound", False)
LOST: Outcome = ("Conflict", False, 2)


def done(client: int, verb: str, outcome: Outcome, began: int = 0, ended: int = 9, **given: Any) -> Done:
    name = "" if verb == "list" else given.pop("name", "A")
    return Done(client, Call(verb, name, given), outcome, began, ended)


def written(client: int, value: str, version: int, **given: Any) -> Done:
    return done(client, "update", ("done", version), value=value, **given)


def read(client: int, value: str, version: int, began: int = 0, ended: int = 9) -> Done:
    return done(client, "get", ("done", value, None, version), began, ended)


def found(clients: Sequence[Sequence[Done]], value: str, version: int) -> tuple[int, ...] | None:
    return order(OfVault(), BEFORE, clients, {"A": (value, None, version)})


# Histories of one vault


def test_calls_that_alternate_are_explained_and_the_order_is_told() -> None:
    one = [written(0, "a", 2), read(0, "b", 3)]
    other = [read(1, "a", 2), written(1, "b", 3)]
    assert found([one, other], "b", 3) == (0, 1, 1, 0)


def test_of_two_that_compare_and_set_one_wins() -> None:
    one, other = written(0, "a", 2, if_version=1), done(1, "update", LOST, value="b", if_version=1)
    assert found([[one], [other]], "a", 2) == (0, 1)


WRONG = {
    "a lost update: both compare and set, and both win": (
        [written(0, "a", 2, if_version=1)],
        [written(1, "b", 2, if_version=1)],
        ("b", 2),
    ),
    "a conflict with nobody": ([done(0, "update", LOST, value="a", if_version=1)], [], ("first", 1)),
    "a conflict that tells another version": (
        [written(0, "a", 2, if_version=1)],
        [done(1, "update", ("Conflict", False, 5), value="b", if_version=1)],
        ("a", 2),
    ),
    "a version that two writes are told": ([written(0, "a", 2)], [written(1, "b", 2)], ("b", 3)),
    "what was read was never written": ([read(0, "ghost", 1)], [], ("first", 1)),
    "a client that sees what is new and then what was old": (
        [written(0, "a", 2)],
        [read(1, "a", 2), read(1, "first", 1)],
        ("a", 2),
    ),
    "an old value after a write had been acknowledged": (
        [done(0, "update", ("done", 2), 0, 1, value="a")],
        [read(1, "first", 1, 2, 3)],
        ("a", 2),
    ),
    "a write that is gone at the end": ([written(0, "a", 2)], [], ("first", 1)),
    "a secret that is not found though nobody deletes it": ([done(0, "get", MISSING)], [], ("first", 1)),
    "a refusal that does not know whether it was applied": (
        [done(0, "delete", ("done",)), done(0, "get", ("SecretNotFound", None))],
        [],
        None,
    ),
    "a creation of what is there": ([done(0, "create", ("done", 2), value="a")], [], ("a", 2)),
    "a listing that leaves one out": ([done(0, "list", ("done", ()))], [], ("first", 1)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_no_order_explains_is_rejected(what: str) -> None:
    one, other, last = WRONG[what]
    final = {} if last is None else {"A": (last[0], None, last[1])}
    assert order(OfVault(), BEFORE, [one, other], final) is None


def test_an_old_value_is_right_while_the_write_is_under_way() -> None:
    write = done(0, "update", ("done", 2), 0, 3, value="a")
    assert found([[write], [read(1, "first", 1, 2, 4)]], "a", 2) == (1, 0)


def test_each_of_the_twenty_orders_of_three_calls_and_three_is_found() -> None:
    orders = sorted(set(permutations((0, 0, 0, 1, 1, 1))))
    explained = []
    for turns in orders:
        clients: list[list[Done]] = [[], []]
        for version, client in enumerate(turns, 2):  # each told version says who wrote when
            clients[client].append(written(client, f"v{version}", version))
        explained.append(found(clients, "v7", 7))
    assert (len(orders), explained) == (20, orders)


def test_a_vault_that_breaks_its_promise_anywhere_in_a_round_is_found_out() -> None:
    """Each outcome of a right history is exchanged for each other one that there could be."""
    clients = [[written(0, "a", 2), read(0, "b", 3)], [read(1, "a", 2), written(1, "b", 3)]]
    others: list[Outcome] = [MISSING, LOST, ("done", 9), ("done", "x", None, 2), ("VaultBusy", False)]
    accepted = []
    for (client, place), outcome in product([(0, 0), (0, 1), (1, 0), (1, 1)], others):
        wrong = [list(calls) for calls in clients]
        before = wrong[client][place]
        wrong[client][place] = Done(client, before.call, outcome, 0, 9)
        if found(wrong, "b", 3) is not None:
            accepted.append((client, place, outcome))
    assert (found(clients, "b", 3) is not None, accepted) == (True, [])


# Calls of several requests


def test_what_comes_between_two_requests_of_a_call_is_allowed_where_the_service_has_no_more() -> None:
    create = done(0, "create", ("done",), value="a")
    change = done(1, "update", ("done",), value="b")
    assert order(OfInsForge(), {}, [[create], [change]], {"A": ("a", True)}) == (0, 1, 0)


def test_two_may_revive_a_deleted_row_of_insforge_only_if_both_were_under_way() -> None:
    before = {"A": Row("old", active=False)}
    one = done(0, "create", ("done",), 0, 5, value="a")
    after = {"A": ("b", True)}
    found = [
        order(OfInsForge(), before, [[one], [done(1, "create", ("done",), began, 9, value="b")]], after)
        for began in (4, 6)
    ]
    assert [one is not None for one in found] == [True, False]


def test_a_put_on_insforge_that_another_one_overwrote_is_unverified_and_otherwise_not() -> None:
    before = {"A": Row("old")}
    put = done(0, "put", ("Unverified", None), value="a")
    other = done(1, "update", ("done",), value="b")
    after = {"A": ("b", True)}
    assert order(OfInsForge(), before, [[put], [other]], after) == (0, 1, 0)
    assert order(OfInsForge(), before, [[put], []], {"A": ("a", True)}) is None


def test_an_id_is_believed_until_it_is_not_found() -> None:
    """The second client looks the name up; it is made anew, and the old id leads to a second look."""
    before = Rows({0: ("A", "old")}, 1)
    one = [done(0, "delete", ("done",), 2, 3), done(0, "create", ("done",), 4, 5, value="a")]
    other = [
        done(1, "update", ("done",), 0, 1, value="b"),
        done(1, "update", ("done",), 6, 7, value="c"),
    ]
    wix = ById(unique=True, tells=True)
    assert order(wix, before, [one, other], {("A", "c"): 1}) == (1, 1, 0, 0, 0, 1, 1, 1)
    assert order(wix, before, [one, other], {("A", "a"): 1}) is None


def test_two_creations_on_io_net_make_two_and_on_wix_one() -> None:
    one, other = done(0, "create", ("done",), value="a"), done(1, "create", ("done",), value="b")
    both = {("A", "a"): 1, ("A", "b"): 1}
    found = [
        order(ById(unique=unique, tells=False), Rows({}, 0), [[one], [other]], both) is not None
        for unique in (False, True)
    ]
    assert found == [True, False]


def test_of_two_values_that_appfarm_was_given_the_last_stays() -> None:
    one, other = done(0, "update", ("done",), 0, 1, value="a"), done(1, "update", ("done",), 2, 3, value="b")
    found = [
        order(OfAppfarm(), {"A": "x"}, [[one], [other]], {"A": value}) is not None for value in ("b", "a")
    ]
    assert found == [True, False]
