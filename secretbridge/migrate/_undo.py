"""Undo: takes away what a run made and brings back what it changed, where that is as the run left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast, get_args

from secretbridge.errors import InvalidRequest, SecretBridgeError, Violation
from secretbridge.migrate._state import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence

    from secretbridge.migrate._side import Look
    from secretbridge.migrate._state import Item
    from secretbridge.migrate._work import Work

__all__ = ["UNDO_CONSENTS", "UndoConsent", "still_ours", "take_back", "undo_consents"]

UndoConsent = Literal["inferred", "changed", "unseen"]
#: What undo does only when it is told to, by these words.
UNDO_CONSENTS: Final[dict[UndoConsent, str]] = {
    "inferred": "the store never acknowledged to this run that it made this secret; it was found as expected",
    "changed": "the secret has changed since this run wrote it",
    "unseen": "whether the secret has changed since this run wrote it cannot be seen",
}
_NOT_KEPT: Final = "What was there before was not kept, so it cannot be brought back."
_LOST: Final = (
    "Its value was not handed out before it was replaced (it was inactive or had expired):"
    " it cannot be brought back."
)
_DEFAULTS: Final = {"active": True, "protected": False, "default_for_tool": False}


class _Act(NamedTuple):
    """What is to be done about one item: delete by name or id, or set these fields.

    Of some the value that was there is lost, and only the other fields can be set.
    """

    item: Item
    id: str | None
    fields: dict[str, Any] | None
    version: int | None
    lost: bool = False


def undo_consents(given: object) -> frozenset[str]:
    """Check what a caller consents to.

    Raises:
        InvalidRequest: it is no list of the known words.
    """
    known = get_args(UndoConsent)
    if isinstance(given, (list, tuple, set, frozenset)):
        words = cast("Collection[str]", given)  # what else it holds is refused
        if all(word in known for word in words):
            return frozenset(words)
    remedy = f"a list of: {', '.join(known)}"
    raise InvalidRequest(violations=[Violation("accept", "names something that is not known", remedy)])


async def take_back(work: Work, items: Sequence[Item], accept: Collection[str]) -> None:
    """Take back some items; those that are taken back already are left alone."""
    target = work.target
    target.forget()
    await work.log("undoing", [[item.n] for item in items])
    done: list[list[Any]] = []
    try:
        if target.bulk:
            acts = await _acts(work, items, accept, done)
            done += await _together(work, acts)
        else:  # each is looked at just before: many deletions may take minutes
            await target.each([_job(work, item, accept, done) for item in items])
    except BaseException:
        work.log_now("undone", done)
        raise
    await work.log("undone", done)
    for item in items:
        work.tell("undone" if item.undo == "done" else "failed", item)


async def _acts(
    work: Work, items: Sequence[Item], accept: Collection[str], rows: list[list[Any]]
) -> list[_Act]:
    """Look at items and give what is to be done; what is settled by the look alone goes into the rows."""
    target = work.target
    rich = any(not set(item.step.fields) <= target.of.get_tells for item in items)
    looks = await target.look_many([(item.step.target, _id(item)) for item in items], metadata=rich)
    acts: list[_Act] = []
    for item, look in zip(items, looks, strict=True):
        decided = look if isinstance(look, SecretBridgeError) else await _decided(work, item, look, accept)
        if isinstance(decided, _Act):
            acts.append(decided)
        elif isinstance(decided, SecretBridgeError):
            work.met(decided)
            rows.append([item.n, "failed", sentence(decided)])
        else:
            rows.append([item.n, "refused" if decided else "done", decided or None])
    return acts


def _id(item: Item) -> str | None:
    if item.after.id is not None:
        return item.after.id
    return None if item.step.target_mark is None else item.step.target_mark.id


async def _decided(
    work: Work, item: Item, look: Look, accept: Collection[str]
) -> _Act | SecretBridgeError | str:
    """Say what is to be done; "" where nothing is left to do, a sentence where it is refused."""
    if item.deletion in {"intended", "done"}:
        return "The source of it was deleted after the migration: here may be the only copy."
    if item.step.action == "create":
        return _uncreate(work, item, look, accept)
    if work.keep is None or item.kept is None:
        return _NOT_KEPT
    try:
        kept = await work.keep.kept(work.run_id, item.n, item.kept)
    except SecretBridgeError as error:
        return error
    return _NOT_KEPT if kept is None else _restore(work, item, look, kept, accept)


def _restore(work: Work, item: Item, look: Look, kept: dict[str, Any], accept: Collection[str]) -> _Act | str:
    if look.secret is None:
        return "It is not there any more."
    old = {
        name: _DEFAULTS.get(name) if kept[name] is None else kept[name]
        for name in item.step.fields
        if name != "value" or kept["value"] is not None
    }
    lost = "value" in item.step.fields and "value" not in old
    shown = "value" not in old or look.value is not None
    if shown and all(_shows(look, name, content) for name, content in old.items()):
        return _LOST if lost else ""
    wanting = _wanting(item, still_ours(work, item, look), accept, inferred=False)
    if wanting:
        return wanting
    version = look.secret.version if work.target.of.compare_and_set else None
    return _Act(item, _id(item), old, version, lost)


def _uncreate(work: Work, item: Item, look: Look, accept: Collection[str]) -> _Act | str:
    if look.present is False:
        return ""
    if look.present is None:
        return f"{work.target.of.title} does not show what is there."
    if look.secret is not None and look.secret.active is False and look.value is None and work.target.soft:
        return ""
    recorded = item.owner == "recorded"
    if look.ids and not (recorded and item.after.id in look.ids):
        return f"{len(look.ids)} secrets bear this name: {', '.join(look.ids)}."
    same = still_ours(work, item, look)
    wanting = _wanting(item, same, accept, inferred=not recorded)
    if wanting:
        return wanting
    seen = None if look.secret is None else look.secret.id
    return _Act(item, item.after.id if recorded and item.after.id else seen, None, None)


def _shows(look: Look, name: str, content: object) -> bool:
    seen = getattr(look.secret, name, None)
    return (_DEFAULTS.get(name) if seen is None else seen) == content


def still_ours(work: Work, item: Item, look: Look) -> bool | None:
    """Say whether a secret is as this run left it; None where that cannot be seen."""
    seen = look.secret
    if seen is None:
        return None
    if item.after.id is not None and seen.id is not None and item.after.id != seen.id:
        return False
    same: bool | None = None
    if work.keep is not None and item.fingerprint and look.value is not None:
        same = work.keep.fingerprint(item.step.target, look.value) == item.fingerprint
    if same is False or (same is None and item.verified == "mismatch"):
        return False
    if item.after.version is not None and seen.version is not None:
        return item.after.version == seen.version
    if item.after.updated_at is not None and seen.updated_at is not None:
        return item.after.updated_at == seen.updated_at.isoformat()
    return same


def _wanting(item: Item, same: bool | None, accept: Collection[str], *, inferred: bool) -> str:  # noqa: FBT001 - three-valued
    """Say which consents are wanting; "" where none is."""
    words: list[UndoConsent] = ["inferred"] if inferred else []
    if same is not True:
        words.append("unseen" if same is None else "changed")
    wanting: list[UndoConsent] = [word for word in words if word not in accept]
    if not wanting:
        return ""
    why = "; ".join(UNDO_CONSENTS[word] for word in wanting)
    asked = ", ".join(f'"{word}"' for word in wanting)
    return (
        f"{item.step.target!r} is left as it is: {why}. undo(…, accept=[{asked}]) takes it back all the same."
    )


def _job(
    work: Work, item: Item, accept: Collection[str], rows: list[list[Any]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def run() -> None:
        if work.stopped:
            rows.append([item.n, "failed", work.stopped])
            return
        for act in await _acts(work, [item], accept, rows):
            problem: SecretBridgeError | None = None
            try:
                await _do(work, act)
            except SecretBridgeError as error:
                problem = error
            if problem is not None and problem.applied is None and await _is_done(work, act):
                problem = None
            work.met(problem)
            if problem is not None:
                rows.append([item.n, "failed", sentence(problem)])
            else:
                rows.append([item.n, "refused", _LOST] if act.lost else [item.n, "done", None])

    return run


async def _do(work: Work, act: _Act) -> None:
    core, name = work.target.core, act.item.step.target
    operation: Literal["delete", "update"] = "delete" if act.fields is None else "update"
    id_ = act.id if core.capabilities.addressed_by.get(operation) != "name" else None
    named = name if id_ is None else None
    if act.fields is None:
        await core.delete(named, id_, missing_ok=True)
    else:
        await core.update(named, id_, act.fields, if_version=act.version, allow_one_way=False, verify=False)


async def _is_done(work: Work, act: _Act) -> bool:
    """Look whether what got no answer was done after all."""
    work.target.forget()
    try:
        look = await work.target.look(act.item.step.target, act.id)
    except SecretBridgeError:
        return False
    if act.fields is None:
        return look.present is False
    return all(_shows(look, name, content) for name, content in act.fields.items())


async def _together(work: Work, acts: Sequence[_Act]) -> list[list[Any]]:
    """Do all in one writing, where values are all there is."""
    if not acts:
        return []
    problem: SecretBridgeError | None = None
    try:
        await work.target.write_many(
            [(act.item.step.target, None if act.fields is None else act.fields["value"]) for act in acts]
        )
    except SecretBridgeError as error:
        problem = error
    work.met(problem)
    return [
        [act.item.n, "done" if problem is None else "failed", problem and sentence(problem)] for act in acts
    ]
