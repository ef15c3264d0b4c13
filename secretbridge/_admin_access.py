"""Who may do what in the embedded vault: its environments and its principals. Both faces."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from secretbridge._credentials import KINDS, AccountKey
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pydantic import SecretStr

    from secretbridge._credentials import Credential
    from secretbridge._trail import PrincipalInfo
    from secretbridge._vault._administered import AdministeredVault
    from secretbridge._vault._policy import Policy, Principal

__all__ = ["AsyncEnvironments", "AsyncPrincipals", "Environments", "Principals"]

T = TypeVar("T")


class Environments:
    """The environments of a vault: a closed set that can be extended. Reached by ``vault.environments``.

    None can be removed.
    """

    __slots__ = ("_vault",)

    def __init__(self, vault: Callable[[], AdministeredVault]) -> None:
        self._vault = vault

    def list(self) -> list[str]:
        """Give their names, in the order they were made.

        Raises:
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().environments()

    def add(self, name: str) -> None:
        """Add one; it holds nothing yet but what is shared.

        Args:
            name: 1 to 64 letters, digits, dots, hyphens and underscores; "shared" is none.

        Raises:
            InvalidRequest: the name is malformed or taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(_text("name", name))
        self._vault().add_environment(name)

    def rename(self, old: str, new: str) -> None:
        """Give one another name; what it holds stays, and whoever is connected to it stays connected.

        Args:
            old: its name.
            new: as for :meth:`add`.

        Raises:
            InvalidRequest: there is none of the old name, or the new one is malformed or taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(_text("old", old) + _text("new", new))
        self._vault().rename_environment(old, new)


class Principals:
    """Users and service accounts of a vault, beside its owner. Reached by ``vault.principals``.

    Changes hold at once, also in other processes that have the vault open. All but :meth:`list` need the
    permission ``administer``.
    """

    __slots__ = ("_vault",)

    def __init__(self, vault: Callable[[], AdministeredVault]) -> None:
        self._vault = vault

    def list(self) -> list[PrincipalInfo]:
        """Give everybody beside the owner, in the order they were added.

        Raises:
            GrantMissing: this needs the permission ``administer`` or ``read_audit``.
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().principals()

    def add_user(
        self,
        name: str,
        credential: Credential,
        *,
        roles: Collection[str] = (),
        permissions: Collection[str] = (),
        environments: Collection[str] | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Add a user, who opens the vault with a credential of his own.

        Args:
            name: unique; 1 to 100 letters, digits and any of ``. _ @ + -``.
            credential: a Passphrase (costs one key derivation), KeyFile (created if absent), EnvironmentKey,
                KeyringKey or ExternalKey that opens this vault for nobody else.
            roles: names of roles.
            permissions: what is granted beside the roles.
            environments: those that he may connect to, or None for all.
            expires_at: a moment with a zone, from when on he may do nothing, or None.

        Raises:
            InvalidRequest: an argument is malformed, or the name is taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(
            _text("name", name)
            + _credential(credential)
            + _many(roles, permissions, environments)
            + _moment(expires_at)
        )
        self._vault().add_principal(
            name,
            "user",
            credential,
            roles=roles,
            permissions=permissions,
            environments=environments,
            expires_at=expires_at,
        )

    def add_service_account(
        self,
        name: str,
        *,
        roles: Collection[str] = (),
        permissions: Collection[str] = (),
        environments: Collection[str] | None = None,
        expires_at: datetime | None = None,
    ) -> SecretStr:
        """Add a service account and give its key, which is shown this once and cannot be had again.

        Args:
            name: as for :meth:`add_user`.
            roles: names of roles.
            permissions: what is granted beside the roles, such as ``update_secret_from_service:STRIPE_KEY``.
            environments: those that it may connect to, or None for all.
            expires_at: a moment with a zone, from when on it may do nothing, or None.

        Returns:
            The key, ``sbk_`` and 48 characters, for ``Local(account_key=...)``.

        Raises:
            InvalidRequest: an argument is malformed, or the name is taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(_text("name", name) + _many(roles, permissions, environments) + _moment(expires_at))
        key = AccountKey.generate()
        self._vault().add_principal(
            name,
            "service",
            AccountKey(key),
            roles=roles,
            permissions=permissions,
            environments=environments,
            expires_at=expires_at,
        )
        return key

    def renew_key(self, name: str) -> SecretStr:
        """Give a service account a new key, shown this once; the one before opens the vault no longer.

        A process that has the vault open by the old key keeps it open until it closes it.

        Args:
            name: the service account's.

        Raises:
            InvalidRequest: there is no service account of this name.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(_text("name", name))
        key = AccountKey.generate()
        self._vault().renew_key(name, AccountKey(key))
        return key

    def grant(self, name: str, *permissions: str) -> None:
        """Give permissions.

        Args:
            name: the user's or service account's.
            permissions: ``list_names``, ``read_values``, ``create``, ``update_any``, ``delete``,
                ``administer``, ``read_audit`` or ``update_secret_from_service:NAME``.

        Raises:
            InvalidRequest: there is nobody of this name, or no such permission.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        self._grants(name, grant=permissions)

    def revoke(self, name: str, *permissions: str) -> None:
        """Take permissions away; what a role holds goes with the role alone.

        Args:
            name: the user's or service account's.
            permissions: as for :meth:`grant`.

        Raises:
            InvalidRequest: there is nobody of this name, or such a permission was not granted.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        self._grants(name, revoke=permissions)

    def assign(self, name: str, *roles: str) -> None:
        """Give roles.

        Args:
            name: the user's or service account's.
            roles: ``lister``, ``reader``, ``writer``, ``auditor`` or ``administrator``.

        Raises:
            InvalidRequest: there is nobody of this name, or no such role.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        self._grants(name, assign=roles)

    def unassign(self, name: str, *roles: str) -> None:
        """Take roles away.

        Args:
            name: the user's or service account's.
            roles: as for :meth:`assign`.

        Raises:
            InvalidRequest: there is nobody of this name, or without such a role.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        self._grants(name, unassign=roles)

    def set_environments(self, name: str, environments: Collection[str] | None) -> None:
        """Say which environments somebody may connect to.

        Args:
            name: the user's or service account's.
            environments: their names, or None for all.

        Raises:
            InvalidRequest: there is nobody of this name, or no such environment.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        from secretbridge._vault._principals import environment_numbers

        _refuse(_text("name", name) + _many((), (), environments))

        def change(policy: Policy, principal: Principal) -> Principal:
            numbers = environments
            scope = None if numbers is None else environment_numbers(policy, numbers, "environments")
            return replace(principal, environments=scope)

        self._vault().change_principal(name, change)

    def set_expiry(self, name: str, expires_at: datetime | None) -> None:
        """Say until when somebody may do anything.

        Args:
            name: the user's or service account's.
            expires_at: a moment with a zone, or None for ever.

        Raises:
            InvalidRequest: there is nobody of this name, or it is no such moment.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        from secretbridge._vault._records import microseconds

        _refuse(_text("name", name) + _moment(expires_at))
        until = None if expires_at is None else microseconds(expires_at)
        self._vault().change_principal(name, lambda _, principal: replace(principal, expires_at=until))

    def remove(self, name: str) -> None:
        """Remove somebody and what opens the vault for him; processes that have it open are refused at once.

        Args:
            name: the user's or service account's; the audit trail goes on telling it, and it can be given
                again.

        Raises:
            InvalidRequest: there is nobody of this name.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        _refuse(_text("name", name))
        self._vault().remove_principal(name)

    def _grants(self, name: str, **changes: Collection[str]) -> None:
        from secretbridge._vault._principals import with_grants

        _refuse(_text("name", name))
        if not any(changes.values()):
            raise InvalidRequest(violations=[Violation(", ".join(changes), "nothing is given", "name one")])
        self._vault().change_principal(name, lambda _, principal: with_grants(principal, **changes))


