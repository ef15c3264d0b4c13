"""The audit trail tells of refusals, and of reading as far as the vault's policy says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import AccountKey
from secretbridge._vault import KeyFile, _reads
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import (
    InvalidRequest,
    SecretBridgeError,
    SecretNotFound,
    VaultBusy,
    VaultError,
    VaultLocked,
    VaultReadOnly,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_place import Place, Text

    from secretbridge._vault._rows import Rows

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ROOT = Path(__file__).parents[2]
READING = """
import os, sys
from pathlib import Path
from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile
from secretbridge._vault._administered import AdministeredVault
place = PostgresUrl(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
key = Path(sys.argv[2])
vault = AdministeredVault.open(place, environment="development", credential=KeyFile(key))
for _ in range(int(sys.argv[3])):
    vault.get(name="KEY")
print("read", flush=True)
"""


def opened(place: Place, environment: str = "development") -> AdministeredVault:
    return AdministeredVault.open(place.location, environment=environment, credential=KeyFile(place.key))


@pytest.fixture
def admin(place: Place, text: Wrap) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        vault.create("KEY", {"value": text("canary-1")})
        yield vault


def told(vault: AdministeredVault, after: int = 2) -> list[tuple[str, str | None, int | None, str]]:
    return [(entry.operation, entry.name, entry.version, entry.outcome) for entry in vault.audit(after)]


def test_every_refused_write_is_a_line_with_its_outcome(admin: AdministeredVault, text: Wrap) -> None:
    admin.create("LOCKED", {"value": text("v"), "protected": True})
    attempts: list[Callable[[], object]] = [
        lambda: admin.create("KEY", {"value": text("canary-2")}),
        lambda: admin.update({"value": text("canary-2")}, name="NONE"),
        lambda: admin.update({"value": text("canary-2")}, name="KEY", if_version=9),
        lambda: admin.update({"new_name": "LOCKED"}, name="KEY"),
        lambda: admin.put("LOCKED", {"value": text("canary-2")}),
        lambda: admin.delete(name="LOCKED"),
        lambda: admin.delete(id="11" * 16),
        lambda: admin.restore("LOCKED", 1),
        lambda: admin.restore("KEY", 5),
        lambda: admin.undelete("KEY"),
        lambda: admin.share("NONE", ()),
        lambda: admin.unshare("KEY"),
        lambda: admin.add_environment("test"),
        lambda: admin.remove_principal("nobody"),
    ]
    for attempt in attempts:
        with pytest.raises(SecretBridgeError):
            attempt()
    assert told(admin, 3) == [
        ("create", "KEY", None, "exists"),
        ("update", "NONE", None, "not found"),
        ("update", "KEY", None, "conflict"),
        ("update", "KEY", None, "exists"),
        ("put", "LOCKED", None, "protected"),
        ("delete", "LOCKED", None, "protected"),
        ("delete", None, None, "not found"),
        ("restore", "LOCKED", None, "protected"),
        ("restore", "KEY", None, "not found"),
        ("undelete", "KEY", None, "exists"),
        ("share", "NONE", None, "not found"),
        ("unshare", "KEY", None, "invalid"),
        ("policy changed", "test", None, "invalid"),
        ("principal removed", "nobody", None, "invalid"),
    ]
    entries = list(admin.audit(3))
    assert [entry.fields for entry in entries][:4] == [("value",), ("value",), ("value",), ("new_name",)]
    assert entries[6].secret_id == "11" * 16
    assert {entry.principal for entry in entries} == {"owner"}
    assert "canary" not in repr(entries)
    assert [step.version for step in admin.history(name="KEY")] == [1]
    admin.verify()


def test_the_name_of_what_was_refused_is_kept_to_a_bound(admin: AdministeredVault) -> None:
    with pytest.raises(SecretNotFound):
        admin.delete(name="x" * 5000)
    assert [len(entry.name or "") for entry in admin.audit(2)] == [1024]


def test_a_refusal_that_cannot_be_noted_is_still_told(
    admin: AdministeredVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = admin._store.transact

    def busy(operation_id: bytes, work: Callable[[Rows], object]) -> object:
        if asked:
            raise VaultBusy("Another process holds it.")
        asked.append(operation_id)
        return real(operation_id, work)

    asked: list[bytes] = []
    monkeypatch.setattr(admin._store, "transact", busy)
    with pytest.raises(SecretNotFound):
        admin.delete(name="NONE")
    assert len(asked) == 1


def test_reading_is_not_in_the_trail_of_a_new_vault(admin: AdministeredVault) -> None:
    admin.get(name="KEY")
    admin.list()
    with pytest.raises(SecretNotFound):
        admin.get(name="NONE")
    assert told(admin) == []


def test_durable_reads_are_in_the_trail_before_the_value_is_handed_out(
    place: Place, admin: AdministeredVault, text: Wrap
) -> None:
    admin.set_audit_reads("durable")
    with closing(opened(place)) as other:
        other.get(name="KEY")
        killed = told(admin, 3)  # what another process sees at this moment
        other.list()
        with pytest.raises(SecretNotFound):
            other.get(name="NONE")
        other.update({"expires_at": datetime.now(UTC) - timedelta(hours=1)}, name="KEY")
        with pytest.raises(SecretBridgeError):
            other.get(name="KEY")
        other.version("KEY", 1)
    assert killed[0] == ("get", "KEY", 1, "done")
    lines = [line for line in told(admin, 3) if line[0] in {"get", "list"}]
    assert lines == [
        ("get", "KEY", 1, "done"),
        ("list", None, None, "done"),
        ("get", "NONE", None, "not found"),
        ("get", "KEY", None, "expired"),
        ("get", "KEY", 1, "done"),
    ]
    assert {entry.environment for entry in admin.audit(3) if entry.operation == "get"} == {"development"}
    admin.verify()


def test_a_durable_read_that_cannot_be_written_gives_no_value(place: Place, admin: AdministeredVault) -> None:
    admin.set_audit_reads("durable")
    with place.refusing_writes(admin), pytest.raises(VaultReadOnly):
        admin.get(name="KEY")


def test_batched_reads_come_with_the_next_write_or_when_closed(
    place: Place, admin: AdministeredVault, text: Wrap
) -> None:
    admin.set_audit_reads("batched")
    with closing(opened(place)) as other:
        for _ in range(3):
            other.get(name="KEY")
        assert [line for line in told(admin, 3) if line[0] == "get"] == []
        other.update({"value": text("v")}, name="KEY")
        assert [line[0] for line in told(admin, 3) if line[0] in {"get", "update"}] == [
            *["get"] * 3,
            "update",
        ]
        other.get(name="KEY")
    assert [line for line in told(admin, 3) if line[0] == "get"][3:] == [("get", "KEY", 2, "done")]
    admin.verify()


def test_a_batch_is_written_when_it_is_full(place: Place, admin: AdministeredVault) -> None:
    admin.set_audit_reads("batched")
    with closing(opened(place)) as other:
        for _ in range(_reads.BATCH):
            other.get(name="KEY")
        assert sum(entry.operation == "get" for entry in admin.audit(3)) == _reads.BATCH


def test_a_batch_is_written_after_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    written: list[Callable[[], None]] = []

    class Timer:
        def __init__(self, seconds: float, work: Callable[[], None]) -> None:
            waited.append(seconds)
            written.append(work)

        def start(self) -> None:
            pass

        def cancel(self) -> None:
            pass

    monkeypatch.setattr("secretbridge._vault._reads.threading.Timer", Timer)
    with closing(opened(place)) as vault:
        vault.set_audit_reads("batched")
        vault.list()
        assert (waited, len(vault._waiting._lines)) == ([_reads.SECONDS], 1)
        written[0]()
        assert vault._waiting._lines == []
        assert vault._store.snapshot(lambda rows: rows.last_log()).sequence == 3  # type: ignore[union-attr] # it is there
        written[0]()  # nothing waits


def test_what_waits_outlasts_a_refused_write(place: Place, admin: AdministeredVault) -> None:
    admin.set_audit_reads("batched")
    with closing(opened(place)) as other:
        other.get(name="KEY")
        with pytest.raises(SecretNotFound):
            other.delete(name="NONE")
        assert [line.operation for line in other._waiting._lines] == [30]
    assert [line[0] for line in told(admin, 3) if line[0] in {"get", "delete"}] == ["delete", "get"]


def test_what_waits_is_kept_while_it_cannot_be_written_up_to_a_batch(
    place: Place, admin: AdministeredVault
) -> None:
    admin.set_audit_reads("batched")
    with place.refusing_writes(admin):
        for _ in range(_reads.BATCH + 5):
            admin.get(name="KEY")
        assert len(admin._waiting._lines) == _reads.BATCH
    admin._flush()
    assert admin._waiting._lines == []


@pytest.mark.parametrize(("mode", "least"), [("durable", 20), ("batched", 0)])
def test_a_killed_process_loses_what_its_mode_says(
    place: Place, admin: AdministeredVault, mode: str, least: int
) -> None:
    admin.set_audit_reads(mode)  # type: ignore[arg-type] # one of the three
    with subprocess.Popen(
        [sys.executable, "-c", f"{READING}\nimport time; time.sleep(60)", place.address, place.key, "20"],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "read\n"
        child.send_signal(signal.SIGKILL)
    assert sum(entry.operation == "get" for entry in admin.audit(3)) == least
    admin.verify()


def test_a_process_that_ends_without_closing_writes_its_batch(place: Place, admin: AdministeredVault) -> None:
    admin.set_audit_reads("batched")
    subprocess.run(
        [sys.executable, "-c", READING, place.address, place.key, "20"],
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    assert sum(entry.operation == "get" for entry in admin.audit(3)) == 20


def test_a_forked_child_does_not_write_its_parents_batch(place: Place, admin: AdministeredVault) -> None:
    admin.set_audit_reads("batched")
    forking = (
        f"{READING}\npid = os.fork()\nvault.get(name='KEY')\nvault.close()\n"
        "if pid: os.waitpid(pid, 0)\nelse: os._exit(0)"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", forking, place.address, place.key, "3"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    assert sum(entry.operation == "get" for entry in admin.audit(3)) == 5
    admin.verify()


def test_an_account_refused_at_the_door_is_in_the_trail(place: Place, admin: AdministeredVault) -> None:
    key = AccountKey(AccountKey.generate())
    past = datetime.now(UTC) - timedelta(days=1)
    admin.add_principal(
        "late", "service", key, roles=["reader"], permissions=(), environments=None, expires_at=past
    )
    with suppress(SecretBridgeError):
        AdministeredVault.open(place.location, environment="test", credential=key)
    [line] = list(admin.audit(3))
    assert (line.operation, line.outcome, line.principal, line.environment) == (
        "open",
        "account expired",
        "late",
        "test",
    )


def test_a_line_of_a_later_version_is_told_by_its_numbers(admin: AdministeredVault) -> None:
    admin._write(lambda change, operation: change.note(250, operation, name="later", outcome=99))
    assert told(admin) == [("operation 250", "later", None, "outcome 99")]


def test_reads_that_a_commit_of_unknown_outcome_wrote_are_not_written_again(
    place: Place, admin: AdministeredVault, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.set_audit_reads("batched")
    real = admin._store.transact

    def lost(operation_id: bytes, work: Callable[[Rows], object]) -> object:
        real(operation_id, work)
        raise VaultError("The server cannot be asked any more.", applied=None)

    for write in (lambda: admin.update({"value": text("v")}, name="KEY"), admin._flush):
        admin.get(name="KEY")
        monkeypatch.setattr(admin._store, "transact", lost)
        with suppress(VaultError):
            write()
        monkeypatch.setattr(admin._store, "transact", real)
    admin.get(name="KEY")
    admin._flush()
    lines = [line[0] for line in told(admin, 3) if line[0] in {"get", "update"}]
    admin.verify()
    assert lines == ["get", "update", "get", "get"]


def test_reads_that_a_lost_commit_did_not_write_are_written_later(
    admin: AdministeredVault, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.set_audit_reads("batched")
    real = admin._store.transact

    def undone(operation_id: bytes, work: Callable[[Rows], object]) -> object:
        def and_back(rows: Rows) -> object:
            work(rows)
            raise VaultBusy("The commit never arrived.")

        return real(operation_id, and_back)

    admin.get(name="KEY")
    monkeypatch.setattr(admin._store, "transact", undone)
    with pytest.raises(VaultBusy):
        admin.update({"value": text("v")}, name="KEY")
    monkeypatch.setattr(admin._store, "transact", real)
    admin._flush()
    admin.verify()
    assert [line[0] for line in told(admin, 3) if line[0] in {"get", "update"}] == ["get"]


def test_what_takes_the_whole_vault_elsewhere_is_in_the_trail_and_in_the_copys(
    place: Place, admin: AdministeredVault
) -> None:
    admin.backup(place.folder / "copy.db", overwrite=False)
    admin.move_to(place.folder / "moved.db", None)
    kept = []
    for name in ("copy.db", "moved.db"):
        with closing(
            AdministeredVault.open(
                place.folder / name, environment="development", credential=KeyFile(place.key)
            )
        ) as copy:
            kept.append([line[1] for line in told(copy)])
    lines = [("administer", "backup", None, "done"), ("administer", "move", None, "done")]
    assert (told(admin), kept) == (lines, [["backup"], ["backup", "move"]])


def test_a_vault_that_cannot_be_written_is_copied_unless_each_reading_has_to_be_noted(
    place: Place, admin: AdministeredVault
) -> None:
    with place.refusing_writes(admin):
        copied = admin.backup(place.folder / "copy.db", overwrite=False)
    admin.set_audit_reads("durable")
    with place.refusing_writes(admin), pytest.raises(VaultReadOnly):
        admin.backup(place.folder / "second.db", overwrite=False)
    assert (copied.secrets, (place.folder / "second.db").exists()) == (1, False)


def test_a_new_root_key_that_is_refused_is_in_the_trail(place: Place, admin: AdministeredVault) -> None:
    nobodys = AccountKey(AccountKey.generate())
    with pytest.raises(VaultLocked):
        admin.rotate_root([KeyFile(place.key), nobodys], [])
    with pytest.raises(InvalidRequest):
        admin.rotate_root([KeyFile(place.key)], [7])
    admin.verify()
    assert told(admin) == [
        ("root rotated", "rotate the root key", None, "wrong credential"),
        ("root rotated", "rotate the root key", None, "invalid"),
    ]


def test_many_read_together_are_a_line_each(place: Place, admin: AdministeredVault, text: Wrap) -> None:
    admin.create("OTHER", {"value": text("o")})
    admin.set_audit_reads("durable")
    read = [record.value for record in admin.read_many(["OTHER", "KEY"])]
    lines = [line for line in told(admin, 3) if line[0] == "get"]
    assert (len(read), lines) == (2, [("get", "OTHER", 1, "done"), ("get", "KEY", 1, "done")])
