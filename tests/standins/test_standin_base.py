"""What every stand-in has: recording, faults, the rate limit, the clock, and the ways to reach it."""

from __future__ import annotations

import asyncio
import gc
import threading

import anyio
import httpx
import pytest
import respx
import trio
from reaching import NO_AUTHORITIES, Clock, Reach, both_ways, in_process, on_a_socket

from secretbridge import testing
from secretbridge.testing import IoNetStandIn, Lost, Pass, RecordedRequest, Refused, Reply, StandInReply

pytestmark = pytest.mark.bad_requests("what a stand-in refuses is shown here")

KEY = {"x-api-key": "ionet-key"}
NEW = {"secret_name": "A", "secret_value": "canary-value"}


@pytest.fixture
def standin() -> IoNetStandIn:
    return IoNetStandIn()


def test_what_there_is_to_test_with_is_listed_before_it_is_loaded() -> None:
    assert dir(testing) == sorted(testing.__all__)


@both_ways
def test_every_request_is_recorded_as_it_was_sent(standin: IoNetStandIn, reach: Reach) -> None:
    with reach(standin, {**KEY, "X-Twice": "1"}) as client:
        client.post("/secrets/?a=%2F", json=NEW)
    (request,) = standin.requests
    assert (request.method, request.path, request.route) == (
        "POST",
        "/api/v1/secrets/?a=%2F",
        "/api/v1/secrets/",
    )
    assert request.json() == NEW
    assert request.header("x-twice") == "1"
    assert ("X-Twice", "1") in request.headers
    assert request.header("no-such") is None
    assert standin.calls == ["POST /api/v1/secrets/?a=%2F"]
    standin.clear_requests()
    assert standin.calls == []
    assert [secret.name for secret in standin.secrets] == ["A"]


