"""A vault on PostgreSQL: who may do what to it, how long is waited, and what each failure is called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from authorities import Authority

from secretbridge import AccountKey, Local, SecretBridge
from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault, _postgres_schema, _postgres_session, _schema
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._postgres import PostgresStore
from secretbridge.errors import (
    Conflict,
    VaultBusy,
    VaultDamaged,
    VaultError,
    VaultFull,
    VaultLocked,
    VaultReadOnly,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_place import Spot, Text, Wire
    from postgres_server import Server

    from secretbridge._credentials import Credential
    from secretbridge._vault._rows import Rows

    Wrap = Callable[[str], Text]

pytest_plugins = ("postgres_place",)

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")


def a_role(spot: Spot, *grants: str, options: str = "LOGIN") -> str:
    """A role of this test's alone; ``ROLE`` and ``SCHEMA`` in the grants are its own."""
    role = f"r_{spot.schema}"
    spot.sql(f"CREATE ROLE {role} {options}")
    for grant in grants:
        spot.sql(grant.replace("ROLE", role).replace("SCHEMA_", spot.schema))
    return role


def documented_grants(spot: Spot, role: str = "payments") -> str:
    """A role with exactly what the document gives one, by default the everyday one."""
    text = "\n".join(re.findall(rf"^GRANT .* TO {role};$", DOCUMENT, re.MULTILINE))
    text = text.replace("SCHEMA secretbridge", f"SCHEMA {spot.schema}")
    text = text.replace("secretbridge.", f"{spot.schema}.").replace(role, "ROLE")
    return a_role(spot, *text.splitlines())


def administered(
    spot: Spot, role: str = "postgres", credential: Credential | None = None
) -> AdministeredVault:
    return AdministeredVault.open(
        PostgresUrl(spot.url(user=role)),
        environment="development",
        credential=credential or KeyFile(spot.key),
    )


def an_account(vault: AdministeredVault, *roles: str) -> AccountKey:
    key = AccountKey(AccountKey.generate())
    vault.add_principal(
        "robot", "service", key, roles=roles, permissions=(), environments=None, expires_at=None
    )
    return key


def stop(done: int, _total: int) -> None:
    if done:
        raise LookupError


def described(error: VaultError) -> tuple[type[VaultError], bool | None, bool, BaseException | None]:
    return type(error), error.applied, error.transient, error.__context__


# Roles


def test_the_everyday_role_of_the_document_does_the_everyday_work(
    spot: Spot, vault: Vault, text: Wrap
) -> None:
    role = documented_grants(spot)
    with closing(spot.open(url=spot.url(user=role))) as daily:
        made = daily.create("A", {"value": text("v")})
        daily.put("A", {"value": text("w")})
        daily.update({"value": text("x"), "new_name": "B"}, name="A")
        daily.delete(name="B")
        assert daily.create("A", {"value": text("y")}).id != made.id
        assert daily.get(name="A").value == "y"
        assert [record.name for record in daily.list()[0]] == ["A"]
        assert daily.verify() == vault.verify()
        assert spot.store(daily).read_only is False


def test_the_everyday_role_works_on_under_retention_on_shared_secrets_with_audited_reads_and_in_a_rekey(
    spot: Spot, text: Wrap
) -> None:
    with closing(administered(spot)) as owner:
        owner._create_many((name, {"value": text("v")}) for name in ("A", "B", "C", "SHARED"))
        owner.share("SHARED", ())
        owner.set_retention(1, 1)
        owner.set_audit_reads("durable")
        key = an_account(owner, "writer", "reader")
        role = documented_grants(spot)
        with closing(administered(spot, role)) as daily, closing(administered(spot, role, key)) as robot:
            for vault in (daily, robot):
                assert vault.put("A", {"value": text("w")}).version > 1
                assert vault.get(name="SHARED").value == "v"
            assert [step.purged for step in daily.history(name="A")] == [False, True, True]
            owner.set_audit_reads("batched")
            with pytest.raises(LookupError):
                owner.rekey(progress=stop, batch=1)
            assert daily.update({"value": text("x")}, name="SHARED").version == 3
            assert daily.update({"new_name": "D"}, name="B").name == "D"
            daily.delete(name="C")
            assert daily.create("C", {"value": text("y")}).version > 1
            assert robot.update({"value": text("z")}, name="A").version == 4
            assert daily.verify() == owner.verify()
            owner.rekey(progress=None, batch=100)
            daily.delete(name="SHARED")
            assert [record.name for record in robot.list()[0]] == ["A", "D", "C"]
        assert {entry.outcome for entry in owner.audit(0)} == {"done"}
        assert owner.verify_audit(None) == owner.audit_head()


