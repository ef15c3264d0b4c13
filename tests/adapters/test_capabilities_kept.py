"""Each "no" of the capabilities is refused before anything is sent, and each "yes" works."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import CASES, MANAGED, Case, appfarm, insforge, ionet, scripted, wix

from secretbridge import Local, SecretBridge, errors
from secretbridge._capabilities import FIELDS, Capabilities, table
from secretbridge.testing import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = ("list", "get", "create", "update", "put", "delete")
DOCS = Path(__file__).parents[2] / "docs"
GIVEN: dict[str, Any] = {
    "new_name": "RENAMED",
    "value": "new-value",
    "description": "text",
    "active": False,
    "protected": True,
    "expires_at": datetime(2031, 1, 1, tzinfo=UTC),
    "tool_name": "agno__linear",
    "tool_arg": "api_token",
    "default_for_tool": True,
}
SETTABLE = [name for name in FIELDS if name != "extra"]


def providers() -> list[Any]:
    return [Local, ionet(), wix(), insforge(), appfarm()]


def capabilities() -> list[Capabilities]:
    return [provider.capabilities for provider in providers()]


def do(bridge: SecretBridge, operation: str) -> object:
    match operation:
        case "list":
            return bridge.list_secrets()
        case "get":
            return bridge.get_secret("EXISTING")
        case "create":
            return bridge.create_secret("CREATED", value="new-value")
        case "update":
            return bridge.update_secret("EXISTING", value="new-value")
        case "put":
            return bridge.put_secret("EXISTING", value="new-value")
        case _:
            bridge.delete_secret("EXISTING")
            return None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operation_works_or_is_refused_as_the_capabilities_say(case: Case, operation: str) -> None:
    standin, bridge = case.opened()
    if operation in bridge.capabilities.operations:
        do(bridge, operation)
        assert standin.requests
    else:
        with pytest.raises(errors.UnsupportedOperation) as caught:
            do(bridge, operation)
        assert caught.value.advice
        assert standin.requests == []


@pytest.mark.parametrize("field", SETTABLE)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_field_can_be_set_or_is_refused_as_the_capabilities_say(case: Case, field: str) -> None:
    standin, bridge = case.opened()
    before = standin.secrets
    arguments = {field: GIVEN[field], "allow_one_way": True}
    if field in bridge.capabilities.update:
        bridge.update_secret("EXISTING", **arguments)
        assert standin.secrets != before
    else:
        with pytest.raises(errors.UnsupportedField) as caught:
            bridge.update_secret("EXISTING", **arguments)
        assert [one.field for one in caught.value.violations] == [field]
        assert caught.value.violations[0].remedy
        assert standin.requests == []


@pytest.mark.parametrize("field", SETTABLE)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_field_can_be_cleared_or_is_refused_as_the_capabilities_say(case: Case, field: str) -> None:
    standin, bridge = case.opened()
    arguments: dict[str, Any] = {field: GIVEN[field]}
    nothing: dict[str, Any] = {field: None}
    if field in bridge.capabilities.clear:
        bridge.update_secret("EXISTING", **arguments)
        assert bridge.update_secret("EXISTING", **nothing, verify=True).verified is True
    else:
        with pytest.raises(errors.UnsupportedField):
            bridge.update_secret("EXISTING", **nothing)
        assert standin.requests == []


@pytest.mark.parametrize("field", [name for name in SETTABLE if name not in {"value", "new_name"}])
@pytest.mark.parametrize("verb", ["create_secret", "put_secret"])
@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_a_new_secret_takes_a_field_or_it_is_refused_as_the_capabilities_say(
    case: Case, verb: str, field: str
) -> None:
    standin, bridge = case.opened()
    make = getattr(bridge, verb)
    arguments = {"value": "new-value", field: GIVEN[field], "allow_one_way": True}
    if field in bridge.capabilities.create:
        make("CREATED", **arguments)
        listed = {secret.name: secret for secret in bridge.list_secrets()}
        assert getattr(listed["CREATED"], field) == GIVEN[field]
    else:
        with pytest.raises(errors.UnsupportedField):
            make("CREATED", **arguments)
        assert standin.requests == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_cannot_be_taken_back_needs_consent(case: Case) -> None:
    standin, bridge = case.opened()
    for field in bridge.capabilities.one_way:
        with pytest.raises(errors.InvalidRequest, match="allow_one_way=True"):
            bridge.update_secret("EXISTING", **{field: GIVEN[field]})
    assert standin.requests == []


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_what_is_told_is_what_the_capabilities_say(case: Case) -> None:
    _, bridge = case.opened()
    assert (bridge.get_secret("EXISTING").value is not None) is bridge.capabilities.reads_values
    assert all(secret.value is None for secret in bridge.list_secrets())


BOUNDS = [
    (of.provider, field, limit)
    for of in capabilities()
    for field, limit in [("name", of.name), *of.limits.items()]
    if of.provider not in {"local", "appfarm"}
]


@pytest.mark.parametrize(
    ("case", "field", "limit"),
    [(case, field, limit) for case in MANAGED for name, field, limit in BOUNDS if name == case.name],
    ids=str,
)
def test_a_limit_holds_exactly_at_its_bounds(case: Case, field: str, limit: Any) -> None:
    standin, bridge = case.opened()

    def make(size: int) -> None:
        text = ("N" if field == "name" else "é") * size  # code points are counted, not bytes
        name = text if field == "name" else "CREATED"
        given: dict[str, Any] = {"value": "new-value"}
        bridge.create_secret(name, **(given if field == "name" else {**given, field: text}))
        bridge.delete_secret(name)
        standin.clear_requests()

    if limit.max_length is not None and limit.max_length < 10_000:
        make(limit.max_length)
        with pytest.raises(errors.InvalidRequest, match="more than"):
            make(limit.max_length + 1)
    if limit.min_length:
        make(limit.min_length)
        with pytest.raises(
            errors.InvalidRequest, match="fewer than" if limit.min_length > 1 else "fewer|empty"
        ):
            make(limit.min_length - 1)
    assert standin.requests == []


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[SecretBridge]:
    """A vault that holds EXISTING."""
    with SecretBridge(Local(tmp_path / "vaults" / "vault.db", key_file=tmp_path / "vault.key")) as bridge:
        bridge.create_secret("EXISTING", value="old-value")
        yield bridge


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_vault_has_every_operation(vault: SecretBridge, operation: str) -> None:
    assert operation in vault.capabilities.operations
    do(vault, operation)


@pytest.mark.parametrize("field", SETTABLE)
def test_the_vault_keeps_a_field_or_refuses_it(vault: SecretBridge, field: str) -> None:
    arguments: dict[str, Any] = {field: GIVEN[field]}
    nothing: dict[str, Any] = {field: None}
    before = vault.get_secret("EXISTING", metadata=False)
    if field in vault.capabilities.update:
        changed = vault.update_secret(id=before.id, **arguments, if_version=before.version, verify=True)
        assert changed.verified is True or field == "active"  # an inactive one is not handed out
    else:
        with pytest.raises(errors.UnsupportedField):
            vault.update_secret("EXISTING", **arguments)
        assert vault.get_secret("EXISTING") == before
    if field in vault.capabilities.clear:
        vault.update_secret(id=before.id, **nothing)
        assert getattr(vault.get_secret(id=before.id), field) is None
    else:
        with pytest.raises(errors.UnsupportedField):
            vault.update_secret(id=before.id, **nothing)


@pytest.mark.parametrize(("field", "most"), [("value", 16_777_216), ("description", 65_536)])
def test_the_vault_keeps_its_longest_texts_and_refuses_longer_ones(
    vault: SecretBridge, field: str, most: int
) -> None:
    longest: dict[str, Any] = {field: "x" * most}
    longer: dict[str, Any] = {field: "x" * (most + 1)}
    vault.update_secret("EXISTING", **longest)
    with pytest.raises(errors.InvalidRequest, match="more than"):
        vault.update_secret("EXISTING", **longer)


def test_insforges_longest_value_is_stated_and_kept() -> None:
    runtime, bridge = scripted(insforge(), answer(200, {}))
    bridge.update_secret("A", value="v" * 99_000_000)
    with pytest.raises(errors.InvalidRequest, match="99,000,001 characters, more than 99,000,000"):
        bridge.update_secret("A", value="v" * 99_000_001)
    assert len(runtime.sent) == 1


@pytest.mark.parametrize("name", ["wix", "wixKey", "with space", "dot.ted", "ünicode", "a%b", "new\n"])
def test_names_that_wix_does_not_take_are_refused(name: str) -> None:
    standin, bridge = MANAGED[1].opened()
    with pytest.raises(errors.InvalidRequest):
        bridge.create_secret(name, value="v")
    with pytest.raises(errors.InvalidRequest):
        bridge.update_secret("EXISTING", new_name=name)
    assert standin.requests == []


@pytest.mark.parametrize("name", ["a_+=-@#$9", "Wix", "awix", "9", "_"])
def test_names_that_wix_takes_are_sent(name: str) -> None:
    standin, bridge = MANAGED[1].opened()
    bridge.create_secret(name, value="v")
    assert standin.secret(name).value == "v"


def test_capabilities_print_as_a_table() -> None:
    text = str(wix().capabilities)
    assert text.startswith("| | Wix |\n|---|---|\n")
    assert "| tells values | yes |" in text
    assert "| tells values | never |" in str(ionet().capabilities)


def test_the_table_in_the_docs_is_the_one_that_the_capabilities_make() -> None:
    text = (DOCS / "providers.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- table: begin[^>]*-->\n\n(.*?)\n<!-- table: end -->", text, re.DOTALL)
    assert found, "docs/providers.md has no table between its two comments"
    assert found[1] == table(*capabilities())


def test_the_docs_say_how_to_make_the_table_anew() -> None:
    text = (DOCS / "providers.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"<!-- table: begin; made by: (.*?) -->", text)
    assert command == "python -m secretbridge.providers"
