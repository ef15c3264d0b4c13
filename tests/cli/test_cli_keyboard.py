"""What somebody at the keyboard meets: mistyped names, misplaced options, narrow windows, Ctrl-C."""

from __future__ import annotations

import pytest
from cli_place import Services, Shell, services, shell
from cli_terminal import Terminal

from secretbridge.cli._output import _widths
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._telling import broken_off
from secretbridge.cli._trouble import of_surprise

__all__ = ["services", "shell"]


def test_a_mistyped_connection_is_answered_with_the_nearest(shell: Shell) -> None:
    shell.write('[connections.prod-wix]\nprovider = "local"\n')
    done = shell.run("list", "prodwix")
    assert done.err.splitlines()[:2] == [
        "Error: Could not open prodwix.",
        "Why: No connection has this name",
    ]
    assert "Do: Did you mean prod-wix? Known are prod-wix (" in done.err


@pytest.mark.parametrize("words", [(), ("list",), ("vault", "slots"), ("vault", "slots", "add")])
def test_help_is_had_by_its_short_name_too(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.ok(*words, "-h").out == shell.ok(*words, "--help").out != ""


def test_options_of_run_behind_the_connection_are_told_from_a_program(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.run("run", "vault", "--only", "TOKEN", "--", "true")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "Error: Options come before the connection: secretbridge run --only NAME CONNECTION -- PROGRAM.",
    )


def test_what_run_does_not_find_is_looked_for_in_the_store_that_was_named(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    done = shell.run("run", "--only", "NOPE", "vault", "--", "true")
    assert "secretbridge list vault" in done.err


def test_of_a_store_that_tells_no_values_none_is_handed_to_a_program(
    shell: Shell, services: Services
) -> None:
    services.ionet.seed("KEY", "value-1")
    done = shell.run("run", "prod-ionet", "--", "true")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "Error: prod-ionet does not tell the value of 'KEY'; nothing was started.",
    )


@pytest.mark.parametrize("verb", ["lock", "unlock"])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_store_that_cannot_protect_says_so(
    shell: Shell, services: Services, verb: str, dry: tuple[str, ...]
) -> None:
    services.wix.seed("KEY", "v")
    done = shell.run(verb, "KEY", "--in", "prod-wix", *dry)
    assert (done.code, services.wix.calls) == (2, [])
    assert done.err == (
        "Error: prod-wix cannot protect a secret; nothing was sent.\n"
        "Do: secretbridge capabilities prod-wix shows what it can do.\n"
    )


def test_init_says_which_file_opens_the_vault(shell: Shell) -> None:
    done = shell.ok("init", "--no-connection")
    key = [row[2] for row in shell.ok("doctor").rows if row[0] == "key file of vault"]
    assert [f"{path.partition(': ')[0]} opens it: keep a copy" in done.err for path in key] == [True]


def test_a_key_file_that_others_can_read_is_found_by_doctor(shell: Shell) -> None:
    shell.ok("init", "--no-connection")
    (row,) = (row for row in shell.ok("doctor").rows if row[0] == "key file of vault")
    path = row[2].partition(": ")[0]
    shell.ok("doctor")
    (shell.folder / path).chmod(0o644)
    (row,) = (row for row in shell.run("doctor").rows if row[0] == "key file of vault")
    assert row[1:] == ["warning", f"{path}: others can read it (chmod 600)"]


def test_init_asks_again_for_what_it_needs(shell: Shell) -> None:
    with Terminal("init") as terminal:
        for question, answer in (
            ("none)? ", "acme"),
            ("Which store comes first? ", "wix"),
            ("[prod-wix] ", ""),
            ("0001: ", ""),
            ("0001: ", "site-1"),
            ("[env:WIX_API_KEY] ", ""),
        ):
            terminal.until(question)
            terminal.type(f"{answer}\n")
        code = terminal.end()
    written = (shell.folder / "secretbridge.toml").read_text()
    assert (code, 'site_id = "site-1"' in written, "It is needed; Ctrl-C leaves." in terminal.seen) == (
        0,
        True,
        True,
    )


def test_ctrl_c_in_a_question_begins_a_line_of_its_own(shell: Shell) -> None:
    with Terminal("create", "TOKEN", "--to", "vault") as terminal:
        terminal.until("Value of 'TOKEN': ")
        terminal.type("\x03")
        code = terminal.end()
    assert (code, "\r\nError: Interrupted; nothing was changed.\r\n" in terminal.seen) == (130, True)


def test_in_a_narrow_window_what_is_named_first_stays_whole(shell: Shell) -> None:
    name = "A-NAME-OF-THIRTY-LETTERS-AT-LEAST"
    shell.put(name, "v", "--description", "word " * 30, "--expires-at", "9d")
    with Terminal("list", "vault", COLUMNS="60") as terminal:
        terminal.end()
    lines = terminal.seen.splitlines()
    assert any(line.startswith(f"{name} ") for line in lines)
    assert max(map(len, (line for line in lines if "\x1b" not in line))) <= 60


@pytest.mark.parametrize(
    ("natural", "room", "widths"),
    [
        ([5, 5, 5], 20, [5, 5, 5]),
        ([10, 4, 30], 30, [10, 4, 16]),
        ([30, 4, 30], 30, [13, 4, 13]),
        ([31, 11, 16, 7, 60, 60], 70, [31, 8, 8, 7, 8, 8]),
        ([3, 3, 3, 3], 2, [1, 1, 1, 1]),
    ],
)
def test_room_goes_first_to_the_first_column_and_then_to_all_alike(
    natural: list[int], room: int, widths: list[int]
) -> None:
    assert _widths(natural, room) == widths


@pytest.mark.parametrize(
    ("doing", "code", "what"),
    [
        (None, 1, "This failed in a way that was not foreseen."),
        (Doing("list vault"), 1, "Could not list vault."),
        (Doing("update 'A'", changes=True), 4, "Could not update 'A'; whether it was done is not known."),
    ],
)
def test_a_library_that_is_not_there_is_named(doing: Doing | None, code: int, what: str) -> None:
    trouble = of_surprise(Session(doing=doing), ModuleNotFoundError("No module named 'rich'", name="rich"))
    assert (trouble.code, trouble.what, trouble.why) == (code, what, ("The library rich is not installed.",))
    assert trouble.do == "Install secretbridge anew: pip install 'secretbridge[cli]'"


@pytest.mark.parametrize(
    ("words", "why", "do"),
    [
        (("history", "NOPE"), "There is no secret named 'NOPE'", "secretbridge list CONNECTION shows what"),
        (("history", "A", "--in", "app"), "It is a connection to a store without", "Give one whose provider"),
        (
            ("vault", "verify", "--anchor", "x"),
            "--anchor: is not an audit",
            "Give what secretbridge vault anchor",
        ),
        (("vault", "slots", "remove", "9", "--yes"), "There is no slot 9", "One of 1 (key file 1)."),
        (("report", "nope"), "RUN: is not the id of a run", "secretbridge runs shows the ids."),
        (
            ("plan", "app", "vault", "--rules", "no.toml"),
            "--rules: cannot be read",
            "Give the path of a TOML",
        ),
    ],
)
def test_the_library_s_words_are_put_as_they_are_typed_here(
    shell: Shell, words: tuple[str, ...], why: str, do: str
) -> None:
    shell.put("TOKEN", "v")
    shell.write('[connections.app]\nprovider = "dotenv"\npath = "app.env"\n')
    lines = shell.run(*words).err.splitlines()
    assert [lines[1].startswith(f"Why: {why}"), lines[2].startswith(f"Do: {do}")] == [True, True], lines


def test_a_run_that_was_stopped_before_its_folder_was_made_has_no_id(shell: Shell) -> None:
    assert (broken_off("not-made-yet"), list(shell.folder.iterdir())) == (None, [])
