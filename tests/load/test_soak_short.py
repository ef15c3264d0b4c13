"""The soak in short: all services, threads and tasks at once, and one request in twenty failing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_each_call_has_one_known_outcome_and_nothing_is_left_open() -> None:
    words = ["--minutes", "0.04", "--threads", "10", "--tasks", "100"]
    done = subprocess.run(
        [sys.executable, str(SOAK), *words], capture_output=True, check=False, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    turns = {turn["service"]: turn for turn in json.loads(done.stdout)["turns"]}
    assert turns.keys() == {"Wix", "InsForge", "IoNet", "Appfarm"}
    for turn in turns.values():
        assert turn["wrong"] == []
        assert turn["calls"] > 0
        assert {key: turn["after"][key] - turn["before"][key] for key in ("sockets", "threads")} == {
            "sockets": 0,
            "threads": 0,
        }
