"""What the vault allows: its environments, its principals, and how long it keeps what.

One sealed row. Every operation that writes compares the policy epoch in the sealed state with the one it
knows, so a change holds at once, in other processes too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from secretbridge._vault._crypto import damaged

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The environments of a new vault. Numbers are for ever, names may change. 0 is no environment: what is
#: shared by all stands there.
ENVIRONMENTS: Final[Mapping[str, int]] = MappingProxyType(
    {"development": 1, "test": 2, "staging": 3, "production": 4}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who opens the vault: a user or a service account.

    Attributes:
        id: 32 hexadecimal digits; the slot that opens the vault for it names the same.
        name: unique in the vault.
        kind: ``"user"`` or ``"service"``.
        roles: names of roles; they only add.
        permissions: what is granted beside the roles.
        environments: numbers of the environments it may be in, or None for all.
        expires_at: microseconds since 1970 from when on it may do nothing, or None.
        removed: whether it is gone and only its name is kept, for the audit trail; another may bear the
            name by now.
    """

    id: str
    name: str
    kind: Literal["user", "service"]
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    environments: tuple[int, ...] | None = None
    expires_at: int | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one vault.

    Attributes:
        environments: the closed set, name -> number.
        principals: everybody beside the owner, who needs no entry.
        keep_versions: how many versions of a value are kept at most, or None for all.
        keep_days: for how many days a version that was replaced is kept, or None for ever.
        audit_reads: whether reading a value is audited: not, in batches, or each before it is answered.
    """

    environments: Mapping[str, int] = field(default_factory=lambda: ENVIRONMENTS)
    principals: tuple[Principal, ...] = ()
    keep_versions: int | None = None
    keep_days: int | None = None
    audit_reads: Literal["off", "batched", "durable"] = "off"

    @property
    def forgets(self) -> bool:
        """Whether anything of the history is ever dropped by itself."""
        return self.keep_versions is not None or self.keep_days is not None


#: That of a new vault.
FIRST: Final = Policy()


def encode(policy: Policy) -> bytes:
    """The plaintext of a policy: JSON with sorted keys, so that one meaning has one encoding."""
    plain = {
        "environments": dict(policy.environments),
        "principals": [asdict(principal) for principal in policy.principals],
        "keep_versions": policy.keep_versions,
        "keep_days": policy.keep_days,
        "audit_reads": policy.audit_reads,
    }
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def decode(plain: bytes) -> Policy:
    """The policy in a plaintext.

    Raises:
        VaultDamaged: it is none.
    """
    try:
        found: dict[str, Any] = json.loads(plain)
        environments = {str(name): int(number) for name, number in found["environments"].items()}
        return Policy(
            environments=MappingProxyType(dict(sorted(environments.items(), key=lambda each: each[1]))),
            principals=tuple(_principal(one) for one in found["principals"]),
            keep_versions=found["keep_versions"],
            keep_days=found["keep_days"],
            audit_reads=found["audit_reads"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise damaged()


def _principal(found: dict[str, Any]) -> Principal:
    whole: dict[str, Any] = {
        **found,
        "roles": tuple(found["roles"]),
        "permissions": tuple(found["permissions"]),
        "environments": None if found["environments"] is None else tuple(found["environments"]),
    }
    return Principal(**whole)
