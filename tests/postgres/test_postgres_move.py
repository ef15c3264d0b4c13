"""A vault that moves from a file to PostgreSQL and back stays the same vault."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest

from secretbridge import AsyncVault, AuditHead, GrantMissing, KeyFile, Local, SecretBridge, Vault
from secretbridge._vault import _move, _schema
from secretbridge.errors import InvalidRequest, VaultDamaged, VaultError

if TYPE_CHECKING:
    from postgres_server import Server

    from secretbridge._trail import Verified

ROOT = Path(__file__).parents[2]
Kind = Literal["file", "postgres"]


@dataclass(frozen=True)
class Ends:
    """Where a vault comes from and where it goes."""

    folder: Path
    server: Server
    source: str
    target: str
    elsewhere: str

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def at(self, place: str) -> Vault:
        return Vault(place, key_file=self.key)

    def taken(self, place: str) -> bool:
        """Whether something is there."""
        if "://" not in place:
            return Path(place).exists()
        schema = place.partition("schema=")[2]
        with self.server.connect() as connection:
            return connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() != (None,)


@pytest.fixture(
    params=[("file", "postgres"), ("postgres", "file"), ("postgres", "postgres"), ("file", "file")]
)
def ends(request: pytest.FixtureRequest, tmp_path: Path, postgres: Server) -> Ends:
    tmp_path.chmod(0o700)

    def place(kind: Kind, name: str) -> str:
        return str(tmp_path / f"{name}.db") if kind == "file" else postgres.url()

    source, target = request.param
    return Ends(
        tmp_path, postgres, place(source, "source"), place(target, "target"), place(source, "elsewhere")
    )


@pytest.fixture
def used(ends: Ends) -> Ends:
    """With a history: renamed, deleted, in two environments."""
    with SecretBridge(Local(ends.source, key_file=ends.key)) as bridge:
        bridge.create_secret("A", value="one", description="d")
        bridge.update_secret("A", value="two")
        bridge.create_secret("B", value="b" * 5000)
        bridge.update_secret("B", new_name="C", protected=True)
        bridge.create_secret("GONE", value="g")
        bridge.delete_secret("GONE")
    with SecretBridge(Local(ends.source, "production", key_file=ends.key)) as bridge:
        bridge.create_secret("A", value="production")
    return ends


def test_there_and_back_again_everything_is_the_same(used: Ends) -> None:
    seen: list[tuple[int, int]] = []
    with used.at(used.source) as vault:
        before = vault.audit_head()
        moved = vault.move_to(used.target, progress=lambda done, total: seen.append((done, total)))
        head, lines, history = vault.audit_head(), list(vault.audit()), vault.history("A")
        assert (moved, lines[-1].name, len(lines)) == (vault.verify(), "move", before.sequence + 1)
    with used.at(used.target) as vault:
        assert (vault.verify(), vault.verify_audit(head)) == (moved, head)
        assert (list(vault.audit()), vault.history("A")) == (lines, history)
        assert vault.version("A", 1).reveal() == "one"
        assert vault.undelete("GONE").name == "GONE"
        assert vault.move_to(used.elsewhere).entries == moved.entries + 2
    with SecretBridge(Local(used.elsewhere, key_file=used.key)) as bridge:
        assert [bridge.get_secret(name).reveal() for name in ("A", "C", "GONE")] == ["two", "b" * 5000, "g"]
        assert bridge.update_secret("A", value="three").version == 3
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("ends", [("file", "postgres"), ("postgres", "file")], indirect=True)
def test_slots_grants_shared_secrets_a_purge_and_a_half_done_rekey_go_there_and_back(ends: Ends) -> None:
    def stop(done: int, _total: int) -> None:
        if done > 4:
            raise LookupError

    def state(vault: Vault) -> list[object]:
        names = ("A", "B", "MOVED", "SHARED")
        return [
            vault.slots.list(), vault.principals.list(), vault.environments.list(), vault.retention(),
            [vault.describe(name) for name in names], [vault.history(name) for name in names],
            list(vault.audit()), vault.audit_head(), vault.verify_audit(None), vault.verify(),
        ]  # fmt: skip

    second = KeyFile(ends.folder / "second.key")
    with SecretBridge(Local(ends.source, key_file=ends.key)) as bridge, ends.at(ends.source) as vault:
        for name in ("A", "B", "GONE", "SHARED", "OLD"):
            bridge.create_secret(name, value="one")
            bridge.update_secret(name, value="two")
        bridge.update_secret("OLD", new_name="MOVED")
        bridge.delete_secret("GONE")
        bridge.delete_secret("B")
        vault.share("SHARED")
        vault.environments.add("qa")
        vault.slots.add(second, label="second")
        key = vault.principals.add_service_account(
            "robot", roles=["lister"], permissions=["update_secret_from_service:A"], environments=["qa"]
        )
        key = vault.principals.renew_key("robot")
        vault.principals.set_environments("robot", ["development"])
        vault.set_retention(versions=5, days=None)
        vault.purge("GONE", deleted=True)
        vault.purge("A", older_versions=True)
        vault.undelete("B")
        with pytest.raises(LookupError):
            vault.rekey(progress=stop, batch=2)
        assert vault._vault()._keyring.rekeying
        vault.move_to(ends.target)
        whole = state(vault)
    with ends.at(ends.target) as there:
        assert state(there) == whole
        there.move_to(ends.elsewhere)
        whole = state(there)
    with Vault(ends.elsewhere, credential=second) as back:
        assert state(back) == whole
        with SecretBridge(Local(ends.elsewhere, account_key=key)) as robot:
            assert robot.update_secret("A", value="three").version == 3
            with pytest.raises(GrantMissing):
                robot.get_secret("A")
        back.rekey()
        assert back.verify_audit(whole[7]).sequence == whole[-1].entries + 3  # type: ignore[arg-type, attr-defined] # as state() has them
        with SecretBridge(Local(ends.elsewhere, "qa", credential=second)) as elsewhere:
            assert elsewhere.get_secret("SHARED").reveal() == "two"


def test_a_place_with_a_vault_is_refused_and_both_stay(used: Ends) -> None:
    with used.at(used.target) as other:
        before = other.audit_head()
        with (
            used.at(used.source) as vault,
            pytest.raises(VaultError, match=r"a vault at .* already") as caught,
        ):
            vault.move_to(used.target)
        assert (caught.value.applied, caught.value.__context__) == (False, None)
        assert other.audit_head() == before != vault.audit_head()


def test_a_vault_that_somebody_makes_there_meanwhile_is_left_alone(
    used: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_after_the_look(*_arguments: object) -> None:
        with used.at(used.target) as other:
            heads.append(other.audit_head())

    heads: list[AuditHead] = []
    monkeypatch.setattr(_move, "check_free", made_after_the_look)
    with used.at(used.source) as vault, pytest.raises(VaultError, match=r"a vault at .* already"):
        vault.move_to(used.target)
    with used.at(used.target) as other:
        assert [other.audit_head()] == heads


def test_what_somebody_wrote_to_the_place_meanwhile_makes_the_outcome_unknown(
    used: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_to(source: Any, keyring: Any, target: Any, *more: Any) -> Verified:
        look = target.snapshot

        def after_a_write(work: Any) -> Any:
            with SecretBridge(Local(used.target, key_file=used.key)) as bridge:
                bridge.create_secret("MEANWHILE", value="v")
            return look(work)

        target.snapshot = after_a_write
        return moved(source, keyring, target, *more)

    moved = _move.move
    monkeypatch.setattr(_move, "move", written_to)
    with used.at(used.source) as vault, pytest.raises(VaultError, match="Somebody wrote to") as caught:
        vault.move_to(used.target)
    with SecretBridge(Local(used.target, key_file=used.key)) as bridge:
        assert (caught.value.applied, bridge.get_secret("MEANWHILE").reveal()) == (None, "v")


def test_a_vault_does_not_move_onto_itself(used: Ends) -> None:
    with used.at(used.source) as vault:
        with pytest.raises(VaultError):
            vault.move_to(used.source)
        assert vault.verify().entries == 8


def test_a_damaged_vault_is_not_moved(used: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_one(rows: object, copy: object, progress: object = None) -> None:
        whole(rows, copy, progress)  # type: ignore[arg-type]  # handed on
        copy._execute("DELETE FROM value WHERE version = 2")  # type: ignore[attr-defined]

    whole = _move.copy_rows
    monkeypatch.setattr(_move, "copy_rows", without_one)
    with used.at(used.source) as vault, pytest.raises(VaultDamaged):
        vault.move_to(used.target)
    assert not used.taken(used.target)


KILLED = """
import os, sys
from secretbridge import Vault
from secretbridge._vault import _move
_move._STEP = 1
with Vault(sys.argv[1], key_file=sys.argv[2]) as vault:
    vault.move_to(sys.argv[3], progress=lambda done, total: done == {at} and os.kill(os.getpid(), 9))
