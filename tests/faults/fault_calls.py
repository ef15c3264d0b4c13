"""What is asked of each provider while its exchanges break, and what its stand-in then holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from secretbridge import Appfarm, InsForge, IoNet, Wix
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._provider import Provider

OLD: Final = "old-value-90417"
NEW: Final = "new-value-27151"
_BEFORE: Final = Counter({("EXISTING", OLD): 1, ("OTHER", "other-value"): 1})
_ADDED: Final = _BEFORE + Counter({("NEW", NEW): 1})
_CHANGED: Final = Counter({("EXISTING", NEW): 1, ("OTHER", "other-value"): 1})
_GONE: Final = Counter({("OTHER", "other-value"): 1})


@dataclass(frozen=True, eq=False)
class Call:
    """One call.

    Attributes:
        name: its column.
        verb: the method of a bridge.
        arguments: its arguments.
        wanted: what the stand-in holds when it has worked.
        exchanges: for each HTTP provider that can do it, the methods of its requests in order.
    """

    name: str
    verb: str
    arguments: dict[str, Any]
    wanted: Counter[tuple[str, str]]
    exchanges: dict[str, tuple[str, ...]]

    @property
    def reads(self) -> bool:
        return self.name in {"list", "get"}


CALLS: Final = (
    Call(
        "list",
        "list_secrets",
        {},
        _BEFORE,
        {"ionet": ("GET",), "wix": ("GET",), "insforge": ("GET",)},
    ),
    Call(
        "get",
        "get_secret",
        {"name": "EXISTING"},
        _BEFORE,
        {"ionet": ("GET", "GET"), "wix": ("GET", "GET"), "insforge": ("GET", "GET")},
    ),
    Call(
        "create",
        "create_secret",
        {"name": "NEW", "value": NEW},
        _ADDED,
        {"ionet": ("POST",), "wix": ("POST",), "insforge": ("POST", "PUT")},
    ),
    Call(
        "update",
        "update_secret",
        {"name": "EXISTING", "value": NEW},
        _CHANGED,
        {
            "ionet": ("GET", "PATCH"),
            "wix": ("GET", "PATCH"),
            "insforge": ("PUT",),
            "appfarm": ("POST",),
        },
    ),
    Call(
        "put",
        "put_secret",
        {"name": "EXISTING", "value": NEW},
        _CHANGED,
        {"ionet": ("GET", "PATCH"), "wix": ("GET", "PATCH"), "insforge": ("PUT", "GET")},
    ),
    Call(
        "put of a new one",
        "put_secret",
        {"name": "NEW", "value": NEW},
        _ADDED,
        {"ionet": ("GET", "POST"), "wix": ("GET", "POST"), "insforge": ("PUT", "POST", "GET")},
    ),
    Call(
        "delete",
        "delete_secret",
        {"name": "EXISTING"},
        _GONE,
        {"ionet": ("GET", "DELETE"), "wix": ("GET", "DELETE"), "insforge": ("DELETE",)},
    ),
)


@dataclass(frozen=True)
class Service:
    """One HTTP provider, its stand-in, and how it words a refusal."""

    name: str
    standin: Callable[[], Any]
    provider: Callable[[Any, str], Provider]
    refusal: Callable[[int], object]

    def filled(self) -> Any:
        """A stand-in with what every call finds there."""
        standin = self.standin()
        standin.seed("EXISTING", OLD)
        standin.seed("OTHER", "other-value")
        return standin


def held(standin: Any) -> Counter[tuple[str, str]]:
    """What a stand-in holds: every secret that is neither deleted nor the platform's own."""
    return Counter(
        (row.name, row.value)
        for row in standin.secrets
        if getattr(row, "active", True) is not False and not getattr(row, "reserved", False)
    )


def _of_wix(status: int) -> object:
    codes = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
             429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}  # fmt: skip
    return {"message": "no", "details": {"applicationError": {"code": codes[status], "data": {}}}}


def _of_insforge(status: int) -> object:
    codes = {401: "AUTH_INVALID_API_KEY", 403: "FORBIDDEN", 404: "SECRET_NOT_FOUND",
             409: "SECRET_ALREADY_EXISTS", 429: "RATE_LIMITED", 500: "INTERNAL_ERROR",
             503: "INTERNAL_ERROR"}  # fmt: skip
    return {"error": codes[status], "message": "no", "statusCode": status}


SERVICES: Final = {
    service.name: service
    for service in (
        Service(
            "ionet",
            IoNetStandIn,
            lambda standin, url: IoNet(api_key=standin.api_key, base_url=url),
            lambda _: {"detail": "no"},
        ),
        Service(
            "wix",
            WixStandIn,
            lambda standin, url: Wix(api_key=standin.api_key, site_id=standin.site_id, base_url=url),
            _of_wix,
        ),
        Service(
            "insforge",
            InsForgeStandIn,
            lambda standin, url: InsForge(url, api_key=standin.api_key),
            _of_insforge,
        ),
        Service(
            "appfarm",
            AppfarmStandIn,
            lambda standin, url: Appfarm(
                url, api_key=standin.api_key, path=standin.path, secrets=["EXISTING"]
            ),
            lambda _: {"status": "error", "message": "no"},
        ),
    )
}
