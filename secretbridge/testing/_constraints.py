"""What each vendor publishes of the requests it takes, as data; and whether a request keeps to it.

A stand-in answers as the vendor does, and vendors take a good deal that they do not document. Here stands
only what is documented or was seen to be needed, so that a request of ours that merely happens to pass is
found. A stand-in's answers do not depend on it; the tests of this package ask it of every request that
reaches one, in any process (``_checked``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secretbridge.testing._exchange import Json, RecordedRequest

__all__ = ["VENDORS", "Field", "Route", "Vendor", "violations"]

_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: One part of a path in which everything but the unreserved characters is percent-encoded.
_PART: Final = r"(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})+"
_INSTANT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a body.

    Attributes:
        kind: its JSON type: ``str`` or ``bool``.
        least: least characters of a text.
        most: most characters of a text, or None.
        pattern: what a text must match as a whole, or "".
        required: whether it must be there.
        null: whether null may be sent.
    """

    kind: type = str
    least: int = 0
    most: int | None = None
    pattern: str = ""
    required: bool = False
    null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call of a vendor's API.

    Attributes:
        method: the HTTP method.
        path: a pattern of the path below the vendor's base, as on the wire.
        body: the fields of the body, or None where there is none.
        wrapper: the key that the fields are wrapped in, or "".
    """

    method: str
    path: str
    body: Mapping[str, Field] | None = None
    wrapper: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor.

    Attributes:
        routes: its calls.
        credentials: exactly one of these headers must be there, once, and match.
        one_of: likewise, for what is no credential; empty for none.
        most_bytes: most bytes of a body.
    """

    routes: tuple[Route, ...]
    credentials: Mapping[str, str]
    one_of: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    most_bytes: int = 100_000_000


_IONET_FIELDS: Final = {
    "secret_name": Field(least=1, most=1024),
    "secret_value": Field(least=4, most=1024),
    "tool_name": Field(least=1),
    "tool_arg": Field(least=1),
    "is_default_for_tool": Field(kind=bool),
}
_WIX_NAME: Final = r"(?!wix)[A-Za-z0-9_+=\-@#$]+"
_WIX_FIELDS: Final = {
    "name": Field(least=1, most=50, pattern=_WIX_NAME),
    "value": Field(least=1, most=3500),
    "description": Field(most=200, null=True),
}
_WIX_BASE: Final = r"(?:/_api/cloud-secrets-vault-server)?/api/v1/secrets"
_INSFORGE_FIELDS: Final = {
    "value": Field(),
    "isActive": Field(kind=bool),
    "isReserved": Field(kind=bool),
    "expiresAt": Field(pattern=_INSTANT, null=True),
}


def _with(fields: Mapping[str, Field], *required: str) -> dict[str, Field]:
    """The same fields, of which these must be there."""
    return {
        name: Field(
            kind=one.kind,
            least=one.least,
            most=one.most,
            pattern=one.pattern,
            null=one.null,
            required=name in required,
        )
        for name, one in fields.items()
    }


