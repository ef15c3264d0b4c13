"""The embedded vault: one encrypted SQLite file for the secrets of one machine.

From the bottom up: ``_crypto`` (the only one that imports ``cryptography``), ``_openers`` (credentials and
slots), ``_keys``, ``_records`` and ``_sealed`` (what is encrypted), ``_schema``, ``_sqlite``, ``_rows``,
``_lock``, ``_fork`` and ``_store`` (where it lies), ``_policy``, ``_permissions``, ``_principals`` and
``_decisions`` (who may do what), ``_change``, ``_shared``, ``_reads``, ``_decided`` (every operation goes
through it) and ``_access`` (what the verbs mean), ``_history``, ``_audit``, ``_verify``, ``_backup``,
``_slots``, ``_governed`` and ``_administered`` (what looks after it).
"""

from secretbridge._credentials import KeyFile, Passphrase
from secretbridge._vault._access import Vault
from secretbridge._vault._places import default_key_file, default_location
from secretbridge._vault._records import Record

__all__ = ["KeyFile", "Passphrase", "Record", "Vault", "default_key_file", "default_location"]
