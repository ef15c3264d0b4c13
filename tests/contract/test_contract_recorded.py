"""Recorded replies in place of a stand-in: what a recording is, and that nothing is left out in silence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from contract_mutations_stores import RECORDING, from_recording
from secretbridge_larder import Larder
from test_pytest_plugin import outcomes, run_pytest

from secretbridge import Appfarm
from secretbridge.testing import Exchange, ProviderContract, Recording, Reply, Subject
from secretbridge.testing._exchange import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLE = Path(__file__).parents[2] / "examples" / "secretbridge-larder"
FILE = EXAMPLE / "tests" / "larder_recording.json"
ALL_RECORDED = "test_each_call_that_the_capabilities_ask_for_is_recorded_or_said_not_to_be"
AS_RECORDED = "test_each_call_sends_just_what_was_recorded_and_takes_the_answer"


def contract_over(calls: Mapping[str, Any], **said: str) -> Any:
    class Contract(ProviderContract):
        capabilities = Larder.capabilities
        recording = Recording(calls)
        not_recorded: ClassVar = {name.replace("_", " "): why for name, why in said.items()}

        def make(self) -> Subject:
            return from_recording(Larder)

    return Contract()


def without(*names: str) -> dict[str, Any]:
    return {name: given for name, given in RECORDING.calls.items() if name not in names}


class TestLarderRecorded(ProviderContract):
    """The adapter of the example keeps what recorded replies can hold."""

    capabilities = Larder.capabilities
    recording: ClassVar[Recording | None] = RECORDING

    def make(self) -> Subject:
        return from_recording(Larder)


def test_a_call_that_is_not_recorded_is_named_unless_a_reason_is_given() -> None:
    with pytest.raises(AssertionError, match="'delete' is not recorded, and `not_recorded` does not say why"):
        getattr(contract_over(without("delete")), ALL_RECORDED)("sync")
    assert (
        getattr(contract_over(without("delete"), delete="our account may not"), ALL_RECORDED)("sync") is None
    )


def test_a_store_that_only_takes_new_values_is_asked_for_no_more() -> None:
    class Contract(ProviderContract):
        capabilities = Appfarm.capabilities
        recording = Recording({})

    with pytest.raises(AssertionError) as caught:
        getattr(Contract(), ALL_RECORDED)("sync")
    assert set(re.findall("'(.*?)' is not recorded", str(caught.value))) == {"update", "update absent"}


def test_a_reason_for_what_is_recorded_or_asked_of_nobody_is_refused() -> None:
    with pytest.raises(AssertionError, match="`not_recorded` has 'delete', which is recorded"):
        getattr(contract_over(without(), delete="our account may not"), ALL_RECORDED)("sync")
    with pytest.raises(AssertionError, match="`not_recorded` has 'deletion', which is no call to record"):
        getattr(contract_over(without(), deletion="no"), ALL_RECORDED)("sync")


def test_a_recording_of_a_call_that_is_never_made_is_refused_but_for_other_ways() -> None:
    other = {"otherwise, a put onto a deleted one": RECORDING.calls["put"]}
    assert getattr(contract_over({**without(), **other}), ALL_RECORDED)("sync") is None
    with pytest.raises(AssertionError, match="'updating' is recorded, and no call of this name is made"):
        getattr(contract_over({**without(), "updating": RECORDING.calls["update"]}), ALL_RECORDED)("sync")


def test_a_request_that_is_not_recorded_is_shown() -> None:
    calls = {**without(), "delete": RECORDING.calls["list"]}
    with pytest.raises(
        AssertionError, match=r"delete: it sent .* not in the recording: DELETE /v1/secrets/s-0001"
    ):
        getattr(contract_over(calls), AS_RECORDED)("sync")


def test_a_recorded_request_that_is_not_sent_is_shown() -> None:
    more = [*RECORDING.calls["delete"], Exchange("POST /v1/compact", Reply(204))]
    with pytest.raises(AssertionError, match="delete: not as recorded; it did not send POST /v1/compact"):
        getattr(contract_over({**without(), "delete": more}), AS_RECORDED)("sync")


def test_a_call_that_is_not_recorded_is_left_out_of_every_test_of_calls() -> None:
    contract = contract_over(without("delete"), delete="our account may not")
    assert set(contract.calls()) == {"list", "get", "create", "update", "put"}


def test_what_a_recording_cannot_hold_is_not_collected_and_told() -> None:
    stateful = {name for name in TestLarderRecorded.left_out if name.startswith("test_")}
    tests = {name for name in dir(ProviderContract) if name.startswith("test_")}
    kept = {name for name in tests if getattr(TestLarderRecorded, name)}
    asked = {name for name in tests if getattr(TestLarderRecorded, name) is None} - stateful
    assert (stateful & kept, len(kept), len(stateful)) == (set(), 26, 18)
    assert asked == {  # these say nothing of Larder, recorded or not
        "test_a_change_of_another_version_is_a_conflict",
        "test_a_name_that_several_bear_is_ambiguous_and_the_error_tells_their_ids",
        "test_each_recorded_refusal_comes_to_its_error",
        "test_what_cannot_be_taken_back_needs_consent",
    }


def test_a_test_that_a_class_has_itself_or_switches_off_stays_so() -> None:
    class Mine(TestLarderRecorded):
        recording = None

        def test_calls_side_by_side_do_not_mix(self, face: Any) -> None:
            del face

        test_the_provider_itself_shows_no_credential: ClassVar = None  # type: ignore[assignment]  # the point

    own = vars(Mine)["test_calls_side_by_side_do_not_mix"]
    assert (own.__qualname__.split(".")[-2], Mine.test_the_provider_itself_shows_no_credential) == (
        "Mine",
        None,
    )
    assert Mine.test_put_replaces_a_secret_as_if_newly_created is not None  # which its base left out
    assert Mine.left_out == {}


SUITE = """
from pathlib import Path
from secretbridge.testing import ProviderContract, Recording, Subject
from secretbridge_larder import Larder

