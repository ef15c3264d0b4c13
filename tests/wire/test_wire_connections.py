"""Connections are kept, shared, closed, and never inherited."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import respx
from loopback import ID, INFO, KEY, UPDATE, Server, ask, http, ionet, served

from secretbridge import AsyncSecretBridge, InvalidRequest, IoNet, Retry, SecretBridge
from secretbridge.testing import IoNetStandIn

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
OPTIONS: dict[str, Any] = {"pace": None, "retry": None, "timeout": 5.0}


def sockets() -> int:
    """How many sockets this process holds open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith("socket:")
        except OSError:
            continue  # the descriptor that lists the folder
    return found


def test_one_connection_serves_one_call_after_the_other() -> None:
    with served(http(200, INFO)) as server, SecretBridge(ionet(server.url), **OPTIONS) as bridge:
        for _ in range(20):
            bridge.get_secret(id=ID)
            bridge.update_secret(id=ID, value="value-2")
        bridge.with_options(timeout=1.0, retry=Retry(), pace=6e6).get_secret(id=ID)
        assert (server.accepted, len(server.requests)) == (1, 41)


@BACKENDS
def test_one_connection_serves_one_awaited_call_after_the_other(backend: str) -> None:
    async def work(url: str) -> None:
        async with AsyncSecretBridge(ionet(url), **OPTIONS) as bridge:
            for _ in range(20):
                await bridge.get_secret(id=ID)
                await bridge.update_secret(id=ID, value="value-2")
            await bridge.with_options(timeout=1.0, retry=Retry(), pace=6e6).get_secret(id=ID)

    with served(http(200, INFO)) as server:
        anyio.run(work, server.url, backend=backend)
        assert (server.accepted, len(server.requests)) == (1, 41)


def test_a_connection_is_kept_after_a_refusal() -> None:
    with (
        served(http(403, b'{"detail": "no"}'), http(500, b"broken"), http(200, INFO)) as server,
        SecretBridge(ionet(server.url), **{**OPTIONS, "retry": Retry(first_wait=0)}) as bridge,
    ):
        with pytest.raises(Exception, match="403"):
            bridge.get_secret(id=ID)
        assert bridge.get_secret(id=ID).name == "TOKEN"
        assert (server.accepted, len(server.requests)) == (1, 3)


def test_close_leaves_no_socket_and_the_bridge_works_again() -> None:
    with served(http(200, INFO)) as server:
        bridge = SecretBridge(ionet(server.url), **OPTIONS)
        before = sockets()
        for times in (1, 2):
            assert bridge.get_secret(id=ID).name == "TOKEN"
            assert sockets() > before
            bridge.close()
            assert server.wait_until(lambda: server.open == 0)
            assert sockets() == before
            assert server.accepted == times
        bridge.close()  # a second time does nothing


@BACKENDS
def test_close_leaves_no_socket_after_many_awaited_calls(backend: str) -> None:
    async def work(server: Server) -> None:
        before = sockets()
        bridge = AsyncSecretBridge(ionet(server.url), **OPTIONS)
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(30):
                    group.start_soon(lambda: bridge.get_secret(id=ID))
            assert sockets() > before
            await bridge.close()
            assert server.wait_until(lambda: server.open == 0)
            assert sockets() == before
        await bridge.close()

    with served(http(200, INFO)) as server:
        anyio.run(work, server, backend=backend)
        assert len(server.requests) == 60


@BACKENDS
def test_leaving_in_a_cancelled_scope_closes_the_connections(backend: str) -> None:
    async def work(url: str) -> None:
        with anyio.CancelScope() as scope:
            async with AsyncSecretBridge(ionet(url), **OPTIONS) as bridge:
                await bridge.get_secret(id=ID)
                scope.cancel()
                await anyio.sleep(5)

    with served(http(200, INFO)) as server:
        anyio.run(work, server.url, backend=backend)
        assert server.wait_until(lambda: server.open == 0)


