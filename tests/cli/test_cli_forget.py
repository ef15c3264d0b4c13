"""``forget``: a change or a rotation that nobody wants to go on with."""

from __future__ import annotations

import pytest
from cli_place import Shell, shell

__all__ = ["shell"]


@pytest.fixture
def run(shell: Shell) -> str:
    """A change that was made in one of two stores."""
    shell.write('[connections.app]\nprovider = "dotenv"\npath = "app.env"\n')
    shell.put("TOKEN", "old")
    shell.run("update", "TOKEN", "--to", "vault", "--to", "app", "--generate")
    return shell.ok("runs").rows[0][0]


def names(shell: Shell) -> set[str]:
    return {row[0] for row in shell.ok("list", "vault").rows}


def test_it_is_given_up_and_what_the_vault_kept_for_it_is_gone(shell: Shell, run: str) -> None:
    value = shell.value("TOKEN")
    kept = {name for name in names(shell) if run in name}
    done = shell.ok("forget", run, "--yes")
    resumed = shell.run("resume", run)
    assert (len(kept), names(shell)) == (3, {"TOKEN", "migration.key"})
    assert done.err == (
        f"Gave up the change {run} of 'TOKEN'. What it kept is deleted in vault; what it has written stays.\n"
    )
    assert (shell.value("TOKEN"), shell.ok("runs").out) == (value, "")
    assert shell.ok("runs", "--all").rows[0][:2] == [run, "forgotten"]
    assert (resumed.code, f"The run {run} was given up, and what it kept is deleted." in resumed.err) == (
        1,
        True,
    )
    assert shell.ok("forget", run, "--yes", "--json").json == {
        "run": run,
        "name": "TOKEN",
        "vault": "vault",
        "dry_run": False,
    }


def test_a_rotation_is_given_up_with_the_change_in_it(shell: Shell) -> None:
    shell.put("TOKEN", "old")
    words = ("--obtain", "echo new", "--revoke", "false", "--yes")
    failed = shell.run("rotate", "TOKEN", "--to", "vault", *words)
    run = shell.ok("runs").rows[0][0]
    tried = shell.ok("forget", run, "--dry-run")
    shell.ok("forget", run, "--yes", "--vault", "vault")
    again = shell.run("resume", run, *words[:4])
    assert (failed.code, names(shell), shell.value("TOKEN")) == (3, {"TOKEN", "migration.key"}, "new")
    assert "A token that it obtained and did not write is lost: revoke that at its issuer." in tried.err
    assert (again.code, "was given up" in again.err) == (1, True)


def test_a_dry_run_gives_nothing_up(shell: Shell, run: str) -> None:
    before = names(shell)
    done = shell.ok("forget", run, "--dry-run")
    told = shell.ok("forget", run, "--dry-run", "--json").json
    assert done.err == (
        f"Dry run: would give up the change {run} of 'TOKEN', and delete what vault keeps for it.\n"
    )
    assert (told["dry_run"], names(shell), shell.ok("runs").rows[0][1]) == (True, before, "incomplete")


def test_it_needs_consent_where_there_is_no_terminal(shell: Shell, run: str) -> None:
    done = shell.run("forget", run)
    assert (done.code, "Do: Say --yes if it is meant." in done.err) == (2, True)
    assert shell.ok("runs").rows[0][1] == "incomplete"


@pytest.mark.parametrize(
    ("run_id", "code", "told"),
    [
        ("20261121-000000-0000", 2, "undo and report go by a migration's journal"),
        ("change-0000000000000000", 1, "There is no such run"),
    ],
)
def test_another_run_is_left_as_it_is(shell: Shell, run_id: str, code: int, told: str) -> None:
    done = shell.run("forget", run_id, "--yes")
    assert (done.code, told in done.err) == (code, True)


def test_a_vault_that_did_not_keep_them_cannot_give_them_up(shell: Shell, run: str) -> None:
    shell.write(
        '[connections.app]\nprovider = "dotenv"\npath = "app.env"\n'
        '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n'
    )
    done = shell.run("forget", run, "--yes", "--vault", "team")
    assert (done.code, "has no key of a migration" in done.err) == (2, True)
    assert shell.ok("runs").rows[0][1] == "incomplete"
