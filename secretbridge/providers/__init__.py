"""The adapters: the eight of this package, and those of others, found by entry point.

Another package offers its adapter in the group ``secretbridge.providers``::

    [project.entry-points."secretbridge.providers"]
    acme = "acme_secretbridge:Acme"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._provider import Provider

__all__ = ["GROUP", "names", "provider_class"]

#: The group of entry points in which other packages offer adapters.
GROUP: Final = "secretbridge.providers"

_OWN: Final = {
    "appfarm": "Appfarm",
    "dotenv": "Dotenv",
    "environ": "Environment",
    "insforge": "InsForge",
    "ionet": "IoNet",
    "jsonfile": "JsonFile",
    "local": "Local",
    "wix": "Wix",
}


def names() -> list[str]:
    """Give the short names of all adapters that are installed."""
    from importlib.metadata import entry_points

    return sorted({*_OWN, *entry_points(group=GROUP).names})


def provider_class(name: str) -> Callable[..., Provider]:
    """Give the adapter of a short name, such as ``"wix"``.

    An entry point cannot take the name of one of this package's own.

    Raises:
        InvalidRequest: no adapter of this name is installed (known names are listed), several are, or the
            one that is cannot be loaded.
    """
    if name in _OWN:
        own: Any = getattr(import_module(f"{__name__}.{name}"), _OWN[name])
        return own  # type: ignore[no-any-return]  # one of our classes
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        problem = "is offered by several packages" if found else "is not installed"
        raise InvalidRequest(
            violations=[Violation("provider", f"{name!r} {problem}", f"known are {', '.join(names())}")]
        )
    try:
        return found[0].load()  # type: ignore[no-any-return]  # what the entry point names
    except Exception as error:  # a foreign module may fail in any way
        problem = f"{name!r} ({found[0].value}) cannot be loaded: {type(error).__name__}"
        remedy = "reinstall the package that offers it"
        raise InvalidRequest(violations=[Violation("provider", problem, remedy)]) from error
