"""io.net: what goes out, what comes back, and what its answers must not do."""

from __future__ import annotations

from typing import Any

import pytest
from adapter_cases import OTHER, UUID, ionet, opened, scripted
from pydantic import SecretStr

from secretbridge import IoNet, errors
from secretbridge.testing import IoNetStandIn, answer

BASE = "https://api.intelligence.io.solutions/api/v1"


def info(**fields: Any) -> dict[str, Any]:
    return {
        "secret_id": UUID,
        "user_id": OTHER,
        "secret_name": "OPENAI",
        "display": "sk****34",
        "tool_name": None,
        "tool_arg": None,
        "is_default_for_tool": False,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
        **fields,
    }


def listing(*infos: dict[str, Any]) -> Any:
    return answer(200, {"data": list(infos)})


def test_the_collection_has_a_slash_at_its_end_and_the_item_has_none() -> None:
    runtime, bridge = scripted(
        ionet(), listing(info()), answer(200, info()), answer(200, info()), answer(200, {}), answer(200, {})
    )
    bridge.list_secrets()
    bridge.get_secret(id=UUID)
    bridge.create_secret("OPENAI", value="sk-1234")
    bridge.update_secret(id=UUID, value="sk-5678")
    bridge.delete_secret(id=UUID)
    assert [(sent.method, sent.url) for sent in runtime.sent] == [
        ("GET", f"{BASE}/secrets/"),
        ("GET", f"{BASE}/secrets/{UUID}"),
        ("POST", f"{BASE}/secrets/"),
        ("PATCH", f"{BASE}/secrets/{UUID}"),
        ("DELETE", f"{BASE}/secrets/{UUID}"),
    ]


@pytest.mark.parametrize(
    ("credential", "header", "text"),
    [
        ({"api_key": "key-1"}, "x-api-key", "key-1"),
        ({"bearer": "key-1"}, "authorization", "Bearer key-1"),
        ({"token": "jwt-1"}, "token", "jwt-1"),
        ({"api_key": SecretStr("key-1")}, "x-api-key", "key-1"),
        ({"api_key": lambda: "key-1"}, "x-api-key", "key-1"),
        ({"token": lambda: SecretStr("jwt-1")}, "token", "jwt-1"),
    ],
)
def test_exactly_one_header_carries_the_credential(
    credential: dict[str, Any], header: str, text: str
) -> None:
    runtime, bridge = scripted(IoNet(**credential), listing())
    bridge.list_secrets()
    (sent,) = runtime.sent
    carried = {
        name: sent.headers[name] for name in ("x-api-key", "authorization", "token") if name in sent.headers
    }
    assert carried == {header: text}


def test_the_headers_are_the_same_few_and_a_body_is_json() -> None:
    runtime, bridge = scripted(ionet(), listing(), answer(200, info()))
    bridge.list_secrets()
    bridge.create_secret("OPENAI", value="sk-1234")
    read, write = runtime.sent
    assert sorted(read.headers) == ["accept", "accept-encoding", "user-agent", "x-api-key"]
    assert sorted(write.headers) == ["accept", "accept-encoding", "content-type", "user-agent", "x-api-key"]
    assert write.headers["content-type"] == "application/json"
    assert read.headers["user-agent"].startswith("secretbridge/")


