"""A plan taken up again from its JSON, for stores that are given anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._plan import Plan
from secretbridge.migrate._planning import ends_of, refuse
from secretbridge.migrate._rules import Rules
from secretbridge.migrate._written import estimates_of, info_of, named, step_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secretbridge.migrate._ends import Ends

__all__ = ["restored"]


def restored(
    document: Mapping[str, Any],
    source: object,
    target: object,
    *,
    transform: object,
    values_from: object,
    vault: object,
    by_identity: bool = False,
) -> Plan:
    """Give the plan of a document, with its ends.

    Args:
        document: a plan's JSON.
        source: as the caller gave it.
        target: likewise.
        transform: likewise.
        values_from: likewise.
        vault: likewise.
        by_identity: whether an end that tells which store it is, once it is open, may be named in another way
            than in the document; the caller then compares what it tells. Where the document has what such
            an end told, it always may: ``moved()`` compares.

    Raises:
        InvalidRequest: these are not its stores or functions.
    """
    wrong: list[Violation] = []
    ends = ends_of(wrong, source, target, values_from, vault, waits=None)
    rules = _rules(document["rules"], transform, wrong)
    if ends is not None:
        wrong += _strangers(document, ends, by_identity=by_identity)
    refuse(wrong)
    told = document.get("stores")
    assert ends is not None  # noqa: S101 - for the type checker: refused above
    assert rules is not None  # noqa: S101 - likewise
    return Plan(
        id=document["id"],
        made_at=datetime.fromisoformat(document["made_at"]),
        source=info_of(document["source"]),
        target=info_of(document["target"]),
        rules=rules,
        steps=tuple(map(step_of, document["steps"])),
        estimates=estimates_of(document["estimates"]),
        warnings=tuple(document["warnings"]),
        ends=ends,
        stores=None if told is None else (told["source"], told["target"]),
    )


def _rules(document: Mapping[str, Any], transform: object, wrong: list[Violation]) -> Rules | None:
    """Give the rules with the functions that the caller gave, which have to be those that are named."""
    rename = document["rename"]
    if isinstance(rename, str) and rename and "{name}" not in rename:  # a table stands in the plan itself
        wrong.append(Violation("rename", "names a file", "make the plan anew with migrate.plan()"))
        return None
    try:
        rules = Rules.of({**document, "transform": {} if transform is None else transform})
    except InvalidRequest as error:
        wrong += error.violations
        return None
    if rules.document() != document:
        named = ", ".join(document["transform"].values()) or "none"
        problem = f"is not the plan's, which is {named}"
        wrong.append(Violation("transform", problem, "give the functions that the plan was made with"))
    return rules


def _strangers(document: Mapping[str, Any], ends: Ends, *, by_identity: bool) -> list[Violation]:
    """Find the ends that are not those of the plan."""
    found: list[Violation] = []
    for name, end in (("source", ends.source), ("target", ends.target)):
        planned = info_of(document[name])
        unnamed = "stores" in document and document["stores"][name] != named(planned)
        tells = (by_identity or unnamed) and hasattr(end.provider, "identity")
        if end.info != (replace(planned, store=end.info.store) if tells else planned):
            problem = f"is {end.info}, and the plan was made for {planned}"
            found.append(Violation(name, problem, "give the plan's own, or plan anew"))
    return found
