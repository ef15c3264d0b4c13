"""A marked value and a marked credential go through every command as a process: they come out nowhere."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canary_marks import CREDENTIAL, VALUE, found_in
from cli_place import PROGRAM, Done, Shell, shell

from secretbridge.cli import _output
from secretbridge.cli._shapes import SHAPES
from secretbridge.testing import InsForgeStandIn, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shell"]

_MOVED = ("--select", "TOKEN", "--accept", "versions", "--accept", "description")
_OBTAIN = ("--to", "vault", "--obtain", "cat value.txt")
#: What goes on with a run; a test of its own begins them.
RESUMED = {"forget", "resume (change)", "resume (rotation)"}
#: In this order: one builds on the other. Each comes plain, and again with --json and --verbose where it can.
STEPS: tuple[tuple[str, ...], ...] = (
    ("create", "TOKEN", "--to", "prod", "--stdin"),
    ("create", "TOKEN", "--to", "vault", "--from", "prod:TOKEN", "--description", "d"),
    ("put", "OTHER", "--to", "vault", "--stdin"),
    ("update", "TOKEN", "--to", "vault", "--file", "value.txt", "--verify"),
    ("update", "TOKEN", "--to", "prod", "--stdin", "--dry-run"),
    ("update", "TOKEN", "--to", "vault", "--to", "prod", "--stdin", "--verify", "--json"),
    ("update", "TOKEN", "--to", "vault", "--to", "prod", "--stdin", "--dry-run"),
    ("list", "vault", "--json"),
    ("get", "TOKEN", "--in", "prod", "--json"),
    ("get", "TOKEN", "--in", "vault", "--out", "written.txt"),
    ("lock", "TOKEN", "--in", "vault", "--json"),
    ("unlock", "TOKEN", "--in", "vault", "--json"),
    ("diff", "vault", "prod", "--json"),
    ("expiring", "--json"),
    ("history", "TOKEN", "--json"),
    ("restore", "TOKEN", "1", "--json"),
    ("delete", "OTHER", "--in", "vault", "--yes", "--json"),
    ("undelete", "OTHER", "--json"),
    ("vault", "verify", "--json"),
    ("vault", "audit", "--json"),
    ("vault", "anchor"),
    ("vault", "backup", "copy.db"),
    ("plan", "prod", "moved", "--out", "plan.json", "--json"),
    ("migrate", "prod", "moved", "--plan", "plan.json", "--yes", "--json", "--verbose"),
    ("runs", "--json"),
    ("resume", "RUN", "prod", "moved", "--json"),
    ("report", "RUN", "--json"),
    ("report", "--out", "report.html"),
    ("report", "--out", "report.md", "--verbose"),
    ("undo", "RUN", "moved", "--dry-run", "--json"),
    ("undo", "RUN", "moved", "--yes"),
    ("migrate", "vault", "prod", *_MOVED, "--on-conflict", "update", "--no-undo", "--yes"),
    ("rotate", "TOKEN", "--to", "prod", *_OBTAIN, "--revoke", "cat", "--yes"),
    ("rotate", "TOKEN", "--to", "prod", *_OBTAIN, "--json", "--verbose"),
    ("sync", "prod", "moved", "--select", "TOKEN", "--accept", "description", "--yes", "--json"),
    ("delete", "TOKEN", "--in", "moved", "--yes"),
    ("vault", "describe", "TOKEN", "--json"),
    ("vault", "audit-reads", "durable", "--json"),
    ("vault", "accounts", "add-user", "somebody", "--key-file", "user.key", "--json"),
    ("vault", "accounts", "change", "somebody", "--expires-at", "90d", "--json"),
    ("vault", "accounts", "remove", "somebody", "--yes"),
    ("vault", "slots", "list", "--json"),
    ("vault", "slots", "add", "--passphrase-stdin", "--label", "spoken", "--json", "--verbose"),
    ("vault", "slots", "change", "spoken", "--passphrase-stdin"),
    ("vault", "slots", "remove", "spoken", "--yes"),
    ("vault", "slots", "add", "--key-file", "second.key"),
    ("vault", "accounts", "add", "deploy", "--role", "reader", "--out", "deploy.key", "--json"),
    ("vault", "accounts", "list", "--json"),
    ("vault", "accounts", "renew-key", "deploy", "--out", "renewed.key", "--json"),
    ("vault", "accounts", "grant", "deploy", "--permission", "delete"),
    ("vault", "accounts", "revoke", "deploy", "--permission", "delete"),
    ("vault", "accounts", "remove", "deploy", "--yes"),
    ("vault", "purge", "--older-versions", "--dry-run", "--json"),
    ("vault", "environments", "list", "--json"),
    ("vault", "environments", "add", "qa"),
    ("vault", "environments", "rename", "qa", "acceptance"),
    ("vault", "share", "TOKEN", "--json"),
    ("vault", "unshare", "TOKEN"),
    ("vault", "retention", "--versions", "2", "--yes", "--json"),
    ("vault", "purge", "--older-versions", "--yes", "--json"),
    ("vault", "move", "elsewhere.db", "--json"),
    ("vault", "rekey", "--yes", "--json"),
    ("capabilities", "prod", "--json"),
    ("connections", "list", "--json"),
    ("connections", "check"),
    ("connections", "add", "more", "--provider", "dotenv", "-o", "path=more.env"),
    ("connections", "remove", "more", "--yes"),
    ("doctor", "--json"),
    ("init", "--json"),
    ("completion", "zsh"),
    ("run", "--only", "TOKEN", "prod", "--", "sh", "-c", 'test -n "$TOKEN"'),
    ("vault", "rotate-root", "--key-file", "second.key", "--drop", "1", "--yes", "--json"),
)


def command_of(words: tuple[str, ...]) -> str:
    """Give the command's whole name."""
    return next(
        " ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in {*SHAPES, "run", "completion"}
    )


