"""How much of a value's history is kept: by count, by age, and never less than what undelete() needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._vault import _records
from secretbridge._vault._crypto import damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    lines = list(lines_of(change, row.secret, row.environment, row.sequence))
    return drop(change, row.secret, row.environment, name, outlived(lines, policy, change.now))


def lines_of(change: Change, secret: bytes, environment: int, sequence: int) -> Iterator[Line]:
    """The versions of a value from a line of the log back, newest first, to where nothing is kept any more.

    Raises:
        VaultDamaged: the log does not lead back.
    """
    while sequence:
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


def outlived(lines: list[Line], policy: Policy, now: int, *, newer: int = 0) -> list[Line]:
    """Which versions the rules do not keep. The newest one with a content always stays.

    Args:
        lines: the versions, newest first.
        policy: the rules.
        now: microseconds since 1970.
        newer: newer versions that are kept elsewhere: of a value that was shared since, or is not any more.
    """
    oldest = now - policy.keep_days * _DAY if policy.keep_days is not None else None
    contents, replaced_at = newer, None
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
