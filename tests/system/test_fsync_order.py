"""The acknowledgement follows the sync, as the kernel sees it in a process that writes to the vault."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITES = 5
WRITING = """
import os, sys
from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
file, key = sys.argv[1:]
with SecretBridge(Local(file, key_file=key)) as bridge, Vault(file, key_file=key) as vault:
    bridge.create_secret("KEY", value="0")
    os.write(1, b"acknowledged 0\\n")
    for turn in range(1, 5):
        bridge.update_secret("KEY", value=str(turn))
        os.write(1, f"acknowledged {turn}\\n".encode())
    vault.purge(older_versions=True)
    os.write(1, b"acknowledged purge\\n")
"""
#: A call of strace's log: its name, the file of its descriptor, and what is left of the line.
CALL = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(.*)$")


def calls(trace: Path) -> list[tuple[str, str]]:
    """What was written and synced, in the kernel's order, as (what, which file)."""
    found = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        name, file, rest = call.groups()
        if name in {"fsync", "fdatasync"}:
            found.append(("sync", Path(file).name))
        elif '"acknowledged' in rest:
            found.append(("acknowledged", ""))
        elif name in {"write", "pwrite64", "pwritev", "writev"}:
            found.append(("write", Path(file).name))
    return found


@pytest.mark.system
def test_the_journal_is_synced_after_its_last_write_and_before_the_acknowledgement(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    trace = tmp_path / "trace"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-o", trace),
            *("-e", "trace=fsync,fdatasync,write,pwrite64,pwritev,writev"),
            *(sys.executable, "-c", WRITING, tmp_path / "vault.db", tmp_path / "vault.key"),
        ],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    happened = calls(trace)
    acknowledged = [place for place, (what, _) in enumerate(happened) if what == "acknowledged"]
    assert len(acknowledged) == WRITES + 1
    for begin, end in zip([0, *acknowledged], acknowledged, strict=False):
        journal = [what for what, file in happened[begin:end] if file == "vault.db-wal"]
        assert "write" in journal
        assert journal[-1] == "sync"
    # The purge also brings the journal into the file: that is synced after its last write too.
    main = [what for what, file in happened[acknowledged[-2] : acknowledged[-1]] if file == "vault.db"]
    assert (main[0], main[-1]) == ("write", "sync")
