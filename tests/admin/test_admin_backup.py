"""Backups: whole, made while others write, and never in the way of what was there."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
from secretbridge._trail import Verified
from secretbridge.errors import InvalidRequest, VaultBusy, VaultDamaged, VaultError, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from admin_place import Home

pytest_plugins = ("admin_place",)

ROOT = Path(__file__).parents[2]
BEGINNING = """
import sys
from secretbridge import Local, SecretBridge
from secretbridge._admin import Vault
file, key, target = sys.argv[1:4]
"""
WRITING = (
    BEGINNING
    + """
with SecretBridge(Local(file, key_file=key)) as bridge:
    turn = 0
    while True:
        turn += 1
        bridge.put_secret(f"NAME_{turn % 50}", value=str(turn))
        print(turn, flush=True)
"""
)
COPYING = (
    BEGINNING
    + """
vault = Vault(file, key_file=key)
vault.audit_head()
print("open", flush=True)
while True:
    vault.backup(target, overwrite=True)
"""
)
CRAMPED = (
    BEGINNING
    + """
import resource
from secretbridge.errors import VaultError
vault = Vault(file, key_file=key)
vault.audit_head()
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (32768, before[1]))  # enough for the journal's line of it
try:
    vault.backup(target)
except VaultError as error:
    print(error.applied, error.__context__, ".copy.db." in str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""
)


