"""One PostgreSQL connection as the vault wants it, and what its failures mean; psycopg is used here alone."""

from __future__ import annotations

import ctypes
import os
import select
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import conninfo

from secretbridge._vault._crypto import DAMAGED_ADVICE, damaged
from secretbridge._vault._rows import STATE
from secretbridge.errors import VaultBusy, VaultDamaged, VaultError, VaultFull, VaultReadOnly

if TYPE_CHECKING:
    from secretbridge._location import PostgresUrl

Session: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

#: What psycopg raises.
FAILURES: Final = (psycopg.Error,)

#: Seconds after which the server ends a transaction whose client has gone silent: it holds up all writers.
IDLE_LIMIT: Final = 60
#: Where the URL does not say: a server that is gone is noticed in about a minute, not in two hours.
_PATIENCE: Final = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
_PATIENT: Final = {"tcp_user_timeout": "60000", "fallback_application_name": "secretbridge"}
#: Commits are acknowledged once they are on the server's disk; what is stricter stays.
DURABLE: Final = ("on", "remote_apply")

_SETTINGS: Final = """SELECT set_config('search_path', %s, false), set_config('lock_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"""

#: The turn of a writer, and whether its commit will wait for the disk.
_TURN: Final = STATE.replace(" FROM", ", current_setting('synchronous_commit') FROM") + " FOR UPDATE"

_ROWLESS: Final = ("INSERT ", "UPDATE ", "DELETE ")

_BUSY_ADVICE: Final = "Try again; a role, or a program, may hold the vault's state row locked."
_GRANTS: Final = "Give the role the permissions that the documentation lists, or connect as another role."
_TABLES: Final = "Give the schema of a vault; this one was left as it is."
#: By SQLSTATE, or by its class of two characters: kind, what is so, advice, transient.
_MEANINGS: Final[dict[str, tuple[type[VaultError], str, str, bool]]] = {
    "53100": (VaultFull, "No room is left on the server of {url}.", "Free some space there.", False),
    "53": (VaultError, "The server of {url} has no means left for this.", "Try again later.", True),
    "55P03": (VaultBusy, "Another writer held {url} for longer than we wait.", _BUSY_ADVICE, True),
    "40": (VaultBusy, "The server of {url} gave other transactions the way.", "Try again.", True),
    "57014": (VaultBusy, "The server of {url} cancelled the statement.", "See its timeouts.", True),
    "57": (VaultError, "The server of {url} ended the connection.", "Try again.", True),
    "25P": (VaultError, "The server of {url} ended a transaction left idle.", "Try again.", True),
    "08": (VaultError, "The connection to {url} was lost.", "Try again.", True),
    "25006": (VaultReadOnly, "{url} is read-only: a standby, or set so.", "Use the primary.", False),
    "42501": (VaultReadOnly, "The role may not do this on {url}.", _GRANTS, False),
    "42": (VaultDamaged, "The tables of {url} are not those of a vault.", _TABLES, False),
    "3F": (VaultDamaged, "The schema of {url} is gone.", _TABLES, False),
    "23": (VaultDamaged, "The vault {url} holds a row that it should not.", DAMAGED_ADVICE, False),
    "22": (VaultDamaged, "The vault {url} is damaged.", DAMAGED_ADVICE, False),
    "XX001": (VaultDamaged, "The server found a damaged page of {url}.", DAMAGED_ADVICE, False),
    "XX002": (VaultDamaged, "The server found a damaged index of {url}.", DAMAGED_ADVICE, False),
}
#: What a refused connection says, in English; in other words only the general sentence is told. Not one word
#: of libpq's own is: it may quote the URL.
_REFUSALS: Final = (
    ("password authentication failed", "did not accept the user's password", "Check the password.", False),
    ("no password supplied", "asks for a password", "Give it by PGPASSWORD or a password file.", False),
    (
        "no pg_hba.conf entry",
        "lets this user in from here by no rule",
        "Check pg_hba.conf and sslmode.",
        False,
    ),
    ("authentication failed", "did not accept the user", "Check user and credentials.", False),
    ("role ", "knows no such role", "Check the user's name.", False),
    ("database ", "has no such database", "Check the database's name.", False),
    ("certificate", "did not pass the check of its certificate", "Check sslmode and sslrootcert.", False),
    ("SSL", "and we found no common way to encrypt", "Check sslmode.", False),
    ("translate host name", "has a name that is not known", "Check the host.", False),
    ("too many", "takes no more connections", "Try again later.", True),
    ("remaining connection slots", "takes no more connections", "Try again later.", True),
    ("starting up", "is starting", "Try again.", True),
    ("shutting down", "is shutting down", "Try again later.", True),
    ("timeout expired", "did not answer in time", "Check that it runs and can be reached.", True),
)
_ENDINGS: Final = ('" does not exist', '" is not permitted to log in')


def translated(problem: BaseException, url: PostgresUrl, *, writing: bool = True) -> VaultError:
    """The vault's error for psycopg's; it holds neither its text nor parameters, and is not chained."""
    assert isinstance(problem, psycopg.Error)  # noqa: S101 - for the type checker: FAILURES is all that comes
    state = problem.sqlstate or "08"
    known = next((_MEANINGS[state[:size]] for size in (5, 3, 2) if state[:size] in _MEANINGS), None)
    if known is None:
        return VaultError(f"The server of {url} reported an error (SQLSTATE {state}).", applied=False)
    kind, text, advice, transient = known
    if kind is VaultReadOnly and not writing:
        kind = VaultError  # not even reading is permitted
    return kind(text.format(url=url), advice=advice, applied=False, transient=transient)


