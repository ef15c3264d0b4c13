"""Kill migrations at every step, over all pairs of stores: `nox -s bench -- kills`.

Each cell starts a run in a process that kills itself at one hook (tests/migrate/kill_place.py says what that
is), mends it, and compares what the target truly holds with what it should hold. The exit code is 1 where one
cell is wrong.

    python benchmarks/kills.py [--sample N] [--seed N] [--secrets N] [--part I/N] [--pairs wix:insforge …]
        [--modes "sync, sync" …]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / folder) for folder in ("migrate", "postgres")]


@contextmanager
def served(wanted: bool) -> Iterator[object]:  # noqa: FBT001 - private to this file
    """A PostgreSQL server, where one is wanted."""
    if not wanted:
        yield None
        return
    from postgres_server import Server

    server = Server()
    try:
        yield server
    finally:
        server.remove()


def main() -> int:
    """Run the matrix and print it as Markdown."""
    import kill_place as place

    asked = argparse.ArgumentParser()
    asked.add_argument(
        "--sample", type=int, help="so many random hooks of each pair and mode, instead of all"
    )
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--secrets", type=int, default=2)
    asked.add_argument("--pairs", nargs="*", default=[":".join(pair) for pair in place.PAIRS])
    asked.add_argument("--modes", nargs="*", choices=list(place.MODES), default=list(place.MODES))
    asked.add_argument("--part", default="1/1", help="2/5: the second fifth of the pairs")
    given = asked.parse_args()
    part, parts = map(int, given.part.split("/"))
    pairs = given.pairs[part - 1 :: parts]
    chance = random.Random(given.seed)  # noqa: S311 - a sample, no secret
    wrong: list[str] = []
    totals: Counter[str] = Counter()
    print(f"| source → target | {' | '.join(given.modes)} | wrong | seconds |")
    print(f"|---|{'---|' * len(given.modes)}---|---|")
    with (
        tempfile.TemporaryDirectory(dir=place.memory_folder()) as folder,
        served(any("postgres" in pair for pair in pairs)) as server,
        place.Worlds(Path(folder), given.secrets, server) as worlds,
    ):
        os.environ["XDG_STATE_HOME"] = folder  # the locks of stores are there
        for pair in pairs:
            source, target = pair.split(":")
            began = time.monotonic()
            bad = 0
            cells = []
            for mode in given.modes:
                if not place.fits(mode, source, target):
                    cells.append("none")
                    continue
                hooks = place.hooks_of(worlds, mode, source, target)
                places = list(range(1, hooks + 1))
                if given.sample and given.sample < hooks:
                    places = sorted(chance.sample(places, given.sample))
                killed = 0
                for fatal in places:
                    problem = place.verdict(worlds, mode, source, target, fatal)
                    killed += problem is not None
                    if problem:
                        bad += 1
                        wrong.append(f"{pair}, {mode}, hook {fatal}: {problem}")
                totals[mode] += killed
                cells.append(f"{killed} of {hooks}")
            row = f"| {source} → {target} | {' | '.join(cells)} | {bad} | {time.monotonic() - began:.0f} |"
            print(row, flush=True)
    print(f"\n{sum(totals.values()):,} kills, {len(wrong)} wrong.")
    for line in wrong:
        print(f"- {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
