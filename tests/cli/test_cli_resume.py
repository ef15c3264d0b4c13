"""A change in several stores that did not come to its end is listed and gone on with; Ctrl-C says how."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_place import Services, Shell, Waiting, services, shell, waiting_as_prod
from cli_terminal import Terminal

from secretbridge import Dotenv, Local, SecretBridge, _everywhere_run, update_everywhere
from secretbridge.cli._interrupt import patient
from secretbridge.cli._session import Session
from secretbridge.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["services", "shell"]

BOTH = ("--to", "prod-wix", "--to", "prod-insforge:OTHER")


@pytest.fixture(autouse=True)
def a_short_settle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_everywhere_run, "SETTLE", 0.05)


@pytest.fixture
def incomplete(shell: Shell, services: Services) -> str:
    """A run that failed at one of its two stores; its id."""
    services.wix.seed("TOKEN", "old")
    services.insforge.seed("OTHER", "old")
    services.insforge.script(Reply(503), Reply(503))  # the look, and the change
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", "--json", stdin="new")
    assert done.code in {3, 4}
    return str(done.json["run"])


def test_a_run_that_is_not_complete_is_listed_and_gone_on_with(
    shell: Shell, services: Services, incomplete: str
) -> None:
    listed = shell.ok("runs")
    assert [row[0:2] + row[3:] for row in listed.rows] == [
        [incomplete, "incomplete", "1", "TOKEN", "prod-wix, prod-insforge"]
    ]
    assert listed.err == f"To go on: secretbridge resume {incomplete}\n"
    done = shell.ok("resume", incomplete)
    assert ([row[2] for row in done.rows], services.insforge.secret("OTHER").value) == (
        ["updated", "updated"],
        "new",
    )
    assert [one for one in shell.ok("list", "vault").rows if one[0].startswith("change.")] == []
    assert shell.ok("runs").rows == []


def test_the_failure_says_how_to_go_on(shell: Shell, services: Services) -> None:
    services.wix.seed("TOKEN", "old")
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", stdin="new")  # the other one is not there
    run = shell.ok("runs").rows[0][0]
    assert (done.code, f"Do: secretbridge resume {run} goes on with it." in done.err) == (3, True)


def test_without_a_journal_nothing_is_kept_and_nothing_can_be_gone_on_with(
    shell: Shell, services: Services
) -> None:
    services.wix.seed("TOKEN", "old")
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", "--no-journal", "--json", stdin="new")
    assert (done.code, done.json["run"], shell.ok("runs").rows) == (3, None, [])
    assert shell.ok("list", "vault").rows == []


def test_a_vault_that_does_not_open_is_told_and_can_be_gone_without(shell: Shell, services: Services) -> None:
    services.wix.seed("TOKEN", "old")
    services.insforge.seed("OTHER", "old")
    shell.put("X", "v")
    (shell.folder.parent / "user" / "xdg_config_home" / "secretbridge" / "vault.key").unlink()
    words = ("update", "TOKEN", *BOTH, "--stdin")
    closed = shell.run(*words, stdin="new")
    assert (closed.code, "--no-journal goes without that vault." in closed.err) == (1, True)
    assert services.wix.secret("TOKEN").value == "old"
    shell.ok(*words, "--no-journal", stdin="new")


def test_another_vault_can_keep_the_values_and_is_known_again(shell: Shell, services: Services) -> None:
    with Path("secretbridge.toml").open("a") as file:
        file.write('[connections.spare]\nprovider = "local"\nenvironment = "test"\n')
    services.wix.seed("TOKEN", "old")
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", "--vault", "spare", "--json", stdin="new")
    run = done.json["run"]
    assert shell.ok("runs").err == f"To go on: secretbridge resume {run} --vault spare\n"
    services.insforge.seed("OTHER", "old")
    shell.ok("resume", run)  # the journal tells the vault
    assert services.insforge.secret("OTHER").value == "new"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("change-0123456789abcdef",), 1, "There is no such run"),
        (("RUN", "prod-wix", "prod-insforge"), 2, "belong to a migration"),
        (("20260101-x",), 1, "There is no journal"),
        (("20260101-x", "prod-wix", "vault", "--obtain", "x"), 2, "belong to a rotation"),
    ],
)
def test_what_does_not_belong_to_a_run_is_refused(
    shell: Shell, incomplete: str, words: tuple[str, ...], code: int, told: str
) -> None:
    done = shell.run("resume", *(incomplete if word == "RUN" else word for word in words))
    assert (done.code, told in done.err) == (code, True)


def test_a_rotation_needs_its_command_again(shell: Shell) -> None:
    shell.put("TOKEN", "v")
    shell.run("rotate", "TOKEN", "--to", "vault", "--obtain", "false")
    done = shell.run("resume", shell.ok("runs").rows[0][0])
    assert (done.code, "--obtain" in done.err) == (2, True)


def test_a_run_that_was_begun_in_python_without_names_is_told_apart(shell: Shell) -> None:
    shell.write("TOKEN=1\n", "x.env")
    with SecretBridge(Local()) as vault:
        made = update_everywhere(
            "TOKEN", value="v", targets=[Dotenv("x.env"), Dotenv("y.env")], vault=vault, check=False
        )
    done = shell.run("resume", str(made.run_id))
    assert (done.code, "The run was not begun here" in done.err) == (2, True)


def test_where_ctrl_c_is_ignored_or_somebody_else_s_it_stays_so() -> None:
    handlers: list[object] = []

    def inside() -> None:
        with patient(Session()):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    other = threading.Thread(target=inside)
    other.start()
    other.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of a process that a shell runs in the background
    try:
        inside()
    finally:
        signal.signal(signal.SIGINT, before)
    inside()
    assert handlers[:2] == [before, signal.SIG_IGN]
    assert (handlers[2] == before, signal.getsignal(signal.SIGINT)) == (False, before)


@pytest.fixture
def waiting(shell: Shell) -> Iterator[Waiting]:
    standin = Waiting()
    standin.seed("TOKEN", "v")
    shell.put("TOKEN", "v")
    with waiting_as_prod(shell, standin):
        yield standin


OBTAIN = ("--obtain", "touch obtained")
STOPPING = "Stopping: requests under way come to their end. Ctrl-C once more leaves at once."


def test_ctrl_c_lets_what_is_under_way_end_and_says_how_to_go_on(shell: Shell, waiting: Waiting) -> None:
    with Terminal("update", "TOKEN", "--to", "prod", "--to", "vault", "--generate") as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        terminal.until(STOPPING)
        waiting.answers.set()
        code = terminal.end()
    run = shell.ok("runs").rows[0][0]
    assert (code, "Traceback" in terminal.seen) == (130, False)
    assert f"Do: secretbridge resume {run} goes on with it." in terminal.seen
    assert "Why: The change in 2 places was broken off; " in terminal.seen
    resumed = shell.ok("resume", run)
    assert [row[2] for row in resumed.rows] == ["updated", "updated"]
    assert waiting.secret("TOKEN").value == shell.value("TOKEN") != "v"


def test_a_second_ctrl_c_leaves_at_once_and_the_run_can_be_gone_on_with(
    shell: Shell, waiting: Waiting
) -> None:
    with Terminal("update", "TOKEN", "--to", "prod", "--to", "vault", "--generate") as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        terminal.until(STOPPING)
        terminal.type("\x03")
        code = terminal.end()  # though no answer has come
    waiting.answers.set()
    assert (code, "secretbridge runs shows how to go on" in terminal.seen) == (130, True)
    run = shell.ok("runs").rows[0][0]
    shell.ok("resume", run)
    assert waiting.secret("TOKEN").value == shell.value("TOKEN") != "v"


def test_ctrl_c_in_a_rotation_says_how_to_go_on(shell: Shell, waiting: Waiting) -> None:
    words = ("rotate", "TOKEN", "--to", "prod", "--to", "vault", "--obtain", "echo new")
    with Terminal(*words) as terminal:
        assert waiting.arrived.wait(60)
        terminal.type("\x03")
        terminal.until(STOPPING)
        waiting.answers.set()
        code = terminal.end()
    run = shell.ok("runs").rows[0][0]
    assert (code, f"Do: secretbridge resume {run} --obtain 'echo new' goes on with it." in terminal.seen) == (
        130,
        True,
    )
    shell.ok("resume", run, "--obtain", "echo newer")
    assert waiting.secret("TOKEN").value == shell.value("TOKEN") == "new"


class Listing(Waiting):
    """Keeps back the answer to what is asked for."""

    method = "GET"


def test_ctrl_c_before_a_rotation_is_begun_says_where_to_look_and_has_changed_nothing(shell: Shell) -> None:
    standin = Listing()
    standin.seed("TOKEN", "v")
    shell.put("OTHER", "v")
    with waiting_as_prod(shell, standin), Terminal("rotate", "TOKEN", "--to", "prod", *OBTAIN) as terminal:
        assert standin.arrived.wait(60)
        terminal.type("\x03")
        terminal.until(STOPPING)
        standin.answers.set()
        code = terminal.end()
    assert (code, "Do: secretbridge runs shows how far it came, and how to go on." in terminal.seen) == (
        130,
        True,
    )
    assert (shell.ok("runs").rows, standin.secret("TOKEN").value, Path("obtained").exists()) == (
        [],
        "v",
        False,
    )
