"""A run under way: its ends, its journal and its items, and the entries that move them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from secretbridge.errors import (
    AuthenticationError,
    PermissionDenied,
    QuotaExceeded,
    SecretBridgeError,
    VaultDamaged,
    VaultFull,
    VaultLocked,
    VaultReadOnly,
    WrongAddress,
)
from secretbridge.migrate._journal import Entry
from secretbridge.migrate._state import After, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge._models import Fields
    from secretbridge.migrate._journal import Journal
    from secretbridge.migrate._keep import Keep
    from secretbridge.migrate._observed import Observed
    from secretbridge.migrate._side import Look, Side
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._tell import Teller
    from secretbridge.migrate._types import EventKind, EventPhase, Step, Store, WaitReason

__all__ = ["Options", "Reader", "Work"]

#: Nothing works any more after one of these.
_FATAL: Final = (AuthenticationError, WrongAddress, VaultLocked, VaultReadOnly, VaultFull, VaultDamaged)
#: Failures in a row that say the same, even if one alone would not.
_IN_A_ROW: Final = 3


class Reader(Protocol):
    """Gives the fields that are to be written, values included."""

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Read ahead where the source gives many at once."""
        ...

    async def read(self, steps: Sequence[Step]) -> list[Fields | SecretBridgeError]:
        """Read many; what cannot be read is the error that says why."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run goes.

    Attributes:
        stop_on_error: end at the first secret that fails.
        resend: send the same value again where a target that tells no values leaves it unknown whether the
            first one arrived.
        patience: seconds to wait, in all, for a store that has gone away.
        settle_delay: seconds to wait before a listing is believed about a write that got no answer.
    """

    stop_on_error: bool = False
    resend: bool = False
    patience: float = 0.0
    settle_delay: float = 2.0


@dataclass(slots=True, kw_only=True)
class Work:
    """A run under way.

    Attributes:
        run_id: its id.
        journal: its journal, open and locked.
        items: all its secrets.
        target: where it writes.
        source: where it reads, or None for undo.
        reader: gives what is to be written, or None for undo.
        keep: the vault for what undo needs, or None.
        options: how it goes.
        teller: told of each event, or None.
        observed: what the plan saw of values that are replaced; None where another process made it.
        stopped: why nothing more is begun; "" while it goes on.
        away: whether it stopped because a store has gone away and may come back.
        moves: whether sources are going to be deleted, for which what was seen after a write is needed.
        place: the first number under which this run has kept nothing in the vault: none is taken twice, for
            of what lies together there some may have been written meanwhile.
        again: numbers of the items that failed for the moment only, and are tried again after a wait.
    """

    run_id: str
    journal: Journal
    items: Sequence[Item]
    target: Side
    source: Side | None = None
    reader: Reader | None = None
    keep: Keep | None = None
    options: Options = Options()
    teller: Teller | None = None
    observed: Observed | None = None
    stopped: str = ""
    away: bool = False
    moves: bool = False
    place: int = 0
    again: set[int] = field(default_factory=set[int])
    _in_a_row: int = 0

    def __post_init__(self) -> None:
        self.place = 1 + max((item.kept for item in self.items if item.kept is not None), default=-1)

    async def log(self, kind: str, rows: Sequence[Sequence[Any]], *, waits: bool = True) -> None:
        """Write an entry about items, and then move them as it says; ``waits`` as for the journal."""
        if rows:
            await self.target.call(partial(self.journal.append, kind, rows, waits=waits))
            self.moved(kind, rows)

    def moved(self, kind: str, rows: Sequence[Sequence[Any]]) -> None:
        """Move items as an entry says that is in the journal already."""
        replay(self.items, [Entry(kind, rows)])
        if self.teller is not None:
            self.teller.moved(kind, rows)

    def log_now(self, kind: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write an entry without waiting for anything: for the moment in which the run is being ended."""
        if rows:
            self.journal.append(kind, rows)
            self.moved(kind, rows)

    def met(self, error: SecretBridgeError | None) -> None:
        """Take note of how a call went, and stop where more of them would be of no use."""
        if error is None:
            self._in_a_row = 0
            return
        if isinstance(error, _FATAL):
            self.stopped = (
                self.stopped or f"{type(error).__name__}: nothing works any more until that is mended"
            )
            return
        if error.transient or isinstance(error, (PermissionDenied, QuotaExceeded)):
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW and not self.stopped:
                self.away = error.transient
                self.stopped = f"{type(error).__name__}: {_IN_A_ROW} times in a row"

    def as_planned(self, item: Item, look: Look) -> bool | None:
        """Say whether the target still has the value that the plan saw; None where that is not known."""
        if self.observed is None or look.value is None:
            return None
        return self.observed.same(item.n, look.value)

    def failed(self) -> None:
        """Take note of a secret that failed, for ``stop_on_error``."""
        if self.options.stop_on_error:
            self.stopped = self.stopped or "stop_on_error: a secret failed"

    def go_on(self) -> None:
        """Begin anew after a wait."""
        self.stopped, self.away, self._in_a_row = "", False, 0

    def counts(self, phase: EventPhase, total: int, done: int) -> None:
        """Begin to count the secrets of a phase, of which some are done already."""
        if self.teller is not None:  # pragma: no branch - only a prune tells nobody, and it is no phase
            self.teller.begin(phase, total, done)

    def tell(
        self,
        kind: EventKind,
        item: Item | None = None,
        seconds: float | None = None,
        reason: WaitReason | None = None,
    ) -> None:
        """Tell the caller's progress of an event."""
        if self.teller is None:
            return
        store: Store | None = "target" if reason is not None else None
        error = item.error if item is not None and kind == "failed" else None
        name = None if item is None else item.step.source
        self.teller.tell(kind, name, seconds=seconds, store=store, reason=reason, error=error)

    def tell_verified(self, items: Sequence[Item]) -> None:
        """Tell of secrets what reading them back has shown."""
        for item in items:
            self.tell(item.verified if item.verified in ("verified", "unverifiable") else "failed", item)
            if item.verified != "mismatch" and item.error is None and not self.moves:
                item.after = After()  # the journal has it: undo and sync read it there
