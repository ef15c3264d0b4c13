"""The sides of benchmarks/vault.py: the vault, raw SQLite that writes the same rows, and both with less."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from _floor import Floor

from secretbridge import Local, SecretBridge
from secretbridge import Vault as Administration
from secretbridge._vault import KeyFile, Vault, _crypto, _rows, _schema, _sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager, ExitStack

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._records import Entry
    from secretbridge._vault._rows import LogRow

#: Operations in a round: few, so that what else the machine does meets all sides alike.
UPDATES = 25
GETS = 500
VALUE = "sk_live_" + "x" * 32
DESCRIPTION = "Payments, production account"
# What finds a row where nobody asks who may read it, nor whether it is shared.
FIND = """SELECT s.id, v.version, v.epoch, v.sealed
    FROM secret AS s LEFT JOIN value AS v ON v.secret = s.id AND v.environment = ? WHERE s.name_index = ?"""
# The lengths of the vault's blobs for such an entry; taken from a real one.
RECORD, AUDIT, STATE = 168, 213, 156
#: The sides, in the order in which they are printed; each has a file of its own.
RAW: Final = "raw SQLite"
FLOOR: Final = "raw SQLite with the vault's cryptography"
ITSELF: Final = "vault itself"
FACE: Final = "SecretBridge(Local)"
BATCHED: Final = "SecretBridge(Local), reads batched"
DURABLE: Final = "SecretBridge(Local), reads durable"
RAW_HISTORY: Final = "raw, history without audit"
FACE_HISTORY: Final = "SecretBridge(Local), history without audit"
RAW_BARE: Final = "raw, neither history nor audit"


class Text:
    """The least that the vault takes for a value."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self) -> str:
        """The text."""
        return self.text


class Raw:
    """SQLite by hand, one durable transaction per update."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.index = {name: hashlib.sha256(name.encode()).digest()[:16] for name in names}
        there = path.exists()
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.sequence = 0
        if not there:
            for statement in _schema.CREATE:
                self.connection.execute(statement)
        self.connection.execute("PRAGMA journal_mode = WAL")
        for name, wanted, _ in _schema.PRAGMAS:
            self.connection.execute(f"PRAGMA {name} = {wanted}")
        if not there:
            self.fill()
        (self.sequence,) = self.connection.execute("SELECT sequence FROM state").fetchone()

    def fill(self) -> None:
        """New secrets in one transaction."""
        self.connection.execute("BEGIN")
        for index in self.index.values():
            self.sequence += 1
            secret = self.stamp()
            self.connection.execute(_rows.INSERT_NAME, (index, secret, 1, 0))
            self.connection.execute(_rows.INSERT_VALUE, (secret, 1, 1, 1, self.sequence, os.urandom(RECORD)))
            self.log(secret, os.urandom(AUDIT), os.urandom(RECORD))
        self.connection.execute(_rows.INSERT_STATE, (self.sequence, 1, os.urandom(STATE)))
        self.connection.execute("COMMIT")

    @staticmethod
    def stamp() -> bytes:
        """An id that begins with the time."""
        return (time.time_ns() // 1000).to_bytes(7, "big") + os.urandom(9)

    def log(self, secret: bytes, audit: bytes, history: bytes) -> None:
        """One line of the log."""
        row = (self.sequence, self.stamp(), secret, 1, 1, self.sequence - 1, 1, audit, history)
        self.connection.execute(_rows.INSERT_LOG, row)

    def get(self, name: str) -> object:
        """The row of a name."""
        return self.connection.execute(FIND, (1, self.index[name])).fetchone()

    def update(self, name: str, audit: int | None = AUDIT) -> None:
        """What an update of the vault writes; with an audit entry of this length, None for no log row."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        secret, version, _, _ = execute(FIND, (1, self.index[name])).fetchone()
        execute("SELECT sequence, epoch, sealed FROM state").fetchone()
        self.sequence += 1
        execute(
            """UPDATE value SET version = ?, epoch = ?, sequence = ?, sealed = ?
                WHERE secret = ? AND environment = 1""",
            (version + 1, 1, self.sequence, os.urandom(RECORD), secret),
        )
        if audit is not None:
            self.log(secret, os.urandom(audit), os.urandom(RECORD))
        execute("UPDATE state SET sequence = ?, epoch = ?, sealed = ?", (self.sequence, 1, os.urandom(STATE)))
        execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Side(NamedTuple):
    """One side: its two operations, how many of each make a round, and what holds meanwhile."""

    update: Callable[[str], object]
    get: Callable[[str], object]
    updates: int = UPDATES
    gets: int = GETS
    meanwhile: Callable[[], AbstractContextManager[object]] = nullcontext


