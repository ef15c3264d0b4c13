"""A plan is carried out, written down, taken up again and taken back."""

from __future__ import annotations

import json
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from kill_place import Hooks, World, Worlds, bridge, provider
from pydantic import SecretStr

from secretbridge import SecretBridge, migrate
from secretbridge.errors import (
    InvalidRequest,
    JournalMismatch,
    MigrationIncomplete,
    PlanRefused,
    PlanStale,
    RunBusy,
)
from secretbridge.migrate._place import Locks
from secretbridge.testing import Lost, Pass, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secretbridge.migrate import Event, Plan, Run


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    with Worlds(tmp_path) as made:
        yield made


@contextmanager
def planned(world: World, **rules: Any) -> Iterator[Plan]:
    """Give a plan over bridges that never wait, and close them afterwards."""
    hooks = Hooks(0)
    with bridge(world.source, hooks) as source, bridge(world.target, hooks) as target:
        vault = None if world.vault is None else provider(world.vault)
        yield migrate.plan(source, target, vault=vault, **{"on_conflict": "update", **rules})


def applied(world: World, **options: Any) -> Run:
    with planned(world) as plan:
        return plan.apply(journal=world.journal, patience=0, **options)


def again(verb: str, world: World, run: Run, **options: Any) -> Run:
    hooks = Hooks(0)
    vault = None if world.vault is None else provider(world.vault)
    with bridge(world.source, hooks) as source, bridge(world.target, hooks) as target:
        if verb == "resume":
            return migrate.resume(
                run.id, source, target, journal=world.journal, vault=vault, patience=0, **options
            )
        return migrate.undo(run.id, target, journal=world.journal, vault=vault, **options)


def states(run: Run) -> dict[str, str]:
    return {one.source: one.state for one in run.outcomes}


READABLE = [
    ("wix", "insforge"),
    ("insforge", "wix"),
    ("dotenv", "local"),
    ("local", "json"),
    ("json", "dotenv"),
]


@pytest.mark.parametrize(("source", "target"), READABLE)
def test_a_run_copies_verifies_and_is_taken_back(worlds: Worlds, source: str, target: str) -> None:
    world = worlds.make(source, target)
    before = world.at("target")
    run = applied(world)
    copied = world.at("target")
    undone = again("undo", world, run)
    guarantee = "atomic" if target == "local" else "checked"
    assert [
        {(one.state, one.verified, one.guarantee, one.owner) for one in run.outcomes if one.guarantee},
        copied,
        undone.state,
        world.at("target"),
    ] == [
        {("done", "verified", guarantee, "recorded")},
        {**before, **world.at("source")},
        "undone",
        before,
    ]


def test_what_io_net_is_given_cannot_be_verified_and_its_creations_are_taken_back(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "ionet")
    run = applied(world)
    undone = again("undo", world, run, check=False)
    assert [
        {(one.source, one.verified, one.guarantee, one.restorable) for one in run.outcomes},
        states(undone),
    ] == [
        {
            ("KEY_0", "unverifiable", "best-effort", False),
            ("KEY_1", "unverifiable", "best-effort", True),
            ("KEY_2", "unverifiable", "best-effort", True),
        },
        {"KEY_0": "done", "KEY_1": "undone", "KEY_2": "undone"},
    ]


def test_the_journal_is_for_its_owner_alone_and_holds_no_value_and_no_bare_digest(worlds: Worlds) -> None:
    import hashlib

    world = worlds.make("wix", "insforge")
    run = applied(world)
    values = [
        value for values in (*world.at("source").values(), *world.at("target").values()) for value in values
    ]
    digests = [
        digest
        for value in values
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b")
        for digest in (
            hashlib.new(algorithm, value.encode()).digest(),
            hashlib.new(algorithm, value.encode()).hexdigest()[:16].encode(),
        )
    ]
    held = run.journal.read_bytes()
    told = run.to_json().encode()
    assert [
        [needle for needle in [*(value.encode() for value in values), *digests] if needle in held + told],
        stat.S_IMODE(run.journal.stat().st_mode),
        stat.S_IMODE(run.journal.parent.stat().st_mode),
        b"KEY_0" in held,
    ] == [[], 0o600, 0o700, True]


