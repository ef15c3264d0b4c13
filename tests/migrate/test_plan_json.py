"""A plan as JSON and back, its fingerprint, and whether the stores have moved since."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from migrate_place import Place, bridged, bridged_async, filled, place
from plan_transforms import reversed_text
from pydantic import SecretStr

from secretbridge import InvalidRequest, SecretBridge, migrate
from secretbridge.migrate import Plan
from secretbridge.migrate._restored import restored
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place"]


def rich_plan(place: Place) -> Plan:
    vault = place.vault()
    with SecretBridge(vault) as bridge:
        bridge.create_secret("NEW", value="1", description="text")
        bridge.create_secret("SAME", value="2")
        bridge.create_secret("OLD", value="3", protected=True)
    return migrate.plan(
        vault,
        place.env(SAME="2", OLD="4"),
        on_conflict="update",
        accept=["description", "protected"],
        prefix="",
    )


def test_a_plan_comes_back_from_json_as_it_was(place: Place) -> None:
    plan = rich_plan(place)
    again = Plan.from_json(plan.to_json(), place.vault(), place.env())
    told = ["id", "made_at", "source", "target", "rules", "steps", "estimates", "warnings", "counts"]
    assert [getattr(again, name) for name in told] == [getattr(plan, name) for name in told]
    assert (again.to_json(), again.fingerprint()) == (plan.to_json(), plan.fingerprint())


def test_the_format_of_the_json_is_stable(place: Place) -> None:
    document = json.loads(rich_plan(place).to_json())
    assert sorted(document) == [
        "checksum", "estimates", "fingerprint", "format", "id", "made_at", "rules", "source", "steps",
        "target", "version", "warnings",
    ]  # fmt: skip
    assert (document["format"], document["version"]) == ("secretbridge-plan", 1)
    assert sorted(document["steps"][0]) == [
        "action", "equal", "fields", "losses", "reason", "source", "source_mark", "target", "target_mark",
    ]  # fmt: skip


def edited(text: str) -> str:
    return text.replace('"action": "create"', '"action": "update"')


def of_another_version(text: str) -> str:
    return text.replace('"version": 1', '"version": 2', 1)


def cut_short(text: str) -> str:
    return text[: len(text) // 2]


def no_plan(_: str) -> str:
    return '{"format": "else"}'


def a_list(_: str) -> str:
    return "[]"


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (edited, "was edited since it was written"),
        (of_another_version, "is of version 2; this release reads 1"),
        (cut_short, "is not whole, or no JSON"),
        (no_plan, "is no plan of a migration"),
        (a_list, "is no plan of a migration"),
    ],
)
def test_json_that_is_not_a_plan_as_it_was_written_is_refused(
    place: Place, damage: Callable[[str], str], problem: str
) -> None:
    text = rich_plan(place).to_json()
    with pytest.raises(InvalidRequest) as caught:
        Plan.from_json(damage(text), place.vault(), place.env())
    assert [one.problem for one in caught.value.violations] == [problem]
    assert caught.value.__context__ is None


def test_other_stores_than_the_plans_are_refused_both_at_once(place: Place) -> None:
    text = rich_plan(place).to_json()
    with pytest.raises(InvalidRequest) as caught:
        Plan.from_json(text, place.vault("staging"), place.json())
    named = [(one.field, " ".join(one.problem.split()[:4])) for one in caught.value.violations]
    assert named == [("source", f"is the vault ({place.folder}/vault.db"), ("target", "is the JSON file")]


def test_functions_are_never_loaded_because_a_plan_names_them(place: Place) -> None:
    text = migrate.plan(place.env(A="ab"), place.json(), transform=reversed_text).to_json()
    with pytest.raises(InvalidRequest) as caught:
        Plan.from_json(text, place.env(), place.json())
    again = Plan.from_json(text, place.env(), place.json(), transform={"*": reversed_text})
    assert [(one.field, one.problem) for one in caught.value.violations] == [
        ("transform", "is not the plan's, which is plan_transforms:reversed_text")
    ]
    assert again.rules.transforms["*"] is reversed_text


def test_no_file_is_read_because_a_plan_names_it(place: Place) -> None:
    (place.folder / "names.toml").write_text('A = "B"\n')
    document = json.loads(rich_plan(place).to_json())
    document["rules"]["rename"] = str(place.folder / "names.toml")
    with pytest.raises(InvalidRequest, match="rename: names a file"):
        restored(document, place.vault(), place.env(), transform=None, values_from=None, vault=None)


def test_a_transform_that_is_none_is_named_with_everything_else(place: Place) -> None:
    text = rich_plan(place).to_json()
    with pytest.raises(InvalidRequest) as caught:
        Plan.from_json(text, 3, place.env(), transform="x")
    assert [one.field for one in caught.value.violations] == ["source", "transform"]


def test_the_same_rules_over_the_same_stores_have_the_same_fingerprint_and_others_do_not(
    place: Place,
) -> None:
    source, target = place.env(A="1", B="2"), place.json(A="1")

    def of(**rules: Any) -> str:
        return migrate.plan(source, target, **rules).fingerprint()

    first = of()
    prints = {first, of(select="A"), of(case="lower"), of(accept="expiry"), of(on_conflict="skip")}
    filled(target, B="2")
    prints.add(of())
    with SecretBridge(source) as bridge:
        bridge.delete_secret("B")
    prints.add(of())
    filled(source, B="2")
    with SecretBridge(target) as bridge:
        bridge.delete_secret("B")
    assert (len(prints), of()) == (7, first)


def test_reading_a_value_at_insforge_moves_nothing_in_the_fingerprint(place: Place) -> None:
    standin = InsForgeStandIn(clock=iter(range(10_000)).__next__)
    standin.seed("KEY", "1")
    bridge = bridged(standin)
    before = standin.secret("KEY").updated_at
    first = migrate.plan(bridge, place.env())
    assert before != standin.secret("KEY").updated_at
    assert (first.moved(), migrate.plan(bridge, place.env()).fingerprint()) == ([], first.fingerprint())


def test_what_has_moved_since_is_named_at_both_ends(place: Place) -> None:
    plan = rich_plan(place)
    still = plan.moved()
    with SecretBridge(place.vault()) as bridge:
        bridge.update_secret("NEW", description="other text")
        bridge.delete_secret("SAME")
        bridge.create_secret("LATE", value="5")
    with SecretBridge(place.env()) as bridge:
        bridge.create_secret("NEW", value="taken")
        bridge.create_secret("ALONE", value="not the plan's")
        bridge.delete_secret("OLD")
    assert still == []
    assert plan.moved() == [
        "the vault: 'NEW' has changed (version, updated_at, description).",
        "the vault: 'LATE' is new.",
        "the vault: 'SAME' is gone.",
        "the dotenv file: 'NEW' is new.",
        "the dotenv file: 'OLD' is gone.",
    ]


def test_a_plan_that_came_back_is_compared_with_the_stores_too(place: Place) -> None:
    text = rich_plan(place).to_json()
    filled(place.vault(), LATE="5")
    assert Plan.from_json(text, place.vault(), place.env()).moved() == ["the vault: 'LATE' is new."]


def test_what_the_rules_leave_out_may_move(place: Place) -> None:
    plan = migrate.plan(place.env(KEY="1", OTHER="2"), place.json(), select="KEY")
    filled(place.env(), MORE="3")
    assert plan.moved() == []


def test_several_secrets_of_one_name_do_not_count_as_moved(place: Place) -> None:
    target = IoNetStandIn()
    target.seed("KEY", "1234")
    target.seed("KEY", "1234")
    assert migrate.plan(place.env(KEY="1234"), bridged(target)).moved() == []


def test_moved_async_says_the_same_on_an_event_loop(place: Place) -> None:
    standin = WixStandIn()
    standin.seed("KEY", "1")

    async def main() -> list[str]:
        plan = await migrate.plan_async(bridged_async(standin), place.env())
        standin.seed("LATE", "2")
        return await plan.moved_async()

    assert anyio.run(main) == ["Wix: 'LATE' is new."]


def test_a_plan_of_async_bridges_is_not_looked_at_without_an_event_loop(place: Place) -> None:
    async def main() -> Plan:
        return await migrate.plan_async(bridged_async(WixStandIn()), place.env())

    plan = anyio.run(main)
    with pytest.raises(InvalidRequest, match="source: is an AsyncSecretBridge"):
        plan.moved()


def test_values_from_elsewhere_are_given_anew(place: Place) -> None:
    source = IoNetStandIn()
    source.seed("KEY", "1234")
    values = {"KEY": SecretStr("1234")}
    text = migrate.plan(bridged(source), place.env(), values_from=values).to_json()
    again = Plan.from_json(text, bridged(source), place.env(), values_from=values, vault=place.vault())
    with pytest.raises(InvalidRequest, match=r"io\.net never tells a value"):
        Plan.from_json(text, bridged(source), place.env())
    assert again.counts == {"create": 1, "update": 0, "skip": 0, "refuse": 0}
