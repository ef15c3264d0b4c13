"""What the fixtures of the pytest plugin give: a vault, services within reach, recorded pauses, a canary."""

from __future__ import annotations

import logging
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from secretbridge import Appfarm, AsyncSecretBridge, InsForge, IoNet, Local, SecretBridge, Wix
from secretbridge._runtime import AsyncRuntime, BlockingRuntime
from secretbridge.testing._appfarm import AppfarmStandIn
from secretbridge.testing._canary import found_in
from secretbridge.testing._insforge import InsForgeStandIn
from secretbridge.testing._ionet import IoNetStandIn
from secretbridge.testing._wix import WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike
    from pathlib import Path

    import pytest

    from secretbridge._provider import Provider
    from secretbridge.testing._exchange import Fault
    from secretbridge.testing._standin import StandIn

__all__ = [
    "Canary",
    "Reached",
    "Waits",
    "appfarm",
    "canary",
    "insforge",
    "ionet",
    "reached",
    "vault",
    "waits",
    "wix",
]

S = TypeVar("S", bound="StandIn")

#: The seconds of every pause so far.
Waits = list[float]


def vault(folder: Path) -> Local:
    """Give a real vault below a folder; it is made when it is first used."""
    home = folder / "secretbridge-vault"
    return Local(home / "vault.db", key_file=home / "vault.key")


def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Let every pause of both runtimes pass at once, and record it."""
    seconds: Waits = []

    async def pass_blocking(_: BlockingRuntime, pause: float) -> None:
        seconds.append(pause)

    async def pass_awaited(_: AsyncRuntime, pause: float) -> None:
        from anyio.lowlevel import checkpoint

        seconds.append(pause)
        await checkpoint()

    for kind, sleep in ((BlockingRuntime, pass_blocking), (AsyncRuntime, pass_awaited)):
        now: Callable[[Any], float] = kind.now

        def moved(self: object, now: Callable[[Any], float] = now) -> float:
            return now(self) + sum(seconds)

        monkeypatch.setattr(kind, "sleep", sleep)
        monkeypatch.setattr(kind, "now", moved)
    return seconds


class ProviderAt(Protocol):
    """Makes an adapter for a stand-in at an address."""

    def __call__(self, standin: Any, base_url: str) -> Provider:  # noqa: ANN401 - the stand-in it was written for
        """Give the adapter."""
        ...


class Reached(Generic[S]):
    """A service in memory, with the ways to it.

    Attributes:
        standin: the service: ``seed()``, ``secret()``, ``secrets``, ``requests``, ``calls``.
        provider: the adapter with the stand-in's credential, to be used with ``transport()``.
        waits: the seconds of every pause so far; none was really made.
    """

    def __init__(self, standin: S, provider_at: ProviderAt, waits: Waits) -> None:
        self.standin = standin
        self.provider: Provider = provider_at(standin, standin.base_url)
        self.waits = waits
        self._provider_at = provider_at
        self._open = ExitStack()
        self._url = ""

    def script(self, *faults: Fault) -> None:
        """Let the next requests come to these ends, in turn: Reply, Lost, Refused or Pass."""
        self.standin.script(*faults)

    def transport(self) -> Any:  # noqa: ANN401 - an httpx transport for both faces
        """Give the ``transport=`` for a bridge of your own, which leads here without a socket."""
        return self.standin.transport()

    def bridge(self, **options: Any) -> SecretBridge:  # noqa: ANN401 - as in SecretBridge
        """Open a bridge to it, closed at the end of the test; options as in ``SecretBridge``."""
        return self._open.enter_context(SecretBridge(self.provider, transport=self.transport(), **options))

    def async_bridge(self, **options: Any) -> AsyncSecretBridge:  # noqa: ANN401 - as in AsyncSecretBridge
        """Give an awaited bridge to it, to be opened with ``async with``."""
        return AsyncSecretBridge(self.provider, transport=self.transport(), **options)

    @property
    def url(self) -> str:
        """The base URL of a server on 127.0.0.1 that is this service, started when it is first asked for."""
        if not self._url:
            self._url = self._open.enter_context(self.standin.serve())
        return self._url

    @property
    def served(self) -> Provider:
        """The adapter for ``url``: for code that opens its own bridge, or runs in another process."""
        return self._provider_at(self.standin, self.url)

    def close(self) -> None:
        """Close bridges and the server."""
        self._open.close()


def reached(make: Callable[[], tuple[S, ProviderAt]], waits: Waits) -> Iterator[Reached[S]]:
    """Give a service while a test runs."""
    standin, provider_at = make()
    service = Reached(standin, provider_at, waits)
    yield service
    service.close()


def ionet() -> tuple[IoNetStandIn, ProviderAt]:
    """Make io.net."""
    return IoNetStandIn(), lambda standin, base_url: IoNet(api_key=standin.api_key, base_url=base_url)


def wix() -> tuple[WixStandIn, ProviderAt]:
    """Make Wix, of one site."""
    return WixStandIn(), lambda standin, base_url: Wix(
        api_key=standin.api_key, site_id=standin.site_id, base_url=base_url
    )


def insforge() -> tuple[InsForgeStandIn, ProviderAt]:
    """Make InsForge, of one project."""
    return InsForgeStandIn(), lambda standin, base_url: InsForge(base_url, api_key=standin.api_key)


class _Declared(frozenset[str]):
    """Every name: which ones an endpoint can update is seen in its stand-in."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def _appfarm_at(standin: Any, base_url: str) -> Provider:  # noqa: ANN401 - an AppfarmStandIn
    provider = Appfarm(base_url, api_key=standin.api_key, path=standin.path, secrets=["ANY"])
    # The stand-in says which names there are.
    provider._secrets = _Declared()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return provider


