"""Texts of a recording that stand for what is new in every request: a uuid, a time, a number."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from secretbridge._json import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Kind", "Matched", "Placeholders"]

Kind: TypeAlias = Literal["uuid", "time", "number"]
#: What was sent in the place of each placeholder.
Matched: TypeAlias = "dict[str, str | int | float]"

#: In a path a colon and a plus may be percent-encoded.
_PATTERNS: Final[Mapping[str, str]] = {
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "time": (
        r"\d{4}-\d\d-\d\d[T ]\d\d(?::|%3A)\d\d(?::|%3A)\d\d(?:\.\d+)?"
        r"(?:Z|(?:[+-]|%2B)\d\d(?::|%3A)?\d\d)?"
    ),
    "number": r"\d+(?:\.\d+)?",
}


class Placeholders:
    """Texts of a recording, and of which kind is what they stand for.

    Args:
        kinds: the text -> ``uuid``, ``time`` (a date and time of ISO 8601) or ``number``.

    Raises:
        ValueError: an empty text, or a kind that there is not.
    """

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        for text, kind in kinds.items():
            if not text or kind not in _PATTERNS:
                raise ValueError(
                    f"the placeholder {text!r} is of no kind of {', '.join(_PATTERNS)}: {kind!r}"
                )
        self._kinds = dict(kinds)
        self._any = (
            re.compile("|".join(map(re.escape, sorted(kinds, key=len, reverse=True)))) if kinds else None
        )

    def within(self, recorded: object) -> set[str]:
        """Give the placeholders that stand anywhere in a recorded text, list or mapping."""
        if isinstance(recorded, str):
            return set(self._any.findall(recorded)) if self._any else set()
        if is_object(recorded):
            return {one for value in recorded.values() for one in self.within(value)}
        if is_array(recorded):
            return {one for value in recorded for one in self.within(value)}
        return set()

    def fit(self, recorded: object, sent: object, matched: Matched, *, in_path: bool = False) -> bool:
        """Say whether what was sent is what was recorded, but for the placeholders.

        Args:
            recorded: a text, or JSON.
            sent: likewise.
            matched: what each placeholder stood for is added; one that stood for something else does not fit.
            in_path: whether it may be percent-encoded.
        """
        if isinstance(recorded, str) and recorded in self._kinds and self._kinds[recorded] == "number":
            number = isinstance(sent, (int, float)) and not isinstance(sent, bool)
            return number and matched.setdefault(recorded, sent) == sent  # type: ignore[arg-type]  # it is a number
        if isinstance(recorded, str) and isinstance(sent, str):
            return self._fit_text(recorded, sent, matched, in_path=in_path)
        if is_object(recorded) and is_object(sent):
            same = recorded.keys() == sent.keys()
            return same and all(self.fit(recorded[key], sent[key], matched) for key in recorded)
        if is_array(recorded) and is_array(sent):
            same = len(recorded) == len(sent)
            return same and all(self.fit(*pair, matched) for pair in zip(recorded, sent, strict=True))
        return json.dumps(recorded) == json.dumps(sent)  # which tells true from 1

    def _fit_text(self, recorded: str, sent: str, matched: Matched, *, in_path: bool) -> bool:
        if self._any is None or not (names := self._any.findall(recorded)):
            return recorded == sent
        plain = self._any.split(recorded)
        pattern = re.escape(plain[0])
        for name, after in zip(names, plain[1:], strict=True):
            pattern += f"({_PATTERNS[self._kinds[name]]}){re.escape(after)}"
        found = re.fullmatch(pattern, sent, re.ASCII | re.DOTALL)
        if found is None:
            return False
        for name, text in zip(names, found.groups(), strict=True):
            given = unquote(text) if in_path else text
            if self._kinds[name] == "time" and not _is_time(given):
                return False
            if matched.setdefault(name, given) != given:
                return False
        return True

    def filled(self, recorded: Any, matched: Matched) -> Any:  # noqa: ANN401 - text or JSON, as it was given
        """Put what was sent in the place of each placeholder of a recorded reply."""
        if is_object(recorded):
            return {key: self.filled(value, matched) for key, value in recorded.items()}
        if is_array(recorded):
            return [self.filled(value, matched) for value in recorded]
        if not isinstance(recorded, str) or self._any is None:
            return recorded
        if recorded in matched:
            return matched[recorded]
        return self._any.sub(lambda found: str(matched[found[0]]), recorded)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