"""


@pytest.mark.parametrize("at", [1, 8, "total"])
def test_a_move_that_is_killed_leaves_nothing_and_can_be_made_again(used: Ends, at: int | str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(at=at), used.source, used.key, used.target],
        env={"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    assert not used.taken(used.target)
    with used.at(used.source) as vault:
        assert vault.move_to(used.target) == vault.verify()


def test_a_writer_meanwhile_is_not_waited_for_and_what_it_writes_is_not_moved(used: Ends) -> None:
    with used.at(used.source) as vault, used.at(used.source) as other:
        head = vault.audit_head()
        vault.move_to(used.target, progress=lambda _done, _total: other.undelete("GONE"))
        assert other.audit_head().sequence == head.sequence + 2
    with used.at(used.target) as moved:
        assert [entry.name for entry in moved.audit(after=head.sequence)] == ["move"]


@pytest.mark.parametrize("wrong", ["", 7, "mysql://server/app", "postgresql://a:b/c@d/e"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="location"):
        Vault(tmp_path / "vault.db", key_file=tmp_path / "key").move_to(wrong)
    assert not (tmp_path / "vault.db").exists()


def test_the_async_face_moves_too(used: Ends) -> None:
    async def work() -> None:
        async with AsyncVault(used.source, key_file=used.key) as vault:
            assert await vault.move_to(used.target) == await vault.verify()

    anyio.run(work)
    assert used.taken(used.target)


@pytest.mark.parametrize("ends", [("file", "postgres"), ("postgres", "file")], indirect=True)
def test_a_move_takes_bounded_memory(ends: Ends) -> None:
    value = "x" * 20_000
    with SecretBridge(Local(ends.source, key_file=ends.key)) as bridge:
        bridge.create_secret("A", value=value)
    with ends.at(ends.source) as vault:
        given = {"value": bridge_value(ends)}
        vault._vault()._create_many((f"KEY{number}", given) for number in range(400))
        tracemalloc.start()
        vault.move_to(ends.target)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 400 * len(value)  # of which there are two, in value and log


def bridge_value(ends: Ends) -> object:
    with SecretBridge(Local(ends.source, key_file=ends.key)) as bridge:
        return bridge.get_secret("A").value


@pytest.mark.parametrize("ends", [("postgres", "file")], indirect=True)
def test_a_backup_of_a_vault_on_postgresql_is_a_file(used: Ends) -> None:
    copy = used.folder / "copy.db"
    with used.at(used.source) as vault:
        made = vault.backup(copy)
        with pytest.raises(VaultError, match="is there already"):
            vault.backup(copy)
        vault.undelete("GONE")
        again = vault.backup(copy, overwrite=True)
        assert (made.entries + 2, again, copy.stat().st_mode & 0o777) == (
            again.entries,
            vault.verify(),
            0o600,
        )
        head = vault.audit_head()
    with used.at(str(copy)) as opened:
        assert opened.verify_audit(head) == head
    assert sorted(path.name for path in used.folder.glob("*copy*")) == ["copy.db", "copy.db.lock"]


@pytest.mark.parametrize("ends", [("postgres", "file")], indirect=True)
def test_a_backup_that_cannot_be_written_leaves_nothing(used: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    from secretbridge._vault import _sqlite

    def refuse(*_arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(_sqlite, "build", refuse)
    with used.at(used.source) as vault, pytest.raises(VaultError, match="No room") as caught:
        vault.backup(used.folder / "copy.db")
    assert (caught.value.__context__, list(used.folder.glob("*copy*"))) == (None, [])


@pytest.mark.parametrize("ends", [("postgres", "file")], indirect=True)
def test_a_backup_that_sqlite_cannot_write_leaves_nothing(used: Ends) -> None:
    with used.at(used.source) as vault:
        vault.verify()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
        try:
            with pytest.raises(VaultError) as caught:
                vault.backup(used.folder / "copy.db")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.applied, caught.value.__context__, list(used.folder.glob("*copy*"))) == (
        False,
        None,
        [],
    )


@pytest.mark.parametrize("ends", [("file", "postgres")], indirect=True)
def test_every_table_and_column_of_both_stores_is_moved(used: Ends) -> None:
    import sqlite3
    from contextlib import closing

    with used.at(used.source) as vault:
        vault.move_to(used.target)
    with closing(sqlite3.connect(used.source)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        in_file = {
            name: tuple(column[1] for column in file.execute(f"PRAGMA table_info({name})")) for name in tables
        }
    with used.server.connect() as connection:
        rows = connection.execute(
            """SELECT table_name, string_agg(column_name, ' ' ORDER BY ordinal_position)
                FROM information_schema.columns WHERE table_schema = %s GROUP BY 1""",
            (used.target.partition("schema=")[2],),
        ).fetchall()
    on_server = {name: tuple(columns.split()) for name, columns in rows if name != "secretbridge_format"}
    assert in_file == on_server == _schema.TABLES
