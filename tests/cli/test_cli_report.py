"""A migration shows on a terminal how far it is, and is reported afterwards."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from canary_marks import VALUE, found_in
from cli_documents import models
from cli_place import Shell, shell
from cli_terminal import Terminal

from secretbridge.testing import InsForgeStandIn, Reply, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing import StandInReply

__all__ = ["shell"]

FILES = """
[connections.old]
provider = "dotenv"
path = "old.env"

[connections.new]
provider = "dotenv"
path = "new.env"
"""
#: What hides the cursor of a terminal; nothing brings it back if the process is killed then.
HIDDEN = "\x1b[?25l"
#: What takes away the line that was written last.
TAKEN_AWAY = "\x1b[1A\x1b[2K"


@pytest.fixture
def files(shell: Shell) -> Shell:
    shell.write(FILES)
    shell.write("A=1\nB=2\nC=3\n", "old.env")
    return shell


@pytest.fixture
def vendor(files: Shell) -> Iterator[InsForgeStandIn]:
    """A store with a rate that makes six secrets take a second."""
    standin = InsForgeStandIn()
    files.monkeypatch.setenv("KEY", standin.api_key)
    files.write("".join(f"KEY_{n}={VALUE}\n" for n in range(6)), "old.env")
    with standin.serve() as address:
        files.write(
            f'{FILES}[connections.prod]\nprovider = "insforge"\nbase_url = "{address}"\napi_key = "env:KEY"\n'
            "pace = 1200\n"
        )
        yield standin


def migrated(shell: Shell, *options: str) -> str:
    shell.ok("migrate", "old", "new", "--yes", *options)
    return str(shell.ok("runs", *options[-2:] if "--journal" in options else ()).rows[0][0])


def test_the_last_run_is_reported_as_markdown(files: Shell) -> None:
    run = migrated(files)
    done = files.ok("report")
    assert done.out.startswith(f"# Migration {run}\n")
    assert "| 3 | written |" in done.out
    assert f"`secretbridge undo {run} TARGET`" in done.out


def test_json_is_the_documented_document_in_both_ways(files: Shell) -> None:
    run = migrated(files)
    told = [files.ok("report", run, *way).json for way in (("--json",), ("--format", "json"))]
    files.ok("report", run, "--out", "r.json")
    told.append(json.loads((files.folder / "r.json").read_text()))
    model = models()["report"]
    for one in told:
        model.model_validate(one)
        one["made_at"] = ""
    assert told[0] == told[1] == told[2]
    assert (told[0]["format"], told[0]["version"], told[0]["run"]["id"]) == ("secretbridge-report", 1, run)


@pytest.mark.parametrize(
    ("file", "options", "begins"),
    [
        ("r.html", (), "<!DOCTYPE html>"),
        ("r.md", (), "# Migration"),
        ("r.txt", (), "# Migration"),
        ("r.txt", ("--format", "html"), "<!DOCTYPE html>"),
    ],
)
def test_a_file_is_ones_own_and_in_the_format_of_its_ending(
    files: Shell, file: str, options: tuple[str, ...], begins: str
) -> None:
    run = migrated(files)
    done = files.ok("report", "--out", file, *options)
    path = files.folder / file
    assert (path.read_text().startswith(begins), stat.S_IMODE(path.stat().st_mode)) == (True, 0o600)
    assert (done.out, done.err) == ("", f"Wrote the report of the run {run} into {file}.\n")


def test_a_file_that_is_there_is_replaced_only_when_asked(files: Shell) -> None:
    migrated(files)
    files.write("mine", "r.md", 0o644)
    refused = files.run("report", "--out", "r.md")
    kept = (files.folder / "r.md").read_text()
    done = files.ok("report", "--out", "r.md", "--overwrite", "--json")
    mode = stat.S_IMODE((files.folder / "r.md").stat().st_mode)
    assert (refused.code, kept, mode, done.json["version"]) == (1, "mine", 0o600, 1)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("report",), 1, "There is no run in"),
        (("report", "20260101-000000-x"), 1, "There is no journal"),
        (("report", "../x"), 2, "RUN] takes the id of a run"),
        (("report", "--format", "pdf"), 2, "--format takes one of json, markdown, html"),
        (("report", "--format", "html", "--json"), 2, "give one of them"),
        (("report", "--overwrite"), 2, "--overwrite belongs to --out"),
        (("report", "--journal", "/dev/null"), 2, "--journal"),
        (("migrate", "old", "new", "--yes", "--accept-unverifiable"), 2, "belongs to --delete-source"),
    ],
)
def test_what_cannot_be_reported_is_told(files: Shell, words: tuple[str, ...], code: int, told: str) -> None:
    done = files.run(*words)
    assert (done.code, told in done.err, "Traceback" in done.err) == (code, True, False), done.err


def test_a_journal_elsewhere_is_named_in_what_is_said_and_serves_every_command(files: Shell) -> None:
    place = ("--journal", "my runs")
    done = files.ok("migrate", "old", "new", "--yes", "--no-undo", *place)
    run = str(files.ok("runs", *place).rows[0][0])
    nothing = files.ok("runs").rows
    report = files.ok("report", *place).out
    again = files.ok("resume", run, "old", "new", *place)
    back = files.run("undo", run, "new", "--yes", *place)
    taken = files.ok("undo", run, "new", "--yes", "--accept", "unseen", *place)
    assert f"secretbridge undo {run} new --journal 'my runs'" in done.err
    assert f"undo {run} TARGET --journal '{files.folder / 'my runs'}'" in report
    assert f"secretbridge undo {run} new --journal 'my runs' --accept unseen takes it back too." in back.err
    assert (nothing, len(again.rows), {row[0] for row in taken.rows}) == ([], 3, {"undone"})


def test_the_source_is_deleted_only_when_that_is_asked_and_all_was_read_back(files: Shell) -> None:
    with Terminal("migrate", "old", "new", "--delete-source") as terminal:
        terminal.until(
            "This writes 3 secrets into new, and deletes them in old once all are verified. Go on? [y/N] "
        )
        terminal.type("y\n")
        code = terminal.end()
    left = (files.folder / "old.env").read_text().split()
    assert (code, left, "To take it back" in terminal.seen) == (0, [], False)
    assert files.ok("report", "--json").json["totals"]["secrets"]["source_deleted"] == 3


class Refusing(InsForgeStandIn):
    """Refuses one name."""

    def handle(self, method: str, *rest: Any) -> StandInReply:
        if method == "POST" and b'"KEY_1"' in rest[-1]:
            return Reply(400, {"message": "no", "statusCode": 400}).as_reply()
        return super().handle(method, *rest)


@pytest.mark.parametrize(
    ("options", "states"), [((), {"done", "failed"}), (("--stop-on-error",), {"done", "failed", "pending"})]
)
def test_a_run_stops_at_the_first_failure_if_it_is_told_to(
    files: Shell, options: tuple[str, ...], states: set[str]
) -> None:
    standin = Refusing()
    files.monkeypatch.setenv("KEY", standin.api_key)
    files.write("".join(f"KEY_{n}=v\n" for n in range(90)), "old.env")
    with standin.serve() as address:
        files.write(
            f'{FILES}[connections.prod]\nprovider = "insforge"\nbase_url = "{address}"\napi_key = "env:KEY"\n'
        )
        done = files.run("migrate", "old", "prod", "--yes", *options)
        again = files.run("resume", files.ok("runs").rows[0][0], "old", "prod", *options)
    assert (done.code, {row[0] for row in done.rows}) == (3, states)
    assert {row[0] for row in again.rows} == states


def test_on_a_terminal_it_shows_what_is_done_and_what_it_waits_for(
    files: Shell, vendor: InsForgeStandIn
) -> None:
    with Terminal("migrate", "old", "prod", "--yes") as terminal:
        terminal.until("of 6 done")
        terminal.until("waiting for the limit of the target")
        code = terminal.end()
    assert (code, "Migrating: 6 of 6 done, in " in terminal.seen) == (0, True)
    assert (HIDDEN in terminal.seen, found_in(terminal.seen)) == (False, [])


def test_a_plan_shows_how_far_it_is(files: Shell) -> None:
    wix = WixStandIn()
    for number in range(12):
        wix.seed(f"KEY_{number}", VALUE)
    files.monkeypatch.setenv("KEY", wix.api_key)
    with wix.serve() as address:
        files.write(
            f'{FILES}[connections.wix]\nprovider = "wix"\nsite_id = "{wix.site_id}"\napi_key = "env:KEY"\n'
            f'base_url = "{address}"\npace = 900\n'
        )
        with Terminal("plan", "wix", "new") as terminal:
            terminal.until("Comparing")
            terminal.until("waiting for the limit of the source")
            code = terminal.end()
    assert (code, HIDDEN in terminal.seen, found_in(terminal.seen)) == (0, False, [])


def test_ctrl_c_leaves_the_terminal_as_it_was(files: Shell, vendor: InsForgeStandIn) -> None:
    with Terminal("migrate", "old", "prod", "--yes") as terminal:
        terminal.until("waiting for the limit of the target")
        terminal.type("\x03")
        code = terminal.end()
    after = terminal.seen.rpartition(TAKEN_AWAY)[2]
    assert (code, "Error: Interrupted" in after, "Migrating:" in after) == (130, True, False)
    assert [row[1] for row in files.ok("runs").rows] == ["interrupted"]
    assert "interrupted" in files.ok("report").out


@pytest.mark.parametrize(
    ("options", "term"),
    [(("--quiet",), "xterm"), (("--json",), "xterm"), ((), "dumb")],
)
def test_it_is_quiet_when_asked_and_draws_only_where_that_can_be_drawn(
    files: Shell, options: tuple[str, ...], term: str
) -> None:
    with Terminal("migrate", "old", "new", "--yes", *options, TERM=term) as terminal:
        code = terminal.end()
    assert (code, "\u2501" in terminal.seen, "Migrating:" in terminal.seen) == (0, False, False)


def test_without_a_terminal_a_short_run_says_nothing_of_how_far_it_is(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--yes")
    assert "Migrating:" not in done.err


@pytest.mark.parametrize(
    "words", [("runs",), ("report",), ("resume", "RUN", "a", "b"), ("undo", "RUN", "b", "--yes")]
)
def test_a_folder_of_journals_that_is_not_there_is_refused_and_not_made(
    shell: Shell, words: tuple[str, ...]
) -> None:
    done = shell.run(*words, "--journal", "mistyped")
    assert (done.code, (shell.folder / "mistyped").exists()) == (2, False)
    assert "Error: --journal names no folder, so nothing was begun with a journal there." in done.err
