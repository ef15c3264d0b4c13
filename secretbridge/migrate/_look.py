"""The values of a plan: read, compared, measured and let go of; then each secret is decided."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from secretbridge._checks import update_violations
from secretbridge._models import Target
from secretbridge.migrate._decide import Seen, alive, decide, decide_unread
from secretbridge.migrate._observe import Problem, Reader
from secretbridge.migrate._types import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge.migrate._decide import Candidate, Frame
    from secretbridge.migrate._ends import Opened
    from secretbridge.migrate._observed import Observed
    from secretbridge.migrate._tell import Teller
    from secretbridge.migrate._types import Step

__all__ = ["decided"]

#: Secrets whose values are in memory at a time, where a store does not give all of them together.
_WINDOW: Final = 1000


async def decided(
    candidates: list[Candidate],
    opened: Opened,
    frame: Frame,
    *,
    asks: bool,
    teller: Teller,
    observed: Observed,
) -> tuple[Step, ...]:
    """Look at what has to be looked at, and decide; a value is let go of with its window.

    What is seen of values that are going to be replaced is noted in ``observed``.
    """
    steps: list[Any] = [decide_unread(candidate, frame) for candidate in candidates]
    if frame.known is not None:
        for place, candidate in enumerate(candidates):
            if steps[place] is None and frame.known(candidate):
                steps[place] = decide(candidate, Seen(equal=True), frame)
    unread = [place for place, step in enumerate(steps) if step is None]
    teller.begin("plan", len(unread))
    look = _Look(opened, frame, teller, observed)
    if not asks:
        await look.prepare([candidates[place] for place in unread])
    waiting = [candidates[place] for place in reversed(unread)]
    candidates.clear()  # each is let go of when it is decided: there may be very many
    for start in range(0, len(unread), _WINDOW):
        places = unread[start : start + _WINDOW]
        window = [waiting.pop() for _ in places]
        seen = [Seen()] * len(window) if asks else await look.at(window)
        for place, candidate, sight in zip(places, window, seen, strict=True):
            step = steps[place] = decide(candidate, sight, frame)
            if sight.digest and step.action == "update":
                observed.note(place, sight.digest)
    return tuple(steps)


class _Look:
    """Looks at the values of both ends."""

    def __init__(self, opened: Opened, frame: Frame, teller: Teller, observed: Observed) -> None:
        # Where a store itself refuses a write by the version, nothing has to be known again.
        self._observed = None if frame.target.compare_and_set else observed
        self._opened = opened
        self._frame = frame
        self._source = Reader(opened.source if opened.values is None else opened.values, teller.looked)
        self._target = Reader(opened.target)

    async def prepare(self, candidates: Sequence[Candidate]) -> None:
        """Read files ahead, once."""
        await self._source.prepare([self._ours(candidate) for candidate in candidates])
        await self._target.prepare([one.there[0] for one in candidates if self._comparable(one)])

    async def at(self, candidates: Sequence[Candidate]) -> list[Seen]:
        """Read values, compare and measure them, and let go of them."""
        opened = self._opened
        values = await self._source.read([self._ours(candidate) for candidate in candidates])
        places = [place for place, candidate in enumerate(candidates) if self._comparable(candidate)]
        found = await self._target.read([candidates[place].there[0] for place in places])
        theirs = dict(zip(places, found, strict=True))
        return [
            _sight(
                candidate,
                opened.transforms.made(candidate.mark.name, value),
                theirs.get(place),
                opened.target,
                self._observed,
            )
            for place, (candidate, value) in enumerate(zip(candidates, values, strict=True))
        ]

    def _ours(self, candidate: Candidate) -> Mark:
        return candidate.mark if self._opened.values is None else Mark(name=candidate.mark.name)

    def _comparable(self, candidate: Candidate) -> bool:
        readable = self._frame.target.reads_values
        return readable and bool(candidate.there) and alive(candidate.there[0], self._frame.now)


def _sight(
    candidate: Candidate,
    value: SecretStr | Problem,
    other: SecretStr | Problem | None,
    target: Core,
    observed: Observed | None,
) -> Seen:
    """Give what may be known of two values."""
    if isinstance(value, Problem):
        return Seen(None, value.text)
    creates = not candidate.there
    wrong = chain(
        update_violations(
            target.capabilities, {"value": value}, allow_one_way=True, if_version=None, creates=creates
        ),
        target.provider.check("create" if creates else "update", Target(candidate.target), {"value": value}),
    )
    problem = next(iter(wrong), None)
    if problem is not None:
        return Seen(None, f"its value does not fit {target.capabilities.title}: {problem.problem}")
    if other is None or isinstance(other, Problem):
        return Seen()
    digest = b"" if observed is None else observed.digest(other)
    return Seen(value.get_secret_value() == other.get_secret_value(), digest=digest)
