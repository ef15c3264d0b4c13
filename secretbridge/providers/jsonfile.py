"""A JSON file: one flat object of names and texts."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Limit
from secretbridge.providers._file_provider import FileProvider, Unfit, file_capabilities

if TYPE_CHECKING:
    from secretbridge._capabilities import Capabilities
    from secretbridge.providers._file_provider import Entries

__all__ = ["JsonFile"]

_SHAPE: Final = 'it has to be one object of texts, such as {"NAME": "value"}'
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonFile(FileProvider):
    """A JSON file that holds one object: names, and texts as values; nothing nested.

    A change keeps the order and writes the whole file anew, in UTF-8 and indented by two spaces.

    ``read_many(channel, names)`` and ``write_many(channel, writes)``, beyond the protocol, read and replace
    the file once for many entries.

    Args:
        path: the file.
        create: whether a file that is absent reads as empty and is created, 0600, at the first write.

    Raises:
        InvalidRequest: an argument is malformed.
    """

    capabilities: Capabilities = file_capabilities(
        provider="jsonfile",
        title="the JSON file",
        name=Limit(min_length=1),
        value=Limit(),
        notes=MappingProxyType(
            {"format": "written anew at each change, indented by two spaces; the order is kept"}
        ),
    )

    def _parsed(self, text: str) -> Entries | Unfit:
        if not text:
            return _Object({})
        try:
            pairs = json.loads(text, object_pairs_hook=_Pairs, parse_int=float)  # an int of any length
        except json.JSONDecodeError as problem:  # it holds the whole text
            return Unfit(f"is not JSON in line {problem.lineno}, column {problem.colno}", _SHAPE)
        except RecursionError:
            return Unfit("is nested too deeply", _SHAPE)
        if not isinstance(pairs, _Pairs):
            return Unfit("is no JSON object", _SHAPE)
        return _misfit(pairs) or _Object({name: str(text) for name, text in pairs})


class _Pairs(list[tuple[str, object]]):
    """An object's names and values as they are written, names that come twice included."""

    __slots__ = ()


def _misfit(pairs: _Pairs) -> Unfit | None:
    """Find the first entry that is no name with a text."""
    seen: set[str] = set()
    for name, value in pairs:
        shown = ascii(name)
        if name in seen:
            return Unfit(f"has the name {shown} twice", "keep the one that counts")
        seen.add(name)
        if not isinstance(value, str):
            kind: dict[type, str] = {
                _Pairs: "an object", list: "a list", bool: "true or false", type(None): "null"
            }  # fmt: skip
            return Unfit(f"has {kind.get(type(value), 'a number')} under {shown}, no text", _SHAPE)
        if _SURROGATE.search(name) or _SURROGATE.search(value):
            return Unfit(f"holds half of a surrogate pair under {shown}", "fix where it was written")
    return None


class _Object:
    """The file's object."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def put(self, name: str, value: str) -> None:
        """Give a name a value; a new one comes last."""
        self.values[name] = value

    def drop(self, name: str) -> None:
        """Take a name away."""
        self.values.pop(name, None)

    def rename(self, name: str, new_name: str) -> None:
        """Rename an entry where it stands."""
        self.values = {(new_name if key == name else key): value for key, value in self.values.items()}

    def text(self) -> str | Unfit:
        """Give the whole."""
        return json.dumps(self.values, ensure_ascii=False, indent=2) + "\n"
