"""The slots of the embedded vault: who has a way into it. Both faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from secretbridge._credentials import KINDS, AccountKey
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._credentials import Credential
    from secretbridge._trail import SlotInfo
    from secretbridge._vault._administered import AdministeredVault

__all__ = ["AsyncSlots", "Slots"]

T = TypeVar("T")


class Slots:
    """The ways into a vault, one per credential: each wraps the same root key. Reached by ``vault.slots``.

    A change holds from then on; whoever has the vault open keeps it open. Taking a slot away does not revoke
    what its credential could read: ``rotate_root()`` and ``rekey()`` together do.
    """

    __slots__ = ("_vault",)

    def __init__(self, vault: Callable[[], AdministeredVault]) -> None:
        self._vault = vault

    def list(self) -> list[SlotInfo]:
        """Give the slots by number; nothing in them is secret.

        Raises:
            VaultDamaged: the table of slots is not what was written.
            VaultLocked: the vault's root key was replaced since it was opened here.
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().slots()

    def add(self, credential: Credential, label: str = "") -> SlotInfo:
        """Add a way into the vault; what opens it already stays.

        Args:
            credential: a Passphrase (costs one key derivation), KeyFile (created if absent), EnvironmentKey,
                KeyringKey or ExternalKey.
            label: what the slot is called, at most 100 characters; stored in the clear.

        Raises:
            InvalidRequest: the credential is an account's or none, or the label is malformed or taken.
            VaultLocked: there is no key where the credential says, or the vault's root key was replaced.
            VaultError: the key wrapper or the keyring failed, or the vault cannot be opened or written.
        """
        from secretbridge._vault._slots import label_violations

        _refuse(_credential(credential) + label_violations(label))
        return self._vault().add_slot(credential, label)

    def change(self, slot: int | str, credential: Credential) -> SlotInfo:
        """Put another credential into a slot, such as a new passphrase; costs one key derivation at most.

        Args:
            slot: its number or label; both stay.
            credential: as for :meth:`add`.

        Raises:
            InvalidRequest: there is no such slot, or the credential is an account's or none.
            VaultLocked: there is no key where the credential says, or the vault's root key was replaced.
            VaultError: the key wrapper or the keyring failed, or the vault cannot be opened or written.
        """
        _refuse(_slot(slot) + _credential(credential))
        return self._vault().change_slot(slot, credential)

    def remove(self, slot: int | str, *, dry_run: bool = False) -> SlotInfo:
        """Take a way into the vault away.

        Args:
            slot: its number or label.
            dry_run: take nothing away, and give the slot that would be.

        Raises:
            InvalidRequest: there is no such slot.
            VaultLocked: the vault's root key was replaced since it was opened here.
            VaultError: it is the last one of the vault's owner, or the vault cannot be opened or written.
        """
        _refuse(_slot(slot))
        return self._vault().remove_slot(slot, dry_run=bool(dry_run))


class AsyncSlots:
    """The ways into a vault, one per credential: each wraps the same root key. Reached by ``vault.slots``.

    A change holds from then on; whoever has the vault open keeps it open. Taking a slot away does not revoke
    what its credential could read: ``rotate_root()`` and ``rekey()`` together do.
    """

    __slots__ = ("_blocking",)

    def __init__(self, blocking: Slots) -> None:
        self._blocking = blocking

    async def list(self) -> list[SlotInfo]:
        """Give the slots by number; nothing in them is secret.

        Raises:
            VaultDamaged: the table of slots is not what was written.
            VaultLocked: the vault's root key was replaced since it was opened here.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(self._blocking.list)

    async def add(self, credential: Credential, label: str = "") -> SlotInfo:
        """Add a way into the vault; what opens it already stays.

        Args:
            credential: a Passphrase (costs one key derivation), KeyFile (created if absent), EnvironmentKey,
                KeyringKey or ExternalKey.
            label: what the slot is called, at most 100 characters; stored in the clear.

        Raises:
            InvalidRequest: the credential is an account's or none, or the label is malformed or taken.
            VaultLocked: there is no key where the credential says, or the vault's root key was replaced.
            VaultError: the key wrapper or the keyring failed, or the vault cannot be opened or written.
        """
        return await _in_thread(partial(self._blocking.add, credential, label))

    async def change(self, slot: int | str, credential: Credential) -> SlotInfo:
        """Put another credential into a slot, such as a new passphrase; costs one key derivation at most.

        Args:
            slot: its number or label; both stay.
            credential: as for :meth:`add`.

        Raises:
            InvalidRequest: there is no such slot, or the credential is an account's or none.
            VaultLocked: there is no key where the credential says, or the vault's root key was replaced.
            VaultError: the key wrapper or the keyring failed, or the vault cannot be opened or written.
        """
        return await _in_thread(partial(self._blocking.change, slot, credential))

    async def remove(self, slot: int | str, *, dry_run: bool = False) -> SlotInfo:
        """Take a way into the vault away.

        Args:
            slot: its number or label.
            dry_run: take nothing away, and give the slot that would be.

        Raises:
            InvalidRequest: there is no such slot.
            VaultLocked: the vault's root key was replaced since it was opened here.
            VaultError: it is the last one of the vault's owner, or the vault cannot be opened or written.
        """
        return await _in_thread(partial(self._blocking.remove, slot, dry_run=dry_run))


def kept_violations(keep: object) -> list[Violation]:
    """Find what is wrong with the credentials that a new root key is made for."""
    if isinstance(keep, (str, bytes)) or not isinstance(keep, Sequence) or not keep:
        return [Violation("keep", "is no list of credentials, or empty", "give those that stay")]
    if all(isinstance(each, KINDS) for each in cast("Sequence[object]", keep)):  # of unknown content
        return []
    return [Violation("keep", "holds what is no credential", "for example Passphrase(...) or KeyFile(...)")]


def consent_violations(consent: object) -> list[Violation]:
    """Find what is wrong with the names of the slots that may be dropped."""
    if isinstance(consent, (str, bytes)) or not isinstance(consent, Sequence):
        return [Violation("consent", "is no list of slots", "give their numbers or labels")]
    return [wrong for each in cast("Sequence[object]", consent) for wrong in _slot(each)]  # as above


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)


def _credential(given: object) -> list[Violation]:
    if isinstance(given, AccountKey):
        return [Violation("credential", "is an account's key", "accounts get their slots with their keys")]
    if not isinstance(given, KINDS):
        return [Violation("credential", "is none", "for example Passphrase(...) or KeyFile(...)")]
    return []


def _slot(given: object) -> list[Violation]:
    if isinstance(given, bool) or not isinstance(given, (int, str)) or not given:
        return [Violation("slot", "is neither a number nor a label", "take it from slots.list()")]
    return []


async def _in_thread(work: Callable[[], T]) -> T:
    from anyio import to_thread

    return await to_thread.run_sync(work)
