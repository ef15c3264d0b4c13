"""Credentials: checked when they are given, and turned into headers at each exchange."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from pydantic import SecretStr

from secretbridge.errors import AuthenticationError, InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge._exchange import Headers

__all__ = ["Credential", "HeaderAuth", "one_of"]

#: A credential as a caller may give it.
Credential = str | SecretStr | Callable[[], str | SecretStr]


class HeaderAuth:
    """A credential in one header, with headers that belong to it.

    Args:
        parameter: what the credential is called in the adapter's signature, for errors.
        source: a text, or a callable that is asked at every exchange.
        header: the header's name.
        prefix: what stands before the credential, such as ``"Bearer "``.
        beside: further headers.

    Raises:
        InvalidRequest: the credential is no text, is empty, or holds what no header can carry.
    """

    def __init__(
        self, parameter: str, source: Credential, *, header: str, prefix: str = "", beside: Headers = ()
    ) -> None:
        self._parameter = parameter
        self._header = header.encode()
        self._prefix = prefix.encode()
        self._beside = beside
        self.fixed = not callable(source)
        self._source = source if callable(source) else self._checked(source)

    def _checked(self, text: object) -> SecretStr:
        plain = text.get_secret_value() if isinstance(text, SecretStr) else text
        if not isinstance(plain, str):
            problem = "is neither a text nor a callable that gives one"
        elif not plain.strip():
            problem = "is empty"
        elif not plain.isascii() or not plain.isprintable() or " " in plain:
            problem = "holds white space or a character that no header can carry"
        else:
            return SecretStr(plain)
        remedy = "strip what was read from a file; give the key alone, without Bearer or its header's name"
        raise InvalidRequest(violations=[Violation(self._parameter, problem, remedy)])

    def headers(self) -> Headers:
        """Give the headers; asks the callable where there is one.

        Raises:
            AuthenticationError: the callable raised an error.
            InvalidRequest: it gave something that is no credential.
        """
        source = self._source
        secret = self._asked(source) if callable(source) else source
        return ((self._header, self._prefix + secret.get_secret_value().encode()), *self._beside)

    def _asked(self, source: Callable[[], str | SecretStr]) -> SecretStr:
        failed = ""
        text: object = None
        try:
            text = source()
        except AuthenticationError:
            raise  # it says why, and like every error of ours it holds no value
        except Exception as error:  # noqa: BLE001 - it may hold the credential: only its class is told
            failed = type(error).__name__
        if failed:
            raise AuthenticationError(
                f"Nothing was sent: the callable given as {self._parameter} raised {failed}.",
                advice="Call it by itself to see the cause.",
            )
        if isinstance(text, Coroutine):
            text.close()  # else Python warns, at some later time, that it was never awaited
        return self._checked(text)


def one_of(given: Mapping[str, object], what: str) -> str:
    """Give the name of the one argument that is not None.

    Raises:
        InvalidRequest: none or several are given.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        remedy = f"give exactly one of {', '.join(given)}"
        wrong = (" and ".join(names), "are given together") if names else (what, "is missing")
        raise InvalidRequest(violations=[Violation(*wrong, remedy)])
    return names[0]
