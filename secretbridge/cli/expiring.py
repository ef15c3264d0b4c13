"""``expiring``: what expires soon, in all stores that know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import ConnectionName, Span
from secretbridge.cli._output import note, show_json, stamp, table, warn
from secretbridge.cli._session import Code, Doing, Session
from secretbridge.cli._stores import everywhere, opened
from secretbridge.cli._trouble import in_a_line, of_error
from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from secretbridge import Secret

__all__ = ["expiring"]


@command("expiring")
@click.argument("stores", type=ConnectionName(), nargs=-1, metavar="[CONNECTION]...")
@click.option(
    "--within",
    type=Span(),
    default="30d",
    show_default=True,
    metavar="TIME",
    help="From now on: 12h, 30d, 8w.",
)
def expiring(session: Session, stores: tuple[str, ...], within: timedelta) -> int:
    """List what expires within a time.

    In the stores that are named, else in all connections and the embedded vault. What has expired already
    comes first. Columns: expires, connection, name. Stores that do not tell when a secret expires are
    named.
    """
    asked = stores or tuple(one.name for one in everywhere(session))
    found: list[tuple[str, Secret]] = []
    silent: list[dict[str, str]] = []
    code = Code.DONE
    for store in asked:
        try:
            told = _of(session, store)
        except SecretBridgeError as error:
            trouble = of_error(session, error)
            silent.append({"connection": store, "why": f"{trouble.what} {in_a_line(trouble)}".rstrip()})
            code = Code.FAILED
            continue
        if told is None:
            silent.append({"connection": store, "why": "It does not tell when a secret expires."})
        found += [(store, secret) for secret in told or ()]
    session.doing = None
    now = datetime.now(UTC)
    rows = [(when, store, secret.name) for store, secret in found if (when := _when(secret)) is not None]
    _tell(session, sorted(row for row in rows if row[0] - now <= within), silent, now)
    return code


def _of(session: Session, store: str) -> list[Secret] | None:
    with opened(session, store) as bridge:
        if "expires_at" not in bridge.capabilities.list_tells:
            return None
        session.doing = Doing(f"list {store}")
        return list(bridge.iter_secrets())


def _when(secret: Secret) -> datetime | None:
    return secret.expires_at


def _tell(
    session: Session, rows: list[tuple[datetime, str, str]], silent: list[dict[str, str]], now: datetime
) -> None:
    if session.json:
        listed: list[dict[str, Any]] = [
            {"connection": store, "name": name, "expires_at": when, "expired": when <= now}
            for when, store, name in rows
        ]
        show_json({"secrets": listed, "not_told": silent})
        return
    table(
        ("expires", "connection", "name"),
        [[stamp(when) + (" expired" if when <= now else ""), store, name] for when, store, name in rows],
    )
    if not rows:
        note(session, "Nothing that is known expires in this time.")
    for one in silent:
        warn(f"{one['connection']}: {one['why']}")
