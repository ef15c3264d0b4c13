"""What a run keeps in a vault: the values that undo needs, and the key of fingerprints and seals."""

from __future__ import annotations

import contextlib
import hmac
import itertools
import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from secretbridge._models import secret_str
from secretbridge.errors import InvalidRequest, SecretExists, SecretNotFound, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge._models import Secret

__all__ = ["KEY_NAME", "Keep", "keeper"]

#: Under this name the vault keeps the key of all runs; who has it can try values against fingerprints.
KEY_NAME: Final = "migration.key"
_ABOUT: Final = "kept by a migration of secretbridge"
#: Characters that are kept in one secret: a window's values lie together, up to here.
_MOST: Final = 262_144
_KEPT: Final = (
    "description",
    "active",
    "protected",
    "expires_at",
    "tool_name",
    "tool_arg",
    "default_for_tool",
)


async def keeper(core: Core, *, make: bool) -> Keep:
    """Give what keeps values in this vault, its key read or made.

    Args:
        core: the vault.
        make: whether a key may be made; if not, the vault must be one that a run has used.

    Raises:
        InvalidRequest: it cannot keep values, or has no key and none may be made.
    """
    of = core.capabilities
    if not of.reads_values or not {"get", "put", "delete"} <= of.operations:
        raise _unfit(f"{of.title} cannot keep values and tell them again", "give a vault, such as Local()")
    key = await _key(core)
    if key is None and make:
        with contextlib.suppress(SecretExists):  # another run was faster: its key is as good
            await core.create(KEY_NAME, {"value": secret_str()(os.urandom(32).hex())}, allow_one_way=False)
        key = await _key(core)
    if key is None:
        raise _unfit("has no key of a migration", "give the vault that was given when the run began")
    return Keep(core, key)


async def _key(core: Core) -> bytes | None:
    told: SecretStr | None = None
    try:
        told = (await core.get(KEY_NAME, None, metadata=False)).value
    except SecretNotFound:
        return None
    text = "" if told is None else told.get_secret_value()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:  # noqa: PLR2004 - as it is made above
        raise _unfit(f"holds something else than a key under {KEY_NAME}", "rename that secret")
    return key


def _unfit(problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(violations=[Violation("vault", problem, remedy)])


class Keep:
    """The values that runs keep in one vault.

    Args:
        core: the vault.
        key: 32 random bytes, kept in it.
    """

    def __init__(self, core: Core, key: bytes) -> None:
        self.core = core
        self._key = key
        self._last: tuple[str, dict[int, dict[str, Any]]] | None = None

    def __repr__(self) -> str:
        return f"Keep({self.core.provider!r})"

    def seal_key(self, run_id: str) -> bytes:
        """Give the key that seals the journal of a run."""
        return hmac.digest(self._key, b"journal\0" + run_id.encode(), "sha256")

    def fingerprint(self, name: str, value: SecretStr) -> str:
        """Give a keyed digest by which the same value of the same secret is known again."""
        text = b"\0".join((b"value", name.encode(), value.get_secret_value().encode()))
        return hmac.digest(self._key, text, "sha256").hex()[:32]

    async def keep(self, run_id: str, seen: Sequence[tuple[int, Secret]], place: int) -> dict[int, int]:
        """Keep what is at the target before it is changed, in as few secrets of the vault as can be.

        Args:
            run_id: the run.
            seen: the number of each step, and the secret with its value.
            place: the first number under which this run has kept nothing yet.

        Returns:
            For each step the number under which it is kept, together with others.

        Raises:
            SecretBridgeError: the vault does not take them; nothing may be changed then.
        """
        places: dict[int, int] = {}
        for taken, (packed, numbers) in enumerate(_packs(seen), place):
            await self.core.put(_name(run_id, taken), {"value": packed}, allow_one_way=False)
            places |= dict.fromkeys(numbers, taken)
        return places

    async def kept(self, run_id: str, n: int, place: int) -> dict[str, Any] | None:
        """Give the fields of a secret as they were before this run; None if they were not kept.

        Args:
            run_id: the run.
            n: the number of the step.
            place: the number under which it is kept.
        """
        name = _name(run_id, place)
        last = self._last  # taken once: undo asks from several threads
        if last is None or last[0] != name:
            told: SecretStr | None = None
            try:
                told = (await self.core.get(name, None, metadata=False)).value
            except SecretNotFound:
                return None
            self._last = last = None if told is None else (name, _unpacked(told))
        return None if last is None else last[1].get(n)

    async def drop(self, run_id: str, places: int) -> None:
        """Let go of what undo needed, when it has been undone.

        Args:
            run_id: the run.
            places: the first number under which, by its journal, the run has kept nothing.
        """
        self._last = None
        for place in range(places):
            await self.core.delete(_name(run_id, place), None, missing_ok=True)
        with contextlib.suppress(SecretNotFound):  # a run that was killed may not have announced what it kept
            for place in itertools.count(places):  # pragma: no branch - it ends where one is not found
                name = _name(run_id, place)
                await self.core.get(name, None, metadata=False)
                await self.core.delete(name, None, missing_ok=True)


def _name(run_id: str, n: int) -> str:
    return f"migration.{run_id}.{n}"


def _packs(seen: Sequence[tuple[int, Secret]]) -> Iterator[tuple[SecretStr, list[int]]]:
    """Give what is kept together: the text, and the numbers of the steps."""
    wrap = secret_str()
    rows: list[str] = []
    numbers: list[int] = []
    length = 0
    for n, secret in seen:
        row = _packed(n, secret)
        if rows and length + len(row) > _MOST:
            yield wrap(f"[{','.join(rows)}]"), numbers
            rows, numbers, length = [], [], 0
        rows.append(row)
        numbers.append(n)
        length += len(row)
    if rows:
        yield wrap(f"[{','.join(rows)}]"), numbers


def _packed(n: int, secret: Secret) -> str:
    whole: dict[str, object] = {"n": n, "value": secret.value and secret.value.get_secret_value()}
    whole |= {name: kept for name in _KEPT if (kept := getattr(secret, name)) is not None}
    return json.dumps(whole, ensure_ascii=False, default=datetime.isoformat)


def _unpacked(kept: SecretStr) -> dict[int, dict[str, Any]]:
    """Give what lies together, by the numbers of the steps; values wrapped."""
    found: dict[int, dict[str, Any]] = {}
    for row in json.loads(kept.get_secret_value()):
        whole: dict[str, Any] = {**dict.fromkeys(_KEPT), **row}
        if whole["expires_at"] is not None:
            whole["expires_at"] = datetime.fromisoformat(whole["expires_at"])
        if whole["value"] is not None:  # an inactive secret is listed and its value not told
            whole["value"] = secret_str()(whole["value"])
        found[whole.pop("n")] = whole
    return found
