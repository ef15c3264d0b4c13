"""Every provider of this package keeps the contract that it asks others to keep."""

from __future__ import annotations

import itertools

import contract_subjects as own
import pytest

from secretbridge import Appfarm, Dotenv, Environment, InsForge, IoNet, JsonFile, Local, Wix
from secretbridge.errors import Rejected
from secretbridge.testing import ProviderContract, Subject


class TestIoNet(ProviderContract):
    capabilities = IoNet.capabilities
    unique_names = False
    unread = frozenset({"update", "delete", "put"})

    def make(self) -> Subject:
        return own.ionet()


class TestWix(ProviderContract):
    capabilities = Wix.capabilities

    def make(self) -> Subject:
        return own.wix()


class TestInsForge(ProviderContract):
    capabilities = InsForge.capabilities
    deletes_softly = True

    def make(self) -> Subject:
        return own.insforge()


class TestAppfarm(ProviderContract):
    capabilities = Appfarm.capabilities
    missing = Rejected  # an endpoint need not tell what is missing from other errors

    def make(self) -> Subject:
        names = [name for name in self.nasty_names if name.strip()]
        return own.appfarm([*self.names, *names])


class TestLocal(ProviderContract):
    capabilities = Local.capabilities
    uses_http = False

    def make(self) -> Subject:
        return own.local(self.tmp_path / "vaults")


class TestDotenv(ProviderContract):
    capabilities = Dotenv.capabilities
    uses_http = False

    def make(self) -> Subject:
        number = len(list(self.tmp_path.glob("*.env")))
        path = self.tmp_path / f"{number}.env"
        path.touch(mode=0o600)
        return own.bridged(Dotenv(path))


class TestJsonFile(ProviderContract):
    capabilities = JsonFile.capabilities
    uses_http = False

    def make(self) -> Subject:
        number = len(list(self.tmp_path.glob("*.json")))
        path = self.tmp_path / f"{number}.json"
        path.write_text("{}", encoding="utf-8")
        path.chmod(0o600)
        return own.bridged(JsonFile(path))


class TestEnvironment(ProviderContract):
    capabilities = Environment.capabilities
    uses_http = False

    @pytest.fixture(autouse=True)
    def _variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.prefixes = (f"CONTRACT_{number}_" for number in itertools.count())
        self.monkeypatch = monkeypatch

    def make(self) -> Subject:
        return own.environ(next(self.prefixes), self.monkeypatch)
