"""Runs that are killed: stand-ins on sockets here, the run in a child that kills itself at a given hook.

A hook is before each request and after its answer came, after each blocking call (the journal's commits, the
vault, files), and inside each transaction of the journal, just before its commit. Between one hook and the
next nothing leaves the process's memory but one request, one call or one commit.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from secretbridge import Appfarm, InsForge, IoNet, Local, SecretBridge, Wix, migrate
from secretbridge._connect import DEFAULT_RETRY, connected
from secretbridge._models import secret_str
from secretbridge._runtime import BlockingRuntime
from secretbridge.errors import MigrationIncomplete, SecretBridgeError
from secretbridge.migrate import _begin, _journal
from secretbridge.providers.dotenv import Dotenv
from secretbridge.providers.jsonfile import JsonFile
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge._exchange import Reply, Request
    from secretbridge._models import Timeout
    from secretbridge._provider import Provider
    from secretbridge.migrate import Run

T = TypeVar("T")

#: What a store is reached by; plain data, so that a child can be told.
Way = dict[str, str]

SERVED = ("wix", "insforge", "ionet", "appfarm")
KEPT = ("local", "postgres", "dotenv", "json")
#: What is loaded late, and would otherwise be loaded by each child.
_LOADED = (
    "concurrent.futures.thread",
    "dotenv.parser",
    "encodings.idna",
    "httpcore",  # which loads trio
    "platformdirs.unix",
    "secretbridge._vault._postgres",
    "secretbridge._wire",
    "secretbridge.migrate._restored",
    "secretbridge.migrate._runs",
    "secretbridge.migrate._syncing",
    "secretbridge.migrate._verbs",
)
ALL_CONSENTS = ("inferred", "changed", "unseen")


class Hooks:
    """Counts hooks, and kills the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._lock = threading.Lock()
        self.count = 0

    def pass_by(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)


class HookedRuntime(BlockingRuntime):
    """Passes a hook round each request and after each blocking call; never really waits."""

    def __init__(self, hooks: Hooks) -> None:
        # Plain http on loopback alone: reading the machine's certificates would be most of a child's time.
        super().__init__(httpx.HTTPTransport(verify=False, trust_env=False))
        self._hooks = hooks

    async def send(self, request: Request, timeout: Timeout) -> Reply:
        self._hooks.pass_by()
        reply = await super().send(request, timeout)
        self._hooks.pass_by()
        return reply

    async def call(self, function: Callable[[], T]) -> T:
        result = await super().call(function)
        self._hooks.pass_by()
        return result

    async def sleep(self, seconds: float) -> None:
        self._hooks.pass_by()


class HookedJournal(_journal.Journal):
    """Passes a hook inside each transaction, just before it is committed."""

    hooks = Hooks(0)

    def _write(self, kind: str, data: object) -> tuple[int, bytes]:
        written = super()._write(kind, data)
        self.hooks.pass_by()
        return written


def provider(way: Way) -> Provider:
    """Make the provider of a way."""
    kind, at = way["kind"], way["at"]
    if kind == "wix":
        return Wix(api_key=way["key"], site_id=way["site"], base_url=at)
    if kind == "insforge":
        return InsForge(at, api_key=way["key"])
    if kind == "ionet":
        return IoNet(api_key=way["key"], base_url=at)
    if kind == "appfarm":
        names = way["names"].split(",")
        return Appfarm(at, api_key=way["key"], path=way["path"], secrets=names)
    if kind in {"local", "postgres"}:
        return Local(at, key_file=way["key_file"])
    return Dotenv(at) if kind == "dotenv" else JsonFile(at)


def bridge(way: Way, hooks: Hooks) -> SecretBridge:
    """Open a bridge that passes hooks and never waits."""
    opened = object.__new__(SecretBridge)
    opened._core = connected(provider(way), HookedRuntime(hooks), 30.0, DEFAULT_RETRY, None)
    return opened


