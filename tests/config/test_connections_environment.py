"""Without a file the documented environment variables alone make a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from config_place import CANARY, Project, project

from secretbridge._config import connect
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, StandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge import SecretBridge

__all__ = ["project"]

APPFARM = {
    "APPFARM_BASE_URL": "https://a.example",
    "APPFARM_API_KEY": "KEY",
    "APPFARM_PATH": "/api/services/secrets/update-secret",
    "APPFARM_SECRETS": "OTHER, A_KEY,",
}
CASES: list[tuple[str, dict[str, str], Callable[[], StandIn]]] = [
    ("ionet", {"IO_API_KEY": "KEY"}, IoNetStandIn),
    ("ionet", {"IONET_API_KEY": "KEY"}, IoNetStandIn),
    ("ionet", {"IO_API_KEY": "KEY", "IONET_API_KEY": "other"}, IoNetStandIn),
    ("wix", {"WIX_API_KEY": "KEY", "WIX_SITE_ID": "SITE"}, WixStandIn),
    ("insforge", {"INSFORGE_API_KEY": "KEY", "INSFORGE_BASE_URL": "https://a.example"}, InsForgeStandIn),
    ("appfarm", APPFARM, AppfarmStandIn),
]


@pytest.mark.parametrize(("name", "variables", "make"), CASES)
def test_a_services_variables_make_a_connection(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    variables: dict[str, str],
    make: Callable[[], StandIn],
) -> None:
    service = make()
    service.seed("A_KEY", "old-value")  # type: ignore[attr-defined]  # each stand-in has it
    for variable, text in variables.items():
        real = {"KEY": service.api_key, "SITE": getattr(service, "site_id", "")}.get(text, text)  # type: ignore[attr-defined]  # likewise
        monkeypatch.setenv(variable, real)
    with connect(name, transport=service.transport()) as bridge:
        bridge.update_secret("A_KEY", value="new-value")
    assert service.secret("A_KEY").value == "new-value"  # type: ignore[attr-defined]  # likewise


def test_wix_takes_an_account_in_place_of_a_site(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    service = WixStandIn()
    monkeypatch.setenv("WIX_API_KEY", service.api_key)
    monkeypatch.setenv("WIX_ACCOUNT_ID", service.account_id)
    with connect("wix", transport=service.transport()) as bridge:
        assert bridge.list_secrets() == []
    monkeypatch.setenv("WIX_SITE_ID", service.site_id)
    assert project.refused("wix") == ["WIX_SITE_ID and WIX_ACCOUNT_ID: are set together (set one of the two)"]


def test_the_vault_needs_no_variable_at_all(project: Project) -> None:
    with connect("vault") as bridge:
        bridge.create_secret("A", value="v")
    with connect("local") as bridge:
        assert bridge.get_secret("A").reveal() == "v"


def test_the_vaults_variables_choose_place_key_and_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETBRIDGE_VAULT", str(project.folder / "mine.db"))
    monkeypatch.setenv("SECRETBRIDGE_VAULT_KEY_FILE", str(project.folder / "mine.key"))
    monkeypatch.setenv("SECRETBRIDGE_ENVIRONMENT", "test")
    with connect("vault") as bridge:
        assert repr(bridge) == f"SecretBridge(Local({None!r}, 'test'))"
        bridge.create_secret("A", value="v")
    assert (project.folder / "mine.db").exists()
    assert (project.folder / "mine.key").exists()


def test_a_passphrase_in_a_variable_opens_the_vault(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETBRIDGE_VAULT_PASSPHRASE", CANARY)
    with connect("vault") as bridge:
        bridge.create_secret("A", value="v")
        assert CANARY not in repr(bridge)
    with connect("vault") as bridge:
        assert bridge.get_secret("A").reveal() == "v"
    monkeypatch.setenv("SECRETBRIDGE_VAULT_KEY_FILE", "k")
    monkeypatch.setenv("SECRETBRIDGE_ENVIRONMENT", f"{CANARY}/")
    assert project.refused("vault") == [
        "SECRETBRIDGE_ENVIRONMENT: names no environment of a vault (for example production)",
        (
            "SECRETBRIDGE_VAULT_PASSPHRASE and SECRETBRIDGE_VAULT_KEY_FILE: are set together"
            " (set one of the two)"
        ),
    ]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ionet", ["IO_API_KEY or IONET_API_KEY"]),
        ("wix", ["WIX_API_KEY", "WIX_SITE_ID or WIX_ACCOUNT_ID"]),
        ("insforge", ["INSFORGE_BASE_URL", "INSFORGE_API_KEY"]),
        ("appfarm", ["APPFARM_BASE_URL", "APPFARM_API_KEY", "APPFARM_PATH", "APPFARM_SECRETS"]),
    ],
)
def test_what_is_missing_is_told_by_name_and_all_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, missing: list[str]
) -> None:
    expected = [f"{one}: is not set (set it, or write a secretbridge.toml)" for one in missing]
    assert project.refused(name) == expected
    monkeypatch.setenv(missing[0].split(" ")[0], "")
    assert project.refused(name) == expected


def test_a_variable_that_an_adapter_refuses_is_told_by_its_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in (APPFARM | {"APPFARM_PATH": CANARY, "APPFARM_SECRETS": ","}).items():
        monkeypatch.setenv(variable, text)
    assert [one.split(":")[0] for one in project.refused("appfarm")] == ["APPFARM_PATH", "APPFARM_SECRETS"]
    monkeypatch.setenv("APPFARM_BASE_URL", f"http://{CANARY}")
    assert project.refused("appfarm") == [
        (
            "APPFARM_BASE_URL: would send secrets without encryption"
            " (use https, or say allow_http=True in so many words)"
        )
    ]


def test_a_file_counts_before_the_environment(project: Project) -> None:
    project.write('[connections.wix]\nprovider = "local"\n')
    assert connect("wix").capabilities.provider == "local"


def test_a_credential_that_vanished_from_the_environment_is_told_by_its_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IO_API_KEY", "k")
    bridge: SecretBridge = connect("ionet")
    auth = bridge._core.provider._auth  # type: ignore[attr-defined]  # an HTTP adapter's
    monkeypatch.delenv("IO_API_KEY")
    with pytest.raises(Exception, match="The credential that IO_API_KEY refers to is not to be had"):
        auth._source()