def test_a_create_sends_the_documented_names_and_no_null() -> None:
    runtime, bridge = scripted(ionet(), answer(200, info()))
    bridge.create_secret(
        "OPENAI", value="sk-1234", tool_name="agno__linear__*", tool_arg=None, default_for_tool=True
    )
    assert runtime.sent[0].json == {
        "secret_name": "OPENAI",
        "secret_value": "sk-1234",
        "tool_name": "agno__linear__*",
        "is_default_for_tool": True,
    }


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"value": "sk-5678"}, {"secret_value": "sk-5678"}),
        ({"new_name": "NEW"}, {"secret_name": "NEW"}),
        ({"tool_name": "agno__linear"}, {"tool_name": "agno__linear"}),
        ({"tool_arg": "api_token"}, {"tool_arg": "api_token"}),
        ({"default_for_tool": False}, {"is_default_for_tool": False}),
        ({"value": "é😀 \r\n\t"}, {"secret_value": "é😀 \r\n\t"}),
    ],
)
def test_an_update_sends_only_the_given_fields(changes: dict[str, Any], body: dict[str, Any]) -> None:
    runtime, bridge = scripted(ionet(), answer(200, {}))
    bridge.update_secret(id=UUID, **changes)
    assert runtime.sent[0].json == body


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"extra": {}},
        {"tool_name": None},
        {"tool_arg": None},
        {"default_for_tool": None},
        {"value": None},
        {"new_name": None},
        {"tool_name": ""},
        {"value": "abc"},
    ],
)
def test_neither_null_nor_an_empty_change_is_ever_sent(changes: dict[str, Any]) -> None:
    runtime, bridge = scripted(ionet())
    with pytest.raises(errors.InvalidRequest) as caught:
        bridge.update_secret(id=UUID, **changes)
    assert runtime.sent == []
    assert caught.value.applied is False


@pytest.mark.parametrize(
    "body", [b"null", b"{}", b'"updated"', b"[1, 2]", b"", b"not json", b"\xff\xfe", b"1e999"]
)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_an_update_and_a_delete_succeed_whatever_the_answer_holds(status: int, body: bytes) -> None:
    _, bridge = scripted(ionet(), answer(status, body=body), answer(status, body=body))
    assert bridge.update_secret(id=UUID, value="sk-5678").id == UUID
    bridge.delete_secret(id=UUID)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html; charset=utf-8", b"<p>sign in</p>"),
        ("application/xhtml+xml", b"<p/>"),
        ("application/json", b"\n <!DOCTYPE html><title>sign in</title>"),
        ("", b"<HTML>"),
    ],
)
def test_a_web_page_is_no_success(kind: str, body: bytes) -> None:
    page = answer(200, body=body, headers={"content-type": kind})
    _, bridge = scripted(ionet(), page, page, page)
    with pytest.raises(errors.UnexpectedReply, match="web page") as caught:
        bridge.update_secret(id=UUID, value="sk-5678")
    assert caught.value.applied is None
    assert "look before you repeat" in caught.value.advice
    with pytest.raises(errors.UnexpectedReply):
        bridge.delete_secret(id=UUID)
    with pytest.raises(errors.UnexpectedReply, match="web page") as read:
        bridge.list_secrets()
    assert read.value.applied is False
    assert "look before you repeat" not in read.value.advice


@pytest.mark.parametrize("status", [202, 206, 226])
def test_a_success_of_another_kind_is_not_taken_for_done(status: int) -> None:
    _, bridge = scripted(ionet(), answer(status, {}))
    with pytest.raises(errors.UnexpectedReply) as caught:
        bridge.update_secret(id=UUID, value="sk-5678")
    assert (caught.value.applied, caught.value.status) == (None, status)


def test_a_422_keeps_place_message_and_type_and_never_the_input() -> None:
    entry = {
        "loc": ["body", "secret_value"],
        "msg": "String should have at most 1024 characters",
        "type": "string_too_long",
        "input": "sk-7Qz-c0ffee-9Xw",
        "ctx": {"given": "sk-7Qz-c0ffee-9Xw"},
    }
    _, bridge = scripted(ionet(), answer(422, {"detail": [entry, "odd", {"loc": "odd"}]}))
    with pytest.raises(errors.Rejected) as caught:
        bridge.update_secret(id=UUID, value="sk-7Qz-c0ffee-9Xw")
    error = caught.value
    assert error.violations == (
        errors.Violation("secret_value", "String should have at most 1024 characters"),
    )
    assert error.code == "string_too_long"
    assert error.applied is False
    assert "c0ffee" not in repr(vars(error))


