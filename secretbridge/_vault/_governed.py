"""The open vault with its rules: environments, principals, what is shared, and whether reading is audited."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from secretbridge._trail import SecretInfo
from secretbridge._vault import (
    _decisions,
    _openers,
    _principals,
    _records,
    _refusals,
    _sealed,
    _shared,
    _slots,
)
from secretbridge._vault._access import Vault
from secretbridge._vault._change import confirm_miss, find_named
from secretbridge._vault._decisions import Act
from secretbridge._vault._permissions import ADMINISTER, READ_AUDIT
from secretbridge._vault._rows import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from secretbridge._credentials import Credential
    from secretbridge._trail import PrincipalInfo
    from secretbridge._vault._change import Change
    from secretbridge._vault._openers import Opener
    from secretbridge._vault._policy import Policy, Principal
    from secretbridge._vault._principals import AuditReads
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import Rows


class GovernedVault(Vault):
    """A vault, open in one of its environments, for those who make its rules. Made by :meth:`open`."""

    # Environments and the audit of reading

    def environments(self) -> list[str]:
        """The names of the environments, in the order they were made; everybody may know them."""
        act = Act(_records.LISTED, "list the environments")
        return self._look(act, lambda _: list(self._policy.environments), noted=False)

    def add_environment(self, name: str) -> None:
        """Add one.

        Raises:
            InvalidRequest: the name is malformed or taken.
        """
        act = Act(_records.POLICY_CHANGED, "add the environment", (ADMINISTER,), name)
        self._change_policy(act, lambda policy: _principals.with_environment(policy, name))

    def rename_environment(self, old: str, new: str) -> None:
        """Give one another name.

        Raises:
            InvalidRequest: there is none of the old name, or the new one is malformed or taken.
        """
        act = Act(_records.POLICY_CHANGED, "rename the environment", (ADMINISTER,), f"{old} to {new}")
        self._change_policy(act, lambda policy: _principals.with_environment_renamed(policy, old, new))

    def set_audit_reads(self, mode: AuditReads) -> None:
        """Whether reading is audited."""
        act = Act(_records.POLICY_CHANGED, "set", (ADMINISTER,), f"audit_reads {mode}")
        self._change_policy(act, lambda policy: replace(policy, audit_reads=mode))

    def _change_policy(self, act: Act, make: Callable[[Policy], Policy]) -> None:
        def work(change: Change, operation_id: bytes) -> None:
            change.save_policy(make(change.policy))
            change.note(act.operation, operation_id, name=act.name or "")

        self._write(work, act)

    # Principals

    def _opener(self, act: Act, credential: Credential) -> Opener:
        """A credential ready for a slot. Only for who may: it takes its time, and may create a key file."""
        self._look(act, lambda _: None, noted=False)
        opener = _openers.opener(credential, new=True)
        opener.prepare()
        return opener

    def principals(self) -> list[PrincipalInfo]:
        """Everybody beside the owner, in the order they were added."""

        def look(_: Rows) -> list[PrincipalInfo]:
            names = {number: name for name, number in self._policy.environments.items()}
            added = sorted(self._policy.principals, key=lambda each: each.id)
            return [_principals.told(each, names) for each in added if not each.removed]

        act = Act(_records.AUDIT_READ, "list the principals", (ADMINISTER, READ_AUDIT))
        return self._look(act, look)

    def add_principal(
        self,
        name: str,
        kind: Literal["user", "service"],
        credential: Credential,
        *,
        roles: Collection[str],
        permissions: Collection[str],
        environments: Collection[str] | None,
        expires_at: datetime | None,
    ) -> None:
        """Add somebody, with a slot of his own for this credential.

        Raises:
            InvalidRequest: an argument is malformed, or names what there is not.
        """
        act = Act(_records.PRINCIPAL_ADDED, "add the account", (ADMINISTER,), name)
        opener = self._opener(act, credential)

        def work(change: Change, operation_id: bytes) -> None:
            principal = _principals.new(
                change.policy,
                name,
                kind,
                roles=roles,
                permissions=permissions,
                environments=environments,
                expires_at=expires_at,
            )
            _slots.add(change.rows, self._keyring, opener, principal=bytes.fromhex(principal.id))
            change.save_policy(_principals.with_principal(change.policy, principal))
            change.note(_records.PRINCIPAL_ADDED, operation_id, name=name)

        self._write(work, act)

    def renew_key(self, name: str, credential: Credential) -> None:
        """Put this credential in the place of all that a service account had.

        Raises:
            InvalidRequest: there is no service account of this name.
        """
        act = Act(_records.PRINCIPAL_CHANGED, "renew the key of", (ADMINISTER,), name)
        opener = self._opener(act, credential)

        def work(change: Change, operation_id: bytes) -> None:
            principal = _principals.find(change.policy, name)
            if principal.kind != "service":
                raise _refusals.no_service_account(name)
            id_ = bytes.fromhex(principal.id)
            _slots.remove_of(change.rows, self._keyring, id_)
            _slots.add(change.rows, self._keyring, opener, principal=id_)
            change.note(_records.PRINCIPAL_CHANGED, operation_id, name=name)

        self._write(work, act)

    def change_principal(self, name: str, make: Callable[[Policy, Principal], Principal]) -> None:
        """Change what somebody holds.

        Raises:
            InvalidRequest: there is nobody of this name, or what is asked for cannot be.
        """

        def work(change: Change, operation_id: bytes) -> None:
            changed = make(change.policy, _principals.find(change.policy, name))
            change.save_policy(_principals.with_principal(change.policy, changed))
            change.note(_records.PRINCIPAL_CHANGED, operation_id, name=name)

        self._write(work, Act(_records.PRINCIPAL_CHANGED, "change the account", (ADMINISTER,), name))

    def remove_principal(self, name: str) -> None:
        """Remove somebody together with his slots; the audit trail goes on knowing the name.

        Raises:
            InvalidRequest: there is nobody of this name.
        """

        def work(change: Change, operation_id: bytes) -> None:
            principal = _principals.find(change.policy, name)
            _slots.remove_of(change.rows, self._keyring, bytes.fromhex(principal.id))
            gone = replace(principal, removed=True, roles=(), permissions=())
            change.save_policy(_principals.with_principal(change.policy, gone))
            change.note(_records.PRINCIPAL_REMOVED, operation_id, name=name)

        self._write(work, Act(_records.PRINCIPAL_REMOVED, "remove the account", (ADMINISTER,), name))

    # Shared secrets

    def share(self, name: str, drop: Collection[str]) -> Record:
        """Make this environment's value everybody's; see :func:`_shared.share`.

        Raises:
            SecretNotFound: there is none here.
        """

        def work(change: Change, operation_id: bytes) -> Record:
            dropped = _principals.environment_numbers(change.policy, drop, "drop")
            held = self._held(change, "share", name, None)
            _decisions.check_reach(change.rights, held.record, shared=True, word="share")
            names = {number: each for each, number in change.policy.environments.items()}
            return _shared.share(change, operation_id, change.row_of(held), held, drop=dropped, names=names)

        return self._write(work, Act(_records.SHARED, "share", (ADMINISTER,), name))

    def unshare(self, name: str) -> Record:
        """Give every environment a copy of the shared value; see :func:`_shared.unshare`.

        Raises:
            SecretNotFound: there is none.
        """

        def work(change: Change, operation_id: bytes) -> Record:
            held = self._held(change, "unshare", name, None)
            _decisions.check_reach(change.rights, held.record, shared=True, word="unshare")
            environments = tuple(change.policy.environments.values())
            secret = change.row_of(held)
            return _shared.unshare(
                change, operation_id, secret, held, here=self._environment, environments=environments
            )

        return self._write(work, Act(_records.UNSHARED, "unshare", (ADMINISTER,), name))

    def describe(self, name: str) -> SecretInfo:
        """What the vault as a whole holds under a name.

        Raises:
            SecretNotFound: there is nothing in any environment.
        """

        def look(rows: Rows) -> SecretInfo:
            row = find_named(rows, self._keyring, name, self._environment)[0]
            living = [] if row is None else self._living(rows, row.id)
            if row is None or not living:
                confirm_miss(rows, self._keyring, name, b"")
                raise _refusals.not_found("describe", name, None)
            shared = bool(row.flags & SHARED)
            numbers = {number: each for each, number in self._policy.environments.items()}
            every = tuple(numbers.values())
            locked = [each for each in living if each[1].protected]
            return SecretInfo(
                id=row.id.hex(),
                name=name,
                shared=shared,
                environments=every if shared else tuple(numbers[each] for each, _ in living),
                protected=(every if locked else ()) if shared else tuple(numbers[each] for each, _ in locked),
            )

        return self._look(Act(_records.LOOKED_BACK, "describe", (ADMINISTER,), name), look)

    def _living(self, rows: Rows, secret: bytes) -> list[tuple[int, Record]]:
        opened = [(row.environment, *_sealed.open_record(self._keyring, row)) for row in rows.values(secret)]
        return sorted(
            ((environment, record) for environment, record, deleted in opened if not deleted),
            key=lambda each: each[0],
        )