def test_20_threads_share_a_bridge() -> None:
    with served(http(200, INFO)) as server:
        with SecretBridge(ionet(server.url), **OPTIONS) as bridge, ThreadPoolExecutor(20) as pool:
            barrier = threading.Barrier(20)

            def work() -> set[str]:
                barrier.wait(5)  # all make their first call, and open the wire, at the same time
                return {bridge.get_secret(id=ID).name for _ in range(30)}

            names = [future.result(30) for future in [pool.submit(work) for _ in range(20)]]
        assert names == [{"TOKEN"}] * 20
        assert len(server.requests) == 600
        assert server.accepted <= 60
        assert server.wait_until(lambda: server.open == 0)


@BACKENDS
def test_100_tasks_share_a_bridge(backend: str) -> None:
    names: list[str] = []

    async def work(url: str) -> None:
        async with AsyncSecretBridge(ionet(url), **OPTIONS) as bridge:

            async def one() -> None:
                for _ in range(3):
                    secret = await bridge.get_secret(id=ID)
                    names.append(secret.name)

            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(one)
            lanes = [lane for way in bridge._core.channel.runtime._wire._ways.all() for lane in way.lanes]  # type: ignore[attr-defined]  # of this runtime alone
            assert 1 < len(lanes) <= 16
            assert [lane.busy for lane in lanes] == [0] * len(lanes)

    with served(http(200, INFO)) as server:
        anyio.run(work, server.url, backend=backend)
        assert (len(names), set(names)) == (300, {"TOKEN"})
        assert server.accepted <= 128
        assert server.wait_until(lambda: server.open == 0)


def test_the_blocking_face_works_inside_a_running_event_loop() -> None:
    async def notebook(url: str) -> str:
        with SecretBridge(ionet(url), **OPTIONS) as bridge:
            return bridge.get_secret(id=ID).name

    with served(http(200, INFO)) as server:
        assert asyncio.run(notebook(server.url)) == "TOKEN"
        assert anyio.run(notebook, server.url, backend="trio") == "TOKEN"


@pytest.mark.parametrize("closes", [True, False])
def test_one_async_bridge_serves_one_event_loop_after_the_other(*, closes: bool) -> None:
    with served(http(200, INFO)) as server:
        bridge = AsyncSecretBridge(ionet(server.url), **OPTIONS)

        async def work() -> str:
            name = (await bridge.get_secret(id=ID)).name
            if closes:
                await bridge.close()
            return name

        def twice_and_gone() -> list[str]:
            names = [asyncio.run(work()), asyncio.run(work())]
            asyncio.run(bridge.close())  # in a third loop
            gc.collect()
            return names

        if closes:
            assert [asyncio.run(work()), asyncio.run(work())] == ["TOKEN", "TOKEN"]
            assert anyio.run(work, backend="trio") == "TOKEN"
        else:
            # Python warns of each connection that its event loop left open: nothing can close it in order.
            with pytest.warns(ResourceWarning):
                names = twice_and_gone()
            assert names == ["TOKEN", "TOKEN"]
        assert server.accepted == (3 if closes else 2)
        assert server.wait_until(lambda: server.open == 0)


_FORKS = """
import os, sys
from secretbridge import SecretBridge, IoNet
bridge = SecretBridge(IoNet(api_key="key-of-the-test", base_url=sys.argv[1]), pace=120, retry=None)
ask = lambda bridge=bridge: bridge.get_secret(id=sys.argv[2]).name
other = bridge.with_options(timeout=3.0)
assert (ask(), ask(other)) == ("TOKEN", "TOKEN")
child = os.fork()
if child == 0:
    code = 1
    try:
        assert (ask(), ask(other)) == ("TOKEN", "TOKEN")
        grandchild = os.fork()
        if grandchild == 0:
            code = 1
            try:
                ask()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(grandchild, 0)[1] == 0
        bridge.close()
        ask()
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
assert ask() == "TOKEN"
bridge.close()
print("done")
"""


