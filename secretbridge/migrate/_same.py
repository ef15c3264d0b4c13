"""Whether two sights of a secret show the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from secretbridge._models import Secret
    from secretbridge.migrate._types import Mark, Step

__all__ = ["differs", "marked", "same_fields", "withdrawn"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DEFAULTS: Final = {"active": True, "protected": False, "default_for_tool": False}


def differs(mark: Mark, seen: Secret, *, steady: bool) -> bool:
    """Say whether a secret has moved since its mark was taken, as far as this sight of it tells.

    Args:
        mark: as it was.
        seen: as it is; a field that is None was not told.
        steady: whether reading the value leaves ``updated_at`` alone.
    """
    pairs: list[tuple[object, object]] = [(mark.id, seen.id), (mark.version, seen.version)]
    if steady:
        pairs.append((mark.updated_at, seen.updated_at))
    return any(old is not None and new is not None and old != new for old, new in pairs)


def marked(mark: Mark, seen: Secret, *, steady: bool) -> bool:
    """Say whether this sight of a secret tells by itself whether it has moved; else as ``differs``."""
    dated = steady and mark.updated_at is not None and seen.updated_at is not None
    return dated or (mark.version is not None and seen.version is not None)


def same_fields(sent: Mapping[str, object], seen: Secret, told: Collection[str]) -> bool:
    """Say whether a secret shows what was sent, in the fields that its store tells."""
    return all(_same(name, given, getattr(seen, name)) for name, given in sent.items() if name in told)


def withdrawn(step: Step, sent: Mapping[str, object], seen: Secret) -> bool:
    """Say whether a secret is inactive though it was active, or was set so: somebody deleted it softly."""
    mark = step.target_mark
    was = True if mark is None or mark.active is None else mark.active
    return seen.active is False and sent.get("active", was) is not False


def _same(name: str, sent: object, seen: object) -> bool:
    if isinstance(sent, datetime) and isinstance(seen, datetime):
        return (sent - _EPOCH) // _MILLISECOND == (seen - _EPOCH) // _MILLISECOND
    default = _DEFAULTS.get(name)
    if default is not None:
        return (default if sent is None else sent) == (default if seen is None else seen)
    if isinstance(sent, str) or sent is None:
        return (sent or None) == (seen or None)
    return sent == seen
