"""Eight processes writing to one store together: how fast, and how many acknowledged writes are lost.

    python benchmarks/together.py --processes 8 --seconds 5

Every process writes entries of its own, one after another, each under a new name, for so long, and counts
those that the store acknowledged, and its errors, after which it goes on. Then one process reads all that was
acknowledged. keyrings.cryptfile derives its key anew at each write and gets few done in that time, too few to
see what becomes of them; so it runs a second time with the cheapest derivation that its package takes. Peers
that are not installed are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secretbridge import Local, SecretBridge, SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Callable


class Store(NamedTuple):
    """A store: its title, how to open it, and what one process then writes and reads with."""

    title: str
    write: Callable[[Path], Callable[[str, str], object]]
    read: Callable[[Path], Callable[[str], str | None]]


def _bridge(folder: Path) -> SecretBridge:
    return SecretBridge(Local(folder / "vault.db", key_file=folder / "vault.key"), pace=None)


def vault_write(folder: Path) -> Callable[[str, str], object]:
    """The local vault: durable, encrypted, with history and audit."""
    bridge = _bridge(folder)
    return lambda name, value: bridge.create_secret(name, value=value)


def vault_read(folder: Path) -> Callable[[str], str | None]:
    """Read from it."""
    bridge = _bridge(folder)

    def read(name: str) -> str | None:
        try:
            return bridge.get_secret(name).reveal()
        except SecretNotFound:
            return None

    return read


def _ring(folder: Path, *, cheap: bool) -> object:
    from keyrings.cryptfile.cryptfile import CryptFileKeyring

    ring = CryptFileKeyring()
    if cheap:
        ring.time_cost, ring.memory_cost, ring.parallelism = 1, 8, 1
    ring.file_path = os.fspath(folder / "cryptfile.cfg")
    ring.keyring_key = "a passphrase"
    return ring


def ring_write(folder: Path, *, cheap: bool = False) -> Callable[[str, str], object]:
    """keyrings.cryptfile: one file, rewritten at each write, without a lock."""
    ring = _ring(folder, cheap=cheap)
    return lambda name, value: ring.set_password("bench", name, value)  # type: ignore[attr-defined] # untyped


def ring_read(folder: Path, *, cheap: bool = False) -> Callable[[str], str | None]:
    """Read from it."""
    ring: object = None

    def read(name: str) -> str | None:
        nonlocal ring
        try:
            ring = ring or _ring(folder, cheap=cheap)
            value: str | None = ring.get_password("bench", name)  # type: ignore[attr-defined] # untyped
        except Exception:  # noqa: BLE001 - a file that cannot be read any more holds nothing
            return None
        return value

    return read


def _disk(folder: Path) -> tuple[asyncio.AbstractEventLoop, object]:
    from cryptography.fernet import Fernet
    from key_value.aio.stores.disk import DiskStore
    from key_value.aio.wrappers.encryption.fernet import FernetEncryptionWrapper

    key = folder / "fernet.key"
    if not key.exists():
        key.write_bytes(Fernet.generate_key())
    store = FernetEncryptionWrapper(
        key_value=DiskStore(directory=folder / "disk"), fernet=Fernet(key.read_bytes())
    )
    return asyncio.new_event_loop(), store


def disk_write(folder: Path) -> Callable[[str, str], object]:
    """py-key-value-aio on disk with Fernet: not synced at each write."""
    loop, store = _disk(folder)
    return lambda name, value: loop.run_until_complete(store.put(key=name, value={"value": value}))  # type: ignore[attr-defined] # untyped


def disk_read(folder: Path) -> Callable[[str], str | None]:
    """Read from it."""
    loop, store = _disk(folder)

    def read(name: str) -> str | None:
        found = loop.run_until_complete(store.get(key=name))  # type: ignore[attr-defined] # untyped
        return None if found is None else str(found["value"])

    return read


def stores() -> list[Store]:
    """The vault, and the peers that are installed."""
    found = [Store("secretbridge, durable", vault_write, vault_read)]
    if importlib.util.find_spec("key_value") and importlib.util.find_spec("diskcache"):
        found.append(Store("py-key-value-aio[disk], Fernet", disk_write, disk_read))
    if importlib.util.find_spec("keyrings") and importlib.util.find_spec("keyrings.cryptfile"):
        found.append(Store("keyrings.cryptfile", ring_write, ring_read))
        cheap_write, cheap_read = partial(ring_write, cheap=True), partial(ring_read, cheap=True)
        found.append(Store("keyrings.cryptfile, cheapest derivation", cheap_write, cheap_read))
    return found


def work(store: Store, folder: Path, me: int, seconds: float) -> tuple[list[int], dict[str, int]]:
    """Write for so long; which writes were acknowledged, and which errors there were."""
    write: Callable[[str, str], object] | None = None
    acknowledged, errors = list[int](), dict[str, int]()
    turn, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            write = write or store.write(folder)
            write(f"P{me}_{turn}", str(turn))
            acknowledged.append(turn)
        except Exception as error:  # noqa: BLE001 - a peer's error is a result
            kind = type(error).__name__
            errors[kind] = errors.get(kind, 0) + 1
        turn += 1
    return acknowledged, errors


def compete(store: Store, folder: Path, processes: int, seconds: float) -> str:
    """Let so many processes write; a line that says what came of it."""
    store.write(folder)("FIRST", "0")  # the store is there before they meet
    pipes = []
    for me in range(processes):
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            try:
                os.write(write_end, json.dumps(work(store, folder, me, seconds)).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        pipes.append(read_end)
    results = []
    for pipe in pipes:
        with open(pipe, encoding="ascii") as said:  # noqa: PTH123 - a pipe
            results.append(json.loads(said.read()))
    for _ in pipes:
        os.wait()
    read = store.read(folder)
    total = sum(len(acknowledged) for acknowledged, _ in results)
    lost = sum(
        read(f"P{me}_{turn}") != str(turn)
        for me, (acknowledged, _) in enumerate(results)
        for turn in acknowledged
    )
    errors = sum(sum(each.values()) for _, each in results)
    kinds = ", ".join(sorted({kind for _, each in results for kind in each}))
    counts = [len(acknowledged) for acknowledged, _ in results]
    return (
        f"{store.title}: {total / seconds:,.0f} acknowledged writes/s ({min(counts):,} to {max(counts):,} a "
        f"process), {lost:,} of {total:,} lost, {errors:,} errors{f' ({kinds})' if kinds else ''}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on a real disk")
    arguments = parser.parse_args()
    for store in stores():
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".together-") as folder:
            print(compete(store, Path(folder), arguments.processes, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
