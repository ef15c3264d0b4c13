"""What an undo, a deletion at the source or a settling leaves open, and says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, at, bridged, filled, linked, place
from pydantic import SecretStr

from secretbridge import Dotenv, InvalidRequest, SecretBridge, migrate
from secretbridge.migrate._journal import Journal
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Lost, Pass, Reply, WixStandIn

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge.migrate import Event, Run
    from secretbridge.migrate._undo import UndoConsent
    from secretbridge.testing._exchange import Headers, StandInReply

__all__ = ["place"]


def states(run: Run) -> list[tuple[str, str | None]]:
    """State and the kind of error of each outcome."""
    return [(one.state, one.error and one.error.partition(":")[0]) for one in run.outcomes]


def test_an_undo_of_a_file_that_cannot_be_written_says_so_and_is_repeated(place: Place) -> None:
    target, journal, undo = place.env("target.env", A="old"), place.folder / "runs", place.vault(name="undo")
    run = migrate.plan(place.json(A="new", B="new"), target, on_conflict="update", vault=undo).apply(
        journal=journal
    )
    second = linked(target.path)
    stuck = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    second.unlink()
    undone = migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [stuck.state, states(stuck), undone.state, target.path.read_text()] == [
        "incomplete",
        [("done", "InvalidRequest")] * 2,
        "undone",
        "A=old\n",
    ]


def test_an_undo_whose_old_value_was_deleted_from_the_vault_leaves_the_secret(place: Place) -> None:
    target, undo, journal = filled(place.vault(), A="old"), place.vault(name="undo"), place.folder / "runs"
    run = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo).apply(journal=journal)
    with SecretBridge(undo) as bridge:
        bridge.delete_secret(f"migration.{run.id}.0")
    left = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    assert left.outcomes[0].error == "What was there before was not kept, so it cannot be brought back."


def test_an_undo_of_an_update_does_not_make_a_secret_that_is_gone(place: Place) -> None:
    target, undo, journal = filled(place.vault(), A="old"), place.vault(name="undo"), place.folder / "runs"
    run = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo).apply(journal=journal)
    with SecretBridge(target) as bridge:
        bridge.delete_secret("A")
    left = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    assert [left.state, left.outcomes[0].error] == ["incomplete", "It is not there any more."]


def test_a_deletion_of_an_undo_whose_answer_is_lost_is_settled_by_looking(place: Place) -> None:
    wix, journal = WixStandIn(), place.folder / "runs"
    with bridged(wix) as target:
        run = migrate.plan(place.env(A="1"), target, vault=place.vault(name="undo")).apply(journal=journal)
        # It is read before; then the deletion is done, and its answer lost.
        wix.script(Pass(), Lost())
        undone = migrate.undo(run.id, target, journal=journal, vault=place.vault(name="undo"), check=False)
    assert [undone.state, wix.secrets, list(wix._faults)] == ["undone", (), []]


def test_an_update_of_an_undo_whose_answer_is_lost_is_settled_by_looking(place: Place) -> None:
    wix, journal, undo = WixStandIn(), place.folder / "runs", place.vault(name="undo")
    wix.seed("A", "old")
    with bridged(wix) as target:
        plan = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo)
        run = plan.apply(journal=journal)
        wix.script(Pass(), Lost())
        undone = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    left = [secret.value for secret in wix.secrets]
    assert [undone.state, left, list(wix._faults)] == ["undone", ["old"], []]


def test_an_undo_without_an_answer_that_cannot_be_looked_at_failed_and_is_repeated(place: Place) -> None:
    wix, journal, undo = WixStandIn(), place.folder / "runs", place.vault(name="undo")
    with bridged(wix) as target:
        run = migrate.plan(place.env(A="1"), target, vault=undo).apply(journal=journal)
        wix.script(Pass(), Lost(), Reply(503))
        stuck = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
        undone = migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [stuck.state, states(stuck), undone.state] == ["incomplete", [("done", "NoReply")], "undone"]


def test_an_undo_whose_vault_does_not_tell_what_it_kept_says_why_and_is_repeated(place: Place) -> None:
    target, undo, journal = filled(place.vault(), A="old"), place.vault(name="undo"), place.folder / "runs"
    run = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo).apply(journal=journal)
    kept = f"migration.{run.id}.0"
    with SecretBridge(undo) as bridge:
        bridge.update_secret(kept, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    stuck = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    with SecretBridge(undo) as bridge:
        bridge.update_secret(kept, expires_at=None)
    undone = migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [stuck.state, states(stuck), undone.state] == ["incomplete", [("done", "SecretExpired")], "undone"]


def test_an_undo_leaves_a_secret_of_the_same_name_and_value_that_somebody_else_made(place: Place) -> None:
    target, undo, journal = place.vault(), place.vault(name="undo"), place.folder / "runs"
    run = migrate.plan(place.env(A="1"), target, vault=undo).apply(journal=journal)
    with SecretBridge(target) as bridge:
        bridge.delete_secret("A")
        bridge.create_secret("A", value="1")
    left = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    with SecretBridge(target) as bridge:
        there = [one.name for one in bridge.list_secrets()]
    asked = 'accept=["changed"]' in (left.outcomes[0].error or "")
    assert [left.state, asked, there] == ["incomplete", True, ["A"]]


class Interrupted(WixStandIn):
    """Somebody presses Ctrl-C when the second deletion has been done."""

    deletions = 0

    def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
        reply = super().handle(method, raw_path, headers, body)
        self.deletions += method == "DELETE"
        if method == "DELETE" and self.deletions == 2:
            raise KeyboardInterrupt
        return reply


def rows_of(folder: Path, kind: str) -> list[object]:
    """Give how the journal says that items stand, by its entries of a kind."""
    (path,) = folder.glob("*.db")
    journal = Journal.open(path)
    found = [row[:2] for entry in journal.entries() if entry.kind == kind for row in entry.data]
    journal.close()
    return found


def test_an_undo_that_is_interrupted_writes_down_what_it_has_done_and_is_repeated(place: Place) -> None:
    wix, journal = Interrupted(), place.folder / "runs"
    accept: list[UndoConsent] = ["unseen", "changed"]
    with bridged(wix) as target:
        run = migrate.plan(place.env(A="1", B="2", C="3"), target).apply(journal=journal)
        with pytest.raises(KeyboardInterrupt):
            migrate.undo(run.id, target, journal=journal, accept=accept, concurrency=1)
        known, left = rows_of(journal, "undone"), len(wix.secrets)
        undone = migrate.undo(run.id, target, journal=journal, accept=accept)
    assert [known, left, undone.state, wix.secrets, wix.deletions] == [[[2, "done"]], 1, "undone", (), 3]


def test_a_deletion_at_the_source_that_is_interrupted_is_written_down_as_far_as_it_came_and_gone_on_with(
    place: Place,
) -> None:
    wix, target, journal = Interrupted(), place.env("target.env"), place.folder / "runs"
    for name in "ABC":
        wix.seed(name, name * 3)
    with bridged(wix) as source:
        plan = migrate.plan(source, target)
        with pytest.raises(KeyboardInterrupt):
            plan.apply(journal=journal, delete_source=True, concurrency=1)
        known, left = rows_of(journal, "deleted"), len(wix.secrets)
        run = migrate.resume(migrate.runs(journal=journal)[0].id, source, target, journal=journal)
    assert [known, left, run.state, wix.secrets, wix.deletions] == [[[0, "done"]], 1, "done", (), 3]


def test_a_source_that_goes_down_while_it_is_deleted_keeps_the_rest_and_the_run_is_resumed(
    place: Place,
) -> None:
    insforge, target, journal = InsForgeStandIn(), place.env("target.env"), place.folder / "runs"
    for n in range(70):  # more than a window
        insforge.seed(f"KEY_{n}", f"value-{n}")
    left = [70]

    def told(event: Event) -> None:
        left[0] -= event.kind == "verified"
        if left[0] == 0:
            left[0] = -1
            insforge.script(*[Reply(503)] * 200)

    with bridged(insforge) as source:
        plan = migrate.plan(source, target, select="KEY_*")
        stuck = plan.apply(journal=journal, delete_source=True, check=False, patience=0, progress=told)
        there = sum(row.active is True for row in insforge.secrets if row.name.startswith("KEY_"))
        asked = 200 - len(insforge._faults)
        insforge._faults.clear()
        run = migrate.resume(stuck.id, source, target, journal=journal)
    gone = sum(row.active is False for row in insforge.secrets)
    assert [stuck.state, there, asked < 20, run.state, gone] == ["incomplete", 70, True, "done", 70]


def test_a_source_is_kept_where_its_copy_that_cannot_be_read_is_gone_from_the_target(place: Place) -> None:
    ionet, source, journal = IoNetStandIn(), place.env(A="1111"), place.folder / "runs"
    with bridged(ionet) as target:

        def remove() -> None:
            with bridged(ionet) as other:
                other.delete_secret("A")

        run = migrate.plan(source, target).apply(
            journal=journal,
            delete_source=True,
            accept_unverifiable=True,
            check=False,
            progress=at("unverifiable", remove),
        )
    assert [run.state, run.outcomes[0].error, source.path.read_text()] == [
        "incomplete",
        "The target is not as this run left it; the source is kept.",
        "A=1111\n",
    ]


@pytest.mark.parametrize("given", ["changed", ["anything"], 3])
def test_consents_of_an_undo_that_are_none_are_refused_before_anything_is_done(given: Any) -> None:
    with pytest.raises(InvalidRequest, match="accept: names something that is not known"):
        migrate.undo("20200101-000000-000000-aaaaaaaa", Dotenv("target.env"), accept=given)


def test_an_undo_stops_where_the_target_is_down_and_goes_on_when_it_is_back(place: Place) -> None:
    wix, journal, undo = WixStandIn(), place.folder / "runs", place.vault(name="undo")
    with bridged(wix) as target:
        source = place.env()
        source.path.write_text("".join(f"KEY_{n}=1\n" for n in range(70)))  # more than a window
        run = migrate.plan(source, target, vault=undo).apply(journal=journal)
        wix.script(*[Reply(503)] * 200)
        down = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
        asked = 200 - len(wix._faults)
        wix._faults.clear()
        undone = migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [down.state, down.counts, asked < 20, undone.state, wix.secrets] == [
        "incomplete",
        {"done": 70},
        True,
        "undone",
        (),
    ]


def test_a_source_file_that_cannot_be_written_keeps_its_secrets_and_the_run_is_resumed(place: Place) -> None:
    source, target, journal = place.env(A="1", B="2"), place.vault(), place.folder / "runs"
    second = linked(source.path)
    stuck = migrate.plan(source, target).apply(journal=journal, delete_source=True, check=False)
    second.unlink()
    run = migrate.resume(stuck.id, source, target, journal=journal)
    assert [stuck.state, states(stuck), run.state, source.path.read_text()] == [
        "incomplete",
        [("done", "InvalidRequest")] * 2,
        "done",
        "",
    ]


def test_a_source_that_somebody_else_has_deleted_by_then_counts_as_deleted(place: Place) -> None:
    source, target = filled(place.vault(name="source"), A="1", B="2"), place.env("target.env")
    count = [0]

    def theirs(event: Event) -> None:
        count[0] += event.kind == "verified"
        if count[0] == 2:
            count[0] = 9
            with SecretBridge(source) as bridge:
                bridge.delete_secret("A")

    plan = migrate.plan(source, target)
    run = plan.apply(journal=place.folder / "runs", delete_source=True, progress=theirs)
    assert [run.state, [one.source_deleted for one in run.outcomes]] == ["done", [True, True]]


def test_what_was_written_without_an_answer_stays_unknown_where_the_source_is_gone_meanwhile(
    place: Place,
) -> None:
    insforge, source = InsForgeStandIn(), filled(place.vault(name="source"), A="1")
    journal = place.folder / "runs"
    with bridged(insforge) as target:
        plan = migrate.plan(source, target)

        def lost() -> None:
            insforge.script(Lost())

        def gone() -> None:
            with SecretBridge(source) as bridge:
                bridge.delete_secret("A")

        def told(event: Event) -> None:
            at_intended(event)
            at_failed(event)

        at_intended, at_failed = at("intended", lost), at("failed", gone)
        run = plan.apply(journal=journal, check=False, patience=0, progress=told)
    assert [run.state, states(run)] == ["incomplete", [("unknown", "SecretNotFound")]]


def test_what_could_not_be_looked_at_after_it_was_written_is_looked_at_by_a_resume(place: Place) -> None:
    ionet, source, journal = IoNetStandIn(), place.env(A="1111"), place.folder / "runs"
    down = at("written", lambda: ionet.script(Reply(503)))
    options: dict[str, Any] = {"delete_source": True, "accept_unverifiable": True, "check": False}
    with bridged(ionet) as target:
        first = migrate.plan(source, target).apply(journal=journal, progress=down, **options)
        there = source.path.read_text()
        second = migrate.resume(first.id, source, target, journal=journal)
    assert [first.state, first.outcomes[0].verified, there, second.state, source.path.read_text()] == [
        "incomplete",
        None,
        "A=1111\n",
        "done",
        "",
    ]


def test_a_duplicate_at_io_net_keeps_the_source_and_a_resume_sees_when_it_is_gone(place: Place) -> None:
    ionet, source, journal = IoNetStandIn(), place.env(A="1111"), place.folder / "runs"
    twin = at("written", lambda: ionet.seed("A", "theirs"))
    options: dict[str, Any] = {"delete_source": True, "accept_unverifiable": True, "check": False}
    with bridged(ionet) as target:
        first = migrate.plan(source, target).apply(journal=journal, progress=twin, **options)
        there = source.path.read_text()
        (theirs,) = (row.id for row in ionet.secrets if row.value == "theirs")
        target.delete_secret(id=theirs)
        second = migrate.resume(first.id, source, target, journal=journal)
    assert [first.state, there, second.state, source.path.read_text()] == [
        "incomplete",
        "A=1111\n",
        "done",
        "",
    ]


def test_what_could_not_be_read_back_waits_for_its_source_to_be_verified(place: Place) -> None:
    wix, journal, source = WixStandIn(), place.folder / "runs", filled(place.vault(name="source"), A="1")
    down = at("written", lambda: wix.script(Reply(503), Reply(503)))  # neither listed nor read
    with bridged(wix) as target, SecretBridge(source) as bridge:
        first = migrate.plan(source, target).apply(journal=journal, check=False, patience=0, progress=down)
        bridge.update_secret("A", active=False)
        second = migrate.resume(first.id, source, target, journal=journal, check=False)
    assert [first.outcomes[0].verified, second.outcomes[0].verified, second.state] == [
        None,
        None,
        "incomplete",
    ]


def test_an_old_value_that_cannot_be_read_is_not_replaced(place: Place) -> None:
    wix, journal, undo = WixStandIn(), place.folder / "runs", place.vault(name="undo")
    for name in "AB":
        wix.seed(name, "old")
    down = at("started", lambda: wix.script(Pass(), Reply(503)))  # listed, then read
    with bridged(wix) as target:
        plan = migrate.plan(place.env(A="new", B="new"), target, on_conflict="update", vault=undo)
        run = plan.apply(journal=journal, check=False, patience=0, progress=down, concurrency=1)
    assert [sorted(run.counts.items()), sorted(row.value for row in wix.secrets)] == [
        [("done", 1), ("failed", 1)],
        ["new", "old"],
    ]


def test_with_stop_on_error_nothing_more_is_written_to_a_file_after_a_value_that_it_cannot_hold(
    place: Place,
) -> None:
    values = {"A": "nul\0", "B": "fine", "C": "fine"}
    target = place.env("target.env")
    plan = migrate.plan(
        place.json(**dict.fromkeys(values, "x")), target, values_from=lambda n: SecretStr(values[n])
    )
    run = plan.apply(journal=place.folder / "runs", check=False, stop_on_error=True)
    assert [one.state for one in run.outcomes] == ["failed", "pending", "pending"]


def test_an_update_in_a_file_fails_alone_where_its_secret_is_gone_by_now(place: Place) -> None:
    target = place.env("target.env", A="old", B="old")
    plan = migrate.plan(place.json(A="new", B="new"), target, on_conflict="update")
    gone = at("intended", lambda: target.path.write_text("A=old\n"))
    run = plan.apply(journal=place.folder / "runs", check=False, progress=gone)
    told = "Conflict: the dotenv file has no secret named 'B' any more."
    assert [
        [one.state for one in run.outcomes],
        (run.outcomes[1].error or "").startswith(told),
        target.path.read_text(),
    ] == [["done", "failed"], True, "A=new\n"]
