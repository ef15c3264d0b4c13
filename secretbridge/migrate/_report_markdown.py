"""A report as Markdown. Names come from elsewhere: nothing in them is taken for Markdown or HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from secretbridge.migrate._report_words import NOTE, about, headline, listed, notes_of, shown, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secretbridge.migrate._report import Report

__all__ = ["markdown"]

#: Whatever has a meaning somewhere in Markdown or in the HTML that it may hold.
_MEANING: Final = re.compile(r"([\\`*\[\]<>#!|~&@_])")
_TICKS: Final = re.compile("`+")


def markdown(report: Report) -> str:
    """Give the report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _text(text: str) -> str:
    """Give a sentence in which nothing but its letters counts."""
    return _MEANING.sub(r"\\\1", shown(text))


def _code(text: str) -> str:
    """Give a name as code: no fence in it ends it, no bar in it ends the cell of a table."""
    clean = shown(text)
    fence = "`" * (max(map(len, _TICKS.findall(clean)), default=0) + 1)
    pad = " " if clean.startswith(("`", " ")) or clean.endswith(("`", " ")) else ""
    return f"{fence}{pad}{clean}{pad}{fence}".replace("|", "\\|")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _lines(report: Report) -> Iterator[str]:
    run = report.run
    yield f"# Migration {_text(run.id)}"
    yield ""
    yield f"**{_text(run.state)}.** {_text(headline(report))} Report of {_text(report.made_at)}."
    yield ""
    yield "## What to do next"
    yield ""
    for step in report.next:
        yield f"- {_text(step.text)}"
        if step.command:
            yield f"  {_code(step.command)} or in Python {_code(step.call)}"
    yield ""
    for title, rows in totals(report):
        yield f"## {title}"
        yield ""
        yield from _table(
            ("secrets", "what", "meaning") if title == "Guarantees" else ("secrets", "what"),
            (
                (f"{count:,}", _text(word), _text(meaning)) if meaning else (f"{count:,}", _text(word))
                for word, count, meaning in rows
            ),
        )
    if report.losses:
        yield "## What is lost, left behind or not seen"
        yield ""
        yield from _table(
            ("secrets", "kind", "meaning"),
            ((f"{one.secrets:,}", _text(one.kind), _text(one.meaning)) for one in report.losses),
        )
    if run.warnings:
        yield "## Said before it began"
        yield ""
        yield from (f"- {_text(warning)}" for warning in run.warnings)
        yield ""
    yield from _secrets(report)
    yield "## About the run"
    yield ""
    yield from _table(("fact", "this run"), ((name, _code(content)) for name, content in about(report)))
    yield from _table(
        ("when", "what", "who"),
        ((_text(one.at), _text(one.what), _text(one.who)) for one in report.history),
    )
    yield _text(NOTE)


def _secrets(report: Report) -> Iterator[str]:
    yield "## Each secret"
    yield ""
    yield from _table(
        ("open", "secret", "what became of it", "guarantee", "to know"),
        (
            (
                "open" if is_open else "",
                _code(one.source)
                if one.source == one.target
                else f"{_code(one.source)} → {_code(one.target)}",
                words,
                one.guarantee or "",
                _text("; ".join(notes_of(one))),
            )
            for one, is_open, words in listed(report)
        ),
    )
