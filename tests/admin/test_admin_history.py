"""Versions: told, read, restored and undeleted."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import (
    InvalidRequest,
    SecretExists,
    SecretLocked,
    SecretNotFound,
    ValueNotTold,
    VaultDamaged,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from admin_place import Home

    from secretbridge import SecretBridge
    from secretbridge._admin import Vault
    from secretbridge._trail import VersionInfo

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores."""
    return str(request.param)


LATER = datetime.now(UTC) + timedelta(days=30)


def brief(history: list[VersionInfo]) -> list[tuple[int, str, str, bool]]:
    return [(step.version, step.operation, step.name, step.deleted) for step in history]


def test_a_history_tells_every_change_newest_first(bridge: SecretBridge, admin: Vault) -> None:
    before = datetime.now(UTC)
    bridge.create_secret("A", value="one", description="d")
    bridge.update_secret("A", value="two", active=True)
    bridge.put_secret("A", value="three", expires_at=LATER)
    bridge.update_secret("A", new_name="B")
    bridge.delete_secret("B")
    history = admin.history("B")
    assert brief(history) == [
        (5, "delete", "B", True),
        (4, "rename", "B", False),
        (3, "put", "A", False),
        (2, "update", "A", False),
        (1, "create", "A", False),
    ]
    assert [step.fields for step in history] == [
        (),
        ("new_name",),
        ("value", "expires_at"),
        ("value", "active"),
        ("value", "description"),
    ]
    assert [step.old_name for step in history] == [None, "A", None, None, None]
    times = [before, *(step.at for step in reversed(history)), datetime.now(UTC)]
    assert times == sorted(times)
    assert {step.at.tzinfo for step in history} == {UTC}


def test_a_history_shows_no_value(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="canary-value", description="canary-description")
    assert "canary" not in repr(admin.history("A"))
    assert "canary" not in repr(admin.version("A", 1))


def test_a_history_is_found_by_id_too_and_goes_on_when_the_name_is_taken(
    bridge: SecretBridge, admin: Vault
) -> None:
    first = bridge.create_secret("A", value="one")
    bridge.delete_secret("A")
    bridge.create_secret("B", value="two")
    bridge.update_secret("B", new_name="A")  # goes on top of the deleted one
    assert brief(admin.history(id=first.id))[1:] == [(2, "delete", "A", True), (1, "create", "A", False)]
    assert admin.history(id=first.id) == admin.history("A")
    assert admin.history("A")[0].version > 2  # a name never shows a version twice


