"""Children killed at random moments; after each kill the vault opens and holds what was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
from secretbridge.errors import SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

#: Kills before a new vault is begun, so that verifying stays short.
FRESH: Final = 10
NAMES: Final = [f"KEY{number}" for number in range(8)]
#: A vault of the first format, as an older version wrote it.
FIRST_FORMAT: Final = Path(__file__).parents[1] / "tests" / "vault" / "data" / "format-1.db"


@dataclass(frozen=True)
class Place:
    """Where a vault and its key file are."""

    folder: Path

    def bridge(self) -> SecretBridge:
        """The verbs on it."""
        return SecretBridge(Local(self.folder / "vault.db", key_file=self.folder / "vault.key"), pace=None)

    def vault(self) -> Vault:
        """Its administration."""
        return Vault(self.folder / "vault.db", key_file=self.folder / "vault.key")


@dataclass
class Known:
    """What the parent knows of the vault from the lines that its children wrote."""

    values: dict[str, str | None] = field(default_factory=dict)
    turn: int = 0
    writes: int = 0
    in_flight: tuple[str, str | None] | None = None

    def read(self, lines: Iterator[str]) -> None:
        """Take what a child said: "begin TURN NAME [VALUE]" before a write, "done TURN" after it."""
        self.in_flight = None
        for line in lines:
            word, turn, *rest = line.split()
            self.turn = max(self.turn, int(turn))
            if word == "begin":
                name, value = rest[0], rest[1] if len(rest) > 1 else None
                self.in_flight = (name, value)
            elif self.in_flight is not None:
                name, value = self.in_flight
                if name != "-":
                    self.values[name] = value
                self.in_flight = None
                self.writes += 1


class Child:
    """What runs until it is killed: says before and after each write what it does."""

    def __init__(self, place: Place, out: TextIO, turn: int, seed: int) -> None:
        self.place = place
        self.dice = random.Random(seed)  # noqa: S311 - the same run again, as far as a machine allows
        self.turn = turn
        self._out = out
        self._stack = ExitStack()
        self.bridge = self._stack.enter_context(place.bridge())
        self.vault = self._stack.enter_context(place.vault())

    def told(self, name: str, value: str | None, work: Callable[[], object]) -> None:
        """Do one write, told before and after."""
        self.turn += 1
        print("begin", self.turn, name, value or "", file=self._out, flush=True)
        work()
        print("done", self.turn, file=self._out, flush=True)

    def write(self) -> None:
        """Put or delete one of the names."""
        name = self.dice.choice(NAMES)
        value = f"v{self.turn}"
        if self.dice.random() < 0.25:
            self.told(name, None, lambda: self.bridge.delete_secret(name, missing_ok=True))
        else:
            self.told(name, value, lambda: self.bridge.put_secret(name, value=value))


def writing(child: Child) -> None:
    """Nothing but writes."""
    while True:
        child.write()


def purging(child: Child) -> None:
    """Purges of everything that can be purged, between writes."""
    while True:
        for _ in range(child.dice.randrange(1, 6)):
            child.write()
        child.told("-", None, lambda: child.vault.purge(older_versions=True, deleted=True))


def retaining(child: Child) -> None:
    """Writes that drop old versions."""
    while True:
        keep = child.dice.choice([1, 2, None])
        child.told("-", None, lambda keep=keep: child.vault.set_retention(versions=keep, days=None))  # type: ignore[misc] # the loop's
        for _ in range(10):
            child.write()


def rekeying(child: Child) -> None:
    """New data keys, between writes."""
    while True:
        for _ in range(child.dice.randrange(1, 6)):
            child.write()
        child.told("-", None, lambda: child.vault.rekey(batch=7))


def upgrading(child: Child) -> None:
    """The first opening of a vault of the first format, and writes after it."""
    child.told("-", None, child.vault.audit_head)
    writing(child)


#: What can be interrupted.
OPERATIONS: Final[dict[str, Callable[[Child], None]]] = {
    "write": writing,
    "purge": purging,
    "retention": retaining,
    "rekey": rekeying,
    "upgrade": upgrading,
}


def begin(place: Place, operation: str) -> Known:
    """A new vault for this operation, with something in it to be lost."""
    if operation == "upgrade":
        for ending in ("db", "key"):
            copyfile(FIRST_FORMAT.with_suffix(f".{ending}"), place.folder / f"vault.{ending}")
            (place.folder / f"vault.{ending}").chmod(0o600)
        return Known({"STRIPE_KEY": "sk_live_second", "NEW_NAME": "renamed"})
    with place.vault() as vault:
        stock = {f"STOCK{number}": f"s{number}" for number in range(60)}
        vault.create_many(dict(stock))
    return Known({**stock, **dict.fromkeys(NAMES)})


def kill_one(place: Place, known: Known, operation: str, dice: random.Random) -> None:
    """Start a child, let it work for a random while, kill it, and take what it said."""
    read_end, write_end = os.pipe()
    seed, moment = dice.randrange(1 << 30), dice.uniform(0, 0.15)
    child = os.fork()
    if child == 0:
        with suppress(BaseException), open(write_end, "w", encoding="ascii") as out:  # noqa: PTH123 - a pipe
            OPERATIONS[operation](Child(place, out, known.turn, seed))
        os._exit(3)  # it never ends by itself: what it met will be found missing
    os.close(write_end)
    with open(read_end, encoding="ascii") as said:  # noqa: PTH123 - a pipe
        first = said.readline()
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        lines = [first, *said]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        raise AssertionError(f"a child that was to {operation} ended by itself, with {status}")
    known.read(line for line in lines if line.endswith("\n"))


def check(place: Place, known: Known) -> None:
    """Open the vault after a kill and compare it with what was acknowledged."""
    with place.bridge() as bridge, place.vault() as vault:
        for name, value in known.values.items():
            try:
                found: str | None = bridge.get_secret(name).reveal()
            except SecretNotFound:
                found = None
            if found != value:
                if known.in_flight != (name, found):
                    raise AssertionError(f"{name}: {value} was acknowledged, {found} is there")
                known.values[name] = found
        vault.verify()


def run(rounds: int, folder: Path, seed: int, only: str | None = None) -> str:
    """Kill so many children, by turns in each operation; a line that says what was found."""
    dice = random.Random(seed)  # noqa: S311 - the same run again, as far as a machine allows
    operations = [only] if only else list(OPERATIONS)
    done = dict.fromkeys(operations, 0)
    writes = 0
    with ExitStack() as stack:
        places: dict[str, tuple[Place, Known]] = {}
        for number in range(rounds):
            operation = operations[number % len(operations)]
            if done[operation] % (1 if operation == "upgrade" else FRESH) == 0:
                new = stack.enter_context(TemporaryDirectory(dir=folder, prefix=".luck-"))
                place = Place(Path(new))
                places[operation] = place, begin(place, operation)
            place, known = places[operation]
            before = known.writes
            kill_one(place, known, operation, dice)
            check(place, known)
            writes += known.writes - before
            done[operation] += 1
    counted = ", ".join(f"{operation} {count}" for operation, count in done.items())
    return f"kills: {rounds} ({counted}); {writes:,} acknowledged changes; lost 0, damaged 0"
