"""What the stand-in of io.net knows of io.net."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from reaching import Clock, Reach, both_ways

from secretbridge.testing import IoNetStandIn

if TYPE_CHECKING:
    import httpx

KEY = {"x-api-key": "ionet-key"}
NEW = {"secret_name": "OPENAI", "secret_value": "canary-value"}

pytestmark = [both_ways, pytest.mark.bad_requests("what a stand-in refuses is shown here")]


@pytest.fixture
def standin() -> IoNetStandIn:
    return IoNetStandIn()


def kinds(reply: httpx.Response) -> list[tuple[str, str]]:
    """Where each entry of a 422 points and what kind it is."""
    assert reply.status_code == 422
    return [(".".join(map(str, entry["loc"])), entry["type"]) for entry in reply.json()["detail"]]


def test_a_created_secret_is_told_without_its_value_and_with_200(standin: IoNetStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        reply = client.post(
            "/secrets/", json={**NEW, "tool_name": "agno__linear__*", "tool_arg": "api_token"}
        )
        assert reply.status_code == 200
        info = reply.json()
        assert client.get("/secrets/").json() == {"data": [info]}
        assert client.get(f"/secrets/{info['secret_id']}").json() == info
    assert "canary-value" not in reply.text
    assert sorted(info) == [
        "created_at",
        "display",
        "is_default_for_tool",
        "secret_id",
        "secret_name",
        "tool_arg",
        "tool_name",
        "updated_at",
        "user_id",
    ]
    assert (info["secret_name"], info["tool_name"], info["is_default_for_tool"]) == (
        "OPENAI",
        "agno__linear__*",
        False,
    )
    assert str(uuid.UUID(info["secret_id"])) == info["secret_id"]
    assert standin.secret("OPENAI").value == "canary-value"


def test_the_mask_hides_nothing_of_a_value_of_four(standin: IoNetStandIn, reach: Reach) -> None:
    standin.seed("SHORT", "abcd")
    standin.seed("LONG", "canary-value")
    with reach(standin, KEY) as client:
        assert [info["display"] for info in client.get("/secrets/").json()["data"]] == ["abcd", "ca****ue"]


def test_an_update_changes_what_it_names_and_answers_nothing_of_use(
    standin: IoNetStandIn, reach: Reach
) -> None:
    row = standin.seed(
        "OPENAI", "old-value", tool_name="agno__linear", tool_arg="token", default_for_tool=True
    )
    with reach(standin, KEY) as client:
        reply = client.patch(
            f"/secrets/{row.id}", json={"secret_value": "new-value", "secret_name": "OPENAI_2"}
        )
    assert (reply.status_code, reply.json()) == (200, {})
    changed = standin.secret("OPENAI_2")
    assert (changed.id, changed.value) == (row.id, "new-value")
    assert (changed.tool_name, changed.tool_arg, changed.default_for_tool) == ("agno__linear", "token", True)


@pytest.mark.parametrize("answer", [[], "updated", 0, None, {"secret_value": "canary-value"}, b"", b"<html>"])
def test_the_answer_to_an_update_may_be_anything(standin: IoNetStandIn, reach: Reach, answer: object) -> None:
    row = standin.seed("OPENAI", "old-value")
    standin.update_answer = answer
    with reach(standin, KEY) as client:
        updated = client.patch(f"/secrets/{row.id}", json={"secret_value": "new-value"})
        deleted = client.delete(f"/secrets/{row.id}")
    assert updated.status_code == deleted.status_code == 200
    assert updated.content == deleted.content
    assert (updated.content if isinstance(answer, bytes) else updated.json()) == answer
    assert standin.secrets == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"secret_value":null,"tool_name":null}',
        b'{"value":"new-value","description":"x"}',
    ],
)
def test_null_nothing_and_unknown_keys_are_a_silent_200(
    standin: IoNetStandIn, reach: Reach, body: bytes
) -> None:
    row = standin.seed("OPENAI", "old-value", tool_name="agno__linear")
    with reach(standin, KEY) as client:
        reply = client.patch(f"/secrets/{row.id}", content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()) == (200, {})
    assert standin.secret("OPENAI") == row


@pytest.mark.parametrize("header", ["x-api-key", "authorization", "token"])
def test_each_of_the_three_credentials_opens(standin: IoNetStandIn, reach: Reach, header: str) -> None:
    value = {"x-api-key": "ionet-key", "authorization": "Bearer ionet-key", "token": "ionet-token"}[header]
    with reach(standin, {header: value}) as client:
        assert client.get("/secrets/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "wrong"},
        {"x-api-key": "ionet-key", "authorization": "Bearer ionet-key"},
        {"x-api-key": "ionet-key", "token": "ionet-token"},
        {"authorization": "ionet-key"},
        {"authorization": "Bearer wrong"},
        {"token": "ionet-key"},
    ],
)
def test_any_other_number_or_kind_of_credential_is_401(
    standin: IoNetStandIn, reach: Reach, headers: dict[str, str]
) -> None:
    with reach(standin, headers) as client:
        assert client.post("/secrets/", json=NEW).status_code == 401
    assert standin.secrets == ()


def test_the_same_credential_twice_is_401(standin: IoNetStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        client.headers = [*KEY.items(), *KEY.items()]
        assert client.get("/secrets/").status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_wrong_slash_is_a_307_to_plain_http(standin: IoNetStandIn, reach: Reach, method: str) -> None:
    row = standin.seed("OPENAI", "old-value")
    with reach(standin, {**KEY, "host": "vendor.example"}) as client:
        collection = client.request(method, "/secrets")
        item = client.request(method, f"/secrets/{row.id}/")
    assert collection.status_code == item.status_code == 307
    assert collection.headers["location"] == "http://vendor.example/api/v1/secrets/"
    assert item.headers["location"] == f"http://vendor.example/api/v1/secrets/{row.id}"
    assert standin.secrets == (row,)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/secret/", 404),
        ("GET", "/secrets//", 404),
        ("GET", "/secrets/a/b", 404),
        ("GET", "/extra/api/v1/secrets/", 404),
        ("PUT", "/secrets/", 405),
        ("POST", "/secrets/00000000-0000-4000-8000-000000000000", 405),
        ("PUT", "/secrets/00000000-0000-4000-8000-000000000000", 405),
    ],
)
def test_what_is_not_there_is_404_or_405(
    standin: IoNetStandIn, reach: Reach, method: str, path: str, status: int
) -> None:
    with reach(standin, KEY) as client:
        assert client.request(method, path).status_code == status


def test_names_may_repeat(standin: IoNetStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        ids = {client.post("/secrets/", json=NEW).json()["secret_id"] for _ in range(2)}
    assert len(ids) == 2
    with pytest.raises(LookupError, match="2 secrets are named 'OPENAI'"):
        standin.secret("OPENAI")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_id_is_404_and_one_that_is_no_uuid_422(
    standin: IoNetStandIn, reach: Reach, method: str
) -> None:
    with reach(standin, KEY) as client:
        assert client.request(method, f"/secrets/{uuid.uuid4()}").status_code == 404
        assert kinds(client.request(method, "/secrets/OPENAI")) == [("path.secret_id", "uuid_parsing")]


def test_a_deleted_secret_is_gone(standin: IoNetStandIn, reach: Reach) -> None:
    row = standin.seed("OPENAI", "old-value")
    with reach(standin, KEY) as client:
        assert [client.delete(f"/secrets/{row.id}").status_code for _ in range(2)] == [200, 404]
    assert standin.secrets == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"secret_value": "abc"}, [("body.secret_value", "string_too_short")]),
        ({"secret_value": "x" * 1025}, [("body.secret_value", "string_too_long")]),
        ({"secret_value": 12345}, [("body.secret_value", "string_type")]),
        ({"secret_value": None}, [("body.secret_value", "string_type")]),
        ({"secret_name": ""}, [("body.secret_name", "string_too_short")]),
        ({"secret_name": "n" * 1025}, [("body.secret_name", "string_too_long")]),
        ({"is_default_for_tool": "maybe"}, [("body.is_default_for_tool", "bool_type")]),
        ({"tool_arg": ["a"]}, [("body.tool_arg", "string_type")]),
        (
            {"secret_name": 1, "secret_value": "abc"},
            [("body.secret_name", "string_type"), ("body.secret_value", "string_too_short")],
        ),
    ],
)
def test_a_bad_field_is_a_422_that_points_to_it(
    standin: IoNetStandIn, reach: Reach, change: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with reach(standin, KEY) as client:
        assert kinds(client.post("/secrets/", json={**NEW, **change})) == expected
    assert standin.secrets == ()


def test_a_422_repeats_the_rejected_secret(standin: IoNetStandIn, reach: Reach) -> None:
    row = standin.seed("OPENAI", "old-value")
    canary = "canary" * 200
    with reach(standin, KEY) as client:
        rejected = client.patch(f"/secrets/{row.id}", json={"secret_value": canary})
        incomplete = client.post("/secrets/", json={"secret_value": canary})
        unread = client.post("/secrets/", content=canary, headers={"content-type": "text/plain"})
    assert rejected.json()["detail"][0]["input"] == canary
    assert incomplete.json()["detail"][0]["input"] == {"secret_value": canary}
    assert unread.status_code == 422
    assert standin.secret("OPENAI") == row


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", [("body", "missing")]),
        (b"{", [("body.0", "json_invalid")]),
        (b"\xff", [("body.0", "json_invalid")]),
        (b"[]", [("body", "model_attributes_type")]),
        (b"{}", [("body.secret_name", "missing"), ("body.secret_value", "missing")]),
        (
            b'{"secret_name":"A","secret_value":"ab\\ud800cd"}',
            [("body.secret_value", "string_unicode")],
        ),
    ],
)
def test_a_bad_body_is_a_422(
    standin: IoNetStandIn, reach: Reach, body: bytes, expected: list[tuple[str, str]]
) -> None:
    with reach(standin, KEY) as client:
        reply = client.post("/secrets/", content=body, headers={"content-type": "application/json"})
        assert kinds(reply) == expected
    assert standin.secrets == ()


@pytest.mark.parametrize("value", ["🔑" * 4, "🔑" * 1024, "    ", "a\r\n\x00"])
def test_lengths_count_code_points_and_nothing_is_trimmed(
    standin: IoNetStandIn, reach: Reach, value: str
) -> None:
    with reach(standin, KEY) as client:
        assert client.post("/secrets/", json={**NEW, "secret_value": value}).status_code == 200
    assert standin.secret("OPENAI").value == value


def test_413_is_about_all_values_together(standin: IoNetStandIn, reach: Reach) -> None:
    standin.quota_bytes = 20
    row = standin.seed("A", "0123456789")
    with reach(standin, KEY) as client:
        assert client.post("/secrets/", json={"secret_name": "B", "secret_value": "é" * 6}).status_code == 413
        assert client.patch(f"/secrets/{row.id}", json={"secret_value": "x" * 21}).status_code == 413
        assert client.patch(f"/secrets/{row.id}", json={"secret_value": "x" * 20}).status_code == 200
    assert [secret.value for secret in standin.secrets] == ["x" * 20]


def test_stamps_follow_the_clock(reach: Reach) -> None:
    clock = Clock(1_735_689_600.5)
    standin = IoNetStandIn(clock=clock)
    row = standin.seed("A", "0123456789")
    clock.now += 60
    with reach(standin, KEY) as client:
        client.patch(f"/secrets/{row.id}", json={"secret_value": "new-value"})
        info = client.get(f"/secrets/{row.id}").json()
    assert (info["created_at"], info["updated_at"]) == (
        "2025-01-01T00:00:00.500Z",
        "2025-01-01T00:01:00.500Z",
    )


def test_the_path_and_the_credentials_can_be_ones_own(reach: Reach) -> None:
    standin = IoNetStandIn(base_url="https://vendor.example/v2/", api_key="mine")
    with reach(standin, {"x-api-key": "mine"}) as client:
        assert client.get("/secrets/").status_code == 200
    assert standin.calls == ["GET /v2/secrets/"]


def test_its_429_is_json(reach: Reach) -> None:
    with reach(IoNetStandIn(rate_limit=(0, 1)), KEY) as client:
        assert client.get("/secrets/").json() == {"detail": "Too many requests"}
