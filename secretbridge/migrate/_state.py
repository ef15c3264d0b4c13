"""Where each secret of a run stands, and how the journal's entries bring it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from secretbridge.errors import JournalMismatch
from secretbridge.migrate._columns import Rare, Word
from secretbridge.migrate._result import Guarantee, Outcome, Owner, State, Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge._models import Secret
    from secretbridge.errors import SecretBridgeError
    from secretbridge.migrate._journal import Entry
    from secretbridge.migrate._result import RunState
    from secretbridge.migrate._types import Step

__all__ = ["After", "Deletion", "Item", "Items", "ended_in", "replay", "sentence"]

#: What is begun and not yet known to be over.
Undo = Literal["", "intended", "done", "failed", "refused"]
Deletion = Literal["", "intended", "done", "failed"]


@dataclass(frozen=True, slots=True)
class After:
    """What was seen of a secret just after this run wrote it; none of it moves by reading.

    Attributes:
        id: the provider's id.
        version: counts the changes (local vault).
        updated_at: ISO 8601; None where reading moves it, or there is a version.
    """

    id: str | None = None
    version: int | None = None
    updated_at: str | None = None

    @classmethod
    def of(cls, secret: Secret | None, *, steady: bool) -> After:
        """Take it from what was told; ``steady`` says whether reading leaves ``updated_at`` alone."""
        if secret is None:
            return cls()
        moment = secret.updated_at if steady and secret.version is None else None  # a version says more
        return cls(secret.id, secret.version, None if moment is None else moment.isoformat())

    def joined(self, later: After) -> After:
        """Give it with what a later sight tells besides; where both tell something, the first one counts.

        What the store said of this run's own write must not give way to what somebody else did after it.
        """
        return After(
            self.id or later.id,
            later.version if self.version is None else self.version,
            self.updated_at or later.updated_at,
        )

    def row(self) -> list[str | int | None]:
        """Give it as JSON has it."""
        return [self.id, self.version, self.updated_at]


class Item:
    """One step and where it stands: a view of one place in ``Items``, made anew whenever it is asked for.

    Attributes:
        n: its place in the plan.
        step: what is to be done.
        state: as in Outcome; "intended" between the announcement and the outcome.
        kept: the number under which the vault has what was there before; None where it has not.
        hidden: whether the target did not hand out the value that was there: it is kept without it.
        fingerprint: of the value that was going to be written, keyed; "" without a vault.
        after: what was seen just after the write; forgotten where the journal alone needs it any more.
    """

    __slots__ = ("columns", "n", "step")

    state = Word[State | Literal["intended"]](
        "pending", "intended", "done", "skipped", "refused", "failed", "unknown", "undone"
    )
    kept = Rare[int | None](None)
    hidden = Word[bool](False, True)
    fingerprint = Rare[str]("")
    owner = Word[Owner | None](None, "recorded", "inferred")
    guarantee = Word[Guarantee | None](None, "atomic", "checked", "best-effort")
    verified = Word[Verification | None](None, "verified", "mismatch", "unverifiable")
    resent = Word[bool](False, True)
    after = Rare[After](After())
    error = Rare[str | None](None)
    undo = Word[Undo]("", "intended", "done", "failed", "refused")
    deletion = Word[Deletion]("", "intended", "done", "failed")

    def __init__(self, columns: dict[str, Any], n: int, step: Step) -> None:
        self.columns = columns
        self.n = n
        self.step = step

    @property
    def writes(self) -> bool:
        """Whether the plan wants it written."""
        return self.step.action in {"create", "update"}

    def outcome(self) -> Outcome:
        """Give it as callers see it."""
        step = self.step
        return Outcome(
            source=step.source,
            target=step.target,
            action=step.action,
            state="undone" if self.undo == "done" else "unknown" if self.state == "intended" else self.state,
            reason=step.reason if not self.writes else "",
            verified=self.verified,
            guarantee=self.guarantee,
            owner=self.owner,
            resent=self.resent,
            restorable=(self.kept is not None and not self.hidden)
            or (step.action == "create" and self.owner is not None),
            source_deleted=self.deletion == "done",
            error=self.error,
            losses=step.losses,
        )


class Items(Sequence[Item]):
    """All secrets of a run: where each stands is kept in columns, for there may be very many.

    Args:
        steps: what is to be done.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = tuple(steps)
        fields: dict[str, Word[Any] | Rare[Any]] = {
            name: field for name, field in vars(Item).items() if isinstance(field, (Word, Rare))
        }
        self._columns: dict[str, Any] = {
            name: field.column(len(self._steps)) for name, field in fields.items()
        }
        for item in self:
            if not item.writes:
                item.state = _FIRST[item.step.action]

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, n: int) -> Item: ...

    @overload
    def __getitem__(self, n: slice) -> list[Item]: ...

    def __getitem__(self, n: int | slice) -> Item | list[Item]:
        numbers = range(len(self._steps))[n]
        if isinstance(numbers, int):
            return Item(self._columns, numbers, self._steps[numbers])
        return [self[one] for one in numbers]