def appfarm() -> tuple[AppfarmStandIn, ProviderAt]:
    """Make Appfarm, of one endpoint."""
    return AppfarmStandIn(), _appfarm_at


class Canary:
    """Takes values and finds out where they turned up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._values: list[str] = []
        self._allowed: set[Path] = set()
        self.heard: list[str] = []

    def __call__(self, value: str) -> str:
        """Look out for a value; gives it back.

        Raises:
            ValueError: it is shorter than 8 characters, and would be found by chance.
        """
        if len(value) < 8:  # noqa: PLR2004 - see above
            raise ValueError("a canary has at least 8 characters: a shorter one is found by chance")
        self._values.append(value)
        return value

    def allow(self, path: str | PathLike[str]) -> None:
        """Leave out a file that is meant to hold the value."""
        from pathlib import Path

        self._allowed.add(Path(path).resolve())

    def found_in(self, text: str) -> list[str]:
        """Say in which forms a text holds a value: for what a test took with ``capsys.readouterr()``."""
        return [how for value in self._values for how in found_in(text, value)]

    def findings(self, output: str) -> list[str]:
        """Say where the values turned up, and in which form; never the values."""
        places = {"the captured output": output, "a log or a warning": "\n".join(self.heard)}
        found = [(where, self.found_in(text)) for where, text in places.items()]
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and path.resolve() not in self._allowed:
                where = f"the file {path.relative_to(self._folder)}"
                found.append((f"the name of {where}", self.found_in(path.name)))
                found.append((where, self.found_in(path.read_bytes().decode("utf-8", "replace"))))
        return [f"a canary's value is in {where} ({', '.join(how)})" for where, how in found if how]

    def judge(self, report: pytest.TestReport) -> None:
        """Let a test fail if a value turned up."""
        found = self.findings(f"{report.capstdout}\n{report.capstderr}\n{report.caplog}")
        if found and report.passed:
            report.outcome = "failed"
            report.longrepr = "\n".join(found)
        elif found:
            report.sections.append(("secretbridge_canary", "\n".join(found)))


class _Ears(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._into = into
        self.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down as it would be written, traceback and arguments included."""
        self._into.append(self.format(record))


def canary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Listen while a test runs: to every logger at DEBUG, and to warnings."""
    watching = Canary(folder)
    root, ears = logging.getLogger(), _Ears(watching.heard)
    show = warnings.showwarning

    def heard(message: Warning | str, *where: Any, **more: Any) -> None:  # noqa: ANN401 - handed on
        watching.heard.append(str(message))
        show(message, *where, **more)

    monkeypatch.setattr(warnings, "showwarning", heard)
    level = root.level
    root.addHandler(ears)
    root.setLevel(logging.DEBUG)
    try:
        yield watching
    finally:
        root.setLevel(level)
        root.removeHandler(ears)
