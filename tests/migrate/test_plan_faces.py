"""The two ways to plan are one, on asyncio, on trio and without an event loop."""

from __future__ import annotations

import inspect

import anyio
import pytest
from migrate_place import Place, bridged, bridged_async, filled, place

import secretbridge
from secretbridge import AsyncSecretBridge, migrate
from secretbridge.testing import InsForgeStandIn, WixStandIn

__all__ = ["place"]


def test_both_verbs_have_the_same_parameters_and_docstrings() -> None:
    one, other = inspect.signature(migrate.plan), inspect.signature(migrate.plan_async)
    assert [(p.name, p.kind, p.default) for p in one.parameters.values()] == [
        (p.name, p.kind, p.default) for p in other.parameters.values()
    ]
    assert inspect.getdoc(migrate.plan) == inspect.getdoc(migrate.plan_async)
    first = [
        str(inspect.getdoc(verb)).splitlines()[0] for verb in (migrate.Plan.moved, migrate.Plan.moved_async)
    ]
    assert first[0] == first[1]


def test_a_rule_may_be_given_to_the_verb_by_its_own_name() -> None:
    rules = list(inspect.signature(migrate.Rules).parameters)
    assert set(rules) <= set(inspect.signature(migrate.plan).parameters)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_plan_on_an_event_loop_is_the_one_without(place: Place, backend: str) -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    for number in range(5):
        source.seed(f"KEY_{number}", "1", description="text")
    target.seed("KEY_1", "1")
    target.seed("KEY_2", "2")

    async def main() -> migrate.Plan:
        async with AsyncSecretBridge(place.vault()) as vault:
            return await migrate.plan_async(
                bridged_async(source), bridged_async(target), accept="description", vault=vault
            )

    there = anyio.run(main, backend=backend)
    here = migrate.plan(bridged(source), bridged(target), accept="description", vault=place.vault())
    assert (there.steps, there.fingerprint()) == (here.steps, here.fingerprint())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_providers_are_opened_and_closed_on_an_event_loop(place: Place, backend: str) -> None:
    source = filled(place.vault(), KEY="1")

    async def main() -> migrate.Plan:
        return await migrate.plan_async(source, place.env())

    assert anyio.run(main, backend=backend).counts["create"] == 1


def test_the_names_of_the_package_load_when_they_are_used() -> None:
    for name in migrate.__all__:
        assert getattr(migrate, name) is not None
    assert (secretbridge.migrate, dir(migrate)) == (migrate, sorted(migrate.__all__))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        migrate.nothing  # noqa: B018 - the point
