"""What an error says: was the change made, whose words are these, and that it survives a pickle."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from adapter_cases import CASES, MANAGED, UUID, Case, insforge, ionet, scripted
from hypothesis import given
from hypothesis import strategies as st

from secretbridge import EverywhereResult, SecretBridge, errors
from secretbridge._exchange import Reply
from secretbridge.providers._refusal import retry_after
from secretbridge.testing import answer

if TYPE_CHECKING:
    from collections.abc import Callable

READS: dict[str, Callable[[SecretBridge], object]] = {
    "list": lambda bridge: bridge.list_secrets(),
    "get": lambda bridge: bridge.get_secret(id=UUID),
}
WRITES: dict[str, Callable[[SecretBridge], object]] = {
    "create": lambda bridge: bridge.create_secret("NAME", value="Zx9c0ffee7Qz"),
    "update": lambda bridge: bridge.update_secret(id=UUID, value="Zx9c0ffee7Qz"),
    "delete": lambda bridge: bridge.delete_secret(id=UUID),
}
STATUSES = {
    301: (errors.WrongAddress, False),
    307: (errors.WrongAddress, False),
    400: (errors.Rejected, False),
    401: (errors.AuthenticationError, False),
    402: (errors.Rejected, False),
    403: (errors.PermissionDenied, False),
    405: (errors.WrongAddress, False),
    408: (errors.ProviderUnavailable, None),
    410: (errors.SecretNotFound, False),
    413: (errors.QuotaExceeded, False),
    422: (errors.Rejected, False),
    425: (errors.ProviderUnavailable, False),
    429: (errors.RateLimited, False),
    500: (errors.ProviderUnavailable, None),
    501: (errors.ProviderUnavailable, None),
    502: (errors.ProviderUnavailable, None),
    503: (errors.ProviderUnavailable, None),
    504: (errors.ProviderUnavailable, None),
    507: (errors.QuotaExceeded, None),
    599: (errors.ProviderUnavailable, None),
}
PASSING = {408, 425, 429, 500, 502, 503, 504}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_says_whether_a_change_was_made(status: int, operation: str) -> None:
    kind, applied = STATUSES[status]
    if (status, operation) == (410, "create"):
        kind = errors.WrongAddress  # as with 404: no secret was asked for
    _, bridge = scripted(ionet(), answer(status, body=b"odd"), retry=None)
    with pytest.raises(errors.SecretBridgeError) as caught:
        WRITES[operation](bridge)
    assert (type(caught.value), caught.value.applied) == (kind, applied)
    assert caught.value.transient is (status in PASSING)
    assert ("look before you repeat" in caught.value.advice) is (applied is None)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("status", [100, 199, 202, *STATUSES])
def test_a_read_changes_nothing_whatever_its_status(status: int, operation: str) -> None:
    _, bridge = scripted(ionet(), answer(status, body=b"odd"), retry=None)
    with pytest.raises(errors.SecretBridgeError) as caught:
        READS[operation](bridge)
    assert caught.value.applied is False
    assert "look before you repeat" not in caught.value.advice


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_refusal_carries_provider_operation_status_code_and_request_id(case: Case) -> None:
    header = "x-wix-request-id" if case.name == "wix" else "x-request-id"
    body = {
        "error": "FORBIDDEN",
        "code": "SECRET_LOCKED",
        "detail": [{"loc": ["body"], "msg": "no", "type": "forbidden"}],
        "details": {"applicationError": {"code": "PERMISSION_DENIED"}},
    }
    standin = case.standin()
    _, bridge = scripted(case.provider(standin), answer(403, body, headers={header: "req-1.2:3"}))
    with pytest.raises(errors.ProviderError) as caught:
        bridge.update_secret("EXISTING", value="Zx9c0ffee7Qz") if case.name in {"insforge", "appfarm"} else (
            bridge.update_secret(id=UUID, value="Zx9c0ffee7Qz")
        )
    error = caught.value
    codes = {
        "ionet": "forbidden",
        "wix": "PERMISSION_DENIED",
        "insforge": "FORBIDDEN",
        "appfarm": "SECRET_LOCKED",
    }
    assert (error.provider, error.operation, error.status) == (case.name, "update", 403)
    assert (error.code, error.request_id) == (codes[case.name], "req-1.2:3")
    assert error.args == (error.message,)


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "<b>", "Zx9c0ffee7Qz", "…"])
def test_an_odd_request_id_or_code_is_left_out(odd: str) -> None:
    _, bridge = scripted(insforge(), answer(403, {"error": odd}, headers={"x-request-id": odd}))
    with pytest.raises(errors.PermissionDenied) as caught:
        bridge.update_secret("NAME", value="Zx9c0ffee7Qz")
    assert (caught.value.request_id, caught.value.code) == (None, None)


def made(kind: type[errors.SecretBridgeError]) -> errors.SecretBridgeError:
    """An error of this class with everything set that it can carry."""
    advice: dict[str, Any] = {"advice": "Do this."}
    violations = [errors.Violation("value", "is short", "lengthen it")]
    error: errors.SecretBridgeError
    if issubclass(kind, errors.ProviderError) and not issubclass(kind, errors.VaultError):
        error = kind(
            "What happened.",
            provider="wix",
            operation="update",
            status=409,
            code="CODE",
            request_id="id",
            violations=violations,
            retry_after=1.5,
            applied=None,
            **advice,
        )
    elif issubclass(kind, errors.InvalidRequest):
        error = kind("What happened", violations=violations, **advice)
    elif issubclass(kind, (errors.UnexpectedReply, errors.WrongAddress)):
        error = kind("What happened.", status=200, **advice)
    elif issubclass(kind, errors.PartialUpdate):
        error = kind(
            "What happened.", results=EverywhereResult(results=(), run_id="run"), transient=True, **advice
        )
    elif issubclass(kind, errors.RotationIncomplete):
        error = kind("What happened.", run_id="run", step="write", results=EverywhereResult(results=()))
    else:
        error = kind("What happened.", applied=None, transient=True, retry_after=2.0, **advice)
    if isinstance(error, errors.AmbiguousSecret):
        error.ids = ("1", "2")
    if isinstance(error, errors.Conflict):
        error.current_version = 7
    return error


def _unpickled(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own


KINDS = [
    kind
    for kind in (getattr(errors, name) for name in errors.__all__)
    if isinstance(kind, type) and issubclass(kind, errors.SecretBridgeError)
]


@pytest.mark.parametrize("again", [_unpickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_a_pickle_and_a_copy(
    kind: type[errors.SecretBridgeError], again: Callable[[Any], Any]
) -> None:
    error = made(kind)
    twin = again(error)
    assert type(twin) is kind
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_every_class_of_the_tree_is_public() -> None:
    def below(kind: type[BaseException]) -> set[str]:
        return {kind.__name__}.union(*(below(one) for one in kind.__subclasses__()))

    ours = {name for name in below(errors.SecretBridgeError) if hasattr(errors, name)}
    assert ours <= set(errors.__all__)
    assert len(KINDS) == len(errors.__all__) - 1  # all but Violation


def _after(text: str) -> float | None:
    return retry_after(Reply(429, {"retry-after": text}, b""))


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    assert [_after("0"), _after(" 7 "), _after("1.5")] == [0.0, 7.0, 1.5]
    soon = _after(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert soon is not None
    assert 90 < soon <= 100
    assert _after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert _after("Wed, 21 Oct 2015 07:28:00") == 0.0
    assert retry_after(Reply(429, {}, b"")) is None


@pytest.mark.parametrize(
    "text", ["", "-1", "soon", "nan", "inf", "1e9", "٣", "0\x1f", "1" * 30, "Fri, 31 Dec 9999 23:59:59 -1400"]
)
def test_a_retry_after_that_makes_no_sense_is_passed_over(text: str) -> None:
    found = _after(text)
    assert found is None or 0 <= found < 10**12


@given(st.text(max_size=60))
def test_no_retry_after_brings_the_adapter_down(text: str) -> None:
    found = _after(text)
    assert found is None or found >= 0


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_a_secret_that_is_absent_is_not_found_and_that_is_a_lookup_error(case: Case) -> None:
    _, bridge = case.opened()
    for act in (
        bridge.get_secret,
        bridge.delete_secret,
        lambda name: bridge.update_secret(name, value="value"),
    ):
        with pytest.raises(LookupError) as caught:
            act("ABSENT")
        assert isinstance(caught.value, errors.SecretNotFound)
        assert caught.value.provider == case.name
        assert "list_secrets" in caught.value.advice
    bridge.delete_secret("ABSENT", missing_ok=True)
