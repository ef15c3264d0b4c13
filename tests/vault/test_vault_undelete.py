"""What is deleted can be undeleted until it is purged, whatever another environment does with the names."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from secretbridge._credentials import AccountKey
from secretbridge._vault import KeyFile
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._change import DETACHED
from secretbridge._vault._records import ADMINISTERED
from secretbridge.errors import NotEnvironmentSpecific, OutOfScope, SecretLocked, SecretNotFound, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    from secretbridge._vault._change import Change

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores."""
    return str(request.param)


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


def account(
    place: Place,
    owner: AdministeredVault,
    kind: Literal["user", "service"],
    *permissions: str,
    environments: tuple[int, ...] | None = None,
) -> AdministeredVault:
    """The vault as somebody who holds these permissions; all of them without any."""
    key = AccountKey(AccountKey.generate())
    owner.add_principal("ada", kind, key, roles=[], permissions=[], environments=None, expires_at=None)
    roles = () if permissions else ("administrator",)
    owner.change_principal(
        "ada", lambda _, ada: replace(ada, permissions=permissions, roles=roles, environments=environments)
    )
    return AdministeredVault.open(place.location, environment="development", credential=key)


def test_renaming_onto_a_name_leaves_what_another_environment_deleted_under_it(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    there.create("NEW", {"value": text("theirs")})
    there.delete(name="NEW")
    here.create("OLD", {"value": text("ours")})
    here.update({"new_name": "NEW"}, name="OLD")
    found = [there.undelete("NEW").value, here.get(name="NEW").value]
    here.verify()
    assert found == ["theirs", "ours"]


def test_renaming_leaves_what_another_environment_deleted_under_the_old_name(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    for vault, value in ((here, "ours"), (there, "theirs")):
        vault.create("OLD", {"value": text(value)})
    there.delete(name="OLD")
    here.update({"new_name": "NEW"}, name="OLD")
    found = [there.undelete("OLD").value, here.get(name="NEW").value]
    with pytest.raises(SecretNotFound):
        there.get(name="NEW")
    here.verify()
    assert found == ["theirs", "ours"]


def test_renaming_onto_a_name_goes_on_top_of_what_was_deleted_here(
    here: AdministeredVault, text: Wrap
) -> None:
    for name in ("OLD", "NEW"):
        here.create(name, {"value": text(name)})
    here.delete(name="NEW")
    renamed = here.update({"new_name": "NEW"}, name="OLD")
    steps = [(each.version, each.operation, each.deleted) for each in here.history(name="NEW")]
    kept = here.version("NEW", 1).value
    here.verify()
    assert (kept, steps) == (
        "NEW",
        [(renamed.version, "rename", False), (2, "delete", True), (1, "create", False)],
    )


def test_a_secret_that_is_one_environments_alone_keeps_its_id_when_renamed(
    here: AdministeredVault, text: Wrap
) -> None:
    made = here.create("OLD", {"value": text("ours")})
    assert made.id == here.update({"new_name": "NEW"}, name="OLD").id


def test_creating_the_name_of_a_deleted_shared_secret_takes_no_undelete_away(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("everybody's")})
    here.share("KEY", ())
    here.delete(name="KEY")
    here.create("KEY", {"value": text("ours")})
    found = [there.undelete("KEY").value, here.get(name="KEY").value]
    with closing(opened(place, "staging")) as staging:
        found.append(staging.undelete("KEY").value)
        told = [(each.operation, each.shared, each.deleted) for each in staging.history(name="KEY")]
    here.verify()
    assert (found, told) == (
        ["everybody's", "ours", "everybody's"],
        [("undelete", False, False), ("delete", True, True), ("share", True, False)],
    )


def test_renaming_onto_the_name_of_a_deleted_shared_secret_takes_no_undelete_away(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("everybody's")})
    here.share("KEY", ())
    here.delete(name="KEY")
    here.create("OLD", {"value": text("ours")})
    here.update({"new_name": "KEY"}, name="OLD")
    found = [there.undelete("KEY").value, here.get(name="KEY").value]
    here.verify()
    assert found == ["everybody's", "ours"]


