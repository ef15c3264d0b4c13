"""Files and folders that are not as they should be: a clear error, and nothing lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from secretbridge._vault import KeyFile, Vault, _files, _schema, _sqlite
from secretbridge._vault._lock import FileLock
from secretbridge.errors import VaultBusy, VaultDamaged, VaultError, VaultFull, VaultReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def filled(place: Place, text: Wrap) -> Place:
    with closing(place.open()) as vault:
        vault._create_many((f"KEY{number}", {"value": text(f"v{number}")}) for number in range(30))
    return place


def test_an_empty_file_is_damage_and_stays_empty(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    place.file.touch(mode=0o600)
    with pytest.raises(VaultDamaged, match="is empty"):
        place.open()
    assert place.file.read_bytes() == b""


@pytest.mark.parametrize("size", [1, 15, 50, 100, 511, 1024, 4095, 4096, 4097, 8192, 20000])
def test_a_file_cut_short_is_damage_and_stays_as_it_is(filled: Place, size: int) -> None:
    whole = filled.file.read_bytes()
    assert len(whole) > size
    filled.file.write_bytes(whole[:size])
    with pytest.raises(VaultDamaged, match=r"cut short|no SQLite database|not a vault"):
        filled.open()
    assert filled.file.read_bytes() == whole[:size]


def test_what_is_no_database_is_called_so_and_left_alone(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    content = b"STRIPE_KEY=sk_live\n" * 500
    place.file.write_bytes(content)
    place.file.chmod(0o600)
    with pytest.raises(VaultDamaged, match="no SQLite database"):
        place.open()
    assert place.file.read_bytes() == content


def test_a_foreign_database_is_called_so_and_left_alone(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    place.sql("CREATE TABLE mine (x)")
    place.file.chmod(0o600)
    before = place.file.read_bytes()
    with pytest.raises(VaultDamaged, match="a SQLite database, but not a vault"):
        place.open()
    assert place.file.read_bytes() == before


def test_a_newer_format_asks_for_an_upgrade_and_is_left_alone(filled: Place) -> None:
    filled.sql("PRAGMA user_version = 3")
    before = filled.file.read_bytes()
    with pytest.raises(VaultError, match=r"format 3.*Upgrade secretbridge"):
        filled.open()
    assert filled.file.read_bytes() == before


@pytest.mark.parametrize("table", ["vault", "slot", "data_key", "policy", "state", "log", "secret", "value"])
def test_a_missing_table_is_damage(filled: Place, table: str) -> None:
    filled.sql(f"DROP TABLE {table}")
    with pytest.raises(VaultDamaged), closing(filled.open()) as vault:
        vault.get(name="KEY1")


@pytest.mark.parametrize("table", ["vault", "data_key", "policy", "state", "log"])
def test_an_emptied_table_is_damage(filled: Place, table: str) -> None:
    filled.sql(f"DELETE FROM {table}")  # noqa: S608 - a name from the list above
    with pytest.raises(VaultDamaged):
        filled.open()


def test_a_journal_without_its_vault_is_never_played_into_a_new_one(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    place.file.with_name("vault.db-wal").write_bytes(b"something")
    with pytest.raises(VaultDamaged, match="a part of one is"):
        place.open()
    assert sorted(path.name for path in place.file.parent.iterdir()) == ["vault.db-wal", "vault.db.lock"]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(place: Place, mode: int) -> None:
    place.file.parent.mkdir()
    place.file.parent.chmod(mode)
    with pytest.raises(VaultError, match="chmod go-w"):
        place.open()
    assert list(place.file.parent.iterdir()) == []


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_to_is_refused(filled: Place, mode: int) -> None:
    filled.file.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        filled.open()


def test_a_vault_with_hard_links_is_refused(filled: Place) -> None:
    os.link(filled.file, filled.folder / "copy.db")
    with pytest.raises(VaultError, match="hard links"):
        filled.open()


def test_a_symbolic_link_leads_to_the_vault_itself(filled: Place) -> None:
    link = filled.folder / "link.db"
    link.symlink_to(filled.file)
    with closing(Vault.open(link, environment="development", credential=KeyFile(filled.key))) as vault:
        assert vault.get(name="KEY7").value == "v7"
    assert not (filled.folder / "link.db.lock").exists()


def test_a_folder_in_the_vaults_place_is_refused(place: Place) -> None:
    place.file.mkdir(parents=True, mode=0o700)
    with pytest.raises(VaultError, match="is a folder"):
        place.open()


def test_a_file_in_the_folders_place_is_refused(place: Place) -> None:
    place.file.parent.write_text("x")
    with pytest.raises(VaultError, match=r"refused|not a folder"):
        place.open()


MOUNTS = """\
20 1 8:1 / / rw - ext4 /dev/sda rw
21 20 0:9 / /net rw shared:1 - nfs4 server:/x rw
22 20 0:8 / /net/local rw - xfs /dev/sdb rw
23 20 0:7 / /with\\040space rw - fuse.sshfs host: rw
24 20 0:6 / /twice rw - ext4 /dev/sdc rw
25 20 0:5 / /twice rw - 9p share rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/vault.db", "ext4"),
        ("/network/vault.db", "ext4"),
        ("/net/vault.db", "nfs4"),
        ("/net/local/a/vault.db", "xfs"),
        ("/with space/vault.db", "fuse.sshfs"),
        ("/twice/vault.db", "9p"),
    ],
)
def test_network_file_systems_and_fuse_are_refused_unless_allowed(
    tmp_path: Path, path: str, kind: str
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert _files.file_system_of(Path(path), str(table)) == kind
    if kind in {"ext4", "xfs"}:
        _files.check_file_system(Path(path), allowed=(), table=str(table))
    else:
        with pytest.raises(VaultError, match="network or FUSE"):
            _files.check_file_system(Path(path), allowed=(), table=str(table))
        _files.check_file_system(Path(path), allowed=(kind,), table=str(table))


def test_where_the_system_has_no_mount_table_nothing_is_refused(tmp_path: Path) -> None:
    assert _files.file_system_of(tmp_path, str(tmp_path / "none")) is None


def test_opening_asks_the_mount_table(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("20 1 8:1 / / rw - cifs //server/share rw\n")
    monkeypatch.setattr(_files, "MOUNT_TABLE", str(table))
    with pytest.raises(VaultError, match="cifs"):
        place.open()


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(filled: Place, text: Wrap) -> None:
    with closing(filled.open()) as vault:
        connection = filled.in_file(vault)._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size: no page more
        with pytest.raises(VaultFull) as caught:
            vault.create("LARGE", {"value": text("x" * 100_000)})
        assert (caught.value.applied, caught.value.__context__) == (False, None)
        assert vault.get(name="KEY3").value == "v3"
        connection.execute("PRAGMA max_page_count = 100000")
        vault.create("LARGE", {"value": text("x" * 100_000)})
        vault.verify()


UNPRIVILEGED = """
import os, sys
import urllib.parse  # what is imported later could not be read any more
from pathlib import Path
from secretbridge._vault import KeyFile, Vault
from secretbridge.errors import VaultReadOnly
if os.geteuid() == 0:  # root may write everywhere
    os.setgid(65534); os.setuid(65534)
class Text:
    def get_secret_value(self): return "w"
vault = Vault.open(Path(sys.argv[1]), environment="development", credential=KeyFile(Path(sys.argv[2])))
print(vault.get(name="KEY3").value, len(vault.list()[0]))
for write in (lambda: vault.create("NEW", {"value": Text()}), lambda: vault.delete(name="KEY3")):
    try:
        write()
    except VaultReadOnly as refused:
        print(refused.applied, refused.__context__)
vault.verify()
vault.close()
"""


@pytest.mark.parametrize("held_open", [False, True])
def test_a_vault_that_may_only_be_read_is_read_and_refuses_writes(filled: Place, *, held_open: bool) -> None:
    owner = os.geteuid()
    if owner == 0:
        for folder in [*reversed(filled.file.parents), filled.key.parent]:
            if folder.is_relative_to(Path("/tmp")) and folder != Path("/tmp"):  # noqa: S108 - pytest's own folder
                folder.chmod(0o755)
    with closing(filled.open()) as vault:
        if not held_open:
            vault.close()
        for path in (*filled.file.parent.iterdir(), filled.key):
            path.chmod(0o444 if path != filled.key else 0o400)
        filled.file.parent.chmod(0o555)
        if owner == 0:
            os.chown(filled.key, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, filled.file, filled.key],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT)},  # without coverage's variables: it could not write its data
            cwd=filled.folder,
        )
    filled.file.parent.chmod(0o755)
    assert (done.stdout.splitlines(), done.stderr) == (["v3 30", "False None", "False None"], "")


