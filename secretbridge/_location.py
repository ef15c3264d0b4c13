"""Where a vault is kept when it is not in a file: the address of a PostgreSQL schema."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from secretbridge.errors import InvalidRequest, Violation

__all__ = ["PostgresUrl", "is_postgres"]

SCHEMA: Final = "secretbridge"

_SCHEMES: Final = ("postgresql://", "postgres://")
_SCHEMA: Final = re.compile("(?!pg_)[a-z_][a-z0-9_]{0,62}")
_USER: Final = re.compile(r"[\w.%+~!$&*-]*", re.ASCII)
_HOST: Final = r"(?:[\w.%-]*|\[[0-9a-fA-F:.%]+\])(?::[0-9]{0,5})?"
_HOSTS: Final = re.compile(f"{_HOST}(?:,{_HOST})*", re.ASCII)
_DATABASE: Final = re.compile(r"[\w.%+~-]*", re.ASCII)
_OPTION: Final = re.compile(r"[a-z_]+=[\w.,:;%+~!$*()/-]*(?:=[\w.,:;%+~!$*()/=-]*)?", re.ASCII)
#: Options that are shown: they say which database it is.
_SHOWN: Final = ("host=", "port=", "dbname=", "user=", "service=", "sslmode=")


def is_postgres(location: object) -> bool:
    """Whether a location is a PostgreSQL URL rather than a path."""
    return isinstance(location, str) and location.startswith(_SCHEMES)


class PostgresUrl:
    """The address of a vault on PostgreSQL. What may be a credential in it is shown nowhere.

    Args:
        url: as libpq reads it, and beside its own parameters ``schema``: where the vault's tables are, by
            default ``secretbridge``.

    Raises:
        InvalidRequest: it is no such URL.
    """

    __slots__ = ("_text", "schema", "shown")

    def __init__(self, url: str) -> None:
        # Taken apart by hand: a URL that is refused must not be in an exception of the library's.
        bare, _, query = url.partition("?")
        place, slash, database = bare.partition("://")[2].partition("/")
        # A password with a sign in it that is not percent-encoded ends the host early: such a URL is refused,
        # and no part of it shown.
        credentials, _, hosts = place.rpartition("@")
        user = credentials.partition(":")[0]
        options = [each for each in query.split("&") if each]
        sound = (
            _USER.fullmatch(user)
            and _HOSTS.fullmatch(hosts)
            and _DATABASE.fullmatch(database)
            and all(_OPTION.fullmatch(each) for each in options)
            and "\0" not in url
        )
        if not sound:
            raise _malformed("is not a URL of PostgreSQL", "percent-encode the signs in its parts")
        schemas = [each.partition("=")[2] for each in options if each.startswith("schema=")] or [SCHEMA]
        if len(schemas) > 1 or not _SCHEMA.fullmatch(schemas[0]):
            raise _malformed(
                "names no schema that can be used",
                "schema=NAME, once: small letters, digits and _, not beginning with a digit or pg_",
            )
        self.schema: str = schemas[0]
        rest = "&".join(each for each in options if not each.startswith("schema="))
        self._text = f"{bare}?{rest}" if rest else bare
        told = [each for each in options if each.startswith(_SHOWN)]
        where = f"{user}@{hosts}{slash}{database}" if user else f"{hosts}{slash}{database}"
        self.shown: str = f"postgresql://{where}?{'&'.join([*told, f'schema={self.schema}'])}"

    def for_libpq(self) -> str:
        """The URL as libpq takes it, with the password if it holds one."""
        return self._text

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"PostgresUrl({self.shown!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a PostgresUrl is not pickled: it may hold a password; make it where it is used")


def _malformed(problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(violations=[Violation("location", problem, remedy)])