def test_a_message_that_repeats_the_value_is_withheld_and_its_place_is_kept() -> None:
    entry = {"loc": ["body", "secret_value"], "msg": "sk-7Qz-c0ffee-9Xw is bad", "type": "bad"}
    _, bridge = scripted(ionet(), answer(422, {"detail": [entry]}))
    with pytest.raises(errors.Rejected, match="left out") as caught:
        bridge.update_secret(id=UUID, value="sk-7Qz-c0ffee-9Xw")
    assert caught.value.violations[0].field == "secret_value"


def test_a_long_list_of_complaints_is_cut() -> None:
    entries = [{"loc": ["body", number], "msg": "is wrong", "type": "bad"} for number in range(500)]
    _, bridge = scripted(ionet(), answer(422, {"detail": entries}))
    with pytest.raises(errors.Rejected) as caught:
        bridge.update_secret(id=UUID, value="sk-5678")
    assert len(caught.value.violations) == 20


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "a text with sk-7Qz-c0ffee-9Xw"}',
        b'{"detail": {"reason": "sk-7Qz-c0ffee-9Xw"}}',
        b'{"detail": ["sk-7Qz-c0ffee-9Xw"]}',
        b'{"detail": [{"loc": [["sk-7Qz-c0ffee-9Xw"]], "msg": {"a": "sk-7Qz-c0ffee-9Xw"}}]}',
        b'{"detail": null}',
        b"{}",
        b"[]",
        b"",
        b"sk-7Qz-c0ffee-9Xw",
        b"\xff\xff\xff",
        b'{"detail": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionDenied),
        (422, errors.Rejected),
        (429, errors.RateLimited),
    ],
)
def test_a_detail_of_any_shape_is_an_error_of_the_status(
    status: int, kind: type[errors.ProviderError], body: bytes
) -> None:
    _, bridge = scripted(ionet(), answer(status, body=body), retry=None)
    with pytest.raises(kind) as caught:
        bridge.update_secret(id=UUID, value="sk-7Qz-c0ffee-9Xw")
    assert caught.value.status == status
    assert "c0ffee" not in repr(vars(caught.value))


def test_a_413_is_the_quota_of_the_account_and_not_this_value() -> None:
    standin = IoNetStandIn(quota_bytes=20)
    standin.seed("EXISTING", "old-value")
    with pytest.raises(errors.QuotaExceeded, match="total counts, not this value") as caught:
        opened(ionet(standin), standin).create_secret("NEW", value="twelve chars")
    assert caught.value.applied is False


def test_a_409_means_that_the_name_is_taken() -> None:
    _, bridge = scripted(ionet(), answer(409, {}), answer(409, {}))
    with pytest.raises(errors.SecretExists):
        bridge.create_secret("OPENAI", value="sk-1234")
    with pytest.raises(errors.SecretExists):
        bridge.update_secret(id=UUID, new_name="OPENAI")


def test_the_mask_is_a_secret_as_it_may_show_all_of_a_short_value() -> None:
    standin = IoNetStandIn()
    standin.seed("SHORT", "x9Zq")
    (secret,) = opened(ionet(standin), standin).list_secrets()
    assert isinstance(secret.extra["display"], SecretStr)
    assert secret.extra["display"].get_secret_value() == "x9Zq"
    assert "x9Zq" not in f"{secret!r} {secret} {secret.extra!r}"


def test_a_missing_mask_leaves_nothing_in_extra() -> None:
    _, bridge = scripted(ionet(), listing(info(display=None)))
    assert dict(bridge.list_secrets()[0].extra) == {}


def test_a_value_is_never_told() -> None:
    standin = IoNetStandIn()
    standin.seed("OPENAI", "sk-1234")
    secret = opened(ionet(standin), standin).get_secret("OPENAI")
    assert secret.value is None
    with pytest.raises(errors.ValueNotTold, match=r"io\.net and Appfarm never tell"):
        secret.reveal()


