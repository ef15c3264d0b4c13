"""What happens seldom: streams and files that fail, lists that are empty, stores of another kind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cli_place import PROGRAM, Services, Shell, Waiting, services, shell, waiting_as_prod
from cli_terminal import Terminal

import secretbridge
from secretbridge.cli._interrupt import run_of
from secretbridge.cli._naming import _of_option
from secretbridge.cli._output import prepare, show_json
from secretbridge.cli._rehearsing import _gone_on
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._trouble import of_error
from secretbridge.migrate import Outcome
from secretbridge.testing import AppfarmStandIn, Lost, Pass

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["services", "shell"]

ACME = """
from secretbridge import Capabilities
class Acme:
    capabilities = Capabilities(
        provider="acme", title="Acme", operations=frozenset({"list"}), addressed_by={}
    )
    def __init__(self, **options): ...
    async def list_page(self, channel, cursor, size): return [], None
    async def get(self, channel, target): ...
    async def create(self, channel, name, fields): ...
    async def update(self, channel, target, changes, *, if_version=None): ...
    async def put(self, channel, name, fields): ...
    async def delete(self, channel, target): ...
    def check(self, operation, target, fields): return ()
"""

#: Reads a vault, as another program may, until its input ends.
READER = """
import sqlite3, sys
reader = sqlite3.connect(sys.argv[1], isolation_level=None)
reader.execute("BEGIN")
reader.execute("SELECT count(*) FROM value").fetchone()
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("get", "TOKEN", "--in", "vault", "--reveal", "--out", "x"), 2, "--reveal and --out are given tog"),
        (("get", "TOKEN", "--in", "vault", "--overwrite"), 2, "--overwrite goes with --out."),
        (("get", "TOKEN", "--in", "vault", "--out", "taken", "--overwrite"), 1, "no file was left behind"),
        (("vault", "accounts", "renew-key", "nobody", "--reveal"), 2, "Could not renew the key of 'nobody'"),
        (("init", "--name", "one", "--provider", "nope"), 2, "provider is not installed"),
        (
            ("connections", "add", "one", "--provider", "nope", "--credential", "key=env:KEY"),
            2,
            "provider is not installed",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(
    shell: Shell, words: tuple[str, ...], code: int, told: str
) -> None:
    shell.put("TOKEN", "v")
    (shell.folder / "taken").mkdir()
    done = shell.run(*words)
    assert (done.code, told in done.err) == (code, True), done.err
    assert [path.name for path in shell.folder.iterdir()] == ["taken"]


def test_a_connection_of_another_packages_provider_keeps_its_credentials_apart(
    shell: Shell, tmp_path: Path
) -> None:
    about = tmp_path / "site" / "acme_seldom-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme_seldom\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[secretbridge.providers]\nacme = acme_seldom:Acme\n")
    (tmp_path / "site" / "acme_seldom.py").write_text(ACME)
    shell.monkeypatch.syspath_prepend(tmp_path / "site")
    shell.ok(
        *("connections", "add", "far", "--provider", "acme"),
        *("--option", "region=north", "--credential", "api_key=env:ACME"),
    )
    assert (shell.folder / "secretbridge.toml").read_text() == (
        '[connections.far]\nprovider = "acme"\nregion = "north"\n\n'
        '[connections.far.credentials]\napi_key = "env:ACME"\n'
    )


def test_a_line_that_only_looks_like_a_heading_does_not_end_a_connection(shell: Shell) -> None:
    kept = '[connections.one]\nprovider = "other"\ngrid = [\n["a"],\n]\n'
    file = shell.write(f'{kept}\n[connections.two]\nprovider = "dotenv"\npath = ".env"\n')
    shell.ok("connections", "remove", "two", "--yes")
    assert file.read_text().strip() == kept.strip()


def test_a_connection_is_rehearsed_in_json(shell: Shell) -> None:
    words = ("connections", "add", "one", "--provider", "dotenv", "--option", "path=.env")
    done = shell.ok(*words, "--dry-run", "--json")
    assert (done.json["dry_run"], list(shell.folder.iterdir())) == (True, [])


def test_the_version_is_told(shell: Shell) -> None:
    assert shell.ok("--version").out == f"secretbridge {secretbridge.__version__}\n"


