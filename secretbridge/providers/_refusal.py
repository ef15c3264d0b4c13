"""What a refusal means: the table of statuses, and what may be shown of a vendor's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from secretbridge._scrub import safe_text, safe_token
from secretbridge.errors import (
    AuthenticationError,
    Conflict,
    PermissionDenied,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Rejected,
    SecretExists,
    SecretNotFound,
    SecretProtected,
    Violation,
    WrongAddress,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge._exchange import Reply, Request

__all__ = [
    "ADVICE",
    "LOOK_FIRST",
    "TRANSIENT",
    "Fault",
    "Kind",
    "by_status",
    "is_html",
    "retry_after",
    "shown",
]

#: What a refusal can become.
Kind = type[ProviderError] | type[WrongAddress]

_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: SecretNotFound,
    408: ProviderUnavailable,
    409: Conflict,
    410: SecretNotFound,
    425: ProviderUnavailable,
    429: RateLimited,
    507: QuotaExceeded,
}
#: Statuses that pass by themselves.
TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
ADVICE: Final[Mapping[Kind, str]] = {
    AuthenticationError: "Check that the credential is whole, current and of the right kind.",
    PermissionDenied: "The credential is known but may not do this; check its permissions.",
    SecretNotFound: "list_secrets() shows what is there.",
    SecretExists: "Use update_secret() to change it or put_secret() to replace it.",
    SecretProtected: "It has to be released at the provider, if that is possible there.",
    RateLimited: "Wait, or lower pace=.",
    QuotaExceeded: "Delete what is not needed or raise the quota at the provider.",
    WrongAddress: "Check base_url; redirects are never followed.",
    ProviderUnavailable: "Try again later.",
}
LOOK_FIRST: Final = "Whether the change was made is not known: look before you repeat it."

_MOST_SHOWN: Final = 20
_WITHHELD: Final = "was refused; the provider's words are left out, as they may repeat what was sent"
_HTML: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a vendor's refusal says, read from its body; texts are not yet scrubbed.

    Attributes:
        kind: what it is; None leaves that to the status.
        code: the vendor's code.
        violations: fields and what the vendor says of them.
        advice: what to do; None for the usual advice.
        transient: whether it passes by itself; None leaves that to the status.
    """

    kind: Kind | None = None
    code: object = None
    violations: tuple[tuple[object, object], ...] = ()
    advice: str | None = None
    transient: bool | None = None


def by_status(request: Request, reply: Reply) -> Kind:
    """Choose the error by the status, where the vendor's code did not."""
    status = reply.status
    if 300 <= status < 400 or status == 405:  # noqa: PLR2004 - redirects; a method this API surely has
        return WrongAddress
    collection = request.operation == "list" or request.method == "POST"
    if status in {404, 410} and (collection or is_html(reply)):
        return WrongAddress
    if status == 409 and request.operation in {"create", "put"}:  # noqa: PLR2004 - conflict
        return SecretExists
    return _STATUS.get(status, ProviderUnavailable if status >= 500 else Rejected)  # noqa: PLR2004


def shown(violations: Iterable[tuple[object, object]], secrets: list[str]) -> list[Violation]:
    """Give what may be shown of a vendor's complaints: never a text that shares anything with a secret."""
    found: list[Violation] = []
    for place, problem in violations:
        field, said = safe_token(place, secrets), safe_text(problem, secrets)
        if field or said:
            found.append(Violation(field or "?", said or _WITHHELD))
        if len(found) == _MOST_SHOWN:
            break
    return found


def is_html(reply: Reply) -> bool:
    """Say whether a reply is a web page, by its header or its beginning."""
    kind = (reply.header("content-type") or "").lower()
    return kind.startswith(("text/html", "application/xhtml")) or (
        reply.body[:64].lstrip().lower().startswith(_HTML)
    )


def retry_after(reply: Reply) -> float | None:
    """Read Retry-After, in seconds or as a date; None where there is none or it makes no sense."""
    text = (reply.header("retry-after") or "").strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # the parser raises what the text leads it to
        return None
