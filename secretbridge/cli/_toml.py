"""A file of connections, changed in place: one table added or taken out, all else left byte for byte.

The result is read back before it replaces the file; where it would not mean exactly what is wanted, nothing
is written.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from secretbridge.cli._session import Code, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["added", "block", "removed", "replaced"]

_BARE = re.compile("[A-Za-z0-9_-]+")


def block(name: str, table: Mapping[str, object]) -> str:
    """Write a connection as TOML."""
    plain = {key: value for key, value in table.items() if key != "credentials"}
    lines = [
        f"[connections.{_key(name)}]",
        *(f"{_key(key)} = {_value(value)}" for key, value in plain.items()),
    ]
    apart = table.get("credentials")
    if _is_table(apart):
        lines += ["", f"[connections.{_key(name)}.credentials]"]
        lines += [f"{_key(key)} = {_value(value)}" for key, value in apart.items()]
    return "\n".join(lines) + "\n"


def _is_table(given: object) -> TypeGuard[dict[str, Any]]:
    """Say whether it is a table: its keys are texts alone."""
    return isinstance(given, dict)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
    if _is_table(value):
        return f"{{ {', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())} }}"
    return json.dumps(value)  # what JSON writes of texts, numbers and truth values is TOML


def added(text: str, name: str, table: Mapping[str, object]) -> str:
    """Give the text with one connection more, at the end.

    Raises:
        Stop: it cannot be put there without changing what the rest means.
    """
    parting = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    after = f"{text}{parting}{block(name, table)}"
    return _checked(text, after, lambda connections: {**connections, name: dict(table)})


def removed(text: str, name: str) -> str:
    """Give the text without a connection and the tables in it; comments above it stay.

    Raises:
        Stop: it is not written as tables of its own.
    """
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        path = _header(line)
        if path is not None:
            inside = path[:2] == ("connections", name)
        if not inside:
            kept.append(line)
    wanted: Callable[[dict[str, Any]], dict[str, Any]] = lambda connections: {  # noqa: E731 - one expression
        key: table for key, table in connections.items() if key != name
    }
    return _checked(text, "".join(kept), wanted)


def _header(line: str) -> tuple[str, ...] | None:
    """Give the path of a table's header, or None for another line."""
    if not line.lstrip().startswith("["):
        return None
    try:
        tree: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while _is_table(tree) and tree:
        ((key, tree),) = tree.items()
        path.append(key)
    return tuple(path)


def _checked(before: str, after: str, wanted: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    old = tomllib.loads(before)
    new: dict[str, Any] | None = None
    with suppress(tomllib.TOMLDecodeError):  # a text that was cut in two
        new = {"connections": {}, **tomllib.loads(after)}
    expected = {**old, "connections": wanted(old.get("connections", {}))}
    if new != expected:
        raise Stop(
            "The file of connections was left as it is.",
            why="It is written in a way that this command cannot change safely.",
            do="Change it in an editor; docs/connections.md shows how.",
            code=Code.FAILED,
        )
    return after


def replaced(path: Path, text: str, check: Callable[[Path], object]) -> None:
    """Replace a file, or make it with mode 0600, once the new one has passed a check.

    Args:
        path: the file; what a symbolic link leads to is replaced.
        text: all that it is to hold.
        check: gets the new file under another name in the same folder; what it raises keeps the old one.

    Raises:
        Stop: it cannot be written.
        InvalidRequest: from the check, with the file's own name.
    """
    from secretbridge.errors import InvalidRequest, Violation

    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    problem = ""
    wrong: list[Violation] = []
    try:
        mode = target.stat().st_mode & 0o755 if target.exists() else 0o600
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        check(part)
        part.replace(target)
    except OSError as failure:
        problem = failure.strerror or "it is no usable path"
    except InvalidRequest as refused:
        wrong = [one._replace(field=one.field.replace(str(part), str(path))) for one in refused.violations]
    finally:
        part.unlink(missing_ok=True)
    if wrong:
        raise InvalidRequest(violations=wrong)
    if problem:
        raise Stop(f"{path} could not be written; nothing was changed.", why=f"{problem}.")
