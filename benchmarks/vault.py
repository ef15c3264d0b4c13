"""The vault against raw SQLite that writes the same rows, side by side in one run.

    python benchmarks/vault.py --rounds 7 --sizes 1000,100000

Raw SQLite has the vault's tables, settings and durability, and writes per update what the vault writes: the
value's row, one log row (audit entry and history), the state's row, with blobs of the same lengths. Rounds
alternate between the two; the medians of the rounds and their ratio are printed. Run it on a real disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sqlite3
import statistics
import tempfile
import time
import tracemalloc
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secretbridge import Local, SecretBridge
from secretbridge import Vault as Administration
from secretbridge._vault import KeyFile, Vault, _rows, _schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UPDATES = 1500
GETS = 8000
VALUE = "sk_live_" + "x" * 32
DESCRIPTION = "Payments, production account"
# What finds a row where nobody asks who may read it, nor whether it is shared.
FIND = """SELECT s.id, v.version, v.epoch, v.sealed
    FROM secret AS s LEFT JOIN value AS v ON v.secret = s.id AND v.environment = ? WHERE s.name_index = ?"""
# The lengths of the vault's blobs for such an entry; taken from a real one.
RECORD, AUDIT, STATE = 168, 213, 156


class Text:
    """The least that the vault takes for a value."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self) -> str:
        """The text."""
        return self.text


class Raw:
    """SQLite by hand, one durable transaction per update."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for statement in _schema.CREATE:
            self.connection.execute(statement)
        self.connection.execute("PRAGMA journal_mode = WAL")
        for name, wanted, _ in _schema.PRAGMAS:
            self.connection.execute(f"PRAGMA {name} = {wanted}")
        self.index = {name: os.urandom(16) for name in names}
        self.sequence = 0
        self.connection.execute("BEGIN")
        for index in self.index.values():
            self.sequence += 1
            secret = self.stamp()
            self.connection.execute(_rows.INSERT_NAME, (index, secret, 1, 0))
            self.connection.execute(_rows.INSERT_VALUE, (secret, 1, 1, 1, self.sequence, os.urandom(RECORD)))
            self.log(secret, os.urandom(AUDIT), os.urandom(RECORD))
        self.connection.execute(_rows.INSERT_STATE, (self.sequence, 1, os.urandom(STATE)))
        self.connection.execute("COMMIT")

    @staticmethod
    def stamp() -> bytes:
        """An id that begins with the time."""
        return (time.time_ns() // 1000).to_bytes(7, "big") + os.urandom(9)

    def log(self, secret: bytes, audit: bytes, history: bytes) -> None:
        """One line of the log."""
        row = (self.sequence, self.stamp(), secret, 1, 1, self.sequence - 1, 1, audit, history)
        self.connection.execute(_rows.INSERT_LOG, row)

    def get(self, name: str) -> object:
        """The row of a name."""
        return self.connection.execute(FIND, (1, self.index[name])).fetchone()

    def update(self, name: str) -> None:
        """What an update of the vault writes."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        secret, version, _, _ = execute(FIND, (1, self.index[name])).fetchone()
        execute("SELECT sequence, epoch, sealed FROM state").fetchone()
        self.sequence += 1
        execute(
            """UPDATE value SET version = ?, epoch = ?, sequence = ?, sealed = ?
                WHERE secret = ? AND environment = 1""",
            (version + 1, 1, self.sequence, os.urandom(RECORD), secret),
        )
        self.log(secret, os.urandom(AUDIT), os.urandom(RECORD))
        execute("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", (self.sequence, 1, os.urandom(STATE)))
        execute("COMMIT")

    def update_without_log(self, name: str) -> None:
        """The same without history and audit: the value's row and the state's."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        secret, version, _, _ = execute(FIND, (1, self.index[name])).fetchone()
        execute("SELECT sequence, epoch, sealed FROM state").fetchone()
        execute(
            "UPDATE value SET version = ?, sealed = ? WHERE secret = ? AND environment = 1",
            (version + 1, os.urandom(RECORD), secret),
        )
        execute("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", (self.sequence, 1, os.urandom(STATE)))
        execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Contender(NamedTuple):
    """One side: what it is called, and its two operations."""

    name: str
    update: Callable[[str], object]
    get: Callable[[str], object]


def vault_itself(path: Path, names: list[str], stack: ExitStack) -> Contender:
    """The vault's own methods, on a new vault with these names."""
    vault = Vault.open(path / "vault.db", environment="development", credential=KeyFile(path / "vault.key"))
    stack.enter_context(closing(vault))
    fields: Mapping[str, object] = {"value": Text(VALUE), "description": DESCRIPTION}
    vault._create_many((name, fields) for name in names)  # noqa: SLF001 - the bulk path has no public name yet
    change = {"value": Text(VALUE)}
    return Contender("vault", lambda name: vault.update(change, name=name), lambda name: vault.get(name=name))


def through_the_face(path: Path, stack: ExitStack) -> Contender:
    """The same vault through SecretBridge: what its users pay."""
    local = Local(path / "vault.db", key_file=path / "vault.key")
    bridge = stack.enter_context(SecretBridge(local, pace=None))
    return Contender(
        "SecretBridge(Local)", lambda name: bridge.update_secret(name, value=VALUE), bridge.get_secret
    )


def per_second(action: Callable[[str], object], names: list[str], count: int) -> float:
    """How often a second the action is done, over names in a scattered order."""
    step = 7919  # a prime: the names come in no order that a cache could like
    chosen = [names[(turn * step) % len(names)] for turn in range(count)]
    begin = time.perf_counter()
    for name in chosen:
        action(name)
    return count / (time.perf_counter() - begin)


