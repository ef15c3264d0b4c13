"""Credentials by reference: had when they are needed, bounded, and never shown."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
import shlex
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from config_place import CANARY, Project, project

from secretbridge import AuthenticationError, Local, SecretBridge
from secretbridge._config import _ask, connect, connect_async
from secretbridge._config._ask import Asker, asker
from secretbridge._config._references import Malformed, reference
from secretbridge.testing import WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["project"]


def asked(project: Project, written: object) -> str:
    return asker(reference(written), project.folder, "FILE:1")().get_secret_value()


def refused(project: Project, written: object) -> str:
    """What is said of a credential that is not to be had; it must show and hold nothing of it."""
    with pytest.raises(AuthenticationError) as caught:
        asked(project, written)
    error = caught.value
    assert (error.applied, error.transient, error.__cause__, error.__context__) == (False, False, None, None)
    assert CANARY not in f"{error!r} {error} {vars(error)!r}"
    text = str(error)
    assert text.startswith("The credential that FILE:1 refers to is not to be had: ")
    return text.removeprefix("The credential that FILE:1 refers to is not to be had: ")


def python(code: str, **more: float) -> dict[str, object]:
    return {"command": [sys.executable, "-c", code], **more}


def test_a_variable_is_read_at_every_call(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = asker(reference("env:MY_KEY"), project.folder, "FILE:1")
    monkeypatch.setenv("MY_KEY", "first")
    assert ask().get_secret_value() == "first"
    monkeypatch.setenv("MY_KEY", "second")
    assert ask().get_secret_value() == "second"


@pytest.mark.parametrize("text", ["", None])
def test_a_variable_that_is_not_set_is_told_by_its_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        monkeypatch.setenv(CANARY, text)
    expected = "the environment variable is not set, or is empty. Set it for this process."
    assert refused(project, f"env:{CANARY}") == expected


@pytest.mark.parametrize(
    ("content", "credential"),
    [("k", "k"), ("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), ("k\r", "k\r"), (" k \n", " k ")],
)
def test_a_file_gives_its_text_without_one_newline(project: Project, content: str, credential: str) -> None:
    project.write(content, "keys/wix")
    assert asked(project, "file:keys/wix") == credential
    assert asked(project, f"file:{project.folder}/keys/wix") == credential


def test_a_file_below_the_home_folder_is_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project.folder))
    project.write("k\n", "keys/wix")
    assert asker(reference("file:~/keys/wix"), project.folder / "else", "x")().get_secret_value() == "k"


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_credential_file_that_others_can_write_is_refused(project: Project, mode: int) -> None:
    project.write(CANARY, "key", mode=mode)
    expected = "the file can be written by others. Look at what it holds, then: chmod 600 FILE."
    assert refused(project, "file:key") == expected


def test_a_credential_file_that_others_can_read_is_warned_about_once(project: Project) -> None:
    project.write(CANARY, "key", mode=0o644)
    ask = asker(reference("file:key"), project.folder, f"{project.folder}:7")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
        ask()
    told = f"Others can read the file that {project.folder}:7 refers to; run: chmod 600 FILE"
    assert [str(one.message) for one in caught] == [told]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "the file cannot be read: No such file or directory."),
        (lambda path: path.mkdir(), "the file cannot be read: Is a directory."),
        (lambda path: os.mkfifo(path, 0o600), "the file is not a regular file."),
        (lambda path: path.touch(0o600), "it is empty."),
    ],
)
def test_a_file_that_holds_no_credential_is_told(
    project: Project, make: Callable[[Path], None], expected: str
) -> None:
    make(project.folder / CANARY)
    assert refused(project, f"file:{CANARY}").startswith(expected)


@pytest.mark.parametrize("content", [b"Zx9c0ffee7QzCanary\xff", b"Zx9c0ffee7QzCanary\0"])
def test_a_file_that_is_no_text_or_too_long_is_refused(project: Project, content: bytes) -> None:
    path = project.write("", "key")
    path.write_bytes(content)
    assert refused(project, "file:key").startswith("what was read is no text in UTF-8.")
    path.write_bytes(content[:-1] * 65_536)
    assert refused(project, "file:key").startswith("the file is longer than 65,536 bytes.")


def test_a_command_gives_its_standard_output_without_one_newline(project: Project) -> None:
    assert asked(project, python("print('k')")) == "k"
    line = shlex.join([sys.executable, "-c", "import sys; sys.stdout.write('a; $HOME *\\n\\n')"])
    assert asked(project, f"command:{line}") == "a; $HOME *\n"


def test_a_command_runs_without_a_shell_in_the_files_folder_and_has_no_input(project: Project) -> None:
    code = "import os, sys; print(os.getcwd(), repr(sys.stdin.read()), sys.argv[1])"
    command = {"command": [sys.executable, "-c", code, "$HOME;ls"]}
    assert asked(project, command) == f"{os.path.realpath(project.folder)} '' $HOME;ls"


def test_what_a_command_writes_to_standard_error_is_shown_nowhere(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    code = f"import sys; print({CANARY!r}, file=sys.stderr); print({CANARY!r}); sys.exit(3)"
    assert refused(project, python(code)) == (
        "the command ended with status 3. Run the command by itself to see why."
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (python("import os; os.kill(os.getpid(), 9)"), "the command was ended by signal 9."),
        (python("import os; os.write(1, b'x' * 65_537)"), "the command wrote more than 65,536 bytes."),
        (python("import sys; sys.stdout.buffer.write(b'\\xff')"), "what was read is no text in UTF-8."),
        (python("pass"), "it is empty."),
        (f"command:./{CANARY}", "the command cannot be started (No such file or directory)."),
        ("command:.", "the command cannot be started (Permission denied)."),
    ],
)
def test_a_command_that_fails_is_told(project: Project, command: object, expected: str) -> None:
    assert refused(project, command).startswith(expected)


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",  # its output has ended, it has not
        "import os, time; os.fork() or time.sleep(60)",  # it has ended, what it started has not
    ],
)
def test_a_command_that_takes_too_long_is_ended_with_all_it_started(project: Project, code: str) -> None:
    lock = project.folder / "lock"
    hold = f"import fcntl; lock = open({str(lock)!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX)"
    began = time.monotonic()
    told = refused(project, python(f"{hold}; {code}", time_limit=1))
    assert told.startswith("the command took longer than 1 s.")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits until nobody is left who holds it
    assert time.monotonic() - began < 20


def test_a_command_is_asked_once_a_minute_whoever_asks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [100.0]
    monkeypatch.setattr(_ask, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    calls: list[int] = []
    ready = threading.Barrier(4)

    def count() -> str:
        calls.append(1)
        return str(len(calls))

    ask = Asker(count, "FILE:1", _ask.KEPT)

    def together(_: int) -> str:
        ready.wait()
        return ask().get_secret_value()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(together, range(4))) == ["1", "1", "1", "1"]
    seconds[0] += 59.9
    assert ask().get_secret_value() == "1"
    seconds[0] += 0.1
    assert ask().get_secret_value() == "2"
    assert CANARY not in repr(ask)


def test_a_failure_is_not_kept(project: Project) -> None:
    answers: Iterator[str | Malformed] = iter([Malformed("it failed", "try again"), "k"])

    def once() -> str:
        answer = next(answers)
        if isinstance(answer, Malformed):
            raise answer
        return answer

    ask = Asker(once, "FILE:1", _ask.KEPT)
    with pytest.raises(AuthenticationError, match=r"not to be had: it failed\. Try again\."):
        ask()
    assert ask().get_secret_value() == "k"


def test_a_child_process_does_not_wait_for_its_parents_lock(project: Project) -> None:
    ask = Asker(lambda: "k", "FILE:1", _ask.KEPT)
    (lock,) = ask._locks.values()
    with lock:
        child = os.fork()
        if not child:
            os._exit(0 if ask().get_secret_value() == "k" else 1)
        assert os.waitpid(child, 0)[1] == 0


KEYRING = """
def get_password(service, user):
    if service == "broken":
        raise RuntimeError("Zx9c0ffee7QzCanary")
    return {("https://a/b", "me"): "k"}.get((service, user))
