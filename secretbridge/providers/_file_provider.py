"""The verbs over one file of names and values; a format says how it is read and written."""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol, TypeVar

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._checks import fields_given, refuse, target_violations, update_violations
from secretbridge._models import Secret, secret_str
from secretbridge.errors import InvalidRequest, SecretExists, SecretNotFound, Violation
from secretbridge.providers._files import Content, SecretFile, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Target
    from secretbridge._provider import Page

__all__ = ["Entries", "FileProvider", "Unfit", "file_capabilities"]

T = TypeVar("T")

_MOST_VIOLATIONS: Final = 20


class Unfit(NamedTuple):
    """Why a content cannot be read or written. Given and not raised: where it is found, values are about."""

    problem: str
    remedy: str = ""


class Entries(Protocol):
    """The content of a file, taken apart, and how each change is written in its format."""

    @property
    def values(self) -> Mapping[str, str]:
        """The secrets, in the file's order."""
        ...

    def put(self, name: str, value: str) -> None:
        """Give a name a value, new or not."""
        ...

    def drop(self, name: str) -> None:
        """Take a name away."""
        ...

    def rename(self, name: str, new_name: str) -> None:
        """Give an entry a name that no other has."""
        ...

    def text(self) -> str | Unfit:
        """Give the whole content as it is to be written, or why it cannot be."""
        ...


def file_capabilities(
    *, provider: str, title: str, name: Limit, value: Limit, notes: Mapping[str, str]
) -> Capabilities:
    """Say what a file of names and values can do."""
    lacking = f"{title} keeps names and values alone; leave this out"
    fields = ("description", "active", "protected", "expires_at", "tool_name", "tool_arg", "default_for_tool")
    return Capabilities(
        provider=provider,
        title=title,
        operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
        create=frozenset({"value"}),
        update=frozenset({"value", "new_name"}),
        why_not=MappingProxyType(
            {
                **dict.fromkeys((*fields, "extra"), lacking),
                "if_version": f"{title} counts no versions; leave this out",
            }
        ),
        addressed_by=MappingProxyType({"get": "name", "update": "name", "delete": "name"}),
        name=name,
        limits=MappingProxyType({"value": value}),
        get_tells=frozenset({"value"}),
        notes=MappingProxyType(
            {
                **notes,
                "file": "read at each operation and replaced whole; new ones get mode 0600",
                "names": "a name with a slash or a control character is listed and cannot be reached",
            }
        ),
    )


