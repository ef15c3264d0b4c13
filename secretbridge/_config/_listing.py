"""connections(): what is named where."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from secretbridge._config import _file, _search
from secretbridge._config._check import validated
from secretbridge._config._environment import BUILT_IN, options_told
from secretbridge._config._plain import PATHS, Plain
from secretbridge._config._provider import placed
from secretbridge._config._references import Reference
from secretbridge._json import is_object

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from secretbridge._config._file import File
    from secretbridge._config._tables import ConnectionTable

__all__ = ["Connection", "connections"]

_BY_VARIABLES: Final = "environment"
#: The part of an address that may hold a password, and what follows its path.
_USER: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY: Final = re.compile(r"(?<=[?#]).+", re.DOTALL)
_MASK: Final = "**********"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A store that has a name.

    Attributes:
        name: what ``connect`` takes.
        provider: the short name of its provider, such as ``"wix"``.
        place: the file that it stands in, or ``"environment"`` where variables alone make it.
        options: the provider's options and the bridge's, by name. Paths are those that count. A credential is
            given by its reference alone, such as ``"env:WIX_API_KEY"`` or ``"command:PROGRAM ARGUMENT"``; of
            an address, user name, password and query are masked.
    """

    name: str
    provider: str
    place: str
    options: Mapping[str, object] = field(repr=False, hash=False)

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (self.name, self.provider, self.place, dict(self.options))


def _made(name: str, provider: str, place: str, options: Mapping[str, object]) -> Connection:
    """Put a connection together; what unpickling calls, for a view of a mapping is not pickled."""
    masked = {key: _masked(value) for key, value in options.items()}
    return Connection(name=name, provider=provider, place=place, options=MappingProxyType(masked))


def connections(config: str | os.PathLike[str] | None = None) -> list[Connection]:
    """Give the connections that ``connect`` knows by name; nothing is opened and no credential is looked up.

    Each name is listed once, as ``connect`` would take it: the project's file first, then the user's files,
    then environment variables, for those of the six built-in names whose variables are set.

    Args:
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.

    Returns:
        The connections, by name.

    Raises:
        InvalidRequest: a file cannot be used, as for ``connect``. All of the files are read.
    """
    chosen = _search.explicit(config)
    found: dict[str, Connection] = {}
    for path in [chosen] if chosen else _search.search():
        file = _file.read(path, chosen=chosen is not None, wanted="")
        for one in _of_file(file):
            found.setdefault(one.name, one)
    if chosen is None:
        for name in BUILT_IN.keys() - found.keys():
            options = options_told(name)
            if options is not None:
                provider = "local" if name == "vault" else name
                found[name] = _made(name, provider, _BY_VARIABLES, options)
    return [found[name] for name in sorted(found)]


def _of_file(file: File) -> Iterator[Connection]:
    for name, table in file.connections.items():
        model = validated(table)
        options = {
            key: _shown(file, model, key, written)
            for key, written in table.items()
            if key not in {"provider", "credentials"}
        }
        apart: Any = table.get("credentials", {})
        options |= {key: _reference(written) for key, written in apart.items()}
        yield _made(name, model.provider, str(file.path), options)


def _shown(file: File, model: ConnectionTable | Plain, key: str, written: object) -> object:
    value = model.given[key] if isinstance(model, Plain) else getattr(model, key)
    if isinstance(value, Reference):
        return _reference(written)
    return str(placed(file, str(written))) if key in PATHS.get(model.provider, ()) else written


def _reference(written: Any) -> str:  # noqa: ANN401 - a text or a table, as TOML gives it
    """Give a reference as text; a command that is written as a list too."""
    return written if isinstance(written, str) else f"command:{shlex.join(written['command'])}"


def _masked(option: object) -> object:
    """Give an option without what an address may hold of a credential."""
    if isinstance(option, str):
        return _QUERY.sub(_MASK, _USER.sub(f"{_MASK}@", option)) if "://" in option else option
    if isinstance(option, (list, tuple)):
        many = cast("Iterable[object]", option)  # isinstance leaves unknown what it holds
        return tuple(map(_masked, many))
    if is_object(option):
        return {key: _masked(value) for key, value in option.items()}
    return option