def test_a_vault_that_is_not_there_and_cannot_be_made_is_read_only(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.file.parent.mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write everywhere
    with pytest.raises(VaultReadOnly, match="There is no vault"):
        place.open()


def test_a_file_seen_as_unchanging_is_opened_anew_when_it_changes(
    filled: Place, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(filled.open()) as reader:
        store = filled.in_file(reader)
        store._drop()
        uri = f"{filled.file.as_uri()}?mode=ro&immutable=1"
        store._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        store._frozen = store._signature()
        assert reader.get(name="KEY3").value == "v3"
        with closing(filled.open()) as writer:
            writer.update({"value": text("changed")}, name="KEY3")
        assert reader.get(name="KEY3").value == "changed"


def test_a_file_seen_as_unchanging_that_goes_away_is_a_clear_error(filled: Place) -> None:
    with closing(filled.open()) as reader:
        store = filled.in_file(reader)
        store._drop()
        uri = f"{filled.file.as_uri()}?mode=ro&immutable=1"
        store._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        store._frozen = store._signature()
        filled.file.unlink()
        with pytest.raises(VaultError, match="removed or replaced") as caught:
            reader.get(name="KEY3")
        assert (caught.value.applied, caught.value.__context__) == (False, None)
        assert not filled.file.exists()


def test_a_vault_file_replaced_while_open_is_not_written_to(filled: Place, text: Wrap) -> None:
    with closing(filled.open()) as vault:
        copy = filled.file.read_bytes()
        new = filled.file.with_name("restored")
        new.write_bytes(copy)
        new.chmod(0o600)
        new.rename(filled.file)
        with pytest.raises(VaultError, match="removed or replaced") as caught:
            vault.update({"value": text("w")}, name="KEY3")
        assert caught.value.applied is False
        with closing(filled.open()) as other:
            other.update({"value": text("kept")}, name="KEY3")
            vault.close()  # must not take away the journal that is the other's now
            other.update({"value": text("kept too")}, name="KEY4")
    with closing(filled.open()) as vault:
        assert [vault.get(name=name).value for name in ("KEY3", "KEY4")] == ["kept", "kept too"]


def test_a_folder_removed_while_open_is_a_clear_error(filled: Place, text: Wrap) -> None:
    with closing(filled.open()) as vault:
        for path in filled.file.parent.iterdir():
            path.unlink()
        filled.file.parent.rmdir()
        with pytest.raises(VaultError) as caught:
            vault.update({"value": text("w")}, name="KEY3")
        assert caught.value.applied is False


def test_a_read_whose_connection_another_thread_gave_up_just_then_opens_it_anew(filled: Place) -> None:
    with closing(filled.open()) as vault:
        store: Any = filled.in_file(vault)
        free = store._using
        given_up: list[object] = []

        class Meanwhile:
            """The lock, before which another thread has its turn, once."""

            def __enter__(self) -> None:
                free.acquire()
                if not given_up:
                    given_up.append(store._connection)
                    store._drop()

            def __exit__(self, *_: object) -> None:
                free.release()

        store._using = Meanwhile()
        assert vault.get(name="KEY3").value == "v3"
        store._using = free
        assert given_up != [store._connection]


def test_waiting_for_the_lock_is_bounded_and_reads_go_on_meanwhile(filled: Place, text: Wrap) -> None:
    other = FileLock(filled.file.with_name("vault.db.lock"), must_exist=False)
    with closing(filled.open(busy_timeout=0.2)) as vault:
        other.acquire(time.monotonic())
        begin = time.monotonic()
        with pytest.raises(VaultBusy) as caught:
            vault.update({"value": text("w")}, name="KEY3")
        assert 0.2 <= time.monotonic() - begin < 2
        assert (caught.value.applied, caught.value.transient) == (False, True)
        assert vault.get(name="KEY3").value == "v3"
        other.release()
        assert vault.update({"value": text("w")}, name="KEY3").value == "w"
    other.close()


def test_a_lock_file_taken_away_is_made_anew(filled: Place, text: Wrap) -> None:
    with closing(filled.open()) as vault:
        filled.file.with_name("vault.db.lock").unlink()
        vault.update({"value": text("w")}, name="KEY3")
        assert filled.file.with_name("vault.db.lock").exists()


def test_a_foreign_program_that_holds_the_database_is_waited_for_and_then_named(
    filled: Place, text: Wrap
) -> None:
    with closing(filled.open()) as vault, closing(sqlite3.connect(filled.file)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(VaultBusy, match="Another program") as caught:
            vault.update({"value": text("w")}, name="KEY3")
        assert (caught.value.applied, caught.value.__context__) == (False, None)


def test_every_setting_holds_on_every_connection(filled: Place) -> None:
    with closing(filled.open()) as vault:
        connection = filled.in_file(vault)._connection
        assert connection is not None
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", *(name for name, _, _ in _schema.PRAGMAS))
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "mmap_size": 0,
        "temp_store": 2,
        "cache_size": -8192,
    }


def test_a_setting_that_does_not_hold_is_an_error(filled: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PRAGMAS", (("synchronous", "OFF", 2),))
    with pytest.raises(VaultError, match="does not keep synchronous"):
        filled.open()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, VaultFull),
        (errno.EDQUOT, VaultFull),
        (errno.EROFS, VaultReadOnly),
        (errno.EACCES, VaultReadOnly),
        (errno.EPERM, VaultReadOnly),
        (errno.EIO, VaultError),
    ],
)
def test_what_the_system_refuses_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[VaultError]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_files, "write_new", refuse)
    with pytest.raises(VaultError) as caught:
        place.open()
    assert (type(caught.value), caught.value.__context__) == (kind, None)
    assert [path.name for path in place.key.parent.iterdir()] == []


