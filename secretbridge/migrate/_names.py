"""Which names are taken, what they become, and which name a target would accept instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from secretbridge._checks import target_violations
from secretbridge.errors import Violation
from secretbridge.migrate._rules import pattern_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from secretbridge._capabilities import Capabilities
    from secretbridge.migrate._rules import Rules
    from secretbridge.migrate._types import EndInfo

__all__ = ["Naming", "suggested"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")
#: What runs keep in a vault for themselves: keys and earlier values, of other stores too. It stays there.
_KEPT: Final = re.compile(
    r"migration\.key|migration\.[0-9]{8}-[0-9a-f-]+\.[0-9]+|change\.change-[0-9a-f]+\.(?:new|[0-9]+)"
    r"|rotation-[0-9a-f]+\.(?:old|obtained)"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    return _UNSAFE.sub("_", _HUMP.sub("_", name)).lower()


_CASES: Final[dict[str | None, Callable[[str], str]]] = {
    None: str,
    "upper": str.upper,
    "lower": str.lower,
    "snake": _snake,
    "upper_snake": lambda name: _snake(name).upper(),
}


class Naming:
    """What the rules say about names, for the environments of two ends.

    Args:
        rules: the rules.
        source: the source; where it has an environment, that one's template goes round each name.
        target: the target; where only it has one, its template is taken off each name.
    """

    def __init__(self, rules: Rules, source: EndInfo, target: EndInfo) -> None:
        self._rules = rules
        self._select = [(pattern, pattern_of(pattern)) for pattern in rules.select]
        self._exclude = [(pattern, pattern_of(pattern)) for pattern in rules.exclude]
        self._matched: set[str] = set()
        self._wrap = rules.environments.get(source.environment or "", "")
        self._strip: re.Pattern[str] | None = None
        if not source.environment and (template := rules.environments.get(target.environment or "")):
            before, _, after = template.partition("{name}")
            self._strip = re.compile(f"{re.escape(before)}(.+){re.escape(after)}", re.DOTALL)
        self._case = _CASES[rules.case]
        self._keeps = source.provider == "local"
        #: How many of the vault's own were met, and not taken.
        self.kept = 0

    def takes(self, name: str) -> bool:
        """Say whether the rules select a name, and remember which patterns matched."""
        if self._keeps and _KEPT.fullmatch(name):
            self.kept += 1
            return False
        if self._select:
            hits = {pattern for pattern, matches in self._select if matches(name)}
            self._matched |= hits
            if not hits:
                return False
        if self._strip is not None and not self._strip.fullmatch(name):
            return False
        out = {pattern for pattern, matches in self._exclude if matches(name)}
        self._matched |= out
        return not out

    def becomes(self, name: str) -> str:
        """Give a name's name at the target."""
        rules = self._rules
        if name in rules.table:
            return rules.table[name]
        if self._strip is not None and (found := self._strip.fullmatch(name)):
            name = found[1]
        if isinstance(rules.rename, str) and rules.rename:
            name = rules.rename.replace("{name}", name)
        name = rules.prefix + self._case(name)
        return self._wrap.replace("{name}", name) if self._wrap else name

    def violations(self, names: Container[str]) -> Iterable[Violation]:
        """Find, once all names were seen, the patterns and entries that speak of none of them."""
        for pattern in self._rules.select:
            if pattern not in self._matched:
                remedy = "list_secrets() shows what is there; upper and lower case differ"
                yield Violation("select", f"{pattern!r} selects nothing at the source", remedy)
        for name in self._rules.table:
            if name not in names:
                remedy = "list_secrets() shows what is there"
                yield Violation("rename", f"speaks of {name!r}, which is not selected at the source", remedy)

    def idle_excludes(self) -> Iterable[str]:
        """Give the patterns that exclude nothing."""
        return [pattern for pattern in self._rules.exclude if pattern not in self._matched]


def suggested(name: str, of: Capabilities, taken: Container[str]) -> str | None:
    """Give a name like this one that a target accepts and nobody has, or None."""
    plain = _UNSAFE.sub("_", name).strip("_") or "SECRET"
    longest = of.name.max_length or len(plain) + 2
    for stem in (plain, plain.upper(), f"S_{plain}", f"S_{plain}".upper()):
        for candidate in (stem[:longest], *(f"{stem[: longest - 2]}_{number}" for number in range(2, 10))):
            if candidate not in taken and not [*target_violations(of, "create", candidate, None)]:
                return candidate
    return None
