"""What the vault answers when it will not: one sentence each, with what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secretbridge._vault import _records
from secretbridge.errors import (
    AccountExpired,
    Conflict,
    GrantMissing,
    InvalidRequest,
    NotEnvironmentSpecific,
    OutOfScope,
    SecretExists,
    SecretExpired,
    SecretLocked,
    SecretNotFound,
    ValueNotTold,
    VaultDamaged,
    VaultLocked,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from secretbridge._vault._permissions import Rights
    from secretbridge._vault._records import Record
    from secretbridge.errors import VaultError

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
        advice="Unprotect it first with update_secret(protected=False), and nothing else in that call; that "
        "takes the permission to administer.",
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


def unknown_environment(known: Iterable[str]) -> InvalidRequest:
    """The set of environments is closed."""
    # Not repeated: what stands in a variable or a file by mistake may be a secret.
    problem = "the vault has no environment of this name"
    return InvalidRequest(violations=[Violation("environment", problem, f"one of {', '.join(known)}")])


def vault_missing(location: object) -> VaultDamaged:
    """A vault that is expected to have a past is not there: none is created in its place."""
    return VaultDamaged(
        f"There is no vault {location}, and an audit head of it is expected.",
        advice="Put the vault back, or leave expect_head out to create a new one.",
    )


def none_made_by_account(location: object) -> VaultLocked:
    """There is no vault, and whoever asks is nobody who could make one."""
    return VaultLocked(
        f"There is no vault {location}, and the key of an account makes none.",
        advice="Check the place, or create the vault with another credential first.",
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


# Who may do what


def removed() -> VaultLocked:
    """Whoever opened the vault is no principal of it any more."""
    return VaultLocked(
        "The account that this vault was opened by was removed from it.",
        advice="Ask an administrator of the vault for another one.",
    )


def account_expired(rights: Rights, operation: str) -> AccountExpired:
    """Its time has passed."""
    until = _records.moment(rights.expires_at or 0)
    return AccountExpired(
        f"The account {rights.name!r} of the vault expired at {until:%Y-%m-%dT%H:%M:%SZ}.",
        advice="An administrator gives it more time with vault.principals.set_expiry().",
        provider=_PROVIDER,
        operation=operation,
    )


def out_of_scope(rights: Rights, operation: str) -> OutOfScope:
    """It is not for the environment that it connected to."""
    return OutOfScope(
        f"The account {rights.name!r} of the vault is not for this environment.",
        advice="Connect to one of its own, or have an administrator widen them with "
        "vault.principals.set_environments().",
        provider=_PROVIDER,
        operation=operation,
    )


def beyond_scope(rights: Rights, operation: str, name: str) -> OutOfScope:
    """The change would be one in environments that it is not for."""
    return OutOfScope(
        f"The secret {name!r} is shared by all environments, and the account {rights.name!r} is not for all.",
        advice="Have somebody change it who is, or make it environment-specific with vault.unshare().",
        provider=_PROVIDER,
        operation=operation,
    )


def was_shared(rights: Rights, operation: str, name: str) -> OutOfScope:
    """Beginning the name anew would part what all environments can undelete together."""
    return OutOfScope(
        f"The secret {name!r} was shared by all environments when it was deleted, and the account "
        f"{rights.name!r} is not for all.",
        advice=f"Have somebody {operation} it who is, or remove it for good first with vault.purge(..., "
        "deleted=True).",
        provider=_PROVIDER,
        operation=operation,
    )


def grant_missing(rights: Rights, operation: str, any_of: Iterable[str], name: str | None) -> GrantMissing:
    """It does not hold what this needs."""
    permissions = tuple(any_of)
    which = f" {name!r}" if name is not None else ""
    error = GrantMissing(
        f"The account {rights.name!r} of the vault may not {operation}{which}: it lacks "
        f"{' or '.join(permissions)}.",
        advice=f"An administrator gives it with vault.principals.grant({rights.name!r}, "
        f"{permissions[-1]!r}).",
        provider=_PROVIDER,
        operation=operation,
    )
    error.permissions = permissions
    return error


def not_specific(rights: Rights, operation: str, name: str) -> NotEnvironmentSpecific:
    """A service account would change what is shared."""
    return NotEnvironmentSpecific(
        f"The secret {name!r} is shared by all environments, and the service account {rights.name!r} changes "
        "environment-specific ones only.",
        advice="Give each environment a value of its own with vault.unshare().",
        provider=_PROVIDER,
        operation=operation,
    )


def together(missing: Sequence[VaultError]) -> VaultError:
    """The first of these refusals, telling of all of them."""
    first, *others = missing
    if others:
        first.also = tuple(others)  # type: ignore[attr-defined]  # the three classes that come here have it
        first.message = " Also: ".join(each.message for each in missing)
        first.advice = " ".join(each.advice for each in missing)
        first.args = (first.message,)
    return first


def already(name: str, what: str) -> InvalidRequest:
    """There is nothing to switch."""
    return InvalidRequest(violations=[Violation("name", f"the secret {name!r} {what}")])


def would_lose(name: str, environments: Iterable[str]) -> InvalidRequest:
    """Values of other environments differ, and nobody consented to their loss."""
    return InvalidRequest(
        violations=[
            Violation(
                "drop",
                f"the value of {name!r} in {environment} differs and would be lost",
                f"consent with drop=[{environment!r}]; it stays in the history",
            )
            for environment in environments
        ]
    )


def no_service_account(name: str) -> InvalidRequest:
    """Only these have keys that are made here."""
    return InvalidRequest(
        violations=[
            Violation("name", f"{name!r} is a user, who chose a credential", "change it with vault.slots")
        ]
    )
