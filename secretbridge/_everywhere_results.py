"""What came of one change in many places: a result for each target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.errors import SecretBridgeError

__all__ = [
    "EverywhereResult",
    "Guarantee",
    "LeftOut",
    "NotApplied",
    "Restored",
    "TargetResult",
    "Unknown",
    "Updated",
    "WouldUpdate",
]

#: How a change was made. ``"atomic"``: only if nobody had changed the secret since it was looked at, in one
#: step at the store. ``"checked"``: read back afterwards and found as sent. ``"best-effort"``: acknowledged
#: by the store; a change by somebody else at the same moment would not have been seen.
Guarantee = Literal["atomic", "checked", "best-effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """What every result tells.

    Attributes:
        target: the connection's name, or the store's where a bridge or a provider was given.
        secret: the secret's name there, before the change.
        provider: the short name of the provider, such as ``"wix"``.
        seconds: what the target took in all, looking and restoring included.
    """

    target: str
    secret: str
    provider: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated(_One):
    """The change was made.

    Attributes:
        guarantee: ``"atomic"``, ``"checked"`` or ``"best-effort"``.
        verified: True where it was read back as sent, None where nobody asked or the store cannot tell.
        version: the secret's version after the change, where the store counts them.
        settled: in a run that was gone on with: ``"seen"`` where it was found to be made already,
            ``"resent"`` where the store does not tell and the same change was sent again; else "".
        error: what failed after the change had been made, such as reading it back; else None.
        not_restored: after ``on_failure="restore"``, why the previous state is not back; else "".
    """

    guarantee: Guarantee
    verified: bool | None = None
    version: int | None = None
    settled: Literal["", "seen", "resent"] = ""
    error: SecretBridgeError | None = None
    not_restored: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplied(_One):
    """The change was not made; the secret is as it was.

    Attributes:
        error: why.
    """

    error: SecretBridgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(_One):
    """Whether the change was made is not known: look, or make it again.

    Attributes:
        error: why.
        not_restored: after ``on_failure="restore"``, why the previous state was not put back; else "".
    """

    error: SecretBridgeError
    not_restored: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(_One):
    """The previous state was put back, because the change could not be made in every target.

    Attributes:
        guarantee: how it was put back.
    """

    guarantee: Guarantee


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut(_One):
    """The target cannot hold the change and was left out, as ``leave_out_unfit=True`` says.

    Attributes:
        error: what does not fit.
    """

    error: SecretBridgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldUpdate(_One):
    """A dry run found nothing in the way; nothing was sent."""


TargetResult: TypeAlias = Updated | NotApplied | Unknown | Restored | LeftOut | WouldUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class EverywhereResult:
    """What came of one change in many places; iterating gives the results in the order of the targets.

    Attributes:
        results: one for each target.
        run_id: the journalled run, for ``resume_everywhere``; None where there is no journal.
    """

    results: tuple[TargetResult, ...]
    run_id: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the change was made in every target, those left aside that were left out."""
        return all(isinstance(one, (Updated, LeftOut)) for one in self.results)

    @property
    def updated(self) -> tuple[Updated, ...]:
        """The targets in which the change was made."""
        return tuple(one for one in self.results if isinstance(one, Updated))

    @property
    def not_applied(self) -> tuple[NotApplied, ...]:
        """The targets in which it was not made."""
        return tuple(one for one in self.results if isinstance(one, NotApplied))

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        """The targets of which that is not known."""
        return tuple(one for one in self.results if isinstance(one, Unknown))

    @property
    def restored(self) -> tuple[Restored, ...]:
        """The targets that have their previous state back."""
        return tuple(one for one in self.results if isinstance(one, Restored))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The targets that were left out."""
        return tuple(one for one in self.results if isinstance(one, LeftOut))

    def __iter__(self) -> Iterator[TargetResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, target: str | int) -> TargetResult:
        """Give the result of a target, by its name or its place.

        Raises:
            KeyError: no target has this name.
        """
        if isinstance(target, int):
            return self.results[target]
        for one in self.results:
            if one.target == target:
                return one
        raise KeyError(target)

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain data for ``json.dumps``; no value is in it."""
        return {
            "run_id": self.run_id,
            "complete": self.complete,
            "results": [_plain(one) for one in self.results],
        }


#: The word for each kind of result in JSON.
_STATES: dict[type[object], str] = {
    Updated: "updated",
    NotApplied: "not applied",
    Unknown: "unknown",
    Restored: "restored",
    LeftOut: "left out",
    WouldUpdate: "would update",
}


def _plain(one: TargetResult) -> dict[str, Any]:
    error: SecretBridgeError | None = getattr(one, "error", None)
    plain: dict[str, Any] = {
        "target": one.target,
        "secret": one.secret,
        "provider": one.provider,
        "state": state_of(one),
        "seconds": round(one.seconds, 6),
    }
    for key in ("guarantee", "verified", "version"):
        if hasattr(one, key):
            plain[key] = getattr(one, key)
    plain |= {key: told for key in ("settled", "not_restored") if (told := getattr(one, key, ""))}
    if error is not None:
        plain["error"] = {
            "class": type(error).__name__,
            "message": error.message,
            "advice": error.advice,
            "transient": error.transient,
        }
    return plain


def state_of(one: TargetResult) -> str:
    """Give the word for a result: updated, not applied, unknown, restored or left out."""
    return _STATES[type(one)]
