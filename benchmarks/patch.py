"""One PATCH against a loopback server: SecretBridge.update_secret beside a hand-written httpx.Client.patch.

    python benchmarks/patch.py [--rounds 9] [--requests 300]

Prints the median time of each and the ratio; the goal is 0.75 or less, above 0.90 is a defect.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import httpx
from _serving import ionet

from secretbridge import IoNet, SecretBridge

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "ionet-key"


def timed(act: Callable[[], object], times: int) -> float:
    """Give the microseconds of one call, over so many."""
    started = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - started) / times * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    with ionet() as (url, _), httpx.Client(headers={"x-api-key": KEY}) as client:
        with SecretBridge(IoNet(api_key=KEY, base_url=url), pace=None) as bridge:
            id_ = bridge.create_secret("TOKEN", value="value-0").id
            address = f"{url}/secrets/{id_}"

            def raw() -> object:
                return client.patch(address, json={"secret_value": "value-1"}).json()

            def by_id() -> object:
                return bridge.update_secret(id=id_, value="value-1")

            def by_name() -> object:
                return bridge.update_secret("TOKEN", value="value-1")

            ways = {
                "httpx.Client.patch().json()": raw,
                "update_secret(id=)": by_id,
                "update_secret(name)": by_name,
            }
            for act in ways.values():
                timed(act, 50)
            times: dict[str, list[float]] = {name: [] for name in ways}
            ratios: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, act in ways.items():
                    times[name].append(timed(act, options.requests))
                    ratios[name].append(times[name][-1] / times["httpx.Client.patch().json()"][-1])
            for name in ways:
                print(
                    f"{name:32} {statistics.median(times[name]):8.0f} µs   {statistics.median(ratios[name]):.2f}"
                )


if __name__ == "__main__":
    main()
