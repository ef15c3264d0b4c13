"""Holds every request of every test, however it reaches a stand-in, against what the vendor publishes.

A plugin of pytest, named in conftest.py. A test that sends what a vendor does not take fails, unless it is
marked ``bad_requests`` with the reason: the stand-ins' own tests are, for they show what a stand-in refuses.
Requests of other processes count too where the stand-in is in pytest's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_WRONG: Final = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Look at requests from the first fixture to the last."""
    from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, StandIn, WixStandIn
    from secretbridge.testing._constraints import VENDORS, violations

    kinds: dict[str, type[StandIn]] = {
        "ionet": IoNetStandIn,
        "wix": WixStandIn,
        "insforge": InsForgeStandIn,
        "appfarm": AppfarmStandIn,
    }
    wrong: list[str] = []
    item.stash[_WRONG] = wrong
    record = StandIn._record

    def checked(standin: Any, request: Any) -> None:
        record(standin, request)
        for name, kind in kinds.items():
            if isinstance(standin, kind):
                found = violations(VENDORS[name], request, standin._prefix)
                wrong.extend(f"{name}: {request.method}: {one}" for one in found)

    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("bad_requests") is None:
            patch.setattr(StandIn, "_record", checked)
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
    found = item.stash[_WRONG]
    if found:
        text = "\n".join(found)
        found.clear()  # so that it is told once
        pytest.fail(f"requests that the vendor does not publish:\n{text}", pytrace=False)