class TestShelf(ProviderContract):
    capabilities = Larder.capabilities
    recording = Recording({name: one for name, one in Recording.load(FILE).calls.items() if name != "delete"})
    not_recorded = {"delete": "our account may not"}

    def make(self):
        return Subject(provider=Larder(api_key="lk_Vb5Nm8Qw2Er6Ty"))
"""


def test_pytest_tells_at_its_end_what_was_not_tried(tmp_path: Path) -> None:
    source = f"import sys\nsys.path.insert(0, {str(EXAMPLE)!r})\nFILE = {str(FILE)!r}\n{SUITE}"
    code, said = run_pytest(tmp_path, source, "-k", "sync and not asyncio")
    assert (code, outcomes(said)["passed"]) == (0, 26)
    told = said.partition("TestShelf: not tried, for there is only a recording")[2]
    assert "\ndelete: our account may not\n" in told
    assert "\ntest_calls_side_by_side_do_not_mix: several secrets beside one another\n" in told


# What a recording is.


def request(method: str = "PATCH", path: str = "/v1/secrets/1", body: bytes = b"") -> RecordedRequest:
    return RecordedRequest(method, path, body=body)


@pytest.mark.parametrize(
    ("recorded", "sent", "fits"),
    [
        ({"a": 1, "b": None}, b'{"b": null, "a": 1}', True),
        ({"a": 1}, b'{"a": true}', False),
        ({"a": 1}, b'{"a": 1, "b": null}', False),
        ({"a": 1}, b"", False),
        ({"a": 1}, b'{"a"', False),
        (None, b"null", True),
        (b"a=1", b"a=1", True),
        (b"a=1", b"a=2", False),
    ],
)
def test_a_body_is_compared_as_json_whatever_the_order_of_its_keys(
    recorded: object, sent: bytes, *, fits: bool
) -> None:
    assert Exchange("PATCH /v1/secrets/1", Reply(200), recorded).fits(request(body=sent)) is fits


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        (request(), True),
        (request("PUT"), False),
        (request(path="/v1/secrets/1?x"), False),
        (request(body=b"{}"), False),
    ],
)
def test_a_request_without_a_body_is_its_method_and_its_whole_path(
    sent: RecordedRequest, *, fits: bool
) -> None:
    assert Exchange("PATCH /v1/secrets/1", Reply(200)).fits(sent) is fits


def test_the_name_of_another_call_stands_for_its_exchanges() -> None:
    first, second = Exchange("GET /a", Reply(200)), Exchange("GET /b", Reply(200))
    recording = Recording({"list": [first], "get": ["list", second]})
    assert recording.calls == {"list": (first,), "get": (first, second)}
    assert repr(recording) == "Recording(list, get)"


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ({"get": ["list"]}, "the recording of 'get' leads to 'list', which is not there"),
        ({"get": ["list"], "list": ["get"]}, "the recording of 'list' leads to 'get', which names itself"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(calls: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Recording(calls)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "it maps the names of calls to lists"),
        ({"get": {}}, "it maps the names of calls to lists"),
        ({"get": [5]}, "'get': an exchange has at least a `request` and a `status`"),
        ({"get": [{"request": "GET /"}]}, "'get': an exchange has at least a `request` and a `status`"),
        ({"get": [{"request": "GET /", "status": 200, "header": {}}]}, "'get': an exchange has no header"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_the_place(tmp_path: Path, document: Any, said: str) -> None:
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(said)):
        Recording.load(file)


def test_a_file_tells_status_headers_and_body_of_a_reply(tmp_path: Path) -> None:
    file = tmp_path / "recording.json"
    said = {"request": "GET /", "status": 503, "text": "<busy>", "headers": {"Retry-After": "2"}}
    file.write_text(json.dumps({"get": [said]}), encoding="utf-8")
    (exchange,) = Recording.load(file).calls["get"]
    assert exchange == Exchange("GET /", Reply(503, body="<busy>", headers=(("Retry-After", "2"),)))
    assert not exchange.succeeded


def test_a_subject_without_a_store_is_refused_where_the_class_has_no_recording(tmp_path: Path) -> None:
    class Contract(ProviderContract):
        capabilities = Larder.capabilities

        def make(self) -> Subject:
            return from_recording(Larder)

    contract: Any = Contract()
    contract.tmp_path = tmp_path
    with pytest.raises(AssertionError, match=r"must give `seed` and `held`, or the class have a `recording`"):
        contract.test_the_capabilities_are_those_of_the_provider("sync")
