"""The embedded vault: one encrypted SQLite file for the secrets of one machine.

From the bottom up: ``_crypto`` (the only one that imports ``cryptography``), ``_openers`` (credentials and
slots), ``_keys``, ``_records`` and ``_sealed`` (what is encrypted), ``_schema``, ``_sqlite``, ``_rows``,
``_lock``, ``_fork`` and ``_store`` (where it lies), ``_policy``, ``_permissions``, ``_principals`` and
``_decisions`` (who may do what), ``_change``, ``_shared``, ``_reads``, ``_decided`` (every operation goes
through it), ``_access`` (what the verbs mean) and ``_glance`` (the names alone), ``_history``, ``_audit``,
``_verify``, ``_backup``, ``_slots``, ``_governed`` and ``_administered`` (what looks after it).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretbridge._credentials import KeyFile, Passphrase
    from secretbridge._vault._access import Vault
    from secretbridge._vault._places import default_key_file, default_location
    from secretbridge._vault._records import Record

__all__ = ["KeyFile", "Passphrase", "Record", "Vault", "default_key_file", "default_location"]

#: Where each name lives; it loads on first use, for a glance at the names takes a part of the vault alone.
_PLACES = {
    "KeyFile": "secretbridge._credentials",
    "Passphrase": "secretbridge._credentials",
    "Record": "secretbridge._vault._records",
    "Vault": "secretbridge._vault._access",
    "default_key_file": "secretbridge._vault._places",
    "default_location": "secretbridge._vault._places",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
