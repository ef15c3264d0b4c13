"""Inputs that nobody would write, for everything that reads what others wrote."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from fault_calls import CALLS, NEW, OLD, SERVICES

from secretbridge import Dotenv, SecretBridge, SecretBridgeError, connect, migrate
from secretbridge._vault import KeyFile, Vault
from secretbridge.migrate._journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**63, 10**400, -0.0, 1e308, "", " ", "\0", "\ud800", "a" * 5000, [], {},
    [[]], "NOT_FOUND", "2026-13-40", "9999-12-31T23:59:59-12:00", {"a": {"a": {}}}, "../..", "%00",
)  # fmt: skip
_BITS: Final = (
    b"", b"\0", b"\xff\xfe", b"{", b"}", b"[", b'"', b"'", b"\\", b"\n", b"\r\n", b"=", b"${A}", b"#",
)  # fmt: skip
_ODD_HEADERS: Final = (
    b"Retry-After", b"Content-Encoding", b"x-request-id", b"x-wix-request-id", b"Location",
)  # fmt: skip


class Dice(random.Random):
    """Chance that can be had again."""

    def bytes_of(self, most: int) -> bytes:
        """Any bytes."""
        return self.randbytes(self.randrange(most))

    def mutated(self, data: bytes) -> bytes:
        """Change bytes in a few places: a bit, a piece left out or doubled, something put in, the end cut."""
        changed = bytearray(data)
        for _ in range(self.choice((1, 1, 1, 2, 5))):
            place, end = sorted(self.randrange(len(changed) + 1) for _ in range(2))
            kind = self.randrange(6)
            if kind == 0 and place < len(changed):
                changed[place] ^= 1 << self.randrange(8)
            elif kind == 1:
                del changed[place : min(end, place + 60)]
            elif kind == 2:
                changed[place:place] = changed[place : min(end, place + 60)]
            elif kind == 3:
                changed[place:place] = self.choice(_BITS) * self.choice((1, 1, 2, 300))
            elif kind == 4:
                changed[place:end] = self.bytes_of(40)
            else:
                del changed[end:]
        return bytes(changed)

    def reshaped(self, document: Any) -> Any:  # noqa: ANN401 - JSON
        """Put something odd in one place of a JSON document, or leave it out."""
        if isinstance(document, dict) and document and self.random() < 0.85:
            copy = dict(document)
            key = self.choice(list(copy))
            if self.random() < 0.15:
                del copy[key]
            else:
                copy[key] = self.reshaped(copy[key])
            return copy
        if isinstance(document, list) and document and self.random() < 0.85:
            listed = list(document)
            place = self.randrange(len(listed))
            listed[place] = self.reshaped(listed[place])
            return listed
        return self.choice(_ODD)


class Target(Protocol):
    """Something that reads."""

    def once(self, dice: Dice) -> str:
        """Give it one input; what came of it. What is no error of ours gets out."""
        ...


def _told(act: Callable[[], object], *secrets: str) -> str:
    """How a call ended, by our error's class; its text must hold no secret."""
    try:
        act()
    except SecretBridgeError as error:
        text = f"{error} {vars(error)!r} {error.__cause__!r} {error.__context__!r}"
        if any(secret in text for secret in secrets):
            raise AssertionError("an error tells a secret") from None
        return type(error).__name__
    return "taken"


class _Changing(httpx.BaseTransport):
    """Answers as a stand-in, but for one answer."""

    def __init__(
        self, below: httpx.BaseTransport, number: int, change: Callable[[httpx.Response], httpx.Response]
    ) -> None:
        self._below, self._left, self._change = below, number, change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        reply = self._below.handle_request(request)
        self._left -= 1
        return self._change(reply) if self._left == -1 else reply


