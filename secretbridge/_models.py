"""The values that go in and come out: Secret, the fields of a change, Retry and Timeout."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, NoReturn, TypedDict

from secretbridge.errors import InvalidRequest, ValueNotTold, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

__all__ = ["Fields", "Operation", "Retry", "Secret", "Target", "Timeout", "Write", "secret_str"]

#: What the verbs of the two bridges come down to.
Operation = Literal["list", "get", "create", "update", "put", "delete"]


@cache
def secret_str() -> type[SecretStr]:
    """Give pydantic's SecretStr; pydantic loads when the first value is handled, not before."""
    from pydantic.types import SecretStr as Wrapped

    return Wrapped


class Fields(TypedDict, total=False):
    """The fields that a call gives; a field that is not there was left out.

    ``None`` means "clear". ``new_name`` occurs in updates alone.
    """

    new_name: str
    value: SecretStr
    description: str | None
    active: bool
    protected: bool
    expires_at: datetime | None
    tool_name: str | None
    tool_arg: str | None
    default_for_tool: bool
    extra: Mapping[str, object]


class Target(NamedTuple):
    """Which secret is meant. An adapter gets filled in what its Capabilities ask for."""

    name: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        return self.name or self.id or ""


class Write(NamedTuple):
    """One of many writes that are made together.

    Attributes:
        name: which secret.
        fields: of a new secret, or what is to be changed.
        creates: whether it is a new secret.
        if_version: the version that a change is to come after, or None.
    """

    name: str
    fields: Mapping[str, object]
    creates: bool
    if_version: int | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Secret:
    """A secret as far as its provider tells it.

    A field is None where it is empty and where the provider has no such field or did not tell it.

    Attributes:
        name: the name, unique at most providers.
        id: the provider's id, or None where it has none.
        value: the value; None where it was not told. ``reveal()`` gives it as str.
        description: free text.
        active: False where the provider keeps the value but does not hand it out.
        protected: True where the secret accepts no changes.
        expires_at: when the value ceases to be handed out; always with a time zone.
        tool_name: the tool that this secret is bound to (io.net).
        tool_arg: the tool's argument that it fills (io.net).
        default_for_tool: whether the tool uses it by default (io.net).
        created_at: when it was made; always with a time zone.
        updated_at: when it last changed. On InsForge reading the value moves it too.
        version: counts the changes (local vault).
        platform: True for a secret that belongs to the platform itself (InsForge).
        verified: after ``verify=True``: True (read back, as sent), False (read back, different) or
            None (this store cannot tell, or nobody asked).
        extra: what else the provider tells; display masks are kept there as SecretStr.
    """

    name: str
    id: str | None = None
    value: SecretStr | None = None
    description: str | None = None
    active: bool | None = None
    protected: bool | None = None
    expires_at: datetime | None = None
    tool_name: str | None = None
    tool_arg: str | None = None
    default_for_tool: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int | None = None
    platform: bool = False
    verified: bool | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)

    if not TYPE_CHECKING:  # pragma: no branch - type checkers see the signature that the fields make

        def __init__(self, **given: object) -> None:
            # Only what is given is stored, the rest are the class's defaults: reading a secret from the
            # vault would spend a tenth of its time on setting seventeen fields one by one.
            if not (given.keys() <= self.__dataclass_fields__.keys() and "name" in given):
                unknown = ", ".join(given.keys() - self.__dataclass_fields__.keys())
                raise TypeError(f"Secret has no {unknown}" if unknown else "a Secret needs a name")
            given.setdefault("extra", {})
            self.__dict__.update(given)

    def reveal(self) -> str:
        """Give the value as str.

        Raises:
            ValueNotTold: the provider did not tell the value with this answer.
        """
        if self.value is None:
            raise ValueNotTold(
                f"The value of {self.name!r} is not known here.",
                advice="Ask get_secret() for it; io.net and Appfarm never tell a value.",
            )
        return self.value.get_secret_value()

    @property
    def expired(self) -> bool:
        """Whether its expiry has passed by this machine's clock; False where it has none."""
        return self.expires_at is not None and self.expires_at <= datetime.now(self.expires_at.tzinfo)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{key}={value!r}"
            for key in ("name", "id", "active", "protected", "expires_at", "version", "verified")
            if (value := getattr(self, key)) is not None
        )
        return f"Secret({shown}, value={'**********' if self.value is not None else None})"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: it may hold a value; pass reveal() on where you must")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """How long to wait for each step of one exchange, in seconds; None waits for ever.

    Attributes:
        connect: for the connection, TLS included.
        read: for each piece of the answer.
        write: for each piece of the request to be taken.
        pool: for a free connection.
    """

    connect: float | None = 5.0
    read: float | None = 30.0
    write: float | None = 30.0
    pool: float | None = 30.0

    def __post_init__(self) -> None:
        _check_numbers("timeout", {name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def of(cls, timeout: float | Timeout | None) -> Timeout:
        """Give a Timeout for what a caller wrote: a number or None stands for all four steps."""
        if isinstance(timeout, Timeout):
            return timeout
        return cls(connect=timeout, read=timeout, write=timeout, pool=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When an exchange is repeated, and after how long.

    An exchange is repeated only where its error is transient and the change was not made, or where doing it
    twice comes to the same. The wait is what the provider asks for (``Retry-After``), else random between 0
    and ``first_wait`` times 2, 4, 8 … ("full jitter").

    Attributes:
        attempts: tries of one exchange in all, 1 to 100; 1 repeats nothing.
        total: seconds after which no further try is begun.
        first_wait: seconds, the upper bound of the first random wait.
        max_wait: seconds, the upper bound of every random wait.
        max_retry_after: seconds; a provider that asks for more gets no further try, and the error says
            how long it asked for.
    """

    attempts: int = 4
    total: float = 60.0
    first_wait: float = 0.5
    max_wait: float = 20.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        _check_numbers("retry", {name: getattr(self, name) for name in self.__slots__})
        if not isinstance(self.attempts, int) or not 1 <= self.attempts <= 100:  # noqa: PLR2004 - see above  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            raise InvalidRequest(
                violations=[Violation("retry.attempts", "is not a whole number from 1 to 100")]
            )


#: No wait is longer, in seconds: more than eleven days is a slip, and the operating system refuses it.
_LONGEST: Final = 1_000_000


def _check_numbers(owner: str, numbers: Mapping[str, object]) -> None:
    timeout = owner == "timeout"
    wrong = [
        Violation(
            f"{owner}.{name}",
            f"is not a number of seconds {'above 0' if timeout else 'from 0'} and up to {_LONGEST:,}",
            "give a float" + (", or None to wait for ever" if timeout else ""),
        )
        for name, number in numbers.items()
        if not (timeout and number is None)
        and (
            not isinstance(number, (int, float))
            or isinstance(number, bool)
            or not 0 <= number <= _LONGEST
            or (timeout and not number)
        )
    ]
    if wrong:
        raise InvalidRequest(violations=wrong)
