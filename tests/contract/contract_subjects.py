"""The package's own providers with their stores, as the contract wants them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from secretbridge import Appfarm, Environment, InsForge, IoNet, Local, SecretBridge, Wix
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, Subject, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest


def ionet() -> Subject:
    standin = IoNetStandIn()

    def held() -> Iterable[Mapping[str, object]]:
        for row in standin.secrets:
            yield {
                "name": row.name,
                "value": row.value,
                "id": row.id,
                "tool_name": row.tool_name,
                "tool_arg": row.tool_arg,
                "default_for_tool": row.default_for_tool,
            }

    return Subject(
        provider=IoNet(api_key=standin.api_key),
        seed=lambda name, fields: standin.seed(name, **fields),  # type: ignore[arg-type]  # called alike
        held=held,
        transport=standin.transport(),
        credential=standin.api_key,
    )


def wix() -> Subject:
    standin = WixStandIn()

    def held() -> Iterable[Mapping[str, object]]:
        for row in standin.secrets:
            yield {"name": row.name, "value": row.value, "id": row.id, "description": row.description}

    return Subject(
        provider=Wix(api_key=standin.api_key, site_id=standin.site_id),
        seed=lambda name, fields: standin.seed(name, **fields),  # type: ignore[arg-type]  # called alike
        held=held,
        transport=standin.transport(),
        credential=standin.api_key,
    )


def insforge() -> Subject:
    standin = InsForgeStandIn()

    def seed(name: str, fields: Mapping[str, Any]) -> None:
        at = fields.get("expires_at")
        standin.seed(
            name,
            fields["value"],
            active=fields.get("active"),
            reserved=fields.get("protected"),
            expires_at=at.timestamp() if isinstance(at, datetime) else None,
        )

    def held() -> Iterable[Mapping[str, object]]:
        for row in standin.secrets:
            at = None if row.expires_at is None else datetime.fromtimestamp(row.expires_at).astimezone()
            yield {
                "name": row.name,
                "value": row.value,
                "id": row.id,
                "active": row.active,
                "protected": row.reserved,
                "expires_at": at,
            }

    return Subject(
        provider=InsForge(standin.base_url, api_key=standin.api_key),
        seed=seed,
        held=held,
        transport=standin.transport(),
        credential=standin.api_key,
    )


def appfarm(names: Iterable[str]) -> Subject:
    standin = AppfarmStandIn()
    path = "/api/services/secrets/update-secret"
    return Subject(
        provider=Appfarm(standin.base_url, api_key=standin.api_key, path=path, secrets=list(names)),
        seed=lambda name, fields: standin.seed(name, str(fields["value"])),
        held=lambda: [{"name": row.name, "value": row.value} for row in standin.secrets],
        transport=standin.transport(),
        credential=standin.api_key,
    )


def bridged(provider: Any) -> Subject:
    """A store without HTTP, seeded and looked at through a bridge of its own."""
    fields = sorted(provider.capabilities.create)

    def seed(name: str, given: Mapping[str, Any]) -> None:
        with SecretBridge(provider) as bridge:
            bridge.create_secret(name, **given)

    def held() -> Iterable[Mapping[str, object]]:
        with SecretBridge(provider) as bridge:
            for listed in bridge.list_secrets():
                secret = listed
                if listed.active is False:  # listed and not handed out
                    bridge.update_secret(listed.name, active=True)
                    secret = replace(bridge.get_secret(listed.name), active=False)
                    bridge.update_secret(listed.name, active=False)
                else:
                    secret = bridge.get_secret(listed.name)
                yield {
                    "name": secret.name,
                    "id": secret.id,
                    **{name: getattr(secret, name) for name in fields},
                }

    return Subject(provider=provider, seed=seed, held=held)


def local(folder: Path) -> Subject:
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / str(len(list(folder.iterdir())))
    return bridged(Local(place / "vault.db", key_file=place / "vault.key"))


def environ(prefix: str, monkeypatch: pytest.MonkeyPatch) -> Subject:
    def seed(name: str, fields: Mapping[str, Any]) -> None:
        monkeypatch.setenv(prefix + name, fields["value"])

    def held() -> Iterable[Mapping[str, object]]:
        for name, value in os.environ.items():
            if name.startswith(prefix):
                yield {"name": name.removeprefix(prefix), "value": value}

    return Subject(provider=Environment(prefix), seed=seed, held=held)
