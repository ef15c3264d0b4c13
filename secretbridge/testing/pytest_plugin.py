"""Fixtures for tests of code that uses secretbridge; pytest finds them where the package is installed.

This module is loaded at the start of every test run there: it loads nothing until a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from secretbridge import Local
    from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn
    from secretbridge.testing._fixtures import Canary, Reached, Waits

__all__ = [
    "secretbridge_appfarm",
    "secretbridge_canary",
    "secretbridge_insforge",
    "secretbridge_ionet",
    "secretbridge_vault",
    "secretbridge_waits",
    "secretbridge_wix",
]


@pytest.fixture
def secretbridge_vault(tmp_path: Path) -> Local:
    """Give a provider over a real vault of this test's own, with a key file beside it."""
    from secretbridge.testing._fixtures import vault

    return vault(tmp_path)


@pytest.fixture
def secretbridge_waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Make every pause of every bridge pass at once; gives their seconds, in turn.

    Pauses are those before a repeat and those that keep to a pace. Clocks of bridges move by them.
    """
    from secretbridge.testing._fixtures import waits

    return waits(monkeypatch)


@pytest.fixture
def secretbridge_ionet(secretbridge_waits: Waits) -> Iterator[Reached[IoNetStandIn]]:
    """Give io.net in memory: ``bridge()`` to it, its ``standin``, ``script()``, and ``url`` for a socket."""
    from secretbridge.testing._fixtures import ionet, reached

    yield from reached(ionet, secretbridge_waits)


@pytest.fixture
def secretbridge_wix(secretbridge_waits: Waits) -> Iterator[Reached[WixStandIn]]:
    """Give Wix in memory, as ``secretbridge_ionet`` does io.net."""
    from secretbridge.testing._fixtures import reached, wix

    yield from reached(wix, secretbridge_waits)


@pytest.fixture
def secretbridge_insforge(secretbridge_waits: Waits) -> Iterator[Reached[InsForgeStandIn]]:
    """Give InsForge in memory, as ``secretbridge_ionet`` does io.net."""
    from secretbridge.testing._fixtures import insforge, reached

    yield from reached(insforge, secretbridge_waits)


@pytest.fixture
def secretbridge_appfarm(secretbridge_waits: Waits) -> Iterator[Reached[AppfarmStandIn]]:
    """Give Appfarm in memory, as ``secretbridge_ionet`` does io.net; what is seeded is declared."""
    from secretbridge.testing._fixtures import appfarm, reached

    yield from reached(appfarm, secretbridge_waits)


@pytest.fixture
def secretbridge_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Give ``canary(value)``, which gives the value back and fails the test if it turns up where it must not.

    Looked at, when the test has ended, are captured output, logs of every level, warnings and every file
    below ``tmp_path``; looked for is the value as it is, in part and encoded.
    """
    from secretbridge.testing._fixtures import canary

    yield from canary(tmp_path, monkeypatch)


_LEFT_OUT: Final = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what the contract leaves out where a class has only a recording of its store."""
    kinds = {item.cls for item in session.items if isinstance(item, pytest.Function) and item.cls}
    session.config.stash[_LEFT_OUT] = {
        kind.__name__: dict(left) for kind in kinds if (left := getattr(kind, "left_out", None))
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell it: nothing is left out in silence."""
    for name, left in sorted(config.stash.get(_LEFT_OUT, dict[str, dict[str, str]]()).items()):
        terminalreporter.section(f"{name}: not tried, for there is only a recording")
        for what, why in left.items():
            terminalreporter.line(f"{what}: {why}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test with a canary fail where a value turned up."""
    report = yield
    canary = getattr(item, "funcargs", {}).get("secretbridge_canary")
    if canary is not None and call.when == "call":
        canary.judge(report)
    return report