def run(program: str, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.strip()


def test_a_child_process_opens_its_own_connection_and_leaves_its_parent_s_alone() -> None:
    with served(http(200, INFO)) as server:
        assert run(_FORKS, server.url, ID) == "done"
        # Parent 1 (kept over all of its 3 calls), child 1, again 1 after its close, grandchild 1.
        assert (server.accepted, len(server.requests)) == (4, 7)


_FORKS_ASYNC = """
import asyncio, os, sys
from secretbridge import AsyncSecretBridge, IoNet
bridge = AsyncSecretBridge(IoNet(api_key="key-of-the-test", base_url=sys.argv[1]), pace=None, retry=None)
async def ask():
    return (await bridge.get_secret(id=sys.argv[2])).name
async def ask_and_close():
    name = await ask()
    await bridge.close()
    return name
async def main():
    assert await ask() == "TOKEN"
    child = os.fork()
    if child == 0:
        os._exit(0 if bridge._core.channel.runtime is not first else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert await ask_and_close() == "TOKEN"
first = bridge._core.channel.runtime
asyncio.run(main())
child = os.fork()
if child == 0:
    code = 1
    try:
        assert asyncio.run(ask_and_close()) == "TOKEN"
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
print("done")
"""


def test_an_awaited_bridge_may_be_used_in_a_child_process_too() -> None:
    with served(http(200, INFO)) as server:
        assert run(_FORKS_ASYNC, server.url, ID) == "done"
        assert (server.accepted, len(server.requests)) == (2, 3)


_FORKS_WITH_TRANSPORT = """
import os, sys
import httpx
from secretbridge import SecretBridge, IoNet, InvalidRequest
provider = IoNet(api_key="key-of-the-test", base_url=sys.argv[1])
bridge = SecretBridge(provider, pace=None, retry=None, transport=httpx.HTTPTransport())
assert bridge.get_secret(id=sys.argv[2]).name == "TOKEN"
child = os.fork()
if child == 0:
    code = 1
    try:
        for _ in range(2):
            try:
                bridge.get_secret(id=sys.argv[2])
            except InvalidRequest as error:
                assert "before a fork" in str(error) and error.applied is False
                code = 0
        bridge.close()
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
assert bridge.get_secret(id=sys.argv[2]).name == "TOKEN"
bridge.close()
print("done")
"""


def test_a_transport_that_was_handed_in_is_not_used_in_a_child_process() -> None:
    with served(http(200, INFO)) as server:
        assert run(_FORKS_WITH_TRANSPORT, server.url, ID) == "done"
        assert (server.accepted, len(server.requests)) == (1, 2)


def test_an_awaited_transport_that_was_handed_in_is_not_inherited() -> None:
    runtime = AsyncSecretBridge(ionet("https://secrets.example"), transport=httpx.AsyncHTTPTransport())
    child = runtime._core.channel.runtime.renew().renew()

    async def work() -> None:
        with pytest.raises(InvalidRequest, match="before a fork"):
            await child.send(Any, Any)  # type: ignore[arg-type]  # refused before it is looked at
        await child.close()

    anyio.run(work)


def test_a_mock_transport_serves() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=INFO)

    transport = httpx.MockTransport(answer)
    with SecretBridge(ionet("https://secrets.example/v1"), transport=transport, **OPTIONS) as bridge:
        assert bridge.get_secret(id=ID).name == "TOKEN"
        bridge.update_secret(id=ID, value="value-2")

    async def work() -> str:
        async with AsyncSecretBridge(
            ionet("https://secrets.example/v1"), transport=transport, **OPTIONS
        ) as awaited:
            return (await awaited.get_secret(id=ID)).name

    assert anyio.run(work) == "TOKEN"
    assert [(request.method, str(request.url)) for request in seen] == [
        ("GET", f"https://secrets.example/v1/secrets/{ID}"),
        ("PATCH", f"https://secrets.example/v1/secrets/{ID}"),
        ("GET", f"https://secrets.example/v1/secrets/{ID}"),
    ]
    assert seen[1].headers["x-api-key"] == KEY


