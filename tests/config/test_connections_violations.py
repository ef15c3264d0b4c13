"""What a file may not hold is refused by line, all of it at once, and nothing that stands there is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from config_place import CANARY, Project, project

from secretbridge._config import connect
from secretbridge._config._lines import line_of, lines

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["project"]

CLEAR = (
    "is written in clear, or is no reference (take it out of this file, change it at the provider if others"
    " may have seen it, and name where it is: env:VARIABLE, file:PATH, keyring:SERVICE/USER, vault:NAME,"
    " command:PROGRAM ARGUMENT …)"
)
APART = "put it under credentials, as a reference such as env:VARIABLE"
PROVIDERS = "known are appfarm, dotenv, environ, insforge, ionet, jsonfile, local, wix"
NAMES = "give it 1 to 64 letters, digits, - and _; with dots, in quotes"


def test_what_names_no_environment_of_a_vault_is_told(project: Project) -> None:
    project.write('[connections.one]\nprovider = "local"\nenvironment = "a b"\n')
    assert project.refused() == [
        "secretbridge.toml:3: environment names no environment of a vault (for example production)"
    ]


def test_an_environment_beside_what_is_wrong_is_not_found_fault_with(project: Project) -> None:
    project.write('[connections.one]\nprovider = "local"\nenvironment = "qa"\nlocation = ""\n')
    assert project.refused() == ["secretbridge.toml:4: location is not a path (give the path of a file)"]


def test_all_violations_of_a_file_are_told_at_once_in_the_order_of_its_lines(project: Project) -> None:
    project.write(
        f"""
[connections.one]
api_key = "{CANARY}"
provider = "wix"
site = "{CANARY}"
timeout = "{CANARY}"
retry = {{ attemps = 3, total = "{CANARY}" }}

[connections.two]
provider = "insforge"
base_url = 7
allow_http = "{CANARY}"

