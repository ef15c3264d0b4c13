"""Two clients at the same time, on every store: they see what some order of their calls would show."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import order_stores
import pytest
from fault_calls import SERVICES
from order_stores import STORES, SharedService, run, shared

from secretbridge.testing import StandInReply, WixStandIn

if TYPE_CHECKING:
    from pathlib import Path

    from order_check import Call, Outcome

    from secretbridge import SecretBridge

ROUNDS = 15


@pytest.mark.parametrize("store", STORES)
def test_some_order_of_their_calls_explains_what_two_clients_saw_at_the_same_time(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tmp_path.chmod(0o700)
    server = request.getfixturevalue("postgres") if store == "postgres" else None
    with ExitStack() as stack:
        tally = run(shared(store, stack, tmp_path, server), ROUNDS, f"11 {store}")
    assert (tally.rounds, tally.overlapped > ROUNDS // 2) == (ROUNDS, True)


def test_a_service_that_loses_a_write_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(WixStandIn):
        def _update(self, request: Any, owner: str, key: str) -> StandInReply:
            before = dict(self._rows)
            reply = super()._update(request, owner, key)
            self._rows = before
            return reply

    service = SERVICES["wix"]
    monkeypatch.setitem(SERVICES, "wix", type(service)("wix", Forgetful, service.provider, service.refusal))
    with pytest.raises(AssertionError, match=r"no order explains round \d+ of seed '1 wix'\nbefore: Rows"):
        run(SharedService("wix"), 30, "1 wix")


def test_a_vault_that_overlooks_if_version_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = order_stores._ask_vault

    def careless(bridge: SecretBridge, call: Call) -> Outcome:
        given = {name: one for name, one in call.given.items() if name != "if_version"}
        return ask(bridge, replace(call, given=given))

    monkeypatch.setattr(order_stores, "_ask_vault", careless)
    tmp_path.chmod(0o700)
    with ExitStack() as stack, pytest.raises(AssertionError, match=r"no order explains round \d+"):
        run(shared("sqlite", stack, tmp_path, None), 60, "2 sqlite")


def test_the_same_seed_gives_the_same_programs() -> None:
    first, second = (
        SharedService("wix").round(random.Random("3"))  # noqa: S311 - programs that can be had again
        for _ in range(2)
    )
    asked = [[[done.call for done in calls] for calls in one.clients] for one in (first, second)]
    assert (asked[0] == asked[1], sum(map(len, asked[0]))) == (True, 6)
