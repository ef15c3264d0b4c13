"""Appfarm: a secret changes from outside only through an endpoint that the solution's builder publishes.

There is no management API. The endpoint holds the action node "Update secret" and keeps the contract in
docs/appfarm.md. Source: https://docs.appfarm.io (Update secret, Services).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._json import is_object
from secretbridge._models import Secret
from secretbridge.errors import (
    InvalidRequest,
    PermissionDenied,
    Rejected,
    SecretNotFound,
    SecretProtected,
    Unverified,
    Violation,
    WrongAddress,
)
from secretbridge.providers._address import path_problem, plain_address
from secretbridge.providers._credential import Credential, HeaderAuth
from secretbridge.providers._http import HttpProvider, read_json, to_json
from secretbridge.providers._refusal import Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Fields, Operation, Target
    from secretbridge.errors import SecretBridgeError

__all__ = ["Appfarm"]

_NO_API: Final = "Appfarm has no API for it; do it in the solution's console"
_VALUE_ONLY: Final = (
    "the Update secret node takes a value and nothing else; change this in the solution's console"
)
_ACCEPTED: Final = (
    "An asynchronous endpoint answers before anything is done: make it synchronous and let it answer as"
    " docs/appfarm.md says. Whether the change was made is not known."
)


_CHECKLIST: Final = "See the checklist for the solution's builder in docs/appfarm.md."
_NOT_THERE: Final = "Check base_url and path, and that the endpoint is published."
_GATES: Final = (
    "Three gates must be open: the key's list of services, the role's permission for the service, and its"
    " permission Update Secret from Service for this secret."
)
#: Codes that the contract offers to builders; without one the status decides.
_CODES: Final[Mapping[str, Kind]] = {"SECRET_NOT_FOUND": SecretNotFound, "SECRET_LOCKED": SecretProtected}
_STATUSES: Final[Mapping[int, tuple[Kind, str]]] = {
    400: (Rejected, _CHECKLIST),
    403: (PermissionDenied, _GATES),
    404: (WrongAddress, _NOT_THERE),
    409: (Rejected, _CHECKLIST),
    422: (Rejected, _CHECKLIST),
    423: (SecretProtected, _CHECKLIST),
}


class Appfarm(HttpProvider):
    """The secrets that one endpoint of an Appfarm solution can update, in one environment.

    Args:
        base_url: the solution's address; its host name selects the environment.
        api_key: the key of a service account, sent as ``Authorization: Bearer``; as str, SecretStr, or a
            callable that gives one at every exchange.
        path: the endpoint, as ``/api/services/ALIAS/ENDPOINT``.
        secrets: the names that the endpoint can update. Appfarm binds the secret to the node when the
            solution is built: a name not listed here is refused before anything is sent.
        allow_http: allow a base_url without TLS beyond loopback.

    Raises:
        InvalidRequest: a malformed credential, path or list of names, or a base_url that cannot be used.
    """

    capabilities: Capabilities = Capabilities(
        provider="appfarm",
        title="Appfarm",
        operations=frozenset({"update"}),
        update=frozenset({"value"}),
        why_not=MappingProxyType(
            {
                "list": _NO_API,
                "get": "Appfarm never tells a value; keep a copy where it can be read",
                "create": _NO_API,
                "put": f"{_NO_API}, and use update_secret() for the value",
                "delete": _NO_API,
                "id": "Appfarm tells no ids; name the secret by its name",
                "new_name": _VALUE_ONLY,
                "description": _VALUE_ONLY,
                "active": _VALUE_ONLY,
                "protected": _VALUE_ONLY,
                "expires_at": _VALUE_ONLY,
                "tool_name": _VALUE_ONLY,
                "tool_arg": _VALUE_ONLY,
                "default_for_tool": _VALUE_ONLY,
                "if_version": "Appfarm has no compare-and-set; leave if_version out",
            }
        ),
        addressed_by=MappingProxyType({"update": "name"}),
        name=Limit(min_length=1),
        limits=MappingProxyType({"value": Limit(min_length=1)}),
        notes=MappingProxyType(
            {
                "value": "limits are the builder's; an update is done when the endpoint echoes it",
                "environments": "one base_url and key for each",
            }
        ),
    )

    _known_codes: Container[str] = _CODES

    def __init__(
        self,
        base_url: str,
        *,
        api_key: Credential,
        path: str,
        secrets: Collection[str],
        allow_http: bool = False,
    ) -> None:
        auth = HeaderAuth("api_key", api_key, header="Authorization", prefix="Bearer ")
        super().__init__(base_url, auth, allow_http=allow_http)
        wrong: list[Violation] = []
        if problem := path_problem(path):
            wrong.append(Violation("path", problem, "write it as /api/services/ALIAS/ENDPOINT"))
        if not isinstance(secrets, (list, tuple, set, frozenset)) or not _are_names(secrets):
            wrong.append(Violation("secrets", "is not a list of names", 'write it as ["STRIPE_KEY"]'))
        if wrong:
            raise InvalidRequest(violations=wrong)
        self._path = path
        self._secrets = frozenset(secrets)

    @property
    def store(self) -> str:
        """Which endpoint this is; its host selects the environment."""
        return f"{plain_address(self._base)}{self._path}"

    @property
    def declared(self) -> frozenset[str]:
        """The names that the endpoint can update."""
        return self._secrets

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Refuse a name that the endpoint was not said to update."""
        if target.name not in self._secrets:
            declared = ", ".join(sorted(self._secrets))
            yield Violation("name", "is not among the secrets of this endpoint", f"declared are {declared}")

    async def update(
        self,
        channel: Channel,
        target: Target,
        changes: Fields,
        *,
        if_version: int | None = None,  # noqa: ARG002 - refused by core: compare_and_set is False
    ) -> Secret:
        """Post the contract's request; only a matching echo is success.

        Repeated after 503 (maintenance), 429 and where nothing was sent: what the endpoint does besides is
        the builder's.
        """
        name = target.name or ""
        request_id = str(uuid4())
        value = changes["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # the one field it has
        reply = await self._ask(
            channel,
            "update",
            "POST",
            self._path,
            secret=name,
            body=to_json({"secret": name, "value": value, "request_id": request_id}),
            value=value,
            idempotent=False,
            repeat_statuses=frozenset({429, 503}),
        )
        echo = read_json(reply)
        expected = {"status": "updated", "secret": name, "request_id": request_id}
        if not is_object(echo) or expected != {key: echo.get(key) for key in expected}:
            raise Unverified(
                f"Appfarm answered {reply.status} to the update of {name!r}, but did not confirm it.",
                status=reply.status,
                advice=_ACCEPTED,
            )
        return Secret(name=name)

    def _judge(self, request: Request, value: SecretStr | None, reply: Reply) -> SecretBridgeError | None:
        """Leave every kind of success to the comparison of the echo."""
        if 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's successes
            return None
        return super()._judge(request, value, reply)

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:  # noqa: ARG002 - the base's arguments
        """Read a ``code`` if the builder sends one. ``message`` may hold an exception's text: never read."""
        code = document.get("code") if is_object(document) else None
        if isinstance(code, str) and code in _CODES:
            return Fault(_CODES[code], code, advice=_CHECKLIST)
        kind, advice = _STATUSES.get(reply.status, (None, None))
        return Fault(kind, code, advice=advice)


def _are_names(names: Collection[object]) -> bool:
    return bool(names) and all(isinstance(name, str) and name for name in names)
