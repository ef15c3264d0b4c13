"""The process environment is a source and never a target."""

from __future__ import annotations

import os
from typing import Any

import pytest

from secretbridge import SecretBridge, errors
from secretbridge._capabilities import FIELDS
from secretbridge._provider import Provider
from secretbridge.providers.environ import Environment


def test_variables_are_told_without_their_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SBT_B": "two", "SBT_A": "one", "SBT_": "bare", "OTHER_SBT_C": "no"}.items():
        monkeypatch.setenv(name, value)
    bridge = SecretBridge(Environment("SBT_"))
    assert [(secret.name, secret.value) for secret in bridge.list_secrets()] == [("A", None), ("B", None)]
    assert bridge.get_secret("B").reveal() == "two"
    assert SecretBridge(Environment()).get_secret("SBT_A").reveal() == "one"
    with pytest.raises(errors.SecretNotFound, match="'SBT_C'"):
        bridge.get_secret("C")


def test_a_value_that_is_not_utf_8_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"SBT_BAD", b"canary\xff")
    monkeypatch.setitem(os.environb, b"SBT_\xff", b"v")
    bridge = SecretBridge(Environment("SBT_"))
    assert [secret.name for secret in bridge.list_secrets()] == ["BAD"]
    with pytest.raises(errors.InvalidRequest, match="SBT_BAD: has a value that is not UTF-8") as caught:
        bridge.get_secret("BAD")
    assert "canary" not in str(caught.value)


def test_every_change_is_refused_with_the_reason() -> None:
    bridge = SecretBridge(Environment())
    before = dict(os.environ)
    for act in (
        lambda: bridge.create_secret("SBT_A", value="v"),
        lambda: bridge.put_secret("SBT_A", value="v"),
        lambda: bridge.update_secret("PATH", value="v"),
        lambda: bridge.delete_secret("PATH"),
    ):
        with pytest.raises(errors.UnsupportedOperation, match="only read here"):
            act()
    assert dict(os.environ) == before
    assert bridge.capabilities.update == frozenset()
    assert bridge.capabilities.clear & set(FIELDS) == set()


@pytest.mark.parametrize("prefix", ["A=", "A\0", "\udcff", None, b"A"])
def test_a_prefix_that_no_variable_has_is_refused(prefix: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="prefix"):
        Environment(prefix)


def test_it_shows_its_prefix_and_is_a_provider() -> None:
    assert repr(Environment("APP_")) == "Environment('APP_')"
    assert isinstance(Environment(), Provider)