def test_an_expired_secret_is_listed_as_such(shell: Shell) -> None:
    shell.put("OLD", "v", "--expires-at", "2020-01-01T00:00:00Z")
    assert "expired" in shell.ok("list", "vault").rows[0]


def test_an_account_is_given_a_role_alone(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.ok("vault", "accounts", "add", "ci", "--permission", "create", "--out", "ci.key")
    shell.ok("vault", "accounts", "grant", "ci", "--role", "reader")
    (row,) = shell.ok("vault", "accounts", "list").rows
    assert (row[0], "reader" in " ".join(row)) == ("ci", True)


def test_what_somebody_still_reads_is_said_not_to_be_gone_yet(shell: Shell) -> None:
    shell.write('[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n')
    location = str(shell.folder / "team.db")
    shell.put("TOKEN", "v", store="team")
    shell.put("TOKEN", "w", store="team")
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, location], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        reader.stdout.readline()
        pending = shell.ok("vault", "purge", "--in", "team", "--older-versions", "--yes")
        told = shell.ok("vault", "purge", "--in", "team", "--older-versions", "--yes", "--json")
        reader.stdin.close()
    assert ("Somebody is reading" in pending.err, told.json["pending"]) == (True, True)


def test_a_doctor_asks_nothing_of_a_vault_that_was_not_made_and_misses_a_library(shell: Shell) -> None:
    shell.write('[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n')
    shell.monkeypatch.setattr("secretbridge.cli.doctor._LIBRARIES", ("httpx", "nothing-of-this-name"))
    done = shell.run("doctor", "--json")
    found = {one["check"]: one["detail"] for one in done.json["checks"]}
    assert found["libraries"].endswith(", nothing-of-this-name is not installed")
    assert ("vault of team" in found, list(shell.folder.glob("team*"))) == (False, [])


def test_a_secret_of_a_store_that_lists_nothing_is_asked_for_itself(shell: Shell) -> None:
    standin = AppfarmStandIn()
    shell.monkeypatch.setenv("FARM", standin.api_key)
    with standin.serve() as address:
        shell.write(
            f'[connections.farm]\nprovider = "appfarm"\nbase_url = "{address}"\napi_key = "env:FARM"\n'
            'path = "/api/services/secrets/update-secret"\nsecrets = ["TOKEN"]\n'
        )
        done = shell.run("get", "TOKEN", "--in", "farm")
    assert (done.code, "Could not find 'TOKEN' in farm" in done.err, standin.calls) == (2, True, [])


def test_a_rotation_whose_write_was_not_answered_ends_as_unknown(shell: Shell, services: Services) -> None:
    services.insforge.seed("TOKEN", "old")
    shell.put("TOKEN", "old")
    services.insforge.script(*[Pass()] * 2, *[Lost()] * 9)
    done = shell.run("rotate", "TOKEN", "--to", "prod-insforge", "--to", "vault", "--obtain", "echo new")
    assert (done.code, "resume" in done.err) == (4, True), done.err


def test_finished_changes_are_listed_with_nothing_to_go_on(shell: Shell) -> None:
    for path in ("one", "two"):
        shell.write("TOKEN=v\n", f"{path}.env")
    shell.write(
        "".join(f'[connections.{n}]\nprovider = "dotenv"\npath = "{n}.env"\n' for n in ("one", "two"))
    )
    shell.ok("init")
    shell.ok("update", "TOKEN", "--to", "one", "--to", "two", "--generate")
    done = shell.ok("runs", "--all")
    assert ([row[1] for row in done.rows], "To go on" in done.err) == (["done"], False)


def test_an_undo_that_has_nothing_left_is_rehearsed(shell: Shell) -> None:
    shell.write("TOKEN=v\n", "old.env")
    shell.write(
        "".join(f'[connections.{n}]\nprovider = "dotenv"\npath = "{n}.env"\n' for n in ("old", "new"))
    )
    shell.write("", "new.env")
    shell.ok("init")
    shell.ok("migrate", "old", "new", "--delete-source", "--yes")
    run = shell.ok("runs").rows[0][0]
    kept = shell.ok("undo", run, "new", "--dry-run")
    assert [row[:2] for row in kept.rows] == [["leave", "TOKEN"]]
    shell.write("TOKEN=v\n", "old.env")
    shell.write("", "new.env")
    shell.ok("migrate", "old", "new", "--yes")
    again = shell.ok("runs").rows[0][0]
    shell.ok("undo", again, "new", "--yes", "--accept", "unseen", "--accept", "changed")
    done = shell.ok("undo", again, "new", "--dry-run")
    assert (done.rows, "holds nothing to take back" in done.err) == ([], True)


