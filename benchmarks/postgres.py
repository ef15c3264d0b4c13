"""The vault on PostgreSQL against a psycopg loop by hand that writes the same rows, side by side in one run.

    python benchmarks/postgres.py --rounds 60 --size 1000 --bulk 100000

The server is one of its own, from the wheel, with fsync on, reached by its socket file. By hand, per update:
the writers' turn (the state's row locked), the value's row read and written, one log row (audit entry and
history), the state's row, and a durable commit, with blobs of the same lengths; statement by statement, as is
usual, and pipelined as the vault does. Many short rounds go through all sides; the medians of the rounds, and
of the ratios within each round, are printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import uuid
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from _sides import AUDIT, DESCRIPTION, RECORD, STATE, UPDATES, VALUE, Text

from secretbridge import Local, SecretBridge
from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault, _postgres_schema, _rows
from secretbridge._vault._postgres_session import psycopg_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from postgres_server import Server

TESTS = Path(__file__).parents[1] / "tests" / "postgres"
#: Gets in a round; updates are as many as at SQLite.
GETS = 100


class Raw:
    """psycopg by hand, one durable transaction per update."""

    def __init__(self, server: Server, *, pipelined: bool) -> None:
        schema = f"raw_{uuid.uuid4().hex}"
        self.connection = server.connect(schema)
        self.pipelined = pipelined
        self.index: dict[str, bytes] = {}
        self.sequence = 0
        self.run(f"CREATE SCHEMA {schema}")
        for statement in _postgres_schema.CREATE:
            self.run(statement)
        self.run(_rows.INSERT_STATE, (0, 1, os.urandom(STATE)))

    def run(self, sql: str, values: tuple[object, ...] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """One statement."""
        return self.connection.execute(psycopg_sql(sql), values)

    @staticmethod
    def stamp() -> bytes:
        """An id that begins with the time."""
        return (time.time_ns() // 1000).to_bytes(7, "big") + os.urandom(9)

    def log(self, secret: bytes) -> None:
        """One line of the log."""
        blobs = (os.urandom(AUDIT), os.urandom(RECORD))
        self.run(_rows.INSERT_LOG, (self.sequence, self.stamp(), secret, 1, 1, self.sequence - 1, 1, *blobs))

    def state(self) -> None:
        """The state's row."""
        row = (self.sequence, 1, os.urandom(STATE))
        self.run("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", row)

    def fill(self, names: Iterable[str]) -> None:
        """New secrets in one pipelined transaction."""
        with self.connection.pipeline(), self.connection.transaction():
            for name in names:
                self.index[name] = os.urandom(16)
                self.sequence += 1
                secret = self.stamp()
                self.run(_rows.INSERT_NAME, (self.index[name], secret, 1, 0))
                self.run(_rows.INSERT_VALUE, (secret, 1, 1, 1, self.sequence, os.urandom(RECORD)))
                self.log(secret)
            self.state()

    def get(self, name: str) -> object:
        """The row of a name."""
        return self.run(_rows.FIND, (1, self.index[name])).fetchone()

    def update(self, name: str) -> None:
        """What an update of the vault writes."""
        with self.connection.pipeline() if self.pipelined else nullcontext():
            self.run("BEGIN")
            self.run("SELECT sequence, epoch, sealed FROM state FOR UPDATE").fetchone()
            found = self.run(_rows.FIND, (1, self.index[name])).fetchone()
            assert found is not None
            self.sequence += 1
            self.run(
                """UPDATE value SET version = ?, epoch = ?, sequence = ?, sealed = ?
                    WHERE secret = ? AND environment = 1""",
                (found[1] + 1, 1, self.sequence, os.urandom(RECORD), found[0]),
            )
            self.log(found[0])
            self.state()
            self.run("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Contender(NamedTuple):
    """One side: what it is called, and its two operations."""

    name: str
    update: Callable[[str], object]
    get: Callable[[str], object]


def per_second(action: Callable[[str], object], names: list[str], begin: int, count: int) -> float:
    """How often a second the action is done, over names in a scattered order, from one of its places on."""
    step = 7919  # a prime: the names come in no order that a cache could like
    chosen = [names[(turn * step) % len(names)] for turn in range(begin, begin + count)]
    start = time.perf_counter()
    for name in chosen:
        action(name)
    return count / (time.perf_counter() - start)


def opened(url: str, folder: Path) -> Vault:
    """The vault itself."""
    return Vault.open(PostgresUrl(url), environment="development", credential=KeyFile(folder / "vault.key"))


def created(vault: Vault, names: Iterable[str]) -> None:
    """New secrets in one transaction."""
    fields = {"value": Text(VALUE), "description": DESCRIPTION}
    vault._create_many((name, fields) for name in names)  # noqa: SLF001 - the bulk path has no public name yet


def measure(server: Server, size: int, rounds: int) -> None:
    """All sides in many short rounds, each beginning with another; print the medians."""
    names = [f"SERVICE_{number:06}_API_KEY" for number in range(size)]
    with ExitStack() as stack:
        by_hand, pipelined = (
            stack.enter_context(closing(Raw(server, pipelined=how))) for how in (False, True)
        )
        url = server.url()
        vault = stack.enter_context(closing(opened(url, server.folder)))
        bridge = stack.enter_context(
            SecretBridge(Local(url, key_file=server.folder / "vault.key"), pace=None)
        )
        for raw in (by_hand, pipelined):
            raw.fill(names)
        created(vault, names)
        change = {"value": Text(VALUE)}
        sides = [
            Contender("psycopg by hand", by_hand.update, by_hand.get),
            Contender("the same, pipelined", pipelined.update, pipelined.get),
            Contender(
                "vault", lambda name: vault.update(change, name=name), lambda name: vault.get(name=name)
            ),
            Contender(
                "SecretBridge(Local)", lambda name: bridge.update_secret(name, value=VALUE), bridge.get_secret
            ),
        ]
        results: dict[tuple[str, str], list[float]] = {}
        for turn in range(rounds + 2):
            first = turn % len(sides)
            for side in sides[first:] + sides[:first]:
                for verb, action, count in (("update", side.update, UPDATES), ("get", side.get, GETS)):
                    rate = per_second(action, names, turn * count, count)
                    if turn > 1:  # the first rounds warm up
                        results.setdefault((verb, side.name), []).append(rate)
    for verb in ("update", "get"):
        base = results[verb, sides[0].name]
        for side in sides:
            rates = results[verb, side.name]
            ratio = statistics.median(one / other for one, other in zip(rates, base, strict=True))
            rate = statistics.median(rates)
            print(f"{verb:<7} {side.name:<20} {rate:>9,.0f}/s {1e6 / rate:8.1f} µs {ratio:5.2f} of by hand")


def measure_bulk(server: Server, size: int, rounds: int) -> None:
    """A bulk load in one transaction, into an empty vault each time."""
    names = [f"SERVICE_{number:06}_API_KEY" for number in range(size)]
    raws, ours = [], []
    for _ in range(rounds):
        with (
            closing(Raw(server, pipelined=True)) as raw,
            closing(opened(server.url(), server.folder)) as vault,
        ):
            begin = time.perf_counter()
            raw.fill(names)
            middle = time.perf_counter()
            created(vault, names)
            raws.append(size / (middle - begin))
            ours.append(size / (time.perf_counter() - middle))
    base, rate = statistics.median(raws), statistics.median(ours)
    print(f"bulk load of {size:,} in one transaction: vault {rate:,.0f}/s, pipelined psycopg {base:,.0f}/s")
    print(f"bulk    vault {rate / base:.2f} of pipelined psycopg by hand (which looks for no name)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--size", type=int, default=1000, help="number of entries")
    parser.add_argument("--bulk", type=int, default=100_000, help="number of entries loaded at once")
    parser.add_argument("--bulk-rounds", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from postgres_server import Server

    server = Server(fsync="on")
    try:
        with server.connect() as connection:
            version = connection.info.server_version
        print(
            f"Python {platform.python_version()}, psycopg {psycopg.__version__}, "
            f"PostgreSQL {version // 10000}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        measure(server, arguments.size, arguments.rounds)
        measure_bulk(server, arguments.bulk, arguments.bulk_rounds)
    finally:
        server.remove()


if __name__ == "__main__":
    main()
