"""The audit trail: read line by line, and followed along its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from secretbridge._trail import AuditEntry, AuditHead
from secretbridge._vault import _crypto, _outcomes, _records, _sealed
from secretbridge._vault._crypto import damaged
from secretbridge._vault._principals import SHARED_WORD
from secretbridge.errors import VaultDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._records import Entry
    from secretbridge._vault._rows import LogRow, Rows

_OPERATIONS: Final = {
    _records.VAULT_CREATED: "vault created",
    _records.CREATE: "create",
    _records.UPDATE: "update",
    _records.PUT: "put",
    _records.DELETE: "delete",
    _records.RESTORE: "restore",
    _records.UNDELETE: "undelete",
    _records.READ: "get",
    _records.POLICY_CHANGED: "policy changed",
    _records.PRINCIPAL_ADDED: "principal added",
    _records.PRINCIPAL_CHANGED: "principal changed",
    _records.PRINCIPAL_REMOVED: "principal removed",
    _records.SHARED: "share",
    _records.UNSHARED: "unshare",
    _records.LISTED: "list",
    _records.OPENED: "open",
    _records.LOOKED_BACK: "history",
    _records.AUDIT_READ: "audit read",
    _records.ADMINISTERED: "administer",
    _records.SLOT_ADDED: "slot added",
    _records.SLOT_REMOVED: "slot removed",
    _records.REKEYED: "rekeyed",
    _records.ROOT_ROTATED: "root rotated",
    _records.UPGRADED: "upgraded",
    _records.SLOT_CHANGED: "slot changed",
    _records.PURGED: "purge",
    _records.RETENTION_SET: "retention set",
}
#: Lines that are read, and opened, at a time.
_PAGE: Final = 256


class Link(NamedTuple):
    """A line of the log whose place in the chain was checked."""

    row: LogRow
    entry: Entry
    chain: bytes


def operation_of(entry: Entry) -> str:
    """What was done, as a word; a renaming is an update that has an old name."""
    if entry.operation == _records.UPDATE and entry.old_name:
        return "rename"
    return _OPERATIONS.get(entry.operation, f"operation {entry.operation}")


def fields_of(entry: Entry) -> tuple[str, ...]:
    """The names of the fields that the caller gave."""
    return tuple(name for name, bit in _records.FIELDS.items() if entry.fields & bit)


def told(entry: Entry, environments: Mapping[int, str], principals: Mapping[bytes, str]) -> AuditEntry:
    """An entry in the words of the public face."""
    about_secret = entry.secret != _crypto.NOWHERE
    shared = SHARED_WORD if about_secret else None
    return AuditEntry(
        sequence=entry.sequence,
        at=_records.moment(entry.at),
        operation=operation_of(entry),
        secret_id=entry.secret.hex() if about_secret else None,
        name=entry.name or None,
        old_name=entry.old_name or None,
        environment=environments[entry.environment] if entry.environment else shared,
        version=entry.version or None,
        fields=fields_of(entry),
        outcome=_outcomes.word(entry.outcome),
        principal=principals.get(entry.principal, entry.principal.hex()),
    )


def head(rows: Rows, keyring: Keyring) -> AuditHead:
    """Where the trail is at."""
    state = _sealed.open_state(keyring, rows.state())
    return AuditHead(state.sequence, state.chain.hex())


def page(rows: Rows, keyring: Keyring, after: int, upto: int) -> list[Entry]:
    """The next entries, at least one.

    Args:
        rows: a snapshot's rows.
        keyring: the vault's keys.
        after: the number of the entry before.
        upto: the number of an entry that is known to be there, above ``after``.

    Raises:
        VaultDamaged: one of them is not what was written, or missing.
    """
    last = min(upto, after + _PAGE)
    found = [_sealed.open_log(keyring, row)[0] for row in rows.log_between(after, last)]
    if [entry.sequence for entry in found] != list(range(after + 1, last + 1)):
        raise damaged()
    return found


def chained(rows: Rows, keyring: Keyring) -> Iterator[Link]:
    """Every line from the first to the one that the sealed state names, along the recomputed chain.

    Raises:
        VaultDamaged: a line was changed, dropped, added or put elsewhere.
    """
    state = _sealed.open_state(keyring, rows.state())
    chain, sequence = _sealed.GENESIS, 0
    for row in rows.all_log():
        sequence += 1
        entry, plain, written = _sealed.open_log(keyring, row)
        chain = _crypto.mac(keyring.current.chain, chain + plain)
        if row.sequence != sequence or not _crypto.same(chain, written):
            raise damaged()
        yield Link(row, entry, chain)
    if sequence != state.sequence or not _crypto.same(chain, state.chain):
        raise damaged()


def verify(rows: Rows, keyring: Keyring, anchor: AuditHead | None) -> AuditHead:
    """Follow the whole chain, and compare it with an anchor on the way.

    Raises:
        VaultDamaged: it is not whole, or does not continue what the anchor was taken from.
    """
    met = anchor is None
    newest = None
    for newest in chained(rows, keyring):
        if anchor is not None and newest.entry.sequence == anchor.sequence:
            met = _crypto.same(newest.chain, bytes.fromhex(anchor.chain))
    if newest is None:  # pragma: no cover - opening has seen the first line
        raise damaged()
    if anchor is not None and not met:
        raise _not_continued(anchor)
    return AuditHead(newest.entry.sequence, newest.chain.hex())


def check_anchor(rows: Rows, keyring: Keyring, anchor: AuditHead) -> None:
    """Compare the one line that an anchor was taken at; the state and the newest line were checked before.

    Raises:
        VaultDamaged: the vault does not continue what the anchor was taken from.
    """
    row = rows.log(anchor.sequence)
    if row is None or not _crypto.same(_sealed.open_log(keyring, row)[2], bytes.fromhex(anchor.chain)):
        raise _not_continued(anchor)


def _not_continued(anchor: AuditHead) -> VaultDamaged:
    return VaultDamaged(
        f"The audit trail does not continue what the anchor was taken from: its line {anchor.sequence} "
        "is another or missing.",
        advice="An older copy was put in the vault's place, or the anchor is another vault's.",
    )
