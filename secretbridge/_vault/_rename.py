"""Another name for a value: what takes it, and what stays where it was.

One rule: a renaming takes what this environment sees under the old name, and nothing that is another
environment's. Where the secret is this environment's alone and no secret ever had the new name, the secret
itself is renamed and keeps its id. Else the value moves to the secret of the new name, on top of what was
deleted there; what other environments hold or deleted, under either name, stays theirs, to be undeleted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from secretbridge._vault import _records, _shared
from secretbridge._vault._records import Moved
from secretbridge._vault._rows import EVERYWHERE

if TYPE_CHECKING:
    from secretbridge._vault._change import Change, Held
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import SecretRow


def taken(change: Change, name: str, held: Held) -> bool:
    """Whether this value cannot have that name: one has it here, or anywhere if this is shared."""
    target, there = change.named(name)
    if there is not None and not there.deleted:
        return True
    return held.shared and target is not None and change.lives(target)


def rename(change: Change, operation_id: bytes, held: Held, record: Record, fields: int) -> Record:
    """Give what this environment sees another name, which is not taken.

    Args:
        change: the transaction.
        operation_id: of the update that renames.
        held: the value as it stands.
        record: the version to write, with the new name; its id and version are settled here.
        fields: which fields the caller gave.

    Returns:
        The version as written.

    Raises:
        OutOfScope: the new name was a shared secret's, and who renames is not for all environments.
    """
    target, there = change.named(record.name)
    old_name = held.record.name
    if target is None and _alone(change, held):
        record = replace(record, version=max(record.version, change.state.version_floor + 1))
        change.rename_row(held, record.name)
        change.raise_floor(record.version)
        change.save(_records.UPDATE, operation_id, record, held, fields, old_name=old_name)
        return record
    if target is not None:
        there = _made_room(change, target, there, held)
    secret = target.id if target is not None else change.add_secret(record.name)
    newest = max((row.version for row in change.rows.values(secret)), default=0)
    version = max(record.version, newest + 1, change.state.version_floor + 1)
    record = replace(record, id=secret.hex(), version=version)
    sequence = change.state.sequence + 1
    change.save(
        _records.UPDATE,
        operation_id,
        record,
        there,
        fields,
        old_name=old_name,
        moved=Moved(held.row.secret, held.row.version + 1, held.row.sequence),
        environment=held.row.environment,
    )
    change.leave(held, sequence)
    change.raise_floor(version)
    return record


def _alone(change: Change, held: Held) -> bool:
    """Whether no other environment holds, or deleted, a value of the same secret."""
    rows = change.rows.values(held.row.secret)
    others = (row for row in rows if row.environment != held.row.environment)
    return all(change.opened(row).record.elsewhere for row in others)


def _made_room(change: Change, target: SecretRow, there: Held | None, held: Held) -> Held | None:
    """What the value goes on top of, in a secret that becomes shared or environment-specific as it is."""
    if not held.shared:
        return _shared.begin_anew(change, target, there, "rename") if there is not None else None
    _shared.leave_to_shared(change, target)
    row = change.rows.value(target.id, EVERYWHERE)
    return change.opened(row) if row is not None else None
