"""Whatever stands on the command line or in a file of connections: words, a documented code, no traceback."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from cli_documents import commands
from cli_place import Shell, shell
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from secretbridge.cli._session import Code

if TYPE_CHECKING:
    from cli_place import Done

__all__ = ["shell"]

SETTINGS = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CANARY = "Zx9c0ffee7QzCanary"
NAMES = [path.split()[1:] for path, _, _ in commands() if len(path.split()) > 1]
OPTIONS = sorted({option for _, command, _ in commands() for one in command.params for option in one.opts})
WORDS = st.one_of(
    st.sampled_from([one for one in OPTIONS if one.startswith("-")]),
    st.sampled_from(["vault", "one", "TOKEN", "NOPE", "--", "-", "", "1", "0", "90d", "=", "vault:TOKEN"]),
    st.sampled_from([CANARY, f"--{CANARY}", f"--file={CANARY}", f"-{CANARY}"]),
    st.text(alphabet=st.characters(exclude_characters="\0"), max_size=12),
    st.sampled_from(["\udcff", "\n", "\t--json", "--value=", "--config=missing", "../..", "/dev/null/x"]),
)  # fmt: skip
LINES = st.sampled_from(
    [
        "[connections.one]", "[connections.vault]", '[connections."x y"]', 'provider = "wix"',
        'provider = "dotenv"', 'provider = "local"', 'path = ".env"', f'api_key = "{CANARY}"',
        f'api_key = "env:{CANARY}"', "timeout = -1",
        "retry = 3", "environment = 'nowhere'", "connections = 3", "= 3", "[", 'location = "\\u0000"',
    ]
)  # fmt: skip


@pytest.fixture
def fuzzed(shell: Shell) -> Shell:
    shell.put("TOKEN", "v")

    def become(*_: object, **__: object) -> None:
        raise FileNotFoundError  # nothing is started

    shell.monkeypatch.setattr(os, "execvpe", become)
    shell.monkeypatch.setattr(subprocess, "Popen", become)
    return shell


def is_told(done: Done) -> bool:
    """Whether it ended as it may: in words where it failed."""
    codes = {int(code) for code in Code} | {127}
    in_words = (
        done.code in {0, 127} or "Error: " in done.err or '"error": ' in done.err or "Usage: " in done.err
    )
    checked = done.code == 1 and "\t" in done.out  # a check that did not pass is told in its table
    return (
        done.code in codes
        and (in_words or checked)
        and not any(word in done.out + done.err for word in ("Traceback", "a fault of secretbridge"))
    )


@SETTINGS
@given(st.sampled_from(NAMES), st.lists(WORDS, max_size=6))
@example(["get"], ["--id", "", "--in", "vault"])
@example(["update"], ["TOKEN", "--to", "vault", "--rename", "a/b"])
@example(["rotate"], ["TOKEN", "--to", "vault", "--obtain", "x", "--revoke", "'", "--yes"])
@example(["rotate"], ["TOKEN", "--to", "vault:\n", "--obtain", "x y", "--time-limit", "1"])
@example(["resume"], ["rotation-00", "--obtain", "x"])
@example(["resume"], ["change-00"])
@example(["sync"], ["vault", "vault", "--yes"])
def test_any_arguments_end_in_words(fuzzed: Shell, name: list[str], words: list[str]) -> None:
    before = set(fuzzed.folder.iterdir())
    done = fuzzed.run(*name, *words, stdin="value")
    for path in set(fuzzed.folder.iterdir()) - before:  # what an option such as --out wrote
        path.unlink()
    assert is_told(done), (name, words, done)


@SETTINGS
@given(st.lists(WORDS, max_size=4))
def test_any_first_words_end_in_words(fuzzed: Shell, words: list[str]) -> None:
    done = fuzzed.run(*words)
    assert is_told(done), (words, done)


@SETTINGS
@given(
    st.one_of(st.lists(LINES, max_size=8).map("\n".join), st.text(max_size=40)),
    st.sampled_from([("list", "one"), ("connections", "list"), ("connections", "check"), ("doctor",)]),
)
def test_any_file_of_connections_ends_in_words_that_do_not_hold_it(
    fuzzed: Shell, text: str, words: tuple[str, ...]
) -> None:
    (fuzzed.folder / "secretbridge.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    (fuzzed.folder / "secretbridge.toml").chmod(0o600)
    done = fuzzed.run(*words)
    assert is_told(done), (text, words, done)
    assert CANARY not in done.out + done.err.replace(f"{CANARY} (", "")


@SETTINGS
@example("\r", [])
@given(st.text(max_size=20), st.lists(WORDS, max_size=3))
def test_completion_never_fails(fuzzed: Shell, text: str, words: list[str]) -> None:
    words, text = [_fit(word) for word in words], _fit(text)
    for kind in ("bash", "fish"):
        with fuzzed.monkeypatch.context() as patch:
            patch.setenv("_SECRETBRIDGE_COMPLETE", f"{kind}_complete")
            patch.setenv("COMP_WORDS", line := " ".join(["secretbridge", *words, text]))
            patch.setenv("COMP_CWORD", str(len(words)) if kind == "bash" else text)
            done = fuzzed.run()
        assert (done.code, done.err) == (0, ""), (line, done)


def _fit(text: str) -> str:
    """What a variable can hold."""
    return text.replace("\0", "x").encode("utf-8", "replace").decode()
