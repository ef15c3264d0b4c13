"""The page for the security reviewer names files and tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")


def rows() -> list[tuple[str, str, str]]:
    """Promise, code and test of each row."""
    found = re.findall(r"^\| (?!promise )([^|]+) \| ([^|]+) \| ([^|]+::[^|]+) \|$", PAGE, re.MULTILINE)
    return [(promise, code, test) for promise, code, test in found if not promise.startswith("-")]


def test_it_takes_the_hour_that_it_promises_and_leaves_no_part_out() -> None:
    minutes = sum(int(found) for found in re.findall(r"^## .*\((\d+) minutes\)$", PAGE, re.MULTILINE))
    product = [name for name in (ROOT / "secretbridge").glob("**/*.py") if "testing" not in name.parts]
    named = {(ROOT / name).parent for _, code, _ in rows() for name in re.findall(r"`([^`]+)`", code)}
    assert (minutes, {name.parent for name in product} - named) == (60, set())


def test_each_row_names_files_that_are_there() -> None:
    named = [name for _, code, _ in rows() for name in re.findall(r"`([^`]+)`", code)]
    assert len(named) >= len(rows()) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_each_row_names_a_test_that_is_there() -> None:
    missing = []
    for promise, _, test in rows():
        (named,) = re.findall(r"`([^`]+)`", test)
        file, _, function = named.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8")) if (ROOT / file).is_file() else None
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} if tree else set()
        if function not in there:
            missing.append((promise, named))
    assert missing == []
