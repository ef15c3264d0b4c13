"""Plans between the stores: what is found, lost and refused, and why."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from memory_store import Memory, Row
from migrate_place import Place, actions, bridged, filled, kinds, only, place, provider_of
from pydantic import SecretStr

from secretbridge import Environment, InvalidRequest, Local, Secret, SecretBridge, migrate
from secretbridge.testing import AppfarmStandIn, InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place"]


class Paged(Memory):
    """A store that lists by pages."""

    asked: list[str | None]

    async def list_page(self, channel: Any, cursor: str | None, size: int) -> Any:
        self.asked = [*getattr(self, "asked", []), cursor]
        start = int(cursor or 0)
        names = list(self.rows)[start : start + size]
        following = start + size
        return [Secret(name=name) for name in names], str(following) if following < len(self.rows) else None


SOON = datetime.now(UTC) + timedelta(days=90)


def test_a_new_name_is_created_an_equal_value_is_skipped_and_another_one_refused(place: Place) -> None:
    source = place.env(NEW="1", SAME="2", OTHER="3")
    plan = migrate.plan(source, place.json(SAME="2", OTHER="4", ALONE="5"))
    assert actions(plan) == {"NEW": "create", "SAME": "skip", "OTHER": "refuse"}
    assert [step.reason for step in plan.steps] == [
        "",
        "same",
        'is there already, with another value; choose on_conflict="update" or "skip"',
    ]


@pytest.mark.parametrize(
    ("policy", "action", "reason", "fields"),
    [("skip", "skip", "policy", ()), ("update", "update", "", ("value",))],
)
def test_another_value_is_treated_by_the_policy(
    place: Place, policy: Any, action: str, reason: str, fields: tuple[str, ...]
) -> None:
    step = only(migrate.plan(place.env(A="1"), place.json(A="2"), on_conflict=policy))
    assert (step.action, step.reason, step.fields) == (action, reason, fields)


def test_where_a_conflict_is_skipped_anyway_no_value_is_read() -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    source.seed("KEY", "sk-1")
    target.seed("KEY", "sk-2")
    plan = migrate.plan(bridged(source), bridged(target), on_conflict="skip")
    reads = [call for call in (*source.calls, *target.calls) if call.endswith("/KEY")]
    assert (actions(plan), reads) == ({"KEY": "skip"}, [])


def test_what_the_target_cannot_hold_is_a_loss_only_where_the_secret_has_it(place: Place) -> None:
    vault = place.vault()
    with SecretBridge(vault) as bridge:
        bridge.create_secret("BARE", value="1")
        bridge.create_secret("TEXT", value="2", description="renewed in May")
        bridge.create_secret("ENDS", value="3", expires_at=SOON)
        bridge.create_secret("HELD", value="4", protected=True)
        bridge.create_secret("OLD", value="5")
        bridge.update_secret("OLD", value="6")
    with SecretBridge(place.vault("staging")) as bridge:
        bridge.create_secret("BARE", value="elsewhere")
    found = {step.source: kinds(step) for step in migrate.plan(vault, place.env()).steps}
    assert found == {
        "BARE": ["environments"],
        "TEXT": ["description"],
        "ENDS": ["expiry"],
        "HELD": ["protected"],
        "OLD": ["versions"],
    }


def test_a_value_that_was_deleted_in_another_environment_is_no_loss(place: Place) -> None:
    filled(place.vault(), KEY="1")
    with SecretBridge(place.vault("staging")) as bridge:
        bridge.create_secret("KEY", value="2")
        bridge.delete_secret("KEY")
    assert only(migrate.plan(place.vault(), place.env())).losses == ()


def test_a_loss_without_consent_is_refused_and_with_consent_is_named_all_the_same(place: Place) -> None:
    vault = place.vault()
    with SecretBridge(vault) as bridge:
        bridge.create_secret("KEY", value="1", description="text", expires_at=SOON)
    without = only(migrate.plan(vault, place.env(), accept=["description"]))
    with_it = only(migrate.plan(vault, place.env(), accept=["expiry", "description"]))
    assert (without.action, without.reason) == ("refuse", 'needs consent: accept=["expiry"]')
    assert (with_it.action, kinds(with_it)) == ("create", ["description", "expiry"])


def test_what_both_can_hold_is_carried(place: Place) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("KEY", value="1", description="text", expires_at=SOON, protected=True)
    step = only(migrate.plan(place.vault(), place.vault(name="other")))
    assert (step.action, step.fields) == ("create", ("value", "description", "expires_at", "protected"))


def test_of_an_equal_secret_only_the_fields_that_differ_are_written(place: Place) -> None:
    for name, text in (("vault", "new text"), ("other", "old text")):
        with SecretBridge(place.vault(name=name)) as bridge:
            bridge.create_secret("KEY", value="1", description=text)
    step = only(migrate.plan(place.vault(), place.vault(name="other"), on_conflict="update"))
    assert (step.action, step.fields, step.equal) == ("update", ("description",), True)


def test_what_the_source_does_not_have_is_cleared_where_it_would_tell(place: Place) -> None:
    filled(place.vault(), KEY="1")
    with SecretBridge(place.vault(name="other")) as bridge:
        bridge.create_secret("KEY", value="1", description="text", expires_at=SOON)
    told = only(migrate.plan(place.vault(), place.vault(name="other"), on_conflict="update"))
    untold = only(migrate.plan(place.env(KEY="1"), place.vault(name="other"), on_conflict="update"))
    assert (told.fields, untold.action) == (("description", "expires_at"), "skip")


def test_an_update_makes_a_hidden_secret_visible_again(place: Place) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("OFF", value="1", active=False)
        bridge.create_secret("PAST", value="1", expires_at=datetime.now(UTC) - timedelta(days=1))
    plan = migrate.plan(place.env(OFF="1", PAST="1"), place.vault(), on_conflict="update")
    assert [step.fields for step in plan.steps] == [("value", "active"), ("value", "expires_at")]


def test_a_protected_secret_of_the_target_is_not_updated(place: Place) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("KEY", value="1", protected=True)
    step = only(migrate.plan(place.env(KEY="2"), place.vault(), on_conflict="update"))
    assert step.reason == "is protected at the vault: set protected=False there first"


@pytest.mark.parametrize(
    ("kind", "given"),
    [("inactive", {"active": False}), ("expired", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)})],
)
def test_what_is_not_handed_out_stays_behind_by_consent(
    place: Place, kind: str, given: dict[str, Any]
) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("KEY", value="1", **given)
    without = only(migrate.plan(place.vault(), place.env()))
    with_it = only(migrate.plan(place.vault(), place.env(), accept=kind))
    assert (without.action, without.reason) == ("refuse", f'needs consent: accept=["{kind}"]')
    assert (with_it.action, with_it.reason, kinds(with_it)) == ("skip", kind, [kind])


def test_wix_to_insforge_finds_names_that_are_not_accepted_and_says_which_would_be() -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    source.seed("stripe-key", "sk-1")
    source.seed("stripe_key", "sk-2")
    source.seed("READY", "sk-3")
    plan = migrate.plan(bridged(source), bridged(target))
    assert actions(plan) == {"stripe-key": "refuse", "stripe_key": "refuse", "READY": "create"}
    assert [step.reason for step in plan.refused] == [
        (
            "InsForge does not accept the name 'stripe-key': has characters that are not allowed;"
            " rename={'stripe-key': 'STRIPE_KEY'} would do"
        ),
        (
            "InsForge does not accept the name 'stripe_key': has characters that are not allowed;"
            " rename={'stripe_key': 'STRIPE_KEY_2'} would do"
        ),
    ]


def test_names_that_collide_after_renaming_are_all_refused() -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    for name in ("stripe-key", "stripe_key", "other"):
        source.seed(name, "sk-1")
    plan = migrate.plan(bridged(source), bridged(target), case="upper_snake")
    assert actions(plan) == {"stripe-key": "refuse", "stripe_key": "refuse", "other": "create"}
    assert plan.refused[0].reason == "'stripe_key' would become 'STRIPE_KEY' too; rename one of them"


def test_insforge_to_wix_leaves_platform_rows_and_names_the_losses() -> None:
    source, target = InsForgeStandIn(), WixStandIn()
    source.seed("ENDS", "sk-1", expires_at=SOON.timestamp())
    source.seed("GONE", "sk-2", active=False)
    source.seed("HELD", "sk-3", reserved=True)
    source.seed("JWT_SECRET", "sk-4", reserved=True)
    plan = migrate.plan(bridged(source), bridged(target), exclude="A*_KEY")
    found = {step.source: (step.action, step.reason, kinds(step)) for step in plan.steps}
    assert found == {
        "ENDS": ("refuse", 'needs consent: accept=["expiry"]', ["expiry"]),
        "GONE": ("refuse", 'needs consent: accept=["inactive"]', ["inactive"]),
        "HELD": ("refuse", 'needs consent: accept=["protected"]', ["protected"]),
        "JWT_SECRET": ("skip", "platform", ["platform"]),
    }


@pytest.mark.parametrize(
    ("accept", "action", "fields", "losses"),
    [
        ([], "refuse", (), ["one_way"]),
        (["one_way"], "create", ("value", "protected"), ["one_way"]),
        (["protected"], "create", ("value",), ["protected"]),
    ],
)
def test_a_one_way_effect_needs_consent_to_it_or_to_leaving_it_out(
    place: Place, accept: list[str], action: str, fields: tuple[str, ...], losses: list[str]
) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("HELD", value="1", protected=True)
    step = only(migrate.plan(place.vault(), bridged(InsForgeStandIn()), accept=accept))
    assert (step.action, step.fields, kinds(step)) == (action, fields, losses)


def test_a_reserved_row_of_the_target_is_refused_with_the_reason() -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    source.seed("HELD", "1234")
    source.seed("JWT_SECRET", "1234")
    target.seed("HELD", "5678", reserved=True)
    target.seed("JWT_SECRET", "5678", reserved=True)
    held, platform = migrate.plan(bridged(source), bridged(target), on_conflict="update").steps
    assert held.reason.startswith("is protected at InsForge: InsForge has no way back from a reserved secret")
    assert platform.reason == "belongs to InsForge itself there; choose another name"


def test_values_that_do_not_fit_and_duplicates_at_ionet_are_refused(place: Place) -> None:
    target = IoNetStandIn()
    target.seed("TWICE", "1234")
    target.seed("TWICE", "1234")
    target.seed("THERE", "1234")
    source = place.env(SHORT="123", TWICE="1234", THERE="1234", LONG="x" * 1025)
    plan = migrate.plan(source, bridged(target))
    ids = ", ".join(row.id for row in target.secrets if row.name == "TWICE")
    assert {step.source: step.reason for step in plan.steps} == {
        "SHORT": "its value does not fit io.net: has 3 characters, fewer than 4",
        "TWICE": f"io.net has 2 secrets of this name: {ids}; rename or delete the others",
        "THERE": 'is there already, and its value cannot be compared; choose on_conflict="update" or "skip"',
        "LONG": "its value does not fit io.net: has 1,025 characters, more than 1,024",
    }


def test_a_tool_binding_and_a_second_secret_of_the_name_are_seen_at_ionet(place: Place) -> None:
    source = IoNetStandIn()
    source.seed("BOUND", "1234", tool_name="agno__linear", tool_arg="token")
    source.seed("TWICE", "1234")
    source.seed("TWICE", "1234")
    values = {"BOUND": SecretStr("1234"), "TWICE": SecretStr("1234")}
    bound, twice, _ = migrate.plan(bridged(source), place.env(), values_from=values).steps
    assert (bound.reason, twice.reason) == (
        'needs consent: accept=["tool_binding"]',
        "io.net has 2 secrets of this name; rename or delete the others",
    )


def test_a_tool_binding_is_carried_from_one_ionet_account_to_another() -> None:
    source, target = IoNetStandIn(), IoNetStandIn()
    source.seed("NEW", "1234", tool_name="agno__linear")
    source.seed("OLD", "1234", tool_name="agno__linear", default_for_tool=True)
    target.seed("OLD", "1234")
    values = {"NEW": SecretStr("1234"), "OLD": SecretStr("1234")}
    plan = migrate.plan(bridged(source), bridged(target), values_from=values, on_conflict="update")
    assert [(step.action, step.fields) for step in plan.steps] == [
        ("create", ("value", "tool_name")),
        ("update", ("value", "tool_name", "default_for_tool")),
    ]


def test_appfarm_takes_declared_names_alone_and_only_as_an_update(place: Place) -> None:
    standin = AppfarmStandIn()
    target = provider_of(standin, secrets=["KNOWN", "EMPTY"])
    source = place.env(KNOWN="1", UNKNOWN="2", EMPTY="")
    refused = migrate.plan(source, target)
    updated = migrate.plan(source, target, on_conflict="update")
    assert actions(refused) == {"KNOWN": "refuse", "UNKNOWN": "refuse", "EMPTY": "refuse"}
    assert {step.source: (step.action, step.reason) for step in updated.steps} == {
        "KNOWN": ("update", ""),
        "UNKNOWN": (
            "refuse",
            "Appfarm cannot make a new secret: Appfarm has no API for it; do it in the solution's console",
        ),
        "EMPTY": ("refuse", "its value does not fit Appfarm: has 0 characters, fewer than 1"),
    }


def ionet(_: Place) -> Any:
    return bridged(IoNetStandIn())


def appfarm(_: Place) -> Any:
    return provider_of(AppfarmStandIn(), secrets=["KEY"])


@pytest.mark.parametrize("source", [ionet, appfarm])
def test_a_source_that_tells_no_values_is_refused_with_the_reason(
    place: Place, source: Callable[[Place], Any]
) -> None:
    with pytest.raises(InvalidRequest, match=r"never tells a value.*say with values_from="):
        migrate.plan(source(place), place.env())


def test_values_may_come_from_a_store_a_file_a_mapping_or_somebody_who_is_asked(place: Place) -> None:
    source = IoNetStandIn()
    source.seed("KEY", "1234")
    asked: list[str] = []

    def ask(name: str) -> SecretStr:
        asked.append(name)
        return SecretStr("1234")

    values = [filled(place.vault(), KEY="1234"), place.env(KEY="1234"), {"KEY": SecretStr("1234")}, ask]
    plans = [migrate.plan(bridged(source), place.json(), values_from=given) for given in values]
    assert [actions(plan) for plan in plans] == [{"KEY": "create"}] * 4
    assert asked == []  # not for a plan: a person is asked once, when it is applied
    assert plans[3].warnings[0] == (
        "Values are asked for when the plan is applied: whether they fit is not known before."
    )


def test_a_name_without_a_value_elsewhere_is_refused(place: Place) -> None:
    source = IoNetStandIn()
    source.seed("KEY", "1234")
    step = only(migrate.plan(bridged(source), place.env(), values_from={}))
    from_file = only(migrate.plan(bridged(source), place.env("b.env"), values_from=place.json(OTHER="1")))
    assert step.reason == "cannot be read: values_from has no value of this name."
    assert from_file.reason.endswith("has no secret named 'KEY'.")


def test_appfarm_is_a_source_of_names_where_values_come_from_elsewhere(place: Place) -> None:
    source = provider_of(AppfarmStandIn(), secrets=["B", "A"])
    values = {"A": SecretStr("1"), "B": SecretStr("2")}
    assert actions(migrate.plan(source, place.env(), values_from=values)) == {"A": "create", "B": "create"}


def test_the_environment_is_a_source_and_no_target(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATED_KEY", "1")
    plan = migrate.plan(Environment("MIGRATED_"), place.env())
    assert actions(plan) == {"KEY": "create"}
    with pytest.raises(InvalidRequest, match="the environment takes no secrets"):
        migrate.plan(place.env(), Environment())


def test_a_plan_closes_what_it_opened_and_leaves_a_bridge_open(place: Place) -> None:
    closed: list[str] = []

    class Watched(Local):
        def _open(self) -> Any:
            vault = super()._open()
            close = vault.close

            def noted() -> None:
                closed.append(self.environment)
                close()

            vault.close = noted  # type: ignore[method-assign]  # the vault is told apart by who closes it
            return vault

    def watched(environment: str) -> Watched:
        return Watched(place.folder / "vault.db", environment, key_file=place.folder / "vault.key")

    filled(place.vault(), KEY="1")
    with SecretBridge(watched("staging")) as target:
        migrate.plan(watched("production"), target)
        before = list(closed)
    assert (before, closed) == (["production"], ["production", "staging"])


def test_values_are_read_side_by_side_but_no_more_than_the_provider_allows(place: Place) -> None:
    source = InsForgeStandIn(latency=0.002)
    for number in range(20):
        source.seed(f"KEY_{number}", "1")
    migrate.plan(bridged(source), place.env())
    assert 2 <= source.most_in_flight <= 4


def test_plans_are_made_over_sockets(place: Place) -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    source.seed("stripe#live", "sk-1", description="text")
    target.seed("STRIPE_LIVE", "sk-1")
    with ExitStack() as stack:
        urls = [stack.enter_context(standin.serve()) for standin in (source, target)]
        bridge = stack.enter_context(SecretBridge(provider_of(source, urls[0]), pace=None))
        plan = migrate.plan(bridge, provider_of(target, urls[1]), case="upper_snake")
    assert [(step.target, step.action, step.reason) for step in plan.steps] == [
        ("STRIPE_LIVE", "skip", "same")
    ]


def test_what_cannot_be_seen_or_restored_is_said_before(place: Place) -> None:
    source, target = place.env(KEY="1234"), IoNetStandIn()
    target.seed("KEY", "5678")
    to_ionet = migrate.plan(source, bridged(target), on_conflict="update")
    to_file = migrate.plan(source, place.json(KEY="5678"), on_conflict="update", exclude="X*")
    with_vault = migrate.plan(source, place.json(), on_conflict="update", vault=place.vault())
    steady = (
        "the dotenv file shows no sign of a changed value: before applying, only what it lists is compared."
    )
    assert to_ionet.warnings == (
        steady,
        "io.net never tells a value: that 1 value arrives cannot be verified.",
        "An undo could not restore 1 updated secret: io.net never tells the old value.",
    )
    assert to_file.warnings == (
        "exclude='X*' matches nothing at the source.",
        steady,
        steady.replace("dotenv", "JSON"),
        "An undo could not restore 1 updated secret: no vault= keeps the old values.",
    )
    assert with_vault.warnings == (steady, steady.replace("dotenv", "JSON"))


def test_an_empty_source_is_said(place: Place) -> None:
    plan = migrate.plan(place.env(), place.json())
    assert (plan.steps, plan.warnings) == ((), ("the dotenv file has no secrets to migrate.",))


def test_a_description_that_is_too_long_is_a_loss_with_both_lengths(place: Place) -> None:
    with SecretBridge(place.vault()) as bridge:
        bridge.create_secret("LONG", value="1", description="x" * 201)
        bridge.create_secret("FITS", value="1", description="x" * 200)
    long, fits = migrate.plan(place.vault(), bridged(WixStandIn())).steps
    assert [loss.text for loss in long.losses] == ["its description has 201 characters; Wix keeps 200"]
    assert (fits.action, fits.fields) == ("create", ("value", "description"))


def test_a_long_listing_is_taken_page_by_page(place: Place) -> None:
    pages = Paged({f"KEY_{number:04}": Row("1") for number in range(2500)})
    plan = migrate.plan(pages, place.env())
    assert (plan.counts["create"], pages.asked) == (2500, [None, "1000", "2000"])


def test_fields_that_a_listing_does_not_tell_are_said(place: Place) -> None:
    source = Memory({"KEY": Row("1")}, fields=frozenset())
    source.capabilities = replace(source.capabilities, get_tells=frozenset({"value", "description"}))
    warning = "the memory does not tell description in its listing: such losses are not seen."
    assert warning in migrate.plan(source, place.env()).warnings


def test_where_no_name_like_it_is_accepted_none_is_suggested() -> None:
    step = only(migrate.plan(Memory({"key": Row("1")}), Memory({}, pattern="[0-9]+"), accept="versions"))
    assert step.reason == ("the memory does not accept the name 'key': has characters that are not allowed")


def test_an_expired_secret_between_listing_and_reading_is_refused_and_the_rest_goes_on(place: Place) -> None:
    source = WixStandIn()
    source.seed("A", "1")
    source.seed("bad/name", "2")
    plan = migrate.plan(bridged(source), place.env())
    assert {step.source: step.action for step in plan.steps} == {"A": "create", "bad/name": "refuse"}
