"""Holds every request of every test against what the vendor publishes, whatever it is that answers.

A plugin of pytest, named in conftest.py. A test that sends what a vendor does not take fails, unless it is
marked ``bad_requests`` with the reason: the stand-ins' own tests are, for they show what a stand-in refuses.
The stand-ins themselves write down what is wrong, in a file that the environment names: so they do in child
processes, too. In this process what leaves an adapter is looked at besides: a script, a recording or another
server may answer it.
"""

from __future__ import annotations

import os
import tempfile
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from secretbridge._channel import Channel
from secretbridge.providers._http import HttpProvider
from secretbridge.testing._checked import note
from secretbridge.testing._exchange import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Generator

    from secretbridge._exchange import Judge, Reply, Request

VARIABLE: Final = "SECRETBRIDGE_STANDIN_CHECK"
_FILE: Final = pytest.StashKey[Path]()
#: The adapter that asks, and the path at which its vendor's API begins.
_ASKING: Final[ContextVar[tuple[str, str]]] = ContextVar("asking", default=("", ""))
_ask, _exchange = HttpProvider._ask, Channel.exchange


@wraps(_ask)
async def _noted_ask(self: HttpProvider, *given: Any, **named: Any) -> Reply:
    _ASKING.set((self.capabilities.provider, urlsplit(self._base).path))
    return await _ask(self, *given, **named)


@wraps(_exchange)
async def _noted_exchange(self: Channel, request: Request, judge: Judge) -> Reply:
    try:
        return await _exchange(self, request, judge)
    finally:
        file = os.environ.get(VARIABLE)
        if file and request.credential:  # else nothing was sent
            headers = (*request.headers, *request.credential)
            path = request.url.partition("://")[2].partition("/")[2]
            asked = RecordedRequest(
                request.method,
                f"/{path}",
                tuple((name.decode(), text.decode("latin-1")) for name, text in headers),
                request.body,
            )
            vendor, prefix = _ASKING.get()
            note(vendor, asked, prefix, file)


def pytest_configure(config: pytest.Config) -> None:
    """Say where violations go to, to this process and those that it will start."""
    number, name = tempfile.mkstemp(prefix="secretbridge-requests-")
    os.close(number)
    config.stash[_FILE] = Path(name)
    os.environ[VARIABLE] = name
    HttpProvider._ask = _noted_ask  # type: ignore[method-assign]
    Channel.exchange = _noted_exchange  # type: ignore[method-assign]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    HttpProvider._ask = _ask  # type: ignore[method-assign]
    Channel.exchange = _exchange  # type: ignore[method-assign]
    os.environ.pop(VARIABLE, None)
    config.stash[_FILE].unlink()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a test that says so send what it likes, from the first fixture to the last."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("bad_requests") is not None:
            patch.delenv(VARIABLE)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail the test that sent it."""
    done = yield
    _refuse(item)
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail for what was sent afterwards, too."""
    done = yield
    _refuse(item)
    return done


def _refuse(item: pytest.Item) -> None:
    file = item.config.stash[_FILE]
    if file.stat().st_size:
        text = file.read_text(encoding="utf-8")
        os.truncate(file, 0)  # so that it is told once
        pytest.fail(f"requests that the vendor does not publish:\n{text}", pytrace=False)
