"""A stand-in of io.net's secret management: values go in and never come out.

Built from the vendor's OpenAPI document; what it leaves open follows a replica with the same schema.
``docs/testing-standins.md`` tells which is which.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from secretbridge.testing._exchange import StandInReply, json_reply, timestamp
from secretbridge.testing._standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge.testing._exchange import Json, RecordedRequest
    from secretbridge.testing._standin import StandInOptions

__all__ = ["IoNetSecret", "IoNetStandIn"]

_Entry: TypeAlias = dict[str, object]

_LENGTHS = {"secret_name": (1, 1024), "secret_value": (4, 1024)}
_COLUMNS = {
    "secret_name": "name",
    "secret_value": "value",
    "tool_name": "tool_name",
    "tool_arg": "tool_arg",
    "is_default_for_tool": "default_for_tool",
}
_SHOWN_IN_FULL = 4  # the mask keeps two characters at each end: a value of four is all there


@dataclass(frozen=True, slots=True)
class IoNetSecret:
    """A secret as the service holds it, its value included."""

    id: str
    name: str
    value: str = field(repr=False)
    tool_name: str | None = None
    tool_arg: str | None = None
    default_for_tool: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def display(self) -> str:
        """The mask that listings show: of a short value it hides nothing."""
        if len(self.value) <= _SHOWN_IN_FULL:
            return self.value
        return f"{self.value[:2]}****{self.value[-2:]}"


class IoNetStandIn(StandIn):
    """io.net's secrets of one user account.

    Args:
        api_key: Accepted as ``x-api-key`` or as a bearer token.
        token: Accepted in the header ``token``.
        base_url: Where the API begins.
        update_answer: What a successful PATCH or DELETE answers; its schema is ``{}``, so it may be anything:
            a JSON value, or bytes to send as they are.
        quota_bytes: The most that all values may take together, in UTF-8; over it, 413. None: no limit.
        **options: See `StandInOptions`.
    """

    _vendor = "ionet"

    def __init__(
        self,
        *,
        api_key: str = "ionet-key",
        token: str = "ionet-token",  # noqa: S107  # made up, as every credential of a stand-in
        base_url: str = "https://api.intelligence.io.solutions/api/v1",
        update_answer: object = None,
        quota_bytes: int | None = None,
        **options: Unpack[StandInOptions],
    ) -> None:
        super().__init__(base_url, **options)
        self.api_key = api_key
        self.token = token
        self.update_answer: object = {} if update_answer is None else update_answer
        self.quota_bytes = quota_bytes
        self._user_id = str(uuid.uuid4())
        self._rows: dict[str, IoNetSecret] = {}

    @property
    def secrets(self) -> tuple[IoNetSecret, ...]:
        """The true state, oldest first; several may have the same name."""
        with self._lock:
            return tuple(self._rows.values())

    def secret(self, name: str) -> IoNetSecret:
        """The only secret of this name.

        Raises:
            LookupError: There is none, or more than one.
        """
        found = [row for row in self.secrets if row.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} secrets are named {name!r}")
        return found[0]

    def seed(
        self,
        name: str,
        value: str,
        *,
        tool_name: str | None = None,
        tool_arg: str | None = None,
        default_for_tool: bool = False,
    ) -> IoNetSecret:
        """Put a secret in, past every check; the same name again makes a second one."""
        now = self.clock()
        row = IoNetSecret(str(uuid.uuid4()), name, value, tool_name, tool_arg, default_for_tool, now, now)
        with self._lock:
            self._rows[row.id] = row
        return row

    def _respond(self, request: RecordedRequest) -> StandInReply:
        item = self._item(request)
        if isinstance(item, StandInReply):
            return item
        if not self._admits(request):
            return json_reply(401, {"detail": "Exactly one valid credential is required"})
        if item:
            return self._one(request, item)
        if request.method == "POST":
            return self._create(request)
        return json_reply(200, {"data": [self._info(row) for row in self._rows.values()]})

    def _item(self, request: RecordedRequest) -> str | StandInReply:
        """The id in the path, "" for the collection, or the router's answer.

        The router settles slashes and methods before anybody looks at the credential.
        """
        collection, route = f"{self._prefix}/secrets/", request.route
        if route == collection[:-1]:
            return _moved(request, collection)
        before, found, item = route.partition(collection)
        if item.endswith("/") and item.count("/") == 1 and item != "/":
            return _moved(request, route[:-1])
        if before or not found or "/" in item:
            return json_reply(404, {"detail": "Not Found"})
        if request.method not in (("GET", "PATCH", "DELETE") if item else ("GET", "POST")):
            return json_reply(405, {"detail": "Method Not Allowed"})
        return item

    def _admits(self, request: RecordedRequest) -> bool:
        sent = [
            (name.lower(), value)
            for name, value in request.headers
            if name.lower() in ("x-api-key", "authorization", "token")
        ]
        good = (
            ("x-api-key", self.api_key),
            ("authorization", f"Bearer {self.api_key}"),
            ("token", self.token),
        )
        return len(sent) == 1 and sent[0] in good

    def _one(self, request: RecordedRequest, item: str) -> StandInReply:
        errors: list[_Entry] = []
        try:
            key = str(uuid.UUID(item))
        except ValueError:
            key, errors = (
                "",
                [_entry("uuid_parsing", "Input should be a valid UUID", ["path", "secret_id"], item)],
            )
        changes: dict[str, Any] = {}
        if request.method == "PATCH":
            changes, more = _read(request, required=())
            errors += more
        if errors:
            return json_reply(422, {"detail": errors})
        row = self._rows.get(key)
        if row is None:
            return json_reply(404, {"detail": "Secret not found"})
        if request.method == "GET":
            return json_reply(200, self._info(row))
        if request.method == "DELETE":
            del self._rows[key]
        elif changes:  # nothing to change, whatever was sent: 200 and not a word
            changed = replace(row, **changes, updated_at=self.clock())
            if self._over_quota(changed):
                return _QUOTA
            self._rows[key] = changed
        if isinstance(self.update_answer, bytes):
            return StandInReply(200, (("Content-Type", "application/json"),), self.update_answer)
        return json_reply(200, self.update_answer)

    def _create(self, request: RecordedRequest) -> StandInReply:
        fields, errors = _read(request, required=("secret_name", "secret_value"))
        if errors:
            return json_reply(422, {"detail": errors})
        now = self.clock()
        row = IoNetSecret(str(uuid.uuid4()), **fields, created_at=now, updated_at=now)
        if self._over_quota(row):
            return _QUOTA
        self._rows[row.id] = row
        return json_reply(200, self._info(row))

    def _over_quota(self, new: IoNetSecret) -> bool:
        values = [row.value for row in self._rows.values() if row.id != new.id]
        return self.quota_bytes is not None and self.quota_bytes < sum(
            len(value.encode("utf-8")) for value in (*values, new.value)
        )

    def _info(self, row: IoNetSecret) -> Mapping[str, object]:
        return {
            "secret_id": row.id,
            "user_id": self._user_id,
            "secret_name": row.name,
            "display": row.display,
            "tool_name": row.tool_name,
            "tool_arg": row.tool_arg,
            "is_default_for_tool": row.default_for_tool,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
        }

    def _too_many(self) -> StandInReply:
        return json_reply(429, {"detail": "Too many requests"})


_QUOTA = json_reply(413, {"detail": "Total secret storage quota exceeded"})


def _moved(request: RecordedRequest, path: str) -> StandInReply:
    """The redirect of a wrong slash: absolute, and to http even where the client came by https."""
    return StandInReply(307, (("Location", f"http://{request.header('host') or 'localhost'}{path}"),))


def _entry(kind: str, message: str, where: list[str | int], given: object) -> _Entry:
    """One entry of a 422, with the rejected input in it, secret or not."""
    return {"type": kind, "loc": where, "msg": message, "input": given}


def _read(request: RecordedRequest, *, required: tuple[str, ...]) -> tuple[dict[str, Any], list[_Entry]]:
    """The fields a body sets, by our names, and what is wrong with it; null is the same as left out."""
    payload: Json = None
    if request.body:
        try:
            payload = request.json()
        except ValueError:
            return {}, [_entry("json_invalid", "JSON decode error", ["body", 0], {})]
    elif required:
        return {}, [_entry("missing", "Field required", ["body"], None)]
    kind = (request.header("content-type") or "application/json").partition(";")[0].strip().lower()
    if payload is not None and (kind != "application/json" or not isinstance(payload, dict)):
        message = "Input should be a valid dictionary or object to extract fields from"
        given = request.body.decode("utf-8", "replace") if kind != "application/json" else payload
        return {}, [_entry("model_attributes_type", message, ["body"], given)]
    given = {} if payload is None else payload
    missing = [
        _entry("missing", "Field required", ["body", name], given) for name in required if name not in given
    ]
    sent = {name: given[name] for name in _COLUMNS if name in given}
    wrong = [
        _entry(*problem, ["body", name], value)
        for name, value in sent.items()
        if (problem := _problem(name, value, nullable=name not in required))
    ]
    return {_COLUMNS[name]: value for name, value in sent.items() if value is not None}, missing + wrong


def _problem(name: str, value: object, *, nullable: bool) -> tuple[str, str] | None:
    """What is wrong with a field's value: its kind and its message."""
    if value is None and nullable:
        return None
    if name == "is_default_for_tool":
        return None if isinstance(value, bool) else ("bool_type", "Input should be a valid boolean")
    if not isinstance(value, str):
        return "string_type", "Input should be a valid string"
    return _text_problem(name, value)


def _text_problem(name: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a text; lengths count code points."""
    if any("\ud800" <= character <= "\udfff" for character in value):
        return (
            "string_unicode",
            "Input should be a valid string, unable to parse raw data as a unicode string",
        )
    least, most = _LENGTHS.get(name, (0, len(value)))
    if len(value) < least:
        return "string_too_short", f"String should have at least {least} character{'s' * (least > 1)}"
    if len(value) > most:
        return "string_too_long", f"String should have at most {most} characters"
    return None
