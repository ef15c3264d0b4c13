"""Credentials and addresses that cannot be used are refused where they are given."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import CASES, Case, appfarm, insforge, ionet, scripted, wix
from pydantic import SecretStr

from secretbridge import InsForge, IoNet, errors
from secretbridge.testing import answer

if TYPE_CHECKING:
    from collections.abc import Callable

MAKERS: list[Callable[..., Any]] = [ionet, wix, insforge, appfarm]


def insforge_at(base_url: Any, **options: Any) -> InsForge:
    return InsForge(base_url, api_key="ik_key", **options)


@pytest.mark.parametrize("credentials", [{}, {"api_key": "a", "bearer": "b"}, {"bearer": "b", "token": "c"}])
def test_ionet_takes_exactly_one_credential(credentials: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match="exactly one of api_key, bearer, token"):
        IoNet(**credentials)


MALFORMED = [
    ("", "is empty"),
    (" \t\n", "is empty"),
    ("Zx9c0ffee7Qz\n", "white space"),
    (" Zx9c0ffee7Qz", "white space"),
    ("Bearer Zx9c0ffee7Qz", "white space"),
    ("Zx9c0ffee\r\nX-Evil: 1", "white space"),
    ("Zx9c0ffee\x00", "no header can carry"),
    ("Zx9c0ffee\x7f", "no header can carry"),
    ("Zx9c0ffeeé", "no header can carry"),
    ("Zx9c0ffee\ud800", "no header can carry"),
    (b"Zx9c0ffee7Qz", "neither a text"),
    (7, "neither a text"),
    (SecretStr(""), "is empty"),
    (SecretStr("Zx9c0ffee7Qz\n"), "white space"),
]


@pytest.mark.parametrize(("credential", "problem"), MALFORMED)
@pytest.mark.parametrize("make", [wix, insforge, appfarm])
def test_a_malformed_credential_is_refused_and_not_shown(
    make: Callable[..., Any], credential: object, problem: str
) -> None:
    with pytest.raises(errors.InvalidRequest, match=problem) as caught:
        make(api_key=credential)
    assert "c0ffee" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("credential", "problem"), MALFORMED)
def test_a_callable_that_gives_rubbish_is_refused_before_anything_is_sent(
    credential: object, problem: str
) -> None:
    runtime, bridge = scripted(insforge(api_key=lambda: credential))
    with pytest.raises(errors.InvalidRequest, match=problem) as caught:
        bridge.list_secrets()
    assert runtime.sent == []
    assert "c0ffee" not in repr(caught.value)


def test_an_asynchronous_callable_is_refused_without_a_warning() -> None:
    async def key() -> str:
        return "ik_key"

    runtime, bridge = scripted(insforge(api_key=key))
    with pytest.raises(errors.InvalidRequest, match="neither a text nor a callable"):
        bridge.list_secrets()
    assert runtime.sent == []


def test_the_text_of_what_a_callable_raises_is_never_shown() -> None:
    def key() -> str:
        raise RuntimeError("Zx9c0ffee7Qz")

    runtime, bridge = scripted(insforge(api_key=key))
    with pytest.raises(errors.AuthenticationError, match="raised RuntimeError") as caught:
        bridge.update_secret("A", value="v")
    assert runtime.sent == []
    error = caught.value
    assert (error.applied, error.provider, error.operation, error.status) == (
        False,
        "insforge",
        "update",
        None,
    )
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "c0ffee" not in repr(vars(error))


def test_a_callable_is_asked_at_every_exchange() -> None:
    keys = iter(["ik_1", "ik_2"])
    runtime, bridge = scripted(insforge(api_key=lambda: next(keys)), answer(200, {}), answer(200, {}))
    bridge.update_secret("A", value="v")
    bridge.update_secret("A", value="v")
    assert [sent.headers["authorization"] for sent in runtime.sent] == ["Bearer ik_1", "Bearer ik_2"]


@pytest.mark.parametrize(
    ("base_url", "problem"),
    [
        ("api.example.com", "absolute URL"),
        ("//api.example.com", "absolute URL"),
        ("ftp://api.example.com", "absolute URL"),
        ("https://", "absolute URL"),
        ("https:///path", "absolute URL"),
        ("https://:443", "absolute URL"),
        ("https://api.example.com:port", "absolute URL"),
        ("https://api.example.com:99999", "absolute URL"),
        ("https://api.example.com:0", "absolute URL"),
        ("https://api.example.com:-1", "absolute URL"),
        ("https://[::1", "absolute URL"),
        ("https://good.example\\@evil.example", "absolute URL"),
        ("https://user:c0ffee@api.example.com", "user name or password"),
        ("https://c0ffee@api.example.com", "user name or password"),
        ("https://user:c0ffee@api.example.com:port", "user name or password"),
        ("https://api.example.com/?c0ffee=1", "query or fragment"),
        ("https://api.example.com?", "query or fragment"),
        ("https://api.example.com/#c0ffee", "query or fragment"),
        ("http://api.example.com", "without encryption"),
        ("http://10.0.0.1", "without encryption"),
        ("http://127.0.0.1.example.com", "without encryption"),
        (" https://api.example.com", "white space"),
        ("https://api.example.com\n", "white space"),
        ("https://api.example .com", "white space"),
        ("https://api.example.com/\x00", "white space"),
        ("", "is empty"),
        (None, "is not a text"),
        (b"https://api.example.com", "is not a text"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(base_url: object, problem: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=problem) as caught:
        insforge_at(base_url)
    assert "c0ffee" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_all_that_is_wrong_with_an_address_is_told_at_once() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        insforge_at("http://user:pw@api.example.com?a=1")
    assert len(caught.value.violations) == 3


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "HTTPS://api.example.com",
        "https://api.example.com:8443/some/path",
    ],
)
def test_https_and_plain_http_to_loopback_are_taken(base_url: str) -> None:
    assert f"base_url={base_url!r}" in repr(insforge_at(base_url))


def test_plain_http_elsewhere_is_taken_when_it_is_said_in_so_many_words() -> None:
    runtime, bridge = scripted(insforge_at("http://10.0.0.1", allow_http=True), answer(200, {"secrets": []}))
    bridge.list_secrets()
    assert runtime.sent[0].url == "http://10.0.0.1/api/secrets"


@pytest.mark.parametrize("slashes", ["", "/", "///"])
def test_slashes_at_the_end_of_an_address_do_not_matter(slashes: str) -> None:
    runtime, bridge = scripted(
        insforge_at(f"https://api.example.com/x{slashes}"), answer(200, {"secrets": []})
    )
    bridge.list_secrets()
    assert runtime.sent[0].url == "https://api.example.com/x/api/secrets"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_provider_is_not_pickled_is_its_own_copy_and_shows_no_credential(case: Case) -> None:
    standin = case.standin()
    provider = case.provider(standin)
    with pytest.raises(TypeError, match="holds a credential"):
        pickle.dumps(provider)
    assert copy.copy(provider) is provider
    assert copy.deepcopy(provider) is provider
    assert standin.api_key not in f"{provider!r} {provider}"
