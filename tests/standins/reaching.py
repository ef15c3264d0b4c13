"""Two ways to reach a stand-in with plain httpx, for tests that hold on both."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from secretbridge.testing import StandIn

Reach = Callable[["StandIn", Mapping[str, str]], AbstractContextManager[httpx.Client]]

# No certificate is looked at here; the context is made once because making it is most of a client's cost.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def in_process(standin: StandIn, headers: Mapping[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=standin.base_url, transport=standin.transport(), headers=headers) as client:
        yield client


@contextmanager
def on_a_socket(standin: StandIn, headers: Mapping[str, str]) -> Iterator[httpx.Client]:
    with (
        standin.serve() as base_url,
        httpx.Client(base_url=base_url, headers=headers, verify=NO_AUTHORITIES, trust_env=False) as client,
    ):
        yield client


both_ways = pytest.mark.parametrize("reach", [in_process, on_a_socket])


class Clock:
    """A clock that a test sets; with a step it moves by itself each time it is looked at."""

    def __init__(self, now: float = 1_800_000_000.0, step: float = 0.0) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now
