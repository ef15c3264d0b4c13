"""Watches one stretch of a program: all that leaves it, and every public callable that is called in it."""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import gc
import inspect
import io
import logging
import os
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

import trio
from canary_channels import CHANNELS, Outcome, hooks_for_what_nobody_catches
from canary_marks import CREDENTIAL, VALUE, forms, found_in
from secrecy_inventory import Found, callables

import secretbridge
from secretbridge import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

#: Every logger there is gets DEBUG; these are there in any case.
LOGGERS = ("secretbridge", "httpx", "httpcore", "asyncio", "psycopg", "concurrent.futures", "py.warnings")
#: Such as what a process is started with, which files are opened, where is connected to.
_EVENTS = ("os.", "subprocess.", "open", "tempfile.", "shutil.", "socket.", "sqlite3.", "sys.", "urllib.")
#: What leads to everything there is, and is searched only as it shows itself.
_LEADING = (secretbridge.SecretBridge, secretbridge.AsyncSecretBridge, secretbridge.Vault)
_LEADING += (secretbridge.AsyncVault, migrate.Plan, secretbridge.Rotation)  # type: ignore[assignment]  # longer
#: They give the value: that is what they are asked for.
GIVING = {"Secret.reveal", "Passphrase.encoded", "AccountKey.key", "EnvironmentKey.key", "KeyringKey.key"}
GIVING |= {
    "Dotenv.read_values",
    "JsonFile.read_values",
    "Environment.read_values",
}  # SecretStr, which can be pickled

#: What holds of a stand-in too, though it has everything in it.
_SHOWING = {"text", "pretty_printed", "json_of_what_has_none", "a_copy"}

#: Where a key stands that the user put into a variable: there, and in what children inherit.
_THE_USERS_OWN = {"environment", "an audit event"}

_watching: list[Watch] = []


