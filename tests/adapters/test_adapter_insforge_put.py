"""InsForge's put_secret: PUT, POST, PUT and GET, as each case needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from adapter_cases import insforge, opened, scripted

from secretbridge import Retry, SecretBridge, errors
from secretbridge.testing import InsForgeStandIn, Lost, Pass, Reply, ScriptedRuntime, answer

WHOLE = {"value": "new", "isActive": True, "expiresAt": None}
DONE = answer(200, {"success": True})
MADE = answer(201, {"success": True, "id": "id-1"})
ABSENT = answer(404, {"error": "SECRET_NOT_FOUND"})
TAKEN = answer(409, {"error": "SECRET_ALREADY_EXISTS"})
SEEN = answer(200, {"key": "A", "value": "new"})


def steps(runtime: ScriptedRuntime) -> list[tuple[str, Any]]:
    return [(sent.method, sent.json) for sent in runtime.sent]


@pytest.fixture
def standin() -> InsForgeStandIn:
    return InsForgeStandIn()


@pytest.fixture
def bridge(standin: InsForgeStandIn) -> SecretBridge:
    return opened(insforge(standin), standin)


def methods(standin: InsForgeStandIn) -> list[str]:
    return [request.method for request in standin.requests]


def test_an_existing_secret_is_written_by_put_and_read_back() -> None:
    runtime, bridge = scripted(insforge(), DONE, SEEN)
    secret = bridge.put_secret("A", value="new")
    assert steps(runtime) == [("PUT", WHOLE), ("GET", None)]
    assert (secret.verified, secret.id, secret.active, secret.protected) == (True, None, True, False)


def test_an_absent_secret_is_written_by_post_and_read_back() -> None:
    runtime, bridge = scripted(insforge(), ABSENT, MADE, SEEN)
    assert bridge.put_secret("A", value="new").id == "id-1"
    assert steps(runtime) == [("PUT", WHOLE), ("POST", {"key": "A", "value": "new"}), ("GET", None)]


def test_where_another_was_faster_put_is_sent_again() -> None:
    runtime, bridge = scripted(insforge(), ABSENT, TAKEN, DONE, SEEN)
    bridge.put_secret("A", value="new")
    assert [method for method, _ in steps(runtime)] == ["PUT", "POST", "PUT", "GET"]
    assert runtime.sent[2].json == WHOLE


@pytest.mark.parametrize(
    ("fields", "post", "put"),
    [
        ({"value": ""}, {"key": "A", "value": "-"}, {"value": "", "isActive": True, "expiresAt": None}),
        ({"value": "new", "active": False}, {"key": "A", "value": "new"}, {**WHOLE, "isActive": False}),
        (
            {"value": "new", "protected": True, "allow_one_way": True},
            {"key": "A", "value": "new"},
            {**WHOLE, "isReserved": True},
        ),
    ],
)
def test_what_post_cannot_say_or_may_not_yet_is_put_after_it(
    fields: dict[str, Any], post: dict[str, Any], put: dict[str, Any]
) -> None:
    seen = answer(200, {"key": "A", "value": fields["value"]})
    runtime, bridge = scripted(insforge(), ABSENT, MADE, DONE, seen)
    bridge.put_secret("A", **fields)
    assert steps(runtime)[1:3] == [("POST", post), ("PUT", put)]


def test_an_expiry_goes_with_both_requests() -> None:
    runtime, bridge = scripted(insforge(), ABSENT, MADE, SEEN)
    bridge.put_secret("A", value="new", expires_at=datetime(2031, 1, 1, tzinfo=UTC))
    assert [sent.json.get("expiresAt") for sent in runtime.sent[:2]] == ["2031-01-01T00:00:00.000Z"] * 2


@pytest.mark.parametrize(
    ("seeded", "first"),
    [
        (None, "PUT POST GET"),
        ({}, "PUT GET"),
        ({"active": False}, "PUT GET"),
        ({"active": False, "expires_at": 1.0}, "PUT GET"),
        ({"expires_at": 1.0}, "PUT GET"),
    ],
    ids=["absent", "existing", "deleted", "deleted and expired", "expired"],
)
@pytest.mark.parametrize("value", ["new", ""])
def test_afterwards_the_secret_is_as_if_new_whatever_it_was(
    standin: InsForgeStandIn, bridge: SecretBridge, seeded: dict[str, Any] | None, first: str, value: str
) -> None:
    if seeded is not None:
        standin.seed("A", "old", **seeded)
    secret = bridge.put_secret("A", value=value)
    row = standin.secret("A")
    assert (row.value, row.active, row.expires_at, row.reserved) == (value, True, None, False)
    assert secret.verified is True
    expected = "PUT POST PUT GET" if seeded is None and not value else first
    assert methods(standin) == expected.split()


@pytest.mark.parametrize(
    "fields",
    [{"active": False}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}],
    ids=["inactive", "expired"],
)
def test_what_is_not_handed_out_is_written_and_not_confirmed(
    standin: InsForgeStandIn, bridge: SecretBridge, fields: dict[str, Any]
) -> None:
    standin.seed("A", "old")
    secret = bridge.put_secret("A", value="new", **fields)
    assert (methods(standin), secret.verified) == (["PUT"], None)
    assert standin.secret("A").value == "new"


def test_a_future_expiry_is_confirmed(standin: InsForgeStandIn, bridge: SecretBridge) -> None:
    secret = bridge.put_secret("A", value="new", expires_at=datetime.now(UTC) + timedelta(days=1))
    assert secret.verified is True


@pytest.mark.parametrize(
    "read",
    [
        errors.NoReply("gone"),
        answer(500, {"error": "INTERNAL_ERROR"}),
        answer(403, {"error": "AUTH_UNAUTHORIZED"}),
        answer(200, {"odd": 1}),
        answer(200, body=b"<html>"),
    ],
    ids=["no reply", "500", "403", "wrong shape", "web page"],
)
def test_a_read_back_that_fails_leaves_the_write_applied(read: Any) -> None:
    _, bridge = scripted(insforge(), DONE, read, retry=None)
    with pytest.raises(errors.SecretBridgeError) as caught:
        bridge.put_secret("A", value="new")
    assert caught.value.applied is True


@pytest.mark.parametrize("read", [answer(200, {"key": "A", "value": "another"}), ABSENT])
def test_a_read_back_that_differs_is_unverified(read: Any) -> None:
    _, bridge = scripted(insforge(), DONE, read)
    with pytest.raises(errors.Unverified, match="Another writer") as caught:
        bridge.put_secret("A", value="new")
    assert caught.value.applied is None
    assert "another'" not in str(caught.value)


def test_a_post_of_unknown_outcome_is_settled_by_repeating_it(standin: InsForgeStandIn) -> None:
    bridge = opened(insforge(standin), standin, retry=Retry(first_wait=0.001))
    standin.script(Pass(), Lost())
    assert bridge.put_secret("A", value="new").verified is True
    assert methods(standin) == ["PUT", "POST", "POST", "PUT", "GET"]


def test_a_second_write_that_fails_is_unknown_where_the_first_was_made(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    standin.script(Pass(), Pass(), Reply(403, json={"error": "AUTH_UNAUTHORIZED"}))
    with pytest.raises(errors.PermissionDenied) as caught:
        bridge.put_secret("A", value="", active=False)
    assert caught.value.applied is None


def test_a_second_write_that_fails_after_anothers_create_changed_nothing() -> None:
    _, bridge = scripted(insforge(), ABSENT, TAKEN, answer(403, {"error": "FORBIDDEN"}))
    with pytest.raises(errors.SecretProtected) as caught:
        bridge.put_secret("A", value="new")
    assert caught.value.applied is False


def test_a_failing_post_says_what_it_knows() -> None:
    for first, applied in ((answer(400, {"error": "INVALID_INPUT"}), False), (errors.NoReply("gone"), None)):
        _, bridge = scripted(insforge(), ABSENT, first, retry=None)
        with pytest.raises(errors.SecretBridgeError) as caught:
            bridge.put_secret("A", value="new")
        assert caught.value.applied is applied


def test_two_racing_writers_end_with_one_confirmed_and_one_told(standin: InsForgeStandIn) -> None:
    bridge = opened(insforge(standin), standin)
    standin.seed("A", "old", active=False)
    standin.script(Pass(), Reply(200, json={"key": "A", "value": "the other's"}))
    with pytest.raises(errors.Unverified):
        bridge.put_secret("A", value="mine")
