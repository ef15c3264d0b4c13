"""Plan, then apply, against brute force: the target is what the rules say in so many words."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from memory_store import Memory, Row
from test_plan_model import RULES, STORES, TARGETS, held, wanted

from secretbridge import Secret, migrate


class Written(Memory):
    """A store in memory that takes what is written, and what it can hold of it alone."""

    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        assert name not in self.rows
        self.rows[name] = replace(Row(value=""), **self._plain(fields))
        return Secret(name=name)

    async def update(
        self, channel: Any, target: Any, changes: Any, *, if_version: int | None = None
    ) -> Secret:
        self.rows[target.name] = replace(self.rows[target.name], **self._plain(changes))
        return Secret(name=target.name)

    def _plain(self, fields: Any) -> dict[str, Any]:
        assert set(fields) <= {"value", *self.fields}
        return {
            name: given.get_secret_value() if name == "value" else given for name, given in fields.items()
        }


@settings(max_examples=25, deadline=None)
@given(source=STORES, target=STORES, able=TARGETS, rules=RULES)
def test_what_is_planned_and_applied_is_what_the_rules_say(
    source: dict[str, Row], target: dict[str, Row], able: dict[str, Any], rules: dict[str, Any]
) -> None:
    there = Written(held(target, able), **able)
    expected = wanted(source, dict(there.rows), able, rules)
    plan = migrate.plan(Memory(dict(source)), there, **rules)
    with tempfile.TemporaryDirectory() as folder:
        run = plan.apply(journal=Path(folder) / "runs", skip_refused=True, check=False)
    assert there.rows == expected
    assert {one.state for one in run.outcomes} <= {"done", "skipped", "refused"}
