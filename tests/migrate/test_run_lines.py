"""What a run that is shown writes on a standard error that is no terminal, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Each request takes 13 seconds of a clock that the child moves; whoever waits on that clock is waited for.
_CHILD = """
import sys
import threading
from functools import partial

import httpx

from secretbridge import Dotenv, InsForge, SecretBridge, migrate
from secretbridge.migrate import _progress
from secretbridge.testing import InsForgeStandIn


class Clock:
    def __init__(self):
        self.seconds, self.until, self.turn = 0.0, None, threading.Condition()

    def now(self):
        return self.seconds

    def wait(self, ended, seconds):
        with self.turn:
            self.until = self.seconds + seconds
            self.turn.notify_all()
            while self.seconds < self.until and not ended.is_set():
                self.turn.wait(0.01)
            if self.seconds >= self.until:
                self.until = None
            return ended.is_set()

    def move(self, seconds):
        with self.turn:
            self.turn.wait_for(lambda: self.until is not None)
            self.seconds += seconds
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.until is not None and self.seconds < self.until)


class Slow(httpx.BaseTransport):
    def handle_request(self, request):
        if sys.argv[2] == "shown":
            clock.move(13)
        return inner.handle_request(request)


clock = Clock()
_progress._display = partial(_progress._display, now=clock.now, wait=clock.wait)
standin = InsForgeStandIn()
inner = standin.transport()
source = Dotenv(sys.argv[1] + "/app.env")
with SecretBridge(InsForge(standin.base_url, api_key=standin.api_key), transport=inner) as quick:
    plan = migrate.plan(source, quick)
with SecretBridge(InsForge(standin.base_url, api_key=standin.api_key), transport=Slow(), pace=None) as slow:
    plan = migrate.Plan.from_json(plan.to_json(), source, slow)
    plan.apply(
        journal=sys.argv[1] + "/runs",
        concurrency=1,
        progress=True if sys.argv[2] == "shown" else None,
    )
print("done")
"""


def said(folder: Path, how: str) -> tuple[int, str, list[str]]:
    """Run a migration of four secrets in a process of its own; gives its end, output and lines of errors."""
    (folder / "app.env").write_text("".join(f"KEY_{n}=hidden-{n}\n" for n in range(4)))
    command = [sys.executable, "-c", _CHILD, str(folder), how]
    environment = {"XDG_STATE_HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    return ended.returncode, ended.stdout, ended.stderr.splitlines()


def test_a_run_that_is_shown_where_there_is_no_terminal_writes_a_line_a_minute_and_its_end(
    tmp_path: Path,
) -> None:
    lines = [
        "Migrating: 0 of 4 done, 1.2 a minute, about 2.6 min left",
        "Migrating: 4 of 4 done, 1.8 a minute",
        "Migrating: 4 of 4 done, in 2.8 min.",
    ]
    assert said(tmp_path, "shown") == (0, "done\n", lines)


def test_a_run_that_is_not_to_be_shown_writes_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, "quiet") == (0, "done\n", [])
