"""What the vault tells of its past: versions, the lines of its audit trail, anchors. None holds a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "AuditEntry",
    "AuditHead",
    "PrincipalInfo",
    "Purged",
    "Retention",
    "SecretInfo",
    "SlotInfo",
    "Verified",
    "VersionInfo",
]

_CHAIN: Final = re.compile("[0-9a-f]{64}")
_TOKEN: Final = re.compile("sbrv1-([1-9][0-9]{0,17})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """One version of a secret in one environment; its value is asked for with ``version()``.

    Attributes:
        version: its number.
        at: when it was made, in UTC.
        operation: create, update, put, rename, delete, restore, undelete, share or unshare.
        principal: who made it: the name of a user or service account, or "owner".
        fields: the names of the fields that the caller gave, such as ``("value", "expires_at")``.
        name: the secret's name in this version.
        old_name: the name before, if this version is a renaming.
        deleted: whether from this version on there was nothing here: deleted, or moved to another name.
        purged: whether what it held was dropped, by retention or ``purge()``: it cannot be read or restored.
        shared: whether it was one value for all environments.
    """

    version: int
    at: datetime
    operation: str
    principal: str
    fields: tuple[str, ...]
    name: str
    old_name: str | None
    deleted: bool
    purged: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit trail of the whole vault.

    Attributes:
        sequence: its number; the first is 1 and none is left out.
        at: when it happened by this machine's clock, in UTC.
        operation: as in :class:`VersionInfo`, or "vault created", "get", "list", "policy changed", "purge"
            (what the versions up to this one held was dropped) and others; see docs/vault-history.md.
        secret_id: the secret's id, or None for what concerns no secret.
        name: the secret's name then; of what concerns no secret, what it concerned, such as a slot; or None.
        old_name: the name before, in a renaming, or None.
        environment: the name of the environment, "shared" for a shared secret's value, or None.
        version: the version that it made or read, or None.
        fields: the names of the fields that the caller gave.
        outcome: "done", or why it was refused: "not found", "protected", "grant missing" and others more.
        principal: the name of whoever did it; "owner" for whoever opened the vault with a slot of its own.
    """

    sequence: int
    at: datetime
    operation: str
    secret_id: str | None
    name: str | None
    old_name: str | None
    environment: str | None
    version: int | None
    fields: tuple[str, ...]
    outcome: str
    principal: str = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalInfo:
    """Somebody beside the owner who may open the vault.

    Attributes:
        name: unique in the vault.
        kind: "user" or "service".
        roles: names of roles.
        permissions: what is granted beside the roles.
        environments: the names of those it is for, or None for all.
        expires_at: from when on it may do nothing, in UTC, or None.
    """

    name: str
    kind: Literal["user", "service"]
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    environments: tuple[str, ...] | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """What the vault as a whole holds under a name; no values.

    Attributes:
        id: the secret's.
        name: the secret's.
        shared: whether it is one value for all environments.
        environments: the names of those that see a value; inactive and expired ones count.
        protected: the names of those whose value is protected.
    """

    id: str
    name: str
    shared: bool
    environments: tuple[str, ...]
    protected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where the audit trail is at: an anchor to keep outside of the vault. It is no secret.

    ``str()`` makes one word of it, :meth:`parse` reads that.

    Attributes:
        sequence: the number of the newest line.
        chain: the head of the keyed hash chain over all lines up to it, 64 hexadecimal digits.

    Raises:
        InvalidRequest: it is no such pair.
    """

    sequence: int
    chain: str

    def __post_init__(self) -> None:
        whole = isinstance(self.sequence, int) and not isinstance(self.sequence, bool) and self.sequence > 0  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        if not whole or not isinstance(self.chain, str) or not _CHAIN.fullmatch(self.chain):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            raise _no_anchor()

    def __str__(self) -> str:
        return f"sbrv1-{self.sequence}-{self.chain}"

    @classmethod
    def parse(cls, text: str) -> AuditHead:
        """Read what ``str()`` made; white space round it does not matter.

        Raises:
            InvalidRequest: it is no anchor.
        """
        found = _TOKEN.fullmatch(text.strip()) if isinstance(text, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        if found is None:
            raise _no_anchor()
        return cls(int(found[1]), found[2])


def _no_anchor() -> InvalidRequest:
    return InvalidRequest(
        violations=[Violation("anchor", "is not an audit head", "give what audit_head() gave, or its str()")]
    )


class Verified(NamedTuple):
    """What was found whole.

    Attributes:
        secrets: how many names.
        values: how many values in all environments, deleted ones included.
        entries: how many lines of the audit trail.
    """

    secrets: int
    values: int
    entries: int


class Retention(NamedTuple):
    """How much of its history a vault keeps.

    Attributes:
        versions: how many versions of a value at most, the newest included; None for all.
        days: for how many days a version is kept after it was replaced; None for ever.
    """

    versions: int | None
    days: int | None


class Purged(NamedTuple):
    """What ``purge()`` removed.

    Attributes:
        secrets: how many deleted values were removed for good.
        versions: of how many versions what they held was dropped.
        pending: True where the vault's files may still hold it, because somebody was reading from the
            journal: purge again later, or close the vault everywhere. Always True on PostgreSQL, which keeps
            dead rows until a vacuum.
    """

    secrets: int
    versions: int
    pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInfo:
    """One way into the vault. It holds nothing secret.

    Attributes:
        number: its number.
        kind: "passphrase", "key file", "environment variable", "keyring entry", "external key" or
            "account key".
        label: what it is called; where none was given, its kind and number.
        principal: the id of the account or user it belongs to, or None for the vault's owner.
    """

    number: int
    kind: str
    label: str
    principal: str | None