class Replies:
    """Vendors' answers: of any status and headers, with bodies that are random or nearly right."""

    def __init__(self, _: Path) -> None:
        self._calls = [(call, name) for call in CALLS for name in call.exchanges]

    def once(self, dice: Dice) -> str:
        """One answer of one call."""
        call, name = dice.choice(self._calls)
        service, number = SERVICES[name], dice.randrange(len(call.exchanges[name]))
        standin = service.filled()

        def change(reply: httpx.Response) -> httpx.Response:
            body = reply.content
            if dice.random() < 0.4:
                body = json.dumps(service.refusal(dice.choice((401, 403, 404, 409, 429, 500)))).encode()
            how = dice.random()
            if how < 0.4:
                try:
                    body = json.dumps(dice.reshaped(json.loads(body))).encode()
                except ValueError:
                    body = dice.bytes_of(50)
            elif how < 0.8:
                body = dice.mutated(body)
            else:
                body = dice.bytes_of(200)
            near = dice.randrange(400, 430)
            status = dice.choice((200, 200, reply.status_code, near, dice.randrange(100, 600)))
            kind = dice.choice((b"application/json", b"text/html", b"", dice.bytes_of(9)))
            headers = [(b"Content-Type", kind)]
            if dice.random() < 0.3:
                odd = (b"9" * 30, b"-1", b"nan", b"gzip", b"Wed, 99 Foo 2026", dice.bytes_of(30))
                headers += [(header, dice.choice(odd)) for header in _ODD_HEADERS]
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

        transport = _Changing(standin.transport(), number, change)
        provider = service.provider(standin, standin.base_url)
        with SecretBridge(provider, transport=transport, retry=None, pace=None) as bridge:
            return _told(lambda: getattr(bridge, call.verb)(**call.arguments), OLD, NEW)


class Plans:
    """Plans in JSON: torn, and edited by somebody who makes the checksum good again."""

    def __init__(self, folder: Path) -> None:
        self._source, self._target = Dotenv(folder / "source.env"), Dotenv(folder / "target.env")
        with SecretBridge(self._source) as one, SecretBridge(self._target) as other:
            for name in ("NEW", "SAME", "OTHER"):
                one.put_secret(name, value=f"value of {name}")
            other.put_secret("SAME", value="value of SAME")
        plan = migrate.plan(self._source, self._target, rename={"NEW": "FRESH"}, on_conflict="update")
        self._text = plan.to_json()

    def once(self, dice: Dice) -> str:
        """One plan."""
        if dice.random() < 0.4:
            text = dice.mutated(self._text.encode()).decode("utf-8", "replace")
        else:
            document = json.loads(self._text)
            document.pop("checksum")
            for _ in range(dice.choice((1, 1, 2))):
                document = dice.reshaped(document)
            if isinstance(document, dict):
                canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
                document["checksum"] = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
            text = json.dumps(document)
        return _told(lambda: migrate.Plan.from_json(text, self._source, self._target))


class Configuration:
    """secretbridge.toml; nothing in it names a command."""

    _TEXT = (
        b'[connections.one]\nprovider = "wix"\napi_key = "env:KEY"\nsite_id = "s"\ntimeout = 5\n'
        b'retry = { attempts = 2 }\n[connections.two]\nprovider = "local"\nlocation = "v.db"\n'
        b'[connections.three]\nprovider = "appfarm"\nbase_url = "https://a.example"\napi_key = "env:OTHER"\n'
        b'path = "/api/services/a/b"\nsecrets = ["A", "B"]\n'
        b'[connections.four]\nprovider = "dotenv"\npath = ".env"\n'
    )

    def __init__(self, folder: Path) -> None:
        self._file = folder / "secretbridge.toml"
        self._file.touch(0o600)

    def once(self, dice: Dice) -> str:
        """One file."""
        text = self._TEXT.replace(b"env:KEY", b"Zx9canary") if dice.random() < 0.2 else self._TEXT
        data = dice.bytes_of(80) if dice.random() < 0.1 else dice.mutated(text)
        self._file.write_bytes(data)
        name = dice.choice(("one", "two", "three", "four"))
        told = ["Zx9canary"] if b"Zx9canary" in data else []
        return _told(lambda: connect(name, config=self._file).close(), *told)


