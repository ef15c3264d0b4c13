"""What a test module hands to the contract: an adapter, and the store behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import httpx

    from secretbridge._provider import Provider

__all__ = ["Subject"]


def _no_store(*_: object) -> NoReturn:
    raise AssertionError("`make()` must give `seed` and `held`, or the class have a `recording`")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An adapter under test and the store behind it; made anew for every case, so that none sees another's.

    Where the class has a ``recording``, the adapter and its credential are enough.

    Attributes:
        provider: the adapter.
        seed: puts a secret into the store past the adapter: ``seed(name, fields)``. The fields are called as
            in ``create_secret()``; ``value`` is always there, as str.
        held: gives all secrets that the store holds, past the adapter: for each a mapping of ``name``,
            ``value``, ``id`` where it has one, and every field that the adapter can set. A field that is not
            in the mapping is empty.
        transport: an httpx transport, for both faces, that leads to the stand-in, such as
            ``standin.transport()`` or ``httpx.MockTransport``; None for a store without HTTP.
        credential: what the adapter was given to show; the suite looks for it in everything that is told.
    """

    provider: Provider
    seed: Callable[[str, Mapping[str, object]], object] = _no_store
    held: Callable[[], Iterable[Mapping[str, object]]] = _no_store
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None
    credential: str = ""
