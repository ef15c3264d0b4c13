"""Any sequence of operations, by two clients in two environments, against dicts that do the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from vault_place import Place, Text

from secretbridge.errors import Conflict, SecretExists, SecretLocked, SecretNotFound

if TYPE_CHECKING:
    from postgres_server import Server

    from secretbridge._vault import Vault


@dataclass
class Kept:
    """What the model knows of a secret."""

    value: str
    description: str | None = None
    protected: bool = False


NAMES = st.sampled_from(["A", "B", "C"])
PLACES = st.sampled_from(["development", "production"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


class VaultAgainstModel(RuleBasedStateMachine):
    """The vault, open twice in each environment, and a dict per environment."""

    server: Server | None = None

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.place = Place(Path(self.folder.name), self.server)
        self.vaults: dict[str, Vault] = {
            where: self.place.open(where) for where in ("development", "production")
        }
        self.others = {where: self.place.open(where) for where in self.vaults}
        self.model: dict[str, dict[str, Kept]] = {where: {} for where in self.vaults}
        self.versions: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        for vault in (*self.vaults.values(), *self.others.values()):
            vault.verify()
            vault.close()
        self.folder.cleanup()

    def grown(self, where: str, name: str, version: int) -> None:
        """A name never shows the same version twice."""
        assert version > self.versions.get((where, name), 0)
        self.versions[where, name] = version

    @rule(where=PLACES, name=NAMES, value=TEXTS, protected=st.booleans())
    def create(self, where: str, name: str, value: str, *, protected: bool) -> None:
        if name in self.model[where]:
            with pytest.raises(SecretExists):
                self.vaults[where].create(name, {"value": Text(value)})
            return
        made = self.vaults[where].create(name, {"value": Text(value), "protected": protected})
        self.model[where][name] = Kept(value, protected=protected)
        self.grown(where, name, made.version)

    @rule(where=PLACES, name=NAMES, value=TEXTS)
    def put(self, where: str, name: str, value: str) -> None:
        kept = self.model[where].get(name)
        if kept is not None and kept.protected:
            with pytest.raises(SecretLocked):
                self.vaults[where].put(name, {"value": Text(value)})
            return
        self.grown(where, name, self.vaults[where].put(name, {"value": Text(value)}).version)
        self.model[where][name] = Kept(value)

    @rule(where=PLACES, name=NAMES, description=st.none() | TEXTS)
    def describe(self, where: str, name: str, description: str | None) -> None:
        kept = self.model[where].get(name)
        if kept is None or kept.protected:
            with pytest.raises((SecretNotFound, SecretLocked)):
                self.vaults[where].update({"description": description}, name=name)
            return
        kept.description = description
        self.grown(where, name, self.vaults[where].update({"description": description}, name=name).version)

    @rule(where=PLACES, name=NAMES)
    def unprotect(self, where: str, name: str) -> None:
        if name in self.model[where]:
            self.model[where][name].protected = False
            self.grown(where, name, self.vaults[where].update({"protected": False}, name=name).version)

    @rule(where=PLACES, old=NAMES, new=NAMES)
    def rename(self, where: str, old: str, new: str) -> None:
        kept = self.model[where].get(old)
        if kept is None or kept.protected or (old != new and new in self.model[where]):
            with pytest.raises((SecretNotFound, SecretLocked, SecretExists)):
                self.vaults[where].update({"new_name": new}, name=old)
            return
        before = self.vaults[where].get(name=old).id
        # What another environment deleted stays its own, to be undeleted: it counts like what lives there.
        alone = (where, new) not in self.versions and not any(
            (other, name) in self.versions for other in self.model if other != where for name in (old, new)
        )
        renamed = self.vaults[where].update({"new_name": new}, name=old)
        self.model[where][new] = self.model[where].pop(old)
        self.grown(where, new, renamed.version)
        if alone or old == new:
            assert renamed.id == before

    @rule(where=PLACES, name=NAMES)
    def delete(self, where: str, name: str) -> None:
        kept = self.model[where].get(name)
        if kept is None or kept.protected:
            with pytest.raises((SecretNotFound, SecretLocked)):
                self.vaults[where].delete(name=name)
            return
        self.vaults[where].delete(name=name)
        del self.model[where][name]

    @rule(where=PLACES)
    def go_on_as_the_other_client(self, where: str) -> None:
        self.vaults[where], self.others[where] = self.others[where], self.vaults[where]

    @rule(where=PLACES, name=NAMES, value=TEXTS, behind=st.sampled_from([0, 1]))
    def compare_and_set(self, where: str, name: str, value: str, behind: int) -> None:
        """The other client has looked; its change is made only if nothing has happened since."""
        kept = self.model[where].get(name)
        if kept is None or kept.protected:
            return
        seen = self.others[where].get(name=name).version
        if behind:
            self.grown(where, name, self.vaults[where].update({"value": Text(value)}, name=name).version)
            kept.value = value
            with pytest.raises(Conflict):
                self.others[where].update({"value": Text("lost")}, name=name, if_version=seen)
            return
        done = self.others[where].update({"value": Text(value)}, name=name, if_version=seen)
        self.grown(where, name, done.version)
        kept.value = value

    @rule(where=PLACES)
    def reopen(self, where: str) -> None:
        self.vaults[where].close()
        self.vaults[where] = self.place.open(where)

    @invariant()
    def both_hold_the_same(self) -> None:
        for where, vault in (*self.vaults.items(), *self.others.items()):
            listed = {record.name: (record.description, record.protected) for record in vault.list()[0]}
            kept = self.model[where]
            assert listed == {name: (each.description, each.protected) for name, each in kept.items()}
            assert {name: vault.get(name=name).value for name in kept} == {
                name: each.value for name, each in kept.items()
            }


TestVaultAgainstModel = VaultAgainstModel.TestCase
TestVaultAgainstModel.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_the_vault_on_postgresql_against_the_same_model(postgres: Server) -> None:
    class OnPostgres(VaultAgainstModel):
        server = postgres

    few = settings(TestVaultAgainstModel.settings, max_examples=12)
    run_state_machine_as_test(OnPostgres, settings=few)
