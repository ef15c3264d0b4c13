"""on_failure="restore": the previous state is back where it could be read, else the results say so."""

from __future__ import annotations

from typing import Any

import pytest
from everywhere_stores import FACES, NAME, NEW, OLD, READABLE, Stores, at_a_write, everywhere, kinds, stores

from secretbridge import Local, NotApplied, PartialUpdate, SecretBridge, Unknown, Updated
from secretbridge.testing import Lost, Pass, Reply

__all__ = ["stores"]

#: An InsForge is looked at with a GET of the value and one of the listing, then written.
LOOKED = (Pass(), Pass())


@FACES
def test_where_one_target_fails_the_others_have_their_value_back(stores: Stores, face: str) -> None:
    stores.insforge.script(*LOOKED, Reply(403, {"error": "FORBIDDEN", "message": "no", "statusCode": 403}))
    with pytest.raises(PartialUpdate) as caught:
        everywhere(face, stores, READABLE, value=NEW, on_failure="restore")
    result = caught.value.results
    assert kinds(result) == ["Restored", "NotApplied", "Restored", "Restored", "Restored"]
    assert caught.value.applied is False
    assert stores.values(READABLE) == dict.fromkeys(READABLE, OLD)
    assert [one.guarantee for one in result.restored] == [
        "best-effort",
        "atomic",
        "best-effort",
        "best-effort",
    ]


@FACES
def test_where_all_targets_are_changed_nothing_is_put_back(stores: Stores, face: str) -> None:
    result = everywhere(face, stores, READABLE, value=NEW, on_failure="restore")
    assert kinds(result) == ["Updated"] * len(READABLE)
    assert [one.guarantee for one in result.updated] == [
        "best-effort",
        "best-effort",
        "atomic",
        "best-effort",
        "best-effort",
    ]
    assert stores.values(READABLE) == dict.fromkeys(READABLE, NEW)


@FACES
def test_a_store_that_tells_no_value_keeps_the_new_one_and_says_so(stores: Stores, face: str) -> None:
    stores.insforge.script(*LOOKED, Reply(401))
    result = everywhere(
        face, stores, ["ionet", "appfarm", "insforge", "vault"], value=NEW, on_failure="restore", check=False
    )
    assert kinds(result) == ["Updated", "Updated", "NotApplied", "Restored"]
    assert [one.not_restored for one in result.updated] == [
        "value: io.net never tells a value",
        "value: Appfarm never tells a value",
    ]
    assert stores.values(["ionet", "appfarm", "vault"]) == {"ionet": NEW, "appfarm": NEW, "vault": OLD}


def test_the_error_says_which_target_is_not_restored(stores: Stores) -> None:
    stores.insforge.script(*LOOKED, Reply(401))
    with pytest.raises(PartialUpdate) as caught:
        everywhere("blocking", stores, ["ionet", "insforge"], value=NEW, on_failure="restore")
    assert "io.net: updated, not restored (value: io.net never tells a value)" in str(caught.value)
    assert caught.value.applied is None


@FACES
def test_an_unknown_outcome_is_settled_by_looking(stores: Stores, face: str) -> None:
    stores.insforge.script(*LOOKED, Lost())
    stores.wix.script(Pass(), Pass(), Reply(503))
    names = ["insforge", "wix", "vault"]
    result = everywhere(face, stores, names, value=NEW, on_failure="restore", check=False)
    assert kinds(result) == ["Restored", "Restored", "Restored"]
    assert stores.values(names) == dict.fromkeys(names, OLD)


@FACES
def test_where_a_secret_cannot_be_asked_for_nothing_is_changed_anywhere(stores: Stores, face: str) -> None:
    stores.insforge.script(Reply(401))
    result = everywhere(
        face, stores, ["insforge", "vault", "wix"], value=NEW, on_failure="restore", check=False
    )
    assert kinds(result) == ["NotApplied"] * 3
    assert [type(one.error).__name__ for one in result.not_applied] == [
        "AuthenticationError",
        "SecretBridgeError",
        "SecretBridgeError",
    ]
    assert stores.values(["insforge", "vault", "wix"]) == {"insforge": OLD, "vault": OLD, "wix": OLD}


def test_what_somebody_else_has_changed_meanwhile_is_left_alone(stores: Stores) -> None:
    at_a_write(stores.wix, after=lambda: stores.wix._rows.update(_with(stores, "somebody-elses")))
    stores.insforge.script(*LOOKED, Reply(401))
    result = everywhere("blocking", stores, ["wix", "insforge"], value=NEW, on_failure="restore", check=False)
    (first,) = result.updated
    assert first.not_restored == "somebody else has changed its value meanwhile"
    assert stores.value("wix") == "somebody-elses"


