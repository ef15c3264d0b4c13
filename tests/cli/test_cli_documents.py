"""What docs say of the command line is what it does: help, JSON, exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_documents import REFERENCE, SCHEMA, commands, models, reference, schema
from cli_place import Services, Shell, services, shell

from secretbridge.cli._command import Entry, Family
from secretbridge.cli._session import Code
from secretbridge.cli._shapes import SHAPES
from secretbridge.cli._table import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["services", "shell"]

GUIDE = Path(__file__).parents[2] / "docs" / "cli.md"
MODELS = models()


def entries(family: Family, before: str = "") -> Iterator[tuple[str, Entry]]:
    for name, entry in family.table.items():
        if isinstance(entry, Entry):
            yield f"{before}{name}", entry
        else:
            yield from entries(entry, f"{before}{name} ")


def test_the_help_of_every_command_stands_in_docs() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def test_the_json_schema_in_docs_is_that_of_the_commands() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(schema())


def test_every_command_that_prints_json_has_a_shape() -> None:
    with_json = {
        path.removeprefix("secretbridge ")
        for path, command, _ in commands()
        if any(parameter.name == "json" for parameter in command.params)
    }
    further = {"update (several)", "resume (change)", "resume (rotation)"}
    further |= {"resume (dry run)", "undo (dry run)"}
    assert with_json == SHAPES.keys() - {"error", *further}


def test_the_line_in_the_table_is_the_first_sentence_of_the_help() -> None:
    helps = {path.removeprefix("secretbridge "): command.help or "" for path, command, _ in commands()}
    differ = {
        name: entry.short for name, entry in entries(ROOT) if helps[name].splitlines()[0] != entry.short
    }
    assert differ == {}


def test_every_exit_code_stands_in_the_guide() -> None:
    told = re.findall(r"^\| (\d+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(code) for code in told] == [int(code) for code in Code]


@pytest.fixture
def filled(shell: Shell, services: Services) -> Shell:
    services.insforge.seed("SOON", "v", expires_at=4_000_000_000)
    services.wix.seed("TOKEN", "other")
    shell.put("TOKEN", "v", "--description", "d", "--expires-at", "10d")
    shell.put("TOKEN", "w")
    shell.put("GONE", "v")
    shell.ok("delete", "GONE", "--in", "vault", "--yes")
    return shell


CALLS: dict[str, tuple[str, ...]] = {
    "init": ("--name", "own", "--provider", "dotenv", "-o", "path=.env"),
    "connections list": (),
    "connections add": ("own", "--provider", "dotenv", "-o", "path=.env"),
    "connections check": (),
    "connections remove": ("prod-wix", "--yes"),
    "capabilities": (),
    "list": ("prod-insforge",),
    "get": ("TOKEN", "--in", "vault", "--reveal"),
    "update": ("TOKEN", "--to", "vault", "--expires-at", "3d", "--verify"),
    "update (several)": ("TOKEN", "--to", "vault", "--to", "prod-wix", "--generate", "--verify"),
    "create": ("NEW", "--to", "prod-wix", "--generate"),
    "put": ("TOKEN", "--to", "vault", "--generate", "--dry-run"),
    "delete": ("TOKEN", "--in", "vault", "--yes"),
    "lock": ("TOKEN", "--in", "vault"),
    "unlock": ("TOKEN", "--in", "vault"),
    "expiring": ("--within", "52000w"),
    "diff": ("vault", "prod-wix"),
    "history": ("TOKEN",),
    "restore": ("TOKEN", "1"),
    "undelete": ("GONE",),
    "plan": (
        "vault",
        "prod-wix",
        "--accept",
        "versions",
        "--accept",
        "description",
        "--accept",
        "expiry",
        "--on-conflict",
        "skip",
    ),
    "migrate": ("prod-insforge", "prod-wix", "--accept", "expiry", "--yes"),
    "sync": ("prod-insforge", "prod-wix", "--accept", "expiry", "--yes"),
    "rotate": ("TOKEN", "--to", "vault", "--to", "prod-wix", "--obtain", "echo new"),
    "resume (dry run)": ("CHANGE", "--dry-run"),
    "resume (change)": ("CHANGE",),
    "resume (rotation)": ("ROTATION", "--obtain", "echo new", "--revoke", "true"),
    "forget": ("CHANGE", "--yes"),
    "runs": (),
    "resume": ("RUN", "prod-insforge", "prod-wix"),
    "undo": ("RUN", "prod-wix", "--yes"),
    "undo (dry run)": ("RUN", "prod-wix", "--dry-run"),
    "report": ("RUN",),
    "vault verify": (),
    "vault audit": ("--after", "3"),
    "vault anchor": (),
    "vault audit-reads": ("batched",),
    "vault describe": ("SHARED",),
    "vault backup": ("copy.db",),
    "vault slots list": (),
    "vault slots add": ("--key-file", "second.key", "--label", "second"),
    "vault slots change": ("second", "--key-file", "third.key"),
    "vault slots remove": ("second", "--yes"),
    "vault rekey": ("--yes",),
    "vault rotate-root": ("--key-file", "second.key", "--drop", "1", "--drop", "3", "--yes"),
    "vault purge": ("TOKEN", "--older-versions", "--yes"),
    "vault retention": ("--versions", "3", "--yes"),
    "vault environments list": (),
    "vault environments add": ("qa",),
    "vault environments rename": ("test", "qa"),
    "vault share": ("TOKEN",),
    "vault unshare": ("SHARED",),
    "vault accounts list": (),
    "vault accounts add": ("other", "--role", "reader", "--reveal"),
    "vault accounts add-user": ("somebody", "--role", "reader", "--key-file", "user.key"),
    "vault accounts renew-key": ("deploy", "--reveal"),
    "vault accounts change": ("deploy", "--environment", "test", "--expires-at", "90d"),
    "vault accounts grant": ("deploy", "--permission", "delete"),
    "vault accounts revoke": ("deploy", "--role", "reader"),
    "vault accounts remove": ("deploy", "--yes"),
    "vault move": ("moved.db",),
    "doctor": (),
}


def _begun(shell: Shell, kind: str) -> str:
    """Begin what does not come to its end; give its id."""
    if kind == "CHANGE":  # for want of a secret that is there then
        shell.run("update", "TOKEN", "--to", "vault", "--to", "vault:LATER", "--generate")
    else:
        words = ("--obtain", "echo new", "--revoke", "false", "--yes")
        shell.run("rotate", "TOKEN", "--to", "vault", *words)
    shell.put("LATER", "v")
    return str(shell.ok("runs", "--json").json["changes"][0]["id"])


@pytest.mark.parametrize("command", sorted(SHAPES.keys() - {"error"}))
def test_what_a_command_prints_is_what_its_schema_says(filled: Shell, command: str) -> None:
    words = CALLS[command]
    if command.startswith("vault "):
        if command != "vault slots add":
            filled.ok("vault", "slots", "add", *CALLS["vault slots add"])
        filled.ok("vault", "accounts", "add", "deploy", "--role", "reader", "--out", "deploy.key")
        filled.put("SHARED", "v")
        filled.ok("vault", "share", "SHARED")
    if "RUN" in words or command == "runs":
        run = filled.ok("migrate", *CALLS["migrate"], "--json").json["run"]["id"]
        words = tuple(word.replace("RUN", run) for word in words)
    words = tuple(_begun(filled, word) if word in {"CHANGE", "ROTATION"} else word for word in words)
    done = filled.ok(*command.partition(" (")[0].split(), *words, "--json")
    told: list[Any] = []
    lines = done.out.splitlines() if command == "vault audit" else [done.out]
    told = [json.loads(line) for line in lines]
    found = [MODELS[command].model_validate(one).model_dump(mode="json", exclude_unset=True) for one in told]
    assert (found, done.err) == (told, "")


@pytest.mark.parametrize(
    ("words", "code", "kind", "applied"),
    [
        (("get", "NOPE", "--in", "vault"), 1, "Stopped", False),
        (("update", "NOPE", "--to", "vault", "--generate"), 1, "SecretNotFound", False),
        (("update", "TOKEN", "--to", "vault", "--tool-name", "x", "-v"), 2, "UnsupportedField", False),
        (("update", "TOKEN", "--to", "vault", "--nonsense"), 2, "UsageError", False),
        (("list", "nope"), 2, "InvalidRequest", False),
    ],
)
def test_an_error_is_json_too(
    filled: Shell, words: tuple[str, ...], code: int, kind: str, *, applied: bool
) -> None:
    done = filled.run(*words, "--json")
    told = json.loads(done.err)
    found = MODELS["error"].model_validate(told).model_dump(mode="json")
    error = found["error"]
    assert (found, done.out) == (told, "")
    assert (done.code, error["exit_code"], error["type"], error["applied"]) == (code, code, kind, applied)
    assert (error["cause"] is not None) == ("-v" in words)
