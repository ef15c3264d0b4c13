"""A soak: 50 threads on one client and 500 tasks on another, for an hour, while one request in 20 fails.

    python benchmarks/soak.py --minutes 60

The four services take their turns, a quarter of the time each; a stand-in of theirs runs in another process
and fails as ``_shaky.FAULTS`` says. Every thread and every task has a secret of its own and changes, reads,
deletes and creates it, one call after another, unpaced. It keeps what its secret may hold, going by what each
call returned or raised: what an error says was not applied is not, what is not known may be either.

Held against that: every value that is read, and at the end what the stand-in holds. Counted besides: calls
that ended neither in a result nor in an error of ours, and refusals that cannot be right; memory, file
handles, sockets, threads and tasks, every few seconds and after the clients were closed. It prints one JSON
document and ends with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from _shaky import Service, served

from secretbridge import (
    AmbiguousSecret,
    Appfarm,
    AsyncSecretBridge,
    InsForge,
    IoNet,
    Retry,
    SecretBridge,
    SecretExists,
    SecretNotFound,
    Wix,
)
from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge._provider import Provider

VENDORS = ("Wix", "InsForge", "IoNet", "Appfarm")
RETRY = Retry(attempts=3, first_wait=0.005, max_wait=0.05, max_retry_after=1)
#: Of a hundred calls so many are of each kind, where the service has it.
MIX = {"update": 60, "get": 25, "put": 8, "delete": 5, "list": 2}
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Below this there is too little to tell growth from the ups and downs of the allocator.
_LEAST_SAMPLES = 20
_MOST_GROWTH = 8.0  # MB from the second fifth of a service's turn to its last


def provider_of(vendor: str, service: Service, names: list[str]) -> Provider:
    """Make the adapter that reaches a service."""
    if vendor == "Wix":
        return Wix(api_key=service.key, site_id=service.site, base_url=service.url)
    if vendor == "InsForge":
        return InsForge(service.url, api_key=service.key)
    if vendor == "IoNet":
        return IoNet(api_key=service.key, base_url=service.url)
    path = "/api/services/secrets/update-secret"
    return Appfarm(service.url, api_key=service.key, path=path, secrets=names)


@dataclass
class Tally:
    """What all calls came to."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def report(self, problem: str) -> None:
        """Note something that must not be; the first ones are enough."""
        if len(self.wrong) < 20:
            self.wrong.append(problem)


