"""The command line, over the public API alone; ``main`` is what ``secretbridge`` starts.

From the bottom up: ``_session`` (what is known of one run), ``_output`` (tables, JSON, notes), ``_trouble``
(an error in words and its exit code), ``_kinds`` (the types of options), ``_command`` (what all commands
share), ``_stores`` (connections, opened), then a module for each group of commands, and ``_table``, which
names them and loads one when it is called. click loads with the first; rich only to draw a table on a
terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``secretbridge``; by default those that the process was started with.

    Returns:
        The exit code; docs/cli.md lists them.
    """
    try:
        import click as _  # noqa: F401 - asked for here so that its absence can be told in a sentence
    except ModuleNotFoundError:
        sys.stderr.write(
            "Error: the command line is not installed.\n"
            "Why: it needs the libraries of the extra 'cli'.\n"
            "Do: pip install 'secretbridge[cli]'\n"
        )
        return 2
    try:
        from secretbridge.cli._run import run

        return run(arguments)
    except KeyboardInterrupt:  # before or after the command itself, which tells more
        return 130
