"""``init``: makes the embedded vault and names a first store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import ConnectionName
from secretbridge.cli._naming import connection_options, file_of, save, table_of
from secretbridge.cli._output import note, show_json, talk
from secretbridge.cli._output import plain as harmless
from secretbridge.cli._session import Doing, Session, Stop

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["init"]

#: Provider -> the options that it needs, each with an example, and where its credential usually is.
_GUIDE: Final[dict[str, tuple[dict[str, str], str]]] = {
    "wix": ({"site_id": "5a1e0000-0000-4000-8000-000000000001"}, "env:WIX_API_KEY"),
    "ionet": ({}, "env:IO_API_KEY"),
    "insforge": ({"base_url": "https://project.insforge.app"}, "env:INSFORGE_API_KEY"),
    "appfarm": (
        {
            "base_url": "https://solution.appfarm.app",
            "path": "/api/services/secrets/update-secret",
            "secrets": '["STRIPE_KEY"]',
        },
        "env:APPFARM_API_KEY",
    ),
    "dotenv": ({"path": ".env"}, ""),
    "jsonfile": ({"path": "secrets.json"}, ""),
}


@command("init")
@click.option("--name", type=ConnectionName(), metavar="NAME", help="What to call the first store.")
@connection_options(required=False)
@click.option("--no-connection", is_flag=True, help="Make the vault alone, and ask nothing.")
def init(
    session: Session, name: str | None, provider: str | None, plain: tuple[str, ...],
    references: tuple[str, ...], *, user: bool, no_connection: bool,
) -> None:  # fmt: skip
    """Make a vault and name a first store.

    The embedded vault is made where it is missing, with a key file; it is reached as the connection vault.
    On a terminal the first store is asked for; with --provider and --name nothing is asked. The connection
    goes where connections add writes it.
    """
    if provider is None and (name is not None or plain or references):
        raise click.UsageError("--name, --option and --credential go with --provider.")
    if provider is not None and name is None:
        raise click.UsageError("Name the store by --name.")
    location, made = _vault(session)
    asks = provider is None and not no_connection and sys.stdin.isatty()
    if asks:
        name, provider, plain, references = _asked()
    file: Path | None = None
    if provider is not None and name is not None:
        file = file_of(session, user=user)
        save(session, file, name, table_of(provider, plain, references))
        note(session, f"Added {name} to {file}. Try it: secretbridge connections check {name}")
    else:
        note(session, "Name a store by secretbridge connections add, or begin with the vault:")
        note(session, "  secretbridge create TOKEN --to vault")
    if session.json:
        told = str(file) if file is not None else None
        show_json({"vault": location, "vault_made": made, "connection": name, "file": told})


def _vault(session: Session) -> tuple[str, bool]:
    """Make the vault that the environment chooses, unless it is there."""
    from secretbridge import connect_vault

    session.doing = Doing("make the vault", changes=True)
    with connect_vault() as vault:
        location, key = vault.location(), vault.key_file()
        there = location is None or location.exists()
        vault.audit_head()
    told = "on PostgreSQL" if location is None else str(location)
    if there:
        session.doing = None
        note(session, f"The vault is there already: {told}")
    else:
        session.changed(f"made the vault {told}")
        note(session, f"Made the vault {told}")
        if key is not None:
            note(session, f"{key} opens it: keep a copy of that, apart from copies of the vault.")
    return told, not there


def _asked() -> tuple[str | None, str | None, tuple[str, ...], tuple[str, ...]]:
    """Ask for the first store; nothing typed means none."""
    provider = _ask(f"Which store comes first ({', '.join(_GUIDE)}; empty for none)?", "")
    if not provider:
        return None, None, (), ()
    while provider not in _GUIDE:
        talk("No such store is guided through here; secretbridge connections add takes any.")
        provider = _ask("Which store comes first?", "")
        if not provider:
            return None, None, (), ()
    wanted, reference = _GUIDE[provider]
    name = _ask("What shall it be called?", f"prod-{provider}")
    options = tuple(
        f"{key}={_needed(f'{key}, such as {example}:') if reference else _ask(f'{key}?', example)}"
        for key, example in wanted.items()
    )
    references: tuple[str, ...] = ()
    if reference:
        forms = "env:VARIABLE, file:PATH, keyring:SERVICE/USER, command:PROGRAM"
        told = f"Where is its key ({forms}; never the key itself)?"
        references = (f"api_key={_ask(told, reference)}",)
    return name, provider, options, references


def _needed(question: str) -> str:
    """Ask until something is typed."""
    while not (typed := _ask(question, "")):
        talk("It is needed; Ctrl-C leaves.")
    return typed


def _ask(question: str, default: str) -> str:
    sys.stderr.write(f"{harmless(question)}{f' [{default}]' if default else ''} ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise Stop("No connection was written.", why="The input ended.")
    return line.strip() or default
