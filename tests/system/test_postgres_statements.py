"""The statistics of statements hold nothing secret either: Debian's server with pg_stat_statements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from postgres_server import Server
from postgres_traces import EVERYTHING, found

from secretbridge import Local, SecretBridge, SecretExists, Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

VALUES: Final = ("canary-value-1", "canary-value-2", "canary-value-3")
NAMES: Final = ("CANARY_NAME_4", "CANARY_NAME_5", "CANARY_NAME_6")
DESCRIPTION: Final = "canary description 7"
ACCOUNT: Final = "canary-account-8"
CONTROL: Final = "control-in-the-clear"


@pytest.fixture
def debians() -> Iterator[Server]:
    """The newest server of Debian's package postgresql."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    programs = max(versions, key=lambda each: int(each.parts[-3])).parent
    server = Server(programs, shared_preload_libraries="pg_stat_statements")
    yield server
    server.remove()


def use(url: str, key: Path) -> str:
    """Everything that sends what is secret, with every statement and parameter logged; the account's key."""
    with SecretBridge(Local(url, key_file=key)) as bridge, Vault(url, key_file=key) as vault:
        vault.set_audit_reads("durable")
        for _ in range(8):  # prepared statements are counted, and logged, in another way
            bridge.put_secret(NAMES[0], value=VALUES[0], description=DESCRIPTION)
            bridge.get_secret(NAMES[0])
        bridge.update_secret(NAMES[0], value=VALUES[1], new_name=NAMES[1])
        with pytest.raises(SecretExists):
            bridge.create_secret(NAMES[1], value=VALUES[1])
        vault.create_many({NAMES[2]: VALUES[2]})
        bridge.list_secrets()
        vault.share(NAMES[2])
        vault.unshare(NAMES[2])
        bridge.delete_secret(NAMES[1])
        vault.undelete(NAMES[1])
        vault.history(NAMES[1])
        account = vault.principals.add_service_account(ACCOUNT, roles=["reader"])
        vault.rekey()
        vault.verify()
        vault.purge(older_versions=True, deleted=True)
    return account.get_secret_value()


def test_names_and_values_are_not_in_pg_stat_statements_nor_in_any_file_of_debians_server(
    debians: Server, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    with debians.connect() as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
    key = tmp_path / "vault.key"
    account = use(debians.url("vault", options=EVERYTHING), key)
    with debians.connect() as connection:
        connection.execute(f"DO $$BEGIN PERFORM '{CONTROL}'; END$$".encode())
        version = str(connection.execute("SELECT version()").fetchone())
        listed = connection.execute("SELECT query FROM pg_stat_statements").fetchall()
        connection.execute("CHECKPOINT")
    statements = "\n".join(query for (query,) in listed)
    assert (debians.packaged, "Debian" in version) == (True, True)
    assert (CONTROL in statements, "INSERT INTO log VALUES" in statements) == (True, True)
    secret = (*VALUES, *NAMES, DESCRIPTION, ACCOUNT, account, account.removeprefix("sbk_")[:16])
    assert [each for each in secret if each in statements] == []
    assert "log" in found(debians.folder, "INSERT INTO log VALUES")
    assert "pg_stat_tmp" in found(debians.folder, CONTROL)  # where the texts of the statements are
    debians.stop()  # which writes the statistics to a file of their own
    assert "pg_stat" in found(debians.folder, CONTROL)
    assert [(each, found(debians.folder, each)) for each in secret] == [(each, set()) for each in secret]
