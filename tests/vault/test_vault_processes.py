"""Many threads, many processes, forks and kills: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from secretbridge._vault._lock import FileLock
from secretbridge.errors import VaultBusy, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ROOT = Path(__file__).parents[2]
BEGINNING = """
import sys
from pathlib import Path
from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault
class Text:
    def __init__(self, text): self.text = text
    def get_secret_value(self): return self.text
where, key, me, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
place = PostgresUrl(where) if "://" in where else Path(where)
vault = Vault.open(place, environment="development", credential=KeyFile(key))
"""
COUNTING = (
    BEGINNING
    + """
from secretbridge.errors import Conflict
vault.put(f"OWN{me}", {"value": Text("0")})
for turn in range(count):
    vault.update({"value": Text(str(turn + 1))}, name=f"OWN{me}")
    while True:
        seen = vault.get(name="SHARED")
        try:
            vault.update({"value": Text(str(int(seen.value) + 1))}, name="SHARED", if_version=seen.version)
            break
        except Conflict:
            pass
vault.close()
"""
)
ACKNOWLEDGING = (
    BEGINNING
    + """
turn = count
while True:
    turn += 1
    vault.put("LAST", {"value": Text(str(turn))})
    print(turn, flush=True)
    if turn % 3 == 0:
        vault.create(f"NEW{turn}", {"value": Text(str(turn))})
        print(turn, flush=True)
