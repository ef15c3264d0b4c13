"""Windows that are written, kept and deleted together keep what was promised of secrets one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, bridged, filled, place
from pydantic import SecretStr

from secretbridge import Local, Secret, SecretBridge, migrate
from secretbridge._runtime import finish
from secretbridge.migrate import _begin
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._keep import Keep
from secretbridge.testing import WixStandIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._channel import Channel
    from secretbridge._models import Target, Write

__all__ = ["place"]


def names(provider: Any) -> list[str]:
    """What a store lists."""
    with SecretBridge(provider) as bridge:
        return sorted(one.name for one in bridge.list_secrets())


def test_with_stop_on_error_nothing_is_written_to_a_vault_after_the_first_failure(place: Place) -> None:
    target = place.vault()

    def theirs(event: migrate.Event) -> None:
        if event.kind == "intended" and event.name == "A":
            filled(target, B="theirs")

    run = migrate.plan(place.env(A="1", B="2", C="3"), target).apply(
        journal=place.folder / "runs", check=False, stop_on_error=True, progress=theirs
    )
    assert [[(one.source, one.state) for one in run.outcomes], names(target)] == [
        [("A", "done"), ("B", "failed"), ("C", "pending")],
        ["A", "B"],
    ]


def test_a_loss_that_was_consented_to_is_not_refused_where_many_are_written_together(place: Place) -> None:
    class OneWay(Local):
        """Takes no description back."""

        capabilities = replace(Local.capabilities, one_way={"description": "a description stays"})
        together: list[str]

        async def change_many(self, channel: Channel, writes: Sequence[Write]) -> Any:
            self.together = [write.name for write in writes]
            return await super().change_many(channel, writes)

    source = filled(place.vault(name="source"), A="1", B="2", C="3")
    with SecretBridge(source) as bridge:
        bridge.update_secret("B", description="about B")
    target = OneWay(place.folder / "vault.db", key_file=place.folder / "vault.key")
    run = migrate.plan(source, target, accept=["one_way", "versions"]).apply(
        journal=place.folder / "runs", check=False
    )
    assert [[(one.source, one.state) for one in run.outcomes], target.together] == [
        [("A", "done"), ("B", "done"), ("C", "done")],
        ["A", "C"],
    ]


def test_what_a_killed_run_kept_and_did_not_announce_goes_with_the_rest_at_undo(place: Place) -> None:
    target, undo, journal = filled(place.vault(), A="old"), place.vault(name="undo"), place.folder / "runs"
    run = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo).apply(journal=journal)
    filled(
        undo, **{f"migration.{run.id}.{n}": "[]" for n in (1, 2)}
    )  # as a kill in the next window leaves it
    migrate.undo(run.id, target, journal=journal, vault=undo)
    assert names(undo) == ["migration.key"]


class Meddled(Keep):
    """Has another thread ask for what lies elsewhere whenever something was read."""

    meddle = True

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "_last" and value is not None and self.meddle:
            self.meddle = False
            finish(self.kept("run", 1, 1))


def test_what_lies_together_is_found_where_another_thread_asks_for_something_else(place: Place) -> None:
    with SecretBridge(place.vault(name="undo")) as bridge:
        keep = Meddled(bridge._core, bytes(32))
        for n in range(2):
            finish(keep.keep("run", [(n, Secret(name=f"S{n}", value=SecretStr(f"v{n}")))], n))
        kept = finish(keep.kept("run", 0, 0))
    assert kept is not None
    assert kept["value"].get_secret_value() == "v0"


def test_a_value_that_comes_into_a_file_while_the_target_is_looked_at_is_not_deleted(place: Place) -> None:
    wix, source = WixStandIn(), place.env(A="1", B="2")
    looks: list[str] = []
    with bridged(wix) as target:
        real: Any = target._core.provider.get

        async def get(channel: Channel, which: Target) -> Secret:
            if "deleting" in looks:
                source.path.write_text("A=1\nB=newer and only here\n")
            found: Secret = await real(channel, which)
            return found

        def told(event: migrate.Event) -> None:
            if event.kind == "verified" and event.name == "B":
                looks.append("deleting")

        target._core.provider.get = get  # type: ignore[assignment, method-assign]  # somebody else writes meanwhile
        run = migrate.plan(source, target).apply(
            journal=place.folder / "runs", delete_source=True, check=False, progress=told
        )
    assert [[(one.source, one.source_deleted) for one in run.outcomes], source.path.read_text()] == [
        [("A", True), ("B", False)],
        "B=newer and only here\n",
    ]


@pytest.mark.parametrize("with_vault", [True, False])
def test_the_disk_has_what_is_announced_before_it_is_written_and_what_came_of_it_after(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, with_vault: bool
) -> None:
    told: list[str] = []

    class Told(Journal):
        """Tells which entries are waited for until the disk has them."""

        def append(self, kind: str, data: object, *, waits: bool = True) -> None:
            super().append(kind, data, waits=waits)
            told.append(f"{kind}, on the disk" if waits else kind)

    class Watched(Local):
        """Tells when it is written to."""

        async def change_many(self, channel: Channel, writes: Sequence[Write]) -> Any:
            told.append("written")
            return await super().change_many(channel, writes)

    monkeypatch.setattr(_begin, "Journal", Told)
    target = Watched(place.folder / "vault.db", key_file=place.folder / "vault.key")
    undo = place.vault(name="undo") if with_vault else None
    migrate.plan(place.env(A="1", B="2"), target, vault=undo).apply(journal=place.folder / "runs")
    announced = ["intended", "read, on the disk"] if with_vault else ["intended, on the disk"]
    assert told == [*announced, "written", "outcome, on the disk", "verified", "state, on the disk"]