@pytest.mark.parametrize("wrong", [{}, {"name": "A", "id": "00" * 16}, {"name": ""}, {"name": 7}, {"id": ""}])
def test_a_history_needs_one_way_to_name_the_secret(admin: Vault, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        admin.history(**wrong)


@pytest.mark.parametrize("id_", ["00" * 16, "nonsense"])
def test_a_secret_that_never_was_has_no_history(bridge: SecretBridge, admin: Vault, id_: str) -> None:
    bridge.create_secret("A", value="one")
    asked: list[Callable[[], object]] = [
        lambda: admin.history("NONE"),
        lambda: admin.history(id=id_),
        lambda: admin.version("NONE", 1),
        lambda: admin.restore("NONE", 1),
        lambda: admin.undelete("NONE"),
    ]
    for ask in asked:
        with pytest.raises(SecretNotFound):
            ask()


def test_environments_have_histories_of_their_own(home: Home, bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="development-1")
    bridge.update_secret("A", value="development-2")
    with home.bridge("production") as production:
        production.create_secret("A", value="production-1")
        production.delete_secret("A")
    with home.vault("production") as other, home.vault("test") as third:
        assert brief(other.history("A")) == [(2, "delete", "A", True), (1, "create", "A", False)]
        assert other.version("A", 1).reveal() == "production-1"
        assert brief(admin.history("A")) == [(2, "update", "A", False), (1, "create", "A", False)]
        other.undelete("A")
        admin.restore("A", 1)
        assert bridge.get_secret("A").reveal() == "development-1"
        with home.bridge("production") as production:
            assert production.get_secret("A").reveal() == "production-1"
        with pytest.raises(SecretNotFound):
            third.history("A")
        with pytest.raises(SecretNotFound):
            third.undelete("A")


def test_a_value_moved_to_another_name_leaves_its_past_under_the_old_one(
    home: Home, bridge: SecretBridge, admin: Vault
) -> None:
    bridge.create_secret("A", value="one")
    with home.bridge("production") as production:
        production.create_secret("A", value="production-1")
    bridge.update_secret("A", new_name="B", value="two")
    assert brief(admin.history("A")) == [(2, "rename", "A", True), (1, "create", "A", False)]
    moved = admin.history("B")
    assert brief(moved) == [(moved[0].version, "rename", "B", False)]
    assert (moved[0].old_name, moved[0].fields) == ("A", ("value", "new_name"))
    assert admin.version("A", 1).reveal() == "one"
    with pytest.raises(ValueNotTold):
        admin.version("A", 2)
    admin.undelete("A")
    assert bridge.get_secret("A").reveal() == "one"
    assert bridge.get_secret("B").reveal() == "two"
    admin.verify()


def test_a_deleted_value_stays_where_it_was_when_another_environment_renames(
    home: Home, bridge: SecretBridge, admin: Vault
) -> None:
    bridge.create_secret("A", value="one")
    bridge.delete_secret("A")
    with home.bridge("production") as production:
        production.create_secret("A", value="production-1")
        production.update_secret("A", new_name="B")
    with pytest.raises(SecretNotFound):
        admin.history("B")
    assert admin.undelete("A").name == "A"
    assert bridge.get_secret("A").reveal() == "one"
    assert brief(admin.history("A"))[0] == (3, "undelete", "A", False)
    admin.verify()


def test_a_version_is_told_as_it_was(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="one", description="first", active=False, expires_at=LATER)
    bridge.put_secret("A", value="two")
    then = admin.version("A", 1)
    assert (then.reveal(), then.description, then.active, then.expires_at) == ("one", "first", False, LATER)
    assert (then.name, then.version, admin.version("A", 2).reveal()) == ("A", 1, "two")
    bridge.delete_secret("A")
    assert admin.version("A", 2).reveal() == "two"


def test_a_version_that_holds_nothing_says_which_and_why(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="one")
    bridge.delete_secret("A")
    bridge.create_secret("A", value="three")
    for ask in (admin.version, admin.restore):
        with pytest.raises(ValueNotTold, match="Version 2"):
            ask("A", 2)
        with pytest.raises(SecretNotFound, match="no version 4"):
            ask("A", 4)
        for wrong in (0, -1, True, 1.0, "1"):
            with pytest.raises(InvalidRequest):
                ask("A", wrong)  # type: ignore[arg-type]  # the wrong types are the point
    assert [step.version for step in admin.history("A")] == [3, 2, 1]


def test_restoring_makes_a_new_version_of_the_old_content(bridge: SecretBridge, admin: Vault) -> None:
    made = bridge.create_secret("A", value="one", description="first", active=True, expires_at=LATER)
    bridge.update_secret("A", new_name="B", value="two", description=None, expires_at=None)
    restored = admin.restore("B", 1)
    assert (restored.version, restored.name, restored.id, restored.value) == (3, "B", made.id, None)
    now = bridge.get_secret("B")
    assert (now.reveal(), now.description, now.expires_at, now.version) == ("one", "first", LATER, 3)
    assert now.created_at == made.created_at
    assert now.updated_at == admin.history("B")[0].at
    newest = admin.history("B")[0]
    assert newest.operation == "restore"
    assert newest.fields == ("value", "description", "active", "expires_at")
    assert bridge.update_secret("B", value="four", if_version=3).version == 4
    assert admin.restore("B", 4).version == 5
    admin.verify()


def test_a_restored_expiry_in_the_past_ends_the_secret(bridge: SecretBridge, admin: Vault) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    bridge.create_secret("A", value="one", expires_at=past)
    bridge.update_secret("A", expires_at=None)
    assert admin.restore("A", 1).expires_at == past


def test_a_protected_secret_is_not_restored(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="one")
    bridge.update_secret("A", value="two", protected=True)
    head = admin.audit_head()
    with pytest.raises(SecretLocked) as caught:
        admin.restore("A", 1)
    assert caught.value.applied is False
    assert (bridge.get_secret("A").reveal(), admin.audit_head().sequence) == ("two", head.sequence + 1)
    assert [entry.outcome for entry in admin.audit(after=head.sequence)] == ["protected"]


def test_a_deleted_secret_is_undeleted_and_not_restored(bridge: SecretBridge, admin: Vault) -> None:
    made = bridge.create_secret("A", value="one")
    bridge.update_secret("A", value="two", description="kept", active=False)
    bridge.delete_secret("A")
    with pytest.raises(SecretNotFound, match="undelete"):
        admin.restore("A", 1)
    back = admin.undelete("A")
    assert (back.version, back.id, back.value) == (4, made.id, None)
    assert (back.description, back.active, back.protected) == ("kept", False, False)
    assert admin.version("A", 4).reveal() == "two"
    with pytest.raises(SecretExists, match="not deleted"):
        admin.undelete("A")
    assert brief(admin.history("A"))[0] == (4, "undelete", "A", False)
    bridge.delete_secret("A")
    assert bridge.create_secret("A", value="new").version == 6
    admin.verify()


@pytest.mark.parametrize("kind", ["sqlite"])  # how many are listed at a time is no store's choice
def test_expiring_tells_of_more_secrets_than_are_listed_at_a_time(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("FIRST", value="v", expires_at=LATER)
    value = bridge.get_secret("FIRST").value
    many = [(f"NAME_{number}", {"value": value, "expires_at": LATER}) for number in range(1000)]
    admin._vault()._create_many(many)
    found = [secret.name for secret in admin.expiring(timedelta(days=31))]
    assert (len(found), len(set(found)), "FIRST" in found, "NAME_999" in found) == (1001, 1001, True, True)


def test_expiring_lists_soonest_first_what_ends_within_the_time(
    home: Home, bridge: SecretBridge, admin: Vault
) -> None:
    now = datetime.now(UTC)
    for name, days in (("TEN", 10), ("PAST", -1), ("FORTY", 40), ("TWO", 2)):
        bridge.create_secret(name, value="v", expires_at=now + timedelta(days=days))
    bridge.create_secret("NEVER", value="v")
    bridge.create_secret("GONE", value="v", expires_at=now)
    bridge.delete_secret("GONE")
    with home.bridge("test") as other:
        other.create_secret("ELSEWHERE", value="v", expires_at=now)
    found = admin.expiring(timedelta(days=30))
    assert [secret.name for secret in found] == ["PAST", "TWO", "TEN"]
    assert [secret.value for secret in found] == [None] * 3
    assert [secret.name for secret in admin.expiring(timedelta(0))] == ["PAST"]
    assert len(admin.expiring(timedelta.max)) == 4
    for wrong in (timedelta(-1), 30):
        with pytest.raises(InvalidRequest):
            admin.expiring(wrong)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log WHERE sequence = 2",
        "UPDATE log SET previous = 2 WHERE sequence = 4",
        "UPDATE log SET history = NULL WHERE sequence = 3",
        "UPDATE log SET history = (SELECT history FROM log WHERE sequence = 2) WHERE sequence = 3",
        "UPDATE log SET audit = (SELECT audit FROM log WHERE sequence = 2) WHERE sequence = 3",
        "UPDATE value SET sequence = 3",
        "UPDATE value SET sequence = 5",
    ],
)
def test_a_history_that_was_tampered_with_is_damaged(home: Home, statement: str) -> None:
    with home.bridge() as bridge:
        bridge.create_secret("A", value="one")
        bridge.update_secret("A", value="two")
        bridge.update_secret("A", value="three")
        bridge.create_secret("B", value="another")
    home.sql(statement)
    with home.vault() as admin:
        with pytest.raises(VaultDamaged):
            admin.verify()
        with pytest.raises(VaultDamaged):
            [admin.version("A", step.version) for step in admin.history("A")]


