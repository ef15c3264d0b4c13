"""Let two clients work on one store at the same time; some order of their calls must explain what they saw.

    python benchmarks/orders.py all                        # 2,000 rounds on each store
    python benchmarks/orders.py sqlite --rounds 10000 --seed 8

The stores are sqlite and postgres (the vault), ionet, wix, insforge and appfarm (their stand-ins). Each
prints one line, or fails and shows the round. What was found last is in docs/orders.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / folder) for folder in ("orders", "faults", "postgres")]


def main() -> None:
    """Do what is asked for and print what came of it."""
    from order_stores import STORES, run, shared
    from postgres_server import Server

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", choices=[*STORES, "all"])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", default="7")
    given = parser.parse_args()
    for store in STORES if given.store == "all" else [given.store]:
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = None
            if store == "postgres":
                server = Server()
                stack.callback(server.remove)
            tally = run(shared(store, stack, folder, server), given.rounds, f"{given.seed} {store}")
        print(f"{store}: {tally}; {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
