"""Larder: the secrets of one shelf. The service is made up; the adapter is whole."""

from pydantic import SecretStr

from secretbridge.adapter import (
    Answer,
    Capabilities,
    Channel,
    Credential,
    Fault,
    Fields,
    HeaderAuth,
    HttpProvider,
    Limit,
    Moment,
    Page,
    Reply,
    Request,
    Secret,
    Target,
    quoted,
    to_json,
)
from secretbridge.errors import SecretExists, SecretNotFound, SecretProtected

__all__ = ["Larder"]

#: Our fields, as Larder calls them.
WIRE = {
    "new_name": "name",
    "value": "value",
    "description": "note",
    "active": "enabled",
    "expires_at": "expires",
}
NO_FIELD = "Larder keeps a name, a value, a note, a switch and an expiry; leave this out"
KINDS = {"no_such_secret": SecretNotFound, "name_taken": SecretExists, "sealed": SecretProtected}


class Row(Answer):
    """A secret as Larder lists it."""

    id: str
    name: str
    note: str | None = None
    enabled: bool = True
    expires: Moment | None = None

    def secret(self, value: SecretStr | None = None) -> Secret:
        """Give it in our words."""
        return Secret(
            id=self.id,
            name=self.name,
            value=value,
            description=self.note,
            active=self.enabled,
            expires_at=self.expires,
        )


class Whole(Row):
    """A secret with its value."""

    value: SecretStr


class Listing(Answer):
    """One page of a listing."""

    items: list[Row]
    next: str | None = None


class Larder(HttpProvider):
    """The secrets of one shelf.

    Args:
        base_url: the service's address; ``/v1/secrets`` is added.
        api_key: the shelf's key, sent as ``Authorization: Bearer``.
    """

    capabilities = Capabilities(
        provider="larder",
        title="Larder",
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=frozenset({"value", "description", "active", "expires_at"}),
        update=frozenset({"new_name", "value", "description", "active", "expires_at"}),
        clear=frozenset({"description", "expires_at"}),
        why_not={
            "protected": NO_FIELD,
            "tool_name": NO_FIELD,
            "tool_arg": NO_FIELD,
            "default_for_tool": NO_FIELD,
            "if_version": "Larder counts no versions; leave if_version out",
        },
        addressed_by={"get": "id", "update": "id", "delete": "id"},
        name=Limit(min_length=1, max_length=100),
        limits={"value": Limit(min_length=1, max_length=5000), "description": Limit(max_length=300)},
        list_tells=frozenset({"description", "active", "expires_at"}),
        get_tells=frozenset({"value", "description", "active", "expires_at"}),
        emulates_put=True,
    )

    def __init__(
        self,
        base_url: str = "https://api.larder.example",
        *,
        api_key: Credential,
        allow_http: bool = False,
    ) -> None:
        auth = HeaderAuth("api_key", api_key, header="Authorization", prefix="Bearer ")
        super().__init__(base_url, auth, allow_http=allow_http)

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Give one page; Larder's cursor is the last name."""
        after = "" if cursor is None else f"&after={quoted(cursor)}"
        path = f"/v1/secrets?limit={min(size, 100)}{after}"
        reply = await self._ask(channel, "list", "GET", path, reads=True)
        page = self._parse(Listing, "list", reply)
        return [row.secret() for row in page.items], page.next

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret with its value."""
        reply = await self._ask(channel, "get", "GET", _path(target), secret=str(target), reads=True)
        row = self._parse(Whole, "get", reply)
        return row.secret(row.value)

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create a secret; not repeated after a lost answer, as it could meet its own first try."""
        reply = await self._ask(
            channel,
            "create",
            "POST",
            "/v1/secrets",
            secret=name,
            body=_body({"new_name": name, **fields}),
            value=fields["value"],
            idempotent=False,
        )
        return self._parse(Row, "create", reply).secret()

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Send exactly the given fields; null clears."""
        reply = await self._ask(
            channel,
            "update",
            "PATCH",
            _path(target),
            secret=str(target),
            body=_body(changes),
            value=changes.get("value"),
        )
        return self._parse(Row, "update", reply).secret()

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret for good."""
        reply = await self._ask(channel, "delete", "DELETE", _path(target), secret=str(target))
        self._parse_object("delete", reply)

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:
        """Read Larder's code; its ``message`` may repeat what was sent and is left alone."""
        code = document.get("code") if isinstance(document, dict) else None
        return Fault(KINDS.get(code) if isinstance(code, str) else None, code)


def _path(target: Target) -> str:
    return f"/v1/secrets/{quoted(target.id or '')}"


def _body(fields: dict[str, object] | Fields) -> bytes:
    return to_json({WIRE[name]: value for name, value in fields.items()})
