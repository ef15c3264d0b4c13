"""The embedded vault behind the faces."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from pydantic import SecretStr

import secretbridge
from secretbridge import (
    AsyncSecretBridge,
    Conflict,
    InvalidRequest,
    Local,
    Secret,
    SecretBridge,
    SecretExpired,
    SecretLocked,
    SecretNotFound,
    SecretProtected,
    VaultLocked,
)

if TYPE_CHECKING:
    from pathlib import Path

    from postgres_server import Server


class Place(NamedTuple):
    """Where a test's vault and its key file are."""

    folder: Path
    location: Path | str


def at(place: Place, environment: str = "development") -> Local:
    return Local(place.location, environment, key_file=place.folder / "vault.key")


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Place:
    folder = tmp_path / "place"
    folder.mkdir(mode=0o700)
    if kind == "sqlite":
        return Place(folder, folder / "vault.db")
    server: Server = request.getfixturevalue("postgres")
    return Place(folder, server.url())


def test_the_one_shot_changes_one_secret_and_closes_again(place: Place) -> None:
    with SecretBridge(at(place)) as bridge:
        bridge.create_secret("NAME", value="one", description="d")
    changed = secretbridge.update_secret(at(place), "NAME", value="two", verify=True)
    assert (changed.verified, changed.reveal(), changed.description) == (True, "two", "d")


def test_the_three_meanings_of_an_update(place: Place) -> None:
    with SecretBridge(at(place)) as bridge:
        moment = datetime(2035, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        bridge.create_secret("NAME", value="one", description="d", expires_at=moment)
        assert bridge.update_secret("NAME", value="two").description == "d"
        assert bridge.get_secret("NAME").expires_at == moment
        assert bridge.update_secret("NAME", expires_at=None).description == "d"
        assert bridge.update_secret("NAME", description=None).expires_at is None
        assert bridge.get_secret("NAME").reveal() == "two"


def test_compare_and_set_is_kept(place: Place) -> None:
    with SecretBridge(at(place)) as bridge:
        version = bridge.create_secret("NAME", value="one").version
        assert version == 1
        assert bridge.update_secret("NAME", value="two", if_version=version).version == 2
        with pytest.raises(Conflict) as caught:
            bridge.update_secret("NAME", value="three", if_version=version)
        assert (caught.value.current_version, caught.value.applied) == (2, False)


def test_protected_is_one_error_at_every_store(place: Place) -> None:
    with SecretBridge(at(place)) as bridge:
        bridge.create_secret("NAME", value="one", protected=True)
        with pytest.raises(SecretProtected) as caught:
            bridge.update_secret("NAME", value="two")
        assert isinstance(caught.value, SecretLocked)
        bridge.update_secret("NAME", protected=False)
        bridge.update_secret("NAME", value="two")


def test_inactive_and_expired_secrets_are_listed_and_verified_but_not_handed_out(place: Place) -> None:
    with SecretBridge(at(place)) as bridge:
        bridge.create_secret("NAME", value="one")
        assert bridge.update_secret("NAME", active=False, verify=True).verified is True
        with pytest.raises(SecretNotFound, match="active"):
            bridge.get_secret("NAME")
        bridge.update_secret("NAME", active=True, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        with pytest.raises(SecretExpired):
            bridge.get_secret("NAME")
        assert bridge.update_secret("NAME", value="two", verify=True).verified is None
        assert [secret.name for secret in bridge.iter_secrets(page_size=1)] == ["NAME"]


def test_environments_are_apart(place: Place) -> None:
    with SecretBridge(at(place)) as one, SecretBridge(at(place, "production")) as other:
        one.create_secret("NAME", value="one")
        assert other.list_secrets() == []
        other.put_secret("NAME", value="other")
        one.delete_secret("NAME")
        assert other.get_secret("NAME").reveal() == "other"


@pytest.mark.parametrize("kind", ["sqlite"])  # a passphrase is asked for before any store
@pytest.mark.parametrize("passphrase", ["words", SecretStr("words"), lambda: "words"])
def test_a_passphrase_may_be_given_in_three_ways(place: Place, passphrase: str) -> None:
    with SecretBridge(Local(place.location, passphrase="words")) as bridge:
        bridge.create_secret("NAME", value="one")
    with SecretBridge(Local(place.location, passphrase=passphrase)) as bridge:
        assert bridge.get_secret("NAME").reveal() == "one"
    with SecretBridge(Local(place.location, passphrase="other words")) as bridge:
        with pytest.raises(VaultLocked) as caught:
            bridge.get_secret("NAME")
        assert "words" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sqlite"])  # a folder is looked at
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"passphrase": "a", "key_file": "b"}, "passphrase"),
        ({"passphrase": ""}, "passphrase"),
        ({"passphrase": SecretStr("")}, "passphrase"),
        ({"passphrase": 7}, "passphrase"),
        ({"passphrase": lambda: ""}, "passphrase"),
        ({"passphrase": lambda: b"words"}, "passphrase"),
        ({"location": ""}, "location"),
        ({"location": 7}, "location"),
        ({"location": "a\0b"}, "location"),
        ({"location": "mysql://localhost/vault"}, "location"),
        ({"location": "postgresql://a:b/c@localhost/vault"}, "location"),
        ({"key_file": b"bytes"}, "key_file"),
        ({"environment": ""}, "environment"),
        ({"environment": "moon"}, "environment"),
    ],
)
def test_what_is_wrong_with_a_vault_is_said_by_name(
    place: Place, arguments: dict[str, object], field: str
) -> None:
    whole = {"location": place.location, "key_file": place.folder / "key", **arguments}
    if "passphrase" in arguments and "key_file" not in arguments:
        del whole["key_file"]
    with pytest.raises(InvalidRequest, match=field), SecretBridge(Local(**whole)) as bridge:  # type: ignore[arg-type]  # wrong on purpose
        bridge.list_secrets()
    assert [path.name for path in place.folder.iterdir()] in ([], ["vault.db.lock"])


