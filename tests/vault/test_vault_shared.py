"""Shared secrets: one value in all environments, switched on and off with consent, and never mixed up."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from secretbridge._vault import KeyFile, _sealed
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import (
    InvalidRequest,
    SecretExists,
    SecretLocked,
    SecretNotFound,
    VaultDamaged,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ENVIRONMENTS = ("development", "test", "staging", "production")


def opened(place: Place, environment: str = "development") -> AdministeredVault:
    return AdministeredVault.open(place.location, environment=environment, credential=KeyFile(place.key))


@pytest.fixture
def here(place: Place) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        yield vault


@pytest.fixture
def there(place: Place, here: AdministeredVault) -> Iterator[AdministeredVault]:
    assert here._environment == 1
    with closing(opened(place, "production")) as vault:
        yield vault


def values(place: Place, name: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for environment in ENVIRONMENTS:
        with closing(opened(place, environment)) as vault:
            found[environment] = None
            with suppress(SecretNotFound):
                found[environment] = vault.get(name=name).value
    return found


def names(vault: AdministeredVault) -> list[str]:
    return [record.name for record in vault.list()[0]]


def test_a_shared_secret_has_one_value_everywhere(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    made = here.create("KEY", {"value": text("one"), "description": "d"})
    assert here.share("KEY", ()).version == 2
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS, "one")
    assert there.get(id=made.id) == here.get(id=made.id) == there.get(name="KEY")
    there.update({"value": text("two")}, name="KEY")
    assert here.get(name="KEY").value == "two"
    here.put("KEY", {"value": text("three")})
    assert (there.get(name="KEY").value, there.get(name="KEY").version) == ("three", 4)
    assert names(here) == names(there) == ["KEY"]
    with pytest.raises(SecretExists):
        there.create("KEY", {"value": text("own")})
    there.delete(name="KEY")
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS)
    assert names(here) == []
    here.verify()


def test_sharing_asks_before_the_values_of_others_are_lost(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("one")})
    there.create("KEY", {"value": text("other")})
    with closing(opened(place, "test")) as same:
        same.create("KEY", {"value": text("one")})
    with closing(opened(place, "staging")) as third:
        third.create("KEY", {"value": text("one"), "description": "differs"})
    with pytest.raises(InvalidRequest) as caught:
        here.share("KEY", ())
    assert [violation.problem for violation in caught.value.violations] == [
        "the value of 'KEY' in staging differs and would be lost",
        "the value of 'KEY' in production differs and would be lost",
    ]
    with pytest.raises(InvalidRequest, match="in production differs"):
        here.share("KEY", ["staging"])
    assert values(place, "KEY")["production"] == "other"
    with pytest.raises(InvalidRequest, match="no environment 'qa'"):
        here.share("KEY", ["qa"])
    here.share("KEY", ["staging", "production"])
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS, "one")
    assert [(step.version, step.shared) for step in there.history(name="KEY")] == [(2, True), (1, False)]
    assert there.version("KEY", 1).value == "other"
    assert here.version("KEY", 1).value == "one"
    there.restore("KEY", 1)
    assert here.get(name="KEY").value == "other"
    here.verify()


def test_unsharing_gives_every_environment_a_copy(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    made = here.create("KEY", {"value": text("one")})
    here.share("KEY", ())
    there.update({"value": text("two")}, name="KEY")
    record = there.unshare("KEY")
    assert (record.id, record.version) == (made.id, 4)
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS, "two")
    there.update({"value": text("own")}, name="KEY")
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS, "two") | {"production": "own"}
    told = [(step.version, step.operation, step.shared) for step in here.history(name="KEY")]
    assert told == [(4, "unshare", False), (3, "update", True), (2, "share", True), (1, "create", False)]
    assert [there.version("KEY", number).value for number in (5, 4, 3, 2)] == ["own", "two", "two", "one"]
    here.verify()
    for _ in range(2):  # and again: versions go on
        here.share("KEY", ["production"])
        here.unshare("KEY")
    versions = [step.version for step in there.history(name="KEY")]
    assert versions == sorted(set(versions), reverse=True)
    here.verify()


def test_what_is_so_already_is_refused(here: AdministeredVault, text: Wrap) -> None:
    here.create("KEY", {"value": text("one")})
    with pytest.raises(InvalidRequest, match="is environment-specific already"):
        here.unshare("KEY")
    here.share("KEY", ())
    with pytest.raises(InvalidRequest, match="is shared already"):
        here.share("KEY", ())
    for switch in (lambda: here.share("NONE", ()), lambda: here.unshare("NONE"), lambda: here.describe("NO")):
        with pytest.raises(SecretNotFound):
            switch()


def test_a_protected_secret_is_not_switched(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("one")})
    there.create("KEY", {"value": text("one"), "protected": True})
    with pytest.raises(SecretLocked):
        here.share("KEY", ())
    there.update({"protected": False}, name="KEY")
    here.share("KEY", ())
    here.update({"protected": True}, name="KEY")
    assert here.describe("KEY").protected == ENVIRONMENTS
    with pytest.raises(SecretLocked):
        there.unshare("KEY")
    assert there.get(name="KEY").value == "one"


def test_a_deleted_shared_secret_is_undeleted_or_begins_anew_as_specific(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("one")})
    here.share("KEY", ())
    there.delete(name="KEY")
    assert here.undelete("KEY").version == 4
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS, "one")
    here.delete(name="KEY")
    with pytest.raises(SecretNotFound):
        here.describe("KEY")
    made = there.create("KEY", {"value": text("own")})
    assert made.version == 6
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS) | {"production": "own"}
    assert here.put("KEY", {"value": text("mine")}).version == 6
    assert not here.describe("KEY").shared
    assert here.describe("KEY").environments == ("development", "production")
    here.verify()


def test_a_shared_secret_is_renamed_for_all_and_onto_nobodys_value(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    made = here.create("OLD", {"value": text("one")})
    there.create("TAKEN", {"value": text("theirs")})
    here.share("OLD", ())
    with pytest.raises(SecretExists):
        here.update({"new_name": "TAKEN"}, name="OLD")
    assert here.update({"new_name": "NEW"}, name="OLD").id == made.id
    assert values(place, "NEW") == dict.fromkeys(ENVIRONMENTS, "one")
    assert values(place, "OLD") == dict.fromkeys(ENVIRONMENTS)
    with pytest.raises(SecretExists):
        there.update({"new_name": "NEW"}, name="TAKEN")
    there.verify()
    here.delete(name="NEW")
    there.update({"new_name": "NEW"}, name="TAKEN")  # nobody holds it any more
    assert values(place, "NEW") == dict.fromkeys(ENVIRONMENTS) | {"production": "theirs"}
    there.verify()


def test_one_of_several_values_moves_onto_a_name_that_was_shared(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("GONE", {"value": text("g")})
    here.share("GONE", ())
    here.delete(name="GONE")
    here.create("KEY", {"value": text("here")})
    there.create("KEY", {"value": text("there")})
    moved = here.update({"new_name": "GONE"}, name="KEY")
    assert moved.version > 3
    assert values(place, "GONE") == dict.fromkeys(ENVIRONMENTS) | {"development": "here"}
    assert values(place, "KEY") == dict.fromkeys(ENVIRONMENTS) | {"production": "there"}
    here.verify()


def test_listings_and_expiries_hold_shared_secrets_once(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    for number in range(6):
        here.create(f"KEY{number}", {"value": text("v"), "expires_at": soon})
    for number in (0, 2, 3, 5):
        here.share(f"KEY{number}", ())
    there.unshare("KEY3")
    there.create("OWN", {"value": text("v")})
    for vault, expected in (
        (here, [f"KEY{number}" for number in range(6)]),
        (there, ["KEY0", "KEY2", "KEY3", "KEY5", "OWN"]),
    ):
        for limit in (1, 2, 3, 100):
            found: list[str] = []
            cursor: str | None = None
            while True:
                page, cursor = vault.list(after=cursor, limit=limit)
                found += [record.name for record in page]
                if cursor is None:
                    break
            assert found == expected
    assert [record.name for record in there.expiring(timedelta(days=1))] == ["KEY0", "KEY2", "KEY3", "KEY5"]


SWAPPED = (
    "UPDATE value SET environment = 99 WHERE environment = 0",
    "UPDATE value SET environment = 0 WHERE environment = 1",
    "UPDATE value SET environment = 1 WHERE environment = 99",
)
TAMPERED = [
    # how the secret stands, what is done to the file, and where that shows
    ("specific", ["UPDATE secret SET flags = flags | 2"], ENVIRONMENTS),
    ("shared", ["UPDATE secret SET flags = flags & ~2"], ENVIRONMENTS),
    ("shared", ["UPDATE value SET environment = 9 WHERE environment = 0"], ENVIRONMENTS),
    ("shared", ["DELETE FROM value WHERE environment = 0"], ENVIRONMENTS),
    ("shared", SWAPPED, ENVIRONMENTS),
    ("unshared", ["UPDATE secret SET flags = flags | 2"], ENVIRONMENTS),
    ("unshared", SWAPPED, ENVIRONMENTS[:1]),
]


@pytest.mark.parametrize(("state", "statements", "shows"), TAMPERED)
def test_a_flag_or_a_place_that_was_tampered_with_gives_no_value(
    place: Place, text: Wrap, state: str, statements: list[str], shows: tuple[str, ...]
) -> None:
    with closing(opened(place)) as vault:
        vault.create("KEY", {"value": text("one")})
        if state != "specific":
            vault.share("KEY", ())
            vault.update({"value": text("two")}, name="KEY")
        if state == "unshared":
            vault.unshare("KEY")
            vault.update({"value": text("three")}, name="KEY")
    for statement in statements:
        place.sql(statement)
    for environment in shows:
        with closing(opened(place, environment)) as vault:
            attempts: list[Callable[[], object]] = [
                vault.verify,
                lambda vault=vault: vault.get(name="KEY"),  # type: ignore[misc] # bound now
                lambda vault=vault: vault.update({"value": text("x")}, name="KEY"),  # type: ignore[misc] # same
                lambda vault=vault: vault.history(name="KEY"),  # type: ignore[misc] # same
            ]
            for attempt in attempts:
                with pytest.raises(VaultDamaged):
                    attempt()


def test_the_audit_trail_tells_of_each_place_that_a_switch_changed(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("one")})
    there.create("KEY", {"value": text("one")})
    here.share("KEY", ())
    here.unshare("KEY")
    told = [(entry.operation, entry.environment) for entry in here.audit(3)]
    assert told == [
        ("share", "development"), ("share", "production"), ("share", "shared"),
        ("unshare", "development"), ("unshare", "test"), ("unshare", "staging"), ("unshare", "production"),
        ("unshare", "shared"),
    ]  # fmt: skip


def kept(vault: AdministeredVault) -> list[int]:
    """The versions of KEY whose content is kept, as an environment sees them."""
    return [each.version for each in vault.history(name="KEY") if not each.purged and not each.deleted]


def test_retention_counts_an_environments_own_and_the_shared_versions_together(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.set_retention(2, None)
    here.create("KEY", {"value": text("1")})
    for value in ("2", "3"):
        here.update({"value": text(value)}, name="KEY")
    seen = [kept(here)]
    here.share("KEY", ())
    seen.append(kept(here))
    here.update({"value": text("5")}, name="KEY")
    seen.append(kept(here))
    here.unshare("KEY")
    seen.append(kept(here))
    for environment in ENVIRONMENTS:  # the shared one stays as long as it counts in any of them
        with closing(opened(place, environment)) as vault:
            vault.update({"value": text("7")}, name="KEY")
            seen.append(kept(vault))
    here.verify()
    assert seen == [[3, 2], [4, 3], [5, 4], [6, 5], [7, 6, 5], [7, 6, 5], [7, 6, 5], [7, 6]]


def test_retention_by_age_drops_what_sharing_replaced_long_ago(
    here: AdministeredVault, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.set_retention(None, 1)
    here.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    before = kept(here)
    now = _sealed.now
    monkeypatch.setattr(_sealed, "now", lambda: now() + 2 * 86_400_000_000)
    here.update({"value": text("2")}, name="KEY")
    here.verify()
    assert (before, kept(here)) == ([2, 1], [3, 2])
