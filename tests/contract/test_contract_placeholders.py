"""A recording's placeholders: what is new in every request is matched by its kind, and nothing else is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from secretbridge import Appfarm
from secretbridge.errors import Rejected
from secretbridge.testing import Exchange, ProviderContract, Recording, Reply, Subject
from secretbridge.testing._exchange import RecordedRequest
from secretbridge.testing._placeholders import Placeholders

if TYPE_CHECKING:
    from pathlib import Path

ID, OTHER = "0f8fad5b-d9cb-469f-a165-70867728950e", "7C9E6679-7425-40DE-944B-E07FC1F90AE7"
NOW = "2026-11-21T10:20:30.456+01:00"
KINDS: Any = {"<id>": "uuid", "<now>": "time", "<count>": "number", "<id of>": "uuid"}


# An adapter of our own of which each request holds a new uuid, and each reply has to hold the same


PATH = "/api/services/secrets/update-secret"


def posted(name: str, reply: Reply) -> Exchange:
    value = ProviderContract.marked_value
    return Exchange(f"POST {PATH}", reply, {"secret": name, "value": value, "request_id": "<request id>"})


UPDATED = Reply(200, json={"status": "updated", "secret": "CONTRACT_ONE", "request_id": "<request id>"})
CALLS = {
    "update": [posted("CONTRACT_ONE", UPDATED)],
    "update absent": [posted("CONTRACT_THREE", Reply(400, json={"message": "there is none"}))],
}


class TestAppfarmRecorded(ProviderContract):
    """Appfarm's adapter keeps what recorded replies can hold, its request ids included."""

    capabilities = Appfarm.capabilities
    missing = Rejected
    recording: ClassVar[Recording | None] = Recording(CALLS, placeholders={"<request id>": "uuid"})

    def make(self) -> Subject:
        provider = Appfarm(
            "https://solution.appfarm.app", api_key="key_Vb5Nm8Qw", path=PATH, secrets=self.names
        )
        return Subject(provider=provider, credential="key_Vb5Nm8Qw")


# What fits


def fits(recorded: object, sent: object, **kinds: Any) -> bool:
    placeholders = Placeholders(kinds or KINDS)
    exchange = Exchange("POST /secrets", Reply(200), recorded)
    return exchange.fits(RecordedRequest("POST", "/secrets", body=json.dumps(sent).encode()), placeholders)


@pytest.mark.parametrize("sent", [ID, OTHER])
def test_a_uuid_stands_for_any_uuid(sent: str) -> None:
    assert fits({"id": "<id>", "name": "A"}, {"name": "A", "id": sent})


@pytest.mark.parametrize("sent", ["", ID[:-1], f"{ID}0", ID.replace("-", ""), "A", NOW, None, 5, [ID]])
def test_nothing_else_is_a_uuid(sent: object) -> None:
    assert not fits({"id": "<id>"}, {"id": sent})


@pytest.mark.parametrize(
    "sent", [NOW, "2026-11-21T10:20:30Z", "2026-11-21 10:20:30", "2026-11-21T10:20:30.1234+0100"]
)
def test_a_time_stands_for_any_date_and_time(sent: str) -> None:
    assert fits({"sent": "<now>"}, {"sent": sent})


@pytest.mark.parametrize(
    "sent", ["2026-11-21", "2026-13-21T10:20:30Z", "2026-11-21T25:20:30Z", "2026-11-21T10%3A20%3A30Z", 1, ID]
)
def test_nothing_else_is_a_time(sent: object) -> None:
    assert not fits({"sent": "<now>"}, {"sent": sent})


@pytest.mark.parametrize(("sent", "expected"), [(5, True), (5.5, True), ("5", False), (True, False)])
def test_a_number_alone_stands_for_a_number_of_json(sent: object, *, expected: bool) -> None:
    assert fits({"at": "<count>"}, {"at": sent}) is expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"id": ID, "name": "A", "tags": ["x", ID]}, True),
        ({"id": ID, "name": "B", "tags": ["x", ID]}, False),
        ({"id": ID, "tags": ["x", ID]}, False),
        ({"id": ID, "name": "A", "tags": ["x", ID], "more": None}, False),
        ({"id": ID, "name": "A", "tags": ["y", ID]}, False),
        ({"id": ID, "name": "A", "tags": ["x", ID, "z"]}, False),
        ({"id": ID, "name": "A", "tags": "x"}, False),
        ({"id": ID, "name": "A", "tags": ["x", OTHER]}, False),
        ([], False),
    ],
    ids=str,
)
def test_all_else_is_as_it_was_recorded_and_one_placeholder_is_one_thing(
    sent: object, *, expected: bool
) -> None:
    assert fits({"id": "<id>", "name": "A", "tags": ["x", "<id>"]}, sent) is expected