def test_the_administering_role_of_the_document_does_everything_but_the_tables(
    spot: Spot, text: Wrap
) -> None:
    administered(spot).close()
    role = documented_grants(spot, "vault_admin")
    second = KeyFile(spot.key.with_name("second.key"))
    with closing(administered(spot, role)) as admin:
        admin._create_many((name, {"value": text("v")}) for name in ("A", "B", "C"))
        admin.delete(name="B")
        admin.undelete("B")
        admin.restore("A", 1)
        admin.share("A", ())
        admin.unshare("A")
        admin.add_environment("qa")
        admin.rename_environment("qa", "trial")
        admin.set_retention(2, None)
        admin.set_audit_reads("durable")
        key = an_account(admin, "reader")
        admin.renew_key("robot", key)
        admin.remove_principal("robot")
        admin.add_slot(second, "second")
        admin.change_slot("second", second)
        admin.delete(name="C")
        assert admin.purge(None, older_versions=True, deleted=True)[:1] == (1,)
        admin.rekey(progress=None, batch=2)
        assert [slot.number for slot in admin.rotate_root([KeyFile(spot.key)], ["second"])] == [1]
        admin.rekey(progress=None, batch=100)
        admin.set_audit_reads("off")
        assert admin.backup(spot.folder / "copy.db", overwrite=False) == admin.verify()
    for statement in (
        "DELETE FROM log",
        "DELETE FROM state",
        "UPDATE log SET sequence = 9",
        "DROP TABLE log",
    ):
        with (
            spot.server.connect(spot.schema, user=role) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(statement.encode())


def test_the_everyday_role_administers_nothing_whatever_the_vault_permits(spot: Spot, text: Wrap) -> None:
    with closing(administered(spot)) as owner:
        an_account(owner, "reader")
        owner.create("GONE", {"value": text("v")})
        owner.delete(name="GONE")
        before = owner.verify()
        with closing(administered(spot, documented_grants(spot))) as daily:
            attempts: list[Callable[[], object]] = [
                lambda: daily.add_slot(KeyFile(spot.key.with_name("second.key")), "second"),
                lambda: daily.remove_principal("robot"),
                lambda: daily.rekey(progress=None, batch=10),
                lambda: daily.rotate_root([KeyFile(spot.key)], [2]),
                lambda: daily.set_retention(1, None),
                lambda: daily.purge(None, older_versions=False, deleted=True),
            ]
            for attempt in attempts:
                with pytest.raises(VaultReadOnly, match="may not do this") as caught:
                    attempt()
                assert (caught.value.applied, caught.value.__context__) == (False, None)
        assert owner.verify() == before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log",
        "UPDATE log SET version = 9",
        "TRUNCATE log",
        "UPDATE policy SET sealed = ''",
        "DELETE FROM slot",
        "INSERT INTO data_key VALUES (2, '')",
        "DROP TABLE log",
        "CREATE TABLE mine (x integer)",
    ],
)
def test_the_everyday_role_can_do_nothing_else(
    spot: Spot, vault: Vault, postgres: Server, statement: str
) -> None:
    role = documented_grants(spot)
    with (
        postgres.connect(spot.schema, user=role) as daily,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        daily.execute(statement.replace("mine", f"{spot.schema}.mine").encode())
    assert vault.verify() == (0, 0, 1)


def test_a_role_that_may_only_read_reads_and_writes_nothing(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("v")})
    grants = ("GRANT USAGE ON SCHEMA SCHEMA_ TO ROLE", "GRANT SELECT ON ALL TABLES IN SCHEMA SCHEMA_ TO ROLE")
    with closing(spot.open(url=spot.url(user=a_role(spot, *grants)))) as reader:
        assert reader.get(name="A").value == "v"
        assert spot.store(reader).read_only is True
        with pytest.raises(VaultReadOnly, match="may not do this") as caught:
            reader.update({"value": text("w")}, name="A")
        assert described(caught.value) == (VaultReadOnly, False, False, None)
        assert reader.verify() == (1, 1, 2)
        with closing(administered(spot)) as owner:
            owner.set_audit_reads("durable")
        with pytest.raises(VaultReadOnly):  # a read that cannot be noted
            reader.get(name="A")


