"""Checks one connection's table and makes options of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge._config._plain import plain
from secretbridge._config._references import Malformed, reference
from secretbridge._json import is_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from secretbridge._config._lines import Path
    from secretbridge._config._plain import Plain
    from secretbridge._config._tables import ConnectionTable

# pydantic loads with secretbridge._config._tables, late: plain connections do without.

__all__ = ["Finding", "connection_findings", "nearest", "validated"]

#: What options that hold credentials are called. ``key_file`` is none: it holds a path.
_CREDENTIAL: Final = re.compile(
    r"(?:.*[_-])?(?:api)?(?:key|token|secret|password|passwd|passphrase|credential|bearer)", re.IGNORECASE
)
_APART: Final = "put it under credentials, as a reference such as env:VARIABLE"


class Finding(NamedTuple):
    """What is wrong at a key. It says nothing of what stands there, and names no key that we do not know."""

    path: Path
    problem: str
    remedy: str = ""


#: How TOML has what pydantic misses.
_WRITTEN: Final = {
    "string_type": "write it in quotes",
    "float_type": "write a number, without quotes",
    "bool_type": "write true or false, without quotes",
}


def nearest(written: str, known: Iterable[str]) -> str:
    """Give the remedy for an unknown word: the nearest known one, or all."""
    choice = sorted(known)
    from difflib import get_close_matches  # late: mostly nothing is wrong

    close = get_close_matches(written.lower(), choice, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(choice)}"


def validated(table: Mapping[str, object]) -> ConnectionTable | Plain:
    """Give what a table that was checked before says."""
    taken = plain(table)
    if taken is not None:
        return taken
    from secretbridge._config._tables import OWN, Other

    return OWN.get(str(table["provider"]), Other).model_validate(table)


def connection_findings(where: Path, table: Mapping[str, object], *, wanted: bool) -> list[Finding]:
    """Give everything that is wrong with one connection.

    Args:
        where: its place in the file.
        table: what it holds.
        wanted: whether its provider must be installed.
    """
    if plain(table) is not None:
        return []
    from pydantic import ValidationError

    from secretbridge._config._tables import OWN, Other

    provider = table.get("provider")
    if not isinstance(provider, str) or not provider:
        problem = "provider is missing" if provider is None else "provider is not a name"
        return [Finding((*where, "provider"), problem, f"known are {', '.join(OWN)}")]
    kind = OWN.get(provider, Other)
    rows: Sequence[Mapping[str, Any]] = []
    try:
        kind.model_validate(table)
    except ValidationError as failure:
        rows = failure.errors(include_url=False, include_input=False)
    findings = [_finding(where, kind, row) for row in rows]
    if kind is Other:
        options = {key: value for key, value in table.items() if key not in Other.model_fields}
        findings += _other_findings(where, provider, options, wanted=wanted)
    return list(dict.fromkeys(findings))


def _other_findings(
    where: Path, provider: str, options: Mapping[str, object], *, wanted: bool
) -> Iterator[Finding]:
    """Check what only the adapter knows: whether it is there, and that no option looks like a credential."""
    from secretbridge.providers import names

    known = names()
    if wanted and provider not in known:
        close, listed = nearest(provider, known), f"known are {', '.join(known)}"
        remedy = listed if close == listed else f"{close} {listed}"
        yield Finding((*where, "provider"), "provider is not installed", remedy)
    for key, value in options.items():
        if not (isinstance(value, str) or is_object(value)) or not _CREDENTIAL.fullmatch(key):
            continue
        # With a mistyped name of one of ours its references are all right.
        if provider in known or not _is_reference(value):
            yield Finding((*where, key), "what looks like a credential stands among the options", _APART)


def _is_reference(value: object) -> bool:
    try:
        reference(value)
    except Malformed:
        return False
    return True


def _finding(where: Path, kind: type[ConnectionTable], row: Mapping[str, Any]) -> Finding:
    from secretbridge._config._tables import TAGS, RetryTable, TimeoutTable

    keys = tuple(part for part in row["loc"] if isinstance(part, str) and part not in TAGS)
    path = (*where, *keys)
    last = keys[-1]
    known: Mapping[str, Any] = kind.model_fields
    if len(keys) > 1 and keys[0] in {"retry", "timeout"}:
        known = (RetryTable if keys[0] == "retry" else TimeoutTable).model_fields
    if row["type"] == "extra_forbidden":
        return Finding(path, "unknown key", nearest(last, known))
    key = last if last in known else "an entry"
    if row["type"] == "missing":
        return Finding(path, f"{key} is missing", "add it; see docs/connections.md")
    cause = row.get("ctx", {}).get("error")
    if isinstance(cause, Malformed):
        return Finding(path, f"{key} {cause.problem}", cause.remedy)
    said = f"{key}: {row['msg'][:1].lower()}{row['msg'][1:]}"
    return Finding(path, said, _WRITTEN.get(row["type"], ""))
