"""What somebody else does between the steps of a run: nothing of theirs is deleted, no only copy is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from migrate_place import Place, at, bridged, filled, place, provider_of
from pydantic import SecretStr

from secretbridge import InsForge, IoNet, SecretBridge, migrate
from secretbridge.errors import JournalMismatch
from secretbridge.migrate import _run
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, StandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place"]


def change(standin: StandIn, name: str, value: str) -> Callable[[], object]:
    """Give what somebody else does: another value."""

    def act() -> None:
        with bridged(standin) as other:
            other.update_secret(name, value=value)

    return act


def anew(standin: StandIn, name: str, value: str) -> Callable[[], object]:
    """Give what somebody else does: a secret deleted, and another one made under its name."""

    def act() -> None:
        with bridged(standin) as other:
            other.delete_secret(name)
            other.create_secret(name, value=value)

    return act


def test_without_a_vault_undo_asks_about_what_was_changed_between_write_and_verify(place: Place) -> None:
    wix, journal = WixStandIn(), place.folder / "runs"
    with bridged(wix) as target:
        plan = migrate.plan(place.env(KEY="ours"), target)
        run = plan.apply(journal=journal, check=False, progress=at("written", change(wix, "KEY", "theirs")))
        undone = migrate.undo(run.id, target, journal=journal, check=False)
    assert [run.outcomes[0].verified, undone.outcomes[0].state, [one.value for one in wix.secrets]] == [
        "mismatch",
        "done",
        ["theirs"],
    ]


def test_the_version_of_a_later_writer_is_not_taken_for_its_own(place: Place) -> None:
    target, journal = place.vault(name="target"), place.folder / "runs"

    def theirs() -> None:
        with SecretBridge(target) as other:
            other.update_secret("KEY", value="theirs")

    plan = migrate.plan(place.env(KEY="ours"), target)
    run = plan.apply(journal=journal, check=False, progress=at("written", theirs))
    undone = migrate.undo(run.id, target, journal=journal, check=False)
    with SecretBridge(target) as bridge:
        left = bridge.get_secret("KEY").reveal()
    assert [run.outcomes[0].verified, undone.outcomes[0].state, left] == ["mismatch", "done", "theirs"]


def test_a_change_between_write_and_verify_that_leaves_the_value_is_asked_about_at_undo(place: Place) -> None:
    target, journal = place.vault(name="target"), place.folder / "runs"

    def described() -> None:
        with SecretBridge(target) as other:
            other.update_secret("KEY", description="theirs by now")

    plan = migrate.plan(place.env(KEY="ours"), target, vault=place.vault(name="undo"))
    run = plan.apply(journal=journal, check=False, progress=at("written", described))
    undone = migrate.undo(run.id, target, journal=journal, vault=place.vault(name="undo"), check=False)
    with SecretBridge(target) as bridge:
        left = [secret.description for secret in bridge.list_secrets()]
    assert [undone.outcomes[0].state, left] == ["done", ["theirs by now"]]


def test_a_secret_of_its_name_that_somebody_else_made_at_io_net_is_not_taken_for_its_own(
    place: Place,
) -> None:
    ionet, journal = IoNetStandIn(), place.folder / "runs"
    with bridged(ionet) as target:
        plan = migrate.plan(place.env(KEY="ours-1"), target)
        run = plan.apply(journal=journal, check=False, progress=at("written", anew(ionet, "KEY", "theirs")))
        undone = migrate.undo(run.id, target, journal=journal, check=False)
    assert [
        run.outcomes[0].verified,
        run.state,
        undone.outcomes[0].state,
        [one.value for one in ionet.secrets],
    ] == ["mismatch", "incomplete", "undone", ["theirs"]]


def test_a_source_is_kept_where_its_value_is_not_at_the_target_though_only_other_fields_were_copied(
    place: Place,
) -> None:
    soon = datetime(2090, 1, 1, tzinfo=UTC).timestamp()
    theirs, ours, journal = InsForgeStandIn(), InsForgeStandIn(), place.folder / "runs"
    theirs.seed("KEY", "same", expires_at=soon)
    ours.seed("KEY", "same")
    with bridged(theirs, base_url="https://a.test") as source, bridged(ours) as target:
        plan = migrate.plan(source, target, on_conflict="update")
        source.update_secret("KEY", value="newer and only here")
        run = plan.apply(journal=journal, delete_source=True, check=False)
    assert [plan.steps[0].fields, run.state, theirs.secret("KEY").value] == [
        ("expires_at",),
        "incomplete",
        "newer and only here",
    ]


def test_a_source_is_kept_where_the_copy_was_deleted_at_insforge_before_it_was_verified(place: Place) -> None:
    insforge, source, journal = InsForgeStandIn(), place.env(KEY="only"), place.folder / "runs"

    def deleted() -> None:
        with bridged(insforge) as other:
            other.delete_secret("KEY")

    with bridged(insforge) as target:
        run = migrate.plan(source, target).apply(
            journal=journal,
            delete_source=True,
            accept_unverifiable=True,
            check=False,
            progress=at("written", deleted),
        )
    with SecretBridge(source) as bridge:
        left = [secret.name for secret in bridge.list_secrets()]
    assert [run.outcomes[0].verified, run.state, left] == ["mismatch", "incomplete", ["KEY"]]


class Meddling(httpx.BaseTransport):
    """Hands requests on, and acts once when one of a method has been answered."""

    def __init__(self, standin: StandIn, method: str, act: Callable[[], object]) -> None:
        self._inner = standin.transport()
        self._method = method
        self._act: Callable[[], object] | None = act

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if request.method == self._method and self._act is not None:
            act, self._act = self._act, None
            act()
        return response


def meddled(standin: StandIn, act: Callable[[], object], **more: Any) -> SecretBridge:
    provider = provider_of(standin, **more)
    return SecretBridge(provider, transport=Meddling(standin, "DELETE", act), retry=None, pace=None)


def test_undo_looks_again_just_before_it_deletes_each(place: Place) -> None:
    insforge, vault, journal = InsForgeStandIn(), place.vault(name="undo"), place.folder / "runs"
    with bridged(insforge) as target:
        run = migrate.plan(place.env(A="ours", B="ours"), target, vault=vault).apply(journal=journal)
    with meddled(insforge, change(insforge, "A", "theirs")) as target:
        undone = migrate.undo(run.id, target, vault=vault, journal=journal, check=False, concurrency=1)
    assert [
        {one.source: one.state for one in undone.outcomes},
        insforge.secret("A").value,
        insforge.secret("A").active,
    ] == [{"A": "done", "B": "undone"}, "theirs", True]


def test_a_source_is_looked_at_again_just_before_it_is_deleted(place: Place) -> None:
    insforge, journal = InsForgeStandIn(), place.folder / "runs"
    insforge.seed("A", "old")
    insforge.seed("B", "old")  # listed first, and deleted first
    with meddled(insforge, change(insforge, "A", "newer and only here")) as source:
        plan = migrate.plan(source, place.vault())
        run = plan.apply(journal=journal, delete_source=True, check=False, concurrency=1)
    assert [
        {one.source: one.source_deleted for one in run.outcomes if one.state == "done"},
        insforge.secret("A").value,
        insforge.secret("A").active,
    ] == [{"B": True, "A": False}, "newer and only here", True]


def test_an_undo_without_the_vault_of_its_run_is_refused_and_one_with_it_works_afterwards(
    place: Place,
) -> None:
    target, vault, journal = place.json(KEY="before"), place.vault(name="undo"), place.folder / "runs"
    plan = migrate.plan(place.env(KEY="ours", NEW="ours"), target, vault=vault, on_conflict="update")
    run = plan.apply(journal=journal)
    with pytest.raises(JournalMismatch, match="vault"):
        migrate.undo(run.id, target, journal=journal, check=False)
    undone = migrate.undo(run.id, target, vault=vault, journal=journal)
    with SecretBridge(target) as bridge:
        left = {one.name: bridge.get_secret(one.name).reveal() for one in bridge.list_secrets()}
    assert [undone.state, left] == ["undone", {"KEY": "before"}]


def test_a_run_that_is_taken_up_with_the_vault_of_others_says_that_it_may_be_the_wrong_one(
    place: Place,
) -> None:
    source, target, journal = place.env(KEY="ours"), place.json(), place.folder / "runs"
    run = migrate.plan(source, target, vault=place.vault(name="undo")).apply(journal=journal)
    migrate.sync(source, place.json("more.json"), vault=place.vault(name="other"), journal=journal)
    with pytest.raises(JournalMismatch, match="another vault was given at its beginning") as caught:
        migrate.undo(run.id, target, vault=place.vault(name="other"), journal=journal)
    assert caught.value.applied is False


def test_a_prune_without_the_vault_of_the_earlier_run_leaves_its_journal_whole(place: Place) -> None:
    source, target = place.env(KEY="one", GONE="two"), place.json()
    vault, journal = place.vault(name="undo"), place.folder / "runs"
    run = migrate.sync(source, target, vault=vault, journal=journal)
    with SecretBridge(source) as bridge:
        bridge.delete_secret("GONE")
    migrate.sync(source, target, journal=journal, prune=True, check=False)
    undone = migrate.undo(run.id, target, vault=vault, journal=journal)
    assert undone.state == "undone"


def test_runs_are_told_apart_by_time_though_the_clock_was_set_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    appfarm, vault, journal = AppfarmStandIn(), place.vault(name="undo"), place.folder / "runs"
    appfarm.seed("KEY", "before")
    source = place.env(KEY="one-a")

    class Back(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Back:
            return cls(2020, 1, 1, tzinfo=tz)

    def synced(value: str) -> str:
        filled(source, KEY=value)
        with bridged(appfarm, secrets=["KEY"]) as target:
            migrate.sync(source, target, vault=vault, journal=journal)
        return appfarm.secret("KEY").value

    found = [synced("one-a")]
    monkeypatch.setattr(_run, "datetime", Back)
    found += [synced("two-b"), synced("one-a"), synced("two-b"), synced("one-a")]
    assert found == ["one-a", "two-b", "one-a", "two-b", "one-a"]


def test_a_prune_leaves_what_another_secret_of_the_source_has_become(place: Place) -> None:
    source, target, journal = place.env(A="same"), place.json(), place.folder / "runs"
    vault = place.vault(name="undo")
    migrate.sync(source, target, vault=vault, journal=journal, rename={"A": "KEY"})
    with SecretBridge(source) as bridge:
        bridge.delete_secret("A")
        bridge.create_secret("B", value="same")
    migrate.sync(source, target, vault=vault, journal=journal, rename={"B": "KEY"}, prune=True)
    with SecretBridge(target) as bridge:
        left = [secret.name for secret in bridge.list_secrets()]
    assert left == ["KEY"]


def test_a_sync_sends_a_new_value_from_elsewhere_though_neither_store_has_moved(place: Place) -> None:
    ionet, target, journal = IoNetStandIn(), place.vault(), place.folder / "runs"
    ionet.seed("KEY", "never told")
    with bridged(ionet) as source:
        for value in ("first", "second"):
            migrate.sync(source, target, values_from={"KEY": SecretStr(value)}, journal=journal)
    with SecretBridge(target) as bridge:
        held = bridge.get_secret("KEY").reveal()
    assert held == "second"


def test_what_runs_keep_in_a_vault_is_never_migrated_out_of_it(place: Place) -> None:
    vault, target, journal = place.vault(), place.json(KEY="before"), place.folder / "runs"
    filled(vault, KEY="ours")
    first = migrate.sync(vault, target, vault=vault, journal=journal, accept="versions")
    second = migrate.sync(vault, target, vault=vault, journal=journal, accept="versions")
    with SecretBridge(target) as bridge:
        names = [secret.name for secret in bridge.list_secrets()]
    assert [first.counts, second.counts, names] == [{"done": 1}, {"skipped": 1}, ["KEY"]]


def test_a_create_that_was_interrupted_and_whose_source_has_changed_since_is_known_again(
    place: Place,
) -> None:
    insforge, vault, journal = InsForgeStandIn(), place.vault(name="undo"), place.folder / "runs"
    source = place.env(KEY="ours")

    class Stop(BaseException):
        pass

    class Cut(httpx.BaseTransport):
        inner = insforge.transport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = self.inner.handle_request(request)
            if request.method == "POST":
                raise Stop
            return response

    provider = provider_of(insforge)
    with (
        SecretBridge(provider, transport=Cut(), retry=None, pace=None) as target,
        pytest.raises(Stop),
    ):
        migrate.plan(source, target, vault=vault).apply(journal=journal)
    filled(source, KEY="newer")
    (info,) = migrate.runs(journal=journal)
    with bridged(insforge) as target:
        run = migrate.resume(info.id, source, target, vault=vault, journal=journal, check=False)
        undone = migrate.undo(info.id, target, vault=vault, journal=journal, check=False, accept=["inferred"])
    assert [
        run.outcomes[0].state,
        run.outcomes[0].owner,
        undone.state,
        insforge.secret("KEY").active,
    ] == ["done", "inferred", "undone", False]


def test_two_addresses_of_one_project_are_one_store() -> None:
    one, two = (
        InsForge("https://a.example.test/", api_key="k"),
        InsForge("https://A.example.test:443", api_key="k"),
    )
    assert [one.store == two.store, IoNet(api_key="k").capabilities.provider] == [True, "ionet"]
