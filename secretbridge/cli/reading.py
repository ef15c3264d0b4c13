"""``list`` and ``get``: what a store holds, without values unless one is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from secretbridge.cli._command import command
from secretbridge.cli._files import written
from secretbridge.cli._output import note, plain, show_json, stamp, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import (
    called,
    found,
    id_option,
    in_option,
    name_argument,
    opened,
    revealed,
    store_argument,
)

if TYPE_CHECKING:
    from secretbridge import Secret, SecretBridge

__all__ = ["get", "listing"]


@command("list")
@store_argument()
def listing(session: Session, store: str) -> None:
    """List the secrets of a store, without values.

    Columns: name, version, expires, flags (inactive, protected, expired), description. Into a pipe they go
    without headings and with a tab between them.
    """
    with opened(session, store) as bridge:
        session.doing = Doing(f"list {store}")
        found_here = list(bridge.iter_secrets())
    if session.json:
        from secretbridge.cli._shapes_secrets import secret_row

        show_json({"connection": store, "secrets": [secret_row(secret) for secret in found_here]})
        return
    table(("name", "version", "expires", "flags", "description"), [_row(secret) for secret in found_here])
    if not found_here:
        note(session, f"{store} holds no secrets.")


def _row(secret: Secret) -> list[str]:
    version = "" if secret.version is None else str(secret.version)
    return [secret.name, version, stamp(secret.expires_at), _flags(secret), secret.description or ""]


def _flags(secret: Secret) -> str:
    from datetime import UTC, datetime

    flags = ["inactive"] if secret.active is False else []
    flags += ["protected"] if secret.protected else []
    if secret.expires_at is not None and secret.expires_at <= datetime.now(UTC):
        flags.append("expired")
    return ",".join(flags)


@command("get")
@name_argument(required=False)
@id_option()
@in_option()
@click.option(
    "--reveal", is_flag=True, help="Print the value; into a pipe it goes alone and exactly as it is."
)
@click.option(
    "--out", metavar="FILE", help="Write the value, exactly as it is, into a new file of mode 0600."
)
@click.option("--overwrite", is_flag=True, help="Let --out replace a file that is there.")
def get(
    session: Session,
    store: str,
    name: str | None,
    id: str | None,
    *,
    reveal: bool,
    out: str | None,
    overwrite: bool,
) -> None:
    """Show one secret; its value only if asked for.

    Without --reveal and --out the value is not even read.
    """
    called(name, id)
    if reveal and out is not None:
        raise click.UsageError("--reveal and --out are given together; give one of them.")
    if overwrite and out is None:
        raise click.UsageError("--overwrite goes with --out.")
    with opened(session, store) as bridge:
        secret = (_with_value if reveal or out is not None else found)(session, bridge, store, name, id)
    session.doing = None
    value = revealed(secret, store).get_secret_value() if reveal or out is not None else None
    if out is not None and value is not None:
        remedy = "Give --out another place, or --overwrite to replace the file."
        written(out, value, what="value", overwrite=overwrite, remedy=remedy)
        note(session, f"The value is in {out}, which only you can read.")
    if session.json:
        from secretbridge.cli._shapes_secrets import secret_row

        show_json({"connection": store, "secret": secret_row(secret, value=value if reveal else None)})
    elif reveal and value is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(value.encode() + (b"\n" if sys.stdout.isatty() else b""))
        sys.stdout.buffer.flush()
    else:
        _show(secret)


def _with_value(
    session: Session, bridge: SecretBridge, store: str, name: str | None, id: str | None
) -> Secret:
    session.doing = Doing(f"read {called(name, id)} in {store}")
    return bridge.get_secret(name, id=id, metadata=session.json)


def _show(secret: Secret) -> None:
    from secretbridge.cli._shapes_secrets import secret_row

    rows = [
        (key.replace("_", " "), stamp(given) if key.endswith("_at") else _word(given))  # type: ignore[arg-type]  # a datetime
        for key, given in secret_row(secret).items()
        if given is not None and not (key == "platform" and not given)
    ]
    width = max(len(key) for key, _ in rows)
    for key, text in rows:
        line = f"{key:{width}}  {plain(text)}" if sys.stdout.isatty() else f"{key}\t{plain(text)}"
        click.echo(line)


def _word(given: object) -> str:
    return {True: "yes", False: "no"}.get(given, str(given)) if isinstance(given, bool) else str(given)
