"""What a principal may do: permissions, roles as named sets of them, and one principal's rights.

Roles only add. Nothing denies.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._vault._policy import Policy, Principal

LIST_NAMES: Final = "list_names"
READ_VALUES: Final = "read_values"
CREATE: Final = "create"
UPDATE_ANY: Final = "update_any"
DELETE: Final = "delete"
ADMINISTER: Final = "administer"
READ_AUDIT: Final = "read_audit"
#: Followed by a secret's name: update that one.
UPDATE_ONE: Final = "update_secret_from_service:"

PERMISSIONS: Final = (LIST_NAMES, READ_VALUES, CREATE, UPDATE_ANY, DELETE, ADMINISTER, READ_AUDIT)

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "lister": frozenset({LIST_NAMES}),
        "reader": frozenset({LIST_NAMES, READ_VALUES}),
        "writer": frozenset({LIST_NAMES, CREATE, UPDATE_ANY, DELETE}),
        "auditor": frozenset({LIST_NAMES, READ_AUDIT}),
        "administrator": frozenset(PERMISSIONS),
    }
)

#: The id in the slots, and in the audit trail, of the owner: no principal's.
OWNER_ID: Final = bytes(16)
OWNER_NAME: Final = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What whoever opened the vault may do, by one state of the policy.

    Attributes:
        id: the principal's, 16 bytes; zeros for the owner.
        name: the principal's.
        kind: the owner may do everything, and never expires.
        held: permissions, those of the roles included.
        environments: numbers of the environments it is for, or None for all.
        expires_at: microseconds since 1970, or None.
    """

    id: bytes
    name: str
    kind: Literal["owner", "user", "service"]
    held: frozenset[str]
    environments: frozenset[int] | None
    expires_at: int | None

    def may(self, *any_of: str) -> bool:
        """Whether one of these permissions is held."""
        return self.kind == "owner" or not self.held.isdisjoint(any_of)


OWNER: Final = Rights(
    id=OWNER_ID,
    name=OWNER_NAME,
    kind="owner",
    held=frozenset(PERMISSIONS),
    environments=None,
    expires_at=None,
)


def rights_of(policy: Policy, principal: bytes) -> Rights | None:
    """The rights of the principal with this id; None where it was removed."""
    if principal == OWNER_ID:
        return OWNER
    wanted = principal.hex()
    found = next((one for one in policy.principals if one.id == wanted and not one.removed), None)
    return None if found is None else _rights(found)


def _rights(principal: Principal) -> Rights:
    of_roles = (ROLES.get(role, frozenset()) for role in principal.roles)
    return Rights(
        id=bytes.fromhex(principal.id),
        name=principal.name,
        kind=principal.kind,
        held=frozenset(principal.permissions).union(*of_roles),
        environments=None if principal.environments is None else frozenset(principal.environments),
        expires_at=principal.expires_at,
    )


def is_permission(text: object) -> bool:
    """Whether this is a permission that can be granted."""
    if not isinstance(text, str):
        return False
    return text in PERMISSIONS or (text.startswith(UPDATE_ONE) and len(text) > len(UPDATE_ONE))


def updating(name: str | None) -> tuple[str, ...]:
    """Any of these lets somebody update the secret of this name."""
    return (UPDATE_ANY,) if name is None else (UPDATE_ANY, UPDATE_ONE + name)
