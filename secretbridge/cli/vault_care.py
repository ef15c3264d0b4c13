"""``vault purge``, ``retention``, ``environments``, ``share``, ``unshare`` and ``move``."""

from __future__ import annotations

import re
from typing import Final

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._kinds import Whole
from secretbridge.cli._output import counted, note, show_json, table
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import in_vault, name_argument, opened_vault
from secretbridge.cli.writing import tell_change

__all__ = [
    "environments_add", "environments_list", "environments_rename", "move", "purge", "retention", "share",
    "unshare",
]  # fmt: skip

_YES = yes_option()
#: A password in an address; PGPASSWORD and a password file are read instead.
_PASSWORD: Final = re.compile(r"[a-z]+://[^/@]*:[^/]*@|[?&]password=|(?:^|\s)password\s*=", re.IGNORECASE)


@command("purge")
@name_argument(required=False)
@in_vault()
@click.option("--older-versions", is_flag=True, help="Every version but the newest.")
@click.option("--deleted", is_flag=True, help="Deleted secrets, with all that is known of them.")
@_YES
@dry_run_option("Say what would be removed; remove nothing.")
def purge(
    session: Session, store: str, name: str | None, *, older_versions: bool, deleted: bool, yes: bool,
    dry_run: bool,
) -> None:  # fmt: skip
    """Remove for good what a vault need not keep.

    That is what the retention does not keep, and what the options name; of NAME alone, or of all secrets of
    this environment. It cannot be taken back. It stays in backups.
    """
    whose = "all secrets" if name is None else repr(name)
    named = {"older versions": older_versions, "what was deleted": deleted}
    what = " and ".join(
        [*(word for word, given in named.items() if given), "what the retention does not keep"]
    )
    if not dry_run:
        agree(f"This removes for good, of {whose} in {store}, {what}.", yes=yes)
    with opened_vault(session, store) as vault:
        look = "Purging again goes on with the rest."
        session.doing = Doing(f"purge {whose} in {store}", changes=not dry_run, look=look)
        gone = vault.purge(name, older_versions=older_versions, deleted=deleted, dry_run=dry_run)
        session.doing = None
        if not dry_run:
            session.changed(f"purged {whose} in {store}")
    if session.json:
        show_json({"vault": store, **gone._asdict(), "dry_run": dry_run})
    values, versions = counted(gone.secrets, "deleted value"), counted(gone.versions, "version")
    done = "Dry run: would remove" if dry_run else "Removed"
    note(session, f"{done} {values} and what {versions} held.")
    if gone.pending:
        note(session, "Somebody is reading: the files may still hold it. Purge again later.")


@command("retention")
@in_vault()
@click.option(
    "--versions", type=Whole(1), metavar="N", help="Keep so many versions of a value, the newest included."
)
@click.option(
    "--days", type=Whole(1, 36_500), metavar="N", help="Keep a version so many days after it was replaced."
)
@click.option("--keep-all", is_flag=True, help="Keep everything for ever, as in a new vault.")
@_YES
@dry_run_option("Count what would not be kept any more; set nothing.")
def retention(
    session: Session, store: str, versions: int | None, days: int | None, *, keep_all: bool, yes: bool,
    dry_run: bool,
) -> None:  # fmt: skip
    """Show or set how much of its history a vault keeps.

    With an option it is set; what is not named then is not limited. What is not kept any more is dropped when
    a secret is next written, and for all of them by vault purge. --dry-run counts it in this environment.
    """
    if keep_all and (versions is not None or days is not None):
        raise click.UsageError("--keep-all goes without --versions and --days.")
    sets = keep_all or versions is not None or days is not None
    if dry_run:
        if not sets:
            raise click.UsageError("--dry-run goes with --versions, --days or --keep-all.")
        _would_keep(session, store, versions, days)
        return
    if sets and not keep_all:
        agree(f"This lets {store} drop older versions for good.", yes=yes)
    with opened_vault(session, store) as vault:
        if sets:
            session.doing = Doing(
                f"set the retention of {store}", changes=True, look="vault retention shows it."
            )
            vault.set_retention(versions=versions, days=days)
            session.changed(f"set the retention of {store}")
        else:
            session.doing = Doing(f"read the retention of {store}")
        now = vault.retention()
    session.doing = None
    if session.json:
        show_json({"vault": store, **now._asdict(), "dry_run": False, "would_go": None})
        return
    table(("", ""), [[key, "all" if limit is None else str(limit)] for key, limit in now._asdict().items()])


