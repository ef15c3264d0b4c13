"""How a vault comes into being and how it is unlocked."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from secretbridge._durable import sync_folder
from secretbridge._vault import _crypto, _files, _keys, _policy, _records, _rows, _sealed, _sqlite
from secretbridge._vault._crypto import SUITE, damaged
from secretbridge._vault._keys import Keyring
from secretbridge._vault._policy import Policy
from secretbridge.errors import VaultDamaged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge._vault._openers import Opener, Slot

    #: Called, under the lock, only where there is no vault yet; gives what writes the first rows.
    Creation: TypeAlias = Callable[[], Callable[[_rows.Rows], None]]

_FIRST: Final = 1  # the number of the first slot, key epoch, policy epoch and log line
_JOURNALS: Final = ("-wal", "-shm", "-journal")


def create(path: Path, fill: Callable[[_rows.Rows], None]) -> None:
    """A new vault in a file, complete and durable before it gets its name. The lock is held.

    Args:
        path: where there is none yet.
        fill: writes the first rows.

    Raises:
        sqlite3.Error, OSError: what could not be done.
    """
    temporary = path.with_name(f"{path.name}.new")
    _discard(temporary)
    try:
        _files.write_new(temporary, b"")
        _sqlite.build(temporary, fill)
        temporary.rename(path)
    except BaseException:
        _discard(temporary)
        raise
    sync_folder(path.parent)


def check_vacant(path: Path) -> None:
    """Refuse to create a vault where the journals of another lie: SQLite would play them into it.

    Raises:
        VaultDamaged: a vault's file was taken away and the rest is still there.
    """
    left = [f"{path}{ending}" for ending in _JOURNALS if os.path.lexists(f"{path}{ending}")]
    if left:
        raise VaultDamaged(
            f"There is no vault {path}, but a part of one is: {left[0]}.",
            advice="Put the vault's file back beside it, or remove the rest too if it is of no use.",
        )


def _discard(temporary: Path) -> None:
    for ending in ("", *_JOURNALS):
        with suppress(FileNotFoundError):
            os.unlink(f"{temporary}{ending}")  # noqa: PTH108 - no path of its own


def first_rows(rows: _rows.Rows, credential: Opener) -> None:
    """The rows of a new vault that this credential opens."""
    vault, root, chain = os.urandom(16), os.urandom(_crypto.KEY_BYTES), os.urandom(_crypto.KEY_BYTES)
    data_key = _keys.new_data_key(vault, root, epoch=_FIRST, chain=chain)
    keyring = Keyring(vault, root, {_FIRST: data_key})
    slot = credential.new_slot(vault, root, number=_FIRST)
    policy = _sealed.seal_policy(keyring, _FIRST, _policy.encode(Policy()))
    entry = _records.Entry(
        sequence=_FIRST,
        at=_sealed.now(),
        operation=_records.VAULT_CREATED,
        operation_id=_sealed.new_id(),
        secret=_crypto.NOWHERE,
        environment=0,
        version=0,
        previous=0,
        fields=0,
        name="",
    )
    log, head = _sealed.seal_log(keyring, entry, _sealed.GENESIS, None)
    state = _records.State(
        vault=vault,
        key_epoch=_FIRST,
        policy_epoch=_FIRST,
        sequence=_FIRST,
        chain=head,
        secrets=0,
        values=0,
        digest=0,
        version_floor=0,
    )
    header = _rows.Header(
        vault=vault,
        suite=SUITE,
        slot_mac=keyring.slot_mac([slot]),
        slots=(slot,),
        data_keys={_FIRST: data_key},
        policy_epoch=_FIRST,
        policy_key_epoch=_FIRST,
        policy=policy,
    )
    rows.insert_header(header)
    rows.append_log(log)
    rows.insert_state(_sealed.seal_state(keyring, state))


class Unlocked(NamedTuple):
    """What came out of a vault that was opened."""

    keyring: Keyring
    policy: Policy
    slot: Slot


def unlock(rows: _rows.Rows, credential: Opener) -> Unlocked:
    """The keys and the policy of a vault, after the checks that cost the same in every vault.

    Args:
        rows: a snapshot's rows.
        credential: what opens a slot.

    Raises:
        VaultLocked: the credential opens no slot.
        VaultDamaged: slots, state, newest log line or policy are not what was written.
    """
    keyring, header, slot = unlocked(rows, credential)
    return Unlocked(keyring, _opened_policy(keyring, header), slot)


def unlocked(rows: _rows.Rows, credential: Opener) -> tuple[Keyring, _rows.Header, Slot]:
    """The keys of a vault of any format, checked as :func:`unlock` does; the policy is still closed."""
    header = rows.header()
    if header is None or header.suite != SUITE:
        raise damaged()
    root, slot = credential.open(header.vault, header.slots)
    keyring = Keyring(header.vault, root, header.data_keys)
    if not _crypto.same(keyring.slot_mac(header.slots), header.slot_mac):
        raise damaged()
    state = _sealed.open_state(keyring, rows.state())
    if (state.key_epoch, state.policy_epoch) != (keyring.current.epoch, header.policy_epoch):
        raise damaged()
    last = rows.last_log()
    if last is None or last.sequence != state.sequence:
        raise damaged()
    if not _crypto.same(_sealed.open_log(keyring, last)[2], state.chain):
        raise damaged()
    return keyring, header, slot


def _opened_policy(keyring: Keyring, header: _rows.Header) -> Policy:
    plain = _sealed.open_policy(keyring, header.policy_epoch, header.policy_key_epoch, header.policy)
    return _policy.decode(plain)