def test_a_passphrase_callable_that_fails_tells_its_class_alone(place: Place) -> None:
    def broken() -> str:
        raise LookupError("words of the passphrase")

    with SecretBridge(Local(place.location, passphrase=broken)) as bridge:
        with pytest.raises(VaultLocked, match="raised LookupError") as caught:
            bridge.list_secrets()
        assert (caught.value.__context__, caught.value.__cause__) == (None, None)


def test_the_provider_shows_its_place_and_nothing_else() -> None:
    assert repr(Local("here.db", "test", passphrase="words")) == "Local('here.db', 'test')"
    assert repr(Local()) == "Local(None, 'development')"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Local(passphrase="words"))


def test_many_threads_share_one_bridge(place: Place) -> None:
    with SecretBridge(at(place)) as bridge, ThreadPoolExecutor(8) as pool:
        bridge.create_secret("NAME", value="0")
        versions = list(
            pool.map(lambda number: bridge.update_secret("NAME", value=str(number)).version, range(40))
        )
        assert sorted(version or 0 for version in versions) == list(range(2, 42))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_tasks_share_one_bridge_and_no_work_is_done_on_the_loop(place: Place, backend: str) -> None:
    versions: list[int | None] = []

    async def work() -> None:
        async with AsyncSecretBridge(at(place)) as bridge:
            await bridge.create_secret("NAME", value="0")

            async def change(number: int) -> None:
                versions.append((await bridge.update_secret("NAME", value=str(number))).version)

            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(change, number)
            assert [secret.version async for secret in bridge.iter_secrets()] == [21]

    anyio.run(work, backend=backend)
    assert sorted(version or 0 for version in versions) == list(range(2, 22))
    assert threading.main_thread() is threading.current_thread()


def test_the_blocking_face_works_inside_a_running_event_loop(place: Place) -> None:
    async def notebook() -> str:
        with SecretBridge(at(place)) as bridge:
            bridge.put_secret("NAME", value="one")
            return bridge.get_secret("NAME").reveal()

    assert anyio.run(notebook) == "one"


class Shouting(Local):
    """A store of somebody's own that changes two verbs, as its author knows them."""

    async def get(self, channel: Any, target: Any) -> Secret:
        secret = await super().get(channel, target)
        return replace(secret, description="seen")

    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        changes = dict(changes, description="changed")
        return await super().update(channel, target, changes, **more)


def test_a_verb_that_a_subclass_changes_is_changed_on_both_faces(place: Place) -> None:
    def store() -> Local:
        return Shouting(place.location, key_file=place.folder / "vault.key")

    async def awaited() -> tuple[str | None, str | None]:
        async with AsyncSecretBridge(store()) as bridge:
            updated = await bridge.update_secret("NAME", value="three")
            return updated.description, (await bridge.get_secret("NAME")).description

    with SecretBridge(store()) as bridge:
        bridge.create_secret("NAME", value="one")
        updated = bridge.update_secret("NAME", value="two")
        blocking = updated.description, bridge.get_secret("NAME").description
    assert [blocking, anyio.run(awaited)] == [("changed", "seen")] * 2
