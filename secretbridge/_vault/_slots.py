"""The table of slots, changed inside a transaction: who has a way into the vault."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from secretbridge._trail import SlotInfo
from secretbridge._vault import _crypto
from secretbridge._vault._crypto import damaged
from secretbridge._vault._keys import root_replaced
from secretbridge._vault._openers import KINDS, OWNER
from secretbridge.errors import InvalidRequest, VaultError, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._openers import Opener, Slot
    from secretbridge._vault._rows import Rows

#: Characters of a label.
LONGEST_LABEL: Final = 100

_UNLABELLED: Final = re.compile(f"(?:{'|'.join(KINDS.values())}) [0-9]+")
_NOT_SHOWN: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class SlotNeeded(VaultError):
    """The vault does not give up a slot: the owner's last one, or one whose loss nobody consented to."""


def name_of(slot: Slot) -> str:
    """What a slot is called: its label, or its kind and number."""
    return slot.label or f"{KINDS.get(slot.kind, f'kind {slot.kind}')} {slot.number}"


def told(slot: Slot) -> SlotInfo:
    """A slot in the words of the public face."""
    return SlotInfo(
        number=slot.number,
        kind=KINDS.get(slot.kind, f"kind {slot.kind}"),
        label=name_of(slot),
        principal=slot.principal.hex() if slot.principal != OWNER else None,
    )


def label_violations(label: object) -> list[Violation]:
    """Find what is wrong with a label that a caller gave."""
    if not isinstance(label, str):
        return [Violation("label", "is not a text", "give a few words, or leave it out")]
    if len(label) > LONGEST_LABEL:
        return [Violation("label", f"has {len(label)} characters", f"at most {LONGEST_LABEL}")]
    if _NOT_SHOWN.search(label):
        return [Violation("label", "holds a character that is not shown", "give a few words")]
    if _UNLABELLED.fullmatch(label):
        # Slots without a label are called so; one of that number could not be added any more.
        return [Violation("label", "is what a slot without a label is called", "give other words")]
    return []


def checked(rows: Rows, keyring: Keyring) -> tuple[Slot, ...]:
    """The slots as they are in the transaction.

    Raises:
        VaultLocked: the vault has another root key by now.
        VaultDamaged: they are not what was written.
    """
    slots, vault = rows.slots(), rows.vault()
    if vault is None:
        raise damaged()
    if not _crypto.same(keyring.slot_mac(slots), vault[2]):  # what is in the column is checked there
        epoch = keyring.current.epoch
        if not keyring.opens(epoch, rows.data_keys().get(epoch)):
            raise root_replaced()
        raise damaged()
    return slots


def find(slots: Sequence[Slot], which: int | str) -> Slot:
    """The slot of this number or label.

    Raises:
        InvalidRequest: there is none.
    """
    for slot in slots:
        if which in {slot.number, name_of(slot)}:
            return slot
    known = ", ".join(f"{slot.number} ({name_of(slot)})" for slot in slots)
    raise InvalidRequest(violations=[Violation("slot", f"there is none {which!r}", f"one of {known}")])


def add(rows: Rows, keyring: Keyring, opener: Opener, *, label: str = "", principal: bytes = OWNER) -> Slot:
    """A new slot. ``opener.prepare()`` before the transaction keeps its KDF out of it.

    Args:
        rows: the transaction's rows.
        keyring: the vault's keys.
        opener: what the slot is for.
        label: what it is called, unique; shown in the clear in the file.
        principal: whose slot it is.

    Raises:
        InvalidRequest: another slot is called so.
    """
    slots = checked(rows, keyring)
    number = max((slot.number for slot in slots), default=0) + 1
    slot = opener.new_slot(keyring.vault, keyring.root, number=number, label=label, principal=principal)
    for other in slots:
        if name_of(other) == name_of(slot):
            taken = f"{name_of(slot)!r} is that of slot {other.number}"
            raise InvalidRequest(violations=[Violation("label", taken, "give another")])
    rows.insert_slot(slot)
    _bind(rows, keyring)
    return slot


def removable(rows: Rows, keyring: Keyring, which: int | str) -> Slot:
    """Give a slot that can be taken away.

    Raises:
        InvalidRequest: there is none of this number or label.
        SlotNeeded: it is the last one of the vault's owner.
    """
    slots = checked(rows, keyring)
    slot = find(slots, which)
    if slot.principal == OWNER and sum(each.principal == OWNER for each in slots) == 1:
        raise SlotNeeded(
            f"Slot {slot.number} ({name_of(slot)}) is the last one of the vault's owner: without it nobody "
            "could open the vault as its owner again.",
            advice="Add another slot first, or change this one.",
        )
    return slot


def remove(rows: Rows, keyring: Keyring, which: int | str) -> Slot:
    """Take a slot away; raises as :func:`removable` does."""
    slot = removable(rows, keyring, which)
    rows.delete_slot(slot.number)
    _bind(rows, keyring)
    return slot


def remove_of(rows: Rows, keyring: Keyring, principal: bytes) -> tuple[Slot, ...]:
    """Take all slots of a principal away; the owner's stay."""
    mine = tuple(slot for slot in checked(rows, keyring) if slot.principal == principal != OWNER)
    for slot in mine:
        rows.delete_slot(slot.number)
    _bind(rows, keyring)
    return mine


def change(rows: Rows, keyring: Keyring, which: int | str, opener: Opener) -> Slot:
    """Put another credential into a slot; its number, its label and whose it is stay.

    Raises:
        InvalidRequest: there is none of this number or label.
    """
    old = find(checked(rows, keyring), which)
    slot = opener.new_slot(
        keyring.vault, keyring.root, number=old.number, label=old.label, principal=old.principal
    )
    replace(rows, keyring, [slot])
    return slot


def replace(rows: Rows, keyring: Keyring, slots: Sequence[Slot]) -> None:
    """These slots in place of those of the same numbers."""
    for slot in slots:
        rows.delete_slot(slot.number)
        rows.insert_slot(slot)
    _bind(rows, keyring)


def _bind(rows: Rows, keyring: Keyring) -> None:
    rows.save_slot_mac(keyring.slot_mac(rows.slots()))
