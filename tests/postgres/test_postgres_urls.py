"""URLs of PostgreSQL: what is taken, and that no password in one is ever shown."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretbridge import Local, Vault
from secretbridge._location import PostgresUrl, is_postgres
from secretbridge.errors import InvalidRequest


@pytest.mark.parametrize(
    ("url", "schema", "shown", "for_libpq"),
    [
        ("postgresql:///app", "secretbridge", "postgresql:///app?schema=secretbridge", "postgresql:///app"),
        (
            "postgres://me@db.example:5433/app?schema=pay_1&sslmode=verify-full",
            "pay_1",
            "postgresql://me@db.example:5433/app?sslmode=verify-full&schema=pay_1",
            "postgres://me@db.example:5433/app?sslmode=verify-full",
        ),
        (
            "postgresql://me:pass@a:1,[::1]:2/app?password=other&sslpassword=third",
            "secretbridge",
            "postgresql://me@a:1,[::1]:2/app?schema=secretbridge",
            "postgresql://me:pass@a:1,[::1]:2/app?password=other&sslpassword=third",
        ),
        (
            "postgresql://?host=/run/postgresql&dbname=app&options=-cstatement_timeout%3D5s%20-ca=+",
            "secretbridge",
            "postgresql://?host=/run/postgresql&dbname=app&schema=secretbridge",
            "postgresql://?host=/run/postgresql&dbname=app&options=-cstatement_timeout%3D5s%20-ca=+",
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, schema: str, shown: str, for_libpq: str) -> None:
    found = PostgresUrl(url)
    assert (found.schema, str(found), found.for_libpq()) == (schema, shown, for_libpq)
    assert repr(found) == f"PostgresUrl({shown!r})"


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://me:canary/pass@host/app",
        "postgresql://me:canary\0pass@host/app",
        "postgresql://me:canary?pass@host/app",
        "postgresql://me:canary",
        "postgresql://me:canary@pass@ho st/app",
        "postgresql://host/app?canary",
        "postgresql://host/app\0",
        "postgresql://[canary/app",
        "postgresql://host/app?schema=",
        "postgresql://host/app?schema=Canary",
        "postgresql://host/app?schema=pg_canary",
        "postgresql://host/app?schema=1canary",
        "postgresql://host/app?schema=a&schema=b",
        f"postgresql://host/app?schema={'c' * 64}",
    ],
)
def test_a_malformed_url_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Local(wrong)
    assert [violation.field for violation in caught.value.violations] == ["location"]
    told = str(caught.value) + repr(caught.value.__context__)
    assert ("canary" in told.lower(), "pass@" in told) == (False, False)


@given(st.text(st.characters(codec="utf-8", exclude_characters="%"), min_size=4, max_size=12))
def test_whatever_a_password_holds_it_is_refused_or_hidden(password: str) -> None:
    secret = f"<{password}>"
    try:
        shown = str(PostgresUrl(f"postgresql://me:{secret}@host/app"))
    except InvalidRequest as refused:
        shown = str(refused)
    assert secret not in shown


def test_what_may_hold_a_password_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(PostgresUrl("postgresql:///app"))


def test_the_faces_show_the_place_without_the_password() -> None:
    url = "postgresql://me:canary@host/app"
    shown = [repr(face(url, "test")) for face in (Local, Vault)]
    assert shown == [
        f"{name}('postgresql://me@host/app?schema=secretbridge', 'test')" for name in ("Local", "Vault")
    ]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("postgres:///a", True),
        ("postgresql://a", True),
        ("vault.db", False),
        (7, False),
        ("mysql://a", False),
    ],
)
def test_a_postgresql_url_is_told_from_a_path(location: object, *, expected: bool) -> None:
    assert is_postgres(location) is expected
