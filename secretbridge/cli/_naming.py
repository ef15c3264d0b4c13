"""Writes a named connection: into which file, with which options, and credentials by reference alone."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from secretbridge.cli._command import adding
from secretbridge.cli._session import Code, Doing, Session, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge.errors import Violation

__all__ = ["connection_options", "file_of", "save", "table_of"]

F = TypeVar("F", bound="Callable[..., Any]")

_NAME: Final = "secretbridge.toml"
_KEY: Final = re.compile("[A-Za-z0-9_-]{1,64}")
_NUMBERS: Final = frozenset({"timeout", "pace"})


def connection_options(*, required: bool) -> Callable[[F], F]:
    """Add the options that say what a connection is."""
    options = [
        click.option(
            "--provider", metavar="PROVIDER", required=required,
            help="The kind of store, such as wix; capabilities lists them.",
        ),
        click.option(
            "-o", "--option", "plain", multiple=True, metavar="KEY=VALUE",
            help="An option of the provider, such as site_id=ID; a list as TOML: 'secrets=[\"A\", \"B\"]'.",
        ),
        click.option(
            "--credential", "references", multiple=True, metavar="KEY=REFERENCE",
            help="Where a credential is, such as api_key=env:WIX_API_KEY; never the credential itself.",
        ),
        click.option("--user", is_flag=True, help="Write into the user's file, not the project's."),
    ]  # fmt: skip
    return adding(options)


def file_of(session: Session, *, user: bool) -> Path:
    """Give the file that a new connection goes into."""
    chosen = session.config or os.environ.get("SECRETBRIDGE_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    if user:
        import platformdirs  # the library keeps its own way there to itself

        folder = platformdirs.user_config_path("secretbridge")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return next(
            (path for path in (folder / "config.toml", folder / _NAME) if path.exists()),
            folder / "config.toml",
        )
    from secretbridge import connections

    session.doing = Doing("read the connections")
    here = Path.cwd()
    places = {Path(one.place) for one in connections()}
    session.doing = None
    near = (folder / _NAME for folder in (here, *here.parents))
    return next((path for path in near if path in places), here / _NAME)


def table_of(provider: str, plain: tuple[str, ...], references: tuple[str, ...]) -> dict[str, Any]:
    """Give the table of a connection.

    Raises:
        UsageError: something is not of the form KEY=VALUE; what was written is not repeated.
    """
    table: dict[str, Any] = {"provider": provider}
    for one in plain:
        key, value = _pair("--option", one)
        table[key] = _as_toml(key, value)
    credentials = dict(_pair("--credential", one) for one in references)
    if not credentials:
        return table
    if _is_ours(provider):
        return {**table, **credentials}
    return {**table, "credentials": credentials}


def _pair(option: str, written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise click.UsageError(f"{option} takes KEY=VALUE.")
    return key, value


def _as_toml(key: str, written: str) -> object:
    """Give lists, tables and truth values as TOML reads them, and numbers where wanted; all else is text."""
    if written[:1] in {"[", "{"} or written in {"true", "false"} or key in _NUMBERS:
        try:
            return tomllib.loads(f"x = {written}")["x"]
        except (tomllib.TOMLDecodeError, RecursionError):
            return written
    return written


def _is_ours(provider: str) -> bool:
    from secretbridge.errors import InvalidRequest
    from secretbridge.providers import provider_class

    try:
        return provider_class(provider).__module__.startswith("secretbridge.")
    except InvalidRequest:  # the check of the file says so, with the names that are known
        return True


def _of_option(one: Violation, file: Path, before: str) -> Violation:
    """Say what is wrong with an option that was given: nobody finds the line of what was not written."""
    path, _, line = one.field.rpartition(":")
    if path != str(file) or not line.isdecimal() or int(line) <= before.count("\n"):
        return one
    problem = "one of the keys is unknown" if one.problem == "unknown key" else one.problem
    return one._replace(
        field="", problem=problem, remedy=one.remedy.replace("take it out of this file, ", "")
    )


def save(session: Session, file: Path, name: str, table: dict[str, Any]) -> None:
    """Write a connection into a file, if the library takes it from there.

    Raises:
        Stop: the file names it already, or cannot be changed.
        InvalidRequest: the connection is not as it must be; no violation repeats a value.
    """
    from secretbridge import connect, connections
    from secretbridge.cli._toml import added, replaced
    from secretbridge.errors import InvalidRequest

    session.doing = Doing(f"add {name} to {file}", changes=True, nothing="nothing was written")
    text = ""
    if file.exists():
        if any(one.name == name for one in connections(config=file)):
            raise Stop(
                f"{name} was not added; nothing was changed.",
                why=f"{file} names it already.",
                do=f"secretbridge connections remove {name}, or another name.",
                code=Code.FAILED,
            )
        text = file.read_bytes().decode()
    after = added(text, name, table)
    wrong: list[Violation] = []
    try:
        replaced(file, after, lambda part: connect(name, config=part).close())
    except InvalidRequest as refused:
        wrong = [_of_option(one, file, text) for one in refused.violations]
    if wrong:
        raise InvalidRequest(violations=wrong)
    session.changed(f"added {name} to {file}")