# Interruptions.


def test_ctrl_c_before_the_command_begins_ends_with_130(shell: Shell) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    shell.monkeypatch.setattr("secretbridge.cli._run.run", interrupted)
    assert shell.run("list", "vault").code == 130


@pytest.mark.parametrize(("options", "told"), [((), True), (("--json",), False)])
def test_ctrl_c_without_a_terminal_is_answered_in_plain_lines(
    shell: Shell, options: tuple[str, ...], *, told: bool
) -> None:
    standin = Waiting()
    standin.seed("TOKEN", "v")
    shell.put("TOKEN", "v")
    words = ("update", "TOKEN", "--to", "prod", "--to", "vault", "--generate", *options)
    with (
        waiting_as_prod(shell, standin),
        subprocess.Popen([*PROGRAM, *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
    ):
        assert standin.arrived.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        first = process.stderr.readline() if told else b""
        standin.answers.set()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, first.startswith(b"Stopping: "), b"resume" in err) == (130, told, True)


def test_the_run_is_found_among_other_notes() -> None:
    ended = KeyboardInterrupt()
    for note in ("first", "resume_everywhere('change-1') goes on with it", "last"):
        ended.add_note(note)
    assert (run_of(ended), run_of(KeyboardInterrupt())) == ("change-1", None)


# Streams.


def test_a_passphrase_that_is_not_typed_changes_nothing(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    with Terminal("vault", "slots", "add", "--passphrase") as terminal:
        terminal.until("Passphrase: ")
        terminal.type("\x04")
        code = terminal.end()
    assert (code, "No passphrase was given; nothing was changed." in terminal.seen) == (1, True)


def test_an_empty_table_is_not_drawn(shell: Shell) -> None:
    with Terminal("runs") as terminal:
        code = terminal.end()
    assert (code, terminal.seen) == (0, "")


def test_init_asks_for_no_key_where_there_is_none(shell: Shell) -> None:
    with Terminal("init") as terminal:
        for question, answer in (
            ("none)? ", "dotenv"),
            ("[prod-dotenv] ", ""),
            ("path? [.env] ", "app.env"),
        ):
            terminal.until(question)
            terminal.type(f"{answer}\n")
        code = terminal.end()
    written = (shell.folder / "secretbridge.toml").read_text()
    assert (code, written) == (0, '[connections.prod-dotenv]\nprovider = "dotenv"\npath = "app.env"\n')


def test_init_that_made_the_vault_and_could_not_add_the_store_has_done_a_part(shell: Shell) -> None:
    done = shell.run("init", "--name", "one", "--provider", "nope")
    assert (done.code, "Why: Before that, it made the vault " in done.err) == (3, True)
    assert (list(shell.folder.iterdir()), shell.ok("list", "vault").rows) == ([], [])


def test_a_failure_that_nobody_reads_keeps_its_exit_code(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "get", "NOPE", "--in", "nowhere"], stderr=writing, check=False)
    os.close(writing)
    assert done.returncode == 2


def test_streams_that_are_no_files_are_left_as_they_are() -> None:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        prepare()
        show_json({"a": 1}, lines=True)
        with pytest.raises(TypeError, match="no JSON for object"):
            show_json({"a": object()})
    assert out.getvalue() == '{"a": 1}\n'


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("secretbridge get --in ", ["local", "plain", "spoken", "vault"]),
        ("secretbridge update TOKEN --to pl", ["plain"]),
        ("secretbridge get --in plain ", ["TOKEN"]),
        ("secretbridge get --in spoken ", []),
        ("secretbridge get --in nowhere ", []),
        ("secretbridge migrate plain vault --on-conflict u", ["update"]),
        ("secretbridge undo ", []),
    ],
)
def test_what_can_be_told_without_asking_is_offered(shell: Shell, typed: str, offered: list[str]) -> None:
    shell.write("TOKEN=v\n", "plain.env")
    shell.write(
        '[connections.plain]\nprovider = "dotenv"\npath = "plain.env"\n'
        '[connections.spoken]\nprovider = "local"\nlocation = "spoken.db"\npassphrase = "env:SPOKEN"\n'
    )
    assert completed(shell, typed) == offered


