"""InsForge: partial writes, its codes, and the traps that its answers set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from adapter_cases import insforge, opened, scripted

from secretbridge import AsyncSecretBridge, InsForge, Retry, SecretBridge, errors
from secretbridge.testing import InsForgeStandIn, Pass, Reply, answer

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "https://project.insforge.app/api/secrets"
SOON = datetime(2031, 2, 3, 4, 5, 6, 789_999, tzinfo=timezone(timedelta(hours=2)))
FALSE_401 = InsForgeStandIn.FALSE_401


def failed(status: int, code: object, message: str = "") -> Any:
    return answer(status, {"error": code, "message": message, "statusCode": status})


def listing(*rows: dict[str, Any]) -> Any:
    return answer(200, {"secrets": list(rows)})


@pytest.fixture
def standin() -> InsForgeStandIn:
    standin = InsForgeStandIn()
    standin.seed("EXISTING", "old")
    return standin


@pytest.fixture
def bridge(standin: InsForgeStandIn) -> SecretBridge:
    return opened(insforge(standin), standin)


def test_each_operation_sends_what_the_server_takes() -> None:
    runtime, bridge = scripted(
        insforge(),
        listing(),
        answer(200, {"key": "A", "value": "v"}),
        answer(201, {"success": True, "id": "1"}),
        *[answer(200, {"success": True})] * 3,
    )
    bridge.list_secrets()
    bridge.get_secret("A", metadata=False)
    bridge.create_secret("B", value="v")
    bridge.update_secret("A", value="v2")
    bridge.delete_secret("A")
    expected: list[tuple[str, str, Any]] = [
        ("GET", BASE, None),
        ("GET", f"{BASE}/A", None),
        ("POST", BASE, {"key": "B", "value": "v"}),
        ("PUT", f"{BASE}/B", {"value": "v", "isActive": True, "expiresAt": None}),
        ("PUT", f"{BASE}/A", {"value": "v2"}),
        ("DELETE", f"{BASE}/A", None),
    ]
    assert [(sent.method, sent.url, sent.json) for sent in runtime.sent] == expected
    assert {sent.headers["authorization"] for sent in runtime.sent} == {"Bearer ik_key"}
    assert not any({"x-api-key", "if-none-match"} & sent.headers.keys() for sent in runtime.sent)


def test_a_body_says_that_it_is_json_as_the_server_reads_no_other() -> None:
    runtime, bridge = scripted(insforge(), answer(200, {}))
    bridge.update_secret("A", value="v")
    assert runtime.sent[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"value": ""}, {"value": ""}),
        ({"active": False}, {"isActive": False}),
        ({"active": True}, {"isActive": True}),
        ({"protected": False}, {"isReserved": False}),
        ({"protected": True, "allow_one_way": True}, {"isReserved": True}),
        ({"expires_at": None}, {"expiresAt": None}),
        ({"expires_at": SOON}, {"expiresAt": "2031-02-03T02:05:06.789Z"}),
        ({"expires_at": datetime(2031, 1, 1, tzinfo=UTC)}, {"expiresAt": "2031-01-01T00:00:00.000Z"}),
        ({"value": "v", "active": True}, {"value": "v", "isActive": True}),
    ],
)
def test_an_update_sends_only_what_was_given(changes: dict[str, Any], body: dict[str, Any]) -> None:
    runtime, bridge = scripted(insforge(), answer(200, {"success": True}))
    bridge.update_secret("A", **changes)
    assert runtime.sent[0].json == body


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value": None},
        {"active": None},
        {"protected": None},
        {"protected": True},
        {"expires_at": datetime(2031, 1, 1)},  # noqa: DTZ001 - a time without a zone is the point
        {"expires_at": 1_900_000_000_000},
        {"expires_at": "2031-01-01T00:00:00Z"},
        {"expires_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))},
        {"expires_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))},
        {"new_name": "NEW"},
        {"description": "text"},
        {"value": "half \ud800"},
    ],
)
def test_what_the_server_would_take_amiss_is_never_sent(changes: dict[str, Any]) -> None:
    runtime, bridge = scripted(insforge())
    with pytest.raises(errors.InvalidRequest):
        bridge.update_secret("A", **changes)
    assert runtime.sent == []


def test_protecting_is_announced_as_one_way_and_needs_consent(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    with pytest.raises(errors.InvalidRequest, match="allow_one_way=True") as caught:
        bridge.update_secret("EXISTING", protected=True)
    assert "no way back" in str(caught.value)
    assert standin.calls == []
    bridge.update_secret("EXISTING", protected=True, allow_one_way=True)
    assert standin.secret("EXISTING").reserved is True


@pytest.mark.parametrize(
    "act",
    [
        lambda bridge: bridge.update_secret("EXISTING", value="new"),
        lambda bridge: bridge.update_secret("EXISTING", protected=False),
        lambda bridge: bridge.delete_secret("EXISTING"),
        lambda bridge: bridge.put_secret("EXISTING", value="new"),
    ],
)
def test_a_reserved_secret_is_protected_from_all(act: Callable[[SecretBridge], object]) -> None:
    standin = InsForgeStandIn()
    standin.seed("EXISTING", "old", reserved=True)
    with pytest.raises(errors.SecretProtected, match="no way back") as caught:
        act(opened(insforge(standin), standin))
    assert (caught.value.applied, caught.value.code, caught.value.status) == (False, "FORBIDDEN", 403)
    assert standin.secret("EXISTING").value == "old"


def test_the_platforms_rows_are_flagged_and_a_users_reserved_row_is_not(standin: InsForgeStandIn) -> None:
    standin.seed("MINE", "v", reserved=True)
    standin.seed("JWT_SECRET", "v", reserved=False)
    listed = {secret.name: secret for secret in opened(insforge(standin), standin).list_secrets()}
    flagged = {name: secret.platform for name, secret in listed.items()}
    assert flagged == {
        "API_KEY": True,
        "ANON_KEY": True,
        "JWT_SECRET": False,
        "MINE": False,
        "EXISTING": False,
    }
    assert listed["MINE"].protected is True


def test_flags_may_be_null_or_missing_and_fields_unknown() -> None:
    bare = {"key": "BARE"}
    nulls = dict.fromkeys(
        ("id", "isActive", "isReserved", "lastUsedAt", "expiresAt", "createdAt", "updatedAt")
    )
    _, bridge = scripted(insforge(), listing(bare, {"key": "NULLS", **nulls, "novel": [1]}))
    for secret in bridge.list_secrets():
        assert (secret.id, secret.active, secret.protected, secret.expires_at) == (None, None, None, None)
        assert secret.platform is False


def test_a_listing_tells_flags_and_times_with_a_zone() -> None:
    row = {
        "id": "1",
        "key": "A",
        "isActive": False,
        "isReserved": False,
        "expiresAt": "2031-01-01T00:00:00.123Z",
        "lastUsedAt": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T02:00:00.000+02:00",
        "updatedAt": "2026-01-01T00:00:00",
    }
    _, bridge = scripted(insforge(), listing(row))
    (secret,) = bridge.list_secrets()
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    assert (secret.active, secret.protected, secret.id) == (False, False, "1")
    assert (secret.created_at, secret.updated_at, secret.extra["last_used_at"]) == (new_year,) * 3
    assert secret.expires_at == datetime(2031, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def test_get_gives_value_and_flags_together(bridge: SecretBridge) -> None:
    secret = bridge.get_secret("EXISTING")
    assert (secret.reveal(), secret.active, secret.protected) == ("old", True, False)


def test_get_by_id_finds_the_key_by_listing(standin: InsForgeStandIn, bridge: SecretBridge) -> None:
    row = standin.secret("EXISTING")
    assert bridge.get_secret(id=row.id, metadata=False).reveal() == "old"
    assert standin.calls == ["GET /api/secrets", "GET /api/secrets/EXISTING"]


@pytest.mark.parametrize("value", ["😀 é \r\n \x00 \x7f", "  spaces  ", '"quotes" \\ ', ""])
def test_a_value_comes_back_exactly(standin: InsForgeStandIn, bridge: SecretBridge, value: str) -> None:
    bridge.update_secret("EXISTING", value=value)
    assert bridge.get_secret("EXISTING", metadata=False).reveal() == value
    bridge.create_secret("FRESH", value=value)
    assert bridge.get_secret("FRESH", metadata=False).reveal() == value


def test_creating_over_a_deleted_row_leaves_nothing_of_its_old_expiry(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    standin.seed("GONE", "old", active=False, expires_at=1.0)
    bridge.create_secret("GONE", value="new")
    assert bridge.get_secret("GONE", metadata=False).reveal() == "new"


def test_a_create_with_all_fields_makes_exactly_that(standin: InsForgeStandIn, bridge: SecretBridge) -> None:
    made = bridge.create_secret(
        "FULL", value="v", active=False, protected=True, expires_at=SOON, allow_one_way=True
    )
    row = standin.secret("FULL")
    assert (row.active, row.reserved, row.value, made.id) == (False, True, "v", row.id)
    assert row.expires_at == SOON.replace(microsecond=789_000).timestamp()


def test_a_create_that_fails_half_way_is_unknown(standin: InsForgeStandIn, bridge: SecretBridge) -> None:
    standin.script(Pass(), Reply(403, json={"error": "AUTH_UNAUTHORIZED"}))
    with pytest.raises(errors.PermissionDenied) as caught:
        bridge.create_secret("FRESH", value="v")
    assert caught.value.applied is None


def test_a_key_that_only_post_would_check_is_refused_when_it_is_new() -> None:
    runtime, bridge = scripted(insforge(), answer(200, {}))
    for act in (bridge.create_secret, bridge.put_secret):
        with pytest.raises(errors.InvalidRequest, match="upper-case"):
            act("lower-case", value="v")
    bridge.update_secret("lower-case", value="v")
    assert [sent.url for sent in runtime.sent] == [f"{BASE}/lower-case"]


def test_reading_an_inactive_or_expired_secret_advises_to_look_at_the_listing(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    standin.seed("OFF", "v", active=False)
    standin.seed("EXPIRED", "v", expires_at=1.0)
    for name in ("OFF", "EXPIRED"):
        with pytest.raises(errors.SecretNotFound, match="inactive or expired"):
            bridge.get_secret(name)


@pytest.mark.parametrize("older", [False, True])
def test_a_missing_secret_is_told_by_servers_of_all_ages(*, older: bool) -> None:
    standin = InsForgeStandIn(older=older)
    bridge = opened(insforge(standin), standin)
    for act in (
        lambda: bridge.get_secret("ABSENT"),
        lambda: bridge.update_secret("ABSENT", value="v"),
        lambda: bridge.delete_secret("ABSENT"),
    ):
        with pytest.raises(errors.SecretNotFound) as caught:
            act()
        assert caught.value.code == ("NOT_FOUND" if older else "SECRET_NOT_FOUND")
    bridge.delete_secret("ABSENT", missing_ok=True)
    bridge.put_secret("ABSENT", value="v")
    with pytest.raises(errors.SecretExists) as taken:
        bridge.create_secret("ABSENT", value="v")
    assert taken.value.code == ("INVALID_INPUT" if older else "SECRET_ALREADY_EXISTS")


@pytest.mark.parametrize(
    "refusal",
    [
        failed(404, "NOT_FOUND", "Endpoint /x/api/secrets/A not found"),
        answer(404, {"detail": "Not Found"}),
        answer(404, {"error": {"code": 5}}),
        answer(404, body=b"404 page not found", headers={"content-type": "text/plain"}),
        answer(404, body=b"<html>", headers={"content-type": "text/html"}),
        answer(404),
    ],
)
@pytest.mark.parametrize(
    "act",
    [
        lambda bridge: bridge.list_secrets(),
        lambda bridge: bridge.get_secret("A"),
        lambda bridge: bridge.update_secret("A", value="v"),
        lambda bridge: bridge.delete_secret("A", missing_ok=True),
        lambda bridge: bridge.put_secret("A", value="v"),
        lambda bridge: bridge.create_secret("A", value="v"),
    ],
)
def test_a_404_of_another_server_is_a_wrong_address_and_no_missing_secret(
    refusal: Any, act: Callable[[SecretBridge], object]
) -> None:
    runtime, bridge = scripted(insforge(), refusal)
    with pytest.raises(errors.WrongAddress, match="base_url") as caught:
        act(bridge)
    assert (caught.value.applied, caught.value.status, len(runtime.sent)) == (False, 404, 1)


@pytest.mark.bad_requests("goes to a wrong base_url")
def test_a_wrong_base_url_is_told_by_the_stand_in_too(standin: InsForgeStandIn) -> None:
    bridge = opened(InsForge(f"{standin.base_url}/api", api_key=standin.api_key), standin)
    with pytest.raises(errors.WrongAddress):
        bridge.get_secret("EXISTING")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_INPUT", errors.Rejected),
        (401, "AUTH_INVALID_CREDENTIALS", errors.AuthenticationError),
        (401, "AUTH_INVALID_API_KEY", errors.AuthenticationError),
        (401, "AUTH_UNAUTHORIZED", errors.AuthenticationError),
        (403, "AUTH_UNAUTHORIZED", errors.PermissionDenied),
        (403, "FORBIDDEN", errors.SecretProtected),
        (404, "ROUTE_GONE", errors.SecretNotFound),
        (409, "SECRET_ALREADY_EXISTS", errors.SecretExists),
        (409, "INVALID_INPUT", errors.SecretExists),
        (429, "RATE_LIMITED", errors.RateLimited),
        (500, "INTERNAL_ERROR", errors.ProviderUnavailable),
        (503, "INTERNAL_ERROR", errors.ProviderUnavailable),
    ],
)
def test_each_code_has_its_error(status: int, code: str, kind: type[errors.ProviderError]) -> None:
    _, bridge = scripted(insforge(), failed(status, code, "some text"), retry=None)
    with pytest.raises(errors.ProviderError) as caught:
        bridge.update_secret("A", value="v")
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.applied is (None if status >= 500 else False)
    assert "some text" not in str(caught.value)


def test_forbidden_on_a_read_is_a_missing_permission() -> None:
    _, bridge = scripted(insforge(), failed(403, "FORBIDDEN"))
    with pytest.raises(errors.PermissionDenied):
        bridge.get_secret("A")


def test_a_500_after_a_write_is_not_repeated_and_after_a_read_it_is() -> None:
    runtime, bridge = scripted(
        insforge(),
        failed(500, "INTERNAL_ERROR"),
        failed(500, "INTERNAL_ERROR"),
        answer(200, {"key": "A", "value": "v"}),
    )
    with pytest.raises(errors.ProviderUnavailable, match="cannot take") as caught:
        bridge.update_secret("A", value="v")
    assert (caught.value.applied, caught.value.transient, len(runtime.sent)) == (None, False, 1)
    assert bridge.get_secret("A", metadata=False).reveal() == "v"


def test_a_500_after_a_very_long_value_is_laid_to_its_length() -> None:
    runtime, bridge = scripted(insforge(), failed(500, "INTERNAL_ERROR"))
    with pytest.raises(errors.Rejected, match="too long") as caught:
        bridge.update_secret("A", value="v" * 50_000_001)
    assert (caught.value.transient, len(runtime.sent)) == (False, 1)


def test_a_value_that_grows_over_the_limit_on_the_wire_is_refused() -> None:
    runtime, bridge = scripted(insforge())
    with pytest.raises(errors.InvalidRequest, match="100,000,000 bytes"):
        bridge.update_secret("A", value="\x00" * 16_700_000)
    assert runtime.sent == []


def test_a_false_401_is_repeated_where_the_key_has_worked() -> None:
    standin = InsForgeStandIn()
    standin.seed("EXISTING", "old")
    bridge = opened(insforge(standin), standin, retry=Retry(first_wait=0.001))
    bridge.list_secrets()
    standin.script(FALSE_401, FALSE_401)
    bridge.update_secret("EXISTING", value="new")
    assert standin.secret("EXISTING").value == "new"
    assert len(standin.requests) == 4


def test_a_401_is_believed_at_the_first_request_and_at_the_third_time() -> None:
    standin = InsForgeStandIn()
    bridge = opened(insforge(standin), standin, retry=Retry(first_wait=0.001))
    standin.script(FALSE_401)
    with pytest.raises(errors.AuthenticationError, match="database fails") as caught:
        bridge.list_secrets()
    assert (caught.value.applied, len(standin.requests)) == (False, 1)
    bridge.list_secrets()
    standin.script(FALSE_401, FALSE_401, FALSE_401)
    with pytest.raises(errors.AuthenticationError):
        bridge.delete_secret("EXISTING")
    assert len(standin.requests) == 5


def test_a_good_jwt_and_a_users_jwt_are_told_apart(standin: InsForgeStandIn) -> None:
    admin = opened(InsForge(standin.base_url, api_key=standin.jwt), standin)
    assert admin.get_secret("EXISTING").reveal() == "old"
    user = opened(InsForge(standin.base_url, api_key=standin.user_jwt), standin)
    with pytest.raises(errors.PermissionDenied):
        user.get_secret("EXISTING")


def test_at_most_four_requests_are_in_flight() -> None:
    standin = InsForgeStandIn(latency=0.01)
    standin.seed("EXISTING", "old")

    async def main() -> None:
        provider = insforge(standin)
        async with (
            AsyncSecretBridge(provider, transport=standin.transport()) as bridge,
            anyio.create_task_group() as group,
        ):
            for number in range(12):
                group.start_soon(partial(bridge.update_secret, "EXISTING", value=str(number)))

    anyio.run(main)
    assert (standin.most_in_flight, len(standin.requests)) == (4, 12)


def test_deleting_is_soft_and_can_be_repeated(standin: InsForgeStandIn, bridge: SecretBridge) -> None:
    bridge.delete_secret("EXISTING")
    bridge.delete_secret("EXISTING")
    assert standin.secret("EXISTING").active is False
    listed = {secret.name: secret.active for secret in bridge.list_secrets()}
    assert listed["EXISTING"] is False


def test_a_verified_update_reads_back_what_the_server_really_holds(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    secret = bridge.update_secret("EXISTING", value="new", expires_at=SOON, verify=True)
    assert (secret.verified, secret.reveal()) == (True, "new")
    off = bridge.update_secret("EXISTING", active=False, verify=True)
    assert (off.verified, off.active) == (True, False)


def test_an_update_of_an_unreadable_row_cannot_be_verified(
    standin: InsForgeStandIn, bridge: SecretBridge
) -> None:
    standin.seed("OFF", "v", active=False)
    assert bridge.update_secret("OFF", value="new", verify=True).verified is None
    assert bridge.update_secret("OFF", value="new", active=True, verify=True).verified is True


@pytest.mark.parametrize("code", [None, 5, ["AUTH_INVALID_API_KEY"], {"a": 1}, True])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_a_code_of_an_odd_shape_does_no_harm(status: int, code: object) -> None:
    _, bridge = scripted(insforge(), failed(status, code), retry=None)
    with pytest.raises(errors.SecretBridgeError) as caught:
        bridge.update_secret("A", value="v")
    assert getattr(caught.value, "code", None) is None
    assert caught.value.applied is (None if status >= 500 else False)
