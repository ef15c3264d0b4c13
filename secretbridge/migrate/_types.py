"""What a plan is made of: marks, losses, steps, estimates; and what a progress callback is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "CONSENTS",
    "EVENTS",
    "KINDS",
    "Action",
    "EndInfo",
    "Estimates",
    "Event",
    "EventKind",
    "EventPhase",
    "Loss",
    "Mark",
    "OnConflict",
    "Progress",
    "Step",
    "Store",
    "WaitReason",
]

Action = Literal["create", "update", "skip", "refuse"]
OnConflict = Literal["skip", "update", "refuse"]
EventPhase = Literal["plan", "run", "delete", "undo"]
Store = Literal["source", "target", "values"]
WaitReason = Literal["pace", "limit", "trouble", "away", "settling"]
EventKind = Literal[
    "started",
    "looked",
    "intended",
    "tried",
    "written",
    "verified",
    "unverifiable",
    "failed",
    "deleted",
    "undone",
    "waiting",
    "retrying",
    "finished",
]

#: What each kind of event means. A later version may tell of more kinds; these keep their meaning.
EVENTS: Final[Mapping[EventKind, str]] = MappingProxyType(
    {
        "started": "a plan, a run or an undo begins",
        "looked": "a value was compared for the plan; told once for each secret",
        "intended": "the journal says that this secret is going to be written",
        "tried": "the writing of this secret came to an end, well or not; the journal does not say so yet",
        "written": "the journal says that this secret is written",
        "verified": "this secret was read back as it was sent",
        "unverifiable": "this secret is written, and the target does not tell its value",
        "failed": "this secret was not written, not deleted, not taken back, or read back different",
        "deleted": "this secret was deleted at the source, after it had been verified",
        "undone": "this secret was taken back",
        "waiting": "something waits for so many seconds; the reason says why",
        "retrying": "a request failed and is sent again after so many seconds",
        "finished": "the plan, the run or the undo has come to its end by itself",
    }
)

#: What a migration may lose or do for good, and has to be consented to by these words.
CONSENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "description": "the target keeps no description, or not one of this length",
        "expiry": "the target keeps no expiry: the secret would be handed out beyond its end",
        "expired": "the secret has expired and its value is not handed out: it stays behind",
        "inactive": "the secret is inactive: it stays behind, or becomes active where the value is known",
        "protected": "the target keeps no protection, or the consent to set it for good is missing",
        "tool_binding": "the target binds nothing to tools",
        "versions": "earlier versions stay behind",
        "environments": "values in other environments stay behind",
        "one_way": "what is set at the target cannot be taken back there",
    }
)
#: The words above, and those that say what needs no consent.
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **CONSENTS,
        "platform": "the row belongs to the platform itself and is never copied",
        "unverifiable": "the target never tells a value: that it arrived cannot be seen",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that a secret really has and that this migration does not carry, or does for good.

    Attributes:
        kind: a word of ``KINDS``.
        text: a sentence for people; never a value.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What can be seen of a secret without its value, and does not move when the value is read.

    Attributes:
        name: its name there.
        id: the provider's id, or None.
        version: counts the changes (local vault), or None.
        active: as ``Secret.active``.
        protected: as ``Secret.protected``.
        platform: as ``Secret.platform``.
        expires_at: as ``Secret.expires_at``.
        created_at: as ``Secret.created_at``.
        updated_at: as ``Secret.updated_at``; None where reading the value moves it (InsForge).
        description: length and digest of the description, ``"12:…"``, or None where there is none. What it
            says is not kept; whether it has changed can be told all the same.
        tools: the fields of the tool binding and their digest, ``"tool_name+tool_arg:…"``, or None.
    """

    name: str
    id: str | None = None
    version: int | None = None
    active: bool | None = None
    protected: bool | None = None
    platform: bool = False
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    description: str | None = None
    tools: str | None = None

    def differences(self, other: Mark) -> tuple[str, ...]:
        """Name the fields in which another mark of the same secret differs."""
        return tuple(
            field.name for field in fields(self) if getattr(self, field.name) != getattr(other, field.name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done about one secret.

    Attributes:
        source: its name at the source.
        target: its name at the target.
        action: create, update, skip or refuse.
        reason: why, in a word or a sentence: for skip ``"same"``, ``"policy"``, ``"platform"``, or the
            consented loss that leaves it behind (``"inactive"``, ``"expired"``).
        losses: what is lost or done for good; for create and update all of it has been consented to.
        fields: the fields that are written, as ``update_secret()`` names them: what of the source is not
            there is cleared. For a secret that is skipped or refused, none.
        equal: whether both values are the same, compared while planning; None where that is not known.
        source_mark: the secret at the source.
        target_mark: the secret of that name at the target, or None where there is none.
    """

    source: str
    target: str
    action: Action
    reason: str = ""
    losses: tuple[Loss, ...] = ()
    fields: tuple[str, ...] = ()
    equal: bool | None = None
    source_mark: Mark
    target_mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndInfo:
    """One end of a migration, as a plan names it.

    Attributes:
        provider: the short name, such as ``"wix"``.
        title: the name for people.
        store: which store of this provider: a path, or an address with a project; "" where that cannot be
            told without a credential (io.net).
        environment: the environment that was chosen, where the store has several.
    """

    provider: str
    title: str
    store: str = ""
    environment: str | None = None

    def __str__(self) -> str:
        return f"{self.title} ({self.store})" if self.store else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """How many requests a run is going to need, and how long.

    Attributes:
        source_requests: requests to the source; for a vault or a file, readings.
        target_requests: requests to the target; for a vault or a file, writes and readings.
        source_seconds: seconds that the source's declared rate asks for; 0.0 where none is declared.
        target_seconds: the same of the target.
        seconds: what the run takes at least: both ends wait side by side.
        assumptions: what these figures rest on, one sentence each.
    """

    source_requests: int
    target_requests: int
    source_seconds: float
    target_seconds: float
    seconds: float
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a progress callback is told. It holds no value.

    Attributes:
        kind: what happened, by a word of ``EVENTS``.
        name: the secret's name at the source, or None where it is about the whole run.
        done: secrets that this phase is done with.
        total: secrets that this phase has to do; 0 while that is not known.
        seconds: since the plan or run began; for ``"waiting"`` and ``"retrying"``, how long the wait is
            going to be.
        phase: what is being done: ``"plan"``, ``"run"``, ``"delete"`` (at the source, after all was
            verified) or ``"undo"``.
        failed: secrets of this phase that went wrong so far.
        store: which end waits or is asked again: ``"source"``, ``"target"`` or ``"values"`` (of
            ``values_from=``); None where it is about both or neither.
        reason: why something waits: ``"pace"`` (to stay under the store's rate), ``"limit"`` (the store said
            that there were too many requests), ``"trouble"`` (another failure that may pass), ``"away"``
            (the store is not there; ``patience=``) or ``"settling"`` (its listing lags behind a write).
        error: class and sentence of what went wrong, for ``"failed"`` and ``"retrying"``.
        attempt: for ``"retrying"``, which try it was that failed, from 1.
    """

    kind: EventKind
    name: str | None = None
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    phase: EventPhase = "run"
    failed: int = 0
    store: Store | None = None
    reason: WaitReason | None = None
    error: str | None = None
    attempt: int = 0


#: Called for each event, one at a time: from the event loop of the run, or from its thread or one of its
#: worker threads. What it raises ends the run.
Progress: TypeAlias = Callable[[Event], None]
