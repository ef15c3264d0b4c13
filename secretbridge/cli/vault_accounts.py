"""``vault accounts``: who may do what in a vault, beside its owner."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secretbridge.cli._asking import agree, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._files import written
from secretbridge.cli._kinds import Moment
from secretbridge.cli._output import note, show_json, stamp, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import in_vault, opened_vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from secretbridge import Vault

__all__ = ["ACCOUNT", "PERMISSION", "ROLE", "add", "changed", "grant", "listing", "remove", "revoke"]

ACCOUNT = click.argument("account", metavar="ACCOUNT")
ROLE = click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="lister, reader, writer, auditor or administrator."
)
PERMISSION = click.option(
    "--permission", "permissions", multiple=True, metavar="PERMISSION",
    help="Such as read_values, or update_secret_from_service:NAME; docs/vault-access.md lists them.",
)  # fmt: skip


@command("list")
@in_vault()
def listing(session: Session, store: str) -> None:
    """List the accounts of a vault.

    Columns: name, kind, roles, permissions beside the roles, environments, when it expires.
    """
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"list the accounts of {store}")
        found = vault.principals.list()
    session.doing = None
    if session.json:
        show_json({"vault": store, "accounts": [asdict(one) for one in found]})
        return
    table(
        ("account", "kind", "roles", "permissions", "environments", "expires"),
        [
            [
                one.name,
                one.kind,
                ",".join(one.roles),
                ",".join(one.permissions),
                "all" if one.environments is None else ",".join(one.environments),
                stamp(one.expires_at),
            ]
            for one in found
        ],
    )


@command("add")
@ACCOUNT
@in_vault()
@ROLE
@PERMISSION
@click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME",
    help="For this environment; all without it.",
)
@click.option(
    "--expires-at", type=Moment(), metavar="WHEN", help="From when on it may do nothing: a moment, or 90d."
)
@click.option("--out", metavar="FILE", help="Write its key into a new file of mode 0600.")
@click.option("--reveal", is_flag=True, help="Print its key.")
def add(
    session: Session, store: str, account: str, *, roles: tuple[str, ...], permissions: tuple[str, ...],
    environments: tuple[str, ...], expires_at: datetime | None, out: str | None, reveal: bool,
) -> None:  # fmt: skip
    """Add a service account to a vault, with a key of its own.

    The key is given this once, into the file of --out or, with --reveal, on standard output; it cannot be had
    again. A connection opens the vault by it: account_key = "file:FILE".
    """
    if (out is None) == (not reveal):
        raise click.UsageError("Give --out FILE for its key, or --reveal; one of them.")
    with opened_vault(session, store) as vault:
        look = f"secretbridge vault accounts list --in {store} shows whether it is there."
        session.doing = Doing(f"add the account {account!r} to {store}", changes=True, look=look)
        key = vault.principals.add_service_account(
            account,
            roles=roles,
            permissions=permissions,
            environments=environments or None,
            expires_at=expires_at,
        )
        session.changed(f"added the account {account!r} to {store}")
        if out is not None:
            _kept(vault, account, out, key.get_secret_value())
    if session.json:
        told = {"key": key.get_secret_value()} if reveal else {}
        show_json({"vault": store, "account": account, "operation": "add", "file": out, **told})
    elif reveal:
        click.echo(key.get_secret_value())
    note(session, f"Added the account {account!r} to {store}." + (f" Its key is in {out}." if out else ""))


def _kept(vault: Vault, account: str, out: str, key: str) -> None:
    """Write the key; an account whose key nobody has is taken away again."""
    try:
        written(out, key + "\n", what="key")
    except BaseException:
        vault.principals.remove(account)
        raise


@command("grant")
@ACCOUNT
@in_vault()
@ROLE
@PERMISSION
def grant(
    session: Session, store: str, account: str, roles: tuple[str, ...], permissions: tuple[str, ...]
) -> None:
    """Give an account roles or permissions."""
    if not roles and not permissions:
        raise click.UsageError("Give --role or --permission.")

    def change(vault: Vault) -> None:
        if roles:
            vault.principals.assign(account, *roles)
        if permissions:
            vault.principals.grant(account, *permissions)

    changed(session, store, account, "grant", change)


@command("revoke")
@ACCOUNT
@in_vault()
@ROLE
@PERMISSION
def revoke(
    session: Session, store: str, account: str, roles: tuple[str, ...], permissions: tuple[str, ...]
) -> None:
    """Take roles or permissions from an account; it holds at once."""
    if not roles and not permissions:
        raise click.UsageError("Give --role or --permission.")

    def change(vault: Vault) -> None:
        if roles:
            vault.principals.unassign(account, *roles)
        if permissions:
            vault.principals.revoke(account, *permissions)

    changed(session, store, account, "revoke", change)


@command("remove")
@ACCOUNT
@in_vault()
@yes_option()
def remove(session: Session, store: str, account: str, *, yes: bool) -> None:
    """Remove an account and its key; it is refused at once."""
    agree(f"This removes the account {account!r} of {store}.", yes=yes)
    changed(session, store, account, "remove", lambda vault: vault.principals.remove(account))


def changed(
    session: Session, store: str, account: str, operation: str, change: Callable[[Vault], object]
) -> None:
    """Change an account, and say so."""
    with opened_vault(session, store) as vault:
        look = f"secretbridge vault accounts list --in {store} shows what is so now."
        session.doing = Doing(f"{operation} ({account!r} in {store})", changes=True, look=look)
        change(vault)
        session.changed(f"did {operation} for {account!r} in {store}")
    if session.json:
        show_json({"vault": store, "account": account, "operation": operation, "file": None})
    note(session, f"Done: {operation} for the account {account!r} in {store}.")
