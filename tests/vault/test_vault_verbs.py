"""What each verb means in the vault."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import (
    Conflict,
    InvalidRequest,
    SecretExists,
    SecretExpired,
    SecretLocked,
    SecretNotFound,
    SecretProtected,
    VaultError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

    from secretbridge._vault import Record, Vault

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores."""
    return str(request.param)


LATER = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
LONG_AGO = datetime(2001, 2, 3, tzinfo=UTC)


def contents(record: Record) -> tuple[object, ...]:
    return (record.value, record.description, record.active, record.protected, record.expires_at)


def test_a_created_secret_is_read_back_as_it_was_given(vault: Vault, text: Wrap) -> None:
    made = vault.create(
        "KEY", {"value": text("v\u00e4lue \U0001f511"), "description": "d", "expires_at": LATER}
    )
    assert vault.get(name="KEY") == made
    assert contents(made) == ("v\u00e4lue \U0001f511", "d", True, False, LATER)
    assert (made.name, made.version, made.created_at) == ("KEY", 1, made.updated_at)
    assert (len(made.id), vault.get(id=made.id)) == (32, made)


def test_fields_left_out_of_a_new_secret_have_defaults(vault: Vault, text: Wrap) -> None:
    assert contents(vault.create("KEY", {"value": text("v")})) == ("v", None, True, False, None)


