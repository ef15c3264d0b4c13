"""Everything that secretbridge raises.

::

    SecretBridgeError            .applied  .transient  .retry_after  .advice
      InvalidRequest(ValueError)     refused here, before anything was sent; .violations lists all of them
        UnsupportedField             this provider has no such field, or cannot clear or change it
        UnsupportedOperation         this provider has no such operation
      ValueNotTold(LookupError)      the provider did not tell the value of this secret
      TransportError                 no complete answer came
        NotSent                      the request never went out
        NoReply                      it went out, or may have, and the answer did not arrive
      UnexpectedReply                an answer of success, but not of the documented shape
        Unverified                   accepted, yet not confirmed
      WrongAddress                   what answered is not this API
      ProviderError                  .provider .operation .status .code .request_id .violations
        AuthenticationError          the credential is not accepted
        PermissionDenied             the credential is accepted and may not do this
        SecretNotFound(LookupError)  no secret of this name or id
        SecretExists                 the name is taken
        AmbiguousSecret(LookupError) several secrets bear the name; .ids
        Conflict                     a compare-and-set lost; .current_version
        SecretProtected              the secret does not accept changes
        Rejected                     the provider refused the request's content
        QuotaExceeded                no room left at the provider
        RateLimited                  too many requests
        ProviderUnavailable          the provider failed or is down
      VaultError                     the local vault
        VaultLocked                  no key fits
        VaultDamaged                 the vault's contents are not what was written
        VaultBusy                    another process held the vault too long
        VaultReadOnly                the vault cannot be written
        VaultFull                    no room left on the disk
        SecretExpired(LookupError)   the secret's expiry has passed
        SecretLocked                 the secret is protected; also a SecretProtected
        GrantMissing                 a permission is not held; also a PermissionDenied
        NotEnvironmentSpecific       the secret is shared, and this account changes no shared ones
        OutOfScope                   the account is not for this environment
        AccountExpired               the account's time has passed
      RotationIncomplete             a rotation did not come to its end; .run_id .step .results
      MigrationError               a migration
        PlanStale                    an end has moved since the plan was made; .moved
        PlanRefused                  the plan refuses something, and nothing was written; .refused
        JournalMismatch              the journal is not the one that was written, or of another plan
        JournalFailed                the journal cannot be written
        RunBusy                      another process works on this run or on one of its stores
        MigrationIncomplete          not everything was done; .run
      PartialUpdate                  a change in many places was not made in all of them; .results

``applied`` answers the question that matters after a failure: did the change happen?
``False`` it did not, ``True`` it did (what failed came after it), ``None`` it is not known.
``transient`` says whether the same call may work later.

No error holds a request, a reply or a secret's value, and none is chained to an exception that does.
Every error can be pickled.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from secretbridge._unset import UNSET, Unset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from secretbridge._everywhere_results import EverywhereResult
    from secretbridge.migrate._result import Run

__all__ = [
    "AccountExpired",
    "AmbiguousSecret",
    "AuthenticationError",
    "Conflict",
    "GrantMissing",
    "InvalidRequest",
    "JournalFailed",
    "JournalMismatch",
    "MigrationError",
    "MigrationIncomplete",
    "NoReply",
    "NotEnvironmentSpecific",
    "NotSent",
    "OutOfScope",
    "PartialUpdate",
    "PermissionDenied",
    "PlanRefused",
    "PlanStale",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Rejected",
    "RotationIncomplete",
    "RunBusy",
    "SecretBridgeError",
    "SecretExists",
    "SecretExpired",
    "SecretLocked",
    "SecretNotFound",
    "SecretProtected",
    "TransportError",
    "UnexpectedReply",
    "UnsupportedField",
    "UnsupportedOperation",
    "Unverified",
    "ValueNotTold",
    "VaultBusy",
    "VaultDamaged",
    "VaultError",
    "VaultFull",
    "VaultLocked",
    "VaultReadOnly",
    "Violation",
    "WrongAddress",
]


class Violation(NamedTuple):
    """One thing wrong with a request: the field, what is wrong, and what to do instead."""

    field: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.field}: {self.problem}" if self.field else self.problem
        return f"{text} ({self.remedy})" if self.remedy else text


class SecretBridgeError(Exception):
    """Base of all errors of this package.

    Attributes:
        applied: whether the change was made: True, False, or None where that is not known.
        transient: whether the same call may succeed later.
        retry_after: seconds the provider asked to wait, or None.
        advice: what to do next, in one sentence; empty where there is nothing to add.
    """

    applied: bool | None = False
    transient: bool = False
    retry_after: float | None = None
    advice: str = ""

    def __init__(
        self,
        message: str = "",
        *,
        advice: str | None = None,
        applied: bool | Unset | None = UNSET,
        transient: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if advice is not None:
            self.advice = advice
        if not isinstance(applied, Unset):
            self.applied = applied
        if transient is not None:
            self.transient = transient
        if retry_after is not None:
            self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".rstrip() if self.advice else self.message

    def __reduce__(self) -> tuple[Callable[..., SecretBridgeError], tuple[object, ...]]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def _rebuild(
    cls: type[SecretBridgeError], message: str, attributes: Mapping[str, object]
) -> SecretBridgeError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(attributes)
    return error


class InvalidRequest(SecretBridgeError, ValueError):
    """The call asks for what cannot be done; nothing was sent.

    Attributes:
        violations: everything that is wrong with the call, not only the first thing.
    """

    violations: tuple[Violation, ...] = ()

    def __init__(self, message: str = "", *, violations: Iterable[Violation] = (), advice: str = "") -> None:
        self.violations = tuple(violations)
        listed = "; ".join(map(str, self.violations))
        super().__init__(": ".join(filter(None, (message, listed))), advice=advice)


class UnsupportedField(InvalidRequest):
    """The provider has no such field, or cannot clear or change it."""


class UnsupportedOperation(InvalidRequest):
    """The provider has no such operation."""


class ValueNotTold(SecretBridgeError, LookupError):
    """The provider did not tell the value of this secret."""


class TransportError(SecretBridgeError):
    """No complete answer came."""


class NotSent(TransportError):
    """The request never went out."""

    transient = True


class NoReply(TransportError):
    """The request went out, or may have, and no complete answer arrived."""

    applied: bool | None = None
    transient = True


class UnexpectedReply(SecretBridgeError):
    """An answer of success, but not of the documented shape.

    Attributes:
        status: the HTTP status, or None.
    """

    applied: bool | None = None
    status: int | None = None

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        advice: str | None = None,
        applied: bool | None = None,
    ) -> None:
        super().__init__(message, advice=advice, applied=applied)
        self.status = status


class Unverified(UnexpectedReply):
    """The provider accepted the change and nothing confirms that it was made."""


class WrongAddress(SecretBridgeError):
    """What answered is not this API: a configuration error.

    Attributes:
        status: the HTTP status, or None.
    """

    status: int | None = None

    def __init__(self, message: str = "", *, status: int | None = None, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.status = status


class ProviderError(SecretBridgeError):
    """The provider answered with an error.

    Attributes:
        provider: the provider's short name, such as ``"wix"``.
        operation: the operation, such as ``"update"``.
        status: the HTTP status, or None for a store without HTTP.
        code: the vendor's own error code, or None.
        request_id: the vendor's id of the request, or None.
        violations: the fields the vendor named, without their values.
    """

    provider: str = ""
    operation: str = ""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    violations: tuple[Violation, ...] = ()

    def __init__(
        self,
        message: str = "",
        *,
        provider: str = "",
        operation: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        violations: Iterable[Violation] = (),
        advice: str | None = None,
        applied: bool | Unset | None = UNSET,
        transient: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message, advice=advice, applied=applied, transient=transient, retry_after=retry_after
        )
        self.provider = provider
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.violations = tuple(violations)


class AuthenticationError(ProviderError):
    """The credential is missing, wrong or expired."""


class PermissionDenied(ProviderError):
    """The credential is accepted and may not do this."""


class SecretNotFound(ProviderError, LookupError):
    """No secret of this name or id."""


class SecretExists(ProviderError):
    """A secret of this name is there already."""


class AmbiguousSecret(ProviderError, LookupError):
    """Several secrets bear this name.

    Attributes:
        ids: the ids of all of them; name one with ``id=``.
    """

    ids: tuple[str, ...] = ()


class Conflict(ProviderError):
    """A compare-and-set lost: the secret is not at the version that was asked for.

    Attributes:
        current_version: the version it is at, or None where it is not known.
    """

    current_version: int | None = None


class SecretProtected(ProviderError):
    """The secret does not accept changes."""


class Rejected(ProviderError):
    """The provider refused the content of the request."""


class QuotaExceeded(ProviderError):
    """The provider has no room left for this account."""


class RateLimited(ProviderError):
    """Too many requests; ``retry_after`` says for how long, where the provider does."""

    transient = True


class ProviderUnavailable(ProviderError):
    """The provider failed or is down."""

    applied: bool | None = None
    transient = True


class VaultError(SecretBridgeError):
    """The local vault could not do what was asked."""


class VaultLocked(VaultError):
    """No key fits: the passphrase or the key file is not this vault's."""


