"""``vault accounts add-user``, ``renew-key`` and ``change``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._command import command
from secretbridge.cli._credential import credential_options, one_credential
from secretbridge.cli._files import written
from secretbridge.cli._kinds import Moment
from secretbridge.cli._output import note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import in_vault, opened_vault
from secretbridge.cli.vault_accounts import ACCOUNT, PERMISSION, ROLE, changed

if TYPE_CHECKING:
    from datetime import datetime

    from secretbridge import Vault

__all__ = ["add_user", "change", "renew_key"]


@command("add-user")
@ACCOUNT
@in_vault()
@ROLE
@PERMISSION
@click.option(
    "--environment", "environments", multiple=True, metavar="NAME",
    help="For this environment; all without it.",
)  # fmt: skip
@click.option(
    "--expires-at", type=Moment(), metavar="WHEN", help="From when on he may do nothing: a moment, or 90d."
)
@credential_options()
def add_user(session: Session, store: str, account: str, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Add a user, who has a credential of his own.

    It is named by where it is, or is a passphrase that is asked for; it opens the vault for nobody else.
    """
    credential = one_credential(options)
    given: dict[str, Any] = {
        "roles": options["roles"],
        "permissions": options["permissions"],
        "environments": options["environments"] or None,
        "expires_at": options["expires_at"],
    }
    changed(
        session, store, account, "add", lambda vault: vault.principals.add_user(account, credential, **given)
    )


@command("renew-key")
@ACCOUNT
@in_vault()
@click.option("--out", metavar="FILE", help="Write its key into a new file of mode 0600.")
@click.option("--reveal", is_flag=True, help="Print its key.")
def renew_key(session: Session, store: str, account: str, *, out: str | None, reveal: bool) -> None:
    """Give a service account a new key; the old one opens nothing more.

    The key is given this once, into the file of --out or, with --reveal, on standard output.
    """
    if (out is None) == (not reveal):
        raise click.UsageError("Give --out FILE for its key, or --reveal; one of them.")
    if out is not None:
        written(out, "", what="key")  # before the old one goes: a file that cannot be written keeps it
    with opened_vault(session, store) as vault:
        look = f"secretbridge vault accounts renew-key {account} gives another one."
        session.doing = Doing(f"renew the key of {account!r} in {store}", changes=True, look=look)
        key = _renewed(vault, account, out)
        session.changed(f"renewed the key of {account!r} in {store}")
    if out is not None:
        written(out, f"{key}\n", what="key", overwrite=True, remedy=look)
    if session.json:
        told = {"key": key} if reveal else {}
        show_json({"vault": store, "account": account, "operation": "renew-key", "file": out, **told})
    elif reveal:
        click.echo(key)
    note(session, f"{account!r} in {store} has a new key." + (f" It is in {out}." if out else ""))


def _renewed(vault: Vault, account: str, out: str | None) -> str:
    import os
    from contextlib import suppress

    try:
        return vault.principals.renew_key(account).get_secret_value()
    except BaseException:
        if out is not None:
            with suppress(OSError):
                os.unlink(out)  # noqa: PTH108 - the empty file from above; pathlib would load for this alone
        raise


@command("change")
@ACCOUNT
@in_vault()
@click.option("--expires-at", type=Moment(), metavar="WHEN", help="From when on it may do nothing.")
@click.option("--never-expires", is_flag=True, help="Let it act for ever.")
@click.option(
    "--environment", "environments", multiple=True, metavar="NAME",
    help="Let it connect to this environment and no other; may be given several times.",
)  # fmt: skip
@click.option("--all-environments", is_flag=True, help="Let it connect to every environment.")
def change(
    session: Session, store: str, account: str, *, expires_at: datetime | None, never_expires: bool,
    environments: tuple[str, ...], all_environments: bool,
) -> None:  # fmt: skip
    """Say until when, and in which environments, an account acts."""
    if expires_at is not None and never_expires:
        raise click.UsageError("--expires-at and --never-expires are given together; give one of them.")
    if environments and all_environments:
        raise click.UsageError("--environment and --all-environments are given together; give one of them.")
    if not (expires_at or never_expires or environments or all_environments):
        raise Stop("Nothing is to be changed.", do="Give --expires-at or --environment.", code=Code.USAGE)

    def call(vault: Vault) -> None:
        if environments or all_environments:
            vault.principals.set_environments(account, environments or None)
        if expires_at is not None or never_expires:
            vault.principals.set_expiry(account, expires_at)

    changed(session, store, account, "change", call)
