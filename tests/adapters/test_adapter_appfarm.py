"""Appfarm: the contract, and that nothing but a matching echo counts as success."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from adapter_cases import PATH, appfarm, opened, scripted

from secretbridge import Retry, SecretBridge, errors, testing
from secretbridge.testing import AppfarmStandIn, ScriptedRuntime, answer

if TYPE_CHECKING:
    from secretbridge._exchange import Reply

OPERATIONS = {
    "list": lambda bridge: bridge.list_secrets(),
    "get": lambda bridge: bridge.get_secret("EXISTING"),
    "create": lambda bridge: bridge.create_secret("EXISTING", value="v"),
    "put": lambda bridge: bridge.put_secret("EXISTING", value="v"),
    "delete": lambda bridge: bridge.delete_secret("EXISTING"),
}


class Echoing(ScriptedRuntime):
    """Answers each POST with the echo of its request, changed as a test wants it."""

    def __init__(self, http_status: int = 200, **changed: object) -> None:
        super().__init__()
        self._status = http_status
        self._changed = changed

    async def send(self, request: Any, timeout: Any) -> Reply:
        given = json.loads(request.body)
        echo = {"status": "updated", "secret": given["secret"], "request_id": given["request_id"]}
        whole = {key: text for key, text in {**echo, **self._changed}.items() if text is not ...}
        self.add(answer(self._status, whole))
        return await super().send(request, timeout)


def echoing(http_status: int = 200, **changed: object) -> tuple[Echoing, SecretBridge]:
    runtime = Echoing(http_status, **changed)
    return runtime, runtime.bridge(appfarm())


def test_an_update_posts_the_contract() -> None:
    runtime, bridge = echoing()
    secret = bridge.update_secret("EXISTING", value="new-value")
    (sent,) = runtime.sent
    assert (sent.method, sent.url) == ("POST", f"https://solution.appfarm.app{PATH}")
    assert sent.headers["authorization"] == "Bearer appfarm-key"
    assert sent.headers["content-type"] == "application/json"
    assert list(sent.json) == ["secret", "value", "request_id"]
    assert (sent.json["secret"], sent.json["value"]) == ("EXISTING", "new-value")
    assert UUID(sent.json["request_id"]).version == 4
    assert (secret.name, secret.value, secret.verified) == ("EXISTING", None, None)


def test_each_call_has_a_request_id_of_its_own() -> None:
    runtime, bridge = echoing()
    bridge.update_secret("EXISTING", value="a")
    bridge.update_secret("EXISTING", value="b")
    assert len({sent.json["request_id"] for sent in runtime.sent}) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_matching_echo_is_success_with_any_2xx(status: int) -> None:
    _, bridge = echoing(status, more="ignored")
    assert bridge.update_secret("EXISTING", value="new-value").name == "EXISTING"


@pytest.mark.parametrize(
    "changed",
    [
        {"request_id": "another"},
        {"request_id": None},
        {"request_id": ...},
        {"secret": "OTHER"},
        {"secret": ...},
        {"secret": ["EXISTING"]},
        {"status": "OK", "jobId": "1"},
        {"status": ...},
        {"status": True},
    ],
)
def test_a_missing_or_wrong_echo_is_unverified_and_unknown(changed: dict[str, Any]) -> None:
    runtime, bridge = echoing(**changed)
    with pytest.raises(errors.Unverified, match="asynchronous") as caught:
        bridge.update_secret("EXISTING", value="new-value")
    assert isinstance(caught.value, errors.UnexpectedReply)
    assert (caught.value.applied, caught.value.status, len(runtime.sent)) == (None, 200, 1)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"OK", b"null", b"[]", b"<html>", b"\xff", b"[" * 100_000])
def test_any_other_2xx_is_unverified(status: int, body: bytes) -> None:
    _, bridge = scripted(appfarm(), answer(status, body=body))
    with pytest.raises(errors.Unverified) as caught:
        bridge.update_secret("EXISTING", value="new-value")
    assert (caught.value.applied, caught.value.status) == (None, status)


def test_an_asynchronous_endpoint_is_unverified_though_it_said_ok() -> None:
    standin = AppfarmStandIn(asynchronous=True)
    standin.seed("EXISTING", "old-value")
    with pytest.raises(errors.Unverified):
        opened(appfarm(standin), standin).update_secret("EXISTING", value="new-value")
    assert standin.secret("EXISTING").value == "old-value"


@pytest.mark.parametrize("echo", ["wrong", "missing"])
def test_an_endpoint_without_a_right_echo_is_unverified_though_it_changed_the_secret(echo: Any) -> None:
    standin = AppfarmStandIn(echo=echo)
    standin.seed("EXISTING", "old-value")
    with pytest.raises(errors.Unverified) as caught:
        opened(appfarm(standin), standin).update_secret("EXISTING", value="new-value")
    assert caught.value.applied is None
    assert standin.secret("EXISTING").value == "new-value"


@pytest.mark.parametrize(
    "first", [answer(503), answer(429), errors.NotSent("no connection")], ids=["503", "429", "not sent"]
)
def test_what_passes_by_itself_is_repeated_with_the_same_request_id(first: Any) -> None:
    runtime = Echoing()
    runtime.add(first)
    bridge = runtime.bridge(appfarm())
    bridge.update_secret("EXISTING", value="new-value")
    assert len(runtime.sent) == 2
    assert len({sent.body for sent in runtime.sent}) == 1


def test_maintenance_ends_and_the_update_is_made() -> None:
    standin = AppfarmStandIn()
    standin.seed("EXISTING", "old-value")
    standin.script(testing.Reply(503), testing.Reply(429))
    bridge = opened(appfarm(standin), standin, retry=Retry(first_wait=0.001))
    bridge.update_secret("EXISTING", value="new-value")
    assert standin.secret("EXISTING").value == "new-value"
    assert len({request.json()["request_id"] for request in standin.requests}) == 1


@pytest.mark.parametrize(
    "first",
    [answer(500), answer(502), answer(504), answer(408), errors.NoReply("gone")],
    ids=["500", "502", "504", "408", "no reply"],
)
def test_what_may_have_been_done_is_not_repeated(first: Any) -> None:
    runtime, bridge = scripted(appfarm(), first)
    with pytest.raises(errors.SecretBridgeError) as caught:
        bridge.update_secret("EXISTING", value="new-value")
    assert (caught.value.applied, len(runtime.sent)) == (None, 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_other_verb_is_refused_with_the_reason(operation: str) -> None:
    runtime, bridge = scripted(appfarm())
    with pytest.raises(errors.UnsupportedOperation) as caught:
        OPERATIONS[operation](bridge)
    assert caught.value.advice == bridge.capabilities.why_not[operation]
    assert "Appfarm" in str(caught.value)
    assert (caught.value.applied, runtime.sent) == (False, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"new_name": "NEW"},
        {"description": "text"},
        {"active": True},
        {"protected": False},
        {"value": None},
        {"value": ""},
        {},
    ],
)
def test_only_a_value_can_be_changed(changes: dict[str, Any]) -> None:
    runtime, bridge = scripted(appfarm())
    with pytest.raises(errors.InvalidRequest):
        bridge.update_secret("EXISTING", **changes)
    assert runtime.sent == []


def test_a_name_that_was_not_declared_is_refused_with_those_that_were() -> None:
    runtime, bridge = scripted(appfarm(secrets=["B", "A"]))
    with pytest.raises(errors.InvalidRequest, match="declared are A, B"):
        bridge.update_secret("OTHER", value="new-value")
    with pytest.raises(errors.UnsupportedField, match="name the secret by its name"):
        bridge.update_secret(id="1", value="new-value")
    assert runtime.sent == []


@pytest.mark.parametrize(
    ("seeded", "status", "kind", "advice"),
    [
        ({"granted": False}, 403, errors.PermissionDenied, "Update Secret from Service"),
        ({"environment_specific": False}, 409, errors.Rejected, "docs/appfarm.md"),
        ({"locked": True}, 423, errors.SecretProtected, "docs/appfarm.md"),
        ({"declared": False}, 400, errors.Rejected, "docs/appfarm.md"),
    ],
)
def test_each_precondition_is_an_error_of_its_own(
    seeded: dict[str, bool], status: int, kind: type[errors.ProviderError], advice: str
) -> None:
    standin = AppfarmStandIn()
    standin.seed("EXISTING", "old-value", **seeded)
    with pytest.raises(kind, match=advice) as caught:
        opened(appfarm(standin), standin).update_secret("EXISTING", value="new-value")
    assert (caught.value.status, caught.value.applied) == (status, False)
    assert standin.secret("EXISTING").value == "old-value"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": "SECRET_NOT_FOUND"}, errors.SecretNotFound),
        ({"code": "SECRET_LOCKED"}, errors.SecretProtected),
        ({"code": ["SECRET_LOCKED"]}, errors.WrongAddress),
        ([], errors.WrongAddress),
        (None, errors.WrongAddress),
    ],
)
def test_a_404_is_a_wrong_address_unless_the_builder_sends_a_code(
    body: object, kind: type[errors.SecretBridgeError]
) -> None:
    _, bridge = scripted(appfarm(), answer(404, body))
    with pytest.raises(kind) as caught:
        bridge.update_secret("EXISTING", value="new-value")
    assert caught.value.applied is False


def test_a_wrong_key_and_a_wrong_method_are_told_apart() -> None:
    standin = AppfarmStandIn()
    standin.seed("EXISTING", "old-value")
    with pytest.raises(errors.AuthenticationError):
        opened(appfarm(standin, api_key="wrong"), standin).update_secret("EXISTING", value="v")
    _, bridge = scripted(appfarm(), answer(405))
    with pytest.raises(errors.WrongAddress):
        bridge.update_secret("EXISTING", value="v")


def test_the_text_of_an_exception_over_there_is_never_shown() -> None:
    standin = AppfarmStandIn(crash=True)
    standin.seed("EXISTING", "old-value")
    with pytest.raises(errors.ProviderUnavailable) as caught:
        opened(appfarm(standin), standin).update_secret("EXISTING", value="Zx9-c0ffee-7Qz")
    assert "Uncaught" not in str(caught.value)
    assert "c0ffee" not in repr(vars(caught.value))


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"path": "no/slash"}, ["path"]),
        ({"path": "/a?b"}, ["path"]),
        ({"path": "/a#b"}, ["path"]),
        ({"path": "/a b"}, ["path"]),
        ({"path": "/a\nb"}, ["path"]),
        ({"path": "\\a"}, ["path"]),
        ({"path": ""}, ["path"]),
        ({"path": None}, ["path"]),
        ({"secrets": []}, ["secrets"]),
        ({"secrets": "STRIPE_KEY"}, ["secrets"]),
        ({"secrets": [""]}, ["secrets"]),
        ({"secrets": [b"A"]}, ["secrets"]),
        ({"secrets": None}, ["secrets"]),
        ({"secrets": 5}, ["secrets"]),
        ({"path": "x", "secrets": []}, ["path", "secrets"]),
    ],
)
def test_a_malformed_path_or_list_of_names_is_refused(given: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        appfarm(**given)
    assert [one.field for one in caught.value.violations] == fields
