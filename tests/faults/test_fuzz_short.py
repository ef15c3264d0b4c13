"""The long run of benchmarks/fuzz.py in its short form: a fixed number of inputs, always the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INPUTS = {"replies": 150, "vault": 100, "journal": 100, "plan": 300, "config": 150, "dotenv": 40}


def test_only_our_errors_come_out_of_what_reads_what_others_wrote(tmp_path: Path) -> None:
    for kind, inputs in INPUTS.items():
        done = subprocess.run(
            [sys.executable, ROOT / "benchmarks" / "fuzz.py", kind, "--inputs", str(inputs), "--seed", "11"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert (done.stderr, done.returncode) == ("", 0)
        assert re.fullmatch(rf"{kind}: {inputs} inputs: .*; other errors 0\n", done.stdout)