def test_files_and_folders_are_completed_by_the_shell(shell: Shell) -> None:
    asked = {"_SECRETBRIDGE_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    kinds = []
    for words in ("secretbridge runs --config x", "secretbridge runs --journal x"):
        with shell.monkeypatch.context() as patch:
            for name, text in {**asked, "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}.items():
                patch.setenv(name, text)
            kinds.append(shell.run().out.partition(",")[0])
    assert kinds == ["file", "dir"]


def test_with_a_file_that_cannot_be_read_the_vault_is_offered(shell: Shell) -> None:
    shell.write("[connections.one\n")
    assert completed(shell, "secretbridge list ") == ["local", "vault"]


def test_what_fails_while_a_line_is_completed_offers_nothing_and_says_nothing(shell: Shell) -> None:
    shell.write('[connections.broken]\nprovider = "local"\nlocation = "broken.db"\nkey_file = "b.key"\n')
    shell.put("TOKEN", "v", store="broken")
    before = completed(shell, "secretbridge get --in broken ")
    shell.write("no vault", "broken.db")
    runs = shell.folder.parent / "user" / "xdg_state_home" / "secretbridge" / "changes"
    runs.mkdir(mode=0o700, parents=True)
    runs.chmod(0o777)
    assert before == ["TOKEN"]
    assert [
        completed(shell, f"secretbridge {words} ")
        for words in ("get --in broken", "undo", "list --config ''")
    ] == [[], [], ["vault"]]


def completed(shell: Shell, typed: str) -> list[str]:
    with shell.monkeypatch.context() as patch:
        patch.setenv("_SECRETBRIDGE_COMPLETE", "bash_complete")
        patch.setenv("COMP_WORDS", typed)
        patch.setenv("COMP_CWORD", str(typed.count(" ")))
        done = shell.run()
    assert done.err == ""
    return sorted(line.partition(",")[2] for line in done.out.splitlines() if line)


def test_a_vault_that_a_passphrase_opens_has_no_key_file_to_keep(shell: Shell) -> None:
    shell.monkeypatch.setenv("SECRETBRIDGE_VAULT_PASSPHRASE", "of seven words or more, as it ought to be")
    made = shell.run("init", "--no-connection")
    assert [made.code, "Made the vault" in made.err, "opens it" in made.err] == [0, True, False]


def test_where_the_error_has_advice_remedies_stay_in_their_lines() -> None:
    wrong = [secretbridge.Violation("a", "is bad", "mend a"), secretbridge.Violation("b", "is bad", "mend b")]
    error = secretbridge.InvalidRequest(violations=wrong, advice="Look at both.")
    trouble = of_error(Session(doing=Doing("do it")), error)
    assert [trouble.why, trouble.do] == [("a: is bad (mend a)", "b: is bad (mend b)"), "Look at both."]


def test_what_is_wrong_elsewhere_in_the_file_keeps_its_line(tmp_path: Path) -> None:
    file = tmp_path / "secretbridge.toml"
    old = secretbridge.Violation(f"{file}:1", "unknown key", "take it out of this file, or mend it")
    assert [_of_option(old, file, "[one]\n[two]\n"), _of_option(old, tmp_path / "b.toml", "")] == [old, old]


def test_going_on_with_a_run_looks_at_what_is_not_known_and_writes_what_was_not_written() -> None:
    of = partial(Outcome, source="A", target="A", action="update")
    outcomes = [
        of(state="unknown"),
        of(state="failed", error="NoReply: none."),
        of(state="pending"),
        of(state="done"),
        of(state="done", verified="verified"),
        of(state="skipped"),
    ]
    assert [_gone_on(one) for one in outcomes] == [
        ("look", "whether it was written is looked at first"),
        ("write", "NoReply: none."),
        ("write", ""),
        ("look", "it was not read back yet"),
        ("", ""),
        ("", ""),
    ]
