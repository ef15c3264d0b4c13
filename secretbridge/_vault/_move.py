"""Every row of a vault, as it is, into another store: ids, keys, slots, policy, history and audit stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from secretbridge._vault import _audit, _files, _sqlite, _verify
from secretbridge._vault._schema import TABLES
from secretbridge.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge._location import PostgresUrl
    from secretbridge._trail import Verified
    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._rows import Rows
    from secretbridge._vault._storage import Store

    #: Called with the number of rows that are over there already, and of all.
    Progress = Callable[[int, int], object]

#: Rows between two calls of the progress callback.
_STEP: Final = 1000


class _NothingThereError(Exception):
    """The place is free."""


def check_free(target: Store, place: Path | PostgresUrl) -> None:
    """Make sure that there is no vault at the target, and make none.

    Raises:
        VaultError: there is one, or the place cannot be used.
    """

    def none() -> NoReturn:
        raise _NothingThereError

    try:
        target.connect(none)
    except _NothingThereError:
        return
    raise _taken(place)


def _taken(place: Path | PostgresUrl) -> VaultError:
    return VaultError(
        f"There is a vault at {place} already; a vault is moved to an empty place only.",
        advice="Give another file or schema; both vaults were left as they are.",
    )


def move(
    source: Store, keyring: Keyring, target: Store, place: Path | PostgresUrl, progress: Progress | None
) -> Verified:
    """Copy a vault, as it is at one moment, into a store where there is none; the source stays as it is.

    Verified before it is committed, and its audit trail's head compared after it.

    Args:
        source: the open vault.
        keyring: its keys, to check the copy with.
        target: a store that is not connected yet.
        place: where that is, for messages.
        progress: called now and then with rows copied and rows in all.

    Returns:
        What was found whole in the target.

    Raises:
        VaultError: there is a vault at the target already; reading or writing failed. Nothing is left there,
            unless ``applied`` is None.
        VaultDamaged: the copy is not whole, because the vault is not; it was thrown away.
    """
    found: list[tuple[Verified, object]] = []

    def inside(rows: Rows) -> None:
        def fill(copy: Rows) -> None:
            copy_rows(rows, copy, progress)
            found.append((_verify.verify(copy, keyring), _audit.head(rows, keyring)))

        found.clear()
        target.connect(lambda: fill)

    source.snapshot(inside)
    if not found:
        raise _taken(place)  # made there just now
    verified, head = found[0]
    if target.snapshot(lambda rows: _audit.head(rows, keyring)) != head:
        raise VaultError(
            f"Somebody wrote to {place} while the vault was being moved there.",
            advice="Verify both; give the vault a place that nobody else uses.",
            applied=None,
        )
    return verified


def copy_rows(rows: Rows, copy: Rows, progress: Progress | None = None) -> None:
    """Write every row of a snapshot into empty tables, in bounded memory."""
    total = sum(rows.count(table) for table in TABLES)
    done = 0
    for table in TABLES:
        for row in rows.dump(table):
            copy.load(table, row)
            done += 1
            if progress is not None and (done % _STEP == 0 or done == total):
                progress(done, total)


def fill_file(store: Store, path: Path) -> None:
    """Make a vault's file, on the disk, of any store's rows, at a path where an empty file is.

    Raises:
        VaultError: it could not be read or written.
    """
    failure: VaultError | None = None

    def inside(rows: Rows) -> None:
        nonlocal failure
        try:
            _sqlite.build(path, lambda copy: copy_rows(rows, copy))
        except _sqlite.FAILURES as problem:
            failure = _sqlite.translated(problem, path)
        except OSError as problem:
            failure = _files.os_failure(problem, f"writing {path}")

    store.snapshot(inside)
    if failure is not None:
        raise failure