def _audited(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _watching:
        if event.startswith(_EVENTS):
            watch.events.append(f"{event} {' '.join(_flat(arguments))}")


def _of_testing(thing: object) -> bool:
    inner = thing[0] if isinstance(thing, (list, tuple)) and thing else thing
    return type(inner).__module__.startswith("secretbridge.testing")


def _flat(thing: object) -> Iterator[str]:
    if isinstance(thing, bytes):
        yield thing.decode("latin-1")
    elif isinstance(thing, (str, os.PathLike)):
        yield str(thing)
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _flat(part)
    elif isinstance(thing, dict):
        for pair in thing.items():
            yield from _flat(pair)


sys.addaudithook(_audited)  # cannot be taken out; outside of a watch it does nothing


class Watch:
    """What was seen: leaks, and for each public callable whether it returned and whether it raised."""

    def __init__(self) -> None:
        self.leaks: set[str] = set()
        self.returned: set[str] = set()
        self.raised: dict[str, set[str]] = {}
        self.seen: set[str] = set()
        self.events: list[str] = []
        self.unraisable: list[str] = []
        self.warned: list[str] = []
        self.log = io.StringIO()
        self.printed = io.StringIO()
        self._sought: list[str] = []
        self._hooked: set[tuple[type, str]] = set()
        self._searched: set[str] = set()  # most results show the same again
        self._quiet = threading.local()

    def also(self, secret: str) -> str:
        """Search for this too, in all its forms."""
        self._sought += [form.casefold() for form in forms(secret).values()]
        return secret

    def search(self, text: str, where: str) -> None:
        """Note what a text must not hold."""
        if text in self._searched:
            return
        self._searched.add(text)
        folded = text.casefold()
        found = found_in(text)
        if where not in _THE_USERS_OWN:
            found += [form for form in self._sought if form in folded]
        self.leaks.update(f"{where}: {form!r}" for form in found)

    def look(self, thing: object, where: str) -> None:
        """Search a result or an error in every way it can show itself."""
        outcome = Outcome(error=thing) if isinstance(thing, BaseException) else Outcome(results=[thing])
        for one in thing if isinstance(thing, (list, tuple)) else [thing]:
            self.seen.add(type(one).__name__)
        if isinstance(thing, BaseException) and (type(thing), str(thing)) not in self._hooked:
            self._hooked.add((type(thing), str(thing)))
            for text in hooks_for_what_nobody_catches(thing):
                self.search(text, f"{where} by a hook")
        for name, channel in CHANNELS.items():
            if isinstance(thing, _LEADING) and name == "attributes_and_chains":
                continue
            if _of_testing(thing) and name not in _SHOWING:
                continue
            for text in channel(outcome):
                self.search(text, f"{where} by {name}")

    # Wrapped callables report here.

    def came_back(self, label: str, result: object) -> None:
        """Take in what a public callable returned."""
        self.returned.add(label)
        self._once(label, result)

    def failed(self, label: str, error: BaseException) -> None:
        """Take in what it raised."""
        self.raised.setdefault(label, set()).add(type(error).__name__)
        if isinstance(error, secretbridge.SecretBridgeError):
            self._once(label, error)
        else:
            self.search("".join(traceback.format_exception(error)), f"{label} by its traceback")

    def _once(self, label: str, thing: object) -> None:
        if getattr(self._quiet, "on", False) or label in GIVING:
            return  # showing a thing calls its properties
        if label.startswith("testing.") and not isinstance(thing, BaseException):
            return  # stand-ins hold and give what was sent to them; scenarios look how they show themselves
        self._quiet.on = True
        try:
            self.look(thing, f"{label} ({type(thing).__name__})")
        finally:
            self._quiet.on = False

    def sample(self) -> None:
        """Look at what is there for others to see while a call is under way."""
        names = [thread.name for thread in threading.enumerate()]
        try:
            names += [task.get_name() for task in asyncio.all_tasks()]
            names += [repr(task) for task in asyncio.all_tasks()]
        except RuntimeError:
            pass  # no asyncio runs here
        with suppress(RuntimeError):  # no trio runs here
            names += [repr(task) for task in _tasks_of_trio(trio.lowlevel.current_root_task())]
        self.search(" ".join(names), "names of threads and tasks")
        self.search(" ".join([*sys.argv, *sys.orig_argv]), "arguments of this process")
        self.search(" ".join(f"{name}={text}" for name, text in os.environ.items()), "environment")
        with tempfile.TemporaryFile() as file:
            faulthandler.dump_traceback(file)
            file.seek(0)
            self.search(file.read().decode("utf-8", "replace"), "faulthandler")

    def files(self, folder: Path, *, but: set[str]) -> None:
        """Search every file and its name, but for those that hold values on purpose."""
        for path in folder.rglob("*"):
            self.search(str(path), "a file's name")
            if path.is_file() and path.name not in but:
                self.search(path.read_bytes().decode("latin-1"), f"the file {path.name}")

    def close(self) -> None:
        """Search what was collected meanwhile."""
        self.search(self.log.getvalue(), "a log")
        self.search(self.printed.getvalue(), "standard output or error")
        self.search("\n".join(self.events), "an audit event")
        self.search("\n".join(self.unraisable), "an exception that nobody could catch")
        self.search("\n".join(self.warned), "a warning")


@contextmanager
def watched(patch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watch while the block runs; what it left behind is searched at its end."""
    watch = Watch()
    with ExitStack() as stack:
        for one in callables().values():
            patch.setattr(one.owner, one.name, _wrapped(watch, one))
        patch.setattr(sys, "unraisablehook", lambda told: watch.unraisable.append(_told(told.exc_value)))
        patch.setattr(threading, "excepthook", lambda told: watch.unraisable.append(_told(told.exc_value)))
        for name in {*LOGGERS, *logging.root.manager.loggerDict}:
            logger = logging.getLogger(name)
            patch.setattr(logger, "disabled", False)
            patch.setattr(logger, "level", logging.DEBUG)
            logger.manager._clear_cache()  # type: ignore[attr-defined]  # levels are kept there
        handler = logging.StreamHandler(watch.log)
        patch.setattr(logging.root, "level", logging.DEBUG)
        logging.root.addHandler(handler)
        stack.callback(logging.root.removeHandler, handler)
        stack.enter_context(redirect_stdout(watch.printed))
        stack.enter_context(redirect_stderr(watch.printed))
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        _watching.append(watch)
        stack.callback(_watching.remove, watch)
        yield watch
        gc.collect()  # what is closed by the collector alone warns of it now
        watch.warned += [f"{one.message!r} {one.message} {one.source!r}" for one in caught]
    watch.close()


def _tasks_of_trio(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    if task is not None:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _tasks_of_trio(child)


def _told(error: BaseException | None) -> str:
    return "" if error is None else f"{error!r} {''.join(traceback.format_exception(error))}"


def _wrapped(watch: Watch, one: Found) -> Any:
    """Give a stand-in for a callable that reports what comes of it."""
    given = one.given
    if isinstance(given, property):
        return property(_around(watch, one.label, given.fget))
    if isinstance(given, functools.cached_property):
        return given  # it is kept in the instance, which is searched
    if isinstance(given, classmethod):
        return classmethod(_around(watch, one.label, given.__func__))
    if isinstance(given, staticmethod):
        return staticmethod(_around(watch, one.label, given.__func__))
    return _around(watch, one.label, given)


def _around(watch: Watch, label: str, function: Any) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*positional: Any, **named: Any) -> Any:
            try:
                result = await function(*positional, **named)
            except BaseException as error:
                watch.failed(_label(label, function, positional), error)
                raise
            watch.came_back(_label(label, function, positional), result)
            return result

        return awaited

    @functools.wraps(function)
    def called(*positional: Any, **named: Any) -> Any:
        try:
            result = function(*positional, **named)
        except BaseException as error:
            watch.failed(_label(label, function, positional), error)
            raise
        watch.came_back(_label(label, function, positional), result)
        return result

    return called


def _label(label: str, function: Any, positional: tuple[Any, ...]) -> str:
    """Where several classes inherit one method, say whose it was."""
    place, dot, name = label.rpartition(".")
    if not dot or not positional or function.__name__ != name or function.__qualname__ == name:
        return label
    kind = positional[0] if isinstance(positional[0], type) else type(positional[0])
    prefix = place.rpartition(".")[0]
    return f"{prefix}.{kind.__name__}.{name}" if prefix else f"{kind.__name__}.{name}"


__all__ = ["CREDENTIAL", "GIVING", "VALUE", "Watch", "watched"]
