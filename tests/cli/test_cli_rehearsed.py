"""``--dry-run`` of what opens, forgets and goes on: it says what would be done, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cli_place import Services, Shell, Waiting, services, shell, waiting_as_prod

from secretbridge import _everywhere_run
from secretbridge.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["services", "shell"]

BOTH = ("--to", "prod-wix", "--to", "prod-insforge:OTHER")
FILES = '[connections.old]\nprovider = "jsonfile"\npath = "old.json"\n'
FILES += '[connections.new]\nprovider = "jsonfile"\npath = "new.json"\n'


@pytest.fixture(autouse=True)
def a_short_settle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_everywhere_run, "SETTLE", 0.05)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def trail(shell: Shell) -> str:
    return shell.ok("vault", "anchor").out


def slots(shell: Shell) -> list[list[str]]:
    return shell.ok("vault", "slots", "list").rows


@pytest.fixture
def two_slots(shell: Shell) -> list[list[str]]:
    shell.put("TOKEN", "v")
    shell.ok("vault", "slots", "add", "--key-file", "second.key", "--label", "second")
    return slots(shell)


def test_a_slot_is_not_removed_in_a_dry_run(shell: Shell, two_slots: list[list[str]]) -> None:
    before = trail(shell)
    done = shell.ok("vault", "slots", "remove", "second", "--dry-run")
    asked = shell.ok("vault", "slots", "remove", "2", "--dry-run", "--json").json
    assert done.err == "Dry run: would remove the slot 2 of vault (key file, second).\n"
    assert (asked["slots"][0]["label"], asked["dry_run"]) == ("second", True)
    assert (slots(shell), trail(shell)) == (two_slots, before)


def test_the_dry_run_of_removing_the_owners_last_slot_is_refused(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.run("vault", "slots", "remove", "1", "--dry-run")
    assert (done.code, "is the last one of the vault's owner" in done.err) == (1, True)


def test_a_new_root_key_is_not_made_in_a_dry_run(shell: Shell, two_slots: list[list[str]]) -> None:
    before, first = trail(shell), two_slots[0][2]
    words = ("vault", "rotate-root", "--key-file", "second.key", "--drop", first, "--dry-run")
    done = shell.ok(*words)
    asked = shell.ok(*words, "--json").json
    assert [row[2] for row in done.rows] == [one["label"] for one in asked["slots"]] == ["second"]
    assert done.err == "Dry run: vault would have a new root key, and these slots.\n"
    assert (asked["dry_run"], slots(shell), trail(shell)) == (True, two_slots, before)


def test_the_dry_run_of_a_root_key_finds_the_slots_that_nobody_named(
    shell: Shell, two_slots: list[list[str]]
) -> None:
    done = shell.run("vault", "rotate-root", "--key-file", "second.key", "--dry-run")
    assert (done.code, "drop slots whose credential is not given" in done.err) == (1, True)
    assert slots(shell) == two_slots


def test_a_retention_is_counted_before_it_is_set(shell: Shell) -> None:
    for value in ("one", "two", "three"):
        shell.put("TOKEN", value)
    before = trail(shell)
    done = shell.ok("vault", "retention", "--versions", "1", "--dry-run")
    asked = shell.ok("vault", "retention", "--versions", "2", "--dry-run", "--json").json
    all_kept = shell.ok("vault", "retention", "--keep-all", "--dry-run", "--json").json
    assert done.err == "Dry run: would not keep 2 older versions of this environment any more.\n"
    assert asked == {"vault": "vault", "versions": 2, "days": None, "dry_run": True, "would_go": 1}
    assert (all_kept["would_go"], trail(shell)) == (0, before)
    assert shell.ok("vault", "retention").rows == [["versions", "all"], ["days", "all"]]
    assert shell.run("vault", "retention", "--dry-run").code == 2


class Refusing(Waiting):
    """Takes no new secret."""

    def handle(self, method: str, *rest: Any) -> Any:
        if method == "POST":
            return Reply(400).as_reply()
        return super().handle(method, *rest)


@pytest.fixture
def incomplete(shell: Shell) -> Iterator[Refusing]:
    """What a migration of two secrets did not get into its target."""
    with waiting_as_prod(shell, Refusing(), FILES) as prod:
        for name in ("A", "B"):
            shell.put(name, "v", store="old")
        assert shell.run("migrate", "old", "prod", "--yes").code == 1
        yield prod


def test_what_resume_would_do_is_said_by_the_journal(shell: Shell, incomplete: Refusing) -> None:
    before, calls = shell.ok("runs", "--json").json, list(incomplete.calls)
    run = before["runs"][0]["id"]
    done = shell.ok("resume", run, "--dry-run")
    asked = shell.ok("resume", run, "--dry-run", "--json").json
    assert [row[:2] for row in done.rows] == [["write", "A"], ["write", "B"]]
    assert [(row["secret"], row["what"], row["store"]) for row in asked["secrets"]] == [
        ("A", "write", None),
        ("B", "write", None),
    ]
    assert (asked["deletes_source"], incomplete.calls) == (False, calls)
    assert shell.ok("runs", "--json").json == before


def test_a_migration_that_is_not_done_is_listed_with_the_command_that_goes_on(
    shell: Shell, incomplete: Refusing
) -> None:
    calls, run = list(incomplete.calls), shell.ok("runs", "--json").json["runs"][0]["id"]
    assert (shell.ok("runs").err, incomplete.calls) == (
        f"To go on: secretbridge resume {run} SOURCE TARGET\n",
        calls,
    )


def test_a_source_that_would_be_deleted_is_told(shell: Shell) -> None:
    with waiting_as_prod(shell, Refusing(), FILES):
        shell.put("A", "v", store="old")
        shell.run("migrate", "old", "prod", "--yes", "--delete-source")
        run = shell.ok("runs").rows[0][0]
        done = shell.ok("resume", run, "--dry-run")
        asked = shell.ok("resume", run, "--dry-run", "--json").json
    told = "Dry run: would then delete at the source what was written and is verified.\n"
    assert (done.err, asked["deletes_source"]) == (told, True)


def moved(shell: Shell, *options: str) -> str:
    shell.write(FILES)
    shell.put("TOKEN", "v", store="old")
    shell.ok("migrate", "old", "new", "--yes", *options)
    return str(shell.ok("runs").rows[0][0])


def test_of_a_run_that_is_done_nothing_is_left(shell: Shell) -> None:
    run = moved(shell)
    assert shell.ok("resume", run, "--dry-run").err == f"Dry run: nothing is left to do in the run {run}.\n"


def test_a_run_that_was_taken_back_is_not_gone_on_with(shell: Shell) -> None:
    run = moved(shell)
    shell.ok("undo", run, "new", "--yes", "--accept", "unseen")
    done = shell.run("resume", run, "--dry-run")
    assert (done.code, done.err.splitlines()[1]) == (2, "Why: It is being taken back, or was.")


def test_of_a_change_in_several_stores_each_store_is_named(shell: Shell, services: Services) -> None:
    services.wix.seed("TOKEN", "old")
    services.insforge.seed("OTHER", "old")
    services.insforge.script(Reply(503), Reply(503))
    run = shell.run("update", "TOKEN", *BOTH, "--stdin", "--json", stdin="new").json["run"]
    before = shell.ok("runs", "--json").json
    done = shell.ok("resume", run, "--dry-run")
    asked = shell.ok("resume", run, "--dry-run", "--json").json
    why = "whether it was written is looked at first"
    assert done.rows == [["look", "prod-wix", why], ["look", "prod-insforge", why]]
    assert [(row["secret"], row["store"]) for row in asked["secrets"]] == [
        ("TOKEN", "prod-wix"),
        ("TOKEN", "prod-insforge"),
    ]
    assert shell.ok("runs", "--json").json == before
    shell.ok("resume", run)
    assert shell.ok("resume", run, "--dry-run").err == f"Dry run: nothing is left to do in the run {run}.\n"


def test_of_a_rotation_it_says_what_is_left(shell: Shell) -> None:
    shell.write(FILES)
    shell.put("TOKEN", "old-1", store="old")
    words = ("--to", "old", "--obtain", "printf new-1", "--revoke", "false", "--yes")
    assert shell.run("rotate", "TOKEN", *words).code == 3
    run = shell.ok("runs").rows[0][0]
    before = files(shell.folder)
    done = shell.ok("resume", run, "--dry-run")
    assert done.err == (
        "Dry run: would write the new token, and revoke the old one, as far as that is not done yet.\n"
    )
    assert files(shell.folder) == before
    shell.ok("forget", run, "--yes")
    given_up = shell.run("resume", run, "--dry-run")
    assert (given_up.code, given_up.err.splitlines()[1]) == (1, "Why: It was given up.")


def test_a_run_that_somebody_works_on_is_not_gone_on_with(shell: Shell, monkeypatch: Any) -> None:
    seen = []

    class Asking(Waiting):
        def handle(self, method: str, *rest: Any) -> Any:
            if method == self.method:
                run = shell.ok("runs").rows[0][0]
                seen.append(shell.run("resume", run, "--dry-run"))
            self.answers.set()
            return super().handle(method, *rest)

    with waiting_as_prod(shell, Asking(), FILES) as prod:
        prod.seed("TOKEN", "old-1")
        shell.put("TOKEN", "old-1", store="old")
        shell.ok("update", "TOKEN", "--to", "prod", "--to", "old", "--stdin", stdin="new-1")
    assert [(one.code, one.err.splitlines()[1]) for one in seen] == [
        (1, "Why: Another process works on it at this moment.")
    ]
