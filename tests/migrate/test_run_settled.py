"""What a resume makes of a write that was announced and has no outcome, by what the target then shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, at, bridged, filled, place

from secretbridge import migrate
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Lost, Pass, Reply, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge.migrate import Run
    from secretbridge.testing._exchange import Headers, StandInReply

__all__ = ["place"]


class CutError(Exception):
    """The run is broken off."""


@dataclass
class Broken:
    """A run from a file, broken off when the journal says that A is going to be written."""

    place: Place
    standin: Any
    vault: bool = True

    def begun(self) -> str:
        def cut() -> None:
            raise CutError

        with bridged(self.standin) as target:
            plan = migrate.plan(self.place.env(A="new-value"), target, on_conflict="update", **self._vault())
            with pytest.raises(CutError):
                plan.apply(journal=self.place.folder / "runs", progress=at("intended", cut))
        return migrate.runs(journal=self.place.folder / "runs")[0].id

    def resumed(self, run_id: str, **options: Any) -> Run:
        journal = self.place.folder / "runs"
        given: dict[str, Any] = {"check": False, "patience": 0, **self._vault(), **options}
        with bridged(self.standin) as target:
            return migrate.resume(run_id, self.place.env(), target, journal=journal, **given)

    def _vault(self) -> dict[str, Any]:
        return {"vault": self.place.vault(name="undo")} if self.vault else {}


def told(run: Run) -> tuple[str, str | None, str]:
    """State, ownership and the error without its class and advice."""
    (one,) = run.outcomes
    return one.state, one.owner, (one.error or "").partition(": ")[2].partition(". ")[0]


CREATED: dict[str, tuple[Callable[[InsForgeStandIn], object], tuple[str, str | None, str]]] = {
    "nothing": (lambda _: None, ("done", "recorded", "")),
    "what was going to be sent": (lambda one: one.seed("A", "new-value"), ("done", "inferred", "")),
    "something else": (
        lambda one: one.seed("A", "theirs"),
        ("unknown", None, "'A' is there and holds something else than was sent at InsForge"),
    ),
    "an inactive one": (
        lambda one: one.seed("A", "new-value", active=False),
        ("unknown", None, "'A' is there and inactive at InsForge"),
    ),
}


@pytest.mark.parametrize("what", CREATED)
def test_a_create_without_an_outcome_is_settled_where_the_target_has(place: Place, what: str) -> None:
    broken = Broken(place, InsForgeStandIn())
    run_id = broken.begun()
    act, expected = CREATED[what]
    act(broken.standin)
    there = {row.name: row.value for row in broken.standin.secrets if not row.reserved} or {"A": "new-value"}
    run = broken.resumed(run_id)
    assert (told(run), broken.standin.secret("A").value) == (expected, there["A"])


def changed(wix: WixStandIn) -> None:
    with bridged(wix) as bridge:
        bridge.update_secret("A", value="theirs")


def removed(wix: WixStandIn) -> None:
    with bridged(wix) as bridge:
        bridge.delete_secret("A")


UPDATED: dict[str, tuple[Callable[[WixStandIn], object], tuple[str, str | None, str], list[str]]] = {
    "what was there": (lambda _: None, ("done", "recorded", ""), ["new-value"]),
    "nothing any more": (removed, ("failed", None, "Wix has no secret named 'A' any more"), []),
    "something else": (
        changed,
        ("unknown", None, "'A' holds neither what was there nor what was sent at Wix"),
        ["theirs"],
    ),
}


@pytest.mark.parametrize("vault", [True, False])
@pytest.mark.parametrize("what", UPDATED)
def test_an_update_without_an_outcome_is_settled_where_the_target_has(
    place: Place,
    what: str,
    vault: bool,  # noqa: FBT001 - given by pytest
) -> None:
    wix = WixStandIn()
    wix.seed("A", "old-value")
    broken = Broken(place, wix, vault)
    run_id = broken.begun()
    act, expected, left = UPDATED[what]
    act(wix)
    run = broken.resumed(run_id)
    assert (told(run), [row.value for row in wix.secrets]) == (expected, left)


def test_two_secrets_of_one_name_at_io_net_are_reported_with_their_ids_and_both_stay(place: Place) -> None:
    ionet = IoNetStandIn()
    broken = Broken(place, ionet)
    run_id = broken.begun()
    ionet.seed("A", "theirs-1")
    ionet.seed("A", "theirs-2")
    run = broken.resumed(run_id)
    undone = migrate_undo(broken, run_id)
    ids = [row.id for row in ionet.secrets]
    assert [
        told(run)[:2],
        all(id_ in (run.outcomes[0].error or "") for id_ in ids),
        undone.outcomes[0].error,
        len(ids),
    ] == [("unknown", None), True, f"2 secrets bear this name: {', '.join(ids)}.", 2]


def migrate_undo(broken: Broken, run_id: str) -> Run:
    with bridged(broken.standin) as target:
        return migrate.undo(
            run_id,
            target,
            journal=broken.place.folder / "runs",
            vault=broken.place.vault(name="undo"),
            check=False,
            accept=["inferred", "changed", "unseen"],
        )


class Account(IoNetStandIn):
    """Refuses changes while it is told to."""

    refuses = False

    def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
        if self.refuses and method != "GET":
            self.script(Reply(422, {"detail": "no"}))
        return super().handle(method, raw_path, headers, body)


def unanswered(place: Place, ionet: Account) -> tuple[Broken, str]:
    """Give a run whose update at io.net got no answer, so that nobody knows whether it arrived."""
    ionet.seed("A", "old-value")
    lost = at("intended", lambda: ionet.script(Pass(), Pass(), Lost()))  # listed and looked at before
    undo, journal = place.vault(name="undo"), place.folder / "runs"
    with bridged(ionet) as target:
        plan = migrate.plan(place.env(A="new-value"), target, on_conflict="update", vault=undo)
        run = plan.apply(journal=journal, check=False, patience=0, progress=lost)
    return Broken(place, ionet), run.id


def test_a_value_that_is_another_one_by_now_is_not_sent_again_in_place_of_the_one_that_may_have_arrived(
    place: Place,
) -> None:
    ionet = Account()
    broken, run_id = unanswered(place, ionet)
    filled(place.env(), A="newer-value")
    run = broken.resumed(run_id, resend=True)
    assert (told(run), ionet.secrets[0].value) == (
        ("unknown", None, "The value at the source is another one by now, so it is not sent again."),
        "new-value",
    )


def test_what_is_sent_again_and_refused_stays_unknown_for_the_first_one_may_have_arrived(
    place: Place,
) -> None:
    ionet = Account()
    broken, run_id = unanswered(place, ionet)
    ionet.refuses = True
    (one,) = broken.resumed(run_id, resend=True).outcomes
    ionet.refuses = False
    ionet._faults.clear()
    (again,) = broken.resumed(run_id, resend=True).outcomes
    assert [one.state, one.resent, one.error is not None, again.state, again.resent] == [
        "unknown",
        True,
        True,
        "done",
        True,
    ]
