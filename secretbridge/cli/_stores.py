"""Connections by name, opened, and secrets found in them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from secretbridge.cli._kinds import ConnectionName, SecretName
from secretbridge.cli._session import Doing, Session, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pydantic import SecretStr

    from secretbridge import Connection, Secret, SecretBridge, Vault

__all__ = [
    "called",
    "everywhere",
    "found",
    "id_option",
    "in_option",
    "in_vault",
    "kept_by_runs",
    "name_argument",
    "opened",
    "opened_vault",
    "revealed",
    "store_argument",
    "vault_given",
    "vault_of_values",
]

F = TypeVar("F", bound="Callable[..., Any]")

#: What runs keep in a vault for themselves: keys, and values of other stores. None of a program's business.
_OF_RUNS: Final = re.compile(r"migration\.(?:key|[0-9]{8}-.+)|change\.change-.+|rotation-[0-9a-f]+\..+")


def in_option(*, to: bool = False) -> Callable[[F], F]:
    """Add ``--in CONNECTION``; where something is written into the store, ``--to`` is the same."""
    return click.option(
        *(["--in", "--to"] if to else ["--in"]),
        "store",
        type=ConnectionName(),
        required=True,
        metavar="CONNECTION",
        help="The store.",
    )


def in_vault() -> Callable[[F], F]:
    """Add ``--in CONNECTION`` to a command that only a vault has."""
    return click.option(
        "--in",
        "store",
        type=ConnectionName(),
        default="vault",
        show_default=True,
        metavar="CONNECTION",
        help="The vault.",
    )


def store_argument(
    name: str = "store", metavar: str = "CONNECTION", *, required: bool = True
) -> Callable[[F], F]:
    """Add an argument that names a store."""
    return click.argument(name, type=ConnectionName(), metavar=metavar, required=required)


def vault_of_values() -> Callable[[F], F]:
    """Add the option that says which vault keeps the values of a change until it has been made everywhere."""
    return click.option(
        "--vault",
        type=ConnectionName(),
        metavar="CONNECTION",
        help="The vault that keeps the values meanwhile, for resume; the embedded one without it.",
    )


def vault_given(vault: str | None) -> str:
    """Give ``--vault`` as a shown command goes on with it; "" for the embedded one, which it takes anyway."""
    return "" if vault in {None, "vault"} else f" --vault {vault}"


def name_argument(*, required: bool = True) -> Callable[[F], F]:
    """Add the argument that names a secret."""
    return click.argument("name", type=SecretName(), metavar="NAME", required=required)


def id_option() -> Callable[[F], F]:
    """Add ``--id``, for stores where names are not unique."""
    return click.option("--id", metavar="ID", help="The store's id of the secret, in place of NAME.")


def called(name: str | None, id: str | None) -> str:
    """Give what to call a secret that is named by one of the two.

    Raises:
        UsageError: not exactly one is given.
    """
    if (name is None) == (id is None):
        raise click.UsageError("Give either NAME or --id.")
    return repr(name) if name is not None else f"the secret of id {id!r}"


@contextmanager
def opened(session: Session, store: str) -> Generator[SecretBridge]:
    """Open a connection; it is closed at the end."""
    from secretbridge import connect

    session.doing = Doing(f"open {store}")
    with connect(store, config=session.config) as bridge:
        session.doing = None
        yield bridge


@contextmanager
def opened_vault(session: Session, store: str) -> Generator[Vault]:
    """Open a connection to a vault, for those who look after it."""
    from secretbridge import connect_vault

    session.doing = Doing(f"open {store}")
    with connect_vault(store, config=session.config) as vault:
        session.doing = None
        yield vault


def kept_by_runs(name: str) -> bool:
    """Say whether a secret is one that runs keep in a vault for themselves, by its name."""
    return _OF_RUNS.fullmatch(name) is not None


def found(session: Session, bridge: SecretBridge, store: str, name: str | None, id: str | None) -> Secret:
    """Give a secret as the listing tells it: no value is asked for.

    Raises:
        Stop: there is none of this name or id, or several of the name.
    """
    what = called(name, id)
    session.doing = Doing(f"find {what} in {store}")
    if "list" not in bridge.capabilities.operations:
        return bridge.get_secret(name, id=id)
    secrets = [
        secret for secret in bridge.iter_secrets() if (secret.name == name if id is None else secret.id == id)
    ]
    session.doing = None
    if not secrets:
        raise Stop(
            f"Could not find {what} in {store}.",
            why="The store lists no such secret.",
            do=f"secretbridge list {store} shows what is there.",
        )
    if len(secrets) > 1:
        ids = ", ".join(str(secret.id) for secret in secrets)
        raise Stop(
            f"Could not tell which {what} of {store} is meant.",
            why=f"{len(secrets)} secrets bear the name; their ids are {ids}.",
            do="Name one by --id.",
        )
    return secrets[0]


def revealed(secret: Secret, store: str, *, ending: str = "") -> SecretStr:
    """Give the value that a store told.

    Raises:
        Stop: it told none; ``ending`` ends the sentence that says so.
    """
    if secret.value is None:
        raise Stop(
            f"{store} does not tell the value of {secret.name!r}{ending}.",
            why="Such a store keeps values for those who use them there, and never tells one.",
            do=f"Take it from where it came from; secretbridge capabilities {store} shows what it can do.",
        )
    return secret.value


def everywhere(session: Session) -> list[Connection]:
    """Give all connections: those of files, those of variables, and the embedded vault if it has been made.

    A vault that a file names too is given once.
    """
    from secretbridge import connect_vault, connections

    session.doing = Doing("read the connections")
    named = connections(config=session.config)
    chosen: list[Connection] = []
    seen: set[tuple[object, object]] = set()
    for one in sorted(named, key=lambda one: one.place == "environment"):
        if one.provider == "local":
            if one.place == "environment" and one.name == "local":
                continue  # the same as "vault"
            location = connect_vault(one.name, config=session.config).location()
            vault = (location, one.options.get("environment", "development"))
            if one.place == "environment" and (vault in seen or not (location is None or location.exists())):
                continue
            seen.add(vault)
        chosen.append(one)
    session.doing = None
    return chosen
