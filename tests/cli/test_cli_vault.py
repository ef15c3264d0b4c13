"""What a vault remembers, and how it is looked after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli_place import Services, Shell, services, shell

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["services", "shell"]


def vault_file(shell: Shell) -> Path:
    (file,) = (shell.folder.parent / "user").rglob("vault.db")
    return file


def test_the_history_is_listed_newest_first(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("update", "TOKEN", "--to", "vault", "--stdin", "--description", "x", stdin="w")
    rows = shell.ok("history", "TOKEN").rows
    told = shell.ok("history", "TOKEN", "--json").json
    assert [[row[0], *row[2:]] for row in rows] == [
        ["2", "update", "owner", "value,description", "TOKEN"],
        ["1", "put", "owner", "value", "TOKEN"],
    ]
    assert [version["version"] for version in told["versions"]] == [2, 1]


def test_an_older_version_is_restored(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("TOKEN", "w")
    done = shell.ok("restore", "TOKEN", "1")
    assert (done.err, shell.value("TOKEN")) == ("Restored 'TOKEN' in vault. It is at version 3.\n", "v")


def test_a_deleted_secret_is_brought_back(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("delete", "TOKEN", "--in", "vault", "--yes")
    done = shell.ok("undelete", "TOKEN", "--json").json
    assert (done["operation"], done["secret"]["version"], shell.value("TOKEN")) == ("undelete", 3, "v")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("history", "NOPE"), 1, "Error: Could not list the versions of 'NOPE' in vault."),
        (("restore", "NOPE", "1"), 1, "Error: Could not restore 'NOPE' in vault; nothing was changed."),
        (("undelete", "TOKEN"), 1, "Error: Could not undelete 'TOKEN' in vault; nothing was changed."),
        (("restore", "TOKEN", "0"), 2, "Error: VERSION takes a whole number from 1 to 1,000,000,000,000."),
        (("vault", "verify", "--anchor", "x"), 2, "Error: Could not verify vault."),
    ],
)
def test_what_cannot_be_done_is_told(shell: Shell, words: tuple[str, ...], code: int, told: str) -> None:
    shell.put("TOKEN", "v")
    done = shell.run(*words)
    assert (done.code, done.err.splitlines()[0]) == (code, told)


def test_a_store_without_versions_says_so(shell: Shell, services: Services) -> None:
    done = shell.run("history", "TOKEN", "--in", "prod-wix")
    assert (done.code, done.err.splitlines()[1:]) == (
        2,
        [
            "Why: It is a connection to a store without versions and audit trail",
            "Do: Give one whose provider is local.",
        ],
    )


def test_a_vault_is_verified_against_an_anchor(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    anchor = shell.ok("vault", "anchor").out.strip()
    whole = shell.ok("vault", "verify", "--anchor", anchor)
    forged = shell.run("vault", "verify", "--anchor", f"{anchor[:-4]}0000")
    assert whole.err == (
        "vault is whole: 1 name, 1 value; the audit trail has 2 lines and continues the anchor.\n"
    )
    assert (forged.code, shell.ok("vault", "anchor", "--json").json) == (1, {"anchor": anchor})
    assert shell.ok("vault", "verify", "--json").json == {
        "secrets": 1,
        "values": 1,
        "entries": 2,
        "anchor": anchor,
    }


def test_a_damaged_vault_is_told(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    file = vault_file(shell)
    file.write_bytes(b"x" * 5000)
    done = shell.run("vault", "verify", "--verbose")
    assert (done.code, done.err.splitlines()[0], "Cause: Vault" in done.err) == (
        1,
        "Error: Could not verify vault.",
        True,
    )


def test_the_audit_trail_is_printed_line_by_line(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("OTHER", "v")
    rows = shell.ok("vault", "audit", "--after", "1").rows
    objects = [json.loads(line) for line in shell.ok("vault", "audit", "--json").out.splitlines()]
    assert [[row[0], row[2], row[4]] for row in rows] == [["2", "put", "TOKEN"], ["3", "put", "OTHER"]]
    assert [one["operation"] for one in objects] == ["vault created", "put", "put"]


def test_a_vault_is_backed_up_once_and_again_if_told(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok("vault", "backup", "copy.db")
    refused = shell.run("vault", "backup", "copy.db")
    again = shell.ok("vault", "backup", "copy.db", "--overwrite", "--json").json
    assert (done.err, refused.code, again["values"]) == (
        "copy.db holds all of vault: 1 name, 1 value.\n",
        1,
        1,
    )
    assert "or --overwrite to replace it." in refused.err


def test_a_vault_of_another_name_is_reached_by_its_connection(shell: Shell) -> None:
    shell.write(
        '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n'
        'environment = "test"\n'
    )
    shell.put("TOKEN", "v", store="team")
    assert shell.ok("history", "TOKEN", "--in", "team").rows[0][2] == "put"
    assert (shell.folder / "team.db").exists()


def test_a_dry_run_of_restore_and_undelete_says_what_the_history_allows(shell: Shell) -> None:
    shell.ok("create", "TOKEN", "--to", "vault", "--generate")
    shell.ok("update", "TOKEN", "--to", "vault", "--generate")
    asked = [
        shell.run("restore", "TOKEN", "1", "--dry-run"),
        shell.run("restore", "TOKEN", "9", "--dry-run"),
        shell.run("undelete", "TOKEN", "--dry-run"),
    ]
    shell.ok("delete", "TOKEN", "--in", "vault", "--yes")
    asked += [
        shell.run("restore", "TOKEN", "1", "--dry-run"),
        shell.run("undelete", "TOKEN", "--dry-run", "--json"),
        shell.run("undelete", "NEVER", "--dry-run"),
    ]
    assert [one.code for one in asked] == [0, 1, 1, 1, 0, 1]
    assert "Dry run: would restore 'TOKEN' in vault." in asked[0].err
    assert "The secret is deleted; undelete comes first." in asked[3].err
    assert (asked[4].json["dry_run"], len(shell.ok("history", "TOKEN").rows)) == (True, 3)


def test_a_dry_run_of_a_purge_removes_nothing(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("TOKEN", "w")
    tried = shell.ok("vault", "purge", "--older-versions", "--dry-run")
    told = shell.ok("vault", "purge", "--older-versions", "--dry-run", "--json").json
    kept = [one["purged"] for one in shell.ok("history", "TOKEN", "--json").json["versions"]]
    assert tried.err == "Dry run: would remove 0 deleted values and what 1 version held.\n"
    assert (told["versions"], told["dry_run"], kept) == (1, True, [False, False])
    assert shell.ok("vault", "purge", "--older-versions", "--yes", "--json").json["versions"] == 1
