"""What a secret was before one change in many places: looked at, and put back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from secretbridge._core import equal
from secretbridge.errors import (
    InvalidRequest,
    PermissionDenied,
    SecretExpired,
    SecretNotFound,
    ValueNotTold,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._everywhere_results import Guarantee
    from secretbridge._everywhere_targets import Place
    from secretbridge._models import Fields, Secret

__all__ = ["Before", "Change", "Sight", "look", "put_back", "sight"]

#: What keeps a secret from being read and does not keep it from being written.
_UNREADABLE: Final = (SecretNotFound, SecretExpired, PermissionDenied, ValueNotTold, InvalidRequest)
#: What a boolean is where a store tells nothing.
_DEFAULTS: Final[Mapping[str, bool]] = {"active": True, "protected": False, "default_for_tool": False}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Change:
    """What is to be done in every target.

    Attributes:
        fields: the fields that are changed; the value is a SecretStr.
        allow_one_way: consent to what a provider cannot take back.
        verify: read back what can be read.
        restore: look first, and put everything back where the change cannot be made everywhere.
    """

    fields: Fields
    allow_one_way: bool = False
    verify: bool = False
    restore: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Before:
    """What a secret was before the change, as far as it can be told and put back.

    Attributes:
        fields: what would put it back.
        lacking: why the other fields cannot be put back.
        version: its version, where the store counts them.
    """

    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    lacking: tuple[str, ...] = ()
    version: int | None = None


async def look(place: Place, change: Change) -> Before:
    """Give what a secret is now, as far as the change touches it.

    Raises:
        SecretBridgeError: it could not be asked for.
    """
    core, name = place.core, place.secret
    seen, why = await _seen(place, name, change)
    if seen is None:
        return Before(lacking=tuple(f"{key}: {why}" for key in change.fields))
    fields: dict[str, object] = {}
    lacking: list[str] = []
    for key in change.fields:
        told = _told(place, seen, key)
        if told is None and (key == "value" or not _tells(place, key)):
            lacking.append(f"{key}: {why or f'{core.capabilities.title} does not tell it'}")
            continue
        try:
            after = change.fields.get("new_name", name)
            core.check_update(after, None, {key: told}, if_version=None, allow_one_way=True)
        except InvalidRequest as refused:
            lacking += [f"{key} cannot be set back: {one.problem}" for one in refused.violations]
        else:
            fields[key] = told
        if key in core.capabilities.one_way and not told:
            fields.pop(key, None)
            lacking.append(f"{key} cannot be set back: {core.capabilities.one_way[key]}")
    version = seen.version if core.capabilities.compare_and_set else None
    return Before(fields=fields, lacking=tuple(lacking), version=version)


async def _seen(place: Place, name: str, change: Change) -> tuple[Secret | None, str]:
    """Give the secret as far as it can be read, and why what is missing is missing."""
    core = place.core
    of = core.capabilities
    why = "" if of.reads_values else f"{of.title} never tells a value"
    if "get" in of.operations and ("value" in change.fields or "list" not in of.operations):
        try:
            return await core.get(name, None, metadata=True), why
        except _UNREADABLE as error:
            why = f"it could not be read ({type(error).__name__})"
    if "list" not in of.operations:
        return None, why or f"{of.title} tells nothing of a secret"
    listed = next((one for one in await core.list() if one.name == name), None)
    return listed, why or ("" if listed is not None else "there is no such secret")


def _tells(place: Place, key: str) -> bool:
    of = place.core.capabilities
    return key == "new_name" or key in of.get_tells | of.list_tells


def _told(place: Place, seen: Secret, key: str) -> object:
    """Give a field as the store tells it, a boolean as its default where it tells nothing."""
    if not _tells(place, key):
        return None
    told = seen.name if key == "new_name" else getattr(seen, key)
    return _DEFAULTS.get(key) if told is None else told


async def put_back(place: Place, change: Change, before: Before) -> tuple[str, Guarantee]:
    """Write what was there before, unless somebody else has changed it meanwhile.

    Returns:
        Why not, or "", and how.

    Raises:
        SecretBridgeError: it could not be written, or not be looked at.
    """
    seen, why = await _under_either_name(place, change)
    if seen is None:
        return why, "best-effort"
    sent = cast("Mapping[str, object]", change.fields)  # any text is looked up in it
    back: dict[str, object] = {}
    for key, previous in before.fields.items():
        now = _told(place, seen, key)
        if (key == "value" and now is None) or equal(sent[key], now):
            back[key] = previous  # a value that is not handed out any more cannot be compared
        elif not equal(previous, now):
            return f"somebody else has changed its {key} meanwhile", "best-effort"
    version = seen.version if place.core.capabilities.compare_and_set else None
    if back:
        await place.core.update(seen.name, None, back, if_version=version, allow_one_way=True, verify=False)
    return "", "best-effort" if version is None else "atomic"


async def _under_either_name(place: Place, change: Change) -> tuple[Secret | None, str]:
    """See a secret that may have been renamed already."""
    new_name = change.fields.get("new_name", place.secret)
    seen, why = await _seen(place, new_name, change)
    if seen is None and new_name != place.secret:
        seen, why = await _seen(place, place.secret, change)
    return seen, why


class Sight(NamedTuple):
    """What is there of a change whose outcome is not known.

    Attributes:
        made: True: it is there. False: it is not, what was there before is. None: that cannot be seen.
        foreign: somebody else has changed the secret.
        name: the name that the secret bears now.
        version: its version, where the store compares versions.
    """

    made: bool | None
    foreign: bool
    name: str
    version: int | None


async def sight(place: Place, change: Change, before: Before) -> Sight:
    """Look whether a change was made whose outcome is not known.

    Raises:
        SecretBridgeError: it could not be asked for.
    """
    seen, _ = await _under_either_name(place, change)
    if seen is None:
        return Sight(None, foreign=False, name=place.secret, version=None)
    sent = cast("Mapping[str, object]", change.fields)  # any text is looked up in it
    told = {key: _told(place, seen, key) for key in sent}
    version = seen.version if place.core.capabilities.compare_and_set else None
    if any(not _tells(place, key) or (key == "value" and now is None) for key, now in told.items()):
        return Sight(None, foreign=False, name=seen.name, version=version)
    if all(equal(sent[key], now) for key, now in told.items()):
        return Sight(made=True, foreign=False, name=seen.name, version=version)
    if told.keys() - before.fields.keys():
        return Sight(None, foreign=False, name=seen.name, version=version)
    was = all(equal(before.fields[key], now) for key, now in told.items())
    return Sight(made=False, foreign=not was, name=seen.name, version=version)
