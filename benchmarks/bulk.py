"""Bulk updates against a rate-limited stand-in: paced by secretbridge, and by plain back-off.

    python benchmarks/bulk.py [--requests 1500] [--limit 100]

The stand-in answers 429 to more than --limit requests in any second. Prints the part of the ideal time and
how many were rejected, in all and after the first second. Goal: at least 95 %, and none rejected after
the first second.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from _serving import counts, ionet
from tenacity import retry, retry_if_result, wait_random_exponential

from secretbridge import IoNet, SecretBridge

KEY = "ionet-key"
TOO_MANY = 429


def report(name: str, started: float, options: argparse.Namespace, rejected: int, late: int) -> None:
    """Print one line."""
    took = time.perf_counter() - started
    ideal = options.requests / options.limit
    print(f"{name:28} {took:6.2f} s   {ideal / took:6.1%} of ideal   {rejected} rejected, {late} after 1 s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    with ionet(options.limit, 1) as (url, child):
        with (
            SecretBridge(IoNet(api_key=KEY, base_url=url), pace=options.limit * 60) as bridge,
            ThreadPoolExecutor(8) as pool,
        ):
            id_ = bridge.create_secret("TOKEN", value="value-0").id
            time.sleep(1.5)
            started = time.perf_counter()
            first = int(options.limit * 1.0)
            list(pool.map(lambda _: bridge.update_secret(id=id_, value="value-1"), range(first)))
            early, _ = counts(child)
            list(
                pool.map(
                    lambda _: bridge.update_secret(id=id_, value="value-1"), range(options.requests - first)
                )
            )
            total, _ = counts(child)
            report("secretbridge, paced", started, options, total, total - early)
        time.sleep(1.5)
        with httpx.Client(headers={"x-api-key": KEY}) as client, ThreadPoolExecutor(8) as pool:

            @retry(
                wait=wait_random_exponential(0.1, 5),
                retry=retry_if_result(lambda reply: reply.status_code == TOO_MANY),
            )
            def plain(_: int) -> httpx.Response:
                return client.patch(f"{url}/secrets/{id_}", json={"secret_value": "value-1"})

            started = time.perf_counter()
            list(pool.map(plain, range(options.requests)))
            rejected, _ = counts(child)
            report("httpx, exponential back-off", started, options, rejected - total, rejected - total)


if __name__ == "__main__":
    main()
