"""The JSON of secrets: listed, changed, compared, looked back at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from secretbridge import Secret

__all__ = [
    "Change",
    "Compared",
    "Diff",
    "Expiring",
    "ExpiringRow",
    "Found",
    "History",
    "Listing",
    "NotTold",
    "SecretRow",
    "Time",
    "Version",
    "secret_row",
]

#: ISO 8601 in UTC, ending in Z.
Time = str


class SecretRow(TypedDict):
    """A secret as far as its store tells it; null where it does not, or where there is nothing."""

    name: str
    id: str | None
    description: str | None
    active: bool | None
    protected: bool | None
    expires_at: Time | None
    tool_name: str | None
    tool_arg: str | None
    default_for_tool: bool | None
    created_at: Time | None
    updated_at: Time | None
    version: int | None
    platform: bool
    verified: bool | None
    value: NotRequired[str]


class Listing(TypedDict):
    """``list``."""

    connection: str
    secrets: list[SecretRow]


class Found(TypedDict):
    """``get``."""

    connection: str
    secret: SecretRow


class Change(TypedDict):
    """``create``, ``put``, ``update``, ``lock``, ``unlock``, ``delete``, ``restore`` and others like them."""

    connection: str
    operation: Literal[
        "create", "put", "update", "lock", "unlock", "delete", "restore", "undelete", "share", "unshare"
    ]
    name: str | None
    id: str | None
    fields: list[str]
    dry_run: bool
    applied: bool
    secret: SecretRow | None


class Version(TypedDict):
    """A version of a secret."""

    version: int
    at: Time
    operation: str
    principal: str
    fields: list[str]
    name: str
    old_name: str | None
    deleted: bool
    purged: bool
    shared: bool


class History(TypedDict):
    """``history``; newest first."""

    connection: str
    name: str
    versions: list[Version]


class Compared(TypedDict):
    """A secret in two stores; ``fields`` names those that both tell, and differently."""

    name: str
    status: Literal["only left", "only right", "equal", "different", "unknown"]
    value: Literal["equal", "different", "unknown"] | None
    fields: list[str]


class Diff(TypedDict):
    """``diff``."""

    left: str
    right: str
    secrets: list[Compared]


class ExpiringRow(TypedDict):
    """A secret that expires."""

    connection: str
    name: str
    expires_at: Time
    expired: bool


class NotTold(TypedDict):
    """A store that was not asked, and why."""

    connection: str
    why: str


class Expiring(TypedDict):
    """``expiring``; soonest first."""

    secrets: list[ExpiringRow]
    not_told: list[NotTold]


def secret_row(secret: Secret, *, value: str | None = None) -> SecretRow:
    """Give a secret as JSON; its value only where it is handed in."""
    row: dict[str, Any] = {
        name: getattr(secret, name) for name in SecretRow.__annotations__ if name != "value"
    }
    if value is not None:
        row["value"] = value
    return row  # type: ignore[return-value]  # the keys are those of a SecretRow
