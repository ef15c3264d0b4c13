"""Every byte of a small vault flipped, one at a time: what is read is right, or the vault is damaged."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Final

from secretbridge._vault import KeyFile, Vault
from secretbridge.errors import SecretBridgeError, SecretNotFound, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Expected = dict[str, dict[str, list[str]]]

#: By environment and name: the values that the name ever had there, the newest last.
IN_FILE: Final[Expected] = {
    "development": {"ALPHA": ["a-old", "a-new"], "BETA": ["b"], "GAMMA": ["c-old", "c-new"]},
    "production": {"BETA": ["b-production"], "DELTA": ["d"]},
}
#: Less, for every write puts some pages more into the journal.
IN_JOURNAL: Final[Expected] = {
    "development": {"ALPHA": ["a-old", "a-new"], "BETA": ["b"]},
    "production": {"BETA": ["b-production"]},
}
JOURNALS: Final = ("-wal", "-shm")


class Text:
    """The least that the vault takes for a value."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_secret_value(self) -> str:
        """The text."""
        return self.text


class Flips:
    """A vault, its bytes as they were written, and what came of each flip.

    Args:
        folder: where to put it.
        in_journal: flip the bytes of the journal, which holds all of it, and not those of the file.
    """

    def __init__(self, folder: Path, *, in_journal: bool) -> None:
        self.file, self.key = folder / "vault.db", folder / "vault.key"
        self.in_journal = in_journal
        self.expected = IN_JOURNAL if in_journal else IN_FILE
        self.found: Counter[str] = Counter()
        with closing(self._open("development")) as one, closing(self._open("production")) as two:
            for environment, vault in (("development", one), ("production", two)):
                for name, values in self.expected[environment].items():
                    for value in values:
                        vault.put(name, {"value": Text(value)})
            journal = self.file.with_name("vault.db-wal")
            self.journal = journal.read_bytes() if in_journal else b""
            self.whole = self.file.read_bytes()
        if not in_journal:
            self.whole = self.file.read_bytes()
        self.target = self.journal if in_journal else self.whole

    def _open(self, environment: str) -> Vault:
        return Vault.open(self.file, environment=environment, credential=KeyFile(self.key))

    def flip(self, places: Iterable[int], dice: random.Random) -> None:
        """Flip one bit at each of these places, and see."""
        for place in places:
            flipped = bytearray(self.target)
            flipped[place] ^= 1 << dice.randrange(8)
            for ending in JOURNALS:
                self.file.with_name(f"{self.file.name}{ending}").unlink(missing_ok=True)
            self.file.write_bytes(self.whole if self.in_journal else flipped)
            if self.in_journal:
                self.file.with_name("vault.db-wal").write_bytes(flipped)
            outcome = self._judged(place)
            self.found[outcome] += 1

    def _judged(self, place: int) -> str:
        missed = 0
        try:
            with closing(self._open("development")) as first:
                missed += self._look(first, self.expected["development"], place)
                # The journal is played into the file once, by whoever opens it first: both look at that.
                other = first._policy.environments["production"]  # noqa: SLF001 - another opening costs as much as all else
                second = Vault(first._store, first._keyring, other, first._policy)  # noqa: SLF001 - as above
                missed += self._look(second, self.expected["production"], place)
                if missed and not self.in_journal:
                    return self._verified(first, place)
        except VaultError:
            return "refused"
        return "rolled back" if missed else "right"

    def _look(self, vault: Vault, expected: dict[str, list[str]], place: int) -> int:
        missed = 0
        listed = [record.name for record in vault.list()[0]]
        if not set(listed) <= set(expected) or len(set(listed)) != len(listed):
            raise AssertionError(f"byte {place}: the names {listed} were listed")
        missed += len(expected) - len(listed)
        for name, values in expected.items():
            try:
                record = vault.get(name=name)
            except SecretNotFound:
                missed += 1
                continue
            if record.name != name or record.value not in (values if self.in_journal else values[-1:]):
                raise AssertionError(f"byte {place}: {record.name} was read for {name}, or another value")
            missed += record.value != values[-1]
        return missed

    @staticmethod
    def _verified(vault: Vault, place: int) -> str:
        try:
            vault.verify()
        except SecretBridgeError:
            return "missed, found by verify"
        raise AssertionError(f"byte {place}: something was missed, and verify() found nothing")


def run(
    sample: int | None, folder: Path, seed: int, *, in_journal: bool, part: tuple[int, int] = (1, 1)
) -> str:
    """Flip every byte, or a sample of them; a line that says what was found.

    Args:
        sample: how many bytes to flip, or None for all.
        folder: where to put the vault; in memory (/dev/shm) it is many times as fast.
        seed: which bytes of a sample, and which bit of each.
        in_journal: flip the bytes of the journal, and not those of the file.
        part: only the bytes of one part, of so many: (1, 4) is the first quarter.
    """
    flips = Flips(folder, in_journal=in_journal)
    this, parts = part
    dice = random.Random(seed + this)  # noqa: S311 - the same run again, as far as a machine allows
    every = range(len(flips.target))
    mine = every[len(every) * (this - 1) // parts : len(every) * this // parts]
    flips.flip(mine if sample is None else sorted(dice.sample(mine, sample)), dice)
    counted = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(flips.found.items()))
    which = "journal" if in_journal else "file"
    return f"flips in the {which}: {flips.found.total():,} of {len(every):,} bytes: {counted}; wrong 0"
