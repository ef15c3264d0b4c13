"""What a mutation is: an adapter that is broken on purpose, and the test of the contract that must notice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from larder_subject import larder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secretbridge_larder import Larder

    from secretbridge.testing import Subject


@dataclass(frozen=True)
class Mutation:
    """What is wrong with an adapter, and who must notice.

    Attributes:
        broken: the mistake, after "an adapter that".
        test: the test that fails because of it.
        kind: the adapter.
        says: a pattern of what the test says.
        faces: where it shows.
        subject: gives the adapter with its store.
        settings: what the test class says of the store.
    """

    broken: str
    test: str
    kind: type[Larder]
    says: str
    faces: tuple[Any, ...] = ("sync", "asyncio", "trio")
    subject: Callable[[type[Larder]], Subject] = larder
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.kind.__name__


MUTATIONS: list[Mutation] = []


def caught(test: str, broken: str, says: str, **more: Any) -> Callable[[type[Larder]], type[Larder]]:
    """Enter a broken adapter in the table."""

    def enter(kind: type[Larder]) -> type[Larder]:
        MUTATIONS.append(Mutation(broken, f"test_{test}", kind, says, **more))
        return kind

    return enter
