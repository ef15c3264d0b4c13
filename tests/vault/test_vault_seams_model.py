"""Everything that changes a vault, in any order and over several handles, against a simple model."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pydantic import SecretStr
from vault_place import Place

from secretbridge._vault import KeyFile
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import SecretExists, SecretLocked, SecretNotFound, ValueNotTold

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_server import Server


T = TypeVar("T")

PLACES = ("development", "test", "production")
HANDLES = st.sampled_from([("development", 0), ("development", 1), ("test", 0), ("production", 0)])
NAMES = st.sampled_from(["A", "B", "C"])
REFUSALS = (SecretExists, SecretLocked, SecretNotFound, ValueNotTold)


class BrokenOffError(Exception):
    """What a progress callback raises."""


class EverythingAgainstModel(RuleBasedStateMachine):
    """What environments see is what was written there, whatever was done between."""

    server: Server | None = None

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._place = Place(Path(self._folder.name), self.server)
        self._key = KeyFile(str(self._place.key))
        self._own: dict[tuple[str, str], str] = {}
        self._shared: dict[str, str] = {}
        self._protected: set[tuple[str, str]] = set()
        self._gone: dict[tuple[str, str], str] = {}  # what undelete() has to bring back there
        self._gone_for_all: set[str] = set()  # names of deleted shared secrets
        self._seen: dict[tuple[str, str], dict[int, str]] = {}
        self._written = 0

    @initialize()
    def begin(self) -> None:
        where = [("development", 0), ("development", 1), ("test", 0), ("production", 0)]
        self._handles = {each: self._open(each[0]) for each in where}

    def _open(self, environment: str) -> AdministeredVault:
        return AdministeredVault.open(self._place.location, environment=environment, credential=self._key)

    def teardown(self) -> None:
        for vault in getattr(self, "_handles", {}).values():
            vault.close()
        self._folder.cleanup()

    def _visible(self, place: str, name: str) -> str | None:
        return self._shared.get(name, self._own.get((place, name)))

    def _locked(self, place: str, name: str) -> bool:
        return ("shared" if name in self._shared else place, name) in self._protected

    def _text(self) -> str:
        self._written += 1
        return f"value {self._written}"

    def _write(self, expected: type[Exception] | None, do: Callable[[], T]) -> T | None:
        got: type[Exception] | None = None
        made = None
        try:
            made = do()
        except REFUSALS as refusal:
            got = type(refusal)
        assert expected is got
        return made

    def _begun(self, name: str, *places: str) -> None:
        """The name is in use there, or its deleted secret was purged: nothing is there to be undeleted."""
        for place in places:
            self._gone.pop((place, name), None)
        self._gone_for_all.discard(name)

    def _purged(self, place: str, *names: str) -> None:
        for name in names:
            if self._visible(place, name) is None:
                self._begun(name, *(PLACES if name in self._gone_for_all else (place,)))

    def _set(self, place: str, name: str, value: str) -> None:
        if name in self._shared:
            self._shared[name] = value
        else:
            self._own[place, name] = value

    @rule(where=HANDLES, name=NAMES)
    def create(self, where: tuple[str, int], name: str) -> None:
        taken = self._visible(where[0], name) is not None
        value = self._text()
        fields = {"value": SecretStr(value)}
        self._write(SecretExists if taken else None, lambda: self._handles[where].create(name, fields))
        if not taken:
            self._set(where[0], name, value)
            self._begun(name, where[0])

    @rule(where=HANDLES, name=NAMES)
    def put(self, where: tuple[str, int], name: str) -> None:
        locked = self._locked(where[0], name)
        value = self._text()
        fields = {"value": SecretStr(value)}
        self._write(SecretLocked if locked else None, lambda: self._handles[where].put(name, fields))
        if not locked:
            self._set(where[0], name, value)
            self._begun(name, where[0])

    def _expected(self, where: tuple[str, int], name: str) -> type[Exception] | None:
        if self._visible(where[0], name) is None:
            return SecretNotFound
        return SecretLocked if self._locked(where[0], name) else None

    @rule(where=HANDLES, name=NAMES)
    def update(self, where: tuple[str, int], name: str) -> None:
        value, expected = self._text(), self._expected(where, name)
        self._write(expected, lambda: self._handles[where].update({"value": SecretStr(value)}, name=name))
        if expected is None:
            self._set(where[0], name, value)

    @rule(where=HANDLES, name=NAMES, on=st.booleans())
    def protect(self, where: tuple[str, int], name: str, *, on: bool) -> None:
        expected = self._expected(where, name)
        if not on and expected is SecretLocked:
            expected = None
        self._write(expected, lambda: self._handles[where].update({"protected": on}, name=name))
        if expected is None:
            place = "shared" if name in self._shared else where[0]
            (self._protected.add if on else self._protected.discard)((place, name))

    @rule(where=HANDLES, name=NAMES)
    def delete(self, where: tuple[str, int], name: str) -> None:
        expected = self._expected(where, name)
        self._write(expected, lambda: self._handles[where].delete(name=name))
        if expected is None and name in self._shared:
            value = self._shared.pop(name)
            self._gone.update({(place, name): value for place in PLACES})
            self._gone_for_all.add(name)
        elif expected is None:
            self._gone[where[0], name] = self._own.pop((where[0], name))

    @rule(where=HANDLES, old=NAMES, new=NAMES)
    def rename(self, where: tuple[str, int], old: str, new: str) -> None:
        if old == new:
            return
        expected = self._expected(where, old)
        places = PLACES if old in self._shared else (where[0],)
        if expected is None and any(self._visible(place, new) is not None for place in places):
            expected = SecretExists
        self._write(expected, lambda: self._handles[where].update({"new_name": new}, name=old))
        if expected is None:
            self._begun(new, *places)
        if expected is None and old in self._shared:
            self._shared[new] = self._shared.pop(old)
        elif expected is None:
            self._own[where[0], new] = self._own.pop((where[0], old))

    @rule(where=HANDLES, name=NAMES)
    def undelete(self, where: tuple[str, int], name: str) -> None:
        vault = self._handles[where]
        if self._visible(where[0], name) is not None:
            self._write(SecretExists, lambda: vault.undelete(name))
            return
        expected = self._gone.get((where[0], name))
        try:
            made = vault.undelete(name)
        except SecretNotFound:
            assert expected is None
            return
        assert made.value is not None
        assert made.value == (expected or made.value)
        self._begun(name, *(PLACES if vault.describe(name).shared else (where[0],)))
        if vault.describe(name).shared:
            self._shared[name] = made.value
        else:
            self._own[where[0], name] = made.value

    @rule(where=HANDLES, name=NAMES, data=st.data())
    def restore(self, where: tuple[str, int], name: str, data: st.DataObject) -> None:
        vault, expected = self._handles[where], self._expected(where, name)
        if expected is not None:
            self._write(expected, lambda: vault.restore(name, 1))
            return
        told = vault.history(name=name)
        versions = [each.version for each in told]
        assert versions == sorted(set(versions), reverse=True)
        chosen = data.draw(st.sampled_from(told))
        gone = chosen.deleted or chosen.purged
        made = self._write(ValueNotTold if gone else None, lambda: vault.restore(name, chosen.version))
        if made is not None:
            assert made.value is not None
            self._set(where[0], name, made.value)

    @rule(where=HANDLES, name=NAMES)
    def share(self, where: tuple[str, int], name: str) -> None:
        if name in self._shared:
            return
        expected = self._expected(where, name)
        if expected is None and any((place, name) in self._protected for place in PLACES):
            expected = SecretLocked
        self._write(expected, lambda: self._handles[where].share(name, PLACES))
        if expected is None:
            self._shared[name] = self._own[where[0], name]
            self._begun(name, *PLACES)
            for place in PLACES:
                self._own.pop((place, name), None)

    @rule(where=HANDLES, name=NAMES)
    def unshare(self, where: tuple[str, int], name: str) -> None:
        if name not in self._shared:
            return
        expected = self._expected(where, name)
        self._write(expected, lambda: self._handles[where].unshare(name))
        if expected is None:
            value = self._shared.pop(name)
            self._own.update({(place, name): value for place in PLACES})

    @rule(where=HANDLES, older=st.booleans(), deleted=st.booleans())
    def purge(self, where: tuple[str, int], *, older: bool, deleted: bool) -> None:
        vault = self._handles[where]
        vault.purge(None, older_versions=older, deleted=deleted)
        if deleted:
            self._purged(where[0], *"ABC")
        for name in ("A", "B", "C") if older else ():
            if self._visible(where[0], name) is not None:
                told = vault.history(name=name)
                kept = [
                    each.version
                    for each in told
                    if not each.purged and not each.deleted and each.shared == (name in self._shared)
                ]
                assert kept == [told[0].version]

    @rule(where=HANDLES, name=NAMES)
    def purge_one(self, where: tuple[str, int], name: str) -> None:
        vault = self._handles[where]
        if self._visible(where[0], name) is not None:
            self._write(SecretExists, lambda: vault.purge(name, older_versions=False, deleted=True))
            return
        self._purged(where[0], name)
        try:
            vault.purge(name, older_versions=False, deleted=True)
        except SecretNotFound:
            return
        self._write(SecretNotFound, lambda: vault.undelete(name))

    @rule(where=HANDLES, versions=st.sampled_from([None, 1, 2]), days=st.sampled_from([None, 0, 1]))
    def retain(self, where: tuple[str, int], versions: int | None, days: int | None) -> None:
        self._handles[where].set_retention(versions, days)

    @rule(where=HANDLES, steps=st.sampled_from([0, 1, 2, 3, 5, 100]))
    def rekey(self, where: tuple[str, int], steps: int) -> None:
        def told(_done: int, _total: int) -> None:
            nonlocal steps
            steps -= 1
            if steps < 0:
                raise BrokenOffError

        with suppress(BrokenOffError):
            self._handles[where].rekey(progress=told, batch=2)

    @rule(where=HANDLES)
    def rotate_root(self, where: tuple[str, int]) -> None:
        self._handles[where].rotate_root([self._key], [])
        for each, vault in self._handles.items():
            if each != where:
                vault.close()
                self._handles[each] = self._open(each[0])

    @rule(where=HANDLES)
    def reopen(self, where: tuple[str, int]) -> None:
        self._handles[where].close()
        self._handles[where] = self._open(where[0])

    @rule(where=HANDLES, name=NAMES, value=st.booleans())
    def write_many(self, where: tuple[str, int], name: str, *, value: bool) -> None:
        locked = self._locked(where[0], name)
        text = self._text()
        writes = [(name, SecretStr(text)), *([] if value else [(name, None)])]
        self._write(SecretLocked if locked else None, lambda: self._handles[where].write_many(writes))
        if locked:
            return
        self._begun(name, where[0])
        if value:
            self._set(where[0], name, text)
        elif name in self._shared:
            del self._shared[name]
            self._gone.update({(place, name): text for place in PLACES})
            self._gone_for_all.add(name)
        else:
            self._own.pop((where[0], name), None)
            self._gone[where[0], name] = text

    @invariant()
    def everything_is_as_it_was_written(self) -> None:
        for (place, _), vault in getattr(self, "_handles", {}).items():
            for name in ("A", "B", "C"):
                self._look(vault, place, name)
            names = sorted(name for name in ("A", "B", "C") if self._visible(place, name) is not None)
            assert sorted(record.name for record in vault.list()[0]) == names
            assert [record.name for record in vault.read_many(names)] == names
            vault.verify()

    def _look(self, vault: AdministeredVault, place: str, name: str) -> None:
        expected, found = self._visible(place, name), None
        try:
            record = vault.get(name=name)
        except SecretNotFound:
            assert expected is None
            return
        found = record.value
        assert (expected, self._locked(place, name)) == (found, record.protected)
        assert found is not None
        shared = name in self._shared
        assert vault.describe(name).shared == shared
        assert vault.version(name, record.version).value == found
        seen = self._seen.setdefault((place, name), {})
        assert seen.setdefault(record.version, found) == found
        assert record.version == max(seen)


EverythingAgainstModel.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEverything = EverythingAgainstModel.TestCase


def test_everything_on_postgresql_against_the_same_model(postgres: Server) -> None:
    class OnPostgres(EverythingAgainstModel):
        server = postgres

    run_state_machine_as_test(OnPostgres, settings=settings(TestEverything.settings, max_examples=3))
