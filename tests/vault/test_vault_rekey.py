"""A new data key: everything comes under it, online, and a kill at any moment leaves a whole vault."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import KeyFile
from secretbridge._vault import _crypto, _rekey
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._lock import FileLock
from secretbridge.errors import SecretExists, SecretNotFound, VaultBusy, VaultDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ROOT = Path(__file__).parents[2]
NAMES = [f"KEY{number}" for number in range(12)]
CHILD = """
import sys
from pathlib import Path
from secretbridge import KeyFile
from secretbridge._location import PostgresUrl
from secretbridge._vault._administered import AdministeredVault
class Text:
    def __init__(self, text): self.text = text
    def get_secret_value(self): return self.text
place = PostgresUrl(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
vault = AdministeredVault.open(place, environment="development", credential=KeyFile(sys.argv[2]))
turn = int(sys.argv[3])
print("open", flush=True)
"""
REKEYING = (
    CHILD
    + """
while True:
    vault.rekey(progress=None, batch=2)
    print("rekeyed", flush=True)
"""
)
WRITING = (
    CHILD
    + """
while True:
    turn += 1
    vault.put(f"LAST{turn % 5}", {"value": Text(str(turn))})
    print(turn, flush=True)
    assert vault.get(name=f"LAST{turn % 5}").value == str(turn)
    for number in range(0, 12, 5):
        assert vault.get(name=f"KEY{number}").value == f"v{number}", number
    assert len(vault.list()[0]) >= 12
"""
)


class Stopped(Exception):
    """Breaks a rekey off."""


def opened(place: Place, environment: str = "development", **options: float) -> AdministeredVault:
    return AdministeredVault.open(
        place.location,
        environment=environment,
        credential=KeyFile(place.key),
        **options,  # type: ignore[arg-type] # busy_timeout is the one option that tests give
    )


@pytest.fixture
def admin(place: Place, text: Wrap) -> Iterator[AdministeredVault]:
    """Twelve names, one of them renamed, one deleted, one with a value in two environments, one detached."""
    with closing(opened(place)) as vault:
        vault._create_many((name, {"value": text(f"v{number}")}) for number, name in enumerate(NAMES))
        vault.create("BEFORE", {"value": text("r")})
        vault.update({"new_name": "AFTER"}, name="BEFORE")
        vault.create("GONE", {"value": text("g")})
        vault.delete(name="GONE")
        vault.create("TAKEN", {"value": text("old")})
        vault.delete(name="TAKEN")
        vault.create("TAKING", {"value": text("t")})
        vault.update({"new_name": "TAKEN"}, name="TAKING")
        with closing(opened(place, "production")) as production:
            production.create("KEY1", {"value": text("p1")})
        yield vault


def stop_after(transactions: int) -> Callable[[int, int], None]:
    calls = iter(range(1000))

    def progress(_done: int, _total: int) -> None:
        if next(calls) == transactions:
            raise Stopped

    return progress


def half_way(vault: AdministeredVault, transactions: int = 3, batch: int = 4) -> None:
    with pytest.raises(Stopped):
        vault.rekey(progress=stop_after(transactions), batch=batch)


def all_under(epoch: int) -> dict[str, list[tuple[int]]]:
    return {table: [(epoch,)] for table in ("data_key", "policy", "secret", "value", "log", "state")}


def epochs(place: Place) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: sorted(place.sql(f"SELECT DISTINCT epoch FROM {table}"))  # noqa: S608 - a name from this list
        for table in ("data_key", "policy", "secret", "value", "log", "state")
    }


def test_everything_comes_under_the_new_data_key_and_the_old_one_goes(
    place: Place, admin: AdministeredVault
) -> None:
    slots = place.sql("SELECT * FROM slot")
    before = {name: admin.get(name=name) for name in [*NAMES, "AFTER", "TAKEN"]}
    history = admin.history(name="AFTER")
    anchor, counted = admin.audit_head(), admin.verify()
    for epoch in (2, 3):
        admin.rekey(progress=None, batch=100)
        assert epochs(place) == all_under(epoch)
    assert place.sql("SELECT * FROM slot") == slots
    with closing(opened(place)) as again:
        for vault in (admin, again):
            assert {name: vault.get(name=name) for name in before} == before
            assert vault.history(name="AFTER") == history
            assert vault.version("AFTER", 1).value == "r"
            assert vault.undelete("GONE").value == "g" if vault is again else True
        assert again.verify() == counted._replace(entries=counted.entries + 5)
        assert again.verify_audit(anchor).sequence == anchor.sequence + 5
        names = [entry.name for entry in again.audit(anchor.sequence) if entry.operation == "rekeyed"]
        assert names == [
            "data key 2 begun", "data key 2 complete", "data key 3 begun", "data key 3 complete",
        ]  # fmt: skip


def test_progress_begins_at_nothing_and_ends_with_all(admin: AdministeredVault) -> None:
    told: list[tuple[int, int]] = []
    admin.rekey(progress=lambda done, total: told.append((done, total)), batch=5)
    assert told[0] == (0, told[0][1])
    assert told == sorted(told)
    assert told[-1] == (told[0][1], told[0][1])
    assert len(told) > 5


@pytest.mark.parametrize("transactions", [1, 2, 4, 6, 9, 13])
def test_a_rekey_broken_off_leaves_a_whole_vault_and_goes_on(
    place: Place, admin: AdministeredVault, text: Wrap, transactions: int
) -> None:
    with closing(opened(place)) as held, closing(opened(place)) as idle:
        half_way(admin, transactions)
        with closing(opened(place)) as new:
            for vault in (admin, held, new):
                assert vault.verify() == admin.verify()
                assert [vault.get(name=name).value for name in NAMES] == [f"v{n}" for n in range(12)]
                ids = [vault.get(name=name).id for name in NAMES]
                assert [vault.get(id=id_).name for id_ in ids] == NAMES
                assert len(vault.list()[0]) == 14
                assert vault.version("AFTER", 1).value == "r"
                for missing in ("GONE", "NEVER", "BEFORE"):
                    with pytest.raises(SecretNotFound):
                        vault.get(name=missing)
        held.update({"value": text("new")}, name="KEY3")
        held.update({"new_name": "RENAMED"}, name="KEY4")
        held.delete(name="KEY5")
        held.undelete("GONE")
        with pytest.raises(SecretExists):
            held.create("KEY6", {"value": text("twice")})
        held.create("LATER", {"value": text("l")})
        assert held.verify() == admin.verify()
        held.rekey(progress=None, batch=3)
        assert epochs(place) == all_under(2)
        assert [idle.get(name=name).value for name in ("KEY3", "RENAMED", "LATER", "GONE")] == [
            "new", "v4", "l", "g",
        ]  # fmt: skip
        assert idle.verify() == admin.verify() == held.verify()
        admin.update({"value": text("x")}, name="KEY0")
        assert not admin._keyring.rekeying


def test_each_way_of_looking_learns_of_a_new_data_key(
    place: Place, admin: AdministeredVault, text: Wrap
) -> None:
    ways: dict[str, Callable[[AdministeredVault], object]] = {
        "get": lambda vault: vault.get(name="KEY1").value,
        "get by id": lambda vault: vault.get(id=admin.get(name="KEY1").id).value,
        "list": lambda vault: len(vault.list()[0]),
        "history": lambda vault: len(vault.history(name="KEY1")),
        "version": lambda vault: vault.version("KEY1", 1).value,
        "audit": lambda vault: len(list(vault.audit(0))) > 20,
        "anchor": lambda vault: vault.verify_audit(None) == admin.audit_head(),
        "backup": lambda vault: vault.backup(place.folder / "copy.db", overwrite=True) == admin.verify(),
        "slots": lambda vault: len(vault.slots()),
        "expiring": lambda vault: vault.update({"value": text("v1")}, name="KEY1").name,
    }
    handles = {name: opened(place) for name in ways}
    admin.rekey(progress=None, batch=100)
    seen = {name: way(handles[name]) for name, way in ways.items()}
    for handle in handles.values():
        handle.close()
    assert seen == {
        "get": "v1", "get by id": "v1", "list": 14, "history": 1, "version": "v1", "audit": True,
        "anchor": True, "backup": True, "slots": 1, "expiring": "KEY1",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["sqlite"])  # its trace is listened to
def test_a_read_costs_one_statement_while_there_is_one_data_key(
    place: Place, admin: AdministeredVault
) -> None:
    statements: list[str] = []
    connection = place.in_file(admin)._connection
    assert connection is not None
    connection.set_trace_callback(statements.append)
    admin.get(name="KEY1")
    connection.set_trace_callback(None)
    assert len(statements) == 1


def test_large_values_are_brought_over_one_by_one(place: Place, admin: AdministeredVault, text: Wrap) -> None:
    for number in range(3):
        admin.create(f"LARGE{number}", {"value": text(str(number) * 700_000)})
    steps: list[int] = []
    admin.rekey(progress=lambda done, _: steps.append(done), batch=10_000)
    assert [admin.get(name=f"LARGE{number}").value for number in range(3)] == [
        str(n) * 700_000 for n in range(3)
    ]
    assert len(set(steps)) == 1 + 1 + 3 + 3  # nothing, names, values up to and between the large ones, lines


def test_two_rekeys_at_once_are_one(place: Place, admin: AdministeredVault) -> None:
    failures: list[BaseException] = []

    def work(vault: AdministeredVault) -> None:
        try:
            vault.rekey(progress=None, batch=3)
        except BaseException as failure:  # noqa: BLE001 - whatever a thread fails with fails the test
            failures.append(failure)

    with closing(opened(place)) as other:
        half_way(admin, 1)
        threads = [threading.Thread(target=work, args=(vault,)) for vault in (admin, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert other.verify() == admin.verify()
    assert epochs(place) == all_under(2)


@pytest.mark.parametrize("kind", ["sqlite"])  # its lock file
def test_a_failure_on_the_way_says_that_it_has_begun(place: Place, admin: AdministeredVault) -> None:
    other = FileLock(place.file.with_name("vault.db.lock"), must_exist=False)

    def hold(done: int, _total: int) -> None:
        if done:
            other.acquire(time.monotonic())

    with closing(opened(place, busy_timeout=0.05)) as vault:
        with pytest.raises(VaultBusy, match="goes on where it stopped") as caught:
            vault.rekey(progress=hold, batch=5)
        assert (caught.value.applied, caught.value.transient) == (None, True)
        with pytest.raises(VaultBusy) as second:
            vault.rekey(progress=None, batch=5)
        assert second.value.applied is None
        other.release()
        other.close()
        vault.rekey(progress=None, batch=5)
        vault.verify()


@pytest.mark.parametrize("kind", ["sqlite"])  # its commit; lost ones are in tests/postgres
def test_a_beginning_that_was_not_committed_leaves_no_trace(
    place: Place, admin: AdministeredVault, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(admin._store, "_commit", failing)
        with pytest.raises(Stopped):
            admin.rekey(progress=None, batch=5)
    connection = place.in_file(admin)._connection
    assert connection is not None
    assert connection.in_transaction is False
    admin.update({"value": text("after")}, name="KEY1")
    with closing(opened(place)) as again:
        assert again.get(name="KEY1").value == "after"
        again.verify()
    assert epochs(place) == all_under(1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE secret SET name_index = randomblob(16) WHERE flags = 0 AND id = (SELECT min(id) FROM secret)",
        "UPDATE value SET sealed = zeroblob(100) WHERE secret = (SELECT max(secret) FROM value)",
        "UPDATE log SET audit = zeroblob(200) WHERE sequence = 3",
        "DELETE FROM value WHERE secret = (SELECT max(secret) FROM value)",
    ],
)
def test_what_was_changed_in_the_file_is_never_made_good(
    place: Place, admin: AdministeredVault, statement: str
) -> None:
    admin.close()
    place.sql(statement)
    with closing(opened(place)) as vault, pytest.raises(VaultDamaged):
        vault.rekey(progress=None, batch=5)
    assert len(place.sql("SELECT * FROM data_key")) == 2


def test_what_another_process_began_or_finished_just_now_is_not_done_twice(
    place: Place, admin: AdministeredVault
) -> None:
    half_way(admin)
    lines = admin.audit_head()
    with closing(opened(place)) as other:
        other._write(lambda change, operation: _rekey._begin(change, operation, other._keyring))
        with pytest.raises(VaultDamaged):  # something is under the old data key
            other._write(lambda change, operation: _rekey._finish(change, operation, other._keyring))
        assert (place.sql("SELECT epoch FROM data_key"), other.audit_head()) == ([(1,), (2,)], lines)
        admin.rekey(progress=None, batch=100)
        lines = admin.audit_head()
        other._write(lambda change, operation: _rekey._finish(change, operation, other._keyring))
        assert (place.sql("SELECT epoch FROM data_key"), other.audit_head()) == ([(2,)], lines)


def test_a_rekey_killed_before_its_last_step_takes_that_alone(place: Place, admin: AdministeredVault) -> None:
    def stop(done: int, total: int) -> None:
        if done == total:
            raise Stopped

    with pytest.raises(Stopped):
        admin.rekey(progress=stop, batch=100)
    assert place.sql("SELECT epoch FROM data_key") == [(1,), (2,)]
    told: list[tuple[int, int]] = []
    admin.rekey(progress=lambda done, total: told.append((done, total)), batch=100)
    assert (told, epochs(place)) == ([(0, 0), (0, 0)], all_under(2))


def test_a_row_that_is_not_where_another_leads_is_damage() -> None:
    with pytest.raises(VaultDamaged):
        _rekey._there(None)


def test_an_epoch_that_nobody_made_is_damage_in_every_way_of_looking(
    place: Place, admin: AdministeredVault
) -> None:
    place.sql("UPDATE value SET epoch = 9 WHERE secret = (SELECT min(secret) FROM value)")
    ways: list[Callable[[], object]] = [lambda: admin.get(name="KEY0"), admin.list, admin.verify]
    for way in ways:
        with pytest.raises(VaultDamaged) as caught:
            way()
        assert (caught.value.message, caught.value.__context__) == (_crypto.DAMAGED, None)


def test_data_keys_that_go_back_are_damage(admin: AdministeredVault) -> None:
    admin.rekey(progress=None, batch=100)
    wrapped = admin._store.snapshot(lambda rows: rows.data_keys())
    for found in ({}, {1: wrapped[2]}):
        with pytest.raises(VaultDamaged):
            admin._keyring.learn(found)
    assert not admin._keyring.opens(2, None)
    assert not admin._keyring.opens(2, bytes(92))


def start(script: str, place: Place, turn: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, place.address, place.key, str(turn)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},  # without coverage's variables: killed children leave torn data
    )


def ended(child: subprocess.Popen[str]) -> list[str]:
    child.send_signal(signal.SIGKILL)
    out, problems = child.communicate(timeout=60)
    assert (child.returncode, problems) == (-signal.SIGKILL, "")
    return out.splitlines()


def test_rekeys_killed_at_any_moment_lose_nothing_that_others_were_told(
    place: Place, admin: AdministeredVault, text: Wrap, kind: str
) -> None:
    admin.close()
    dice = random.Random(11)  # noqa: S311 - the same moments in every run, as far as a machine has such
    turn, seen = 0, set()
    for _ in range(10 if kind == "sqlite" else 3):  # each round takes half a second
        writer, rekeyer = start(WRITING, place, turn), start(REKEYING, place)
        for child in (writer, rekeyer):
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
        time.sleep(dice.uniform(0, 0.25))  # the moment of the kill is what this test is about
        ended(rekeyer)
        told = [int(line) for line in ended(writer) if line]
        turn = max([turn, *told])
        seen.add(len(place.sql("SELECT * FROM data_key")))
        with closing(opened(place)) as vault:
            vault.verify()
            for number in range(5):
                last = max((each for each in range(turn + 1) if each % 5 == number and each), default=0)
                if last:  # one more may have been written than was told
                    assert vault.get(name=f"LAST{number}").value in {str(last), str(last + 5)}
            turn += 5
            for number in range(5):
                vault.put(f"LAST{(turn + number) % 5}", {"value": text(str(turn + number))})
            turn += 4
            assert [vault.get(name=name).value for name in NAMES] == [f"v{n}" for n in range(12)]
    with closing(opened(place)) as vault:
        vault.rekey(progress=None, batch=100)
        vault.verify()
    assert 2 in seen or kind != "sqlite"  # of so many kills, one came in the middle
    assert len(place.sql("SELECT * FROM data_key")) == 1


def test_a_cipher_is_never_used_under_a_forgotten_key(admin: AdministeredVault) -> None:
    before = admin._keyring.current
    admin.rekey(progress=None, batch=100)
    after = admin._keyring.current
    assert before.epoch + 1 == after.epoch
    assert before.chain == after.chain
    assert len({before.records, after.records, before.index, after.index, before.digest, after.digest}) == 6
    assert len(after.records) == _crypto.KEY_BYTES
