"""Where what the vault can do meets: shared values, renaming, retention, purging, rekeying, refusals."""

from __future__ import annotations

import pickle
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest

from secretbridge._credentials import AccountKey
from secretbridge._models import Write
from secretbridge._vault import KeyFile, _openers, _reads, _rotate, _slots
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import GrantMissing, OutOfScope, SecretExists, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    from secretbridge._vault._policy import Policy, Principal

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores."""
    return str(request.param)


class BrokenOffError(Exception):
    """What a progress callback raises."""


def opened(place: Place, environment: str = "development") -> AdministeredVault:
    return AdministeredVault.open(place.location, environment=environment, credential=KeyFile(place.key))


@pytest.fixture
def here(place: Place) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        yield vault


@pytest.fixture
def there(place: Place, here: AdministeredVault) -> Iterator[AdministeredVault]:
    assert here._environment == 1
    with closing(opened(place, "test")) as vault:
        yield vault


def part_of_a_rekey(vault: AdministeredVault) -> None:
    def told(done: int, _total: int) -> None:
        if done:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        vault.rekey(progress=told, batch=2)


def as_account(
    place: Place, owner: AdministeredVault, make: Callable[[Policy, Principal], Principal]
) -> AdministeredVault:
    key = AccountKey(AccountKey.generate())
    owner.add_principal("ada", "user", key, roles=[], permissions=[], environments=None, expires_at=None)
    owner.change_principal("ada", make)
    return AdministeredVault.open(place.location, environment="development", credential=key)


def test_a_value_moves_to_a_name_whose_history_retention_cuts(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    for name in ("OLD", "NEW"):
        here.create(name, {"value": text("first")})
        there.create(name, {"value": text("theirs")})
    here.update({"value": text("second")}, name="NEW")
    here.delete(name="NEW")
    here.set_retention(1, None)
    here.update({"new_name": "NEW"}, name="OLD")
    here.verify()
    told = here.history(name="OLD")
    assert [(each.version, each.operation, each.deleted) for each in told] == [
        (2, "rename", True),
        (1, "create", False),
    ]


def test_sharing_counts_from_above_what_an_environment_had_purged(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    for number in range(2, 6):
        here.update({"value": text(str(number))}, name="KEY")
    there.create("KEY", {"value": text("theirs")})
    here.delete(name="KEY")
    here.purge("KEY", older_versions=False, deleted=True)
    shared = there.share("KEY", ()).version
    own = here.unshare("KEY").version
    here.verify()
    assert (shared, own) == (7, 8)


def test_undeleting_counts_from_above_what_was_seen_shared(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    for vault in (here, there):
        vault.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    here.update({"value": text("2")}, name="KEY")
    here.update({"value": text("3")}, name="KEY")
    seen = there.get(name="KEY").version
    here.delete(name="KEY")
    here.create("KEY", {"value": text("own")})
    back = there.undelete("KEY")
    there.verify()
    versions = [each.version for each in there.history(name="KEY")]
    assert ("3", True, sorted(set(versions), reverse=True)) == (back.value, back.version > seen, versions)


def test_an_environment_added_after_unsharing_counts_from_above_it(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    here.unshare("KEY")
    here.add_environment("qa")
    with closing(opened(place, "qa")) as qa:
        first = qa.create("KEY", {"value": text("theirs")}).version
        assert [first, 2] == [each.version for each in qa.history(name="KEY")]


def test_a_secret_is_described_while_rekeying(here: AdministeredVault, text: Wrap) -> None:
    names = ["A", "B", "C", "D", "E"]
    for name in names:
        here.create(name, {"value": text(name)})
    part_of_a_rekey(here)
    assert names == [here.describe(name).name for name in names]


@pytest.mark.parametrize("name", ["KEY", None])
def test_purging_older_versions_reaches_those_from_before_sharing(
    here: AdministeredVault, text: Wrap, name: str | None
) -> None:
    here.create("KEY", {"value": text("1")})
    here.update({"value": text("2")}, name="KEY")
    here.share("KEY", ())
    purged = here.purge(name, older_versions=True, deleted=False)
    here.verify()
    kept = [each.version for each in here.history(name="KEY") if not each.purged]
    assert (purged.versions, kept) == (2, [3])


@pytest.mark.parametrize("name", ["KEY", None])
def test_purging_older_versions_reaches_those_from_before_unsharing(
    here: AdministeredVault, text: Wrap, name: str | None
) -> None:
    here.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    here.update({"value": text("2")}, name="KEY")
    here.unshare("KEY")
    here.purge(name, older_versions=True, deleted=False)
    here.verify()
    kept = [each.version for each in here.history(name="KEY") if not each.purged]
    assert [here.get(name="KEY").version] == kept


def test_retention_counts_the_versions_from_before_sharing(here: AdministeredVault, text: Wrap) -> None:
    here.create("KEY", {"value": text("1")})
    here.update({"value": text("2")}, name="KEY")
    here.share("KEY", ())
    here.set_retention(2, None)
    here.purge(None, older_versions=False, deleted=False)
    here.verify()
    assert [each.version for each in here.history(name="KEY") if not each.purged] == [3, 2]


def test_purging_keeps_a_shared_content_that_undelete_needs(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    there.create("KEY", {"value": text("1")})
    there.share("KEY", ())
    here.update({"value": text("2")}, name="KEY")
    here.delete(name="KEY")
    here.create("KEY", {"value": text("own")})
    for older in (True, False):
        here.set_retention(1, None)
        here.purge(None, older_versions=older, deleted=False)
        here.purge("KEY", older_versions=older, deleted=False)
    here.verify()
    assert there.undelete("KEY").value == "2"


def test_who_is_for_one_environment_purges_nothing_that_was_shared(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    here.unshare("KEY")
    with closing(
        as_account(place, here, lambda _, ada: replace(ada, roles=("administrator",), environments=(1,)))
    ) as ada:
        ada.purge("KEY", older_versions=True, deleted=False)
    kept = [each.version for each in here.history(name="KEY") if not each.purged]
    assert kept == [3, 2]


def test_who_is_for_one_environment_does_not_unprotect_a_shared_secret(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    here.share("KEY", ())
    here.update({"protected": True}, name="KEY")
    with (
        closing(
            as_account(place, here, lambda _, ada: replace(ada, roles=("administrator",), environments=(1,)))
        ) as ada,
        pytest.raises(OutOfScope),
    ):
        ada.update({"protected": False}, name="KEY")
    assert here.get(name="KEY").protected is True


def test_who_may_not_rekey_is_told_nothing_of_a_rekey_under_way(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    for name in ("A", "B", "C"):
        here.create(name, {"value": text(name)})
    part_of_a_rekey(here)
    told: list[tuple[int, int]] = []
    with (
        closing(as_account(place, here, lambda _, ada: ada)) as ada,
        pytest.raises(GrantMissing) as caught,
    ):
        ada.rekey(progress=lambda done, total: told.append((done, total)), batch=10)
    assert (told, caught.value.applied) == ([], False)


def test_what_was_read_is_still_written_in_time_after_a_refused_write() -> None:
    batch, flushed = _reads.Batch(), Event()
    line = _reads.Line(30, "KEY", bytes(16), 1, 1, 0, 0, 0)
    batch.add(line, flushed.set, seconds=60)
    taken = batch.take()
    batch.give_back(taken, flushed.set, seconds=0)
    assert flushed.wait(10)
    assert [line] == batch.take()


def test_a_refused_write_leaves_waiting_reads_to_the_end_of_the_program(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("1")})
    here.set_audit_reads("batched")
    here.get(name="KEY")
    with pytest.raises(SecretExists):
        here.create("KEY", {"value": text("2")})
    assert here._waiting._flush == here._flush
    here.close()
    with closing(opened(place)) as again:
        assert [entry.operation for entry in again.audit(3)] == ["create", "get"]


def test_a_replaced_root_key_is_not_noted_as_a_removed_account(place: Place, here: AdministeredVault) -> None:
    with closing(opened(place)) as other:
        here.rotate_root([KeyFile(place.key)], [])
        with pytest.raises(VaultLocked):
            other.remove_slot(1)
    *_, newest = here.audit(0)
    assert (newest.operation, newest.outcome) == ("slot removed", "root key replaced")


def test_a_label_that_reads_like_a_slot_without_one_is_refused() -> None:
    found = [_slots.label_violations(label) for label in ("account key 7", "key file 1", "key file", "7")]
    assert [len(each) for each in found] == [1, 1, 0, 0]


def test_what_holds_a_key_is_not_pickled(place: Place, here: AdministeredVault) -> None:
    opener = _openers.opener(KeyFile(place.key), new=False)
    slots = here._snapshot(lambda rows: rows.slots())
    plan = _rotate.planned(here._keyring, slots, [opener], [])
    refused = 0
    for each in (opener, plan, here, here._keyring):
        with pytest.raises(TypeError):
            pickle.dumps(each)
        refused += 1
    assert refused == 4


@pytest.mark.parametrize("times", [1, 2, 3])
def test_purging_reaches_what_is_behind_deletions_and_what_sharing_left(
    here: AdministeredVault, there: AdministeredVault, text: Wrap, times: int
) -> None:
    here.create("KEY", {"value": text("1")})
    here.delete(name="KEY")
    for _ in range(times):
        there.create("KEY", {"value": text("theirs")})
        there.share("KEY", ())
        there.delete(name="KEY")
    here.purge(None, older_versions=False, deleted=True)
    kept = here._snapshot(lambda rows: [row.sequence for row in rows.all_log() if row.history is not None])
    assert (here.verify().secrets, kept) == (0, [])


def test_purging_reaches_what_is_behind_a_renaming_whose_content_is_gone(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    for vault in (here, there):
        vault.create("KEY", {"value": text("1")})
    there.create("NEW", {"value": text("theirs")})
    here.update({"new_name": "NEW"}, name="KEY")
    here.update({"value": text("2")}, name="NEW")
    here.purge("NEW", older_versions=True, deleted=False)
    there.share("KEY", ())
    here.purge("KEY", older_versions=True, deleted=False)
    here.verify()
    assert [each.purged or each.deleted for each in here.history(name="KEY")] == [False, True, True]


def test_what_would_lose_a_slot_is_refused_and_noted(place: Place, here: AdministeredVault) -> None:
    key = AccountKey(AccountKey.generate())
    here.add_principal(
        "ada", "user", key, roles=["administrator"], permissions=[], environments=None, expires_at=None
    )
    head = here.audit_head().sequence
    with closing(AdministeredVault.open(place.location, environment="development", credential=key)) as ada:
        for attempt in (
            lambda: ada.remove_slot(1),
            lambda: ada.rotate_root([key], []),
            lambda: ada.rotate_root([key], [1]),
        ):
            with pytest.raises(VaultError):
                attempt()
    told = [(entry.operation, entry.outcome, entry.principal) for entry in here.audit(head)]
    assert told == [
        ("slot removed", "slot needed", "ada"),
        ("root rotated", "slot needed", "ada"),
        ("root rotated", "slot needed", "ada"),
    ]


def test_many_secrets_are_created_and_changed_while_rekeying(here: AdministeredVault, text: Wrap) -> None:
    for name in ("A", "B", "C"):
        here.create(name, {"value": text(name)})
    part_of_a_rekey(here)
    here.create_many([("D", {"value": text("d")}), ("E", {"value": text("e")})])
    changed = here.change_many([Write(name, {"value": text("new")}, False) for name in ("A", "C", "D")])
    here.verify()
    values = [here.get(name=name).value for name in "ABCDE"]
    assert (len(changed), values) == (3, ["new", "B", "new", "new", "e"])


def test_purging_drops_what_was_shared_where_the_deleted_has_something_newer_of_its_own(
    here: AdministeredVault, there: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("shared")})
    here.share("KEY", ())
    here.unshare("KEY")
    there.update({"value": text("own")}, name="KEY")
    there.delete(name="KEY")
    here.purge("KEY", older_versions=True, deleted=False)
    here.verify()
    kept = [each.version for each in here.history(name="KEY") if not each.purged]
    assert (kept, there.undelete("KEY").value) == ([here.get(name="KEY").version], "own")


def test_a_name_that_was_shared_before_becomes_a_shared_secrets_again(
    place: Place, here: AdministeredVault, text: Wrap
) -> None:
    here.create("KEY", {"value": text("first")})
    here.share("KEY", ())
    here.unshare("KEY")
    for environment in here.environments():
        with closing(opened(place, environment)) as vault:
            vault.delete(name="KEY")
    here.create("OTHER", {"value": text("second")})
    here.share("OTHER", ())
    here.update({"new_name": "KEY"}, name="OTHER")
    here.verify()
    found = []
    for environment in here.environments():
        with closing(opened(place, environment)) as vault:
            found.append(vault.get(name="KEY").value)
    assert (set(found), here.describe("KEY").shared) == ({"second"}, True)
