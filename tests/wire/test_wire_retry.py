"""When an exchange is repeated, after how long, and what its error then says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from secretbridge import (
    AuthenticationError,
    InvalidRequest,
    IoNet,
    NoReply,
    NotSent,
    ProviderUnavailable,
    RateLimited,
    Retry,
    SecretBridgeError,
    SecretNotFound,
    UnexpectedReply,
)
from secretbridge._channel import Channel
from secretbridge._exchange import Reply, Request
from secretbridge._models import Timeout
from secretbridge._runtime import finish
from secretbridge.testing import ScriptedRuntime, answer

OK = answer(200, {})


class Key:
    fixed = True

    def headers(self) -> tuple[()]:
        return ()


def request(**options: Any) -> Request:
    fixed = {"operation": "update", "secret": "TOKEN", "method": "PATCH", "url": "https://secrets.example/"}
    return Request(**{**fixed, "headers": (), "auth": Key(), **options})


def judge(reply: Reply) -> SecretBridgeError | None:
    """As an adapter does: 401 may bear a code, 404 and 429 and 5xx are what they are."""
    status = reply.status
    after = reply.header("retry-after")
    retry_after = None if after is None else float(after)
    if status == 200:
        return None
    if status == 401:
        return AuthenticationError("401", status=401, code=reply.header("code"))
    if status == 404:
        return SecretNotFound("404", status=404)
    if status == 429:
        return RateLimited("429", status=429, retry_after=retry_after)
    return ProviderUnavailable(str(status), status=status, retry_after=retry_after)


class Played:
    """One exchange over a script."""

    def __init__(
        self, *script: Reply | SecretBridgeError, retry: Retry | None = None, **options: Any
    ) -> None:
        self.runtime = ScriptedRuntime(*script)
        self.channel = Channel(
            self.runtime, timeout=Timeout(), retry=retry or Retry(first_wait=1.0), pace=None
        )
        self.options = options
        self.error: SecretBridgeError | None = None
        self.again()

    def again(self) -> None:
        self.error = None
        try:
            finish(self.channel.exchange(request(**self.options), judge))
        except SecretBridgeError as error:
            self.error = error

    @property
    def tries(self) -> int:
        return len(self.runtime.sent)


IDEMPOTENT: dict[str, Any] = {"idempotent": True}
WRITE: dict[str, Any] = {"idempotent": False}
READ: dict[str, Any] = {"idempotent": True, "reads": True}


@pytest.mark.parametrize(
    ("first", "options", "repeated"),
    [
        (NotSent("no"), WRITE, True),
        (NotSent("no"), IDEMPOTENT, True),
        (NotSent("no", transient=False), IDEMPOTENT, False),
        (NoReply("lost"), WRITE, False),
        (NoReply("lost"), IDEMPOTENT, True),
        (NoReply("lost"), READ, True),
        (NoReply("lost"), {"idempotent": False, "reads": True}, True),
        (NoReply("lost", transient=False), READ, False),
        (answer(429), WRITE, True),
        (answer(503), WRITE, False),
        (answer(503), IDEMPOTENT, True),
        (answer(401), READ, False),
        (answer(404), READ, False),
        (UnexpectedReply("odd"), READ, False),
    ],
    ids=str,
)
def test_only_what_may_pass_and_cannot_do_harm_is_repeated(
    first: Any, options: dict[str, Any], *, repeated: bool
) -> None:
    played = Played(first, OK, **options)
    assert played.tries == (2 if repeated else 1)
    assert (played.error is None) is repeated


@pytest.mark.parametrize("status", [429, 408, 500, 503])
def test_a_transient_status_is_repeated_where_twice_comes_to_the_same(status: int) -> None:
    def told(reply: Reply) -> SecretBridgeError | None:
        return None if reply.status == 200 else ProviderUnavailable("x", status=reply.status)

    for options, tries in ((IDEMPOTENT, 2), (WRITE, 1), ({"repeat_statuses": frozenset({status})}, 2)):
        runtime = ScriptedRuntime(answer(status), OK)
        channel = Channel(runtime, timeout=Timeout(), retry=Retry())
        caught = None
        try:
            finish(channel.exchange(request(**options), told))
        except ProviderUnavailable as error:
            caught = error
        assert len(runtime.sent) == tries
        assert (caught is None) is (tries == 2)


def test_a_status_that_may_be_repeated_is_not_where_it_is_not_transient() -> None:
    def told(_: Reply) -> SecretBridgeError:
        return ProviderUnavailable("x", status=501, transient=False)

    runtime = ScriptedRuntime(answer(501))
    channel = Channel(runtime, timeout=Timeout(), retry=Retry())
    with pytest.raises(ProviderUnavailable):
        finish(channel.exchange(request(repeat_statuses=frozenset({501})), told))
    assert len(runtime.sent) == 1


def test_nothing_is_repeated_with_retry_none_or_one_attempt() -> None:
    for retry in (None, Retry(attempts=1)):
        runtime = ScriptedRuntime(NotSent("no"), answer(200, {"data": []}))
        with runtime.bridge(IoNet(api_key="key-of-the-test"), retry=retry) as bridge, pytest.raises(NotSent):
            bridge.list_secrets()
        assert (len(runtime.sent), runtime.waits) == (1, [])


@pytest.mark.parametrize("attempts", [2, 3, 7])
def test_there_are_as_many_tries_as_are_allowed(attempts: int) -> None:
    played = Played(*[NotSent("no")] * 9, retry=Retry(attempts=attempts), **WRITE)
    assert played.tries == attempts
    assert len(played.runtime.waits) == attempts - 1
    assert isinstance(played.error, NotSent)


def test_no_try_begins_after_the_total_time() -> None:
    for asked, tries in ((4.0, 3), (5.0, 3), (5.1, 2), (10.1, 1)):
        script = [answer(429, headers={"retry-after": str(asked)}) for _ in range(9)]
        played = Played(*script, retry=Retry(attempts=9, total=10.0))
        assert (asked, played.tries) == (asked, tries)
        assert sum(played.runtime.waits) <= 10.0


def test_the_wait_is_what_the_provider_asks_for() -> None:
    played = Played(
        answer(429, headers={"retry-after": "3"}), answer(429, headers={"retry-after": "0"}), OK, **WRITE
    )
    assert played.error is None
    assert played.runtime.waits == [3.0, 0.0]


def test_a_provider_that_asks_for_too_long_gets_no_further_try() -> None:
    played = Played(answer(429, headers={"retry-after": "61"}), OK)
    assert played.tries == 1
    assert isinstance(played.error, RateLimited)
    assert (played.error.retry_after, played.error.applied, played.error.transient) == (61.0, False, True)
    assert Played(answer(429, headers={"retry-after": "60"}), OK, retry=Retry(total=99)).tries == 2
    assert Played(answer(429, headers={"retry-after": "1.5"}), retry=Retry(max_retry_after=1)).tries == 1


def test_a_wait_that_nobody_asked_for_is_random_between_nothing_and_a_doubling_bound() -> None:
    bounds = [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    seen: list[list[float]] = [[] for _ in bounds]
    for _ in range(150):
        played = Played(*[NotSent("no")] * 7, retry=Retry(attempts=7, total=1e6, first_wait=1, max_wait=8))
        for place, wait in enumerate(played.runtime.waits):
            seen[place].append(wait)
    for waits, bound in zip(seen, bounds, strict=True):
        assert len(waits) == 150
        assert min(waits) >= 0
        assert max(waits) <= bound
        assert min(waits) < bound * 0.1  # "full" jitter reaches down to nothing
        assert max(waits) > bound * 0.9
        assert abs(sum(waits) / 150 - bound / 2) < bound * 0.12


def test_no_wait_at_all_may_be_asked_for() -> None:
    played = Played(*[NotSent("no")] * 4, retry=Retry(first_wait=0))
    assert played.runtime.waits == [0.0, 0.0, 0.0]


def test_an_unknown_outcome_stays_unknown_when_a_later_try_is_refused() -> None:
    for later in (answer(404), NotSent("no", transient=False), InvalidRequest("no")):
        played = Played(NoReply("lost"), later, **IDEMPOTENT)
        assert played.tries == 2
        assert played.error is not None
        assert played.error.applied is None
        assert "look before you repeat" in str(played.error)


def test_a_refusal_after_tries_that_were_never_sent_is_a_refusal() -> None:
    for first in (NotSent("no"), answer(429)):
        played = Played(first, answer(404), **IDEMPOTENT)
        assert played.error is not None
        assert (played.tries, played.error.applied) == (2, False)
        assert "earlier try" not in str(played.error)


def test_a_read_that_got_no_answer_changed_nothing() -> None:
    played = Played(NoReply("lost"), NoReply("lost"), answer(404), **READ)
    assert played.error is not None
    assert (played.tries, played.error.applied) == (3, False)


def test_the_last_error_is_chained_to_none_of_the_earlier_ones() -> None:
    played = Played(*[NoReply("lost")] * 4, **IDEMPOTENT)
    assert played.tries == 4
    assert played.error is not None
    assert (played.error.__cause__, played.error.__context__) == (None, None)


DOUBTFUL: dict[str, Any] = {"doubtful_codes": frozenset({"FALSE_401"}), "idempotent": False}
FALSE_401 = answer(401, headers={"code": "FALSE_401"})


def test_a_refusal_that_is_sometimes_false_is_believed_at_the_third_time() -> None:
    played = Played(OK, **DOUBTFUL)
    played.runtime.add(FALSE_401, FALSE_401, OK)
    played.again()
    assert (played.error, played.tries) == (None, 4)
    played.runtime.add(*[FALSE_401] * 5)
    played.again()
    assert isinstance(played.error, AuthenticationError)
    assert (played.tries, played.error.applied) == (7, False)


def test_a_refusal_that_is_sometimes_false_is_believed_at_once_where_nothing_ever_worked() -> None:
    played = Played(FALSE_401, OK, **DOUBTFUL)
    assert isinstance(played.error, AuthenticationError)
    assert played.tries == 1


def test_another_refusal_of_the_same_status_is_believed_at_once() -> None:
    played = Played(OK, **DOUBTFUL)
    played.runtime.add(answer(401, headers={"code": "WRONG_KEY"}), OK)
    played.again()
    assert isinstance(played.error, AuthenticationError)
    assert played.tries == 2


def test_a_429_asks_the_pacer_to_wait_but_not_for_days() -> None:
    script = [answer(429, headers={"retry-after": "86400"}), OK, answer(429), OK]
    runtime = ScriptedRuntime(*script)
    channel = Channel(runtime, timeout=Timeout(), retry=Retry(max_retry_after=60), pace=600)
    with pytest.raises(RateLimited) as caught:
        finish(channel.exchange(request(), judge))
    assert caught.value.retry_after == 86400.0
    finish(channel.exchange(request(), judge))
    assert max(runtime.waits) < 1  # one answer does not hold up all that follows for a day
    finish(channel.exchange(request(), judge))  # 429 without a time: repeated, and slower
    assert max(runtime.waits) < 2
    runtime.add(answer(429, headers={"retry-after": "40"}), OK)
    finish(channel.exchange(request(), judge))
    assert max(runtime.waits) == pytest.approx(40.0, abs=1)


def test_a_credential_is_asked_for_at_every_try_and_its_failure_is_an_outcome() -> None:
    keys = itertools.count(1)
    runtime = ScriptedRuntime(answer(429), answer(200, {"data": []}))
    with runtime.bridge(IoNet(token=lambda: f"token-number-{next(keys)}")) as bridge:
        bridge.list_secrets()
    assert [sent.headers["token"] for sent in runtime.sent] == ["token-number-1", "token-number-2"]

    def fails() -> str:
        raise OSError("the vault of tokens said token-number-3")

    runtime = ScriptedRuntime()
    with (
        runtime.bridge(IoNet(token=fails)) as bridge,
        pytest.raises(AuthenticationError, match="raised OSError") as caught,
    ):
        bridge.list_secrets()
    assert (caught.value.applied, caught.value.__context__, runtime.sent) == (False, None, [])
    assert "token-number-3" not in str(caught.value)