def test_a_vault_whose_creation_fails_leaves_nothing_behind(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(_sqlite, "build", refuse)
        with pytest.raises(VaultFull):
            place.open()
    assert [path.name for path in place.file.parent.iterdir()] == ["vault.db.lock"]
    place.open().close()


def test_a_lock_file_that_cannot_be_made_is_a_clear_error(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    place.file.with_name("vault.db.lock").symlink_to("elsewhere")
    with pytest.raises(VaultError, match="lock file"):
        place.open()


def test_a_vault_of_another_user_is_refused(filled: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(_files, "_ROOT", 4711)
    with pytest.raises(VaultError, match="belongs to another user"):
        filled.open()


def test_a_closed_vault_is_read_where_sqlite_cannot_put_its_files(
    filled: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _sqlite._prepared

    def refuse(path: Path, options: str, *, read_only: bool) -> sqlite3.Connection:
        if options == "mode=ro":
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, options, read_only=read_only)

    monkeypatch.setattr(_sqlite, "_prepared", refuse)
    connection, frozen = _sqlite.connect(filled.file, read_only=True)
    assert (connection.execute("SELECT count(*) FROM value").fetchone(), frozen) == ((30,), True)
    connection.close()
    filled.file.with_name("vault.db-wal").touch()
    with pytest.raises(sqlite3.OperationalError):
        _sqlite.connect(filled.file, read_only=True)


def test_every_failure_of_sqlite_has_a_meaning() -> None:
    for code, kind in {
        sqlite3.SQLITE_FULL: VaultFull,
        sqlite3.SQLITE_IOERR_SHMSIZE: VaultFull,
        sqlite3.SQLITE_BUSY_SNAPSHOT: VaultBusy,
        sqlite3.SQLITE_READONLY_DBMOVED: VaultReadOnly,
        sqlite3.SQLITE_NOTADB: VaultDamaged,
        sqlite3.SQLITE_CORRUPT_VTAB: VaultDamaged,
        sqlite3.SQLITE_CANTOPEN: VaultError,
        sqlite3.SQLITE_IOERR_FSYNC: VaultError,
    }.items():
        problem = sqlite3.OperationalError("the text of SQLite")
        problem.sqlite_errorcode = code
        error = _sqlite.translated(problem, Path("vault.db"))
        assert (type(error), "text of SQLite" in str(error)) == (kind, False)
    undecodable = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "reason")
    assert type(_sqlite.translated(undecodable, Path("vault.db"))) is VaultDamaged
