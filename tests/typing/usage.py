"""Never run: what a type checker must see through the lazy names of the package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import assert_type

from pydantic import SecretStr

import secretbridge
from secretbridge import (
    UNSET,
    Appfarm,
    AsyncSecretBridge,
    Capabilities,
    ChangeInfo,
    InsForge,
    IoNet,
    Local,
    Retry,
    Rotation,
    Secret,
    SecretBridge,
    SecretBridgeError,
    SecretNotFound,
    Timeout,
    Wix,
    WouldUpdate,
    changes,
    errors,
    forget_change,
    migrate,
    rotate,
    secret_names,
    update_everywhere,
)
from secretbridge.testing import WIRE_FAULTS, FaultServer, IoNetStandIn, WireFault


def token() -> str:
    return "token"


def sync() -> None:
    providers = [
        IoNet(api_key="key"),
        IoNet(bearer=token),
        Wix(api_key=SecretStr("key"), site_id="site"),
        InsForge("https://project.example", api_key=token),
        Appfarm("https://solution.example", api_key="key", path="/api/services/a/b", secrets=["NAME"]),
        Local(),
        Local("vault.db", "production", passphrase="words"),
    ]
    for provider in providers:
        with SecretBridge(provider, timeout=Timeout(read=5), retry=Retry(attempts=2), pace=None) as bridge:
            assert_type(bridge, SecretBridge)
            assert_type(bridge.update_secret("NAME", value="v", description=None, active=UNSET), Secret)
            assert_type(bridge.update_secret(id="1", expires_at=datetime.now(UTC), verify=True), Secret)
            assert_type(bridge.get_secret("NAME").reveal(), str)
            assert_type(bridge.get_secret("NAME").value, SecretStr | None)
            assert_type(bridge.list_secrets(), list[Secret])
            assert_type(bridge.iter_secrets(page_size=10), Iterator[Secret])
            assert_type(bridge.capabilities, Capabilities)
            assert_type(bridge.with_options(pace=60), SecretBridge)
            assert_type(bridge.rehearsal(), SecretBridge)
            bridge.delete_secret("NAME", missing_ok=True)
            bridge.update_secret("NAME", value=b"bytes")  # type: ignore[arg-type]  # refused by the checker too
    assert_type(secretbridge.update_secret(Local(), "NAME", value="v"), Secret)


async def asynchronous() -> None:
    async with AsyncSecretBridge(Local()) as bridge:
        assert_type(bridge, AsyncSecretBridge)
        assert_type(await bridge.put_secret("NAME", value=SecretStr("v")), Secret)
        assert_type(await bridge.list_secrets(), list[Secret])
        assert_type(bridge.rehearsal(), AsyncSecretBridge)
        assert_type(bridge.iter_secrets(), AsyncIterator[Secret])


def errors_are_typed(error: SecretBridgeError) -> None:
    assert_type(error.applied, bool | None)
    assert_type(error.retry_after, float | None)
    try:
        raise error
    except SecretNotFound as missing:
        assert_type(missing.code, str | None)
    except errors.Conflict as conflict:
        assert_type(conflict.current_version, int | None)


def told(event: migrate.Event) -> None:
    assert_type(event.error, str | None)
    assert_type(event.done, int)
    if event.kind == "retrying":
        assert_type(event.attempt, int)
    assert_type(migrate.EVENTS[event.kind], str)


def migrations(vault: Local, wix: Wix) -> None:
    run = migrate.plan(vault, wix, progress=True).apply(progress=told)
    migrate.undo(run.id, wix, progress=False)
    report = run.report()
    assert_type(report, migrate.Report)
    assert_type(migrate.report(run.id, journal="runs"), migrate.Report)
    assert_type(report.open, tuple[migrate.Outcome, ...])
    assert_type(report.losses, tuple[migrate.LossTotal, ...])
    assert_type(report.next, tuple[migrate.NextStep, ...])
    assert_type(report.history, tuple[migrate.Moment, ...])
    assert_type([report.to_json(), report.to_markdown(), report.to_html()], list[str])
    migrate.plan(vault, wix, progress=1)  # type: ignore[arg-type]  # refused by the checker too


def changes_are_typed() -> None:
    assert_type(changes(journal="journals"), list[ChangeInfo])
    forget_change("change-0", vault="vault", journal="journals")
    assert_type(secret_names("vault", config="own.toml"), list[str])
    assert_type(migrate.plan(Local(), Local("other.db")).orphans(), tuple[migrate.Orphan, ...])
    tried = update_everywhere("NAME", value="v", targets=["vault"], dry_run=True)
    assert [one.target for one in tried if isinstance(one, WouldUpdate)] != []
    assert_type(rotate("NAME", obtain=["x"], targets=["vault"], vault="vault", dry_run=True), Rotation)


def testing() -> None:
    standin = IoNetStandIn()
    with FaultServer(standin) as server:
        assert_type(server, FaultServer)
        assert_type(server.base_url, str)
        server.script(None, WIRE_FAULTS["refused"], WireFault.answer(503, handled=True))
        server.script("refused")  # type: ignore[arg-type]  # a name is no fault
        assert_type(server.left, int)
