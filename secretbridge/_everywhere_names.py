"""What a change in many places and a rotation are called in journals, and their values in a vault."""

from __future__ import annotations

from typing import Final

__all__ = ["CHANGE", "ROTATION", "all_of_change", "all_of_rotation", "of_change", "of_rotation"]

#: What a journal says first that it is of.
CHANGE: Final = "one change in many places"
ROTATION: Final = "a rotation"


def of_change(run_id: str, what: str | int) -> str:
    """Give the name under which a vault keeps a value of a change.

    Args:
        run_id: the run.
        what: ``"new"`` for the change itself, a target's number for what was there before.
    """
    return f"change.{run_id}.{what}"


def all_of_change(run_id: str, targets: int) -> list[str]:
    """Give the names of all that a vault keeps of a change in so many targets."""
    return [of_change(run_id, what) for what in ("new", *range(targets))]


def of_rotation(run_id: str, kind: str) -> str:
    """Give the name under which a vault keeps tokens of a rotation, ``"old"`` or ``"obtained"`` ones."""
    return f"{run_id}.{kind}"


def all_of_rotation(run_id: str) -> list[str]:
    """Give the names of all that a vault keeps of a rotation."""
    return [of_rotation(run_id, kind) for kind in ("old", "obtained")]
