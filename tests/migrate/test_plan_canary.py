"""No value is in a plan, whatever is asked of it."""

from __future__ import annotations

import copy
import gc
import io
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, bridged, filled, place
from plan_transforms import failing
from pydantic import SecretStr

from secretbridge import SecretBridge, migrate
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from secretbridge.migrate import Plan

__all__ = ["place"]

CANARY = "canary-7f3a"


def planned(place: Place, which: str) -> Plan:
    if which == "vault to file":
        source = place.vault()
        with SecretBridge(source) as bridge:
            bridge.create_secret("A", value=CANARY, description="text")
            bridge.create_secret("B", value=f"{CANARY}2")
        return migrate.plan(source, place.env(B=CANARY, C=CANARY))
    if which == "failing transform":
        return migrate.plan(place.env(A=CANARY), place.json(), transform=failing)
    if which == "values from elsewhere":
        ionet = IoNetStandIn()
        ionet.seed("A", CANARY)
        return migrate.plan(bridged(ionet), place.env(), values_from={"A": SecretStr(CANARY)})
    wix, insforge = WixStandIn(), InsForgeStandIn()
    wix.seed("A", CANARY)
    wix.seed("B", CANARY * 500)
    insforge.seed("A", f"{CANARY}2")
    if which == "too long":
        return migrate.plan(bridged(insforge), filled(place.vault(), A=CANARY), on_conflict="update")
    return migrate.plan(bridged(wix), bridged(insforge), on_conflict="update")


@pytest.mark.parametrize(
    "which", ["vault to file", "failing transform", "values from elsewhere", "too long", "two services"]
)
def test_no_value_is_in_anything_that_a_plan_shows(
    place: Place, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plan = planned(place, which)
    out = io.StringIO()
    plan.print(out)
    shown = [repr(plan), str(plan), plan.to_json(), plan.fingerprint(), out.getvalue(), caplog.text]
    shown += [repr(plan.steps), str(plan.ends), repr(plan.__dict__), repr(plan.rules), *plan.warnings]
    shown.append(repr(pickle.dumps((plan.steps, plan.estimates, plan.source))))
    assert [text for text in shown if CANARY in text] == []


def test_a_plan_is_not_pickled(place: Place) -> None:
    plan = planned(place, "values from elsewhere")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a Plan is not pickled"):
            attempt(plan)
    assert plan.ends.values is not None
    with pytest.raises(TypeError, match="values are not pickled"):
        pickle.dumps(plan.ends.values.provider)


def reachable(root: object) -> list[str]:
    """Give every text that can be reached from an object, the caller's own stores left out."""
    seen: set[int] = set()
    found: list[str] = []
    left: list[Any] = [root]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, (type, type(gc))) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, (str, SecretStr)):
            found.append(one if isinstance(one, str) else one.get_secret_value())
        left += gc.get_referents(one)
    return found


def test_nothing_that_a_plan_holds_leads_to_a_value_that_was_read(place: Place) -> None:
    plan = planned(place, "vault to file")
    texts = reachable(plan)
    assert ("STRIPE" in texts, "A" in texts, [text for text in texts if CANARY in text]) == (False, True, [])
