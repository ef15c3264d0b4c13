"""A run from its beginning or from where it stands: windows, settling, waiting, deleting sources, the end."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import secrets
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from secretbridge._version import __version__
from secretbridge.errors import JournalMismatch, MigrationIncomplete
from secretbridge.migrate._clean import blocking, delete_sources
from secretbridge.migrate._result import Run
from secretbridge.migrate._settle import settle, verify_again
from secretbridge.migrate._undo import take_back
from secretbridge.migrate._window import carry_out_window
from secretbridge.migrate._written import info_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from secretbridge.migrate._result import RunState
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = [
    "Ending",
    "begin_entry",
    "carry_out",
    "new_run_id",
    "require_done",
    "require_same_end",
    "run_of",
    "undo_all",
    "who",
]

#: Seconds of the first wait for a store that has gone away, doubled each time, and of the longest.
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
#: How an id begins, and how such a beginning is found.
_STAMPED: Final = "%Y%m%d-%H%M%S-%f"
_STAMP: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}(?=-[0-9a-f]{8}\.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a run does about its source at the end.

    Attributes:
        delete_source: delete at the source what has been migrated and verified.
        accept_unverifiable: do so too where the target never tells a value.
    """

    delete_source: bool = False
    accept_unverifiable: bool = False


def new_run_id(folder: Path) -> str:
    """Give an id that sorts after those of all runs in a folder, even where the clock was set back.

    What a store that shows nothing was sent last is known by the order of runs alone.
    """
    moment = datetime.now(UTC)
    earlier = [found.group() for path in folder.glob("*.db") if (found := _STAMP.match(path.name))]
    if earlier and (last := max(earlier)) >= f"{moment:{_STAMPED}}":
        moment = datetime.strptime(last, _STAMPED).replace(tzinfo=UTC) + timedelta(microseconds=1)
    return f"{moment:{_STAMPED}}-{secrets.token_hex(4)}"


def who() -> str:
    """Say who works here: user, host and process."""
    user = "?"
    with contextlib.suppress(OSError, KeyError, ImportError):
        user = getpass.getuser()
    return f"{user}@{platform.node()} (process {os.getpid()})"


