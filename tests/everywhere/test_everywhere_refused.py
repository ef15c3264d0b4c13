"""What cannot be done is refused as a whole, before anything is sent anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from everywhere_stores import FACES, NAME, NEW, OLD, Stores, everywhere, stores

from secretbridge import (
    AsyncSecretBridge,
    Dotenv,
    Environment,
    InsForge,
    InvalidRequest,
    IoNet,
    Local,
    SecretBridge,
    Wix,
    update_everywhere,
    update_everywhere_async,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["stores"]


def refused(targets: object, **arguments: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        update_everywhere(NAME, targets=targets, **{"value": NEW, **arguments})  # type: ignore[arg-type]  # some are wrong
    assert caught.value.applied is False
    assert caught.value.__context__ is None
    return [str(one) for one in caught.value.violations]


@FACES
def test_where_one_target_cannot_hold_the_change_nothing_is_sent(stores: Stores, face: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        everywhere(face, stores, ["wix", "insforge", "ionet", "vault"], value=NEW, description="d")
    assert [one.field for one in caught.value.violations] == ["InsForge: description", "io.net: description"]
    assert stores.wix.calls + stores.insforge.calls + stores.ionet.calls == []
    assert stores.value("vault") == OLD


def test_limits_and_what_a_provider_checks_itself_count_too(stores: Stores) -> None:
    with pytest.raises(InvalidRequest) as caught:
        everywhere("blocking", stores, ["wix", "ionet", "appfarm"], name="X", value="abc")
    assert [one.field for one in caught.value.violations] == ["io.net: value", "Appfarm: name"]


def test_a_store_that_is_only_read_is_refused_by_what_it_lacks(stores: Stores) -> None:
    (told,) = refused([Environment(), stores.provider("vault")])
    assert told.startswith(
        "the environment: the environment has no update (the environment is only read here"
    )


def test_where_every_target_would_be_left_out_it_is_refused_all_the_same() -> None:
    (told,) = refused([Environment()], leave_out_unfit=True)
    assert "has no update" in told


def test_everything_that_is_wrong_is_told_at_once(stores: Stores, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[connections.one]\nprovider = "local"\n')
    config.chmod(0o600)
    wrong = refused(
        ["nowhere", 7, Local, ("one",), ("one", 3), AsyncSecretBridge(stores.provider("vault"))],
        active="yes",
        on_failure="undo",
        config=config,
    )
    kinds = "(give a connection's name, a bridge, a provider, or (one of these, the secret's name there))"
    assert wrong == [
        "active: is not True or False (give a bool)",
        'on_failure: is not known (give "keep" or "restore")',
        f"targets[0] (nowhere): no connection has this name (known are one ({config}))",
        f"targets[1]: is no target {kinds}",
        f"targets[2]: is no target {kinds}",
        f"targets[3]: is no pair of target and name {kinds}",
        f"targets[4]: is no pair of target and name {kinds}",
        "targets[5]: is an AsyncSecretBridge (give a SecretBridge, or use update_everywhere_async)",
    ]


@pytest.mark.parametrize("targets", ["prod-wix", b"prod-wix", None, 3])
def test_what_is_no_list_of_targets_is_refused(targets: object) -> None:
    assert refused(targets) == ['targets: is not a list of targets (for example ["prod-wix", "vault"])']


def test_no_targets_are_refused() -> None:
    assert refused([]) == ["targets: is empty (name at least one target)"]


def test_a_change_of_nothing_is_refused(stores: Stores) -> None:
    with pytest.raises(InvalidRequest, match="nothing is to be changed"):
        update_everywhere(NAME, targets=[stores.provider("vault")])


@pytest.mark.parametrize("name", ["", None, 3])
def test_what_is_no_name_is_refused(stores: Stores, name: Any) -> None:
    with pytest.raises(InvalidRequest, match="name: is not a name"):
        update_everywhere(name, targets=[stores.provider("vault")], value=NEW)


def test_the_other_kind_of_bridge_is_refused_on_the_asynchronous_face(stores: Stores) -> None:
    async def work() -> None:
        targets: Any = [SecretBridge(stores.provider("vault"))]
        await update_everywhere_async(NAME, targets=targets, value=NEW)

    with pytest.raises(InvalidRequest, match="give an AsyncSecretBridge, or use update_everywhere"):
        anyio.run(work)


SITE = "5a1e0000-0000-4000-8000-000000000001"


@pytest.mark.parametrize("kind", ["vault", "dotenv", "wix", "insforge", "ionet", "appfarm"])
def test_the_same_store_twice_is_refused(stores: Stores, kind: str) -> None:
    (told,) = refused([stores.provider(kind), stores.provider(kind)])
    assert "changes 'STRIPE_KEY' of the same store twice (name each secret once)" in told


def test_the_same_target_twice_is_refused(stores: Stores) -> None:
    provider = stores.provider("vault")
    (told,) = refused([provider, SecretBridge(provider)])
    assert "of the same store twice" in told
    (told,) = refused(["vault", "vault"])
    assert "of the same store twice" in told


class Silent(Dotenv):
    """A store that does not tell which one it is, as one of another package may not."""

    @property
    def store(self) -> str:
        return ""


def test_of_stores_that_do_not_tell_which_they_are_each_is_another_one(stores: Stores) -> None:
    one, other = Silent(stores.folder / "x.env"), Silent(stores.folder / "y.env")
    (told,) = refused([one, SecretBridge(one)])
    assert "changes 'STRIPE_KEY' of the same store twice" in told
    with SecretBridge(other) as bridge:
        bridge.create_secret(NAME, value=OLD)
    result = update_everywhere(NAME, targets=[one, other], value=NEW)
    assert (len(result.updated), one.path.read_text(), other.path.read_text()) == (
        2,
        f"{NAME}={NEW}\n",
        f"{NAME}={NEW}\n",
    )


def test_one_file_by_two_ways_is_the_same_store(stores: Stores) -> None:
    (stores.folder / "link").symlink_to(stores.folder)
    again = Local(stores.folder / "link" / "vault.db", key_file=stores.folder / "vault.key")
    (told,) = refused([stores.provider("vault"), again])
    assert "of the same store twice" in told


def test_two_secrets_of_one_store_cannot_get_one_name(stores: Stores) -> None:
    provider = stores.provider("vault")
    (told,) = refused([(provider, "A"), (provider, "B")], value=NEW, new_name="C")
    assert told.startswith("targets (the vault:B): gives two secrets of the same store the name 'C'")


@pytest.mark.parametrize(
    "other",
    [
        IoNet(api_key="another-key"),
        IoNet(api_key=lambda: "ionet-key"),
        Wix(api_key="IST.wix-key", site_id="5a1e0000-0000-4000-8000-000000000009"),
        InsForge("https://other.insforge.app", api_key="k"),
    ],
)
def test_another_account_site_or_project_is_another_store(stores: Stores, other: Any) -> None:
    provider = stores.provider(other.capabilities.provider)
    with pytest.raises(InvalidRequest) as caught:
        update_everywhere(NAME, targets=[provider, other])
    assert [str(one) for one in caught.value.violations] == [
        "nothing is to be changed (give at least one field)"
    ]


def test_another_environment_of_a_vault_is_another_store(stores: Stores) -> None:
    other = Local(stores.folder / "vault.db", "production", key_file=stores.folder / "vault.key")
    with SecretBridge(other) as bridge:
        bridge.put_secret(NAME, value=OLD)
        update_everywhere(NAME, targets=[stores.provider("vault"), other], value=NEW)
        assert bridge.get_secret(NAME).reveal() == NEW


def test_a_refused_call_leaves_what_it_opened_closed(stores: Stores) -> None:
    provider = stores.provider("vault")
    refused([provider, 7])
    assert not (stores.folder / "vault.db-wal").exists()
