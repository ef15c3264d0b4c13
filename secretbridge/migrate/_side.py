"""One end of a run: looking at secrets, many or one, in the way that its store allows."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from secretbridge.errors import SecretBridgeError, SecretExpired, SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge._models import Secret

__all__ = ["FRESH", "MOST", "Look", "Side", "completed"]

T = TypeVar("T")

#: Most secrets that are announced in one commit, where the store takes them one by one.
MOST: Final = 64
#: Seconds for which one listing serves, where a store can be looked at by listing alone.
FRESH: Final = 5.0
#: Requests at a time where nothing but a rate is declared: enough to reach it at two seconds each.
_ABREAST: Final = 8
#: Secrets that are written together, and read ahead, where one costs as much as all.
_WHOLE: Final = 25_000
_AHEAD: Final = 100_000


class _Bulk(Protocol):
    """What a provider has besides the protocol where it reads and writes many secrets at once."""

    async def read_many(self, channel: Any, names: Iterable[str]) -> list[Secret]: ...  # noqa: ANN401 - a Channel

    async def read_values(self, channel: Any, names: Iterable[str]) -> list[SecretStr]: ...  # noqa: ANN401 - a Channel

    async def list_names(self, channel: Any) -> list[str]: ...  # noqa: ANN401 - a Channel

    async def write_many(self, channel: Any, writes: Iterable[tuple[str, SecretStr | None]]) -> None: ...  # noqa: ANN401 - a Channel

    async def denied(self, channel: Any, wanted: Iterable[tuple[str, str]]) -> Sequence[str]: ...  # noqa: ANN401 - a Channel


class Look(NamedTuple):
    """What was seen of one name.

    Attributes:
        present: whether there is such a secret; None where the store does not tell.
        secret: what was told of it; its value too, where the store tells values.
        ids: the ids of all that bear the name, where there are several.
    """

    present: bool | None
    secret: Secret | None = None
    ids: tuple[str, ...] = ()

    @property
    def value(self) -> SecretStr | None:
        """The value, where it was told."""
        return None if self.secret is None else self.secret.value


_ABSENT: Final = Look(present=False)
_UNSEEN: Final = Look(present=None)


def completed(look: Look, listed: Sequence[Secret] | None) -> Look:
    """Give a look with what the listing tells besides, where one secret of the name is listed."""
    if look.secret is None or listed is None or len(listed) != 1:
        return look
    return look._replace(secret=replace(listed[0], value=look.value))


class Side:
    """One end of a run.

    Args:
        core: its store.
        concurrency: most requests at a time, or None for what its capabilities suggest.
    """

    def __init__(self, core: Core, concurrency: int | None = None) -> None:
        of = core.capabilities
        self.core = core
        self.of = of
        asked = concurrency or (_ABREAST if of.requests_per_minute else of.max_in_flight or 1)
        self.limit = min(asked, of.max_in_flight or asked)
        #: A name is borne by one secret: a create is refused where there is one.
        self.unique = any(how != "id" for how in of.addressed_by.values())
        self.reads = "get" in of.operations and of.reads_values
        self.lists = "list" in of.operations
        #: What is deleted stays listed there as inactive.
        self.soft = "soft" in of.notes.get("delete", "")
        #: Reading a value leaves `updated_at` alone.
        self.steady = "updated_at" not in getattr(core.provider, "moved_by_reading", ())
        #: Inactive and expired secrets are listed there and not handed out.
        self._hides = self.lists and bool(of.list_tells & {"active", "expires_at"})
        self._many: _Bulk | None = core.provider if hasattr(core.provider, "read_many") else None  # type: ignore[assignment]  # looked for just now
        self._listed: dict[str, list[Secret]] = {}
        self._listed_at: float | None = None
        self._listing = False

    @property
    def bulk(self) -> bool:
        """Whether many secrets are written at once: where they are values and nothing else."""
        return hasattr(self.core.provider, "write_many") and self.of.create == frozenset({"value"})

    @property
    def together(self) -> bool:
        """Whether many secrets are created and changed in one transaction, each by itself refused or not."""
        return hasattr(self.core.provider, "change_many") and not self.bulk

    @property
    def reads_together(self) -> bool:
        """Whether looking at many secrets takes hardly longer than looking at one."""
        return self._many is not None

    @property
    def window(self) -> int:
        """How many secrets are announced, and written, together."""
        return _WHOLE if self.bulk else MOST

    @property
    def chunk(self) -> int:
        """How many secrets are best read together."""
        return _AHEAD if getattr(self.core.provider, "reads_whole", False) else MOST

    async def each(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T]:
        """Run jobs side by side, as many as this store should see at a time."""
        if self.limit == 1 or len(jobs) < 2:  # noqa: PLR2004 - one is not many
            return [await job() for job in jobs]
        return await self.core.channel.gather(jobs, self.limit)

    async def call(self, function: Callable[[], T]) -> T:
        """Run a blocking function where it harms nobody."""
        return await self.core.channel.call(function)

    def now(self) -> float:
        """Give the runtime's clock, in seconds."""
        return self.core.channel.runtime.now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self.core.channel.runtime.sleep(seconds)

    def forget(self) -> None:
        """Let the next look list anew."""
        self._listed_at = None

    async def listing(self) -> dict[str, list[Secret]]:
        """Give what is listed, by name; at most five seconds old, or as long as it is being listed anew."""
        stale = self._listed_at is None or (not self._listing and self.now() - self._listed_at > FRESH)
        if stale:
            self._listing = True
            try:
                listed: dict[str, list[Secret]] = {}
                for secret in await self.core.list():
                    listed.setdefault(secret.name, []).append(secret)
                self._listed, self._listed_at = listed, self.now()
            finally:
                self._listing = False
        return self._listed

    async def prepare(self) -> None:
        """List before many look side by side, where looks go by the listing: else each of them would list."""
        if self.lists and not self.reads:
            with contextlib.suppress(SecretBridgeError):  # each look says what is the matter
                await self.listing()

    async def snapshot(self, metadata: bool) -> dict[str, list[Secret]]:  # noqa: FBT001 - private
        """Give a fresh listing where it tells what reading a secret does not; else nothing.

        Args:
            metadata: whether fields beside the value are wanted.
        """
        self.forget()
        if self.of.list_tells <= self.of.get_tells or not (metadata or self.steady):
            return {}
        try:
            return await self.listing()
        except SecretBridgeError:
            return {}  # the looks that follow say what is the matter

    async def look(self, name: str, id_: str | None = None, *, metadata: bool = False) -> Look:
        """Look at one secret.

        Args:
            name: its name.
            id_: its id, where that is known and the store goes by ids.
            metadata: whether the fields that only a listing tells are wanted too.
        """
        if self.reads:
            return await self._read(name, metadata=metadata)
        if id_ is not None and "get" in self.of.operations:
            try:
                return Look(True, await self.core.get(None, id_, metadata=False))
            except SecretNotFound:
                return _ABSENT
        return await self._seen(name) if self.lists else _UNSEEN

    async def _read(self, name: str, *, metadata: bool) -> Look:
        secret: Secret | None = None
        with contextlib.suppress(SecretNotFound, SecretExpired):
            secret = await self.core.get(name, None, metadata=False)
        if secret is None:
            return await self._seen(name) if self._hides else _ABSENT
        if metadata and not self.of.list_tells <= self.of.get_tells:
            return completed(Look(True, secret), (await self.listing()).get(name))
        return Look(True, secret)

    async def _seen(self, name: str) -> Look:
        """Look at a name in the listing."""
        rows = (await self.listing()).get(name, [])
        if not rows:
            return _ABSENT
        return Look(True, rows[0], tuple(row.id or "" for row in rows) if len(rows) > 1 else ())

    async def look_many(
        self, wanted: Sequence[tuple[str, str | None]], *, metadata: bool = False
    ) -> list[Look | SecretBridgeError]:
        """Look at many secrets; what cannot be seen is the error that says why.

        Args:
            wanted: names, each with its id where that is known and the store goes by ids.
            metadata: as for ``look``.
        """
        if self._many is not None and len(wanted) > 1:
            found = await self._bulk(self._many, [name for name, _ in wanted])
            if found is not None:
                return [found.get(name, _ABSENT) for name, _ in wanted]

        def job(name: str, id_: str | None) -> Callable[[], Coroutine[Any, Any, Look | SecretBridgeError]]:
            async def run() -> Look | SecretBridgeError:
                try:
                    return await self.look(name, id_, metadata=metadata)
                except SecretBridgeError as error:
                    return error

            return run

        return await self.each([job(name, id_) for name, id_ in wanted])

    async def _bulk(self, many: _Bulk, names: list[str]) -> dict[str, Look] | None:
        """Read many at once; None where one by one is the way to learn what is the matter."""
        try:
            if self.bulk:  # what is not there must not be asked for
                there = await self._names()
                names = [name for name in names if name in there]
            told = await many.read_many(self.core.channel, names)
        except SecretBridgeError:
            return None
        return {secret.name: Look(True, secret) for secret in told}

    async def _names(self) -> set[str]:
        if hasattr(self.core.provider, "list_names"):
            many: _Bulk = self.core.provider  # type: ignore[assignment]  # looked for just now
            return set(await many.list_names(self.core.channel))
        return {secret.name for secret in await self.core.list()}

    async def values(self, names: Sequence[str]) -> dict[str, SecretStr]:
        """Read many values where one reading serves all of them; {} where it is better to look at each."""
        if self._many is None or not hasattr(self.core.provider, "read_values"):
            return {}
        try:
            told = await self._many.read_values(self.core.channel, names)
        except SecretBridgeError:
            return {}
        return dict(zip(names, told, strict=True))

    async def write_many(self, writes: Sequence[tuple[str, SecretStr | None]]) -> None:
        """Write many values at once; ``bulk`` says whether that can be."""
        many: _Bulk = self.core.provider  # type: ignore[assignment]  # asked for by `bulk`
        await many.write_many(self.core.channel, writes)