[conections.three]
provider = "local"
"""
    )
    assert project.refused() == [
        f"secretbridge.toml:3: api_key {CLEAR}",
        "secretbridge.toml:5: unknown key (did you mean site_id?)",
        "secretbridge.toml:6: timeout: input should be a valid number (write a number, without quotes)",
        "secretbridge.toml:7: total: input should be a valid number (write a number, without quotes)",
        "secretbridge.toml:7: unknown key (did you mean attempts?)",
        "secretbridge.toml:9: api_key is missing (add it; see docs/connections.md)",
        "secretbridge.toml:11: base_url: input should be a valid string (write it in quotes)",
        (
            "secretbridge.toml:12: allow_http: input should be a valid boolean"
            " (write true or false, without quotes)"
        ),
        "secretbridge.toml:14: unknown key (did you mean connections?)",
    ]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (f'"{CANARY}"', CLEAR),
        (f'"sk_live:{CANARY}"', CLEAR),
        (f'"ENV:{CANARY}"', CLEAR),
        (f'" env:{CANARY}"', CLEAR),
        ('""', CLEAR),
        ('"env:"', "is not a reference of the form env:VARIABLE (write "),
        (f'"env:${CANARY}"', "is not a reference of the form env:VARIABLE (write "),
        ('"file:"', "is not a reference of the form file:PATH (write "),
        (f'"file:{CANARY}\\u0000"', "is not a reference of the form file:PATH (write "),
        (f'"keyring:{CANARY}"', "is not a reference of the form keyring:SERVICE/USER (write "),
        (f'"keyring:{CANARY}/"', "is not a reference of the form keyring:SERVICE/USER (write "),
        ('"vault:"', "is not a reference of the form vault:NAME (write "),
        ('"vault:a b/c"', "is not a reference of the form vault:NAME (write "),
        ('"vault:production/"', "is not a reference of the form vault:NAME (write "),
        ('"command: "', "is not a reference of the form command:PROGRAM ARGUMENT … (write "),
        (f'"command:get \'{CANARY}"', "is not a reference of the form command:PROGRAM ARGUMENT … (write "),
        ("7", "is not a reference (write "),
        (f'["{CANARY}"]', "is not a reference (write "),
        (f'{{ command = "{CANARY}" }}', "has a command that is no list of texts (write "),
        ("{ command = [] }", "has a command that is no list of texts (write "),
        ('{ command = [""] }', "has a command that is no list of texts (write "),
        ('{ command = ["a\\u0000"] }', "has a command that is no list of texts (write "),
        (f'{{ value = "{CANARY}" }}', "has a key that no credential has (known are command and time_limit)"),
        ('{ command = ["a"], time_limit = 0 }', "has a time_limit that is no number of seconds (give "),
        ('{ command = ["a"], time_limit = true }', "has a time_limit that is no number of seconds (give "),
        ('{ command = ["a"], time_limit = nan }', "has a time_limit that is no number of seconds (give "),
    ],
)
def test_a_credential_that_is_no_reference_is_refused_and_not_shown(
    project: Project, written: str, problem: str
) -> None:
    project.write(f'[connections.one]\nprovider = "ionet"\n\napi_key = {written}\n')
    (told,) = project.refused()
    assert told.startswith(f"secretbridge.toml:4: api_key {problem}")


@pytest.mark.parametrize("key", ["location", "key_file"])
@pytest.mark.parametrize("path", ["", f"{CANARY}\\u0000"])
def test_a_text_that_is_no_path_is_refused(project: Project, key: str, path: str) -> None:
    project.write(f'[connections.one]\nprovider = "local"\n{key} = "{path}"\n')
    assert project.refused() == [f"secretbridge.toml:3: {key} is not a path (give the path of a file)"]


@pytest.mark.parametrize("key", ["timeout", "pace"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "true", f'"{CANARY}"', "[]"])
def test_an_option_of_the_bridge_that_is_no_positive_number_is_refused(
    project: Project, key: str, value: str
) -> None:
    project.write(f'[connections.one]\nprovider = "local"\n{key} = {value}\n')
    (told,) = project.refused()
    assert told.startswith(f"secretbridge.toml:3: {key}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            f'[connections.one]\nprovider = "local"\nprovider = "{CANARY}"\n',
            "3: gives a key or table a second",
        ),
        ('[connections.one]\na.b = 1\n[connections.one]\nprovider = "local"\n', "3: gives a key or table a"),
        (f"[connections.one]\napi_key = {CANARY}\n", "2: is not valid TOML"),
        (f'[connections.one]\napi_key = "{CANARY}\n', "2: is not valid TOML"),
        (f'[connections.one]\n\n\napi_key = ["{CANARY}"', "4: is not valid TOML"),
        (f'[connections.one]\napi_key = "\\{CANARY}"\n', "2: is not valid TOML"),
        (f"\n\n{CANARY}\udcff\n", "3: is not UTF-8"),
        ("\ufeff[connections.one]\n", "1: is not valid TOML"),
        ("a = " + "[" * 100_000, "1: is "),
        ("a = " + "9" * 10_000, "1: is not valid TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_by_its_line(project: Project, text: str, place: str) -> None:
    project.write(text)
    (told,) = project.refused()
    assert told.startswith(f"secretbridge.toml:{place}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("connections = 3\n", "1: connections is not a table (write [connections.NAME])"),
        ('[connections]\n\none = "local"\n', "3: the connection is not a table (write [connections.NAME])"),
        (
            "[connections.one]\n",
            f"1: provider is missing ({PROVIDERS})",
        ),
        (
            "[connections.one]\nprovider = 3\n",
            f"2: provider is not a name ({PROVIDERS})",
        ),
        (
            f'[connections."{CANARY} x"]\nprovider = "local"\n',
            f"1: the connection's name cannot be used ({NAMES})",
        ),
    ],
)
def test_a_connection_of_the_wrong_shape_is_refused(project: Project, text: str, told: str) -> None:
    project.write(text)
    assert project.refused() == [f"secretbridge.toml:{told}"]


def test_an_unknown_provider_is_answered_with_the_nearest_and_all_known_ones(project: Project) -> None:
    project.write('[connections.one]\nprovider = "wixx"\napi_key = "env:A"\n')
    (told,) = project.refused()
    assert told.startswith("secretbridge.toml:2: provider is not installed (did you mean wix? known are ")
    known = set(told.partition("known are ")[2].rstrip(")").split(", "))
    assert {"appfarm", "insforge", "ionet", "local", "wix"} <= known
    project.write(f'[connections.one]\nprovider = "{CANARY}"\n')
    assert project.refused()[0].startswith("secretbridge.toml:2: provider is not installed (known are ")


def test_a_provider_that_is_not_installed_does_not_stand_in_the_way_of_other_connections(
    project: Project,
) -> None:
    project.write('[connections.two]\nprovider = "acme"\n[connections.one]\nprovider = "local"\n')
    assert connect("one").capabilities.provider == "local"


def test_a_credential_in_clear_is_refused_whatever_the_provider(project: Project) -> None:
    project.write(
        f'[connections.two]\nprovider = "acme"\ntoken = "{CANARY}"\n[connections.one]\nprovider = "local"\n'
    )
    assert project.refused() == [
        f"secretbridge.toml:3: what looks like a credential stands among the options ({APART})"
    ]


def test_an_unknown_name_is_answered_with_those_that_work_and_where_they_are(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IO_API_KEY", CANARY)
    monkeypatch.setenv("WIX_API_KEY", CANARY)  # and nothing says which site
    project.write('[connections.one]\nprovider = "local"\n[connections.two]\nprovider = "local"\n')
    project.write('[connections.three]\nprovider = "local"\n', project.user())
    (told,) = project.refused(CANARY)
    known = "one, two (secretbridge.toml), three ("
    assert told.startswith(f"name: no connection has this name (known are {known}")
    assert told.endswith(", ionet, local, vault (environment variables))")


def test_a_mistyped_name_is_answered_with_the_nearest(project: Project) -> None:
    project.write('[connections.prod-wix]\nprovider = "local"\n')
    (told,) = project.refused(name="prodwix")
    assert "(did you mean prod-wix? known are prod-wix (secretbridge.toml), " in told


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('provider = "ionet"', "1: credential is missing (give exactly one of api_key, bearer, token)"),
        (
            'provider = "wix"\napi_key = "env:A"\nsite_id = "a"\naccount_id = "b"',
            ("1: site_id and account_id are given together (give exactly one of site_id, account_id)"),
        ),
        (
            f'provider = "insforge"\napi_key = "env:A"\nbase_url = "https://u:{CANARY}@a.example"',
            "4: base_url holds a user name or password (give the credential by its own argument)",
        ),
    ],
)
def test_what_an_adapter_refuses_is_told_with_its_line(project: Project, table: str, told: str) -> None:
    project.write(f"[connections.one]\n{table}\n")
    assert project.refused() == [f"secretbridge.toml:{told}"]


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with adapters of its own, laid out as an installer does."""
    site = tmp_path / "site"
    metadata = site / "acme_configured-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme_configured\nVersion: 1.0\n")
    points = "acme = acme_configured:Acme\nbad = acme_configured:Bad\nnone = acme_configured:Missing\n"
    points += "mute = builtins:dict\n"
    (metadata / "entry_points.txt").write_text(f"[secretbridge.providers]\n{points}")
    (site / "acme_configured.py").write_text(
        """
from secretbridge import Capabilities, Secret

class Acme:
    capabilities = Capabilities(
        provider="acme", title="Acme", operations=frozenset({"list"}), addressed_by={}
    )
    def __init__(self, host, *, token, ports=(), token_file=None):
        self.host, self.token, self.ports, self.token_file = host, token, ports, token_file
    async def list_page(self, channel, cursor, size):
        return [Secret(name=f"{self.host} {self.ports} {len(self.token().get_secret_value())}")], None
    async def get(self, channel, target): ...
    async def create(self, channel, name, fields): ...
    async def update(self, channel, target, changes, *, if_version=None): ...
    async def put(self, channel, name, fields): ...
    async def delete(self, channel, target): ...
    def check(self, operation, target, fields):
        return ()

class Bad:
    def __init__(self, **options):
        raise RuntimeError(options)
"""
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "acme_configured", raising=False)