def measure(size: int, rounds: int, folder: Path) -> None:
    """All sides in alternating rounds; print the medians."""
    names = [f"SERVICE_{number:06}_API_KEY" for number in range(size)]
    with ExitStack() as stack:
        raw = stack.enter_context(closing(Raw(folder / "raw.db", names)))
        sides = [Contender("raw SQLite", raw.update, raw.get), vault_itself(folder, names, stack)]
        sides.append(through_the_face(folder, stack))
        bare = Contender("raw without history and audit", raw.update_without_log, raw.get)
        results: dict[tuple[str, str], list[float]] = {}
        for turn in range(rounds + 1):
            for side in sides:
                for verb, action, count in (("update", side.update, UPDATES), ("get", side.get, GETS)):
                    rate = per_second(action, names, count)
                    if turn:  # the first round warms up
                        results.setdefault((verb, side.name), []).append(rate)
            rate = per_second(bare.update, names, UPDATES)
            if turn:
                results.setdefault(("update", bare.name), []).append(rate)
    for verb in ("update", "get"):
        base = statistics.median(results[verb, "raw SQLite"])
        for side in [*sides, *([bare] if verb == "update" else [])]:
            rate = statistics.median(results[verb, side.name])
            print(
                f"{size:>8,} {verb:<7} {side.name:<30} {rate:>10,.0f}/s   "
                f"{rate / base:5.2f} of raw   {1e6 / rate:7.1f} µs"
            )


def measure_opening(rounds: int, folder: Path) -> None:
    """What opening costs."""
    path, key = folder / "open.db", folder / "open.key"
    Vault.open(path, environment="development", credential=KeyFile(key)).close()
    raw, ours = [], []
    for _ in range(rounds * 10):
        begin = time.perf_counter()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM secret").fetchone()
        middle = time.perf_counter()
        Vault.open(path, environment="development", credential=KeyFile(key)).close()
        raw.append(middle - begin)
        ours.append(time.perf_counter() - middle)
    opened, base = statistics.median(ours) * 1e3, statistics.median(raw) * 1e3
    print(
        f"open, unlock with a key file, close: {opened:.2f} ms; raw SQLite {base:.2f} ms; "
        f"over it {opened - base:.2f} ms"
    )


def measure_bulk(size: int, folder: Path) -> None:
    """A load in one transaction and a listing page by page, with the memory that each takes at most."""
    local = Local(folder / "bulk.db", key_file=folder / "bulk.key")
    begin = time.perf_counter()
    with Administration(folder / "bulk.db", key_file=folder / "bulk.key") as vault:
        vault.create_many({f"SERVICE_{number:06}_API_KEY": VALUE for number in range(size)})
        loaded = time.perf_counter() - begin
    with SecretBridge(local, pace=None) as bridge:
        begin = time.perf_counter()
        count = sum(1 for _ in bridge.iter_secrets(page_size=100))
        listed = time.perf_counter() - begin
        tracemalloc.start()
        for _ in bridge.iter_secrets(page_size=100):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == size
    print(
        f"{size:,} secrets: loaded in one transaction in {loaded:.1f} s ({size / loaded:,.0f}/s); "
        f"listed one by one in {listed:.1f} s ({size / listed:,.0f}/s), Python's memory {peak / 1e6:.2f} MB"
    )


def peers(size: int, folder: Path) -> None:
    """Other stores, where they are installed."""
    names = [f"SERVICE_{number:06}_API_KEY" for number in range(size)]
    if importlib.util.find_spec("keyrings") and importlib.util.find_spec("keyrings.cryptfile"):
        from keyrings.cryptfile.cryptfile import CryptFileKeyring

        ring = CryptFileKeyring()
        ring.file_path = str(folder / "cryptfile.cfg")
        ring.keyring_key = "a passphrase"
        few = names[:3]
        writes = per_second(lambda name: ring.set_password("bench", name, VALUE), few, 6)
        reads = per_second(lambda name: ring.get_password("bench", name), few, 6)
        print(f"keyrings.cryptfile (3 entries): update {writes:,.1f}/s, get {reads:,.1f}/s")
    else:
        print("keyrings.cryptfile: not installed")
    if importlib.util.find_spec("key_value") and importlib.util.find_spec("diskcache"):
        key_value_peer(names, folder)
    else:
        print("py-key-value-aio[disk]: not installed")


def key_value_peer(names: list[str], folder: Path) -> None:
    """py-key-value-aio on disk with Fernet."""
    import asyncio

    from cryptography.fernet import Fernet
    from key_value.aio.stores.disk import DiskStore
    from key_value.aio.wrappers.encryption.fernet import FernetEncryptionWrapper

    async def run() -> tuple[float, float]:
        store = FernetEncryptionWrapper(
            key_value=DiskStore(directory=folder / "disk"), fernet=Fernet(Fernet.generate_key())
        )
        begin = time.perf_counter()
        for name in names:
            await store.put(key=name, value={"value": VALUE, "description": DESCRIPTION})
        middle = time.perf_counter()
        for name in names:
            await store.get(key=name)
        return len(names) / (middle - begin), len(names) / (time.perf_counter() - middle)

    writes, reads = asyncio.run(run())
    print(
        f"py-key-value-aio, disk and Fernet ({len(names)} entries, not synced): "
        f"put {writes:,.0f}/s, get {reads:,.0f}/s"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", default="1000,100000", help="numbers of entries, by commas")
    parser.add_argument("--bulk", type=int, default=100_000, help="secrets to load and list")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on a real disk")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".bench-") as folder:
            measure(size, arguments.rounds, Path(folder))
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".bench-") as folder:
        measure_opening(arguments.rounds, Path(folder))
        measure_bulk(arguments.bulk, Path(folder))
        peers(1000, Path(folder))


if __name__ == "__main__":
    main()
