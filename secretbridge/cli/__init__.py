"""The command line, over the public API alone; ``main`` is what ``secretbridge`` starts.

From the bottom up: ``_session`` (what is known of one run), ``_output`` (tables, JSON, notes), ``_trouble``
(an error in words and its exit code), ``_kinds`` (the types of options), ``_command`` (what all commands
share), ``_stores`` (connections, opened), ``_asking`` (consent), then a module for each group of commands,
and ``_table``, which names them and loads one when it is called. click loads with the first; rich only to
draw a table on a terminal.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

#: What the completion scripts set.
_COMPLETE: Final = "_SECRETBRIDGE_COMPLETE"
#: Objects that are made before cycles are looked for; Python's own is 700.
_SELDOM: Final = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``secretbridge``; by default those that the process was started with.

    Returns:
        The exit code; docs/cli.md lists them.
    """
    try:
        return _as_a_process() if arguments is None else _called(arguments)
    except KeyboardInterrupt:  # before or after the command itself, which tells more
        return 130


def _as_a_process() -> int:
    """Run what this process was started for.

    Most commands live for a moment: looking for cycles while modules load, and once more in everything at
    the end, is a fifth of what a listing takes. A long migration is looked through all the same.
    """
    import gc

    gc.set_threshold(_SELDOM)
    try:
        return _called(None)
    finally:
        gc.freeze()


def _called(arguments: Sequence[str] | None) -> int:
    if _COMPLETE in os.environ:
        from secretbridge.cli._quick import answered

        if answered():
            return 0
    try:
        import click as _  # noqa: F401 - asked for here so that its absence can be told in a sentence
    except ModuleNotFoundError:
        sys.stderr.write(
            "Error: the command line is not installed.\n"
            "Why: it needs the libraries of the extra 'cli'.\n"
            "Do: pip install 'secretbridge[cli]'\n"
        )
        return 2
    from secretbridge.cli._run import run

    return run(arguments)
