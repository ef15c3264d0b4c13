"""Holds what reaches a stand-in against what its vendor publishes, in whatever process the stand-in is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretbridge.testing._constraints import VENDORS, violations

if TYPE_CHECKING:
    from secretbridge.testing._exchange import RecordedRequest

__all__ = ["note"]


def note(vendor: str, request: RecordedRequest, prefix: str, file: str) -> None:
    """Add what is wrong with a request to a file, one line each; a value is never in it.

    Args:
        vendor: the vendor's name; one that nothing is known of passes.
        request: as it arrived.
        prefix: the path at which the vendor's API begins in this request.
        file: where to.
    """
    if vendor not in VENDORS:
        return
    found = violations(VENDORS[vendor], request, prefix)
    if not found:
        return
    lines = "".join(f"{vendor}: {request.method}: {one}\n" for one in found)
    # One write to the end of the file: lines of several processes do not mix.
    to = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(to, lines.encode())
    finally:
        os.close(to)
