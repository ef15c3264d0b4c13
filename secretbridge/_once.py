"""update_secret() for those who change one secret and are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._sync import SecretBridge
from secretbridge._unset import UNSET, Unset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic import SecretStr

    from secretbridge._models import Secret
    from secretbridge._provider import Provider

__all__ = ["update_secret"]


def update_secret(  # noqa: D417 - the arguments are those of SecretBridge.update_secret
    provider: Provider,
    name: str | None = None,
    *,
    id: str | None = None,
    new_name: str | Unset | None = UNSET,
    value: str | SecretStr | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    active: bool | Unset | None = UNSET,
    protected: bool | Unset | None = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    tool_name: str | Unset | None = UNSET,
    tool_arg: str | Unset | None = UNSET,
    default_for_tool: bool | Unset | None = UNSET,
    extra: Mapping[str, object] | Unset | None = UNSET,
    if_version: int | None = None,
    allow_one_way: bool = False,
    verify: bool = False,
) -> Secret:
    """Open a bridge, change exactly the given fields of one secret, and close it again.

    Args:
        provider: which store, with which credential.
        name: and all that follow: as in ``SecretBridge.update_secret``.

    Returns:
        The secret as far as the provider tells it.

    Raises:
        SecretBridgeError: as in ``SecretBridge.update_secret``.
    """
    with SecretBridge(provider) as bridge:
        return bridge.update_secret(
            name,
            id=id,
            new_name=new_name,
            value=value,
            description=description,
            active=active,
            protected=protected,
            expires_at=expires_at,
            tool_name=tool_name,
            tool_arg=tool_arg,
            default_for_tool=default_for_tool,
            extra=extra,
            if_version=if_version,
            allow_one_way=allow_one_way,
            verify=verify,
        )
