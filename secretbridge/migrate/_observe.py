"""What is seen of the two stores: listings as marks, and values that are looked at and dropped at once."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge._models import secret_str
from secretbridge.errors import (
    InvalidRequest,
    SecretExpired,
    SecretNotFound,
    ValueNotTold,
)
from secretbridge.migrate._rules import name_of, pattern_of
from secretbridge.migrate._types import Mark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge._models import Secret
    from secretbridge.migrate._rules import Rules

__all__ = ["Problem", "Reader", "Transforms", "mark_of", "marks"]

_PAGE: Final = 1000
#: Readings side by side where the provider names no limit of its own.
_SIDE_BY_SIDE: Final = 8


class Problem(NamedTuple):
    """Why there is no value."""

    text: str


_UNREAD: Final = Problem("its value was not read")


def mark_of(secret: Secret, unsteady: Collection[str] = ()) -> Mark:
    """Give what can be seen of a secret without its value; of unsteady fields, nothing."""
    tools = {
        name: content
        for name in ("tool_name", "tool_arg", "default_for_tool")
        if (content := getattr(secret, name))
    }
    text = secret.description
    created, updated = secret.created_at, None if "updated_at" in unsteady else secret.updated_at
    return Mark(
        name=secret.name,
        id=secret.id,
        version=secret.version,
        active=secret.active,
        protected=secret.protected,
        platform=secret.platform,
        expires_at=secret.expires_at,
        created_at=created,
        updated_at=created if updated == created else updated,  # one object: there may be very many marks
        description=f"{len(text)}:{_digest(text)}" if text else None,
        tools=f"{'+'.join(tools)}:{_digest(repr(tools))}" if tools else None,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:24]


async def marks(core: Core) -> AsyncIterator[Mark]:
    """Give what a store lists, or else the names that it was said to have."""
    provider = core.provider
    if "list" not in core.capabilities.operations:
        for name in sorted(getattr(provider, "declared", ())):
            yield Mark(name=name)
        return
    list_names: Any = getattr(provider, "list_names", None)
    if list_names is not None:
        names: list[str] = await list_names(core.channel)
        names.reverse()
        while names:
            yield Mark(name=names.pop())
        return
    unsteady = getattr(provider, "moved_by_reading", ())
    cursor: str | None = None
    while True:
        secrets, cursor = await core.page(cursor, _PAGE)
        secrets.reverse()
        while secrets:  # each is let go of when its mark is made: a file lists everything at once
            yield mark_of(secrets.pop(), unsteady)
        if cursor is None:
            return


class Reader:
    """Reads values from a store: all at once where one costs as much as all, else as they are asked for.

    Args:
        core: the open store.
        told: called with the name of each secret that was read, or None.
    """

    def __init__(self, core: Core, told: Callable[[str], None] | None = None) -> None:
        self._core = core
        self._told = told
        self._ahead: dict[str, SecretStr | Problem] = {}

    async def prepare(self, wanted: Sequence[Mark]) -> None:
        """Read ahead what is going to be asked for, where the store gives its values together."""
        if getattr(self._core.provider, "reads_whole", False):
            values = await _read_values(self._core, wanted, self._told)
            self._ahead = {mark.name: value for mark, value in zip(wanted, values, strict=True)}

    async def read(self, wanted: Sequence[Mark]) -> list[SecretStr | Problem]:
        """Give values, in order; what was read ahead is given once and let go of."""
        if self._ahead:
            return [self._ahead.pop(mark.name, _UNREAD) for mark in wanted]
        return await _read_values(self._core, wanted, self._told)


async def _read_values(
    core: Core, wanted: Sequence[Mark], told: Callable[[str], None] | None
) -> list[SecretStr | Problem]:
    """Read the values of secrets, in order; many at once where the provider can, else side by side."""
    if not wanted:
        return []
    together = await _together(core, wanted)
    if together is not None:
        if told is not None:
            for mark in wanted:
                told(mark.name)
        return together
    abreast = min(len(wanted), core.capabilities.max_in_flight or _SIDE_BY_SIDE)
    found: list[SecretStr | Problem] = [_UNREAD] * len(wanted)

    async def every(first: int) -> None:
        for place in range(first, len(wanted), abreast):
            found[place] = await _one(core, wanted[place])
            if told is not None:
                told(wanted[place].name)

    await core.channel.gather([partial(every, first) for first in range(abreast)], abreast)
    return found


async def _together(core: Core, wanted: Sequence[Mark]) -> list[SecretStr | Problem] | None:
    """Read values in one step; None where the provider cannot, or where one of them is not to be had."""
    read_values: Any = getattr(core.provider, "read_values", None)
    if read_values is not None:
        with suppress(SecretNotFound):  # one of them: each is asked for by itself, to see which
            return list(await read_values(core.channel, [mark.name for mark in wanted]))
    read_many: Any = getattr(core.provider, "read_many", None)
    if read_many is not None:
        with suppress(SecretNotFound, SecretExpired):  # likewise
            secrets: list[Secret] = list(await read_many(core.channel, [mark.name for mark in wanted]))
            secrets.reverse()
            return [_value(secrets.pop()) for _ in wanted]  # each is let go of as its value is taken
    return None


async def _one(core: Core, mark: Mark) -> SecretStr | Problem:
    by_name = mark.id is None or core.capabilities.addressed_by.get("get") == "name"
    try:
        secret = await core.get(mark.name if by_name else None, None if by_name else mark.id, metadata=False)
    except (SecretNotFound, SecretExpired, ValueNotTold, InvalidRequest) as error:
        return Problem(f"cannot be read: {error.message or type(error).__name__}")
    return _value(secret)


def _value(secret: Secret) -> SecretStr | Problem:
    return Problem("its value was not told") if secret.value is None else secret.value


class Transforms:
    """The named functions that make a value of a value."""

    def __init__(self, rules: Rules) -> None:
        self._listed = [(pattern_of(pattern), function) for pattern, function in rules.transforms.items()]

    def made(self, name: str, value: SecretStr | Problem) -> SecretStr | Problem:
        """Give the value that is to be written; of an error in a function only the class is told."""
        function = next((made for matches, made in self._listed if matches(name)), None)
        if function is None or isinstance(value, Problem):
            return value
        return _applied(function, value)


def _applied(function: Callable[[str], str], value: SecretStr) -> SecretStr | Problem:
    made: object = None
    failed = ""
    try:
        made = function(value.get_secret_value())
    except Exception as error:  # noqa: BLE001 - a caller's function may fail in any way, and hold the value
        failed = f"raised {type(error).__name__}"
    if not failed and not isinstance(made, str):
        failed = f"gave {type(made).__name__}, no text"
    return Problem(f"the transform {name_of(function)} {failed}") if failed else secret_str()(str(made))
