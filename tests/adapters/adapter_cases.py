"""The adapters with their stand-ins, for tests that hold for several of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from secretbridge import Appfarm, InsForge, IoNet, SecretBridge, Wix
from secretbridge.testing import (
    AppfarmStandIn,
    InsForgeStandIn,
    IoNetStandIn,
    ScriptedRuntime,
    StandIn,
    WixStandIn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._exchange import Reply
    from secretbridge._provider import Provider
    from secretbridge.errors import SecretBridgeError

UUID: Final = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER: Final = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
SITE: Final = "5a1e0000-0000-4000-8000-000000000001"
PATH: Final = "/api/services/secrets/update-secret"


def ionet(standin: IoNetStandIn | None = None, **options: Any) -> IoNet:
    return IoNet(api_key="ionet-key" if standin is None else standin.api_key, **options)


def wix(standin: WixStandIn | None = None, **options: Any) -> Wix:
    if standin is None:
        return Wix(**{"api_key": "IST.wix-key", "site_id": SITE, **options})
    return Wix(api_key=standin.api_key, site_id=standin.site_id, **options)


def insforge(standin: InsForgeStandIn | None = None, **options: Any) -> InsForge:
    if standin is None:
        return InsForge("https://project.insforge.app", **{"api_key": "ik_key", **options})
    return InsForge(standin.base_url, api_key=standin.api_key, **options)


def appfarm(standin: AppfarmStandIn | None = None, **options: Any) -> Appfarm:
    standin = standin or AppfarmStandIn()
    given = {"api_key": standin.api_key, "path": PATH, "secrets": ["EXISTING"], **options}
    return Appfarm(standin.base_url, **given)


@dataclass(frozen=True)
class Case:
    """One provider with its stand-in."""

    name: str
    standin: Callable[[], Any]
    provider: Callable[[Any], Provider]

    def __str__(self) -> str:
        return self.name

    def opened(self, **options: Any) -> tuple[Any, SecretBridge]:
        """A stand-in that holds EXISTING, and a bridge to it that neither waits nor repeats."""
        standin = self.standin()
        standin.seed("EXISTING", "old-value")
        return standin, opened(self.provider(standin), standin, **options)


def opened(provider: Provider, standin: StandIn, **options: Any) -> SecretBridge:
    return SecretBridge(provider, transport=standin.transport(), **{"retry": None, "pace": None, **options})


def scripted(
    provider: Provider, *script: Reply | SecretBridgeError, **options: Any
) -> tuple[ScriptedRuntime, SecretBridge]:
    runtime = ScriptedRuntime(*script)
    return runtime, runtime.bridge(provider, **options)


CASES: Final = [
    Case("ionet", IoNetStandIn, ionet),
    Case("wix", WixStandIn, wix),
    Case("insforge", InsForgeStandIn, insforge),
    Case("appfarm", AppfarmStandIn, appfarm),
]
MANAGED: Final = CASES[:3]
