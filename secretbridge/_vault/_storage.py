"""What the vault needs of the place its rows are in, and which of the two kinds of places a location is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from secretbridge._location import PostgresUrl
from secretbridge._vault import _files
from secretbridge._vault._store import SqliteStore
from secretbridge.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from secretbridge._vault._create import Creation
    from secretbridge._vault._rows import Rows

T = TypeVar("T")


class Store(Protocol):
    """Rows that are read and changed, safe with many threads, many processes and forks.

    Errors are those of the vault alone, never the database's own, and none is chained to one of those.
    """

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written here."""
        raise NotImplementedError

    def connect(self, create: Creation | None = None) -> None:
        """Open the store; where there is no vault, ``create`` makes one."""

    def find(self, name_index: bytes, environment: int) -> tuple[Any, ...] | None:
        """Secret id, version, epoch and sealed record of a name; the last three None without a value."""

    def find_id(self, secret: bytes, environment: int) -> tuple[Any, ...] | None:
        """The same for an id; None without a value."""

    def page(self, after: bytes, environment: int, limit: int) -> list[tuple[Any, ...]]:
        """The same for the next values of an environment, in the order the secrets were made."""
        raise NotImplementedError

    def snapshot(self, work: Callable[[Rows], T]) -> T:
        """Run ``work``, which only reads, on rows that nothing changes meanwhile."""
        raise NotImplementedError

    def transact(self, operation_id: bytes, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one durable transaction, alone of all writers, or not at all.

        The operation's id is in the log row that ``work`` appends; it settles a commit of unknown outcome.
        What is raised has ``applied`` False, or None where the outcome could not be settled.
        """
        raise NotImplementedError

    def wipe(self) -> bool:
        """Bring what was removed out of the store's journal; False where it cannot be, or not yet."""
        raise NotImplementedError

    def close(self) -> None:
        """Close it; twice is once."""


def store_at(
    location: Path | PostgresUrl, *, busy_timeout: float, allow_file_systems: Collection[str] = ()
) -> Store:
    """The store of a location; nothing is opened yet.

    Args:
        location: a file, or a schema on PostgreSQL.
        busy_timeout: seconds to wait for other writers.
        allow_file_systems: types of file systems accepted although locks may not hold there.

    Raises:
        VaultError: the place is not fit for a vault; psycopg is not installed.
    """
    if not isinstance(location, PostgresUrl):
        return SqliteStore(
            _files.resolve(location), busy_timeout=busy_timeout, allow_file_systems=allow_file_systems
        )
    try:
        from secretbridge._vault._postgres import PostgresStore  # late: psycopg is optional
    except ImportError:
        pass
    else:
        return PostgresStore(location, busy_timeout=busy_timeout)
    raise VaultError(
        "A vault on PostgreSQL needs psycopg 3, which is not installed or not complete.",
        advice="Install it: pip install 'secretbridge[postgres]'",
    )
