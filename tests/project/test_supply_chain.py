"""What is installed: the wheel holds what it should, the same each time, and nothing of it runs by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements-ci.txt").read_text(encoding="utf-8")

#: The parts of a licence's name or classifier that say it is one of those docs/supply-chain.md names.
LICENCES = re.compile(r"\b(MIT|BSD|Apache|Python Software Foundation|PSF|ISC|MPL|Mozilla|LGPL)")


def built(folder: Path, moment: str) -> Path:
    """Build a wheel of the tracked files, copied to a folder of their own."""
    copy, out = folder / "source", folder / "dist"
    copy.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    code = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    out.mkdir()
    subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=copy,
        check=True,
        capture_output=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": moment, "PYTHONHASHSEED": str(len(str(folder)))},
    )
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), "1700000000")


def test_two_builds_in_two_places_are_equal_byte_for_byte(wheel: Path, tmp_path: Path) -> None:
    again = built(tmp_path / "elsewhere", "1700000000")
    assert (wheel.name, wheel.read_bytes()) == (again.name, again.read_bytes())


def test_the_wheel_holds_the_package_and_its_metadata_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packed = {name for name in names if ".dist-info/" not in name}
    wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("secretbridge/**/*.py")}
    told = {name.partition(".dist-info/")[2] for name in names - packed}
    assert packed == wanted | {"secretbridge/py.typed"}
    assert told == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_installing_runs_no_code_of_ours(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        tags = archive.read(name).decode()
        loose = [name for name in archive.namelist() if name.endswith((".pth", ".so", ".exe", ".sh"))]
        data = [name for name in archive.namelist() if ".data/" in name]
    hatch = PYPROJECT["tool"]["hatch"]
    assert "Root-Is-Purelib: true\n" in tags
    assert "Tag: py3-none-any\n" in tags
    assert (loose, data, (ROOT / "setup.py").exists()) == ([], [], False)
    assert "hooks" not in hatch["build"]
    assert "hooks" not in hatch["build"]["targets"]["wheel"]
    assert PYPROJECT["build-system"] == {"requires": ["hatchling>=1.26"], "build-backend": "hatchling.build"}


def test_type_checkers_find_the_types_and_the_classifier_says_so(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        marker = archive.read("secretbridge/py.typed")
    assert (marker, "Typing :: Typed" in PROJECT["classifiers"]) == (b"", True)


def locked() -> dict[str, list[str]]:
    """Name -> the versions that the lock has for different systems and Pythons."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def declared() -> Iterator[Requirement]:
    """Everything that CI installs: the package's own, its extras, and the groups it works with."""
    groups = PYPROJECT["dependency-groups"]
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    lists += [group for name, group in groups.items() if name != "bench"]
    for line in (line for lines in lists for line in lines if isinstance(line, str)):
        yield Requirement(line)


def test_the_lock_pins_each_dependency_at_a_version_that_is_allowed() -> None:
    pins = locked()
    wrong = {
        str(one)
        for one in declared()
        if not pins.get(canonicalize_name(one.name))
        or not all(one.specifier.contains(version) for version in pins[canonicalize_name(one.name)])
    }
    assert wrong == set()


def test_the_lock_has_hashes_for_all_it_pins_and_names_no_index_and_no_path() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"(?m)^-.*|https?://\S+|file:\S+| @ \S+", LOCK) == []


def needed(names: set[str]) -> set[str]:
    """What these distributions need, directly and indirectly, as far as it is installed."""
    done: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        done.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that the tests do without
        for one in map(Requirement, lines):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                left |= {canonicalize_name(one.name)} - done
    return done


def licence_of(name: str) -> str:
    """Give a distribution's licence as its metadata tells it."""
    told: Any = metadata.metadata(name)  # a message, of which the type tells a part
    classifiers = [text for text in told.get_all("Classifier") or [] if text.startswith("License ::")]
    return " ".join([told.get("License-Expression") or "", *classifiers, (told.get("License") or "")[:60]])


def test_the_licence_of_each_library_below_is_one_of_those_that_are_accepted() -> None:
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for group in extras.values() for line in group)]
    strangers = {}
    for name in needed({canonicalize_name(Requirement(line).name) for line in lines}):
        try:
            licence = licence_of(name)
        except metadata.PackageNotFoundError:
            continue
        if not LICENCES.search(licence):
            strangers[name] = licence
    assert strangers == {}
