"""The two ends of a rotation: where a new token comes from, and how the old one is revoked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from secretbridge._config._ask import MOST, decoded
from secretbridge._config._command import output_of
from secretbridge._config._references import Malformed
from secretbridge._models import secret_str
from secretbridge.errors import Violation

if TYPE_CHECKING:
    from pydantic import SecretStr

__all__ = ["Failed", "Steps"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST: Final = 3600.0
_KINDS: Final = 'give a callable, or a command as a list such as ["program", "argument"]'


class Failed(Exception):
    """A callable or a command failed; the text holds nothing of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Steps:
    """What gives a new token and what revokes an old one.

    Attributes:
        obtain: a callable, or a command's words.
        revoke: the same for the old token, or None.
        variable: the environment variable in which a command gets the old token; None: its standard input.
        time_limit: seconds that a command may take.
    """

    obtain: Callable[[], str | SecretStr] | Sequence[str]
    revoke: Callable[[SecretStr], object] | Sequence[str] | None
    variable: str | None
    time_limit: float

    def wrong(self) -> list[Violation]:
        """Find what is malformed."""
        found = [
            Violation(name, "is neither a callable nor a command", _KINDS)
            for name, step in (("obtain", self.obtain), ("revoke", self.revoke))
            if not (name == "revoke" and step is None) and not callable(step) and not _is_command(step)
        ]
        if self.variable is not None and not (
            isinstance(self.variable, str)  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            and _VARIABLE.fullmatch(self.variable)
        ):
            found.append(Violation("revoke_variable", "is no variable's name", "for example OLD_TOKEN"))
        limit = self.time_limit
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit <= _LONGEST:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            found.append(Violation("time_limit", "is no number of seconds", "give more than 0, at most 3600"))
        return found

    def obtained(self) -> SecretStr:
        """Give a new token; blocks.

        Raises:
            Failed: there is none.
        """
        why = ""
        token: Any = None
        try:
            if callable(self.obtain):
                token = self.obtain()
            else:
                token = decoded(output_of(self.obtain, Path(), self.time_limit, MOST))
        except Malformed as failure:
            why = failure.problem
        except Exception as error:  # noqa: BLE001 - it may hold the token: only its class is told
            why = f"it raised {type(error).__name__}"
        plain = token if isinstance(token, str) else None
        if isinstance(token, secret_str()):
            plain = token.get_secret_value()
        if not why and (not isinstance(plain, str) or not plain):
            why = "it gave no text"
        if why or plain is None:
            raise Failed(why)
        return secret_str()(plain)

    def revoked(self, old: SecretStr) -> None:
        """Revoke an old token; blocks.

        Raises:
            Failed: it is not known to be revoked.
        """
        why = ""
        try:
            if callable(self.revoke):
                self.revoke(old)
            elif self.revoke is not None:  # pragma: no branch - asked only where there is one
                text = old.get_secret_value()
                output_of(
                    self.revoke,
                    Path(),
                    self.time_limit,
                    MOST,
                    fed=b"" if self.variable else text.encode(),
                    variables={self.variable: text} if self.variable else None,
                )
        except Malformed as failure:
            why = failure.problem
        except Exception as error:  # noqa: BLE001 - it may hold the token: only its class is told
            why = f"it raised {type(error).__name__}"
        if why:
            raise Failed(why)


def _is_command(step: object) -> bool:
    if not isinstance(step, Sequence) or isinstance(step, (str, bytes)):
        return False
    words = cast("Sequence[object]", step)  # isinstance() says nothing of what is in it
    return (
        bool(words) and bool(words[0]) and all(isinstance(word, str) and "\0" not in word for word in words)
    )
