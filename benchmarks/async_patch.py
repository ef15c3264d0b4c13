"""PATCHes in flight: AsyncSecretBridge.update_secret beside httpx.AsyncClient.patch, on asyncio.

    python benchmarks/async_patch.py [--rounds 7] [--requests 320]

Prints microseconds per request at 1, 4 and 16 in flight and the ratio; the goal is 0.7 or less at 16.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import httpx
from _serving import ionet

from secretbridge import AsyncSecretBridge, IoNet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = "ionet-key"
RAW = "httpx.AsyncClient"
OURS = "update_secret"


async def timed(act: Callable[[], Awaitable[object]], in_flight: int, requests: int) -> float:
    """Give the microseconds per request, so many at a time."""

    async def worker(times: int) -> None:
        for _ in range(times):
            await act()

    started = time.perf_counter()
    await asyncio.gather(*(worker(requests // in_flight) for _ in range(in_flight)))
    return (time.perf_counter() - started) / (requests // in_flight * in_flight) * 1e6


async def measure(url: str, rounds: int, requests: int) -> None:
    """Measure and print."""
    async with (
        httpx.AsyncClient(headers={"x-api-key": KEY}) as client,
        AsyncSecretBridge(IoNet(api_key=KEY, base_url=url), pace=None) as bridge,
    ):
        made = await bridge.create_secret("TOKEN", value="value-0")
        address = f"{url}/secrets/{made.id}"

        async def raw() -> object:
            return (await client.patch(address, json={"secret_value": "value-1"})).json()

        async def ours() -> object:
            return await bridge.update_secret(id=made.id, value="value-1")

        for in_flight in (1, 4, 16):
            times: dict[str, list[float]] = {RAW: [], OURS: []}
            for act in (raw, ours):
                await timed(act, in_flight, 64)
            for _ in range(rounds):
                times[RAW].append(await timed(raw, in_flight, requests))
                times[OURS].append(await timed(ours, in_flight, requests))
            ratio = statistics.median(b / a for a, b in zip(times[RAW], times[OURS], strict=True))
            print(
                f"{in_flight:3} in flight   {RAW} {statistics.median(times[RAW]):7.0f} µs   "
                f"{OURS} {statistics.median(times[OURS]):7.0f} µs   {ratio:.2f}"
            )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=320)
    options = parser.parse_args()
    with ionet() as (url, _):
        asyncio.run(measure(url, options.rounds, options.requests))


if __name__ == "__main__":
    main()
