"""Ctrl-C and cancellation end every wait, and the bridge is whole afterwards."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from loopback import ID, INFO, KEY, READ, Say, http, ionet, served

from secretbridge import AsyncSecretBridge, InsForge, Retry
from secretbridge.testing import InsForgeStandIn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])

_INTERRUPTED = """
import signal, sys, threading, time
from secretbridge import IoNet, InsForge, Retry, SecretBridge
where, url, id_ = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
provider = IoNet(api_key="key-of-the-test", base_url=url)
ask = lambda bridge: bridge.get_secret(id=id_).name
if where == "pace":
    bridge = SecretBridge(provider, pace=1, retry=None)
    ask(bridge)
    again = bridge.with_options(pace=None)
elif where == "retry":
    bridge = SecretBridge(provider, pace=None, retry=Retry(max_retry_after=50))
    again = bridge
elif where == "exchange":
    bridge = SecretBridge(provider, pace=None, retry=None)
    again = bridge
else:
    provider = InsForge(base_url=url, api_key="key-of-the-test")
    bridge = SecretBridge(provider, pace=None, retry=None)
    again = bridge
    gate = bridge._core.channel._here().gate
    ask = lambda bridge: bridge.get_secret("TOKEN", metadata=False).name
    limit = provider.capabilities.max_in_flight
    for _ in range(limit):  # as many as may be under way
        gate._semaphore.acquire()
print("ready", flush=True)
try:
    ask(bridge)
except KeyboardInterrupt:
    pass
else:
    sys.exit("it was not interrupted")
if where == "gate":
    for _ in range(limit):
        gate._semaphore.release()
    assert gate._semaphore._value == limit
assert ask(again) == "TOKEN"
if where == "gate":
    assert gate._semaphore._value == limit
bridge.close()
print("done", flush=True)
"""


@pytest.mark.parametrize("where", ["pace", "retry", "exchange", "gate"])
def test_ctrl_c_ends_a_wait_and_the_bridge_is_whole_afterwards(where: str) -> None:
    good = http(200, INFO) if where != "gate" else http(200, b'{"key": "TOKEN", "value": "value-1"}')
    script: dict[str, list[Say | bytes]] = {
        "pace": [good],
        "retry": [http(429, b"{}", "Retry-After: 40"), good],
        "exchange": [Say(b"HTTP/1.1 200 OK\r\n", "hang"), good],
        "gate": [good],
    }
    with (
        served(*script[where]) as server,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _INTERRUPTED, where, server.url, ID],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            if where in {"retry", "exchange"}:
                assert server.wait_until(lambda: len(server.requests) == 1)
            time.sleep(0.2)  # let it come from the print, or from the answer, into its wait
            child.send_signal(signal.SIGINT)
            said, complaint = child.communicate(timeout=10)
        finally:
            child.kill()
        assert (said, complaint, child.returncode) == ("done\n", "", 0)


_GATHERING = """
import signal, sys, time
from secretbridge._runtime import BlockingRuntime, finish
signal.signal(signal.SIGINT, signal.default_int_handler)
runtime = BlockingRuntime()
begun = []
def job():
    async def wait():
        begun.append(1)
        if len(begun) == 2:
            print("ready", flush=True)
        await runtime.sleep(60)
    return wait()
started = time.monotonic()
try:
    finish(runtime.gather([job] * 10, 2))
except KeyboardInterrupt:
    assert time.monotonic() - started < 8
    assert len(begun) == 2
    print("done", flush=True)
