"""Stores that all hold STRIPE_KEY, and one change in them on either face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from secretbridge import (
    Appfarm,
    AsyncSecretBridge,
    Dotenv,
    EverywhereResult,
    InsForge,
    IoNet,
    JsonFile,
    Local,
    SecretBridge,
    Wix,
    update_everywhere,
    update_everywhere_async,
)
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from secretbridge._provider import Provider

NAME: Final = "STRIPE_KEY"
OLD: Final = "sk-old-value"
NEW: Final = "sk-new-value"
ALL: Final = ("wix", "insforge", "ionet", "appfarm", "vault", "dotenv", "json")
#: Those that tell values.
READABLE: Final = ("wix", "insforge", "vault", "dotenv", "json")

FACES = pytest.mark.parametrize("face", ["blocking", "asyncio", "trio"])


@dataclass
class Stores:
    """One store of each kind; the services are stand-ins."""

    folder: Path
    wix: WixStandIn = field(default_factory=WixStandIn)
    insforge: InsForgeStandIn = field(default_factory=InsForgeStandIn)
    ionet: IoNetStandIn = field(default_factory=IoNetStandIn)
    appfarm: AppfarmStandIn = field(default_factory=AppfarmStandIn)
    #: Where a service was reached by a child: a run is gone on with at the same address.
    urls: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for service in (self.wix, self.insforge, self.ionet, self.appfarm):
            service.seed(NAME, OLD)
        for name in ("vault", "dotenv", "json"):
            with SecretBridge(self.provider(name)) as bridge:
                bridge.create_secret(NAME, value=OLD)

    def provider(self, name: str, **options: Any) -> Provider:
        if name == "wix":
            return Wix(api_key=self.wix.api_key, site_id=self.wix.site_id, **options)
        if name == "insforge":
            return InsForge(
                **{"base_url": self.insforge.base_url, "api_key": self.insforge.api_key, **options}
            )
        if name == "ionet":
            return IoNet(api_key=self.ionet.api_key, **options)
        if name == "appfarm":
            path = "/api/services/secrets/update-secret"
            given = {"base_url": self.appfarm.base_url, "api_key": self.appfarm.api_key, **options}
            return Appfarm(path=path, secrets=[NAME], **given)
        if name == "vault":
            return Local(self.folder / "vault.db", key_file=self.folder / "vault.key")
        return Dotenv(self.folder / "x.env") if name == "dotenv" else JsonFile(self.folder / "x.json")

    def bridge(self, name: str, face: str = "blocking", **options: Any) -> Any:
        given: dict[str, Any] = {"retry": None, "pace": None, **options}
        service = getattr(self, name, None)
        if service is not None:
            given["transport"] = service.transport()
        kind = SecretBridge if face == "blocking" else AsyncSecretBridge
        at = {"base_url": self.urls[name]} if name in self.urls else {}
        return kind(self.provider(name, **at), **given)

    def value(self, name: str) -> str:
        service = getattr(self, name, None)
        if service is not None:
            return str(service.secret(NAME).value)
        with SecretBridge(self.provider(name)) as bridge:
            return bridge.get_secret(NAME).reveal()

    def values(self, names: Sequence[str] = ALL) -> dict[str, str]:
        return {name: self.value(name) for name in names}


def options(stores: Stores, folder: str = "journal") -> dict[str, Any]:
    """Give the vault that keeps a run's values and the folder of its journal, as the verbs take them."""
    vault = Local(stores.folder / "keep.db", key_file=stores.folder / "keep.key")
    return {"vault": vault, "journal": stores.folder / folder}


def kept(stores: Stores) -> list[str]:
    """Give the names of what the runs keep in that vault."""
    with SecretBridge(options(stores)["vault"]) as bridge:
        return [one.name for one in bridge.iter_secrets() if one.name != "migration.key"]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    folder = tmp_path / "stores"
    folder.mkdir(mode=0o700)
    return Stores(folder)


def at_a_write(
    service: Any,
    *,
    before: Callable[[], object] = bool,
    after: Callable[[], object] = bool,
    method: str = "PATCH",
) -> None:
    """Do something right before or after a stand-in handles its next write."""
    handle = service._answer

    def answer(asked: str, *rest: Any) -> Any:
        if asked != method:
            return handle(asked, *rest)
        service._answer = handle  # once is enough
        before()
        reply = handle(asked, *rest)
        after()
        return reply

    service._answer = answer


def everywhere(
    face: str, stores: Stores, names: Sequence[str], *more: Any, name: str = NAME, **arguments: Any
) -> EverywhereResult:
    """Make a change through bridges over these stores, and targets that are ready, and close the bridges."""

    async def work() -> EverywhereResult:
        bridges = [stores.bridge(one, face) for one in names]
        try:
            return await update_everywhere_async(name, targets=[*bridges, *more], **arguments)
        finally:
            for bridge in bridges:
                await bridge.close()

    if face != "blocking":
        return anyio.run(work, backend=face)
    bridges = [stores.bridge(one) for one in names]
    try:
        return update_everywhere(name, targets=[*bridges, *more], **arguments)
    finally:
        for bridge in bridges:
            bridge.close()


def kinds(result: EverywhereResult) -> list[str]:
    return [type(one).__name__ for one in result]
