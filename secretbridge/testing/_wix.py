"""A stand-in of Wix's Secrets Vault: everything in a ``secret`` wrapper, values read by name only."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack
from urllib.parse import unquote

from secretbridge.testing._exchange import RecordedRequest, StandInReply, json_reply, timestamp
from secretbridge.testing._standin import StandIn

if TYPE_CHECKING:
    from secretbridge.testing._exchange import Json
    from secretbridge.testing._standin import StandInOptions

__all__ = ["WixSecret", "WixStandIn"]

_LONG_PREFIX = "/_api/cloud-secrets-vault-server"
_SECRETS = "/api/v1/secrets"
_NAME = re.compile(r"[A-Za-z0-9_+=\-@#$]+")
_LENGTHS = {"name": (1, 50), "description": (0, 200), "value": (1, 3500)}

_Violation: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class WixSecret:
    """A secret as the service holds it; ``owner`` is the id of the site or of the account."""

    owner: str
    id: str
    name: str
    value: str = field(repr=False)
    description: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


class WixStandIn(StandIn):
    """Wix's vaults of some sites and of one account; it answers under both documented URL forms.

    Args:
        api_key: Sent bare in ``Authorization``, with exactly one of ``wix-site-id`` and ``wix-account-id``.
        access_token: An OAuth token, also bare; it belongs to the first site and needs neither header.
        site_ids: The sites of the key, each with its own secrets.
        account_id: The account of the key, which has secrets of its own.
        members_area: False: the site lacks the Members Area app, and all but reading a value is a 428.
        service_codes: True: ``SECRET_NOT_FOUND`` and the like in place of ``NOT_FOUND``; both are in use.
        base_url: The address the long URL form begins with.
        **options: See `StandInOptions`; the documented limit is ``rate_limit=(200, 60)``.
    """

    _vendor = "wix"

    def __init__(
        self,
        *,
        api_key: str = "IST.wix-key",
        access_token: str = "OauthNG.JWS.wix-token",  # noqa: S107  # made up
        site_ids: tuple[str, ...] = ("5a1e0000-0000-4000-8000-000000000001",),
        account_id: str = "acc00000-0000-4000-8000-000000000001",
        members_area: bool = True,
        service_codes: bool = False,
        base_url: str = "https://www.wixapis.com/_api/cloud-secrets-vault-server",
        **options: Unpack[StandInOptions],
    ) -> None:
        super().__init__(base_url, **options)
        self.api_key = api_key
        self.access_token = access_token
        self.site_ids = site_ids
        self.account_id = account_id
        self.members_area = members_area
        self.service_codes = service_codes
        self._numbers = itertools.count(1)
        self._rows: dict[str, WixSecret] = {}

    @property
    def site_id(self) -> str:
        """The first site."""
        return self.site_ids[0]

    @property
    def secrets(self) -> tuple[WixSecret, ...]:
        """The true state of every site and of the account, oldest first."""
        with self._lock:
            return tuple(self._rows.values())

    def secret(self, name: str, *, owner: str | None = None) -> WixSecret:
        """The secret of this name, of the first site unless another owner is given.

        Raises:
            LookupError: There is none.
        """
        with self._lock:
            found = self._named(owner or self.site_id, name)
        if found is None:
            raise LookupError(f"no secret is named {name!r}")
        return found

    def seed(self, name: str, value: str, *, description: str = "", owner: str | None = None) -> WixSecret:
        """Put a secret in, past every check; into the first site unless another owner is given."""
        now = self.clock()
        row = WixSecret(owner or self.site_id, str(uuid.uuid4()), name, value, description, now, now)
        with self._lock:
            self._rows[row.id] = row
        return row

    def _respond(self, request: RecordedRequest) -> StandInReply:
        return self._signed(self._answered(request))

    def _too_many(self) -> StandInReply:
        return self._signed(_failed(429, "RESOURCE_EXHAUSTED", "Too many requests"))

    def _signed(self, reply: StandInReply) -> StandInReply:
        """Every answer has a request id."""
        number = ("x-wix-request-id", f"{self.clock():.0f}.{next(self._numbers):05d}")
        return StandInReply(reply.status, (*reply.headers, number), reply.body)

    def _answered(self, request: RecordedRequest) -> StandInReply:
        operation, argument = self._operation(request)
        if operation is None:
            return StandInReply(404, (("Content-Type", "text/html"),), b"<html><body>404</body></html>")
        owner = self._owner(request)
        if isinstance(owner, StandInReply):
            return owner
        if not self.members_area and operation != self._value:
            return _failed(428, "FAILED_PRECONDITION", "The site has no Members Area app")
        return operation(request, owner, argument)

    def _operation(self, request: RecordedRequest) -> tuple[_Operation | None, str]:
        """What to do, by method and path, and the name or id in the path, percent-decoded."""
        path = request.route.removeprefix(self._prefix).removeprefix(_LONG_PREFIX)
        if not path.startswith(_SECRETS):
            return None, ""
        found: tuple[_Operation | None, str]
        match request.method, [unquote(part) for part in path.removeprefix(_SECRETS).split("/")]:
            case "GET", [""]:
                found = self._list, ""
            case "POST", [""]:
                found = self._create, ""
            case "GET", ["", "name", name]:
                found = self._value, name
            case "PATCH", ["", key]:
                found = self._update, key
            case "DELETE", ["", key]:
                found = self._delete, key
            case _:
                found = None, ""
        return found

    def _owner(self, request: RecordedRequest) -> str | StandInReply:
        """Whose secrets the request is about, or why it is turned away."""
        credential = request.header_values("authorization")
        if credential == (self.access_token,):
            return self.site_id
        if credential != (self.api_key,):  # a Bearer before the key is a wrong key, too
            return _failed(401, "UNAUTHENTICATED", "Unauthenticated")
        sites, accounts = request.header_values("wix-site-id"), request.header_values("wix-account-id")
        if len(sites) + len(accounts) != 1:
            return _failed(
                400, "INVALID_ARGUMENT", "Exactly one of wix-site-id and wix-account-id is required"
            )
        if not set(sites) <= set(self.site_ids) or not set(accounts) <= {self.account_id}:
            return _failed(403, "PERMISSION_DENIED", "The API key does not reach this site or account")
        return (*sites, *accounts)[0]

    def _named(self, owner: str, name: str) -> WixSecret | None:
        return next((row for row in self._rows.values() if (row.owner, row.name) == (owner, name)), None)

    def _list(self, _request: RecordedRequest, owner: str, _argument: str) -> StandInReply:
        shown = [
            {
                "id": row.id,
                "name": row.name,
                "description": row.description,
                "createdDate": timestamp(row.created_at),
                "updatedDate": timestamp(row.updated_at),
            }
            for row in self._rows.values()
            if row.owner == owner
        ]
        return json_reply(200, {"secrets": shown})

    def _value(self, _request: RecordedRequest, owner: str, name: str) -> StandInReply:
        row = self._named(owner, name)
        return self._missing() if row is None else json_reply(200, {"value": row.value})

    def _create(self, request: RecordedRequest, owner: str, _argument: str) -> StandInReply:
        fields, violations = _read(request, required=("name", "value"))
        if violations:
            return _invalid(violations)
        if self._named(owner, fields["name"]):
            return self._exists()
        now = self.clock()
        row = WixSecret(owner, str(uuid.uuid4()), **fields, created_at=now, updated_at=now)
        self._rows[row.id] = row
        return json_reply(200, {"id": row.id})

    def _update(self, request: RecordedRequest, owner: str, key: str) -> StandInReply:
        fields, violations = _read(request, required=())
        if violations:
            return _invalid(violations)
        row = self._rows.get(key)
        if row is None or row.owner != owner:
            return self._missing()
        if self._named(owner, fields.get("name", row.name)) not in (row, None):
            return self._exists()
        if fields:
            self._rows[key] = replace(row, **fields, updated_at=self.clock())
        return json_reply(200, {})

    def _delete(self, _request: RecordedRequest, owner: str, key: str) -> StandInReply:
        row = self._rows.get(key)
        if row is None or row.owner != owner:
            return self._missing()
        del self._rows[key]
        return json_reply(200, {})

    def _missing(self) -> StandInReply:
        return _failed(404, "SECRET_NOT_FOUND" if self.service_codes else "NOT_FOUND", "Secret not found")

    def _exists(self) -> StandInReply:
        code = "SECRET_ALREADY_EXISTS" if self.service_codes else "ALREADY_EXISTS"
        return _failed(409, code, "A secret with this name already exists")


_Operation: TypeAlias = Callable[[RecordedRequest, str, str], StandInReply]


def _failed(status: int, code: str, message: str) -> StandInReply:
    error: dict[str, object] = {"code": code, "description": message, "data": {}}
    return json_reply(status, {"message": message, "details": {"applicationError": error}})


def _invalid(violations: list[_Violation]) -> StandInReply:
    message = "; ".join(f"{violation['field']} {violation['description']}" for violation in violations)
    error = {"fieldViolations": violations}
    return json_reply(400, {"message": message, "details": {"validationError": error}})


def _violation(name: str, description: str, rule: str, given: object) -> _Violation:
    """One violation; its data repeat what was sent, a secret's value included."""
    return {
        "field": name,
        "description": description,
        "violatedRule": rule,
        "ruleName": rule,
        "data": {"value": given},
    }


