"""A disk that is really full: a small tmpfs, where this user may mount one."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

from _flips import Text

from secretbridge._vault import KeyFile, Vault
from secretbridge.errors import VaultFull

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path) -> str:
    """Fill a tmpfs with secrets until it is full; a line that says what was found."""
    place = folder / "full"
    place.mkdir(mode=0o700)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", os.fspath(place)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        return "full disk: no tmpfs can be mounted by this user; the test with max_page_count stands alone"
    try:
        return _fill(place, folder / "vault.key")
    finally:
        subprocess.run(["umount", os.fspath(place)], check=True)  # noqa: S607 - as mount above


def _fill(place: Path, key: Path) -> str:
    written = 0
    with closing(_open(place, key)) as vault:
        try:
            while True:
                vault.create(f"KEY{written}", {"value": Text(f"{written}:" + "x" * 3000)})
                written += 1
        except VaultFull as full:
            applied = full.applied
        for number in range(written):
            assert vault.get(name=f"KEY{number}").value == f"{number}:" + "x" * 3000
    with closing(_open(place, key)) as vault:
        found = vault.verify()
    assert (found.secrets, applied) == (written, False)
    return f"full disk: {written} secrets until a tmpfs of 1 MiB was full; VaultFull, applied False; lost 0"


def _open(place: Path, key: Path) -> Vault:
    return Vault.open(place / "vault.db", environment="development", credential=KeyFile(key))
