"""What an undo, a deletion at the source or a settling leaves open, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_place import Place, at, bridged, filled, linked, place

from secretbridge import SecretBridge, migrate
from secretbridge.testing import InsForgeStandIn, Lost, Pass, Reply, WixStandIn

if TYPE_CHECKING:
    from secretbridge.migrate import Event, Run

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
        # It is listed and read before; then the deletion is done, and its answer lost.
        wix.script(Pass(), Pass(), Lost())
        undone = migrate.undo(run.id, target, journal=journal, vault=place.vault(name="undo"), check=False)
    assert [undone.state, wix.secrets] == ["undone", ()]


def test_an_undo_stops_where_the_target_is_down_and_goes_on_when_it_is_back(place: Place) -> None:
    wix, journal, undo = WixStandIn(), place.folder / "runs", place.vault(name="undo")
    with bridged(wix) as target:
        source = place.env(**{f"KEY_{n}": "1" for n in range(6)})
        run = migrate.plan(source, target, vault=undo).apply(journal=journal)
        wix.script(*[Reply(503)] * 50)
        down = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
        wix._faults.clear()
        undone = migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [down.state, [one.state for one in down.outcomes], undone.state, wix.secrets] == [
        "incomplete",
        ["done"] * 6,
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