def start(script: str, home: Home, target: Path, *, measured: bool = False) -> subprocess.Popen[str]:
    # Without coverage's variables unless it ends by itself: killed children leave torn data.
    kept = os.environ if measured else {}
    return subprocess.Popen(
        [sys.executable, "-c", script, home.file, home.key, target],
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def kept(home: Home) -> Path:
    """Where the backups of a vault with two secrets go."""
    with home.bridge() as bridge:
        bridge.create_secret("A", value="one")
        bridge.update_secret("A", value="two")
    with home.bridge("production") as bridge:
        bridge.create_secret("B", value="three")
    folder = home.folder / "backups"
    folder.mkdir(mode=0o700)
    return folder


def test_a_backup_opens_with_the_same_key_and_holds_everything(home: Home, kept: Path) -> None:
    copy = kept / "vault.db"
    with home.bridge() as bridge, home.vault() as admin:
        bridge.update_secret("A", value="in the journal only")
        assert admin.backup(copy) == admin.verify() == Verified(secrets=2, values=2, entries=6)
        head, history = admin.audit_head(), admin.history("A")
    assert [path.name for path in kept.iterdir()] == ["vault.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    with home.vault(file=copy) as restored:
        assert restored.verify_audit(head) == head
        assert restored.history("A") == history
        assert restored.version("A", 1).reveal() == "one"
        assert restored.verify() == (2, 2, 6)
    with SecretBridge(Local(copy, "production", key_file=home.key)) as bridge:
        assert bridge.get_secret("B").reveal() == "three"
        bridge.update_secret("B", value="a vault of its own")
    with home.bridge("production") as bridge:
        assert bridge.get_secret("B").reveal() == "three"


def test_a_backup_opens_with_the_same_passphrase_and_no_other(home: Home) -> None:
    copy = home.folder / "copy.db"
    with SecretBridge(Local(home.file, passphrase="correct horse")) as bridge:
        bridge.create_secret("A", value="one")
    with Vault(home.file, passphrase="correct horse") as admin:
        admin.backup(copy)
    with SecretBridge(Local(copy, passphrase="correct horse")) as bridge:
        assert bridge.get_secret("A").reveal() == "one"
    with Vault(copy, passphrase="another") as wrong, pytest.raises(VaultLocked):
        wrong.verify()


def test_an_existing_file_is_replaced_only_when_asked(home: Home, kept: Path) -> None:
    copy = kept / "vault.db"
    copy.write_text("mine")
    with home.vault() as admin:
        with pytest.raises(VaultError, match="there already") as caught:
            admin.backup(copy)
        assert (copy.read_text(), caught.value.applied) == ("mine", False)
        admin.backup(copy, overwrite=True)
    with home.vault(file=copy) as restored:
        assert restored.verify() == (2, 2, 5)


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal", ".lock", ".new"])
def test_the_vaults_own_files_are_no_target(home: Home, kept: Path, ending: str) -> None:
    link = home.folder / "link"
    link.symlink_to(home.file.parent)
    for folder in (home.file.parent, link, home.file.parent / ".." / "data"):
        with home.vault() as admin, pytest.raises(VaultError):
            admin.backup(folder / f"vault.db{ending}", overwrite=True)
    with home.vault() as admin:
        assert admin.verify() == (2, 2, 4)


def hard_link(home: Home, target: Path) -> None:
    target.hardlink_to(home.file)


def symbolic_link(home: Home, target: Path) -> None:
    target.symlink_to(home.file)


def folder(home: Home, target: Path) -> None:
    target.mkdir()


def folder_open_to_all(home: Home, target: Path) -> None:
    target.parent.chmod(0o777)


def no_folder(home: Home, target: Path) -> None:
    target.parent.rmdir()


def file_for_a_folder(home: Home, target: Path) -> None:
    target.parent.rmdir()
    target.parent.write_text("")


def journal(home: Home, target: Path) -> None:
    target.with_name(f"{target.name}-wal").write_text("")


UNFIT: list[Callable[[Home, Path], None]] = [
    hard_link, symbolic_link, folder, folder_open_to_all, no_folder, file_for_a_folder, journal,
]  # fmt: skip


@pytest.mark.parametrize("make", UNFIT)
def test_an_unfit_target_is_refused_and_left_alone(
    home: Home, kept: Path, make: Callable[[Home, Path], None]
) -> None:
    with home.vault() as admin:
        admin.audit_head()
        make(home, kept / "copy.db")
        before = sorted(home.folder.rglob("*"))
        with pytest.raises(VaultError) as caught:
            admin.backup(kept / "copy.db", overwrite=True)
        assert (caught.value.applied, caught.value.__context__) == (False, None)
        assert sorted(home.folder.rglob("*")) == before


@pytest.mark.parametrize("wrong", ["", None, 7, "https://backup.example"])
def test_what_is_no_path_is_refused(home: Home, wrong: str) -> None:
    with home.vault() as admin, pytest.raises(InvalidRequest, match="path"):
        admin.backup(wrong)


def test_a_damaged_vault_never_takes_the_place_of_a_good_backup(home: Home, kept: Path) -> None:
    with home.vault() as admin:
        admin.backup(kept / "copy.db")
        good = (kept / "copy.db").read_bytes()
    home.sql("UPDATE value SET sealed = zeroblob(length(sealed)) WHERE environment = 4")
    with home.vault() as admin, pytest.raises(VaultDamaged):
        admin.backup(kept / "copy.db", overwrite=True)
    assert [path.read_bytes() for path in kept.iterdir()] == [good]


def test_a_backup_without_room_leaves_nothing(home: Home, kept: Path) -> None:
    with start(CRAMPED, home, kept / "copy.db", measured=True) as child:
        assert child.stdout is not None
        assert child.stdout.read() == "False None True\n"
    assert list(kept.iterdir()) == []


def test_damage_of_a_page_in_the_vault_never_becomes_a_backup(home: Home, kept: Path) -> None:
    with closing(sqlite3.connect(home.file)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'value'")
        ((size,),) = connection.execute("PRAGMA page_size")
    with home.file.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * 64)
    with home.vault() as admin, pytest.raises(VaultDamaged, match=r"/data/vault\.db is damaged") as caught:
        admin.backup(kept / "copy.db")
    assert (caught.value.applied, caught.value.__context__, list(kept.iterdir())) == (False, None, [])


def test_a_vault_that_is_damaged_while_it_is_copied_is_named_not_the_copy(home: Home, kept: Path) -> None:
    from secretbridge._vault import _backup

    def spoil() -> None:
        with closing(sqlite3.connect(home.file)) as other:
            other.execute("UPDATE value SET epoch = epoch")
            other.commit()
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with home.file.open("r+b") as file:
            file.write(b"\xff" * 100)

    with home.vault() as admin:
        inner = admin._vault()
        with pytest.raises(VaultDamaged, match=r"/data/vault\.db ") as caught:
            _backup.backup(inner._store, inner._keyring, kept / "copy.db", overwrite=False, begin=spoil)
    assert (caught.value.__context__, list(kept.iterdir())) == (None, [])


def test_a_backup_that_may_not_outlast_a_power_failure_is_of_unknown_outcome(
    home: Home, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("secretbridge._vault._backup.sync_folder", refuse)
    with home.vault() as admin, pytest.raises(VaultError, match="writing the backup") as caught:
        admin.backup(kept / "copy.db")
    with home.vault(file=kept / "copy.db") as copy:
        assert (caught.value.applied, caught.value.__context__, copy.verify().secrets) == (None, None, 2)


def test_a_backup_does_not_wait_for_ever_where_another_program_keeps_the_vault_locked() -> None:
    from secretbridge._vault import _backup

    with pytest.raises(VaultBusy):
        _backup._stop_waiting(sqlite3.SQLITE_BUSY, 3, 3)
    _backup._stop_waiting(sqlite3.SQLITE_DONE, 0, 3)


def test_backups_made_under_a_writing_process_are_whole_moments(home: Home, kept: Path) -> None:
    seen = []
    with home.vault() as admin, start(WRITING, home, kept) as child:
        assert child.stdout is not None
        for number in range(5):
            told = int(child.stdout.readline())
            admin.backup(kept / f"{number}.db")
            with home.vault(file=kept / f"{number}.db") as copy:
                verified = copy.verify()
                newest = max(int(copy.version(s, n).reveal()) for s, n in newest_versions(copy))
            # Exactly the lines up to one put: the four before the child began, and one for each of its own.
            assert verified.entries == 5 + number + newest  # each backup is a line too
            assert newest >= told
            seen.append(newest)
        child.kill()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def newest_versions(vault: Vault) -> list[tuple[str, int]]:
    newest = {entry.name: entry.version for entry in vault.audit(after=4)}
    return [(name, version) for name, version in newest.items() if name and version]


def test_a_kill_during_a_backup_leaves_the_old_copy_or_a_whole_new_one(home: Home, kept: Path) -> None:
    target = kept / "copy.db"
    dice = random.Random(5)  # noqa: S311 - the same moments in every run, as far as a machine has such
    parts = 0
    with home.bridge() as bridge, home.vault() as admin:
        some = bridge.get_secret("A").value
        admin._vault()._create_many([(f"MANY_{n}", {"value": some}) for n in range(300)])
        for _ in range(8):
            with start(COPYING, home, target) as child:
                assert child.stdout is not None
                child.stdout.readline()
                time.sleep(dice.uniform(0, 0.1))  # the moment of the kill is what this test is about
                child.send_signal(signal.SIGKILL)
            leftovers = [path for path in kept.iterdir() if path != target]
            parts += len(leftovers)
            for part in leftovers:
                assert part.name.startswith(".copy.db.")
                assert part.stat().st_mode & 0o777 == 0o600
                part.unlink()
            if target.exists():
                alone = shutil.copy(target, home.folder / "looked-at.db")
                os.chmod(alone, 0o600)  # noqa: PTH101 - what copy gives is a path or a str
                with home.vault(file=Path(alone)) as copy:
                    checked = copy.verify()
                # Each backup has a line of its own in the trail, and there were many.
                assert (checked[:2], checked.entries >= 304) == ((302, 302), True)
        admin.backup(target, overwrite=True)
        admin.verify()
    assert parts > 0
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
