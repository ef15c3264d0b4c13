"""Runs cells of the matrix: one call of one provider on one face, one of its exchanges broken in one way."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
from fault_calls import CALLS, NEW, OLD, SERVICES, Call, Service, held

from secretbridge import AsyncSecretBridge, Retry, SecretBridge, SecretBridgeError, Timeout
from secretbridge.testing import WIRE_FAULTS, FaultServer, WireFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FACES: Final = ("blocking", "asyncio", "trio")
_JSON: Final = ("Content-Type", "application/json")
_PAGE: Final = (b"<html><body>no</body></html>", ("Content-Type", "text/html"))

#: Seconds for each step: short where a stall has to be waited for, else long enough for a busy machine.
_SHORT: Final = Timeout(connect=5.0, read=0.15, write=5.0, pool=5.0)
_LONG: Final = Timeout(connect=5.0, read=5.0, write=5.0, pool=5.0)
#: What is over a call's own time limits is a hang.
_SLACK: Final = 5.0
_AGAIN: Final = Retry(attempts=3, first_wait=0.001, max_wait=0.002, max_retry_after=1.0, total=10.0)

_STATUSES: Final = (
    400, 402, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 418, 421, 422, 423, 424, 428, 431, 451,
)  # fmt: skip
_UNSURE: Final = (408, 500, 501, 502, 503, 504, 507, 508, 599)
_WORDED: Final = (401, 403, 404, 409, 429, 500, 503)
_LOCATIONS: Final = {
    300: "/elsewhere", 301: "http://127.0.0.2:9/elsewhere", 302: "/elsewhere",
    303: "https://elsewhere.invalid/", 307: "http://127.0.0.2:9/elsewhere", 308: "//elsewhere.invalid/",
}  # fmt: skip
_AFTER: Final = {
    "in no seconds": "0", "at a date that has passed": "Wed, 21 Oct 2015 07:28:00 GMT",
    "in nonsense": "soon", "in a day": "86400",
}  # fmt: skip


def _answers() -> Iterator[tuple[str, WireFault]]:
    answer = WireFault.answer
    for status in _STATUSES:
        yield f"{status}", answer(status)
    for status, location in _LOCATIONS.items():
        yield f"{status} to {location}", answer(status, headers=[("Location", location)])
    yield "304", answer(304)
    yield "401", answer(401)
    yield "425", answer(425)
    yield "429", answer(429)
    for how, text in _AFTER.items():
        yield f"429, again {how}", answer(429, headers=[("Retry-After", text)])
    for status in _UNSURE:
        yield f"{status} before handling", answer(status)
        yield f"{status} after handling", answer(status, handled=True)
    for status in (404, 502, 503):
        yield f"{status} as a web page", answer(status, _PAGE[0], headers=[_PAGE[1]])


ANSWERS: Final = dict(_answers())


def _worded(service: Service) -> dict[str, WireFault]:
    def body(status: int) -> bytes:
        return json.dumps(service.refusal(status)).encode()

    return {
        f"{status} in the vendor's words": WireFault.answer(status, body(status), headers=[_JSON])
        for status in _WORDED
    }


WORDED: Final = {name: _worded(service) for name, service in SERVICES.items()}
FAULTS: Final = (*WIRE_FAULTS, *ANSWERS, *WORDED["ionet"])


def fault_of(provider: str, name: str) -> WireFault:
    return WIRE_FAULTS.get(name) or ANSWERS.get(name) or WORDED[provider][name]


@dataclass(frozen=True)
class Exchange:
    """One request of one call to one provider."""

    provider: str
    call: Call
    number: int

    def __str__(self) -> str:
        methods = self.call.exchanges[self.provider]
        step = f" ({self.number + 1}: {methods[self.number]})" if len(methods) > 1 else ""
        return f"{self.provider} {self.call.name}{step}"


EXCHANGES: Final = tuple(
    Exchange(provider, call, number)
    for provider in SERVICES
    for call in CALLS
    if provider in call.exchanges
    for number in range(len(call.exchanges[provider]))
)


class Outcome(NamedTuple):
    """What became of a cell: the error's class ("" where it worked), and its ``applied``."""

    error: str
    applied: bool | None


