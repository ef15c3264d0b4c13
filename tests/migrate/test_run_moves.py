"""A move whose deletion at the source got no answer: what is open, what is gone, what stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, at, bridged, place

from secretbridge import migrate
from secretbridge.testing import InsForgeStandIn, Lost, Pass, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge.migrate import Run
    from secretbridge.migrate._undo import UndoConsent
    from secretbridge.testing import Fault

__all__ = ["place"]


@pytest.fixture
def insforge() -> InsForgeStandIn:
    standin = InsForgeStandIn()
    standin.seed("A", "1")
    return standin


def moved(place: Place, insforge: InsForgeStandIn, *faults: Fault) -> Run:
    """Move out of InsForge; the faults come from the deletion on, after the secret was looked at and read."""
    script = at("verified", lambda: insforge.script(Pass(), Pass(), *faults))
    with bridged(insforge) as source:
        plan = migrate.plan(source, place.env("target.env"), select="A")
        return plan.apply(journal=place.folder / "runs", delete_source=True, check=False, progress=script)


def resumed(place: Place, insforge: InsForgeStandIn, run: Run) -> Run:
    with bridged(insforge) as source:
        target = place.env("target.env")
        return migrate.resume(run.id, source, target, journal=place.folder / "runs", check=False)


def undone(place: Place, run: Run) -> Run:
    consents: list[UndoConsent] = ["inferred", "changed", "unseen"]
    journal = place.folder / "runs"
    return migrate.undo(run.id, place.env("target.env"), journal=journal, check=False, accept=consents)


def ended(run: Run) -> list[object]:
    (one,) = run.outcomes
    return [run.state, one.source_deleted, one.error and one.error.partition(":")[0]]


def test_a_secret_whose_deletion_got_no_answer_is_open_and_gone_when_insforge_lists_it_as_inactive(
    place: Place, insforge: InsForgeStandIn
) -> None:
    first = moved(place, insforge, Lost())
    requests = len(insforge.requests)
    second = resumed(place, insforge, first)
    asked = {call.partition(" ")[0] for call in insforge.calls[requests:]}
    assert [ended(first), ended(second), asked] == [
        ["incomplete", False, "NoReply"],
        ["done", True, None],
        {"GET"},
    ]


def test_an_undo_leaves_the_copy_where_it_is_open_whether_its_source_was_deleted(
    place: Place, insforge: InsForgeStandIn
) -> None:
    run = undone(place, moved(place, insforge, Lost()))
    path = place.folder / "target.env"
    assert [run.state, run.outcomes[0].error, path.read_text()] == [
        "incomplete",
        "The source of it was deleted after the migration: here may be the only copy.",
        "A=1\n",
    ]


def test_a_deletion_that_was_refused_leaves_nothing_open_and_is_undone(
    place: Place, insforge: InsForgeStandIn
) -> None:
    refusal = {"error": "FORBIDDEN", "message": "", "statusCode": 403}
    first = moved(place, insforge, Reply(403, refusal))
    second = undone(place, first)
    assert [ended(first), second.state, insforge.secret("A").active] == [
        ["incomplete", False, "SecretProtected"],
        "undone",
        True,
    ]


def test_a_source_that_cannot_be_asked_about_a_begun_deletion_leaves_it_open(
    place: Place, insforge: InsForgeStandIn
) -> None:
    first = moved(place, insforge, Lost())
    insforge.script(Reply(503), Reply(503), Reply(503))
    second = resumed(place, insforge, first)
    insforge._faults.clear()
    kept = undone(place, first)
    assert [ended(second), kept.state, (place.folder / "target.env").read_text()] == [
        ["incomplete", False, "ProviderUnavailable"],
        "incomplete",
        "A=1\n",
    ]


def deactivated(insforge: InsForgeStandIn, **more: Any) -> None:
    with bridged(insforge) as bridge:
        bridge.update_secret("A", active=False, **more)


def test_a_secret_that_somebody_deactivates_before_its_deletion_is_begun_does_not_count_as_deleted(
    place: Place, insforge: InsForgeStandIn
) -> None:
    with bridged(insforge) as source:
        plan = migrate.plan(source, place.env("target.env"), select="A")
        told = at("verified", lambda: deactivated(insforge))
        run = plan.apply(journal=place.folder / "runs", delete_source=True, check=False, progress=told)
    assert ended(run) == ["incomplete", False, "SecretNotFound"]


OTHERS: dict[str, Callable[[InsForgeStandIn], object]] = {
    "another row": lambda standin: standin.seed("A", "2", active=False),
    "another expiry": lambda standin: deactivated(standin, expires_at=datetime(2099, 1, 1, tzinfo=UTC)),
    "in use again": lambda standin: standin.seed("A", "2"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_somebody_else_left_in_place_of_a_secret_whose_deletion_was_begun_is_kept(
    place: Place, insforge: InsForgeStandIn, other: str
) -> None:
    first = moved(place, insforge, Lost())
    OTHERS[other](insforge)
    there = insforge.secret("A")
    second = resumed(place, insforge, first)
    assert [second.state, second.outcomes[0].source_deleted, insforge.secret("A").active] == [
        "incomplete",
        False,
        there.active,
    ]
