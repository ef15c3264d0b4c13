"""Holds every request of every test, however it reaches a stand-in, against what the vendor publishes.

A plugin of pytest, named in conftest.py. A test that sends what a vendor does not take fails, unless it is
marked ``bad_requests`` with the reason: the stand-ins' own tests are, for they show what a stand-in refuses.
The stand-ins themselves write down what is wrong, in a file that the environment names: so they do in child
processes, too.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

VARIABLE: Final = "SECRETBRIDGE_STANDIN_CHECK"
_FILE: Final = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Say where violations go to, to this process and those that it will start."""
    number, name = tempfile.mkstemp(prefix="secretbridge-requests-")
    os.close(number)
    config.stash[_FILE] = Path(name)
    os.environ[VARIABLE] = name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
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