class FileProvider:
    """The verbs over one file; a format says how it is read and written.

    Beyond the protocol there are ``read_many`` and ``write_many``: one reading, and one replacement, of the
    file for any number of entries.
    """

    capabilities: Capabilities
    reads_whole = True

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        # Both arguments are checked for callers without a type checker.
        given = (
            os.fspath(path)
            if isinstance(path, (str, os.PathLike))  # pyright: ignore[reportUnnecessaryIsInstance]
            else None
        )
        if not isinstance(given, str) or not given or "\0" in given:
            raise InvalidRequest(violations=[Violation("path", "is not a path", "give the path of a file")])
        if not isinstance(create, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
            raise InvalidRequest(violations=[Violation("create", "is not True or False", "give a bool")])
        self._path = Path(given).expanduser().absolute()
        self._file = SecretFile(self._path, self.capabilities.provider)
        self._create = create

    @property
    def path(self) -> Path:
        """Where the file is, as an absolute path; symbolic links are followed at each operation."""
        return self._path

    @property
    def store(self) -> str:
        """Which file this is, symbolic links followed."""
        return os.path.realpath(self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled; make it where it is used")

    def _parsed(self, text: str) -> Entries | Unfit:
        """Take the content apart, or say why not."""
        raise NotImplementedError

    def _values(self, text: str) -> Mapping[str, str] | Unfit:
        """Give what the content holds, to be read alone, or say why not."""
        entries = self._parsed(text)
        return entries if isinstance(entries, Unfit) else entries.values

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - the protocol's arguments
        """Give nothing: capabilities say it all."""
        return ()

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:  # noqa: ARG002 - a file has one page
        """Give the names, all at once, in the file's order."""
        return [Secret(name=name) for name in await self.list_names(channel)], None

    async def list_names(self, channel: Channel) -> list[str]:
        """Give the names alone, in the file's order."""
        return list(await channel.call(partial(self._read, "list")))

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret with its value."""
        (secret,) = await channel.call(partial(self._get, [target.name or ""]))
        return secret

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Add a secret at the end."""
        await channel.call(partial(self._change, "create", lambda to: self._add(to, name, fields)))
        return Secret(name=name)

    async def update(
        self,
        channel: Channel,
        target: Target,
        changes: Fields,
        *,
        if_version: int | None = None,  # noqa: ARG002 - core refuses it
    ) -> Secret:
        """Change value and name, in one replacement of the file."""
        name = target.name or ""
        await channel.call(partial(self._change, "update", lambda to: self._alter(to, name, changes)))
        return Secret(name=changes.get("new_name", name))

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create or replace."""
        value = fields["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
        await channel.call(partial(self._change, "put", lambda to: to.put(name, value.get_secret_value())))
        return Secret(name=name)

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret."""
        name = target.name or ""

        def drop(to: Entries) -> None:
            self._require("delete", to.values, name)
            to.drop(name)

        await channel.call(partial(self._change, "delete", drop))

    async def read_many(self, channel: Channel, names: Iterable[str]) -> list[Secret]:
        """Give many secrets with their values, in the order asked for, from one reading of the file.

        Raises:
            SecretNotFound: one of them is not there.
            SecretBridgeError: the file cannot be read.
        """
        return await channel.call(partial(self._get, list(names)))

    async def read_values(self, channel: Channel, names: Iterable[str]) -> list[SecretStr]:
        """Give many values, in the order asked for, from one reading of the file.

        Raises:
            SecretNotFound: one of them is not there.
            SecretBridgeError: the file cannot be read.
        """
        return await channel.call(partial(self._told, list(names)))

    async def write_many(self, channel: Channel, writes: Iterable[tuple[str, SecretStr | None]]) -> None:
        """Apply many changes in one replacement of the file: all of them or none.

        Args:
            channel: how to wait.
            writes: name and value, in the order in which they are to count; None deletes, and what is not
                there is then no error. Names and values are checked as put_secret() does.

        Raises:
            InvalidRequest: something is wrong with the writes or with the file; nothing was written.
            SecretBridgeError: anything else; ``applied`` speaks of all writes together.
        """
        listed = list(writes)
        wrong = (one for name, value in listed for one in _write_violations(self.capabilities, name, value))
        refuse(self.capabilities, "put", islice(wrong, _MOST_VIOLATIONS))

        def apply(to: Entries) -> None:
            for name, value in listed:
                if value is None:
                    to.drop(name)
                else:
                    to.put(name, value.get_secret_value())

        await channel.call(partial(self._change, "put", apply))

    def _get(self, names: list[str]) -> list[Secret]:
        return [Secret(name=name, value=value) for name, value in zip(names, self._told(names), strict=True)]

    def _told(self, names: list[str]) -> list[SecretStr]:
        values = self._read("get")
        for name in names:
            self._require("get", values, name)
        wrap = secret_str()
        return [wrap(values[name]) for name in names]

    def _add(self, to: Entries, name: str, fields: Fields) -> None:
        if name in to.values:
            raise self._taken("create", name)
        value = fields["value"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # core asks for it
        to.put(name, value.get_secret_value())

    def _alter(self, to: Entries, name: str, changes: Fields) -> None:
        self._require("update", to.values, name)
        new_name = changes.get("new_name", name)
        if new_name != name:
            if new_name in to.values:
                raise self._taken("update", new_name)
            to.rename(name, new_name)
        if "value" in changes:
            to.put(new_name, changes["value"].get_secret_value())

    def _require(self, operation: Operation, values: Mapping[str, str], name: str) -> None:
        if name not in values:
            raise SecretNotFound(
                f"{self._path} has no secret named {name!r}.",
                provider=self.capabilities.provider,
                operation=operation,
                advice="list_secrets() shows what is there.",
            )

    def _taken(self, operation: Operation, name: str) -> SecretExists:
        return SecretExists(
            f"{self._path} has a secret named {name!r} already.",
            provider=self.capabilities.provider,
            operation=operation,
        )

    def _read(self, operation: Operation) -> Mapping[str, str]:
        return self._accepted(partial(self._file.load, operation), self._values)

    def _change(self, operation: Operation, edit: Callable[[Entries], None]) -> None:
        def edited(content: Content) -> bytes:
            entries = self._accepted(lambda: content, self._parsed)
            edit(entries)
            text = entries.text()
            if isinstance(text, Unfit):
                raise refusal(self._path, *text)
            return text.encode()

        self._file.change(operation, edited)

    def _accepted(self, load: Callable[[], Content], understand: Callable[[str], T | Unfit]) -> T:
        understood = _understood(load, understand, create=self._create)
        if isinstance(understood, Unfit):
            raise refusal(self._path, *understood)
        return understood


def _understood(
    load: Callable[[], Content], understand: Callable[[str], T | Unfit], *, create: bool
) -> T | Unfit:
    """Take a content apart; where the result is refused, no frame holds the text any more."""
    content = load()
    if content.found is None and not create:
        return Unfit("is not there", "create it, or leave create=False out")
    try:
        text = content.data.decode()
    except UnicodeDecodeError as problem:
        line = content.data.count(b"\n", 0, problem.start) + 1
        return Unfit(f"is not UTF-8 in line {line}", "save it as UTF-8")
    del content  # the file may be large, and is not needed twice
    return understand(text)


def _write_violations(of: Capabilities, name: str, value: object) -> Iterator[Violation]:
    operation: Operation = "delete" if value is None else "put"
    wrong = [*target_violations(of, operation, name, None)]
    if value is not None:
        fields = fields_given({"value": value}, wrong)
        if not wrong:
            wrong += update_violations(of, fields, allow_one_way=False, if_version=None, creates=True)
            if isinstance(value, str):
                wrong.append(Violation("value", "is a bare str", "give a SecretStr"))
    for one in wrong:
        yield Violation(f"{one.field} of {name!r}", one.problem, one.remedy)
