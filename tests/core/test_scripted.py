"""The runtime that answers from a script."""

from __future__ import annotations

import pytest

from secretbridge import IoNet, NoReply, ProviderUnavailable, RateLimited, Wix
from secretbridge.testing import ScriptedRuntime, answer

UUID = "11111111-1111-4111-8111-111111111111"


def test_waits_are_recorded_and_move_the_clock() -> None:
    runtime = ScriptedRuntime(answer(429, headers={"retry-after": "7"}), answer(200, {}))
    runtime.bridge(IoNet(api_key="key")).update_secret(id=UUID, value="value-1")
    assert (runtime.waits, runtime.now(), runtime.left) == ([7.0], 7.0, 0)
    assert runtime.sent[0].json == {"secret_value": "value-1"}
    assert runtime.sent[0].headers["x-api-key"] == "key"


def test_errors_of_the_script_are_raised_and_more_can_be_added() -> None:
    runtime = ScriptedRuntime(NoReply("lost"))
    runtime.add(answer(503))
    bridge = runtime.bridge(IoNet(api_key="key"), retry=None)
    with pytest.raises(NoReply, match="lost"):
        bridge.list_secrets()
    with pytest.raises(ProviderUnavailable):
        bridge.list_secrets()
    assert runtime.sent[0].json is None


def test_a_script_that_has_ended_says_which_request_it_did_not_expect() -> None:
    bridge = ScriptedRuntime().bridge(IoNet(api_key="key"))
    with pytest.raises(AssertionError, match="no answer to <Request GET for list"):
        bridge.list_secrets()


def test_a_rate_limit_that_asks_for_too_long_is_not_waited_for() -> None:
    runtime = ScriptedRuntime(answer(429, headers={"retry-after": "3600"}))
    with pytest.raises(RateLimited) as caught:
        runtime.bridge(IoNet(api_key="key")).list_secrets()
    assert (caught.value.retry_after, runtime.waits) == (3600.0, [])


def test_jobs_run_one_after_the_other() -> None:
    from secretbridge._runtime import finish

    async def job() -> int:
        return 1

    runtime = ScriptedRuntime()
    assert finish(runtime.gather([job, job], 2)) == [1, 1]
    assert runtime.renew() is runtime


def test_what_was_sent_shows_neither_credential_nor_value() -> None:
    runtime = ScriptedRuntime(answer(200, {"secrets": [{"id": "1", "name": "A"}]}), answer(200, {}))
    with runtime.bridge(Wix(api_key="canary-key", site_id="5a1e0000-0000-4000-8000-000000000001")) as bridge:
        bridge.update_secret("A", value="canary-value")
    shown = f"{runtime.sent!r} {runtime.sent[-1]} {[*runtime.sent]}"
    assert ("canary" in shown, b"canary-value" in runtime.sent[-1].body) == (False, True)
