"""UNSET, the mark of an argument that was left out."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

__all__ = ["UNSET", "Unset"]


class Unset(Enum):
    """The type of ``UNSET``: what a field is that was not given, so that ``None`` can mean "clear"."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


#: Left out: the field stays as it is.
UNSET: Final = Unset.UNSET