class VaultDamaged(VaultError):
    """The vault's contents are not what was written: damaged, exchanged, or not a vault."""


class VaultBusy(VaultError):
    """Another process held the vault for longer than we wait."""

    transient = True


class VaultReadOnly(VaultError):
    """The vault cannot be written here."""


class VaultFull(VaultError):
    """No room is left for the vault."""


class SecretExpired(VaultError, LookupError):
    """The secret is there and its expiry has passed."""


class SecretLocked(VaultError, SecretProtected):
    """The secret is protected in the local vault and accepts no change but ``protected=False``.

    Attributes:
        also: what else stood in the way of a service account's update, in the order of checking.
    """

    also: tuple[VaultError, ...] = ()


class GrantMissing(VaultError, PermissionDenied):
    """Whoever opened the vault does not hold the permission that this needs.

    Attributes:
        permissions: any one of these would do.
        also: what else stood in the way of a service account's update, in the order of checking.
    """

    permissions: tuple[str, ...] = ()
    also: tuple[VaultError, ...] = ()


class NotEnvironmentSpecific(VaultError, PermissionDenied):
    """The secret has one value for all environments, and a service account changes none of these.

    Attributes:
        also: what else stood in the way of a service account's update, in the order of checking.
    """

    also: tuple[VaultError, ...] = ()


