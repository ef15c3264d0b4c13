"""Principals, environments and sharing through both faces of the administration."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from secretbridge import (
    AccountKey,
    AsyncVault,
    GrantMissing,
    InvalidRequest,
    Local,
    OutOfScope,
    Passphrase,
    PrincipalInfo,
    SecretBridge,
    SecretInfo,
    Vault,
    VaultLocked,
)
from secretbridge._admin_access import AsyncEnvironments, AsyncPrincipals, Environments, Principals

if TYPE_CHECKING:
    from collections.abc import Callable

    from admin_place import Home
    from pydantic import SecretStr

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


TWINS = ((Environments, AsyncEnvironments), (Principals, AsyncPrincipals))
METHODS = [
    (sync, twin, name) for sync, twin in TWINS for name in sorted(vars(sync)) if not name.startswith("_")
]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def by(home: Home, key: SecretStr, environment: str = "development") -> SecretBridge:
    return SecretBridge(Local(home.location, environment, account_key=key))


@pytest.mark.parametrize(("sync", "twin", "name"), METHODS)
def test_both_faces_of_a_group_are_twins(sync: type, twin: type, name: str) -> None:
    ours, theirs = getattr(sync, name), getattr(twin, name)
    assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters
    assert inspect.getdoc(ours) == inspect.getdoc(theirs) != ""
    assert {each for each in vars(twin) if not each.startswith("_")} == {
        each for each in vars(sync) if not each.startswith("_")
    }


def test_a_key_is_shown_once_and_opens_the_vault_as_its_account_alone(home: Home, admin: Vault) -> None:
    with home.bridge() as bridge:
        bridge.create_secret("KEY", value="one")
    key = admin.principals.add_service_account(
        "deploy",
        permissions=["update_secret_from_service:KEY"],
        environments=["development"],
        expires_at=LATER,
    )
    assert key.get_secret_value().startswith("sbk_")
    assert key.get_secret_value() not in repr(key) + repr(admin.principals.list())
    with by(home, key) as deploy:
        deploy.update_secret("KEY", value="two")
        with pytest.raises(GrantMissing):
            deploy.get_secret("KEY")
        with pytest.raises(GrantMissing):
            deploy.list_secrets()
    with by(home, key, "production") as deploy, pytest.raises(OutOfScope):
        deploy.list_secrets()
    with Vault(home.location, account_key=key) as vault, pytest.raises(GrantMissing):
        vault.principals.add_service_account("mine")
    assert admin.principals.list() == [
        PrincipalInfo(
            name="deploy",
            kind="service",
            roles=(),
            permissions=("update_secret_from_service:KEY",),
            environments=("development",),
            expires_at=LATER,
        )
    ]


def test_what_a_principal_holds_is_given_and_taken(home: Home, admin: Vault) -> None:
    key = admin.principals.add_service_account("a")
    admin.principals.grant("a", "delete", "create")
    admin.principals.assign("a", "reader", "auditor")
    admin.principals.revoke("a", "create")
    admin.principals.unassign("a", "reader")
    admin.principals.set_environments("a", ["test", "development"])
    admin.principals.set_expiry("a", LATER)
    [told] = admin.principals.list()
    assert (told.roles, told.permissions) == (("auditor",), ("delete",))
    assert (told.environments, told.expires_at) == (("development", "test"), LATER)
    admin.principals.set_environments("a", None)
    admin.principals.set_expiry("a", None)
    [told] = admin.principals.list()
    assert (told.environments, told.expires_at) == (None, None)
    renewed = admin.principals.renew_key("a")
    with by(home, key) as old, pytest.raises(VaultLocked):
        old.list_secrets()
    with by(home, renewed) as new:
        assert new.list_secrets() == []
    admin.principals.remove("a")
    assert admin.principals.list() == []
    operations = [entry.operation for entry in admin.audit(after=1)]
    assert operations == ["principal added", *["principal changed"] * 9, "principal removed"]


def test_a_user_opens_the_vault_with_a_credential_of_his_own(home: Home, admin: Vault) -> None:
    admin.principals.add_user("ada", Passphrase("correct horse"), roles=["writer"])
    with SecretBridge(Local(home.location, passphrase="correct horse")) as ada:
        ada.create_secret("KEY", value="one")
        with pytest.raises(GrantMissing):
            ada.get_secret("KEY")
    assert [(entry.operation, entry.principal) for entry in admin.audit(after=2)] == [
        ("create", "ada"),
        ("get", "ada"),
    ]


WRONG: list[Callable[[Vault], Any]] = [
    lambda vault: vault.principals.add_service_account(""),
    lambda vault: vault.principals.add_service_account("owner"),
    lambda vault: vault.principals.add_service_account("a b"),
    lambda vault: vault.principals.add_service_account("there"),
    lambda vault: vault.principals.add_service_account("x", roles="reader"),
    lambda vault: vault.principals.add_service_account("x", roles=["king"]),
    lambda vault: vault.principals.add_service_account("x", permissions=["fly"]),
    lambda vault: vault.principals.add_service_account("x", permissions=["update_secret_from_service:"]),
    lambda vault: vault.principals.add_service_account("x", permissions=[7]),  # type: ignore[list-item] # the point
    lambda vault: vault.principals.add_service_account("x", environments=["moon"]),
    lambda vault: vault.principals.add_service_account("x", expires_at=datetime(2100, 1, 1)),  # noqa: DTZ001 - the point
    lambda vault: vault.principals.add_user("x", "passphrase"),  # type: ignore[arg-type] # the point
    lambda vault: vault.principals.add_user("x", AccountKey(AccountKey.generate())),
    lambda vault: vault.principals.grant("nobody", "delete"),
    lambda vault: vault.principals.grant("there"),
    lambda vault: vault.principals.grant("there", "fly"),
    lambda vault: vault.principals.revoke("there", "delete"),
    lambda vault: vault.principals.assign("there", "king"),
    lambda vault: vault.principals.unassign("there", "reader"),
    lambda vault: vault.principals.set_environments("there", ["moon"]),
    lambda vault: vault.principals.set_environments("there", "test"),
    lambda vault: vault.principals.set_expiry("there", "tomorrow"),  # type: ignore[arg-type] # the point
    lambda vault: vault.principals.renew_key("nobody"),
    lambda vault: vault.principals.remove("nobody"),
    lambda vault: vault.set_audit_reads("sometimes"),  # type: ignore[arg-type] # the point
    lambda vault: vault.share("KEY", drop="production"),
    lambda vault: vault.share(""),
    lambda vault: vault.unshare(""),
    lambda vault: vault.describe(""),
]


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize("attempt", WRONG)
def test_what_cannot_be_is_refused_and_changes_nothing(admin: Vault, attempt: Callable[[Vault], Any]) -> None:
    admin.principals.add_service_account("there")
    before = admin.principals.list()
    with pytest.raises(InvalidRequest):
        attempt(admin)
    assert admin.principals.list() == before


def test_all_that_is_wrong_is_told_at_once(admin: Vault) -> None:
    with pytest.raises(InvalidRequest) as caught:
        admin.principals.add_service_account(
            "a b", roles=["king"], permissions=["fly"], environments=["moon"]
        )
    assert [each.field for each in caught.value.violations] == [
        "roles",
        "permissions",
        "name",
        "environments",
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_does_it_all(home: Home, backend: str) -> None:
    with home.bridge() as bridge:
        made = bridge.create_secret("KEY", value="one")

    async def work() -> None:
        async with AsyncVault(home.location, key_file=home.key) as vault:
            await vault.environments.add("qa")
            await vault.environments.rename("qa", "trial")
            assert (await vault.environments.list())[-1] == "trial"
            key = await vault.principals.add_service_account("a", roles=["reader"])
            await vault.principals.add_user("u", Passphrase("p"), expires_at=LATER)
            await vault.principals.grant("a", "delete")
            await vault.principals.revoke("a", "delete")
            await vault.principals.assign("a", "lister")
            await vault.principals.unassign("a", "reader")
            await vault.principals.set_environments("a", ["trial"])
            await vault.principals.set_expiry("a", datetime.now(UTC) + timedelta(days=1))
            assert (await vault.principals.renew_key("a")) != key
            assert [each.name for each in await vault.principals.list()] == ["a", "u"]
            await vault.principals.remove("a")
            assert (await vault.share("KEY", drop=["production"])).version == 2
            told = await vault.describe("KEY")
            every = ("development", "test", "staging", "production", "trial")
            id_ = made.id or ""
            assert told == SecretInfo(id=id_, name="KEY", shared=True, environments=every, protected=())
            assert (await vault.unshare("KEY")).version == 3
            await vault.set_audit_reads("batched")

    anyio.run(work, backend=backend)