"""


def test_ctrl_c_ends_jobs_side_by_side() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _GATHERING], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            assert child.communicate(timeout=10)[0] == "done\n"
        finally:
            child.kill()


async def cancelled(work: Callable[[], Awaitable[Any]], *, native: bool) -> None:
    """Start something, cancel it while it waits, and see that it was cancelled and did not end by itself."""
    if native:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return
    with anyio.move_on_after(0.1) as scope:
        await work()
    assert scope.cancelled_caught


WAYS = pytest.mark.parametrize(
    ("backend", "native"),
    [("asyncio", False), ("asyncio", True), ("trio", False)],
    ids=["asyncio", "task", "trio"],
)


@WAYS
@pytest.mark.parametrize("where", ["pace", "retry", "exchange", "body"])
def test_a_cancelled_call_leaves_the_bridge_whole(where: str, backend: str, *, native: bool) -> None:
    script: dict[str, list[Say | bytes]] = {
        "pace": [http(200, INFO)],
        "retry": [http(429, b"{}", "Retry-After: 40"), http(200, INFO)],
        "exchange": [Say(b"", "hang"), http(200, INFO)],
        "body": [Say(http(200, b'{"secret', length=900), "hang"), http(200, INFO)],
    }

    async def work(url: str) -> None:
        retry = Retry(max_retry_after=50) if where == "retry" else None
        pace = 1 if where == "pace" else None
        async with AsyncSecretBridge(ionet(url), pace=pace, retry=retry, timeout=5.0) as bridge:
            if where == "pace":
                await bridge.get_secret(**READ[1])
            await cancelled(lambda: bridge.get_secret(**READ[1]), native=native)
            assert (await bridge.with_options(pace=None).get_secret(**READ[1])).name == "TOKEN"
            runtime: Any = bridge._core.channel.runtime
            assert [lane.busy for way in runtime._wire._ways.all() for lane in way.lanes] == [0]

    with served(*script[where]) as server:
        anyio.run(work, server.url, backend=backend)
        assert server.wait_until(lambda: server.open == (1 if where in {"exchange", "body"} else 0))


@WAYS
def test_a_call_that_is_cancelled_at_the_gate_takes_no_place(backend: str, *, native: bool) -> None:
    standin = InsForgeStandIn(latency=0.25)
    standin.seed("TOKEN", "value-1")

    async def work() -> None:
        provider = InsForge(base_url=standin.base_url, api_key=standin.api_key)
        limit = provider.capabilities.max_in_flight
        assert limit == 4
        async with AsyncSecretBridge(provider, transport=standin.transport(), pace=None) as bridge:

            async def get() -> None:
                await bridge.get_secret("TOKEN", metadata=False)

            for _ in range(2):
                async with anyio.create_task_group() as group:
                    for _ in range(limit):
                        group.start_soon(get)
                    await anyio.sleep(0.05)  # they hold all places now
                    await cancelled(get, native=native)
            gate: Any = bridge._core.channel._here().gate
            assert gate._semaphore.value == limit
            await get()
            assert standin.most_in_flight == limit
            assert len(standin.requests) == 2 * limit + 1

    anyio.run(work, backend=backend)


@WAYS
def test_calls_cancelled_in_the_middle_give_their_places_at_the_gate_back(
    backend: str, *, native: bool
) -> None:
    standin = InsForgeStandIn(latency=0.3)
    standin.seed("TOKEN", "value-1")

    async def work() -> None:
        provider = InsForge(base_url=standin.base_url, api_key=standin.api_key)
        async with AsyncSecretBridge(provider, transport=standin.transport(), pace=None) as bridge:
            for _ in range(6):  # more often than there are places
                await cancelled(lambda: bridge.get_secret("TOKEN", metadata=False), native=native)
            standin.latency = 0.0
            assert (await bridge.get_secret("TOKEN", metadata=False)).reveal() == "value-1"

    anyio.run(work, backend=backend)


@BACKENDS
def test_the_gate_serves_one_event_loop_after_the_other(backend: str) -> None:
    standin = InsForgeStandIn()
    standin.seed("TOKEN", "value-1")
    provider = InsForge(base_url=standin.base_url, api_key=standin.api_key)
    bridge = AsyncSecretBridge(provider, transport=standin.transport(), pace=None)

    async def work() -> str:
        return (await bridge.get_secret("TOKEN", metadata=False)).reveal()

    assert {anyio.run(work, backend=backend) for _ in range(3)} == {"value-1"}
    assert KEY not in repr(bridge)
