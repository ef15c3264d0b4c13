"""Bulk work stays just under the rate that a provider allows."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from secretbridge import IoNet, Retry, SecretBridge
from secretbridge._pace import Pacer
from secretbridge.testing import IoNetStandIn


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sliding:
    """A server that allows so many requests in any window of so many seconds."""

    def __init__(self, most: int, seconds: float = 60.0) -> None:
        self.most, self.seconds = most, seconds
        self.accepted: deque[float] = deque()
        self.rejected = 0
        self.worst = 0

    def takes(self, now: float) -> bool:
        while self.accepted and self.accepted[0] <= now - self.seconds:
            self.accepted.popleft()
        self.worst = max(self.worst, len(self.accepted) + 1)
        if len(self.accepted) >= self.most:
            self.rejected += 1
            return False
        self.accepted.append(now)
        return True


def sent(
    pacer: Pacer, clock: Clock, server: Sliding, times: int, delay: float = 0.0, *, evenly: bool = False
) -> float:
    """Send one after the other; gives the seconds it took."""
    started = clock.now
    for _ in range(times):
        clock.now += pacer.reserve(evenly=evenly)
        if server.takes(clock.now + delay):
            pacer.went_well()
        else:
            pacer.limited(None)
    return clock.now - started


@pytest.mark.parametrize("per_minute", [1, 2, 7, 30, 60, 120, 200, 600, 3000])
def test_no_window_of_a_minute_ever_holds_more_than_is_allowed(per_minute: int) -> None:
    clock, server = Clock(), Sliding(per_minute)
    pacer = Pacer(per_minute, clock)
    for pause in (0.0, 1.0, 0.0, 30.0, 59.0, 61.0, 0.3, 500.0):  # whatever the pauses between bursts of work
        clock.now += pause
        sent(pacer, clock, server, per_minute * 2)
    assert server.rejected == 0
    assert server.worst <= per_minute


@pytest.mark.parametrize("per_minute", [30, 60, 120, 200, 600])
def test_bulk_work_takes_hardly_longer_than_the_rate_demands(per_minute: int) -> None:
    clock, server = Clock(), Sliding(per_minute)
    times = per_minute * 10
    took = sent(Pacer(per_minute, clock), clock, server, times)
    ideal = times / per_minute * 60.0
    assert server.rejected == 0
    assert ideal / took >= 0.965


@pytest.mark.parametrize("per_second", [1, 2, 5, 10, 50])
def test_work_of_many_requests_keeps_to_a_rate_that_is_counted_by_the_second(per_second: int) -> None:
    clock, server = Clock(), Sliding(per_second, 1.0)
    pacer = Pacer(per_second * 60, clock)
    took = 0.0
    for pause in (0.0, 0.4, 1.0, 60.0):  # nothing is saved up in a pause
        clock.now += pause
        took += sent(pacer, clock, server, per_second * 20, evenly=True)
    assert [server.rejected, 80 / took >= 0.965] == [0, True]


def test_the_first_request_never_waits() -> None:
    for per_minute in (0.5, 1, 120, 6000):
        assert Pacer(per_minute, Clock()).reserve() == 0.0


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    pacer = Pacer(120, clock)
    clock.now += 3600
    waits = [pacer.reserve() for _ in range(10)]
    assert sum(wait == 0 for wait in waits) <= 4
    assert waits[-1] >= 6 * 60 / 120


def test_a_429_slows_down_and_answers_bring_the_rate_back() -> None:
    clock, server = Clock(), Sliding(60)
    pacer = Pacer(120, clock)  # twice of what the server really allows
    sent(pacer, clock, server, 600)
    assert 0 < server.rejected < 60  # at 120 a minute without slowing down it would be 300
    for _ in range(400):
        pacer.went_well()
    clock.now += 100
    waits = [pacer.reserve() for _ in range(20)]
    assert waits[-1] - waits[-2] == pytest.approx(60 / 120 / 0.97, rel=0.02)


def test_one_429_after_many_answers_holds_back_and_does_not_slow_down() -> None:
    clock = Clock()
    pacer = Pacer(600, clock)
    for _ in range(10):
        clock.now += pacer.reserve(evenly=True)
        pacer.went_well()
    spaces = []
    for _ in range(2):  # the second comes at once after the first
        pacer.limited(None)
        waits = [pacer.reserve(evenly=True) for _ in range(2)]
        clock.now += waits[-1]
        spaces.append(waits[1] - waits[0])
    assert spaces == [pytest.approx(0.1 / 0.97), pytest.approx(1.25 * 0.1 / 0.97)]


def test_a_429_with_a_time_holds_everything_up_for_that_time() -> None:
    clock = Clock()
    pacer = Pacer(120, clock)
    pacer.limited(7.0)
    assert pacer.reserve() == pytest.approx(7.0)
    assert pacer.reserve() > 7.0
    pacer.limited(1.0)  # asks for less: the longer wait stands
    assert pacer.reserve() > 7.0


def test_slowing_down_has_an_end() -> None:
    clock = Clock()
    pacer = Pacer(120, clock)
    for _ in range(1000):
        pacer.limited(0.0)
    clock.now += 1e6
    waits = [pacer.reserve() for _ in range(12)]
    assert waits[-1] - waits[-2] == pytest.approx(8 * 60 / 120 / 0.97)


def test_threads_never_get_the_same_place() -> None:
    pacer = Pacer(6000, Clock())
    waits: list[float] = []

    def work() -> None:
        mine = [pacer.reserve() for _ in range(500)]
        pacer.went_well()
        waits.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    places = sorted(round(wait / (60 / 6000 / 0.97)) for wait in waits)
    assert places == list(range(4000))


def test_bulk_updates_on_a_rate_limited_service_meet_no_429() -> None:
    standin = IoNetStandIn(rate_limit=(20, 1.0))
    provider = IoNet(api_key=standin.api_key)
    with SecretBridge(provider, transport=standin.transport(), pace=20 * 60, retry=None) as bridge:
        made = bridge.create_secret("TOKEN", value="value-0")
        started = time.monotonic()
        for number in range(30):
            bridge.update_secret(id=made.id, value=f"value-{number}")
        took = time.monotonic() - started
    assert standin.rejected == 0
    assert took < 2 * 30 / 20  # how close it comes is measured above, without a machine that is busy


def test_a_service_with_a_lower_limit_than_known_is_served_all_the_same() -> None:
    standin = IoNetStandIn(rate_limit=(20, 1.0), retry_after="0.05")
    provider = IoNet(api_key=standin.api_key)
    retry = Retry(attempts=20, first_wait=0.05)
    with SecretBridge(provider, transport=standin.transport(), pace=60 * 60, retry=retry) as bridge:
        for number in range(30):
            bridge.create_secret(f"TOKEN-{number}", value="value-0")
    assert len({request.json()["secret_name"] for request in standin.requests}) == 30
    assert 0 < standin.rejected < 15
