"""A report as one HTML page: no script, no request, readable on a phone, in light and dark, and on paper."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final

from secretbridge.migrate._report_style import STYLE
from secretbridge.migrate._report_words import NOTE, about, headline, listed, notes_of, shown, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secretbridge.migrate._report import Report
    from secretbridge.migrate._result import Outcome

__all__ = ["page"]

#: The one style sheet is named by its digest, and everything else is forbidden.
_POLICY: Final = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def page(report: Report) -> str:
    """Give the report as a page."""
    return "".join(_parts(report))


def _text(text: str) -> str:
    """Give a text that is no markup, in which nothing invisible stays so."""
    return escape(shown(text))


def _name(text: str) -> str:
    """Give a name from elsewhere: set apart, so that letters from right to left move nothing else."""
    return f"<bdi class=name>{_text(text)}</bdi>"


def _parts(report: Report) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    run = report.run
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(digest)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Migration {_text(run.id)}: {_text(run.state)}</title>\n<style>{STYLE}</style>\n"
        "</head>\n<body>\n<main>\n"
    )
    yield (
        f"<header>\n<p class=over>Migration report</p>\n<h1>{_text(headline(report))}</h1>\n"
        f'<p class=sub><span class="badge {_text(run.state)}">{_text(run.state)}</span>'
        f" {_ends(report)}</p>\n</header>\n"
    )
    yield from _next(report)
    yield from _totals(report)
    yield from _losses(report)
    yield from _warnings(report)
    yield from _secrets(report)
    yield from _about(report)
    yield f"<footer><p>{_text(NOTE)}</p></footer>\n</main>\n</body>\n</html>\n"


def _ends(report: Report) -> str:
    return f"From {_name(report.run.source)} to {_name(report.run.target)}"


def _section(number: str, title: str) -> str:
    return f'<section aria-labelledby="{number}">\n<h2 id="{number}">{title}</h2>\n'


def _next(report: Report) -> Iterator[str]:
    yield _section("next", "What to do next") + "<ol>\n"
    for step in report.next:
        yield f"<li>{_text(step.text)}"
        if step.command:
            yield f"<pre><code>{_text(step.command)}</code></pre>"
            yield f"<p class=or>or in Python</p><pre><code>{_text(step.call)}</code></pre>"
        yield "</li>\n"
    yield "</ol>\n</section>\n"


def _totals(report: Report) -> Iterator[str]:
    yield _section("totals", "Totals") + "<div class=cards>\n"
    for title, rows in totals(report):
        yield f"<table class=card><caption>{title}</caption><thead class=hidden><tr>"
        yield "<th scope=col>What</th><th scope=col>Secrets</th></tr></thead>\n<tbody>\n"
        for word, count, meaning in rows:
            more = f"<small>{_text(meaning)}</small>" if meaning else ""
            yield f"<tr><th scope=row>{_text(word)}{more}</th><td>{count:,}</td></tr>\n"
        yield "</tbody></table>\n"
    yield "</div>\n</section>\n"


def _losses(report: Report) -> Iterator[str]:
    if report.losses:
        yield _section("losses", "What is lost, left behind or not seen")
        yield from _table(
            "losses",
            "Losses",
            ("Kind", "Meaning", "Secrets"),
            ((_text(one.kind), _text(one.meaning), f"{one.secrets:,}") for one in report.losses),
        )
        yield "</section>\n"


def _warnings(report: Report) -> Iterator[str]:
    if report.run.warnings:
        yield _section("warnings", "Said before it began") + "<ul>\n"
        yield from (f"<li>{_text(warning)}</li>\n" for warning in report.run.warnings)
        yield "</ul>\n</section>\n"


def _table(
    kind: str,
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    marks: Iterable[str] | None = None,
) -> Iterator[str]:
    """Give a table that a phone shows as one block for each row; the roles keep it a table for readers."""
    yield f'<table class="rows {kind}" role=table><caption class=hidden>{caption}</caption>\n'
    yield "<thead role=rowgroup><tr role=row>"
    yield "".join(f"<th scope=col role=columnheader>{heading}</th>" for heading in headings)
    yield "</tr></thead>\n<tbody role=rowgroup>\n"
    mark = iter(marks or ())
    for row in rows:
        first, *rest = row
        state = next(mark, "")
        yield f'<tr role=row class="{state}">' if state else "<tr role=row>"
        yield f"<th scope=row role=rowheader>{first}</th>"
        for heading, cell in zip(headings[1:], rest, strict=True):
            yield f'<td role=cell data-label="{heading}">{cell}</td>' if cell else "<td role=cell></td>"
        yield "</tr>\n"
    yield "</tbody></table>\n"


def _secrets(report: Report) -> Iterator[str]:
    told = list(listed(report))
    yield _section("secrets", "Each secret")
    if not told:
        yield "<p>The plan names none.</p>\n</section>\n"
        return
    yield from _table(
        "secrets",
        "Each secret",
        ("Secret", "What became of it", "Guarantee", "To know"),
        (_row(one, words, is_open=is_open) for one, is_open, words in told),
        ("open" if is_open else one.state for one, is_open, _ in told),
    )
    yield "</section>\n"


def _row(one: Outcome, words: str, *, is_open: bool) -> tuple[str, str, str, str]:
    name = _name(one.source)
    if one.source != one.target:
        name += f' <span class=to>becomes <span aria-hidden="true">→</span></span> {_name(one.target)}'
    what = f"<strong>Open:</strong> {_text(words)}" if is_open else _text(words)
    notes = [_text(note) for note in notes_of(one)]
    told = "".join(notes)
    if len(notes) > 1:
        told = f"<ul class=notes>{''.join(f'<li>{note}</li>' for note in notes)}</ul>"
    return name, what, one.guarantee or "", told


def _about(report: Report) -> Iterator[str]:
    yield _section("about", "About the run") + "<dl>\n"
    yield from (f"<div><dt>{name}</dt><dd>{_name(content)}</dd></div>\n" for name, content in about(report))
    yield "</dl>\n"
    yield from _table(
        "history",
        "History",
        ("When", "What", "Who"),
        ((_text(one.at), _text(one.what), _name(one.who) if one.who else "") for one in report.history),
    )
    yield f"<p class=made>Report made {_text(report.made_at)}.</p>\n</section>\n"
