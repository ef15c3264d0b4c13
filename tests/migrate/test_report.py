"""The report of a run is made from its journal alone, whatever became of the run; no name steers it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from kill_place import Hooks, Worlds, do, killed
from markdown_it import MarkdownIt
from migrate_place import Place, bridged, filled, place
from report_samples import HOSTILE, VALUE, sample

from secretbridge import migrate
from secretbridge.errors import InvalidRequest, JournalMismatch
from secretbridge.migrate._journal import Journal
from secretbridge.testing import InsForgeStandIn, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from secretbridge.migrate import Report, Run

__all__ = ["place"]

FORMATS: dict[str, Callable[[Report], str]] = {
    "json": migrate.Report.to_json,
    "markdown": migrate.Report.to_markdown,
    "html": migrate.Report.to_html,
}


def copied(place: Place, **options: Any) -> Run:
    """A run between two files that does all, with a journal beside them."""
    source, target = place.env("old.env", A="1", B="2"), place.env("new.env")
    return migrate.plan(source, target).apply(journal=place.folder / "runs", **options)


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    with Worlds(tmp_path) as made:
        yield made


def test_a_finished_run_is_reported_as_it_gave_itself(place: Place) -> None:
    run = copied(place)
    found = run.report()
    again = migrate.report(run.id, journal=place.folder / "runs")
    assert (found.run, again.run, found.open) == (run, run, ())
    assert found.next[0].text == "Nothing is open: all that was to be written is written."
    assert [one.what for one in found.history] == ["begun", "ended: done"]


def test_another_process_reports_it_later(place: Place) -> None:
    run = copied(place)
    program = (
        "import sys\nfrom secretbridge import migrate\n"
        "print(migrate.report(sys.argv[1], journal=sys.argv[2]).to_json())"
    )
    words = [sys.executable, "-c", program, run.id, str(place.folder / "runs")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    mine = json.loads(run.report().to_json())
    assert {**told, "made_at": ""} == {**mine, "made_at": ""}


def test_without_an_id_it_is_the_run_that_was_begun_last(place: Place) -> None:
    copied(place)
    run = copied(place)
    assert migrate.report(journal=place.folder / "runs").run.id == run.id


def test_a_killed_run_is_reported_as_interrupted_and_says_how_to_go_on(worlds: Worlds) -> None:
    world = worlds.make("dotenv", "insforge")
    killed("apply", world, 28)
    found = migrate.report(journal=world.journal)
    assert (found.run.state, found.run.finished_at) == ("interrupted", None)
    assert found.next[0].command.startswith(f"secretbridge resume {found.run.id} SOURCE TARGET --journal /")
    assert f"journal={world.journal!r}" in found.next[0].call
    assert len(found.open) == found.totals["secrets"]["open"] > 0
    done = do("resume", world.told(), Hooks(0))
    again = migrate.report(journal=world.journal)
    assert done is not None
    assert (again.run, [one.what for one in again.history]) == (
        done,
        ["begun", "resumed", "ended: done"],
    )


def test_a_run_under_way_is_reported_as_running(place: Place) -> None:
    found: list[Report] = []

    def look(event: migrate.Event) -> None:
        if event.kind == "intended":
            found.append(migrate.report(journal=place.folder / "runs"))

    copied(place, progress=look)
    assert [one.run.state for one in found] == ["running", "running"]
    assert [len(one.next) for one in found] == [1, 1]


def test_a_journal_that_is_written_meanwhile_is_not_taken_for_damaged(place: Place) -> None:
    run = copied(place)
    writer = Journal.open(run.journal)

    class Disturbed(Journal):
        """Somebody writes while it is being checked."""

        def _fits(self, link: bytes, seal: bytes | None) -> bool:
            writer.append("resumed", {"who": "x", "at": "2026-01-01T00:00:00+00:00"})
            return super()._fits(link, seal)

    Disturbed.open(run.journal).close()
    writer.close()
    assert run.report().run.state == "interrupted"


def test_an_undone_run_and_one_that_cannot_be_undone_whole_are_told_apart(place: Place) -> None:
    run = copied(place)
    runs, target = place.folder / "runs", place.env("new.env")
    half = migrate.undo(run.id, target, journal=runs, check=False).report()
    whole = migrate.undo(run.id, target, journal=runs, accept=["unseen"]).report()
    assert (half.phase, half.run.state, len(half.open)) == ("undo", "incomplete", 2)
    assert half.next[0].text.startswith("2 secrets were not taken back.")
    assert (whole.run.state, whole.open, len(whole.next)) == ("undone", (), 1)
    assert "This run is not taken back as a whole." in half.to_html()


def test_losses_guarantees_and_what_nobody_saw_are_counted(tmp_path: Path) -> None:
    found = sample(tmp_path)
    told = found.totals
    assert {one.kind: one.secrets for one in found.losses} == {
        "unverifiable": 5,
        "description": 2,
        "versions": 1,
    }
    assert told["states"] == {"done": 3, "failed": 1, "unknown": 1, "refused": len(HOSTILE) + 1}
    assert (told["verified"], told["guarantees"]) == ({"unverifiable": 3}, {"best-effort": 3})
    texts = " ".join(one.text for one in found.next)
    assert "1 secret was not written" in texts
    assert "Of 1 secret it is not known" in texts
    assert "Try out 3 secrets in use" in texts


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_holds_a_value_or_steers_what_shows_it(tmp_path: Path, form: str) -> None:
    text = FORMATS[form](sample(tmp_path))
    assert VALUE not in text
    assert [mark for mark in ("\u202e", "\x1b", "\u200b", "<script", "\x00") if mark in text.replace("`", "")
            and not (mark == "<script" and form != "html")] == []  # fmt: skip
    assert all(ch.isprintable() or ch == "\n" for ch in text)


class Tags(HTMLParser):
    """Collects what a page holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.names: list[str] = []
        self._in_name = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_name = tag == "bdi"
        if self._in_name:
            self.names.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_name = self._in_name and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self._in_name:
            self.names[-1] += data