@pytest.fixture
def vendor(shell: Shell) -> Iterator[InsForgeStandIn]:
    standin = InsForgeStandIn(api_key=CREDENTIAL)
    with standin.serve() as address:
        shell.write(f"{CREDENTIAL}\n", "key.txt")
        shell.write(VALUE, "value.txt")
        shell.write(
            f'[connections.prod]\nprovider = "insforge"\nbase_url = "{address}"\napi_key = "file:key.txt"\n'
            "retry = { attempts = 1 }\n"
            '[connections.moved]\nprovider = "dotenv"\npath = "moved.env"\n'
        )
        yield standin


def watched(*words: str) -> tuple[Done, str]:
    """Run a process, and give what /proc shows of it and its children meanwhile."""
    seen: list[str] = []
    ended = threading.Event()
    with subprocess.Popen(
        [*PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def watch() -> None:
            while not ended.is_set():
                seen.extend(_shown(process.pid))
                ended.wait(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, err = process.communicate(VALUE.encode(), timeout=60)
        ended.set()
        watcher.join()
    return Done(process.returncode, out.decode(), err.decode()), "\n".join(seen)


def _shown(pid: int) -> Iterator[str]:
    """Give the arguments of a process and of all below it, and the environment but of ``run``'s child."""
    place = Path("/proc", str(pid))
    try:
        arguments = (place / "cmdline").read_bytes()
        yield arguments.decode("utf-8", "replace").replace("\0", " ")
        if b"secretbridge" in arguments:
            yield (place / "environ").read_bytes().decode("utf-8", "replace")
        children = (place / "task" / str(pid) / "children").read_text().split()
    except OSError:  # it has ended
        return
    for child in children:
        yield from _shown(int(child))


def written(folder: Path) -> str:
    """All that stands in files, and what they are called, but for the three that hold it on purpose."""
    kept = {"key.txt", "value.txt", "written.txt"}
    files = [path for path in folder.parent.rglob("*") if path.is_file() and path.name not in kept]
    assert {"copy.db", "secretbridge.toml", "vault.db"} <= {path.name for path in files}
    return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in files)


def test_no_process_no_output_and_no_file_shows_them(shell: Shell, vendor: InsForgeStandIn) -> None:
    leaks: list[object] = []
    done: set[str] = set()
    run = ""
    for step in STEPS:
        words = tuple(run if word == "RUN" else word for word in step)
        result, shown = watched(*words)
        assert result.code == 0, (words, result.err)
        leaks += [(words, found) for found in found_in(f"{result.out}\n{result.err}\n{shown}")]
        if words[0] == "runs":
            run = result.json["runs"][0]["id"]
        done.add(command_of(words))
    assert leaks == []
    assert found_in(written(shell.folder)) == []
    assert vendor.secret("TOKEN").value == (shell.folder / "written.txt").read_text() == VALUE
    assert SHAPES.keys() | {"run", "completion"} == done | {
        "error",
        "update (several)",
        "undo (dry run)",
        "resume (dry run)",
        *RESUMED,
    }


@pytest.mark.parametrize(
    "words",
    [
        ("update", "TOKEN", "--to", "vault", "--to", "moved", "--stdin"),
        (
            "rotate",
            "TOKEN",
            "--to",
            "vault",
            "--to",
            "moved",
            "--obtain",
            "sh -c 'rm moved.env; cat value.txt'",
        ),
    ],
)
def test_a_run_that_is_gone_on_with_shows_nothing(
    shell: Shell, vendor: InsForgeStandIn, words: tuple[str, ...]
) -> None:
    shell.put("TOKEN", VALUE)
    if words[0] == "rotate":
        shell.write("TOKEN=v\n", "moved.env")  # it is there when it is looked for, and not when it is written
    failed, shown = watched(*words, "--json", "--verbose")
    listed, shown_then = watched("runs", "--json", "--verbose")
    (run,) = listed.json["changes"]
    shell.write("TOKEN=v\n", "moved.env")
    again = ("--obtain", "cat value.txt") if words[0] == "rotate" else ()
    resumed, shown_last = watched("resume", run["id"], *again, "--json", "--verbose")
    told = [failed.out, failed.err, shown, listed.out, listed.err, shown_then]
    told += [resumed.out, resumed.err, shown_last]
    moved = (shell.folder / "moved.env").read_text()
    assert (failed.code, resumed.code, moved) == (3, 0, f"TOKEN='{VALUE}'\n")
    assert found_in("\n".join(told)) == []
    kept = [path for path in shell.folder.parent.rglob("*") if path.is_file()]
    kept = [path for path in kept if path.name not in {"key.txt", "moved.env", "value.txt"}]
    assert found_in("\n".join(path.read_bytes().decode("latin-1") for path in kept)) == []


@pytest.mark.parametrize(
    "words",
    [
        ("update", "TOKEN", "--to", "vault", "--to", "moved", "--stdin"),
        ("rotate", "TOKEN", *_OBTAIN, "--revoke", "false", "--yes"),
    ],
)
def test_a_run_that_is_given_up_shows_nothing_and_leaves_nothing(
    shell: Shell, vendor: InsForgeStandIn, words: tuple[str, ...]
) -> None:
    shell.put("TOKEN", f"{VALUE}-1")
    failed, _ = watched(*words)
    (run,) = shell.ok("runs", "--json").json["changes"]
    given_up, shown = watched("forget", run["id"], "--yes", "--json", "--verbose")
    names = {row[0] for row in shell.ok("list", "vault").rows}
    assert (failed.code, given_up.code, names) == (3, 0, {"TOKEN", "migration.key"})
    assert found_in(f"{given_up.out}\n{given_up.err}\n{shown}") == []
    kept = [path for path in shell.folder.parent.rglob("*") if path.is_file()]
    kept = [path for path in kept if path.name not in {"key.txt", "value.txt"}]
    assert found_in("\n".join(path.read_bytes().decode("latin-1") for path in kept)) == []


def test_a_vendor_that_echoes_everything_gets_nothing_shown(shell: Shell, vendor: InsForgeStandIn) -> None:
    vendor.seed("TOKEN", "v")
    body = {"error": CREDENTIAL, "message": VALUE, "nextActions": VALUE, "statusCode": 400}
    told = ""
    for options in ((), ("--verbose",), ("--json", "--verbose")):
        vendor.script(Reply(400, body, headers=[("x-request-id", CREDENTIAL)]))
        done = shell.run("update", "TOKEN", "--to", "prod", "--stdin", *options, stdin=VALUE)
        assert done.code in {1, 4}
        told += done.out + done.err
    assert found_in(told) == []


@pytest.mark.parametrize("options", [(), ("--verbose",), ("--json", "--verbose")])
def test_a_fault_of_our_own_is_told_by_its_class_alone(shell: Shell, options: tuple[str, ...]) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(f"{VALUE} {CREDENTIAL}")

    shell.put("TOKEN", "v")
    shell.monkeypatch.setattr("secretbridge.SecretBridge.update_secret", fails)
    done = shell.run("update", "TOKEN", "--to", "vault", "--stdin", *options, stdin=VALUE)
    assert (done.code, found_in(done.out + done.err), "RuntimeError" in done.err) == (4, [], True)
    assert "Traceback" not in done.err


def test_a_fault_of_our_own_outside_of_a_change_applied_nothing(shell: Shell) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(VALUE)

    shell.monkeypatch.setattr(_output, "table", fails)
    shell.monkeypatch.setattr("secretbridge.cli.capabilities.table", fails)
    done = shell.run("capabilities", "--verbose")
    assert (done.code, found_in(done.err)) == (1, [])
    assert done.err.splitlines()[-1].startswith("Cause: RuntimeError at test_cli_canary.py:")


def test_completion_shows_names_and_nothing_else(shell: Shell, vendor: InsForgeStandIn) -> None:
    shell.put("TOKEN", VALUE)
    vendor.seed("REMOTE", VALUE)
    told = ""
    for words in ("secretbridge get --in vault ", "secretbridge get --in prod ", "secretbridge list "):
        count = str(len(words.split(" ")) - 1)
        asked = {"_SECRETBRIDGE_COMPLETE": "zsh_complete", "COMP_WORDS": words, "COMP_CWORD": count}
        told += shell.process(environment=asked).out
    assert (found_in(told), "TOKEN" in told, "REMOTE" in told, vendor.calls) == ([], True, False, [])


def test_the_watch_would_see_a_value_among_arguments_and_variables(shell: Shell) -> None:
    shell.monkeypatch.setenv("SHOWN", CREDENTIAL)
    _, shown = watched("list", VALUE)
    assert {VALUE.casefold(), CREDENTIAL.casefold()} <= set(found_in(shown))