def test_a_value_led_to_another_environments_history_is_damaged(home: Home) -> None:
    for environment in ("development", "production"):
        with home.bridge(environment) as bridge:
            bridge.create_secret("A", value=environment)
    # Both are the first version of the same secret.
    home.sql("UPDATE value SET sequence = 3 WHERE environment = 1")
    with home.vault() as admin:
        with pytest.raises(VaultDamaged):
            admin.history("A")
        with pytest.raises(VaultDamaged):
            admin.version("A", 1)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM value",
        "DELETE FROM secret",
        "UPDATE value SET environment = 2",
    ],
)
def test_a_past_that_was_taken_away_is_no_honest_not_found(home: Home, statement: str) -> None:
    with home.bridge() as bridge:
        bridge.create_secret("A", value="one")
        bridge.delete_secret("A")
    home.sql(statement)
    with home.vault() as admin:
        for ask in (admin.history, admin.undelete):
            with pytest.raises(VaultDamaged):
                ask("A")


def test_a_name_that_leads_to_another_secret_is_damaged(home: Home) -> None:
    with home.bridge() as bridge:
        for name in "AB":
            bridge.create_secret(name, value=f"value of {name}")
    (first,), (second,) = home.sql("SELECT name_index FROM secret ORDER BY id")
    for old, new in ((first, b"elsewhere"), (second, first), (b"elsewhere", second)):
        home.sql("UPDATE secret SET name_index = ? WHERE name_index = ?", new, old)
    with home.vault() as admin, pytest.raises(VaultDamaged):
        admin.version("A", 1)