WORKED: Final = Outcome("", True)


class Cell(NamedTuple):
    """One exchange, broken in one way, with or without later tries."""

    exchange: Exchange
    fault: str
    again: bool


def run(face: str, provider: str, cells: Iterable[Cell]) -> dict[Cell, tuple[Outcome, list[str]]]:
    """Run cells of one provider on one face; what became of each, and what is wrong with it."""
    service = SERVICES[provider]
    with FaultServer(service.filled()) as server:
        if face == "blocking":
            return {cell: _blocking(server, service, cell) for cell in cells}

        async def work() -> dict[Cell, tuple[Outcome, list[str]]]:
            return {cell: await _awaited(server, service, cell) for cell in cells}

        return anyio.run(work, backend=face)


def _begun(server: FaultServer, service: Service, cell: Cell) -> tuple[Any, dict[str, Any]]:
    fault = fault_of(service.name, cell.fault)
    standin = server.standin = service.filled()
    server.script(*[None] * cell.exchange.number, fault)
    waits = fault.then == "stall" or "dripped" in cell.fault
    options = {
        "pace": None,
        "retry": _AGAIN if cell.again else None,
        "timeout": _SHORT if waits else _LONG,
    }
    return service.provider(standin, server.base_url), options


def _blocking(server: FaultServer, service: Service, cell: Cell) -> tuple[Outcome, list[str]]:
    provider, options = _begun(server, service, cell)
    call, failed, began = cell.exchange.call, None, time.monotonic()
    with SecretBridge(provider, **options) as bridge:
        try:
            getattr(bridge, call.verb)(**call.arguments)
        except SecretBridgeError as error:
            failed = error
        took = time.monotonic() - began
    return _judged(server, cell, failed, took)


async def _awaited(server: FaultServer, service: Service, cell: Cell) -> tuple[Outcome, list[str]]:
    provider, options = _begun(server, service, cell)
    call, failed, began = cell.exchange.call, None, time.monotonic()
    async with AsyncSecretBridge(provider, **options) as bridge:
        try:
            await getattr(bridge, call.verb)(**call.arguments)
        except SecretBridgeError as error:
            failed = error
        took = time.monotonic() - began
    return _judged(server, cell, failed, took)


def _judged(
    server: FaultServer, cell: Cell, failed: SecretBridgeError | None, took: float
) -> tuple[Outcome, list[str]]:
    """Hold what was said against what the stand-in holds."""
    call, state = cell.exchange.call, held(server.standin)
    outcome = WORKED if failed is None else Outcome(type(failed).__name__, failed.applied)
    before = held(SERVICES[cell.exchange.provider].filled())
    wrong = []
    if outcome.applied is True and state != call.wanted:
        wrong.append("said to be applied, and it is not")
    if outcome.applied is False and state != before:
        wrong.append("said not to be applied, and it is")
    if state not in (before, call.wanted):
        wrong.append("neither the old state nor the new one")
    if server.left:
        wrong.append("the fault was never met")
    if took > _SLACK:
        wrong.append(f"took {took:.1f} s")
    if failed is not None:
        wrong += [f"tells {secret!r}" for secret in (OLD, NEW) if secret in f"{failed}{vars(failed)}"]
        if failed.__cause__ is not None or failed.__context__ is not None:
            wrong.append("is chained")
    return outcome, wrong


def cells(provider: str, variant: int, one_in: int) -> list[Cell]:
    """Cells of one provider in one variant (a face, with or without later tries).

    Args:
        provider: its name.
        variant: from 0; an even one has no later tries. ``FACES[variant // 2]`` is its face.
        one_in: 1 for all cells. Else a fixed choice: of exchange i and fault j those where i + j leaves the
            variant when divided by this, so that no two variants share a cell.
    """
    return [
        Cell(exchange, fault, again=bool(variant % 2))
        for i, exchange in enumerate(EXCHANGES)
        for j, fault in enumerate(FAULTS)
        if exchange.provider == provider and (i + j - variant) % one_in == 0
    ]