"""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one function of the package keyring that is used."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "keyring.py").write_text(KEYRING)
    monkeypatch.syspath_prepend(tmp_path / "stub")
    monkeypatch.delitem(sys.modules, "keyring", raising=False)


@pytest.mark.usefixtures("keyring")
def test_a_keyring_is_asked_for_service_and_user(project: Project) -> None:
    assert asked(project, "keyring:https://a/b/me") == "k"
    assert refused(project, f"keyring:{CANARY}/me").startswith("the keyring has no such entry.")
    assert refused(project, "keyring:broken/me").startswith("the keyring failed (RuntimeError).")


def test_without_the_package_keyring_the_advice_says_how_to_install_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    needs = "needs the package keyring, which is not installed"
    advice = "un: pip install 'secretbridge[keyring]'"
    assert refused(project, "keyring:a/b") == f"it {needs}. R{advice}."
    project.write('[connections.one]\nprovider = "ionet"\napi_key = "keyring:a/b"\n')
    assert project.refused() == [f"secretbridge.toml:3: the reference {needs} (r{advice})"]


def test_a_secret_of_the_vault_can_be_a_credential(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in ("development", "production", "staging"):
        with SecretBridge(Local(environment=environment)) as bridge:
            bridge.create_secret("wix-key", value=f"of {environment}")
            bridge.create_secret("gone", value=CANARY, active=False)
    assert asked(project, "vault:wix-key") == "of development"
    assert asked(project, "vault:production/wix-key") == "of production"
    monkeypatch.setenv("SECRETBRIDGE_ENVIRONMENT", "staging")
    assert asked(project, "vault:wix-key") == "of staging"
    assert refused(project, f"vault:{CANARY}").startswith("the vault did not give it (SecretNotFound).")
    assert refused(project, "vault:gone").startswith("the vault did not give it (SecretNotFound).")


def test_a_vault_that_is_not_there_is_not_made_for_a_credential(project: Project) -> None:
    assert refused(project, "vault:a").startswith("there is no vault.")


def test_a_credential_is_asked_for_at_each_exchange_and_not_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = WixStandIn()
    project.write(
        f'[connections.one]\nprovider = "wix"\napi_key = "file:key"\nsite_id = "{service.site_id}"\n'
    )
    with connect("one", transport=service.transport()) as bridge:
        with pytest.raises(AuthenticationError, match=r"Nothing was sent|not to be had") as caught:
            bridge.list_secrets()
        assert (caught.value.applied, len(service.requests)) == (False, 0)
        project.write("wrong", "key")
        with pytest.raises(AuthenticationError):
            bridge.list_secrets()
        project.write(service.api_key, "key")
        assert bridge.list_secrets() == []


def test_on_an_event_loop_a_slow_command_holds_up_nothing_else(project: Project) -> None:
    service = WixStandIn()
    code = f"import time; time.sleep(0.3); print({service.api_key!r})"
    project.write(
        f'[connections.one]\nprovider = "wix"\nsite_id = "{service.site_id}"\n'
        f"api_key = {{ command = ['{sys.executable}', '-c', \"{code}\"] }}\n"
    )

    async def both() -> int:
        ticks = 0
        async with connect_async("one", transport=service.transport()) as bridge:
            listing = asyncio.ensure_future(bridge.list_secrets())
            while not listing.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert await listing == []
        return ticks

    assert asyncio.run(both()) > 5


def test_a_credential_is_in_no_representation_and_no_log(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = WixStandIn(api_key=CANARY)
    monkeypatch.setenv("MY_KEY", CANARY)
    project.write(
        f'[connections.one]\nprovider = "wix"\napi_key = "env:MY_KEY"\nsite_id = "{service.site_id}"\n'
    )
    with connect("one", transport=service.transport()) as bridge:
        assert bridge.list_secrets() == []
        provider = bridge._core.provider
        shown = f"{bridge!r} {provider!r} {vars(provider)!r} {vars(vars(provider)['_auth'])!r}"
    assert CANARY not in shown
    assert CANARY not in caplog.text
    gc.collect()
    assert not any(type(one) is Asker and CANARY in repr(vars(one)) for one in gc.get_objects())
