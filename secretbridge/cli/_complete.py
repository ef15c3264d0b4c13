"""What completion offers: names of connections, and of secrets where no prompt and no network is needed.

Whatever fails here offers nothing, in silence: the user is in the middle of a line.
"""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem

__all__ = ["connection_names", "harmless", "offered", "run_ids", "secret_names"]

#: What no shell takes for anything else. Other names are not offered: a shell puts them on the line as
#: they are.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%+/-]*")


def offered(words: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """Give the words that begin so and are harmless on a command line."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in harmless(words, incomplete)]


def harmless(words: Iterable[str], incomplete: str) -> list[str]:
    """Give the words that begin so and that no shell takes for anything else."""
    return [word for word in words if word.startswith(incomplete) and _HARMLESS.fullmatch(word)]


def connection_names(config: str | None) -> list[str]:
    """Give the names of all connections."""
    from secretbridge import connection_names as names

    with suppress(Exception):
        return names(config=config)
    return ["vault"]


def run_ids() -> list[str]:
    """Give the ids of the runs that were begun, the newest first."""
    from secretbridge import changes, migrate

    with suppress(Exception):
        return [
            *(one.id for one in changes() if one.state not in {"done", "forgotten"}),
            *(one.id for one in migrate.runs()),
        ]
    return []


def secret_names(store: str, config: str | None) -> list[str]:
    """Give the names in a store that opens without a prompt and without a network."""
    from secretbridge import secret_names as names

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exception):
            return names(store, config=config)
    return []
