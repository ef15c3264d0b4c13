"""How a plan is made: both listings, a look at the values, then one decision for each secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from secretbridge._checks import target_violations
from secretbridge._models import Target
from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._decide import Candidate, Frame
from secretbridge.migrate._end import End
from secretbridge.migrate._ends import Ends
from secretbridge.migrate._look import decided
from secretbridge.migrate._names import Naming, suggested
from secretbridge.migrate._observe import marks
from secretbridge.migrate._observed import Observed
from secretbridge.migrate._plan import Plan
from secretbridge.migrate._predict import estimates
from secretbridge.migrate._progress import misgiven, shown_progress
from secretbridge.migrate._reach import allowed, identities_of, one_store
from secretbridge.migrate._rules import Rules
from secretbridge.migrate._tell import Teller
from secretbridge.migrate._values import lender_of
from secretbridge.migrate._warnings import warnings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from secretbridge._core import Core
    from secretbridge.migrate._ends import Opened
    from secretbridge.migrate._rules import RulesGiven
    from secretbridge.migrate._types import Mark, Progress, Step

__all__ = ["ends_of", "make", "refuse"]

_ONE_STORE: Final = Violation(
    "target", "and source are the same store", "name two stores; update_secret() renames within one"
)
_REFUSED: Final = "Refused before anything was written"


def refuse(wrong: Sequence[Violation]) -> None:
    """Raise one error for all that is wrong, if anything is.

    Raises:
        InvalidRequest: something is.
    """
    if wrong:
        raise InvalidRequest(_REFUSED, violations=wrong)


def ends_of(
    wrong: list[Violation],
    source: object,
    target: object,
    values_from: object,
    vault: object,
    *,
    waits: bool | None,
) -> Ends | None:
    """Take the ends that a caller gave; note what is wrong with them, as far as they tell by themselves.

    ``waits`` is None where nothing is going to be opened yet.
    """
    given = {"source": End.of("source", source), "target": End.of("target", target)}
    if vault is not None:
        given["vault"] = End.of("vault", vault)
    if values_from is not None:
        given["values"] = lender_of(values_from)
    wrong += [one for one in given.values() if isinstance(one, Violation)]
    ends = {name: end for name, end in given.items() if isinstance(end, End)}
    if "source" in ends:
        wrong += _source_violations(ends["source"], borrowed=values_from is not None)
    if "target" in ends:
        wrong += _target_violations(ends["target"])
    if "source" not in ends or "target" not in ends:
        return None
    found = Ends(
        source=ends["source"], target=ends["target"], values=ends.get("values"), vault=ends.get("vault")
    )
    if waits is not None:
        wrong += found.misfits(waits=waits)
    if _same(found):
        wrong.append(_ONE_STORE)
    return found


def _source_violations(source: End, *, borrowed: bool) -> Iterator[Violation]:
    of = source.capabilities
    if not of.reads_values and not borrowed:
        problem = of.why_not.get("get", f"{of.title} never tells a value")
        remedy = "say with values_from= where they are: a store, a file, a mapping or a callable"
        yield Violation("source", problem, remedy)
    if "list" not in of.operations and not getattr(source.provider, "declared", ()):
        yield Violation("source", f"{of.title} lists nothing", of.why_not.get("list", ""))


def _target_violations(target: End) -> Iterator[Violation]:
    of = target.capabilities
    if not of.operations & {"create", "update"}:
        yield Violation("target", f"{of.title} takes no secrets", of.why_not.get("create", ""))


def _same(ends: Ends) -> bool:
    source, target = ends.source, ends.target
    if source.provider is target.provider:
        return True
    return bool(source.info.store) and source.info.store == target.info.store


async def make(  # noqa: PLR0917 - private, called by the two verbs alone
    source: object,
    target: object,
    given: RulesGiven,
    more: Mapping[str, object],
    values_from: object,
    vault: object,
    *,
    waits: bool,
    known: Callable[[Candidate], bool] | None = None,
    progress: Progress | bool | None = None,
) -> Plan:
    """Make a plan; ``known`` says of a secret that its value is the same at both ends.

    Raises:
        InvalidRequest: something is wrong with the rules or the ends; all of it is named.
        SecretBridgeError: one of the ends cannot be read.
    """
    wrong: list[Violation] = [*misgiven(progress)]
    rules: Rules | None = None
    try:
        rules = Rules.of(given, **more)
    except InvalidRequest as error:
        wrong += error.violations
    ends = ends_of(wrong, source, target, values_from, vault, waits=waits)
    if rules is not None and ends is not None:
        wrong += environment_violations(rules, ends)
    refuse(wrong)
    assert rules is not None  # noqa: S101 - for the type checker: refused above
    assert ends is not None  # noqa: S101 - likewise
    naming = Naming(rules, ends.source.info, ends.target.info)
    observed = Observed()
    now = datetime.now(UTC)
    async with ends.opened(rules, waits=waits) as unwatched:
        frame = Frame(
            source=ends.source.capabilities,
            target=ends.target.capabilities,
            rules=rules,
            borrowed=ends.values is not None,
            now=now,
            known=known,
        )
        if await one_store(unwatched.source, unwatched.target):
            refuse([_ONE_STORE])
        mine, theirs = await identities_of(
            (unwatched.source, ends.source.info), (unwatched.target, ends.target.info)
        )
        with shown_progress(progress) as told:
            teller = Teller(told, unwatched.target.channel.runtime.now, "plan")
            teller.tell("started")
            watched = teller.watching(unwatched)
            steps = await _steps(watched, ends, naming, frame, teller, observed)
            steps = await allowed(steps, watched.target)
            teller.tell("finished")
    return Plan(
        id=uuid4().hex,
        made_at=now,
        source=ends.source.info,
        target=ends.target.info,
        rules=rules,
        steps=steps,
        estimates=estimates(steps, ends),
        warnings=tuple(warnings_of(steps, ends, naming)),
        ends=ends,
        stores=(mine, theirs),
        observed=observed,
    )


def environment_violations(rules: Rules, ends: Ends) -> Iterator[Violation]:
    """Find what is wrong with a mapping of environments, for these ends."""
    if not rules.environments:
        return
    here = ends.source.info.environment or ends.target.info.environment
    if here is None:
        yield Violation("environments", "is given, and neither end has environments", "leave it out")
    elif here not in rules.environments:
        yield Violation("environments", f"says nothing about {here!r}", "add its template")


async def _steps(  # noqa: PLR0917 - private, called by make() alone
    opened: Opened, ends: Ends, naming: Naming, frame: Frame, teller: Teller, observed: Observed
) -> tuple[Step, ...]:
    """Look at both stores and decide."""
    mine = [mark async for mark in marks(opened.source) if naming.takes(mark.name)]
    candidates = await _candidates(mine, opened, ends, naming, frame)
    return await decided(candidates, opened, frame, asks=ends.asks, teller=teller, observed=observed)


async def _candidates(
    mine: Sequence[Mark], opened: Opened, ends: Ends, naming: Naming, frame: Frame
) -> list[Candidate]:
    """Bring the two listings together."""
    becomes = [naming.becomes(mark.name) for mark in mine]
    names, shared = _counted(mark.name for mark in mine)
    targets, clashing = _counted(becomes)
    rivals: dict[str, list[str]] = {}
    for mark, new in zip(mine, becomes, strict=True):
        if new in clashing:
            rivals.setdefault(new, []).append(mark.name)
    there, taken, ids = await _target_marks(opened.target, targets, limited=bool(frame.target.name.pattern))
    wrong = [*naming.violations(names)]
    alike = frame.source.provider == frame.target.provider and not ends.source.info.store
    if alike and ids.intersection(mark.id for mark in mine if mark.id):
        problem = "and source list the same ids: they are one store"
        wrong.append(Violation("target", problem, "name two stores"))
    refuse(wrong)
    taken |= targets
    elsewhere = await _elsewhere(opened.source, mine)
    candidates: list[Candidate] = []
    for mark, new in zip(mine, becomes, strict=True):
        found = there.get(new, ())
        unfit = "" if mark.platform else _unfit(mark.name, new, opened.target, taken, is_there=bool(found))
        candidates.append(
            Candidate(
                mark=mark,
                target=new,
                there=found,
                twins=shared.get(mark.name, 1) - 1,
                clashes=tuple(name for name in rivals.get(new, ()) if name != mark.name),
                elsewhere=tuple(elsewhere.get(mark.id or "", ())),
                unfit=unfit,
            )
        )
    return candidates


def _counted(names: Iterable[str]) -> tuple[set[str], dict[str, int]]:
    """Give all names, and how often those occur that occur more than once."""
    seen: set[str] = set()
    more: dict[str, int] = {}
    for name in names:
        if name in seen:
            more[name] = more.get(name, 1) + 1
        seen.add(name)
    return seen, more


async def _target_marks(
    core: Core, wanted: Container[str], *, limited: bool
) -> tuple[dict[str, tuple[Mark, ...]], set[str], set[str]]:
    """Give the target's secrets of these names; all names where not every name is accepted; and all ids."""
    there: dict[str, tuple[Mark, ...]] = {}
    names: set[str] = set()
    ids: set[str] = set()
    async for mark in marks(core):
        if mark.name in wanted:
            there[mark.name] = (*there.get(mark.name, ()), mark)
        if limited:
            names.add(mark.name)
        if mark.id is not None and not getattr(core.provider, "store", ""):
            ids.add(mark.id)
    return there, names, ids


async def _elsewhere(core: Core, mine: Sequence[Mark]) -> Mapping[str, Sequence[str]]:
    """Ask a source that has environments in which others its secrets have values."""
    ask: Any = getattr(core.provider, "environments_of", None)
    if ask is None:
        return {}
    found: Mapping[str, Sequence[str]] = await ask(core.channel, [mark.id for mark in mine if mark.id])
    return found


def _unfit(name: str, new: str, core: Core, taken: set[str], *, is_there: bool) -> str:
    """Say why the target does not accept a name, and which one it would; or ""."""
    of = core.capabilities
    operation = "update" if is_there else "create"
    if operation not in of.operations:
        return ""
    wrong = [*target_violations(of, operation, new, None)]
    if not wrong:
        wrong = [*core.provider.check(operation, Target(new), {})]
    if not wrong:
        return ""
    better = suggested(new, of, taken)
    remedy = ""
    if better is not None:
        taken.add(better)
        remedy = f"; rename={{{name!r}: {better!r}}} would do"
    return f"{of.title} does not accept the name {new!r}: {wrong[0].problem}{remedy}"
