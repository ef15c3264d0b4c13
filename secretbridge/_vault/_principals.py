"""Changes of the policy, as functions from one to the next: environments, principals, what they hold.

Nothing is written here. Numbers of environments and ids of principals are for ever.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from secretbridge._trail import PrincipalInfo
from secretbridge._vault import _permissions, _records, _sealed
from secretbridge._vault._permissions import OWNER_ID, OWNER_NAME, ROLES
from secretbridge._vault._policy import Policy, Principal
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

#: What the audit trail calls the place of shared values: no environment is named so.
SHARED_WORD: Final = "shared"

_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")

AuditReads = Literal["off", "batched", "durable"]
AUDIT_READS: Final[tuple[AuditReads, ...]] = ("off", "batched", "durable")


# Environments


def with_environment(policy: Policy, name: str) -> Policy:
    """The policy with one environment more.

    Raises:
        InvalidRequest: the name is malformed or taken.
    """
    _refuse(_environment_name(policy, name))
    number = max(policy.environments.values()) + 1
    return replace(policy, environments=MappingProxyType({**policy.environments, name: number}))


def with_environment_renamed(policy: Policy, old: str, new: str) -> Policy:
    """The policy with another name for an environment; its number, and all that is in it, stays.

    Raises:
        InvalidRequest: there is none of the old name, or the new one is malformed or taken.
    """
    _refuse([*_unknown_environments(policy, [old], "old"), *_environment_name(policy, new, "new")])
    renamed = {new if name == old else name: number for name, number in policy.environments.items()}
    return replace(policy, environments=MappingProxyType(renamed))


def environment_numbers(policy: Policy, names: Iterable[str], argument: str) -> tuple[int, ...]:
    """The numbers of these environments.

    Raises:
        InvalidRequest: there is none of such a name.
    """
    asked = list(names)
    _refuse(_unknown_environments(policy, asked, argument))
    return tuple(sorted({policy.environments[name] for name in asked}))


def _environment_name(policy: Policy, name: object, argument: str = "name") -> list[Violation]:
    if not isinstance(name, str) or not _ENVIRONMENT.fullmatch(name) or name == SHARED_WORD:
        remedy = f"1 to 64 letters, digits, dots, hyphens and underscores; not {SHARED_WORD!r}"
        return [Violation(argument, "is no name for an environment", remedy)]
    if name in policy.environments:
        return [Violation(argument, f"there is an environment {name!r} already", "give another")]
    return []


def _unknown_environments(policy: Policy, names: Iterable[object], argument: str) -> list[Violation]:
    known = ", ".join(policy.environments)
    return [
        Violation(argument, f"the vault has no environment {name!r}", f"one of {known}")
        for name in names
        if name not in policy.environments
    ]


# Principals


def find(policy: Policy, name: str) -> Principal:
    """The principal of this name.

    Raises:
        InvalidRequest: there is none.
    """
    found = _known(policy, name)
    if found is not None:
        return found
    known = ", ".join(each.name for each in policy.principals if not each.removed) or "nobody yet"
    problem = f"the vault has no user or service account {name!r}"
    raise InvalidRequest(violations=[Violation("name", problem, f"there is {known}")])


def _known(policy: Policy, name: object) -> Principal | None:
    return next((each for each in policy.principals if each.name == name and not each.removed), None)


def new(
    policy: Policy,
    name: str,
    kind: Literal["user", "service"],
    *,
    roles: Collection[str],
    permissions: Collection[str],
    environments: Collection[str] | None,
    expires_at: datetime | None,
) -> Principal:
    """A principal that can be added.

    Raises:
        InvalidRequest: the name is malformed or taken, or there is no such role, permission or environment.
    """
    wrong = [*_roles(roles), *_permissions_wrong(permissions)]
    if not isinstance(name, str) or not _PRINCIPAL.fullmatch(name) or name == OWNER_NAME:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        remedy = f"1 to 100 letters, digits and any of . _ @ + -; not {OWNER_NAME!r}"
        wrong.append(Violation("name", "is no name for a user or service account", remedy))
    elif _known(policy, name) is not None:
        wrong.append(
            Violation("name", f"there is a user or service account {name!r} already", "give another")
        )
    if environments is not None:
        wrong += _unknown_environments(policy, environments, "environments")
    _refuse(wrong)
    return Principal(
        id=_sealed.new_id().hex(),
        name=name,
        kind=kind,
        roles=tuple(sorted(set(roles))),
        permissions=tuple(sorted(set(permissions))),
        environments=None
        if environments is None
        else environment_numbers(policy, environments, "environments"),
        expires_at=None if expires_at is None else _records.microseconds(expires_at),
    )


def with_principal(policy: Policy, principal: Principal) -> Policy:
    """The policy with this principal, in the place of the one with its id if there is one."""
    others = tuple(each for each in policy.principals if each.id != principal.id)
    return replace(policy, principals=(*others, principal))


def with_grants(
    principal: Principal,
    *,
    grant: Collection[str] = (),
    revoke: Collection[str] = (),
    assign: Collection[str] = (),
    unassign: Collection[str] = (),
) -> Principal:
    """The principal with permissions and roles more, or less.

    Raises:
        InvalidRequest: there is no such role or permission, or what is to be taken is not held.
    """
    wrong = [*_roles(assign), *_permissions_wrong(grant)]
    wrong += [
        Violation("permissions", f"{each!r} is not granted to {principal.name!r}", "perhaps a role holds it")
        for each in revoke
        if each not in principal.permissions
    ]
    wrong += [
        Violation("roles", f"{principal.name!r} has no role {each!r}", "see vault.principals.list()")
        for each in unassign
        if each not in principal.roles
    ]
    _refuse(wrong)
    return replace(
        principal,
        permissions=tuple(sorted({*principal.permissions, *grant} - set(revoke))),
        roles=tuple(sorted({*principal.roles, *assign} - set(unassign))),
    )


def _roles(roles: Collection[str]) -> list[Violation]:
    return [
        Violation("roles", f"there is no role {role!r}", f"one of {', '.join(ROLES)}")
        for role in roles
        if role not in ROLES
    ]


def _permissions_wrong(permissions: Collection[str]) -> list[Violation]:
    known = f"one of {', '.join(_permissions.PERMISSIONS)}, or {_permissions.UPDATE_ONE}NAME"
    return [
        Violation("permissions", f"there is no permission {each!r}", known)
        for each in permissions
        if not _permissions.is_permission(each)
    ]


def told(principal: Principal, names: dict[int, str]) -> PrincipalInfo:
    """A principal in the words of the public face."""
    return PrincipalInfo(
        name=principal.name,
        kind=principal.kind,
        roles=principal.roles,
        permissions=principal.permissions,
        environments=None
        if principal.environments is None
        else tuple(names[number] for number in principal.environments),
        expires_at=None if principal.expires_at is None else _records.moment(principal.expires_at),
    )


def names_by_id(policy: Policy) -> dict[bytes, str]:
    """The names of everybody who ever was a principal, and of the owner."""
    return {bytes.fromhex(each.id): each.name for each in policy.principals} | {OWNER_ID: OWNER_NAME}


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)