def _history_alone(
    keyring: Keyring, entry: Entry, chain: bytes, history: bytes | None
) -> tuple[LogRow, bytes]:
    assert history is not None
    keys = keyring.current
    place = _crypto.place(
        keyring.vault, _crypto.HISTORY, entry.secret, entry.environment, entry.version, keys.epoch
    )
    kept = _crypto.seal(keyring.record_cipher(keys.epoch, entry.secret), history, place)
    clear = (
        entry.sequence,
        entry.operation_id,
        entry.secret,
        entry.environment,
        entry.version,
        entry.previous,
    )
    return _rows.LogRow(*clear, keys.epoch, b"", kept), chain


@contextmanager
def without_audit() -> Iterator[None]:
    """The vault without its trail, which it has no switch for: log rows keep the history alone."""
    sealing = _sealed.seal_log
    _sealed.seal_log = _history_alone
    try:
        yield
    finally:
        _sealed.seal_log = sealing


def opened(path: Path, key: Path) -> Vault:
    """The vault itself."""
    return Vault.open(path, environment="development", credential=KeyFile(key))


def prepared(folder: Path, size: int) -> list[str]:
    """The files of a size, made where they are not there yet; the names in them."""
    names = [f"SERVICE_{number:06}_API_KEY" for number in range(size)]
    raw, vault, key = folder / f"{size}-raw.db", folder / f"{size}-vault.db", folder / "vault.key"
    if not raw.exists():
        with closing(Raw(raw, names)):
            pass
    if not vault.exists():
        fields: Mapping[str, object] = {"value": Text(VALUE), "description": DESCRIPTION}
        with closing(opened(vault, key)) as new:
            new._create_many((name, fields) for name in names)  # noqa: SLF001 - without the face's checks
    return names


def sides_of(folder: Path, size: int, names: list[str], stack: ExitStack) -> dict[str, Side]:
    """Every side with a file of its own."""
    key = folder / "vault.key"
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=".run-")))

    def raw(name: str) -> Raw:
        shutil.copy(folder / f"{size}-raw.db", path := place / f"{name}.db")
        return stack.enter_context(closing(Raw(path, names)))

    def copy(name: str) -> Path:
        shutil.copy(folder / f"{size}-vault.db", path := place / f"{name}.db")
        return path

    def face(name: str, reads: str = "off") -> SecretBridge:
        path = copy(name)
        if reads != "off":
            with Administration(path, key_file=key) as vault:
                vault.set_audit_reads(reads)  # type: ignore[arg-type]  # one of the three
        return stack.enter_context(SecretBridge(Local(path, key_file=key), pace=None))

    def of_face(bridge: SecretBridge) -> tuple[Callable[[str], object], Callable[[str], object]]:
        return lambda name: bridge.update_secret(name, value=VALUE), bridge.get_secret

    vault = stack.enter_context(closing(opened(copy("itself"), key)))
    change = {"value": Text(VALUE)}
    by_hand, history, bare = raw("by-hand"), raw("history"), raw("bare")
    floor = stack.enter_context(closing(Floor(copy("floor"), key)))
    sides = {
        RAW: Side(by_hand.update, by_hand.get),
        FLOOR: Side(lambda name: floor.update(name, VALUE), by_hand.get, gets=0),
        ITSELF: Side(lambda name: vault.update(change, name=name), lambda name: vault.get(name=name)),
        FACE: Side(*of_face(face("face"))),
        RAW_HISTORY: Side(lambda name: history.update(name, 0), history.get, gets=0),
        FACE_HISTORY: Side(*of_face(face("no-audit")), gets=0, meanwhile=without_audit),
        RAW_BARE: Side(lambda name: bare.update(name, None), bare.get, gets=0),
    }
    if size == 1000:  # beside the smallest alone: what these cost does not depend on the size
        sides[BATCHED] = Side(*of_face(face("batched", "batched")), updates=0, gets=1000)  # one batch
        sides[DURABLE] = Side(*of_face(face("durable", "durable")), updates=0, gets=UPDATES)
    return sides