"""
)


def start(script: str, place: Place, me: str = "0", count: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, place.address, place.key, me, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},  # without coverage's variables: killed children leave torn data
    )


def test_four_processes_writing_the_same_and_different_secrets_lose_nothing(place: Place, text: Wrap) -> None:
    turns = 60
    with closing(place.open()) as vault:
        vault.create("SHARED", {"value": text("0")})
    children = [start(COUNTING, place, str(me), turns) for me in range(4)]
    ended = [(*child.communicate(timeout=60), child.returncode) for child in children]
    assert ended == [("", "", 0)] * 4
    with closing(place.open()) as vault:
        assert vault.get(name="SHARED").value == str(4 * turns)
        assert [vault.get(name=f"OWN{me}").value for me in range(4)] == [str(turns)] * 4
        vault.verify()


def test_processes_that_open_a_vault_first_at_the_same_time_make_one_vault(place: Place) -> None:
    script = BEGINNING + "vault.create(f'KEY{me}', {'value': Text(me)})\nvault.close()\n"
    children = [start(script, place, str(me)) for me in range(6)]
    assert [(*child.communicate(timeout=60), child.returncode) for child in children] == [("", "", 0)] * 6
    with closing(place.open()) as vault:
        assert sorted(record.name for record in vault.list()[0]) == [f"KEY{me}" for me in range(6)]
        vault.verify()
    if place.server is None:
        assert sorted(path.name for path in place.file.parent.iterdir()) == ["vault.db", "vault.db.lock"]


def test_what_was_acknowledged_before_a_kill_is_there_after_it(place: Place) -> None:
    dice = random.Random(7)  # noqa: S311 - the same moments in every run, as far as a machine has such
    place.open().close()
    last, survived = 0, []
    for _ in range(10):
        child = start(ACKNOWLEDGING, place, count=last)
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(dice.uniform(0, 0.08))  # the moment of the kill is what this test is about
        child.send_signal(signal.SIGKILL)
        told = [first, *child.stdout.read().splitlines()]
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        assert child.stderr is not None
        assert child.stderr.read() == ""
        child.stderr.close()
        last = max(int(line) for line in told if line.strip())
        twice = {int(line) for line in told if told.count(line) == 2}
        survived += sorted(twice)
        with closing(place.open()) as vault:
            kept = vault.get(name="LAST").value
            assert kept is not None
            assert int(kept) >= last  # one more may have been written than was told
            last = int(kept)
            for turn in survived:
                assert vault.get(name=f"NEW{turn}").value == str(turn)
            vault.verify()
            last += 1
    assert last > 10


def test_threads_share_one_vault(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("SHARED", {"value": text("0")})
        failures: list[BaseException] = []

        def work(me: int) -> None:
            try:
                vault.create(f"KEY{me}", {"value": text("v")})
                for turn in range(30):
                    vault.update({"value": text(f"{me}:{turn}")}, name=f"KEY{me}")
                    assert vault.get(name=f"KEY{me}").value == f"{me}:{turn}"
            except BaseException as failure:  # noqa: BLE001 - whatever a thread fails with fails the test
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(me,)) for me in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        vault.verify()


def in_child(work: Callable[[], object]) -> int:
    """Fork, run ``work`` in the child, and give its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def locked_files(process: int) -> set[int]:
    """The inodes on which a process holds POSIX locks."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    found = (line.split() for line in lines)
    return {
        int(words[5].split(":")[2]) for words in found if words[1] == "POSIX" and int(words[4]) == process
    }


def test_parent_and_child_of_a_fork_both_read_and_write(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("KEY", {"value": text("parent")})

        def child() -> None:
            assert vault.get(name="KEY").value == "parent"
            vault.update({"value": text("child")}, name="KEY")

        assert in_child(child) == 0
        assert vault.get(name="KEY").value == "child"
        vault.update({"value": text("parent again")}, name="KEY")
        vault.verify()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux shows who holds which lock")
@pytest.mark.parametrize("kind", ["sqlite"])  # SQLite's locks
def test_a_forked_child_holds_sqlites_locks_itself(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("KEY", {"value": text("v")})

        def child() -> None:
            vault.get(name="KEY")
            assert place.file.stat().st_ino in locked_files(os.getpid())

        assert in_child(child) == 0


def test_a_fork_while_threads_write_leaves_both_sides_whole(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        for me in range(2):
            vault.create(f"KEY{me}", {"value": text("v")})
        stop = threading.Event()
        written = [0, 0]

        def work(me: int) -> None:
            while not stop.is_set():
                vault.update({"value": text("w")}, name=f"KEY{me}")
                written[me] += 1

        threads = [threading.Thread(target=work, args=(me,)) for me in range(2)]
        for thread in threads:
            thread.start()
        statuses = [in_child(lambda: vault.put("CHILD", {"value": text("c")})) for _ in range(8)]
        stop.set()
        for thread in threads:
            thread.join()
        assert statuses == [0] * 8
        assert [vault.get(name=f"KEY{me}").version for me in range(2)] == [count + 1 for count in written]
        assert vault.get(name="CHILD").version == 8
        vault.verify()


@pytest.mark.parametrize("kind", ["sqlite"])  # the lock file
def test_ctrl_c_ends_the_wait_for_the_lock(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("KEY", {"value": text("v")})
        other = FileLock(place.file.with_name("vault.db.lock"), must_exist=False)
        other.acquire(time.monotonic())
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            vault.update({"value": text("w")}, name="KEY")
        assert time.monotonic() - begin < 5
        other.release()
        other.close()
        assert vault.update({"value": text("w")}, name="KEY").version == 2


@pytest.mark.parametrize("kind", ["sqlite"])  # files are looked at
def test_a_vault_never_closed_is_closed_when_it_is_forgotten(place: Place, text: Wrap) -> None:
    vault = place.open()
    vault.create("KEY", {"value": text("v")})
    del vault
    assert sorted(path.name for path in place.file.parent.iterdir()) == ["vault.db", "vault.db.lock"]


@pytest.mark.parametrize("kind", ["sqlite"])  # its locks
def test_a_child_forked_in_the_middle_of_a_write_refuses_the_vault(place: Place, text: Wrap) -> None:
    with closing(place.open(busy_timeout=0.05)) as vault:
        vault.create("KEY", {"value": text("v")})

        def child() -> None:
            with pytest.raises(VaultError, match="forked in the middle"):
                vault.get(name="KEY")

        with place.in_file(vault)._using:  # as a signal handler would find it, in the thread that holds it
            status = in_child(child)
        assert status == 0
        assert vault.get(name="KEY").value == "v"


def test_a_fork_while_a_thread_keeps_writing_is_waited_for_no_longer_than_a_write(
    place: Place, text: Wrap
) -> None:
    with closing(place.open(busy_timeout=0.05)) as vault:
        vault.create("KEY", {"value": text("v")})

        def child() -> None:
            with pytest.raises(VaultError, match="forked"):
                vault.get(name="KEY")

        store: Any = vault._store
        with store._writing if place.server is None else store._writer.using:
            started = time.monotonic()
            status = in_child(child)
            waited = time.monotonic() - started
        assert (status, waited < 5) == (0, True)
        assert vault.update({"value": text("w")}, name="KEY").version == 2


def test_a_child_reads_though_its_parent_never_wrote(place: Place, text: Wrap) -> None:
    with closing(place.open()) as vault:
        vault.create("KEY", {"value": text("v")})
    with closing(place.open()) as vault:

        def child() -> None:
            assert vault.get(name="KEY").value == "v"

        assert vault.get(name="KEY").value == "v"
        assert in_child(child) == 0


@pytest.mark.parametrize("kind", ["sqlite"])  # its locks
def test_a_thread_waits_for_another_no_longer_than_for_a_process(place: Place, text: Wrap) -> None:
    with closing(place.open(busy_timeout=0.05)) as vault:
        vault.create("KEY", {"value": text("v")})
        with place.in_file(vault)._writing, pytest.raises(VaultBusy, match="Another thread"):
            vault.delete(name="KEY")
