"""A program that is told of events learns all that a run does and waits for; none of them has a value."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from migrate_place import Place, bridged, bridged_async, place, provider_of

from secretbridge import Retry, SecretBridge, migrate
from secretbridge.errors import InvalidRequest
from secretbridge.migrate import EVENTS, Event, _progress
from secretbridge.migrate._progress import Lines, Tally, shown_progress
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Pass, Refused, Reply, WixStandIn

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge.migrate import Plan

__all__ = ["place"]

VALUE = "canary-1618033988"
BUSY = Reply(429, {"message": "too many", "statusCode": 429}, headers=[("retry-after", "0")])


class Told:
    """Keeps events, and sees to it that they come one at a time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._busy = threading.Lock()

    def __call__(self, event: Event) -> None:
        assert self._busy.acquire(blocking=False), "two events at a time"
        time.sleep(0)
        self.events.append(event)
        self._busy.release()

    def kinds(self, *kinds: str) -> list[Event]:
        return [one for one in self.events if one.kind in kinds]

    def counted(self) -> dict[str, int]:
        return dict(Counter(one.kind for one in self.events))


@pytest.fixture
def told() -> Told:
    return Told()


def runs(place: Place) -> Path:
    return place.folder / "runs"


def test_each_secret_goes_through_its_kinds_in_order(place: Place, told: Told) -> None:
    insforge = InsForgeStandIn()
    with bridged(insforge) as target:
        migrate.plan(place.env(A=VALUE, B=VALUE), target, progress=told).apply(
            journal=runs(place), progress=told
        )
    of_a = [one.kind for one in told.events if one.name == "A"]
    last = told.events[-1]
    assert of_a == ["looked", "intended", "tried", "written", "verified"]
    assert [one.phase for one in told.kinds("started", "finished")] == ["plan", "plan", "run", "run"]
    assert (last.kind, last.done, last.total, last.failed) == ("finished", 2, 2, 0)
    assert VALUE not in repr(told.events)


def test_every_kind_that_is_told_is_documented(place: Place, told: Told) -> None:
    ionet = IoNetStandIn()
    with bridged(ionet) as target:
        plan = migrate.plan(place.env(A="1234"), target)
        run = plan.apply(journal=runs(place), progress=told, check=False)
        migrate.undo(run.id, target, journal=runs(place), progress=told, accept=["unseen"], check=False)
    insforge = InsForgeStandIn()
    with bridged(insforge) as target:
        plan = migrate.plan(place.env("more.env", B="2"), target, progress=told)
        insforge.script(Pass(), Reply(400, {"message": "no", "statusCode": 400}))
        plan.apply(journal=runs(place), progress=told, check=False, patience=0)
    moved = migrate.plan(place.env("third.env", C="3"), place.env("fourth.env"))
    moved.apply(journal=runs(place), progress=told, delete_source=True)
    paced(place, told, BUSY)
    assert set(told.counted()) == set(EVENTS)


def paced(place: Place, told: Any, *script: Any, pace: float | None = 1200) -> Plan:
    """Migrate to a stand-in on a socket, paced."""
    insforge = InsForgeStandIn()
    source = place.env("paced.env", **{f"KEY_{n}": VALUE for n in range(6)})
    retry = Retry(attempts=3, first_wait=0.01, max_wait=0.02)
    with (
        insforge.serve() as address,
        SecretBridge(provider_of(insforge, address), retry=retry, pace=pace) as target,
    ):
        plan = migrate.plan(source, target)
        insforge.script(*script)
        plan.apply(journal=runs(place), progress=told)
    return plan


def test_waiting_for_the_rate_is_told_with_its_time(place: Place, told: Told) -> None:
    paced(place, told)
    waits = told.kinds("waiting")
    assert {(one.store, one.reason) for one in waits} == {("target", "pace")}
    assert all(0 < one.seconds < 60 for one in waits)


