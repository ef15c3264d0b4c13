"""The page of a report in a real browser: on a phone and a desk, light and dark, and on paper."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium_pipe import Chromium
from report_samples import HOSTILE, VALUE, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

WIDTHS = {"phone": 360, "desk": 1280}
#: Gives the elements that reach beyond the window.
_BEYOND = """[...document.querySelectorAll('body *')].filter(one => {
  if (getComputedStyle(one).position === 'absolute') return false;
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(one => one.tagName + '.' + one.className)"""
#: Gives each text whose contrast with what is behind it is less than 4.5, as WCAG 2 reckons it.
_FAINT = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
  return [texts.length, texts.map(one => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5)];
})()"""
_COLUMNS = """[...document.querySelectorAll('table.rows')].map(table =>
  [table.getAttribute('role'), table.querySelectorAll('th[scope=col][role=columnheader]').length,
   table.querySelectorAll('tbody tr th[scope=row][role=rowheader]').length,
   table.querySelectorAll('tbody tr').length])"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    file = folder / "report.html"
    file.write_text(sample(folder).to_html(), encoding="utf-8")
    return file


def pictures() -> Path | None:
    """Where pictures are kept to be looked at, if somebody wants them."""
    wanted = os.environ.get("SECRETBRIDGE_PICTURES")
    return None if wanted is None else Path(wanted)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_readable_asks_for_nothing_and_fits(
    browser: Chromium, page: Path, tmp_path: Path, width: str, dark: bool  # noqa: FBT001 - pytest's
) -> None:  # fmt: skip
    browser.show(page, WIDTHS[width], dark=dark)
    texts, faint = browser.value(_FAINT)
    wide = browser.value("[document.documentElement.scrollWidth, innerWidth]")
    name = f"report-{width}-{'dark' if dark else 'light'}.png"
    picture = browser.picture((pictures() or tmp_path) / name)
    assert (browser.requests, browser.complaints) == ([page.as_uri()], [])
    assert (wide, browser.value(_BEYOND)) == ([WIDTHS[width], WIDTHS[width]], [])
    assert (texts > 50, faint) == (True, [])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_the_two_schemes_differ(browser: Chromium, page: Path) -> None:
    colours = []
    for dark in (False, True):
        browser.show(page, 1280, dark=dark)
        colours.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(246, 247, 249)", "rgb(17, 21, 26)"]


def test_names_are_text_and_run_nothing(browser: Chromium, page: Path) -> None:
    browser.show(page, 1280, dark=False)
    names: list[str] = browser.value("[...document.querySelectorAll('bdi.name')].map(one => one.textContent)")
    shown = ["".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in name) for name in HOSTILE]
    dialogs = [one for one in browser.events if one.get("method") == "Page.javascriptDialogOpening"]
    assert (set(shown) - set(names), dialogs) == (set(), [])
    assert browser.value("document.querySelectorAll('main *').length > 100 && document.scripts.length") == 0
    assert VALUE not in browser.value("document.documentElement.outerHTML")


def test_a_page_that_something_was_put_into_runs_and_asks_for_nothing(
    browser: Chromium, page: Path, tmp_path: Path
) -> None:
    harm = "<img src='http://127.0.0.1:9/x'><script>document.title = 'x'</script><style>p{color:red}</style>"
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{harm}"), encoding="utf-8")
    browser.show(spoilt, 1280, dark=False)
    title: Any = browser.value("document.title")
    failed = [one for one in browser.events if one.get("method") == "Network.loadingFailed"]
    blocked = {one["params"].get("blockedReason") for one in failed}
    assert (title.startswith("Migration "), blocked) == (True, {"csp"})
    assert len(browser.complaints) >= 3


def test_tables_keep_their_headings_on_a_phone(browser: Chromium, page: Path) -> None:
    browser.show(page, 360, dark=False)
    tables: list[list[Any]] = browser.value(_COLUMNS)
    nodes = browser.do("Accessibility.getFullAXTree")["nodes"]
    roles = [one.get("role", {}).get("value") for one in nodes]
    assert [(role, rows == headed, columns >= 3) for role, columns, headed, rows in tables] == [
        ("table", True, True)
    ] * 3
    assert {"table", "row", "rowheader", "columnheader", "cell", "heading", "main"} <= set(roles)
    assert browser.value("getComputedStyle(document.querySelector('table.rows tbody td')).display") == "block"


def test_it_prints_on_white_paper(browser: Chromium, page: Path, tmp_path: Path) -> None:
    browser.show(page, 1280, dark=True)
    paper = browser.paper((pictures() or tmp_path) / "report.pdf")
    browser.do("Emulation.setEmulatedMedia", media="print", features=[])
    colours = browser.value(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (paper[:5], paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page/") > 0) == (b"%PDF-", True)
    assert colours == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
