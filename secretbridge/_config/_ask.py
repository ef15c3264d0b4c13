"""How a referenced credential is had when it is needed."""

from __future__ import annotations

import os
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from secretbridge._config import _access
from secretbridge._config._references import Malformed
from secretbridge._location import is_postgres
from secretbridge._models import secret_str
from secretbridge.errors import AuthenticationError, SecretBridgeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import SecretStr

    from secretbridge._config._references import Reference

__all__ = ["MOST", "Asker", "asker", "decoded", "missing_library"]

#: Bytes that a credential may have.
MOST: Final = 65_536
#: Seconds for which the answer of a keyring, a vault or a command is believed.
KEPT: Final = 60.0

_NO_KEYRING: Final = "needs the package keyring, which is not installed"
_KEYRING_REMEDY: Final = "run: pip install 'secretbridge[keyring]'"


class Asker:
    """Gives a credential when it is called; an adapter calls it at every exchange.

    Args:
        ask: gives the credential, or raises Malformed.
        place: where it is referred to, for errors: ``FILE:LINE`` or a variable's name.
        kept: seconds for which an answer is kept; 0 asks at every call.
    """

    def __init__(self, ask: Callable[[], str], place: str, kept: float) -> None:
        self._ask = ask
        self._place = place
        self._kept = kept
        self._answer: tuple[float, SecretStr] | None = None
        self._locks = {os.getpid(): threading.Lock()}  # after a fork the parent's may be held for ever

    def __call__(self) -> SecretStr:
        """Give the credential.

        Raises:
            AuthenticationError: it is not to be had; the message says why, and never what was read.
        """
        if not self._kept:
            return self._asked()
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            now = time.monotonic()
            if self._answer is None or now - self._answer[0] >= self._kept:
                self._answer = None
                self._answer = (now, self._asked())
            return self._answer[1]

    def _asked(self) -> SecretStr:
        problem, remedy, text = "", "", ""
        try:
            text = self._ask()
            if not text:
                problem, remedy = "it is empty", "put the credential there"
        except Malformed as failure:
            problem, remedy = failure.problem, failure.remedy
        if problem:
            raise AuthenticationError(
                f"The credential that {self._place} refers to is not to be had: {problem}.",
                advice=f"{remedy[:1].upper()}{remedy[1:]}.",
            )
        return secret_str()(text)


def asker(reference: Reference, folder: Path, place: str) -> Asker:
    """Give what asks for a referenced credential.

    Args:
        reference: where it is.
        folder: what relative paths start from, and where commands run.
        place: where the reference stands, for errors.
    """
    words = reference.words
    if reference.scheme == "env":
        return Asker(lambda: _variable(words[0]), place, 0)
    if reference.scheme == "file":
        path = folder / _access.expanded(words[0])
        return Asker(lambda: _file(path, place), place, 0)
    if reference.scheme == "keyring":
        return Asker(lambda: _keyring(*words), place, KEPT)
    if reference.scheme == "vault":
        return Asker(lambda: _vault(*words), place, KEPT)

    def ask() -> str:
        from secretbridge._config._command import output_of  # late: few credentials come from a command

        return decoded(output_of(words, folder, reference.time_limit, MOST))

    return Asker(ask, place, KEPT)


def missing_library(reference: Reference) -> tuple[str, str]:
    """Say which package a reference needs and is not there, and the remedy; empty where all is well."""
    if reference.scheme == "keyring" and find_spec("keyring") is None:
        return _NO_KEYRING, _KEYRING_REMEDY
    return "", ""


def _variable(name: str) -> str:
    text = os.environ.get(name, "")
    if not text:
        raise Malformed("the environment variable is not set, or is empty", "set it for this process")
    return text


def _file(path: Path, place: str) -> str:
    # The path is not named: what was taken for one may be the credential itself.
    named = f"the file that {place} refers to"
    content, problem, remedy = _access.read(path, MOST, named=named, target="FILE")
    if problem:
        raise Malformed(f"the file {problem}", remedy)
    return decoded(content)


def decoded(content: bytes) -> str:
    """Give the text without one newline at its end.

    Raises:
        Malformed: it is no text.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Malformed("what was read is no text in UTF-8", "check what it points to")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _keyring(service: str, user: str) -> str:
    if find_spec("keyring") is None:
        raise Malformed(f"it {_NO_KEYRING}", _KEYRING_REMEDY)
    failed, text = "", None
    try:
        import keyring

        text = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - a backend may fail in any way, and its text may tell all
        failed = type(error).__name__
    if failed:
        raise Malformed(
            f"the keyring failed ({failed})", "unlock it; `keyring diagnose` shows what is in use"
        )
    if not isinstance(text, str):
        raise Malformed("the keyring has no such entry", "store it with: keyring set SERVICE USER")
    return text


def _vault(environment: str, name: str) -> str:
    from secretbridge._config._vault import local
    from secretbridge._sync import SecretBridge
    from secretbridge._vault import default_location

    location = default_location()
    if not is_postgres(str(location)) and not _access.expanded(str(location)).exists():
        raise Malformed("there is no vault", "make it first, or say in SECRETBRIDGE_VAULT where it is")
    failed = ""
    try:
        with SecretBridge(local(environment)) as bridge:
            return bridge.get_secret(name).reveal()
    except SecretBridgeError as error:
        failed = type(error).__name__
    raise Malformed(f"the vault did not give it ({failed})", "look with get_secret() in the same environment")
