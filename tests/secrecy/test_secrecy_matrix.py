"""The canary matrix: every public callable, outcomes good and bad, every way out.

The callables are found by looking (``secrecy_inventory``), each is wrapped while the scenarios run
(``secrecy_watch``), and what it returns or raises goes through every channel of ``canary_channels``. Logs,
warnings, streams, audit events, names of threads and tasks, the environment and all files are searched too.
A public callable that no scenario calls fails the test: so none is forgotten.
"""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
from secrecy_inventory import callables, commands, public_classes
from secrecy_scenarios import FACES, IN_THE_CLEAR, SCENARIOS, Ground
from secrecy_watch import CREDENTIAL, LOGGERS, VALUE, watched
from test_cli_canary import STEPS, command_of

import secretbridge
import secretbridge as sb
from secretbridge import SecretBridge, testing

if TYPE_CHECKING:
    from collections.abc import Callable

    from secrecy_watch import Watch

ROOT = Path(__file__).parents[2]
#: What no scenario calls, and why that is right.
_NO_SUCH = "the provider has no such operation: the core refuses it before (test_capabilities_kept)"
_ELSEWHERE = "between stores that no scenario takes; it names a place or hands on what a neighbour's does too"
NOT_CALLED = {
    "KeyWrapper": "a protocol: the code is the caller's",
    "KeyWrapper.wrap": "a protocol: the code is the caller's",
    "KeyWrapper.unwrap": "a protocol: the code is the caller's",
    "Capabilities": "data of the adapters, made when their modules load",
    "Restored": "comes of a change that is taken back (test_everywhere_canary)",
    **{f"Appfarm.{verb}": _NO_SUCH for verb in ("create", "delete", "get", "list_page", "put")},
    **{f"Environment.{verb}": _NO_SUCH for verb in ("check", "create", "delete", "put", "update")},
    **{f"{provider}.put": _NO_SUCH for provider in ("IoNet", "Wix")},
    **{f"{provider}.store": _ELSEWHERE for provider in ("Appfarm", "Environment", "JsonFile")},
    **{f"JsonFile.{verb}": _ELSEWHERE for verb in ("path", "read_many", "write_many")},
    "Appfarm.declared": _ELSEWHERE,
    "Local.write_many": _ELSEWHERE,
}
#: What users test with holds what was sent to it, on purpose. The scenarios look at its repr.
FOR_TESTS = {
    "WIRE_FAULTS", "AppfarmSecret", "AppfarmStandIn", "Exchange", "Fault", "FaultServer", "InsForgeSecret",
    "InsForgeStandIn", "IoNetSecret", "IoNetStandIn", "Lost", "Pass", "ProviderContract", "RecordedRequest",
    "Recording",
    "Refused", "Reply", "ScriptedRuntime", "Sent", "StandIn", "StandInOptions", "StandInReply", "Subject",
    "WireFault", "WixSecret", "WixStandIn", "answer", "json_reply",
}  # fmt: skip


def run(name: str, face: str, folder: Path, patch: pytest.MonkeyPatch) -> Watch:
    (folder / "tmp").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    patch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    patch.chdir(folder)
    with watched(patch) as watch:
        SCENARIOS[name](Ground(folder, watch, patch), face)
        watch.files(folder, but=IN_THE_CLEAR)
    return watch


def test_nothing_public_shows_a_value_or_a_credential_and_nothing_public_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks: set[str] = set()
    called: set[str] = set()
    for number, name in enumerate(SCENARIOS):
        for face in FACES if name != "credentials" else FACES[:1]:  # they have no face
            with monkeypatch.context() as patch:
                watch = run(name, face, tmp_path / f"{number}-{face}", patch)
            leaks |= {f"{name} on {face}: {leak}" for leak in watch.leaks}
            called |= watch.returned | set(watch.raised)
    public = {label for label in callables() if not label.startswith("testing.")}
    assert sorted(leaks) == []
    assert sorted(public - called - NOT_CALLED.keys()) == []


#: The public modules, and where their callables are searched.
MODULES = {
    "adapter": "what adapters are written with: a request holds the value on its way; test_canary",
    "cli": "main() alone: its commands, in test_cli_canary",
    "errors": "classes that hold what they are given: every error that any scenario meets",
    "migrate": "here",
    "providers": "names and classes; the classes' methods here",
    "testing": "FOR_TESTS, and the canary of the kit",
}


def test_every_public_module_is_named_here() -> None:
    found = {module.name for module in pkgutil.iter_modules(secretbridge.__path__)}
    assert {name for name in found if not name.startswith("_")} - MODULES.keys() == set()


def test_what_users_test_with_is_named_here() -> None:
    assert set(testing.__all__) - FOR_TESTS == set()


def test_every_command_goes_through_the_search_of_the_command_line() -> None:
    # "forget" needs a run that was not finished, and has a test of its own there.
    assert commands() == {"forget", *(command_of(step) for step in STEPS)}


