"""What all parts of the contract share: a test class's settings, its cases, and how a failure is told."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import pytest

from secretbridge._checks import target_violations
from secretbridge._models import Target, secret_str
from secretbridge.errors import (
    AuthenticationError,
    PermissionDenied,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    SecretNotFound,
    WrongAddress,
)
from secretbridge.testing._contract._place import Call, open_place
from secretbridge.testing._recording import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from secretbridge._capabilities import Capabilities
    from secretbridge._models import Operation, Retry
    from secretbridge.errors import SecretBridgeError
    from secretbridge.testing._contract._place import Face, Place
    from secretbridge.testing._contract._subject import Subject
    from secretbridge.testing._exchange import RecordedRequest, Reply
    from secretbridge.testing._recording import Recording

__all__ = ["SETTABLE", "Complaints", "ContractBase", "applies", "complaints", "stateful"]

F = TypeVar("F", bound="Callable[..., Any]")

#: The fields that the samples speak of.
SETTABLE: Final = (
    "new_name",
    "value",
    "description",
    "active",
    "protected",
    "expires_at",
    "tool_name",
    "tool_arg",
    "default_for_tool",
)
_ERRORS: Final[Mapping[int, tuple[type[SecretBridgeError], ...]]] = MappingProxyType(
    {
        301: (WrongAddress,),
        307: (WrongAddress,),
        308: (WrongAddress,),
        400: (Rejected,),
        401: (AuthenticationError,),
        403: (PermissionDenied,),
        404: (SecretNotFound, WrongAddress),
        408: (ProviderUnavailable,),
        409: (ProviderError,),
        413: (ProviderError,),
        422: (Rejected,),
        425: (ProviderUnavailable,),
        429: (RateLimited,),
        500: (ProviderUnavailable,),
        502: (ProviderUnavailable,),
        503: (ProviderUnavailable,),
        504: (ProviderUnavailable,),
        507: (ProviderError,),
    }
)
_SAMPLES: Final[Mapping[str, tuple[object, object]]] = MappingProxyType(
    {
        "value": ("value-one-1", "value-two-2"),
        "description": ("the first text", "another text"),
        "active": (True, False),
        "protected": (False, True),
        "expires_at": (datetime(2091, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2092, 3, 4, 5, 6, 7, tzinfo=UTC)),
        "tool_name": ("first_tool", "second_tool"),
        "tool_arg": ("first_arg", "second_arg"),
        "default_for_tool": (False, True),
    }
)


def applies(question: Callable[[type[ContractBase]], bool]) -> Callable[[F], F]:
    """Mark a test that speaks of some providers only; a class it says nothing about does not have it."""

    def mark(test: F) -> F:
        test.__dict__["applies"] = question
        return test

    return mark


def stateful(why: str) -> Callable[[F], F]:
    """Mark a test that needs a store that keeps state, and say what a recording does not show of it."""

    def mark(test: F) -> F:
        test.__dict__["stateful"] = why
        return test

    return mark


def _tests_of(cls: type) -> Iterator[tuple[str, object]]:
    """Give each test as the class itself has it, also one that a class above did not collect."""
    for name in {name: None for kind in reversed(cls.__mro__) for name in vars(kind)}:
        if name.startswith("test_") and vars(cls).get(name, ...) is not None:
            yield name, next((vars(kind)[name] for kind in cls.__mro__ if vars(kind).get(name)), None)


class Complaints:
    """Gathers everything that is wrong, so that an author sees all of it at once."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def unless(self, condition: object, what: str) -> None:
        """Note a complaint where something does not hold."""
        if not condition:
            self._said.append(what)

    def raise_any(self) -> None:
        """Fail if there is a complaint."""
        __tracebackhide__ = True
        if self._said:
            raise AssertionError("\n".join(f"- {what}" for what in self._said))


@contextmanager
def complaints() -> Generator[Complaints]:
    """Fail at the end with everything that was noted."""
    __tracebackhide__ = True
    noted = Complaints()
    yield noted
    noted.raise_any()


