"""Makes vectors.json: a whole vault with fixed keys, fixed nonces and fixed times, for tests alone.

    PYTHONPATH=. python tests/vault/data/make_vectors.py

What it writes is part of the format: it may change together with docs/vault-format.md, and with nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from secretbridge import KeyFile, Passphrase
from secretbridge._vault import _create, _crypto, _keys, _openers, _sealed
from secretbridge._vault._administered import AdministeredVault

FILE = Path(__file__).with_name("vectors.json")
TABLES = ("vault", "slot", "data_key", "policy", "secret", "value", "log", "state")
KEY = hashlib.sha256(b"key file of the vectors").digest()
PASSPHRASE = "correct horse battery stapl\u00e9"
DATES = 1_767_225_600_000_000_000  # 2026-01-01, in nanoseconds


class Fixed:
    """Stands in for the modules os and time: what it gives is the same in every run."""

    def __init__(self) -> None:
        self.drawn = 0
        self.clock = DATES

    def urandom(self, count: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(b"secretbridge vectors %d" % self.drawn).digest(count)

    def time_ns(self) -> int:
        self.clock += 1_000_000
        return self.clock

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class Text:
    """The least that the vault takes for a secret text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self) -> str:
        return self.text


def vectors(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The content of vectors.json, made by the package."""
    fixed = Fixed()
    for module in (_create, _crypto, _keys, _openers, _sealed):
        if hasattr(module, "os"):
            patch.setattr(module, "os", fixed)
    patch.setattr(_sealed, "time", fixed)
    folder.mkdir(mode=0o700)
    key_file, file = folder / "vault.key", folder / "vault.db"
    key_file.write_text(
        f"secretbridge-vault-key:1:{KEY.hex()}:{hashlib.sha256(KEY).hexdigest()[:8]}\n", encoding="ascii"
    )
    key_file.chmod(0o600)

    def opened(environment: str) -> AdministeredVault:
        return AdministeredVault.open(file, environment=environment, credential=KeyFile(key_file))

    with closing(opened("production")) as vault:
        vault.create("SHARED_NAME", {"value": Text("production")})
    with closing(opened("development")) as vault:
        vault.create("STRIPE_KEY", {"value": Text("sk_live_first"), "description": "p\u00e4yments"})
        vault.update({"value": Text("sk_live_second"), "protected": True}, name="STRIPE_KEY")
        vault.create("SHARED_NAME", {"value": Text("development")})
        vault.update({"new_name": "MOVED_NAME"}, name="SHARED_NAME")
        vault.create("GONE", {"value": Text("g")})
        vault.delete(name="GONE")
        vault.create("EVERYWHERE", {"value": Text("everybody's")})
        vault.share("EVERYWHERE", ())
        vault.create("ONCE_SHARED", {"value": Text("one for all")})
        vault.share("ONCE_SHARED", ())
        vault.unshare("ONCE_SHARED")
        vault.create("AGAIN", {"value": Text("shared")})
        vault.share("AGAIN", ())
        vault.delete(name="AGAIN")
        vault.create("AGAIN", {"value": Text("one's own")})
        vault.add_slot(Passphrase(PASSPHRASE), "la passphrase d'Ad\u00e8le")
        steps = iter(range(100))

        def stop(_done: int, _total: int) -> None:
            if next(steps) == 2:
                raise InterruptedError

        with suppress(InterruptedError):
            vault.rekey(progress=stop, batch=3)  # broken off: both data keys are in use
        keyring = vault._keyring
        vault.get(name="STRIPE_KEY")
        keys = {
            str(epoch): {
                use: getattr(found, use).hex()
                for use in ("records", "index", "audit", "state", "policy", "digest", "chain")
            }
            for epoch, found in sorted(keyring._epochs.items())
        }
        root = keyring.root.hex()
    with closing(sqlite3.connect(file)) as connection:
        tables = {
            table: [
                [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608 - names from the list above
            ]
            for table in TABLES
        }
    return {
        "about": "fixed keys and nonces, for tests alone; bytes are in hexadecimal",
        "key_file": KEY.hex(),
        "passphrase": PASSPHRASE,
        "root_key": root,
        "keys": keys,
        "tables": tables,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patching:
        content = vectors(Path(made, "vault"), patching)
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")
    sys.stdout.write(f"{FILE}\n")
