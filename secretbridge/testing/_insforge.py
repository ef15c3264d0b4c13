"""A stand-in of InsForge's secrets, as the server behaves: what it says 200 to is not always what it does.

Soft delete, revival with the old expiry, a partial PUT, a one-way flag, stamps that move on reading, and 500
for most of a client's mistakes: ``docs/testing-standins.md`` lists them all.
"""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import unquote

from secretbridge.testing._exchange import Reply, StandInReply, json_reply, timestamp
from secretbridge.testing._insforge_row import InsForgeSecret, changes_in, require, shown
from secretbridge.testing._standin import StandIn

if TYPE_CHECKING:
    from typing import Unpack

    from secretbridge.testing._exchange import Json, RecordedRequest
    from secretbridge.testing._standin import StandInOptions

__all__ = ["InsForgeSecret", "InsForgeStandIn"]

_KEY = re.compile(r"[A-Z0-9_]+")
_CALM = 4  # with more requests than this in flight, the server's check of the key may fail


@dataclass(frozen=True, slots=True)
class _Call:
    """What an operation gets: the key in the path, the body, and when the request came."""

    name: str
    body: dict[str, Any] = field(repr=False)
    number: int


_Operation: TypeAlias = Callable[[_Call], StandInReply]


class InsForgeStandIn(StandIn):
    """The secrets of one InsForge project.

    Args:
        api_key: Begins with ``ik_``; accepted as ``Authorization: Bearer`` or as ``x-api-key``.
        jwt: An admin's token, accepted as ``Authorization: Bearer``.
        user_jwt: A token that is good but not an admin's: 403.
        base_url: The project's address.
        older: True: answer as versions before 2.1.8, with NOT_FOUND for a missing secret and INVALID_INPUT
            with the 409 of one that exists.
        null_flags: True: seeded rows have null for flags that were never set, as rows of old installations.
        platform_rows: False: leave out the reserved rows that each project has.
        false_401: Every so many-th request that finds more than four in flight gets a 401 for a good key
            (see ``latency`` to make requests overlap); 0 for never. Script `FALSE_401` to place one exactly.
        body_limit: The most bytes of a body; over it, 500.
        version: What the health check tells.
        **options: See `StandInOptions`.
    """

    _vendor = "insforge"

    FALSE_401: ClassVar[Reply]

    def __init__(
        self,
        *,
        api_key: str = "ik_insforge-key",
        jwt: str = "eyJhbGciOiJIUzI1NiJ9.admin.stand-in",
        user_jwt: str = "eyJhbGciOiJIUzI1NiJ9.user.stand-in",
        base_url: str = "https://project.insforge.app",
        older: bool = False,
        null_flags: bool = False,
        platform_rows: bool = True,
        false_401: int = 0,
        body_limit: int = 100 * 1024 * 1024,
        version: str = "2.3.1",
        **options: Unpack[StandInOptions],
    ) -> None:
        super().__init__(base_url, **options)
        self.api_key = api_key
        self.jwt = jwt
        self.user_jwt = user_jwt
        self.older = older
        self.null_flags = null_flags
        self.false_401 = false_401
        self.body_limit = body_limit
        self.version = version
        self._crowded = 0
        self._revived: dict[str, int] = {}
        self._rows: dict[str, InsForgeSecret] = {}
        if platform_rows:
            self.seed("API_KEY", api_key, reserved=True)
            self.seed("ANON_KEY", "anon_stand-in", reserved=True)
            self.seed("JWT_SECRET", "jwt-secret_stand-in", reserved=True)

    @property
    def secrets(self) -> tuple[InsForgeSecret, ...]:
        """The true state, oldest first: deleted, expired and the platform's rows included."""
        with self._lock:
            return tuple(self._rows.values())

    def secret(self, name: str) -> InsForgeSecret:
        """The row of this key, readable or not.

        Raises:
            LookupError: There never was one.
        """
        with self._lock:
            return self._rows[name]

    def seed(
        self,
        name: str,
        value: str,
        *,
        active: bool | None = None,
        reserved: bool | None = None,
        expires_at: float | None = None,
    ) -> InsForgeSecret:
        """Put a row in, past every check, in place of one with the same key.

        Args:
            name: The key.
            value: The value.
            active: None: true, or null with ``null_flags``.
            reserved: None: false, or null with ``null_flags``.
            expires_at: Seconds since 1970.
        """
        now = self.clock()
        if not self.null_flags:
            active, reserved = active is not False, reserved is True
        row = InsForgeSecret(str(uuid.uuid4()), name, value, active, reserved, expires_at, None, now, now)
        with self._lock:
            self._rows[name] = row
        return row

    def _respond(self, request: RecordedRequest) -> StandInReply:
        reply = self._answered(request)
        etag = f'W/"{len(reply.body):x}-{zlib.crc32(reply.body):08x}"'
        known = request.method == "GET" and request.header("if-none-match") in (etag, "*")
        if known and reply.status == HTTPStatus.OK:
            return StandInReply(HTTPStatus.NOT_MODIFIED, (("ETag", etag),))
        return StandInReply(reply.status, (*reply.headers, ("ETag", etag)), reply.body)

    def _too_many(self) -> StandInReply:
        return _failed(429, "RATE_LIMITED", "Too many requests")

    def _answered(self, request: RecordedRequest) -> StandInReply:
        # The body is read before the path is looked at, and the path before the credential.
        body = self._body(request)
        if isinstance(body, StandInReply):
            return body
        path = request.route.removeprefix(self._prefix).removesuffix("/")
        if (request.method, path) == ("GET", "/api/health"):
            return json_reply(200, self._health())
        operation, name = self._operation(request.method, path)
        if operation is None:
            message = f"Endpoint {request.path} not found"
            return _failed(404, "NOT_FOUND", message, "Please check the API documentation")
        return self._turned_away(request) or operation(_Call(name, body, request.number))

    def _operation(self, method: str, path: str) -> tuple[_Operation | None, str]:
        """What to do, by method and path, and the key in the path, percent-decoded."""
        found: tuple[_Operation | None, str]
        match method, [unquote(part) for part in path.split("/")]:
            case "GET", ["", "api", "secrets"]:
                found = self._list, ""
            case "POST", ["", "api", "secrets"]:
                found = self._create, ""
            case "GET", ["", "api", "secrets", name]:
                found = self._get, name
            case "PUT", ["", "api", "secrets", name]:
                found = self._update, name
            case "DELETE", ["", "api", "secrets", name]:
                found = self._delete, name
            case _:
                found = None, ""
        return found

    def _body(self, request: RecordedRequest) -> dict[str, Any] | StandInReply:
        if len(request.body) > self.body_limit:
            return _failed(500, "INTERNAL_ERROR", "request entity too large")
        kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if not request.body or kind != "application/json":
            return {}  # a body of another type is not read, and nothing is said about it
        try:
            payload: Json = request.json()
        except ValueError:
            payload = None
        if not isinstance(payload, (dict, list)):
            return _failed(400, "INVALID_INPUT", "Unexpected token in JSON at position 0")
        return payload if isinstance(payload, dict) else {}

    def _health(self) -> dict[str, str]:
        now = timestamp(self.clock())
        return {"status": "ok", "version": self.version, "service": "Insforge OSS Backend", "timestamp": now}

    def _turned_away(self, request: RecordedRequest) -> StandInReply | None:
        """Why a credential is not enough, or None. A key in ``x-api-key`` wins over a token."""
        header = request.header("authorization") or ""
        token = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
        key = token if token.startswith("ik_") else request.header("x-api-key")
        if key:
            if key == self.api_key and not self._fails_in_the_crowd():
                return None
            return self.FALSE_401.as_reply()
        if token == self.jwt:
            return None
        if token == self.user_jwt:
            return _failed(403, "AUTH_UNAUTHORIZED", "Admin access required")
        if token:
            return _failed(401, "AUTH_UNAUTHORIZED", "Invalid token")
        return _failed(401, "AUTH_INVALID_CREDENTIALS", "No admin token provided")

    def _fails_in_the_crowd(self) -> bool:
        if not self.false_401 or self._in_flight <= _CALM:
            return False
        self._crowded += 1
        return self._crowded % self.false_401 == 0

    def _list(self, _call: _Call) -> StandInReply:
        newest_first = sorted(self._rows.values(), key=lambda row: row.created_at, reverse=True)
        return json_reply(200, {"secrets": [shown(row) for row in newest_first]})

    def _get(self, call: _Call) -> StandInReply:
        name, now = call.name, self.clock()
        row = self._rows.get(name)
        if row is None or row.active is not True or (row.expires_at is not None and row.expires_at <= now):
            return self._missing(name)
        self._rows[name] = replace(row, last_used_at=now, updated_at=now)
        return json_reply(200, {"key": name, "value": row.value})

    def _create(self, call: _Call) -> StandInReply:
        body, name, value = call.body, call.body.get("key"), call.body.get("value")
        if not name or not value:
            return _failed(400, "INVALID_INPUT", "Both key and value are required")
        if isinstance(name, str) and not _KEY.fullmatch(name):
            message = "Invalid key format. Use uppercase letters, numbers, and underscores only"
            return _failed(400, "INVALID_INPUT", message)
        old = self._rows.get(name) if isinstance(name, str) else None
        # Nothing is locked over there: who came before a deleted row was revived still finds it deleted.
        raced = old is not None and call.number <= self._revived.get(old.id, 0)
        if old is not None and old.active and not raced:
            code = "INVALID_INPUT" if self.older else "SECRET_ALREADY_EXISTS"
            return _failed(409, code, f"Secret already exists: {name}")
        try:
            require(name, str)
            changes = changes_in({**body, "isActive": True, "isReserved": body.get("isReserved") or False})
        except (TypeError, ValueError, OverflowError):
            return _failed(500, "INTERNAL_ERROR", "Failed to create secret")
        if not body.get("expiresAt"):
            changes.pop("expires_at", None)  # so a deleted row comes back with the expiry it had
        if old is not None:
            self._revived[old.id] = self._arrivals
        now = self.clock()
        row = old or InsForgeSecret(str(uuid.uuid4()), name, "", created_at=now)
        self._rows[name] = replace(row, **changes, updated_at=now)
        message = f"Secret {name} has been created successfully"
        return json_reply(201, {"success": True, "message": message, "id": row.id})

    def _update(self, call: _Call) -> StandInReply:
        name = call.name
        row = self._rows.get(name)
        if row is None:
            return self._missing(name)
        if row.reserved:
            return _failed(403, "FORBIDDEN", f"Cannot update reserved secret: {name}")
        try:
            changes = changes_in(call.body)
        except (TypeError, ValueError, OverflowError):
            changes = {}
        if not changes:
            return _failed(500, "INTERNAL_ERROR", "Failed to update secret")
        self._rows[name] = replace(row, **changes, updated_at=self.clock())
        return json_reply(200, {"success": True, "message": f"Secret {name} has been updated successfully"})

    def _delete(self, call: _Call) -> StandInReply:
        name = call.name
        row = self._rows.get(name)
        if row is None:
            return self._missing(name)
        if row.reserved:
            return _failed(403, "FORBIDDEN", f"Cannot delete reserved secret: {name}")
        self._rows[name] = replace(row, active=False, updated_at=self.clock())
        return json_reply(200, {"success": True, "message": f"Secret {name} has been deleted successfully"})

    def _missing(self, name: str) -> StandInReply:
        return _failed(404, "NOT_FOUND" if self.older else "SECRET_NOT_FOUND", f"Secret not found: {name}")


def _failed(status: int, code: str, message: str, advice: str | None = None) -> StandInReply:
    body: dict[str, object] = {"error": code, "message": message, "statusCode": status}
    return json_reply(status, body if advice is None else {**body, "nextActions": advice})


InsForgeStandIn.FALSE_401 = Reply(
    401, json={"error": "AUTH_INVALID_API_KEY", "message": "Invalid API key", "statusCode": 401}
)
