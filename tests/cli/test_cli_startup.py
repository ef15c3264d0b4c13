"""What starting costs: which modules load when; and what is said where the extra is missing."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_place import Shell, shell

from secretbridge.cli import main

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["shell"]

EXPENSIVE = {
    "anyio", "asyncio", "cryptography", "httpx", "platformdirs", "pydantic", "rich", "sqlite3", "ssl",
    "tenacity", "tomllib",
}  # fmt: skip
PROGRAM = """
import json, os, sys
from secretbridge.cli import main
try:
    code = main(json.loads(sys.argv[1]))
except SystemExit as end:
    code = end.code
sys.stdout.flush()
os.write(2, json.dumps([code, sorted(sys.modules)]).encode())
"""


def loaded(words: list[str], **environment: str) -> set[str]:
    """The modules that a run loads, in a process of its own."""
    # Coverage's start-up hook imports modules of its own, which would be taken for ours.
    clean = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(words)],
        env=clean | environment,
        capture_output=True,
        check=True,
    )
    code, modules = json.loads(done.stderr)
    assert code == 0
    return set(modules)


def completing(words: str) -> dict[str, str]:
    count = str(len(words.split(" ")) - 1)
    return {"_SECRETBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}


@pytest.mark.parametrize("words", [["--help"], ["update", "--help"], ["--version"]])
def test_help_loads_nothing_expensive(shell: Shell, words: list[str]) -> None:
    assert loaded(words) & EXPENSIVE == set()


@pytest.mark.parametrize("words", ["secretbridge ", "secretbridge update --"])
def test_completing_commands_and_options_loads_nothing_expensive(shell: Shell, words: str) -> None:
    assert loaded([], **completing(words)) & EXPENSIVE == set()


def test_completing_a_connection_reads_files_and_loads_no_more(shell: Shell) -> None:
    shell.write('[connections.one]\nprovider = "dotenv"\npath = ".env"\n')
    modules = loaded([], **completing("secretbridge list o"))
    assert modules & EXPENSIVE == {"tomllib"}


def test_completing_a_secrets_name_loads_of_click_nothing_and_of_the_vault_a_part(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    modules = loaded([], **completing("secretbridge get --in vault T"))
    ours = {"secretbridge._vault._access", "secretbridge._credentials", "secretbridge._core"}
    assert modules & (EXPENSIVE | ours | {"click"}) == {"cryptography", "sqlite3"}


def test_listing_the_vault_loads_neither_http_nor_rich(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    modules = loaded(["list", "vault"])
    unwanted = {"anyio", "difflib", "httpx", "logging", "pydantic", "rich", "ssl", "subprocess", "tenacity"}
    assert modules & unwanted == set()
    assert "cryptography" in modules


def test_a_process_of_its_own_seldom_looks_for_cycles_and_one_that_calls_it_stays_as_it_is() -> None:
    before = (gc.get_threshold(), gc.get_freeze_count())
    assert (main(["--version"]), (gc.get_threshold(), gc.get_freeze_count())) == (0, before)
    told = "import gc, sys; from secretbridge.cli import main; main(); print(*gc.get_threshold()[:1])"
    done = subprocess.run(
        [sys.executable, "-c", told, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "100000"


def test_without_the_extra_a_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError('no click', name='click')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "secretbridge", "list"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        (
            "Error: the command line is not installed.\n"
            "Why: it needs the libraries of the extra 'cli'.\n"
            "Do: pip install 'secretbridge[cli]'\n"
        ),
    )
