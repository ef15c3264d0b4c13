"""Many secrets in one transaction: all of them or none, and at one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pydantic import SecretStr

from secretbridge import Local, SecretBridge
from secretbridge._runtime import finish
from secretbridge.errors import InvalidRequest, SecretExists, SecretExpired, SecretLocked, SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from admin_place import Home

    from secretbridge._admin import Vault

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


T = TypeVar("T")


def done(work: Coroutine[Any, Any, T]) -> T:
    return finish(work)


def write(bridge: SecretBridge, writes: Iterable[tuple[str, object]]) -> None:
    provider = bridge._core.provider
    assert isinstance(provider, Local)
    done(provider.write_many(bridge._core.channel, writes))  # type: ignore[arg-type] # wrong ones too


def read(bridge: SecretBridge, names: Sequence[str]) -> list[str]:
    provider = bridge._core.provider
    assert isinstance(provider, Local)
    return [secret.reveal() for secret in done(provider.read_many(bridge._core.channel, names))]


def secret(text: str) -> SecretStr:
    return SecretStr(text)


def test_many_are_written_in_their_order_and_read_in_any(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("A", value="old", description="d")
    bridge.create_secret("B", value="old")
    write(
        bridge,
        [
            ("A", secret("1")),
            ("B", None),
            ("C", secret("2")),
            ("A", secret("3")),
            ("NONE", None),
            ("B", None),
        ],
    )
    assert read(bridge, ["C", "A", "A"]) == ["2", "3", "3"]
    assert (bridge.get_secret("A").version, bridge.get_secret("A").description) == (3, None)
    assert [listed.name for listed in bridge.list_secrets()] == ["A", "C"]
    assert [entry.operation for entry in admin.audit(after=3)] == ["put", "delete", "put", "put"]
    admin.verify()


def test_a_protected_secret_among_many_stops_all(bridge: SecretBridge, admin: Vault) -> None:
    bridge.create_secret("LOCKED", value="old", protected=True)
    head = admin.audit_head().sequence
    for last in (secret("new"), None):
        with pytest.raises(SecretLocked):
            write(bridge, [("A", secret("1")), ("LOCKED", last)])
    assert [entry.outcome for entry in admin.audit(after=head)] == ["protected", "protected"]
    assert [listed.name for listed in bridge.list_secrets()] == ["LOCKED"]


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize(
    ("writes", "field"),
    [
        ([("A", "bare")], "value of 'A'"),
        ([("", secret("v"))], "name of ''"),
        ([("a/b", None)], "name of 'a/b'"),
        ([("A", 7)], "value of 'A'"),
        ([("A", secret("x" * 16_777_217))], "value of 'A'"),
    ],
)
def test_a_malformed_write_among_many_is_refused_before_anything_is_written(
    bridge: SecretBridge, writes: list[tuple[str, object]], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write(bridge, [("GOOD", secret("v")), *writes])
    assert [violation.field for violation in caught.value.violations] == [field]
    assert bridge.list_secrets() == []


def test_one_that_is_not_handed_out_stops_the_reading_of_many(bridge: SecretBridge) -> None:
    write(bridge, [("A", secret("1")), ("B", secret("2"))])
    with pytest.raises(SecretNotFound):
        read(bridge, ["A", "NONE"])
    bridge.update_secret("B", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(SecretExpired):
        read(bridge, ["A", "B"])


def test_many_are_created_at_once_or_not_at_all(bridge: SecretBridge, admin: Vault) -> None:
    assert admin.create_many({"A": "1", "B": SecretStr("2")}) == 2
    with pytest.raises(SecretExists):
        admin.create_many({"C": "3", "A": "again"})
    assert [each.name for each in bridge.list_secrets()] == ["A", "B"]
    assert bridge.get_secret("B").reveal() == "2"
    assert admin.create_many({}) == 0


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize("wrong", [["A"], {"A": 7}, {"": "v"}, {7: "v"}, {"A": None}])
def test_malformed_secrets_are_not_created(admin: Vault, wrong: Any) -> None:
    with pytest.raises(InvalidRequest):
        admin.create_many(wrong)


def test_at_most_twenty_violations_are_listed(bridge: SecretBridge, admin: Vault) -> None:
    names = [f"a/{number}" for number in range(100)]
    with pytest.raises(InvalidRequest) as created:
        admin.create_many(dict.fromkeys(names, "v"))
    with pytest.raises(InvalidRequest) as put:
        write(bridge, [(name, secret("v")) for name in names])
    assert (len(created.value.violations), len(put.value.violations)) == (20, 20)


def test_an_expired_secret_is_listed_as_expired_and_renewed(home: Home, bridge: SecretBridge) -> None:
    bridge.create_secret("A", value="v", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    bridge.create_secret("B", value="v", expires_at=datetime.now(UTC) + timedelta(days=1))
    bridge.create_secret("C", value="v")
    assert [(each.name, each.expired) for each in bridge.list_secrets()] == [
        ("A", True),
        ("B", False),
        ("C", False),
    ]
    bridge.update_secret("A", expires_at=datetime.now(UTC) + timedelta(days=1))
    assert bridge.get_secret("A").expired is False
