"""What is named where: listed without opening anything, and no credential shown."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from config_place import CANARY, Project, project, set_variable

import secretbridge
from secretbridge import Connection, InvalidRequest, Timeout, connect, connections

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["project", "set_variable"]

VAULT = '[connections.one]\nprovider = "local"\nlocation = "{}.db"\n'


def listed(**arguments: str) -> dict[str, Connection]:
    return {one.name: one for one in connections(**arguments)}


def test_where_nothing_is_named_only_the_vault_is_there(project: Project) -> None:
    assert [(one.name, one.provider, one.place, dict(one.options)) for one in connections()] == [
        ("local", "local", "environment", {}),
        ("vault", "local", "environment", {}),
    ]


def test_a_folder_that_cannot_be_looked_into_holds_no_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project.folder / ("x" * 300)))  # longer than a name can be
    assert list(listed()) == ["local", "vault"]


def test_a_name_is_listed_once_as_connect_would_take_it(project: Project) -> None:
    project.write(VAULT.format("user").replace("one", "vault") + VAULT.format("user"), project.user())
    file = project.write(VAULT.format("project"))
    found = listed()
    assert list(found) == ["local", "one", "vault"]
    assert (found["one"].place, found["one"].options) == (
        str(file),
        {"location": str(project.folder / "project.db")},
    )
    assert found["vault"].place.endswith("config.toml")


def test_with_config_given_that_file_alone_is_listed(project: Project) -> None:
    project.write(VAULT.format("project").replace("one", "other"))
    project.write(VAULT.format("argument"), "mine.toml")
    assert list(listed(config="mine.toml")) == ["one"]


def test_credentials_are_listed_by_their_references_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)
    project.write(CANARY, "token")
    project.write(
        f"""