def now() -> str:
    """Give the time for a journal."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begin_entry(
    run_id: str, plan: Mapping[str, Any], ending: Ending, *, vault: bool, warnings: Sequence[str]
) -> dict[str, Any]:
    """Give a journal's first entry.

    Args:
        run_id: the run.
        plan: the plan without its steps.
        ending: what is done about the source.
        vault: whether values are kept in one.
        warnings: what had to be said before the run began.
    """
    return {
        "run": run_id,
        "program": __version__,
        "who": who(),
        "at": now(),
        "plan": dict(plan),
        "delete_source": ending.delete_source,
        "accept_unverifiable": ending.accept_unverifiable,
        "vault": vault,
        "warnings": list(warnings),
    }


async def carry_out(work: Work, ending: Ending) -> RunState:
    """Do all that is left to do, as far as it can be done; gives the state in which the run ends."""
    writes = sum(item.writes for item in work.items)
    work.counts("run", writes, sum(item.writes and item.state == "done" for item in work.items))
    work.moves = ending.delete_source
    work.tell("started")
    patience, wait = work.options.patience, _FIRST_WAIT
    await _round(work, work.items)
    while work.away and patience > 0:
        pause = min(wait, patience)
        patience, wait = patience - pause, min(2 * wait, _LONGEST_WAIT)
        work.tell("waiting", seconds=pause, reason="away")
        await work.target.sleep(pause)
        work.go_on()
        again = [item for item in work.items if item.n in work.again or item.state in {"pending", "unknown"}]
        await _round(work, again)
    if (
        ending.delete_source
        and not work.stopped
        and not blocking(work.items, unverifiable=ending.accept_unverifiable)
    ):
        await delete_sources(work)
    state: RunState = "done" if finished(work.items, ending) else "incomplete"
    await work.target.call(lambda: work.journal.append("state", {"state": state, "at": now()}))
    work.tell("finished")
    return state


async def _round(work: Work, items: Sequence[Item]) -> None:
    """Settle what is open, carry out what is to be done, and settle what that left open."""
    for window in _windows(work, [item for item in items if item.state in {"intended", "unknown"}]):
        await settle(work, window)
    again = [item for item in items if item.state == "done" and _unsettled(item)]
    for window in _windows(work, again):
        if not work.stopped:
            await verify_again(work, window)
    # Numbers, not items: there may be very many.
    waiting = array("Q", (item.n for item in items if item.state in {"pending", "failed"}))
    size = work.target.window
    chunk = max(size, 1 if work.source is None else work.source.chunk)
    for start in range(0, len(waiting), chunk):
        part = waiting[start : start + chunk]
        if work.stopped:
            break
        if work.reader is not None and chunk > size:
            await work.reader.prepare([work.items[n].step for n in part])
        for first in range(0, len(part), size):
            if not work.stopped:
                await carry_out_window(work, [work.items[n] for n in part[first : first + size]])
    for window in _windows(work, [item for item in items if item.state == "unknown" and not item.resent]):
        await settle(work, window)


def _unsettled(item: Item) -> bool:
    """Say whether what was written is to be looked at again: unread, different, or one of several."""
    return item.verified in {None, "mismatch"} or (item.error is not None and not item.deletion)


def _windows(work: Work, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    size = work.target.window
    for start in range(0, len(items), size):
        yield items[start : start + size]


def finished(items: Sequence[Item], ending: Ending) -> bool:
    """Say whether everything is as it was wanted."""
    good = {"verified", "unverifiable"}

    def fine(item: Item) -> bool:
        done = item.state == "done" and item.verified in good and item.error is None
        return done and (item.deletion == "done" or not ending.delete_source)

    return all(fine(item) for item in items if item.writes)


async def undo_all(work: Work, accept: Collection[str]) -> RunState:
    """Take back all that this run did, in windows, the last first; gives the state in which it ends."""
    await work.target.call(lambda: work.journal.append("phase", {"phase": "undo", "who": who(), "at": now()}))
    touched = [item for item in work.items if _touched(item)]
    waiting = [item for item in reversed(touched) if item.undo != "done"]
    work.counts("undo", len(touched), len(touched) - len(waiting))
    work.tell("started")
    size = work.target.window
    for start in range(0, len(waiting), size):
        if work.stopped:
            break
        await take_back(work, waiting[start : start + size], accept)
    state: RunState = "undone" if all(item.undo == "done" for item in touched) else "incomplete"
    if state == "undone" and work.keep is not None:
        await work.keep.drop(work.run_id, work.place)
    await work.target.call(lambda: work.journal.append("state", {"state": state, "at": now()}))
    work.tell("finished")
    return state


def _touched(item: Item) -> bool:
    return item.writes and item.state in {"done", "intended", "unknown"}


def run_of(
    path: Path, begin: Mapping[str, Any], items: Sequence[Item], state: RunState, ended: str | None
) -> Run:
    """Give a run as callers see it."""
    plan = begin["plan"]
    return Run(
        id=begin["run"],
        plan=plan["fingerprint"],
        state=state,
        who=begin["who"],
        started_at=begin["at"],
        finished_at=ended,
        journal=path,
        source=str(info_of(plan["source"])),
        target=str(info_of(plan["target"])),
        warnings=tuple(begin["warnings"]),
        outcomes=tuple(item.outcome() for item in items),
    )


def require_done(run: Run, stopped: str, verb: str) -> None:
    """Raise where a run did not end as it was wanted.

    Raises:
        MigrationIncomplete: it did not; it carries the run.
    """
    if run.state in {"done", "undone"}:
        return
    counts = ", ".join(f"{count} {state}" for state, count in run.counts.items())
    because = f" It was stopped: {stopped.rstrip('.')}." if stopped else ""
    error = MigrationIncomplete(
        f"The run {run.id} is not complete: {counts}.{because}",
        advice=f"run.open names what is open; migrate.{verb}({run.id!r}, …) goes on.",
    )
    error.run = run
    raise error


def require_same_end(which: Literal["source", "target"], begin: Mapping[str, Any], told: str) -> None:
    """Refuse an end that is not the one of the run, by whichever address it was given.

    Args:
        which: source or target.
        begin: the journal's first entry.
        told: the identity of the end that was given.

    Raises:
        JournalMismatch: it is another store or environment.
    """
    if begin["stores"][which == "target"] == told:
        return
    raise JournalMismatch(
        f"The {which} of this run is {info_of(begin['plan'][which])}, and another store was given.",
        advice=f"Give the same {which} as at the beginning; nothing was done.",
    )
