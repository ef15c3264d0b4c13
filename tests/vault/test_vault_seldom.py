"""Places that cannot hold a vault or its copy, and a machine without what PostgreSQL needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretbridge import Vault as Admin
from secretbridge._location import PostgresUrl
from secretbridge._vault import KeyFile, Vault
from secretbridge._vault._storage import store_at
from secretbridge.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_place import Place, Text

pytest_plugins = ("vault_place",)


def a_key_where_no_folder_can_be_made(place: Place) -> None:
    Vault.open(place.file, environment="test", credential=KeyFile(Path("/proc/nothing/key")))


def a_pipe(place: Place) -> None:
    place.file.parent.mkdir(mode=0o700)
    os.mkfifo(place.file, 0o600)
    place.open()


def a_copy_with_too_long_a_name(place: Place) -> None:
    with Admin(place.file, key_file=place.key) as admin:
        admin.backup(place.folder / ("x" * 255))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (a_key_where_no_folder_can_be_made, "creating the folder"),
        (a_pipe, "is not a regular file"),
        (a_copy_with_too_long_a_name, "writing the backup"),
    ],
)
def test_a_place_that_cannot_hold_it_is_told(place: Place, make: Callable[[Place], None], told: str) -> None:
    with pytest.raises(VaultError, match=told) as caught:
        make(place)
    assert (caught.value.applied, caught.value.__context__) == (False, None)


def test_without_psycopg_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "secretbridge._vault._postgres", None)  # import says it is not there
    with pytest.raises(VaultError, match="needs psycopg 3") as caught:
        store_at(PostgresUrl("postgresql://server/vault"), busy_timeout=1)
    assert caught.value.__context__ is None


def test_nothing_looked_for_is_nothing_found(vault: Vault, text: Callable[[str], Text]) -> None:
    vault.create("A", {"value": text("v")})
    assert vault._store.snapshot(lambda rows: rows.named_many([], 1)) == []
