"""The shape of a plan's JSON: its checksum shows an accident, and anybody can make it anew."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeAlias, get_args

from secretbridge._json import is_array, is_object
from secretbridge.migrate._types import Action

__all__ = ["is_shaped"]

#: A type; a tuple of shapes, of which one fits; a list of one shape; a mapping of keys, "?" for one that may
#: be missing, and "" for any; or a set of texts.
_Shape: TypeAlias = "type | tuple[_Shape, ...] | list[_Shape] | dict[str, _Shape] | frozenset[str] | None"


class _Moment:
    """A text that is a moment."""


_TEXT_OR_NONE: Final = (str, None)
_MARK: Final[dict[str, _Shape]] = {
    "name": str,
    "id?": _TEXT_OR_NONE,
    "version?": (int, None),
    "active?": (bool, None),
    "protected?": (bool, None),
    "platform?": bool,
    "expires_at?": _Moment,
    "created_at?": _Moment,
    "updated_at?": _Moment,
    "description?": _TEXT_OR_NONE,
    "tools?": _TEXT_OR_NONE,
}
_STEP: Final[dict[str, _Shape]] = {
    "source": str,
    "target": str,
    "action": frozenset(get_args(Action)),
    "reason": str,
    "losses": [{"kind": str, "text": str}],
    "fields": [str],
    "equal": (bool, None),
    "source_mark": _MARK,
    "target_mark": (_MARK, None),
}
_END: Final[dict[str, _Shape]] = {"provider": str, "title": str, "store": str, "environment": _TEXT_OR_NONE}
_PLAN: Final[dict[str, _Shape]] = {
    "format": str,
    "version": int,
    "fingerprint": str,
    "id": str,
    "made_at": _Moment,
    "source": _END,
    "target": _END,
    "rules": {
        "select": [str],
        "exclude": [str],
        "rename": (str, {"": str}),
        "case": _TEXT_OR_NONE,
        "prefix": str,
        "transform": {"": str},
        "on_conflict": str,
        "accept": [str],
        "environments": {"": str},
    },
    "estimates": {
        "source_requests": int,
        "target_requests": int,
        "source_seconds": (float, int),
        "target_seconds": (float, int),
        "seconds": (float, int),
        "assumptions": [str],
    },
    "steps": [_STEP],
    "warnings": [str],
    "stores?": {"source": str, "target": str},
}


def is_shaped(document: object) -> bool:
    """Say whether a document, its checksum taken out, has the keys and types of a plan."""
    return _fits(_PLAN, document)


def _fits(shape: _Shape, given: object) -> bool:
    if isinstance(shape, tuple):
        return any(_fits(one, given) for one in shape)
    if isinstance(shape, list):
        return is_array(given) and all(_fits(shape[0], one) for one in given)
    if isinstance(shape, dict):
        return is_object(given) and _has_keys(shape, given)
    if isinstance(shape, frozenset):
        return isinstance(given, str) and given in shape
    if shape is _Moment:
        return _is_moment(given)
    return given is None if shape is None else type(given) is shape


def _has_keys(shape: dict[str, _Shape], given: dict[str, object]) -> bool:
    if "" in shape:
        return all(_fits(shape[""], one) for one in given.values())
    known = {key.removesuffix("?"): one for key, one in shape.items()}
    needed = {key for key in shape if not key.endswith("?")}
    if not needed <= given.keys() <= known.keys():
        return False
    return all(_fits(known[key], one) for key, one in given.items())


def _is_moment(given: object) -> bool:
    if not isinstance(given, str):
        return False
    try:
        datetime.fromisoformat(given)
    except ValueError:
        return False
    return True