def test_there_is_no_tracing_that_could_be_told_a_value() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = str([extras["dependencies"], extras["optional-dependencies"]])
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "secretbridge").rglob("*.py"))
    modules = {
        alias.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert ("opentelemetry" in named, {one for one in modules if "opentelemetry" in one}) == (False, set())


class Loud:
    """Fails where nobody can catch it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        raise RuntimeError(self._text)


def _in_a_task(ground: Ground) -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(0), name=f"update {VALUE}")
        ground.watch.sample()
        await task

    asyncio.run(main())


def _in_a_task_of_trio(ground: Ground) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0, name=f"update {VALUE}")
            ground.watch.sample()

    trio.run(main)


def _in_a_thread(ground: Ground) -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name=CREDENTIAL)
    thread.start()
    ground.watch.sample()
    go.set()
    thread.join()


def _in_a_frame(ground: Ground) -> None:
    space: dict[str, Any] = {"ground": ground}
    exec(compile("ground.watch.sample()", f"/srv/{CREDENTIAL}.py", "exec"), space)  # noqa: S102 - a frame of this name


def _by_the_process(command: str, **variables: str) -> None:
    subprocess.run([sys.executable, "-c", "", command], env={**os.environ, **variables}, check=True)


def _logged(name: str, _: Ground) -> None:
    logging.getLogger(name).debug("%s", VALUE)


def _looked(wrap: Callable[[str], object]) -> Callable[[Ground], None]:
    return lambda ground: ground.watch.look(wrap(VALUE), "planting")


@dataclass
class Holding:
    """Shows its parts to those who ask for them alone."""

    parts: list[str] = field(repr=False)


class Showing:
    """Shows a text in one way and no other."""

    def __init__(self, way: str, text: str) -> None:
        self.__dict__[way] = lambda: text

    def __repr__(self) -> str:
        return self._in("repr")

    def __str__(self) -> str:
        return self._in("str")

    def __format__(self, how: str) -> str:
        return self._in("format")

    def __copy__(self) -> Showing:
        return Showing("repr", self._in("copy"))

    def __reduce__(self) -> str:
        raise TypeError(self._in("pickle"))

    def _in(self, way: str) -> str:
        return str(self.__dict__.get(way, lambda: "nothing")())


#: The channels that the promise names: where the watch finds what is planted there, and the planting.
CHANNELS: dict[str, tuple[str, Callable[[Ground], object]]] = {
    "repr": ("by text", _looked(lambda text: Showing("repr", text))),
    "str": ("by text", _looked(lambda text: Showing("str", text))),
    "format": ("by text", _looked(lambda text: Showing("format", text))),
    "f-string debug": ("by text", _looked(lambda text: Showing("repr", text))),
    "dataclass asdict": ("by dataclass_as_dict", _looked(lambda text: Holding([text]))),
    "json": ("by json_of_what_has_none", _looked(lambda text: {"a": text})),
    "pickle": ("by a_pickle", _looked(lambda text: Showing("pickle", text))),
    "copy": ("by a_copy", _looked(lambda text: Showing("copy", text))),
    **{f"logging of {name}": ("a log", partial(_logged, name)) for name in LOGGERS},
    "tracebacks": ("by a_traceback", _looked(lambda text: _noted(ValueError("x"), text))),
    "sys.excepthook": ("by a hook", _looked(lambda text: _noted(sb.SecretBridgeError("x"), text))),
    "faulthandler": ("faulthandler", _in_a_frame),
    "warnings": ("a warning", lambda _: warnings.warn(VALUE, UserWarning, stacklevel=1)),
    "ResourceWarning": ("a warning", lambda _: warnings.warn(VALUE, ResourceWarning, stacklevel=1)),
    "unraisable hooks": ("an exception that nobody could catch", lambda _: [Loud(VALUE)].clear()),
    "exception groups": ("by a hook", _looked(lambda text: ExceptionGroup("several", [ValueError(text)]))),
    "task names": ("names of threads and tasks", _in_a_task),
    "task names of trio": ("names of threads and tasks", _in_a_task_of_trio),
    "thread names": ("names of threads and tasks", _in_a_thread),
    "journals": ("the file journal.jsonl", lambda ground: _written(ground.folder / "journal.jsonl")),
    "reports": ("the file report.html", lambda ground: _written(ground.folder / "report.html")),
    "temp files": ("the file left", lambda _: _written(Path(tempfile.gettempdir(), "left"))),
    "names of temp files": ("a file's name", lambda _: Path(tempfile.gettempdir(), CREDENTIAL).touch()),
    "argv": ("an audit event", lambda _: _by_the_process(CREDENTIAL)),
    "child environment": ("an audit event", lambda _: _by_the_process("", PLANTED=VALUE)),
    "standard output": ("standard output or error", lambda _: sys.stdout.write(CREDENTIAL)),
}


def _written(file: Path) -> None:
    file.write_text(VALUE, encoding="utf-8")


def _noted(error: BaseException, text: str) -> BaseException:
    error.add_note(text)
    return error


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_watch_finds_what_is_planted_in_a_channel(
    channel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant(ground: Ground, _face: str) -> None:
        CHANNELS[channel][1](ground)

    monkeypatch.setitem(SCENARIOS, "planting", plant)
    watch = run("planting", "blocking", tmp_path / "planting", monkeypatch)
    assert [leak for leak in watch.leaks if CHANNELS[channel][0] in leak] != []


def test_the_watch_finds_a_public_callable_that_gives_a_value_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(*_: Any, **__: Any) -> str:
        return VALUE

    careless.__qualname__ = "SecretBridge.with_options"
    careless.__name__ = "with_options"
    monkeypatch.setattr(SecretBridge, "with_options", careless)
    watch = run("verbs over sockets", "blocking", tmp_path / "one", monkeypatch)
    assert {leak.split(" ")[0] for leak in watch.leaks} == {"SecretBridge.with_options"}


def test_every_public_class_is_looked_at() -> None:
    kinds = public_classes()
    assert {"SecretBridge", "Vault", "Slots", "AsyncPrincipals", "migrate.Plan", "Secret"} <= kinds.keys()
