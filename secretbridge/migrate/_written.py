"""A plan as JSON, and back: no values, one format number, and digests over what it rests on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from secretbridge._json import is_object
from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._shape import is_shaped
from secretbridge.migrate._types import EndInfo, Estimates, Loss, Mark, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge.migrate._rules import Rules

__all__ = [
    "FORMAT",
    "VERSION",
    "estimates_of",
    "fingerprint",
    "info_of",
    "named",
    "plain",
    "read",
    "step_document",
    "step_of",
    "step_text",
    "written",
]

FORMAT: Final = "secretbridge-plan"
VERSION: Final = 1
_MARK: Final = tuple(field.name for field in fields(Mark))
_MOMENTS: Final = frozenset({"expires_at", "created_at", "updated_at"})


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def mark_document(mark: Mark | None) -> dict[str, object] | None:
    """Give a mark for JSON; what is None or False is left out."""
    if mark is None:
        return None
    return {
        name: content.isoformat() if isinstance(content, datetime) else content
        for name in _MARK
        if (content := getattr(mark, name)) is not None and not (name == "platform" and not content)
    }


def _mark_of(document: Mapping[str, Any] | None) -> Mark | None:
    if document is None:
        return None
    told: dict[str, Any] = {
        name: datetime.fromisoformat(content) if name in _MOMENTS else content
        for name, content in document.items()
    }
    return Mark(**told)


def fingerprint(rules: Rules, ends: Iterable[EndInfo], steps: Iterable[Step]) -> str:
    """Give a digest over the rules, the ends and what both list of the secrets concerned."""
    digest = hashlib.sha256(_canonical(rules.document()))
    for end in ends:
        digest.update(_canonical(plain(end)))
    for step in steps:
        digest.update(
            _canonical([mark_document(step.source_mark), step.target, mark_document(step.target_mark)])
        )
    return digest.hexdigest()


def named(info: EndInfo) -> str:
    """Give the identity of a store that is known by its name alone."""
    return f"{info.provider}\0{info.store}"


def plain(value: EndInfo | Estimates) -> dict[str, object]:
    """Give an end or estimates for JSON."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def step_document(step: Step) -> dict[str, object]:
    """Give a step for JSON."""
    return {
        "source": step.source,
        "target": step.target,
        "action": step.action,
        "reason": step.reason,
        "losses": [{"kind": loss.kind, "text": loss.text} for loss in step.losses],
        "fields": list(step.fields),
        "equal": step.equal,
        "source_mark": mark_document(step.source_mark),
        "target_mark": mark_document(step.target_mark),
    }


def step_text(step: Step) -> str:
    """Give a step as JSON, in one line."""
    return _canonical(step_document(step)).decode()


def step_of(document: Mapping[str, Any]) -> Step:
    """Give a step that was written as JSON."""
    source_mark = _mark_of(document["source_mark"])
    assert source_mark is not None  # noqa: S101 - for the type checker: every step is written with one
    return Step(
        source=document["source"],
        target=document["target"],
        action=document["action"],
        reason=document["reason"],
        losses=tuple(Loss(**loss) for loss in document["losses"]),
        fields=tuple(document["fields"]),
        equal=document["equal"],
        source_mark=source_mark,
        target_mark=_mark_of(document["target_mark"]),
    )


def info_of(document: Mapping[str, Any]) -> EndInfo:
    """Give an end that was written as JSON."""
    return EndInfo(**document)


def estimates_of(document: Mapping[str, Any]) -> Estimates:
    """Give estimates that were written as JSON."""
    whole: dict[str, Any] = {**document, "assumptions": tuple(document["assumptions"])}
    return Estimates(**whole)


def written(
    head: Mapping[str, object],
    *,
    rules: Rules,
    ends: Mapping[str, EndInfo],
    estimates: Estimates,
    steps: Iterable[Step],
) -> str:
    """Give a plan as JSON."""
    document: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        **head,
        **{name: plain(end) for name, end in ends.items()},
        "rules": rules.document(),
        "estimates": {**plain(estimates), "assumptions": list(estimates.assumptions)},
        "steps": [step_document(step) for step in steps],
    }
    document["checksum"] = hashlib.sha256(_canonical(document)).hexdigest()
    return json.dumps(document, indent=1, ensure_ascii=False)


def read(text: str) -> dict[str, Any]:
    """Take a plan's JSON apart.

    Raises:
        InvalidRequest: it is no plan, one of another version, cut short, edited or of another shape.
    """
    problem, remedy = "", "make the plan anew with migrate.plan()"
    document: Any = None
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        problem = "is not whole, or no JSON"
    if not problem and not (is_object(document) and document.get("format") == FORMAT):
        problem = "is no plan of a migration"
    elif not problem and document.get("version") != VERSION:
        problem = f"is of version {document.get('version')!r:.20}; this release reads {VERSION}"
    elif not problem:
        checksum = document.pop("checksum", None)
        if checksum != hashlib.sha256(_canonical(document)).hexdigest():
            problem = "was edited since it was written"
            remedy = "change the rules and make the plan anew with migrate.plan()"
        elif not is_shaped(document):
            problem = "was edited, and is of no plan's shape any more"
    if problem:
        raise InvalidRequest("Refused", violations=[Violation("the plan", problem, remedy)])
    return document  # type: ignore[no-any-return]  # a dict, as was looked at above
