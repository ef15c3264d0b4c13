"""A short memory of which name bears which id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["NameCache"]

#: Seconds for which a listing is believed. A 404 ends it sooner.
LIFETIME: Final = 30.0


class NameCache:
    """Names and ids as the last listing told them, kept for a short time.

    Every step is one operation on a dict, so that threads need no lock: at worst a change is lost,
    and the next 404 leads to a new listing.

    Args:
        now: a clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = float("-inf")
        self._ids: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}

    @property
    def fresh(self) -> bool:
        """Whether there is a listing to believe."""
        return self._now() < self._until

    def learn(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take over a whole listing of (name, id)."""
        ids: dict[str, tuple[str, ...]] = {}
        names: dict[str, str] = {}
        for name, id_ in pairs:
            ids[name] = _with(ids.get(name, ()), id_)
            names[id_] = name
        self._ids, self._names, self._until = ids, names, self._now() + LIFETIME

    def forget(self) -> None:
        """Believe nothing any more."""
        self._until = float("-inf")

    def ids(self, name: str) -> tuple[str, ...]:
        """Give the ids that bear a name."""
        return self._ids.get(name, ())

    def name(self, id_: str) -> str | None:
        """Give the name of an id."""
        return self._names.get(id_)

    def add(self, name: str, id_: str) -> None:
        """Note a new secret; a listing of the same moment may have told of it."""
        self._ids[name] = _with(self._ids.get(name, ()), id_)
        self._names[id_] = name

    def remove(self, id_: str) -> None:
        """Note that an id is gone."""
        name = self._names.pop(id_, None)
        if name is not None:
            self._ids[name] = tuple(one for one in self._ids.get(name, ()) if one != id_)


def _with(ids: tuple[str, ...], id_: str) -> tuple[str, ...]:
    return ids if id_ in ids else (*ids, id_)
