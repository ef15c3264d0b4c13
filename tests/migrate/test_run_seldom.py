"""What happens seldom in a run: stores that fail in the middle, twins, what is kept, stores of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from memory_store import Memory, Row, Unshown
from migrate_place import Place, at, bridged, filled, place
from pydantic import SecretStr

from secretbridge import InsForge, InvalidRequest, NoReply, Secret, SecretBridge, migrate
from secretbridge._runtime import BlockingRuntime
from secretbridge.migrate._keep import Keep
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, Lost, Pass, Reply, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge.migrate import Run
    from secretbridge.testing._exchange import Headers, StandInReply

__all__ = ["place"]


def told(run: Run) -> list[tuple[str, str]]:
    """State and error of each outcome, without the error's advice."""
    return [(one.state, (one.error or "").partition(". ")[0]) for one in run.outcomes]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited for; nobody waits."""
    found: list[float] = []

    async def sleep(_: BlockingRuntime, seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(BlockingRuntime, "sleep", sleep)
    return found


# What is kept.


def test_what_keeps_values_shows_its_vault_and_not_its_key(place: Place) -> None:
    key = b"an-octet-string-that-is-32-long!"
    with SecretBridge(place.vault()) as bridge:
        shown = repr(Keep(bridge._core, key))
    assert (shown.startswith("Keep(Local("), key.decode() in shown) == (True, False)


def test_an_undo_brings_back_a_time_of_expiry(place: Place) -> None:
    before, after = datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC)
    source, target = filled(place.vault(name="source"), A="new"), filled(place.vault(), A="old")
    undo, journal = place.vault(name="undo"), place.folder / "runs"
    with SecretBridge(source) as ours, SecretBridge(target) as theirs:
        ours.update_secret("A", expires_at=after)
        theirs.update_secret("A", expires_at=before)
        plan = migrate.plan(source, target, on_conflict="update", vault=undo, accept=["versions"])
        run = plan.apply(journal=journal)
        between = theirs.get_secret("A").expires_at
        migrate.undo(run.id, target, journal=journal, vault=undo)
        again = theirs.get_secret("A")
    assert (between, again.expires_at, again.reveal()) == (after, before, "old")


# What a sync would delete.


def test_what_a_sync_would_delete_is_known_by_the_journals_of_its_vault_alone(place: Place) -> None:
    source, target, undo = place.env(A="1", B="2"), place.json(), place.vault(name="undo")
    journal = place.folder / "runs"
    run = migrate.sync(source, target, journal=journal)
    source.path.write_text("A=1\n")
    without = migrate.plan(source, target, on_conflict="update")
    unused = migrate.plan(source, target, on_conflict="update", vault=undo)
    assert [
        [(one.name, one.run, one.unchanged) for one in without.orphans(journal=journal)],
        unused.orphans(journal=journal),
    ] == [[("B", run.id, None)], ()]


def test_what_a_sync_would_delete_is_asked_for_on_the_face_of_its_bridges(place: Place) -> None:
    with SecretBridge(place.env(A="1")) as source:
        plan = migrate.plan(source, place.json())
        with pytest.raises(InvalidRequest, match="source: is a blocking bridge"):
            anyio.run(plan.orphans_async)


# What somebody else does meanwhile.


class Clock:
    """Every look at it is a second later."""

    def __init__(self) -> None:
        self.seconds = 1_900_000_000.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


def test_a_value_that_somebody_else_has_sent_to_io_net_is_replaced_by_the_next_sync(place: Place) -> None:
    ionet, undo, journal = IoNetStandIn(clock=Clock()), place.vault(name="undo"), place.folder / "runs"
    source = place.env(A="ours-1")
    with bridged(ionet) as target, bridged(ionet) as other:
        migrate.sync(source, target, vault=undo, journal=journal)
        other.update_secret("A", value="theirs-1")
        run = migrate.sync(source, target, vault=undo, journal=journal)
    assert [run.counts, ionet.secret("A").value] == [{"done": 1}, "ours-1"]


def test_two_secrets_of_its_name_that_came_before_the_write_keep_io_net_from_a_third(place: Place) -> None:
    ionet = IoNetStandIn()

    def twins() -> None:
        for value in ("theirs-1", "theirs-2"):
            ionet.seed("A", value)

    with bridged(ionet) as target:
        plan = migrate.plan(place.env(A="ours-1"), target)
        run = plan.apply(journal=place.folder / "runs", check=False, progress=at("intended", twins))
    assert [told(run), sorted(row.value for row in ionet.secrets)] == [
        [("failed", "Conflict: io.net has 2 secrets named 'A'")],
        ["theirs-1", "theirs-2"],
    ]


def test_a_secret_at_io_net_that_somebody_changes_before_the_write_is_left(place: Place) -> None:
    ionet = IoNetStandIn(clock=Clock())
    ionet.seed("A", "old-value")
    with bridged(ionet) as target, bridged(ionet) as other:
        plan = migrate.plan(place.env(A="ours-1"), target, on_conflict="update")
        changed = at("intended", lambda: other.update_secret("A", value="theirs-1"))
        run = plan.apply(journal=place.folder / "runs", check=False, progress=changed)
    assert [told(run), ionet.secret("A").value] == [
        [("failed", "Conflict: 'A' has changed at io.net since the plan was made")],
        "theirs-1",
    ]


def test_an_undo_leaves_what_somebody_else_made_with_the_same_value_at_wix(place: Place) -> None:
    wix, undo, journal = WixStandIn(), place.vault(name="undo"), place.folder / "runs"
    source = place.vault(name="source")
    with SecretBridge(source) as bridge:
        bridge.create_secret("A", value="same", description="same")
    with bridged(wix) as target, bridged(wix) as other:
        run = migrate.plan(source, target, vault=undo, accept=["versions"]).apply(journal=journal)
        other.delete_secret("A")
        other.create_secret("A", value="same", description="same")
        left = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    asked = 'accept=["changed"]' in (left.outcomes[0].error or "")
    assert [left.state, asked, [row.name for row in wix.secrets]] == ["incomplete", True, ["A"]]


# Stores that fail in the middle.


@pytest.mark.parametrize("when", ["started", "intended"])
def test_a_target_file_that_cannot_be_read_any_more_fails_each_of_its_secrets(
    place: Place, when: str
) -> None:
    target = place.env("target.env", A="old", B="old")
    plan = migrate.plan(place.json(A="new", B="new"), target, on_conflict="update")
    broken = at(when, lambda: target.path.write_bytes(b"\xff"))
    run = plan.apply(journal=place.folder / "runs", check=False, progress=broken)
    assert [[one.state for one in run.outcomes], target.path.read_bytes()] == [["failed"] * 2, b"\xff"]


def test_a_source_file_that_cannot_be_read_any_more_fails_each_of_its_secrets(place: Place) -> None:
    source, target = place.env(A="1", B="2"), place.vault()
    plan = migrate.plan(source, target)
    broken = at("started", lambda: source.path.write_bytes(b"\xff"))
    run = plan.apply(journal=place.folder / "runs", check=False, progress=broken)
    with SecretBridge(target) as bridge:
        there = bridge.list_secrets()
    assert [[one.state for one in run.outcomes], there] == [["failed"] * 2, []]


class Unseen(InsForgeStandIn):
    """Loses the answer to the first secret that is made of a name, and hands out no value for a while."""

    loses = "A"
    down = True

    def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
        path = raw_path.decode() if isinstance(raw_path, bytes) else raw_path
        if self.down and method == "GET" and path.count("/") == 3:
            return Reply(503, {"error": "X", "message": "m", "statusCode": 503}).as_reply()
        if self.loses and f'"{self.loses}"'.encode() in body:
            self.loses = ""
            self.script(Lost())
        return super().handle(method, raw_path, headers, body)


def test_where_the_credential_is_refused_while_one_is_settled_no_other_is_looked_at(place: Place) -> None:
    insforge, source, journal = Unseen(), place.env(A="1", B="2"), place.folder / "runs"
    undo = place.vault(name="undo")
    with bridged(insforge) as target:
        plan = migrate.plan(source, target, vault=undo)
        first = plan.apply(journal=journal, check=False, patience=0, concurrency=1)
    insforge.down = False
    revoked = InsForge(insforge.base_url, api_key="ik_revoked")
    with SecretBridge(revoked, transport=insforge.transport(), retry=None, pace=None) as target:
        second = migrate.resume(first.id, source, target, vault=undo, journal=journal, check=False)
    asked = [call.rpartition("/")[2] for call in insforge.calls if call.startswith("GET /api/secrets/")]
    assert [
        [(one.state, one.verified) for one in first.outcomes],
        [one.state for one in second.outcomes],
        asked,
    ] == [[("unknown", None), ("done", None)], ["unknown", "done"], ["A"]]


def test_without_a_vault_what_got_no_answer_is_sent_again_where_that_is_wanted(
    place: Place, waits: list[float]
) -> None:
    ionet, source, journal = IoNetStandIn(), place.env(A="new-value"), place.folder / "runs"
    ionet.seed("A", "old-value")
    lost = at("intended", lambda: ionet.script(Pass(), Pass(), Lost()))  # listed and looked at before
    with bridged(ionet) as target:
        plan = migrate.plan(source, target, on_conflict="update")
        first = plan.apply(journal=journal, check=False, patience=0, progress=lost)
        second = migrate.resume(first.id, source, target, journal=journal, resend=True)
    (one,) = second.outcomes
    assert [first.counts, one.state, one.resent, ionet.secret("A").value, waits] == [
        {"unknown": 1},
        "done",
        True,
        "new-value",
        [2.0, 2.0],  # a listing may lag behind
    ]


# Targets that do not show what they hold.


def test_what_is_written_inactive_is_not_handed_out_and_so_not_verified(place: Place) -> None:
    theirs, ours = InsForgeStandIn(), InsForgeStandIn()
    theirs.seed("KEY", "never handed out", active=False)
    given: Any = {"values_from": {"KEY": SecretStr("given")}, "select": "KEY"}
    with bridged(theirs, base_url="https://a.test") as source, bridged(ours) as target:
        run = migrate.plan(source, target, **given).apply(journal=place.folder / "runs")
    row = ours.secret("KEY")
    assert (run.outcomes[0].verified, row.value, row.active) == ("unverifiable", "given", False)


def test_a_source_goes_where_the_target_shows_nothing_and_that_is_accepted(place: Place) -> None:
    appfarm, source = AppfarmStandIn(), place.env(A="new")
    appfarm.seed("A", "old")
    with bridged(appfarm, secrets=["A"]) as target:
        plan = migrate.plan(source, target, on_conflict="update")
        run = plan.apply(journal=place.folder / "runs", delete_source=True, accept_unverifiable=True)
    assert [run.state, appfarm.secret("A").value, source.path.read_text()] == ["done", "new", ""]


# Stores of other packages.


class Together(Memory):
    """A store of values alone that reads and writes many at once, and has no short way to list names."""

    reads_whole = True

    async def read_many(self, channel: Any, names: Iterable[str]) -> list[Secret]:
        return [Secret(name=name, value=SecretStr(self.rows[name].value)) for name in names]

    async def write_many(self, channel: Any, writes: Iterable[tuple[str, SecretStr | None]]) -> None:
        self.rows |= {name: Row(value.get_secret_value()) for name, value in writes if value is not None}


def test_a_store_that_reads_many_at_once_needs_no_other_short_way(place: Place) -> None:
    source = Together({"A": Row("new"), "B": Row("new")}, fields=frozenset())
    target = Together({"A": Row("old"), "C": Row("other")}, fields=frozenset())
    run = migrate.plan(source, target, on_conflict="update").apply(journal=place.folder / "runs")
    held = {name: row.value for name, row in target.rows.items()}
    assert [run.counts, held] == [{"done": 2}, {"A": "new", "B": "new", "C": "other"}]


def test_an_undo_leaves_what_the_target_does_not_show(place: Place) -> None:
    target, journal = Unshown({}), place.folder / "runs"
    run = migrate.plan(place.env(A="1"), target).apply(journal=journal)
    undone = migrate.undo(run.id, target, journal=journal, check=False, accept=["unseen"])
    assert [run.outcomes[0].verified, undone.outcomes[0].error, target.rows] == [
        "unverifiable",
        "the unshown memory does not show what is there.",
        {"A": Row("1")},
    ]


class Lossy(Unshown):
    """Makes what it is told to make, and loses the answer."""

    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        await super().create(channel, name, fields)
        raise NoReply("The answer was lost.", applied=None)


def test_what_was_made_without_an_answer_stays_unknown_where_nothing_is_shown(
    place: Place, waits: list[float]
) -> None:
    target = Lossy({})
    run = migrate.plan(place.env(A="1"), target).apply(journal=place.folder / "runs", check=False)
    assert [told(run), target.rows, waits] == [
        [("unknown", "Conflict: 'A' cannot be seen at the unshown memory")],
        {"A": Row("1")},
        [2.0],
    ]