class ContractBase:
    """What a test class says about its provider; see ProviderContract."""

    capabilities: ClassVar[Capabilities]
    statuses: ClassVar[Mapping[int, type[SecretBridgeError] | tuple[type[SecretBridgeError], ...]]] = {}
    refusals: ClassVar[Mapping[str, tuple[Reply, type[SecretBridgeError]]]] = {}
    unread: ClassVar[frozenset[Operation]] = frozenset()
    missing: ClassVar[type[SecretBridgeError]] = SecretNotFound
    unique_names: ClassVar[bool] = True
    deletes_softly: ClassVar[bool] = False
    uses_http: ClassVar[bool] = True
    recording: ClassVar[Recording | None] = None
    not_recorded: ClassVar[Mapping[str, str]] = {}
    left_out: ClassVar[Mapping[str, str]] = {}
    samples: ClassVar[Mapping[str, tuple[object, object]]] = {}
    names: ClassVar[tuple[str, str, str]] = ("CONTRACT_ONE", "CONTRACT_TWO", "CONTRACT_THREE")
    #: A value that nothing else has six characters in common with; it must fit the provider's limits.
    marked_value = "Zq7+Kx4/wV9&jH2_Tz3-Yp8~Rd5"

    tmp_path: Path

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "capabilities"):
            return  # a part of the contract, or the contract itself
        left_out: dict[str, str] = {}
        for name, test in _tests_of(cls):
            question, why = getattr(test, "applies", None), getattr(test, "stateful", "")
            said = question(cls) if callable(question) else True
            if said and why and cls.recording is not None:
                left_out[name] = why
            if callable(question) or why:
                setattr(cls, name, test if said and name not in left_out else None)
        cls.left_out = left_out if cls.recording is None else {**left_out, **cls.not_recorded}

    @pytest.fixture(autouse=True)
    def _gets_a_folder(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path

    def make(self) -> Subject:
        """Give a new adapter with a new, empty store behind it."""
        raise NotImplementedError(f"{type(self).__name__} needs make(): see ProviderContract")

    def changes_state(self, request: RecordedRequest) -> bool:
        """Say whether a request may change the store; by its method, unless a class knows better."""
        return request.method not in {"GET", "HEAD", "OPTIONS"}

    # Cases.

    @contextmanager
    def place(self, face: Face, *, retry: Retry | None = None) -> Generator[Place]:
        """Give an empty store and a bridge to it."""
        replay = None if self.recording is None else Replay(self.recording, self.changes_state)
        with open_place(self.make(), face, retry, replay) as place:
            yield place

    @contextmanager
    def holding(self, face: Face, *fields: str, retry: Retry | None = None) -> Generator[Place]:
        """Give a store that holds one secret with the first samples of these fields, and a bridge to it."""
        with self.place(face, retry=retry) as place:
            place.seed(self.names[0], {name: self.sample(name) for name in {"value", *fields}})
            yield place

    def sample(self, field: str, which: int = 0) -> Any:
        """Give one of the two samples of a field."""
        if field == "new_name":
            return self.names[2]
        if field == "value" and which and self.recording is not None:
            return self.marked_value  # so that what is recorded of it serves the tests of secrecy, too
        return {**_SAMPLES, **self.samples}[field][which]

    @property
    def kept(self) -> list[str]:
        """The fields besides the value that a new secret can be given and that leave it changeable."""
        return [name for name in SETTABLE if name in self.capabilities.create and name != "value"]

    def expected(self, status: int) -> tuple[type[SecretBridgeError], ...]:
        """Give the errors that a status may come to."""
        chosen = self.statuses.get(status, _ERRORS[status])
        return chosen if isinstance(chosen, tuple) else (chosen,)

    @property
    def all_statuses(self) -> list[int]:
        """Every status that is tried."""
        return sorted({*_ERRORS, *self.statuses})

    def calls(self) -> dict[str, Call]:
        """Give a call for every operation that is recorded, on a store that holds the first name."""
        known = None if self.recording is None else self.recording.calls
        return {name: call for name, call in self.every_call().items() if known is None or name in known}

    def every_call(self) -> dict[str, Call]:
        """Give a call for every operation that the provider has."""
        first, second, _ = self.names
        value = {"value": self.sample("value", 1)}
        change = value if "value" in self.capabilities.update else self._any_change()
        calls = {
            "list": Call("list_secrets", (), None, "list"),
            "get": Call("get_secret", (first,), None, "get"),
            "create": Call("create_secret", (second,), value, "create"),
            "update": Call("update_secret", (first,), change, "update"),
            "put": Call("put_secret", (first,), value, "put"),
            "delete": Call("delete_secret", (first,), None, "delete"),
        }
        return {name: call for name, call in calls.items() if name in self.capabilities.operations}

    def changing_calls(self) -> dict[str, Call]:
        """Give those that change something."""
        return {name: call for name, call in self.calls().items() if name not in {"list", "get"}}

    def _any_change(self) -> dict[str, Any]:
        fields = [name for name in SETTABLE if name in self.capabilities.update]
        return {name: self.sample(name, 1) for name in fields[:1]}

    def refused_name(self, subject: Subject, operation: Operation, name: str) -> bool:
        """Say whether the adapter's own capabilities and check() refuse a name."""
        fields: Any = {} if operation in {"get", "delete"} else {"value": secret_str()(self.sample("value"))}
        if [*target_violations(self.capabilities, operation, name, None)]:
            return True
        return bool([*subject.provider.check(operation, Target(name), fields)])
