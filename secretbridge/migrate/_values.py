"""Where the values of a migration come from, if not from its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from secretbridge._models import secret_str
from secretbridge.errors import Violation
from secretbridge.migrate._end import End
from secretbridge.migrate._observe import Problem, read_values
from secretbridge.migrate._types import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core

__all__ = ["Values"]

#: A store, a mapping, or somebody who is asked for each.
Origin: TypeAlias = "End | Mapping[str, SecretStr] | Callable[[str], SecretStr]"


class Values:
    """Where the values of a migration come from, if not from the source.

    Args:
        origin: another store, a mapping of the source's names, or a callable that is asked for each name.
    """

    __slots__ = ("_origin",)

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    @classmethod
    def of(cls, given: object) -> Values | Violation:
        """Take what a caller gave as ``values_from``, or say what is wrong with it."""
        if isinstance(given, Mapping):
            wrapper = secret_str()
            bare = [name for name, value in given.items() if not isinstance(value, wrapper)]
            if bare:
                return Violation(
                    "values_from", f"has no SecretStr under {bare[0]!r}", "wrap each value in one"
                )
            return cls(dict(given))
        end = End.of("values_from", given)
        if isinstance(end, End):
            if end.capabilities.reads_values:
                return cls(end)
            return Violation(
                "values_from", f"{end.info.title} never tells a value", "choose a store that does"
            )
        if callable(given) and not isinstance(given, type):
            return cls(given)
        remedy = "give a bridge, a provider, a mapping of SecretStr or a callable that is asked for each name"
        return Violation("values_from", "is no place of values", remedy)

    @property
    def asks(self) -> bool:
        """Whether somebody is asked for each value; then that is not done for a plan."""
        return not isinstance(self._origin, (End, Mapping))

    @property
    def end(self) -> End | None:
        """The store that the values come from, where it is one."""
        return self._origin if isinstance(self._origin, End) else None

    async def read(
        self, core: Core | None, source: Core, wanted: Sequence[Mark]
    ) -> list[SecretStr | Problem]:
        """Give the values of secrets, in order.

        Args:
            core: the open store that they come from, where it is one.
            source: waits for whoever is asked.
            wanted: the secrets at the source; their names count.
        """
        origin = self._origin
        if core is not None:
            return await read_values(core, [Mark(name=mark.name) for mark in wanted])
        if isinstance(origin, Mapping):
            missing = Problem("values_from has no value of this name")
            return [origin.get(mark.name, missing) for mark in wanted]
        assert not isinstance(origin, End)  # noqa: S101 - for the type checker: it would be open
        return [await source.channel.call(partial(_asked, origin, mark.name)) for mark in wanted]


def _asked(ask: Callable[[str], object], name: str) -> SecretStr | Problem:
    """Ask for one value; of an error only the class is told."""
    failed = ""
    given: object = None
    try:
        given = ask(name)
    except Exception as error:  # noqa: BLE001 - a caller's function may fail in any way, and hold the value
        failed = type(error).__name__
    if failed:
        return Problem(f"the callable given as values_from raised {failed}")
    if isinstance(given, secret_str()):
        return given
    return Problem(f"the callable given as values_from gave {type(given).__name__}, no SecretStr")