def _would_keep(session: Session, store: str, versions: int | None, days: int | None) -> None:
    """Count what a retention would not keep."""
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"count what {store} would not keep")
        would = vault.set_retention(versions=versions, days=days, dry_run=True)
    session.doing = None
    gone = would.versions if would is not None else 0
    if session.json:
        show_json({"vault": store, "versions": versions, "days": days, "dry_run": True, "would_go": gone})
    note(session, f"Dry run: would not keep {counted(gone, 'older version')} of this environment any more.")


@command("list")
@in_vault()
def environments_list(session: Session, store: str) -> None:
    """List the environments of a vault."""
    _environments(session, store)


@command("add")
@click.argument("environment", metavar="ENVIRONMENT")
@in_vault()
def environments_add(session: Session, store: str, environment: str) -> None:
    """Add an environment to a vault; none can be removed."""
    _environments(session, store, environment)


@command("rename")
@click.argument("environment", metavar="OLD")
@click.argument("new", metavar="NEW")
@in_vault()
def environments_rename(session: Session, store: str, environment: str, new: str) -> None:
    """Give an environment another name; what it holds stays."""
    _environments(session, store, environment, new)


def _environments(session: Session, store: str, name: str | None = None, new: str | None = None) -> None:
    with opened_vault(session, store) as vault:
        if name is not None:
            look = f"secretbridge vault environments list --in {store} shows them."
            session.doing = Doing(f"change the environments of {store}", changes=True, look=look)
            if new is None:
                vault.environments.add(name)
            else:
                vault.environments.rename(name, new)
            session.changed(f"changed the environments of {store}")
        session.doing = Doing(f"list the environments of {store}")
        names = vault.environments.list()
    session.doing = None
    if session.json:
        show_json({"vault": store, "environments": names})
    else:
        table(("environment",), [[one] for one in names])


@command("share")
@name_argument()
@in_vault()
@click.option(
    "--drop", multiple=True, metavar="ENVIRONMENT",
    help="Consent that this one's differing value stays in the history alone; may be given several times.",
)  # fmt: skip
def share(session: Session, store: str, name: str, drop: tuple[str, ...]) -> None:
    """Make this environment's value of a secret that of all environments."""
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"share {name!r} in {store}", changes=True)
        secret = vault.share(name, drop=drop)
        session.changed(f"shared {name!r} in {store}")
    tell_change(session, "share", store, [], name=name, id=None, secret=secret, dry_run=False)


@command("unshare")
@name_argument()
@in_vault()
def unshare(session: Session, store: str, name: str) -> None:
    """Give every environment its own copy of a shared secret."""
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"unshare {name!r} in {store}", changes=True)
        secret = vault.unshare(name)
        session.changed(f"unshared {name!r} in {store}")
    tell_change(session, "unshare", store, [], name=name, id=None, secret=secret, dry_run=False)


@command("move")
@click.argument("location", metavar="LOCATION")
@in_vault()
def move(session: Session, store: str, location: str) -> None:
    """Copy a whole vault to where there is none: a file, or PostgreSQL.

    History, slots, accounts and audit trail are the same there, and the same credentials open it. The vault
    is left as it is: stop its writers first, and retire it afterwards. An address holds no password:
    PGPASSWORD or a password file gives it.
    """
    if _PASSWORD.search(location):
        raise click.UsageError(
            "The address holds a password, which is not taken from the command line: others can read it."
            " Leave it out, and give it by PGPASSWORD or a password file. If it was a real one, change it."
        )
    with opened_vault(session, store) as vault:
        session.doing = Doing(f"copy {store} to the new place", changes=True)
        moved = vault.move_to(location)
        session.changed(f"copied {store} to the new place")
    if session.json:
        show_json({"location": location, **moved._asdict()})
    held = f"{counted(moved.secrets, 'name')}, {counted(moved.values, 'value')}"
    note(session, f"The new place holds all of {store}: {held}.")
    note(session, "The old vault is as it was: name the new one in a connection, then retire it.")
