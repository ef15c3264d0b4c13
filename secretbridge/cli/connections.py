"""``connections list``, ``add``, ``check`` and ``remove``: stores by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._kinds import ConnectionName
from secretbridge.cli._naming import connection_options, file_of, save, table_of
from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import everywhere, store_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["add", "check", "listing", "remove"]

_DRY = dry_run_option()


@command("list")
def listing(session: Session) -> None:
    """List the connections by name.

    Those of the project's file, of the user's, and those that environment variables make. Columns: name,
    provider, where it is defined. Nothing is opened; --json shows the options, credentials by their
    reference alone.
    """
    from secretbridge import connections

    session.doing = Doing("read the connections")
    known = connections(config=session.config)
    session.doing = None
    if session.json:
        rows = [
            {"name": one.name, "provider": one.provider, "place": one.place, "options": _plain(one.options)}
            for one in known
        ]
        show_json({"connections": rows})
        return
    place = {one.name: one.place for one in known}
    # Both stand for the vault that variables or nobody chose: two names, one store.
    same = place.get("local") == place.get("vault") == "environment"
    shown = [
        [
            one.name,
            one.provider,
            f"{one.place}; the same as vault" if same and one.name == "local" else one.place,
        ]
        for one in known
    ]
    table(("name", "provider", "defined in"), shown)


def _plain(options: Any) -> Any:  # noqa: ANN401 - whatever TOML can hold
    if hasattr(options, "items"):
        return {key: _plain(value) for key, value in options.items()}
    if isinstance(options, (list, tuple)):
        return [_plain(one) for one in cast("Sequence[Any]", options)]  # isinstance forgets the Any
    return options if options is None or isinstance(options, (bool, int, float, str)) else str(options)


@command("add")
@store_argument("name", "NAME")
@connection_options(required=True)
@_DRY
def add(
    session: Session, name: str, provider: str, plain: tuple[str, ...], references: tuple[str, ...], *,
    user: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Write a connection into a file.

    Into --config or SECRETBRIDGE_CONFIG, else the project's secretbridge.toml, else a new one in this
    folder. The rest of the file stays as it is. Credentials are named by where they are: env:VARIABLE,
    file:PATH, keyring:SERVICE/USER, vault:NAME or command:PROGRAM. One in clear is refused.
    """
    file = file_of(session, user=user)
    made = table_of(provider, plain, references)
    if dry_run:
        from secretbridge.cli._toml import block

        note(session, f"Dry run: would add to {file}:\n")
        if not session.json:
            # Credentials are left out: one could be written in clear, and nothing has checked that yet.
            click.echo(block(name, {key: value for key, value in made.items() if key == "provider"}))
    else:
        save(session, file, name, made)
        note(session, f"Added {name} to {file}; secretbridge connections check {name} tries it.")
    if session.json:
        show_json({"name": name, "file": str(file), "operation": "add", "dry_run": dry_run})


@command("check")
@click.argument("stores", type=ConnectionName(), nargs=-1, metavar="[CONNECTION]...")
def check(session: Session, stores: tuple[str, ...]) -> int:
    """Try connections, without changing anything.

    Those that are named, else all. Each is listed once, to see whether it answers and takes the credential.
    Columns: connection, status (ok, warning, failed), detail. Ends with 1 where one failed.
    """
    from secretbridge import connections
    from secretbridge.cli._probe import probed

    if stores:
        session.doing = Doing("read the connections")
        by_name = {one.name: one for one in connections(config=session.config)}
        if unknown := [store for store in stores if store not in by_name]:
            raise Stop(
                f"There is no connection {unknown[0]}.",
                do="secretbridge connections list shows those that there are.",
                code=Code.USAGE,
            )
        chosen = [by_name[store] for store in stores]
    else:
        chosen = everywhere(session)
    found = [probed(session, one) for one in chosen]
    session.doing = None
    if session.json:
        show_json({"checks": found})
    else:
        rows = [[one["check"].removeprefix("connection "), one["status"], one["detail"]] for one in found]
        table(("connection", "status", "detail"), rows)
    return Code.FAILED if any(one["status"] == "failed" for one in found) else Code.DONE


@command("remove")
@store_argument("name", "NAME")
@yes_option()
@_DRY
def remove(session: Session, name: str, *, yes: bool, dry_run: bool) -> None:
    """Take a connection out of its file.

    The store and its secrets stay as they are, and so does the rest of the file.
    """
    from secretbridge import connections
    from secretbridge.cli._toml import removed, replaced

    session.doing = Doing("read the connections")
    found = next((one for one in connections(config=session.config) if one.name == name), None)
    session.doing = None
    if found is None or found.place == "environment":
        raise Stop(
            f"{name} was not removed; nothing was changed.",
            why="It is made by environment variables." if found else "No connection has this name.",
            do="Unset them." if found else "secretbridge connections list shows those that there are.",
        )
    file = Path(found.place)
    after = removed(file.read_bytes().decode(), name)
    if dry_run:
        note(session, f"Dry run: would take {name} out of {file}.")
    else:
        agree(f"This takes {name} out of {file}.", yes=yes)
        session.doing = Doing(f"remove {name} from {file}", changes=True)
        replaced(file, after, lambda part: connections(config=part))
        session.changed(f"removed {name} from {file}")
        note(session, f"Removed {name} from {file}.")
    if session.json:
        show_json({"name": name, "file": str(file), "operation": "remove", "dry_run": dry_run})
