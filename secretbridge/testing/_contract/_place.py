"""One case of the contract: a fresh store, a bridge to it on one face, and all that can be seen of both."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from secretbridge._async import AsyncSecretBridge
from secretbridge._connect import connected
from secretbridge._sync import SecretBridge
from secretbridge.testing._contract._probe import Probe
from secretbridge.testing._contract._watch import AsyncWatched, BlockingWatched, Stepped, Watch, listening

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from secretbridge._models import Retry
    from secretbridge.testing._contract._subject import Subject
    from secretbridge.testing._exchange import Fault, RecordedRequest
    from secretbridge.testing._recording import Replay

__all__ = ["FACES", "Call", "Face", "Outcome", "Place", "open_place", "plain"]

Face = Literal["sync", "asyncio", "trio"]
FACES: Final[tuple[Face, ...]] = ("sync", "asyncio", "trio")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Seconds after which a call counts as hanging: nothing here really waits.
_HANGS: Final = 10


@dataclass(frozen=True)
class Call:
    """A verb of the bridge with its arguments."""

    method: str
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None
    recorded: str = ""  # what its recording is called

    def __str__(self) -> str:
        given = [repr(one) for one in self.positional] + [f"{name}=…" for name in self.named or ()]
        return f"{self.method}({', '.join(given)})"


@dataclass(frozen=True)
class Outcome:
    """What a call came to: its result, or the error."""

    result: Any = None
    error: BaseException | None = None

    def __str__(self) -> str:
        if self.error is None:
            return "no error"
        said = getattr(self.error, "applied", "not said")
        return f"{type(self.error).__name__}(applied={said}): {self.error}"


def plain(field: object) -> object:
    """Give a field so that it can be compared: no text is an empty text, times count in milliseconds."""
    if isinstance(field, datetime):
        return (field - _EPOCH) // timedelta(milliseconds=1)
    if (reveal := getattr(field, "get_secret_value", None)) is not None:
        return reveal()
    return None if field == "" else field


def _seed_nothing(*_: object) -> None:
    """Leave a recorded store as it was recorded."""


class Place:
    """A store with a bridge to it.

    Args:
        subject: the adapter and its store.
        face: which face to call it by.
        retry: as in the bridge; None repeats nothing.
        replay: plays the store, where there is only a recording of it.
    """

    def __init__(
        self, subject: Subject, face: Face, *, retry: Retry | None = None, replay: Replay | None = None
    ) -> None:
        self.replay = replay
        if replay is not None:
            subject = replace(subject, transport=replay, seed=_seed_nothing, held=replay.changes)
        self.subject = subject
        self.face = face
        self.watch = Watch()
        self.probe = None if subject.transport is None else Probe(subject.transport)
        runtime = (BlockingWatched if face == "sync" else AsyncWatched)(self.probe, self.watch)
        kind: Any = SecretBridge if face == "sync" else AsyncSecretBridge
        self.bridge = kind.__new__(kind)
        self.bridge._core = connected(subject.provider, runtime, 30.0, retry, None)  # noqa: SLF001 - no argument takes a runtime

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far; none where there is no HTTP."""
        return [] if self.probe is None else self.probe.requests

    def script(self, *faults: Fault) -> None:
        """Let the next requests come to these ends, in turn."""
        if self.probe is None:
            raise AssertionError("`make()` must give a transport, or the class say `uses_http = False`")
        self.probe.script(*faults)

    def seed(self, name: str, fields: Mapping[str, object]) -> None:
        """Put a secret into the store, past the adapter."""
        self.subject.seed(name, fields)

    def state(self) -> list[dict[str, object]]:
        """What the store holds, ids and empty fields left out, in an order of its own."""
        rows = [
            {key: plain(field) for key, field in row.items() if key != "id" and plain(field) is not None}
            for row in self.subject.held()
        ]
        return sorted(rows, key=lambda row: (str(row.get("name")), str(sorted(row.items(), key=repr))))

    def row(self, name: str) -> dict[str, object] | None:
        """What the store holds under a name; None where there is nothing."""
        return next((row for row in self.state() if row["name"] == name), None)

    def ids(self, name: str) -> list[str]:
        """The ids of the secrets of a name."""
        return [str(row["id"]) for row in self.subject.held() if row["name"] == name and row.get("id")]

    # Calls.

    def do(self, method: str, *positional: Any, **named: Any) -> Any:
        """Call a verb and give its result."""
        if self.face == "sync":
            with listening(self.watch.blocked):
                result = getattr(self.bridge, method)(*positional, **named)
                return list(result) if method == "iter_secrets" else result
        return self.run(lambda: self._awaited(method, positional, named))

    def outcome(self, call: Call) -> Outcome:
        """Call a verb and give its result or its error.

        Raises:
            AssertionError: it sent what is not in the recording.
        """
        self._about(call)
        try:
            outcome = Outcome(self.do(call.method, *call.positional, **(call.named or {})))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked at
            outcome = Outcome(error=error)
        self._recorded(call)
        return outcome

    def _about(self, call: Call) -> None:
        if self.replay is not None:
            self.replay.call = call.recorded

    def _recorded(self, call: Call) -> None:
        if self.replay is not None and self.replay.missing:
            name = call.recorded or str(call)
            sent = "; ".join(self.replay.missing)
            raise AssertionError(f"{name}: it sent what is not in the recording: {sent}")

    def run(self, work: Any) -> Any:
        """Run a coroutine function on this face's event loop, under a deadline."""
        import anyio

        async def main() -> Any:
            with anyio.fail_after(_HANGS), listening(self.watch.blocked):
                return await Stepped(work(), self.watch)

        return anyio.run(main, backend=self.face)

    async def _awaited(self, method: str, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if method == "iter_secrets":
            return [secret async for secret in self.bridge.iter_secrets(*positional, **named)]
        return await getattr(self.bridge, method)(*positional, **named)

    def side_by_side(self, calls: Sequence[Call]) -> list[Outcome]:
        """Make calls at the same time: in threads, or as tasks."""
        if self.face == "sync":
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(max_workers=len(calls)) as pool:
                return list(pool.map(self.outcome, calls))
        import anyio

        ended: list[Outcome] = [Outcome()] * len(calls)

        async def one(place: int, call: Call) -> None:
            try:
                ended[place] = Outcome(await self._awaited(call.method, call.positional, call.named or {}))
            except Exception as error:  # noqa: BLE001 - see outcome
                ended[place] = Outcome(error=error)

        async def all_of_them() -> None:
            with anyio.fail_after(_HANGS):
                async with anyio.create_task_group() as group:
                    for place, call in enumerate(calls):
                        group.start_soon(one, place, call)

        anyio.run(all_of_them, backend=self.face)
        return ended

    def cancelled(self, call: Call, step: int, when: Literal["before", "after"]) -> str:
        """Break a call off at one of its waits; say what went wrong, "" where nothing did."""
        self._about(call)
        self.watch.steps = 0
        self.watch.stop = (step, when)
        try:
            return self._interrupted(call) if self.face == "sync" else self._broken_off(call)
        finally:
            self.watch.stop = None

    def _interrupted(self, call: Call) -> str:
        try:
            self.do(call.method, *call.positional, **(call.named or {}))
        except KeyboardInterrupt:
            return ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return f"raised {type(error).__name__} instead of letting KeyboardInterrupt pass"
        return "swallowed KeyboardInterrupt and went on"

    def _broken_off(self, call: Call) -> str:
        import anyio

        ended = ""

        async def main() -> None:
            nonlocal ended
            reached = anyio.Event()
            self.watch.reached = reached.set

            async def work() -> None:
                nonlocal ended
                try:
                    await self._awaited(call.method, call.positional, call.named or {})
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                    ended = f"raised {type(error).__name__} instead of letting the cancellation pass"
                else:
                    ended = "swallowed the cancellation and went on"

            with anyio.fail_after(_HANGS):
                async with anyio.create_task_group() as group:
                    group.start_soon(work)
                    await reached.wait()
                    group.cancel_scope.cancel()

        anyio.run(main, backend=self.face)
        return ended

    def close(self) -> None:
        """Let go of what was opened; a transport that was handed in stays as it is."""
        if self.probe is not None:
            return
        if self.face == "sync":
            self.bridge.close()
        else:
            self.run(self.bridge.close)


@contextmanager
def open_place(
    subject: Subject, face: Face, retry: Retry | None, replay: Replay | None = None
) -> Generator[Place]:
    """Give a place and close it again."""
    place = Place(subject, face, retry=retry, replay=replay)
    try:
        yield place
    finally:
        place.close()
