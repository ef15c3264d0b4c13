"""Whether what clients saw at the same time can be explained by some order of their calls.

Every order is tried that keeps each client's own one, and in which nothing comes before what had ended when
it began. A call that is several requests is several steps: those of another client may come between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: What a call came to: ``("done", …)`` with what it told, or an error's class with what it says.
Outcome: TypeAlias = tuple[object, ...]
#: What a store holds, as its model keeps it; never changed, a step makes a new one.
State: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for.

    Attributes:
        verb: One of the store's model.
        name: The secret's.
        given: The fields that go with it.
    """

    verb: str
    name: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """A call, what it came to, and when, by any clock that never goes back."""

    client: int
    call: Call
    outcome: Outcome
    began: int = 0
    ended: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """A step after which a call is over, with what it came to."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Next:
    """A step after which a call has another one."""

    name: str
    found: Any = None


Step: TypeAlias = "tuple[State, Ended | Next]"
START = Next("start")


class Model(Protocol):
    """What a store promises, one request at a time."""

    def steps(self, state: State, done: Done, at: Next) -> Iterable[Step]:
        """Give all that may come of a call's next request: the new state, and whether the call is over."""
        ...

    def shown(self, state: State) -> object:
        """Give what can be seen of a state when all is over."""
        ...


def order(
    model: Model, state: State, clients: Sequence[Sequence[Done]], final: object
) -> tuple[int, ...] | None:
    """Look for an order that explains all outcomes and what there was in the end.

    Args:
        model: what the store promises.
        state: what it held before.
        clients: each client's calls, in its order.
        final: what is seen at the end.

    Returns:
        The client of each step in turn; None: nothing explains it.
    """
    return _follow(model, state, [list(calls) for calls in clients], [START] * len(clients), final)


def _follow(
    model: Model, state: State, left: list[list[Done]], at: list[Next], final: object
) -> tuple[int, ...] | None:
    if not any(left):
        return () if model.shown(state) == final else None
    for client, calls in enumerate(left):
        if not calls or (at[client] is START and _too_early(calls[0], left)):
            continue
        for after, step in model.steps(state, calls[0], at[client]):
            if isinstance(step, Ended) and step.outcome != calls[0].outcome:
                continue
            over = isinstance(step, Ended)
            rest = [calls[1:] if over and one is calls else one for one in left]
            then = [START if over and number == client else one for number, one in enumerate(at)]
            if isinstance(step, Next):
                then[client] = step
            found = _follow(model, after, rest, then, final)
            if found is not None:
                return (client, *found)
    return None


def _too_early(done: Done, left: Sequence[Sequence[Done]]) -> bool:
    """Say whether something that has not been yet was over when this began."""
    return any(calls[0].ended < done.began for calls in left if calls)
