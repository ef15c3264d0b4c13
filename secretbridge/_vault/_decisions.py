"""Who may do what: decided here, from the rights of whoever opened the vault and from the secret."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from secretbridge._vault import _permissions, _policy, _records, _refusals, _sealed
from secretbridge._vault._crypto import damaged
from secretbridge._vault._permissions import CREATE, LIST_NAMES, READ_VALUES, UPDATE_ANY, updating

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._permissions import Rights
    from secretbridge._vault._policy import Policy
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import Rows
    from secretbridge.errors import VaultError


class Act(NamedTuple):
    """What somebody asks for: enough to decide who may, and to note a refusal.

    Attributes:
        operation: its number in the audit trail.
        word: what errors call it.
        needs: one of these permissions; without any, the operation decides by itself.
        name: the secret's name, as it was asked for.
        id: or its id.
        fields: which fields the caller gave.
    """

    operation: int
    word: str
    needs: tuple[str, ...] = ()
    name: str | None = None
    id: str | None = None
    fields: int = 0


#: What an operation needs unless it says otherwise.
ADMINISTERING = Act(_records.ADMINISTERED, "administer", (_permissions.ADMINISTER,))


class Standing(NamedTuple):
    """One state of the policy and what it means for whoever opened the vault.

    Attributes:
        epoch: the policy's number.
        policy: the policy.
        rights: what is allowed, or None where the principal was removed.
        reads_freely: whether reading needs no second look: allowed, never expires, and is not audited.
    """

    epoch: int
    policy: Policy
    rights: Rights | None
    reads_freely: bool


def standing(epoch: int, policy: Policy, principal: bytes, environment: int) -> Standing:
    """What this policy means for a principal in an environment."""
    rights = _permissions.rights_of(policy, principal)
    freely = (
        rights is not None
        and policy.audit_reads == "off"
        and rights.expires_at is None
        and rights.may(READ_VALUES)
        and (rights.environments is None or environment in rights.environments)
    )
    return Standing(epoch, policy, rights, freely)


def read_policy(rows: Rows, keyring: Keyring, policy_epoch: int) -> Policy:
    """The policy of this snapshot, whose number the sealed state gave.

    Raises:
        VaultDamaged: it is another, or not what was sealed.
    """
    row = rows.policy()
    if row is None or row[0] != policy_epoch:
        raise damaged()
    return _policy.decode(_sealed.open_policy(keyring, *row))


def admit(rights: Rights | None, environment: int, word: str) -> Rights:
    """Let in whoever is still there, in time, and in an environment of theirs.

    Raises:
        VaultLocked: the principal was removed.
        AccountExpired: its time has passed.
        OutOfScope: it is not for this environment.
    """
    if rights is None:
        raise _refusals.removed()
    if rights.expires_at is not None and rights.expires_at <= time.time_ns() // 1000:
        raise _refusals.account_expired(rights, word)
    if rights.environments is not None and environment not in rights.environments:
        raise _refusals.out_of_scope(rights, word)
    return rights


def require(rights: Rights, word: str, *any_of: str, name: str | None = None) -> None:
    """Make sure that one of these permissions is held.

    Raises:
        GrantMissing: none is.
    """
    if not rights.may(*any_of):
        raise _refusals.grant_missing(rights, word, any_of, name)


def may_know(rights: Rights, name: str | None) -> bool:
    """Whether somebody who would update a secret may be told that it is not there."""
    return rights.may(LIST_NAMES, READ_VALUES, *updating(name))


def check_update(
    rights: Rights, record: Record, changes: Mapping[str, object], *, shared: bool, word: str = "update"
) -> None:
    """Decide on a change of a secret that is there.

    Raises:
        NotEnvironmentSpecific, SecretLocked, GrantMissing: for a service account the first of what stands in
            its way, in this order; the others are in ``also``.
        GrantMissing, OutOfScope, SecretLocked: for a user, the first of these.
    """
    if record.protected and word == "update" and len(changes) == 1 and changes.get("protected") is False:
        require(rights, word, _permissions.ADMINISTER, name=record.name)
        check_reach(rights, record, shared=shared, word=word)
        return
    renames = changes.get("new_name", record.name) != record.name
    wanted = updating(None if renames else record.name)
    if rights.kind == "service":
        _check_service(rights, record, wanted, shared=shared, word=word)
        return
    require(rights, word, *wanted, name=record.name)
    check_reach(rights, record, shared=shared, word=word)
    if record.protected:
        raise _refusals.locked(word, record)


def _check_service(
    rights: Rights, record: Record, wanted: tuple[str, ...], *, shared: bool, word: str
) -> None:
    """All three conditions of an update by a service account, told together."""
    missing: list[VaultError] = []
    if shared:
        missing.append(_refusals.not_specific(rights, word, record.name))
    if record.protected:
        missing.append(_refusals.locked(word, record))
    if not rights.may(*wanted):
        missing.append(_refusals.grant_missing(rights, word, wanted, record.name))
    if missing:
        raise _refusals.together(missing)


def check_reach(rights: Rights, record: Record, *, shared: bool, word: str) -> None:
    """A shared value is everybody's: only who is for all environments changes it."""
    if shared and rights.environments is not None:
        raise _refusals.beyond_scope(rights, word, record.name)


def check_put(
    rights: Rights, record: Record | None, name: str, fields: Mapping[str, object], *, shared: bool
) -> None:
    """Decide on creating or replacing.

    Raises:
        as :func:`check_update` where the secret is there; GrantMissing where it is not.
    """
    if not rights.may(CREATE, *updating(name)) and rights.kind != "service":
        raise _refusals.grant_missing(rights, "put", (UPDATE_ANY, CREATE), name)
    if record is None:
        require(rights, "put", CREATE, name=name)
    else:
        check_update(rights, record, fields, shared=shared, word="put")


def check_whole(rights: Rights, record: Record, permission: str, *, shared: bool, word: str) -> None:
    """Decide on deleting, restoring or undeleting a secret that is there or was.

    Args:
        rights: of whoever asks.
        record: the secret as it stands.
        permission: what this needs; that it is held was looked at before.
        shared: whether it is one value for all environments.
        word: what errors call the operation.

    Raises:
        NotEnvironmentSpecific, SecretLocked: for a service account the first of these, with the other.
        OutOfScope, SecretLocked: for a user, the first of these.
    """
    if rights.kind == "service":
        _check_service(rights, record, (permission,), shared=shared, word=word)
        return
    check_reach(rights, record, shared=shared, word=word)
    if record.protected:
        raise _refusals.locked(word, record)