def connect(url: PostgresUrl, *, wait: float) -> Session:
    """A new connection with every setting that the vault's promises rest on.

    Args:
        url: where to.
        wait: seconds to wait for the server's answer and, later, for each lock.

    Raises:
        VaultError: it could not be had, or a setting does not hold.
    """
    failure: VaultError
    try:
        given = conninfo.conninfo_to_dict(url.for_libpq())
    except psycopg.Error:
        failure = VaultError(
            f"libpq does not understand the URL of {url}.",
            advice="Check the names of its parameters, and that signs in them are percent-encoded.",
        )
    else:
        defaults = {**_PATIENCE, **_PATIENT, "connect_timeout": str(max(2, round(wait)))}
        try:
            session = psycopg.connect(**{**defaults, **given}, autocommit=True)  # type: ignore[arg-type]  # libpq's parameters by name
        except psycopg.Error as problem:
            failure = _refused(problem, url)
        else:
            try:
                return _prepared(session, url, wait)
            except psycopg.Error as problem:
                failure = translated(problem, url)
            except BaseException:
                session.close()
                raise
            session.close()
    raise failure


def _prepared(session: Session, url: PostgresUrl, wait: float) -> Session:
    search_path = f'"{url.schema}", pg_temp'
    values = (search_path, f"{max(1, round(wait * 1000))}ms", f"{IDLE_LIMIT}s")
    session.execute(_SETTINGS, values)
    found = session.execute("SELECT current_setting('synchronous_commit')").fetchone()
    check_durable(url, found and found[0])
    return session


def check_durable(url: PostgresUrl, setting: object) -> None:
    """Refuse a session whose commits may be acknowledged before they are on the disk.

    Raises:
        VaultError: they may.
        VaultDamaged: there was no row of the state to say it.
    """
    if setting is None:
        raise damaged()
    if setting not in DURABLE:
        raise VaultError(
            f"The server of {url} does not keep synchronous_commit on for our session (it is {setting}).",
            advice="Connect to the server itself, or through a pool that keeps one session per client.",
        )


def _refused(problem: psycopg.Error, url: PostgresUrl) -> VaultError:
    said = str(problem)
    for words, what, advice, transient in _REFUSALS:
        if words in said and (words not in {"role ", "database "} or any(end in said for end in _ENDINGS)):
            return VaultError(
                f"The server of {url} {what}.", advice=advice, applied=False, transient=transient
            )
    return VaultError(
        f"The server of {url} cannot be reached.",
        advice="Check host and port, and that the server runs.",
        applied=False,
        transient=True,
    )


class Numbered:
    """Runs statements that have ``?`` for each value; a statement without rows need not be waited for."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def execute(self, sql: str, values: Any = (), /) -> Any:  # noqa: ANN401 - as the protocol has it
        """Run one statement."""
        return self._session.execute(psycopg_sql(sql), values)


class Turn(Numbered):
    """The statements of a writer who has locked the state's row first.

    That row is then the answer to who asks for the state before anything else: one statement less per write.
    What gives no rows shares one cursor.
    """

    __slots__ = ("_asked", "_locked", "_row", "_rowless")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._locked = session.execute(_TURN.encode())
        self._row: tuple[Any, ...] | None = None
        self._rowless = session.cursor()
        self._asked = False

    def execute(self, sql: str, values: Any = (), /) -> Any:  # noqa: ANN401 - as the protocol has it
        """Run one statement."""
        first, self._asked = not self._asked, True
        if first and sql == STATE:
            self._row = self._locked.fetchone()
            return self
        if sql.startswith(_ROWLESS):
            return self._rowless.execute(psycopg_sql(sql), values)
        return super().execute(sql, values)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The state's row."""
        return self._row[:-1] if self._row is not None else None

    def durability(self) -> object:
        """The session's synchronous_commit; None where there is no state to lock."""
        row = self._row or self._locked.fetchone()
        return row[-1] if row is not None else None


@lru_cache(maxsize=256)
def psycopg_sql(sql: str) -> bytes:
    """A statement with psycopg's placeholders; no statement of ours has either sign in another meaning."""
    return sql.replace("?", "%s").encode()


def broken(session: Session) -> bool:
    """Whether the connection is of no more use."""
    return session.closed or session.broken


def went_stale(session: Session) -> bool:
    """Whether an idle connection had better be made anew; asks nobody.

    Something to read on it is the server's farewell, or at the least a message that nobody waits for.
    """
    if broken(session):
        return True
    poll = select.poll()
    poll.register(session.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def end_transaction(session: Session) -> None:
    """Roll back what transaction there is; where that cannot be done, close the connection."""
    if broken(session) or session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        return
    try:
        session.execute("ROLLBACK")
    except psycopg.Error:
        session.close()


def abandon(session: Session) -> None:
    """Let go of a connection that another process goes on using: nothing is said to the server."""
    with suppress(OSError, psycopg.Error):
        os.close(session.fileno())  # else the server would not notice the other process's end
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
