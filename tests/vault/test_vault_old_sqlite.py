"""A Python with an old SQLite: a clear error, and nothing is touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import VaultError

if TYPE_CHECKING:
    from vault_place import Place

pytest_plugins = ("vault_place",)


def test_an_sqlite_that_is_too_old_is_named_and_nothing_is_touched(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
        with pytest.raises(VaultError, match=r"needs 3\.37\.0"):
            place.open()
        assert not place.file.exists()
    place.open().close()
    before = place.file.read_bytes()
    with monkeypatch.context() as old:
        old.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
        with pytest.raises(VaultError, match="This Python has SQLite") as caught:
            place.open()
    assert caught.value.advice.startswith("Use a Python")
    assert place.file.read_bytes() == before
    with closing(place.open()) as vault:
        vault.verify()