[connections.a]
provider = "wix"
site_id = "s"
api_key = "env:MY_KEY"
retry = {{ attempts = 2 }}
[connections.b]
provider = "insforge"
base_url = "https://user:{CANARY}@host/x?key={CANARY}"
api_key = "file:token"
[connections.c]
provider = "ionet"
api_key = {{ command = ["get it", "--now"], time_limit = 3 }}
pace = "off"
[connections.d]
provider = "acme"
hosts = [{{ at = "https://{CANARY}@host" }}, 7]
[connections.d.credentials]
token = "keyring:service/user"
"""
    )
    found = listed()
    assert {name: dict(found[name].options) for name in "abcd"} == {
        "a": {"site_id": "s", "api_key": "env:MY_KEY", "retry": {"attempts": 2}},
        "b": {"base_url": "https://**********@host/x?**********", "api_key": "file:token"},
        "c": {"api_key": "command:'get it' --now", "pace": "off"},
        "d": {"hosts": ({"at": "https://**********@host"}, 7), "token": "keyring:service/user"},
    }
    told = f"{found} {json.dumps([dict(one.options) for one in found.values()])} {pickle.dumps(found)!r}"
    assert CANARY not in told
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own, of the line before


def test_the_options_of_a_listed_connection_cannot_be_changed(project: Project) -> None:
    project.write(VAULT.format("x"))
    with pytest.raises(TypeError):
        listed()["one"].options["location"] = "y"  # type: ignore[index]  # that it is refused is the test
    assert "options=" not in repr(listed()["one"])


def test_nothing_is_opened_or_looked_up_by_listing(project: Project) -> None:
    project.write(
        VAULT.format("x")
        + '[connections.two]\nprovider = "ionet"\napi_key = { command = ["touch", "ran"] }\n'
        + '[connections.three]\nprovider = "insforge"\nbase_url = "no address"\napi_key = "file:absent"\n'
    )
    assert {"one", "two", "three"} < set(listed())
    assert [path.name for path in project.folder.iterdir()] == ["secretbridge.toml"]


@pytest.mark.parametrize(
    ("variables", "name", "options"),
    [
        ({"IONET_API_KEY": CANARY}, "ionet", {"api_key": "env:IONET_API_KEY"}),
        (
            {"WIX_API_KEY": CANARY, "WIX_ACCOUNT_ID": "a"},
            "wix",
            {"account_id": "a", "api_key": "env:WIX_API_KEY"},
        ),
        (
            {"INSFORGE_BASE_URL": "https://x.example", "INSFORGE_API_KEY": CANARY},
            "insforge",
            {"base_url": "https://x.example", "api_key": "env:INSFORGE_API_KEY"},
        ),
        (
            {
                "APPFARM_BASE_URL": "https://x.example",
                "APPFARM_API_KEY": CANARY,
                "APPFARM_PATH": "/api",
                "APPFARM_SECRETS": "A, B,",
            },
            "appfarm",
            {
                "base_url": "https://x.example",
                "api_key": "env:APPFARM_API_KEY",
                "path": "/api",
                "secrets": ("A", "B"),
            },
        ),
        (
            {"SECRETBRIDGE_VAULT": "v.db", "SECRETBRIDGE_VAULT_PASSPHRASE": CANARY},
            "vault",
            {"location": "v.db", "passphrase": "env:SECRETBRIDGE_VAULT_PASSPHRASE"},
        ),
        (
            {"SECRETBRIDGE_ENVIRONMENT": "test", "SECRETBRIDGE_VAULT_KEY_FILE": "k"},
            "local",
            {"environment": "test", "key_file": "k"},
        ),
    ],
)
def test_variables_that_are_set_make_listed_connections(
    project: Project,
    set_variable: Callable[[str, str], None],
    variables: dict[str, str],
    name: str,
    options: dict[str, object],
) -> None:
    for variable, text in variables.items():
        set_variable(variable, text)
    found = listed()
    assert sorted(found) == sorted({"local", "vault", name})
    assert (found[name].place, dict(found[name].options)) == ("environment", options)


def test_a_built_in_name_that_lacks_a_variable_is_not_listed(
    project: Project, set_variable: Callable[[str, str], None]
) -> None:
    set_variable("WIX_API_KEY", "k")
    assert "wix" not in listed()


def test_a_wrong_file_is_refused_as_connect_refuses_it(project: Project) -> None:
    project.write(f'[connections.one]\nprovider = "ionet"\napi_key = "{CANARY}"\n')
    with pytest.raises(InvalidRequest) as caught:
        connections()
    assert [str(one).partition(": ")[2] for one in caught.value.violations] == [
        told.partition(": ")[2] for told in project.refused()
    ]


def test_a_connection_can_be_made_of_everything_that_is_listed(project: Project) -> None:
    project.write(
        '[connections.a]\nprovider = "dotenv"\npath = "x.env"\n'
        '[connections.b]\nprovider = "environ"\nprefix = "APP_"\n'
        '[connections.c]\nprovider = "jsonfile"\npath = "x.json"\ncreate = false\n'
    )
    for one in connections():
        with connect(one.name) as bridge:
            assert bridge.capabilities.provider == one.provider


def test_the_path_of_a_file_starts_from_the_configurations_folder(project: Project) -> None:
    project.write(
        '[connections.a]\nprovider = "dotenv"\npath = "x.env"\n'
        '[connections.b]\nprovider = "jsonfile"\npath = "~/x.json"\n',
        "sub/mine.toml",
    )
    for name in "ab":
        with connect(name, config="sub/mine.toml") as bridge:
            bridge.create_secret("A", value="v")
    found = listed(config="sub/mine.toml")
    paths = [str(found[name].options["path"]) for name in "ab"]
    assert paths == [str(project.folder / "sub" / "x.env"), str(Path("~/x.json").expanduser())]
    assert all(Path(path).exists() for path in paths)


def test_the_environment_is_read_by_its_prefix(
    project: Project, set_variable: Callable[[str, str], None]
) -> None:
    set_variable("APP_TOKEN", "t")
    project.write('[connections.one]\nprovider = "environ"\nprefix = "APP_"\n')
    with connect("one") as bridge:
        assert bridge.get_secret("TOKEN").reveal() == "t"


@pytest.mark.parametrize("provider", ["dotenv", "jsonfile"])
@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "path is missing (add it; see docs/connections.md)"),
        ("path = 3\n", "path: input should be a valid string (write it in quotes)"),
        ('path = ""\n', "path is not a path (give the path of a file)"),
        ('path = "x"\nmake = true\n', "unknown key (known are create, pace, path, provider, retry, timeout)"),
    ],
)
def test_what_a_file_store_cannot_be_made_of_is_refused(
    project: Project, provider: str, written: str, told: str
) -> None:
    project.write(f'[connections.one]\nprovider = "{provider}"\n{written}')
    assert [line.partition(": ")[2] for line in project.refused()] == [told]


@pytest.mark.parametrize(
    ("written", "timeout"),
    [
        ("7", Timeout.of(7)),
        ("{ connect = 1, read = 2.5 }", Timeout(connect=1, read=2.5)),
        ("{ write = 3, pool = 4 }", Timeout(write=3, pool=4)),
        ("{}", Timeout()),
    ],
)
def test_a_timeout_of_the_file_is_one_number_or_its_four_steps(
    project: Project, written: str, timeout: Timeout
) -> None:
    project.write(VAULT.format("x") + f"timeout = {written}\n")
    assert connect("one")._core.channel.timeout == timeout


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{ reed = 1 }", "unknown key (did you mean read?)"),
        ("{ read = 0 }", "read: input should be greater than 0"),
        (f'{{ read = "{CANARY}" }}', "read: input should be a valid number (write a number, without quotes)"),
        ("1e9", "timeout: input should be less than or equal to 1000000"),
    ],
)
def test_a_wrong_step_of_a_timeout_is_refused_with_its_line(
    project: Project, written: str, told: str
) -> None:
    project.write(VAULT.format("x") + f"timeout = {written}\n")
    assert project.refused() == [f"secretbridge.toml:4: {told}"]


def test_the_listing_is_public() -> None:
    assert {"Connection", "connections"} <= set(secretbridge.__all__)
