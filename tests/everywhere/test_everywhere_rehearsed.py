"""A dry run refuses what the change would, sees what is in the way, and sends no change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from everywhere_stores import ALL, FACES, NAME, NEW, OLD, Stores, everywhere, kinds, stores
from memory_store import Unshown
from pydantic import SecretStr

from secretbridge import (
    Conflict,
    InvalidRequest,
    Local,
    PartialUpdate,
    SecretBridge,
    SecretExists,
    SecretNotFound,
    SecretProtected,
    rotate,
)
from secretbridge._models import Write
from secretbridge._runtime import finish

__all__ = ["stores"]


@FACES
def test_nothing_is_sent_and_the_results_say_what_would_be(stores: Stores, face: str) -> None:
    result = everywhere(face, stores, ALL, value=NEW, dry_run=True)
    assert (kinds(result), result.complete, result.run_id) == (["WouldUpdate"] * len(ALL), False, None)
    assert stores.values() == dict.fromkeys(ALL, OLD)
    assert {one["state"] for one in result.to_json()["results"]} == {"would update"}


def test_with_a_vault_it_leaves_no_journal(stores: Stores) -> None:
    everywhere("blocking", stores, ["wix"], value=NEW, dry_run=True, vault=stores.provider("vault"))
    with SecretBridge(stores.provider("vault")) as vault:
        assert [one.name for one in vault.list_secrets()] == [NAME]


def test_what_the_change_would_refuse_it_refuses(stores: Stores) -> None:
    with pytest.raises(InvalidRequest) as caught:
        everywhere("blocking", stores, ["insforge", "wix"], value=NEW, description="d", dry_run=True)
    left = everywhere(
        "blocking", stores, ["insforge", "wix"], description="d", dry_run=True, leave_out_unfit=True
    )
    assert [one.field for one in caught.value.violations] == ["InsForge: description"]
    assert kinds(left) == ["LeftOut", "WouldUpdate"]


def test_what_is_in_the_way_is_a_result(stores: Stores) -> None:
    with pytest.raises(PartialUpdate) as caught:
        everywhere("blocking", stores, ["vault", "dotenv"], name="NOPE", value=NEW, dry_run=True)
    assert kinds(caught.value.results) == ["NotApplied", "NotApplied"]
    assert caught.value.applied is False


@pytest.fixture
def bridge(stores: Stores) -> Any:
    with SecretBridge(stores.provider("vault")) as opened:
        yield opened


def test_a_rehearsal_reads_for_real_and_changes_nothing(bridge: SecretBridge) -> None:
    trial = bridge.rehearsal()
    trial.create_secret("OTHER", value=NEW)
    trial.put_secret(NAME, value=NEW)
    trial.put_secret("OTHER", value=NEW)
    trial.update_secret(NAME, value=NEW, if_version=1)
    trial.delete_secret(NAME)
    assert [one.name for one in trial.list_secrets()] == [NAME]
    assert (trial.get_secret(NAME).reveal(), repr(trial).startswith("SecretBridge(a rehearsal of")) == (
        OLD,
        True,
    )


@pytest.mark.parametrize(
    ("verb", "arguments", "error"),
    [
        ("create_secret", {"name": NAME, "value": NEW}, SecretExists),
        ("update_secret", {"name": "NOPE", "value": NEW}, SecretNotFound),
        ("delete_secret", {"name": "NOPE"}, SecretNotFound),
        ("update_secret", {"name": NAME, "value": NEW, "if_version": 7}, Conflict),
        ("update_secret", {"name": NAME, "value": ""}, None),
        ("update_secret", {"name": NAME, "tool_name": "x"}, InvalidRequest),
        ("create_secret", {"name": "a/b", "value": NEW}, InvalidRequest),
    ],
)
def test_a_rehearsal_refuses_what_is_in_the_way(
    bridge: SecretBridge, verb: str, arguments: dict[str, Any], error: type[Exception] | None
) -> None:
    trial = bridge.rehearsal()
    if error is None:
        assert getattr(trial, verb)(**arguments).name == NAME
        return
    with pytest.raises(error) as caught:
        getattr(trial, verb)(**arguments)
    assert getattr(caught.value, "applied", None) is False


def test_a_rehearsal_sees_what_a_listing_tells_after_its_first_thousand(bridge: SecretBridge) -> None:
    value = SecretStr(OLD)
    many = [Write(f"KEY_{number:04}", {"value": value}, creates=True) for number in range(1000)]
    finish(bridge._core.change_many(many, allow_one_way=False))
    last = bridge.list_secrets()[-1].name
    trial = bridge.rehearsal()
    with pytest.raises(SecretExists):
        trial.create_secret(last, value=NEW)
    assert (trial.update_secret(last, value=NEW).name, bridge.get_secret(last).reveal()) == (last, OLD)


def test_a_rehearsal_of_a_store_that_shows_nothing_takes_what_is_made_and_makes_nothing() -> None:
    store = Unshown({})
    with SecretBridge(store) as opened:
        made = opened.rehearsal().create_secret(NAME, value=NEW)
    assert (made.name, store.rows) == (NAME, {})


def test_a_rehearsal_sees_a_protected_secret(bridge: SecretBridge) -> None:
    bridge.update_secret(NAME, protected=True)
    trial = bridge.rehearsal()
    for change in (
        lambda: trial.update_secret(NAME, value=NEW),
        lambda: trial.put_secret(NAME, value=NEW),
        lambda: trial.delete_secret(NAME),
    ):
        with pytest.raises(SecretProtected):
            change()
    assert trial.update_secret(NAME, protected=False).protected is True


@pytest.mark.parametrize("name", ["dotenv", "appfarm", "wix", "insforge"])
def test_an_adapter_s_own_check_counts_in_a_rehearsal(stores: Stores, name: str) -> None:
    value = "lone \ud800 surrogate"
    with pytest.raises(InvalidRequest) as really:
        stores.bridge(name).update_secret(NAME, value=value)
    with pytest.raises(InvalidRequest) as tried:
        stores.bridge(name).rehearsal().update_secret(NAME, value=value)
    assert tried.value.violations == really.value.violations


def test_a_rehearsal_on_an_event_loop(stores: Stores) -> None:
    async def work() -> str:
        async with stores.bridge("wix", "asyncio") as bridge:
            trial = bridge.rehearsal()
            await trial.update_secret(NAME, value=NEW)
            return str((await trial.get_secret(NAME)).reveal())

    assert anyio.run(work) == OLD


def test_a_rotation_can_be_rehearsed_and_calls_nothing(stores: Stores) -> None:
    called: list[object] = []

    def obtain() -> str:
        called.append("obtain")
        return NEW

    bridges = [stores.bridge(name) for name in ("wix", "dotenv")]
    made = rotate(
        NAME,
        obtain=obtain,
        targets=bridges,
        vault=stores.provider("vault"),
        revoke=called.append,
        dry_run=True,
    )
    assert (kinds(made.results), made.run_id, called) == (["WouldUpdate"] * 2, "", [])


def test_a_rehearsal_finds_what_is_not_on_the_first_page(
    bridge: SecretBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Local.list_page
    asked: list[str | None] = []

    async def one_a_page(self: Local, channel: Any, cursor: str | None, _size: int) -> Any:
        asked.append(cursor)
        return await whole(self, channel, cursor, 1)

    bridge.create_secret("ZZ_LAST", value=OLD)
    monkeypatch.setattr(Local, "list_page", one_a_page)
    with pytest.raises(SecretExists):
        bridge.rehearsal().create_secret("ZZ_LAST", value=NEW)
    assert [cursor is None for cursor in asked] == [True, False, False]  # the last page is empty


def test_a_rehearsal_takes_what_it_cannot_look_for_to_be_as_the_change_wants_it(
    bridge: SecretBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = Local.capabilities
    monkeypatch.setattr(Local, "capabilities", replace(able, operations=able.operations - {"list"}))
    trial = bridge.rehearsal()
    told = [trial.create_secret(NAME, value=NEW).name, trial.put_secret(NAME, value=NEW).name]
    assert (told, bridge.get_secret(NAME).reveal()) == ([NAME, NAME], OLD)
