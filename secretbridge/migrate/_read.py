"""Reading what is to be written: values from the source or elsewhere, other fields from the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from secretbridge._models import Secret
from secretbridge.errors import Conflict, SecretBridgeError, SecretNotFound
from secretbridge.migrate._observe import Problem
from secretbridge.migrate._same import differs
from secretbridge.migrate._side import Look, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from secretbridge._models import Fields
    from secretbridge.migrate._ends import Opened
    from secretbridge.migrate._types import Step

__all__ = ["SourceReader"]

_DEFAULTS: Final = {"active": True, "protected": False, "default_for_tool": False}


class SourceReader:
    """Reads from the source; where many are read at once, ahead.

    Args:
        side: the source.
        opened: the plan's ends, for transforms and for values from elsewhere.
    """

    def __init__(self, side: Side, opened: Opened) -> None:
        self._side = side
        self._opened = opened
        self._lender = None if opened.values is None else Side(opened.values)
        self._ahead: dict[str, SecretStr] = {}

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Read ahead where the source gives many at once."""
        if self._opened.values is None:
            self._ahead = await self._side.values([step.source for step in steps])

    async def _looks(self, steps: Sequence[Step]) -> list[Look | SecretBridgeError]:
        fields = {name for step in steps for name in step.fields}
        metadata = not fields <= self._side.of.get_tells
        return await self._side.look_many(
            [(step.source, step.source_mark.id) for step in steps], metadata=metadata
        )

    async def read(self, steps: Sequence[Step]) -> list[Fields | SecretBridgeError]:
        """Read many; what cannot be read is the error that says why."""
        missing = [step for step in steps if step.source not in self._ahead]
        looks = (
            dict(zip((step.source for step in missing), await self._looks(missing), strict=True))
            if missing
            else {}
        )
        lent: list[Look | SecretBridgeError | None] = [None] * len(steps)
        if self._lender is not None:
            lent = [*await self._lender.look_many([(step.source, None) for step in steps])]
        found: list[Fields | SecretBridgeError] = []
        for step, other in zip(steps, lent, strict=True):
            look = looks[step.source] if step.source in looks else self._taken(step.source)
            if isinstance(look, SecretBridgeError):
                found.append(look)
            elif isinstance(other, SecretBridgeError):
                found.append(other)
            else:
                found.append(self._fields(step, look, look if other is None else other))
        return found

    def _taken(self, name: str) -> Look:
        """Give what was read ahead, and let go of it."""
        return Look(True, Secret(name=name, value=self._ahead.pop(name)))

    def _fields(self, step: Step, look: Look, lender: Look) -> Fields | SecretBridgeError:
        of = self._side.of
        secret = look.secret
        if secret is None and self._side.lists:
            return SecretNotFound(
                f"{of.title} has no secret named {step.source!r} any more, or does not hand it out.",
                provider=of.provider,
                operation="get",
            )
        if secret is not None and differs(step.source_mark, secret, steady=self._side.steady):
            return Conflict(
                f"{step.source!r} has changed at {of.title} since the plan was made.",
                provider=of.provider,
                operation="get",
                advice="Plan the migration anew.",
            )
        fields: dict[str, Any] = {}
        for name in step.fields:
            told = getattr(secret, name, None)
            fields[name] = _DEFAULTS.get(name) if told is None else told
        value = Problem("its value was not told") if lender.value is None else lender.value
        made = self._opened.transforms.made(step.source, value)
        if isinstance(made, Problem):
            message = f"{step.source!r}: {made.text}."
            return SecretNotFound(message, provider=of.provider, operation="get")
        if "value" in step.fields:
            fields["value"] = made
        return fields  # type: ignore[return-value]  # its keys are fields of a secret