_FIRST: Final[Mapping[str, State]] = {"skip": "skipped", "refuse": "refused"}


def sentence(error: SecretBridgeError) -> str:
    """Say what went wrong: the class and the sentence of one of our errors, which hold no value."""
    return f"{type(error).__name__}: {error}"


def replay(items: Sequence[Item], entries: Iterable[Entry]) -> None:
    """Bring the items to where the journal says they are.

    Raises:
        JournalMismatch: somebody edited it, and mended the digests too.
    """
    known = True
    try:
        for kind, data in entries:
            apply = _KINDS.get(kind)
            if apply is not None:
                for row in data:
                    n: int = row[0]
                    apply(items[n], row)
    except (KeyError, IndexError, TypeError, ValueError):
        known = False
    if not known:
        raise JournalMismatch(
            "The journal is not as it was written: it says what no run writes down.",
            advice="Begin anew, without this journal: what has been done already is then seen.",
        )


def ended_in(entries: Iterable[Entry]) -> tuple[RunState, str | None]:
    """Give the state that a run ended in and when; "interrupted" where it was begun again and has not."""
    state: RunState = "interrupted"
    ended: str | None = None
    for kind, data in entries:
        if kind == "state":
            state, ended = data["state"], data["at"]
        elif kind in {"resumed", "phase"}:
            state, ended = "interrupted", None
    return state, ended


def _intended(item: Item, row: Sequence[Any]) -> None:
    item.state, item.error = "intended", None
    if row[1] is not None:
        item.kept, item.hidden = row[1:]


def _read(item: Item, row: Sequence[Any]) -> None:
    item.fingerprint = row[1]


def _outcome(item: Item, row: Sequence[Any]) -> None:
    _, item.state, item.owner, item.guarantee, item.resent, after, item.error = row
    item.after = After(*after)
    if item.state != "done":
        item.verified = None


def _verified(item: Item, row: Sequence[Any]) -> None:
    _, item.verified, after, item.error = row
    item.after = After(*after)


def _deleting(item: Item, row: Sequence[Any]) -> None:  # noqa: ARG001 - all have one shape
    item.deletion = "intended"


def _deleted(item: Item, row: Sequence[Any]) -> None:
    _, item.deletion, item.error = row


def _undoing(item: Item, row: Sequence[Any]) -> None:  # noqa: ARG001 - all have one shape
    item.undo = "intended"


def _undone(item: Item, row: Sequence[Any]) -> None:
    _, item.undo, item.error = row


_KINDS: Final = {
    "intended": _intended,
    "read": _read,
    "outcome": _outcome,
    "verified": _verified,
    "deleting": _deleting,
    "deleted": _deleted,
    "undoing": _undoing,
    "undone": _undone,
}
