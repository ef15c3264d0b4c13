"""Many processes on one vault, writing the same and different secrets."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
from secretbridge.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Share:
    """What one process did."""

    own: int = 0
    shared: int = 0
    conflicts: int = 0
    longest: float = 0.0
    error: str = ""


def contend(folder: Path, me: int, seconds: float) -> Share:
    """Write a secret of one's own and count up a shared one, by compare-and-set, for so long."""
    share = Share()
    with SecretBridge(Local(folder / "vault.db", key_file=folder / "vault.key"), pace=None) as bridge:
        bridge.put_secret(f"OWN{me}", value="0")
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                begin = time.monotonic()
                bridge.update_secret(f"OWN{me}", value=str(share.own + 1))
                share.longest = max(share.longest, time.monotonic() - begin)
                share.own += 1
                seen = bridge.get_secret("SHARED")
                try:
                    number = int(seen.reveal()) + 1
                    bridge.update_secret("SHARED", value=str(number), if_version=seen.version)
                    share.shared += 1
                except Conflict:
                    share.conflicts += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            share.error = f"{type(error).__name__}: {error}"
    return share


def run(processes: int, seconds: float, folder: Path) -> str:
    """Let so many processes contend for so long; a line that says what was found."""
    with SecretBridge(Local(folder / "vault.db", key_file=folder / "vault.key")) as bridge:
        bridge.create_secret("SHARED", value="0")
    pipes = []
    for me in range(processes):
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            os.write(write_end, json.dumps(asdict(contend(folder, me, seconds))).encode())
            os._exit(0)
        os.close(write_end)
        pipes.append(read_end)
    shares = []
    for pipe in pipes:
        with open(pipe, encoding="ascii") as said:  # noqa: PTH123 - a pipe
            shares.append(Share(**json.loads(said.read())))
    for _ in pipes:
        os.wait()
    errors = [share.error for share in shares if share.error]
    if errors:
        raise AssertionError("; ".join(errors))
    with SecretBridge(Local(folder / "vault.db", key_file=folder / "vault.key")) as bridge:
        if int(bridge.get_secret("SHARED").reveal()) != sum(share.shared for share in shares):
            raise AssertionError("a write of the shared secret was lost")
        for me, share in enumerate(shares):
            if int(bridge.get_secret(f"OWN{me}").reveal()) != share.own:
                raise AssertionError(f"a write of process {me} was lost")
    with Vault(folder / "vault.db", key_file=folder / "vault.key") as vault:
        vault.verify()
    writes = [share.own + share.shared for share in shares]
    return (
        f"race: {processes} processes, {seconds:g} s: {sum(writes):,} acknowledged writes, "
        f"{sum(share.conflicts for share in shares):,} conflicts; lost 0, errors 0; "
        f"shares {min(writes):,} to {max(writes):,}; longest wait {max(s.longest for s in shares):.2f} s"
    )
