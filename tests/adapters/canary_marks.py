"""The marked value and the marked credential, and the forms in which a careless vendor could echo them."""

from __future__ import annotations

import base64
import json
from typing import Final
from urllib.parse import quote

#: Nothing else in these tests, in the package or in a vendor's words has six characters in common with them.
VALUE: Final = 'Zq7+Kx4/wV9&jH2 "Tß3¤Yp8~Rd5'
CREDENTIAL: Final = "ik_uB6Gm1Lc0Xf8Ns3Wk7Qz"


def forms(mark: str) -> dict[str, str]:
    """The mark as it is and as it may come back."""
    data = mark.encode()
    return {
        "plain": mark,
        "reversed": mark[::-1],
        "url": quote(mark, safe=""),
        "json": json.dumps(mark)[1:-1],
        "base64": base64.b64encode(data).decode().rstrip("="),
        "base64 shifted": base64.b64encode(b"xy" + data).decode()[4:-4],
        "hex": data.hex(),
        "first half": mark[: len(mark) // 2],
        "last half": mark[len(mark) // 2 :],
        "first half reversed": mark[: len(mark) // 2][::-1],
        "last half reversed": mark[len(mark) // 2 :][::-1],
        "first 8 characters": mark[:8],
    }


_SOUGHT: Final = [form.casefold() for mark in (VALUE, CREDENTIAL) for form in forms(mark).values()]


def found_in(text: str) -> list[str]:
    """Which forms of which mark a text holds; case does not matter."""
    folded = text.casefold()
    return [form for form in _SOUGHT if form in folded]


def echoes() -> list[str]:
    """Vendors' words that repeat what they were sent, one for each form."""
    return [form for mark in (VALUE, CREDENTIAL) for form in forms(mark).values()]