@pytest.mark.usefixtures("acme")
def test_a_provider_of_another_package_has_its_credentials_apart(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME", "four")
    project.write(
        '[connections.one]\nprovider = "acme"\nhost = "file:h"\nports = [1, 2]\ntoken_file = "x"\n'
        '[connections.one.credentials]\ntoken = "env:ACME"\n'
    )
    with connect("one") as bridge:
        assert [secret.name for secret in bridge.list_secrets()] == ["file:h [1, 2] 4"]


@pytest.mark.usefixtures("acme")
def test_the_options_of_a_provider_of_another_package_are_held_against_its_signature(
    project: Project,
) -> None:
    project.write(f'[connections.one]\nprovider = "acme"\nhots = "{CANARY}"\ncopy = "{CANARY}"\n')
    assert project.refused() == [
        "secretbridge.toml:1: host is missing (add it, or under credentials if it is one)",
        "secretbridge.toml:1: token is missing (add it, or under credentials if it is one)",
        "secretbridge.toml:3: unknown key (did you mean host?)",
        "secretbridge.toml:4: unknown key (known are host, ports, token, token_file)",
    ]


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("key", ["token", "apikey", "api_key", "client-secret", "Password", "KEY"])
@pytest.mark.parametrize("value", [CANARY, "env:ACME"])
def test_a_credential_among_the_options_of_another_packages_provider_is_refused(
    project: Project, key: str, value: str
) -> None:
    project.write(f'[connections.one]\nprovider = "acme"\n{key} = "{value}"\n')
    assert project.refused() == [
        (
            "secretbridge.toml:3: what looks like a credential stands among the options (put it under"
            " credentials, as a reference such as env:VARIABLE)"
        )
    ]


@pytest.mark.usefixtures("acme")
def test_a_credential_in_clear_among_the_credentials_is_refused(project: Project) -> None:
    project.write(f'[connections.one]\nprovider = "acme"\n\ncredentials = {{ {CANARY} = "{CANARY}" }}\n')
    assert project.refused() == [f"secretbridge.toml:4: an entry {CLEAR}"]


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("bad", "1: the provider could not be made: RuntimeError"),
        ("mute", None),  # it does not tell its signature
        (
            "none",
            (
                "2: provider 'none' (acme_configured:Missing) cannot be loaded: AttributeError"
                " (reinstall the package that offers it)"
            ),
        ),
    ],
)
def test_an_adapter_of_another_package_that_fails_is_an_error_of_ours(
    project: Project, provider: str, told: str | None
) -> None:
    project.write(f'[connections.one]\nprovider = "{provider}"\nwhat = "{CANARY}"\n')
    no_provider = "provider: is not a provider (for example SecretBridge(Local()))"
    assert project.refused() == [f"secretbridge.toml:{told}" if told else no_provider]


def test_the_line_of_every_key_is_found() -> None:
    text = '''# first [not.a.table]
top = """
[connections.a]
x = 1 \\"""" ""
"""
[connections.a]  # ]
x.y = [ # [
  "]", \'#\',
]
\'z z\' = { p = 1, "q" = { r = 2 } }

  [[many."b.c"]]
k = \'\'\'
k = 2\'\'\'\'\'
l = 3
'''.replace(' \\"""" ""\n', "\n")
    assert lines(text) == {
        ("top",): 2,
        ("connections",): 6,
        ("connections", "a"): 6,
        ("connections", "a", "x"): 7,
        ("connections", "a", "x", "y"): 7,
        ("connections", "a", "z z"): 10,
        ("connections", "a", "z z", "p"): 10,
        ("connections", "a", "z z", "q"): 10,
        ("connections", "a", "z z", "q", "r"): 10,
        ("many",): 12,
        ("many", "b.c"): 12,
        ("many", "b.c", "k"): 13,
        ("many", "b.c", "l"): 15,
    }
    assert line_of(lines(text), ("connections", "a", "x", "none")) == 7
    assert line_of(lines(text), ("none",)) == 1
