"""The vault against raw SQLite that writes the same rows, side by side in one run.

    python benchmarks/vault.py --rounds 100 --sizes 1000,10000,100000

Raw SQLite has the vault's tables, settings and durability, and writes per update what the vault writes: the
value's row, one log row (audit entry and history), the state's row, with blobs of the same lengths; it reads
the value's row and the state's first, as whoever keeps what is not given has to. Every side has a file of its
own, so that none empties another's caches; many short rounds go through all sides and sizes; the medians of
the rounds, and of the ratios within each round, are printed. Run it on a real disk. ``--prepare`` only makes
the files in ``--folder``, and they stay there for later runs: measuring alone then takes few minutes.
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
from typing import TYPE_CHECKING

from _sides import (
    DESCRIPTION,
    FACE,
    FACE_HISTORY,
    ITSELF,
    RAW,
    RAW_HISTORY,
    VALUE,
    opened,
    prepared,
    sides_of,
)

from secretbridge import Local, SecretBridge
from secretbridge import Vault as Administration

if TYPE_CHECKING:
    from collections.abc import Callable


def per_second(action: Callable[[str], object], names: list[str], begin: int, count: int) -> float:
    """How often a second the action is done, over names in a scattered order, from one of its places on."""
    step = 7919  # a prime: the names come in no order that a cache could like
    chosen = [names[(turn * step) % len(names)] for turn in range(begin, begin + count)]
    start = time.perf_counter()
    for name in chosen:
        action(name)
    return count / (time.perf_counter() - start)


Results = dict[tuple[int, str, str], list[float]]


def measure(sizes: list[int], rounds: int, folder: Path) -> Results:
    """All sides of all sizes in many short rounds, each beginning with another: operations a second."""
    results: Results = {}
    with ExitStack() as stack:
        names = {size: prepared(folder, size) for size in sizes}
        turns = [
            (size, verb, name, side.update if verb == "update" else side.get, count, side.meanwhile)
            for size in sizes
            for name, side in sides_of(folder, size, names[size], stack).items()
            for verb, count in (("update", side.updates), ("get", side.gets))
            if count
        ]
        for turn in range(rounds + 2):
            first = turn * 5 % len(turns)
            for size, verb, name, action, count, meanwhile in turns[first:] + turns[:first]:
                with meanwhile():
                    rate = per_second(action, names[size], turn * count, count)
                if turn > 1:  # the first rounds warm up
                    results.setdefault((size, verb, name), []).append(rate)
    return results


def _beside(results: Results, one: tuple[int, str, str], other: tuple[int, str, str]) -> float:
    """The median of the ratios within each round: what disturbs a round disturbs both."""
    return statistics.median(a / b for a, b in zip(results[one], results[other], strict=True))


def tell(results: Results) -> None:
    """Print the medians, and how flat they are over the sizes."""
    for size, verb, name in sorted(results, key=lambda each: (each[1], each[0])):
        rate = statistics.median(results[size, verb, name])
        like = {FACE_HISTORY: RAW_HISTORY}.get(name, RAW)
        ratio = _beside(results, (size, verb, name), (size, verb, like))
        print(f"{verb:<7}{size:>8,}  {name:<43}{rate:>8,.0f}/s {1e6 / rate:8.1f} µs  {ratio:5.2f} of {like}")
    sizes = sorted({size for size, _, _ in results})
    for verb, name in ((verb, name) for verb in ("update", "get") for name in (RAW, ITSELF, FACE)):
        ratios = (
            f"{size:,}: {_beside(results, (size, verb, name), (sizes[0], verb, name)):.2f}"
            for size in sizes[1:]
        )
        if len(sizes) > 1:
            print(f"flat   {verb:<7} {name:<20} speed over that with {sizes[0]:,}: {', '.join(ratios)}")


def measure_opening(folder: Path) -> None:
    """What opening costs."""
    path, key = folder / "open.db", folder / "open.key"
    opened(path, key).close()
    raw, ours = [], []
    for _ in range(60):
        begin = time.perf_counter()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM secret").fetchone()
        middle = time.perf_counter()
        opened(path, key).close()
        raw.append(middle - begin)
        ours.append(time.perf_counter() - middle)
    whole, base = statistics.median(ours) * 1e3, statistics.median(raw) * 1e3
    print(
        f"open, unlock with a key file, close: {whole:.2f} ms; raw SQLite {base:.2f} ms; "
        f"over it {whole - base:.2f} ms"
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
        writes = per_second(lambda name: ring.set_password("bench", name, VALUE), few, 0, 6)
        reads = per_second(lambda name: ring.get_password("bench", name), few, 0, 6)
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
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of entries, by commas")
    parser.add_argument("--bulk", type=int, default=100_000, help="secrets to load and list; 0 for neither")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on a real disk")
    parser.add_argument("--prepare", action="store_true", help="only make the files, for later runs")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    if arguments.prepare:
        for size in sizes:
            prepared(arguments.folder, size)
        return
    load = os.getloadavg()[0]
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    print(f"{versions}, {os.cpu_count()} cores, load {load:.1f}")
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".bench-") as temporary:
        folder = Path(temporary)
        there = all((arguments.folder / f"{size}-vault.db").exists() for size in sizes)
        tell(measure(sizes, arguments.rounds, arguments.folder if there else folder))
        measure_opening(folder)
        if arguments.bulk:
            measure_bulk(arguments.bulk, folder)
            peers(1000, folder)


if __name__ == "__main__":
    main()
