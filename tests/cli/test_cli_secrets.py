"""One secret in one store: the verbs, the fields, and what the exit code says."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from cli_place import Services, Shell, services, shell

from secretbridge.testing import Lost, Pass, Reply

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["services", "shell"]


def test_a_secret_is_made_listed_changed_and_deleted(shell: Shell) -> None:
    shell.ok("create", "TOKEN", "--to", "vault", "--stdin", "--description", "billing", stdin="first")
    shell.ok("update", "TOKEN", "--to", "vault", "--stdin", stdin="second")
    listed = shell.ok("list", "vault").rows
    value = shell.value("TOKEN")
    shell.ok("delete", "TOKEN", "--in", "vault", "--yes")
    assert (listed, value, shell.ok("list", "vault").out) == (
        [["TOKEN", "2", "", "", "billing"]],
        "second",
        "",
    )


def test_a_field_left_out_stays_clear_clears_and_a_value_sets(shell: Shell) -> None:
    shell.put("TOKEN", "v", "--description", "billing", "--expires-at", "2999-01-31T00:00Z")
    shell.ok("update", "TOKEN", "--to", "vault", "--clear", "description", "--inactive")
    secret = shell.ok("get", "TOKEN", "--in", "vault", "--json").json["secret"]
    assert (secret["description"], secret["active"], secret["expires_at"]) == (
        None,
        False,
        "2999-01-31T00:00:00Z",
    )


def test_put_returns_what_is_not_given_to_its_default(shell: Shell) -> None:
    shell.put("TOKEN", "v", "--description", "billing")
    shell.put("TOKEN", "w")
    assert shell.ok("get", "TOKEN", "--in", "vault", "--json").json["secret"]["description"] is None


def test_a_secret_is_renamed(shell: Shell) -> None:
    shell.put("OLD", "v")
    shell.ok("update", "OLD", "--to", "vault", "--rename", "NEW")
    assert shell.value("NEW") == "v"


def test_an_update_is_read_back_if_asked(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok("update", "TOKEN", "--to", "vault", "--stdin", "--verify", stdin="w")
    assert done.err == "Updated 'TOKEN' in vault (value). It is at version 2. It was read back as sent.\n"


def test_if_version_loses_against_a_newer_one(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.put("TOKEN", "w")
    done = shell.run("update", "TOKEN", "--to", "vault", "--stdin", "--if-version", "1", stdin="x")
    assert (done.code, shell.value("TOKEN")) == (1, "w")


@pytest.mark.parametrize("store", ["prod-wix", "prod-insforge"])
def test_a_vendor_is_changed_over_the_wire(shell: Shell, services: Services, store: str) -> None:
    shell.put("STRIPE_KEY", "sk-1", store=store)
    shell.ok("update", "STRIPE_KEY", "--to", store, "--stdin", stdin="sk-2")
    standin = services.wix if store == "prod-wix" else services.insforge
    assert standin.secret("STRIPE_KEY").value == "sk-2"


def test_where_names_are_not_unique_an_id_says_which(shell: Shell, services: Services) -> None:
    one, _ = services.ionet.seed("KEY", "value-1"), services.ionet.seed("KEY", "value-2")
    doubtful = shell.run("get", "KEY", "--in", "prod-ionet")
    named = shell.ok("get", "--id", one.id, "--in", "prod-ionet")
    changed = shell.run("update", "KEY", "--to", "prod-ionet", "--stdin", stdin="value-3")
    by_id = shell.ok("update", "--id", one.id, "--to", "prod-ionet", "--stdin", stdin="value-3")
    assert (doubtful.code, named.rows[0], changed.code) == (1, ["name", "KEY"], 1)
    assert "Do: Name one by --id." in doubtful.err
    assert "Do: Name the one you mean by --id." in changed.err
    assert by_id.err == f"Updated the secret of id '{one.id}' in prod-ionet (value).\n"


def test_metadata_is_had_without_reading_the_value(shell: Shell, services: Services) -> None:
    services.insforge.seed("KEY", "v")
    shell.ok("get", "KEY", "--in", "prod-insforge")
    assert services.insforge.calls == ["GET /api/secrets"]


def test_what_cannot_be_kept_is_refused_before_anything_is_sent(shell: Shell, services: Services) -> None:
    services.wix.seed("KEY", "v")
    done = shell.run("update", "KEY", "--to", "prod-wix", "--tool-name", "x", "--expires-at", "3d")
    assert (done.code, services.wix.calls) == (2, [])
    assert done.err == (
        "Error: Could not update 'KEY' in prod-wix; nothing was sent.\n"
        "Why: --expires-at: Wix cannot keep it\n"
        "Why: --tool-name: Wix cannot keep it\n"
        "Do: Wix keeps a name, a value and a description; leave this out.\n"
    )


def test_where_each_violation_has_its_own_remedy_it_stands_in_its_line(
    shell: Shell, services: Services
) -> None:
    services.ionet.seed("KEY", "value-1")
    words = ("update", "KEY", "--to", "prod-ionet", "--stdin", "--description", "d")
    done = shell.run(*words, stdin="abc")
    assert (done.code, done.err) == (
        2,
        (
            "Error: Could not update 'KEY' in prod-ionet; nothing was sent.\n"
            "Why: value: has 3 characters, fewer than 4 (give a longer one)\n"
            "Why: --description: io.net cannot keep it"
            " (io.net keeps a name, a value and a tool binding; leave this out)\n"
            "Do: What stands in brackets in each line.\n"
        ),
    )


def test_a_refusal_of_the_vendor_leaves_nothing_applied(shell: Shell, services: Services) -> None:
    services.wix.script(Reply(500, {}))
    done = shell.run("update", "MISSING", "--to", "prod-wix", "--stdin", stdin="v")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "Error: Could not update 'MISSING' in prod-wix; nothing was changed.",
    )


def test_a_lost_answer_is_unknown_and_says_how_to_look(shell: Shell, services: Services) -> None:
    services.insforge.seed("KEY", "v")
    services.insforge.script(Lost())
    done = shell.run("update", "KEY", "--to", "prod-insforge", "--stdin", stdin="w")
    assert (done.code, done.err.splitlines()[0]) == (
        4,
        "Error: Could not update 'KEY' in prod-insforge; whether it was done is not known.",
    )
    assert "Do: " in done.err


def test_a_failure_after_the_change_is_partly_applied(shell: Shell, services: Services) -> None:
    services.insforge.seed("KEY", "v")
    services.insforge.script(Pass(), Lost(), Lost())
    done = shell.run("update", "KEY", "--to", "prod-insforge", "--stdin", "--verify", stdin="w")
    assert (done.code, services.insforge.secret("KEY").value) == (3, "w")


def test_a_protected_secret_is_refused_by_policy_until_it_is_unlocked(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    locked = shell.ok("lock", "TOKEN", "--in", "vault")
    refused = shell.run("update", "TOKEN", "--to", "vault", "--stdin", stdin="w")
    unlocked = shell.ok("unlock", "TOKEN", "--in", "vault")
    shell.ok("update", "TOKEN", "--to", "vault", "--stdin", stdin="w")
    assert (refused.code, refused.err.splitlines()[-1]) == (
        5,
        "Do: Unprotect it first with secretbridge unlock; that takes the permission to administer.",
    )
    assert (locked.err, unlocked.err) == (
        "Locked 'TOKEN' in vault. It is at version 2.\n",
        "Unlocked 'TOKEN' in vault. It is at version 3.\n",
    )


def test_what_cannot_be_taken_back_needs_consent(shell: Shell, services: Services) -> None:
    services.insforge.seed("KEY", "v")
    refused = shell.run("lock", "KEY", "--in", "prod-insforge")
    assert (refused.code, "Do: If that is wanted, say --allow-one-way." in refused.err) == (2, True)
    assert shell.ok("lock", "KEY", "--in", "prod-insforge", "--allow-one-way").code == 0


def test_delete_needs_yes_where_nobody_can_be_asked(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.run("delete", "TOKEN", "--in", "vault")
    assert (done.code, done.err) == (
        2,
        (
            "Error: Nothing was changed.\n"
            "Why: This deletes 'TOKEN' in vault. Nobody can be asked: standard input is no terminal.\n"
            "Do: Say --yes if it is meant.\n"
        ),
    )


def test_deleting_what_is_not_there_fails_unless_that_is_all_right(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    missing = shell.run("delete", "NOPE", "--in", "vault", "--yes")
    assert (missing.code, shell.ok("delete", "NOPE", "--in", "vault", "-y", "--missing-ok").code) == (1, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("update", "TOKEN", "--to", "vault", "--generate"),
         "Dry run: would update 'TOKEN' in vault (value).\n"),
        (("create", "NEW", "--to", "vault", "--generate"), "Dry run: would create 'NEW' in vault.\n"),
        (("put", "TOKEN", "--to", "vault", "--generate"), "Dry run: would put 'TOKEN' in vault.\n"),
        (("delete", "TOKEN", "--in", "vault"), "Dry run: would delete 'TOKEN' in vault.\n"),
        (("lock", "TOKEN", "--in", "vault"), "Dry run: would lock 'TOKEN' in vault.\n"),
        (("unlock", "TOKEN", "--in", "vault"), "Dry run: would unlock 'TOKEN' in vault.\n"),
    ],
)  # fmt: skip
def test_a_dry_run_says_what_it_would_do_and_changes_nothing(
    shell: Shell, words: tuple[str, ...], told: str
) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok(*words, "--dry-run")
    assert (done.err, shell.ok("list", "vault").rows) == (told, [["TOKEN", "1", "", "", ""]])


def test_a_dry_run_refuses_what_the_store_would_refuse(shell: Shell, services: Services) -> None:
    services.wix.seed("KEY", "v")
    unfit = shell.run("update", "KEY", "--to", "prod-wix", "--clear", "tool-name", "--dry-run")
    missing = shell.run("update", "NOPE", "--to", "prod-wix", "--stdin", "--dry-run", stdin="v")
    by_id = shell.ok(
        "update", "--id", services.wix.secret("KEY").id, "--to", "prod-wix", "--generate", "--dry-run"
    )
    assert (unfit.code, missing.code, by_id.code) == (2, 1, 0)
    assert {call.partition(" ")[0] for call in services.wix.calls} == {"GET"}


def test_get_writes_the_value_into_a_file_that_only_the_user_can_read(shell: Shell) -> None:
    shell.put("TOKEN", "line\n")
    before = os.umask(0)
    done = shell.ok("get", "TOKEN", "--in", "vault", "--out", "token")
    os.umask(before)
    file = shell.folder / "token"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("line\n", 0o600)
    assert "line" not in done.out + done.err


def test_get_replaces_a_file_only_if_told(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.write("old", "token", 0o644)
    refused = shell.run("get", "TOKEN", "--in", "vault", "--out", "token")
    assert (refused.code, (shell.folder / "token").read_text()) == (1, "old")
    shell.ok("get", "TOKEN", "--in", "vault", "--out", "token", "--overwrite")
    file = shell.folder / "token"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("v", 0o600)
    assert [path.name for path in shell.folder.iterdir()] == ["token"]


@pytest.mark.parametrize("out", ["missing/folder/token", "\0", "."])
def test_a_file_that_cannot_be_written_is_told(shell: Shell, out: str) -> None:
    shell.put("TOKEN", "v")
    done = shell.run("get", "TOKEN", "--in", "vault", "--out", out)
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "Error: The value could not be written; no file was left behind.",
    )


def test_a_store_that_tells_no_value_says_so(shell: Shell, services: Services) -> None:
    services.ionet.seed("KEY", "value-1")
    done = shell.run("get", "KEY", "--in", "prod-ionet", "--reveal")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Error: prod-ionet does not tell the value of 'KEY'.\n"
        "Why: Such a store keeps values for those who use them there, and never tells one.\n"
        "Do: Take it from where it came from; secretbridge capabilities prod-ionet shows what it can do.\n"
    )


def test_a_wrong_key_is_told_with_its_class_and_request_if_asked(shell: Shell, services: Services) -> None:
    shell.monkeypatch.setenv("PROD_WIX", "IST.wrong")
    short = shell.run("list", "prod-wix")
    long = shell.run("list", "prod-wix", "--verbose")
    assert (short.code, "Cause:" in short.err, "IST.wrong" in long.err) == (1, False, False)
    assert (
        "Cause: AuthenticationError, applied: False, transient: False, provider: wix, operation: list"
        in long.err
    )


def test_a_file_of_connections_that_others_can_read_is_warned_about(shell: Shell) -> None:
    file: Path = shell.write('[connections.one]\nprovider = "dotenv"\npath = ".env"\n', "loose.toml", 0o644)
    done = shell.ok("list", "one", "--config", str(file))
    assert done.err.splitlines()[0] == f"Warning: Others can read {file}; run: chmod 600 {file}."


def test_quiet_says_nothing_but_what_was_asked_for(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok("update", "TOKEN", "--to", "vault", "--inactive", "-q")
    assert (done.out, done.err, shell.ok("list", "vault", "--quiet").rows[0][3]) == ("", "", "inactive")


def test_what_is_not_there_is_not_said_to_be_deleted(shell: Shell) -> None:
    words = ("delete", "NOPE", "--in", "vault", "--missing-ok")
    shell.put("TOKEN", "v")
    done = shell.ok(*words, "--yes")
    told = shell.ok(*words, "--yes", "--json").json
    tried = shell.ok(*words, "--dry-run")
    assert done.err == "Nothing was deleted: vault has no 'NOPE'.\n"
    assert (told["applied"], told["secret"]) == (False, None)
    assert tried.err == "Dry run: nothing would be deleted: vault has no 'NOPE'.\n"
    assert (
        shell.ok("delete", "TOKEN", "--in", "vault", "--missing-ok", "--yes", "--json").json["applied"]
        is True
    )