def _read(request: RecordedRequest, *, required: tuple[str, ...]) -> tuple[dict[str, Any], list[_Violation]]:
    """The fields in the wrapper and what is wrong with them; null counts as left out, ``""`` clears."""
    try:
        payload: Json = request.json()
    except ValueError:
        return {}, [_violation("body", "is not JSON", "FORMAT", request.body.decode("utf-8", "replace"))]
    wrapped: Json = payload.get("secret") if isinstance(payload, dict) else None
    if not isinstance(wrapped, dict):
        return {}, [_violation("secret", "must not be empty", "REQUIRED_FIELD", payload)]
    fields = {name: wrapped[name] for name in _LENGTHS if wrapped.get(name) is not None}
    missing = [
        _violation(f"secret.{name}", "must not be empty", "REQUIRED_FIELD", None)
        for name in required
        if name not in fields
    ]
    wrong = [violation for name, value in fields.items() if (violation := _wrong(name, value))]
    return fields, missing + wrong


def _wrong(name: str, value: object) -> _Violation | None:
    """What is wrong with one field."""
    where = f"secret.{name}"
    if not isinstance(value, str):
        return _violation(where, "is not a string", "FORMAT", value)
    least, most = _LENGTHS[name]
    if len(value) < least:
        return _violation(where, f"has size {len(value)}, expected {least} or more", "MIN_LENGTH", value)
    if len(value) > most:
        return _violation(where, f"has size {len(value)}, expected {most} or less", "MAX_LENGTH", value)
    if name == "name" and (not _NAME.fullmatch(value) or value.startswith("wix")):
        return _violation(where, "has characters or a beginning that are not allowed", "FORMAT", value)
    return None