def test_without_an_argument_the_journal_is_in_the_users_state_folder(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with planned(worlds.make("dotenv", "json")) as plan:
        run = plan.apply()
    assert [run.journal.parent, [one.id for one in migrate.runs()]] == [
        tmp_path / "state" / "secretbridge" / "runs",
        [run.id],
    ]


def test_a_run_that_is_done_is_resumed_and_undone_without_any_further_write(worlds: Worlds) -> None:
    world = worlds.make("wix", "insforge")
    run = applied(world)
    standin = worlds.standins["target"]
    standin.clear_requests()
    resumed = again("resume", world, run)
    writes = [call for call in standin.calls if not call.startswith("GET")]
    again("undo", world, run)
    standin.clear_requests()
    twice = again("undo", world, run)
    assert [resumed.state, writes, twice.state, [c for c in standin.calls if not c.startswith("GET")]] == [
        "done",
        [],
        "undone",
        [],
    ]


def test_a_plan_is_stale_when_an_end_has_moved_and_nothing_is_written(worlds: Worlds) -> None:
    world = worlds.make("wix", "local")
    with planned(world) as plan:
        with SecretBridge(provider(world.target)) as target:
            target.update_secret("KEY_0", value="moved meanwhile")
            target.create_secret("KEY_1", value="made meanwhile")
        with pytest.raises(PlanStale) as caught:
            plan.apply(journal=world.journal)
    assert [len(caught.value.moved), migrate.runs(journal=world.journal)] == [2, []]


def test_what_changes_between_the_plan_and_its_write_fails_alone(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge")
    standin = worlds.standins["target"]

    def meddle(event: Event) -> None:
        if event.kind == "intended" and event.name == "KEY_0":
            standin.seed("KEY_0", "somebody else's")

    with planned(world) as plan:
        run = plan.apply(journal=world.journal, progress=meddle, check=False)
    assert [states(run), run.state, world.at("target")["KEY_0"]] == [
        {"KEY_0": "failed", "KEY_1": "done", "KEY_2": "done"},
        "incomplete",
        ["somebody else's"],
    ]


def test_a_plan_that_refuses_something_is_applied_only_when_told_to_leave_it(worlds: Worlds) -> None:
    world = worlds.make("wix", "insforge")
    with planned(world, on_conflict="refuse") as plan:
        with pytest.raises(PlanRefused) as caught:
            plan.apply(journal=world.journal)
        run = plan.apply(journal=world.journal, skip_refused=True)
    assert [list(caught.value.refused), states(run), run.state] == [
        ["KEY_0"],
        {"KEY_0": "refused", "KEY_1": "done", "KEY_2": "done"},
        "done",
    ]


def test_one_failing_secret_does_not_stop_the_others_and_the_error_carries_the_run(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "appfarm")
    worlds.standins["target"].seed("KEY_1", "old-value-of-KEY_1", locked=True)
    with pytest.raises(MigrationIncomplete) as caught:
        applied(world)
    run = caught.value.run
    assert run is not None
    assert [states(run), [one.source for one in run.open], "SecretProtected" in str(run.open[0].error)] == [
        {"KEY_0": "done", "KEY_1": "failed", "KEY_2": "done"},
        ["KEY_1"],
        True,
    ]


def test_stop_on_error_leaves_the_rest_pending_and_resume_does_it(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "appfarm")
    standin = worlds.standins["target"]
    standin.seed("KEY_0", "old-value-of-KEY_0", locked=True)
    stopped = applied(world, stop_on_error=True, check=False)
    standin.seed("KEY_0", "old-value-of-KEY_0")
    resumed = again("resume", world, stopped)
    assert [states(stopped), resumed.state, world.at("target")["KEY_2"]] == [
        {"KEY_0": "failed", "KEY_1": "pending", "KEY_2": "pending"},
        "done",
        ["new-value-of-KEY_2"],
    ]


def test_the_source_is_deleted_after_everything_was_verified_and_then_undo_keeps_the_only_copy(
    worlds: Worlds,
) -> None:
    world = worlds.make("wix", "insforge")
    wanted = {**world.at("target"), **world.at("source")}
    run = applied(world, delete_source=True)
    undone = again("undo", world, run, check=False)
    assert [
        {one.source_deleted for one in run.outcomes},
        world.at("source"),
        world.at("target"),
        undone.state,
    ] == [{True}, {}, wanted, "incomplete"]


def test_a_source_is_kept_where_its_target_cannot_be_verified_unless_that_is_accepted(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "ionet")
    kept = applied(world, delete_source=True, check=False)
    there = world.at("source")
    other = worlds.make("dotenv", "ionet")
    gone = applied(other, delete_source=True, accept_unverifiable=True)
    assert [kept.state, len(there), gone.state, other.at("source")] == ["incomplete", 3, "done", {}]


def test_a_source_is_kept_where_somebody_changed_the_target_after_it_was_verified(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge")
    standin = worlds.standins["target"]

    def meddle(event: Event) -> None:
        if event.kind == "verified" and event.name == "KEY_2":
            standin.seed("KEY_1", "somebody else's")

    run = applied(world, delete_source=True, check=False, progress=meddle)
    assert [{one.source: one.source_deleted for one in run.outcomes}, list(world.at("source"))] == [
        {"KEY_0": True, "KEY_1": False, "KEY_2": True},
        ["KEY_1"],
    ]


def test_undo_leaves_alone_what_was_changed_since_until_it_is_told_otherwise(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge")
    before = world.at("target")
    run = applied(world)
    standin = worlds.standins["target"]
    standin.seed("KEY_0", "changed since")
    standin.seed("KEY_1", "changed since")
    first = again("undo", world, run, check=False)
    between = world.at("target")
    second = again("undo", world, run, accept=["changed"])
    assert [
        states(first),
        {name: between[name] for name in ("KEY_0", "KEY_1")},
        'accept=["changed"]' in str(first.outcomes[0].error),
        second.state,
        world.at("target"),
    ] == [
        {"KEY_0": "done", "KEY_1": "done", "KEY_2": "undone"},
        {"KEY_0": ["changed since"], "KEY_1": ["changed since"]},
        True,
        "undone",
        before,
    ]


def test_without_a_vault_undo_asks_where_it_cannot_see_and_restores_nothing(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge", vault=False)
    run = applied(world)
    first = again("undo", world, run, check=False)
    second = again("undo", world, run, check=False, accept=["unseen"])
    assert [
        [warning for warning in run.warnings if "restore" in warning] != [],
        states(first),
        states(second),
    ] == [
        True,
        {"KEY_0": "done", "KEY_1": "done", "KEY_2": "done"},
        {"KEY_0": "done", "KEY_1": "undone", "KEY_2": "undone"},
    ]


def test_a_run_that_is_being_undone_is_not_resumed(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "json")
    run = applied(world)
    again("undo", world, run)
    with pytest.raises(JournalMismatch, match="being undone"):
        again("resume", world, run)


def test_a_run_is_not_taken_up_with_other_stores_or_without_its_vault(worlds: Worlds) -> None:
    world, other = worlds.make("dotenv", "json"), worlds.make("dotenv", "json")
    run = applied(world)
    problems = []
    for source, target, vault in (
        (other.source, world.target, world.vault),
        (world.source, other.target, world.vault),
        (world.source, world.target, None),
        (world.source, world.target, other.vault),
    ):
        with pytest.raises((JournalMismatch, InvalidRequest)) as caught:
            migrate.resume(
                run.id,
                provider(source),
                provider(target),
                journal=world.journal,
                vault=None if vault is None else provider(vault),
            )
        problems.append(type(caught.value).__name__)
    assert problems == ["JournalMismatch", "JournalMismatch", "JournalMismatch", "InvalidRequest"]


def test_two_runs_over_one_store_do_not_overlap(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "json")
    refused: list[str] = []

    def overlap(event: Event) -> None:
        if event.kind == "started":
            seen.extend(one.state for one in migrate.runs(journal=world.journal))
            with pytest.raises(RunBusy) as caught:
                applied(world)
            refused.append(caught.value.advice)

    seen: list[str] = []
    applied(world, progress=overlap)
    assert [len(refused), seen, migrate.runs(journal=world.journal)[0].state] == [1, ["running"], "done"]


def test_the_lock_of_a_process_that_is_gone_holds_nobody_up(tmp_path: Path) -> None:
    tmp_path.joinpath("20260101-000000-00000000.lock").write_text("4194303\n")
    locks = Locks(tmp_path)
    locks.take("20260101-000000-00000000", writes=["a"], reads=["a", "b"])
    text = tmp_path.joinpath("20260101-000000-00000000.lock").read_text()
    locks.release()
    assert text != "4194303\n"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_twins_do_the_same(worlds: Worlds, backend: str) -> None:
    world = worlds.make("wix", "insforge")
    before = world.at("target")
    found: list[Any] = []

    async def main() -> None:
        source, target = provider(world.source), provider(world.target)
        assert world.vault is not None
        vault = provider(world.vault)
        plan = await migrate.plan_async(source, target, on_conflict="update", vault=vault)
        run = await plan.apply_async(journal=world.journal)
        resumed = await migrate.resume_async(run.id, source, target, journal=world.journal, vault=vault)
        found.append((run.state, resumed.state, world.at("target")))
        undone = await migrate.undo_async(run.id, target, journal=world.journal, vault=vault)
        found.append((undone.state, world.at("target")))

    anyio.run(main, backend=backend)
    assert found == [("done", "done", {**before, **world.at("source")}), ("undone", before)]


def test_a_duplicate_that_appears_at_io_net_is_reported_and_not_deleted(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "ionet")
    standin = worlds.standins["target"]

    def meddle(event: Event) -> None:
        if event.kind == "written" and event.name == "KEY_1":
            standin.seed("KEY_1", "a second one")

    run = applied(world, check=False, progress=meddle)
    undone = again("undo", world, run, check=False)
    assert [
        "has 2 secrets named 'KEY_1'" in str(run.outcomes[1].error),
        run.state,
        states(undone)["KEY_1"],
        world.at("target")["KEY_1"],
    ] == [True, "incomplete", "undone", ["a second one"]]


def test_an_io_net_create_without_an_answer_is_settled_by_listing_and_made_once(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "ionet")
    standin = worlds.standins["target"]

    def lose(event: Event) -> None:
        if event.kind == "intended" and event.name == "KEY_2":
            standin.script(*[Pass()] * 2, Lost(), Lost())

    run = applied(world, progress=lose, check=False)
    made = {one.source: (one.state, one.owner) for one in run.outcomes if one.action == "create"}
    assert [
        set(made.values()) <= {("done", "inferred"), ("done", "recorded")},
        world.at("target")["KEY_1"],
    ] == [
        True,
        ["new-value-of-KEY_1"],
    ]


def test_an_update_of_unknown_fate_stays_unknown_or_is_sent_again_by_policy(worlds: Worlds) -> None:
    found = []
    for resend in (False, True):
        world = worlds.make("dotenv", "appfarm")
        worlds.standins["target"].script(Lost())
        run = applied(world, check=False, resend=resend)
        found.append([(one.state, one.resent) for one in run.outcomes])
    assert found == [
        [("unknown", False), ("done", False), ("done", False)],
        [("done", True), ("done", False), ("done", False)],
    ]


def test_a_run_is_told_as_json_without_values(worlds: Worlds) -> None:
    run = applied(worlds.make("dotenv", "json"))
    told = json.loads(run.to_json())
    assert [told["counts"], told["outcomes"][0]["state"], "new-value" in run.to_json(), repr(run)] == [
        {"done": 3},
        "done",
        False,
        f"Run({run.id!r}, state='done', counts={{'done': 3}})",
    ]


def test_arguments_that_make_no_sense_are_all_named_at_once(worlds: Worlds) -> None:
    with planned(worlds.make("dotenv", "json")) as plan, pytest.raises(InvalidRequest) as caught:
        plan.apply(vault="x", concurrency=0, progress=3, patience=-1)  # type: ignore[arg-type]
    assert [one.field for one in caught.value.violations] == ["vault", "concurrency", "progress", "patience"]


def test_a_refused_reply_of_the_target_is_told_with_its_class_and_nothing_of_the_value(
    worlds: Worlds,
) -> None:
    world = worlds.make("dotenv", "appfarm")
    worlds.standins["target"].script(Reply(422, {"message": "new-value-of-KEY_0 is bad"}))
    run = applied(world, check=False)
    error = str(run.outcomes[0].error)
    assert [error.startswith("Rejected: "), "new-value" in error] == [True, False]


def loud(value: str) -> str:
    return value.upper()


def test_values_from_elsewhere_and_their_transform_are_given_again_at_a_resume(worlds: Worlds) -> None:
    world = worlds.make("ionet", "appfarm")
    lent = {f"KEY_{n}": SecretStr(f"lent-value-{n}") for n in range(3)}
    worlds.standins["target"].seed("KEY_1", "old", locked=True)
    hooks = Hooks(0)
    with bridge(world.source, hooks) as source, bridge(world.target, hooks) as target:
        more: dict[str, Any] = {"values_from": lent, "transform": loud}
        plan = migrate.plan(source, target, on_conflict="update", **more)
        run = plan.apply(journal=world.journal, check=False)
        worlds.standins["target"].seed("KEY_1", "old")
        with pytest.raises(JournalMismatch, match="transform"):
            migrate.resume(run.id, source, target, journal=world.journal, values_from=lent)
        vault = provider(world.vault or {})
        SecretBridge(vault).create_secret("migration.key", value="0" * 64)
        with pytest.raises(JournalMismatch, match="without a vault"):
            migrate.resume(run.id, source, target, journal=world.journal, vault=vault, **more)
        resumed = migrate.resume(run.id, source, target, journal=world.journal, **more)
    assert [states(run)["KEY_1"], resumed.state, world.at("target")["KEY_1"]] == [
        "failed",
        "done",
        ["LENT-VALUE-1"],
    ]


def test_a_secret_that_is_gone_from_the_source_fails_alone(worlds: Worlds) -> None:
    world = worlds.make("wix", "insforge")
    standin = worlds.standins["source"]

    def meddle(event: Event) -> None:
        if event.kind == "intended" and event.name == "KEY_2":
            del standin._rows[standin.secret("KEY_2").id]

    with planned(world) as plan:
        run = plan.apply(journal=world.journal, check=False, progress=meddle)
    assert [states(run), "KEY_2" in world.at("target")] == [
        {"KEY_0": "done", "KEY_1": "done", "KEY_2": "failed"},
        False,
    ]


def test_a_value_that_a_file_cannot_hold_fails_alone(worlds: Worlds) -> None:
    world = worlds.make("json", "dotenv")
    lent = {"KEY_0": SecretStr("fine"), "KEY_1": SecretStr("nul\0"), "KEY_2": SecretStr("fine too")}
    source, target = provider(world.source), provider(world.target)
    # Asked for when the plan is applied: whether they fit is not known before.
    plan = migrate.plan(source, target, on_conflict="update", values_from=lambda name: lent[name])
    run = plan.apply(journal=world.journal, check=False)
    undone = migrate.undo(run.id, target, journal=world.journal, accept=["unseen"], check=False)
    assert [states(run), states(undone)] == [
        {"KEY_0": "done", "KEY_1": "failed", "KEY_2": "done"},
        {"KEY_0": "done", "KEY_1": "failed", "KEY_2": "undone"},
    ]
