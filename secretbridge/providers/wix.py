"""Wix: the Secrets Vault of a site or an account.

Source: https://dev.wix.com/docs/rest/business-management/secrets/secrets
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._json import is_array, is_object
from secretbridge._models import Secret
from secretbridge.errors import (
    AuthenticationError,
    Conflict,
    PermissionDenied,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Rejected,
    SecretExists,
    SecretNotFound,
)
from secretbridge.providers._address import plain_address, quoted
from secretbridge.providers._credential import Credential, HeaderAuth, one_of
from secretbridge.providers._http import Answer, HttpProvider, Moment, to_json
from secretbridge.providers._refusal import Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from secretbridge._channel import Channel
    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Fields, Target
    from secretbridge._provider import Page

__all__ = ["Wix"]

_PATH: Final = "/api/v1/secrets"
_NO_FIELD: Final = "Wix keeps a name, a value and a description; leave this out"
#: Standard codes; service codes such as SECRET_ALREADY_EXISTS end in one.
_CODES: Final[Mapping[str, Kind]] = {
    "NOT_FOUND": SecretNotFound,
    "ALREADY_EXISTS": SecretExists,
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": PermissionDenied,
    "INVALID_ARGUMENT": Rejected,
    "OUT_OF_RANGE": Rejected,
    "FAILED_PRECONDITION": Rejected,
    "ABORTED": Conflict,
    "RESOURCE_EXHAUSTED": QuotaExceeded,
}
_STATUSES: Final[Mapping[int, Kind]] = {401: AuthenticationError, 403: PermissionDenied, 428: Rejected}
_PERMISSIONS: Final = (
    "Check the key's permissions (Manage Secrets), that the site id is the right one, and that the site has"
    " the Members Area app."
)


class _Row(Answer):
    id: str
    name: str
    description: str | None = None
    createdDate: Moment | None = None  # noqa: N815 - the vendor's name
    updatedDate: Moment | None = None  # noqa: N815 - the vendor's name


class _Listing(Answer):
    secrets: list[_Row]


class _Value(Answer):
    value: SecretStr


class _Id(Answer):
    id: str


class Wix(HttpProvider):
    """The secrets of one Wix site or account.

    Args:
        api_key: an API key (sent as it is, without Bearer) or an OAuth access token; as str, SecretStr, or a
            callable that gives one at every exchange.
        site_id: the site whose secrets are meant.
        account_id: the account whose secrets are meant. Exactly one of the two ids is given.
        base_url: the API's address; ``/api/v1/secrets`` is added. ``https://www.wixapis.com`` is the other
            documented form.
        allow_http: allow a base_url without TLS beyond loopback.

    Raises:
        InvalidRequest: no id or both, a malformed credential or id, or a base_url that cannot be used.
    """

    capabilities: Capabilities = Capabilities(
        provider="wix",
        title="Wix",
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=frozenset({"value", "description"}),
        update=frozenset({"new_name", "value", "description"}),
        clear=frozenset({"description"}),
        why_not=MappingProxyType(
            {
                "active": _NO_FIELD,
                "protected": _NO_FIELD,
                "expires_at": _NO_FIELD,
                "tool_name": _NO_FIELD,
                "tool_arg": _NO_FIELD,
                "default_for_tool": _NO_FIELD,
                "if_version": "Wix has no compare-and-set; leave if_version out",
            }
        ),
        addressed_by=MappingProxyType({"get": "name", "update": "id", "delete": "id"}),
        name=Limit(
            min_length=1,
            max_length=50,
            pattern=r"(?!wix)[A-Za-z0-9_+=\-@#$]+",
            meaning="letters, digits and _+=-@#$, not beginning with wix",
        ),
        limits=MappingProxyType(
            {"value": Limit(min_length=1, max_length=3500), "description": Limit(max_length=200)}
        ),
        list_tells=frozenset({"description"}),
        get_tells=frozenset({"value"}),
        emulates_put=True,
        requests_per_minute=200,
        notes=MappingProxyType(
            {
                "delete": "cannot be undone; code on the site that uses the secret breaks at once",
                "new_name": "code on the site that uses the old name breaks at once",
            }
        ),
    )
    _known_codes: Container[str] = {*_CODES, *(f"SECRET_{code}" for code in _CODES)}
    _request_id: str = "x-wix-request-id"

    def __init__(
        self,
        *,
        api_key: Credential,
        site_id: str | None = None,
        account_id: str | None = None,
        base_url: str = "https://www.wixapis.com/_api/cloud-secrets-vault-server",
        allow_http: bool = False,
    ) -> None:
        which = one_of({"site_id": site_id, "account_id": account_id}, "site_id or account_id")
        id_header = {"site_id": "wix-site-id", "account_id": "wix-account-id"}[which]
        ((_, id_text),) = HeaderAuth(which, site_id or account_id or "", header=id_header).headers()
        auth = HeaderAuth("api_key", api_key, header="Authorization", beside=((id_header.encode(), id_text),))
        super().__init__(base_url, auth, allow_http=allow_http)
        self._owner = f"{which.removesuffix('_id')} {id_text.decode()}"

    @property
    def store(self) -> str:
        """Which site or account this is; Wix has several addresses for one."""
        return f"{urlsplit(plain_address(self._base)).netloc} {self._owner}"

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:  # noqa: ARG002 - no pages
        """Give all secrets without their values: the API has no pages."""
        reply = await self._ask(channel, "list", "GET", _PATH, reads=True)
        rows = self._parse(_Listing, "list", reply).secrets
        return [
            Secret(
                id=row.id,
                name=row.name,
                description=row.description or None,
                created_at=row.createdDate,
                updated_at=row.updatedDate,
            )
            for row in rows
        ], None

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give the value, which Wix tells by name alone."""
        name = target.name or ""
        path = f"{_PATH}/name/{quoted(name)}"
        reply = await self._ask(channel, "get", "GET", path, secret=name, reads=True)
        return Secret(id=target.id, name=name, value=self._parse(_Value, "get", reply).value)

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create a secret; not repeated after an unknown outcome: it could meet its own first try."""
        reply = await self._ask(
            channel,
            "create",
            "POST",
            _PATH,
            secret=name,
            body=to_json({"secret": {"name": name, **fields}}),
            value=fields["value"],  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
            idempotent=False,
        )
        made = self._parse(_Id, "create", reply)
        return Secret(id=made.id, name=name, description=fields.get("description"))

    async def update(
        self,
        channel: Channel,
        target: Target,
        changes: Fields,
        *,
        if_version: int | None = None,  # noqa: ARG002 - refused by core: compare_and_set is False
    ) -> Secret:
        """Send exactly the given fields: the presence of a key is the mask."""
        wire: dict[str, object] = {
            key: changes.get(key) for key in ("value", "description") if key in changes
        }
        if "new_name" in changes:
            wire["name"] = changes["new_name"]
        if wire.get("description", "") is None:
            wire["description"] = ""  # both "" and null are accepted; "" cannot be read as "unchanged"
        reply = await self._ask(
            channel,
            "update",
            "PATCH",
            f"{_PATH}/{quoted(target.id or '')}",
            secret=str(target),
            body=to_json({"secret": wire}),
            value=changes.get("value"),
        )
        self._parse_object("update", reply)
        return Secret(
            id=target.id,
            name=changes.get("new_name", target.name or ""),
            description=changes.get("description") or None,
        )

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret for good."""
        path = f"{_PATH}/{quoted(target.id or '')}"
        self._parse_object("delete", await self._ask(channel, "delete", "DELETE", path, secret=str(target)))

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:
        """Read both documented shapes: applicationError and validationError."""
        details = _dict(_dict(document).get("details"))
        code = _dict(details.get("applicationError")).get("code")
        listed = _dict(details.get("validationError")).get("fieldViolations")
        rows = [row for row in listed if is_object(row)] if is_array(listed) else []
        violations = tuple((row.get("field"), row.get("description")) for row in rows)
        kind = self._kind(request, reply, code) or (Rejected if rows else None)
        if reply.status in _STATUSES:
            return Fault(kind or _STATUSES[reply.status], code, violations, advice=_PERMISSIONS)
        return Fault(kind, code, violations)

    def _kind(self, request: Request, reply: Reply, code: object) -> Kind | None:
        """Choose the error by the code; None leaves it to the status."""
        if not isinstance(code, str):
            return None
        kind = next((kind for standard, kind in _CODES.items() if code.endswith(standard)), None)
        if kind is not None and reply.status >= 500:  # noqa: PLR2004 - the server's own failures
            return ProviderUnavailable
        if kind is QuotaExceeded and reply.status == 429:  # noqa: PLR2004 - too many requests
            return RateLimited
        if kind is SecretNotFound:
            if request.operation in {"list", "create"}:
                return None  # what is missing cannot be a secret: the status decides
            if code != "NOT_FOUND" and "SECRET" not in code:
                return Rejected  # a site or an account is missing: delete must not take that for done
        return kind


def _dict(part: object) -> Mapping[str, object]:
    return part if is_object(part) else {}
