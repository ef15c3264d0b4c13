"""Wix: the wrapper, the headers, names in paths, and both shapes of its refusals."""

from __future__ import annotations

from typing import Any

import pytest
from adapter_cases import SITE, opened, scripted, wix
from pydantic import SecretStr

from secretbridge import Wix, errors
from secretbridge.testing import Reply, WixStandIn, answer

BASE = "https://www.wixapis.com/_api/cloud-secrets-vault-server/api/v1/secrets"


def listing(**ids: str) -> Any:
    return answer(200, {"secrets": [{"id": id_, "name": name} for name, id_ in ids.items()]})


def application_error(code: object, description: str = "", status: int = 400) -> Any:
    details = {"applicationError": {"code": code, "description": description, "data": {}}}
    return answer(status, {"message": description, "details": details})


def test_each_operation_sends_what_the_documents_say() -> None:
    runtime, bridge = scripted(
        wix(),
        listing(STRIPE="id-1"),
        answer(200, {"value": "sk"}),
        answer(200, {"id": "id-2"}),
        answer(200, {}),
        answer(200, {}),
    )
    bridge.list_secrets()
    bridge.get_secret("STRIPE", metadata=False)
    bridge.create_secret("NEW", value="v", description="d")
    bridge.update_secret(id="id-1", value="v2")
    bridge.delete_secret(id="id-1")
    assert [(sent.method, sent.url, sent.json) for sent in runtime.sent] == [
        ("GET", BASE, None),
        ("GET", f"{BASE}/name/STRIPE", None),
        ("POST", BASE, {"secret": {"name": "NEW", "value": "v", "description": "d"}}),
        ("PATCH", f"{BASE}/id-1", {"secret": {"value": "v2"}}),
        ("DELETE", f"{BASE}/id-1", None),
    ]


@pytest.mark.parametrize(
    ("given", "header"),
    [({"site_id": SITE}, "wix-site-id"), ({"account_id": SITE, "site_id": None}, "wix-account-id")],
)
def test_the_key_goes_without_bearer_and_with_one_id(given: dict[str, Any], header: str) -> None:
    runtime, bridge = scripted(wix(**given), listing())
    bridge.list_secrets()
    headers = runtime.sent[0].headers
    assert headers["authorization"] == "IST.wix-key"
    assert {name: headers[name] for name in headers if name.startswith("wix-")} == {header: SITE}


@pytest.mark.parametrize(
    "ids", [{}, {"site_id": "a", "account_id": "b"}, {"site_id": ""}, {"site_id": "a b"}]
)
def test_no_id_both_ids_and_a_malformed_id_are_refused(ids: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match="site_id"):
        Wix(api_key="IST.wix-key", **ids)


@pytest.mark.parametrize(
    "base_url", ["https://www.wixapis.com", "https://www.wixapis.com/_api/cloud-secrets-vault-server/"]
)
def test_both_documented_addresses_reach_the_same_vault(base_url: str) -> None:
    standin = WixStandIn()
    standin.seed("STRIPE", "old")
    bridge = opened(wix(standin, base_url=base_url), standin)
    bridge.update_secret("STRIPE", value="new")
    assert standin.secret("STRIPE").value == "new"


def test_a_name_is_percent_encoded_in_the_path() -> None:
    standin = WixStandIn()
    standin.seed("a#b@c$d+e=f", "the value")
    bridge = opened(wix(standin), standin)
    assert bridge.get_secret("a#b@c$d+e=f").reveal() == "the value"
    assert standin.requests[0].path.endswith("/secrets/name/a%23b%40c%24d%2Be%3Df")


@pytest.mark.parametrize(
    ("changes", "wrapped"),
    [
        ({"description": None}, {"description": ""}),
        ({"description": ""}, {"description": ""}),
        ({"description": "text"}, {"description": "text"}),
        ({"new_name": "NEW"}, {"name": "NEW"}),
        ({"value": SecretStr("v")}, {"value": "v"}),
        (
            {"new_name": "N", "value": "v", "description": None},
            {"name": "N", "value": "v", "description": ""},
        ),
    ],
)
def test_an_update_wraps_only_what_changes_and_clears_with_an_empty_text(
    changes: dict[str, Any], wrapped: dict[str, Any]
) -> None:
    runtime, bridge = scripted(wix(), listing(STRIPE="id-1"), answer(200, {}))
    bridge.update_secret("STRIPE", **changes)
    assert runtime.sent[1].json == {"secret": wrapped}


