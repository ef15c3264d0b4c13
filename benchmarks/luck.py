"""Bad luck on purpose, in the short form that the tests run or as long as you like.

    python benchmarks/luck.py kills --rounds 200
    python benchmarks/luck.py flips            # every byte; --sample 300 for some of them
    python benchmarks/luck.py journal-flips --folder /dev/shm    # or --part 1/8, and so on, in turns
    python benchmarks/luck.py race --processes 8 --seconds 15
    python benchmarks/luck.py full-disk        # needs the right to mount a tmpfs
    python benchmarks/luck.py all

Each prints one line, or fails. What was found last is in docs/luck.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import _flips
import _full
import _kills
import _races


def report(what: str, arguments: argparse.Namespace) -> str:
    """Do one of them; the line that says what was found."""
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".luck-") as new:
        folder = Path(new)
        if what == "kills":
            return _kills.run(arguments.rounds, folder, arguments.seed, arguments.operation)
        if what == "race":
            return _races.run(arguments.processes, arguments.seconds, folder)
        if what == "full-disk":
            return _full.run(folder)
        in_journal = what == "journal-flips"
        this, parts = map(int, arguments.part.split("/"))
        sample, seed = arguments.sample, arguments.seed
        return _flips.run(sample, folder, seed, in_journal=in_journal, part=(this, parts))


def main() -> None:
    """Do what is asked for and print what was found."""
    kinds = ["kills", "flips", "journal-flips", "race", "full-disk"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*kinds, "all"])
    parser.add_argument("--rounds", type=int, default=200, help="kills")
    parser.add_argument(
        "--operation", choices=list(_kills.OPERATIONS), help="what to kill; else all by turns"
    )
    parser.add_argument("--sample", type=int, help="bytes to flip; without it, all")
    parser.add_argument("--part", default="1/1", help="flips: only one part of the bytes, as 1/8")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on a real disk")
    arguments = parser.parse_args()
    for what in kinds if arguments.what == "all" else [arguments.what]:
        print(report(what, arguments), flush=True)


if __name__ == "__main__":
    main()
