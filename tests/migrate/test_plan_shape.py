"""A plan that was edited by somebody who made its checksum good again is refused too."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, place

from secretbridge import InvalidRequest, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place"]

EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no warnings": lambda plan: plan.pop("warnings"),
    "steps that are none": lambda plan: plan.update(steps=None),
    "a step that is a list": lambda plan: plan["steps"].append([]),
    "a step without its mark": lambda plan: plan["steps"][0].update(source_mark=None),
    "an action of its own": lambda plan: plan["steps"][0].update(action="destroy"),
    "a moment that is none": lambda plan: plan["steps"][0]["source_mark"].update(created_at="2026-13-40"),
    "a moment that is a number": lambda plan: plan.update(made_at=7),
    "a name that is a list": lambda plan: plan["steps"][0].update(source=["A"]),
    "a field too many": lambda plan: plan["source"].update(more=1),
    "rules that are a list": lambda plan: plan.update(rules=[]),
    "a transform that is a number": lambda plan: plan["rules"].update(transform={"*": 1}),
    "estimates of text": lambda plan: plan["estimates"].update(seconds="1"),
    "an answer that is a number": lambda plan: plan["steps"][0].update(equal=1),
}


def with_checksum(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**document, "checksum": hashlib.sha256(canonical).hexdigest()})


@pytest.mark.parametrize("edit", EDITS)
def test_a_plan_is_refused_for(edit: str, place: Place) -> None:
    ends = place.env(A="1"), place.json()
    document = json.loads(migrate.plan(*ends).to_json())
    del document["checksum"]
    assert migrate.Plan.from_json(with_checksum(document), *ends).steps[0].source == "A"
    EDITS[edit](document)
    with pytest.raises(InvalidRequest) as caught:
        migrate.Plan.from_json(with_checksum(document), *ends)
    assert [one.problem for one in caught.value.violations] == [
        "was edited, and is of no plan's shape any more"
    ]