def test_a_moment_in_another_zone_comes_back_in_utc(vault: Vault, text: Wrap) -> None:
    there = datetime(2031, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    made = vault.create("KEY", {"value": text("v"), "expires_at": there})
    assert (made.expires_at, made.expires_at and made.expires_at.tzinfo) == (there, UTC)


@pytest.mark.parametrize("year", [1, 9999])
def test_expiry_is_exact_to_the_microsecond_in_every_year(vault: Vault, text: Wrap, year: int) -> None:
    moment = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    vault.create("KEY", {"value": text("v"), "expires_at": moment})
    assert vault.list()[0][0].expires_at == moment


def test_the_value_is_in_no_repr(vault: Vault, text: Wrap) -> None:
    assert "canary" not in repr(vault.create("KEY", {"value": text("canary")}))


def test_an_update_changes_what_is_given_and_nothing_else(vault: Vault, text: Wrap) -> None:
    made = vault.create("KEY", {"value": text("v"), "description": "d", "expires_at": LATER})
    updated = vault.update({"value": text("w")}, name="KEY")
    assert contents(updated) == ("w", "d", True, False, LATER)
    assert (updated.id, updated.created_at, updated.version) == (made.id, made.created_at, 2)
    assert updated.updated_at >= made.updated_at
    assert vault.get(name="KEY") == updated


def test_none_clears_description_and_expiry(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v"), "description": "d", "expires_at": LATER})
    cleared = vault.update({"description": None, "expires_at": None}, name="KEY")
    assert contents(cleared) == ("v", None, True, False, None)


def test_an_empty_description_is_not_a_cleared_one(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text(""), "description": ""})
    assert contents(vault.get(name="KEY")) == ("", "", True, False, None)


def test_an_update_finds_a_secret_by_id(vault: Vault, text: Wrap) -> None:
    made = vault.create("KEY", {"value": text("v")})
    assert vault.update({"description": "d"}, id=made.id).description == "d"


@pytest.mark.parametrize(
    ("name", "id_"), [("NONE", None), (None, "0" * 32), (None, "not an id"), (None, "00")]
)
@pytest.mark.parametrize("verb", ["get", "update", "delete"])
def test_a_secret_that_is_not_there_is_not_found(
    vault: Vault, text: Wrap, verb: str, name: str | None, id_: str | None
) -> None:
    vault.create("KEY", {"value": text("v")})
    verbs: dict[str, Callable[[], object]] = {
        "get": lambda: vault.get(name=name, id=id_),
        "update": lambda: vault.update({"description": "d"}, name=name, id=id_),
        "delete": lambda: vault.delete(name=name, id=id_),
    }
    with pytest.raises(SecretNotFound) as caught:
        verbs[verb]()
    assert (caught.value.provider, caught.value.operation, caught.value.applied) == ("local", verb, False)


def test_creating_what_exists_is_refused(vault: Vault, text: Wrap) -> None:
    vault.create("PLAIN", {"value": text("v")})
    vault.create("INACTIVE", {"value": text("v"), "active": False})
    vault.create("EXPIRED", {"value": text("v"), "expires_at": LONG_AGO})
    for name in ("PLAIN", "INACTIVE", "EXPIRED"):
        with pytest.raises(SecretExists):
            vault.create(name, {"value": text("w")})
    assert vault.get(name="PLAIN").value == "v"


def test_put_creates_and_put_replaces_as_if_newly_created(vault: Vault, text: Wrap) -> None:
    made = vault.put("KEY", {"value": text("v"), "description": "d", "active": False, "expires_at": LATER})
    replaced = vault.put("KEY", {"value": text("w")})
    assert contents(replaced) == ("w", None, True, False, None)
    assert (made.version, replaced.version, replaced.id) == (1, 2, made.id)
    assert vault.get(name="KEY") == replaced


def test_an_inactive_secret_is_not_handed_out_and_the_message_says_why(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v"), "active": False})
    with pytest.raises(SecretNotFound, match=r"inactive.*update_secret\(active=True\)"):
        vault.get(name="KEY")
    assert [record.name for record in vault.list()[0]] == ["KEY"]
    vault.update({"active": True}, name="KEY")
    assert vault.get(name="KEY").value == "v"


def test_an_expired_secret_is_not_handed_out_and_can_be_renewed(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v"), "expires_at": LONG_AGO})
    with pytest.raises(SecretExpired, match=r"expired at 2001-02-03T00:00:00Z.*expires_at="):
        vault.get(name="KEY")
    assert [record.name for record in vault.list()[0]] == ["KEY"]
    vault.update({"expires_at": LATER}, name="KEY")
    assert vault.get(name="KEY").value == "v"


def test_a_protected_secret_accepts_one_change_only(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v"), "protected": True})
    refused: list[Callable[[], object]] = [
        lambda: vault.update({"value": text("w")}, name="KEY"),
        lambda: vault.update({"protected": True}, name="KEY"),
        lambda: vault.update({"protected": False, "value": text("w")}, name="KEY"),
        lambda: vault.update({"new_name": "OTHER"}, name="KEY"),
        lambda: vault.put("KEY", {"value": text("w")}),
        lambda: vault.delete(name="KEY"),
    ]
    operations = []
    for attempt in refused:
        with pytest.raises(SecretLocked) as caught:
            attempt()
        assert isinstance(caught.value, SecretProtected)
        operations.append((caught.value.provider, caught.value.operation))
    assert operations == [
        ("local", verb) for verb in ("update", "update", "update", "update", "put", "delete")
    ]
    assert (vault.get(name="KEY").value, vault.get(name="KEY").version) == ("v", 1)
    vault.update({"protected": False}, name="KEY")
    vault.delete(name="KEY")


def test_a_compare_and_set_that_lost_says_the_current_version(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v")})
    assert vault.update({"value": text("w")}, name="KEY", if_version=1).version == 2
    with pytest.raises(Conflict) as caught:
        vault.update({"value": text("x")}, name="KEY", if_version=1)
    assert (caught.value.current_version, caught.value.applied) == (2, False)
    assert vault.get(name="KEY").value == "w"


def test_a_deleted_secret_is_gone_and_a_new_one_goes_on_counting(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v")})
    vault.update({"value": text("w")}, name="KEY")
    vault.delete(name="KEY")
    with pytest.raises(SecretNotFound):
        vault.get(name="KEY")
    with pytest.raises(SecretNotFound):
        vault.update({"value": text("x")}, name="KEY")
    with pytest.raises(SecretNotFound):
        vault.delete(name="KEY")
    assert vault.list() == ([], None)
    assert vault.create("KEY", {"value": text("x")}).version == 4


def test_a_renamed_secret_keeps_its_id_and_its_contents(vault: Vault, text: Wrap) -> None:
    made = vault.create("OLD", {"value": text("v"), "description": "d"})
    renamed = vault.update({"new_name": "NEW"}, name="OLD")
    assert (renamed.id, renamed.name, renamed.version, contents(renamed)) == (
        made.id,
        "NEW",
        2,
        contents(made),
    )
    assert vault.get(name="NEW") == renamed
    with pytest.raises(SecretNotFound):
        vault.get(name="OLD")


def test_a_rename_to_its_own_name_is_an_update(vault: Vault, text: Wrap) -> None:
    made = vault.create("KEY", {"value": text("v")})
    assert vault.update({"new_name": "KEY", "description": "d"}, name="KEY").id == made.id


def test_a_rename_onto_a_secret_is_refused(vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("a")})
    vault.create("B", {"value": text("b"), "active": False})
    with pytest.raises(SecretExists):
        vault.update({"new_name": "B"}, name="A")
    assert vault.get(name="A").value == "a"


def test_a_rename_onto_a_deleted_name_goes_on_counting_its_versions(vault: Vault, text: Wrap) -> None:
    made = vault.create("GONE", {"value": text("g")})
    vault.update({"value": text("h")}, name="GONE")
    vault.delete(name="GONE")
    vault.create("KEY", {"value": text("v")})
    renamed = vault.update({"new_name": "GONE"}, name="KEY")
    assert (renamed.id, renamed.version) == (made.id, 4)
    assert vault.get(name="GONE") == renamed
    vault.verify()


def test_a_name_left_by_a_rename_never_counts_a_version_twice(vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v")})
    vault.update({"new_name": "OTHER"}, name="KEY")
    assert vault.create("KEY", {"value": text("w")}).version > 1


def test_environments_neither_see_nor_touch_each_other(place: Place, text: Wrap) -> None:
    with closing(place.open("development")) as here, closing(place.open("production")) as there:
        made = here.create("KEY", {"value": text("here")})
        with pytest.raises(SecretNotFound):
            there.get(name="KEY")
        with pytest.raises(SecretNotFound):
            there.get(id=made.id)
        with pytest.raises(SecretNotFound):
            there.delete(name="KEY")
        assert there.list() == ([], None)
        other = there.create("KEY", {"value": text("there"), "active": True})
        here.update({"active": False}, name="KEY")
        here.delete(name="KEY")
        assert there.get(name="KEY") == other
        there.verify()


def test_a_rename_where_others_hold_the_secret_moves_this_value_alone(place: Place, text: Wrap) -> None:
    with closing(place.open("development")) as here, closing(place.open("production")) as there:
        here.create("OLD", {"value": text("here")})
        kept = there.create("OLD", {"value": text("there")})
        moved = here.update({"new_name": "NEW"}, name="OLD")
        assert (moved.id != kept.id, moved.version, here.get(name="NEW").value) == (True, 2, "here")
        assert there.get(name="OLD") == kept
        with pytest.raises(SecretNotFound):
            here.get(name="OLD")
        with pytest.raises(SecretNotFound):
            there.get(name="NEW")
        assert here.create("OLD", {"value": text("again")}).version == 3
        here.verify()


def test_a_rename_to_a_name_that_others_hold_joins_their_secret(place: Place, text: Wrap) -> None:
    with closing(place.open("development")) as here, closing(place.open("production")) as there:
        here.create("OLD", {"value": text("here")})
        theirs = there.create("NEW", {"value": text("there")})
        moved = here.update({"new_name": "NEW"}, name="OLD")
        assert (moved.id, here.get(name="NEW").value) == (theirs.id, "here")
        assert there.get(name="NEW") == theirs
        there.verify()


def test_what_others_deleted_stays_under_its_name_and_a_name_new_to_them_begins_anew(
    place: Place, text: Wrap
) -> None:
    with closing(place.open("development")) as here, closing(place.open("production")) as there:
        made = here.create("OLD", {"value": text("here")})
        there.create("OLD", {"value": text("there")})
        there.delete(name="OLD")
        assert here.update({"new_name": "NEW"}, name="OLD").id != made.id
        with pytest.raises(SecretNotFound):
            there.get(name="NEW")
        assert there.create("OLD", {"value": text("again")}).id == made.id
        assert there.create("NEW", {"value": text("again")}).version > 1
        there.verify()


def test_an_unknown_environment_is_refused_with_the_known_ones(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="one of development, test, staging, production") as caught:
        place.open("qa")
    assert [violation.field for violation in caught.value.violations] == ["environment"]
    assert not place.file.exists()
    assert not place.key.exists()
    place.open("test").close()
    with pytest.raises(InvalidRequest, match="one of development, test, staging, production"):
        place.open("qa")


def test_a_listing_comes_in_pages_in_the_order_of_creation_without_values(vault: Vault, text: Wrap) -> None:
    for number in range(7):
        vault.create(f"KEY{number}", {"value": text("v")})
    vault.delete(name="KEY2")
    pages, cursor = [], None
    while True:
        records, cursor = vault.list(after=cursor, limit=3)
        pages.append([record.name for record in records])
        assert {record.value for record in records} <= {None}
        if cursor is None:
            break
    assert pages == [["KEY0", "KEY1", "KEY3"], ["KEY4", "KEY5", "KEY6"], []]


def test_a_foreign_cursor_is_refused(vault: Vault) -> None:
    with pytest.raises(InvalidRequest, match="not a cursor"):
        vault.list(after="page 2")


def test_names_are_taken_exactly_as_they_are(vault: Vault, text: Wrap) -> None:
    names = ["caf\u00e9", "cafe\u0301", "key", "KEY", " key", "a/b", "\u0000"]
    for name in names:
        vault.create(name, {"value": text(name)})
    assert [vault.get(name=name).value for name in names] == names


def test_a_large_value_comes_back_whole(vault: Vault, text: Wrap) -> None:
    value = "0123456789abcdef" * 65536
    vault.create("KEY", {"value": text(value)})
    assert vault.get(name="KEY").value == value


def test_a_closed_vault_says_so(place: Place) -> None:
    vault = place.open()
    vault.close()
    vault.close()
    with pytest.raises(VaultError, match="closed"):
        vault.get(name="KEY")
    with pytest.raises(VaultError, match="closed"):
        vault.delete(name="KEY")


def test_many_in_one_transaction_are_all_there_or_none(vault: Vault, text: Wrap) -> None:
    vault._create_many((f"KEY{number}", {"value": text("v")}) for number in range(20))
    assert len(vault.list()[0]) == 20
    with pytest.raises(SecretExists):
        vault._create_many((name, {"value": text("v")}) for name in ("NEW", "KEY3"))
    assert len(vault.list()[0]) == 20
    vault.verify()
