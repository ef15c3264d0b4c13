"""The project's chores, each in an environment of its own; CONTRIBUTING.md says when to use which.

A session without a ``python`` of its own runs on the Python that runs nox;
``nox -s tests -P 3.12`` asks for another.
"""

import os
import re
import zipfile
from pathlib import Path

import nox
from nox.project import dependency_groups, load_toml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent
PYPROJECT = load_toml("pyproject.toml")

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "no" if os.environ.get("CI") else "yes"
nox.options.sessions = ["lint", "types", "tests"]

# A process for each core; the examples of a document stay together. `-- -n 0` takes one process for all.
# Tests start many processes; without cached bytecode each of them would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# In CI the same tree gets the same answer, and the slowest tests are named; other orders are tried wherever
# CI is not set.
ORDER = ("--randomly-seed", "1", "--durations", "25") if os.environ.get("CI") else ()
PYTEST = ("pytest", "-m", "not system", "-n", "auto", "--maxprocesses", "8", "--dist", "loadfile", *ORDER)


def group(name: str) -> list[str]:
    # Read here rather than with `pip install --group`, so that any pip will do.
    return list(dependency_groups(PYPROJECT, name))


def lower_bounds() -> list[str]:
    """Every requirement of the package and its extras, pinned to the lowest version it allows."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    pins = []
    for line in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(line)
        (lowest,) = (bound.version for bound in requirement.specifier if bound.operator == ">=")
        pins.append(f"{requirement.name}=={lowest}")
    return pins


def install(session: nox.Session, *more: str) -> None:
    """Install the project with what a session needs, the newest; in CI all that requirements-ci.txt pins."""
    if os.environ.get("CI"):
        session.install("--require-hashes", "-r", "requirements-ci.txt")
        session.install("--no-deps", "-e", ".")
    else:
        session.install("-e", ".[testing]", *more)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole test suite, with the newest dependencies; under coverage where no Python is asked for."""
    install(session, *group("test"))
    cache = f"cache_dir=.pytest_cache/{session.name}"
    if session.python is not None:  # what is covered hardly depends on it, and measuring doubles the time
        session.run("python", "-m", *PYTEST, "-o", cache, *session.posargs)
        return
    # A data file for each process; `coverage` adds them up.
    data = ROOT / f".coverage.{session.name}"
    for stale in ROOT.glob(f"{data.name}.*"):
        stale.unlink()
    session.run(
        *("coverage", "run", "-m", *PYTEST, "-o", cache),
        *session.posargs,
        env={"COVERAGE_FILE": str(data)},
    )


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the test suite with the lowest versions that pyproject.toml allows, on the lowest Python."""
    session.install("-e", ".[testing]", *lower_bounds(), *group("test"))
    session.run(
        *("python", "-m", *PYTEST),
        *("-o", f"cache_dir=.pytest_cache/{session.name}"),
        *session.posargs,
    )


@nox.session
def system(session: nox.Session) -> None:
    """Run the tests that need a package of the operating system."""
    install(session, *group("test"))
    session.run("python", "-m", "pytest", "-m", "system", *session.posargs)


#: The folders and files of the tests that try each promise of docs/review.md in short form.
TRUST = (
    *("tests/secrecy", "tests/contract", "tests/plugin", "tests/faults", "tests/load", "tests/adapters"),
    *("tests/orders", "tests/project", "tests/vault/test_vault_model.py", "tests/vault/test_vault_luck.py"),
    *("tests/postgres/test_postgres_canary.py", "tests/cli/test_cli_canary.py"),
    *("tests/migrate/test_plan_model.py", "tests/migrate/test_apply_model.py"),
    "tests/migrate/test_run_faults.py",
)
#: Their long forms, each with the document that holds its last results.
LONG = (
    ("luck", "all"),  # docs/luck.md
    ("kills",),  # docs/migrate-kills.md
    ("faults",),  # docs/faults.md
    ("orders", "all"),  # docs/orders.md
    ("fuzz", "all"),  # docs/fuzz.md
    ("soak", "--minutes", "60"),  # docs/soak.md
)


def promises() -> list[str]:
    """The files of the tests that docs/review.md names, one or more for each promise."""
    page = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py)::", page)))


@nox.session
def trust(session: nox.Session) -> None:
    """Try each promise in short form, a part of `tests`; `nox -s trust -- long` does it in hours."""
    install(session, *group("test"))
    if session.posargs == ["long"]:
        for name, *arguments in LONG:
            session.run("python", str(ROOT / "benchmarks" / f"{name}.py"), *arguments)
    else:
        session.run("python", "-m", *PYTEST, *TRUST, *promises(), *session.posargs)


@nox.session
def example(session: nox.Session) -> None:
    """Install the adapter in examples/ as its author would, and run the contract on it."""
    folder = ROOT / "examples" / "secretbridge-larder"
    session.install(".[testing]", str(folder))
    with session.chdir(session.create_tmp()):
        session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder))


@nox.session
def coverage(session: nox.Session) -> None:
    """Add up what the test sessions measured; fails under pyproject.toml's fail_under."""
    session.install(*group("test"))
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules, format and known dangers; `nox -s lint -- fix` repairs what can be repaired."""
    install(session, *group("lint"))
    fix = session.posargs == ["fix"]
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")
    session.run("bandit", "-q", "-c", "pyproject.toml", "-r", "secretbridge")


@nox.session
def types(session: nox.Session) -> None:
    """Check all code with mypy, and the package and its public names with pyright, both strict."""
    install(session, *group("dev"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel by way of the sdist, look inside, and do the main job with the installed wheel."""
    session.install(*group("build"))
    scratch = Path(session.create_tmp()).resolve()
    dist = scratch / "dist"
    for stale in dist.glob("*"):
        stale.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist))
    (wheel,) = dist.glob("*.whl")
    check_contents(session, wheel)

    clean = scratch / "clean"
    session.run("python", "-m", "venv", "--clear", str(clean))
    session.run(str(clean / "bin" / "pip"), "install", "-q", f"{wheel}[cli,dotenv]", external=True)
    session.run(str(clean / "bin" / "pip"), "check", external=True)
    # From another folder, so that the installed package is imported and not the checkout.
    with session.chdir(scratch):
        session.run(str(clean / "bin" / "python"), str(ROOT / "examples" / "main_job.py"), external=True)
        path = os.pathsep.join([str(clean / "bin"), os.environ["PATH"]])
        session.run(str(ROOT / "examples" / "main_job.sh"), external=True, env={"PATH": path})


def check_contents(session: nox.Session, wheel: Path) -> None:
    """Compare the wheel with the package folder: every module and py.typed, and nothing beside them."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("secretbridge/**/*.py")}
    wanted.add("secretbridge/py.typed")
    if packed != wanted:
        session.error(f"missing: {sorted(wanted - packed)}; too many: {sorted(packed - wanted)}")


@nox.session
def bench(session: nox.Session) -> None:
    """Run one benchmark beside its peers: `nox -s bench -- NAME [ARGUMENTS]`."""
    names = sorted(path.stem for path in ROOT.glob("benchmarks/[!_]*.py"))
    if not session.posargs or session.posargs[0] not in names:
        session.error(f"nox -s bench -- NAME, with one of: {', '.join(names)}")
    session.install(".[testing]", *group("bench"))
    name, *arguments = session.posargs
    session.run("python", str(ROOT / "benchmarks" / f"{name}.py"), *arguments)
