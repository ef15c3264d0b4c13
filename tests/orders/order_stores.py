"""The stores that two clients share: the vault on SQLite and on PostgreSQL, and each stand-in on a socket."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from fault_calls import SERVICES
from order_check import Call, order
from order_models import ById, Kept, OfAppfarm, OfInsForge, OfVault, Row, Rows
from order_programs import one_after_the_other, overlap, program, run_together

from secretbridge import Appfarm, Local, SecretBridge
from secretbridge._admin import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from order_check import Done, Model, Outcome, State
    from postgres_server import Server

#: So many rounds share a vault; then a new one is made, for a listing to stay short.
_ROUNDS: Final = 25
LENGTH: Final = 3


@dataclass(frozen=True)
class Round:
    """What two clients did to a store at the same time."""

    model: Model
    before: State
    clients: Sequence[Sequence[Done]]
    final: object

    def explained(self, clients: Sequence[Sequence[Done]] | None = None) -> bool:
        """Say whether some order explains it."""
        return order(self.model, self.before, clients or self.clients, self.final) is not None

    @property
    def overlapped(self) -> bool:
        """Whether calls of both were under way at the same time."""
        return overlap(self.clients)

    @property
    def mixed(self) -> bool:
        """Whether it takes more to explain it than one client after the other."""
        return not any(self.explained(one_after_the_other(self.clients, first)) for first in (0, 1))

    def __str__(self) -> str:
        lines = [f"before: {self.before!r}"]
        done = sorted((one for calls in self.clients for one in calls), key=lambda one: one.began)
        earliest = done[0].began
        for one in done:
            span = f"{(one.began - earliest) // 1000} to {(one.ended - earliest) // 1000} us"
            lines.append(f"client {one.client}, {span}: {one.call} -> {one.outcome}")
        return "\n".join([*lines, f"after: {self.final!r}"])


class Shared(Protocol):
    """A store that two clients can have a round on."""

    def round(self, dice: random.Random) -> Round:
        """Let two clients run programs by chance, and look what is there then."""
        ...


def _ask_vault(bridge: SecretBridge, call: Call) -> Outcome:
    match call.verb:
        case "get":
            secret = bridge.get_secret(call.name)
            return ("done", secret.reveal(), secret.description, secret.version)
        case "list":
            return ("done", tuple(sorted((one.name, one.version) for one in bridge.list_secrets())))
        case "delete":
            bridge.delete_secret(call.name)
            return ("done",)
        case "create" | "put":
            return ("done", getattr(bridge, f"{call.verb}_secret")(call.name, **call.given).version)
        case _:
            return ("done", bridge.update_secret(call.name, **call.given).version)


class SharedVault:
    """A vault that is open twice.

    Args:
        stack: closes it.
        place: gives where the n-th vault is.
        folder: for the vaults' keys.
    """

    _MIX: Final = {
        "get": 4, "list": 1, "create": 3, "put": 2, "update": 3, "describe": 2, "set_seen": 6, "delete": 2,
        "rename": 2,
    }  # fmt: skip

    def __init__(self, stack: ExitStack, place: Callable[[int], Path | str], folder: Path) -> None:
        self._place, self._folder = place, folder
        self._rounds = 0
        self._bridges: list[SecretBridge] = []
        self._closing = stack.enter_context(ExitStack())

    def round(self, dice: random.Random) -> Round:
        """Take names that nobody had before in this vault."""
        if self._rounds % _ROUNDS == 0:
            self._open(self._rounds // _ROUNDS)
        self._rounds += 1
        names = [f"R{self._rounds}_{letter}" for letter in "AB"]
        before: dict[str, Kept] = {}
        for name in names:
            if dice.random() < 0.7:
                made = self._bridges[0].create_secret(name, value="first")
                before[name] = Kept(made.version or 0, "first", there=True)
        programs = [program(dice, client, self._MIX, names, LENGTH) for client in (0, 1)]
        versions = {name: kept.version for name, kept in before.items()}
        clients = run_together(self._bridges[:2], programs, _ask_vault, versions)
        final = {}
        for secret in self._bridges[2].list_secrets():
            found = self._bridges[2].get_secret(secret.name)
            final[secret.name] = (found.reveal(), found.description, found.version)
            self._bridges[2].delete_secret(secret.name)
        return Round(OfVault(), before, clients, final)

    def _open(self, number: int) -> None:
        self._closing.close()
        place, key = self._place(number), self._folder / f"{number}.key"
        self._closing.callback(_verify, place, key)
        self._bridges = [
            self._closing.enter_context(SecretBridge(Local(place, "test", key_file=key))) for _ in range(3)
        ]


def _verify(place: Path | str, key: Path) -> None:
    with Vault(place, "test", key_file=key) as vault:
        vault.verify()


def _ask_service(bridge: SecretBridge, call: Call) -> Outcome:
    match call.verb:
        case "get":
            value = bridge.get_secret(call.name, metadata=False).value
            return ("done", None if value is None else value.get_secret_value())
        case "list":
            return ("done", tuple(sorted(one.name for one in bridge.list_secrets())))
        case _:
            getattr(bridge, f"{call.verb}_secret")(call.name, **call.given)
            return ("done",)


def _ask_insforge(bridge: SecretBridge, call: Call) -> Outcome:
    if call.verb != "list":
        return _ask_service(bridge, call)
    return (
        "done",
        tuple(sorted((one.name, one.active) for one in bridge.list_secrets() if not one.platform)),
    )


class SharedService:
    """A service that each client reaches by a connection of its own.

    Args:
        name: which.
    """

    _MIX: Final = {"get": 4, "list": 1, "create": 3, "put": 3, "update": 4, "delete": 3}

    def __init__(self, name: str) -> None:
        self._service = SERVICES[name]
        self._name = name

    def round(self, dice: random.Random) -> Round:
        """Serve a new one; some names are there before."""
        standin = self._service.standin()
        mix, names = self._MIX, ["A", "B"]
        if self._name == "appfarm":
            mix, names = {"update": 1}, ["A", "B", "LOCKED"]
        there = [name for name in names if self._name == "appfarm" or dice.random() < 0.7]
        for name in there:
            standin.seed(name, "first", **({"locked": True} if name == "LOCKED" else {}))
        programs = [program(dice, client, mix, names, LENGTH) for client in (0, 1)]
        ask = _ask_insforge if self._name == "insforge" else _ask_service
        with ExitStack() as stack:
            url = stack.enter_context(standin.serve())
            bridges = [stack.enter_context(self._bridge(standin, url, names)) for _ in programs]
            clients = run_together(bridges, programs, ask)
        return self._judged(standin, there, clients)

    def _bridge(self, standin: Any, url: str, names: list[str]) -> SecretBridge:
        if self._name == "appfarm":
            provider: Any = Appfarm(url, api_key=standin.api_key, path=standin.path, secrets=names)
        else:
            provider = self._service.provider(standin, url)
        return SecretBridge(provider, retry=None, pace=None)

    def _judged(self, standin: Any, there: list[str], clients: Sequence[Sequence[Done]]) -> Round:
        rows = [row for row in standin.secrets if not getattr(row, "reserved", False)]
        if self._name == "insforge":
            held = {row.name: (row.value, row.active) for row in rows}
            return Round(OfInsForge(), {name: Row("first") for name in there}, clients, held)
        if self._name == "appfarm":
            values = {row.name: row.value for row in rows}
            return Round(OfAppfarm(), dict.fromkeys(there, "first"), clients, values)
        model = ById(unique=self._name == "wix", tells=self._name == "wix")
        before = Rows({number: (name, "first") for number, name in enumerate(there)}, len(there))
        return Round(model, before, clients, Counter((row.name, row.value) for row in rows))


STORES: Final = ("sqlite", "postgres", *SERVICES)


def shared(store: str, stack: ExitStack, folder: Path, server: Server | None) -> Shared:
    """Make a store for two clients.

    Args:
        store: one of `STORES`.
        stack: closes it.
        folder: for files, its owner's alone.
        server: a PostgreSQL server, where the store is there.
    """
    if store in SERVICES:
        return SharedService(store)
    if store == "sqlite":
        return SharedVault(stack, lambda number: folder / f"{number}.db", folder)
    assert server is not None
    prefix = uuid.uuid4().hex
    return SharedVault(stack, lambda number: server.url(f"t_{prefix}_{number}"), folder)


@dataclass
class Tally:
    """What rounds came to."""

    rounds: int = 0
    overlapped: int = 0
    mixed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.rounds:,} rounds: {self.overlapped:,} with calls at the same time, "
            f"{self.mixed:,} explained only by calls that alternate; not explained 0"
        )


def run(shared: Shared, rounds: int, seed: str) -> Tally:
    """Have so many rounds; fails with the first that no order explains."""
    tally = Tally()
    for number in range(rounds):
        found = shared.round(random.Random(f"{seed} {number}"))  # noqa: S311 - programs that can be had again
        if not found.explained():
            raise AssertionError(f"no order explains round {number} of seed {seed!r}\n{found}")
        tally.rounds += 1
        tally.overlapped += found.overlapped
        tally.mixed += found.mixed
    return tally
