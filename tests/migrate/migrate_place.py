"""What the tests of migrations share: stores that hold something, and a plan in short."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from secretbridge import (
    Appfarm,
    AsyncSecretBridge,
    Dotenv,
    InsForge,
    IoNet,
    JsonFile,
    Local,
    SecretBridge,
    Wix,
)
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge._provider import Provider
    from secretbridge.migrate import Event, Plan, Step
    from secretbridge.testing import StandIn


@dataclass(frozen=True)
class Place:
    """A folder of a test's own, and stores in it."""

    folder: Path

    def vault(self, environment: str = "production", name: str = "vault") -> Local:
        return Local(self.folder / f"{name}.db", environment, key_file=self.folder / f"{name}.key")

    def env(self, name: str = "app.env", **values: str) -> Dotenv:
        provider = Dotenv(self.folder / name)
        filled(provider, **values)
        return provider

    def json(self, name: str = "app.json", **values: str) -> JsonFile:
        provider = JsonFile(self.folder / name)
        filled(provider, **values)
        return provider


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "stores"
    folder.mkdir(mode=0o700)
    return Place(folder)


def at(kind: str, act: Callable[[], object]) -> Callable[[Event], None]:
    """Give a progress callback that acts at the first event of a kind."""
    waiting = [act]

    def told(event: Event) -> None:
        if event.kind == kind and waiting:
            waiting.pop()()

    return told


def filled(provider: Any, **values: str) -> Any:
    """Put values into a store and give it."""
    with SecretBridge(provider) as bridge:
        for name, value in values.items():
            bridge.put_secret(name, value=value)
    return provider


def provider_of(standin: StandIn, base_url: str | None = None, **more: Any) -> Provider:
    """Give the provider that reaches a stand-in."""
    url = base_url or standin.base_url
    if isinstance(standin, WixStandIn):
        return Wix(api_key=standin.api_key, site_id=standin.site_id, base_url=url)
    if isinstance(standin, InsForgeStandIn):
        return InsForge(url, api_key=standin.api_key)
    if isinstance(standin, IoNetStandIn):
        return IoNet(api_key=standin.api_key, base_url=url)
    assert isinstance(standin, AppfarmStandIn)
    path = "/api/services/secrets/update-secret"
    return Appfarm(url, api_key=standin.api_key, path=path, **more)


def bridged(standin: StandIn, **more: Any) -> SecretBridge:
    """Give a bridge to a stand-in, in process, that does not wait."""
    return SecretBridge(provider_of(standin, **more), transport=standin.transport(), retry=None, pace=None)


def bridged_async(standin: StandIn, **more: Any) -> AsyncSecretBridge:
    return AsyncSecretBridge(
        provider_of(standin, **more), transport=standin.transport(), retry=None, pace=None
    )


def actions(plan: Plan) -> dict[str, str]:
    """Give source name → action."""
    return {step.source: step.action for step in plan.steps}


def renames(plan: Plan) -> dict[str, str]:
    return {step.source: step.target for step in plan.steps}


def kinds(step: Step) -> list[str]:
    return [loss.kind for loss in step.losses]


def linked(path: Path) -> Path:
    """Give a file a second name, so that nobody of ours writes to it."""
    second = path.with_name("second")
    os.link(path, second)
    return second


def only(plan: Plan) -> Step:
    (step,) = plan.steps
    return step
