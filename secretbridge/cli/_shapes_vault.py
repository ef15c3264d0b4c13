"""The JSON of what looks after a vault."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from secretbridge.cli._shapes_secrets import Time  # noqa: TC001 - read from the annotations

__all__ = [
    "AccountChange",
    "AccountList",
    "AccountRow",
    "AuditLine",
    "AuditReads",
    "Backup",
    "Described",
    "EnvironmentList",
    "EverywhereRow",
    "Moved",
    "PurgedRow",
    "Rekeyed",
    "RetentionRow",
    "SlotRow",
    "Slots",
    "VaultAnchor",
    "Verification",
]


class Verification(TypedDict):
    """``vault verify``."""

    secrets: int
    values: int
    entries: int
    anchor: str


class Backup(TypedDict):
    """``vault backup``."""

    file: str
    secrets: int
    values: int
    entries: int


class SlotRow(TypedDict):
    """A way into a vault."""

    number: int
    kind: str
    label: str
    principal: str | None


class Slots(TypedDict):
    """``vault slots``, ``vault rotate-root``: the slots that are there, or the one it was about."""

    vault: str
    slots: list[SlotRow]
    dry_run: bool


class Rekeyed(TypedDict):
    """``vault rekey``."""

    vault: str
    operation: Literal["rekey"]


class PurgedRow(TypedDict):
    """``vault purge``."""

    vault: str
    secrets: int
    versions: int
    pending: bool
    dry_run: bool


class RetentionRow(TypedDict):
    """``vault retention``; null is no limit.

    ``would_go`` is told with ``--dry-run``: versions of this environment that would not be kept any more.
    """

    vault: str
    versions: int | None
    days: int | None
    dry_run: bool
    would_go: int | None


class EnvironmentList(TypedDict):
    """``vault environments``."""

    vault: str
    environments: list[str]


class AccountRow(TypedDict):
    """Somebody beside the owner; no environments named means all."""

    name: str
    kind: Literal["user", "service"]
    roles: list[str]
    permissions: list[str]
    environments: list[str] | None
    expires_at: Time | None


class AccountList(TypedDict):
    """``vault accounts list``."""

    vault: str
    accounts: list[AccountRow]


class AccountChange(TypedDict):
    """``vault accounts add`` and all that change one; a key only with ``--reveal``."""

    vault: str
    account: str
    operation: Literal["add", "grant", "revoke", "remove", "renew-key", "change"]
    file: str | None
    key: NotRequired[str]


class Moved(TypedDict):
    """``vault move``."""

    location: str
    secrets: int
    values: int
    entries: int


class EverywhereRow(TypedDict):
    """What a vault holds under a name, over all environments."""

    id: str
    name: str
    shared: bool
    environments: list[str]
    protected: list[str]


class Described(TypedDict):
    """``vault describe``."""

    vault: str
    secret: EverywhereRow


class AuditReads(TypedDict):
    """``vault audit-reads``."""

    vault: str
    audit_reads: Literal["off", "batched", "durable"]


class VaultAnchor(TypedDict):
    """``vault anchor``."""

    anchor: str


class AuditLine(TypedDict):
    """``vault audit``: one object a line."""

    sequence: int
    at: Time
    operation: str
    secret_id: str | None
    name: str | None
    old_name: str | None
    environment: str | None
    version: int | None
    fields: list[str]
    outcome: str
    principal: str
