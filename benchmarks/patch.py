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
RAW = "httpx.Client.patch().json()"


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
    with (
        ionet() as (url, _),
        httpx.Client(headers={"x-api-key": KEY}) as client,
        SecretBridge(IoNet(api_key=KEY, base_url=url), pace=None) as bridge,
    ):
        id_ = bridge.create_secret("TOKEN", value="value-0").id
        address = f"{url}/secrets/{id_}"
        ways: dict[str, Callable[[], object]] = {
            RAW: lambda: client.patch(address, json={"secret_value": "value-1"}).json(),
            "update_secret(id=)": lambda: bridge.update_secret(id=id_, value="value-1"),
            "update_secret(name)": lambda: bridge.update_secret("TOKEN", value="value-1"),
        }
        for act in ways.values():
            timed(act, 50)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, act in ways.items():
                times[name].append(timed(act, options.requests))
        for name, took in times.items():
            ratio = statistics.median(ours / raw for ours, raw in zip(took, times[RAW], strict=True))
            print(f"{name:28} {statistics.median(took):8.0f} µs   {ratio:.2f}")


if __name__ == "__main__":
    main()
