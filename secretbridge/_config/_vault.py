"""The vault that environment variables choose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from secretbridge.providers.local import Local

__all__ = ["local", "told", "told_options"]

_PASSPHRASE: Final = "SECRETBRIDGE_VAULT_PASSPHRASE"  # noqa: S105 - a variable's name
_KEY_FILE: Final = "SECRETBRIDGE_VAULT_KEY_FILE"
_LOCATION: Final = "SECRETBRIDGE_VAULT"
_ENVIRONMENT: Final = "SECRETBRIDGE_ENVIRONMENT"


def told(*names: str) -> str:
    """Give the first of these variables that is set and not empty; "" where none is."""
    return next((name for name in names if os.environ.get(name)), "")


def _passphrase() -> str:
    return os.environ[_PASSPHRASE]


def local(environment: str = "") -> Local:
    """Give the vault that the environment names; nothing needs to be set.

    Args:
        environment: one of the vault's; "" takes SECRETBRIDGE_ENVIRONMENT.

    Raises:
        InvalidRequest: two credentials are set, or what cannot be an environment.
    """
    from secretbridge._config._references import ENVIRONMENT
    from secretbridge.errors import InvalidRequest, Violation
    from secretbridge.providers.local import Local

    chosen = environment or os.environ.get(_ENVIRONMENT) or "development"
    wrong: list[Violation] = []
    if not ENVIRONMENT.fullmatch(chosen):
        remedy = "for example production"
        wrong.append(Violation(_ENVIRONMENT, "names no environment of a vault", remedy))
    if told(_PASSPHRASE) and told(_KEY_FILE):
        both = f"{_PASSPHRASE} and {_KEY_FILE}"
        wrong.append(Violation(both, "are set together", "set one of the two"))
    if wrong:
        raise InvalidRequest(violations=wrong)
    return Local(
        environment=chosen,
        passphrase=_passphrase if told(_PASSPHRASE) else None,
        key_file=os.environ.get(_KEY_FILE) or None,
    )


def told_options() -> dict[str, object]:
    """Give the options of that vault that variables set, the passphrase as a reference."""
    variables = {"location": _LOCATION, "environment": _ENVIRONMENT, "key_file": _KEY_FILE}
    options: dict[str, object] = {option: os.environ[one] for option, one in variables.items() if told(one)}
    if told(_PASSPHRASE):
        options["passphrase"] = f"env:{_PASSPHRASE}"
    return options
