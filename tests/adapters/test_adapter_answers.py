"""Answers of success: what may vary, and what is of the wrong shape."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import CASES, MANAGED, UUID, Case, insforge, ionet, scripted, wix
from hypothesis import given, settings
from hypothesis import strategies as st

from secretbridge import SecretBridge, errors
from secretbridge.testing import answer

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: dict[str, Any] = {
    "ionet": (ionet, {"secret_id": UUID, "secret_name": "NAME"}, "data", ("created_at", "updated_at")),
    "wix": (wix, {"id": "id-1", "name": "NAME"}, "secrets", ("createdDate", "updatedDate")),
    "insforge": (insforge, {"key": "NAME"}, "secrets", ("createdAt", "expiresAt")),
}
DEEP = b"[" * 100_000 + b"]" * 100_000


def bridge_to(name: str, *replies: Any) -> SecretBridge:
    return scripted(ROWS[name][0](), *replies, retry=None)[1]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_with_nothing_but_its_name_and_id_is_enough(name: str) -> None:
    _, row, key, _ = ROWS[name]
    (secret,) = bridge_to(name, answer(200, {key: [row]})).list_secrets()
    assert secret.name == "NAME"
    assert (secret.created_at, secret.expires_at, secret.description, secret.tool_name) == (None,) * 4


@pytest.mark.parametrize("name", ROWS)
def test_unknown_fields_are_ignored(name: str) -> None:
    _, row, key, _ = ROWS[name]
    whole = {key: [{**row, "novel": {"a": [1]}, "value": 5}], "page": None, "total": 10**400}
    (secret,) = bridge_to(name, answer(200, whole)).list_secrets()
    assert (secret.name, secret.value) == ("NAME", None)


@pytest.mark.parametrize("name", ROWS)
def test_an_empty_listing_is_one(name: str) -> None:
    assert bridge_to(name, answer(200, {ROWS[name][2]: []})).list_secrets() == []


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 1_700_000_000, "2026-01-01"]
)
@pytest.mark.parametrize("name", ROWS)
def test_a_moment_at_the_end_of_the_calendar_does_no_harm(name: str, moment: object) -> None:
    _, row, key, dates = ROWS[name]
    (secret,) = bridge_to(name, answer(200, {key: [{**row, dates[0]: moment}]})).list_secrets()
    assert secret.created_at is not None
    assert secret.created_at.utcoffset() is not None


SHAPES = [
    b"",
    b"null",
    b"[]",
    b"5",
    b'"text"',
    b"{}",
    b"not json",
    b"\xff\xfe",
    b'{"data": null, "secrets": null}',
    b'{"data": {}, "secrets": {}}',
    b'{"data": [5], "secrets": [5]}',
    b'{"data": [{}], "secrets": [{}]}',
    b'{"data": [{"secret_id": 5, "secret_name": "A"}], "secrets": [{"id": 5, "name": "A", "key": 5}]}',
    DEEP,
    b'{"data": ' + DEEP + b', "secrets": ' + DEEP + b"}",
    b'{"data": ' + b"9" * 100_000 + b"}",
    b'{"data": [',
]


@pytest.mark.parametrize("body", SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("name", ROWS)
def test_a_listing_of_a_wrong_shape_is_unexpected_and_changed_nothing(name: str, body: bytes) -> None:
    with pytest.raises(errors.UnexpectedReply, match="documented shape") as caught:
        bridge_to(name, answer(200, body=body)).list_secrets()
    assert (caught.value.applied, caught.value.status) == (False, 200)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("row", [{"createdAt": "soon", "createdDate": "soon", "created_at": "soon"}])
@pytest.mark.parametrize("name", ROWS)
def test_a_moment_that_is_none_is_a_wrong_shape(name: str, row: dict[str, Any]) -> None:
    _, bare, key, _ = ROWS[name]
    with pytest.raises(errors.UnexpectedReply):
        bridge_to(name, answer(200, {key: [{**bare, **row}]})).list_secrets()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"value": null, "key": "NAME"}',
        b'{"value": 5}',
        b'{"value": ["Zx9c0ffee7Qz"]}',
        DEEP,
    ],
)
@pytest.mark.parametrize("name", ["wix", "insforge"])
def test_a_value_of_a_wrong_shape_is_unexpected_and_not_shown(name: str, body: bytes) -> None:
    with pytest.raises(errors.UnexpectedReply) as caught:
        bridge_to(name, answer(200, body=body)).get_secret("NAME", metadata=False)
    assert caught.value.applied is False
    assert "c0ffee" not in repr(vars(caught.value))


@pytest.mark.parametrize("body", [b"null", b"[]", b'"Zx9c0ffee7Qz"', b"not json", DEEP])
@pytest.mark.parametrize("name", ["wix", "insforge"])
def test_a_change_that_is_answered_in_a_wrong_shape_is_unknown(name: str, body: bytes) -> None:
    listing = answer(200, {"secrets": [{"id": "id-1", "name": "NAME"}]})
    acts: dict[str, Callable[[SecretBridge], object]] = {
        "update": lambda bridge: bridge.update_secret("NAME", value="Zx9c0ffee7Qz"),
        "delete": lambda bridge: bridge.delete_secret("NAME"),
        "create": lambda bridge: bridge.create_secret("NAME", value="Zx9c0ffee7Qz"),
    }
    for operation, act in acts.items():
        finds = [listing] if name == "wix" and operation != "create" else []
        bridge = bridge_to(name, *finds, answer(200, body=body))
        with pytest.raises(errors.UnexpectedReply, match="look before you repeat") as caught:
            act(bridge)
        assert caught.value.applied is None
        assert "c0ffee" not in repr(vars(caught.value))


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_a_create_that_is_answered_in_a_wrong_shape_is_unknown(case: Case) -> None:
    standin = case.standin()
    _, bridge = scripted(case.provider(standin), answer(200, [1]))
    with pytest.raises(errors.UnexpectedReply) as caught:
        bridge.create_secret("NAME", value="new-value")
    assert caught.value.applied is None


KEYS = (
    *("detail", "loc", "msg", "type", "details", "applicationError", "validationError", "fieldViolations"),
    *("code", "field", "description", "error", "message", "status", "data", "secrets", "id", "key", "value"),
    *("secret_id", "secret_name", "name", "isActive", "expiresAt", "createdDate", "created_at", "secret"),
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("NOT_FOUND"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
STATUSES = st.sampled_from((200, 201, 204, 400, 401, 403, 404, 409, 413, 422, 423, 428, 429, 500, 503))
BODIES = DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=30)


@settings(max_examples=150, deadline=None)
@given(status=STATUSES, body=BODIES, case=st.sampled_from(CASES))
def test_whatever_a_vendor_answers_only_our_errors_come_out(status: int, body: bytes, case: Case) -> None:
    reply = answer(status, body=body)
    calls: list[Callable[[SecretBridge], object]] = [
        lambda bridge: bridge.list_secrets(),
        lambda bridge: bridge.get_secret("EXISTING", metadata=False),
        lambda bridge: bridge.create_secret("CREATED", value="new-value"),
        lambda bridge: bridge.update_secret("EXISTING", value="new-value"),
        lambda bridge: bridge.put_secret("EXISTING", value="new-value"),
        lambda bridge: bridge.delete_secret("EXISTING"),
    ]
    for call in calls:
        _, bridge = scripted(case.provider(None), *[reply] * 6, retry=None)
        with suppress(errors.SecretBridgeError):
            call(bridge)
