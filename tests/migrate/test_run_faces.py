"""The verbs on an event loop are those without one."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from secretbridge import migrate
from secretbridge.migrate import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

TWINS: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
    "apply": (Plan.apply, Plan.apply_async),
    "resume": (migrate.resume, migrate.resume_async),
    "undo": (migrate.undo, migrate.undo_async),
    "sync": (migrate.sync, migrate.sync_async),
}


def arguments(verb: Callable[..., object]) -> list[tuple[str, str, object]]:
    return [
        (one.name, re.sub(r"Async(?=SecretBridge)", "", str(one.annotation)), one.default)
        for one in inspect.signature(verb).parameters.values()
    ]


@pytest.mark.parametrize("verb", TWINS)
def test_twins_take_the_same_and_say_the_same(verb: str) -> None:
    blocking, waiting = TWINS[verb]
    said = [inspect.getdoc(one) or "" for one in (blocking, waiting)]
    said = [re.sub(r"an AsyncSecretBridge|a blocking bridge", "the other kind", text) for text in said]
    assert [arguments(waiting), said[1], inspect.iscoroutinefunction(waiting)] == [
        arguments(blocking),
        said[0],
        True,
    ]
