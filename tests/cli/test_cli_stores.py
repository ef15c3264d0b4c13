"""Whole stores: what they can do, how two differ, what expires, and programs that get secrets."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cli_place import PROGRAM, Services, Shell, services, shell

from secretbridge.providers import names, provider_class

if TYPE_CHECKING:
    from secretbridge import Capabilities

__all__ = ["services", "shell"]


def test_the_operations_of_every_provider_are_shown(shell: Shell) -> None:
    rows = shell.ok("capabilities").rows
    assert [row[0] for row in rows] == names()
    assert next(row for row in rows if row[0] == "ionet") == ["ionet", *["yes"] * 6, "never"]


def test_all_that_is_known_of_one_store_is_shown(shell: Shell, services: Services) -> None:
    rows = dict(shell.ok("capabilities", "prod-insforge").rows)
    assert rows["description"].startswith("no: InsForge")
    assert rows["protected"].startswith("create, set, one way: InsForge has no way back")
    assert services.insforge.calls == []


def test_every_capability_is_in_the_json(shell: Shell) -> None:
    told = {one["provider"]: one for one in shell.ok("capabilities", "--json").json["providers"]}
    ionet: Capabilities = provider_class("ionet").capabilities  # type: ignore[attr-defined]  # a class
    assert told["ionet"]["update"] == sorted(ionet.update)
    assert told["ionet"]["limits"]["value"]["min_length"] == ionet.limits["value"].min_length
    assert told["local"]["compare_and_set"] is True


def test_two_stores_are_compared_without_showing_values(shell: Shell, services: Services) -> None:
    for name, value in (("SAME", "v-same"), ("OTHER", "v-left"), ("LEFT", "v-only"), ("SPENT", "v-spent")):
        shell.put(name, value)
    shell.ok("update", "SPENT", "--to", "vault", "--expires-at", "2020-01-01T00:00Z")
    for name, value in (("SAME", "v-same"), ("OTHER", "v-right"), ("RIGHT", "v-only"), ("SPENT", "v-spent")):
        services.wix.seed(name, value, description="new" if name == "OTHER" else "")
    done = shell.ok("diff", "vault", "prod-wix")
    assert done.rows == [
        ["LEFT", "only left", ""],
        ["OTHER", "different", "value (different), description"],
        ["RIGHT", "only right", ""],
        ["SPENT", "unknown", "value (unknown)"],
    ]
    assert done.err == "1 of 5 secrets are equal.\n"
    assert "v-" not in done.out
    assert shell.run("diff", "vault", "prod-wix", "--exit-code").code == 1
    assert (
        shell.ok("diff", "vault", "vault", "--no-values", "--json").json["secrets"][0]["value"] == "unknown"
    )


def test_where_a_store_tells_no_values_they_are_unknown(shell: Shell, services: Services) -> None:
    services.ionet.seed("ONE", "value-1")
    services.ionet.seed("TWICE", "value-1")
    services.ionet.seed("TWICE", "value-2")
    shell.put("ONE", "value-1")
    shell.put("TWICE", "value-1")
    done = shell.ok("diff", "vault", "prod-ionet", "--json").json
    assert [(one["name"], one["status"], one["value"]) for one in done["secrets"]] == [
        ("ONE", "unknown", "unknown"),
        ("TWICE", "unknown", "unknown"),
    ]


def test_what_expires_is_found_in_all_stores_that_tell(shell: Shell, services: Services) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    services.insforge.seed("SOON", "v", expires_at=soon.timestamp())
    shell.put("GONE", "v", "--expires-at", "2020-01-01T00:00Z")
    shell.put("LATER", "v", "--expires-at", "60d")
    shell.put("NEVER", "v")
    done = shell.ok("expiring")
    assert [row[1:] for row in done.rows] == [["vault", "GONE"], ["prod-insforge", "SOON"]]
    assert done.rows[0][0] == "2020-01-01 00:00Z expired"
    assert done.err == (
        "Warning: prod-ionet: It does not tell when a secret expires.\n"
        "Warning: prod-wix: It does not tell when a secret expires.\n"
    )
    assert [row[2] for row in shell.ok("expiring", "vault", "--within", "9w").rows] == ["GONE", "LATER"]


def test_a_store_that_fails_does_not_hide_what_the_others_tell(shell: Shell, services: Services) -> None:
    services.insforge.api_key = "another"
    shell.put("GONE", "v", "--expires-at", "2020-01-01T00:00Z")
    done = shell.run("expiring", "--json")
    assert done.code == 1
    assert [one["name"] for one in done.json["secrets"]] == ["GONE"]
    assert [one["connection"] for one in done.json["not_told"]] == ["prod-insforge", "prod-ionet", "prod-wix"]


def test_nothing_that_expires_is_said(shell: Shell) -> None:
    assert shell.ok("expiring").err == "Nothing that is known expires in this time.\n"


def test_the_same_vault_under_two_names_is_asked_once(shell: Shell) -> None:
    shell.put("GONE", "v", "--expires-at", "2020-01-01T00:00Z")
    shell.write('[connections.mine]\nprovider = "local"\n')
    assert [row[1] for row in shell.ok("expiring").rows] == ["mine"]


def started(shell: Shell) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """Note what would take this process's place."""
    calls: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def become(_file: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
        calls.append((words, environment))
        raise SystemExit(0)

    shell.monkeypatch.setattr(os, "execvpe", become)
    return calls


def test_a_program_gets_the_secrets_and_what_was_there_before(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("PATH", "ours")
    shell.put("OFF", "v", "--inactive")
    shell.put("SPENT", "v", "--expires-at", "2020-01-01T00:00Z")
    before = dict(os.environ)
    shell.monkeypatch.setenv("SECRETBRIDGE_VAULT_PASSPHRASE", "")
    calls = started(shell)
    with pytest.raises(SystemExit):
        shell.run("run", "vault", "--", "program", "--flag")
    assert calls == [(("program", "--flag"), {**before, "TOKEN": "v", "PATH": "ours"})]


def test_a_program_gets_only_what_is_named_and_under_the_names_that_are_given(shell: Shell) -> None:
    shell.put("a=b", "v")
    shell.put("OTHER", "w")
    before = dict(os.environ)
    calls = started(shell)
    with pytest.raises(SystemExit):
        shell.run("run", "--only", "a=b", "--rename", "a=b=RENAMED", "vault", "--", "program")
    assert calls == [(("program",), {**before, "RENAMED": "v"})]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("vault", "--"), "Name a program after --."),
        (("vault", "--", "program"), "No variable can be called 'a=b'; nothing was started."),
        (("--only", "NUL", "vault", "--", "program"),
         "The value of 'NUL' holds a NUL, which no variable can; nothing was started."),
        (("--only", "NOPE", "vault", "--", "program"), "Could not read 'NOPE' in vault."),
        (("--only", "OFF", "vault", "--", "program"), "Could not read 'OFF' in vault."),
        (("--rename", "NUL=1X", "vault", "--", "program"),
         "--rename takes NAME=VARIABLE; a variable is of letters, digits and _."),
        (("--rename", "NUL=A", "--rename", "OFF=A", "vault", "--", "program"),
         "--rename gives two secrets the same variable."),
        (("--only", "NUL", "--rename", "OFF=A", "vault", "--", "program"),
         "--rename names what --only leaves out: OFF."),
        (("--rename", "NOPE=A", "vault", "--", "program"), "--rename names what is not handed over: NOPE."),
    ],
)  # fmt: skip
def test_what_cannot_be_handed_over_starts_nothing(shell: Shell, words: tuple[str, ...], told: str) -> None:
    shell.put("a=b", "v")
    shell.put("NUL", "a\0b")
    shell.put("OFF", "v", "--inactive")
    calls = started(shell)
    done = shell.run("run", *words)
    assert (done.code in {1, 2}, done.err.splitlines()[0], calls) == (True, f"Error: {told}", [])


