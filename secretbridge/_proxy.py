"""The choice of a proxy: by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as httpx.Client reads them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Address", "choose"]


class Address(Protocol):
    """The parts of a URL that the choice goes by; a port is None where it is the scheme's own."""

    @property
    def scheme(self) -> str:
        """The scheme, or "all" for any."""
        ...

    @property
    def host(self) -> str:
        """The host in lower case, without brackets."""
        ...

    @property
    def port(self) -> int | None:
        """The port."""
        ...


def choose(settings: Mapping[str, str], url: Address, parse: Callable[[str], Address]) -> str | None:
    """Give the proxy for an address, or None for the direct way.

    Of all settings that cover the address the closest one counts: with a port before without, then the
    longest host, then a named scheme before any.

    Args:
        settings: what ``urllib.request.getproxies`` gives.
        url: where the request goes.
        parse: reads a URL; what it raises for an entry that is none, the caller gets.
    """
    exceptions = [entry.strip() for entry in settings.get("no", "").split(",")]
    if "*" in exceptions:
        return None
    rules: dict[str, str | None] = {
        f"{scheme}://": settings[scheme] for scheme in ("http", "https", "all") if settings.get(scheme)
    }
    rules.update({_pattern(entry): None for entry in exceptions if entry})
    read = [(parse(pattern), proxy) for pattern, proxy in rules.items()]
    covering = [(_distance(pattern), proxy) for pattern, proxy in read if _covers(pattern, url)]
    if not covering:
        return None
    proxy = min(covering, key=lambda rule: rule[0])[1]
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _pattern(entry: str) -> str:
    """Write an entry of NO_PROXY as a URL: a domain covers what is below it, an address only itself."""
    if "://" in entry:
        return entry
    host = entry.split("/", maxsplit=1)[0]
    try:
        version = ip_address(host).version
    except ValueError:
        return f"all://{entry}" if entry.lower() == "localhost" else f"all://*{entry}"
    return f"all://{entry}" if version == 4 else f"all://[{entry}]"  # noqa: PLR2004 - IPv4


def _covers(pattern: Address, url: Address) -> bool:
    if pattern.scheme not in {"", "all", url.scheme} or pattern.port not in {None, url.port}:
        return False
    host = pattern.host
    if host in {"", "*"}:
        return True
    if host.startswith("*."):
        return url.host.endswith(host[1:])
    if host.startswith("*"):
        return url.host == host[1:] or url.host.endswith(f".{host[1:]}")
    return url.host == host


def _distance(pattern: Address) -> tuple[bool, int, int]:
    host = "" if pattern.host == "*" else pattern.host
    scheme = "" if pattern.scheme == "all" else pattern.scheme
    return pattern.port is None, -len(host), -len(scheme)
