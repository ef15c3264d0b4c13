"""A sync does what has changed, and nothing the second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kill_place import Hooks, World, Worlds, bridge, provider

from secretbridge import SecretBridge, migrate
from secretbridge.errors import PlanRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secretbridge.migrate import Event, Run


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    with Worlds(tmp_path) as made:
        yield made


def synced(world: World, **options: Any) -> Run:
    hooks = Hooks(0)
    vault = None if world.vault is None else provider(world.vault)
    with bridge(world.source, hooks) as source, bridge(world.target, hooks) as target:
        return migrate.sync(
            source, target, vault=vault, journal=world.journal, **{"accept": ["versions"], **options}
        )


def writes(worlds: Worlds) -> list[str]:
    """Give the writes that reached the target since this was last asked."""
    standin = worlds.standins["target"]
    calls = [call for call in standin.calls if not call.startswith("GET")]
    standin.clear_requests()
    return calls


PAIRS = [
    ("wix", "insforge"),
    ("local", "wix"),
    ("dotenv", "ionet"),
    ("local", "ionet"),
    ("dotenv", "appfarm"),
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_second_sync_writes_nothing_and_leaves_no_journal(worlds: Worlds, source: str, target: str) -> None:
    world = worlds.make(source, target)
    wanted = {**world.at("target"), **world.at("source")}
    first = synced(world)
    count = len(writes(worlds))
    second = synced(world)
    assert [
        count >= 3,
        first.state,
        world.at("target"),
        writes(worlds),
        second.state,
        len(migrate.runs(journal=world.journal)),
    ] == [True, "done", wanted, [], "done", 1]


def test_a_sync_does_only_what_has_changed(worlds: Worlds) -> None:
    world = worlds.make("local", "insforge")
    synced(world)
    writes(worlds)
    with SecretBridge(provider(world.source)) as source:
        source.update_secret("KEY_1", value="changed at the source")
    synced(world)
    assert [writes(worlds), world.at("target")["KEY_1"]] == [
        ["PUT /api/secrets/KEY_1"],
        ["changed at the source"],
    ]


def test_values_are_not_read_again_where_both_stores_mark_their_changes(worlds: Worlds) -> None:
    world = worlds.make("local", "wix")
    synced(world)
    writes(worlds)
    synced(world)
    assert worlds.standins["target"].calls == ["GET /_api/cloud-secrets-vault-server/api/v1/secrets"]


def test_a_sync_without_a_vault_writes_each_time_where_values_are_never_told(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "appfarm", vault=False)
    synced(world)
    writes(worlds)
    synced(world)
    assert len(writes(worlds)) == 3


def test_prune_deletes_what_runs_created_and_the_source_has_no_more_and_nothing_else(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge")
    before = world.at("target")
    synced(world)
    with SecretBridge(provider(world.source)) as source:
        source.delete_secret("KEY_0")  # was at the target before: not of our making
        source.delete_secret("KEY_1")
        source.delete_secret("KEY_2")
    worlds.standins["target"].seed("KEY_2", "somebody else's")
    kept = synced(world)
    between = set(world.at("target"))
    pruned = synced(world, prune=True)
    again = synced(world, prune=True)
    assert [
        kept.pruned,
        between,
        {one.target: one.state for one in pruned.pruned},
        set(world.at("target")),
        [one.target for one in again.pruned],
    ] == [
        (),
        {*before, "KEY_1", "KEY_2"},
        {"KEY_1": "undone", "KEY_2": "done"},
        {*before, "KEY_2"},
        ["KEY_2"],
    ]


def test_prune_takes_what_became_inactive_at_the_source_only_where_that_is_accepted(worlds: Worlds) -> None:
    world = worlds.make("insforge", "json")
    before = world.at("target")
    options: dict[str, Any] = {"prune": True, "accept": ["inactive"]}
    synced(world, **options)
    with SecretBridge(provider(world.source)) as source:
        source.delete_secret("KEY_0")  # was at the target before: not of our making
        source.update_secret("KEY_1", active=False)
        source.delete_secret("KEY_2")
    with pytest.raises(PlanRefused):
        synced(world, prune=True)
    left = synced(world, prune=True, skip_refused=True)
    kept = world.at("target")
    pruned = synced(world, **options)
    after = world.at("target")
    with SecretBridge(provider(world.source)) as source:
        source.update_secret("KEY_1", active=True)
    synced(world, **options)
    new = {f"KEY_{n}": [f"new-value-of-KEY_{n}"] for n in range(3)}
    assert [
        left.pruned,
        kept,
        {one.target: one.state for one in pruned.pruned},
        after,
        world.at("target"),
    ] == [
        (),
        {**before, **new},
        {"KEY_1": "undone", "KEY_2": "undone"},
        {**before, "KEY_0": new["KEY_0"]},
        {**before, "KEY_0": new["KEY_0"], "KEY_1": new["KEY_1"]},
    ]


def test_a_secret_that_is_active_again_by_the_time_of_pruning_is_not_pruned(worlds: Worlds) -> None:
    world = worlds.make("insforge", "json")
    synced(world)
    standin = worlds.standins["source"]
    standin.seed("KEY_1", "newer", active=False)

    def told(event: Event) -> None:
        if event.kind == "finished":
            standin.seed("KEY_1", "newer")

    run = synced(world, prune=True, accept=["inactive"], progress=told)
    assert [run.pruned, "KEY_1" in world.at("target")] == [(), True]


def test_a_value_that_was_changed_at_the_target_is_brought_back(worlds: Worlds) -> None:
    world = worlds.make("local", "wix")
    synced(world)
    with SecretBridge(provider(world.target)) as target:
        target.update_secret("KEY_1", value="changed at the target")
    run = synced(world)
    assert [{one.source: one.state for one in run.outcomes}, world.at("target")["KEY_1"]] == [
        {"KEY_0": "skipped", "KEY_1": "done", "KEY_2": "skipped"},
        ["new-value-of-KEY_1"],
    ]