def visible(name: str) -> str:
    return "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in name)


def test_the_page_asks_for_nothing_and_takes_no_name_for_markup(tmp_path: Path) -> None:
    text = sample(tmp_path).to_html()
    page = Tags(text)
    found = {tag for tag, _ in page.tags}
    reaching = {"script", "img", "link", "iframe", "object", "a", "form", "base", "svg", "video", "b"}
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert found & reaching == set()
    assert ("url(" in style, "@import" in style) == (False, False)
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert {visible(name) for name in HOSTILE} <= set(page.names)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert not [
        tag for tag, attributes in page.tags if {"style", "onclick", "src", "href"} & attributes.keys()
    ]


def test_markdown_takes_no_name_for_markdown(tmp_path: Path) -> None:
    text = sample(tmp_path).to_markdown()
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    inner = [
        child for token in parser.parse(text) for child in token.children or [] if token.type == "inline"
    ]
    blocks = parser.parse(text)
    kinds = {token.type for token in (*blocks, *inner)}
    rows = [len(re.findall("<td", row)) for row in parser.render(text).split("<tr>")[1:]]
    codes = {token.content for token in inner if token.type == "code_inline"}
    assert kinds & {"html_inline", "html_block", "link_open", "image", "fence", "code_block"} == set()
    assert set(rows) <= {0, 2, 3, 5}
    assert {visible(name) for name in HOSTILE} <= codes


def test_what_is_no_run_is_refused(place: Place, tmp_path: Path) -> None:
    runs = place.folder / "runs"
    runs.mkdir(mode=0o700)
    with pytest.raises(JournalMismatch, match="There is no run in"):
        migrate.report(journal=runs)
    run = copied(place)
    with pytest.raises(InvalidRequest):
        migrate.report("../x", journal=runs)
    with pytest.raises(JournalMismatch, match="There is no journal"):
        migrate.report("20200101-nothing", journal=runs)
    with closing(sqlite3.connect(run.journal)) as database, database:
        database.execute("DELETE FROM entry WHERE n = 2")
    with pytest.raises(JournalMismatch, match="edited, truncated or damaged"):
        run.report()


