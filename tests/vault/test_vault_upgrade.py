"""A vault of the first format, as an older version wrote it, becomes one of the present format."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import KeyFile, Passphrase
from secretbridge._vault import _backup, _upgrade
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._openers import KEY_FILE, Opener
from secretbridge.errors import (
    InvalidRequest,
    SecretExpired,
    VaultDamaged,
    VaultError,
    VaultFull,
    VaultLocked,
    VaultReadOnly,
)

if TYPE_CHECKING:
    from vault_place import Place

pytest_plugins = ("vault_place",)

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
UPGRADING = """
import sys
from pathlib import Path
import secretbridge._vault._administered as administered
from secretbridge import KeyFile
print("ready", flush=True)
sys.stdin.readline()
administered.AdministeredVault.open(
    Path(sys.argv[1]), environment="development", credential=KeyFile(sys.argv[2])
).close()
print("upgraded", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def old(place: Place) -> Place:
    for folder in (place.file.parent, place.key.parent):
        folder.mkdir(mode=0o700)
    for source, target in (("format-1.db", place.file), ("format-1.key", place.key)):
        shutil.copyfile(DATA / source, target)
        target.chmod(0o600)
    return place


def opened(place: Place, environment: str = "development", file: Path | None = None) -> AdministeredVault:
    return AdministeredVault.open(file or place.file, environment=environment, credential=KeyFile(place.key))


def check_contents(vault: AdministeredVault) -> None:
    assert vault.get(name="STRIPE_KEY").value == "sk_live_second"
    assert vault.version("STRIPE_KEY", 1).description == "payments"
    assert vault.get(name="NEW_NAME").value == "renamed"
    with pytest.raises(SecretExpired):
        vault.get(name="EXPIRED")


def test_a_vault_of_the_first_format_is_upgraded_when_it_is_opened_and_its_copy_is_kept(old: Place) -> None:
    with closing(opened(old)) as vault:
        check_contents(vault)
        counted = vault.verify()
        assert list(vault._policy.environments) == ["development", "test", "staging", "production"]
        assert [entry.name for entry in vault.audit(0)][-1] == "format 1 to 2"
        assert [(slot.number, slot.label) for slot in vault.slots()] == [(1, "key file 1")]
        assert vault.undelete("GONE").value == "g"
        vault.verify_audit(None)
    assert old.sql("PRAGMA user_version") == [(2,)]
    copy = old.file.with_name("vault.db.format-1")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in old.file.parent.iterdir()) == [
        "vault.db", "vault.db.format-1", "vault.db.lock",
    ]  # fmt: skip
    with closing(opened(old, "production")) as vault:
        assert vault.get(name="STRIPE_KEY").value == "sk_live_production"
    again = old.folder / "again.db"
    shutil.copy(copy, again)
    with closing(opened(old, file=again)) as vault:
        check_contents(vault)
        assert vault.verify() == counted


def test_everything_works_in_an_upgraded_vault(old: Place) -> None:
    with closing(opened(old)) as vault:
        vault.add_slot(KeyFile(old.folder / "config" / "second.key"), "second")
        vault.rotate_root([KeyFile(old.key)], ["second"])
        vault.rekey(progress=None, batch=2)
        check_contents(vault)
        vault.verify()
    with closing(opened(old)) as vault:
        check_contents(vault)


def test_without_the_credential_nothing_is_copied_or_changed(old: Place) -> None:
    before = old.file.read_bytes()
    with pytest.raises(VaultLocked):
        AdministeredVault.open(old.file, environment="development", credential=Passphrase("wrong"))
    assert old.file.read_bytes() == before
    assert not old.file.with_name("vault.db.format-1").exists()


def test_an_environment_that_is_not_there_is_refused_after_the_upgrade(old: Place) -> None:
    with pytest.raises(InvalidRequest, match="no environment of this name"):
        opened(old, "moon")
    with closing(opened(old)) as vault:
        check_contents(vault)


