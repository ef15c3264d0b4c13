"""A plan for people: a table of rich's on a terminal, else plain text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._types import Estimates, Step

# rich is the extra [cli]; it loads when a plan is printed on a terminal.

__all__ = ["counted", "duration", "print_plan", "summary"]

_ORDER: Final = ("refuse", "create", "update", "skip")
_STYLES: Final = {"refuse": "bold red", "create": "green", "update": "yellow", "skip": "dim"}


def shown(text: str) -> str:
    """Give a text in which nothing steers a terminal."""
    return "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in text)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say how many there are: "1 secret", "2 secrets"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Say in words how long something takes."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:  # noqa: PLR2004 - a minute and a half is told in seconds
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min"


def _why(step: Step) -> str:
    losses = "; ".join(f"{loss.kind}: {loss.text}" for loss in step.losses)
    same = "" if step.action != "update" else f"writes {', '.join(step.fields)}"
    return shown("; ".join(filter(None, (step.reason, same, losses))))


def _name(step: Step) -> str:
    return shown(step.source if step.source == step.target else f"{step.source} → {step.target}")


def summary(plan: Plan) -> str:
    """Say what a plan does, in one line."""
    counts = ", ".join(
        f"{plan.counts[action]:,} to {action}" for action in ("create", "update", "skip", "refuse")
    )
    secrets = counted(len(plan.steps), "secret")
    return f"{secrets} from {shown(str(plan.source))} to {shown(str(plan.target))}: {counts}."


def _foot(plan: Plan) -> Iterator[str]:
    kinds = {loss.kind: 0 for step in plan.steps for loss in step.losses}
    for step in plan.steps:
        for loss in step.losses:
            kinds[loss.kind] += 1
    if kinds:
        listed = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(kinds.items()))
        yield f"Losses and effects for good: {listed}."
    yield from (f"Note: {shown(warning)}" for warning in plan.warnings)
    yield _estimate(plan.estimates)
    yield from plan.estimates.assumptions


def _estimate(of: Estimates) -> str:
    return (
        f"Expected: {counted(of.source_requests, 'request')} to the source, {of.target_requests:,} to the"
        f" target, {duration(of.seconds)} by their declared rates."
    )


def print_plan(plan: Plan, file: TextIO | None, most: int) -> None:
    """Print a plan."""
    out = sys.stdout if file is None else file
    listed = sorted(plan.steps, key=lambda step: _ORDER.index(step.action))[:most]
    rest = len(plan.steps) - len(listed)
    foot = [*([f"… and {rest:,} more; to_json() has all of them."] if rest else []), *_foot(plan)]
    console = _console(out)
    if console is None:
        rows = [(step.action, _name(step), _why(step)) for step in listed]
        width = max((len(name) for _, name, _ in rows), default=0)
        lines = [f"{action:<7} {name:<{width}}  {why}".rstrip() for action, name, why in rows]
        out.write("\n".join([summary(plan), *lines, *foot]) + "\n")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("what", "secret", "why and what is lost", title=Text(summary(plan)), title_justify="left")
    for step in listed:
        table.add_row(Text(step.action, _STYLES[step.action]), Text(_name(step)), Text(_why(step)))
    console.print(table)
    for line in foot:
        console.print(Text(line))


def _console(out: TextIO) -> Any:  # noqa: ANN401 - rich's, where it is installed
    """Give rich's console where there is rich and a terminal, else None."""
    if not out.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=out)
