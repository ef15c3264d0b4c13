"""Tries a connection without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge.cli._session import Doing, Session
from secretbridge.cli._trouble import in_a_line, of_error

if TYPE_CHECKING:
    from secretbridge import Connection
    from secretbridge.cli._shapes_stores import Check

__all__ = ["probed"]

#: Seconds for each step of an exchange; nothing is repeated.
_PATIENCE = 10.0


def probed(session: Session, one: Connection) -> Check:
    """List a store's first secret; a vault that has not been made is not made."""
    from secretbridge import connect, connect_vault
    from secretbridge.errors import SecretBridgeError

    session.doing = Doing(f"reach {one.name}")
    try:
        if one.provider == "local":
            location = connect_vault(one.name, config=session.config).location()
            if location is not None and not location.exists():
                return _found(one, "warning", f"{location} has not been made yet; its first use makes it.")
        with connect(one.name, config=session.config, timeout=_PATIENCE, retry=None) as bridge:
            if "list" not in bridge.capabilities.operations:
                return _found(one, "warning", "It cannot be tried without changing something.")
            next(bridge.iter_secrets(page_size=1), None)
    except SecretBridgeError as error:
        trouble = of_error(session, error)
        return _found(one, "failed", in_a_line(trouble))
    return _found(one, "ok", f"{bridge.capabilities.title} can be listed.")


def _found(one: Connection, status: str, detail: str) -> Check:
    return {"check": f"connection {one.name}", "status": status, "detail": detail}  # type: ignore[typeddict-item]  # one of the three