@dataclass(kw_only=True)
class World:
    """A source, a target, a vault and a folder of journals."""

    source: Way
    target: Way
    vault: Way | None
    journal: str
    children: Children
    states: dict[str, Callable[[], dict[str, list[str]]]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return {"source": self.source, "target": self.target, "vault": self.vault, "journal": self.journal}

    def at(self, which: str) -> dict[str, list[str]]:
        """Give what the source or the target truly holds: all values of each name."""
        return self.states[which]()


def do(verb: str, told: dict[str, Any], hooks: Hooks, **more: Any) -> Run | None:
    """Apply, move, sync, resume or undo in a world; the id of the run is found as a user would find it.

    To move is to apply and to delete at the source.
    """
    journal = told["journal"]
    _begin.Journal = HookedJournal  # type: ignore[attr-defined]  # its transactions pass hooks; in a product they do not
    with ExitStack() as stack:
        # But for a move, the source is only read.
        source = stack.enter_context(bridge(told["source"], hooks if verb == "move" else Hooks(0)))
        target = stack.enter_context(bridge(told["target"], hooks))
        vault = None if told["vault"] is None else stack.enter_context(bridge(told["vault"], hooks))
        if verb == "sync":
            return migrate.sync(
                source,
                target,
                vault=vault,
                accept=["versions", "inactive"],
                journal=journal,
                prune=True,
                patience=0,
                resend=True,
                **more,
            )
        if verb == "move":
            more |= {"delete_source": True, "accept_unverifiable": True}
        if verb in {"apply", "move"}:
            plan = migrate.plan(source, target, on_conflict="update", vault=vault, exclude="FOREIGN*")
            return plan.apply(journal=journal, resend=True, patience=0, **more)
        found = migrate.runs(journal=journal)
        if not found:
            return None  # killed before anything was written down
        run_id = found[0].id
        if verb == "resume":
            return migrate.resume(
                run_id, source, target, journal=journal, vault=vault, resend=True, patience=0, **more
            )
        return migrate.undo(run_id, target, journal=journal, vault=vault, **more)


def child(verb: str, told: dict[str, Any], fatal: int, more: dict[str, Any]) -> None:
    """Do it with a fatal hook; ends with 0 where it came to an end before that, 3 where that failed."""
    hooks = Hooks(fatal)
    HookedJournal.hooks = hooks
    try:
        do(verb, told, hooks, **more)
    except MigrationIncomplete:
        os._exit(2)
    except SecretBridgeError:
        os._exit(3)
    os._exit(0)


def killed(verb: str, world: World, fatal: int, **more: Any) -> int:
    """Do it in a process of its own that is killed at a hook; gives its exit code."""
    return world.children.fork(verb, world.told(), fatal, more)


class Children:
    """A process with everything loaded and one thread; it forks a child for each order, and waits for it."""

    def __init__(self) -> None:
        self._parent: subprocess.Popen[str] | None = None

    def fork(self, verb: str, told: dict[str, Any], fatal: int, more: dict[str, Any]) -> int:
        """Let a child do it; gives its exit code, negative where a signal ended it."""
        if self._parent is None or self._parent.poll() is not None:
            self._parent = subprocess.Popen(
                [sys.executable, "-c", _PARENT, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([verb, told, fatal, more]) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def close(self) -> None:
        if self._parent is not None:
            self._parent.communicate()


_PARENT = """
import sys
sys.path[:] = sys.argv[1:]
import kill_place
kill_place.fork_on_order()
"""


def fork_on_order() -> None:
    """Fork a child for each line of standard input, and print its exit code."""
    for module in _LOADED:  # once, for every child
        import_module(module)
    secret_str()
    for line in sys.stdin:
        verb, told, fatal, more = json.loads(line)
        process = os.fork()
        if process == 0:
            child(verb, told, fatal, more)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        sys.stdout.flush()


class Worlds:
    """Makes worlds; the servers stay, the stores in them are made anew each time.

    Args:
        folder: where files are.
        secrets: how many secrets a source has.
        postgres: the server of vaults on PostgreSQL, if there are to be any.
    """

    def __init__(self, folder: Path, secrets: int = 3, postgres: Any = None) -> None:
        self._folder = folder
        self._secrets = secrets
        self._postgres = postgres
        self._stack = ExitStack()
        self._children = Children()
        self._made = 0
        self.standins: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._children.close()

    def make(self, source: str, target: str, *, vault: bool = True) -> World:
        """Make a world of two kinds of store.

        KEY_0 is at both, with different values; the others are at the source alone, where the target can
        make new ones; FOREIGN is at the target alone and must never be touched.
        """
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir(mode=0o700)
        names = [f"KEY_{n}" for n in range(self._secrets)]
        new = {name: f"new-value-of-{name}" for name in names}
        old = {name: f"old-value-of-{name}" for name in (names if target == "appfarm" else names[:1])}
        old["FOREIGN"] = "foreign-value"
        world = World(source={}, target={}, vault=None, journal=str(folder / "runs"), children=self._children)
        world.source, world.states["source"] = self._store(folder / "source", source, new)
        world.target, world.states["target"] = self._store(folder / "target", target, old)
        if vault:
            world.vault, _ = self._store(folder / "vault", "local", {})
        return world

    def drop(self) -> None:
        """Remove what the last world left on the disk."""
        shutil.rmtree(self._folder / str(self._made))

    def _store(
        self, place: Path, kind: str, values: dict[str, str]
    ) -> tuple[Way, Callable[[], dict[str, list[str]]]]:
        if kind in KEPT:
            suffix = {"local": ".db", "postgres": "", "dotenv": ".env", "json": ".json"}[kind]
            at = self._postgres.url() if kind == "postgres" else str(place) + suffix
            way = {"kind": kind, "at": at, "key_file": f"{place}.key"}
            with SecretBridge(provider(way)) as opened:
                for name, value in values.items():
                    opened.create_secret(name, value=value)
            return way, lambda: _read(way)
        standin: Any
        self.standins[place.name] = standin = {
            "wix": WixStandIn,
            "insforge": InsForgeStandIn,
            "ionet": IoNetStandIn,
            "appfarm": AppfarmStandIn,
        }[kind]()
        url = self._stack.enter_context(standin.serve())
        for name, value in values.items():
            standin.seed(name, value)
        way = {"kind": kind, "at": url, "key": standin.api_key}
        if kind == "wix":
            way["site"] = standin.site_id
        if kind == "appfarm":
            way["path"] = standin.path
            way["names"] = ",".join(values)
        return way, lambda: _true_state(kind, standin)

    def close_servers(self) -> None:
        """End the servers of the worlds so far."""
        self._stack.close()
        self._stack = ExitStack()


def _read(way: Way) -> dict[str, list[str]]:
    with SecretBridge(provider(way)) as opened:
        return {secret.name: [opened.get_secret(secret.name).reveal()] for secret in opened.list_secrets()}


def _true_state(kind: str, standin: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in standin.secrets:
        if kind == "insforge" and (row.reserved or not row.active):
            continue
        found.setdefault(row.name, []).append(row.value)
    return found


def wanted(world: World) -> dict[str, list[str]]:
    """What the target has to hold when all is done."""
    return {**world.at("target"), **world.at("source")}


def hooks_of(worlds: Worlds, mode: str, source: str, target: str) -> int:
    """Count the hooks of a run that nobody kills."""
    first, verb, _ = MODES[mode]
    world = worlds.make(source, target)
    _begun(world, first)
    hooks = Hooks(0)
    HookedJournal.hooks = hooks
    do(verb, world.told(), hooks, check=False)
    worlds.close_servers()
    worlds.drop()
    return hooks.count


def sound_after(
    world: World, before: dict[str, list[str]], after: dict[str, list[str]], *, undone: bool
) -> str:
    """Say what is wrong with the target after a resume or an undo; "" where nothing is."""
    now = world.at("target")
    blind = world.target["kind"] in {"ionet", "appfarm"}
    expected = before if undone else after
    for name in {*now, *expected}:
        have, want = now.get(name, []), expected.get(name, [])
        if have == want:
            continue
        if undone and blind and name in before and have in (before[name], after[name]):
            continue  # an update of what is never told cannot be taken back, and the plan said so
        return f"{name}: {have} where {want} was expected"
    return ""


#: How a run is killed and what follows: the verb that is killed after what, and the verb that mends it.
MODES = {
    "apply, resume": ((), "apply", "resume"),
    "apply, undo": ((), "apply", "undo"),
    "resume, resume": (("cut off",), "resume", "resume"),
    "undo, undo": (("apply",), "undo", "undo"),
    "move, resume": ((), "move", "resume"),
    "sync, sync": (("synced",), "sync", "sync"),
}
#: The hook at which a run is cut off before its resume is killed: in the middle of its first window.
_CUT = 24
SOURCES = ("wix", "insforge", "local", "postgres", "dotenv", "json")
TARGETS = ("wix", "insforge", "ionet", "appfarm", "local", "postgres", "dotenv", "json")
#: Every pair of stores; a store as source and target of one kind is two stores.
PAIRS = tuple((source, target) for source in SOURCES for target in TARGETS)


def fits(mode: str, source: str, target: str) -> bool:
    """Say whether a mode makes sense for two stores.

    Appfarm neither creates nor deletes, so there is nothing to prune.
    """
    return mode != "sync, sync" or target != "appfarm"


def verdict(worlds: Worlds, mode: str, source: str, target: str, fatal: int) -> str | None:
    """Kill a run at a hook and mend it; says what is wrong then, or "", or None where it was not killed."""
    first, verb, mending = MODES[mode]
    world = worlds.make(source, target)
    try:
        before, after = world.at("target"), wanted(world)
        _begun(world, first)
        if first == ("synced",):
            after = {**wanted(world)}
            after.pop("KEY_1")
        there = world.at("source")
        if killed(verb, world, fatal) != -signal.SIGKILL:
            return None
        if verb == "move" and (problem := _lost(world, there, after)):
            return problem
        return _mended(world, mending, before, after)
    finally:
        worlds.close_servers()
        worlds.drop()


def _begun(world: World, first: tuple[str, ...]) -> None:
    """Bring a world to where its run is going to be killed: a run that is done, or one that was cut off."""
    for step in first:
        if step == "apply":
            do("apply", world.told(), Hooks(0))
        elif step == "synced":
            do("sync", world.told(), Hooks(0))
            with bridge(world.source, Hooks(0)) as source:
                source.update_secret("KEY_0", value="newer-value")
                source.delete_secret("KEY_1")
        else:
            killed("apply", world, _CUT)


def _lost(world: World, source: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    """Say what is neither at the source any more nor at the target yet; "" where nothing is."""
    left, arrived = world.at("source"), world.at("target")
    lost = [name for name in source if name not in left and arrived.get(name) != after[name]]
    return f"lost: {lost}" if lost else ""


def _mended(world: World, mending: str, before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    run = do(mending, world.told(), Hooks(0), check=False)
    if run is None:
        return sound_after(world, before, before, undone=True)
    if mending in {"resume", "sync"}:
        problem = sound_after(world, before, after, undone=False)
        if run.outcomes and all(one.source_deleted for one in run.outcomes) and (left := world.at("source")):
            problem = problem or f"left at the source: {left}"
        return problem or ("" if run.state == "done" else f"{run.state}: {run.open}")
    problem = strange(world, before, after)
    again = do("undo", world.told(), Hooks(0), check=False, accept=ALL_CONSENTS)
    problem = problem or sound_after(world, before, after, undone=True)
    unseen = world.target["kind"] in {"ionet", "appfarm"}
    ended = again is not None and (again.state == "undone" or unseen)
    return problem or ("" if ended else f"{again}: {again and again.outcomes}")


def strange(world: World, before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    """Say what is at the target that was neither there before nor is wanted; "" where nothing is."""
    for name, values in world.at("target").items():
        if values not in (before.get(name), after.get(name)):
            return f"{name}: {values}"
    return "" if world.at("target")["FOREIGN"] == before["FOREIGN"] else "FOREIGN was touched"


def memory_folder() -> str | None:
    """Give a folder in memory where there is one: a kill proves nothing about fsync, and fsync takes time."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - nothing in it is secret
