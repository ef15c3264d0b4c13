"""What InsForge answers: its rows, and what its refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import SecretStr

from secretbridge._json import is_object
from secretbridge._models import Secret
from secretbridge.errors import Rejected, SecretExists, SecretNotFound, SecretProtected, WrongAddress
from secretbridge.providers._http import Answer, Moment
from secretbridge.providers._refusal import Fault, Kind

if TYPE_CHECKING:
    from secretbridge._exchange import Reply, Request

__all__ = ["CODES", "DOUBTFUL", "MOST_BYTES", "Done", "Listing", "Made", "Value", "fault"]

#: The most that the server takes, in bytes; beyond it says 500.
MOST_BYTES: Final = 100_000_000
CODES: Final = frozenset(
    {
        "AUTH_INVALID_API_KEY",
        "AUTH_INVALID_CREDENTIALS",
        "AUTH_UNAUTHORIZED",
        "FORBIDDEN",
        "INTERNAL_ERROR",
        "INVALID_INPUT",
        "NOT_FOUND",
        "SECRET_ALREADY_EXISTS",
        "SECRET_NOT_FOUND",
    }
)
#: Under load the server says this of keys that are good; repeated where the key has worked.
DOUBTFUL: Final = frozenset({"AUTH_INVALID_API_KEY"})
_MISSING: Final = frozenset({"SECRET_NOT_FOUND", "NOT_FOUND"})
#: The keys of the platform's own secrets; their rows are reserved.
_PLATFORM: Final = frozenset({"API_KEY", "ANON_KEY", "JWT_SECRET", "ACCESS_API_KEY", "INSFORGE_BASE_URL"})

_RESERVED: Final = "It is reserved, and InsForge has no way back from that."
_MAY_BE_FALSE: Final = "Check the key; InsForge also says this where its database fails to look the key up."
_MAY_BE_HIDDEN: Final = (
    "list_secrets() shows what is there; a secret that is inactive or expired is listed but not handed out"
    " (update_secret with active=True or a new expires_at)."
)
_TOO_LONG: Final = "The value is probably too long for this server."
_NOT_TAKEN: Final = (
    "InsForge says this of what it cannot take, such as a date out of range; it is not repeated."
)


class _Row(Answer):
    id: str | None = None
    key: str
    isActive: bool | None = None  # noqa: N815 - the vendor's name
    isReserved: bool | None = None  # noqa: N815 - the vendor's name
    expiresAt: Moment | None = None  # noqa: N815 - the vendor's name
    lastUsedAt: Moment | None = None  # noqa: N815 - the vendor's name
    createdAt: Moment | None = None  # noqa: N815 - the vendor's name
    updatedAt: Moment | None = None  # noqa: N815 - the vendor's name

    def secret(self) -> Secret:
        return Secret(
            id=self.id,
            name=self.key,
            active=self.isActive,
            protected=self.isReserved,
            expires_at=self.expiresAt,
            created_at=self.createdAt,
            updated_at=self.updatedAt,
            platform=bool(self.isReserved) and self.key in _PLATFORM,
            extra={} if self.lastUsedAt is None else {"last_used_at": self.lastUsedAt},
        )


class Listing(Answer):
    """All rows: deleted, expired and platform ones too."""

    secrets: list[_Row]


class Value(Answer):
    """One value."""

    key: str
    value: SecretStr


class Done(Answer):
    """What a write is answered with: ``success`` may be missing, but a denial or an error is none."""

    success: Literal[True] = True
    error: None = None


class Made(Done):
    """A new row."""

    id: str | None = None


def fault(request: Request, reply: Reply, document: object) -> Fault:
    """Read ``error`` and ``message``; of the message only whether it speaks of an endpoint."""
    told: dict[str, Any] = document if is_object(document) else {}
    code, message = told.get("error"), told.get("message")
    if not isinstance(code, str):
        code = None
    match reply.status:
        case 401 if code in DOUBTFUL:
            return Fault(None, code, advice=_MAY_BE_FALSE)
        case 404 | 409 | 410:
            return _missing_or_there(request, reply, code, message)
        case 403 if code == "FORBIDDEN" and not request.reads:
            return Fault(SecretProtected, code, advice=_RESERVED)
        case 500 if not request.reads:
            too_long = len(request.body) > MOST_BYTES // 2
            kind: Kind | None = Rejected if too_long else None
            return Fault(kind, code, advice=_TOO_LONG if too_long else _NOT_TAKEN, transient=False)
        case _:
            return Fault(None, code)


def _missing_or_there(request: Request, reply: Reply, code: str | None, message: object) -> Fault:
    if reply.status == 409:  # noqa: PLR2004 - conflict
        return Fault(SecretExists, code)  # by status: older servers send INVALID_INPUT
    if code is None or str(message).startswith("Endpoint"):
        return Fault(WrongAddress)  # InsForge names a code with each refusal; else another server answered
    if code in _MISSING and request.method != "POST" and request.operation != "list":
        return Fault(SecretNotFound, code, advice=_MAY_BE_HIDDEN)
    return Fault(None, code)
