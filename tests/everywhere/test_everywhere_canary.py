"""A secret leaks nowhere: results, the error, plain data, pickles and logs of a change in many places."""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from everywhere_stores import NAME, Stores, everywhere, kinds, stores

from secretbridge import EverywhereResult, InvalidRequest, Local, PartialUpdate, SecretBridge
from secretbridge.testing import Lost, Pass, Reply

sys.path.append(str(Path(__file__).parents[1] / "adapters"))

from canary_channels import CHANNELS, Outcome
from canary_marks import VALUE, found_in

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["stores"]

#: What the stores held before; its forms are searched for by hand.
BEFORE = "Wp3Lq8Vz6Yc1Ks5Td"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def leaks(outcome: Outcome) -> list[str]:
    found = []
    for name, channel in CHANNELS.items():
        for text in channel(outcome):
            found += [f"{name}: {form}" for form in found_in(text)]
            found += [f"{name}: the previous value"] if BEFORE.casefold() in text.casefold() else []
    return found


class Careless:
    """An adapter from elsewhere whose error tells everything."""

    def __init__(self, provider: Local) -> None:
        self._provider = provider
        self.capabilities = provider.capabilities
        for name in ("list_page", "get", "create", "put", "delete", "check"):  # what makes it a provider
            setattr(self, name, getattr(provider, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def update(
        self, channel: object, target: object, changes: Any, *, if_version: object = None
    ) -> None:
        raise KeyError(changes["value"].get_secret_value(), channel, target, if_version)


@pytest.mark.parametrize("on_failure", ["keep", "restore"])
@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_no_way_out_of_a_change_in_many_places_holds_a_value(
    stores: Stores, log: io.StringIO, face: str, on_failure: str
) -> None:
    names = ["wix", "insforge", "ionet", "vault", "dotenv"]
    everywhere("blocking", stores, names, value=BEFORE)
    echo = {"message": f"{VALUE} {BEFORE}", "error": VALUE, "statusCode": 400}
    looks = [Pass(), Pass()] if on_failure == "restore" else []
    stores.insforge.script(*looks, Reply(400, echo))
    stores.wix.script(*looks, Lost())
    careless = Careless(Local(stores.folder / "other.db", key_file=stores.folder / "other.key"))
    with SecretBridge(careless._provider) as bridge:
        bridge.create_secret(NAME, value=BEFORE)
    with pytest.raises(PartialUpdate) as caught:
        everywhere(face, stores, names, careless, value=VALUE, on_failure=on_failure)
    result: EverywhereResult = caught.value.results
    assert len(set(kinds(result))) > 1
    outcome = Outcome(
        results=[result, *result, json.dumps(result.to_json()), pickle.dumps(result)],
        error=caught.value,
        log=log.getvalue(),
    )
    assert leaks(outcome) == []
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own, of this line
    assert str(again) == str(caught.value)
    assert again.results.to_json() == result.to_json()


@pytest.mark.parametrize(
    "wrong", [{"value": VALUE.encode()}, {"value": VALUE, "description": "d"}, {"value": VALUE + "\ud800"}]
)
def test_no_refusal_holds_a_value(stores: Stores, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        everywhere("blocking", stores, ["wix", "insforge", "vault"], **wrong)
    assert leaks(Outcome(error=caught.value)) == []


def test_an_adapter_that_fails_in_its_own_way_leaves_the_outcome_unknown(stores: Stores) -> None:
    careless = Careless(stores.provider("vault"))  # type: ignore[arg-type]  # it is a Local
    result = everywhere("blocking", stores, ["wix"], careless, value=VALUE, check=False)
    assert kinds(result) == ["Updated", "Unknown"]
    (unknown,) = result.unknown
    assert str(unknown.error) == "The provider failed: KeyError."
