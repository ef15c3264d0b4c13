"""What is to be done about one secret: a pure function of what was seen, the two stores and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Limit
from secretbridge.migrate._types import Loss, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from secretbridge._capabilities import Capabilities
    from secretbridge.migrate._rules import Rules
    from secretbridge.migrate._types import Action, Mark

__all__ = ["Candidate", "Frame", "Seen", "alive", "decide", "decide_unread"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_VALUE: Final = ("value",)  # one object: there may be very many steps
_TOOLS: Final = ("tool_name", "tool_arg", "default_for_tool")
#: Field -> the kind of its loss, and how a secret without it is told from others.
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "description": ("description", "its description"),
    "expires_at": ("expiry", "its expiry"),
    "active": ("inactive", "that it is inactive"),
    "protected": ("protected", "its protection"),
    **dict.fromkeys(_TOOLS, ("tool_binding", "its tool binding")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is the same for every secret of a plan.

    Attributes:
        source: what the source can do.
        target: what the target can do.
        rules: the rules.
        borrowed: whether values come from elsewhere than the source.
        now: what counts as expired.
        known: says of a secret that its value is the same at both ends, so that neither is read; or None.
    """

    source: Capabilities
    target: Capabilities
    rules: Rules
    borrowed: bool
    now: datetime
    known: Callable[[Candidate], bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One secret that the rules select, and what the two listings say about it.

    Attributes:
        mark: the secret at the source.
        target: its name at the target.
        there: the target's secrets of that name.
        twins: further secrets of its name at the source.
        clashes: other names that become the same one.
        elsewhere: other environments in which it has a value.
        unfit: why the target does not accept the name, and what it would accept; or "".
    """

    mark: Mark
    target: str
    there: tuple[Mark, ...] = ()
    twins: int = 0
    clashes: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of two values while they were read; neither is here.

    Attributes:
        equal: whether they are the same; None where one of them was not read.
        problem: why the source's cannot be read, made or kept at the target; or "".
        digest: by which the target's is known again, under a key of this plan alone; b"" where it was not
            read.
    """

    equal: bool | None = None
    problem: str = ""
    digest: bytes = b""


def alive(mark: Mark, now: datetime) -> bool:
    """Say whether a store that tells values hands this one out."""
    return mark.active is not False and not _past(mark, now)


def decide(candidate: Candidate, seen: Seen, frame: Frame) -> Step:
    """Say what is to be done about a secret that ``decide_unread`` leaves open."""
    if seen.problem:
        return _step(candidate, "refuse", seen.problem)
    there = candidate.there[0] if candidate.there else None
    carried, losses = _carried(candidate, frame)
    fields = tuple(carried) if seen.equal else ("value", *carried) if carried else _VALUE
    if there is not None and not fields:
        return _step(candidate, "skip", "same", equal=True)
    if there is not None and frame.rules.on_conflict == "refuse":
        return _step(candidate, "refuse", _taken(seen), equal=seen.equal)
    if there is not None and there.protected:
        way_out = frame.target.one_way.get("protected", "set protected=False there first")
        reason = f"is protected at {frame.target.title}: {way_out}"
        return _step(candidate, "refuse", reason, equal=seen.equal)
    wanting = sorted({loss.kind for loss in losses} - set(frame.rules.accept))
    if wanting:
        words = ", ".join(f'"{kind}"' for kind in wanting)
        return _step(candidate, "refuse", f"needs consent: accept=[{words}]", losses=losses, equal=seen.equal)
    action: Action = "create" if there is None else "update"
    return _step(candidate, action, "", losses=losses, fields=fields, equal=seen.equal)


def decide_unread(candidate: Candidate, frame: Frame) -> Step | None:  # noqa: PLR0911 - one for each answer
    """Say what is to be done where no value has to be read for it, else None."""
    mark, there = candidate.mark, candidate.there
    if mark.platform:
        loss = Loss(kind="platform", text=f"belongs to {frame.source.title} itself and is never copied")
        return _step(candidate, "skip", "platform", losses=(loss,))
    if reason := _in_the_way(candidate, frame):
        return _step(candidate, "refuse", reason)
    if not frame.borrowed and not alive(mark, frame.now):
        return _left_behind(candidate, frame)
    if not there:
        return None
    if frame.rules.on_conflict == "skip":
        return _step(candidate, "skip", "policy")
    if frame.rules.on_conflict == "refuse" and not frame.target.reads_values:
        return _step(candidate, "refuse", _taken(Seen()))
    return None


def _in_the_way(candidate: Candidate, frame: Frame) -> str:  # noqa: PLR0911 - one for each reason
    """Say what keeps a secret from the target, whatever its value and the consent; or ""."""
    there, target = candidate.there, frame.target
    if candidate.twins:
        count = candidate.twins + 1
        return f"{frame.source.title} has {count} secrets of this name; rename or delete the others"
    if candidate.clashes:
        others = ", ".join(map(repr, candidate.clashes[:3]))
        return f"{others} would become {candidate.target!r} too; rename one of them"
    if candidate.unfit:
        return candidate.unfit
    if len(there) > 1:
        ids = ", ".join(mark.id or "?" for mark in there)
        return f"{target.title} has {len(there)} secrets of this name: {ids}; rename or delete the others"
    if there and there[0].platform:
        return f"belongs to {target.title} itself there; choose another name"
    if not there and "create" not in target.operations:
        return f"{target.title} cannot make a new secret: {target.why_not.get('create', 'it has no create')}"
    return ""


def _left_behind(candidate: Candidate, frame: Frame) -> Step:
    kind = "inactive" if candidate.mark.active is False else "expired"
    text = f"is {kind}: {frame.source.title} does not hand its value out, so it stays behind"
    losses = (Loss(kind=kind, text=text),)
    if kind in frame.rules.accept:
        return _step(candidate, "skip", kind, losses=losses)
    return _step(candidate, "refuse", f'needs consent: accept=["{kind}"]', losses=losses)


def _taken(seen: Seen) -> str:
    state = {
        True: "with the same value and other fields",
        False: "with another value",
        None: "and its value cannot be compared",
    }[seen.equal]
    return f'is there already, {state}; choose on_conflict="update" or "skip"'


def _carried(candidate: Candidate, frame: Frame) -> tuple[list[str], tuple[Loss, ...]]:
    """Give the fields beside the value that are to be written, and what is lost or done for good."""
    mark, of = candidate.mark, frame.target
    there = candidate.there[0] if candidate.there else None
    possible = of.create if there is None else of.update
    ours, theirs = dict(_set(mark)), {} if there is None else dict(_set(there))
    carried: list[str] = []
    losses: dict[str, Loss] = {}
    for field, content in ours.items():
        if theirs.get(field) == content:
            continue
        kind, what = _KINDS[field]
        why = _cannot_keep(field, content, of) if field in possible else f"{of.title} does not keep {what}"
        if not why and field in of.one_way:
            if "one_way" not in frame.rules.accept and kind in frame.rules.accept:
                why = f"{what} is left out: {of.one_way[field]}"
            else:
                text = f'{of.one_way[field]} (accept=["{kind}"] alone leaves it out)'
                losses["one_way"] = Loss(kind="one_way", text=text)
        if why:
            losses[kind] = Loss(kind=kind, text=why)
        else:
            carried.append(field)
    if there is not None:
        carried += [field for field in theirs if field not in ours and _is_reset(field, there, frame)]
    return carried, (*losses.values(), *_stays_behind(candidate))


def _cannot_keep(field: str, content: object, of: Capabilities) -> str:
    if field == "description":
        longest = of.limits.get("description", Limit()).max_length
        length = int(str(content).partition(":")[0])
        if longest is not None and length > longest:
            return f"its description has {length:,} characters; {of.title} keeps {longest:,}"
    return ""


def _is_reset(field: str, there: Mark, frame: Frame) -> bool:
    """Say whether what is set at the target alone is taken back there.

    So it is where the source says that it has no such thing, and where the value would not be handed out.
    """
    of = frame.target
    told = field in frame.source.list_tells
    hides = field == "active" or (field == "expires_at" and _past(there, frame.now))
    return (told or hides) and (field in of.clear or (field == "active" and field in of.update))


def _stays_behind(candidate: Candidate) -> Iterator[Loss]:
    version = candidate.mark.version
    if version is not None and version > 1:
        before = "1 earlier version stays" if version == 2 else f"{version - 1} earlier versions stay"  # noqa: PLR2004 - the first one
        yield Loss(kind="versions", text=f"{before} behind")
    if candidate.elsewhere:
        listed = ", ".join(candidate.elsewhere)
        yield Loss(kind="environments", text=f"its values in other environments stay behind: {listed}")


def _set(mark: Mark) -> Iterator[tuple[str, object]]:
    """Give the fields of a secret that are not as in a new one, comparable between stores."""
    if mark.description is not None:
        yield "description", mark.description
    if mark.expires_at is not None:
        yield "expires_at", (mark.expires_at - _EPOCH) // _MILLISECOND
    if mark.active is False:
        yield "active", False
    if mark.protected:
        yield "protected", True
    if mark.tools is not None:
        names, _, digest = mark.tools.partition(":")
        for name in names.split("+"):
            yield name, digest


def _past(mark: Mark, now: datetime) -> bool:
    return mark.expires_at is not None and mark.expires_at <= now


def _step(
    candidate: Candidate,
    action: Action,
    reason: str,
    *,
    losses: tuple[Loss, ...] = (),
    fields: tuple[str, ...] = (),
    equal: bool | None = None,
) -> Step:
    return Step(
        source=candidate.mark.name,
        target=candidate.target,
        action=action,
        reason=reason,
        losses=losses,
        fields=fields,
        equal=equal,
        source_mark=candidate.mark,
        target_mark=candidate.there[0] if len(candidate.there) == 1 else None,
    )