class Counts(httpx.MockTransport):
    closed = 0

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


def test_a_transport_that_was_handed_in_is_closed_with_the_bridge() -> None:
    transport = Counts(lambda _: httpx.Response(200, content=INFO))
    with SecretBridge(ionet("https://secrets.example"), transport=transport, **OPTIONS) as bridge:
        bridge.get_secret(id=ID)
    assert transport.closed == 1

    async def work() -> None:
        async with AsyncSecretBridge(
            ionet("https://secrets.example"), transport=transport, **OPTIONS
        ) as awaited:
            await awaited.get_secret(id=ID)

    anyio.run(work)
    assert transport.closed == 2


@pytest.mark.parametrize("face", ["blocking", "asyncio", "trio"])
def test_respx_catches_what_goes_over_our_own_transport(face: str) -> None:
    with respx.mock(base_url="https://secrets.example") as router:
        route = router.patch(f"/secrets/{ID}").respond(200, json={})
        ask(face, "https://secrets.example", UPDATE)
        assert route.call_count == 1


def test_more_addresses_than_are_remembered_are_served_all_the_same() -> None:
    from secretbridge._wire import BlockingWire

    wire = BlockingWire(httpx.MockTransport(lambda _: httpx.Response(200)))
    first = wire._ways.find("https://secrets.example/0")
    assert wire._ways.find("https://secrets.example/0") is first
    for number in range(1, 5000):
        wire._ways.find(f"https://secrets.example/{number}")
    assert 0 < len(wire._ways._known) <= 4096
    again = wire._ways.find("https://secrets.example/0")
    assert again is not first
    assert again == first


def test_two_hosts_share_the_way_of_their_scheme() -> None:
    from secretbridge._wire import BlockingWire

    wire = BlockingWire(None)
    ways = [
        wire._ways.find(url)[2] for url in ("http://a.example/1", "http://b.example/", "https://a.example/1")
    ]
    assert ways[0] is ways[1]
    assert ways[0] is not ways[2]
    wire.close()


def test_a_bridge_with_other_options_shares_connections_and_changes_only_what_is_given() -> None:
    with served(http(200, INFO)) as server, SecretBridge(ionet(server.url), **OPTIONS) as bridge:
        bridge.get_secret(id=ID)
        channel = bridge._core.channel
        for options, kept in (
            ({"timeout": 1.5}, {"retry", "pace"}),
            ({"retry": Retry(attempts=2)}, {"timeout", "pace"}),
            ({"pace": 600.0}, {"timeout", "retry"}),
            ({"pace": "provider"}, {"timeout", "retry"}),
            ({}, {"timeout", "retry", "pace"}),
        ):
            other = bridge.with_options(**options)
            other.get_secret(id=ID)
            theirs = other._core.channel
            assert {
                name
                for name in ("timeout", "retry", "pace")
                if getattr(theirs, name) == getattr(channel, name)
            } == kept
            assert theirs.runtime is channel.runtime
            assert theirs.names is channel.names
        assert (server.accepted, len(server.requests)) == (1, 6)


def test_two_bridges_with_the_same_pace_share_it() -> None:
    standin = IoNetStandIn()
    provider = IoNet(api_key=standin.api_key)
    with SecretBridge(provider, transport=standin.transport(), pace=60 * 20, retry=None) as bridge:
        other = bridge.with_options(timeout=1.0)
        started = time.monotonic()
        for _ in range(3):
            bridge.list_secrets()
            other.list_secrets()
        assert time.monotonic() - started > 5 * 0.05 * 0.9
