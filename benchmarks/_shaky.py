"""Stand-ins of the four services in a process of their own, failing at a rate, as a soak needs them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing import StandIn, StandInReply
    from secretbridge.testing._exchange import Headers

#: How a request can fail: handled or not, and what the client gets to see.
FAULTS = ("closed unheard", "closed", "reset", "503 unheard", "503", "429", "half an answer")
_REFUSED, _FAILED = 429, 503


def _shaky(kind: type[StandIn], rate: float, seed: int) -> StandIn:
    """Make a stand-in of which one request in so many goes wrong."""
    from secretbridge.testing import Reply, StandInReply

    class Shaky(kind):  # type: ignore[misc, valid-type]  # one class for each vendor
        _random = random.Random(seed)  # noqa: S311 - a soak that can be repeated
        _guard = threading.Lock()

        def handle(self, method: str, raw_path: bytes | str, headers: Headers, body: bytes) -> StandInReply:
            with self._guard:
                fault = self._random.choice(FAULTS) if self._random.random() < rate else None
            if fault == "closed unheard":
                raise ConnectionRefusedError
            if fault in {"503 unheard", "429"}:
                status = _REFUSED if fault == "429" else _FAILED
                return Reply(status, json={"message": "busy"}).as_reply()
            reply: StandInReply = super().handle(method, raw_path, headers, body)
            self.clear_requests()  # what is measured lasts an hour
            if fault == "closed":
                raise ConnectionAbortedError
            if fault == "reset":
                raise ConnectionResetError
            if fault == "503":
                return Reply(_FAILED, json={"message": "busy"}).as_reply()
            if fault == "half an answer" and reply.body:
                return StandInReply(reply.status, reply.headers, reply.body[: len(reply.body) // 2])
            return reply

    return Shaky()


def _main(vendor: str, rate: float, seed: int, names: list[str]) -> None:
    from secretbridge import testing

    standin: Any = _shaky(getattr(testing, f"{vendor}StandIn"), rate, seed)
    for name in names:
        standin.seed(name, "seeded")
    with standin.serve() as url:
        known = {"url": url, "key": standin.api_key, "site": getattr(standin, "site_id", "")}
        print(json.dumps(known), flush=True)
        sys.stdin.readline()  # until the state is asked for
        # InsForge keeps what was deleted, inactive, and has rows of the platform's own, reserved.
        there = [
            (row.name, row.value)
            for row in standin.secrets
            if getattr(row, "active", True) and not getattr(row, "reserved", False)
        ]
        print(json.dumps(there), flush=True)


class Service:
    """A stand-in that runs elsewhere: where it is, and at the end what it holds."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        self._child = child
        known = json.loads(child.stdout.readline())
        self.url: str = known["url"]
        self.key: str = known["key"]
        self.site: str = known["site"]

    def state(self) -> dict[str, list[str]]:
        """Give the values under each name; to be asked for once."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        found: dict[str, list[str]] = {}
        for name, value in json.loads(self._child.stdout.readline()):
            found.setdefault(name, []).append(value)
        return found


@contextmanager
def served(vendor: str, rate: float, seed: int, names: list[str]) -> Iterator[Service]:
    """Serve one vendor on loopback, holding these names.

    Args:
        vendor: Wix, InsForge, IoNet or Appfarm.
        rate: the part of the requests that go wrong, 0 to 1.
        seed: of the faults.
        names: the secrets that are there at the beginning.
    """
    command = [sys.executable, str(Path(__file__)), vendor, str(rate), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        try:
            child.stdin.write(f"{json.dumps(names)}\n")
            child.stdin.flush()
            yield Service(child)
        finally:
            child.stdin.close()
            child.wait(30)


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), json.loads(sys.stdin.readline()))
