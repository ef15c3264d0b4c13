"""Addresses: what a base URL may be, and how a name goes into a path."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit

from secretbridge.errors import InvalidRequest, Violation

__all__ = ["base_address", "path_problem", "plain_address", "quoted"]

_EXAMPLE: Final = "write it with its scheme: https://host/path"


def quoted(name: str) -> str:
    """Percent-encode a name as one segment of a path."""
    return quote(name, safe="")


def base_address(base_url: object, *, allow_http: bool) -> str:
    """Check a base URL and give it without a slash at its end.

    Raises:
        InvalidRequest: no https (http is for loopback, or needs ``allow_http=True``), no host, or a part
            that a base URL must not have. The URL itself is not shown: it may hold a password.
    """
    if not isinstance(base_url, str):
        raise _refusal([("is not a text", "give it as https://host/path")])
    if not base_url or any(ch.isspace() or not ch.isprintable() for ch in base_url):
        raise _refusal([("is empty or holds white space", "strip what was read from a file")])
    problems: list[tuple[str, str]] = []
    scheme, host, user = _parts(base_url)
    if scheme not in {"http", "https"} or not host:
        problems.append(("is not an absolute URL with a valid host and port", _EXAMPLE))
    elif scheme == "http" and not (allow_http or _is_loopback(host)):
        remedy = "use https, or say allow_http=True in so many words"
        problems.append(("would send secrets without encryption", remedy))
    if user:
        problems.append(("holds a user name or password", "give the credential by its own argument"))
    if "?" in base_url or "#" in base_url:
        problems.append(("holds a query or fragment", "leave off what follows ? or #"))
    if problems:
        raise _refusal(problems)
    return base_url.rstrip("/")


def plain_address(address: str) -> str:
    """Give a checked base URL in one way of writing: stores are told apart by it."""
    parts = urlsplit(address)
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(usual)).geturl().rstrip("/")


def _parts(address: str) -> tuple[str, str, bool]:
    """Give scheme, host ("" where there is none that can be used) and whether there is a user name."""
    try:
        parts = urlsplit(address)
        host = "" if parts.port == 0 or "\\" in address else parts.hostname or ""
    except ValueError:  # a port that is no number, or half an IPv6 address
        return "", "", "@" in address
    return parts.scheme, host, "@" in parts.netloc


def _refusal(problems: list[tuple[str, str]]) -> InvalidRequest:
    return InvalidRequest(violations=[Violation("base_url", *problem) for problem in problems])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def path_problem(path: object) -> str:
    """Say what keeps a text from being the path of an address; "" where nothing does."""
    if not isinstance(path, str) or not path.startswith("/"):
        return "is not a path that begins with a slash"
    if any(ch in "?#\\ " or not ch.isprintable() for ch in path):
        return "holds a query, a fragment, white space or control characters"
    return ""
