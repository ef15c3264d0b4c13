"""Connections from environment variables alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._config._ask import asker
from secretbridge._config._references import Reference
from secretbridge._config._vault import local, told
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._config._ask import Asker
    from secretbridge._provider import Provider

__all__ = ["BUILT_IN", "from_environment"]

#: What an adapter finds fault with is called by the variable it came from, such as WIX_SITE_ID.
_OPTIONS: Final = frozenset({"base_url", "path", "secrets", "site_id", "account_id"})


def _need(*wanted: tuple[str, ...]) -> list[str]:
    """Give the variable that is set for each entry, which lists the names it may have.

    Raises:
        InvalidRequest: some are not set; all of them are listed.
    """
    missing = [" or ".join(names) for names in wanted if not told(*names)]
    if missing:
        raise InvalidRequest(
            violations=[
                Violation(name, "is not set", "set it, or write a secretbridge.toml") for name in missing
            ]
        )
    return [told(*names) for names in wanted]


def _credential(variable: str) -> Asker:
    return asker(Reference("env", (variable,)), Path(), variable)


def _ionet() -> Provider:
    from secretbridge.providers.ionet import IoNet

    (key,) = _need(("IO_API_KEY", "IONET_API_KEY"))
    return IoNet(api_key=_credential(key))


def _wix() -> Provider:
    from secretbridge.providers.wix import Wix

    key, _ = _need(("WIX_API_KEY",), ("WIX_SITE_ID", "WIX_ACCOUNT_ID"))
    site, account = os.environ.get("WIX_SITE_ID") or None, os.environ.get("WIX_ACCOUNT_ID") or None
    if site and account:
        both = "WIX_SITE_ID and WIX_ACCOUNT_ID"
        raise InvalidRequest(violations=[Violation(both, "are set together", "set one of the two")])
    return Wix(api_key=_credential(key), site_id=site, account_id=account)


def _insforge() -> Provider:
    from secretbridge.providers.insforge import InsForge

    base_url, key = _need(("INSFORGE_BASE_URL",), ("INSFORGE_API_KEY",))
    return InsForge(os.environ[base_url], api_key=_credential(key))


def _appfarm() -> Provider:
    from secretbridge.providers.appfarm import Appfarm

    base_url, key, path, secrets = _need(
        ("APPFARM_BASE_URL",), ("APPFARM_API_KEY",), ("APPFARM_PATH",), ("APPFARM_SECRETS",)
    )
    names = [name.strip() for name in os.environ[secrets].split(",")]
    return Appfarm(
        os.environ[base_url],
        api_key=_credential(key),
        path=os.environ[path],
        secrets=[name for name in names if name],
    )


#: What each name means where no file defines it.
BUILT_IN: Final[dict[str, Callable[[], Provider]]] = {
    "appfarm": _appfarm,
    "insforge": _insforge,
    "ionet": _ionet,
    "local": local,
    "vault": local,
    "wix": _wix,
}


def from_environment(name: str) -> Provider:
    """Give the provider of one of the names in ``BUILT_IN``.

    Raises:
        InvalidRequest: what is missing is said by the variable's name.
    """
    refused: InvalidRequest
    try:
        return BUILT_IN[name]()
    except InvalidRequest as failure:
        refused = failure
    raise InvalidRequest(
        violations=[
            Violation(f"{name}_{one.field}".upper() if one.field in _OPTIONS else one.field, *one[1:])
            for one in refused.violations
        ]
    )
