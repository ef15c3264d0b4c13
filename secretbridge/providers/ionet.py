"""io.net: IO Intelligence, secret management. Values go in and never come out.

Source: the OpenAPI description of IO Intelligence, https://docs.io.net/reference (secrets).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._json import is_array, is_object
from secretbridge._models import Secret
from secretbridge.errors import QuotaExceeded, SecretExists
from secretbridge.providers._address import quoted
from secretbridge.providers._credential import Credential, HeaderAuth, one_of
from secretbridge.providers._http import Answer, HttpProvider, Moment, to_json
from secretbridge.providers._refusal import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._channel import Channel
    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Fields, Target
    from secretbridge._provider import Page

__all__ = ["IoNet"]

_WIRE: Final = {
    "new_name": "secret_name",
    "value": "secret_value",
    "tool_name": "tool_name",
    "tool_arg": "tool_arg",
    "default_for_tool": "is_default_for_tool",
}
_NO_FIELD: Final = "io.net keeps a name, a value and a tool binding; leave this out"
_NO_CLEAR: Final = (
    "io.net reads null as unchanged, so a tool binding cannot be cleared; delete the secret and make it anew"
)


class _Info(Answer):
    secret_id: str
    secret_name: str
    display: SecretStr | None = None  # a mask, but of a value of four characters it shows all
    tool_name: str | None = None
    tool_arg: str | None = None
    is_default_for_tool: bool | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None

    def secret(self) -> Secret:
        return Secret(
            id=self.secret_id,
            name=self.secret_name,
            tool_name=self.tool_name,
            tool_arg=self.tool_arg,
            default_for_tool=self.is_default_for_tool,
            created_at=self.created_at,
            updated_at=self.updated_at,
            extra={} if self.display is None else {"display": self.display},
        )


class _Listing(Answer):
    data: list[_Info]


class IoNet(HttpProvider):
    """The secrets of one io.net account.

    Args:
        api_key: an API key, sent as ``x-api-key``.
        bearer: a token, sent as ``Authorization: Bearer``.
        token: a JWT, sent as ``token``.
        base_url: the API's address; ``/secrets/`` is added.
        allow_http: allow a base_url without TLS beyond loopback.

    Exactly one credential is given: as str, SecretStr, or a callable that gives one at every exchange.

    Raises:
        InvalidRequest: no credential or several, a malformed one, or a base_url that cannot be used.
    """

    capabilities: Capabilities = Capabilities(
        provider="ionet",
        title="io.net",
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=frozenset({"value", "tool_name", "tool_arg", "default_for_tool"}),
        update=frozenset({"new_name", "value", "tool_name", "tool_arg", "default_for_tool"}),
        why_not=MappingProxyType(
            {
                "description": _NO_FIELD,
                "active": _NO_FIELD,
                "protected": _NO_FIELD,
                "expires_at": _NO_FIELD,
                "clear": _NO_CLEAR,
                "if_version": "io.net has no compare-and-set; leave if_version out",
            }
        ),
        addressed_by=MappingProxyType({"get": "id", "update": "id", "delete": "id"}),
        id_is_uuid=True,
        name=Limit(min_length=1, max_length=1024),
        limits=MappingProxyType(
            {
                "value": Limit(min_length=4, max_length=1024),
                # What an empty text does to a binding is not known; that null does nothing is.
                "tool_name": Limit(min_length=1),
                "tool_arg": Limit(min_length=1),
            }
        ),
        list_tells=frozenset({"tool_name", "tool_arg", "default_for_tool"}),
        get_tells=frozenset({"tool_name", "tool_arg", "default_for_tool"}),
        resets=MappingProxyType({"tool_name": _NO_CLEAR, "tool_arg": _NO_CLEAR}),
        emulates_put=True,
        requests_per_minute=120,
        notes=MappingProxyType(
            {
                "value": "never told, so a value that was set cannot be verified",
                "names": "need not be unique: several of one name are ambiguous, and named by id=",
                "delete": "cannot be undone",
                "pace": "io.net documents no limit; a client in the field keeps to 2 requests a second",
            }
        ),
    )

    def __init__(
        self,
        *,
        api_key: Credential | None = None,
        bearer: Credential | None = None,
        token: Credential | None = None,
        base_url: str = "https://api.intelligence.io.solutions/api/v1",
        allow_http: bool = False,
    ) -> None:
        given = {"api_key": api_key, "bearer": bearer, "token": token}
        which = one_of(given, "credential")
        header = {"api_key": "x-api-key", "bearer": "Authorization", "token": "token"}[which]
        source = next(value for value in given.values() if value is not None)
        prefix = "Bearer " if which == "bearer" else ""
        super().__init__(
            base_url, HeaderAuth(which, source, header=header, prefix=prefix), allow_http=allow_http
        )

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:  # noqa: ARG002 - no pages
        """Give all secrets: the API has no pages."""
        reply = await self._ask(channel, "list", "GET", "/secrets/", reads=True)
        return [info.secret() for info in self._parse(_Listing, "list", reply).data], None

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give what io.net tells of a secret: all but its value."""
        reply = await self._ask(channel, "get", "GET", _item(target), secret=str(target), reads=True)
        return self._parse(_Info, "get", reply).secret()

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create a secret. After an unknown outcome it is not repeated: POST makes a second one."""
        reply = await self._ask(
            channel,
            "create",
            "POST",
            "/secrets/",
            secret=name,
            body=_body({"new_name": name, **fields}),
            value=fields["value"],  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
            idempotent=False,
        )
        return self._parse(_Info, "create", reply).secret()

    async def update(
        self,
        channel: Channel,
        target: Target,
        changes: Fields,
        *,
        if_version: int | None = None,  # noqa: ARG002 - refused by core: compare_and_set is False
    ) -> Secret:
        """Send exactly the given fields. The answer is documented as anything at all and is not read."""
        await self._ask(
            channel,
            "update",
            "PATCH",
            _item(target),
            secret=str(target),
            body=_body(changes),
            value=changes.get("value"),
        )
        return Secret(
            id=target.id,
            name=changes.get("new_name", target.name or ""),
            tool_name=changes.get("tool_name"),
            tool_arg=changes.get("tool_arg"),
            default_for_tool=changes.get("default_for_tool"),
        )

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret for good."""
        await self._ask(channel, "delete", "DELETE", _item(target), secret=str(target))

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:  # noqa: ARG002 - the base's
        """Keep loc, msg and type of a 422; its ``input`` echoes the rejected value."""
        detail = document.get("detail") if is_object(document) else None
        entries = [entry for entry in detail if is_object(entry)] if is_array(detail) else []
        violations = tuple((_place(entry.get("loc")), entry.get("msg")) for entry in entries)
        code = entries[0].get("type") if entries else None
        if reply.status == 413:  # noqa: PLR2004 - content too large
            return Fault(
                QuotaExceeded,
                code,
                violations,
                advice="The account's storage for secrets is full; the total counts, not this value.",
            )
        # Nothing but a name can collide there, and there are no versions to conflict.
        return Fault(SecretExists if reply.status == 409 else None, code, violations)  # noqa: PLR2004 - conflict


def _item(target: Target) -> str:
    """Give the path of one secret: no slash at its end, and an id from a listing cannot lead elsewhere."""
    return f"/secrets/{quoted(target.id or '')}"


def _place(loc: object) -> str | None:
    """Write a 422's place as ``secret_value``; parts that are neither text nor number are no place."""
    if not is_array(loc):
        return None
    return ".".join(str(part) for part in loc if isinstance(part, (str, int)) and part != "body")


def _body(fields: Mapping[str, object]) -> bytes:
    """Write the given fields, and no null: io.net reads null as "unchanged"."""
    return to_json({_WIRE[name]: value for name, value in fields.items()})