def test_a_role_without_any_grant_is_told_so(spot: Spot, vault: Vault) -> None:
    vault.close()
    with pytest.raises(VaultError, match="may not do this") as caught:
        spot.open(url=spot.url(user=a_role(spot)))
    assert described(caught.value) == (VaultError, False, False, None)


def test_a_role_that_may_create_nothing_makes_no_vault_and_no_key_file(spot: Spot) -> None:
    with pytest.raises(VaultReadOnly, match="may not do this"):
        spot.open(url=spot.url(user=a_role(spot)))
    assert spot.sql("SELECT to_regnamespace(%s)", spot.schema) == [(None,)]


def test_a_session_that_is_read_only_reads(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("v")})
    url = spot.url(options="-cdefault_transaction_read_only=on")
    with closing(spot.open(url=url)) as standby:
        assert standby.get(name="A").value == "v"
        assert spot.store(standby).read_only is True
        with pytest.raises(VaultReadOnly, match="read-only") as caught:
            standby.delete(name="A")
        assert described(caught.value) == (VaultReadOnly, False, False, None)


# Durability


@pytest.mark.parametrize(
    ("set_to", "kept"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")]
)
def test_commits_wait_for_the_disk_whatever_the_role_is_set_to(
    spot: Spot, vault: Vault, text: Wrap, set_to: str, kept: str
) -> None:
    role = documented_grants(spot)
    spot.sql(f"ALTER ROLE {role} SET synchronous_commit = {set_to}")
    with closing(spot.open(url=spot.url(user=role))) as daily:
        daily.create("A", {"value": text("v")})
        session = spot.store(daily)._writer.session
        assert session is not None
        found = [
            session.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert found == [(kept,), ("10s",), ("1min",)]


def test_a_session_that_lost_its_durability_commits_nothing(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("v")})
    session = spot.store(vault)._writer.session
    assert session is not None
    session.execute("SET synchronous_commit = off")  # as a pool that hands out another session
    with pytest.raises(VaultError, match="synchronous_commit") as caught:
        vault.update({"value": text("w")}, name="A")
    assert (caught.value.applied, vault.get(name="A").value) == (False, "v")


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("DURABLE", (), VaultError), ("_SETTINGS", "SELECT 1 / 0, %s, %s, %s", VaultDamaged)],
)
def test_a_session_whose_settings_do_not_hold_is_not_used(
    spot: Spot, monkeypatch: pytest.MonkeyPatch, name: str, value: object, kind: type[VaultError]
) -> None:
    monkeypatch.setattr(_postgres_session, name, value)
    error = refused(spot, spot.url())
    assert (type(error), error.applied) == (kind, False)


# Writers


def test_waiting_for_another_writer_is_bounded_and_reads_go_on(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("v")})
    with closing(spot.open(busy_timeout=0.2)) as other, spot.server.connect(spot.schema) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM state FOR UPDATE")
        waiting = threading.Thread(target=lambda: vault.update({"value": text("w")}, name="A"))
        waiting.start()
        begin = time.monotonic()
        with pytest.raises(VaultBusy) as caught:
            other.update({"value": text("x")}, name="A")
        assert 0.2 <= time.monotonic() - begin < 5
        assert described(caught.value) == (VaultBusy, False, True, None)
        assert (vault.get(name="A").value, other.get(name="A").value) == ("v", "v")
        holder.execute("COMMIT")
        waiting.join()
        assert other.update({"value": text("x")}, name="A").version == 3


