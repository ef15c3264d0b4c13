"""What each status means, for writes and reads, and that nobody is led elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from loopback import CREATE, FACES, INFO, KEY, READ, UPDATE, VALUE, Say, ask, failure, http, judged, served

from secretbridge import Retry

faces = pytest.mark.parametrize("face", FACES)

#: Status: class, applied of a write, transient.
REFUSALS: dict[int, tuple[str, bool | None, bool]] = {
    400: ("Rejected", False, False),
    401: ("AuthenticationError", False, False),
    402: ("Rejected", False, False),
    403: ("PermissionDenied", False, False),
    404: ("SecretNotFound", False, False),
    405: ("WrongAddress", False, False),
    408: ("ProviderUnavailable", None, True),
    410: ("SecretNotFound", False, False),
    413: ("QuotaExceeded", False, False),
    415: ("Rejected", False, False),
    422: ("Rejected", False, False),
    425: ("ProviderUnavailable", False, True),
    429: ("RateLimited", False, True),
    499: ("Rejected", False, False),
    500: ("ProviderUnavailable", None, True),
    501: ("ProviderUnavailable", None, False),
    502: ("ProviderUnavailable", None, True),
    503: ("ProviderUnavailable", None, True),
    504: ("ProviderUnavailable", None, True),
    599: ("ProviderUnavailable", None, False),
    **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308), ("WrongAddress", False, False)),
}


@faces
def test_a_refusal_has_its_class_and_says_what_became_of_the_change(face: str) -> None:
    for status, expected in REFUSALS.items():
        with served(http(status, b'{"detail": "no"}' if status != 304 else b"")) as server:
            told = failure(face, server.url, UPDATE)
            assert (status, *judged(told)) == (status, *expected)
            assert getattr(told, "status", status) == status
            read = failure(face, server.url, READ)
            assert (status, *judged(read)) == (status, expected[0], False, expected[2])
            assert len(server.requests) == 2


@faces
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", [UPDATE, CREATE, READ], ids=["update", "create", "read"])
def test_a_redirect_is_an_error_and_its_target_hears_nothing(face: str, status: int, call: Any) -> None:
    with served() as elsewhere, served() as server:
        targets = [
            elsewhere.url.replace("127.0.0.1", "localhost") + "/other",  # another host
            f"{elsewhere.url}/api/secrets/",  # plain http, another port
            "/secrets/",  # the same host
            "//127.0.0.2:1/",
            "http://[::1",  # no URL at all
        ]
        for target in targets:
            server.answer = lambda _, to=target: Say(http(status, b"", f"Location: {to}"))  # type: ignore[misc]
            error = failure(face, server.url, call)
            assert judged(error) == ("WrongAddress", False, False)
            assert "redirects are never followed" in error.advice
            assert target not in str(error)
        assert elsewhere.accepted == 0
        assert len(server.requests) == len(targets)


@faces
@pytest.mark.parametrize(("call", "unknown"), [(CREATE, None), (READ, False)], ids=["create", "read"])
@pytest.mark.parametrize(
    "said",
    [
        http(200, b"this is not JSON"),
        http(200, b""),
        http(204, b""),
        http(200, b"null"),
        http(200, b"[]"),
        http(200, b'{"secret_id": 5}'),
        http(200, b'{"secret_id": "\xff\xfe"}'),
        http(200, b"{" * 100_000),
        http(200, b"<html>Log in</html>", kind="text/html; charset=utf-8"),
        http(201, b"<html/>", kind="application/xhtml+xml"),
        http(202, b"{}"),
        http(203, b"{}"),
        http(206, INFO),
        http(226, INFO),
    ],
    ids=[
        "text", "empty", "204", "null", "list", "wrong-type", "not-utf8", "deep", "html", "xhtml", "202",
        "203", "206", "226",
    ],
)  # fmt: skip
def test_a_success_of_the_wrong_shape_is_no_success(face: str, call: Any, unknown: Any, said: bytes) -> None:
    with served(said) as server:
        error = failure(face, server.url, call, retry=Retry())
        assert len(server.requests) == 1
    assert judged(error) == ("UnexpectedReply", unknown, False)
    assert VALUE not in str(error)
    assert KEY not in str(error)
    assert error.__context__ is None


@faces
def test_an_update_is_acknowledged_by_200_201_and_204_and_by_nothing_else(face: str) -> None:
    for said in (http(200, b"anything at all"), http(201, b"{}"), http(204, b""), http(200, b"")):
        with served(said) as server:
            assert ask(face, server.url, UPDATE).id == UPDATE[1]["id"]
    for said in (http(202), http(207), http(200, b"<html>", kind="text/html")):
        with served(said) as server:
            assert judged(failure(face, server.url, UPDATE)) == ("UnexpectedReply", None, False)


@faces
def test_an_interim_answer_is_not_taken_for_the_answer(face: str) -> None:
    with served(b"HTTP/1.1 102 Processing\r\n\r\n" + http(200, INFO)) as server:
        assert ask(face, server.url, READ).name == "TOKEN"


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@faces
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_retry_after_is_read_in_seconds_and_as_a_date(face: str, status: int) -> None:
    with served() as server:
        for text, least, most in (
            ("7", 7.0, 7.0),
            (" 7 ", 7.0, 7.0),
            ("0", 0.0, 0.0),
            ("1.5", 1.5, 1.5),
            ("86400", 86400.0, 86400.0),
            (_date(20), 18.0, 20.0),
            (_date(-500), 0.0, 0.0),
            ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0, 0.0),
            ("Wed, 21 Oct 9999 23:59:59 -1200", 0.0, 3e11),
        ):
            server.answer = lambda _, to=text: Say(http(status, b"{}", f"Retry-After: {to}"))  # type: ignore[misc]
            told = failure(face, server.url, UPDATE).retry_after
            if text.startswith("Wed, 21 Oct 9999"):
                assert told is None or told > 1e9
            else:
                assert told is not None
                assert least <= told <= most


@faces
@pytest.mark.parametrize(
    "text",
    ["soon", "-5", "", "1e9", "nan", "inf", "0x10", "5, 6", "5 s", "9" * 400, "Wed, 99 Oct 2015", "\xb2"],
)
def test_a_retry_after_that_makes_no_sense_is_as_none(face: str, text: str) -> None:
    said = http(429, b"{}").replace(b"\r\n\r\n", f"\r\nRetry-After: {text}\r\n\r\n".encode("latin-1"), 1)
    with served(said) as server:
        error = failure(face, server.url, UPDATE)
    assert judged(error) == ("RateLimited", False, True)
    assert error.retry_after is None
