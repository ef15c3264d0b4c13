"""What the pages about migrations say that their examples print is what they print."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

_PAGES = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["migrate.md"])
def test_the_output_that_a_page_shows_is_what_its_example_prints(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    names: dict[str, object] = {}
    printed: list[str] = []
    shown: list[str] = []
    for language, text in _BLOCK.findall((_PAGES / page).read_text()):
        if language != "python":
            shown.append(text)
            continue
        with redirect_stdout(io.StringIO()) as said:
            exec(text, names)  # noqa: S102 - the page's own examples
        if told := said.getvalue():
            printed.append(told.replace(f"{tmp_path}/", "…/"))
    assert [len(printed) > 2, printed] == [True, shown]
