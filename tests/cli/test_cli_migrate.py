"""Plan, migrate, resume and undo, as somebody does them who has nothing but the command line."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cli_place import Services, Shell, Waiting, services, shell, waiting_as_prod
from cli_terminal import Terminal

from secretbridge.testing import InsForgeStandIn, Refused, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing import StandInReply

__all__ = ["services", "shell"]

FILES = """
[connections.old]
provider = "dotenv"
path = "old.env"

[connections.new]
provider = "dotenv"
path = "new.env"

[connections.spare]
provider = "local"
environment = "test"
"""


@pytest.fixture
def files(shell: Shell) -> Shell:
    shell.write(FILES)
    shell.write("A=1\nB=2\nC=3\n", "old.env")
    shell.write("B=9\n", "new.env")
    return shell


def run_id(shell: Shell) -> str:
    return str(shell.ok("runs").rows[0][0])


def content(shell: Shell, file: str = "new.env") -> set[str]:
    return set((shell.folder / file).read_text().split())


def test_a_plan_says_what_is_done_and_ends_with_five_where_something_is_refused(files: Shell) -> None:
    done = files.run("plan", "old", "new")
    assert (done.code, [row[:2] for row in done.rows]) == (
        5,
        [["refuse", "B"], ["create", "A"], ["create", "C"]],
    )
    assert "choose --on-conflict update" in done.out
    assert "2 to create, 0 to update, 0 to skip, 1 to refuse." in done.err
    assert content(files) == {"B=9"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--select", "A", "--prefix", "X_"), ["A -> X_A"]),
        (("--exclude", "B", "--rename", "A=ONE", "--rename", "C=D=E"), ["A -> ONE", "C=D -> E"]),
        (("--exclude", "B", "--rename", "OLD_{name}"), ["A -> OLD_A", "C -> OLD_C"]),
        (("--exclude", "B", "--case", "lower"), ["A -> a", "C -> c"]),
        (("--rules", "rules.toml", "--prefix", "Y_"), ["C -> Y_C"]),
    ],
)
def test_the_rules_are_options_or_a_file(files: Shell, options: tuple[str, ...], names: list[str]) -> None:
    files.write('select = ["C"]\nprefix = "X_"\n', "rules.toml")
    done = files.run("plan", "old", "new", *options)
    told = [row[1] for row in done.rows]
    if "C=D=E" in options:  # the last = counts, and there is no such name
        assert (done.code, "speaks of 'C=D'" in done.err) == (2, True)
    else:
        assert (done.code, told) == (0, names)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "old", "new", "--rename", "A"), "--rename takes OLD=NEW"),
        (("plan", "old", "new", "--rename", "A=B", "--rename", "A=C"), "--rename takes OLD=NEW"),
        (("plan", "old", "old"), "are the same store"),
        (("plan", "old", "new", "--select", "NOPE"), "--select: 'NOPE' selects nothing"),
        (("plan", "old", "new", "--accept", "nonsense"), "--accept takes one of description"),
        (("migrate", "old", "new", "--plan", "x", "--select", "A"), "--plan holds the rules already"),
        (("migrate", "old", "new", "--plan", "x"), "The file of the plan could not be read."),
        (("migrate", "old", "new", "--plan", "latin.json"), "it is not UTF-8"),
        (("migrate", "old", "new", "--plan", "old.env"), "Could not take up the plan"),
        (("migrate", "old", "new", "--vault", "old"), "--vault names one of the stores"),
        (("migrate", "old", "new", "--vault", "spare", "--no-undo"), "given together"),
        (("migrate", "old", "new", "--on-conflict", "update"), "Say --yes if it is meant."),
        (("undo", "../x", "new", "--yes"), "RUN takes the id of a run"),
    ],
)
def test_what_is_not_meant_so_is_refused(files: Shell, words: tuple[str, ...], told: str) -> None:
    (files.folder / "latin.json").write_bytes(b"\xe4")
    done = files.run(*words)
    assert (done.code, told in done.err, content(files)) == (2, True, {"B=9"}), done.err


def test_a_plan_is_written_looked_at_and_carried_out(files: Shell) -> None:
    told = files.ok("plan", "old", "new", "--on-conflict", "update", "--out", "plan.json", "--json").json
    mode = stat.S_IMODE((files.folder / "plan.json").stat().st_mode)
    done = files.ok("migrate", "old", "new", "--plan", "plan.json", "--yes")
    assert (told["counts"]["update"], told["file"], mode) == (1, "plan.json", 0o600)
    assert [row[:3] for row in done.rows] == [["done", name, "verified"] for name in "ABC"]
    assert content(files) == {"A=1", "B=2", "C=3"}


def test_a_plan_does_not_replace_a_file(files: Shell) -> None:
    done = files.run("plan", "old", "new", "--on-conflict", "skip", "--out", "old.env")
    missing = files.run("plan", "old", "new", "--on-conflict", "skip", "--out", "no/where")
    assert (done.code, missing.code, content(files, "old.env")) == (1, 1, {"A=1", "B=2", "C=3"})


def test_a_plan_that_is_stale_is_refused(files: Shell) -> None:
    files.ok("plan", "old", "new", "--on-conflict", "update", "--out", "plan.json")
    files.put("D", "4", store="new")
    files.put("A", "4", store="new")
    done = files.run("migrate", "old", "new", "--plan", "plan.json", "--yes")
    assert (done.code, "; nothing was changed." in done.err, content(files)) == (
        5,
        True,
        {"B=9", "D=4", "A=4"},
    )


def test_what_is_refused_stops_all_of_it_unless_it_is_left_behind(files: Shell) -> None:
    refused = files.run("migrate", "old", "new", "--yes")
    left = files.ok("migrate", "old", "new", "--yes", "--skip-refused")
    assert (refused.code, [row[0] for row in left.rows]) == (5, ["done", "done"])
    assert content(files) == {"A=1", "B=9", "C=3"}


def test_a_dry_run_changes_nothing_and_keeps_no_journal(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--on-conflict", "update", "--dry-run", "--json").json
    assert (done["run"], done["plan"]["counts"]["create"], files.ok("runs").rows) == (None, 2, [])
    assert files.run("migrate", "old", "new", "--dry-run").code == 5
    assert content(files) == {"B=9"}


def test_where_nothing_is_to_be_done_nothing_is_asked(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--select", "B", "--on-conflict", "skip")
    assert ("There is nothing to do." in done.err, files.ok("runs").rows) == (True, [])


def test_a_run_is_taken_back_with_the_vault_that_kept_its_values(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--on-conflict", "update", "--yes")
    run = run_id(files)
    asked = files.run("undo", run, "new")
    back = files.ok("undo", run, "new", "--yes")
    assert f"To take it back: secretbridge undo {run} new\n" in done.err
    assert (asked.code, [row[0] for row in back.rows], content(files)) == (2, ["undone"] * 3, {"B=9"})
    assert files.ok("runs").rows[0][1] == "undone"


def test_another_vault_can_keep_them_and_is_named_again(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--on-conflict", "update", "--yes", "--vault", "spare")
    run = run_id(files)
    back = files.ok("undo", run, "new", "--yes", "--vault", "spare")
    assert f"secretbridge undo {run} new --vault spare" in done.err
    assert ([row[0] for row in back.rows], content(files)) == (["undone"] * 3, {"B=9"})


def test_without_kept_values_it_says_that_undo_will_not_restore(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--on-conflict", "update", "--yes", "--no-undo")
    back = files.run("undo", run_id(files), "new", "--yes", "--accept", "unseen")
    assert "undo will not restore the 1 updated." in done.err
    assert (back.code, sorted(row[0] for row in back.rows)) == (3, ["done", "undone", "undone"])
    assert content(files) == {"B=2"}


def test_what_a_vault_keeps_of_runs_is_not_migrated(files: Shell) -> None:
    files.ok("migrate", "old", "new", "--on-conflict", "update", "--yes")
    files.put("OWN", "v")
    done = files.ok("plan", "vault", "new")
    assert [row[:2] for row in done.rows] == [["create", "OWN"]]
    assert "in which the vault keeps earlier runs." in done.err


def test_the_embedded_vault_keeps_nothing_of_a_migration_of_its_own(files: Shell) -> None:
    files.put("B", "3")
    done = files.ok("migrate", "vault", "new", "--on-conflict", "update", "--accept", "versions", "--yes")
    assert ("No replaced value is kept" in done.err, len(files.ok("list", "vault").rows)) == (True, 1)


@pytest.fixture
def moving(shell: Shell, services: Services) -> Services:
    shell.write("A=1\nB=2\n", "old.env")
    file = shell.folder / "secretbridge.toml"
    file.write_text(file.read_text() + FILES)
    return services


def test_a_store_that_is_gone_lets_nothing_begin(shell: Shell, moving: Services) -> None:
    moving.insforge.script(Refused(), Refused(), Refused(), Refused())
    done = shell.run("migrate", "old", "prod-insforge", "--yes")
    assert (done.code, shell.ok("runs").rows, "Traceback" in done.err) == (1, [], False)


def test_io_net_as_a_source_needs_the_values_from_elsewhere(shell: Shell, moving: Services) -> None:
    moving.ionet.seed("A", "1")
    refused = shell.run("plan", "prod-ionet", "new")
    taken = shell.ok("migrate", "prod-ionet", "new", "--values-from", "old", "--yes")
    assert (refused.code, "--values-from" in refused.err, len(taken.rows)) == (2, True, 1)
    assert content(shell) == {"A=1"}


def test_on_a_terminal_it_shows_the_plan_and_asks(files: Shell) -> None:
    with Terminal("migrate", "old", "new", "--exclude", "B") as terminal:
        shown = terminal.until("This writes 2 secrets into new. Go on? [y/N] ")
        terminal.type("y\n")
        code = terminal.end()
    assert (code, "why and what is lost" in shown, content(files)) == (0, True, {"A=1", "B=9", "C=3"})
    assert "2 of 2" in terminal.seen


class Creating(Waiting):
    """Keeps back the answer to what is created; or refuses the first."""

    method = "POST"

    def __init__(self) -> None:
        super().__init__()
        self.refusing = False

    def handle(self, method: str, *rest: Any) -> StandInReply:
        if method == "POST" and self.refusing:
            self.refusing = False
            return Reply(400, {"message": "no", "statusCode": 400}).as_reply()
        return super().handle(method, *rest)


@pytest.fixture
def waiting(files: Shell) -> Iterator[Creating]:
    # An interrupted run waits for the answers that are under way.
    with waiting_as_prod(files, Creating(), FILES, "timeout = 3\n") as standin:
        yield standin


def test_a_run_that_did_a_part_ends_with_three_and_is_gone_on_with(files: Shell, waiting: Creating) -> None:
    waiting.answers.set()
    waiting.refusing = True
    done = files.run("migrate", "old", "prod", "--yes")
    run = run_id(files)
    back = files.ok("undo", run, "prod", "--dry-run").rows  # what failed is not there to be taken back
    again = files.ok("resume", run, "old", "prod", "--json").json
    assert (done.code, f"secretbridge resume {run} old prod goes on;" in done.err) == (3, True)
    assert sorted(row[0] for row in done.rows) == ["done", "done", "failed"]
    assert [row[0] for row in back] == ["delete", "delete"]
    assert (again["state"], again["counts"]) == ("done", {"done": 3})


@pytest.mark.parametrize("verb", ["migrate", "sync"])
def test_ctrl_c_says_how_to_resume_and_so_it_goes_on(files: Shell, waiting: Creating, verb: str) -> None:
    with Terminal(verb, "old", "prod", "--yes") as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        code = terminal.end()
    waiting.answers.set()
    run = run_id(files)
    (told,) = [line for line in terminal.seen.splitlines() if line.startswith("Do: ")]
    state = files.ok("runs").rows[0][1]
    command = told.removeprefix("Do: secretbridge ").partition(" goes on;")[0]
    done = files.ok(*command.split(), "--json").json
    assert (code, command, state) == (130, f"resume {run} old prod", "interrupted")
    assert (done["state"], {one.name: one.value for one in map(waiting.secret, "ABC")}) == (
        "done",
        {"A": "1", "B": "2", "C": "3"},
    )


class Listing(Waiting):
    """Keeps back the answer to what is asked for, as long as it holds."""

    method = "GET"
    holds = True

    def handle(self, method: str, *rest: Any) -> StandInReply:
        return super().handle(method, *rest) if self.holds else InsForgeStandIn.handle(self, method, *rest)


def test_ctrl_c_while_a_sync_looks_says_that_nothing_was_changed(files: Shell) -> None:
    with (
        waiting_as_prod(files, Listing(), FILES) as standin,
        Terminal("sync", "old", "prod", "--yes") as terminal,
    ):
        assert standin.arrived.wait(60)
        terminal.type("\x03")
        terminal.until("Stopping: ")
        standin.answers.set()
        code = terminal.end()
    assert (code, "Error: Interrupted; nothing was changed." in terminal.seen) == (130, True)
    made = {"A", "B", "C"} & {one.name for one in standin.secrets}
    assert (files.ok("runs").rows, made) == ([], set())


def test_ctrl_c_before_a_run_is_begun_says_that_nothing_was_changed(files: Shell) -> None:
    with (
        waiting_as_prod(files, Listing(), FILES) as standin,
        Terminal("migrate", "old", "prod") as terminal,
    ):
        standin.holds = False
        terminal.until("[y/N] ")
        standin.holds = True
        terminal.type("y\n")
        assert standin.arrived.wait(60)
        terminal.type("\x03")
        terminal.until("Stopping: ")
        standin.answers.set()
        code = terminal.end()
    assert (code, "Error: Interrupted; nothing was changed." in terminal.seen) == (130, True)
    assert files.ok("runs").rows == []


class Unlisted(Waiting):
    """Lists nothing any more when three values have been read back."""

    method = ""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def handle(self, method: str, raw_path: bytes | str, *rest: Any) -> StandInReply:
        path = raw_path.decode() if isinstance(raw_path, bytes) else raw_path
        if method == "GET" and path.count("/") == 3:
            self.told.add(path)
        if method == "GET" and path.count("/") == 2 and len(self.told) == 3:
            return Reply(503, {"error": "X", "message": "m", "statusCode": 503}).as_reply()
        return super().handle(method, raw_path, *rest)


def test_a_target_that_goes_away_after_the_run_does_not_make_a_failure_of_it(files: Shell) -> None:
    with waiting_as_prod(files, Unlisted(), FILES, "retry = { attempts = 1 }\n") as standin:
        done = files.ok("migrate", "old", "prod", "--no-undo", "--yes")
        listed = files.run("list", "prod")
    assert done.err.splitlines()[-1] == f"To take it back: secretbridge undo {run_id(files)} prod"
    assert (listed.code, {standin.secret(name).value for name in "ABC"}) == (1, {"1", "2", "3"})


def test_a_second_ctrl_c_leaves_at_once_and_the_run_can_be_gone_on_with(
    files: Shell, waiting: Creating
) -> None:
    with Terminal("migrate", "old", "prod", "--yes") as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        terminal.until("Stopping: requests under way come to their end. Ctrl-C once more leaves at once.")
        terminal.type("\x03")
        code = terminal.end()
    waiting.answers.set()
    back = files.ok("undo", run_id(files), "prod", "--dry-run").rows
    assert {(row[0], row[2]) for row in back} == {("look", "whether it was written is looked at first")}
    assert (code, "secretbridge resume RUN old prod goes on." in terminal.seen) == (130, True)
    assert files.ok("resume", run_id(files), "old", "prod", "--json").json["state"] == "done"


def test_ctrl_c_at_the_question_changes_nothing(files: Shell) -> None:
    with Terminal("migrate", "old", "new", "--exclude", "B") as terminal:
        terminal.until("[y/N] ")
        terminal.type("\x03")
        code = terminal.end()
    assert (code, "Interrupted; nothing was changed." in terminal.seen, files.ok("runs").rows) == (
        130,
        True,
        [],
    )


def test_the_runs_are_offered_by_completion(files: Shell) -> None:
    files.ok("migrate", "old", "new", "--exclude", "B", "--yes")
    asked = {"_SECRETBRIDGE_COMPLETE": "zsh_complete", "COMP_WORDS": "secretbridge undo ", "COMP_CWORD": "2"}
    assert run_id(files) in files.process(environment=asked).out


def test_a_run_is_json_too(files: Shell) -> None:
    told = files.ok("migrate", "old", "new", "--exclude", "B", "--yes", "--json")
    rows = json.loads(told.out)["run"]["outcomes"]
    assert ([row["state"] for row in rows], told.err) == (["done", "done"], "")


def test_a_dry_run_of_undo_says_by_the_journal_what_would_be_taken_back(files: Shell) -> None:
    files.ok("migrate", "old", "new", "--on-conflict", "update", "--vault", "spare", "--yes")
    run, before = run_id(files), content(files)
    told = files.ok("undo", run, "new", "--dry-run", "--vault", "spare")
    seen = files.ok("undo", run, "new", "--dry-run", "--vault", "spare", "--json").json
    assert told.rows == [["delete", "A", ""], ["restore", "B", ""], ["delete", "C", ""]]
    assert (seen["dry_run"], [one["what"] for one in seen["secrets"]]) == (
        True,
        ["delete", "restore", "delete"],
    )
    assert (content(files), files.ok("runs").rows[0][1]) == (before, "done")


def test_a_dry_run_of_undo_says_what_could_not_be_brought_back(files: Shell) -> None:
    files.ok("migrate", "old", "new", "--on-conflict", "update", "--no-undo", "--yes")
    run = run_id(files)
    told = files.ok("undo", run, "new", "--dry-run")
    files.ok("undo", run, "new", "--accept", "unseen", "--yes", "--dry-run")
    assert told.rows[1] == ["leave", "B", "the value before was not kept"]


@pytest.mark.parametrize("words", [("undo", "RUN", "new"), ("resume", "RUN"), ("report", "RUN")])
@pytest.mark.parametrize(
    ("run", "code", "why"),
    [("nope", 2, "is not the id of a run"), ("20260101-000000-000000-aaaaaaaa", 1, "There is no journal")],
)
def test_a_run_that_is_not_known_is_said_before_anything_is_asked(
    files: Shell, words: tuple[str, ...], run: str, code: int, why: str
) -> None:
    done = files.run(*[run if word == "RUN" else word for word in words])
    assert (done.code, why in done.err, "--yes" in done.err) == (code, True, False)


@pytest.mark.parametrize("words", [("undo", "RUN", "new", "--yes"), ("report", "RUN")])
@pytest.mark.parametrize("run", ["change-0fc9a11df7d6b3d0", "rotation-641ea04ce1f1c826"])
def test_a_change_in_several_stores_has_no_undo_and_no_report(
    files: Shell, words: tuple[str, ...], run: str
) -> None:
    done = files.run(*[run if word == "RUN" else word for word in words])
    assert (done.code, "only a migration has one" in done.err) == (2, True)


def test_one_secret_is_counted_as_one(files: Shell) -> None:
    done = files.run("migrate", "old", "new", "--select", "A")
    assert "1 secret from the dotenv file" in done.err
    assert "This writes 1 secret into new." in done.err


def test_a_vault_shows_changes_and_so_needs_no_consent_to_go_back(files: Shell) -> None:
    done = files.ok("migrate", "old", "vault", "--select", "A", "--yes")
    back = next(line for line in done.err.splitlines() if line.startswith("To take it back: secretbridge "))
    files.ok(*back.removeprefix("To take it back: secretbridge ").split(), "--yes")
    assert (back.endswith(" vault"), files.ok("list", "vault").rows) == (True, [])


def test_the_way_back_that_is_named_takes_it_back(files: Shell) -> None:
    done = files.ok("migrate", "old", "new", "--select", "A", "--no-undo", "--yes")
    back = next(line for line in done.err.splitlines() if line.startswith("To take it back: secretbridge "))
    files.ok(*back.removeprefix("To take it back: secretbridge ").split(), "--yes")
    assert (back.endswith(" new --accept unseen"), content(files)) == (True, {"B=9"})


def test_to_go_on_with_a_migration_takes_its_stores_again(files: Shell) -> None:
    files.ok("migrate", "old", "new", "--select", "A", "--yes")
    done = files.run("resume", run_id(files))
    assert (done.code, "A migration needs its stores again: resume RUN SOURCE TARGET." in done.err) == (
        2,
        True,
    )
