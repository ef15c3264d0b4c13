"""One value for all environments: how a secret becomes shared, and environment-specific again.

A shared secret's value stands in no environment (0), and the flag ``SHARED`` on the secret's row leads there.
What stands in the other places says, sealed, that it holds nothing because of that: so a flag that was
tampered with shows as damage, never as another value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from secretbridge._vault import _records, _refusals, _retention, _sealed
from secretbridge._vault._change import emptied
from secretbridge._vault._rows import EVERYWHERE, SHARED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from secretbridge._vault._change import Change, Held
    from secretbridge._vault._records import Record
    from secretbridge._vault._rows import SecretRow

_CONTENT: Final = ("value", "description", "active", "expires_at")


def share(
    change: Change,
    operation_id: bytes,
    secret: SecretRow,
    held: Held,
    *,
    drop: Collection[int],
    names: Mapping[int, str],
) -> Record:
    """Make this environment's value everybody's.

    Args:
        change: the transaction.
        operation_id: of this operation.
        secret: the secret's row.
        held: its value here.
        drop: environments whose differing values may be lost; they stay in the history.
        names: of the environments, by number.

    Raises:
        InvalidRequest: it is shared already, or another environment's value would be lost.
        SecretLocked: it is protected here or in another environment.
    """
    name = held.record.name
    if held.shared:
        raise _refusals.already(name, "is shared already")
    all_held = change.everywhere(secret.id)
    living = [each for each in all_held if not each.deleted]
    if any(each.record.protected for each in living):
        raise _refusals.locked("share", held.record)
    lost = [
        names[each.row.environment]
        for each in living
        if _content(each) != _content(held) and each.row.environment not in drop
    ]
    if lost:
        raise _refusals.would_lose(name, lost)
    everybodys = next((each for each in all_held if each.shared), None)
    # An environment whose value was purged may have shown higher versions than any that is held.
    version = max(change.state.version_floor, *(each.row.version for each in all_held)) + 1
    for each in all_held:
        if not each.shared:
            _leave(change, _records.SHARED, each)
    record = replace(held.record, version=version, updated_at=_records.moment(change.now))
    change.save(_records.SHARED, operation_id, record, everybodys, 0, environment=EVERYWHERE)
    change.reflag(secret, secret.flags | SHARED)
    if change.policy.forgets:
        _retention.forget(change, secret.id, None, name)
    return record


def unshare(
    change: Change,
    operation_id: bytes,
    secret: SecretRow,
    held: Held,
    *,
    here: int,
    environments: Collection[int],
) -> Record:
    """Give every environment a copy of the shared value as its own.

    Args:
        change: the transaction.
        operation_id: of this operation.
        secret: the secret's row.
        held: the shared value.
        here: this environment.
        environments: all environments of the vault.

    Raises:
        InvalidRequest: it is not shared.
        SecretLocked: it is protected.
    """
    if not held.shared:
        raise _refusals.already(held.record.name, "is environment-specific already")
    if held.record.protected:
        raise _refusals.locked("unshare", held.record)
    before = {each.row.environment: each for each in change.everywhere(secret.id)}
    told = held.record
    for environment in environments:
        over = before.get(environment)
        version = max(held.row.version, over.row.version if over is not None else 0) + 1
        record = replace(held.record, version=version, updated_at=_records.moment(change.now))
        id_ = operation_id if environment == here else _sealed.new_id()
        change.save(_records.UNSHARED, id_, record, over, 0, environment=environment)
        told = record if environment == here else told
    _leave(change, _records.UNSHARED, held)
    change.raise_floor(held.row.version)  # for environments that come later: its versions are theirs too
    change.reflag(secret, secret.flags & ~SHARED)
    if change.policy.forgets:
        _retention.forget(change, secret.id, None, held.record.name)
    return told


def begin_anew(change: Change, secret: SecretRow, held: Held, word: str) -> Held | None:
    """Let a name whose shared secret was deleted begin again, environment-specific; what is held here then.

    Every other environment can still undelete what was shared, as a value of its own.

    Args:
        change: the transaction.
        secret: the secret's row.
        held: its value as this environment sees it, deleted.
        word: what is being done with the name.

    Raises:
        OutOfScope: whoever does it is not for all environments, whose deleted secret this is.
    """
    if not held.shared:
        return held
    if change.rights.environments is not None:
        raise _refusals.was_shared(change.rights, word, held.record.name)
    change.raise_floor(held.row.version)
    without = set(change.policy.environments.values()) - {change.environment}
    for each in change.everywhere(secret.id):
        change.rewrite_deleted(replace(each.record, elsewhere=each.shared), each.row)
        without.discard(each.row.environment)
    change.reflag(secret, secret.flags & ~SHARED)
    gone = replace(emptied(held.record, held.row.version + 1), updated_at=_records.moment(change.now))
    for environment in sorted(without):
        id_ = _sealed.new_id()
        change.save(_records.SHARED, id_, gone, None, 0, deleted=True, environment=environment)
    return change.held(secret.id)


def leave_to_shared(change: Change, secret: SecretRow) -> None:
    """Let a name that is deleted in every environment become a shared secret's; the histories stay."""
    if secret.flags & SHARED:
        return
    for each in change.everywhere(secret.id):
        if not each.shared:
            _leave(change, _records.SHARED, each)
    change.reflag(secret, secret.flags | SHARED)


def _content(held: Held) -> tuple[object, ...]:
    return tuple(getattr(held.record, field) for field in _CONTENT)


def _leave(change: Change, operation: int, held: Held) -> None:
    """What stays behind where the value no longer stands."""
    gone = replace(
        emptied(held.record, held.row.version + 1), elsewhere=True, updated_at=_records.moment(change.now)
    )
    change.save(operation, _sealed.new_id(), gone, held, 0, deleted=True)