@both_ways
def test_percent_encoding_in_the_path_arrives_as_sent(standin: IoNetStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        client.get("/secrets/a%23b%20c")
    assert standin.calls == ["GET /api/v1/secrets/a%23b%20c"]


def test_a_header_sent_twice_is_seen_twice() -> None:
    request = RecordedRequest("GET", "/", (("Token", "a"), ("token", "b")))
    assert request.header_values("TOKEN") == ("a", "b")
    assert request.header("TOKEN") == "a"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the kind is the promise, the text is Python's
        RecordedRequest("POST", "/", (), body).json()


def test_what_may_hold_a_value_stays_out_of_every_repr(standin: IoNetStandIn) -> None:
    with in_process(standin, KEY) as client:
        client.post("/secrets/", json=NEW)
    shown = repr(
        [
            standin.requests,
            standin.secrets,
            Reply(200, json=NEW),
            Reply(200, body="canary-value"),
            StandInReply(200, (), b"canary-value"),
        ]
    )
    assert "canary" not in shown
    assert "ionet-key" not in shown


@both_ways
def test_a_scripted_reply_is_given_once_and_nothing_is_handled(standin: IoNetStandIn, reach: Reach) -> None:
    standin.script(Reply(503, json={"detail": "later"}, headers=[("Retry-After", "2")]))
    with reach(standin, KEY) as client:
        first, second = client.post("/secrets/", json=NEW), client.get("/secrets/")
    assert (first.status_code, first.json(), first.headers["retry-after"]) == (503, {"detail": "later"}, "2")
    assert (second.status_code, second.json()) == (200, {"data": []})


@both_ways
def test_a_scripted_reply_may_be_text_or_bytes_or_nothing(standin: IoNetStandIn, reach: Reach) -> None:
    standin.script(Reply(200, body="<html>ä</html>"), Reply(500, body=b"\xff\x00"), Reply(204))
    with reach(standin, KEY) as client:
        assert client.get("/secrets/").content == "<html>ä</html>".encode()
        assert client.get("/secrets/").content == b"\xff\x00"
        nothing = client.get("/secrets/")
        assert (nothing.status_code, nothing.content) == (204, b"")


@both_ways
@pytest.mark.parametrize(
    ("fault", "error"), [(Lost(), httpx.RemoteProtocolError), (Lost("reset"), httpx.ReadError)]
)
def test_a_lost_answer_was_handled_all_the_same(
    standin: IoNetStandIn, reach: Reach, fault: Lost, error: type[Exception]
) -> None:
    standin.script(fault)
    with reach(standin, KEY) as client:
        with pytest.raises(error):
            client.post("/secrets/", json=NEW)
        assert standin.secret("A").value == "canary-value"
        assert client.get("/secrets/").status_code == 200


@pytest.mark.parametrize(
    ("reach", "error"), [(in_process, httpx.ConnectError), (on_a_socket, httpx.RemoteProtocolError)]
)
def test_a_refused_request_was_not_handled(
    standin: IoNetStandIn, reach: Reach, error: type[Exception]
) -> None:
    standin.script(Refused())
    with reach(standin, KEY) as client:
        with pytest.raises(error):
            client.post("/secrets/", json=NEW)
        assert standin.secrets == ()
        assert standin.calls == ["POST /api/v1/secrets/"]
        assert client.get("/secrets/").status_code == 200


def test_pass_puts_a_distance_between_faults(standin: IoNetStandIn) -> None:
    standin.script(Pass(), Reply(500), Pass())
    with in_process(standin, KEY) as client:
        assert [client.get("/secrets/").status_code for _ in range(4)] == [200, 500, 200, 200]


def test_no_exception_of_a_lost_answer_holds_the_value(standin: IoNetStandIn) -> None:
    standin.script(Lost())
    with in_process(standin, KEY) as client, pytest.raises(httpx.TransportError) as caught:
        client.post("/secrets/", json=NEW)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_rate_limit_turns_away_what_is_over_it_in_any_window() -> None:
    clock = Clock()
    standin = IoNetStandIn(rate_limit=(2, 10.0), retry_after=3, clock=clock)
    with in_process(standin, KEY) as client:
        assert [client.get("/secrets/").status_code for _ in range(3)] == [200, 200, 429]
        clock.now += 9.9
        turned_away = client.get("/secrets/")
        clock.now += 0.1
        assert [client.get("/secrets/").status_code for _ in range(3)] == [200, 200, 429]
    assert (turned_away.status_code, turned_away.headers["retry-after"]) == (429, "3")
    assert standin.rejected == 3
    assert standin.rejected_at == [1_800_000_000.0, 1_800_000_009.9, 1_800_000_010.0]


def test_a_429_says_when_to_come_back_only_if_it_was_told() -> None:
    with in_process(IoNetStandIn(rate_limit=(0, 1.0)), KEY) as client:
        assert "retry-after" not in client.get("/secrets/").headers


def test_a_request_turned_away_changes_nothing() -> None:
    standin = IoNetStandIn(rate_limit=(0, 1.0))
    with in_process(standin, KEY) as client:
        client.post("/secrets/", json=NEW)
    assert standin.secrets == ()


def test_requests_overlap_on_a_socket_when_they_take_time() -> None:
    standin = IoNetStandIn(latency=0.05)
    with on_a_socket(standin, KEY) as client:
        threads = [threading.Thread(target=client.get, args=("/secrets/",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert standin.most_in_flight == 3


def test_the_async_transport_answers_on_asyncio_and_trio_and_lets_others_run(standin: IoNetStandIn) -> None:
    async def ask() -> None:
        client = httpx.AsyncClient(base_url=standin.base_url, transport=standin.transport(), headers=KEY)
        async with client, anyio.create_task_group() as group:
            for name in "AB":
                group.start_soon(create, client, name)

    async def create(client: httpx.AsyncClient, name: str) -> None:
        reply = await client.post("/secrets/", json={**NEW, "secret_name": name})
        assert reply.json()["secret_name"] == name

    asyncio.run(ask())
    trio.run(ask)
    assert sorted(secret.name for secret in standin.secrets) == ["A", "A", "B", "B"]
    assert standin.most_in_flight == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Lost(), httpx.RemoteProtocolError),
        (Lost("reset"), httpx.ReadError),
        (Refused(), httpx.ConnectError),
    ],
)
def test_the_async_transport_knows_the_faults(
    standin: IoNetStandIn, fault: Lost | Refused, error: type[Exception]
) -> None:
    async def ask() -> None:
        client = httpx.AsyncClient(base_url=standin.base_url, transport=standin.transport(), headers=KEY)
        async with client:
            with pytest.raises(error):
                await client.get("/secrets/")

    standin.script(fault)
    asyncio.run(ask())


@pytest.mark.parametrize("faces", ["sync", "async"])
def test_the_same_stand_in_serves_respx(standin: IoNetStandIn, faces: str) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(base_url=standin.base_url, headers=KEY) as client:
            return await client.post("/secrets/", json=NEW)

    with respx.mock() as router:
        router.route(host="api.intelligence.io.solutions").mock(side_effect=standin.respx_side_effect)
        if faces == "sync":
            with httpx.Client(base_url=standin.base_url, headers=KEY) as client:
                reply = client.post("/secrets/", json=NEW)
        else:
            reply = asyncio.run(ask())
    assert reply.json()["secret_name"] == "A"
    assert standin.secret("A").value == "canary-value"


def test_respx_gets_the_faults_too(standin: IoNetStandIn) -> None:
    standin.script(Refused())
    with respx.mock() as router, httpx.Client(base_url=standin.base_url, headers=KEY) as client:
        router.route().mock(side_effect=standin.respx_side_effect)
        with pytest.raises(httpx.ConnectError):
            client.get("/secrets/")


def test_a_connection_is_kept_for_the_next_request(standin: IoNetStandIn) -> None:
    with standin.serve() as base_url:
        limits = httpx.Limits(max_connections=1)
        with httpx.Client(
            base_url=base_url, headers=KEY, verify=NO_AUTHORITIES, limits=limits, trust_env=False
        ) as client:
            streams = {client.get("/secrets/").extensions["network_stream"] for _ in range(3)}
    assert len(streams) == 1


def test_leaving_the_block_ends_every_thread_and_every_connection(standin: IoNetStandIn) -> None:
    before = set(threading.enumerate())
    with httpx.Client(headers=KEY, verify=NO_AUTHORITIES, trust_env=False) as client:
        with standin.serve() as base_url:
            client.get(f"{base_url}/secrets/")
            assert set(threading.enumerate()) > before
        assert set(threading.enumerate()) == before
        with pytest.raises(httpx.ConnectError):
            client.get(f"{base_url}/secrets/")
    gc.collect()  # a socket left open would be a ResourceWarning here, which is an error


def test_a_stand_in_can_be_served_again_with_its_state(standin: IoNetStandIn) -> None:
    for expected in (1, 2):
        with on_a_socket(standin, KEY) as client:
            client.post("/secrets/", json=NEW)
            assert len(client.get("/secrets/").json()["data"]) == expected


def test_a_fault_ends_one_connection_and_the_server_goes_on(standin: IoNetStandIn) -> None:
    standin.script(Lost("reset"), Lost(), Refused())
    with on_a_socket(standin, KEY) as client:
        for _ in range(3):
            with pytest.raises(httpx.TransportError):
                client.get("/secrets/")
        assert client.get("/secrets/").status_code == 200


def test_many_threads_lose_nothing(standin: IoNetStandIn) -> None:
    def create(base_url: str, name: str) -> None:
        with httpx.Client(base_url=base_url, headers=KEY, verify=NO_AUTHORITIES, trust_env=False) as client:
            for _ in range(10):
                client.post("/secrets/", json={**NEW, "secret_name": name}).raise_for_status()

    with standin.serve() as base_url:
        threads = [threading.Thread(target=create, args=(base_url, name)) for name in "ABCD"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(standin.secrets) == len(standin.requests) == 40


@both_ways
def test_a_large_body_arrives_whole(standin: IoNetStandIn, reach: Reach) -> None:
    body = b"[" + b" " * 3_000_000 + b"]"
    with reach(standin, KEY) as client:
        assert client.post("/secrets/", content=body).status_code == 422
    assert standin.requests[0].body == body