def test_whatever_was_written_is_found_again_after_many_changes(home: Home) -> None:
    dice = random.Random(11)  # noqa: S311 - the same changes in every run
    environments = ("development", "production")
    written: dict[tuple[str, str, int], str] = {}
    bridges = {name: home.bridge(name) for name in environments}
    vaults = {name: home.vault(name) for name in environments}
    done = 0
    for turn in range(240):
        where, name = dice.choice(environments), dice.choice("ABC")
        bridge, vault = bridges[where], vaults[where]
        change: Callable[[], object] = dice.choice(
            [
                lambda: bridge.create_secret(name, value=f"value-{turn}"),  # noqa: B023 - called at once
                lambda: bridge.update_secret(name, value=f"value-{turn}"),  # noqa: B023
                lambda: bridge.update_secret(name, new_name=dice.choice("ABC")),  # noqa: B023
                lambda: bridge.delete_secret(name),  # noqa: B023
                lambda: vault.undelete(name),  # noqa: B023
                lambda: vault.restore(name, dice.randrange(1, 6)),  # noqa: B023
            ]
        )
        try:
            change()
            done += 1
        except (SecretExists, SecretNotFound, ValueNotTold):
            continue
        for secret in bridge.list_secrets():
            value = bridge.get_secret(secret.name).reveal()
            assert secret.id is not None
            assert secret.version is not None
            assert written.setdefault((where, secret.id, secret.version), value) == value
    looked_up = 0
    for where in environments:
        for secret in bridges[where].list_secrets():
            history = vaults[where].history(secret.name)
            assert history == vaults[where].history(id=secret.id)
            assert [step.version for step in history] == sorted({step.version for step in history})[::-1]
            for step in history:
                if not step.deleted:
                    then = vaults[where].version(secret.name, step.version)
                    assert then.name == step.name
                    assert then.reveal() == written[where, secret.id or "", step.version]
                    looked_up += 1
    assert min(done, looked_up) > 20
    vaults["development"].verify()
    for where in environments:
        bridges[where].close()
        vaults[where].close()
