"""Many processes and kills: nothing acknowledged is lost, and the file is always whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from file_cases import FORMATS, new_path, read

from secretbridge import SecretBridge

if TYPE_CHECKING:
    from secretbridge.providers._file_provider import FileProvider

Kind = type["FileProvider"]
ROOT = Path(__file__).parents[2]
BEGINNING = """
import sys
from secretbridge import SecretBridge
from secretbridge.providers.dotenv import Dotenv
from secretbridge.providers.jsonfile import JsonFile
path, me = sys.argv[1], sys.argv[2]
bridge = SecretBridge((JsonFile if path.endswith(".json") else Dotenv)(path))
"""
COUNTING = (
    BEGINNING
    + """
for turn in range(25):
    bridge.create_secret(f"N{me}_{turn}", value=str(turn))
    bridge.put_secret(f"LAST{me}", value=str(turn))
    if turn % 2:
        bridge.delete_secret(f"N{me}_{turn - 1}")
"""
)
ACKNOWLEDGING = (
    BEGINNING
    + """
turn = int(me)
while True:
    turn += 1
    bridge.put_secret("LAST", value=f"{turn} " * 20_000)
    print(turn, flush=True)
"""
)


def start(script: str, path: Path, me: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(me)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},  # without coverage's variables: killed children leave torn data
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_processes_lose_no_acknowledged_write(tmp_path: Path, kind: Kind) -> None:
    path = new_path(tmp_path, kind)
    running = [start(COUNTING, path, me) for me in range(4)]
    for process in running:
        _, problems = process.communicate(timeout=60)
        assert (process.returncode, problems) == (0, "")
    kept = {f"N{me}_{turn}": str(turn) for me in range(4) for turn in (*range(1, 25, 2), 24)}
    assert read(path) == kept | {f"LAST{me}": "24" for me in range(4)}
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "user") == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_killed_process_leaves_a_whole_file_with_all_it_acknowledged(tmp_path: Path, kind: Kind) -> None:
    path = new_path(tmp_path, kind)
    acknowledged = 0
    for kill in range(5):
        with start(ACKNOWLEDGING, path, acknowledged) as process:
            assert process.stdout is not None
            for _ in range(kill + 1):
                acknowledged = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
            for line in process.stdout:
                acknowledged = int(line)
        held = read(path)["LAST"].split()
        assert len(held) == 20_000
        assert set(held) <= {str(acknowledged), str(acknowledged + 1)}
        assert len(set(held)) == 1
        for left in tmp_path.glob(f"{path.name}.secretbridge-*"):
            assert left.stat().st_mode & 0o777 == 0o600
    SecretBridge(kind(path)).put_secret("LAST", value="end")
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "user") == [path.name]
    assert read(path) == {"LAST": "end"}
