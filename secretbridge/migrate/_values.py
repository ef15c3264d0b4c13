"""Where the values of a migration come from, if not from its source: any store, or what a caller gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._models import Secret, secret_str
from secretbridge.errors import SecretNotFound, Violation
from secretbridge.migrate._end import End

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Target
    from secretbridge._provider import Page

__all__ = ["Given", "lender_of"]

#: Values by the source's names, or somebody who is asked for each.
Origin: TypeAlias = "Mapping[str, SecretStr] | Callable[[str], SecretStr]"


def lender_of(given: object) -> End | Violation:
    """Take what a caller gave as ``values_from``, or say what is wrong with it."""
    if isinstance(given, Mapping):
        values = cast("Mapping[str, Any]", given)  # isinstance leaves unknown what it holds
        wrapper = secret_str()
        bare = [name for name, value in values.items() if not isinstance(value, wrapper)]
        if bare:
            return Violation("values_from", f"has no SecretStr under {bare[0]!r}", "wrap each value in one")
        return End(Given(dict(values)), None)
    end = End.of("values_from", given)
    if isinstance(end, End):
        if end.capabilities.reads_values:
            return end
        return Violation("values_from", f"{end.info.title} never tells a value", "choose a store that does")
    if callable(given) and not isinstance(given, type):
        return End(Given(cast("Origin", given)), None)
    remedy = "give a bridge, a provider, a mapping of SecretStr or a callable that is asked for each name"
    return Violation("values_from", "is no place of values", remedy)


class Given:
    """A store of the values that a caller hands over, to read from.

    Args:
        origin: a mapping of the source's names, or a callable that is asked for one name at a time.
    """

    capabilities: Capabilities = Capabilities(
        provider="given",
        title="values_from",
        operations=frozenset({"get"}),
        addressed_by=MappingProxyType({"get": "name"}),
        name=Limit(min_length=1),
        get_tells=frozenset({"value"}),
        max_in_flight=1,  # a person answers one question at a time
    )

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self.asks = not isinstance(origin, Mapping)

    def __repr__(self) -> str:
        return "Given()"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("values are not pickled")

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Give nothing: capabilities say it all."""
        return ()

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one value."""
        name = target.name or ""
        origin = self._origin
        if isinstance(origin, Mapping):
            table = cast("Mapping[str, SecretStr | None]", origin)  # a callable may be a mapping too
            given, failed = table.get(name), "has no value of this name"
        else:
            given, failed = await channel.call(partial(_asked, origin, name))
        if given is None:
            raise SecretNotFound(f"values_from {failed}.", provider="given", operation="get")
        return Secret(name=name, value=given)

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def delete(self, channel: Channel, target: Target) -> None:
        """Not among the operations: core refuses it."""
        raise NotImplementedError


def _asked(ask: Callable[[str], object], name: str) -> tuple[SecretStr | None, str]:
    """Ask for one value; of an error only the class is told."""
    failed = ""
    given: object = None
    try:
        given = ask(name)
    except Exception as error:  # noqa: BLE001 - a caller's function may fail in any way, and hold the value
        failed = type(error).__name__
    if failed:
        return None, f"was asked and raised {failed}"
    if isinstance(given, secret_str()):
        return given, ""
    return None, f"was asked and gave {type(given).__name__}, no SecretStr"
