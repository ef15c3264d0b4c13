"""Which file is read, who may write it, and what a connection in it becomes."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from config_place import Project, project

from secretbridge import Retry, SecretBridge, Timeout
from secretbridge._config import _access, connect, connect_async
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, StandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["project"]

VAULT = '[connections.one]\nprovider = "local"\nlocation = "{0}.db"\nkey_file = "{0}.key"\n'
WIX = '[connections.{}]\nprovider = "wix"\napi_key = "env:MY_KEY"\nsite_id = "{}"\n'


def where(bridge: SecretBridge) -> str:
    """The name of the vault that a bridge is for."""
    found = re.search(r"(\w+)\.db", repr(bridge))
    assert found is not None
    return found[1]


def test_the_projects_file_counts_before_the_users_files(project: Project) -> None:
    project.write(VAULT.format("last"), project.user("secretbridge.toml"))
    assert where(connect("one")) == "last"
    project.write(VAULT.format("user"), project.user())
    assert where(connect("one")) == "user"
    project.write(VAULT.format("project"))
    assert where(connect("one")) == "project"


def test_a_connection_that_the_project_lacks_is_taken_from_the_users_file(project: Project) -> None:
    project.write(VAULT.format("project").replace("one", "other"))
    project.write(VAULT.format("user"), project.user())
    assert where(connect("one")) == "user"


def test_config_and_its_variable_take_the_place_of_all_other_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(VAULT.format("project"))
    project.write(VAULT.format("variable"), "else/variable.toml")
    project.write(VAULT.format("argument"), "else/argument.toml")
    monkeypatch.setenv("SECRETBRIDGE_CONFIG", "else/variable.toml")
    assert where(connect("one")) == "variable"
    assert where(connect("one", config=Path("else", "argument.toml"))) == "argument"
    assert project.refused("two") == [
        "name: no connection has this name (known are one (else/variable.toml))"
    ]


def test_with_config_given_the_environment_makes_no_connection(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IO_API_KEY", "k")
    project.write(VAULT.format("x"), "a.toml")
    assert connect("ionet").capabilities.provider == "ionet"
    assert project.refused("ionet", config="a.toml") == [
        "name: no connection has this name (did you mean one? known are one (a.toml))"
    ]


def test_in_a_repository_the_folders_above_are_searched_up_to_its_root(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(VAULT.format("above"))
    (project.folder / "repository" / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir("repository/a/b")
    assert "known are local, vault (environment variables)" in project.refused()[0]
    (project.folder / "repository" / ".git").mkdir()
    assert "known are local, vault (environment variables)" in project.refused()[0]
    project.write(VAULT.format("root"), "repository/secretbridge.toml")
    assert where(connect("one")) == "root"
    project.write(VAULT.format("nearer"), "repository/a/secretbridge.toml")
    assert where(connect("one")) == "nearer"


def test_below_the_home_folder_the_search_goes_up_to_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project.folder / "home"
    (home / "a" / "b").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "a" / "b")
    project.write(VAULT.format("above"))
    assert "known are local" in project.refused()[0]
    project.write(VAULT.format("home"), "home/secretbridge.toml")
    assert where(connect("one")) == "home"


def test_paths_start_from_the_files_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(VAULT.format("here"), "sub/mine.toml")
    with connect("one", config="sub/mine.toml") as bridge:
        bridge.create_secret("A", value="v")
    assert sorted(path.name for path in (project.folder / "sub").iterdir() if path.suffix != ".lock") == [
        "here.db",
        "here.key",
        "mine.toml",
    ]


def test_a_file_that_others_can_read_is_warned_about_once(project: Project) -> None:
    file = project.write(VAULT.format("x"), mode=0o644)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connect("one")
        connect("one")
    assert [str(one.message) for one in caught] == [f"Others can read {file}; run: chmod 600 {file}"]


def test_a_file_of_its_owner_alone_is_not_warned_about(project: Project) -> None:
    project.write(VAULT.format("x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connect("one")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(project: Project, mode: int) -> None:
    file = project.write(VAULT.format("x"), mode=mode)
    advice = f"look at what it holds, then: chmod 600 {file.name}"
    assert project.refused() == [f"secretbridge.toml: can be written by others ({advice})"]


@pytest.mark.parametrize(
    ("user", "owner", "chosen", "problem"),
    [
        (7, 7, False, ""),
        (7, 0, False, ""),
        (7, 8, False, "belongs to another user"),
        (7, 8, True, "belongs to another user"),
        (0, 8, False, "belongs to another user"),  # root does not run what somebody left lying about
        (0, 8, True, ""),
    ],
)
def test_a_file_of_another_user_is_refused_unless_root_names_it(
    monkeypatch: pytest.MonkeyPatch, user: int, owner: int, *, chosen: bool, problem: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    found = os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, owner, 1, 1, 0, 0, 0))
    assert _access._problem(found, "FILE", chosen=chosen)[0] == problem


def test_where_this_folder_was_removed_the_users_file_is_left(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(VAULT.format("user"), project.user())
    gone = project.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert where(connect("one")) == "user"
    assert project.refused(config="a.toml") == [
        "a.toml: cannot be read: No such file or directory (check the path and its permissions)"
    ]


def test_of_a_file_that_the_variable_names_the_variable_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETBRIDGE_CONFIG", "a.toml")
    (told,) = project.refused()
    (other,) = project.refused(config="b.toml")
    assert told.endswith("(check the path and its permissions; SECRETBRIDGE_CONFIG names it)")
    assert other.endswith("(check the path and its permissions)")


def test_a_home_folder_that_is_not_known_leaves_the_path_as_it_is(project: Project) -> None:
    assert _access.expanded("~no-such-user/a") == Path("~no-such-user/a")


def test_what_is_no_regular_file_is_refused(project: Project) -> None:
    os.mkfifo(project.folder / "secretbridge.toml", 0o600)
    assert project.refused() == ["secretbridge.toml: is not a regular file (give the path of a file)"]


def test_a_file_that_is_not_there_or_too_long_is_refused(project: Project) -> None:
    assert project.refused(config="none.toml") == [
        "none.toml: cannot be read: No such file or directory (check the path and its permissions)"
    ]
    project.write("#" * 262_145)
    assert project.refused() == ["secretbridge.toml: is longer than 262,144 bytes (give the right file)"]


@pytest.mark.parametrize("config", ["", 7])
def test_a_config_that_is_no_path_is_refused(project: Project, config: str) -> None:
    assert project.refused(config=config) == ["config: is not a path (give the path of a file)"]


def test_a_name_that_is_no_text_is_refused(project: Project) -> None:
    assert project.refused(7) == ["name: is not a text (give the connection's name)"]  # type: ignore[arg-type]  # the point


def test_the_bridges_options_may_stand_in_the_file_and_the_calls_count_before_them(project: Project) -> None:
    project.write(
        VAULT.format("x")
        + "timeout = 7\npace = 30\nretry = { attempts = 2, total = 5.5 }\n"
        + '[connections.two]\nprovider = "local"\npace = "off"\n'
        + '[connections.three]\nprovider = "local"\npace = "provider"\n'
    )
    channel = connect("one")._core.channel
    assert channel.timeout == Timeout(connect=7, read=7, write=7, pool=7)
    assert (channel.retry, channel.pace) == (Retry(attempts=2, total=5.5), 30.0)
    changed = connect("one", timeout=3, retry=None, pace=None)._core.channel
    assert (changed.timeout.read, changed.retry.attempts, changed.pace) == (3, 1, None)
    assert connect("two")._core.channel.pace is None
    assert connect("three")._core.channel.timeout == Timeout()


CASES: list[tuple[str, Callable[[], StandIn]]] = [
    ('provider = "ionet"\napi_key = "env:MY_KEY"', IoNetStandIn),
    ('provider = "insforge"\nbase_url = "https://a.example"\napi_key = "env:MY_KEY"', InsForgeStandIn),
    (
        (
            'provider = "appfarm"\nbase_url = "https://a.example"\napi_key = "env:MY_KEY"\n'
            'path = "/api/services/secrets/update-secret"\nsecrets = ["A_KEY"]'
        ),
        AppfarmStandIn,
    ),
    ('provider = "wix"\napi_key = "env:MY_KEY"\nsite_id = "SITE"', WixStandIn),
]


@pytest.mark.parametrize(("table", "make"), CASES)
def test_each_services_connection_works(
    project: Project, monkeypatch: pytest.MonkeyPatch, table: str, make: Callable[[], StandIn]
) -> None:
    service = make()
    service.seed("A_KEY", "old-value")  # type: ignore[attr-defined]  # each stand-in has it
    monkeypatch.setenv("MY_KEY", service.api_key)  # type: ignore[attr-defined]  # likewise
    project.write(f"[connections.one]\n{table}\n".replace("SITE", getattr(service, "site_id", "")))
    with connect("one", transport=service.transport()) as bridge:
        bridge.update_secret("A_KEY", value="new-value")
    assert service.secret("A_KEY").value == "new-value"  # type: ignore[attr-defined]  # likewise


def test_the_asynchronous_bridge_is_had_in_the_same_way(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = WixStandIn()
    service.seed("A_KEY", "old-value")
    monkeypatch.setenv("MY_KEY", service.api_key)
    project.write(WIX.format("one", service.site_id))

    async def change() -> None:
        async with connect_async("one", transport=service.transport()) as bridge:
            await bridge.update_secret("A_KEY", value="new-value")

    asyncio.run(change())
    assert service.secret("A_KEY").value == "new-value"


def test_a_name_with_dots_stands_in_quotes(project: Project) -> None:
    project.write('[connections."a.b"]\nprovider = "local"\n')
    assert connect("a.b").capabilities.provider == "local"


def test_importing_named_connections_loads_neither_pydantic_nor_httpx() -> None:
    code = "import sys; import secretbridge._config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) & {"pydantic", "httpx", "platformdirs", "keyring", "asyncio"} == set()


def test_a_vault_of_the_file_needs_no_platformdirs_and_no_httpx(project: Project) -> None:
    project.write(VAULT.format("x"))
    code = "import sys; from secretbridge._config import connect; connect('one'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) & {"httpx", "platformdirs", "keyring", "asyncio"} == set()
