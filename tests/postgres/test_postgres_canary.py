"""Nothing secret is in the clear in the database, its WAL or its logs, whatever is logged."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import SecretExists, VaultDamaged, VaultLocked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from postgres_place import Spot, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("postgres_place",)

VALUE, OTHER = "canary-value-1", "canary-value-2"
NAME, RENAMED = "CANARY_NAME_3", "CANARY_NAME_4"
DESCRIPTION = "canary description 5"
CONTROL = "control-in-the-clear"
EVERYTHING = " ".join(
    f"-c{setting}"
    for setting in (
        "log_statement=all",
        "log_min_duration_statement=0",
        "log_duration=on",
        "log_parameter_max_length=-1",
        "log_parameter_max_length_on_error=-1",
        "log_min_messages=debug5",
        "log_min_error_statement=debug5",
        "debug_print_parse=on",
        "debug_print_plan=on",
    )
)


def forms(text: str) -> list[bytes]:
    """The text as files and logs would show it, in parts of itself too."""
    plain = text.encode()
    return [plain, plain.hex().encode(), plain.hex().upper().encode(), text.encode("utf-16-le")]


def found(folder: Path, text: str) -> set[str]:
    """The files that hold the text."""
    places = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if any(form in content for form in forms(text)):
                places.add(path.relative_to(folder).parts[0 if path.parent == folder else 1])
    return places


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
