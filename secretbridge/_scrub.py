"""Decides whether a vendor's text may be shown: it is dropped whole where it could hold part of a secret."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["safe_code", "safe_text", "safe_token"]

#: A run of this many characters shared with a secret is too many; of a short secret half of it.
_RUN: Final = 6
_LEAST_RUN: Final = 3
#: A shorter piece of base64 would be found in every text.
_LEAST_BASE64: Final = 4
_URL_SAFE: Final = str.maketrans("+/", "-_")
_MOST_SHOWN: Final = 300
#: Secrets longer than this are not searched: the text is dropped.
_MOST_SEARCHED: Final = 65_536
#: Words of one case, or a small number: NOT_FOUND, string_too_long, 1001.
_CODE: Final = re.compile(r"[A-Z]+(_[A-Z0-9]+)*|[a-z]+([_.-][a-z0-9]+)*|[0-9]{1,6}")
_MOST_CODE: Final = 1_000_000
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.:\-\[\]]{1,64}")
#: As JSON, Python and JavaScript write a character: \\u00e9, \\xe9, \\/.
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
#: What parts letters: a value that is wrapped, spaced out or written byte by byte is still that value.
_BETWEEN: Final = re.compile(r"[\W_]+")


def safe_text(text: object, secrets: Iterable[str]) -> str:
    """Give a vendor's text on one line if it shares nothing with any of the secrets, else "".

    Compared are the secret as it is, reversed, and as URL, JSON, HTML, hexadecimal and base64 would
    write it, without regard to case or to what stands between letters; and the text as it stands and with
    such writings undone, also one within the other. Patching the text would not do: what is cut out shows by
    its gap.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > _MOST_SHOWN:
        return ""
    readings = {reading.casefold() for reading in _readings(text)}
    for secret in secrets:
        if len(secret) > _MOST_SEARCHED:
            return ""
        for form in _forms(secret):
            folded = form.casefold()
            if any(_share(reading, folded) or _share_letters(reading, folded) for reading in readings):
                return ""
    return "".join(ch if ch.isprintable() else " " for ch in text).strip()


def safe_token(text: object, secrets: Iterable[str]) -> str | None:
    """Give a vendor's id or the name of a field if it looks like one and shares nothing with a secret."""
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        return None
    return safe_text(text, secrets) or None


def safe_code(code: object, secrets: Iterable[str]) -> str | None:
    """Give a vendor's code if it looks like one, as secrets do not, and shares nothing with one."""
    if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < _MOST_CODE:
        code = str(code)
    return safe_token(code, secrets) if isinstance(code, str) and _CODE.fullmatch(code) else None


def _forms(secret: str) -> Iterable[str]:
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield secret[::-1]
    yield quote(secret, safe="", errors="replace")
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    yield data.hex()
    for shift in range(3):  # base64 has three alignments; the first and last characters mix with neighbours
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")[2 if shift else 0 : -1]
        if len(encoded) >= _LEAST_BASE64:
            yield encoded
            yield encoded.translate(_URL_SAFE)


def _readings(text: str) -> Iterable[str]:
    yield text
    for undo in (unquote_plus, html.unescape, _unescape):
        yield undo(text)
    for _ in range(2):  # a JSON text in a URL in a JSON text
        text = _unescape(html.unescape(unquote_plus(text)))
        yield text


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: found[3] or chr(int(found[1] or found[2], 16)), text)


def _share_letters(text: str, form: str) -> bool:
    """Compare letters and digits alone; a form that has few of them would be found everywhere."""
    letters = _BETWEEN.sub("", form)
    return len(letters) >= _RUN and _share(_BETWEEN.sub("", text), letters)


def _share(text: str, form: str) -> bool:
    if len(form) <= _LEAST_RUN:
        return bool(form) and form in text
    run = min(_RUN, max(_LEAST_RUN, (len(form) + 1) // 2))
    return any(text[start : start + run] in form for start in range(len(text) - run + 1))
