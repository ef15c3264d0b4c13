"""What the stand-in of an Appfarm endpoint does: our contract, and what builders get wrong."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from reaching import Reach, both_ways

from secretbridge.testing import AppfarmStandIn

if TYPE_CHECKING:
    import httpx

KEY = {"authorization": "Bearer appfarm-key"}
PATH = "/api/services/secrets/update-secret"
REQUEST = {
    "secret": "STRIPE_KEY",
    "value": "canary-value",
    "request_id": "8a3ef0ea-0000-4000-8000-000000000000",
}

pytestmark = [both_ways, pytest.mark.bad_requests("what a stand-in refuses is shown here")]


@pytest.fixture
def standin() -> AppfarmStandIn:
    standin = AppfarmStandIn()
    standin.seed("STRIPE_KEY", "old")
    return standin


def refusal(reply: httpx.Response) -> tuple[int, str]:
    body = reply.json()
    assert body["status"] == "error"
    return reply.status_code, body["message"]


def test_an_update_is_made_and_echoed(standin: AppfarmStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        reply = client.post(PATH, json=REQUEST)
    assert (reply.status_code, reply.json()) == (
        200,
        {"status": "updated", "secret": "STRIPE_KEY", "request_id": REQUEST["request_id"]},
    )
    assert standin.secret("STRIPE_KEY").value == "canary-value"


def test_the_endpoint_is_where_it_was_published(reach: Reach) -> None:
    standin = AppfarmStandIn(
        path="/api/services/acme/keys", base_url="https://test.acme.example", api_key="mine"
    )
    standin.seed("STRIPE_KEY", "old")
    with reach(standin, {"authorization": "Bearer mine"}) as client:
        assert client.post("/api/services/acme/keys", json=REQUEST).status_code == 200
        assert refusal(client.post(PATH, json=REQUEST)) == (404, "Endpoint not found")


@pytest.mark.parametrize("credential", ["", "appfarm-key", "Bearer wrong", "bearer appfarm-key"])
def test_any_other_credential_is_401(standin: AppfarmStandIn, reach: Reach, credential: str) -> None:
    with reach(standin, {"authorization": credential}) as client:
        assert refusal(client.post(PATH, json=REQUEST)) == (401, "Unauthorized")
    assert standin.secret("STRIPE_KEY").value == "old"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_anything_but_post_is_405(standin: AppfarmStandIn, reach: Reach, method: str) -> None:
    with reach(standin, KEY) as client:
        reply = client.request(method, PATH, json=REQUEST)
    assert refusal(reply) == (405, "Method not allowed")
    assert reply.headers["allow"] == "POST"
    assert standin.secret("STRIPE_KEY").value == "old"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"declared": False}, (400, "This endpoint does not update STRIPE_KEY")),
        ({"granted": False}, (403, "Update Secret from Service > STRIPE_KEY is not granted")),
        ({"environment_specific": False}, (409, "STRIPE_KEY is not environment-specific")),
        ({"locked": True}, (423, "STRIPE_KEY is locked")),
    ],
)
def test_each_precondition_has_its_own_refusal(
    standin: AppfarmStandIn, reach: Reach, flags: dict[str, Any], expected: tuple[int, str]
) -> None:
    row = standin.seed("STRIPE_KEY", "old", **flags)
    with reach(standin, KEY) as client:
        assert refusal(client.post(PATH, json=REQUEST)) == expected
    assert standin.secrets == (row,)


def test_a_secret_must_exist_and_be_declared(reach: Reach) -> None:
    standin = AppfarmStandIn(declared=("STRIPE_KEY",))
    with reach(standin, KEY) as client:
        assert refusal(client.post(PATH, json=REQUEST)) == (404, "STRIPE_KEY does not exist")
        other = {**REQUEST, "secret": "OTHER"}
        assert refusal(client.post(PATH, json=other)) == (400, "This endpoint does not update OTHER")
    assert standin.secrets == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"secret":"STRIPE_KEY","value":"v"}',
        b'{"secret":1,"value":"v","request_id":"r"}',
    ],
)
def test_a_body_that_is_not_the_contracts_is_400(standin: AppfarmStandIn, reach: Reach, body: bytes) -> None:
    with reach(standin, KEY) as client:
        assert client.post(PATH, content=body).status_code == 400
    assert standin.secret("STRIPE_KEY").value == "old"


def test_an_asynchronous_endpoint_says_ok_and_changes_later(standin: AppfarmStandIn, reach: Reach) -> None:
    standin.asynchronous = True
    with reach(standin, KEY) as client:
        reply = client.post(PATH, json=REQUEST)
    assert (reply.status_code, reply.json()["status"]) == (200, "OK")
    assert str(uuid.UUID(reply.json()["jobId"])) == reply.json()["jobId"]
    assert standin.secret("STRIPE_KEY").value == "old"
    assert [standin.run_jobs(), standin.run_jobs()] == [1, 0]
    assert standin.secret("STRIPE_KEY").value == "canary-value"


def test_maintenance_is_503_for_everything(standin: AppfarmStandIn, reach: Reach) -> None:
    standin.maintenance = True
    with reach(standin, {}) as client:
        assert client.post(PATH, json=REQUEST).status_code == client.get("/").status_code == 503
    assert standin.secret("STRIPE_KEY").value == "old"


def test_a_wrong_echo_is_about_another_request(standin: AppfarmStandIn, reach: Reach) -> None:
    standin.echo = "wrong"
    with reach(standin, KEY) as client:
        reply = client.post(PATH, json=REQUEST).json()
    assert (reply["status"], reply["secret"]) == ("updated", "STRIPE_KEY")
    assert str(uuid.UUID(reply["request_id"])) == reply["request_id"]
    assert reply["request_id"] != REQUEST["request_id"]
    assert standin.secret("STRIPE_KEY").value == "canary-value"


def test_a_missing_echo_says_only_that_it_worked(standin: AppfarmStandIn, reach: Reach) -> None:
    standin.echo = "missing"
    with reach(standin, KEY) as client:
        assert client.post(PATH, json=REQUEST).json() == {"status": "updated"}
    assert standin.secret("STRIPE_KEY").value == "canary-value"


def test_an_uncaught_exceptions_text_has_the_value_in_it(standin: AppfarmStandIn, reach: Reach) -> None:
    standin.crash = True
    with reach(standin, KEY) as client:
        status, message = refusal(client.post(PATH, json=REQUEST))
    assert status == 500
    assert "canary-value" in message
    assert standin.secret("STRIPE_KEY").value == "old"


def test_a_rate_limit_is_the_builders_choice(reach: Reach) -> None:
    standin = AppfarmStandIn(rate_limit=(1, 60), retry_after="Fri, 15 Jan 2027 08:00:00 GMT")
    standin.seed("STRIPE_KEY", "old")
    with reach(standin, KEY) as client:
        assert client.post(PATH, json=REQUEST).status_code == 200
        reply = client.post(PATH, json=REQUEST)
    assert refusal(reply) == (429, "Too many requests")
    assert reply.headers["retry-after"] == "Fri, 15 Jan 2027 08:00:00 GMT"