def test_get_by_id_finds_the_name_as_a_value_is_read_by_name_alone() -> None:
    standin = WixStandIn()
    row = standin.seed("STRIPE", "the value", description="for tests")
    secret = opened(wix(standin), standin).get_secret(id=row.id)
    assert (secret.reveal(), secret.name, secret.description) == ("the value", "STRIPE", "for tests")
    assert standin.calls[0].endswith("/api/v1/secrets")
    assert standin.calls[1].endswith("/api/v1/secrets/name/STRIPE")


def test_a_verified_update_reads_value_and_description_back() -> None:
    standin = WixStandIn()
    standin.seed("STRIPE", "old", description="gone soon")
    bridge = opened(wix(standin), standin)
    secret = bridge.update_secret("STRIPE", new_name="NEW", value="new", description=None, verify=True)
    assert (secret.verified, secret.reveal(), secret.description, secret.name) == (True, "new", None, "NEW")


def test_put_clears_a_description_that_was_left_out() -> None:
    standin = WixStandIn()
    standin.seed("STRIPE", "old", description="gone soon")
    bridge = opened(wix(standin), standin)
    bridge.put_secret("STRIPE", value="new")
    bridge.put_secret("FRESH", value="new", description="kept")
    state = [(row.name, row.value, row.description) for row in standin.secrets]
    assert state == [("STRIPE", "new", ""), ("FRESH", "new", "kept")]


def test_put_goes_on_where_another_created_the_secret_in_between() -> None:
    runtime, bridge = scripted(
        wix(),
        listing(),
        application_error("ALREADY_EXISTS", status=409),
        listing(STRIPE="id-1"),
        answer(200, {}),
    )
    bridge.put_secret("STRIPE", value="new")
    assert [sent.method for sent in runtime.sent] == ["GET", "POST", "GET", "PATCH"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "UNAUTHENTICATED", errors.AuthenticationError),
        (401, "PERMISSION_DENIED", errors.PermissionDenied),
        (403, "PERMISSION_DENIED", errors.PermissionDenied),
        (403, "UNKNOWN_TO_US", errors.PermissionDenied),
        (404, "NOT_FOUND", errors.SecretNotFound),
        (404, "SECRET_NOT_FOUND", errors.SecretNotFound),
        (400, "SECRET_NOT_FOUND", errors.SecretNotFound),
        (404, "META_SITE_NOT_FOUND", errors.Rejected),
        (409, "ALREADY_EXISTS", errors.SecretExists),
        (400, "SECRET_ALREADY_EXISTS", errors.SecretExists),
        (409, "ABORTED", errors.Conflict),
        (409, None, errors.Conflict),
        (429, "RESOURCE_EXHAUSTED", errors.RateLimited),
        (400, "RESOURCE_EXHAUSTED", errors.QuotaExceeded),
        (400, "INVALID_ARGUMENT", errors.Rejected),
        (400, "OUT_OF_RANGE", errors.Rejected),
        (428, "FAILED_PRECONDITION", errors.Rejected),
        (428, None, errors.Rejected),
        (400, 17, errors.Rejected),
        (500, "NOT_FOUND", errors.ProviderUnavailable),
        (503, "SECRET_ALREADY_EXISTS", errors.ProviderUnavailable),
    ],
)
def test_a_code_goes_before_the_status(status: int, code: object, kind: type[errors.ProviderError]) -> None:
    _, bridge = scripted(wix(), application_error(code, status=status), retry=None)
    with pytest.raises(errors.ProviderError) as caught:
        bridge.update_secret(id="id-1", value="new")
    assert type(caught.value) is kind
    assert caught.value.applied is (None if status >= 500 else False)
    assert caught.value.code == (None if code is None else str(code))


@pytest.mark.parametrize("status", [401, 403, 428])
@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"details": []}', b'{"details": {"applicationError": 1}}']
)
def test_401_403_and_428_advise_on_permissions_and_the_members_area(status: int, body: bytes) -> None:
    _, bridge = scripted(wix(), answer(status, body=body))
    with pytest.raises(errors.ProviderError) as caught:
        bridge.list_secrets()
    assert "Members Area" in str(caught.value)
    assert "permissions" in caught.value.advice


def test_a_site_without_the_members_area_is_told_so() -> None:
    standin = WixStandIn(members_area=False)
    with pytest.raises(errors.Rejected, match="Members Area") as caught:
        opened(wix(standin), standin).create_secret("NEW", value="v")
    assert caught.value.status == 428


