"""Jobs side by side, on both runtimes; and the memory of names that they share."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from loopback import ID, INFO, KEY, VALUE, ionet

from secretbridge import InvalidRequest, SecretBridge
from secretbridge._channel import Channel
from secretbridge._exchange import Reply, Request
from secretbridge._models import Retry, Timeout
from secretbridge._names import LIFETIME, NameCache
from secretbridge._runtime import AsyncRuntime, BlockingRuntime, Runtime, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

FACES = pytest.mark.parametrize("face", ["blocking", "asyncio", "trio"])


def on(face: str, work: Callable[[Channel], Coroutine[Any, Any, Any]]) -> Any:
    runtime: Runtime = BlockingRuntime() if face == "blocking" else AsyncRuntime()
    channel = Channel(runtime, timeout=Timeout(), retry=Retry())
    if face == "blocking":
        return finish(work(channel))
    return anyio.run(work, channel, backend=face)


class Watch:
    """Jobs that take a while, and how many of them were under way at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.begun = 0
        self.threads: set[str] = set()

    def job(self, channel: Channel, number: int, seconds: float = 0.02, *, fails: bool = False) -> Any:
        async def work() -> int:
            with self.lock:
                self.begun += 1
                self.now += 1
                self.most = max(self.most, self.now)
                self.threads.add(threading.current_thread().name)
            try:
                if fails:
                    raise ValueError(number)
                await channel.runtime.sleep(seconds)
            finally:
                with self.lock:
                    self.now -= 1
            return number

        return work


@FACES
@pytest.mark.parametrize(("limit", "seconds"), [(1, 0.01), (3, 0.04), (50, 0.4)])
def test_results_come_in_order_and_no_more_run_than_allowed(face: str, limit: int, seconds: float) -> None:
    watch = Watch()

    async def work(channel: Channel) -> list[int]:
        jobs = [watch.job(channel, number, seconds * (1 - number / 100)) for number in range(20)]
        return await channel.gather(jobs, limit)

    assert on(face, work) == list(range(20))
    assert watch.most == min(limit, 20)


@FACES
def test_no_jobs_are_no_work(face: str) -> None:
    async def work(channel: Channel) -> list[int]:
        return await channel.gather([], 4)

    assert on(face, work) == []


@FACES
def test_the_first_error_ends_it(face: str) -> None:
    watch = Watch()

    async def work(channel: Channel) -> None:
        jobs = [watch.job(channel, 0, 30.0), watch.job(channel, 1, fails=True)]
        jobs += [watch.job(channel, number, 30.0) for number in range(2, 100)]
        started = time.monotonic()
        with pytest.raises(ValueError, match=r"^1$") as caught:
            await channel.gather(jobs, 2)
        assert time.monotonic() - started < 5
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    on(face, work)
    assert watch.now == 0
    assert watch.begun <= 3


@FACES
def test_after_an_error_nothing_new_begins(face: str) -> None:
    begun: list[int] = []

    def job(channel: Channel, number: int) -> Any:
        async def work() -> None:
            begun.append(number)
            if number == 0:
                raise ValueError(number)
            await channel.runtime.sleep(0.001)

        return work

    async def work(channel: Channel) -> None:
        with pytest.raises(ValueError, match=r"^0$"):
            await channel.gather([job(channel, number) for number in range(2000)], 8)

    on(face, work)
    assert len(begun) <= 8


@FACES
def test_of_several_errors_the_first_in_time_is_told(face: str) -> None:
    async def work(channel: Channel) -> None:
        async def late() -> int:
            await channel.runtime.sleep(0.2)
            raise ValueError("late")

        async def early() -> int:
            raise ValueError("early")

        with pytest.raises(ValueError, match="early"):
            await channel.gather([late, early], 2)

    on(face, work)


def test_no_event_loop_is_started_under_the_blocking_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("an event loop was made")

    monkeypatch.setattr(asyncio, "new_event_loop", never)
    monkeypatch.setattr(anyio, "run", never)
    watch = Watch()

    async def work(channel: Channel) -> list[int]:
        async def loopless() -> int:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            return await watch.job(channel, 7)()  # type: ignore[no-any-return]  # an int

        return await channel.gather([loopless] * 3, 3)

    assert on("blocking", work) == [7, 7, 7]
    assert all(name.startswith("secretbridge") for name in watch.threads)


@FACES
def test_blocking_work_is_called_where_it_harms_nobody(face: str) -> None:
    here = threading.get_ident()

    async def work(channel: Channel) -> bool:
        return await channel.call(threading.get_ident) == here

    assert on(face, work) is (face == "blocking")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancellation_waits_for_blocking_work_to_end(backend: str) -> None:
    ended: list[int] = []

    def slow() -> None:
        time.sleep(0.2)
        ended.append(1)

    async def work(channel: Channel) -> None:
        with anyio.move_on_after(0.05):
            await channel.call(slow)
        assert ended == [1]

    on(backend, work)


