"""The fields of a change as one text for a vault, and back."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from secretbridge._models import secret_str
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["packed", "plain", "revived", "unpacked"]


def packed(fields: Mapping[str, object]) -> Any:  # noqa: ANN401 - a SecretStr, which loads late
    """Give fields as one text for a vault.

    Raises:
        InvalidRequest: ``extra`` holds what JSON does not know.
    """
    text = ""
    with contextlib.suppress(TypeError, ValueError):
        text = plain(fields)
    if not text:
        problem = "cannot be kept for a journalled run"
        raise InvalidRequest(violations=[Violation("extra", problem, "give texts, numbers and lists")])
    return secret_str()(text)


def unpacked(text: str) -> dict[str, object]:
    """Give fields back as they were."""
    return revived(json.loads(text))


def plain(fields: Mapping[str, object]) -> str:
    """Give fields as JSON, values in the clear: for a vault alone."""
    wrap = secret_str()

    def known(value: object) -> object:
        if isinstance(value, wrap):
            return value.get_secret_value()
        if isinstance(value, datetime):
            return value.isoformat()
        raise TypeError

    return json.dumps(dict(fields), ensure_ascii=False, default=known)


def revived(row: dict[str, Any]) -> dict[str, object]:
    """Give fields back from what JSON knows of them."""
    if row.get("value") is not None:
        row["value"] = secret_str()(row["value"])
    if row.get("expires_at") is not None:
        row["expires_at"] = datetime.fromisoformat(row["expires_at"])
    return row