def test_a_vault_of_the_first_format_that_cannot_be_written_is_refused_with_advice(
    old: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    before = old.file.read_bytes()
    with pytest.raises(VaultReadOnly, match=r"older format.*Open it once where it can be written"):
        opened(old)
    assert old.file.read_bytes() == before


def test_without_room_for_the_copy_the_vault_stays_as_it_was(
    old: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = old.file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(_backup, "fill", full)
        with pytest.raises(VaultFull, match="a copy of the vault"):
            opened(old)
    assert old.file.read_bytes() == before
    assert sorted(path.name for path in old.file.parent.iterdir()) == ["vault.db", "vault.db.lock"]
    with closing(opened(old)) as vault:
        check_contents(vault)


def test_a_change_that_fails_leaves_the_old_format(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_plain: bytes) -> dict[str, int]:
        raise VaultError("no")

    with monkeypatch.context() as patch:
        patch.setattr(_upgrade, "_environments", failing)
        with pytest.raises(VaultError, match="no"):
            opened(old)
    assert old.sql("PRAGMA user_version") == [(1,)]
    with closing(opened(old)) as vault:
        check_contents(vault)


def test_a_changed_vault_of_the_first_format_is_damage_and_stays(old: Place) -> None:
    old.sql("UPDATE vault SET slot_mac = zeroblob(32)")
    with pytest.raises(VaultDamaged):
        opened(old)
    assert old.sql("PRAGMA user_version") == [(1,)]
    old.sql("DROP TABLE policy")
    with pytest.raises(VaultDamaged):
        opened(old)


def test_what_another_process_upgraded_just_now_is_left_alone(old: Place) -> None:
    with closing(opened(old)) as vault:
        lines = vault.audit_head()
        _upgrade.upgrade(old.in_file(vault), Opener(KEY_FILE, b""))
        assert vault.audit_head() == lines


def test_many_that_open_at_once_upgrade_once(old: Place) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with closing(opened(old)) as vault:
                check_contents(vault)
        except BaseException as failure:  # noqa: BLE001 - whatever a thread fails with fails the test
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(opened(old)) as vault:
        assert [entry.operation for entry in vault.audit(0)].count("upgraded") == 1


@pytest.mark.parametrize(
    "plain", [b"", b"\0", b"\0\1\0\0\0\1\0\5abc", b"\0\0", b"\0\1\0\0\0\1\0\1\xff", b"\0\0x"]
)
def test_what_is_no_policy_of_the_first_format_is_damage(plain: bytes) -> None:
    with pytest.raises(VaultDamaged):
        _upgrade._environments(plain)


def test_an_upgrade_killed_at_any_moment_leaves_the_old_or_the_new_format(old: Place) -> None:
    dice = random.Random(3)  # noqa: S311 - the same moments in every run, as far as a machine has such
    formats = set()
    for turn in range(10):
        shutil.copyfile(DATA / "format-1.db", old.file)
        for left in old.file.parent.glob("vault.db?*"):
            left.unlink()
        child = subprocess.Popen(
            [sys.executable, "-c", UPGRADING, old.file, old.key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"ready\n"
        child.stdin.write(b"\n")
        child.stdin.flush()
        if turn == 9:
            assert child.stdout.readline() == b"upgraded\n"
        elif turn:
            time.sleep(dice.uniform(0, 0.06))  # the moment of the kill is what this test is about
        child.send_signal(signal.SIGKILL)
        out, problems = child.communicate(timeout=60)
        assert (child.returncode, problems) == (-signal.SIGKILL, b"")
        written = old.sql("PRAGMA user_version")
        formats.add(written[0][0])
        assert written == [(2,)] or (written, out) == ([(1,)], b"")
        if written == [(2,)]:
            assert old.file.with_name("vault.db.format-1").exists()
        with closing(opened(old)) as vault:
            check_contents(vault)
            vault.verify()
            assert not old.file.with_name("vault.db.format-1.part").exists() or written == [(2,)]
    assert formats == {1, 2}