class Dotenvs:
    """Dotenv files, read and changed."""

    _TEXT = b"# one\nA=1\nexport B='two words'\nC=\"a\\nb\"\n\nD=${A}\nE='x\ny'\nF = spaced # said\nG\n"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "fuzzed.env"
        self._file.touch(0o600)

    def once(self, dice: Dice) -> str:
        """One file: list it, change it, and read the change back."""
        self._file.write_bytes(dice.bytes_of(60) if dice.random() < 0.1 else dice.mutated(self._TEXT))
        value = dice.choice(("new", "a b", "it's", 'a"b', "x\ny", "#", "$A", "\\", " "))
        with SecretBridge(Dotenv(self._file)) as bridge:
            listed = _told(bridge.list_secrets)
            done = _told(lambda: bridge.put_secret("B", value=value))
            if done == "taken" and bridge.get_secret("B").reveal() != value:
                raise AssertionError("what was put is not what is read")
            _told(lambda: bridge.update_secret("A", new_name="Z"))
            _told(lambda: bridge.delete_secret("C", missing_ok=True))
        return listed


class Journals:
    """The journal of a run, its file changed anywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self._folder.mkdir(mode=0o700)
        self._file = self._folder / "20260101-000000-abcdef01.db"
        journal = Journal.create(self._file, {"run": self._file.stem}, ['{"a":1}', '{"b":2}'], None)
        for number in range(20):
            journal.append("intended", [[number, False]])
        journal.close()
        self._whole = self._file.read_bytes()

    def once(self, dice: Dice) -> str:
        """One file."""
        for left in self._folder.glob(f"{self._file.name}-*"):
            left.unlink()
        self._file.write_bytes(dice.mutated(self._whole))
        migrate.runs(journal=self._folder)
        return _told(lambda: Journal.open(self._file).close())


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        return self._text


class Vaults:
    """A vault's file, changed anywhere: what is read is right, or there is an error."""

    _HELD: Final = {"ALPHA": "a-value", "BETA": "b-value", "GAMMA": "c-value"}

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "vault"
        self._folder.mkdir(mode=0o700)
        self._file, self._key = self._folder / "vault.db", self._folder / "vault.key"
        with closing(self._open()) as vault:
            for name, value in self._HELD.items():
                vault.put(name, {"value": _Text(value)})
        self._whole = self._file.read_bytes()

    def _open(self) -> Vault:
        return Vault.open(self._file, environment="production", credential=KeyFile(self._key))

    def once(self, dice: Dice) -> str:
        """One file."""
        for left in self._folder.glob("vault.db-*"):
            left.unlink()
        self._file.write_bytes(dice.mutated(self._whole))

        def read() -> None:
            with closing(self._open()) as vault:
                found = {record.name: vault.get(name=record.name).value for record in vault.list()[0]}
                if not found.items() <= self._HELD.items():
                    raise AssertionError("something else was read than was written")
                if found != self._HELD:
                    vault.verify()
                    raise AssertionError("something was missed, and verify() found nothing")

        return _told(read, *self._HELD.values())


TARGETS: Final[dict[str, Callable[[Path], Target]]] = {
    "replies": Replies,
    "vault": Vaults,
    "journal": Journals,
    "plan": Plans,
    "config": Configuration,
    "dotenv": Dotenvs,
}


def run(what: str, inputs: int, seed: int, folder: Path, *, first: int = 0) -> str:
    """Try so many inputs; a line that says what came of them."""
    place = folder / what
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    before = Path.cwd()
    os.chdir(place)
    try:
        target = TARGETS[what](place)
        found: Counter[str] = Counter()
        for number in range(first, first + inputs):
            try:
                found[target.once(Dice(f"{seed} {what} {number}"))] += 1
            except Exception as error:
                error.add_note(f"{what}, input {number} of seed {seed}")
                raise
    finally:
        os.chdir(before)
    counted = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(found.items()))
    return f"{what}: {found.total():,} inputs: {counted}; other errors 0"
