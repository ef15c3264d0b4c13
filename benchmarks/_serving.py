"""A stand-in of io.net in a process of its own: it must not share the interpreter with what is measured."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHILD = """
import sys
from secretbridge.testing import IoNetStandIn
limit = (int(sys.argv[1]), float(sys.argv[2])) if len(sys.argv) > 1 else None
standin = IoNetStandIn(rate_limit=limit) if limit else IoNetStandIn()
with standin.serve() as url:
    print(url, flush=True)
    for line in sys.stdin:
        print(standin.rejected, len(standin.requests), flush=True)
        standin.clear_requests()
"""


@contextmanager
def ionet(*rate_limit: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve io.net on loopback; gives its base URL and the process, which `counts` can ask."""
    arguments = [f"{number:g}" for number in rate_limit]
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield child.stdout.readline().strip(), child
        finally:
            child.stdin.close()
            child.wait(10)


def counts(child: subprocess.Popen[str]) -> tuple[int, int]:
    """Give how many requests were rejected and how many came since the last time."""
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    rejected, came = child.stdout.readline().split()
    return int(rejected), int(came)
