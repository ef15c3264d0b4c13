"""What the repository's files say about the project and must not say about anything else."""

import ast
import re
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEST_COMMAND = (
    "python3 -m venv .venv-test && .venv-test/bin/pip install -q nox && .venv-test/bin/nox -s tests"
)

# Written so that this file does not hold what it looks for.
FORBIDDEN = {
    "a folder of someone's machine": re.compile(r"(?<![\w.$}/-])/(?:root|home|Users|work|mnt)/\w"),
    "a conflict of a merge": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
    "a private key": re.compile(r"-{5}BEGIN [A-Z ]*PRIVATE KEY-{5}"),
}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def repository_files() -> list[str]:
    """Every file that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(name for name in set(listed.stdout.split("\0")) if name and (ROOT / name).is_file())


def opening_commands() -> list[str]:
    """The commands in the README's first `sh` fence, comments and blank lines left out."""
    fence = re.search(r"^```sh\n(.*?)^```$", text("README.md"), re.MULTILINE | re.DOTALL)
    assert fence is not None
    return [line for line in fence[1].splitlines() if line.strip() and not line.startswith("#")]


def sessions() -> set[str]:
    """The names of the sessions in noxfile.py."""
    return {
        node.name
        for node in ast.parse(text("noxfile.py")).body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(d) for d in node.decorator_list)
    }


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    files = repository_files()
    assert "pyproject.toml" in files
    holders = {
        f"{name}: {found[0]}"
        for name in files
        if (found := FORBIDDEN[what].search((ROOT / name).read_bytes().decode("utf-8", errors="replace")))
    }
    assert holders == set()


def test_the_readme_opens_with_the_main_job_and_the_test_command() -> None:
    main_job, tests = opening_commands()
    assert main_job.startswith("python3 -m venv .venv && ")
    assert tests == TEST_COMMAND


def test_ci_calls_the_readmes_test_command_as_written() -> None:
    assert opening_commands()[1] in text(".ci/run")


def test_ci_runs_every_session_but_the_benchmarks_and_the_part_of_the_tests() -> None:
    called = set(re.findall(r"-s (\w+)", text(".ci/run")))
    assert called == sessions() - {"bench", "trust"}  # what `trust` runs is a part of `tests`


def test_what_the_session_trust_names_is_there() -> None:
    named = re.findall(r'"(tests/[\w/.]+)"', text("noxfile.py"))
    programs = re.findall(r'^    \("(\w+)"', text("noxfile.py"), re.MULTILINE)
    missing = [one for one in named if not (ROOT / one).exists()]
    missing += [one for one in programs if not (ROOT / "benchmarks" / f"{one}.py").exists()]
    assert (len(named) > 9, len(programs) > 4, missing) == (True, True, [])


def test_ci_stops_at_the_first_unexpected_failure_and_can_be_executed() -> None:
    assert text(".ci/run").splitlines()[2] == "set -euo pipefail"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111 == 0o111
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)


def test_contributing_explains_every_session() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", text("CONTRIBUTING.md"), re.MULTILINE))
    assert explained == sessions()


def test_contributing_says_why_each_dependency_is_there() -> None:
    chapter = text("CONTRIBUTING.md").partition("## Dependencies\n")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^- \*\*([\w.-]+)\*\*", chapter, re.MULTILINE))
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += [PYPROJECT["build-system"]["requires"], *PYPROJECT["dependency-groups"].values()]
    declared = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0]
        for lines in lists
        for line in lines
        if isinstance(line, str)
    }
    assert explained == declared


def test_the_changelog_is_in_the_shape_of_keep_a_changelog() -> None:
    changelog = text("CHANGELOG.md")
    assert changelog.startswith("# Changelog\n")
    releases = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    if releases[0] == "[Unreleased]":
        del releases[0]
    dated = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}", release) for release in releases]
    assert [release for release, match in zip(releases, dated, strict=True) if match is None] == []
    versions = [tuple(int(part) for part in match.groups()) for match in dated if match]
    assert all(newer > older for newer, older in pairwise(versions))
    kinds = set(re.findall(r"^### (.*)$", changelog, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_tells_of_the_packages_version() -> None:
    source = PYPROJECT["tool"]["hatch"]["version"]
    version = re.search(source["pattern"], text(source["path"]), re.MULTILINE)
    assert version is not None
    assert f"\n## [{version[1]}]" in text("CHANGELOG.md")


def test_the_licence_is_the_one_in_pyproject() -> None:
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    licence = text("LICENSE")
    assert licence.split("\n")[1].strip() == "Apache License"
    assert "Copyright The secretbridge authors" in licence


def test_each_exclusion_from_coverage_says_why() -> None:
    excluded = re.compile(r"# pragma: no (?:cover|branch)(?P<why>.*)")
    found = [
        (path.name, told["why"])
        for path in sorted((ROOT / "secretbridge").rglob("*.py"))
        for told in excluded.finditer(path.read_text(encoding="utf-8"))
    ]
    assert (found != [], [one for one in found if not re.match(r" - \w.{9,}", one[1])]) == (True, [])