class OutOfScope(VaultError, PermissionDenied):
    """The account is not for this environment, or the change would reach beyond those that it is for."""


class AccountExpired(VaultError, AuthenticationError):
    """The time of the account that the vault was opened by has passed."""


class PartialUpdate(SecretBridgeError):
    """A change in many places was not made in all of them.

    ``applied`` is False where it is in effect nowhere, and else None: made in some places, or not known.

    Attributes:
        results: what came of it in each target.
    """

    applied: bool | None = None

    def __init__(
        self,
        message: str = "",
        *,
        results: EverywhereResult,
        advice: str | None = None,
        applied: bool | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message, advice=advice, applied=applied, transient=transient)
        self.results = results


class RotationIncomplete(SecretBridgeError):
    """A rotation did not come to its end; what was done is in its journal, and it can be gone on with.

    Attributes:
        run_id: the run, for ``resume_rotation``.
        step: what failed: ``"obtain"``, ``"write"`` or ``"revoke"``.
        results: what came of the writing in each target, or None before it.
    """

    applied: bool | None = None

    def __init__(
        self,
        message: str = "",
        *,
        run_id: str,
        step: str,
        results: EverywhereResult | None = None,
        applied: bool | None = None,
    ) -> None:
        super().__init__(message, advice=f"resume_rotation({run_id!r}, …) goes on with it.", applied=applied)
        self.run_id = run_id
        self.step = step
        self.results = results


class MigrationError(SecretBridgeError):
    """A migration could not do what was asked."""


class PlanStale(MigrationError):
    """One end has moved since the plan was made; nothing was written.

    Attributes:
        moved: what has changed, one sentence each.
    """

    moved: tuple[str, ...] = ()


class PlanRefused(MigrationError):
    """The plan refuses some of its secrets; nothing was written.

    Attributes:
        refused: name at the source -> why.
    """

    refused: Mapping[str, str] = MappingProxyType({})


class JournalMismatch(MigrationError):
    """The journal is not there, of another plan or version, or not as it was written; nothing was done."""


class JournalFailed(MigrationError):
    """The journal cannot be written; what stands in it is kept, and the run can be resumed."""


class RunBusy(MigrationError):
    """Another process works on this run, or on one of its stores; nothing was done."""

    transient = True


class MigrationIncomplete(MigrationError):
    """Not everything was done, and what was done is in the journal.

    Attributes:
        run: the run as it stands, secret by secret.
    """

    applied: bool | None = None
    run: Run | None = None
