"""A project folder and a vault for each test, and the command line run in it: in this process, or as one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from secretbridge.cli import main
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing import StandInReply

W = TypeVar("W", bound="Waiting")

#: What starts it, as the installed script does.
PROGRAM = (sys.executable, "-m", "secretbridge")


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


class _Stream(io.TextIOWrapper):
    """A captured standard stream, with the buffer that bytes go to."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", newline="")

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


@dataclass(frozen=True)
class Shell:
    """The folder that the tests' process is in."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self, *words: str, stdin: str | bytes = b"") -> Done:
        """Run in this process, with streams that are no terminal."""
        content = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = _Stream(), _Stream()
        with self.monkeypatch.context() as patch, ExitStack() as stack:
            patch.setattr(sys, "stdin", _Stream(content))
            stack.enter_context(redirect_stdout(out))
            stack.enter_context(redirect_stderr(err))
            code = main(words)
        return Done(code, out.text(), err.text())

    def ok(self, *words: str, stdin: str | bytes = b"") -> Done:
        """Run, and expect that it succeeds."""
        done = self.run(*words, stdin=stdin)
        assert (done.code, "Error" in done.err) == (0, False), done.err
        return done

    def process(
        self, *words: str, stdin: str | bytes = b"", environment: dict[str, str] | None = None
    ) -> Done:
        """Run as a process of its own."""
        done = subprocess.run(
            [*PROGRAM, *words],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            check=False,
            env={**os.environ, **(environment or {})},
            timeout=60,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def put(self, name: str, value: str, *options: str, store: str = "vault") -> None:
        self.ok("put", name, "--to", store, "--stdin", *options, stdin=value)

    def value(self, name: str, store: str = "vault") -> str:
        return self.ok("get", name, "--in", store, "--reveal").out

    def write(self, text: str, path: str = "secretbridge.toml", mode: int = 0o600) -> Path:
        file = self.folder / path
        file.write_text(text)
        file.chmod(mode)
        return file


@dataclass(frozen=True)
class Services:
    """Three vendors on loopback, named prod-wix, prod-insforge and prod-ionet in the project's file."""

    wix: WixStandIn
    insforge: InsForgeStandIn
    ionet: IoNetStandIn


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("NO_COLOR", raising=False)
    # As installed: with bytecode. One folder serves all tests.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "bytecode"))
    return Shell(folder, monkeypatch)


@pytest.fixture
def services(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    made = Services(WixStandIn(), InsForgeStandIn(), IoNetStandIn())
    with ExitStack() as stack:
        wix, insforge, ionet = (
            stack.enter_context(one.serve()) for one in (made.wix, made.insforge, made.ionet)
        )
        monkeypatch.setenv("PROD_WIX", made.wix.api_key)
        monkeypatch.setenv("PROD_INSFORGE", made.insforge.api_key)
        monkeypatch.setenv("PROD_IONET", made.ionet.api_key)
        shell.write(f"""
[connections.prod-wix]
provider = "wix"
site_id = "{made.wix.site_id}"
api_key = "env:PROD_WIX"
base_url = "{wix}"
retry = {{ attempts = 1 }}

[connections.prod-insforge]
provider = "insforge"
base_url = "{insforge}"
api_key = "env:PROD_INSFORGE"
retry = {{ attempts = 1 }}

[connections.prod-ionet]
provider = "ionet"
base_url = "{ionet}"
api_key = "env:PROD_IONET"
retry = {{ attempts = 1 }}
""")
        yield made


class Waiting(InsForgeStandIn):
    """Takes a change, and keeps back the answer.

    Attributes:
        arrived: a change has arrived.
        answers: answers may go out.
    """

    #: What is kept back.
    method = "PUT"

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Event()
        self.answers = threading.Event()

    def handle(self, method: str, *rest: Any) -> StandInReply:
        if method == self.method:
            self.arrived.set()
            self.answers.wait(60)
        return super().handle(method, *rest)


@contextmanager
def waiting_as_prod(shell: Shell, standin: W, others: str = "", more: str = "") -> Iterator[W]:
    """Serve it as the connection ``prod``; what is kept back goes out at the end."""
    shell.monkeypatch.setenv("KEY", standin.api_key)
    with standin.serve() as address:
        prod = f'[connections.prod]\nprovider = "insforge"\nbase_url = "{address}"\napi_key = "env:KEY"\n'
        shell.write(others + prod + more)
        yield standin
        standin.answers.set()
