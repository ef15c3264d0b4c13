"""What goes to standard output and standard error: tables, JSON, notes and questions.

On a terminal a table is drawn by rich, which loads then; into a pipe go lines with tabs between the columns.
Names and descriptions come from elsewhere: control characters in them never reach the terminal.
"""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from secretbridge.cli._session import Session

__all__ = [
    "confirmed",
    "counted",
    "note",
    "plain",
    "prepare",
    "show_json",
    "show_json_error",
    "stamp",
    "table",
    "talk",
    "warn",
]

#: Control characters, and what turns the direction of writing.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: Blanks between two columns.
_GAP: Final = 2
_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def prepare() -> None:
    """Let no character that the terminal's encoding lacks end the program, and no stream that was closed."""
    _occupy()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _occupy() -> None:
    """Put /dev/null where a standard stream was closed, so that no file opened later takes its place."""
    import os

    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say how many there are: "1 secret", "2 secrets"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def plain(text: str) -> str:
    """Write control characters as escapes."""
    return _CONTROL.sub(lambda found: _SHORT.get(found[0]) or ascii(found[0])[1:-1], text)


def stamp(when: datetime | None) -> str:
    """Write a time for people, in UTC, to the minute."""
    if when is None:
        return ""
    from datetime import UTC

    return f"{when.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def show_json(content: Mapping[str, object], *, lines: bool = False) -> None:
    """Print one JSON object, in ASCII; times as ISO 8601 in UTC.

    Args:
        content: the object.
        lines: on one line, for JSON lines.
    """
    import json

    print(json.dumps(content, default=_jsonable, indent=None if lines else 2))  # noqa: T201 - the output itself


def show_json_error(content: Mapping[str, object]) -> None:
    """Print one JSON object to standard error."""
    import json

    print(json.dumps(content), file=sys.stderr)  # noqa: T201 - the output itself


def _jsonable(value: object) -> object:
    from datetime import UTC, datetime

    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value).__name__}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, in columns parted by tabs and without headings elsewhere."""
    clean = [[plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in clean:
            print("\t".join(row))  # noqa: T201 - the output itself
        return
    if not clean:
        return
    import os
    from shutil import get_terminal_size

    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # rich takes every dumb terminal to be 80 wide.
    size = get_terminal_size()
    drawn = Table(box=None, pad_edge=False, header_style="" if os.environ.get("NO_COLOR") else "bold")
    natural = [max(map(cell_len, cells)) for cells in zip(headings, *clean, strict=True)]
    for heading, width in zip(
        headings, _widths(natural, size.columns - _GAP * (len(headings) - 1)), strict=True
    ):
        drawn.add_column(heading, overflow="fold", width=width)
    for row in clean:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: brackets in a name are no markup
    Console(highlight=False, emoji=False, width=size.columns, height=size.lines).print(drawn)


def _widths(natural: list[int], room: int) -> list[int]:
    """Say how wide the columns are; the first, what a run is called say, is folded last: that is copied."""
    if sum(natural) <= room:
        return natural
    widths = list(natural)
    folded = list(range(len(natural)))
    if natural[0] <= room * 2 // 3:
        folded.remove(0)
        room -= natural[0]
    for left, column in zip(range(len(folded), 0, -1), sorted(folded, key=natural.__getitem__), strict=True):
        widths[column] = max(1, min(natural[column], room // left))
        room -= widths[column]
    return widths


def talk(text: str) -> None:
    """Print a line to standard error."""
    print(plain(text), file=sys.stderr)  # noqa: T201 - the output itself


def note(session: Session, text: str) -> None:
    """Say what was done, to standard error; not if the user wants quiet or JSON."""
    if not (session.quiet or session.json):
        talk(text)


def warn(text: str) -> None:
    """Say what the user should know, to standard error, in any case."""
    talk(f"Warning: {text}")


def confirmed(question: str) -> bool:
    """Ask on the terminal; yes has to be typed."""
    sys.stderr.write(f"{plain(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
