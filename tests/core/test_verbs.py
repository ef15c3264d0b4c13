"""What core itself does: reading back, replacing, merging what is told apart, and finding a secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from secretbridge import (
    AmbiguousSecret,
    Appfarm,
    InsForge,
    InvalidRequest,
    IoNet,
    NoReply,
    ProviderUnavailable,
    Retry,
    SecretBridge,
    SecretNotFound,
    UnsupportedField,
    UnsupportedOperation,
    Wix,
)
from secretbridge.testing import (
    AppfarmStandIn,
    InsForgeStandIn,
    IoNetStandIn,
    Lost,
    Pass,
    Reply,
    ScriptedRuntime,
    WixStandIn,
    answer,
)

SITE = "5a1e0000-0000-4000-8000-000000000001"
UUID = "11111111-1111-4111-8111-111111111111"


def ionet() -> tuple[IoNetStandIn, SecretBridge]:
    standin = IoNetStandIn()
    return standin, SecretBridge(
        IoNet(api_key="ionet-key"), transport=standin.transport(), pace=None, retry=None
    )


def wix() -> tuple[WixStandIn, SecretBridge]:
    standin = WixStandIn()
    return standin, SecretBridge(
        Wix(api_key="IST.wix-key", site_id=SITE), transport=standin.transport(), pace=None, retry=None
    )


def insforge() -> tuple[InsForgeStandIn, SecretBridge]:
    standin = InsForgeStandIn()
    provider = InsForge("https://project.insforge.app", api_key="ik_insforge-key")
    return standin, SecretBridge(provider, transport=standin.transport(), pace=None, retry=None)


def test_without_verify_nothing_is_asked_beyond_one_listing_and_the_write() -> None:
    standin, bridge = wix()
    bridge.create_secret("NAME", value="one")
    standin.clear_requests()
    assert bridge.with_options().update_secret("NAME", value="two").verified is None
    assert [call.split()[0] for call in standin.calls] == ["GET", "PATCH"]
    standin.clear_requests()
    bridge.update_secret("NAME", value="three")
    assert [call.split()[0] for call in standin.calls] == ["PATCH"]


def test_verify_reads_the_value_back_where_it_is_told() -> None:
    _, bridge = wix()
    bridge.create_secret("NAME", value="one", description="first")
    seen = bridge.update_secret("NAME", value="two", verify=True)
    assert (seen.verified, seen.reveal(), seen.description) == (True, "two", "first")


def test_verify_of_a_value_that_is_never_told_is_none() -> None:
    _, bridge = ionet()
    bridge.create_secret("NAME", value="value-1")
    assert bridge.update_secret("NAME", value="value-2", verify=True).verified is None
    assert bridge.update_secret("NAME", tool_name="tool", verify=True).verified is True
    assert bridge.update_secret("NAME", tool_name="other", value="value-3", verify=True).verified is None


def test_verify_where_the_store_tells_nothing_is_none_and_asks_nothing() -> None:
    standin = AppfarmStandIn()
    standin.seed("NAME", "one")
    provider = Appfarm(
        "https://solution.appfarm.app",
        api_key="appfarm-key",
        path="/api/services/secrets/update-secret",
        secrets=["NAME"],
    )
    with SecretBridge(provider, transport=standin.transport()) as bridge:
        assert bridge.update_secret("NAME", value="two", verify=True).verified is None
    assert len(standin.calls) == 1


def test_verify_finds_that_something_else_is_stored() -> None:
    runtime = ScriptedRuntime(
        answer(200, {"data": [_ionet_row(tool_name="old")]}),
        answer(200, {}),
        answer(200, _ionet_row(tool_name="another")),
    )
    seen = runtime.bridge(IoNet(api_key="key")).update_secret("NAME", tool_name="mine", verify=True)
    assert (seen.verified, seen.tool_name) == (False, "another")


def _ionet_row(**fields: object) -> dict[str, object]:
    return {"secret_id": UUID, "secret_name": "NAME", **fields}


def test_verify_of_a_secret_that_is_gone_is_false() -> None:
    runtime = ScriptedRuntime(
        answer(200, {"data": [_ionet_row()]}),
        answer(200, {}),
        answer(404, {"detail": "gone"}),
        answer(200, {"data": []}),
    )
    bridge = runtime.bridge(IoNet(api_key="key"))
    assert bridge.update_secret("NAME", tool_name="mine", verify=True).verified is False


def test_a_read_back_that_fails_says_that_the_change_was_made() -> None:
    standin, bridge = wix()
    bridge.create_secret("NAME", value="one")
    standin.script(Pass(), Pass(), Lost())
    with pytest.raises(NoReply) as caught:
        bridge.update_secret("NAME", value="two", verify=True)
    assert caught.value.applied is True
    assert [secret.value for secret in standin.secrets] == ["two"]


def test_verify_sees_an_inactive_secret_in_the_listing_alone() -> None:
    _, bridge = insforge()
    bridge.create_secret("NAME", value="one")
    seen = bridge.update_secret("NAME", active=False, verify=True)
    assert (seen.verified, seen.active, seen.value) == (True, False, None)
    assert bridge.update_secret("NAME", value="two", verify=True).verified is None


def test_verify_compares_times_in_milliseconds_and_empty_texts_as_none() -> None:
    _, bridge = insforge()
    bridge.create_secret("NAME", value="one")
    moment = datetime(2031, 5, 4, 3, 2, 1, 654321, tzinfo=UTC)
    seen = bridge.update_secret("NAME", expires_at=moment, verify=True)
    assert (seen.verified, seen.expires_at) == (True, moment.replace(microsecond=654000))
    _, bridge = wix()
    bridge.create_secret("NAME", value="one", description="d")
    assert bridge.update_secret("NAME", description="", verify=True).verified is True


def test_get_merges_what_value_and_listing_tell_unless_told_not_to() -> None:
    standin, bridge = wix()
    bridge.create_secret("NAME", value="one", description="d")
    standin.clear_requests()
    secret = bridge.get_secret("NAME")
    assert (secret.reveal(), secret.description, len(standin.calls)) == ("one", "d", 2)
    standin.clear_requests()
    secret = bridge.get_secret("NAME", metadata=False)
    assert (secret.reveal(), secret.description, len(standin.calls)) == ("one", None, 1)


def test_get_of_a_secret_that_vanishes_before_the_listing_keeps_what_was_told() -> None:
    runtime = ScriptedRuntime(answer(200, {"value": "one"}), answer(200, {"secrets": []}))
    secret = runtime.bridge(Wix(api_key="key", site_id=SITE)).get_secret("NAME")
    assert (secret.reveal(), secret.description) == ("one", None)


def test_put_creates_then_replaces_as_if_newly_created() -> None:
    standin, bridge = wix()
    bridge.put_secret("NAME", value="one", description="d")
    assert [(row.value, row.description) for row in standin.secrets] == [("one", "d")]
    bridge.put_secret("NAME", value="two")
    assert [(row.value, row.description or None) for row in standin.secrets] == [("two", None)]


def test_put_resets_a_flag_to_its_default_and_refuses_what_it_cannot_reset() -> None:
    standin, bridge = ionet()
    bridge.create_secret("FLAG", value="value-1", default_for_tool=True)
    bridge.put_secret("FLAG", value="value-2")
    assert standin.secret("FLAG").default_for_tool is False
    bridge.create_secret("BOUND", value="value-1", tool_name="tool")
    with pytest.raises(UnsupportedField, match="Use update_secret") as caught:
        bridge.put_secret("BOUND", value="value-2")
    assert [violation.field for violation in caught.value.violations] == ["tool_name"]
    bridge.put_secret("BOUND", value="value-3", tool_name="tool")
    assert standin.secret("BOUND").value == "value-3"


def test_put_of_several_secrets_of_one_name_is_ambiguous() -> None:
    _, bridge = ionet()
    bridge.create_secret("NAME", value="value-1")
    bridge.create_secret("NAME", value="value-2")
    with pytest.raises(AmbiguousSecret) as caught:
        bridge.put_secret("NAME", value="value-3")
    assert len(caught.value.ids) == 2


def test_put_that_loses_a_race_for_the_name_replaces() -> None:
    runtime = ScriptedRuntime(
        answer(200, {"secrets": []}),
        answer(409, {"details": {"applicationError": {"code": "ALREADY_EXISTS"}}}),
        answer(200, {"secrets": [{"id": "7", "name": "NAME"}]}),
        answer(200, {}),
    )
    assert runtime.bridge(Wix(api_key="key", site_id=SITE)).put_secret("NAME", value="one").id == "7"
    assert [sent.method for sent in runtime.sent] == ["GET", "POST", "GET", "PATCH"]


def test_put_of_a_name_that_exists_and_is_not_listed_is_not_found() -> None:
    runtime = ScriptedRuntime(answer(200, {"secrets": []}), answer(409, {}), answer(200, {"secrets": []}))
    with pytest.raises(SecretNotFound, match="does not list it"):
        runtime.bridge(Wix(api_key="key", site_id=SITE)).put_secret("NAME", value="one")


def test_none_in_a_new_secret_is_the_default() -> None:
    standin, bridge = ionet()
    bridge.create_secret("NAME", value="value-1", description=None, tool_name=None, expires_at=None)
    assert b"null" not in standin.requests[-1].body


def test_delete_of_what_is_absent_succeeds_only_where_asked() -> None:
    _, bridge = ionet()
    with pytest.raises(SecretNotFound):
        bridge.delete_secret("NAME")
    bridge.delete_secret("NAME", missing_ok=True)
    bridge.delete_secret(id=UUID, missing_ok=True)


def test_delete_that_finds_nothing_after_a_lost_answer_was_its_own_doing() -> None:
    standin = IoNetStandIn()
    with SecretBridge(IoNet(api_key="ionet-key"), transport=standin.transport(), pace=None) as bridge:
        made = bridge.create_secret("NAME", value="value-1")
        fast = bridge.with_options(retry=Retry(first_wait=0.0))
        standin.script(Lost())
        fast.delete_secret(id=made.id)
    assert standin.secrets == ()


def test_an_update_of_what_another_client_made_anew_looks_once_more() -> None:
    standin, bridge = wix()
    bridge.create_secret("NAME", value="one")
    bridge.update_secret("NAME", value="two")
    other = SecretBridge(Wix(api_key="IST.wix-key", site_id=SITE), transport=standin.transport(), pace=None)
    other.delete_secret("NAME")
    other.create_secret("NAME", value="three")
    bridge.update_secret("NAME", value="four")
    assert [row.value for row in standin.secrets] == ["four"]


def test_an_update_whose_404_stays_after_a_new_look_is_not_found() -> None:
    rows = {"data": [_ionet_row()]}
    runtime = ScriptedRuntime(answer(200, rows), answer(200, {}), answer(404), answer(200, rows))
    bridge = runtime.bridge(IoNet(api_key="key"))
    bridge.update_secret("NAME", value="value-1")
    with pytest.raises(SecretNotFound):
        bridge.update_secret("NAME", value="value-2")
    assert runtime.left == 0


def test_an_update_by_id_where_names_are_wanted_finds_the_name() -> None:
    standin, bridge = insforge()
    made = bridge.create_secret("NAME", value="one")
    bridge.update_secret(id=made.id, value="two")
    assert standin.secret("NAME").value == "two"
    with pytest.raises(SecretNotFound, match="of id 'nobody'"):
        bridge.get_secret(id="nobody")


def test_an_update_that_changes_nothing_and_one_by_two_names_are_refused_together() -> None:
    standin, bridge = ionet()
    with pytest.raises(InvalidRequest) as caught:
        bridge.update_secret("NAME", id=UUID)
    assert [violation.problem for violation in caught.value.violations] == [
        "name and id are both given",
        "nothing is to be changed",
    ]
    assert standin.calls == []


def test_what_a_provider_has_not_is_refused_with_the_reason() -> None:
    provider = Appfarm("https://a.example", api_key="key", path="/api/services/a/b", secrets=["NAME"])
    with SecretBridge(provider) as bridge, pytest.raises(UnsupportedOperation, match="no API for it"):
        bridge.list_secrets()


def test_a_failure_in_the_second_step_of_a_create_leaves_it_unknown() -> None:
    standin, bridge = insforge()
    standin.script(Pass(), Reply(503))
    with pytest.raises(ProviderUnavailable) as caught:
        bridge.create_secret("NAME", value="one", expires_at=datetime.now(UTC) + timedelta(days=1))
    assert caught.value.applied is None