class Worker:
    """One thread's or task's secret: what to do with it next, and what it may hold.

    ``may_hold`` are the values; None among them means that it may be absent.
    """

    def __init__(self, name: str, operations: frozenset[str], tally: Tally, seed: str) -> None:
        self.name = name
        self.may_hold: set[str | None] = {"seeded"}
        self._operations = operations
        self._tally = tally
        self._random = random.Random(seed)  # noqa: S311 - a soak that can be repeated
        self._number = 0

    def next(self) -> tuple[str, str]:
        """Choose a call and the value that it writes, if it does."""
        self._number += 1
        if self.may_hold == {None}:
            return "create", self._value()
        kinds = [kind for kind in MIX if kind in self._operations]
        kind = self._random.choices(kinds, [MIX[kind] for kind in kinds])[0]
        if None in self.may_hold:
            # First find out where it stands, by reading: InsForge accepts changes of what was deleted.
            kind = "get" if "get" in kinds else "update"
        return kind, self._value()

    def _value(self) -> str:
        return f"{self.name}-{self._number}"

    def arguments(self, kind: str, value: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Give the method, its positional arguments and the named ones."""
        if kind == "list":
            return "list_secrets", (), {}
        named: dict[str, Any] = {"value": value} if kind in {"update", "put", "create"} else {}
        return f"{kind}_secret", (self.name,), named

    def returned(self, kind: str, value: str, result: Any) -> None:  # noqa: ANN401 - of any call
        """Take in that a call succeeded."""
        self._tally.outcomes[f"{kind}: done"] += 1
        if kind == "get":
            self._read(result.value.get_secret_value() if result.value is not None else None)
        elif kind == "list":
            if None not in self.may_hold and self.name not in {secret.name for secret in result}:
                self._tally.report(f"{self.name} is not listed and was never deleted")
        else:
            self.may_hold = {None} if kind == "delete" else {value}

    def _read(self, value: str | None) -> None:
        if value is None:  # this service never tells one, but that it is there
            self.may_hold -= {None}
            return
        if value not in self.may_hold:
            self._tally.report(f"{self.name} holds {value!r}, which is none of {self.may_hold}")
        self.may_hold = {value}

    def raised(self, kind: str, value: str, error: Exception) -> None:
        """Take in that a call failed, as far as it says what became of the change."""
        if not isinstance(error, SecretBridgeError):
            self._tally.report(f"{kind} of {self.name} raised {type(error).__name__}: {error}")
            return
        self._tally.outcomes[f"{kind}: {type(error).__name__}, applied={error.applied}"] += 1
        absent: set[str | None] = {None}
        self._must(not isinstance(error, AmbiguousSecret), f"{kind}: several are said to bear {self.name}")
        if isinstance(error, SecretNotFound) and kind in {"update", "get", "delete"}:
            self._must(None in self.may_hold, f"{kind} did not find {self.name}, which is there")
            self.may_hold = absent
        elif isinstance(error, SecretExists) and kind == "create":
            self._must(self.may_hold != absent, f"{self.name} exists, and was not created")
            self.may_hold -= absent
        elif kind in {"update", "put", "create", "delete"} and error.applied is not False:
            after = None if kind == "delete" else value
            self.may_hold = {after} | (self.may_hold if error.applied is None else set())

    def _must(self, holds: bool, problem: str) -> None:  # noqa: FBT001 - a condition
        if not holds:
            self._tally.report(problem)


def _blocking_work(bridge: SecretBridge, worker: Worker, until: float) -> None:
    while time.monotonic() < until:
        kind, value = worker.next()
        method, positional, named = worker.arguments(kind, value)
        try:
            result = getattr(bridge, method)(*positional, **named)
        except Exception as error:  # noqa: BLE001 - what is not ours is reported
            worker.raised(kind, value, error)
        else:
            worker.returned(kind, value, result)


async def _task_work(bridge: AsyncSecretBridge, worker: Worker, until: float) -> None:
    while time.monotonic() < until:
        kind, value = worker.next()
        method, positional, named = worker.arguments(kind, value)
        try:
            result = await getattr(bridge, method)(*positional, **named)
        except Exception as error:  # noqa: BLE001 - what is not ours is reported
            worker.raised(kind, value, error)
        else:
            worker.returned(kind, value, result)


def figures() -> dict[str, float]:
    """Measure this process: MB of memory, open file handles, sockets among them, and threads."""
    handles = list(_handles())
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "memory MB": round(pages * _PAGE / 1e6, 1),
        "file handles": len(handles),
        "sockets": sum(handle.startswith("socket:") for handle in handles),
        "threads": threading.active_count(),
    }


def _handles() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - only the names are wanted
        try:
            yield str(Path(f"/proc/self/fd/{name}").readlink())
        except OSError:
            continue  # the handle of the listing itself


class Turn:
    """One service's turn: both clients on it until the time is up.

    Args:
        vendor: which.
        seconds: how long.
        threads: on the blocking client.
        tasks: on the asynchronous one.
        faults: the part of the requests that go wrong.
        seed: of faults and calls.
    """

    def __init__(
        self, vendor: str, seconds: float, *, threads: int, tasks: int, faults: float, seed: int
    ) -> None:
        self._vendor = vendor
        self._seconds = seconds
        self._faults = faults
        self._seed = seed
        self._names = [f"T{number}" for number in range(threads)]
        self._task_names = [f"A{number}" for number in range(tasks)]
        self._tally = Tally()
        self._samples: list[dict[str, float]] = []
        self._workers: list[Worker] = []

    def run(self) -> dict[str, Any]:
        """Take the turn and give its report."""
        names = [*self._names, *self._task_names]
        with served(self._vendor, self._faults, self._seed, names) as service:
            before = figures()
            started = time.monotonic()
            self._load(provider_of(self._vendor, service, names))
            took = time.monotonic() - started
            gc.collect()
            after = figures()
            self._compare(service.state())
        self._leaks(before, after)
        calls = self._tally.outcomes.total()
        return {
            "service": self._vendor,
            "seconds": round(took, 1),
            "calls": calls,
            "calls a second": round(calls / took),
            "outcomes": dict(sorted(self._tally.outcomes.items())),
            "before": before,
            "under way": self._spread(),
            "after": after,
            "wrong": self._tally.wrong,
        }

    def _load(self, provider: Provider) -> None:
        until = time.monotonic() + self._seconds
        with SecretBridge(provider, retry=RETRY, pace=None) as bridge:
            operations = bridge.capabilities.operations
            threads = [
                threading.Thread(target=_blocking_work, args=(bridge, self._worker(name, operations), until))
                for name in self._names
            ]
            for thread in threads:
                thread.start()
            asyncio.run(self._tasks(provider, operations, until))
            for thread in threads:
                thread.join(120)
            if any(thread.is_alive() for thread in threads):
                self._tally.report("a thread did not come to an end")

    async def _tasks(self, provider: Provider, operations: frozenset[str], until: float) -> None:
        async with AsyncSecretBridge(provider, retry=RETRY, pace=None) as bridge:
            workers = [self._worker(name, operations) for name in self._task_names]
            tasks = [asyncio.ensure_future(_task_work(bridge, worker, until)) for worker in workers]
            every = max(0.25, min(5.0, self._seconds / 50))
            while time.monotonic() < until:
                await asyncio.sleep(every)
                self._samples.append({**figures(), "tasks": len(asyncio.all_tasks())})
            _, late = await asyncio.wait(tasks, timeout=120)
            if late:
                self._tally.report(f"{len(late)} tasks did not come to an end")
            for task in tasks:
                if task.done() and task.exception() is not None:
                    self._tally.report(f"a task raised {task.exception()!r}")
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            self._tally.report(f"{len(left)} tasks are left after closing")

    def _worker(self, name: str, operations: frozenset[str]) -> Worker:
        worker = Worker(name, operations, self._tally, f"{self._seed} {self._vendor} {name}")
        self._workers.append(worker)
        return worker

    def _compare(self, state: dict[str, list[str]]) -> None:
        """Hold what the service has against what the calls said."""
        for worker in self._workers:
            held = state.get(worker.name, [])
            if len(held) > 1:
                self._tally.report(f"{worker.name} is there {len(held)} times")
            if (held[0] if held else None) not in worker.may_hold:
                self._tally.report(f"{worker.name} holds {held}, and may hold {worker.may_hold}")
        strangers = state.keys() - {worker.name for worker in self._workers}
        if strangers:
            self._tally.report(f"nobody made {sorted(strangers)[:5]}")

    def _leaks(self, before: dict[str, float], after: dict[str, float]) -> None:
        for what in ("file handles", "sockets", "threads"):
            if after[what] > before[what]:
                self._tally.report(f"{what}: {before[what]} before, {after[what]} after closing")
        fifth = len(self._samples) // 5
        for what in ("file handles", "threads", "tasks", "memory MB"):
            if len(self._samples) < _LEAST_SAMPLES or self._seconds < 60:
                continue  # too short to tell growth from warming up
            early = median(sample[what] for sample in self._samples[fifth : 2 * fifth])
            late = median(sample[what] for sample in self._samples[-fifth:])
            most = _MOST_GROWTH if what == "memory MB" else early * 0.1 + 5
            if late - early > most:
                self._tally.report(f"{what} grew from {early} to {late}")

    def _spread(self) -> dict[str, dict[str, float]]:
        """Give each figure's median in the second and in the last fifth of the turn, and its highest."""
        fifth = max(1, len(self._samples) // 5)
        return {
            what: {
                "early": median(one[what] for one in self._samples[fifth : 2 * fifth] or self._samples),
                "late": median(one[what] for one in self._samples[-fifth:]),
                "most": max(one[what] for one in self._samples),
            }
            for what in self._samples[0]
        }


def main() -> int:
    """Read the options, let every service have its turn, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--faults", type=float, default=0.05, help="the part of the requests that fail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--services", nargs="+", choices=VENDORS, default=list(VENDORS))
    given = parser.parse_args()
    seconds = given.minutes * 60 / len(given.services)
    turns = []
    for vendor in given.services:
        turn = Turn(
            vendor,
            seconds,
            threads=given.threads,
            tasks=given.tasks,
            faults=given.faults,
            seed=given.seed,
        )
        turns.append(turn.run())
        print(f"{vendor}: {turns[-1]['calls']} calls, {len(turns[-1]['wrong'])} wrong", file=sys.stderr)
        for problem in turns[-1]["wrong"]:
            print(f"  {problem}", file=sys.stderr, flush=True)
    print(json.dumps({"options": vars(given), "turns": turns}, indent=2))
    return int(any(turn["wrong"] for turn in turns))


if __name__ == "__main__":
    sys.exit(main())
