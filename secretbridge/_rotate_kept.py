"""What a rotation has written down, and the tokens that its vault keeps meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from secretbridge._everywhere_names import all_of_rotation, of_rotation
from secretbridge._models import secret_str
from secretbridge.errors import SecretNotFound

if TYPE_CHECKING:
    from pydantic import SecretStr

    from secretbridge._core import Core
    from secretbridge.migrate._journal import Journal

__all__ = ["Kept"]


class Kept:
    """What a rotation has written down, and what its vault keeps."""

    def __init__(self, journal: Journal, vault: Core, run_id: str) -> None:
        self._journal = journal
        self.vault = vault
        self.run_id = run_id

    def data(self, kind: str) -> dict[str, Any]:
        """Give the data of the last entry of a kind, or nothing."""
        found: dict[str, Any] = {}
        for entry in self._journal.entries():
            if entry.kind == kind:
                found = entry.data
        return found

    def did(self, kind: str) -> bool:
        """Say whether there is an entry of a kind."""
        return any(entry.kind == kind for entry in self._journal.entries())

    async def note(self, kind: str, data: object) -> None:
        """Write an entry."""
        await self.vault.channel.call(lambda: self._journal.append(kind, data))

    async def keep(self, kind: str, values: list[SecretStr]) -> None:
        """Keep values in the vault, each once, and write down that they are there."""
        texts = list(dict.fromkeys(one.get_secret_value() for one in values))
        packed = secret_str()(json.dumps(texts, ensure_ascii=False))
        await self.vault.put(of_rotation(self.run_id, kind), {"value": packed}, allow_one_way=False)
        await self.note(kind, {})

    async def values(self, kind: str) -> list[SecretStr]:
        """Give what is kept; nothing where nothing is kept any more."""
        try:
            told = await self.vault.get(of_rotation(self.run_id, kind), None, metadata=False)
        except SecretNotFound:
            return []
        return [secret_str()(one) for one in json.loads(told.reveal())]

    async def drop(self) -> None:
        """Keep nothing any more."""
        await self.note("end", {})
        await self.let_go()

    async def let_go(self) -> None:
        """Delete what the vault kept."""
        for name in all_of_rotation(self.run_id):
            await self.vault.delete(name, None, missing_ok=True)
