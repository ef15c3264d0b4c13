"""What does not belong to a run is refused before anything is done, and what lies beside it does no harm."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from migrate_place import Place, at, bridged, bridged_async, filled, place

from secretbridge import InvalidRequest, SecretBridge, migrate
from secretbridge.errors import JournalMismatch, PlanStale
from secretbridge.migrate._journal import Journal
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Reply, WixStandIn

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge.migrate import Plan, Run

__all__ = ["place"]

OTHER = "20260101-000000-000000-abcdef01"


def applied(place: Place, **options: Any) -> Run:
    return migrate.plan(place.env(A="1"), place.json()).apply(journal=place.folder / "runs", **options)


def written_by_others(folder: Path) -> None:
    """Put the journal of another kind of run into a folder, and one that is damaged."""
    Journal.create(folder / f"{OTHER}.db", {"run": OTHER}, [], None).close()
    (folder / "20260102-000000-000000-abcdef01.db").write_bytes(b"no database")


def test_a_plan_of_async_bridges_is_not_applied_without_an_event_loop(place: Place) -> None:
    async def planned() -> Plan:
        async with bridged_async(InsForgeStandIn()) as target:
            return await migrate.plan_async(place.env(A="1"), target)

    plan = anyio.run(planned)
    with pytest.raises(InvalidRequest, match="target: is an AsyncSecretBridge"):
        plan.apply(journal=place.folder / "runs")


def test_a_run_is_not_resumed_with_an_async_bridge_without_an_event_loop(place: Place) -> None:
    insforge = InsForgeStandIn()
    with bridged(insforge) as target:
        run = migrate.plan(place.env(A="1"), target).apply(journal=place.folder / "runs")
    target_async: Any = bridged_async(insforge)
    with pytest.raises(InvalidRequest, match="target: is an AsyncSecretBridge"):
        migrate.resume(run.id, place.env(), target_async, journal=place.folder / "runs")


@pytest.mark.parametrize("given", [None, "app.json"])
def test_an_undo_without_a_target_is_refused(place: Place, given: Any) -> None:
    with pytest.raises(InvalidRequest, match="target: is n"):
        migrate.undo(applied(place).id, given, journal=place.folder / "runs")


def test_the_journal_of_another_run_is_refused_and_so_is_one_of_another_kind(place: Place) -> None:
    run, folder = applied(place), place.folder / "runs"
    written_by_others(folder)
    renamed = "20260103-000000-000000-abcdef01"
    shutil.copy(run.journal, folder / f"{renamed}.db")
    said: list[str] = []
    for id_ in (renamed, OTHER):
        with pytest.raises(JournalMismatch) as caught:
            migrate.resume(id_, place.env(), place.json(), journal=folder)
        said.append(str(caught.value).partition(".db ")[2])
    assert said == [
        f"is of the run {run.id}. Give that id.",
        "is not one of a migration. migrate.runs() shows the migrations.",
    ]


def test_a_sync_passes_over_journals_of_others_and_damaged_ones(place: Place) -> None:
    folder, source, target = place.folder / "runs", place.env(A="1", B="2"), place.json()
    options: dict[str, Any] = {"journal": folder, "vault": place.vault(name="undo"), "prune": True}
    migrate.sync(source, target, **options)
    written_by_others(folder)
    with SecretBridge(source) as bridge:
        bridge.delete_secret("B")
    run = migrate.sync(source, target, **options)
    assert [run.counts, [(one.target, one.state) for one in run.pruned]] == [
        {"skipped": 1},
        [("B", "undone")],
    ]


def test_what_was_made_anew_at_the_target_is_not_taken_for_what_a_sync_wrote(place: Place) -> None:
    wix, source, folder = WixStandIn(), filled(place.vault(), A="1", B="2"), place.folder / "runs"
    with bridged(wix) as target:
        migrate.sync(source, target, journal=folder)
        target.delete_secret("A")
        target.create_secret("A", value="theirs")
        run = migrate.sync(source, target, journal=folder)
    values = {row.name: row.value for row in wix.secrets}
    assert [run.counts, values] == [{"done": 1, "skipped": 1}, {"A": "1", "B": "2"}]


def test_a_vault_that_never_tells_a_value_keeps_none(place: Place) -> None:
    plan = migrate.plan(place.env(A="1"), place.json())
    with bridged(IoNetStandIn()) as vault, pytest.raises(InvalidRequest, match="cannot keep values"):
        plan.apply(journal=place.folder / "runs", vault=vault)


@pytest.mark.parametrize("held", ["not a key", "abcd"])
def test_a_vault_with_something_else_in_place_of_the_key_is_refused_and_left_as_it_is(
    place: Place, held: str
) -> None:
    undo = filled(place.vault(name="undo"), **{"migration.key": held})
    with pytest.raises(InvalidRequest, match="holds something else than a key") as caught:
        applied(place, vault=undo)
    with SecretBridge(undo) as bridge:
        left = bridge.get_secret("migration.key").reveal()
    assert [left, held in str(caught.value), place.json().path.exists()] == [held, False, False]


def test_a_secret_that_was_renamed_at_the_source_makes_the_plan_stale(place: Place) -> None:
    source = filled(place.vault(), A="1")
    plan = migrate.plan(source, place.json())
    with SecretBridge(source) as bridge:
        bridge.update_secret("A", new_name="B")
    with pytest.raises(PlanStale) as caught:
        plan.apply(journal=place.folder / "runs")
    assert caught.value.moved == ("the vault: 'A' is gone.", "the vault: 'B' is new.")


@pytest.mark.parametrize("which", ["source", "values_from"])
def test_a_secret_that_cannot_be_read_when_its_turn_comes_fails_and_the_run_is_resumed(
    place: Place, which: str
) -> None:
    insforge, folder = InsForgeStandIn(), place.folder / "runs"
    insforge.seed("A", "1")
    down = at("intended", lambda: insforge.script(Reply(503)))
    with bridged(insforge) as store:
        ends: dict[str, Any] = {"source": store} if which == "source" else {"values_from": store}
        ends = {"source": place.env(A="elsewhere"), **ends}
        plan = migrate.plan(target=place.json(), select="A", **ends)
        stuck = plan.apply(journal=folder, check=False, patience=0, progress=down)
        run = migrate.resume(stuck.id, target=place.json(), journal=folder, **ends)
    (failed,) = stuck.outcomes
    assert [failed.state, (failed.error or "").partition(":")[0], run.state] == [
        "failed",
        "ProviderUnavailable",
        "done",
    ]


def test_a_listing_that_fails_while_values_are_verified_keeps_nobody_from_verifying_them(
    place: Place,
) -> None:
    wix, folder = WixStandIn(), place.folder / "runs"
    with bridged(wix) as target:
        plan = migrate.plan(place.env(A="1", B="2"), target)
        down = at("written", lambda: wix.script(Reply(503)))
        run = plan.apply(journal=folder, progress=down)
    assert [one.verified for one in run.outcomes] == ["verified", "verified"]