def test_a_request_that_is_sent_again_is_told_with_its_error(place: Place, told: Told) -> None:
    paced(place, told, BUSY, Reply(503, {"message": VALUE}), pace=None)
    found = [(one.store, one.reason, one.attempt) for one in told.kinds("retrying")]
    errors = [one.error or "" for one in told.kinds("retrying")]
    assert found[0] == ("target", "limit", 1)
    assert found[1][:2] == ("target", "trouble")
    assert errors[0].startswith("RateLimited: ")
    assert VALUE not in repr(told.events)


def test_reading_from_a_source_that_is_paced_is_told_for_the_plan_too(place: Place, told: Told) -> None:
    wix = WixStandIn()
    for number in range(5):
        wix.seed(f"KEY_{number}", VALUE)
    with wix.serve() as address, SecretBridge(provider_of(wix, address), pace=1200) as source:
        migrate.plan(source, place.env("target.env"), progress=told)
    looked = told.kinds("looked")
    assert [(one.done, one.total) for one in looked] == [(n, 5) for n in range(1, 6)]
    assert {(one.phase, one.store) for one in told.kinds("waiting")} == {("plan", "source")}


def test_a_store_that_went_away_is_waited_for_and_told(place: Place, told: Told) -> None:
    insforge = InsForgeStandIn()
    with bridged(insforge) as target:
        plan = migrate.plan(place.env(A="1"), target)
        started = told.__call__

        def go_away(event: Event) -> None:
            started(event)
            if event.kind == "intended" and not told.kinds("waiting"):
                insforge.script(*[Refused()] * 6)

        plan.apply(journal=runs(place), progress=go_away, patience=0.01, check=False)
    assert {(one.reason, one.store) for one in told.kinds("waiting")} <= {("away", "target")}
    assert told.kinds("failed")[0].error is not None


def test_values_from_elsewhere_are_watched_too(place: Place, told: Told) -> None:
    ionet, wix = IoNetStandIn(), WixStandIn()
    for name in "ABCDEF":
        ionet.seed(name, "1234")
        wix.seed(name, VALUE)
    with wix.serve() as address, bridged(ionet) as source:
        values = provider_of(wix, address)
        with SecretBridge(values, pace=1200) as lender:
            plan = migrate.plan(source, place.env("t.env"), values_from=lender)
            plan.apply(journal=runs(place), progress=told, check=False)
    assert "values" in {one.store for one in told.kinds("waiting")}


def test_an_undo_counts_what_is_taken_back(place: Place, told: Told) -> None:
    with bridged(InsForgeStandIn()) as target, SecretBridge(place.vault(name="undo")) as vault:
        plan = migrate.plan(place.env(A="1", B="2"), target, vault=vault)
        run = plan.apply(journal=runs(place))
        migrate.undo(run.id, target, vault=vault, journal=runs(place), progress=told)
    assert told.counted() == {"started": 1, "undone": 2, "finished": 1}
    assert [(one.done, one.total, one.phase) for one in told.events[:: len(told.events) - 1]] == [
        (0, 2, "undo"),
        (2, 2, "undo"),
    ]


def test_what_fails_is_counted_and_what_is_mended_is_not_any_more(place: Place, told: Told) -> None:
    insforge = InsForgeStandIn()
    source = place.env(A="1", B="2")
    with bridged(insforge) as target:
        plan = migrate.plan(source, target)

        def refuse(event: Event) -> None:
            told(event)
            if event.kind == "intended" and event.name == "B":
                insforge.script(Reply(400, {"message": "no", "statusCode": 400}))

        run = plan.apply(journal=runs(place), progress=refuse, check=False, concurrency=1)
        first = told.events[-1]
        migrate.resume(run.id, source, target, journal=runs(place), progress=told)
    last = told.events[-1]
    assert [(one.done, one.failed) for one in (first, last)] == [(1, 1), (2, 0)]


