"""What the caller of a verb asked for, checked."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._end import End
from secretbridge.migrate._progress import misgiven, shown_progress
from secretbridge.migrate._tell import Teller
from secretbridge.migrate._work import Options

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator

    from secretbridge.migrate._types import EventPhase, Progress

__all__ = ["Asked", "ended"]

#: Most seconds of patience: a day.
_LONGEST: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller of a verb asked for, checked.

    Attributes:
        waits: whether there is an event loop to wait on.
        journal: the folder of the journals, or None for the default place.
        vault: where undo values are kept, or None.
        vault_given: the same as the caller gave it.
        check: raise where the run does not end as it was wanted.
        concurrency: most requests at a time at each end, or None.
        progress: told of each event; True shows them.
        options: how the run goes.
    """

    waits: bool
    journal: str | os.PathLike[str] | None
    vault: End | None
    vault_given: object
    check: bool
    concurrency: int | None
    progress: Progress | bool | None
    options: Options

    @contextmanager
    def telling(self, phase: EventPhase, now: Callable[[], float]) -> Generator[Teller]:
        """Give what tells the caller of events; what it shows on a terminal is gone at the end."""
        with shown_progress(self.progress) as progress:
            yield Teller(progress, now, phase)

    @classmethod
    def of(cls, given: dict[str, Any], *, waits: bool) -> Asked:
        """Take the arguments of a verb.

        Raises:
            InvalidRequest: something is wrong with them; all of it is named.
        """
        wrong: list[Violation] = []
        vault_given = given.pop("vault", None)
        vault = ended("vault", vault_given, wrong, waits=waits)
        concurrency = given.pop("concurrency", None)
        if concurrency is not None and (
            isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1
        ):
            wrong.append(Violation("concurrency", "is not a whole number from 1", "leave it out"))
        progress = given.pop("progress", None)
        wrong += misgiven(progress)
        patience = given.get("patience", 0.0)
        if (
            isinstance(patience, bool)
            or not isinstance(patience, (int, float))
            or not 0 <= patience <= _LONGEST
        ):
            wrong.append(Violation("patience", "is not a number of seconds up to a day", "for example 300"))
        if wrong:
            raise InvalidRequest("Refused before anything was read", violations=wrong)
        journal, check = given.pop("journal", None), given.pop("check", True)
        return cls(
            waits=waits,
            journal=journal,
            vault=vault,
            vault_given=vault_given,
            check=check,
            concurrency=concurrency,
            progress=progress,
            options=Options(**given),
        )


def ended(argument: str, given: object, wrong: list[Violation], *, waits: bool) -> End | None:
    """Take an end that a caller gave; None where there is none, or something is wrong with it."""
    if given is None:
        return None
    end = given if isinstance(given, End) else End.of(argument, given)
    problem = end if isinstance(end, Violation) else end.misfit(argument, waits=waits)
    if problem is not None:
        wrong.append(problem)
    return end if isinstance(end, End) else None
