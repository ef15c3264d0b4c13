"""``sync``: again, only what has changed."""

from __future__ import annotations

import pytest
from cli_place import Shell, shell

__all__ = ["shell"]


@pytest.fixture
def files(shell: Shell) -> Shell:
    shell.write(
        '[connections.old]\nprovider = "dotenv"\npath = "old.env"\n'
        '[connections.new]\nprovider = "dotenv"\npath = "new.env"\n'
    )
    shell.write("A=1\nB=2\n", "old.env")
    shell.write("B=9\n", "new.env")
    return shell


def content(shell: Shell) -> set[str]:
    return set((shell.folder / "new.env").read_text().split())


def test_the_target_becomes_what_the_source_is_and_a_second_time_nothing_is_done(files: Shell) -> None:
    first = files.ok("sync", "old", "new", "--yes")
    again = files.ok("sync", "old", "new", "--yes")
    assert ({row[1] for row in first.rows}, again.rows, content(files)) == ({"A", "B"}, [], {"A=1", "B=2"})


def test_what_the_source_has_no_more_is_pruned_if_that_is_wanted(files: Shell) -> None:
    files.ok("sync", "old", "new", "--yes")
    files.write("B=2\n", "old.env")
    files.ok("sync", "old", "new", "--yes")
    kept = content(files)
    pruned = files.ok("sync", "old", "new", "--prune", "--yes", "--json").json["run"]["pruned"]
    assert (kept, len(pruned), content(files)) == ({"A=1", "B=2"}, 1, {"B=2"})


def test_what_was_changed_by_somebody_else_is_not_said_to_be_deleted(files: Shell) -> None:
    files.ok("sync", "old", "new", "--yes")
    files.write("B=2\n", "old.env")
    files.write("A=other\nB=2\n", "new.env")
    done = files.ok("sync", "old", "new", "--prune", "--yes")
    said = "There is nothing to do: 1 skipped.\nLeft at new, for it may have been changed since: A.\n"
    assert (done.err, content(files)) == (said, {"A=other", "B=2"})


def test_what_could_not_be_deleted_is_a_failure(files: Shell) -> None:
    files.ok("sync", "old", "new", "--yes")
    files.write("B=2\n", "old.env")
    done = files.run("sync", "old", "new", "--prune", "--yes", "--no-undo")  # the run began with a vault
    assert (done.code, "Not all that was to be deleted at new was." in done.err) == (1, True)
    assert content(files) == {"A=1", "B=2"}


def test_a_dry_run_shows_what_would_be_written(files: Shell) -> None:
    done = files.ok("sync", "old", "new", "--dry-run")
    told = files.ok("sync", "old", "new", "--dry-run", "--json").json
    assert [row[:2] for row in done.rows] == [["create", "A"], ["update", "B"]]
    assert (told["run"], told["plan"]["counts"]["update"], content(files)) == (None, 1, {"B=9"})


def test_a_dry_run_says_what_would_be_pruned(files: Shell) -> None:
    files.ok("sync", "old", "new", "--prune", "--yes")
    none = files.ok("sync", "old", "new", "--prune", "--dry-run")
    files.write("B=2\n", "old.env")
    done = files.ok("sync", "old", "new", "--prune", "--dry-run")
    told = files.ok("sync", "old", "new", "--prune", "--dry-run", "--json").json
    assert none.err.splitlines()[-1] == "Dry run: would delete nothing at new."
    # A file shows no sign of a change: the sync reads the value, and so is sure.
    said = "Dry run: would look at, and delete unless it was changed since, 'A' at new."
    assert (done.err.splitlines()[-1], content(files)) == (said, {"A=1", "B=2"})
    assert [(row["secret"], row["what"]) for row in told["prunes"]] == [("A", "look")]


def test_a_dry_run_tells_what_was_changed_since_from_what_was_not(files: Shell) -> None:
    files.write(
        '[connections.old]\nprovider = "dotenv"\npath = "old.env"\n'
        '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n'
    )
    files.write("A=1\nB=2\nC=3\n", "old.env")
    files.ok("sync", "old", "team", "--yes")
    files.put("B", "other", store="team")
    files.ok("delete", "C", "--in", "team", "--yes")
    files.write("D=4\n", "old.env")
    done = files.ok("sync", "old", "team", "--prune", "--dry-run")
    assert done.err.splitlines()[-2:] == [
        "Dry run: would delete 'A' at team.",
        "Dry run: would leave, for it was changed since, 'B' at team.",
    ]
    files.ok("sync", "old", "team", "--prune", "--yes")
    assert {row[0] for row in files.ok("list", "team").rows} == {"B", "D"}


def test_it_needs_consent_where_there_is_no_terminal(files: Shell) -> None:
    done = files.run("sync", "old", "new", "--prune")
    assert (done.code, "This replaces what differs in new by what is in old." in done.err) == (2, True)
    assert content(files) == {"B=9"}


def test_what_is_refused_ends_with_five_and_writes_nothing(files: Shell) -> None:
    files.put("A", "v", "--expires-at", "9d")
    done = files.run("sync", "vault", "new", "--yes")
    assert (done.code, content(files)) == (5, {"B=9"})
    files.ok("sync", "vault", "new", "--accept", "expiry", "--yes")
    assert content(files) == {"A=v", "B=9"}
