"""Shared by tests and by the examples in README.md and docs/."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from sybil import Example, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.sybil import SybilCollection

if TYPE_CHECKING:
    from collections.abc import Generator, MutableMapping

    from postgres_server import Server

pytest_plugins = ("postgres_server", "request_check")

#: What would make a test depend on the machine it runs on.
_ENVIRONMENT = (
    "ALL_PROXY",
    "APPFARM_API_KEY",
    "APPFARM_BASE_URL",
    "APPFARM_PATH",
    "APPFARM_SECRETS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "INSFORGE_API_KEY",
    "INSFORGE_BASE_URL",
    "IONET_API_KEY",
    "IO_API_KEY",
    "NO_PROXY",
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGUSER",
    "SECRETBRIDGE_CONFIG",
    "SECRETBRIDGE_ENVIRONMENT",
    "SECRETBRIDGE_VAULT",
    "SECRETBRIDGE_VAULT_KEY_FILE",
    "SECRETBRIDGE_VAULT_PASSPHRASE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "WIX_ACCOUNT_ID",
    "WIX_API_KEY",
    "WIX_SITE_ID",
)


def pytest_configure() -> None:
    """Let Ctrl-C be Ctrl-C, for the programs that tests start too: a shell ignores it in what runs behind."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_BEFORE: Final = pytest.StashKey[dict[str, str]]()


@pytest.fixture(autouse=True)
def a_clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, and the folders of the user's data and configuration below tmp_path."""
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        folder = tmp_path / "user" / name.lower()
        folder.mkdir(parents=True, mode=0o700)
        monkeypatch.setenv(name, str(folder))


def _in_an_empty_folder(namespace: MutableMapping[str, object]) -> None:
    """Run a document's examples in a folder, and with a vault, of their own."""
    patch = pytest.MonkeyPatch()
    folder = tempfile.TemporaryDirectory(prefix="secretbridge-document-")
    patch.chdir(folder.name)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        path = Path(folder.name, "user", name.lower())
        path.mkdir(parents=True, mode=0o700)
        patch.setenv(name, str(path))
    for name in _ENVIRONMENT:
        patch.delenv(name, raising=False)

    def leave() -> None:
        patch.undo()
        folder.cleanup()

    namespace["_leave"] = leave


def _leave_the_folder(namespace: MutableMapping[str, object]) -> None:
    leave = namespace["_leave"]
    assert callable(leave)
    leave()


def _run_sql(example: Example) -> None:
    """Run a document's SQL as a superuser, in its database once that is there."""
    example.namespace["postgres"].run_sql(str(example.parsed), database="app")


def _in_a_shell(example: Example) -> None:
    """Run a block of commands as a user would type them; the command line is the one of this checkout."""
    program = f'secretbridge() {{ {shlex.quote(sys.executable)} -m secretbridge "$@"; }}'
    done = subprocess.run(  # noqa: S603 - the documents are ours
        ["bash", "-euo", "pipefail", "-c", f"{program}\n{example.parsed}"],  # noqa: S607 - whichever bash there is
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


_ON_POSTGRES = "docs/postgresql.md"
_COMMANDS = "docs/cli.md"

pytest_collect_file = SybilCollection(
    [
        Sybil(
            parsers=[PythonCodeBlockParser(), CodeBlockParser("bash", _in_a_shell)],
            patterns=["README.md", "docs/*.md"],
            excludes=[_ON_POSTGRES, _COMMANDS],
            setup=_in_an_empty_folder,
            teardown=_leave_the_folder,
        ),
        Sybil(
            parsers=[PythonCodeBlockParser(), CodeBlockParser("sql", _run_sql)],
            patterns=[_ON_POSTGRES],
            setup=_in_an_empty_folder,
            teardown=_leave_the_folder,
            fixtures=["postgres", "libpq_finds_it"],
        ),
        Sybil(
            parsers=[PythonCodeBlockParser(), CodeBlockParser("sh", _in_a_shell)],
            patterns=[_COMMANDS],
            setup=_in_an_empty_folder,
            teardown=_leave_the_folder,
        ),
    ]
).pytest()


@pytest.fixture
def libpq_finds_it(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL without a host means the tests' server."""
    monkeypatch.setenv("PGHOST", str(postgres.folder))


def _variables() -> dict[str, str]:
    """The environment, but for what pytest itself writes there."""
    return {name: text for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Keep what the environment was, for the end of the test."""
    item.stash[_BEFORE] = _variables()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail a test that leaves the environment changed: a later one would find its values there."""
    yield
    before, after = item.stash[_BEFORE], _variables()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    # A document's examples share its folder and its variables until the last of them.
    if changed and not isinstance(item, SybilItem):
        pytest.fail(f"The test left the environment changed: {', '.join(changed)}.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the examples of each document back into its order: one builds on the other."""
    places = [place for place, item in enumerate(items) if isinstance(item, SybilItem)]
    examples = sorted((items[place] for place in places), key=lambda item: (str(item.path), item.location[1]))
    for place, item in zip(places, examples, strict=True):
        items[place] = item
