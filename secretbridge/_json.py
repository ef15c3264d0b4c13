"""What JSON and TOML are made of, told apart in a way that type checkers follow.

``isinstance(given, dict)`` leaves them with keys and values of unknown types.
"""

from __future__ import annotations

from typing import Any, TypeGuard

__all__ = ["is_array", "is_object"]


def is_object(given: object) -> TypeGuard[dict[str, Any]]:
    """Say whether it is an object of JSON, or a table of TOML: their parsers give texts as keys alone."""
    return isinstance(given, dict)


def is_array(given: object) -> TypeGuard[list[Any]]:
    """Say whether it is an array."""
    return isinstance(given, list)
