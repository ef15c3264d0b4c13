"""In which line a key stands: tomllib reads values and does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

from secretbridge._json import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Path", "line_of", "lines"]

#: The names that lead to a key, such as ("connections", "prod", "provider").
Path = tuple[str, ...]

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]"
    r"|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


def lines(text: str) -> dict[Path, int]:
    """Give the line, counted from 1, in which each key and table of a valid TOML text first stands.

    Args:
        text: what tomllib takes, each line ended by a line feed alone.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        tree = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = ()
            while tree:
                ((name, inner),) = tree.items()
                table = (*table, name)
                found.setdefault(table, line)
                tree = inner[0] if is_array(inner) else inner
            continue
        waiting: list[tuple[Path, Mapping[str, object]]] = [(table, tree)]
        while waiting:
            above, keys = waiting.pop()
            for name, value in keys.items():
                found.setdefault((*above, name), line)
                if is_object(value):
                    waiting.append(((*above, name), value))
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into headers and assignments, each with its first line."""
    begin, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in {"[", "{"}:
            depth += 1
        elif mark in {"]", "}"}:
            depth -= 1
        elif mark == "\n" and depth == 0:
            yield line, text[begin : token.end()]
            line += text.count("\n", begin, token.end())
            begin = token.end()
    yield line, text[begin:]


def line_of(found: Mapping[Path, int], path: Path) -> int:
    """Give the line of a key; of the nearest table around it where the key itself is missing."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)
