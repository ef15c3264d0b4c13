"""An anchor given when the vault is opened: what lies there must continue it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretbridge import AuditHead, InvalidRequest, Local, SecretBridge, VaultDamaged
from secretbridge._admin import Vault
from secretbridge._vault import _audit

if TYPE_CHECKING:
    from admin_place import Home

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


def anchored(home: Home) -> AuditHead:
    """A vault with a past, and an anchor of it."""
    with home.bridge() as bridge:
        for value in "123":
            bridge.put_secret("A", value=value)
    with home.vault() as admin:
        return admin.audit_head()


def read(home: Home, anchor: AuditHead | str) -> str:
    with SecretBridge(Local(home.location, key_file=home.key, expect_head=anchor)) as bridge:
        return bridge.get_secret("A").reveal()


def test_the_vault_an_anchor_was_taken_from_opens_then_and_later(home: Home) -> None:
    anchor = anchored(home)
    assert read(home, anchor) == "3"
    with home.bridge() as bridge:
        bridge.put_secret("A", value="4")
    assert read(home, str(anchor)) == "4"
    with Vault(home.location, key_file=home.key, expect_head=anchor) as admin:
        assert admin.verify_audit(anchor).sequence == anchor.sequence + 1


def test_an_older_copy_put_in_the_vaults_place_does_not_open(home: Home) -> None:
    anchored(home)
    put_back = home.copied()
    with home.bridge() as bridge:
        bridge.put_secret("A", value="4")
    with home.vault() as admin:
        anchor = admin.audit_head()
    put_back()
    with pytest.raises(VaultDamaged, match="does not continue") as caught:
        read(home, anchor)
    assert caught.value.advice.startswith("An older copy")
    with home.bridge() as bridge:  # it went its own way, past the anchor's line
        for value in "56":
            bridge.put_secret("A", value=value)
    with pytest.raises(VaultDamaged, match="does not continue"):
        read(home, anchor)


def test_a_vault_of_which_an_anchor_is_expected_is_never_created(home: Home) -> None:
    anchor = AuditHead(3, "0" * 64)
    with pytest.raises(VaultDamaged, match="There is no vault"):
        read(home, anchor)
    assert (home.there(), home.key.exists()) == (False, False)


def test_comparing_an_anchor_costs_one_line_of_the_log(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    anchor = anchored(home)

    def chained(*_: object) -> object:
        raise AssertionError("the whole chain was followed")

    monkeypatch.setattr(_audit, "chained", chained)
    assert read(home, anchor) == "3"


@pytest.mark.parametrize("wrong", ["", "sbrv1-1-00", 7, b"sbrv1"])
def test_what_is_no_anchor_is_refused_with_everything_else_that_is_wrong(wrong: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Local("vault.db", "", key_file="k", expect_head=wrong)
    assert [each.field for each in caught.value.violations] == ["environment", "expect_head"]
