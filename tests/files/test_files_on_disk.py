"""What happens to the file itself: modes, links, locks, and what the operating system refuses."""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from file_cases import FORMATS, new_path, opened, read

from secretbridge import SecretBridge, errors
from secretbridge.providers import _files
from secretbridge.providers.dotenv import Dotenv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge.providers._file_provider import FileProvider

Kind = type["FileProvider"]
both = pytest.mark.parametrize("kind", FORMATS)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name != "user")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return opened(tmp_path, Dotenv, A="one")[0]


@both
@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_a_new_file_is_its_owners_alone_whatever_the_mask(tmp_path: Path, kind: Kind, mask: int) -> None:
    before = os.umask(mask)
    try:
        path, _ = opened(tmp_path, kind, A="one")
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert names(tmp_path) == [path.name]


@both
def test_the_mode_of_a_file_that_is_there_is_kept(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one")
    path.chmod(0o644)
    bridge.update_secret("A", value="two")
    assert (mode(path), read(path)) == (0o644, {"A": "two"})


def test_an_access_list_is_kept(path: Path) -> None:
    # Version 2; owner rw-, user 65534 r--, group ---, mask r--, others ---.
    entries = [(1, 6, -1), (2, 4, 65534), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    packed = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + may.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, may, who in entries
    )
    try:
        os.setxattr(path, "system.posix_acl_access", packed)
    except (AttributeError, OSError):
        return  # no such lists here
    SecretBridge(Dotenv(path)).update_secret("A", value="two")
    assert os.getxattr(path, "system.posix_acl_access") == packed


def test_a_file_that_is_replaced_keeps_its_owner(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: given.append((user, group)))
    found = list(path.stat())
    found[4:6] = [found[4] + 1, found[5] + 2]
    new = path.with_name("new")
    _files._write_new(new, _files.Content(b"content"), path, os.stat_result(found))
    assert given == [(found[4], found[5])]
    assert new.read_bytes() == b"content"


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_read_and_not_written(path: Path, bits: int) -> None:
    path.chmod(bits)
    refused(path, "can be written by others")


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_can_write_is_read_and_not_written(path: Path, bits: int) -> None:
    path.parent.chmod(bits)
    refused(path, "could exchange the file")
    assert names(path.parent) == [".env"]


def test_a_read_only_file_is_not_written(path: Path) -> None:
    path.chmod(0o444)
    refused(path, "is read-only")


def test_a_file_with_hard_links_is_read_and_not_written(path: Path) -> None:
    path.with_name("other").hardlink_to(path)
    refused(path, "has hard links")


def test_a_file_of_another_user_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o644)
    owner = path.stat().st_uid
    monkeypatch.setattr(_files, "_ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    refused(path, "belongs to another user")


def refused(path: Path, told: str) -> None:
    bridge = SecretBridge(Dotenv(path))
    assert bridge.get_secret("A").reveal() == "one"
    with pytest.raises(errors.InvalidRequest, match=told) as caught:
        bridge.update_secret("A", value="two")
    assert caught.value.applied is False
    assert path.read_bytes() == b"A=one\n"


def test_symbolic_links_stay_and_their_file_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir(mode=0o700)
    link, dangling = tmp_path / ".env", tmp_path / "later"
    link.symlink_to(folder / ".env.real")
    dangling.symlink_to(link)
    for path in (link, dangling):
        SecretBridge(Dotenv(path)).put_secret("A", value=path.name)
        assert path.is_symlink()
        assert read(folder / ".env.real") == {"A": path.name}
    assert names(folder) == [".env.real"]


@both
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, kind: Kind, make: Callable[[Path], object]
) -> None:
    path = new_path(tmp_path, kind)
    make(path)
    bridge = SecretBridge(kind(path))
    with pytest.raises(errors.InvalidRequest, match="is not a regular file"):
        bridge.list_secrets()
    with pytest.raises(errors.InvalidRequest, match="is not a regular file"):
        bridge.put_secret("A", value="v")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    bridge = SecretBridge(Dotenv(tmp_path / "absent" / ".env"))
    assert bridge.list_secrets() == []
    with pytest.raises(errors.InvalidRequest, match="absent: is not a folder"):
        bridge.put_secret("A", value="v")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.QuotaExceeded),
        (errno.EROFS, errors.PermissionDenied),
        (errno.EIO, errors.ProviderError),
    ],
)
def test_what_the_system_refuses_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[errors.ProviderError]
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(errors.ProviderError, match=os.strerror(number)) as caught:
        SecretBridge(Dotenv(path)).update_secret("A", value="canary")
    assert type(caught.value) is kind
    assert (caught.value.applied, caught.value.__cause__) == (False, None)
    assert caught.value.__suppress_context__
    assert path.read_bytes() == b"A=one\n"
    assert names(path.parent) == [".env"]