class Store:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@FACES
def test_a_store_is_opened_once_and_closed_with_the_channel(face: str) -> None:
    made: list[Store] = []

    def opener() -> Store:
        time.sleep(0.01)
        made.append(Store())
        return made[-1]

    async def work(channel: Channel) -> None:
        other = channel.with_options(timeout=Timeout(), retry=Retry(), pace=5)
        for _ in range(2):

            async def use() -> Store:
                return await channel.call(lambda: other.opened("key", opener))

            stores = await channel.gather([use] * 8, 8)
            assert len(set(map(id, stores))) == 1
            assert channel.opened("key", opener) is stores[0]
            await other.close()
        await channel.close()

    on(face, work)
    assert [store.closed for store in made] == [1, 1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_store_whose_closing_was_cancelled_can_be_closed_again(backend: str) -> None:
    store = Store()

    async def work(channel: Channel) -> None:
        channel.opened("key", lambda: store)
        with anyio.move_on_after(0):
            await channel.close()
        closed_by_now.append(store.closed)
        await channel.close()

    closed_by_now: list[int] = []
    on(backend, work)
    assert [*closed_by_now, store.closed] == [0, 1]


def test_jobs_begin_in_their_order_on_every_runtime() -> None:
    for face in ("blocking", "asyncio", "trio"):
        begun: list[int] = []

        async def work(channel: Channel, begun: list[int] = begun) -> None:
            def job(number: int) -> Any:
                async def one() -> None:
                    begun.append(number)
                    await channel.runtime.sleep(0.002)

                return one

            await channel.gather([job(number) for number in range(20)], 2)

        on(face, work)
        assert [number // 2 for number in begun] == [number // 2 for number in range(20)]


def test_a_coroutine_that_suspends_cannot_be_finished() -> None:
    ended: list[int] = []

    async def wrong() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(1)

    with pytest.raises(RuntimeError, match="other than its channel"):
        finish(wrong())
    assert ended == [1]


def test_another_process_gets_a_state_of_its_own_and_leaves_the_first_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Transport(httpx.BaseTransport):
        closed = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=INFO)

        def close(self) -> None:
            self.closed += 1

    transport, store = Transport(), Store()
    with SecretBridge(ionet("https://secrets.example"), transport=transport, pace=None) as bridge:
        assert bridge.get_secret(id=ID).name == "TOKEN"
        other = bridge.with_options(timeout=1.0)
        channel = bridge._core.channel
        first = (channel.runtime, channel.names)
        assert channel.opened("key", lambda: store) is store
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", lambda: -1)
            second = (channel.runtime, channel.names)
            assert second[0] is not first[0]
            assert second[1] is not first[1]
            assert other._core.channel.runtime is second[0]
            assert channel.opened("key", Store) is store  # what is opened looks after itself
            with pytest.raises(InvalidRequest, match="before a fork"):
                bridge.get_secret(id=ID)
            bridge.close()
            assert (transport.closed, store.closed) == (0, 1)
        assert (channel.runtime, channel.names) == first
        assert bridge.get_secret(id=ID).name == "TOKEN"
    assert (transport.closed, store.closed) == (1, 1)


def test_two_threads_that_open_at_once_get_the_same_wire() -> None:
    runtime = BlockingRuntime()
    assert runtime._open() is runtime._open()


class NoAuth:
    fixed = True

    def headers(self) -> tuple[()]:
        return ()


def test_a_request_and_a_reply_show_neither_body_nor_credential() -> None:
    request = Request(
        operation="update",
        secret="TOKEN",
        method="PATCH",
        url="https://secrets.example/",
        headers=(),
        auth=NoAuth(),
        body=VALUE.encode(),
        credential=((b"token", KEY.encode()),),
    )
    assert repr(request) == "<Request PATCH for update of 'TOKEN'>"
    assert repr(Reply(200, {"token": KEY}, VALUE.encode())) == "<Reply 200>"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_names_are_believed_for_a_short_time() -> None:
    clock = Clock()
    names = NameCache(clock)
    assert [names.fresh] == [False]
    names.learn([("ONE", "1"), ("TWO", "2"), ("TWO", "3")])
    assert [names.fresh] == [True]
    assert (names.ids("ONE"), names.ids("TWO"), names.ids("NONE")) == (("1",), ("2", "3"), ())
    assert (names.name("3"), names.name("4")) == ("TWO", None)
    clock.now = LIFETIME
    assert [names.fresh] == [False]


def test_names_follow_what_this_bridge_does() -> None:
    names = NameCache(Clock())
    names.learn([("TWO", "2"), ("TWO", "3")])
    names.add("FOUR", "4")
    names.remove("2")
    names.remove("2")
    names.remove("unheard of")
    assert (names.ids("TWO"), names.ids("FOUR"), names.name("2")) == (("3",), ("4",), None)
    names.forget()
    assert [names.fresh] == [False]
    names.learn([])
    assert (names.fresh, names.ids("FOUR")) == (True, ())
