"""What is had by a connection's name beside a bridge: the vault behind it, and the names alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from config_place import Project, project

from secretbridge import (
    InvalidRequest,
    connect,
    connect_vault,
    connect_vault_async,
    connection_names,
    connections,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["project"]

VAULT = '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n'


def test_the_vault_of_a_connection_is_opened_as_the_bridge_opens_it(project: Project) -> None:
    project.write(VAULT)
    with connect("team") as bridge, connect_vault("team") as vault:
        bridge.create_secret("TOKEN", value="v")
        assert [one.operation for one in vault.history("TOKEN")] == ["create"]
        assert vault.location() == project.folder / "team.db"


def test_the_same_awaited(project: Project) -> None:
    project.write(VAULT)

    async def history() -> list[str]:
        async with connect_vault_async("team") as vault:
            return [one.operation for one in await vault.history("TOKEN")]

    with connect("team") as bridge:
        bridge.create_secret("TOKEN", value="v")
    assert asyncio.run(history()) == ["create"]
    assert connect_vault_async("team").location() == project.folder / "team.db"


def test_the_place_of_a_vault_is_told_without_making_it(project: Project, tmp_path: Path) -> None:
    location = connect_vault().location()
    assert location == tmp_path / "user" / "xdg_data_home" / "secretbridge" / "vault.db"
    assert not location.exists()


def test_a_connection_to_another_store_has_no_vault(project: Project) -> None:
    project.write('[connections.files]\nprovider = "dotenv"\npath = ".env"\n')
    with pytest.raises(InvalidRequest, match="is a connection to a store without versions"):
        connect_vault("files")


def test_the_names_are_those_of_the_connections(project: Project) -> None:
    project.write(VAULT)
    assert connection_names() == [one.name for one in connections()] == ["local", "team", "vault"]
    assert connection_names(config=project.write(VAULT, "own.toml")) == ["team"]


@pytest.mark.parametrize("text", ["= 3", "connections = 3", "\udcff"])
def test_a_file_that_cannot_be_used_has_no_names(project: Project, text: str) -> None:
    project.write(text)
    assert connection_names() == ["local", "vault"]
    assert connection_names(config="missing.toml") == []