class AsyncEnvironments:
    """The environments of a vault: a closed set that can be extended. Reached by ``vault.environments``.

    None can be removed.
    """

    __slots__ = ("_blocking",)

    def __init__(self, blocking: Environments) -> None:
        self._blocking = blocking

    async def list(self) -> list[str]:
        """Give their names, in the order they were made.

        Raises:
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(self._blocking.list)

    async def add(self, name: str) -> None:
        """Add one; it holds nothing yet but what is shared.

        Args:
            name: 1 to 64 letters, digits, dots, hyphens and underscores; "shared" is none.

        Raises:
            InvalidRequest: the name is malformed or taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.add, name))

    async def rename(self, old: str, new: str) -> None:
        """Give one another name; what it holds stays, and whoever is connected to it stays connected.

        Args:
            old: its name.
            new: as for :meth:`add`.

        Raises:
            InvalidRequest: there is none of the old name, or the new one is malformed or taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.rename, old, new))


class AsyncPrincipals:
    """Users and service accounts of a vault, beside its owner. Reached by ``vault.principals``.

    Changes hold at once, also in other processes that have the vault open. All but :meth:`list` need the
    permission ``administer``.
    """

    __slots__ = ("_blocking",)

    def __init__(self, blocking: Principals) -> None:
        self._blocking = blocking

    async def list(self) -> list[PrincipalInfo]:
        """Give everybody beside the owner, in the order they were added.

        Raises:
            GrantMissing: this needs the permission ``administer`` or ``read_audit``.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(self._blocking.list)

    async def add_user(
        self,
        name: str,
        credential: Credential,
        *,
        roles: Collection[str] = (),
        permissions: Collection[str] = (),
        environments: Collection[str] | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Add a user, who opens the vault with a credential of his own.

        Args:
            name: unique; 1 to 100 letters, digits and any of ``. _ @ + -``.
            credential: a Passphrase (costs one key derivation), KeyFile (created if absent), EnvironmentKey,
                KeyringKey or ExternalKey that opens this vault for nobody else.
            roles: names of roles.
            permissions: what is granted beside the roles.
            environments: those that he may connect to, or None for all.
            expires_at: a moment with a zone, from when on he may do nothing, or None.

        Raises:
            InvalidRequest: an argument is malformed, or the name is taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(
            partial(
                self._blocking.add_user,
                name,
                credential,
                roles=roles,
                permissions=permissions,
                environments=environments,
                expires_at=expires_at,
            )
        )

    async def add_service_account(
        self,
        name: str,
        *,
        roles: Collection[str] = (),
        permissions: Collection[str] = (),
        environments: Collection[str] | None = None,
        expires_at: datetime | None = None,
    ) -> SecretStr:
        """Add a service account and give its key, which is shown this once and cannot be had again.

        Args:
            name: as for :meth:`add_user`.
            roles: names of roles.
            permissions: what is granted beside the roles, such as ``update_secret_from_service:STRIPE_KEY``.
            environments: those that it may connect to, or None for all.
            expires_at: a moment with a zone, from when on it may do nothing, or None.

        Returns:
            The key, ``sbk_`` and 48 characters, for ``Local(account_key=...)``.

        Raises:
            InvalidRequest: an argument is malformed, or the name is taken.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        return await _in_thread(
            partial(
                self._blocking.add_service_account,
                name,
                roles=roles,
                permissions=permissions,
                environments=environments,
                expires_at=expires_at,
            )
        )

    async def renew_key(self, name: str) -> SecretStr:
        """Give a service account a new key, shown this once; the one before opens the vault no longer.

        A process that has the vault open by the old key keeps it open until it closes it.

        Args:
            name: the service account's.

        Raises:
            InvalidRequest: there is no service account of this name.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        return await _in_thread(partial(self._blocking.renew_key, name))

    async def grant(self, name: str, *permissions: str) -> None:
        """Give permissions.

        Args:
            name: the user's or service account's.
            permissions: ``list_names``, ``read_values``, ``create``, ``update_any``, ``delete``,
                ``administer``, ``read_audit`` or ``update_secret_from_service:NAME``.

        Raises:
            InvalidRequest: there is nobody of this name, or no such permission.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.grant, name, *permissions))

    async def revoke(self, name: str, *permissions: str) -> None:
        """Take permissions away; what a role holds goes with the role alone.

        Args:
            name: the user's or service account's.
            permissions: as for :meth:`grant`.

        Raises:
            InvalidRequest: there is nobody of this name, or such a permission was not granted.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.revoke, name, *permissions))

    async def assign(self, name: str, *roles: str) -> None:
        """Give roles.

        Args:
            name: the user's or service account's.
            roles: ``lister``, ``reader``, ``writer``, ``auditor`` or ``administrator``.

        Raises:
            InvalidRequest: there is nobody of this name, or no such role.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.assign, name, *roles))

    async def unassign(self, name: str, *roles: str) -> None:
        """Take roles away.

        Args:
            name: the user's or service account's.
            roles: as for :meth:`assign`.

        Raises:
            InvalidRequest: there is nobody of this name, or without such a role.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.unassign, name, *roles))

    async def set_environments(self, name: str, environments: Collection[str] | None) -> None:
        """Say which environments somebody may connect to.

        Args:
            name: the user's or service account's.
            environments: their names, or None for all.

        Raises:
            InvalidRequest: there is nobody of this name, or no such environment.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.set_environments, name, environments))

    async def set_expiry(self, name: str, expires_at: datetime | None) -> None:
        """Say until when somebody may do anything.

        Args:
            name: the user's or service account's.
            expires_at: a moment with a zone, or None for ever.

        Raises:
            InvalidRequest: there is nobody of this name, or it is no such moment.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.set_expiry, name, expires_at))

    async def remove(self, name: str) -> None:
        """Remove somebody and what opens the vault for him; processes that have it open are refused at once.

        Args:
            name: the user's or service account's; the audit trail goes on telling it, and it can be given
                again.

        Raises:
            InvalidRequest: there is nobody of this name.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        await _in_thread(partial(self._blocking.remove, name))


def _text(argument: str, given: object) -> list[Violation]:
    if isinstance(given, str) and given:
        return []
    return [Violation(argument, "is not a text, or empty", "give a name")]


def _credential(credential: object) -> list[Violation]:
    if isinstance(credential, KINDS) and not isinstance(credential, AccountKey):
        return []
    return [Violation("credential", "is none that a user can have", "for example Passphrase(...)")]


def _many(roles: object, permissions: object, environments: object) -> list[Violation]:
    given = {"roles": roles, "permissions": permissions, "environments": environments}
    return [
        Violation(argument, "is one text, not several", f"write [{names!r}]")
        for argument, names in given.items()
        if isinstance(names, str)
    ]


def _moment(expires_at: object) -> list[Violation]:
    if expires_at is None or (isinstance(expires_at, datetime) and expires_at.tzinfo is not None):
        return []
    return [
        Violation("expires_at", "is no moment with a zone", "for example datetime(2030, 1, 1, tzinfo=UTC)")
    ]


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)


async def _in_thread(work: Callable[[], T]) -> T:
    from anyio import to_thread

    return await to_thread.run_sync(work)
