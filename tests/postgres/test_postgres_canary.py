"""Nothing secret is in the clear in the database, its WAL or its logs, whatever is logged."""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from canary_channels import CHANNELS, Outcome
from canary_marks import CREDENTIAL, found_in
from canary_marks import VALUE as MARKED
from postgres_traces import EVERYTHING, found

from secretbridge import Local, SecretBridge
from secretbridge.errors import SecretBridgeError, SecretExists, VaultDamaged, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_place import Spot, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("postgres_place",)

VALUE, OTHER = "canary-value-1", "canary-value-2"
NAME, RENAMED = "CANARY_NAME_3", "CANARY_NAME_4"
DESCRIPTION = "canary description 5"
CONTROL = "control-in-the-clear"


def test_names_values_and_descriptions_are_in_no_file_of_the_server(spot: Spot, text: Wrap) -> None:
    with closing(spot.open(url=spot.url(options=EVERYTHING))) as vault:
        for _ in range(8):  # prepared statements are logged in another way
            vault.put(NAME, {"value": text(VALUE), "description": DESCRIPTION})
            vault.get(name=NAME)
        vault.update({"value": text(OTHER), "new_name": RENAMED}, name=NAME)
        with pytest.raises(SecretExists):
            vault.create(RENAMED, {"value": text(VALUE)})
        vault.list()
        vault.delete(name=RENAMED)
        with suppress(LookupError):
            vault.get(name=RENAMED)
        vault.verify()
        spot.sql("ALTER TABLE log ADD CHECK (sequence < 12) NOT VALID")
        with pytest.raises(VaultDamaged):  # and with their parameters where they fail
            vault.put(NAME, {"value": text(VALUE), "description": DESCRIPTION})
    with suppress(VaultLocked):
        spot.open(url=spot.url(options=EVERYTHING)).close()
    with spot.server.connect(spot.schema) as connection:
        for statement in EVERYTHING.replace("-c", "").split():
            connection.execute("SELECT set_config(%s, %s, false)", statement.split("="))
        connection.execute("CREATE TABLE control (line text)")
        connection.execute("INSERT INTO control VALUES (%s)", (CONTROL,))
        connection.execute("CHECKPOINT")
    folder = spot.server.folder
    assert {"log", "base", "pg_wal"} <= found(folder, CONTROL)  # the search finds what is there
    assert found(folder, "INSERT INTO log VALUES") != set()
    for secret in (VALUE, OTHER, NAME, RENAMED, DESCRIPTION, "canary-value"):
        assert (secret, found(folder, secret)) == (secret, set())


def test_neither_psycopgs_loggers_nor_any_error_show_a_value(
    spot: Spot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "psycopg")  # and "psycopg.pq", below it
    held: list[BaseException] = []
    with SecretBridge(Local(spot.url(), key_file=spot.key)) as bridge:
        bridge.create_secret("EXISTING", value=MARKED)
        things: list[object] = [bridge, bridge.get_secret("EXISTING"), bridge.list_secrets()]
        calls: list[Callable[[], object]] = [
            lambda: bridge.create_secret("EXISTING", value=MARKED),
            lambda: bridge.update_secret("ABSENT", value=MARKED),
            lambda: bridge.update_secret("EXISTING", value=MARKED, if_version=9),
            lambda: (
                spot.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                )
                and bridge.update_secret("EXISTING", value=MARKED)
            ),
            lambda: (
                spot.sql("ALTER TABLE log ADD CHECK (sequence < 2) NOT VALID") or bridge.get_secret("NONE")
            ),
            lambda: bridge.put_secret("EXISTING", value=MARKED),
        ]
        for call in calls:
            try:
                things.append(call())
            except SecretBridgeError as error:
                held.append(error)
    with pytest.raises(VaultLocked) as locked:
        SecretBridge(Local(spot.url(), passphrase=CREDENTIAL)).list_secrets()
    logging.getLogger("psycopg").debug("heard")
    outcomes = [
        Outcome(results=things, log=caplog.text),
        *(Outcome(error=one) for one in [*held, locked.value]),
    ]
    told = [text for outcome in outcomes for channel in CHANNELS.values() for text in channel(outcome)]
    assert (found_in("\n".join(told)), "heard" in caplog.text, len(held) >= 4) == ([], True, True)


def test_the_tests_own_server_is_no_package_of_the_systems(spot: Spot) -> None:
    [(version,)] = spot.sql("SELECT version()")
    assert (spot.server.packaged, "Debian" in str(version)) == (False, False)