def test_events_come_on_an_event_loop_too(place: Place, told: Told) -> None:
    wix = WixStandIn()
    wix.seed("A", VALUE)

    async def main() -> None:
        async with bridged_async(wix) as source, bridged_async(InsForgeStandIn()) as target:
            plan = await migrate.plan_async(source, target, progress=told)
            run = await plan.apply_async(journal=runs(place), progress=told)
            await migrate.resume_async(run.id, source, target, journal=runs(place), progress=told)
            again = await migrate.sync_async(source, target, journal=runs(place), progress=told)
            await migrate.undo_async(
                run.id, target, journal=runs(place), progress=told, accept=["unseen"], check=False
            )
            assert again.state == "done"

    anyio.run(main)
    assert Counter(one.phase for one in told.kinds("finished")) == {"plan": 2, "run": 2, "undo": 1}


def test_what_a_callback_raises_ends_the_run_in_a_state_that_resumes(place: Place) -> None:
    class Enough(Exception): ...

    def stop(event: Event) -> None:
        if event.kind == "tried":
            raise Enough

    source = place.env(A="1", B="2")
    with bridged(InsForgeStandIn()) as target:
        with pytest.raises(Enough):
            migrate.plan(source, target).apply(journal=runs(place), progress=stop)
        (info,) = migrate.runs(journal=runs(place))
        run = migrate.resume(info.id, source, target, journal=runs(place))
    assert (info.state, run.counts) == ("interrupted", {"done": 2})


@pytest.mark.parametrize("progress", [1, "yes", object()])
def test_what_cannot_be_told_is_refused(place: Place, progress: Any) -> None:
    source, target = place.env("s.env", A="1"), place.env("t.env")
    with pytest.raises(InvalidRequest, match="progress"):
        migrate.plan(source, target, progress=progress)
    plan = migrate.plan(source, target)
    with pytest.raises(InvalidRequest, match="progress"):
        plan.apply(journal=runs(place), progress=progress)


@pytest.mark.parametrize("progress", [None, False])
def test_nothing_is_shown_unless_it_is_asked_for(
    place: Place, progress: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = migrate.plan(place.env("s.env", A="1"), place.env("t.env"), progress=progress)
    plan.apply(journal=runs(place), progress=progress)
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_short_run_that_is_not_on_a_terminal_writes_no_line(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    migrate.plan(place.env("s.env", A="1"), place.env("t.env"), progress=True).apply(
        journal=runs(place), progress=True
    )
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_long_run_that_is_not_on_a_terminal_writes_lines(
    place: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "_EVERY", 0.02)
    paced(place, True)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert (out, len(lines) > 2, VALUE in err) == ("", True, False)
    assert "Migrating: 0 of 6 done" in err
    assert "waiting for the limit of the target: " in err
    assert lines[-1].startswith("Migrating: 6 of 6 done, in ")


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def events(*given: dict[str, Any]) -> list[Event]:
    return [Event(**{"kind": "written", "total": 100, **one}) for one in given]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([], "Beginning"),
        ([{"kind": "started", "total": 0, "phase": "plan"}], "Comparing"),
        ([{"kind": "started"}], "Migrating: 0 of 100 done"),
        ([{"kind": "started", "done": 40}], "Migrating: 40 of 100 done"),
        (
            [{"kind": "started"}, {"done": 20}],
            "Migrating: 20 of 100 done, 2.0 a second, about 40 s left",
        ),
        (
            [{"kind": "started"}, {"done": 1, "failed": 2}],
            "Migrating: 1 of 100 done, 2 failed, 6.0 a minute, about 16.5 min left",
        ),
        (
            [{"kind": "started"}, {"kind": "waiting", "seconds": 14.0, "store": "target", "reason": "pace"}],
            "Migrating: 0 of 100 done, waiting for the limit of the target: 4 s",
        ),
        (
            [
                {"kind": "started"},
                {"kind": "retrying", "seconds": 70.0, "store": "source", "reason": "limit"},
            ],
            "Migrating: 0 of 100 done, the source says that there were too many requests: again in 60 s",
        ),
        ([{"kind": "started", "phase": "undo"}, {"done": 100, "phase": "undo"}],
         "Taking back: 100 of 100 done, 10.0 a second"),
        ([{"kind": "started"}, {"done": 100}, {"phase": "delete", "kind": "deleted", "done": 0}],
         "Deleting at the source: 0 of 100 done"),
        ([{"kind": "started"}, {"kind": "waiting", "seconds": 3.0, "reason": "away"}],
         "Migrating: 0 of 100 done"),
    ],
)  # fmt: skip
def test_a_line_says_what_is_done_the_rate_the_wait_and_the_errors(
    clock: Clock, given: list[dict[str, Any]], line: str
) -> None:
    tally = Tally(clock)
    for event in events(*given):
        tally.take(event)
    clock.seconds += 10
    assert tally.line() == line