def test_a_program_that_is_not_there_ends_as_in_a_shell(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.write("x", "program", 0o600)
    missing = shell.run("run", "vault", "--", "no-such-program")
    unfit = shell.run("run", "vault", "--", "./program")
    odd = shell.run("run", "vault", "--", "a\0b")
    assert (missing.code, unfit.code, odd.code) == (127, 126, 126)
    assert missing.err == "Error: The program could not be started.\nWhy: there is no such program.\n"


def test_run_hands_over_the_exit_code_and_withholds_the_passphrase(shell: Shell) -> None:
    passphrase = {"SECRETBRIDGE_VAULT_PASSPHRASE": "correct horse battery"}
    shell.process("put", "TOKEN", "--to", "vault", "--stdin", stdin="v", environment=passphrase)
    script = 'echo "$TOKEN/${SECRETBRIDGE_VAULT_PASSPHRASE-withheld}"; exit 7'
    done = shell.process("run", "vault", "--", "sh", "-c", script, environment=passphrase)
    assert (done.code, done.out, done.err) == (7, "v/withheld\n", "")


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [
        ("<&-", ("list", "vault"), 0),
        (">&-", ("list", "vault"), 0),
        ("<&- >&- 2>&-", ("create", "NEW", "--to", "vault", "--generate"), 0),
        ("<&-", ("update", "NEW", "--to", "vault"), 2),
        ("<&-", ("update", "NEW", "--to", "vault", "--stdin"), 2),
        ("<&-", ("delete", "NEW", "--in", "vault"), 2),
    ],
)
def test_a_closed_stream_is_no_fault_of_the_program(
    shell: Shell, closed: str, words: tuple[str, ...], code: int
) -> None:
    script = shlex.join([*PROGRAM, *words])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script} {closed}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "fault of secretbridge" in done.stderr) == (code, False)
    assert shell.ok("vault", "verify").code == 0


def test_what_runs_keep_in_a_vault_is_no_difference(shell: Shell) -> None:
    shell.write('[connections.app]\nprovider = "dotenv"\npath = "app.env"\n')
    shell.write("A=1\n", "app.env")
    shell.ok("create", "A", "--to", "vault", "--from", "app:A")
    shell.ok("update", "A", "--to", "app", "--to", "vault", "--generate")
    listed = {row[0] for row in shell.ok("list", "vault").rows}
    done = shell.ok("diff", "vault", "app")
    assert ("migration.key" in listed, done.out, done.err) == (True, "", "1 of 1 secret is equal.\n")
