"""How much of a value's history is kept: by count, by age, and never less than what undelete() needs."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _records
from secretbridge._vault._crypto import damaged
from secretbridge._vault._rows import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from secretbridge._vault._change import Change
    from secretbridge._vault._policy import Policy
    from secretbridge._vault._rows import LogRow

_DAY: Final = 86_400_000_000  # microseconds
#: The bytes of an operation id that are the time.
_TIME_BYTES: Final = 7


class Line(NamedTuple):
    """A version as the clear columns tell of it: a hint, checked before anything is dropped."""

    sequence: int
    version: int
    at: int
    kept: bool


def keep_to(change: Change, policy: Policy, row: LogRow, name: str) -> int:
    """Drop what the rules do not keep of the value whose newest line this is; how many versions."""
    if row.environment != EVERYWHERE and change.rows.value(row.secret, EVERYWHERE) is None:  # never shared
        lines = list(lines_of(change, row.secret, row.environment, row.sequence))
        return drop(change, row.secret, row.environment, name, outlived(lines, policy, change.now))
    return forget(change, row.secret, None if row.environment == EVERYWHERE else {row.environment}, name)


def forget(change: Change, secret: bytes, places: Collection[int] | None, name: str) -> int:
    """Drop what the rules do not keep of a secret that may be, or have been, shared; how many versions.

    What an environment's own versions and the shared ones are together is its history, and it is that which
    the rules are about. A shared version stays as long as it counts in any environment.

    Args:
        change: the transaction.
        secret: which secret.
        places: of these environments, and of what was shared; None for all.
        name: the secret's name.
    """
    rows = {row.environment: row for row in change.rows.values(secret)}
    chains = {place: list(lines_of(change, secret, place, row.sequence)) for place, row in rows.items()}
    shared = chains.get(EVERYWHERE, [])
    outlives = {place: _outlived_in(change, lines, shared) for place, lines in chains.items()}
    if len(rows) > 1 and EVERYWHERE in rows and change.opened(rows[EVERYWHERE]).record.elsewhere:
        del outlives[EVERYWHERE]  # no environment sees the shared versions alone
    everywhere = set[int].intersection(*outlives.values())
    count = 0
    for place, lines in chains.items():
        if places is None or place in places or place == EVERYWHERE:
            gone = everywhere if place == EVERYWHERE else outlives[place]
            going = [line for line in lines if line.sequence in gone]
            count += drop(change, secret, place, name, going)
    return count


def _outlived_in(change: Change, own: list[Line], shared: list[Line]) -> set[int]:
    lines = own if own is shared else list(merge(own, shared, key=lambda line: -line.version))
    return {line.sequence for line in outlived(lines, change.policy, change.now)}


def lines_of(change: Change, secret: bytes, environment: int, sequence: int) -> Iterator[Line]:
    """The versions of a value from a line of the log back, newest first, to where nothing is kept any more.

    Raises:
        VaultDamaged: the log does not lead back.
    """
    while True:
        found = change.rows.past(secret, sequence)
        for each in found:
            if each.secret == secret:
                yield Line(each.sequence, each.version, _made_at(each.operation_id), bool(each.kept))
        if not found:
            raise damaged()
        last = found[-1]
        if last.secret == secret:
            # Two in a row without a content are where nothing is kept any more, or they are a deletion and
            # what sharing left behind: which of the two is sealed.
            if last.kept or not last.previous or not change.entry(last.sequence).leaves_nothing:
                return
            sequence = last.previous
            continue
        # A renaming carried the value over to that secret: sealed in its line is where ours goes on.
        entry = change.entry(last.sequence)
        moved = entry.moved
        if moved.secret != secret or entry.environment != environment or moved.previous >= last.sequence:
            raise damaged()
        yield Line(last.sequence, moved.version, entry.at, kept=False)
        sequence = moved.previous


def _made_at(operation_id: bytes) -> int:
    return int.from_bytes(operation_id[:_TIME_BYTES], "big")


def outlived(lines: list[Line], policy: Policy, now: int) -> list[Line]:
    """Which versions the rules do not keep. The newest one with a content always stays.

    Args:
        lines: the versions, newest first.
        policy: the rules.
        now: microseconds since 1970.
    """
    oldest = now - policy.keep_days * _DAY if policy.keep_days is not None else None
    contents, replaced_at = 0, None
    for place, line in enumerate(lines):
        contents += line.kept
        too_many = policy.keep_versions is not None and contents > policy.keep_versions
        too_old = oldest is not None and replaced_at is not None and replaced_at <= oldest
        if line.kept and contents > 1 and (too_many or too_old):
            return lines[place:]
        replaced_at = line.at
    return []


def older(lines: list[Line]) -> list[Line]:
    """Every version but the newest one that has a content."""
    newest = next((place for place, line in enumerate(lines) if line.kept), len(lines))
    return lines[newest + 1 :]


def drop(change: Change, secret: bytes, environment: int, name: str, lines: Iterable[Line]) -> int:
    """Drop the contents of these versions, which are all up to one, and note up to which; how many.

    Raises:
        VaultDamaged: a line is not about this version.
    """
    dropped = emptied(change, secret, environment, lines)
    if dropped:
        note(change, secret, environment, name, max(line.version for line in dropped))
    return len(dropped)


def emptied(change: Change, secret: bytes, environment: int, lines: Iterable[Line]) -> list[Line]:
    """Drop the contents of these versions; those that had one."""
    dropped = [line for line in lines if line.kept]
    for line in dropped:
        entry = change.entry(line.sequence)
        if (entry.secret, entry.environment, entry.version) != (secret, environment, line.version):
            raise damaged()
        change.rows.drop_history(line.sequence)
    return dropped


def note(change: Change, secret: bytes, environment: int, name: str, version: int) -> None:
    """Write into the audit trail that no content up to this version is kept: what verify() goes by."""
    change.note(
        _records.PURGED,
        change.take_id(),
        name=name,
        secret=secret,
        environment=environment,
        version=version,
    )
