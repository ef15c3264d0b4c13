"""A new root key: the data keys are wrapped anew, and so are the slots whose credential is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from secretbridge._vault import _crypto, _keys, _records, _slots
from secretbridge._vault._keys import root_replaced
from secretbridge._vault._openers import OWNER
from secretbridge._vault._slots import SlotNeeded
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._vault._change import Change
    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._openers import Opener, Slot


class Plan(NamedTuple):
    """What a rotation will do, made while no lock is held: the key derivations are in it."""

    root: bytes
    before: tuple[Slot, ...]
    kept: tuple[Slot, ...]
    dropped: tuple[Slot, ...]

    def __repr__(self) -> str:
        return "Plan()"  # it holds the root key

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a plan is not pickled: the root key would be in it")


def planned(
    keyring: Keyring, slots: tuple[Slot, ...], keep: Sequence[Opener], consent: Sequence[int | str]
) -> Plan:
    """Which slots go on under a new root key, and which are dropped.

    Raises:
        VaultLocked: a credential to keep opens no slot.
        SlotNeeded: a slot would be dropped without consent, or no slot of the owner would be left.
        InvalidRequest: the consent names a slot that is not there, or one that is kept.
    """
    root = os.urandom(_crypto.KEY_BYTES)
    kept: dict[int, Slot] = {}
    for opener in keep:
        fitting = [slot for slot in slots if opener.fits(keyring.vault, slot) is not None]
        if not fitting:
            raise opener.refusal()
        for slot in fitting:
            kept[slot.number] = opener.new_slot(
                keyring.vault, root, number=slot.number, label=slot.label, principal=slot.principal
            )
    dropped = tuple(slot for slot in slots if slot.number not in kept)
    agreed = {_slots.find(slots, which).number for which in consent}
    if contradicting := agreed & kept.keys():
        named = _named(tuple(slot for slot in slots if slot.number in contradicting))
        raise InvalidRequest(
            violations=[Violation("consent", f"names what is kept: {named}", "give one or the other")]
        )
    if without := tuple(slot for slot in dropped if slot.number not in agreed):
        raise SlotNeeded(
            f"A new root key would drop slots whose credential is not given: {_named(without)}.",
            advice="Give their credentials in keep=, or name them in consent= to drop them.",
        )
    if not any(slot.principal == OWNER for slot in kept.values()):
        raise SlotNeeded(
            "No slot of the vault's owner would be left.", advice="Give a credential of the owner's in keep=."
        )
    return Plan(root, slots, tuple(kept.values()), dropped)


def rotated(change: Change, operation_id: bytes, keyring: Keyring, plan: Plan) -> bool:
    """Do it, unless the slots are not those of the plan any more.

    Raises:
        VaultLocked: somebody else made a new root key meanwhile.
    """
    rows = change.rows
    if _slots.checked(rows, keyring) != plan.before:
        return False
    for epoch, wrapped in rows.data_keys().items():
        if not keyring.opens(epoch, wrapped):
            raise root_replaced()
        rows.save_data_key(epoch, _keys.rewrapped(keyring.vault, keyring.root, plan.root, epoch, wrapped))
    for slot in plan.before:
        rows.delete_slot(slot.number)
    for slot in sorted(plan.kept):
        rows.insert_slot(slot)
    rows.save_slot_mac(_keys.slot_mac(keyring.vault, plan.root, rows.slots()))
    dropped = f"dropped: {_named(plan.dropped)}" if plan.dropped else ""
    change.note(_records.ROOT_ROTATED, operation_id, name=dropped)
    return True


def _named(slots: Sequence[Slot]) -> str:
    return ", ".join(f"{slot.number} ({_slots.name_of(slot)})" for slot in slots)
