"""Adapters of other packages, found by entry point as installed packages declare them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from secretbridge import IoNet, Local, SecretBridge, errors
from secretbridge._capabilities import table
from secretbridge.providers import names, provider_class

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULE = """
from secretbridge import Capabilities, Secret

class Acme:
    capabilities = Capabilities(
        provider="acme", title="Acme", operations=frozenset({"list"}), addressed_by={}
    )
    async def list_page(self, channel, cursor, size):
        return [Secret(name="FROM_ACME")], None
    async def get(self, channel, target): ...
    async def create(self, channel, name, fields): ...
    async def update(self, channel, target, changes, *, if_version=None): ...
    async def put(self, channel, name, fields): ...
    async def delete(self, channel, target): ...
    def check(self, operation, target, fields):
        return ()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Lay a package's metadata and module into a folder of sys.path, as an installer does."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def lay(distribution: str, points: str, module: str = "") -> None:
        folder = site / f"{distribution}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[secretbridge.providers]\n{points}\n")
        if module:
            (site / f"{distribution}.py").write_text(module)
            monkeypatch.delitem(sys.modules, distribution, raising=False)

    return lay


def test_an_adapter_of_another_package_is_found_and_works(install: Callable[[str, str, str], None]) -> None:
    install("acme_found", "acme = acme_found:Acme", MODULE)
    assert "acme" in names()
    with SecretBridge(provider_class("acme")()) as bridge:
        assert [secret.name for secret in bridge.list_secrets()] == ["FROM_ACME"]
        with pytest.raises(errors.UnsupportedOperation, match="Acme has no delete"):
            bridge.delete_secret("FROM_ACME")


def test_the_five_are_found_by_their_short_names() -> None:
    assert {"appfarm", "insforge", "ionet", "local", "wix"} <= set(names())
    assert provider_class("ionet") is IoNet
    assert provider_class("local") is Local


def test_the_name_of_one_of_the_five_cannot_be_taken_over(install: Callable[[str, str, str], None]) -> None:
    install("acme_taker", "ionet = acme_taker:Acme", MODULE)
    assert provider_class("ionet") is IoNet
    assert names().count("ionet") == 1


def test_an_unknown_name_is_answered_with_the_known_ones(install: Callable[[str, str, str], None]) -> None:
    install("acme_known", "acme = acme_known:Acme", MODULE)
    with pytest.raises(errors.InvalidRequest, match="not installed") as caught:
        provider_class("vaultx")
    assert "acme, appfarm, dotenv, environ, insforge, ionet, jsonfile, local, wix" in str(caught.value)


def test_a_name_that_two_packages_offer_is_refused(install: Callable[[str, str, str], None]) -> None:
    install("acme_one", "acme = acme_one:Acme", MODULE)
    install("acme_two", "acme = acme_two:Acme", MODULE)
    with pytest.raises(errors.InvalidRequest, match="several packages"):
        provider_class("acme")


@pytest.mark.parametrize("module", ["", "raise ValueError('broken')", "Other = 1"])
def test_an_adapter_that_cannot_be_loaded_is_an_error_of_ours(
    install: Callable[[str, str, str], None], module: str
) -> None:
    name = f"acme_broken{len(module)}"
    install(name, f"acme = {name}:Acme", module)
    with pytest.raises(errors.InvalidRequest, match="cannot be loaded"):
        provider_class("acme")


def test_the_command_prints_the_table_of_the_docs() -> None:
    command = [sys.executable, "-m", "secretbridge.providers"]
    told = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    five = [provider_class(name) for name in ("local", "ionet", "wix", "insforge", "appfarm")]
    assert told == table(*(kind.capabilities for kind in five))  # type: ignore[attr-defined]  # each is an adapter's class
