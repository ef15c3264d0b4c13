"""Play every fault on the wire in every request of every call, on all faces, and compare with the expected.

    python benchmarks/faults.py              # all cells
    python benchmarks/faults.py --one-in 36  # the fixed choice that the test suite runs

Prints one line for each face, or fails with what differs. What was found last is in docs/faults.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

from fault_calls import SERVICES
from fault_matrix import FACES, Cell, cells, run
from fault_table import expected, word


def main() -> None:
    """Do it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-in", type=int, default=1)
    one_in = parser.parse_args().one_in
    wanted = expected()
    failed = False
    for number, face in enumerate(FACES):
        began, processor = time.monotonic(), time.process_time()
        differ: list[tuple[Cell, str, list[str]]] = []
        count = 0
        for variant in (2 * number, 2 * number + 1):
            for provider in SERVICES:
                found = run(face, provider, cells(provider, variant, one_in))
                count += len(found)
                differ += [
                    (cell, word(outcome), wrong)
                    for cell, (outcome, wrong) in found.items()
                    if word(outcome) != wanted[cell] or wrong
                ]
        took, used = time.monotonic() - began, time.process_time() - processor
        print(
            f"{face}: {count:,} cells; {len(differ)} not as expected; {took:.0f} s, {used:.0f} s of work",
            flush=True,
        )
        for cell, said, wrong in differ:
            print(f"  {cell.exchange}, {cell.fault}, again={cell.again}: {said}, not {wanted[cell]}; {wrong}")
        failed = failed or bool(differ)
    sys.exit(failed)


if __name__ == "__main__":
    main()
