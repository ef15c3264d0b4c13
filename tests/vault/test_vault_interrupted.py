"""Ctrl-C at the edges of a transaction: nothing stays open behind it, so the vault goes on working."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vault_place import Text, kind, place, vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge._vault import Vault

__all__ = ["kind", "place", "vault"]


class Interrupted:
    """A connection at which Ctrl-C comes when one statement is done, once."""

    def __init__(self, connection: Any, statement: str) -> None:
        self._connection = connection
        self._statement = statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        done = self._connection.execute(sql, *values)
        if sql == self._statement:
            self._statement = ""
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize(
    ("statement", "act"),
    [
        ("BEGIN", lambda opened: opened.denied([])),
        ("BEGIN IMMEDIATE", lambda opened: opened.delete(name="A")),
        ("COMMIT", lambda opened: opened.update({"active": True}, name="A")),
    ],
)
def test_ctrl_c_just_after_a_statement_leaves_no_transaction_open(
    vault: Vault, statement: str, act: Callable[[Vault], object]
) -> None:
    vault.create("A", {"value": Text("one")})
    store: Any = vault._store
    store._connection = Interrupted(store._connection, statement)
    with pytest.raises(KeyboardInterrupt):
        act(vault)
    assert [store._connection.in_transaction, vault.denied([]), vault.get(name="A").name] == [False, [], "A"]


def test_ctrl_c_just_before_the_commit_leaves_things_as_they_were_and_the_vault_in_use(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create("A", {"value": Text("one")})

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(vault._store, "_commit", pressed)
        with pytest.raises(KeyboardInterrupt):
            vault.update({"value": Text("one")}, name="A")
    seen = vault.get(name="A").version
    assert [seen, vault.update({"value": Text("one")}, name="A").version] == [1, 2]