def test_the_rate_is_that_of_the_last_minute_and_the_bar_moves_with_each_secret(clock: Clock) -> None:
    tally = Tally(clock)
    tally.take(Event(kind="started", total=1000))
    for _ in range(300):
        clock.seconds += 1
        tally.take(Event(kind="tried", total=1000))
    slow = tally.line()
    assert tally.share == (300, 1000)
    assert slow.startswith("Migrating: 0 of 1,000 done, 1.0 a second")
    for _ in range(120):
        clock.seconds += 2
        tally.take(Event(kind="tried", total=1000))
    assert "30.0 a minute" in tally.line()


def test_a_longer_wait_is_not_hidden_by_a_shorter_one(clock: Clock) -> None:
    tally = Tally(clock)
    for seconds in (30.0, 2.0):
        tally.take(Event(kind="waiting", total=9, seconds=seconds, store="target", reason="limit"))
    clock.seconds += 5
    assert tally.line().endswith("again in 25 s")


def test_the_last_failure_steers_no_terminal(clock: Clock) -> None:
    tally = Tally(clock)
    tally.take(Event(kind="failed", name="A\x1b[31m", error="Conflict: \u202ex", failed=1, total=2))
    assert tally.last_error == "A\\x1b[31m: Conflict: \\u202ex"


class Stream(io.StringIO):
    """Tells when something was written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.spoke = threading.Event()

    def flush(self) -> None:
        self.spoke.set()


def test_without_a_terminal_a_line_is_written_every_so_often_and_one_at_the_end(clock: Clock) -> None:
    stream, tally = Stream(), Tally(clock)
    with Lines(stream, tally, every=0.01) as take:
        take(Event(kind="started", total=2))
        assert stream.spoke.wait(30)
        clock.seconds += 3
        take(Event(kind="finished", done=1, failed=1, total=2))
    lines = stream.getvalue().splitlines()
    assert lines[-1] == "Migrating: 1 of 2 done, 1 failed, in 3 s."
    assert set(lines[:-1]) <= {
        "Beginning",
        "Migrating: 0 of 2 done",
        "Migrating: 1 of 2 done, 1 failed, 20.0 a minute, about 3 s left",
    }


def test_a_reader_that_went_away_ends_no_run(clock: Clock) -> None:
    stream, tally = Stream(), Tally(clock)
    stream.close()
    with Lines(stream, tally, every=0.001) as take:
        take(Event(kind="started", total=2))
        time.sleep(0.02)
    assert stream.closed


def test_lines_of_a_run_that_was_broken_off_have_no_end(clock: Clock) -> None:
    stream, tally = Stream(), Tally(clock)

    def broken() -> None:
        with Lines(stream, tally, every=0.01) as take:
            take(Event(kind="started", total=2))
            assert stream.spoke.wait(30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert (tally.summary(), [one.name for one in threading.enumerate() if "progress" in one.name]) == (
        "",
        [],
    )


def test_a_callers_function_is_handed_through_as_it_is() -> None:
    def mine(event: Event) -> None: ...

    with shown_progress(mine) as given:
        assert given is mine


def test_where_rich_is_not_installed_a_terminal_gets_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(Stream):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    drawn = [_progress._live(Screen(), Tally(clock)) is not None]
    monkeypatch.setitem(sys.modules, "rich.live", None)
    drawn.append(_progress._live(Screen(), Tally(clock)) is not None)
    assert drawn == [True, False]
