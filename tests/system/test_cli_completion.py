"""Completion in real shells, in a real terminal: bash, zsh and fish, as Debian has them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
#: How each shell starts without its user's files, and loads the script.
SHELLS = {
    "bash": (("bash", "--norc", "--noprofile", "-i"), 'eval "$(secretbridge completion bash)"'),
    "zsh": (("zsh", "-f", "-i"), 'autoload -Uz compinit; compinit -u; eval "$(secretbridge completion zsh)"'),
    "fish": (("fish", "--no-config", "-i"), "secretbridge completion fish | source"),
}


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of connections, a vault with one secret, and the program in PATH."""
    folder = tmp_path / "project"
    folder.mkdir(mode=0o700)
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "secretbridge"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m secretbridge \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ENV", "")
    monkeypatch.chdir(folder)
    file = folder / "secretbridge.toml"
    file.write_text('[connections.quayside]\nprovider = "dotenv"\npath = ".env"\n')
    file.chmod(0o600)
    for name in ("WHARFAGE_KEY", "$(touch injected)"):
        with Terminal("create", name, "--to", "vault", "--generate") as terminal:
            assert terminal.end() == 0
    return folder


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, prepared: Path) -> Terminal:
    words, script = SHELLS[request.param]
    assert shutil.which(words[0]), f"{words[0]} is not installed: apt-get install zsh fish"
    terminal = Terminal(*words, bare=True, TERM="dumb" if request.param == "bash" else "xterm", COLUMNS="200")
    terminal.type(f"{script}\n")
    terminal.type("echo ready-$((40 + 2))\n" if request.param != "fish" else "echo ready-(math 40 + 2)\n")
    terminal.until("ready-42")
    return terminal


@pytest.fixture
def completes(shell: Terminal) -> Callable[[str, str], None]:
    """Type the beginning of a line and TAB, and see the rest of the word come."""

    def complete(typed: str, rest: str) -> None:
        shell.type(f"{typed}\t")
        shell.until(rest)
        shell.type("\x15")  # take the line away

    return complete


def test_a_shell_completes_commands_options_connections_and_secrets(
    shell: Terminal, completes: Callable[[str, str], None], prepared: Path
) -> None:
    completes("secretbridge capab", "ilities")
    completes("secretbridge update --strip", "-newline")
    completes("secretbridge list quay", "side")
    completes("secretbridge get --in vault WHARF", "AGE_KEY")
    shell.type("exit\n")
    shell.end()
    assert sorted(path.name for path in prepared.iterdir()) == ["secretbridge.toml"]


def test_a_name_that_a_shell_would_run_is_not_offered(shell: Terminal, prepared: Path) -> None:
    shell.type("secretbridge get --in vault \t")
    shell.until("WHARFAGE_KEY")
    shell.type("\x15exit\n")
    shell.end()
    assert ("touch" in shell.seen, (prepared / "injected").exists()) == (False, False)
