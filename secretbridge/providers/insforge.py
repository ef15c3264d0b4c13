"""InsForge: the secrets of a project.

Source: https://docs.insforge.dev (secrets) and, where it differs, what a server of version 2.3.1 does.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._models import Secret, Target
from secretbridge.errors import (
    SecretBridgeError,
    SecretExists,
    SecretNotFound,
    UnexpectedReply,
    Unverified,
    Violation,
)
from secretbridge.providers._address import plain_address, quoted
from secretbridge.providers._credential import Credential, HeaderAuth
from secretbridge.providers._http import HttpProvider, is_past, to_json
from secretbridge.providers._insforge_answers import (
    CODES,
    DOUBTFUL,
    MOST_BYTES,
    Done,
    Listing,
    Made,
    Value,
    fault,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Fields, Operation
    from secretbridge._provider import Page
    from secretbridge.providers._refusal import Fault

__all__ = ["InsForge"]

_PATH: Final = "/api/secrets"
_WIRE: Final = {
    "value": "value",
    "active": "isActive",
    "protected": "isReserved",
    "expires_at": "expiresAt",
}
_NO_FIELD: Final = "InsForge keeps a key, a value, two flags and an expiry; leave this out"
#: Answers can be as long as requests.
_MOST_REPLY: Final = MOST_BYTES + 65_536
#: POST refuses an empty value, PUT takes it: created with this, then emptied.
_PLACEHOLDER: Final = "-"


class InsForge(HttpProvider):
    """The secrets of one InsForge project.

    Args:
        base_url: the project's address; ``/api/secrets`` is added.
        api_key: an API key (``ik_…``) or an admin's JWT, sent as ``Authorization: Bearer``; as str,
            SecretStr, or a callable that gives one at every exchange.
        allow_http: allow a base_url without TLS beyond loopback.

    Raises:
        InvalidRequest: a malformed credential or a base_url that cannot be used.
    """

    capabilities: Capabilities = Capabilities(
        provider="insforge",
        title="InsForge",
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=frozenset({"value", "active", "protected", "expires_at"}),
        update=frozenset({"value", "active", "protected", "expires_at"}),
        clear=frozenset({"expires_at"}),
        one_way=MappingProxyType(
            {
                "protected": "InsForge has no way back from a reserved secret: it can then be neither"
                " changed, nor released, nor deleted"
            }
        ),
        why_not=MappingProxyType(
            {
                "new_name": "InsForge cannot rename: create it under the new name, then delete the old one",
                "description": _NO_FIELD,
                "tool_name": _NO_FIELD,
                "tool_arg": _NO_FIELD,
                "default_for_tool": _NO_FIELD,
                "if_version": "InsForge has no compare-and-set; leave if_version out",
            }
        ),
        addressed_by=MappingProxyType({"get": "name", "update": "name", "put": "name", "delete": "name"}),
        finds_any_name=True,  # the pattern is enforced when a row is made, and rows can be older than it
        name=Limit(min_length=1, pattern=r"[A-Z0-9_]+", meaning="upper-case letters, digits and _"),
        limits=MappingProxyType({"value": Limit(max_length=99_000_000)}),
        list_tells=frozenset({"active", "protected", "expires_at"}),
        get_tells=frozenset({"value"}),
        max_in_flight=4,
        notes=MappingProxyType(
            {
                "expires_at": "kept in milliseconds; what is finer is cut off",
                "updated_at": "moves when the value is read",
                "delete": "soft: the row stays listed as inactive",
            }
        ),
    )

    #: Every reading of a value counts as a change there.
    moved_by_reading = frozenset({"updated_at"})
    #: A create is POST and PUT; see create().
    costs: Mapping[Operation, int] = MappingProxyType({"create": 2})
    _known_codes: Container[str] = CODES

    def __init__(self, base_url: str, *, api_key: Credential, allow_http: bool = False) -> None:
        auth = HeaderAuth("api_key", api_key, header="Authorization", prefix="Bearer ")
        super().__init__(base_url, auth, allow_http=allow_http)

    @property
    def store(self) -> str:
        """Which project this is."""
        return plain_address(self._base)

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Measure the body: the limit is in bytes, and the server answers 500 beyond it."""
        value = fields.get("value")
        if value is not None and len(value.get_secret_value()) > MOST_BYTES // 12:
            size = len(to_json({"value": value}))
            if size > MOST_BYTES:
                yield Violation("value", f"takes more than {MOST_BYTES:,} bytes to send", "shorten it")

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:  # noqa: ARG002 - no pages
        """Give all rows without values: deleted, expired and platform ones too."""
        reply = await self._ask(channel, "list", "GET", _PATH, reads=True, doubtful_codes=DOUBTFUL)
        return [row.secret() for row in self._parse(Listing, "list", reply).secrets], None

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give the value."""
        name = target.name or ""
        reply = await self._ask(
            channel,
            "get",
            "GET",
            f"{_PATH}/{quoted(name)}",
            secret=name,
            reads=True,
            doubtful_codes=DOUBTFUL,
            max_reply=_MOST_REPLY,
        )
        told = self._parse(Value, "get", reply)
        if told.key != name:
            raise UnexpectedReply(
                f"InsForge answered about another secret than {name!r}.", status=reply.status, applied=False
            )
        return Secret(id=target.id, name=name, value=told.value)

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create by POST, then set the rest by PUT.

        POST alone would bring a deleted row back with its old expiry, refuses an empty value and knows no
        active flag. A failure of the second step leaves ``applied`` unknown.
        """
        made = await self._post(channel, "create", name, fields, idempotent=False)
        try:
            await self._write(channel, "create", name, _whole(fields))
        except SecretBridgeError as error:
            error.applied = None
            raise
        return _written(name, made, fields)

    async def update(
        self,
        channel: Channel,
        target: Target,
        changes: Fields,
        *,
        if_version: int | None = None,  # noqa: ARG002 - refused by core: compare_and_set is False
    ) -> Secret:
        """Send exactly the given fields: PUT is partial here."""
        await self._write(channel, "update", target.name or "", changes)
        return Secret(
            id=target.id,
            name=target.name or "",
            active=changes.get("active"),
            protected=changes.get("protected"),
            expires_at=changes.get("expires_at"),
        )

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """PUT; where there is no row POST; where that came too late PUT again; then read back.

        POST comes second because it would bring a deleted row back with its old expiry.
        """
        whole = _whole(fields)
        made, missing = None, False
        try:
            await self._write(channel, "put", name, whole)
        except SecretNotFound:
            missing = True
        if missing:
            made = await self._put_new(channel, name, fields, whole)
        if not whole.get("active") or is_past(whole.get("expires_at")):
            return _written(name, made, fields)  # not handed out, so not to be confirmed
        return await self._confirmed(channel, name, made, fields)

    async def _put_new(self, channel: Channel, name: str, fields: Fields, whole: Fields) -> str | None:
        """POST, and PUT what POST cannot say or where another was faster; give the id of a new row."""
        value = fields["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
        made: str | None = None
        posted: bool | None = True
        try:
            made = await self._post(channel, "put", name, fields, idempotent=True)
            if value.get_secret_value() and whole.get("active") and not fields.get("protected"):
                return made
        except SecretExists as error:
            posted = error.applied  # None: an earlier try of ours may have made it
        try:
            await self._write(channel, "put", name, whole)
        except SecretBridgeError as error:
            if posted is not False:
                error.applied = None
            raise
        return made

    async def _confirmed(self, channel: Channel, name: str, made: str | None, fields: Fields) -> Secret:
        """Read back: an answer of success alone proves nothing here."""
        seen: SecretStr | None = None
        try:
            seen = (await self.get(channel, Target(name))).value
        except SecretNotFound:
            pass
        except SecretBridgeError as error:
            error.applied = True
            raise
        if seen != fields["value"]:  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
            raise Unverified(
                f"InsForge accepted {name!r} but does not hand out this value.",
                advice="Another writer may have come in between: look with get_secret().",
            )
        return replace(_written(name, made, fields), verified=True)

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete softly; repeating it is harmless."""
        name = target.name or ""
        path = f"{_PATH}/{quoted(name)}"
        reply = await self._ask(channel, "delete", "DELETE", path, secret=name, doubtful_codes=DOUBTFUL)
        self._parse_object("delete", reply, Done)

    async def _post(
        self, channel: Channel, operation: Operation, name: str, fields: Fields, *, idempotent: bool
    ) -> str | None:
        value = fields["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
        body: dict[str, object] = {"key": name, "value": value if value.get_secret_value() else _PLACEHOLDER}
        if fields.get("expires_at") is not None:
            body["expiresAt"] = fields.get("expires_at")
        reply = await self._ask(
            channel,
            operation,
            "POST",
            _PATH,
            secret=name,
            body=to_json(body),
            value=value,
            idempotent=idempotent,
            doubtful_codes=DOUBTFUL,
        )
        return self._parse(Made, operation, reply).id

    async def _write(self, channel: Channel, operation: Operation, name: str, fields: Fields) -> None:
        reply = await self._ask(
            channel,
            operation,
            "PUT",
            f"{_PATH}/{quoted(name)}",
            secret=name,
            body=to_json({wire: fields[key] for key, wire in _WIRE.items() if key in fields}),  # type: ignore[literal-required]  # the keys of _WIRE are those of Fields
            value=fields.get("value"),
            doubtful_codes=DOUBTFUL,
        )
        self._parse_object(operation, reply, Done)

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:
        return fault(request, reply, document)


def _whole(fields: Fields) -> Fields:
    """Fill in the defaults of a new secret, so that nothing of an old row remains.

    ``protected`` is left out where it is not wanted: a reserved row refuses the change anyway.
    """
    whole: Fields = {
        "value": fields["value"],  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
        "active": fields.get("active", True),
        "expires_at": fields.get("expires_at"),
    }
    if fields.get("protected"):
        whole["protected"] = True
    return whole


def _written(name: str, id_: str | None, fields: Fields) -> Secret:
    return Secret(
        id=id_,
        name=name,
        active=fields.get("active", True),
        protected=fields.get("protected", False),
        expires_at=fields.get("expires_at"),
    )
