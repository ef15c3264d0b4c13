"""Any sequence of writes, renamings, deletions, purges and changes of retention, against a list per name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from admin_place import Home
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from secretbridge.errors import SecretExists, SecretNotFound

if TYPE_CHECKING:
    from postgres_server import Server

    from secretbridge import SecretBridge
    from secretbridge._admin import Vault

NAMES = st.sampled_from(["A", "B", "C"])
PLACES = st.sampled_from(["test", "production"])


class VaultInTime(RuleBasedStateMachine):
    """What is there now, what undelete() would bring back, and the newest version ever seen of a name."""

    server: Server | None = None

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        home = Home(Path(self.folder.name), self.server)
        self.bridges: dict[str, SecretBridge] = {
            where: home.bridge(where) for where in ("test", "production")
        }
        self.vaults: dict[str, Vault] = {where: home.vault(where) for where in self.bridges}
        self.living: dict[tuple[str, str], str] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.count = 0

    def teardown(self) -> None:
        for where, bridge in self.bridges.items():
            bridge.close()
            self.vaults[where].close()
        self.folder.cleanup()

    def grown(self, where: str, name: str, version: int | None) -> None:
        assert version is not None
        assert version > self.seen.get((where, name), 0)
        self.seen[where, name] = version

    @rule(where=PLACES, name=NAMES)
    def put(self, where: str, name: str) -> None:
        self.count += 1
        self.grown(where, name, self.bridges[where].put_secret(name, value=str(self.count)).version)
        self.living[where, name] = str(self.count)

    @rule(where=PLACES, name=NAMES)
    def delete(self, where: str, name: str) -> None:
        if (where, name) in self.living:
            self.bridges[where].delete_secret(name)
            del self.living[where, name]

    @rule(where=PLACES, old=NAMES, new=NAMES)
    def rename(self, where: str, old: str, new: str) -> None:
        if (where, old) in self.living and (where, new) not in self.living:
            renamed = self.bridges[where].update_secret(old, new_name=new)
            self.grown(where, new, renamed.version)
            self.living[where, new] = self.living.pop((where, old))

    @rule(where=PLACES, name=NAMES)
    def undelete(self, where: str, name: str) -> None:
        try:
            restored = self.vaults[where].undelete(name)
        except (SecretNotFound, SecretExists):
            return
        self.grown(where, name, restored.version)
        self.living[where, name] = self.bridges[where].get_secret(name).reveal()

    @rule(where=PLACES, older_versions=st.booleans(), deleted=st.booleans())
    def purge(self, where: str, *, older_versions: bool, deleted: bool) -> None:
        self.vaults[where].purge(older_versions=older_versions, deleted=deleted)
        for name in "ABC":
            if deleted and (where, name) not in self.living:
                with pytest.raises(SecretNotFound):
                    self.vaults[where].history(name)
            elif older_versions and (where, name) in self.living:
                newest, *older = self.vaults[where].history(name)
                assert not newest.purged
                assert all(step.purged or step.deleted for step in older)

    @rule(where=PLACES)
    def rekey(self, where: str) -> None:
        self.vaults[where].rekey(batch=4)

    @rule(where=PLACES, versions=st.none() | st.integers(1, 3))
    def set_retention(self, where: str, versions: int | None) -> None:
        self.vaults[where].set_retention(versions=versions, days=None)

    @invariant()
    def what_lives_is_there_and_everything_verifies(self) -> None:
        for where, bridge in self.bridges.items():
            wanted = {name: value for (place, name), value in self.living.items() if place == where}
            assert {s.name: bridge.get_secret(s.name).reveal() for s in bridge.list_secrets()} == wanted
        self.vaults["test"].verify()


TestVaultInTime = VaultInTime.TestCase
TestVaultInTime.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_the_vault_on_postgresql_in_time(postgres: Server) -> None:
    class OnPostgres(VaultInTime):
        server = postgres

    run_state_machine_as_test(OnPostgres, settings=settings(TestVaultInTime.settings, max_examples=5))
