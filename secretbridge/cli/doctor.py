"""``doctor``: versions, who can touch the files, the clock, every connection; nothing is changed."""

from __future__ import annotations

import platform
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secretbridge.cli._command import command
from secretbridge.cli._output import show_json, table
from secretbridge.cli._session import Code, Doing, Session
from secretbridge.cli._stores import everywhere
from secretbridge.errors import SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge import Connection
    from secretbridge.cli._shapes_stores import Check

__all__ = ["doctor"]

_LIBRARIES: Final = (
    "anyio", "click", "cryptography", "httpx", "keyring", "platformdirs", "pydantic", "python-dotenv", "rich",
    "tenacity",
)  # fmt: skip
#: No release of this package is older: a clock before it is wrong.
_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)


@command("doctor")
def doctor(session: Session) -> int:
    """Check the installation and every connection, changing nothing.

    Versions, who can read and write the files, the clock, and whether each connection answers and takes its
    credential. A vault that has not been made is not made. Columns: check, status (ok, warning, failed),
    detail. Ends with 1 where a check failed.
    """
    found = list(_checks(session))
    session.doing = None
    if session.json:
        show_json({"checks": found})
    else:
        table(("check", "status", "detail"), [[one["check"], one["status"], one["detail"]] for one in found])
    return Code.FAILED if any(one["status"] == "failed" for one in found) else Code.DONE


def _row(check: str, status: str, detail: str) -> Check:
    return {"check": check, "status": status, "detail": detail}  # type: ignore[typeddict-item]  # one of the three


def _checks(session: Session) -> Iterator[Check]:
    from secretbridge.cli._probe import probed
    from secretbridge.cli._trouble import in_a_line, of_error

    yield from _versions()
    yield _clock()
    chosen: list[Connection] = []
    try:
        chosen = everywhere(session)
    except SecretBridgeError as error:
        trouble = of_error(session, error)
        yield _row("connections", "failed", in_a_line(trouble))
    else:
        files = sorted({one.place for one in chosen if one.place != "environment"})
        yield _row("connections", "ok", f"{len(chosen)} in {', '.join([*files, 'the environment'])}")
        for path in files:
            yield _file("file of connections", Path(path))
    for one in chosen:
        if one.provider == "local":
            yield from _vault_files(session, one)
        yield probed(session, one)
        if one.provider == "local":
            yield from _vault_clock(session, one)


def _versions() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, version

    import secretbridge

    yield _row(
        "secretbridge",
        "ok",
        f"{secretbridge.__version__} on Python {platform.python_version()}, {sys.executable}",
    )
    found: list[str] = []
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            found.append(f"{library} is not installed")
    yield _row("libraries", "ok", ", ".join(found))


def _clock() -> Check:
    now = datetime.now(UTC)
    if now < _EARLIEST:
        return _row(
            "clock", "failed", f"It says {now:%Y-%m-%d %H:%M}Z, which is past; expiries are judged by it."
        )
    return _row("clock", "ok", f"{now:%Y-%m-%d %H:%M}Z")


def _file(what: str, path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return _row(what, "failed", f"{path}: others can write it (chmod 600)")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return _row(what, "warning", f"{path}: others can read it (chmod 600)")
    return _row(what, "ok", f"{path}: {mode:04o}")


def _vault_files(session: Session, one: Connection) -> Iterator[Check]:
    from secretbridge import connect_vault

    vault = connect_vault(one.name, config=session.config)  # opens nothing
    for what, path in (("vault", vault.location()), ("key file", vault.key_file())):
        if path is not None and path.exists():
            yield _file(f"{what} of {one.name}", path)


def _vault_clock(session: Session, one: Connection) -> Iterator[Check]:
    """Hold the clock against the newest change: it must not lie in the future."""
    from secretbridge import connect, connect_vault

    session.doing = Doing(f"list {one.name}")
    try:
        location = connect_vault(one.name, config=session.config).location()
        if location is None or location.exists():
            with connect(one.name, config=session.config) as bridge:
                newest = max(
                    (secret.updated_at for secret in bridge.iter_secrets() if secret.updated_at), default=None
                )
            if newest is not None and newest > datetime.now(UTC):
                told = f"{one.name} was changed at {newest:%Y-%m-%d %H:%M}Z, which is still to come."
                yield _row("clock", "warning", f"{told} A clock was set back, or is fast elsewhere.")
    except SecretBridgeError:
        return  # the connection's own check tells why