def test_a_journal_of_another_kind_of_run_is_passed_over(place: Place) -> None:
    run, runs = copied(place), place.folder / "runs"
    other = runs / "99999999-other-kind.db"
    Journal.create(other, {"run": other.stem, "at": "", "who": ""}, [], None).close()
    assert migrate.report(journal=runs).run.id == run.id
    with pytest.raises(JournalMismatch, match="not one of a migration"):
        migrate.report(other.stem, journal=runs)


def test_a_sync_that_had_nothing_to_do_has_no_report(place: Place) -> None:
    source, target = place.env("old.env", A="1"), place.env("new.env", A="1")
    run = migrate.sync(source, target, journal=place.folder / "runs")
    with pytest.raises(JournalMismatch):
        run.report()


def test_where_the_journals_are_in_their_own_place_no_folder_is_named(place: Place) -> None:
    run = migrate.plan(place.env("old.env", A="1"), place.env("new.env")).apply()
    assert [one.command for one in migrate.report().next if one.command] == [
        f"secretbridge undo {run.id} TARGET"
    ]


def test_a_secret_that_is_deleted_at_its_source_or_reads_back_different_is_told(place: Place) -> None:
    runs = place.folder / "runs"
    source = filled(place.env("old.env", A="1", B="2"))
    run = migrate.plan(source, place.env("new.env"), rename="X_{name}").apply(
        journal=runs, delete_source=True
    )
    found = run.report()
    assert found.totals["secrets"]["source_deleted"] == 2
    assert "deleted after all was verified" in found.to_markdown()
    assert "deleted at the source" in found.to_html()
    insforge = InsForgeStandIn()
    with bridged(insforge) as target, bridged(insforge) as other:
        plan = migrate.plan(place.env("more.env", C="3"), target)

        def meddle(event: migrate.Event) -> None:
            if event.kind == "written":
                other.update_secret("C", value="somebody else's")

        differs = plan.apply(journal=runs, progress=meddle, check=False).report()
    assert [one.verified for one in differs.open] == ["mismatch"]
    assert "1 secret was written and then read back different" in differs.to_markdown()


def test_a_run_that_could_not_read_back_says_so(place: Place) -> None:
    insforge = InsForgeStandIn()
    with bridged(insforge) as target:
        plan = migrate.plan(place.env("old.env", C="3"), target)

        def fails(event: migrate.Event) -> None:
            if event.kind == "written":
                insforge.script(*[Reply(500, {"message": "no", "statusCode": 500})] * 9)

        found = plan.apply(journal=place.folder / "runs", progress=fails, check=False, patience=0).report()
    assert (found.run.state, [one.verified for one in found.open]) == ("incomplete", [None])
    assert "1 secret was written and not read back yet" in found.to_markdown()


def test_a_report_shows_itself_in_short(place: Place) -> None:
    run = copied(place)
    assert repr(run.report()) == f"Report({run!r})"


def test_a_run_without_secrets_or_without_warnings_is_reported_too(place: Place) -> None:
    runs = place.folder / "runs"
    empty, target = place.vault(name="empty"), place.vault(name="target")
    nothing = migrate.plan(empty, target).apply(journal=runs).report()
    filled(empty, A="1")
    silent = migrate.plan(empty, target).apply(journal=runs).report()
    assert "The plan names none." in nothing.to_html()
    assert (silent.run.warnings, "Said before it began" in silent.to_html() + silent.to_markdown()) == (
        (),
        False,
    )


def test_it_is_told_that_a_vault_keeps_what_was_replaced(place: Place) -> None:
    source, target = place.env("old.env", A="1"), place.env("new.env", A="0")
    plan = migrate.plan(source, target, on_conflict="update", vault=place.vault(name="undo"))
    run = plan.apply(journal=place.folder / "runs")
    texts = [one.text for one in run.report().next]
    assert any(f"1 secret, under names that begin with migration.{run.id}." in text for text in texts)
    assert f"migrate.undo({run.id!r}, target, vault=vault, journal=" in run.report().next[-1].call
