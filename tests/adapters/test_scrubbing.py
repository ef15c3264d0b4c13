"""A vendor's text is shown only where it shares nothing with a secret."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretbridge._scrub import safe_code, safe_text, safe_token

SECRET = "Zx9+c0ffee/7Qz é&w3"

FORMS = {
    "as it is": SECRET,
    "in upper case": SECRET.upper(),
    "reversed": SECRET[::-1],
    "url-encoded": quote(SECRET, safe=""),
    "as json": json.dumps(SECRET),
    "as html": html.escape(SECRET),
    "hexadecimal": SECRET.encode().hex(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"x" + SECRET.encode()).decode(),
    "base64 after two bytes": base64.b64encode(b"xy" + SECRET.encode() + b"z").decode(),
    "base64 for urls": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "first half": SECRET[: len(SECRET) // 2],
    "last half": SECRET[len(SECRET) // 2 :],
    "six characters": SECRET[4:10],
    "first eight characters": SECRET[:8],
    "halves in reverse order": SECRET[len(SECRET) // 2 :] + SECRET[: len(SECRET) // 2],
    "first half reversed": SECRET[: len(SECRET) // 2][::-1],
    "last half reversed": SECRET[len(SECRET) // 2 :][::-1],
    "each half reversed": SECRET[: len(SECRET) // 2][::-1] + SECRET[len(SECRET) // 2 :][::-1],
    "base64 of the first eight": base64.b64encode(SECRET[:8].encode()).decode(),
    "base64 of the last half": base64.b64encode(SECRET[len(SECRET) // 2 :].encode()).decode(),
    "base64, wrapped": "\n".join(re.findall(".{1,5}", base64.b64encode(SECRET.encode()).decode())),
    "every byte url-encoded": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "url-encoded as a form": quote_plus(SECRET),
    "url-encoded twice": quote(quote(SECRET, safe=""), safe=""),
    "every character as json may write it": "".join(f"\\u{ord(ch):04x}" for ch in SECRET),
    "json with escaped slashes": json.dumps(SECRET).replace("/", "\\/"),
    "json in json": json.dumps(json.dumps(SECRET)),
    "json in a url": quote(json.dumps(SECRET)),
    "bytes as python writes them": repr(SECRET.encode()),
    "every character as html may write it": "".join(f"&#{ord(ch)};" for ch in SECRET),
    "hexadecimal, byte by byte": SECRET.encode().hex(" "),
    "spaced out": " ".join(SECRET),
    "with dashes": "-".join(re.findall(".{1,4}", SECRET)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_text_that_holds_a_secret_in_some_form_is_dropped_whole(form: str) -> None:
    assert safe_text(f"the value {FORMS[form]} is wrong", [SECRET]) == ""
    assert safe_text(FORMS[form], ["other", SECRET]) == ""


def test_a_secret_of_signs_alone_hides_no_other_text() -> None:
    assert safe_text("must not be empty", ["!?a-_-b?!"]) == "must not be empty"
    assert safe_text("got !?a-_-b?! there", ["!?a-_-b?!"]) == ""


def test_a_text_that_shares_nothing_is_shown_on_one_line() -> None:
    assert safe_text("must not be empty", [SECRET]) == "must not be empty"
    assert safe_text(" two\r\nlines\x00 ", []) == "two  lines"
    assert safe_text("any text", [""]) == "any text"


@pytest.mark.parametrize("text", [None, 5, b"bytes", ["list"], "", "  \n", "x" * 301])
def test_what_is_no_text_or_a_very_long_one_is_dropped(text: object) -> None:
    assert safe_text(text, []) == ""


def test_beside_a_very_long_secret_no_text_is_shown() -> None:
    assert safe_text("harmless", ["s" * 65_537]) == ""


@pytest.mark.parametrize("secret", ["q", "qz", "qzx", "qzxw", "qzxwvk"])
def test_a_short_secret_is_found_too(secret: str) -> None:
    assert safe_text(f"got {secret} there", [secret]) == ""
    assert safe_text("must be here", [secret]) == "must be here"


def test_half_of_a_short_secret_is_found() -> None:
    assert safe_text("begins with qzxw", ["qzxwvk19"]) == ""


@pytest.mark.parametrize("token", ["CODE", "a.b[0]:c-d", "1700000000.00001", "x" * 64])
def test_a_token_is_shown_if_it_looks_like_one(token: str) -> None:
    assert safe_token(token, []) == token


@pytest.mark.parametrize("code", ["NOT_FOUND", "E_1001", "string_too_long", "value_error.missing", "400", 17])
def test_a_code_is_shown_if_it_looks_like_one(code: object) -> None:
    assert safe_code(code, [SECRET]) == str(code)


@pytest.mark.parametrize(
    "code", [None, True, -1, 10**400, "", "Mixed", "7Qz", "ab12", "two words", ["A"], "1234567"]
)
def test_what_could_be_a_secret_is_no_code(code: object) -> None:
    assert safe_code(code, []) is None


@pytest.mark.parametrize(
    "token", [None, True, 1.5, 17, "", "two words", "<b>", "é", "x" * 65, "c0ffee", ["CODE"]]
)
def test_anything_else_is_no_token(token: object) -> None:
    assert safe_token(token, [SECRET]) is None


@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_text_with_the_whole_secret_in_it_is_ever_shown(secret: str, before: str, after: str) -> None:
    assert safe_text(before + secret + after, [secret]) == ""
