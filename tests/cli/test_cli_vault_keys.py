"""Who can open a vault, what it keeps, and where it is."""

from __future__ import annotations

import stat

import pytest
from cli_place import Shell, shell
from cli_terminal import Terminal

__all__ = ["shell"]


def labels(shell: Shell) -> list[str]:
    return [row[2] for row in shell.ok("vault", "slots", "list").rows]


def test_slots_are_added_changed_and_removed(shell: Shell) -> None:
    shell.ok("vault", "slots", "add", "--key-file", "second.key", "--label", "second")
    shell.ok("vault", "slots", "add", "--passphrase-stdin", "--label", "spoken", stdin="correct horse\n")
    shell.ok("vault", "slots", "change", "spoken", "--key-file", "third.key")
    before = labels(shell)
    refused = shell.run("vault", "slots", "remove", "second")
    shell.ok("vault", "slots", "remove", "2", "--yes")
    assert (before[1:], refused.code, labels(shell)[1:]) == (["second", "spoken"], 2, ["spoken"])


def test_a_passphrase_is_asked_for_twice_and_not_shown(shell: Shell) -> None:
    with Terminal("vault", "slots", "add", "--passphrase", "--label", "spoken") as terminal:
        terminal.until("Passphrase: ")
        terminal.type("correct horse\n")
        terminal.until("Once more: ")
        terminal.type("correct horse\n")
        code = terminal.end()
    assert (code, "correct horse" in terminal.seen, labels(shell)[1:]) == (0, False, ["spoken"])


def test_two_passphrases_that_differ_add_nothing(shell: Shell) -> None:
    with Terminal("vault", "slots", "add", "--passphrase") as terminal:
        terminal.until("Passphrase: ")
        terminal.type("one\n")
        terminal.until("Once more: ")
        terminal.type("other\n")
        code = terminal.end()
    assert (code, len(labels(shell))) == (1, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("slots", "add"), "Give --passphrase,"),
        (("slots", "add", "--passphrase"), "no terminal to ask on"),
        (("slots", "add", "--passphrase-stdin"), "There is no passphrase"),
        (("slots", "add", "--passphrase", "--passphrase-stdin"), "One slot takes one credential"),
        (("rotate-root", "--passphrase", "--passphrase-stdin"), "given together"),
        (("slots", "add", "--key-file", "a", "--env", "B"), "One slot takes one credential"),
        (("slots", "add", "--keyring", "x"), "--keyring takes SERVICE/USER"),
        (("rekey",), "Say --yes if it is meant."),
        (("purge",), "Say --yes if it is meant."),
        (("retention", "--days", "3"), "Say --yes if it is meant."),
        (("retention", "--days", "3", "--keep-all"), "--keep-all goes without"),
        (("accounts", "add", "deploy"), "Give --out FILE for its key, or --reveal"),
        (("accounts", "grant", "deploy"), "Give --role or --permission"),
        (("accounts", "revoke", "deploy"), "Give --role or --permission"),
        (("move", "postgresql://me:hunter2@db/x"), "The address holds a password"),
        (("move", "postgresql://db/x?password=hunter2"), "The address holds a password"),
    ],
)
def test_what_is_not_meant_so_is_refused(shell: Shell, words: tuple[str, ...], told: str) -> None:
    done = shell.run("vault", *words)
    assert (done.code, told in done.err, "hunter2" in done.err) == (2, True, False)


def test_a_new_root_key_needs_the_names_of_what_is_dropped(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "slots", "add", "--key-file", "second.key", "--label", "second")
    first = labels(shell)[0]
    refused = shell.run("vault", "rotate-root", "--key-file", "second.key", "--yes")
    done = shell.ok("vault", "rotate-root", "--key-file", "second.key", "--drop", first, "--yes")
    assert (refused.code, [row[2] for row in done.rows]) == (1, ["second"])
    assert shell.run("get", "TOKEN", "--in", "vault").code == 1


def test_everything_is_encrypted_anew_and_still_there(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "rekey", "--yes")
    assert shell.value("TOKEN") == "v"


