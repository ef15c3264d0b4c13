"""Connections from environment variables alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge._config._vault import local, told, told_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._config._ask import Asker
    from secretbridge._provider import Provider
    from secretbridge.errors import InvalidRequest

# Errors load late: completion, which asks for names alone, needs none.

__all__ = ["BUILT_IN", "from_environment", "options_told"]

#: What an adapter finds fault with is called by the variable it came from, such as WIX_SITE_ID.
_OPTIONS: Final = frozenset({"base_url", "path", "secrets", "site_id", "account_id"})


#: What each name needs: for each of these options one of its variables has to be set.
_NEEDED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "appfarm": {
        "base_url": ("APPFARM_BASE_URL",),
        "api_key": ("APPFARM_API_KEY",),
        "path": ("APPFARM_PATH",),
        "secrets": ("APPFARM_SECRETS",),
    },
    "insforge": {"base_url": ("INSFORGE_BASE_URL",), "api_key": ("INSFORGE_API_KEY",)},
    "ionet": {"api_key": ("IO_API_KEY", "IONET_API_KEY")},
    "wix": {"api_key": ("WIX_API_KEY",), "site_id": ("WIX_SITE_ID", "WIX_ACCOUNT_ID")},
}


def _need(name: str) -> list[str]:
    """Give the variable that is set for each option that a name needs.

    Raises:
        InvalidRequest: some are not set; all of them are listed.
    """
    wanted = _NEEDED[name].values()
    missing = [" or ".join(names) for names in wanted if not told(*names)]
    if missing:
        from secretbridge.errors import InvalidRequest, Violation

        raise InvalidRequest(
            violations=[
                Violation(names, "is not set", "set it, or write a secretbridge.toml") for names in missing
            ]
        )
    return [told(*names) for names in wanted]


def _credential(variable: str) -> Asker:
    from secretbridge._config._ask import asker  # late: names alone need no credentials
    from secretbridge._config._references import Reference

    return asker(Reference("env", (variable,)), Path(), variable)


def _ionet() -> Provider:
    from secretbridge.providers.ionet import IoNet

    (key,) = _need("ionet")
    return IoNet(api_key=_credential(key))


def _wix() -> Provider:
    from secretbridge.providers.wix import Wix

    key, _ = _need("wix")
    site, account = os.environ.get("WIX_SITE_ID") or None, os.environ.get("WIX_ACCOUNT_ID") or None
    if site and account:
        from secretbridge.errors import InvalidRequest, Violation

        both = "WIX_SITE_ID and WIX_ACCOUNT_ID"
        raise InvalidRequest(violations=[Violation(both, "are set together", "set one of the two")])
    return Wix(api_key=_credential(key), site_id=site, account_id=account)


def _insforge() -> Provider:
    from secretbridge.providers.insforge import InsForge

    base_url, key = _need("insforge")
    return InsForge(os.environ[base_url], api_key=_credential(key))


def _appfarm() -> Provider:
    from secretbridge.providers.appfarm import Appfarm

    base_url, key, path, secrets = _need("appfarm")
    return Appfarm(
        os.environ[base_url],
        api_key=_credential(key),
        path=os.environ[path],
        secrets=_listed(os.environ[secrets]),
    )


def _listed(names: str) -> list[str]:
    return [name for written in names.split(",") if (name := written.strip())]


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
    from secretbridge.errors import InvalidRequest, Violation

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


def options_told(name: str) -> dict[str, object] | None:
    """Give the options that variables set for one of the names in ``BUILT_IN``, credentials as references.

    Returns:
        None where one that it needs is not set.
    """
    needed = _NEEDED.get(name)
    if needed is None:
        return told_options()
    if not all(told(*variables) for variables in needed.values()):
        return None
    options: dict[str, object] = {
        option: os.environ[told(*variables)] for option, variables in needed.items() if option != "api_key"
    }
    options["api_key"] = f"env:{told(*needed['api_key'])}"
    if name == "wix":
        variables = {"site_id": "WIX_SITE_ID", "account_id": "WIX_ACCOUNT_ID"}
        options.pop("site_id")
        options |= {option: os.environ[one] for option, one in variables.items() if told(one)}
    if name == "appfarm":
        options["secrets"] = tuple(_listed(os.environ[told(*needed["secrets"])]))
    return options
