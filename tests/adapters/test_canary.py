"""A secret leaks nowhere: one marked value and one marked credential, through every operation and ending.

What is searched is in ``canary_channels``, how an exchange can end in ``canary_vendor``, what is done in
OPERATIONS below. Each of the three is a table to add to.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from adapter_cases import CASES, Case
from canary_channels import CHANNELS, Outcome
from canary_marks import CREDENTIAL, VALUE, echoes, found_in
from canary_vendor import ENDINGS, Treacherous
from pydantic import SecretStr

from secretbridge import AsyncSecretBridge, Local, SecretBridge, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from secretbridge.testing import StandIn

#: Method and arguments of each call. BY_ID is replaced by the id of the secret that is there.
BY_ID = object()
OPERATIONS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "list": ("list_secrets", (), {}),
    "get": ("get_secret", ("EXISTING",), {}),
    "get by id": ("get_secret", (), {"id": BY_ID}),
    "create": ("create_secret", ("CREATED",), {"value": VALUE}),
    "put": ("put_secret", ("EXISTING",), {"value": SecretStr(VALUE)}),
    "put new": ("put_secret", ("CREATED",), {"value": VALUE}),
    "update": ("update_secret", ("EXISTING",), {"value": VALUE, "verify": True}),
    "update by id": ("update_secret", (), {"id": BY_ID, "value": SecretStr(VALUE), "verify": True}),
    "describe": ("update_secret", ("EXISTING",), {"value": VALUE, "description": "text"}),
    "delete": ("delete_secret", ("EXISTING",), {}),
    "delete by id": ("delete_secret", (), {"id": BY_ID}),
}
#: Calls that are refused before anything is sent.
REFUSED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "bytes": ("update_secret", ("EXISTING",), {"value": VALUE.encode()}),
    "a list": ("update_secret", ("EXISTING",), {"value": [VALUE]}),
    "bytes in a SecretStr": ("update_secret", ("EXISTING",), {"value": SecretStr(VALUE.encode())}),  # type: ignore[arg-type]  # the point
    "a surrogate": ("update_secret", ("EXISTING",), {"value": VALUE + "\ud800"}),
    "too long": ("update_secret", ("EXISTING",), {"value": VALUE * 4_000_000}),
    "no zone": ("create_secret", ("CREATED",), {"value": VALUE, "expires_at": datetime(2031, 1, 1)}),  # noqa: DTZ001 - the point
    "several": ("update_secret", ("a/b",), {"value": SecretStr(VALUE), "active": VALUE, "tool_arg": [VALUE]}),
    "extra": ("update_secret", ("EXISTING",), {"value": VALUE, "extra": {"a": VALUE}}),
    "both": ("update_secret", ("EXISTING",), {"id": "1", "value": VALUE}),
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger says, down to DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def standin_of(case: Case) -> Any:
    standin = case.standin()
    standin.api_key = CREDENTIAL
    if hasattr(standin, "secret"):
        standin.seed("EXISTING", VALUE)
    return standin


def id_of(standin: Any) -> str:
    return next((row.id for row in standin.secrets if row.name == "EXISTING" and hasattr(row, "id")), "1")


def on_blocking_face(provider: Any, transport: httpx.BaseTransport | None, call: Any) -> list[object]:
    method, positional, named = call
    with SecretBridge(provider, transport=transport, retry=None, pace=None) as bridge:
        result = getattr(bridge, method)(*positional, **named)
        return [bridge, provider, *(result if isinstance(result, list) else [result])]


def on_async_face(
    provider: Any, transport: httpx.AsyncBaseTransport | None, call: Any, backend: str
) -> list[object]:
    async def main() -> list[object]:
        method, positional, named = call
        async with AsyncSecretBridge(provider, transport=transport, retry=None, pace=None) as bridge:
            result = await getattr(bridge, method)(*positional, **named)
            return [bridge, provider, *(result if isinstance(result, list) else [result])]

    return anyio.run(main, backend=backend)


def on_asyncio(provider: Any, transport: Any, call: Any) -> list[object]:
    return on_async_face(provider, transport, call, "asyncio")


def on_trio(provider: Any, transport: Any, call: Any) -> list[object]:
    return on_async_face(provider, transport, call, "trio")


FACES: list[Callable[[Any, Any, Any], list[object]]] = [on_blocking_face, on_asyncio, on_trio]
#: On trio alone those where the event loop has a part: what is raised, breaks off, is answered or refused.
ON_TRIO = {
    name: end for name, end in ENDINGS.items() if not name[0].isdigit() or "breaking" in name or name == "400"
}


def outcome_of(face: Any, provider: Any, transport: Any, call: Any, log: io.StringIO) -> Outcome:
    """Make one call and keep everything that can be seen of it."""
    log.seek(0)
    log.truncate()
    printed = io.StringIO()
    outcome = Outcome()
    with (
        warnings.catch_warnings(record=True) as warned,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        warnings.simplefilter("always")
        try:
            outcome.results = face(provider, transport, call)
        except errors.SecretBridgeError as error:
            outcome.error = error
    outcome.log, outcome.printed = log.getvalue(), printed.getvalue()
    outcome.warned = " ".join(f"{one.message!r} {one.message}" for one in warned)
    return outcome


def assert_clean(outcome: Outcome, where: str) -> None:
    for name, channel in CHANNELS.items():
        for text in channel(outcome):
            assert found_in(text) == [], f"{name} after {where}"


def called(operation: tuple[str, tuple[Any, ...], dict[str, Any]], standin: StandIn) -> Any:
    method, positional, named = operation
    return method, positional, {key: id_of(standin) if arg is BY_ID else arg for key, arg in named.items()}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_operation_and_no_ending_shows_the_value_or_the_credential(
    case: Case, operation: str, face: Any, log: io.StringIO
) -> None:
    for good in itertools.count():  # each request of the call in turn, as many as there are
        for name, ending in (ON_TRIO if face is on_trio else ENDINGS).items():
            standin = standin_of(case)
            transport = Treacherous(standin, good, ending)
            call = called(OPERATIONS[operation], standin)
            outcome = outcome_of(face, case.provider(standin), transport, call, log)
            assert_clean(outcome, f"{good} good answers and {name}")
            if not transport.reached:
                return  # the call is over before its bad end: so it is with the other endings


#: Public methods of a bridge that have no place in OPERATIONS.
NO_OPERATIONS = {
    "capabilities": "sends nothing",
    "close": "sends nothing",
    "rehearsal": "sends what the verbs do; in tests/secrecy",
    "with_options": "sends nothing",
    "iter_secrets": "sends what list_secrets does; in tests/secrecy",
}


#: How many requests each operation makes, in the order of OPERATIONS; 0 where it is refused before.
REQUESTS = {
    "ionet": (1, 2, 1, 1, 2, 2, 3, 2, 0, 2, 1),
    "wix": (1, 2, 3, 1, 2, 2, 4, 4, 2, 2, 1),
    "insforge": (1, 2, 3, 2, 2, 3, 3, 4, 0, 1, 2),
    "appfarm": (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
}


def test_no_verb_of_a_bridge_is_left_out() -> None:
    for kind in (SecretBridge, AsyncSecretBridge):
        verbs = {name for name in dir(kind) if not name.startswith("_")}
        assert verbs == {method for method, _, _ in OPERATIONS.values()} | NO_OPERATIONS.keys()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_bad_end_comes_to_each_request_of_each_operation(case: Case) -> None:
    met = []
    for operation in OPERATIONS.values():
        for good in itertools.count():
            standin = standin_of(case)
            transport = Treacherous(standin, good, ENDINGS["400"])
            with contextlib.suppress(errors.SecretBridgeError):
                on_blocking_face(case.provider(standin), transport, called(operation, standin))
            if not transport.reached:
                break
        met.append(good)
    assert tuple(met) == REQUESTS[case.name]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_success_shows_neither(case: Case, operation: str, face: Any, log: io.StringIO) -> None:
    standin = standin_of(case)
    call = called(OPERATIONS[operation], standin)
    outcome = outcome_of(face, case.provider(standin), standin.transport(), call, log)
    assert_clean(outcome, operation)
    assert outcome.results or isinstance(outcome.error, (errors.InvalidRequest, errors.ProviderError))


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_refusal_shows_neither(case: Case, refused: str, face: Any, log: io.StringIO) -> None:
    standin = standin_of(case)
    if (case.name, refused) == ("appfarm", "too long"):
        return  # its builder sets the limits
    outcome = outcome_of(face, case.provider(standin), standin.transport(), REFUSED[refused], log)
    assert isinstance(outcome.error, errors.InvalidRequest)
    assert standin.requests == []
    assert_clean(outcome, refused)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_loggers_of_the_libraries_below_show_neither_on_a_real_socket(case: Case, log: io.StringIO) -> None:
    standin = standin_of(case)
    with standin.serve() as base_url:
        provider: Any = case.provider(standin)
        provider._base = base_url
        with SecretBridge(provider, retry=None, pace=None) as bridge:
            bridge.update_secret("EXISTING", value=VALUE)
            if "get" in bridge.capabilities.operations:
                bridge.get_secret("EXISTING")
    assert "httpcore" in log.getvalue() or "send_request_body" in log.getvalue()
    assert found_in(log.getvalue()) == []


VAULT_CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    **OPERATIONS,
    "taken": ("create_secret", ("EXISTING",), {"value": VALUE}),
    "absent": ("update_secret", ("ABSENT",), {"value": VALUE}),
    "conflict": ("update_secret", ("EXISTING",), {"value": VALUE, "if_version": 99}),
    "locked": ("update_secret", ("LOCKED",), {"value": VALUE}),
    "expired": ("get_secret", ("EXPIRED",), {}),
    "inactive": ("get_secret", ("INACTIVE",), {}),
}
DAMAGE: dict[str, Callable[[bytes], bytes] | None] = {
    "whole": None,
    "cut off": lambda data: data[: len(data) // 2],
    "another file": lambda _: f"{VALUE} {CREDENTIAL}".encode() * 500,
    "changed within": lambda data: data[:4096] + bytes(255 - byte for byte in data[4096:]),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_the_vault_shows_neither(damage: str, face: Any, log: io.StringIO, tmp_path: Path) -> None:
    provider = Local(tmp_path / "vaults" / "vault.db", key_file=tmp_path / "vault.key")
    with SecretBridge(provider) as bridge:
        bridge.create_secret("EXISTING", value=VALUE)
        bridge.create_secret("LOCKED", value=VALUE, protected=True)
        bridge.create_secret("INACTIVE", value=VALUE, active=False)
        bridge.create_secret("EXPIRED", value=VALUE, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    spoil = DAMAGE[damage]
    file = tmp_path / "vaults" / "vault.db"
    if spoil is not None:
        file.write_bytes(spoil(file.read_bytes()))
    for name, operation in VAULT_CALLS.items():
        method, positional, named = operation
        call = (method, positional, {key: "1" if arg is BY_ID else arg for key, arg in named.items()})
        outcome = outcome_of(face, provider, None, call, log)
        assert spoil is None or isinstance(outcome.error, errors.VaultError)
        assert_clean(outcome, f"{name} on a file that is {damage}")


def test_a_passphrase_that_does_not_fit_is_not_shown(log: io.StringIO, tmp_path: Path) -> None:
    with SecretBridge(Local(tmp_path / "v" / "vault.db", passphrase="another")) as bridge:
        bridge.create_secret("EXISTING", value=VALUE)
    provider = Local(tmp_path / "v" / "vault.db", passphrase=CREDENTIAL)
    outcome = outcome_of(on_blocking_face, provider, None, OPERATIONS["get"], log)
    assert isinstance(outcome.error, errors.VaultLocked)
    assert_clean(outcome, "a wrong passphrase")


def fails() -> str:
    raise RuntimeError(f"{VALUE} {CREDENTIAL}")


@pytest.mark.parametrize(
    "credential", [f"{CREDENTIAL}\n", f"Bearer {CREDENTIAL}", CREDENTIAL.encode(), [CREDENTIAL], fails]
)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("case", CASES[1:], ids=str)
def test_a_malformed_credential_is_not_shown(
    case: Case, face: Any, credential: Any, log: io.StringIO
) -> None:
    standin = standin_of(case)
    standin.api_key = credential
    try:
        provider = case.provider(standin)
    except errors.InvalidRequest as error:
        assert_clean(Outcome(error=error), "its construction")
        return
    outcome = outcome_of(face, provider, standin.transport(), OPERATIONS["update"], log)
    assert isinstance(outcome.error, errors.AuthenticationError)
    assert_clean(outcome, "a callable that fails")


class Leak(errors.SecretBridgeError):
    """An error as it must not be."""


def planted(**where: Any) -> Outcome:
    error = Leak("What happened.")
    error.__dict__.update(where)
    return Outcome(error=error)


@pytest.mark.parametrize("echo", echoes())
def test_the_search_finds_what_is_planted(echo: str) -> None:
    for outcome in (
        Outcome(error=Leak(echo)),
        Outcome(log=f"x {echo} x"),
        Outcome(warned=echo),
        Outcome(printed=echo.upper()),
        planted(attribute={"deep": [(echo,)]}),
        planted(wrapped=SecretStr(echo)),
        planted(advice=echo),
        planted(data=echo.encode("latin-1", "replace")) if echo.isascii() else planted(advice=echo),
        planted(__cause=ValueError(echo)),
        Outcome(results=[{"a": echo}]),
    ):
        with pytest.raises(AssertionError):
            assert_clean(outcome, "planting")


def test_the_search_finds_what_hangs_on_an_exception() -> None:
    for hang in ("__cause__", "__context__"):
        error = Leak("What happened.")
        setattr(error, hang, ValueError(VALUE))
        with pytest.raises(AssertionError):
            assert_clean(Outcome(error=error), "planting")
    error = Leak("What happened.")
    error.add_note(CREDENTIAL)
    with pytest.raises(AssertionError):
        assert_clean(Outcome(error=error), "planting")