def test_a_verified_update_of_a_value_cannot_tell_and_of_a_name_can() -> None:
    standin = IoNetStandIn()
    standin.seed("OPENAI", "sk-1234")
    bridge = opened(ionet(standin), standin)
    assert bridge.update_secret("OPENAI", value="sk-5678", verify=True).verified is None
    renamed = bridge.update_secret("OPENAI", new_name="NEW", tool_name="agno__linear", verify=True)
    assert (renamed.verified, renamed.name, renamed.tool_name) == (True, "NEW", "agno__linear")


def test_several_secrets_of_one_name_are_ambiguous_and_their_ids_are_told() -> None:
    standin = IoNetStandIn()
    ids = tuple(standin.seed("TWICE", "sk-1234").id for _ in range(2))
    bridge = opened(ionet(standin), standin)
    for act in (
        lambda: bridge.update_secret("TWICE", value="sk-5678"),
        lambda: bridge.delete_secret("TWICE"),
        lambda: bridge.get_secret("TWICE"),
        lambda: bridge.put_secret("TWICE", value="sk-5678"),
    ):
        with pytest.raises(errors.AmbiguousSecret, match="by id=") as caught:
            act()
        assert caught.value.ids == ids
        assert caught.value.provider == "ionet"
    bridge.update_secret(id=ids[0], value="sk-5678")
    assert [row.value for row in standin.secrets] == ["sk-5678", "sk-1234"]


def test_a_create_of_unknown_outcome_is_not_repeated() -> None:
    runtime, bridge = scripted(ionet(), errors.NoReply("gone"))
    with pytest.raises(errors.NoReply) as caught:
        bridge.create_secret("OPENAI", value="sk-1234")
    assert (caught.value.applied, len(runtime.sent)) == (None, 1)


def test_an_update_of_unknown_outcome_is_repeated_as_it_comes_to_the_same() -> None:
    runtime, bridge = scripted(ionet(), errors.NoReply("gone"), answer(503), answer(200))
    bridge.update_secret(id=UUID, value="sk-5678")
    assert len({sent.body for sent in runtime.sent}) == 1
    assert len(runtime.sent) == 3


def test_a_redirect_is_an_error_with_advice_and_is_not_followed() -> None:
    runtime, bridge = scripted(ionet(), answer(307, headers={"location": "http://elsewhere.example"}))
    with pytest.raises(errors.WrongAddress, match="redirects are never followed") as caught:
        bridge.update_secret(id=UUID, value="sk-5678")
    assert (caught.value.applied, caught.value.status, len(runtime.sent)) == (False, 307, 1)
    assert "elsewhere" not in str(caught.value)


def test_a_put_of_an_unbound_secret_replaces_it_and_of_a_bound_one_is_refused() -> None:
    standin = IoNetStandIn()
    standin.seed("PLAIN", "old-value", default_for_tool=True)
    standin.seed("BOUND", "old-value", tool_name="agno__linear")
    bridge = opened(ionet(standin), standin)
    bridge.put_secret("PLAIN", value="new-value")
    bridge.put_secret("NEW", value="new-value")
    with pytest.raises(errors.UnsupportedField, match=r"update_secret\(\)") as caught:
        bridge.put_secret("BOUND", value="new-value")
    assert [one.field for one in caught.value.violations] == ["tool_name"]
    state = {row.name: (row.value, row.default_for_tool) for row in standin.secrets}
    assert state == {
        "PLAIN": ("new-value", False),
        "BOUND": ("old-value", False),
        "NEW": ("new-value", False),
    }


@pytest.mark.bad_requests("the id is not one of io.net's")
def test_an_id_from_a_listing_cannot_lead_to_another_path() -> None:
    runtime, bridge = scripted(ionet(), listing(info(secret_id="../users?x#y")), answer(200))
    bridge.delete_secret("OPENAI")
    assert runtime.sent[1].url == f"{BASE}/secrets/..%2Fusers%3Fx%23y"
