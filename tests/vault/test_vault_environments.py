"""Environments: a closed set that is extended by those who administer, and chosen by the connection."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from secretbridge import Local, SecretBridge, Vault
from secretbridge.errors import InvalidRequest, SecretNotFound

if TYPE_CHECKING:
    from vault_place import Place

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


FIRST = ["development", "test", "staging", "production"]


def vault(place: Place, environment: str = "development") -> Vault:
    return Vault(place.address, environment, key_file=place.key)


def bridge(place: Place, environment: str) -> SecretBridge:
    return SecretBridge(Local(place.address, environment, key_file=place.key))


def test_a_vault_begins_with_four_environments_and_can_have_more(place: Place) -> None:
    with vault(place) as admin:
        assert admin.environments.list() == FIRST
        admin.environments.add("eu-west.2")
        assert admin.environments.list() == [*FIRST, "eu-west.2"]
        with bridge(place, "eu-west.2") as there, bridge(place, "test") as test:
            there.create_secret("KEY", value="theirs")
            assert there.get_secret("KEY").reveal() == "theirs"
            with pytest.raises(SecretNotFound):
                test.get_secret("KEY")
        assert admin.describe("KEY").environments == ("eu-west.2",)


def test_a_renamed_environment_keeps_what_it_holds_and_who_is_connected(place: Place) -> None:
    with vault(place) as admin, bridge(place, "staging") as there:
        there.create_secret("KEY", value="v")
        admin.environments.rename("staging", "rehearsal")
        assert there.get_secret("KEY").reveal() == "v"
        assert admin.environments.list() == ["development", "test", "rehearsal", "production"]
        with bridge(place, "rehearsal") as again:
            assert again.get_secret("KEY").reveal() == "v"
        with bridge(place, "staging") as gone, pytest.raises(InvalidRequest, match="no environment"):
            gone.get_secret("KEY")
        admin.environments.add("staging")  # another one, with a number of its own
        with bridge(place, "staging") as new:
            assert list(new.iter_secrets()) == []
        assert {entry.environment for entry in admin.audit()} >= {"rehearsal"}


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize("name", ["", "a/b", "shared", "-a", "a" * 65, "a b", "ü", 7, "test"])
def test_what_is_no_name_or_taken_is_refused(place: Place, name: str) -> None:
    with vault(place) as admin:
        with pytest.raises(InvalidRequest):
            admin.environments.add(name)
        with pytest.raises(InvalidRequest):
            admin.environments.rename("staging", name)
        with pytest.raises(InvalidRequest, match="no environment 'qa'"):
            admin.environments.rename("qa", "quality")
        assert admin.environments.list() == FIRST


def test_a_shared_secret_is_seen_in_an_environment_that_was_added_later(place: Place) -> None:
    with vault(place) as admin, bridge(place, "development") as here:
        here.create_secret("KEY", value="v")
        admin.share("KEY")
        admin.environments.add("qa")
        with bridge(place, "qa") as there:
            assert there.get_secret("KEY").reveal() == "v"
            admin.unshare("KEY")
            assert there.get_secret("KEY").version == 3
        admin.environments.add("later")
        with bridge(place, "later") as later, pytest.raises(SecretNotFound):
            later.get_secret("KEY")


def test_an_unknown_environment_is_refused_without_repeating_it(place: Place) -> None:
    with closing(vault(place)) as admin:
        admin.environments.list()
        with pytest.raises(InvalidRequest) as caught:
            vault(place, "sk_live_pasted_here").environments.list()
        assert "sk_live" not in str(caught.value)
