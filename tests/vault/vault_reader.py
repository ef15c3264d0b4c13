"""A reader of the vault's file, written from docs/vault-format.md: it knows nothing of the package.

It opens what it is given and checks all that the page says can be checked; it raises ValueError where
something is not as it says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import struct
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Tables = dict[str, list[tuple[Any, ...]]]

TABLES = {
    "vault": "id, suite, slot_mac",
    "slot": "number, kind, parameters, wrapped",
    "data_key": "epoch, wrapped",
    "policy": "policy_epoch, epoch, sealed",
    "secret": "name_index, id, epoch, flags",
    "value": "secret, environment, version, epoch, sequence, sealed",
    "log": "sequence, operation_id, secret, environment, version, previous, epoch, audit, history",
    "state": "sequence, epoch, sealed",
}
ZERO = bytes(16)


def tables_of(path: Path) -> Tables:
    with closing(sqlite3.connect(path)) as connection:
        check(connection.execute("PRAGMA application_id").fetchone() == (0x73627276,))
        check(connection.execute("PRAGMA user_version").fetchone() in {(1,), (2,)})
        return {
            table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - names from the list above
            for table, columns in TABLES.items()
        }


def check(so: bool) -> None:  # noqa: FBT001 - it is what is checked
    if not so:
        raise ValueError("not as docs/vault-format.md says")


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(key: bytes, label: bytes, salt: bytes = bytes(32), length: int = 32) -> bytes:
    extracted, block, out = mac(salt, key), b"", b""
    for counter in range(1, 3):
        block = mac(extracted, block + label + bytes([counter]))
        out += block
    return out[:length]


def opened(key: bytes, blob: bytes, place: bytes) -> bytes:
    return AESGCM(key).decrypt(blob[:12], blob[12:], place)


def key_of_file(line: str) -> bytes:
    form, version, key, checksum = line.strip().split(":")
    check((form, version) == ("secretbridge-vault-key", "1"))
    check(hashlib.sha256(bytes.fromhex(key)).hexdigest()[:8] == checksum)
    return bytes.fromhex(key)


class Reader:
    """An open vault.

    Args:
        tables: its rows.
        credentials: by kind of slot, bytes; for a passphrase (2) its text in UTF-8.
    """

    def __init__(self, tables: Tables, credentials: dict[int, bytes]) -> None:
        self.tables = tables
        ((self.vault, suite, slot_mac),) = tables["vault"]
        check(suite == 1)
        self.root = self._root(credentials)
        rows = b"".join(
            struct.pack(">IBII", number, kind, len(parameters), len(wrapped)) + parameters + wrapped
            for number, kind, parameters, wrapped in tables["slot"]
        )
        check(slot_mac == mac(hkdf(self.root, b"secretbridge slots"), self.vault + rows))
        self.keys: dict[int, dict[str, bytes]] = {}
        for epoch, wrapped in tables["data_key"]:
            pair = opened(hkdf(self.root, b"secretbridge data keys"), wrapped, self.place(6, epoch=epoch))
            self.keys[epoch] = {
                use: hkdf(pair[:32], b"secretbridge " + use.encode())
                for use in ("records", "index", "audit", "state", "policy", "digest")
            }
            self.chain_key = pair[32:]

    def place(
        self, kind: int, owner: bytes = ZERO, environment: int = 0, version: int = 0, epoch: int = 0
    ) -> bytes:
        return struct.pack(">HH16sB16sIQI", 1, 1, self.vault, kind, owner, environment, version, epoch)

    def _root(self, credentials: dict[int, bytes]) -> bytes:
        for number, kind, parameters, wrapped in self.tables["slot"]:
            if kind not in credentials:
                continue
            key = credentials[kind]
            if kind == 2:
                _, salt, memory, passes, lanes = struct.unpack_from(">16s16sIII", parameters)
                text = unicodedata.normalize("NFC", key.decode()).encode()
                key = Argon2id(
                    salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory
                ).derive(text)
            place = self.place(7) + struct.pack(">IB", number, kind) + parameters
            both = hkdf(key, b"secretbridge slot" + place, parameters[:16], 64)
            if wrapped[:32] == both[32:]:
                return opened(both[:32], wrapped[32:], place)
        raise ValueError("no slot fits")

    def slots(self) -> list[tuple[int, int, bytes, str]]:
        """Number, kind, principal and label."""
        found = []
        for number, kind, parameters, _ in self.tables["slot"]:
            own = {2: 44}.get(kind, 16)
            if kind == 6:
                own = 20 + sum(struct.unpack_from(">HH", parameters, 16))
            rest = parameters[own:]
            found.append((number, kind, rest[:16] or ZERO, rest[16:].decode()))
        return found

    def record(  # noqa: PLR0917 - the place of a record has so many parts
        self, epoch: int, kind: int, secret: bytes, environment: int, version: int, blob: bytes
    ) -> dict[str, Any]:
        place = self.place(kind, secret, environment, version, epoch)
        plain = opened(mac(self.keys[epoch]["records"], secret), blob, place)
        form = ">BBIQqqqIII"
        encoding, flags, where, number, expires, created, updated, *lengths = struct.unpack_from(form, plain)
        check((encoding, where, number) == (1, environment, version))
        texts, at = [], struct.calcsize(form)
        for length in lengths:
            texts.append(plain[at : at + length].decode("utf-8", "surrogatepass"))
            at += length
        check(at == len(plain))
        return {
            "name": texts[0],
            "value": texts[1] if flags & 8 else None,
            "description": texts[2] if flags & 16 else None,
            "flags": flags,
            "expires_at": expires if flags & 32 else None,
            "created_at": created,
            "updated_at": updated,
            "version": version,
        }

    def named(self, name: str, environment: int) -> dict[str, Any] | None:
        for epoch in sorted(self.keys, reverse=True):
            index = mac(self.keys[epoch]["index"], name.encode())[:16]
            for name_index, secret, under, flags in self.tables["secret"]:
                if (name_index, under) == (index, epoch):
                    place = 0 if flags & 2 else environment  # shared: one value, in no environment
                    for owner, where, version, sealed_under, _, sealed in self.tables["value"]:
                        if (owner, where) == (secret, place):
                            found = self.record(sealed_under, 1, secret, where, version, sealed)
                            check((found["name"], found["flags"] & 64) == (name, 0))
                            return found
        return None

    def check_places(self) -> None:
        """A shared value stands under 0, any other in an environment; what stands elsewhere says so."""
        names = {secret: (index, epoch, flags) for index, secret, epoch, flags in self.tables["secret"]}
        for secret, environment, version, epoch, _, sealed in self.tables["value"]:
            index, under, flags = names[secret]
            record = self.record(epoch, 1, secret, environment, version, sealed)
            counts = (environment == 0) == bool(flags & 2)
            check(bool(record["flags"] & 64) != counts)
            check(counts or (record["flags"] & 12) == 4)  # deleted, and without a value
            if not flags & 1:
                check(mac(self.keys[under]["index"], record["name"].encode())[:16] == index)

    def state(self) -> dict[str, Any]:
        ((sequence, epoch, sealed),) = self.tables["state"]
        key = mac(self.keys[epoch]["state"], struct.pack(">Q", sequence >> 20))
        plain = opened(key, sealed, self.place(4, version=sequence, epoch=epoch))
        encoding, suite, vault, newest, policy, number, chain, secrets, values, digest, floor = struct.unpack(
            ">HH16sIQQ32sQQ32sQ", plain
        )
        check((encoding, suite, vault, number) == (1, 1, self.vault, sequence))
        check(newest == max(self.keys) == epoch)
        return {
            "policy_epoch": policy, "sequence": sequence, "chain": chain, "secrets": secrets,
            "values": values, "digest": digest, "version_floor": floor,
        }  # fmt: skip

    def policy(self) -> dict[str, Any]:
        ((policy_epoch, epoch, sealed),) = self.tables["policy"]
        plain = opened(self.keys[epoch]["policy"], sealed, self.place(5, version=policy_epoch, epoch=epoch))
        found: dict[str, Any] = json.loads(plain)
        return found

    def entries(self) -> Iterator[dict[str, Any]]:
        """The log along its chain, which ends where the state says."""
        chain, form = bytes(32), ">BBBQq16s16s16sIQQI16sQQII"
        for number, row in enumerate(self.tables["log"], 1):
            sequence, operation_id, secret, environment, version, previous, epoch, audit, history = row
            key = mac(self.keys[epoch]["audit"], struct.pack(">Q", sequence >> 20))
            both = opened(key, audit, self.place(3, operation_id, version=sequence, epoch=epoch))
            plain, told = both[:-32], both[-32:]
            chain = mac(self.chain_key, chain + plain)
            check(told == chain)
            fields = struct.unpack_from(form, plain)
            check((fields[0], fields[3], number) == (1, sequence, sequence))
            check((fields[5], *fields[7:11]) == (operation_id, secret, environment, version, previous))
            name, old_name = struct.calcsize(form), struct.calcsize(form) + fields[15]
            check(len(plain) == old_name + fields[16])
            kept = None
            if history is not None:
                kept = self.record(epoch, 2, secret, environment, version, history)["value"]
            yield {
                "sequence": sequence, "operation": fields[1], "outcome": fields[2], "at": fields[4],
                "principal": fields[6].hex(), "secret": secret.hex(), "environment": environment,
                "version": version, "previous": previous, "fields": fields[11],
                "moved": [fields[12].hex(), *fields[13:15]], "name": plain[name:old_name].decode(),
                "old_name": plain[old_name:].decode(), "kept": kept, "chain": chain.hex(),
            }  # fmt: skip
        state = self.state()
        check((chain, len(self.tables["log"])) == (state["chain"], state["sequence"]))

    def digest(self) -> bytes:
        total = 0
        for secret, environment, version, epoch, sequence, sealed in self.tables["value"]:
            clear = struct.pack(">B16sIQIQ", 1, secret, environment, version, epoch, sequence)
            element = mac(self.keys[epoch]["digest"], clear + sealed[:12] + sealed[-16:])
            total += int.from_bytes(element, "big")
        for name_index, secret, epoch, flags in self.tables["secret"]:
            clear = struct.pack(">B16s16sII", 2, secret, name_index, epoch, flags)
            total += int.from_bytes(mac(self.keys[epoch]["digest"], clear), "big")
        return (total % 2**256).to_bytes(32, "big")

    def check_whole(self) -> None:
        state = self.state()
        check(len(list(self.entries())) == state["sequence"])
        check(self.digest() == state["digest"])
        check((len(self.tables["secret"]), len(self.tables["value"])) == (state["secrets"], state["values"]))
        self.check_places()