@pytest.mark.parametrize("how", ["create", "put", "rename"])
def test_who_is_for_one_environment_does_not_begin_a_deleted_shared_name_anew(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap, how: str
) -> None:
    here.create("KEY", {"value": text("everybody's")})
    here.share("KEY", ())
    here.delete(name="KEY")
    here.create("OLD", {"value": text("ours")})
    with closing(account(place, here, "user", "create", "update_any", environments=(1,))) as ada:
        attempts: dict[str, Callable[[], object]] = {
            "create": lambda: ada.create("KEY", {"value": text("ours")}),
            "put": lambda: ada.put("KEY", {"value": text("ours")}),
            "rename": lambda: ada.update({"new_name": "KEY"}, name="OLD"),
        }
        with pytest.raises(OutOfScope) as refused:
            attempts[how]()
    back = there.undelete("KEY")
    here.verify()
    assert (refused.value.applied, back.value, here.get(name="KEY").value) == (
        False,
        "everybody's",
        "everybody's",
    )


def test_a_purge_in_one_environment_leaves_what_another_can_undelete(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("everybody's")})
    here.share("KEY", ())
    here.delete(name="KEY")
    here.create("KEY", {"value": text("ours")})
    here.delete(name="KEY")
    here.purge(None, older_versions=True, deleted=True)
    here.verify()
    assert there.undelete("KEY").value == "everybody's"


def test_a_shared_secret_is_renamed_onto_a_name_that_was_deleted(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    there.create("NEW", {"value": text("theirs")})
    there.delete(name="NEW")
    here.create("OLD", {"value": text("everybody's")})
    here.share("OLD", ())
    here.update({"new_name": "NEW"}, name="OLD")
    assert there.get(name="NEW").value == "everybody's"
    here.delete(name="NEW")
    back = there.undelete("NEW").value
    first = there.restore("NEW", 1).value
    told = [(each.operation, each.shared) for each in there.history(name="NEW")]
    here.verify()
    assert (back, first, here.get(name="NEW").value, told) == (
        "everybody's",
        "theirs",
        "theirs",
        [
            ("restore", True),
            ("undelete", True),
            ("delete", True),
            ("rename", True),
            ("delete", False),
            ("create", False),
        ],
    )


def test_a_shared_secret_is_renamed_onto_a_name_that_was_shared_and_deleted(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    for name in ("NEW", "OLD"):
        here.create(name, {"value": text(name)})
        here.share(name, ())
    here.delete(name="NEW")
    here.update({"new_name": "NEW"}, name="OLD")
    found = [there.get(name="NEW").value, there.version("NEW", 2).value]
    here.verify()
    assert found == ["OLD", "NEW"]


def test_a_service_account_that_administers_restores_nothing_that_is_shared(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    here.update({"value": text("2")}, name="KEY")
    here.share("KEY", ())
    here.update({"protected": True}, name="KEY")
    with closing(account(place, here, "service")) as robot:
        with pytest.raises(NotEnvironmentSpecific) as restoring:
            robot.restore("KEY", 1)
        here.update({"protected": False}, name="KEY")
        here.delete(name="KEY")
        with pytest.raises(NotEnvironmentSpecific) as undeleting:
            robot.undelete("KEY")
    also: list[tuple[type[VaultError], ...]] = [
        tuple(type(each) for each in refused.value.also) for refused in (restoring, undeleting)
    ]
    assert also == [(SecretLocked,), ()]


def test_a_service_account_that_administers_shares_and_unshares(
    place: Place, here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    with closing(account(place, here, "service")) as robot:
        robot.share("KEY", ())
        seen = there.get(name="KEY").value
        robot.unshare("KEY")
        restored = robot.restore("KEY", 1).value
    assert (seen, restored) == ("1", "1")


def test_a_secret_whose_name_an_earlier_version_gave_away_is_still_reached_by_its_id(
    here: AdministeredVault, text: Wrap
) -> None:
    made = here.create("GONE", {"value": text("v")})
    here.delete(name="GONE")

    def detach(change: Change, operation_id: bytes) -> None:
        row = change.named("GONE")[0]
        assert row is not None
        change._remove_secret(row)
        change._insert_secret(row._replace(name_index=bytes(16), flags=DETACHED))
        change.note(ADMINISTERED, operation_id)

    here._write(detach)
    here.rekey(progress=None, batch=10)
    here.verify()
    with pytest.raises(SecretNotFound):
        here.undelete("GONE")
    assert [each.deleted for each in here.history(id=made.id)] == [True, False]
