"""``rotate`` from the shell: a token from a command, written everywhere, the old one revoked by another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_place import Services, Shell, services, shell

from secretbridge.testing import Reply

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["services", "shell"]

TO = ("--to", "prod-wix", "--to", "prod-insforge:OTHER", "--to", "vault")


def script(folder: Path, name: str, text: str) -> str:
    """Give the command that runs a script."""
    (folder / name).write_text(text)
    return f"{sys.executable} {name}"


@pytest.fixture
def issuer(shell: Shell, services: Services) -> Services:
    services.wix.seed("TOKEN", "old")
    services.insforge.seed("OTHER", "old")
    shell.put("TOKEN", "older")
    return services


@pytest.fixture
def steps(shell: Shell, issuer: Services) -> tuple[str, ...]:
    count = "import pathlib; at = pathlib.Path('count'); n = len(at.read_text()) if at.exists() else 0\n"
    obtain = script(shell.folder, "obtain.py", f"{count}at.write_text('x' * (n + 1)); print(f'new-{{n}}')")
    revoke = script(
        shell.folder, "revoke.py", "import sys; open('gone', 'a').write(sys.stdin.read() + '\\n')"
    )
    return ("--obtain", obtain, "--revoke", revoke)


def held(shell: Shell, issuer: Services) -> set[str]:
    return {issuer.wix.secret("TOKEN").value, issuer.insforge.secret("OTHER").value, shell.value("TOKEN")}


def test_the_new_token_is_everywhere_and_each_old_one_is_revoked(
    shell: Shell, issuer: Services, steps: tuple[str, ...]
) -> None:
    done = shell.ok("rotate", "TOKEN", *TO, *steps, "--yes")
    assert [row[:3] for row in done.rows] == [
        ["prod-wix", "TOKEN", "updated"],
        ["prod-insforge", "OTHER", "updated"],
        ["vault", "TOKEN", "updated"],
    ]
    assert (held(shell, issuer), (shell.folder / "gone").read_text()) == ({"new-0"}, "old\nolder\n")
    assert done.err == (
        "'TOKEN' has a new token in 3 stores; it was read back in 3. 2 old tokens were revoked.\n"
    )


def test_a_dry_run_runs_no_command_and_changes_nothing(
    shell: Shell, issuer: Services, steps: tuple[str, ...]
) -> None:
    done = shell.ok("rotate", "TOKEN", *TO, *steps, "--dry-run")
    assert done.err.splitlines() == [
        "Dry run: would write a new token 'TOKEN' into prod-wix.",
        "Dry run: would write a new token 'OTHER' into prod-insforge.",
        "Dry run: would write a new token 'TOKEN' into vault.",
        "Dry run: would then revoke the old one.",
    ]
    assert (held(shell, issuer), (shell.folder / "count").exists()) == ({"old", "older"}, False)


def test_a_dry_run_finds_what_is_in_the_way(shell: Shell, issuer: Services, steps: tuple[str, ...]) -> None:
    done = shell.run("rotate", "TOKEN", "--to", "prod-wix:NOPE", *steps, "--dry-run")
    assert (done.code, "'TOKEN' could not be rotated; nothing was done." in done.err) == (1, True)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_in_the_way_is_found_before_a_token_is_obtained(
    shell: Shell, issuer: Services, steps: tuple[str, ...], options: tuple[str, ...]
) -> None:
    done = shell.run("rotate", "NOPE", *TO[:2], "--to", "vault", *steps[:2], *options)
    assert (done.code, (shell.folder / "count").exists(), shell.ok("runs").out) == (1, False, "")
    assert "prod-wix: Wix has no secret named 'NOPE'; vault: " in done.err


def test_a_step_that_fails_is_gone_on_with_by_the_command_that_is_told(
    shell: Shell, issuer: Services, steps: tuple[str, ...]
) -> None:
    revoke = (shell.folder / "revoke.py").read_text()
    (shell.folder / "revoke.py").write_text("raise SystemExit(3)")
    failed = shell.run("rotate", "TOKEN", *TO, *steps, "--yes")
    assert (failed.code, held(shell, issuer)) == (3, {"new-0"})
    (shell.folder / "revoke.py").write_text(revoke)
    listed = shell.ok("runs")
    run = listed.rows[0][0]
    assert f"Do: secretbridge resume {run} --obtain " in failed.err
    assert f"To go on: secretbridge resume {run} --obtain COMMAND --revoke COMMAND" in listed.err
    without = shell.run("resume", run, *steps[:2])
    assert (without.code, "--revoke: is missing, and was given at the beginning" in without.err) == (2, True)
    shell.ok("resume", run, *steps)
    assert ((shell.folder / "gone").read_text(), (shell.folder / "count").read_text()) == (
        "old\nolder\n",
        "x",
    )
    assert shell.ok("runs", "--json").json == {"runs": [], "changes": []}
    (row,) = shell.ok("runs", "--all", "--json").json["changes"]
    assert (row["id"], row["kind"], row["state"], row["revokes"]) == (run, "rotation", "done", True)
    assert row["targets"] == ["prod-wix", "prod-insforge:OTHER", "vault"]


def test_what_failed_before_anything_was_written_ends_with_one(shell: Shell, issuer: Services) -> None:
    done = shell.run("rotate", "TOKEN", *TO, "--obtain", "false")
    assert (done.code, held(shell, issuer)) == (1, {"old", "older"})
    assert "Error: No new token was obtained: the command ended with status 1." in done.err


def test_what_stops_it_in_between_says_how_to_go_on(
    shell: Shell, issuer: Services, steps: tuple[str, ...]
) -> None:
    shell.put("LATER", "v")
    shell.ok("update", "LATER", "--to", "vault", "--inactive")  # it cannot be read, and could be written
    done = shell.run("rotate", "LATER", "--to", "vault", *steps, "--yes")
    run = shell.ok("runs").rows[0][0]
    assert (done.code, f"Do: secretbridge resume {run} --obtain " in done.err) == (1, True)
    shell.ok("update", "LATER", "--to", "vault", "--active")
    shell.ok("resume", run, *steps)
    assert (shell.value("LATER"), (shell.folder / "gone").read_text()) == ("new-0", "v\n")


def test_a_store_that_refuses_keeps_the_old_token_alive(
    shell: Shell, issuer: Services, steps: tuple[str, ...]
) -> None:
    issuer.insforge.script(Reply(401), Reply(401))
    done = shell.run("rotate", "TOKEN", "--to", "vault", "--to", "prod-insforge:OTHER", *steps, "--yes")
    assert (done.code, (shell.folder / "gone").exists()) in {(1, False), (3, False)}


def test_it_is_json_where_that_is_wanted(shell: Shell, issuer: Services, steps: tuple[str, ...]) -> None:
    tried = shell.ok("rotate", "TOKEN", *TO, *steps, "--dry-run", "--json").json
    done = shell.ok("rotate", "TOKEN", *TO, *steps, "--yes", "--json").json
    assert (tried["dry_run"], {row["state"] for row in tried["results"]}) == (True, {"would update"})
    assert (done["revoked"], done["verified"]) == (2, ["prod-wix", "prod-insforge", "vault"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--obtain", "'unclosed"), "--obtain takes a program and its arguments"),
        (("--obtain", " "), "--obtain takes a program and its arguments"),
        (("--obtain", "x", "--revoke-variable", "OLD"), "--revoke-variable goes with --revoke"),
        (("--obtain", "x", "--revoke", "y"), "Say --yes if it is meant"),
        (("--obtain", "x", "--revoke", "y", "--revoke-variable", "1", "--yes"), "is no variable's name"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_run(
    shell: Shell, issuer: Services, words: tuple[str, ...], told: str
) -> None:
    done = shell.run("rotate", "TOKEN", *TO, *words)
    assert (done.code, told in done.err, held(shell, issuer)) == (2, True, {"old", "older"})


def test_a_store_that_tells_nothing_needs_consent(shell: Shell, issuer: Services) -> None:
    issuer.ionet.seed("TOKEN", "old-value")
    words = ("rotate", "TOKEN", "--to", "prod-ionet", "--to", "vault", "--obtain", "echo new-value")
    refused = shell.run(*words, "--revoke", "true", "--yes")
    shell.ok(*words, "--revoke", "true", "--accept-unverifiable", "--yes")
    assert (refused.code, "--accept-unverifiable" in refused.err) == (2, True)
    assert issuer.ionet.secret("TOKEN").value == "new-value"
