"""The planner against brute force: what a plan does to the target is what the rules say in so many words."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import FIELDS, Memory, Row, carried_out

from secretbridge import migrate

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ["A", "a", "B-C", "B_C"]
ROWS = st.builds(
    Row,
    value=st.sampled_from(["", "1", "22", "4444"]),
    description=st.sampled_from([None, None, "text", "other"]),
    protected=st.booleans(),
    active=st.sampled_from([True, True, True, True, False]),
)
STORES = st.dictionaries(st.sampled_from(NAMES), ROWS, min_size=1, max_size=4)
TARGETS = st.fixed_dictionaries(
    {
        "fields": st.sampled_from(
            [frozenset(FIELDS), frozenset(FIELDS), frozenset({"protected"}), frozenset()]
        ),
        "reads": st.booleans(),
        "pattern": st.sampled_from(["", "", "[A-Z_]+"]),
        "longest": st.sampled_from([None, None, 3]),
    }
)
RULES = st.fixed_dictionaries(
    {
        "exclude": st.sampled_from([(), (), "a*", "re:-"]),
        "case": st.sampled_from([None, "upper", "upper_snake"]),
        "rename": st.sampled_from(["", "", "", "{name}.toml"]),
        "prefix": st.sampled_from(["", "", "", "P_"]),
        "on_conflict": st.sampled_from(["update", "update", "skip", "refuse"]),
        "accept": st.sets(st.sampled_from(["description", "inactive", "protected"])),
    }
)


def renamed(name: str, rules: Mapping[str, Any]) -> str:
    if rules["case"] == "upper":
        name = name.upper()
    elif rules["case"] == "upper_snake":
        name = name.upper().replace("-", "_").replace(".", "_")
    return rules["prefix"] + name  # type: ignore[no-any-return]  # a text


def templated(name: str, rules: Mapping[str, Any]) -> str:
    return f"{name}{rules['rename'].removeprefix('{name}')}"


def excluded(name: str, rules: Mapping[str, Any]) -> bool:
    return {(): False, "a*": fnmatchcase(name, "a*"), "re:-": "-" in name}[rules["exclude"]]


def may_go(row: Row, there: Row | None, new: str, able: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    """Say whether a secret may be written at all, from what a person would look at."""
    lost = {
        "description": row.description is not None and "description" not in able["fields"],
        "protected": row.protected and "protected" not in able["fields"],
    }
    return (
        row.active  # else its value is not handed out
        and (not able["pattern"] or re.fullmatch(able["pattern"], new) is not None)
        and (able["longest"] is None or len(row.value) <= able["longest"])
        and all(kind in rules["accept"] for kind, is_lost in lost.items() if is_lost)
        and (there is None or rules["on_conflict"] == "update")
        and not (there is not None and there.protected and "protected" in able["fields"])
    )


def wanted(
    source: Mapping[str, Row], target: Mapping[str, Row], able: Mapping[str, Any], rules: Mapping[str, Any]
) -> dict[str, Row]:
    taken = [name for name in source if not excluded(name, rules)]
    rivals = Counter(renamed(templated(name, rules), rules) for name in taken)
    rows = dict(target)
    for name in taken:
        new, row = renamed(templated(name, rules), rules), source[name]
        there = target.get(new)
        if rivals[new] == 1 and may_go(row, there, new, able, rules):
            keeps = {one: getattr(row, one) for one in able["fields"]}
            rows[new] = replace(there or Row(value=""), value=row.value, **keeps)
    return rows


def held(rows: Mapping[str, Row], able: Mapping[str, Any]) -> dict[str, Row]:
    """Give rows as the target has them: without what it cannot hold."""
    return {
        name: replace(Row(value=row.value), **{one: getattr(row, one) for one in able["fields"]})
        for name, row in rows.items()
    }


@settings(max_examples=200, deadline=None)
@given(source=STORES, target=STORES, able=TARGETS, rules=RULES)
def test_carrying_out_a_plan_leads_to_what_the_rules_say(
    source: dict[str, Row], target: dict[str, Row], able: dict[str, Any], rules: dict[str, Any]
) -> None:
    target = held(target, able)
    plan = migrate.plan(Memory(source), Memory(target, **able), **rules)
    assert carried_out(plan, source, target) == wanted(source, target, able, rules)


@settings(max_examples=75, deadline=None)
@given(source=STORES, target=STORES, able=TARGETS, rules=RULES)
def test_the_second_plan_over_a_readable_target_writes_nothing(
    source: dict[str, Row], target: dict[str, Row], able: dict[str, Any], rules: dict[str, Any]
) -> None:
    able = {**able, "reads": True}
    target = held(target, able)
    first = migrate.plan(Memory(source), Memory(target, **able), **rules)
    after = carried_out(first, source, target)
    second = migrate.plan(Memory(source), Memory(after, **able), **rules)
    assert [step for step in second.steps if step.action in {"create", "update"}] == []


@settings(max_examples=75, deadline=None)
@given(source=STORES, target=STORES, able=TARGETS, rules=RULES)
def test_every_plan_comes_back_from_json_and_moves_with_its_stores_alone(
    source: dict[str, Row], target: dict[str, Row], able: dict[str, Any], rules: dict[str, Any]
) -> None:
    ends = Memory(source), Memory(target, **able)
    plan = migrate.plan(*ends, **rules)
    again = migrate.Plan.from_json(plan.to_json(), *ends)
    assert (again.steps, again.fingerprint(), again.moved()) == (plan.steps, plan.fingerprint(), [])
