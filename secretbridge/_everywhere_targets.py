"""The targets of one change in many places: names, bridges and providers become cores, checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from secretbridge._connect import DEFAULT_RETRY, DEFAULT_TIMEOUT, connected
from secretbridge._provider import Provider
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Coroutine

    from secretbridge._async import AsyncSecretBridge
    from secretbridge._core import Core
    from secretbridge._runtime import Runtime
    from secretbridge._sync import SecretBridge

__all__ = ["AsyncStore", "AsyncTarget", "BlockingStore", "BlockingTarget", "Face", "Place", "Places"]

_KINDS: Final = "give a connection's name, a bridge, a provider, or (one of these, the secret's name there)"

if TYPE_CHECKING:
    BlockingStore = str | SecretBridge | Provider
    AsyncStore = str | AsyncSecretBridge | Provider
    #: Where to change a secret, and under which other name where it bears one.
    BlockingTarget = BlockingStore | tuple[BlockingStore, str]
    AsyncTarget = AsyncStore | tuple[AsyncStore, str]
else:
    BlockingStore = AsyncStore = BlockingTarget = AsyncTarget = object


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One of the two ways to wait, and the bridges that go with it.

    Attributes:
        bridge: the class of its bridges.
        other: what is to be done about a bridge of the other way.
        runtime: gives a way to wait.
        connect: opens a connection by its name.
        closing: calls what closes, so that a cancellation does not keep it from its end.
    """

    bridge: type[Any]
    other: str
    runtime: Callable[[], Runtime]
    connect: Callable[..., Any]
    closing: Callable[[Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One target, ready to be written to.

    Attributes:
        target: its name, for people.
        secret: the secret's name there.
        core: the verbs over it.
        connection: the connection's name, where it was given by one.
    """

    target: str
    secret: str
    core: Core
    connection: str | None = None


class Places:
    """All targets of one change, and what was opened for them.

    Args:
        face: how to wait.
        config: the configuration file to use in place of all others, or None.
    """

    def __init__(self, face: Face, config: str | os.PathLike[str] | None) -> None:
        self._face = face
        self._config = config
        self._opened: dict[object, Core] = {}
        self._kept: list[object] = []  # what an id() stands for must not be gone
        self.wrong: list[Violation] = []

    def of(self, targets: object, name: str, new_name: object) -> list[Place]:
        """Give the places of the targets; what is wrong with any of them goes to ``wrong``.

        Args:
            targets: as the caller gave them.
            name: the secret's name where a target has no other one.
            new_name: the name it is to have; anything but a text is none.
        """
        if isinstance(targets, (str, bytes)) or not isinstance(targets, Iterable):
            self.wrong.append(
                Violation("targets", "is not a list of targets", 'for example ["prod-wix", "vault"]')
            )
            return []
        listed = list(cast("Iterable[object]", targets))  # isinstance() says nothing of what is in it
        if not listed:
            self.wrong.append(Violation("targets", "is empty", "name at least one target"))
        places: list[Place] = []
        for number, given in enumerate(listed):
            target, secret = given, name
            if isinstance(given, tuple):
                pair = cast("tuple[object, ...]", given)
                if len(pair) != 2 or not isinstance(pair[1], str):  # noqa: PLR2004 - a pair
                    self.wrong.append(
                        Violation(f"targets[{number}]", "is no pair of target and name", _KINDS)
                    )
                    continue
                target, secret = pair[0], pair[1]
            label, core = self._core(f"targets[{number}]", target)
            if core is not None:
                places.append(Place(label, secret, core, target if isinstance(target, str) else None))
        places = _told_apart(places)
        self._find_duplicates(places, new_name)
        return places

    def vault(self, given: object) -> Core | None:
        """Give the core of the vault that keeps values, or None where there is none."""
        return None if given is None else self._core("vault", given)[1]

    def vault_of_run(self, given: object) -> Core:
        """Give the core of the vault that a run began with.

        Raises:
            InvalidRequest: none was given, or there is none of this name.
        """
        found = self.vault(given)
        if found is None:
            missing = Violation("vault", "is missing", "give the vault of the beginning")
            raise InvalidRequest(violations=self.wrong or [missing])
        return found

    def _core(self, field: str, target: object) -> tuple[str, Core | None]:
        """Give the name and the core of a target, opened where it is not open yet."""
        face = self._face
        if isinstance(target, face.bridge):
            bridge = cast("SecretBridge | AsyncSecretBridge", target)
            core: Core = bridge._core  # noqa: SLF001 - the faces are ours  # pyright: ignore[reportPrivateUsage]
            return core.capabilities.title, core
        if isinstance(target, str):
            return target, self._connected(field, target)
        if hasattr(target, "_core") and not isinstance(target, type):
            self.wrong.append(Violation(field, f"is an {type(target).__name__}", face.other))
        elif isinstance(target, type) or not isinstance(target, Provider):
            self.wrong.append(Violation(field, "is no target", _KINDS))
        else:
            self._kept.append(target)
            core = self._opened.get(id(target)) or connected(
                target, face.runtime(), DEFAULT_TIMEOUT, DEFAULT_RETRY, "provider"
            )
            self._opened[id(target)] = core
            return core.capabilities.title, core
        return "", None

    def _connected(self, field: str, name: str) -> Core | None:
        if name in self._opened:
            return self._opened[name]
        try:
            core: Core = self._face.connect(name, config=self._config)._core  # noqa: SLF001 - the faces are ours
        except InvalidRequest as refused:
            self.wrong += [
                Violation(f"{field} ({name})" if one.field == "name" else one.field, one.problem, one.remedy)
                for one in refused.violations
            ]
            return None
        self._opened[name] = core
        return core

    def _find_duplicates(self, places: Iterable[Place], new_name: object) -> None:
        """Find what would be changed twice, under one name or two."""
        seen: set[tuple[object, str]] = set()
        for place in places:
            store = _store(place.core.provider)
            ends: set[tuple[object, str]] = {(store, place.secret)} | (
                {(store, new_name)} if isinstance(new_name, str) else set()
            )
            if ends & seen:
                problem = (
                    f"changes {place.secret!r} of the same store twice"
                    if not isinstance(new_name, str)
                    else f"gives two secrets of the same store the name {new_name!r}"
                )
                self.wrong.append(Violation(f"targets ({place.target})", problem, "name each secret once"))
            seen |= ends

    async def close(self) -> None:
        """Close what was opened here; bridges that were given stay open."""
        for core in dict.fromkeys(self._opened.values()):
            await core.close()


def _told_apart(places: list[Place]) -> list[Place]:
    """Give each place a name of its own: with the secret's name or a number where several have one."""
    places = _where_doubled(places, lambda _, one: f"{one.target}:{one.secret}")
    return _where_doubled(places, lambda number, one: f"{one.target} #{number}")


def _where_doubled(places: list[Place], name: Callable[[int, Place], str]) -> list[Place]:
    often = Counter(one.target for one in places)
    return [
        replace(one, target=name(number, one)) if often[one.target] > 1 else one
        for number, one in enumerate(places, start=1)
    ]


def _store(provider: Provider) -> object:
    """Give what tells one store from another, as far as that can be seen; in memory only.

    io.net's address is the same for all accounts: there it is the credential that tells, and one that a
    callable gives is another account unless it is the same callable.
    """
    kind, store = provider.capabilities.provider, getattr(provider, "store", "")
    if store:
        return store if isinstance(getattr(provider, "path", None), Path) else (kind, store)
    auth = getattr(provider, "_auth", None)
    if kind != "ionet" or auth is None:
        return id(provider)
    return kind, getattr(provider, "_base", ""), auth._source  # noqa: SLF001 - no store to tell