def test_an_account_gets_its_key_in_a_file_and_opens_the_vault_by_it(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok("vault", "accounts", "add", "deploy", "--role", "reader", "--out", "deploy.key")
    key = (shell.folder / "deploy.key").read_text().strip()
    mode = stat.S_IMODE((shell.folder / "deploy.key").stat().st_mode)
    shell.write('[connections.own]\nprovider = "local"\naccount_key = "file:deploy.key"\n')
    assert (mode, key in done.out + done.err, shell.value("TOKEN", "own")) == (0o600, False, "v")
    assert shell.run("delete", "TOKEN", "--in", "own", "--yes").code != 0


def test_an_account_whose_key_cannot_be_written_is_not_left(shell: Shell) -> None:
    done = shell.run("vault", "accounts", "add", "deploy", "--out", "no/where")
    assert (done.code, shell.ok("vault", "accounts", "list").rows) == (3, [])


def test_accounts_are_granted_revoked_listed_and_removed(shell: Shell) -> None:
    key = shell.ok("vault", "accounts", "add", "deploy", "--reveal", "--environment", "test").out
    shell.ok("vault", "accounts", "grant", "deploy", "--role", "reader", "--permission", "delete")
    granted = shell.ok("vault", "accounts", "list").rows
    shell.ok("vault", "accounts", "revoke", "deploy", "--role", "reader", "--permission", "delete")
    revoked = shell.ok("vault", "accounts", "list").rows
    shell.ok("vault", "accounts", "remove", "deploy", "--yes")
    assert key.startswith("sbk_")
    assert granted == [["deploy", "service", "reader", "delete", "test", ""]]
    assert (revoked, shell.ok("vault", "accounts", "list").rows) == (
        [["deploy", "service", "", "", "test", ""]],
        [],
    )


def test_older_versions_are_purged_and_the_retention_is_kept(shell: Shell) -> None:
    for value in "abc":
        shell.put("TOKEN", value)
    set_ = shell.ok("vault", "retention", "--versions", "2", "--yes").rows
    purged = shell.ok("vault", "purge", "TOKEN", "--older-versions", "--yes", "--json").json
    everything = shell.ok("vault", "retention", "--keep-all").rows
    assert (set_, purged["versions"], shell.value("TOKEN")) == ([["versions", "2"], ["days", "all"]], 2, "c")
    assert everything == shell.ok("vault", "retention").rows == [["versions", "all"], ["days", "all"]]


def test_environments_are_added_and_renamed(shell: Shell) -> None:
    shell.ok("vault", "environments", "add", "qa")
    renamed = shell.ok("vault", "environments", "rename", "qa", "acceptance").rows
    assert renamed[-1] == shell.ok("vault", "environments", "list").rows[-1] == ["acceptance"]


def test_an_added_environment_has_connections_like_any_other(shell: Shell) -> None:
    shell.ok("vault", "environments", "add", "qa")
    shell.write(
        '[connections.qa]\nprovider = "local"\nenvironment = "qa"\n'
        '[connections.none]\nprovider = "local"\nenvironment = "nowhere"\n'
    )
    shell.put("TOKEN", "v", store="qa")
    unknown = shell.run("list", "none")
    assert (shell.value("TOKEN", "qa"), shell.ok("list", "vault").rows, unknown.code) == ("v", [], 2)


def test_a_secret_is_shared_and_unshared(shell: Shell) -> None:
    shell.write('[connections.test]\nprovider = "local"\nenvironment = "test"\n')
    shell.put("TOKEN", "v")
    shell.ok("vault", "share", "TOKEN")
    shared = shell.value("TOKEN", "test")
    shell.ok("vault", "unshare", "TOKEN")
    shell.put("TOKEN", "w")
    assert (shared, shell.value("TOKEN", "test"), shell.value("TOKEN")) == ("v", "v", "w")


def test_a_vault_is_moved_to_a_new_file_once(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "move", "moved.db")
    assert (shell.run("vault", "move", "moved.db").code, (shell.folder / "moved.db").exists()) == (1, True)
