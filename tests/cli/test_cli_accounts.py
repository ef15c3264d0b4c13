"""Users, renewed keys and limits of accounts from the shell; and what a vault refuses ends with five."""

from __future__ import annotations

import stat

import pytest
from cli_place import Shell, shell

__all__ = ["shell"]


def listed(shell: Shell) -> list[list[str]]:
    return shell.ok("vault", "accounts", "list").rows


def test_a_user_opens_the_vault_by_a_credential_of_his_own(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "accounts", "add-user", "ada", "--role", "reader", "--key-file", "ada.key")
    shell.write('[connections.own]\nprovider = "local"\nkey_file = "ada.key"\n')
    assert listed(shell) == [["ada", "user", "reader", "", "all", ""]]
    assert (shell.value("TOKEN", "own"), shell.run("delete", "TOKEN", "--in", "own", "--yes").code) == (
        "v",
        5,
    )


def test_a_user_s_passphrase_is_read_from_standard_input(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    words = ("vault", "accounts", "add-user", "ada", "--role", "reader", "--passphrase-stdin")
    shell.ok(*words, "--environment", "development", "--expires-at", "90d", stdin="ada's words\n")
    shell.monkeypatch.setenv("ADA", "ada's words")
    shell.write('[connections.own]\nprovider = "local"\npassphrase = "env:ADA"\n')
    assert shell.value("TOKEN", "own") == "v"


def test_a_renewed_key_opens_and_the_old_one_does_not(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "accounts", "add", "deploy", "--role", "reader", "--out", "old.key")
    shell.ok("vault", "accounts", "renew-key", "deploy", "--out", "new.key")
    shell.write(
        "".join(
            f'[connections.{name}]\nprovider = "local"\naccount_key = "file:{name}.key"\n'
            for name in ("old", "new")
        )
    )
    mode = stat.S_IMODE((shell.folder / "new.key").stat().st_mode)
    assert (mode, shell.value("TOKEN", "new"), shell.run("list", "old").code) == (0o600, "v", 1)
    assert shell.ok("vault", "accounts", "renew-key", "deploy", "--reveal").out.startswith("sbk_")


def test_a_key_that_cannot_be_kept_is_not_renewed(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "accounts", "add", "deploy", "--role", "reader", "--out", "old.key")
    shell.write('[connections.old]\nprovider = "local"\naccount_key = "file:old.key"\n')
    kept = shell.run("vault", "accounts", "renew-key", "deploy", "--out", "old.key")
    nobody = shell.run("vault", "accounts", "renew-key", "nobody", "--out", "new.key")
    assert (kept.code, shell.value("TOKEN", "old")) == (1, "v")
    assert (nobody.code, (shell.folder / "new.key").exists()) == (2, False)


def test_an_account_s_time_and_environments_are_changed(shell: Shell) -> None:
    shell.ok("vault", "accounts", "add", "deploy", "--out", "deploy.key", "--expires-at", "90d")
    shell.ok("vault", "accounts", "change", "deploy", "--never-expires", "--environment", "test")
    limited = listed(shell)
    shell.ok("vault", "accounts", "change", "deploy", "--all-environments")
    assert (limited, listed(shell)) == (
        [["deploy", "service", "", "", "test", ""]],
        [["deploy", "service", "", "", "all", ""]],
    )


@pytest.mark.parametrize(
    "words",
    [
        ("change", "deploy"),
        ("change", "deploy", "--expires-at", "1d", "--never-expires"),
        ("change", "deploy", "--environment", "test", "--all-environments"),
        ("renew-key", "deploy"),
        ("add-user", "ada"),
    ],
)
def test_what_is_missing_or_given_twice_is_told(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run("vault", "accounts", *words).code == 2


def test_a_secret_is_described_over_all_environments(shell: Shell) -> None:
    shell.write('[connections.test]\nprovider = "local"\nenvironment = "test"\n')
    shell.put("TOKEN", "v", store="test")
    shell.ok("lock", "TOKEN", "--in", "test")
    assert shell.ok("vault", "describe", "TOKEN").rows == [
        ["development", "no", "no", "no"],
        ["test", "yes", "yes", "no"],
        ["staging", "no", "no", "no"],
        ["production", "no", "no", "no"],
    ]


def test_reading_is_in_the_audit_trail_once_that_is_wanted(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.value("TOKEN")
    shell.ok("vault", "audit-reads", "durable")
    shell.value("TOKEN")
    operations = [row[2] for row in shell.ok("vault", "audit").rows]
    assert operations.count("get") == 1


@pytest.fixture
def limited(shell: Shell) -> Shell:
    """A vault, and a connection to it by an account that may read in one environment."""
    shell.put("TOKEN", "v")
    words = ("vault", "accounts", "add", "deploy", "--role", "reader", "--environment", "development")
    shell.ok(*words, "--out", "deploy.key")
    shell.write(
        '[connections.own]\nprovider = "local"\naccount_key = "file:deploy.key"\n'
        '[connections.other]\nprovider = "local"\naccount_key = "file:deploy.key"\nenvironment = "test"\n'
    )
    return shell


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("update", "TOKEN", "--to", "own", "--generate"), "GrantMissing"),
        (("delete", "TOKEN", "--in", "own", "--yes"), "GrantMissing"),
        (("vault", "accounts", "list", "--in", "own"), "GrantMissing"),
        (("list", "other"), "OutOfScope"),
    ],
)
def test_what_the_vault_does_not_let_an_account_do_ends_with_five(
    limited: Shell, words: tuple[str, ...], kind: str
) -> None:
    done = limited.run(*words, "--verbose")
    assert (done.code, f"Cause: {kind}, " in done.err) == (5, True)


def test_a_dry_run_of_a_protected_secret_ends_with_five_too(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("lock", "TOKEN", "--in", "vault")
    for words in (
        ("update", "TOKEN", "--to", "vault"),
        ("update", "TOKEN", "--to", "vault", "--to", "vault:TOKEN2"),
    ):
        done = shell.run(*words, "--generate", "--dry-run")
        assert (done.code, "is protected in" in done.err) == (5, True)


def test_what_runs_keep_in_a_vault_is_not_handed_to_a_program(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("SECOND", "v")
    shell.ok("update", "TOKEN", "--to", "vault", "--to", "vault:SECOND", "--generate")
    assert "migration.key" in shell.ok("list", "vault").out
    done = shell.process("run", "vault", "--", "env")
    assert ("TOKEN=" in done.out, "migration" in done.out) == (True, False)