def test_a_thread_waits_for_another_no_longer(spot: Spot, vault: Vault) -> None:
    vault.close()
    short = spot.open(busy_timeout=0.05)
    with closing(short), spot.store(short)._writer.using, pytest.raises(VaultBusy, match="Another thread"):
        short.delete(name="A")


def test_of_two_writers_with_the_same_version_exactly_one_wins(spot: Spot, vault: Vault, text: Wrap) -> None:
    rounds, outcomes = 25, []
    vault.create("A", {"value": text("0")})
    start = threading.Barrier(2)

    def write(mine: Vault) -> None:
        for turn in range(rounds):
            start.wait()
            try:
                mine.update({"value": text("w")}, name="A", if_version=turn + 1)
                outcomes.append("won")
            except Conflict as lost:
                outcomes.append(f"lost to {lost.current_version == turn + 2}")

    with closing(spot.open()) as other:
        threads = [threading.Thread(target=write, args=(mine,)) for mine in (vault, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["lost to True"] * rounds + ["won"] * rounds


def test_a_transaction_that_was_rolled_back_unasked_is_not_called_done(spot: Spot, vault: Vault) -> None:
    def work(rows: Rows) -> None:
        session = spot.store(vault)._writer.session
        assert session is not None
        rows.state()
        with pytest.raises(psycopg.Error), session.pipeline():
            session.execute("SELECT no_such_column FROM state")

    with pytest.raises(VaultError) as caught:
        spot.store(vault).transact(os.urandom(16), work)
    assert caught.value.applied is False
    assert vault.verify() == (0, 0, 1)


# Failures, told by the server itself


RAISING = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{state}'; END $$"""


@pytest.mark.parametrize(
    ("state", "kind", "transient"),
    [
        ("53100", VaultFull, False),
        ("53200", VaultError, True),
        ("55P03", VaultBusy, True),
        ("40001", VaultBusy, True),
        ("40P01", VaultBusy, True),
        ("57014", VaultBusy, True),
        ("25006", VaultReadOnly, False),
        ("23505", VaultDamaged, False),
        ("22P02", VaultDamaged, False),
        ("42P01", VaultDamaged, False),
        ("XX001", VaultDamaged, False),
        ("XX002", VaultDamaged, False),
        ("0A000", VaultError, False),
    ],
)
def test_what_the_server_reports_while_writing_has_a_meaning_and_is_undone(
    spot: Spot, vault: Vault, text: Wrap, state: str, kind: type[VaultError], *, transient: bool
) -> None:
    spot.sql(RAISING.format(state=state))
    spot.sql("CREATE TRIGGER refusing BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION refuse()")
    with pytest.raises(VaultError) as caught:
        vault.create("A", {"value": text("v")})
    assert described(caught.value) == (kind, False, transient, None)
    assert "canary" not in str(caught.value)
    spot.sql("DROP TRIGGER refusing ON log")
    assert vault.create("A", {"value": text("v")}).version == 1
    assert vault.verify() == (1, 1, 2)


@pytest.mark.parametrize("table", sorted(_postgres_schema.TABLES))
def test_a_missing_table_is_damage(spot: Spot, vault: Vault, table: str) -> None:
    vault.close()
    spot.sql(f"DROP TABLE {table}")
    with pytest.raises(VaultDamaged), closing(spot.open()) as opened:
        opened.get(name="A")


@pytest.mark.parametrize("table", ["vault", "data_key", "policy", "state", "log", "secretbridge_format"])
def test_an_emptied_table_is_damage(spot: Spot, vault: Vault, table: str) -> None:
    vault.close()
    spot.sql(f"DELETE FROM {table}")  # noqa: S608 - a name from the list above
    with pytest.raises(VaultDamaged):
        spot.open()


def test_a_state_row_that_went_while_open_is_damage(spot: Spot, vault: Vault, text: Wrap) -> None:
    spot.sql("DELETE FROM state")
    with pytest.raises(VaultDamaged):
        vault.create("A", {"value": text("v")})


def test_a_writer_without_a_state_row_to_lock_has_no_turn(spot: Spot, vault: Vault) -> None:
    spot.sql("DELETE FROM state")
    with pytest.raises(VaultDamaged):
        spot.store(vault).transact(os.urandom(16), lambda _rows: None)


def test_what_stopped_a_reader_is_told_though_its_connection_was_lost_too(spot: Spot, vault: Vault) -> None:
    def work(rows: Rows) -> None:
        rows.state()
        spot.kill(spot.pid(vault, "_reader"))
        raise LookupError

    with pytest.raises(LookupError):
        spot.store(vault).snapshot(work)
    assert vault.verify() == (0, 0, 1)


def test_a_schema_dropped_while_open_is_damage(spot: Spot, vault: Vault) -> None:
    spot.sql(f"DROP SCHEMA {spot.schema} CASCADE")
    with pytest.raises(VaultDamaged) as caught:
        vault.get(name="A")
    assert described(caught.value) == (VaultDamaged, False, False, None)


def test_tables_of_somebody_else_are_left_alone(spot: Spot) -> None:
    spot.sql(f"CREATE SCHEMA {spot.schema}")
    spot.sql("CREATE TABLE log (mine integer)")
    with pytest.raises(VaultDamaged, match="no vault's"):
        spot.open()
    assert spot.sql("SELECT * FROM log") == []
    assert not spot.key.exists()


def test_a_schema_with_other_tables_can_hold_a_vault_too(spot: Spot, text: Wrap) -> None:
    spot.sql(f"CREATE SCHEMA {spot.schema}")
    spot.sql("CREATE TABLE invoices (mine integer)")
    with closing(spot.open()) as vault:
        assert vault.create("A", {"value": text("v")}).version == 1


def test_a_newer_format_asks_for_an_upgrade_and_is_left_alone(spot: Spot, vault: Vault) -> None:
    vault.close()
    spot.sql("UPDATE secretbridge_format SET format = 99")
    with pytest.raises(VaultError, match=r"format 99.*Upgrade secretbridge"):
        spot.open()
    assert spot.sql("SELECT format FROM secretbridge_format") == [(99,)]


def test_older_tables_are_brought_up_by_whoever_opens_first(
    spot: Spot, vault: Vault, text: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create("A", {"value": text("v")})
    vault.close()
    now = _schema.FILE_FORMAT
    spot.sql("UPDATE secretbridge_format SET format = %s", now - 1)
    steps = {now - 1: ("ALTER TABLE slot ADD COLUMN label bytea",)}
    monkeypatch.setattr(_postgres_schema, "MIGRATIONS", steps)
    opened, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: opened.append(spot.open())))
        threads[-1].start()
    for thread in threads:
        thread.join()
    found = [mine.get(name="A").value for mine in opened]
    for mine in opened:
        mine.close()
    assert (found, spot.sql("SELECT format FROM secretbridge_format")) == (["v"] * 3, [(now,)])
    assert spot.sql("SELECT count(label) FROM slot") == [(0,)]


def test_older_tables_that_vanish_before_they_are_brought_up_are_damage(
    spot: Spot, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.close()
    spot.sql("UPDATE secretbridge_format SET format = 0")
    store = PostgresStore(PostgresUrl(spot.url()), busy_timeout=1)
    lock = store._lock_schema

    def after_they_went(session: Any) -> None:
        spot.sql(f'DROP SCHEMA "{spot.schema}" CASCADE')
        lock(session)

    monkeypatch.setattr(store, "_lock_schema", after_they_went)
    with closing(store), pytest.raises(VaultDamaged) as caught:
        store.connect()
    assert (caught.value.__context__, spot.sql("SELECT to_regnamespace(%s)", spot.schema)) == (
        None,
        [(None,)],
    )


def test_tables_that_no_step_leads_from_are_damage(spot: Spot, vault: Vault) -> None:
    vault.close()
    spot.sql("UPDATE secretbridge_format SET format = 0")
    with pytest.raises(VaultDamaged, match="format 0"):
        spot.open()
    assert spot.sql("SELECT format FROM secretbridge_format") == [(0,)]


def test_a_vault_that_is_not_there_is_only_created_where_that_is_asked_for(spot: Spot) -> None:
    from secretbridge._vault._storage import store_at

    store = store_at(PostgresUrl(spot.url()), busy_timeout=1)
    with closing(store), pytest.raises(VaultError, match="There is no vault"):
        store.connect()
    assert spot.sql("SELECT to_regnamespace(%s)", spot.schema) == [(None,)]


def test_a_key_file_that_is_another_vaults_does_not_open_it(spot: Spot, vault: Vault) -> None:
    other = spot.folder / "other.key"
    Vault.open(spot.folder / "other.db", environment="test", credential=KeyFile(other)).close()
    with pytest.raises(VaultLocked):
        Vault.open(PostgresUrl(spot.url()), environment="test", credential=KeyFile(other))


# Connecting


def refused(spot: Spot, url: str) -> VaultError:
    with pytest.raises(VaultError) as caught:
        spot.open(url=url)
    assert caught.value.__context__ is None
    return caught.value


def test_a_server_that_is_down_is_told_at_once_and_may_come_back(spot: Spot) -> None:
    error = refused(spot, spot.url(host=spot.folder))
    assert ("cannot be reached" in str(error), *described(error)) == (True, VaultError, False, True, None)


@pytest.mark.parametrize("password", ["wr0ng-canary", None])
def test_a_password_that_is_wrong_or_missing_is_told_and_not_shown(spot: Spot, password: str | None) -> None:
    user = "locked" if password is None else f"locked:{password}"
    error = refused(spot, spot.url(user=user))
    assert "password" in str(error)
    assert (error.transient, "canary" in repr(error) + str(error)) == (False, False)


def test_the_right_password_lets_in_and_is_shown_nowhere(
    spot: Spot, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    password = "canary-p4ss/w@rd"
    for grant in DOCUMENT.partition("```sql\nGRANT")[2].partition("```")[0].split(";\n")[:1]:
        spot.sql(f"GRANT{grant}".replace("secretbridge", spot.schema).replace("payments", "locked"))
    spot.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {spot.schema} TO locked")
    url = spot.url().replace("postgres@", f"locked:{quote(password, safe='')}@")
    local = Local(url, "test", key_file=spot.key)
    with caplog.at_level("DEBUG", "psycopg"), SecretBridge(local) as bridge:
        assert list(bridge.list_secrets()) == []
        shown = repr(local) + repr(bridge) + caplog.text
    spot.sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA {spot.schema} FROM locked")
    assert "psycopg" in {record.name for record in caplog.records}
    assert ("canary" in shown, "p4ss" in shown) == (False, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("postgres@/postgres", "postgres@/nowhere"), "no such database"),
        (("postgres@", "nobody_such@"), "no such role"),
        (("host=", "sslmode=nonsense&host="), "cannot be reached|understand|encrypt"),
        (("host=", "surprise=canary&host="), "does not understand the URL"),
    ],
)
def test_what_the_server_or_libpq_refuses_is_named(spot: Spot, change: tuple[str, str], words: str) -> None:
    error = refused(spot, spot.url().replace(*change))
    assert (bool(re.search(words, str(error))), error.applied) == (True, False)


def test_a_checked_certificate_lets_in_and_another_authoritys_does_not(
    spot: Spot, wire: Wire, text: Wrap, tmp_path: Path
) -> None:
    places = [tmp_path / "ours", tmp_path / "theirs"]
    for place in places:
        place.mkdir()
    ours, theirs = map(Authority, places)
    wire.tls = ours.server()
    checked = {"host": "127.0.0.1", "port": wire.port, "sslmode": "verify-full"}
    with closing(spot.open(url=spot.url(**checked, sslrootcert=ours.file))) as vault:
        vault.create("A", {"value": text("v")})
        assert vault.get(name="A").value == "v"
    error = refused(spot, spot.url(**checked, sslrootcert=theirs.file))
    assert ("certificate" in str(error), error.applied, error.transient) == (True, False, False)


def test_tls_is_asked_for_as_the_url_says(spot: Spot, wire: Wire) -> None:
    url = spot.url(host="127.0.0.1", port=wire.port, sslmode="require")
    error = refused(spot, url)  # the wire ends at a socket file, where PostgreSQL offers no TLS
    assert "encrypt" in str(error)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("bridge = SecretBridge(Local('v.db', key_file='k')); bridge.create_secret('A', value='v')", "False"),
        ("sys.modules['psycopg'] = None; SecretBridge(Local('postgresql:///app')).get_secret('A')", "True"),
    ],
)
def test_psycopg_is_loaded_only_for_a_vault_on_postgresql_and_missed_clearly(
    tmp_path: Path, script: str, told: str
) -> None:
    tmp_path.chmod(0o700)
    lines = [
        "import sys",
        "from secretbridge import Local, SecretBridge",
        "from secretbridge.errors import VaultError",
        "try:",
        f"    {script}",
        "except VaultError as error: print(error.advice)",
        "print('psycopg' in sys.modules)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    advice = ["Install it: pip install 'secretbridge[postgres]'"] if told == "True" else []
    assert done.stdout.splitlines() == [*advice, told]


# Closing and forking


def test_a_closed_vault_leaves_no_connection_behind(spot: Spot, text: Wrap) -> None:
    name = f"app_{spot.schema}"
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    vault = spot.open(url=spot.url(application_name=name))
    vault.create("A", {"value": text("v")})
    opened = spot.sql(count, name)
    vault.close()
    vault.close()
    while spot.sql(count, name) != [(0,)]:  # the server takes its time to see them go
        time.sleep(0.001)
    assert opened == [(2,)]
    with pytest.raises(VaultError, match="closed"):
        vault.get(name="A")


def test_closing_does_not_wait_for_a_thread_that_keeps_a_connection(spot: Spot, text: Wrap) -> None:
    vault = spot.open()
    vault.create("A", {"value": text("v")})
    store = spot.store(vault)
    sessions = [store._reader.session, store._writer.session]
    with store._reader.using:
        vault.close()
        still = store._reader.using.locked()
    closed = [session is not None and session.closed for session in sessions]
    assert (closed, still, store._writer.using.locked()) == ([True, True], True, False)


def test_a_connection_that_is_closed_between_two_writes_is_made_anew(
    spot: Spot, vault: Vault, text: Wrap
) -> None:
    vault.create("A", {"value": text("v")})
    session = spot.store(vault)._writer.session
    assert session is not None
    session.close()  # as Ctrl-C leaves it that comes before the store has let go of it
    assert vault.update({"value": text("w")}, name="A").version == 2


def test_a_vault_never_closed_is_closed_when_it_is_forgotten(spot: Spot, text: Wrap) -> None:
    vault = spot.open()
    vault.create("A", {"value": text("v")})
    sessions = [spot.store(vault)._reader.session, spot.store(vault)._writer.session]
    del vault
    assert [session is not None and session.closed for session in sessions] == [True, True]


def test_a_child_forked_in_the_middle_of_a_write_refuses_the_vault(spot: Spot, text: Wrap) -> None:
    with closing(spot.open(busy_timeout=0.05)) as vault:
        vault.create("A", {"value": text("v")})
        with spot.store(vault)._writer.using:  # as a signal handler would find it
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    with pytest.raises(VaultError, match="forked"):
                        vault.get(name="A")
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert vault.update({"value": text("w")}, name="A").version == 2


def test_a_child_shares_no_connection_with_its_parent(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("A", {"value": text("v")})
    before = {spot.pid(vault, "_reader"), spot.pid(vault, "_writer")}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            vault.update({"value": text("child")}, name="A")
            vault.get(name="A")
            mine = {spot.pid(vault, "_reader"), spot.pid(vault, "_writer")}
            status = 0 if not mine & before else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert vault.get(name="A").value == "child"
    assert {spot.pid(vault, "_reader"), spot.pid(vault, "_writer")} == before


def test_question_marks_become_psycopgs_placeholders() -> None:
    assert _postgres_session.psycopg_sql("SELECT ? WHERE a = ?") == b"SELECT %s WHERE a = %s"
