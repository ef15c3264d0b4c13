"""A name becomes an id by one listing, which is believed for a short time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import MANAGED, OTHER, UUID, Case, ionet, opened, scripted, wix

from secretbridge import Retry, errors
from secretbridge._names import NameCache
from secretbridge.testing import IoNetStandIn, Lost, WixStandIn, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

BY_ID = MANAGED[:2]


def listing(**ids: str) -> Any:
    return answer(200, {"secrets": [{"id": id_, "name": name} for name, id_ in ids.items()]})


MISSING = answer(404, {"details": {"applicationError": {"code": "SECRET_NOT_FOUND"}}})


def calls(standin: Any) -> list[str]:
    return [
        "LIST" if call.rstrip("/").rsplit("/", 1)[1] == "secrets" and call[0] == "G" else call.split()[0]
        for call in standin.calls
    ]


@pytest.mark.parametrize("case", BY_ID, ids=str)
def test_one_listing_serves_several_calls(case: Case) -> None:
    standin, bridge = case.opened()
    standin.seed("SECOND", "old-value")
    for name in ("EXISTING", "SECOND", "EXISTING"):
        bridge.update_secret(name, value="new-value")
    bridge.delete_secret("SECOND")
    assert calls(standin) == ["LIST", "PATCH", "PATCH", "PATCH", "DELETE"]


@pytest.mark.parametrize("case", BY_ID, ids=str)
def test_an_id_needs_no_listing(case: Case) -> None:
    standin, bridge = case.opened()
    (row,) = standin.secrets
    bridge.update_secret(id=row.id, value="new-value")
    bridge.delete_secret(id=row.id)
    assert calls(standin) == ["PATCH", "DELETE"]


def test_a_listing_is_believed_for_thirty_seconds() -> None:
    runtime, bridge = scripted(wix(), listing(A="1"), *[answer(200, {})] * 2, listing(A="2"), answer(200, {}))
    bridge.update_secret("A", value="v")
    runtime._clock += 29.9
    bridge.update_secret("A", value="v")
    runtime._clock += 0.2
    bridge.update_secret("A", value="v")
    assert [sent.url[-2:] for sent in runtime.sent] == ["ts", "/1", "/1", "ts", "/2"]


def test_the_name_of_an_id_is_believed_as_long() -> None:
    standin, bridge = MANAGED[2].opened()
    for value in ("new-value", "newer-value"):
        bridge.update_secret(id=standin.secret("EXISTING").id, value=value)
    assert calls(standin) == ["LIST", "PUT", "PUT"]
    assert standin.secret("EXISTING").value == "newer-value"


@pytest.mark.parametrize("case", BY_ID, ids=str)
def test_a_deletion_that_was_made_though_its_answer_was_lost_is_not_looked_for(case: Case) -> None:
    standin, bridge = case.opened(retry=Retry(first_wait=0.0))
    bridge.list_secrets()
    standin.clear_requests()
    standin.script(Lost())
    bridge.delete_secret("EXISTING")
    assert (calls(standin), standin.secrets) == (["DELETE", "DELETE"], ())


def test_a_404_makes_it_look_once_more() -> None:
    runtime, bridge = scripted(
        wix(), listing(A="1"), answer(200, {}), MISSING, listing(A="2"), answer(200, {})
    )
    bridge.update_secret("A", value="v")
    bridge.update_secret("A", value="v")
    assert [sent.url[-2:] for sent in runtime.sent] == ["ts", "/1", "/1", "ts", "/2"]


@pytest.mark.parametrize("second", [listing(A="1"), listing(B="2"), listing()])
def test_where_the_second_look_finds_nothing_new_it_is_not_found(second: Any) -> None:
    runtime, bridge = scripted(wix(), listing(A="1"), answer(200, {}), MISSING, second)
    bridge.update_secret("A", value="v")
    with pytest.raises(errors.SecretNotFound) as caught:
        bridge.update_secret("A", value="v")
    assert (caught.value.applied, len(runtime.sent)) == (False, 4)


def test_a_404_right_after_a_listing_is_believed() -> None:
    runtime, bridge = scripted(wix(), listing(A="1"), MISSING)
    with pytest.raises(errors.SecretNotFound):
        bridge.update_secret("A", value="v")
    assert len(runtime.sent) == 2


def test_a_name_that_is_not_listed_is_not_found_and_nothing_is_written() -> None:
    runtime, bridge = scripted(wix(), listing(A="1"))
    with pytest.raises(errors.SecretNotFound, match="no secret named 'B'") as caught:
        bridge.update_secret("B", value="v")
    assert (caught.value.provider, caught.value.operation) == ("wix", "update")
    assert [sent.method for sent in runtime.sent] == ["GET"]


def test_an_id_that_is_not_listed_is_not_found_where_a_name_is_needed() -> None:
    _, bridge = scripted(wix(), listing(A="1"))
    with pytest.raises(errors.SecretNotFound, match="of id '2'"):
        bridge.get_secret(id="2")


def test_names_that_became_ambiguous_meanwhile_are_told() -> None:
    rows = [{"secret_id": id_, "secret_name": "A"} for id_ in (UUID, OTHER)]
    runtime, bridge = scripted(ionet(), answer(200, {"data": rows}))
    with pytest.raises(errors.AmbiguousSecret) as caught:
        bridge.delete_secret("A")
    assert (caught.value.ids, len(runtime.sent)) == ((UUID, OTHER), 1)
    assert UUID in str(caught.value)


@pytest.mark.parametrize("case", BY_ID, ids=str)
def test_renaming_creating_and_deleting_move_the_remembered_names(case: Case) -> None:
    standin, bridge = case.opened()
    bridge.update_secret("EXISTING", new_name="MOVED")
    bridge.update_secret("MOVED", value="new-value")
    bridge.create_secret("EXISTING", value="another")
    bridge.update_secret("EXISTING", value="changed")
    bridge.delete_secret("EXISTING")
    standin.clear_requests()
    bridge.update_secret("MOVED", value="last")
    assert calls(standin) == ["PATCH"]
    with pytest.raises(errors.SecretNotFound):
        bridge.update_secret("EXISTING", value="gone")
    assert standin.secret("MOVED").value == "last"


def test_threads_share_what_is_known_and_mix_nothing_up() -> None:
    standin = WixStandIn()
    names = [f"N{number}" for number in range(4)]
    for name in names:
        standin.seed(name, "old")
    bridge = opened(wix(standin), standin)
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for turn in range(10):
                bridge.update_secret(name, value=f"{name} {turn}")
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {row.name: row.value for row in standin.secrets} == {name: f"{name} 9" for name in names}
    assert calls(standin).count("LIST") <= len(names)


def test_a_deletion_whose_answer_was_lost_is_done_when_the_second_try_finds_nothing() -> None:
    standin = IoNetStandIn()
    row = standin.seed("A", "old-value")
    bridge = opened(ionet(standin), standin, retry=Retry(first_wait=0.001))
    standin.script(Lost())
    bridge.delete_secret(id=row.id)
    assert standin.secrets == ()


def test_two_ids_in_memory_are_not_believed_without_a_new_listing() -> None:
    runtime, bridge = scripted(wix(), listing(A="1"), answer(200, {}), listing(A="2"), answer(200, {}))
    bridge.update_secret("A", value="v")
    bridge._core.channel.names.add("A", "2")  # it was deleted and made anew while another task listed
    bridge.update_secret("A", value="v")
    assert [sent.url[-2:] for sent in runtime.sent] == ["ts", "/1", "ts", "/2"]


def test_what_another_thread_learns_late_hides_nothing_that_was_listed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learn = NameCache.learn

    def overtaken(names: NameCache, pairs: Iterable[tuple[str, str]]) -> None:
        learn(names, pairs)
        learn(names, [])  # of a thread that had listed before the secret was made

    monkeypatch.setattr(NameCache, "learn", overtaken)
    runtime, bridge = scripted(wix(), *[listing(A="1"), answer(200, {})] * 2)
    bridge.update_secret("A", value="v")
    bridge.update_secret("A", value="v")
    assert [sent.url[-2:] for sent in runtime.sent] == ["ts", "/1", "ts", "/1"]


def test_a_secret_that_a_listing_and_its_maker_both_tell_of_is_one() -> None:
    names = NameCache(lambda: 0.0)
    names.learn([("A", "1"), ("A", "1")])
    names.add("A", "1")
    assert names.ids("A") == ("1",)
