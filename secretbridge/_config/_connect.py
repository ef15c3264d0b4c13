"""connect() and its kin: from a name to a bridge, or to the vault behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from secretbridge._config import _file, _search
from secretbridge._config._environment import BUILT_IN, from_environment, options_told
from secretbridge._config._provider import provider_of
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    import os

    import httpx  # noqa: TID251 - for type checkers alone

    from secretbridge._admin import Vault
    from secretbridge._admin_async import AsyncVault
    from secretbridge._async import AsyncSecretBridge
    from secretbridge._connect import Pace
    from secretbridge._embedded import Opening
    from secretbridge._models import Retry, Timeout
    from secretbridge._provider import Provider
    from secretbridge._sync import SecretBridge

__all__ = ["connect", "connect_async", "connect_vault", "connect_vault_async"]

_ADD: Final = "add [connections.NAME] to secretbridge.toml"


class Options(TypedDict, total=False):
    """The options of both bridges, which count before those of the file."""

    timeout: float | Timeout | None
    retry: Retry | None
    pace: Pace


class BlockingOptions(Options, total=False):
    """The options of SecretBridge."""

    transport: httpx.BaseTransport | None


class AsyncOptions(Options, total=False):
    """The options of AsyncSecretBridge."""

    transport: httpx.AsyncBaseTransport | None


def connect(
    name: str, *, config: str | os.PathLike[str] | None = None, **options: Unpack[BlockingOptions]
) -> SecretBridge:
    """Give a bridge for a named connection.

    The name is looked for in ``secretbridge.toml`` in this folder or above it, then in the user's
    configuration folder; ``wix``, ``ionet``, ``insforge``, ``appfarm``, ``local`` and ``vault`` are had from
    environment variables where no file defines them. Nothing is sent, and no credential is read, before
    the first call.

    Args:
        name: the connection's name.
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.
        **options: ``timeout``, ``retry``, ``pace`` and ``transport``, as for ``SecretBridge``; they count
            before those in the file.

    Returns:
        The bridge; close it, or use it in a ``with`` statement.

    Raises:
        InvalidRequest: no connection has this name (the known ones are listed), a file cannot be used
            (each violation names the line, and no value), or an environment variable is missing.
    """
    from secretbridge._sync import SecretBridge

    provider, settings = _opened(name, config)
    given: dict[str, Any] = {**settings, **options}
    return SecretBridge(provider, **given)


def connect_async(
    name: str, *, config: str | os.PathLike[str] | None = None, **options: Unpack[AsyncOptions]
) -> AsyncSecretBridge:
    """Give an asynchronous bridge for a named connection; not itself to be awaited.

    Args:
        name: the connection's name; looked for as ``connect`` does.
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.
        **options: ``timeout``, ``retry``, ``pace`` and ``transport``, as for ``AsyncSecretBridge``.

    Returns:
        The bridge; close it, or use it in an ``async with`` statement.

    Raises:
        InvalidRequest: as for ``connect``.
    """
    from secretbridge._async import AsyncSecretBridge

    provider, settings = _opened(name, config)
    given: dict[str, Any] = {**settings, **options}
    return AsyncSecretBridge(provider, **given)


def connect_vault(name: str = "vault", *, config: str | os.PathLike[str] | None = None) -> Vault:
    """Give the face of a named connection's vault for those who look after it.

    Args:
        name: the connection's name; looked for as ``connect`` does.
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.

    Returns:
        The vault, not yet opened; close it, or use it in a ``with`` statement.

    Raises:
        InvalidRequest: as for ``connect``; or the connection is to another store.
    """
    from secretbridge._admin import Vault

    # The vault's faces share how it is opened.
    return Vault._over(_opening(name, config))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def connect_vault_async(name: str = "vault", *, config: str | os.PathLike[str] | None = None) -> AsyncVault:
    """Give the face of a named connection's vault for those who look after it; not itself to be awaited.

    Args:
        name: the connection's name; looked for as ``connect`` does.
        config: the file to use in place of all others; ``SECRETBRIDGE_CONFIG`` does the same.

    Returns:
        The vault, not yet opened; close it, or use it in an ``async with`` statement.

    Raises:
        InvalidRequest: as for ``connect``; or the connection is to another store.
    """
    from secretbridge._admin_async import AsyncVault

    # As in connect_vault.
    return AsyncVault._over(_opening(name, config))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _opening(name: str, config: str | os.PathLike[str] | None) -> Opening:
    """Give how the vault of a named connection is opened."""
    from secretbridge.providers.local import Local

    provider, _ = _opened(name, config)
    if not isinstance(provider, Local):
        problem = "is a connection to a store without versions and audit trail"
        raise InvalidRequest(violations=[Violation("name", problem, "give one whose provider is local")])
    return provider._opening  # noqa: SLF001 - as in connect_vault  # pyright: ignore[reportPrivateUsage]


def _opened(name: object, config: str | os.PathLike[str] | None) -> tuple[Provider, dict[str, Any]]:
    """Give the provider and the options of a named connection."""
    if not isinstance(name, str):
        raise InvalidRequest(violations=[Violation("name", "is not a text", "give the connection's name")])
    chosen = _search.explicit(config)
    known: list[str] = []
    names: list[str] = []
    for path in [chosen] if chosen else _search.search():
        file = _file.read(path, chosen=chosen is not None, wanted=name)
        if name in file.connections:
            return provider_of(file, name)
        if file.connections:
            known.append(f"{', '.join(file.connections)} ({path})")
        names += file.connections
    if chosen is None:
        if name in BUILT_IN:
            return from_environment(name), {}
        told = [each for each in sorted(BUILT_IN) if options_told(each) is not None]
        known.append(f"{', '.join(told)} (environment variables)")  # the vault is always among them
        names += told
    remedy = f"known are {', '.join(known)}" if known else _ADD
    from difflib import get_close_matches  # late: mostly nothing is wrong

    if close := get_close_matches(name, names, n=1):
        remedy = f"did you mean {close[0]}? {remedy}"
    raise InvalidRequest(violations=[Violation("name", "no connection has this name", remedy)])
