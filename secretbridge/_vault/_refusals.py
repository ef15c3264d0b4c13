"""What the vault answers when it will not: one sentence each, with what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge.errors import (
    Conflict,
    InvalidRequest,
    SecretExists,
    SecretExpired,
    SecretLocked,
    SecretNotFound,
    ValueNotTold,
    VaultDamaged,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from secretbridge._vault._records import Record

_PROVIDER: Final = "local"


def not_found(operation: str, name: str | None, id_: str | None) -> SecretNotFound:
    """There is no such secret in this environment."""
    which = f"named {name!r}" if name is not None else f"with the id {id_}"
    return SecretNotFound(
        f"There is no secret {which} in this environment of the vault.",
        advice="List the secrets to see what is there.",
        provider=_PROVIDER,
        operation=operation,
    )


def inactive(record: Record) -> SecretNotFound:
    """There is one, and it is not handed out."""
    return SecretNotFound(
        f"The secret {record.name!r} is there but inactive.",
        advice="Activate it with update_secret(active=True).",
        provider=_PROVIDER,
        operation="get",
    )


def expired(record: Record) -> SecretExpired:
    """There is one, and its time has passed."""
    return SecretExpired(
        f"The secret {record.name!r} expired at {record.expires_at:%Y-%m-%dT%H:%M:%SZ}.",
        advice="Renew it with update_secret(expires_at=...), or clear the expiry with None.",
    )


def exists(operation: str, name: str) -> SecretExists:
    """The name is taken."""
    return SecretExists(
        f"There is a secret named {name!r} already; it may be inactive or expired.",
        advice="Change it with update_secret, or replace it with put_secret.",
        provider=_PROVIDER,
        operation=operation,
    )


def not_deleted(name: str) -> SecretExists:
    """There is nothing to bring back."""
    return SecretExists(
        f"The secret {name!r} is not deleted.",
        advice="For the content of an older version, use restore().",
        provider=_PROVIDER,
        operation="undelete",
    )


def not_purgeable(name: str) -> SecretExists:
    """Only what is deleted is removed for good."""
    return SecretExists(
        f"The secret {name!r} is not deleted, so it is not removed for good.",
        advice="Delete it first, or ask for older_versions=True alone.",
        provider=_PROVIDER,
        operation="purge",
    )


def still_deleted(name: str) -> SecretNotFound:
    """What is deleted has no newest content that an older one could take the place of."""
    return SecretNotFound(
        f"The secret {name!r} is deleted in this environment of the vault.",
        advice="Use undelete() first; restore() then reaches every version before it.",
        provider=_PROVIDER,
        operation="restore",
    )


def no_version(operation: str, name: str, number: int) -> SecretNotFound:
    """The secret is there, the version is not."""
    return SecretNotFound(
        f"The secret {name!r} has no version {number} in this environment of the vault.",
        advice="See history() for those it has.",
        provider=_PROVIDER,
        operation=operation,
    )


def nothing_then(name: str, number: int) -> ValueNotTold:
    """The version is one that took the value away."""
    return ValueNotTold(
        f"Version {number} of the secret {name!r} took it away and holds no value.",
        advice="See history() for the version before it.",
    )


def dropped(name: str, number: int) -> ValueNotTold:
    """The version was there, and what it held is gone for good."""
    return ValueNotTold(
        f"What version {number} of the secret {name!r} held was dropped by retention or purge().",
        advice="See history() for the versions that are still kept, or look into a backup.",
    )


def locked(operation: str, record: Record) -> SecretLocked:
    """It is protected."""
    return SecretLocked(
        f"The secret {record.name!r} is protected and accepts no changes.",
        advice="Unprotect it first with update_secret(protected=False), and nothing else in that call.",
        provider=_PROVIDER,
        operation=operation,
    )


def conflict(record: Record, asked: int) -> Conflict:
    """It is at another version than the caller thinks."""
    error = Conflict(
        f"The secret {record.name!r} is at version {record.version}, not {asked}.",
        advice="Read it again and decide anew.",
        provider=_PROVIDER,
        operation="update",
    )
    error.current_version = record.version
    return error


def unknown_environment(environment: str, known: Iterable[str]) -> InvalidRequest:
    """The set of environments is closed."""
    problem = f"the vault has no environment {environment!r}"
    return InvalidRequest(violations=[Violation("environment", problem, f"one of {', '.join(known)}")])


def vault_missing(path: Path) -> VaultDamaged:
    """A vault that is expected to have a past is not there: none is created in its place."""
    return VaultDamaged(
        f"There is no vault {path}, and an audit head of it is expected.",
        advice="Put the vault back, or leave expect_head out to create a new one.",
    )


def cursor(after: str) -> bytes:
    """The place that a cursor stands for.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        return bytes.fromhex(after)
    except ValueError:
        pass
    raise InvalidRequest(violations=[Violation("after", "not a cursor of this vault", "take it from a page")])
