"""The values that go in and come out."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from secretbridge import UNSET, InvalidRequest, Secret, Timeout, ValueNotTold
from secretbridge._capabilities import Limit

TOLD = Secret(name="NAME", id="7", value=SecretStr("the value"), expires_at=datetime(2027, 1, 1, tzinfo=UTC))
UNTOLD = Secret(name="NAME")


def test_unset_is_false_and_shows_its_name() -> None:
    assert (bool(UNSET), repr(UNSET)) == (False, "UNSET")
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET  # noqa: S301 - our own bytes


def test_reveal_gives_the_value_as_str() -> None:
    assert TOLD.reveal() == "the value"


def test_reveal_says_clearly_that_a_value_was_not_told() -> None:
    with pytest.raises(ValueNotTold, match="'NAME' is not known here"):
        UNTOLD.reveal()


def test_a_secret_never_shows_its_value() -> None:
    for shown in (repr(TOLD), str(TOLD), f"{TOLD}", f"{TOLD=}", repr(dataclasses.asdict(TOLD))):
        assert "the value" not in shown
    assert repr(UNTOLD) == "Secret(name='NAME', value=None)"


def test_a_secret_is_not_pickled_and_copies_are_itself() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(TOLD)
    assert copy.copy(TOLD) is TOLD
    assert copy.deepcopy(TOLD) is TOLD


def test_a_secret_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TOLD.name = "OTHER"  # type: ignore[misc]  # that is the point


def test_all_bad_timeouts_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Timeout(connect=-1, read=float("nan"))
    assert [violation.field for violation in caught.value.violations] == ["timeout.connect", "timeout.read"]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(), "any length"),
        (Limit(min_length=4), "at least 4 characters"),
        (Limit(max_length=3500), "0 to 3,500 characters"),
        (Limit(min_length=1, max_length=50, pattern="a", meaning="only a"), "1 to 50 characters, only a"),
    ],
)
def test_a_limit_reads_as_a_sentence(limit: Limit, text: str) -> None:
    assert str(limit) == text


def test_a_secret_takes_its_own_fields_and_needs_a_name() -> None:
    with pytest.raises(TypeError, match="has no nmae"):
        Secret(name="NAME", nmae="NAME")  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match="needs a name"):
        Secret()  # type: ignore[call-arg]  # that is the point
    assert dataclasses.replace(TOLD, name="OTHER").reveal() == "the value"
    assert dataclasses.replace(TOLD) == TOLD
