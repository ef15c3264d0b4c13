"""What is refused before anything is sent, all of it at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import MANAGED, UUID, Case, insforge, ionet, scripted, wix
from pydantic import SecretStr

from secretbridge import Local, SecretBridge, errors
from secretbridge.testing import ScriptedRuntime, answer

if TYPE_CHECKING:
    from pathlib import Path

NAIVE = datetime(2031, 1, 1)  # noqa: DTZ001 - a time without a zone is the point


def violations(provider: Any, name: Any = "NAME", **arguments: Any) -> dict[str, str]:
    """What an update is refused for: field -> problem and remedy; nothing may be sent."""
    runtime, bridge = scripted(provider)
    with pytest.raises(errors.InvalidRequest) as caught:
        bridge.update_secret(name, **arguments)
    assert runtime.sent == []
    assert caught.value.applied is False
    assert str(caught.value).startswith("Refused before anything was sent")
    return {one.field: f"{one.problem} ({one.remedy})" for one in caught.value.violations}


def test_everything_that_is_wrong_with_a_call_is_told_at_once() -> None:
    found = violations(
        ionet(),
        "a/b",
        new_name="",
        value="abc",
        description="text",
        active="yes",
        protected=True,
        expires_at=NAIVE,
        tool_name=None,
        tool_arg=5,
        default_for_tool=1,
        extra={"a": 1},
        if_version=3,
    )
    assert sorted(found) == sorted(
        [
            "name",
            "new_name",
            "value",
            "description",
            "active",
            "protected",
            "expires_at",
            "tool_name",
            "tool_arg",
            "default_for_tool",
            "extra",
            "if_version",
        ]
    )


def test_a_refusal_names_provider_field_limit_and_remedy() -> None:
    runtime, bridge = scripted(wix())
    with pytest.raises(errors.InvalidRequest) as caught:
        bridge.create_secret("wix_key", value="v" * 3501, description="d" * 201)
    text = str(caught.value)
    assert "Wix cannot create" in text
    assert "value: has 3,501 characters, more than 3,500 (shorten it)" in text
    assert "description: has 201 characters, more than 200 (shorten it)" in text
    assert "letters, digits and _+=-@#$, not beginning with wix" in text
    assert runtime.sent == []


def test_an_update_of_nothing_is_refused() -> None:
    for provider in (ionet(), wix(), insforge()):
        assert "nothing is to be changed" in violations(provider)[""]
        assert "nothing is to be changed" in violations(provider, extra={})[""]
        assert "nothing is to be changed" in violations(provider, extra=MappingProxyType({}))[""]


@pytest.mark.parametrize("value", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
def test_bytes_are_refused_with_advice(value: Any) -> None:
    assert "decode it" in violations(ionet(), value=value)["value"]
    assert "decode it" in violations(wix(), description=value)["description"]


@pytest.mark.parametrize("value", [5, 1.5, ["a"], {"a": 1}, object(), True])
def test_a_value_of_a_wrong_type_is_refused_by_its_type(value: Any) -> None:
    assert type(value).__name__ in violations(ionet(), value=value)["value"]


def test_a_secretstr_that_holds_no_text_is_refused() -> None:
    assert "bytes" in violations(ionet(), value=SecretStr(b"bytes"))["value"]  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(
    ("field", "argument", "told"),
    [
        ("active", "yes", "not True or False"),
        ("active", 1, "not True or False"),
        ("protected", 0, "not True or False"),
        ("expires_at", NAIVE, "no zone is guessed"),
        ("expires_at", date(2031, 1, 1), "not a datetime"),
        ("expires_at", "2031-01-01", "not a datetime"),
        ("expires_at", 1_900_000_000, "not a datetime"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused(field: str, argument: Any, told: str) -> None:
    assert told in violations(insforge(), **{field: argument})[field]


@pytest.mark.parametrize(
    ("field", "argument"), [("tool_name", 5), ("tool_arg", b"x"), ("default_for_tool", "no"), ("new_name", 7)]
)
def test_a_tool_binding_of_a_wrong_type_is_refused(field: str, argument: Any) -> None:
    assert field in violations(ionet(), **{field: argument})


def test_extra_that_is_no_mapping_is_refused_once() -> None:
    assert violations(ionet(), extra=[1]) == {"extra": "is not a mapping (give a dict)"}


def test_extra_with_content_is_refused_where_no_provider_keeps_it() -> None:
    runtime, bridge = scripted(wix())
    with pytest.raises(errors.UnsupportedField, match="extra"):
        bridge.update_secret("NAME", value="v", extra={"a": 1})
    with pytest.raises(errors.UnsupportedField, match="extra"):
        bridge.update_secret("NAME", value="v", extra=None)
    with pytest.raises(errors.UnsupportedField, match="extra"):
        bridge.create_secret("NAME", value="v", extra={"a": 1})
    assert runtime.sent == []


@pytest.mark.parametrize("text", ["half \ud83d", "\udc00", "a\udfffb"])
def test_half_a_surrogate_pair_is_refused_everywhere(text: str) -> None:
    assert "surrogate" in violations(wix(), value=text)["value"]
    assert "surrogate" in violations(wix(), description=text)["description"]
    assert "surrogate" in violations(ionet(), tool_name=text)["tool_name"]
    assert "surrogate" in violations(ionet(), new_name=text)["new_name"]
    assert "surrogate" in violations(wix(), text, value="v")["name"]
    assert "surrogate" in violations(wix(), None, id=text, value="v")["id"]


@pytest.mark.parametrize("name", ["a/b", "/", ".", "..", "a\nb", "a\x00", "a\x7f", "a\x85", "a\u2028b"])
def test_slashes_control_characters_and_dots_are_no_names(name: str) -> None:
    for provider in (ionet(), wix(), insforge()):
        assert "slash or a control character" in violations(provider, name, value="value")["name"]
    assert "slash or a control character" in violations(ionet(), new_name=name)["new_name"]
    assert "slash, a control character" in violations(wix(), None, id=name, value="value")["id"]


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_an_empty_name_is_refused(name: str) -> None:
    assert "is empty" in violations(ionet(), name, value="value")["name"]
    assert "is empty" in violations(ionet(), new_name=name)["new_name"]
    assert "is empty" in violations(ionet(), None, id=name, value="value")["id"]


@pytest.mark.parametrize("name", [5, b"NAME", ["NAME"]])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    assert "text" in violations(ionet(), name, value="value")["name"]
    assert "text" in violations(ionet(), None, id=name, value="value")["id"]


def test_a_secret_is_named_by_name_or_by_id_and_not_by_both_or_none() -> None:
    assert "both given" in violations(ionet(), "NAME", id=UUID, value="value")["name"]
    assert "neither" in violations(ionet(), None, value="value")["name"]


@pytest.mark.parametrize(
    "id_", ["17", "not-a-uuid", UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", f"{UUID}/x"]
)
def test_ionet_takes_no_id_but_a_uuid(id_: str) -> None:
    assert "is not a UUID" in violations(ionet(), None, id=id_, value="value")["id"]


def test_a_uuid_in_upper_case_is_one() -> None:
    runtime, bridge = scripted(ionet(), answer(200))
    bridge.update_secret(id=UUID.upper(), value="value")
    assert runtime.sent[0].url.endswith(UUID.upper())


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_if_version_is_refused_where_there_is_no_compare_and_set(case: Case) -> None:
    standin, bridge = case.opened()
    with pytest.raises(errors.UnsupportedField, match="compare-and-set"):
        bridge.update_secret("EXISTING", value="new-value", if_version=1)
    assert standin.requests == []


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0])
def test_a_version_that_is_none_is_refused_where_there_are_versions(version: Any, tmp_path: Path) -> None:
    with (
        SecretBridge(Local(tmp_path / "vault.db")) as bridge,
        pytest.raises(errors.InvalidRequest, match="not a version number"),
    ):
        bridge.update_secret("NAME", value="v", if_version=version)
    assert list(tmp_path.glob("vault*")) == []


def test_none_is_refused_for_what_cannot_be_cleared_with_the_remedy() -> None:
    assert "delete_secret()" in violations(wix(), value=None)["value"]
    assert "needs a name" in violations(wix(), new_name=None)["new_name"]
    assert "True or False" in violations(insforge(), active=None)["active"]
    assert "anew" in violations(ionet(), tool_arg=None)["tool_arg"]


def test_what_a_provider_lacks_is_an_unsupported_field_and_a_mixture_is_not() -> None:
    _, bridge = scripted(wix())
    with pytest.raises(errors.UnsupportedField):
        bridge.update_secret("NAME", active=True, expires_at=datetime.now(UTC))
    with pytest.raises(errors.InvalidRequest) as caught:
        bridge.update_secret("NAME", active=True, value="")
    assert type(caught.value) is errors.InvalidRequest


def test_a_new_secret_needs_a_value_and_none_means_the_default_of_all_else() -> None:
    runtime, bridge = scripted(wix(), answer(200, {"id": "id-1"}))
    with pytest.raises(errors.InvalidRequest, match="a new secret needs a value"):
        bridge.create_secret("NAME", value=None)  # type: ignore[arg-type]  # the point
    bridge.create_secret("NAME", value="v", description=None, active=None, expires_at=None, tool_name=None)
    assert runtime.sent[0].json == {"secret": {"name": "NAME", "value": "v"}}


def test_a_time_in_the_past_is_allowed() -> None:
    runtime, bridge = scripted(insforge(), answer(200, {}))
    bridge.update_secret("NAME", expires_at=datetime.now(UTC) - timedelta(days=1))
    assert len(runtime.sent) == 1


def test_a_refusal_shows_no_value() -> None:
    runtime = ScriptedRuntime()
    bridge: SecretBridge = runtime.bridge(wix())
    with pytest.raises(errors.InvalidRequest) as caught:
        bridge.update_secret("NAME", value="Zx9c0ffee7Qz" * 400, active=True)
    assert "c0ffee" not in repr(vars(caught.value))
