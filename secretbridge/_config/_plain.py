"""Takes the plainest of our own connections without pydantic, which takes longer to load than all the rest.

A table is taken only where each key is one of its provider's and each value is plainly of its kind. Whatever
else there is, wrong or only unusual, is left to the models of ``_tables``, which alone say what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secretbridge._config._references import ENVIRONMENT, Malformed, reference
from secretbridge._json import is_array

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OF_BRIDGES", "OURS", "PATHS", "Plain", "plain"]

#: The options of bridges, as against those of providers.
OF_BRIDGES: Final = frozenset({"timeout", "retry", "pace"})
#: The options that hold a path, which starts from the file's folder.
PATHS: Final[dict[str, frozenset[str]]] = {
    "dotenv": frozenset({"path"}),
    "jsonfile": frozenset({"path"}),
    "local": frozenset({"location", "key_file"}),
}
#: Provider -> key -> its kind; with a ! where it may not be left out.
OURS: Final[dict[str, dict[str, str]]] = {
    "appfarm": {
        "base_url": "text!", "api_key": "credential!", "path": "text!", "secrets": "texts!",
        "allow_http": "truth",
    },
    "dotenv": {"path": "place!", "create": "truth"},
    "environ": {"prefix": "text"},
    "insforge": {"base_url": "text!", "api_key": "credential!", "allow_http": "truth"},
    "ionet": {
        "api_key": "credential", "bearer": "credential", "token": "credential", "base_url": "text",
        "allow_http": "truth",
    },
    "jsonfile": {"path": "place!", "create": "truth"},
    "local": {
        "location": "place", "environment": "environment", "passphrase": "credential", "key_file": "place",
        "account_key": "credential",
    },
    "wix": {
        "api_key": "credential!", "site_id": "text", "account_id": "text", "base_url": "text",
        "allow_http": "truth",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Plain:
    """A connection that was taken.

    Attributes:
        provider: its short name.
        given: its options, as its model would give them.
    """

    provider: str
    given: Mapping[str, object]


def plain(table: Mapping[str, object]) -> Plain | None:
    """Give a connection as its model would have it, or None where that is to look at it."""
    provider = table.get("provider")
    kinds = OURS.get(provider) if isinstance(provider, str) else None
    if kinds is None or not isinstance(provider, str):
        return None
    left = table.keys() - {"provider"}
    if left - kinds.keys() or {key for key, kind in kinds.items() if kind.endswith("!")} - left:
        return None
    given: dict[str, object] = {}
    for key in kinds:
        if key in left:
            value = _taken(kinds[key].rstrip("!"), table[key])
            if value is None:
                return None
            given[key] = value
    return Plain(provider, given)


def _taken(kind: str, value: object) -> object:
    """Give a value of a kind, or None where it is none."""
    if kind == "truth":
        return value if isinstance(value, bool) else None
    if kind == "texts":
        whole = is_array(value) and all(isinstance(one, str) for one in value)
        return value if whole else None
    if kind == "credential":
        try:
            return reference(value)
        except Malformed:
            return None
    if not isinstance(value, str) or (kind == "place" and (not value or "\0" in value)):
        return None
    return value if kind != "environment" or ENVIRONMENT.fullmatch(value) else None
