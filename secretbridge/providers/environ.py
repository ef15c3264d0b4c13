"""The process environment, to read from."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._models import Secret, secret_str
from secretbridge.errors import InvalidRequest, SecretNotFound, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Target
    from secretbridge._provider import Page

__all__ = ["Environment"]

_UNDECODABLE: Final = re.compile("[\ud800-\udfff]")
_READ_ONLY: Final = "the environment is only read here; set the variable where this process is started"


class Environment:
    """The environment variables of this process, read-only.

    Args:
        prefix: only variables whose names begin so are seen, and by the rest of their names: with ``"APP_"``
            the variable ``APP_TOKEN`` is the secret ``TOKEN``.

    Raises:
        InvalidRequest: the prefix cannot begin a variable's name.
    """

    capabilities: Capabilities = Capabilities(
        provider="environ",
        title="the environment",
        operations=frozenset({"list", "get"}),
        why_not=MappingProxyType(dict.fromkeys(("create", "update", "put", "delete"), _READ_ONLY)),
        addressed_by=MappingProxyType({"get": "name"}),
        name=Limit(min_length=1),
        get_tells=frozenset({"value"}),
        notes=MappingProxyType(
            {
                "value": "one that is not UTF-8 is refused when it is read",
                "names": "a name that is not UTF-8 is left out; one with a slash or a control character is"
                " listed and cannot be reached",
            }
        ),
    )

    def __init__(self, prefix: str = "") -> None:
        if (
            not isinstance(prefix, str)  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
            or re.search("[=\0]", prefix)
            or _UNDECODABLE.search(prefix)
        ):
            problem = Violation("prefix", "cannot begin a variable's name", "for example APP_")
            raise InvalidRequest(violations=[problem])
        self._prefix = prefix

    @property
    def store(self) -> str:
        """Which variables of this process these are."""
        return f"{self._prefix}*"

    def __repr__(self) -> str:
        return f"Environment({self._prefix!r})"

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Give nothing: capabilities say it all."""
        return ()

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:  # noqa: ARG002 - one page, from memory
        """Give the names, sorted."""
        start = len(self._prefix)
        names = [name[start:] for name in sorted(os.environ) if name.startswith(self._prefix)]
        return [Secret(name=name) for name in names if name and not _UNDECODABLE.search(name)], None

    async def get(self, channel: Channel, target: Target) -> Secret:  # noqa: ARG002 - from memory
        """Give one variable."""
        name = target.name or ""
        variable = self._prefix + name
        value = secret_str()(os.environ.get(variable, ""))
        if variable not in os.environ:
            raise SecretNotFound(
                f"The environment has no variable {variable!r}.",
                provider="environ",
                operation="get",
                advice="list_secrets() shows what is there.",
            )
        if _UNDECODABLE.search(value.get_secret_value()):
            raise InvalidRequest(
                violations=[Violation(variable, "has a value that is not UTF-8", "set it to a text")]
            )
        return Secret(name=name, value=value)

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Not among the operations: core refuses it."""
        raise NotImplementedError

    async def delete(self, channel: Channel, target: Target) -> None:
        """Not among the operations: core refuses it."""
        raise NotImplementedError
