"""The two faces are one interface, and the package gives what it says."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from typing import TYPE_CHECKING

import anyio
import pytest

import secretbridge
from secretbridge import AsyncSecretBridge, InvalidRequest, IoNet, Retry, SecretBridge, errors
from secretbridge.testing import IoNetStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = sorted(name for name in vars(SecretBridge) if not name.startswith("_"))
#: Entering and leaving bear other names on the async face; the rest of the private ones are not the caller's.
ISSUE_NAMES = {
    "AsyncSecretBridge", "SecretBridge", "IoNet", "Wix", "InsForge", "Appfarm", "Local", "UNSET", "Secret",
    "Capabilities", "Retry", "errors", "update_secret",
}  # fmt: skip


def test_both_faces_have_the_same_public_names() -> None:
    assert sorted(name for name in vars(AsyncSecretBridge) if not name.startswith("_")) == PUBLIC


@pytest.mark.parametrize("name", [*PUBLIC, "__init__"])
def test_both_faces_have_the_same_parameters(name: str) -> None:
    one, other = getattr(SecretBridge, name), getattr(AsyncSecretBridge, name)
    if isinstance(one, property):
        assert isinstance(other, property)
        return
    ours, theirs = inspect.signature(one).parameters, inspect.signature(other).parameters
    assert list(ours) == list(theirs)
    for parameter in ours:
        if parameter != "transport":  # each face takes transports of its own kind
            assert ours[parameter] == theirs[parameter]


@pytest.mark.parametrize("name", PUBLIC)
def test_both_faces_have_the_same_docstrings(name: str) -> None:
    assert inspect.getdoc(getattr(SecretBridge, name)) == inspect.getdoc(getattr(AsyncSecretBridge, name))
    assert inspect.getdoc(getattr(SecretBridge, name))


def test_the_one_shot_takes_what_the_method_takes() -> None:
    method = inspect.signature(SecretBridge.update_secret).parameters
    one_shot = inspect.signature(secretbridge.update_secret).parameters
    assert list(one_shot) == ["provider", *list(method)[1:]]
    assert [one_shot[name] for name in list(method)[1:]] == [method[name] for name in list(method)[1:]]


def test_every_name_in_all_is_there_and_every_promised_one_too() -> None:
    for name in secretbridge.__all__:
        assert getattr(secretbridge, name) is not None
    assert set(secretbridge.__all__) >= ISSUE_NAMES
    assert set(secretbridge.__all__) >= set(errors.__all__)
    assert sorted(secretbridge.__all__) == list(secretbridge.__dir__())


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        secretbridge.nonsense  # noqa: B018 - the access is what is tested


def test_every_module_says_what_it_offers() -> None:
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(secretbridge.__path__, "secretbridge.")
        if not found.name.endswith("__main__")
    ]
    assert len(modules) > 20
    for module in modules:
        public = not any(part.startswith("_") for part in module.__name__.split("."))
        assert hasattr(module, "__all__") or not public
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__} lacks {name}"


@pytest.mark.parametrize("thing", [IoNet, SecretBridge, AsyncSecretBridge])
def test_what_holds_a_credential_is_not_pickled(thing: Callable[..., object]) -> None:
    provider = IoNet(api_key="key-of-the-test")
    held = provider if thing is IoNet else thing(provider)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(held)


def test_a_bridge_shows_its_provider_and_no_credential() -> None:
    shown = repr(SecretBridge(IoNet(api_key="key-of-the-test")))
    assert shown == "SecretBridge(IoNet(base_url='https://api.intelligence.io.solutions/api/v1'))"
    shown = repr(AsyncSecretBridge(IoNet(api_key="key-of-the-test")))
    assert shown == "AsyncSecretBridge(IoNet(base_url='https://api.intelligence.io.solutions/api/v1'))"


@pytest.mark.parametrize("face", [SecretBridge, AsyncSecretBridge])
@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"timeout": -1}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"retry": 3}, "retry"),
        ({"pace": 0}, "pace"),
        ({"pace": "fast"}, "pace"),
        ({"pace": float("inf")}, "pace"),
        ({"pace": True}, "pace"),
    ],
)
def test_a_malformed_option_is_refused_by_name(
    face: Callable[..., object], options: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest, match=field):
        face(IoNet(api_key="key-of-the-test"), **options)


@pytest.mark.parametrize("face", [SecretBridge, AsyncSecretBridge])
@pytest.mark.parametrize("provider", [None, "wix", IoNet, object()])
def test_what_is_no_provider_is_refused(face: Callable[..., object], provider: object) -> None:
    with pytest.raises(InvalidRequest, match="is not a provider"):
        face(provider)


@pytest.mark.parametrize("attempts", [0, 101, 2.5, True])
def test_attempts_are_a_whole_number_from_1_to_100(attempts: int) -> None:
    with pytest.raises(InvalidRequest, match=r"retry\.attempts"):
        Retry(attempts=attempts)


def test_with_options_leaves_the_first_bridge_as_it_is() -> None:
    standin = IoNetStandIn()
    with SecretBridge(IoNet(api_key="ionet-key"), transport=standin.transport(), pace=None) as bridge:
        other = bridge.with_options(timeout=1.0, retry=None, pace=120)
        assert bridge._core.channel.retry == Retry()
        assert other._core.channel.retry.attempts == 1
        assert other._core.channel.timeout.read == 1.0
        assert (bridge._core.channel.pace, other._core.channel.pace) == (None, 120.0)
        bridge.create_secret("NAME", value="value-1")
        assert [secret.name for secret in other.list_secrets()] == ["NAME"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_does_the_five_verbs(backend: str) -> None:
    standin = IoNetStandIn()

    async def work() -> list[str]:
        async with AsyncSecretBridge(
            IoNet(api_key="ionet-key"), transport=standin.transport(), pace=None
        ) as bridge:
            made = await bridge.create_secret("ONE", value="value-1")
            await bridge.update_secret("ONE", new_name="TWO")
            await bridge.put_secret("THREE", value="value-3")
            assert (await bridge.get_secret(id=made.id)).name == "TWO"
            await bridge.delete_secret("THREE")
            assert bridge.capabilities.provider == "ionet"
            assert bridge.with_options(pace=60)._core.channel.pace == 60
            names = [secret.name for secret in await bridge.list_secrets()]
            assert names == [secret.name async for secret in bridge.iter_secrets(page_size=1)]
            return names

    assert anyio.run(work, backend=backend) == ["TWO"]


@pytest.mark.parametrize("page_size", [0, 10_001, 1.5, True])
def test_a_page_size_is_a_whole_number_from_1_to_10_000(page_size: int) -> None:
    with (
        SecretBridge(IoNet(api_key="key-of-the-test")) as bridge,
        pytest.raises(InvalidRequest, match="page_size"),
    ):
        list(bridge.iter_secrets(page_size=page_size))


def test_a_coroutine_that_suspends_under_the_blocking_face_is_an_error() -> None:
    from secretbridge._runtime import finish

    class Suspends:
        def __await__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204 - a generator of nothing in particular
            yield

    async def wrong() -> None:
        await Suspends()

    with pytest.raises(RuntimeError, match="other than its channel"):
        finish(wrong())
