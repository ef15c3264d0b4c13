"""Larder keeps the contract, and is found by its entry point."""

from importlib.metadata import entry_points

from larder_subject import larder
from secretbridge_larder import Larder

from secretbridge.errors import SecretProtected
from secretbridge.testing import ProviderContract, Reply, Subject


class TestLarder(ProviderContract):
    """The whole suite, on the blocking face, on asyncio and on trio."""

    capabilities = Larder.capabilities
    refusals = {"a sealed shelf": (Reply(423, json={"code": "sealed"}), SecretProtected)}

    def make(self) -> Subject:
        """Give a new adapter with a new shelf."""
        return larder()


def test_it_is_found_by_its_name() -> None:
    """``secretbridge.connect()`` and the command line find it so."""
    (found,) = entry_points(group="secretbridge.providers", name="larder")
    assert found.load() is Larder