def test_a_placeholder_that_was_not_declared_is_a_text_like_others() -> None:
    assert not fits({"id": "<uuid>"}, {"id": ID})
    assert fits({"id": "<uuid>"}, {"id": "<uuid>"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/v1/{ID}?at=2026-11-21T10%3A20%3A30%2B01%3A00&n=17", True),
        (f"/v1/{ID}?at=2026-11-21T10:20:30Z&n=17", True),
        (f"/v1/{ID}?at=2026-11-21T10:20:30Z&n=17&m=1", False),
        (f"/v2/{ID}?at=2026-11-21T10:20:30Z&n=17", False),
        (f"/v1/{ID}/x?at=2026-11-21T10:20:30Z&n=17", False),
        (f"/v1/{ID}?at=2026-11-21T10:20:30Z&n=many", False),
        (f"/v1/{ID}?at=2026-11-41T10:20:30Z&n=17", False),
    ],
)
def test_in_a_path_too_and_percent_encoded_there(path: str, *, expected: bool) -> None:
    exchange = Exchange("GET /v1/<id>?at=<now>&n=<count>", Reply(200))
    assert exchange.fits(RecordedRequest("GET", path), Placeholders(KINDS)) is expected


def test_within_a_text_and_where_one_name_begins_another() -> None:
    sent = {"key": f"job-{ID}/{OTHER}.", "at": 7}
    assert fits({"key": "job-<id>/<id of>.", "at": "<count>"}, sent)
    assert fits({"key": "job-ID/IDS.", "at": 7}, sent, ID="uuid", IDS="uuid")
    assert not fits({"key": "job-<id>/<id>.", "at": 7}, sent)


def test_in_a_body_that_is_no_json() -> None:
    exchange = Exchange("POST /", Reply(200), b"name=A&nonce=<id>")
    sent = [RecordedRequest("POST", "/", body=f"name={name}&nonce={ID}".encode()) for name in "AB"]
    assert [exchange.fits(one, Placeholders(KINDS)) for one in sent] == [True, False]


# What is answered


def test_the_reply_has_what_was_sent() -> None:
    placeholders = Placeholders(KINDS)
    reply = Reply(
        200,
        json={"id": "<id>", "seen": ["at <now>", "<count>", 3, None], "more": "n=<count>"},
        headers=[("x-request-id", "<id>")],
    )
    exchange = Exchange("POST /", reply, {"id": "<id>", "at": "<now>", "n": "<count>"})
    sent = json.dumps({"id": ID, "at": NOW, "n": 4}).encode()
    matched = exchange.matched(RecordedRequest("POST", "/", body=sent), placeholders)
    assert matched is not None
    assert exchange.answer(matched, placeholders) == Reply(
        200,
        json={"id": ID, "seen": [f"at {NOW}", 4, 3, None], "more": "n=4"},
        headers=(("x-request-id", ID),),
    )


def test_so_has_one_that_is_no_json() -> None:
    placeholders = Placeholders(KINDS)
    exchanges = [Exchange("GET /<id>", Reply(200, body=body)) for body in ("done <id>", b"done <id>")]
    answers = [
        exchange.answer(exchange.matched(RecordedRequest("GET", f"/{ID}"), placeholders) or {}, placeholders)
        for exchange in exchanges
    ]
    assert [answer.body for answer in answers] == [f"done {ID}", b"done <id>"]


# What is refused


@pytest.mark.parametrize(
    ("placeholders", "exchange", "said"),
    [
        ({"<id>": "guid"}, {}, "the placeholder '<id>' is of no kind of uuid, time, number: 'guid'"),
        ({"": "uuid"}, {}, "the placeholder '' is of no kind"),
        ({"<id>": "uuid"}, {}, "<id> is a placeholder and stands in no request"),
        (
            {"<id>": "uuid"},
            {"reply": {"a": ["<id>"]}},
            "'GET /': <id> is in the reply and not in the request",
        ),
        ({"<id>": "uuid"}, {"text": "is <id>"}, "'GET /': <id> is in the reply and not in the request"),
        (["<id>"], {}, "it maps the names of calls to lists"),
    ],
)
def test_a_placeholder_that_cannot_be_meant_is_refused_when_the_recording_is_read(
    tmp_path: Path, placeholders: object, exchange: dict[str, Any], said: str
) -> None:
    file = tmp_path / "recording.json"
    calls = {"list": [{"request": "GET /", "status": 200, **exchange}]}
    file.write_text(json.dumps({"placeholders": placeholders, **calls}), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(said)):
        Recording.load(file)


def test_an_adapter_that_sends_something_else_there_is_caught() -> None:
    class OfTimes(TestAppfarmRecorded):
        recording = Recording(CALLS, placeholders={"<request id>": "time"})

    contract: Any = OfTimes()
    with pytest.raises(AssertionError, match=r"update: it sent .* not in the recording: POST /api/services"):
        contract.test_each_call_sends_just_what_was_recorded_and_takes_the_answer("sync")


def test_what_a_recorded_request_is_called_shows_its_body_whatever_that_is() -> None:
    bodies = [{"b": 1, "a": 2}, b"a=1"]
    told = [Exchange("POST /", Reply(200), body).told for body in bodies]
    assert told == ['POST / \'{"a": 2, "b": 1}\'', "POST / b'a=1'"]
    assert Exchange("DELETE /", Reply(200)).told == "DELETE / ''"
