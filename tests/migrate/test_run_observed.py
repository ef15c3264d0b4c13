"""What is replaced is compared, just before it is, with what the plan saw of it: without a vault too."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, at, bridged, filled, only, place
from pydantic import SecretStr

from secretbridge import SecretBridge, migrate
from secretbridge.migrate import Plan
from secretbridge.migrate._observed import Observed
from secretbridge.testing import InsForgeStandIn, Lost, Pass, Reply, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._provider import Provider
    from secretbridge.migrate import Outcome, Run

    Target = SecretBridge | Provider

__all__ = ["place"]


def wix(_: Place) -> SecretBridge:
    standin = WixStandIn()
    standin.seed("A", "old")
    return bridged(standin)


def insforge(_: Place) -> SecretBridge:
    standin = InsForgeStandIn()
    standin.seed("A", "old")
    return bridged(standin)


def dotenv(place: Place) -> Provider:
    return place.env("target.env", A="old", KEPT="x")


def json(place: Place) -> Provider:
    return place.json("target.json", A="old", KEPT="x")


STORES: list[Callable[[Place], Target]] = [wix, insforge, dotenv, json]
HIDING = STORES[1:]
each = pytest.mark.parametrize("store", STORES)


def planned(place: Place, target: Target, **more: Any) -> Plan:
    return migrate.plan(place.env(A="new"), target, select="A", on_conflict="update", **more)


def taken_up(place: Place, target: Target, **more: Any) -> Plan:
    return Plan.from_json(planned(place, target).to_json(), place.env(), target, **more)


def applied(place: Place, plan: Plan, **more: Any) -> Run:
    return plan.apply(journal=place.folder / "runs", check=False, **more)


def the_one(run: Run) -> Outcome:
    (outcome,) = run.outcomes
    return outcome


def changed(target: Target) -> None:
    if isinstance(target, SecretBridge):
        target.update_secret("A", value="theirs")
    else:
        filled(target, A="theirs")


def value(target: Target) -> str:
    if isinstance(target, SecretBridge):
        return target.get_secret("A").reveal()
    with SecretBridge(target) as bridge:
        return bridge.get_secret("A").reveal()


@each
def test_a_value_that_is_as_the_plan_saw_it_is_replaced_and_that_was_checked(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    one = the_one(applied(place, planned(place, target)))
    assert [one.state, one.guarantee, value(target)] == ["done", "checked", "new"]


@each
def test_a_value_that_changes_during_the_run_is_left_alone(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    run = applied(place, planned(place, target), progress=at("intended", lambda: changed(target)))
    one = the_one(run)
    problem = (one.error or "").partition(". ")[0]
    assert [one.state, "has changed at" in problem, value(target)] == ["failed", True, "theirs"]


@pytest.mark.parametrize("store", HIDING)
def test_a_value_that_changed_after_the_plan_is_left_alone_though_its_store_shows_no_sign_of_it(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    plan = planned(place, target)
    changed(target)
    one = the_one(applied(place, plan))
    problem = "has changed at" in (one.error or "") and "since the plan was made" in (one.error or "")
    assert [plan.moved(), one.state, problem, value(target)] == [[], "failed", True, "theirs"]


@pytest.mark.parametrize("store", HIDING)
def test_a_value_that_changed_between_the_plan_and_its_keeping_in_the_vault_is_left_alone(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    plan = planned(place, target, vault=place.vault(name="undo"))
    changed(target)
    assert [the_one(applied(place, plan)).state, value(target)] == ["failed", "theirs"]


@each
def test_a_plan_from_json_says_best_effort_where_nothing_shows_whether_the_value_has_changed(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    again = taken_up(place, target)
    run = applied(place, again)
    one = the_one(run)
    said = any("is not known of 1 of the secrets that are changed ('A')" in text for text in run.warnings)
    assert [one.state, one.guarantee, said, value(target)] == ["done", "best-effort", True, "new"]


@pytest.mark.parametrize("store", HIDING)
def test_a_plan_from_json_is_checked_with_a_vault_from_the_moment_in_which_that_keeps_the_value(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    again = taken_up(place, target, vault=place.vault(name="undo"))
    one = the_one(applied(place, again))
    assert [one.state, one.guarantee, value(target)] == ["done", "checked", "new"]


@pytest.mark.parametrize("store", HIDING)
def test_with_a_plan_from_json_what_changes_after_the_vault_has_kept_it_is_left_alone(
    place: Place, store: Callable[[Place], Target]
) -> None:
    target = store(place)
    again = taken_up(place, target, vault=place.vault(name="undo"))
    one = the_one(applied(place, again, progress=at("intended", lambda: changed(target))))
    problem = "has changed at" in (one.error or "") and "a moment ago" in (one.error or "")
    assert [one.state, problem, value(target)] == ["failed", True, "theirs"]


def test_a_resumed_run_says_best_effort_of_what_only_its_plan_had_seen(place: Place) -> None:
    target = place.env("target.env", A="old")

    def cut() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        applied(place, planned(place, target), progress=at("started", cut))
    journal = place.folder / "runs"
    (found,) = migrate.runs(journal=journal)
    run = migrate.resume(found.id, place.env(), target, journal=journal)
    assert [the_one(run).guarantee, value(target)] == ["best-effort", "new"]


def test_an_update_without_an_answer_is_pending_where_the_value_is_still_the_one_that_the_plan_saw(
    place: Place,
) -> None:
    standin = InsForgeStandIn()
    standin.seed("A", "old")
    journal = place.folder / "runs"
    with bridged(standin) as target:
        # The value before it; then the write, which somebody in between does not let through.
        lost = at("intended", lambda: standin.script(Pass(), Reply(502)))
        first = applied(place, planned(place, target), progress=lost)
        second = migrate.resume(first.id, place.env(), target, journal=journal)
    assert [the_one(first).state, the_one(second).state, standin.secret("A").value] == [
        "pending",
        "done",
        "new",
    ]


def test_an_update_whose_answer_is_lost_is_found_at_the_target(place: Place) -> None:
    standin = InsForgeStandIn()
    standin.seed("A", "old")
    with bridged(standin) as target:
        lost = at("intended", lambda: standin.script(Pass(), Lost()))
        one = the_one(applied(place, planned(place, target), progress=lost))
    assert [one.state, one.owner, standin.secret("A").value] == ["done", "inferred", "new"]


def test_what_was_seen_is_in_no_json_no_fingerprint_no_repr_and_no_pickle(place: Place) -> None:
    target = place.env("target.env", A="old-value-1", B="old-value-2")
    source = place.env(A="1", B="2")
    first, second = (migrate.plan(source, target, on_conflict="update") for _ in range(2))
    seen = first.observed
    assert seen is not None
    digest = seen.digest(SecretStr("old-value-1"))
    shown = first.to_json() + repr(first) + repr(seen)
    with pytest.raises(TypeError):
        pickle.dumps(seen)
    assert [digest.hex() in shown, repr(seen), first.fingerprint() == second.fingerprint()] == [
        False,
        "Observed(2)",
        True,
    ]


def test_one_value_has_another_digest_in_another_plan() -> None:
    one = SecretStr("hunter2")
    assert len({Observed().digest(one) for _ in range(4)}) == 4


def test_what_was_seen_takes_at_most_32_bytes_for_each_value() -> None:
    seen = Observed()
    digests = [seen.digest(SecretStr(f"value-{n}")) for n in range(10_000)]
    for n, digest in enumerate(digests):
        seen.note(2 * n, digest)
    size = sys.getsizeof(seen._numbers) + sys.getsizeof(seen._digests)
    told = [seen.same(2 * n, SecretStr(f"value-{n}")) for n in (0, 17, 9_999)]
    assert [size / 10_000 <= 32, told, seen.same(34, SecretStr("other")), seen.same(35, SecretStr(""))] == [
        True,
        [True] * 3,
        False,
        None,
    ]


def test_of_creates_and_of_what_a_version_tells_nothing_is_kept(place: Place) -> None:
    vault = place.vault()
    filled(vault, A="old")
    updates = migrate.plan(place.env(A="new", B="1"), vault, on_conflict="update")
    creates = migrate.plan(place.env(), place.json())
    assert [repr(updates.observed), repr(creates.observed)] == ["Observed(0)", "Observed(0)"]


def test_an_update_of_other_fields_alone_is_compared_too(place: Place) -> None:
    vault = place.vault()
    with SecretBridge(vault) as bridge:
        bridge.create_secret("A", value="same", description="new text")
    standin = WixStandIn()
    standin.seed("A", "same", description="old text")
    with bridged(standin) as target:
        plan = migrate.plan(vault, target, on_conflict="update")
        run = applied(place, plan, progress=at("intended", lambda: changed(target)))
        left = target.get_secret("A").reveal()
    assert [only(plan).fields, the_one(run).state, left] == [("description",), "failed", "theirs"]