def _with(stores: Stores, value: str) -> dict[str, Any]:
    from dataclasses import replace

    row = stores.wix.secret(NAME)
    return {row.id: replace(row, value=value)}


def test_what_is_gone_meanwhile_is_not_made_anew(stores: Stores) -> None:
    at_a_write(stores.wix, after=stores.wix._rows.clear)
    stores.insforge.script(*LOOKED, Reply(401))
    result = everywhere("blocking", stores, ["wix", "insforge"], value=NEW, on_failure="restore", check=False)
    assert [one.not_restored for one in result.updated] == ["it could not be read (SecretNotFound)"]


def test_a_restoring_that_fails_is_told(stores: Stores) -> None:
    at_a_write(stores.wix, after=lambda: stores.wix.script(Reply(401)))
    stores.insforge.script(*LOOKED, Reply(401))
    result = everywhere("blocking", stores, ["wix", "insforge"], value=NEW, on_failure="restore", check=False)
    assert [type(one) for one in result] == [Updated, NotApplied]
    assert result.updated[0].not_restored.startswith("AuthenticationError: ")


def test_a_restoring_of_unknown_outcome_is_unknown(stores: Stores) -> None:
    at_a_write(stores.wix, after=lambda: stores.wix.script(Pass(), Pass(), Lost()))
    stores.insforge.script(*LOOKED, Reply(401))
    result = everywhere("blocking", stores, ["wix", "insforge"], value=NEW, on_failure="restore", check=False)
    first = result.results[0]
    assert isinstance(first, Unknown)
    assert first.not_restored.startswith("NoReply: ")


def test_a_version_that_somebody_else_wrote_is_not_overwritten(stores: Stores) -> None:
    provider: Any = stores.provider("vault")
    update = provider.update

    async def first_another(*arguments: Any, **options: Any) -> Any:
        provider.update = update
        with SecretBridge(stores.provider("vault")) as other:
            other.update_secret(NAME, value="somebody-elses")
        return await update(*arguments, **options)

    provider.update = first_another
    result = everywhere("blocking", stores, [], provider, value=NEW, on_failure="restore", check=False)
    assert [type(one.error).__name__ for one in result.not_applied] == ["Conflict"]
    assert stores.value("vault") == "somebody-elses"


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"description": "text"}, {"description": None}),
        ({"description": None}, {"description": "text"}),
        ({}, {"value": NEW, "active": False}),
        ({}, {"active": False}),
        ({}, {"new_name": "OTHER"}),
        ({"description": "text"}, {"new_name": "OTHER", "value": NEW, "description": "other"}),
    ],
)
def test_every_field_that_was_changed_is_put_back(
    stores: Stores, before: dict[str, Any], change: dict[str, Any]
) -> None:
    vault = stores.provider("vault")
    with SecretBridge(vault) as bridge:
        if before:
            bridge.update_secret(NAME, **before)
        was = bridge.get_secret(NAME)
        elsewhere = Local(stores.folder / "other.db", key_file=stores.folder / "other.key")
        result = everywhere(
            "blocking", stores, [], vault, (elsewhere, "ABSENT"), **change, on_failure="restore", check=False
        )
        now = bridge.get_secret(NAME)
    assert kinds(result) == ["Restored", "NotApplied"]
    assert (now.reveal(), now.description, now.active) == (was.reveal(), was.description, was.active)


def test_what_a_store_cannot_take_back_is_told(stores: Stores) -> None:
    missing = (stores.bridge("insforge"), "ABSENT")
    result = everywhere(
        "blocking",
        stores,
        ["insforge"],
        missing,
        value=NEW,
        protected=True,
        allow_one_way=True,
        on_failure="restore",
        check=False,
    )
    (first,) = result.updated
    assert "protected cannot be set back: " in first.not_restored


def test_what_was_empty_and_cannot_be_cleared_is_told(stores: Stores) -> None:
    with stores.bridge("ionet") as ionet:
        result = everywhere(
            "blocking",
            stores,
            ["ionet"],
            (ionet, "ABSENT"),
            tool_name="tool",
            on_failure="restore",
            check=False,
        )
    (first,) = result.updated
    assert first.not_restored == "tool_name cannot be set back: cannot be cleared at io.net"
    assert stores.ionet.secret(NAME).tool_name == "tool"
