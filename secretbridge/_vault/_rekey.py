"""A new data key, and everything brought under it in small transactions while others read and write.

Each transaction leaves a whole vault, so it may be killed at any moment: what is under the old data key is
found by its epoch and brought over by the next rekey, and the old key goes when nothing is left under it.
"""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from secretbridge._vault import _keys, _records, _sealed
from secretbridge._vault._crypto import damaged
from secretbridge._vault._keys import Keyring, root_replaced
from secretbridge.errors import SecretBridgeError

R = TypeVar("R")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol, TypeAlias

    from secretbridge._vault._change import Change
    from secretbridge._vault._rows import Rows

    # How many rows it brought over, and where the next transaction begins.
    Stage: TypeAlias = Callable[[Change, Keyring, Any, int], tuple[int, Any]]

    class Writing(Protocol):
        """Run something in one durable transaction."""

        def __call__(self, work: Callable[[Change, bytes], R], /) -> R: ...

    class Looking(Protocol):
        """Run something on rows that nothing changes meanwhile."""

        def __call__(self, work: Callable[[Rows], R], /) -> R: ...


#: Bytes that one transaction brings over, or one row if that is more: others wait meanwhile.
_MOST: Final = 1024 * 1024
#: Seconds between two transactions: as long as the longest pause of those who wait for the lock.
_PAUSE: Final = 0.002


def rekey(
    write: Writing,
    look: Looking,
    keyring: Keyring,
    *,
    progress: Callable[[int, int], object] | None,
    batch: int,
) -> None:
    """Bring everything under a new data key, or finish what an earlier call began.

    Args:
        write: the vault's way to write.
        look: the vault's way to look.
        keyring: its keys.
        progress: called with how much is done and how much there is, between transactions.
        batch: rows per transaction.
    """
    tell: Callable[[int, int], object] = progress or (lambda _done, _total: None)
    if len(look(lambda rows: rows.data_keys())) == 1:
        write(lambda change, operation_id: _begin(change, operation_id, keyring))
    failure: SecretBridgeError | None = None
    try:
        _go_on(write, look, keyring, tell, batch)
    except SecretBridgeError as problem:
        failure = problem
    if failure is not None:
        failure.applied = None  # begun, and not finished: the vault is whole either way
        failure.advice = f"{failure.advice} rekey() goes on where it stopped.".strip()
        raise failure


def _go_on(
    write: Writing, look: Looking, keyring: Keyring, tell: Callable[[int, int], object], batch: int
) -> None:
    def left() -> int:
        return look(lambda rows: rows.count_under(max(rows.data_keys())))

    total, done = left(), 0
    while not done or left():
        tell(done, total)
        before = done
        for moved in chain(*(_swept(stage, write, keyring, batch) for stage in (_names, _values, _lines))):
            done += moved
            tell(min(done, total), total)
            time.sleep(_PAUSE)
        if before == done:
            break
    write(lambda change, operation_id: _finish(change, operation_id, keyring))
    look(keyring.follow)
    tell(total, total)


def _swept(stage: Stage, write: Writing, keyring: Keyring, batch: int) -> Iterator[int]:
    """Go through one of the tables; gives how many rows each transaction brought over."""

    def step(after: object) -> tuple[int, object]:
        return write(lambda change, _: stage(change, keyring, after, batch))

    moved, after = step(None)
    while moved:
        yield moved
        moved, after = step(after)


def _begin(change: Change, operation_id: bytes, keyring: Keyring) -> None:
    wrapped = change.rows.data_keys()
    old = keyring.current
    if len(wrapped) > 1:  # another process began just now
        return
    if not keyring.opens(old.epoch, wrapped.get(old.epoch)):
        raise root_replaced()
    epoch = old.epoch + 1
    data_key = _keys.new_data_key(keyring.vault, keyring.root, epoch=epoch, chain=old.chain)
    change.rows.insert_data_key(epoch, data_key)
    # A keyring of its own: this one learns the data key when it is there for good.
    newest = Keyring(keyring.vault, keyring.root, {**wrapped, epoch: data_key})
    header = _there(change.rows.header())
    policy = _sealed.open_policy(keyring, header.policy_epoch, header.policy_key_epoch, header.policy)
    change.rows.reseal_policy(epoch, _sealed.seal_policy(newest, header.policy_epoch, policy))
    change.adopt(newest)
    change.note(_records.REKEYED, operation_id, name=f"data key {epoch} begun")


def _names(change: Change, keyring: Keyring, after: bytes | None, batch: int) -> tuple[int, bytes]:
    found = change.rows.names_under(keyring.current.epoch, after or b"", batch)
    for row in found:
        change.reseal_name(row)
    return len(found), found[-1].id if found else b""


def _values(
    change: Change, keyring: Keyring, after: tuple[bytes, int] | None, batch: int
) -> tuple[int, tuple[bytes, int]]:
    moved, size, last = 0, 0, after or (b"", 0)
    for secret, environment, bytes_ in change.rows.values_under(keyring.current.epoch, last, batch):
        size += bytes_
        if moved and size > _MOST:
            break
        change.reseal_value(_there(change.rows.value(secret, environment)))
        moved, last = moved + 1, (secret, environment)
    return moved, last


def _lines(change: Change, keyring: Keyring, after: int | None, batch: int) -> tuple[int, int]:
    moved, size, last = 0, 0, after or 0
    for sequence, bytes_ in change.rows.lines_under(keyring.current.epoch, last, batch):
        size += bytes_
        if moved and size > _MOST:
            break
        change.reseal_line(_there(change.rows.log(sequence)))
        moved, last = moved + 1, sequence
    return moved, last


def _there(row: R | None) -> R:
    """The row that another table, or the table's other index, leads to."""
    if row is None:
        raise damaged()
    return row


def _finish(change: Change, operation_id: bytes, keyring: Keyring) -> None:
    newest = keyring.current.epoch
    if len(change.rows.data_keys()) == 1:  # another process finished just now
        return
    # Once more, inside: without its data key a row would be lost.
    if change.rows.count_under(newest):
        raise damaged()
    change.rows.delete_data_keys(newest)
    change.note(_records.REKEYED, operation_id, name=f"data key {newest} complete")
