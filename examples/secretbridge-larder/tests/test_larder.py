"""Larder keeps the contract, and is found by its entry point."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from larder_subject import larder
from secretbridge_larder import Larder

from secretbridge import Local, SecretBridge
from secretbridge.errors import SecretProtected
from secretbridge.testing import ProviderContract, Recording, Reply, Subject


class TestLarder(ProviderContract):
    """The whole suite, on the blocking face, on asyncio and on trio."""

    capabilities = Larder.capabilities
    refusals = {"a sealed shelf": (Reply(423, json={"code": "sealed"}), SecretProtected)}

    def make(self) -> Subject:
        """Give a new adapter with a new shelf."""
        return larder()


class TestLarderRecorded(ProviderContract):
    """The part of the suite that recorded replies can hold, as if there were no stand-in."""

    capabilities = Larder.capabilities
    recording = Recording.load(Path(__file__).with_name("larder_recording.json"))

    def make(self) -> Subject:
        """Give a new adapter; the recording answers it."""
        return Subject(provider=Larder(api_key="lk_Vb5Nm8Qw2Er6Ty"), credential="lk_Vb5Nm8Qw2Er6Ty")


def test_it_is_found_by_its_name() -> None:
    """``secretbridge.connect()`` and the command line find it so."""
    (found,) = entry_points(group="secretbridge.providers", name="larder")
    assert found.load() is Larder


def test_a_value_goes_from_the_vault_to_the_shelf_and_nowhere_else(
    secretbridge_vault: Local, secretbridge_canary: Callable[[str], str]
) -> None:
    """With the fixtures that pytest finds where secretbridge is installed."""
    value, subject = secretbridge_canary("tok_9fZq2LkX7vBn4R"), larder()
    with (
        SecretBridge(secretbridge_vault) as vault,
        SecretBridge(subject.provider, transport=subject.transport) as shelf,  # type: ignore[arg-type]  # it is both
    ):
        vault.create_secret("TOKEN", value=value)
        shelf.create_secret("TOKEN", value=vault.get_secret("TOKEN").reveal())
        assert shelf.get_secret("TOKEN").reveal() == value