#: By the name of the provider.
VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType(
    {
        "ionet": Vendor(
            routes=(
                Route(method="GET", path=r"/secrets/"),
                Route(
                    method="POST",
                    path=r"/secrets/",
                    body=_with(_IONET_FIELDS, "secret_name", "secret_value"),
                ),
                Route(method="GET", path=rf"/secrets/{_UUID}"),
                Route(method="PATCH", path=rf"/secrets/{_UUID}", body=_IONET_FIELDS),
                Route(method="DELETE", path=rf"/secrets/{_UUID}"),
            ),
            credentials={"x-api-key": r"\S+", "authorization": r"Bearer \S+", "token": r"\S+"},
        ),
        "wix": Vendor(
            routes=(
                Route(method="GET", path=_WIX_BASE),
                Route(method="GET", path=rf"{_WIX_BASE}/name/{_PART}"),
                Route(
                    method="POST",
                    path=_WIX_BASE,
                    body=_with(_WIX_FIELDS, "name", "value"),
                    wrapper="secret",
                ),
                Route(method="PATCH", path=rf"{_WIX_BASE}/{_PART}", body=_WIX_FIELDS, wrapper="secret"),
                Route(method="DELETE", path=rf"{_WIX_BASE}/{_PART}"),
            ),
            credentials={"authorization": r"(?!Bearer )\S+"},
            one_of={"wix-site-id": r"\S+", "wix-account-id": r"\S+"},
        ),
        "insforge": Vendor(
            routes=(
                Route(method="GET", path=r"/api/health"),
                Route(method="GET", path=r"/api/secrets"),
                Route(method="GET", path=rf"/api/secrets/{_PART}"),
                Route(
                    method="POST",
                    path=r"/api/secrets",
                    body={
                        "key": Field(pattern=r"[A-Z0-9_]+", required=True),
                        **_INSFORGE_FIELDS,
                        "value": Field(least=1, required=True),
                    },
                ),
                Route(method="PUT", path=rf"/api/secrets/{_PART}", body=_INSFORGE_FIELDS),
                Route(method="DELETE", path=rf"/api/secrets/{_PART}"),
            ),
            credentials={"authorization": r"Bearer \S+", "x-api-key": r"\S+"},
        ),
        "appfarm": Vendor(
            routes=(
                Route(
                    method="POST",
                    path=r"/api/services/[^?#\s]+",
                    body={
                        "secret": Field(least=1, required=True),
                        "value": Field(least=1, required=True),
                        "request_id": Field(pattern=_UUID, required=True),
                    },
                ),
            ),
            credentials={"authorization": r"Bearer \S+"},
        ),
    }
)


def violations(vendor: Vendor, request: RecordedRequest, prefix: str = "") -> list[str]:
    """Say what in a request is not as the vendor publishes it; no value is repeated.

    Args:
        vendor: whose rules.
        request: as it arrived.
        prefix: the path at which the vendor's API begins in this request.
    """
    return list(_violations(vendor, request, prefix))


def _violations(vendor: Vendor, request: RecordedRequest, prefix: str) -> Iterator[str]:
    path = request.path.removeprefix(prefix)
    yield from _one(request, vendor.credentials, "credential")
    if vendor.one_of:
        yield from _one(request, vendor.one_of, "header")
    if request.header("if-none-match") is not None:
        yield "If-None-Match is sent"
    route = next(
        (
            one
            for one in vendor.routes
            if one.method == request.method and re.fullmatch(one.path, path) is not None
        ),
        None,
    )
    if route is None:
        yield f"no such call: {request.method} of a path that fits none"
    elif route.body is None:
        if request.body:
            yield "a body where none is taken"
    else:
        yield from _body(vendor, route, route.body, request)


def _one(request: RecordedRequest, headers: Mapping[str, str], what: str) -> Iterator[str]:
    """Exactly one of these headers, once, and of its form."""
    given = [(name, text) for name in headers for text in request.header_values(name)]
    if len(given) != 1:
        yield f"{len(given)} of {', '.join(headers)}, not one {what}"
    for name, text in given:
        if re.fullmatch(headers[name], text) is None:
            yield f"{name} is not of its form"


def _body(
    vendor: Vendor, route: Route, fields: Mapping[str, Field], request: RecordedRequest
) -> Iterator[str]:
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        yield "Content-Type is not application/json"
    if len(request.body) > vendor.most_bytes:
        yield "the body is too long"
    try:
        document: Json = request.json()
    except ValueError:
        document = None
    if route.wrapper and isinstance(document, dict):
        if set(document) != {route.wrapper}:
            yield f"not wrapped in {route.wrapper} alone"
        document = document.get(route.wrapper)
    if not isinstance(document, dict):
        yield "the body is no JSON object"
        return
    if not document:
        yield "the body changes nothing"
    for name, one in fields.items():
        if name in document:
            yield from _field(name, one, document[name])
        elif one.required:
            yield f"{name} is missing"
    yield from (f"{name!r} is no field" for name in document if name not in fields)


def _field(name: str, one: Field, given: object) -> Iterator[str]:
    if given is None:
        if not one.null:
            yield f"{name} is null"
    elif type(given) is not one.kind:
        yield f"{name} is no {one.kind.__name__}"
    elif isinstance(given, str):
        if not given.isascii() and _SURROGATE.search(given):
            yield f"{name} has a lone surrogate"
        if len(given) < one.least or (one.most is not None and len(given) > one.most):
            yield f"{name} is too short or long"
        if one.pattern and re.fullmatch(one.pattern, given) is None:
            yield f"{name} is not of its form"
