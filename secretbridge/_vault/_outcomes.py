"""How an operation ended, as the audit trail numbers and words it. Append only."""

from __future__ import annotations

from typing import Final

from secretbridge._vault import _records
from secretbridge._vault._keys import RootReplaced
from secretbridge._vault._slots import SlotNeeded
from secretbridge.errors import (
    AccountExpired,
    Conflict,
    GrantMissing,
    InvalidRequest,
    NotEnvironmentSpecific,
    OutOfScope,
    SecretBridgeError,
    SecretExists,
    SecretExpired,
    SecretLocked,
    SecretNotFound,
    ValueNotTold,
    VaultLocked,
)

#: A credential to keep under a new root key opens no slot; by its class it would be an account removed.
WRONG_CREDENTIAL: Final = 15

#: What the vault answers when it decided against: everything else is a failure and no decision.
_REFUSALS: Final[tuple[tuple[type[SecretBridgeError], int, str], ...]] = (
    (SecretNotFound, 1, "not found"),
    (SecretExists, 2, "exists"),
    (SecretLocked, 3, "protected"),
    (Conflict, 4, "conflict"),
    (GrantMissing, 5, "grant missing"),
    (NotEnvironmentSpecific, 6, "not environment-specific"),
    (OutOfScope, 7, "out of scope"),
    (AccountExpired, 8, "account expired"),
    (RootReplaced, 13, "root key replaced"),
    (VaultLocked, 9, "account removed"),
    (SecretExpired, 10, "expired"),
    (ValueNotTold, 11, "no value"),
    (InvalidRequest, 12, "invalid"),
    (SlotNeeded, 14, "slot needed"),
)
REFUSALS: Final[tuple[type[SecretBridgeError], ...]] = tuple(kind for kind, _, _ in _REFUSALS)
#: Refused to whoever asked: in the trail whether reads are audited or not.
DENIALS: Final = (GrantMissing, OutOfScope, AccountExpired, VaultLocked)
_WORDS: Final = {number: word for _, number, word in _REFUSALS} | {
    _records.DONE: "done",
    WRONG_CREDENTIAL: "wrong credential",
}


def number(refusal: SecretBridgeError) -> int:
    """The outcome that this refusal is."""
    return next(number for kind, number, _ in _REFUSALS if isinstance(refusal, kind))


def word(outcome: int) -> str:
    """An outcome as a word."""
    return _WORDS.get(outcome, f"outcome {outcome}")