def test_a_validation_error_names_its_fields_without_their_data() -> None:
    violation = {
        "field": "secret.value",
        "description": "has size 4000, expected 3500 or less",
        "violatedRule": "MAX_LENGTH",
        "ruleName": "MAX_LENGTH",
        "data": {"value": "Zx9-c0ffee-7Qz"},
    }
    body = {"message": "Zx9-c0ffee-7Qz", "details": {"validationError": {"fieldViolations": [violation, 5]}}}
    _, bridge = scripted(wix(), answer(400, body))
    with pytest.raises(errors.Rejected) as caught:
        bridge.update_secret(id="id-1", value="Zx9-c0ffee-7Qz")
    assert caught.value.violations == (
        errors.Violation("secret.value", "has size 4000, expected 3500 or less"),
    )
    assert "c0ffee" not in repr(vars(caught.value))


def test_the_request_id_of_wix_is_kept() -> None:
    _, bridge = scripted(wix(), answer(403, {}, headers={"x-wix-request-id": "1700000000.00001"}))
    with pytest.raises(errors.PermissionDenied) as caught:
        bridge.list_secrets()
    assert caught.value.request_id == "1700000000.00001"


@pytest.mark.parametrize("service_codes", [False, True])
def test_both_kinds_of_codes_of_the_server_are_understood(*, service_codes: bool) -> None:
    standin = WixStandIn(service_codes=service_codes)
    standin.seed("STRIPE", "old")
    bridge = opened(wix(standin), standin)
    with pytest.raises(errors.SecretNotFound):
        bridge.get_secret("ABSENT")
    with pytest.raises(errors.SecretExists, match="put_secret"):
        bridge.create_secret("STRIPE", value="new")
    assert standin.requests[-1].header("authorization") == standin.api_key


def test_a_missing_site_is_not_a_deleted_secret() -> None:
    _, bridge = scripted(wix(), application_error("META_SITE_NOT_FOUND", status=404))
    with pytest.raises(errors.Rejected):
        bridge.delete_secret(id="id-1", missing_ok=True)


def test_not_found_is_no_missing_secret_where_none_was_named() -> None:
    _, bridge = scripted(
        wix(), application_error("NOT_FOUND", status=404), application_error("NOT_FOUND", status=404)
    )
    with pytest.raises(errors.WrongAddress):
        bridge.list_secrets()
    with pytest.raises(errors.WrongAddress):
        bridge.create_secret("NEW", value="v")


@pytest.mark.bad_requests("goes to a wrong base_url")
def test_a_404_that_is_a_web_page_is_a_wrong_address() -> None:
    standin = WixStandIn()
    bridge = opened(wix(standin, base_url="https://www.wixapis.com/elsewhere"), standin)
    with pytest.raises(errors.WrongAddress, match="base_url"):
        bridge.get_secret("STRIPE", metadata=False)


@pytest.mark.parametrize("body", [b"", b"  "])
def test_a_change_may_be_answered_with_nothing(body: bytes) -> None:
    _, bridge = scripted(wix(), answer(200, body=body), answer(200, body=body))
    bridge.update_secret(id="id-1", value="new")
    bridge.delete_secret(id="id-1")


def test_a_create_of_unknown_outcome_is_not_repeated_and_an_update_is() -> None:
    runtime, bridge = scripted(wix(), answer(503), answer(503), answer(200, {}))
    with pytest.raises(errors.ProviderUnavailable) as caught:
        bridge.create_secret("NEW", value="v")
    assert caught.value.applied is None
    bridge.update_secret(id="id-1", value="v")
    assert [sent.method for sent in runtime.sent] == ["POST", "PATCH", "PATCH"]


def test_a_409_without_a_code_means_that_a_new_name_is_taken() -> None:
    _, bridge = scripted(wix(), answer(409))
    with pytest.raises(errors.SecretExists):
        bridge.create_secret("NEW", value="v")


def test_too_many_requests_are_repeated_after_the_wait_that_was_asked_for() -> None:
    standin = WixStandIn()
    row = standin.seed("STRIPE", "old")
    standin.script(Reply(429, headers=[("Retry-After", "0")]))
    bridge = opened(wix(standin), standin).with_options(retry=None)
    with pytest.raises(errors.RateLimited) as caught:
        bridge.update_secret(id=row.id, value="new")
    assert (caught.value.applied, caught.value.transient, caught.value.retry_after) == (False, True, 0.0)
