"""The versions of a secret in one environment, followed back through the log."""

from __future__ import annotations

from dataclasses import replace
from heapq import merge
from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._trail import VersionInfo
from secretbridge._vault import _audit, _records, _refusals, _sealed
from secretbridge._vault._crypto import damaged
from secretbridge._vault._rows import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secretbridge._vault._change import Change, Held
    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._records import Entry, Record
    from secretbridge._vault._rows import LogRow, Rows, ValueRow

_TAKEN: Final = ("value", "description", "active", "expires_at")
#: What an older version gives to the new one that is made of it, as the audit trail notes it.
TAKEN: Final = sum(_records.FIELDS[field] for field in _TAKEN)
_SWITCHES: Final = frozenset({_records.SHARED, _records.UNSHARED})


class Step(NamedTuple):
    """One version, as the log tells of it."""

    version: int
    row: LogRow
    entry: Entry
    deleted: bool
    moved_away: bool


def steps(rows: Rows, keyring: Keyring, value: ValueRow) -> Iterator[Step]:
    """The versions of a value, newest first.

    Raises:
        VaultDamaged: the log does not lead from the value back to its beginning.
    """
    following, below = value.sequence, value.version + 1
    while following:
        step, before = _step(rows, keyring, value, following)
        newest = below == value.version + 1
        if step.version >= below or (newest and step.version != value.version) or before >= following:
            raise damaged()
        yield step
        following, below = before, step.version


def _step(rows: Rows, keyring: Keyring, value: ValueRow, sequence: int) -> tuple[Step, int]:
    row = rows.log(sequence)
    if row is None:
        raise damaged()
    entry = _sealed.open_log(keyring, row)[0]
    if entry.environment != value.environment:
        raise damaged()
    if entry.secret == value.secret:
        return Step(entry.version, row, entry, entry.leaves_nothing, moved_away=False), entry.previous
    if entry.moved.secret != value.secret:
        raise damaged()
    # A renaming that carried this value over to another secret: here it ended.
    return Step(entry.moved.version, row, entry, deleted=True, moved_away=True), entry.moved.previous


def seen(rows: Rows, keyring: Keyring, value: ValueRow, environment: int) -> Iterator[Step]:
    """The versions as one environment sees them, newest first: its own, and those that were shared.

    Raises:
        VaultDamaged: the log does not lead from the values back to their beginning.
    """
    other = rows.value(value.secret, environment if value.environment == EVERYWHERE else EVERYWHERE)
    chains = [steps(rows, keyring, row) for row in (value, other) if row is not None]
    for step in merge(*chains, key=lambda step: -step.version):
        if not (step.entry.operation in _SWITCHES and step.deleted):
            yield step


def told(step: Step, principals: Mapping[bytes, str]) -> VersionInfo:
    """A version in the words of the public face."""
    entry = step.entry
    return VersionInfo(
        version=step.version,
        at=_records.moment(entry.at),
        operation=_audit.operation_of(entry),
        principal=principals.get(entry.principal, entry.principal.hex()),
        fields=_audit.fields_of(entry),
        name=entry.old_name if step.moved_away else entry.name,
        old_name=entry.old_name or None if not step.moved_away else None,
        deleted=step.deleted,
        purged=step.row.history is None and not step.deleted,
        shared=step.row.environment == EVERYWHERE,
    )


def kept(  # noqa: PLR0917 - each a thing of its own
    rows: Rows, keyring: Keyring, held: Held, environment: int, number: int, operation: str
) -> Record:
    """The record of one version, with its value.

    Raises:
        SecretNotFound: there is no such version.
        ValueNotTold: that version says that there was nothing, or its content was dropped.
    """
    for step in seen(rows, keyring, held.row, environment):
        if step.version == number:
            if step.deleted:
                raise _refusals.nothing_then(held.record.name, number)
            if step.row.history is None and _dropped(rows, keyring, step):
                raise _refusals.dropped(held.record.name, number)
            return _opened(keyring, step)
        if step.version < number:
            break
    raise _refusals.no_version(operation, held.record.name, number)


def _opened(keyring: Keyring, step: Step) -> Record:
    plain = _sealed.open_history(keyring, step.row)
    if plain is None:
        raise damaged()
    record = _records.decode_record(plain, step.row.secret, step.row.environment)
    check_content(step.entry, record)
    if record.value is None:  # pragma: no cover - every content is sealed with a value
        raise damaged()
    return record


def check_content(entry: Entry, record: Record) -> None:
    """Make sure that this content is the one that this line made.

    The place that a content is sealed to has no room for the line, and a copy of the vault that went its own
    way may have made another content of the same version; the moment tells them apart.

    Raises:
        VaultDamaged: it is another.
    """
    made_at = _records.microseconds(record.updated_at)
    if (record.version, record.name, made_at) != (entry.version, entry.name, entry.at):
        raise damaged()


def _dropped(rows: Rows, keyring: Keyring, step: Step) -> bool:
    """Whether the trail says that this content was dropped. O(n), where there is an error to tell anyway."""
    for row in rows.log_about(step.row.secret, step.row.environment, step.row.sequence):
        entry = _sealed.open_log(keyring, row)[0]
        if entry.operation == _records.PURGED and entry.version >= step.version:
            return True
    return False


def last_living(rows: Rows, keyring: Keyring, held: Held, environment: int) -> Record:
    """The newest version that is no deletion."""
    for step in seen(rows, keyring, held.row, environment):
        if not step.deleted:
            return _opened(keyring, step)
    raise damaged()  # pragma: no cover - a deletion comes after a version that held something


def renewed(change: Change, held: Held, then: Record) -> Record:
    """The next version of a secret, with the content of an older one: all but name and ``protected``."""
    # A deleted value may have been seen shared since, under versions higher than its own.
    floor = change.state.version_floor if held.deleted else 0
    return replace(
        held.record,
        value=then.value,
        description=then.description,
        active=then.active,
        expires_at=then.expires_at,
        updated_at=_records.moment(change.now),
        version=max(held.record.version, floor) + 1,
    )