def test_a_replacement_that_the_disk_did_not_confirm_is_not_known_to_be_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(_files, "sync_folder", fail)
    with pytest.raises(errors.ProviderError, match="did not confirm") as caught:
        SecretBridge(Dotenv(path)).update_secret("A", value="two")
    assert caught.value.applied is None
    assert read(path) == {"A": "two"}


def test_what_another_program_wrote_meanwhile_is_not_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: Any = _files._write_new

    def interrupted(*arguments: object) -> None:
        before(*arguments)
        path.write_bytes(b"A=from an editor\n")

    monkeypatch.setattr(_files, "_write_new", interrupted)
    with pytest.raises(errors.Conflict) as caught:
        SecretBridge(Dotenv(path)).update_secret("A", value="two")
    assert (caught.value.applied, caught.value.transient) == (False, True)
    assert path.read_bytes() == b"A=from an editor\n"
    assert names(path.parent) == [".env"]


def test_what_changes_nothing_is_not_written(path: Path) -> None:
    path.write_bytes(b'export A = "one"\n')
    inode = path.stat().st_ino
    SecretBridge(Dotenv(path)).put_secret("A", value="one")
    assert (path.stat().st_ino, path.read_bytes()) == (inode, b'export A = "one"\n')


def test_a_lock_that_others_keep_is_waited_for_up_to_a_bound(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "PATIENCE", 0.05)
    held = _files._try_lock(_files._beside(path, "lock"))
    assert held is not None
    bridge = SecretBridge(Dotenv(path))
    with pytest.raises(errors.ProviderUnavailable, match="locked") as caught:
        bridge.update_secret("A", value="two")
    assert (caught.value.applied, caught.value.transient) == (False, True)
    assert bridge.get_secret("A").reveal() == "one"
    os.close(held)
    bridge.update_secret("A", value="two")
    assert names(path.parent) == [".env"]


def test_a_lock_file_of_others_is_left_to_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before: Any = _files._write_new
    lock = _files._beside(path, "lock")

    def interrupted(*arguments: object) -> None:
        before(*arguments)
        lock.unlink()  # by hand; and then somebody else comes
        lock.write_bytes(b"theirs")

    monkeypatch.setattr(_files, "_write_new", interrupted)
    SecretBridge(Dotenv(path)).update_secret("A", value="two")
    assert lock.read_bytes() == b"theirs"


def test_what_a_killed_process_left_is_taken_over(path: Path) -> None:
    for what in ("new", "lock"):
        _files._beside(path, what).write_bytes(b"half")
    SecretBridge(Dotenv(path)).update_secret("A", value="two")
    assert read(path) == {"A": "two"}
    assert names(path.parent) == [".env"]


def test_a_relative_path_is_fixed_when_the_provider_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    provider = Dotenv(".env")
    monkeypatch.chdir("/")
    SecretBridge(provider).put_secret("A", value="one")
    assert read(tmp_path / ".env") == {"A": "one"}


@both
def test_threads_lose_no_acknowledged_write(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind)

    def work(me: int) -> None:
        for turn in range(8):
            bridge.create_secret(f"N{me}_{turn}", value=str(turn))

    threads = [threading.Thread(target=work, args=(me,)) for me in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(path) == {f"N{me}_{turn}": str(turn) for me in range(6) for turn in range(8)}
