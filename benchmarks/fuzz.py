"""Give everything that reads what others wrote inputs that nobody would write; only our errors may come out.

    python benchmarks/fuzz.py all                       # 10,000 inputs of each kind
    python benchmarks/fuzz.py replies --inputs 100000 --seed 8
    python benchmarks/fuzz.py plan --first 4711 --inputs 1   # one input again

The kinds are replies, vault, journal, plan, config and dotenv. Each prints one line, or fails and names the
input. What was found last is in docs/fuzz.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

import _fuzz


def main() -> None:
    """Do what is asked for and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*_fuzz.TARGETS, "all"])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as new:
        for what in _fuzz.TARGETS if arguments.what == "all" else [arguments.what]:
            told = _fuzz.run(what, arguments.inputs, arguments.seed, Path(new), first=arguments.first)
            print(told, flush=True)


if __name__ == "__main__":
    main()
