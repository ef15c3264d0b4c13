"""Looks for a secret in what was told: as it is, and in the forms in which it may come back."""

from __future__ import annotations

import base64
import html
import json
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["forms", "found_in", "told_by"]

#: A shorter piece would be found in texts that have nothing to do with the secret.
_LEAST: Final = 6
_FIRST: Final = 8


@lru_cache(maxsize=64)
def forms(secret: str) -> Mapping[str, str]:
    """Give a secret as it is and as something on the way might write it, without pieces too short to tell."""
    data = secret.encode("utf-8", "surrogatepass")
    half = len(secret) // 2
    pieces = {
        "as it is": secret,
        "reversed": secret[::-1],
        "URL-encoded": quote(data, safe=""),
        "form-encoded": quote_plus(data),
        "as JSON": json.dumps(secret)[1:-1],
        "as HTML": html.escape(secret),
        "as repr": repr(secret)[1:-1],
        "in hexadecimal": data.hex(),
        "its first half": secret[:half],
        "its last half": secret[-half:] if half else "",
        "its first half reversed": secret[:half][::-1],
        "its last half reversed": secret[-half:][::-1] if half else "",
        "its first characters": secret[:_FIRST],
    }
    for shift in range(3):
        # What comes before moves the pieces of base64; the ends that depend on neighbours are cut off.
        text = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        pieces[f"in base64, moved by {shift}"] = text[(0, 2, 3)[shift] : len(text) - (len(data) + shift) % 3]
    return {how: piece for how, piece in pieces.items() if len(piece) >= _LEAST or piece == secret != ""}


def found_in(text: str, secret: str) -> list[str]:
    """Give the forms of a secret that a text holds; case does not matter."""
    if not text or not secret:
        return []
    folded = text.casefold()
    return [how for how, piece in _folded(secret) if piece in folded]


@lru_cache(maxsize=64)
def _folded(secret: str) -> tuple[tuple[str, str], ...]:
    return tuple((how, piece.casefold()) for how, piece in forms(secret).items())


def told_by(thing: object) -> str:
    """Give all that an object tells of itself: texts, parts, and of an error its traceback, notes and chain.

    A value wrapped in ``SecretStr`` is told by a result alone: an error must not even hold it wrapped.
    """
    parts = [f"{thing!r} {thing!s}"]
    if isinstance(thing, BaseException):
        parts += traceback.format_exception(thing)
    parts += _inside(thing, set(), unwrap=isinstance(thing, BaseException))
    return "\n".join(parts)


def _inside(thing: Any, seen: set[int], *, unwrap: bool) -> Iterator[str]:  # noqa: ANN401 - anything at all
    if id(thing) in seen or isinstance(thing, type):
        return
    seen.add(id(thing))
    if hasattr(thing, "get_secret_value"):
        yield thing.get_secret_value() if unwrap else repr(thing)
    elif isinstance(thing, bytes):
        yield thing.decode("latin-1")
    elif isinstance(thing, Mapping):
        yield from _each([*thing.keys(), *thing.values()], seen, unwrap=unwrap)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from _each(cast("Iterable[Any]", thing), seen, unwrap=unwrap)
    else:
        yield str(thing)
        yield from _each([getattr(thing, "__dict__", {})], seen, unwrap=unwrap)
        if isinstance(thing, BaseException):
            held = [thing.args, getattr(thing, "__notes__", ()), thing.__cause__, thing.__context__]
            yield from _each(held, seen, unwrap=unwrap)


def _each(things: Iterable[Any], seen: set[int], *, unwrap: bool) -> Iterator[str]:
    for thing in things:
        yield from _inside(thing, seen, unwrap=unwrap)
