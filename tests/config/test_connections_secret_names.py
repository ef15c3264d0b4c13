"""The names of the secrets in a store, where that takes no prompt and no network."""

from __future__ import annotations

import pytest
from config_place import Project, project

from secretbridge import (
    GrantMissing,
    InvalidRequest,
    KeyFile,
    Passphrase,
    Vault,
    VaultDamaged,
    VaultLocked,
    connect,
    connect_vault,
    secret_names,
)

__all__ = ["project"]

TEAM = '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n'
PLAIN = '[connections.plain]\nprovider = "local"\n'


def filled(connection: str) -> None:
    with connect(connection) as bridge:
        for name in ("B", "GONE", "A", "É ö"):
            bridge.create_secret(name, value="v")
        bridge.update_secret("A", active=False)
        bridge.delete_secret("GONE")


@pytest.mark.parametrize("connection", ["team", "plain", "vault", "local"])
def test_a_vault_with_a_key_file_tells_them_in_its_order(project: Project, connection: str) -> None:
    project.write(TEAM + PLAIN)
    filled(connection)
    with connect(connection) as bridge:
        assert secret_names(connection) == [one.name for one in bridge.iter_secrets()] == ["B", "A", "É ö"]


def test_they_are_those_of_the_connections_environment(project: Project) -> None:
    file = project.write(TEAM + TEAM.replace("team]", "live]") + 'environment = "production"\n', "own.toml")
    with connect("team", config=file) as bridge, connect("live", config=file) as live:
        bridge.create_secret("OURS", value="v")
        live.create_secret("THEIRS", value="v")
    assert (secret_names("team", config=file), secret_names("live", config=file)) == (["OURS"], ["THEIRS"])


def test_one_that_is_shared_is_told_once_in_each_environment(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    with connect_vault("team") as vault:
        vault.share("A")
    assert secret_names("team") == ["B", "A", "É ö"]


def test_the_variables_of_the_vault_are_heeded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETBRIDGE_VAULT", str(project.folder / "own.db"))
    monkeypatch.setenv("SECRETBRIDGE_VAULT_KEY_FILE", str(project.folder / "own.key"))
    monkeypatch.setenv("SECRETBRIDGE_ENVIRONMENT", "staging")
    filled("vault")
    assert secret_names("vault") == ["B", "A", "É ö"]


def test_a_vault_that_has_not_been_made_is_not_made(project: Project) -> None:
    project.write(TEAM)
    assert (secret_names("team"), (project.folder / "team.db").exists()) == ([], False)


def test_nobody_is_asked_for_a_passphrase(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETBRIDGE_VAULT_PASSPHRASE", "long enough")
    filled("vault")
    assert secret_names("vault") == []


def test_a_listing_that_the_audit_trail_is_to_tell_of_stands_there(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    with connect_vault("team") as vault:
        vault.set_audit_reads("durable")
        names = secret_names("team")
        assert (names, [one.operation for one in vault.audit()][-1]) == (["B", "A", "É ö"], "list")


def test_an_account_is_told_what_it_may_list(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    with connect_vault("team") as vault:
        vault.principals.add_user("ada", KeyFile(project.folder / "ada.key"), roles=["lister"])
        vault.principals.add_user("eve", KeyFile(project.folder / "eve.key"))
    ada = project.write(TEAM.replace("team.key", "ada.key"), "ada.toml")
    eve = project.write(TEAM.replace("team.key", "eve.key"), "eve.toml")
    with pytest.raises(GrantMissing):
        secret_names("team", config=eve)
    assert secret_names("team", config=ada) == ["B", "A", "É ö"]


def test_what_keeps_the_vault_from_being_opened_is_said(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    (project.folder / "team.key").rename(project.folder / "kept.key")
    with pytest.raises(VaultLocked, match=r"team\.key of this vault is missing"):
        secret_names("team")
    (project.folder / "kept.key").rename(project.folder / "team.key")
    (project.folder / "team.db").write_bytes(b"no vault")
    with pytest.raises(VaultDamaged):
        secret_names("team")


def test_an_environment_that_the_vault_has_not_is_refused(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    project.write(f'{TEAM}environment = "qa"\n')
    with pytest.raises(InvalidRequest, match="no environment of this name"):
        secret_names("team")


def test_files_tell_them_too(project: Project) -> None:
    project.write('[connections.app]\nprovider = "dotenv"\npath = "app.env"\n')
    project.write("ONE=1\nTWO=2\n", "app.env")
    assert secret_names("app") == ["ONE", "TWO"]


@pytest.mark.parametrize(
    "table",
    [
        'provider = "wix"\nsite_id = "s"\napi_key = "env:NEVER_READ"',
        'provider = "local"\nlocation = "postgresql://localhost/x"',
        'provider = "local"\npassphrase = "env:NEVER_READ"',
    ],
)
def test_other_stores_tell_none_and_are_not_reached(project: Project, table: str) -> None:
    project.write(f"[connections.one]\n{table}\n")
    assert secret_names("one") == []


def test_a_vault_that_a_variable_puts_on_postgresql_is_not_reached(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(PLAIN)
    monkeypatch.setenv("SECRETBRIDGE_VAULT", "postgresql://127.0.0.1:1/x")
    assert (secret_names("plain"), secret_names("vault")) == ([], [])


def test_a_name_that_no_connection_has_has_none(project: Project) -> None:
    project.write(TEAM)
    assert (secret_names("nowhere"), secret_names("vault", config="secretbridge.toml")) == ([], [])


@pytest.mark.parametrize(
    ("text", "mode"), [(TEAM, 0o666), ("= 3", 0o600), ("connections = 3", 0o600), (f"{TEAM}x = 3\n", 0o600)]
)
def test_a_file_that_cannot_be_used_is_refused(project: Project, text: str, mode: int) -> None:
    project.write(text, mode=mode)
    with pytest.raises(InvalidRequest):
        secret_names("team")


def test_a_vault_that_a_passphrase_opens_too_asks_for_none(project: Project) -> None:
    project.write(TEAM)
    filled("team")
    with Vault(project.folder / "team.db", key_file=project.folder / "team.key") as vault:
        vault.slots.add(Passphrase("long enough"), "mine")
    project.write(f'{TEAM}passphrase = "env:NEVER_READ"\n'.replace('key_file = "team.key"\n', ""))
    assert secret_names("team") == []
