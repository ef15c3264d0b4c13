"""The layers hold, judged by the imports that are written down anywhere in the package, at any depth."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "secretbridge"
SOURCES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ONLY_HOME = {
    "httpx": {"_wire.py"},
    "httpcore": set[str](),
    "tenacity": {"_retry.py"},
    "cryptography": {"_vault/_crypto.py"},
    "psycopg": {"_vault/_postgres_session.py"},
}
# A layer, and the modules of ours that it must not know.
CHANGES = {
    "_everywhere", "_everywhere_before", "_everywhere_forget", "_everywhere_job", "_everywhere_ledger",
    "_everywhere_list", "_everywhere_names",
    "_everywhere_packed", "_everywhere_results", "_everywhere_run", "_everywhere_targets", "_rotate",
    "_rotate_kept", "_rotate_run", "_rotate_steps",
}  # fmt: skip
FACES = CHANGES | {
    "_sync", "_async", "_once", "_admin", "_admin_async", "_admin_access", "_admin_slots", "_config",
    "_connect", "migrate", "cli",
}  # fmt: skip
FORBIDDEN = {
    "_vault/": FACES | {"providers", "_core", "_channel", "_wire", "_retry", "_embedded"},
    "_wire.py": FACES | {"providers", "_core", "_channel", "_vault"},
    "_retry.py": FACES | {"providers", "_core", "_vault", "_wire"},
    "_location.py": FACES | {"providers", "_core", "_channel", "_wire", "_retry", "_vault", "_embedded"},
    "_runtime.py": FACES | {"providers", "_core", "_channel", "_vault"},
    "_channel.py": FACES | {"providers", "_core", "_vault", "_wire"},
    "_embedded.py": FACES | {"providers", "_core", "_channel", "_wire", "_retry"},
    "providers/": FACES | {"_core", "_wire", "_retry"},
    "_core.py": FACES | {"_wire", "_vault"},
    "_rehearsal.py": FACES | {"_wire", "_retry", "_vault", "providers"},
    "_folders.py": FACES | {"_core", "_channel", "_wire", "_retry", "_vault", "_embedded", "providers"},
    "_json.py": FACES | {"_core", "_channel", "_wire", "_retry", "_vault", "_embedded", "providers"},
    "_durable.py": FACES | {"_core", "_channel", "_wire", "_retry", "_vault", "_embedded", "providers"},
    "adapter.py": FACES | {"_core", "_wire", "_retry", "_vault"},
    "_credentials.py": FACES | {"providers", "_core", "_channel", "_vault", "_wire", "_retry", "_embedded"},
    "_admin.py": {"providers", "_core", "_channel", "_wire", "_retry", "_config", "migrate", "cli"},
    "_config/": {"_wire", "_retry", "_core", "migrate", "cli"},
    "_everywhere": {"_wire", "_vault", "_retry", "providers", "cli", "_once", "_admin", "_admin_async"},
    "_rotate": {"_wire", "_vault", "_retry", "providers", "cli", "_once", "_admin", "_admin_async"},
    # Of the faces it knows how a provider is connected; the bridges themselves in annotations alone.
    "migrate/": (FACES - {"migrate", "_connect", "_sync", "_async"})
    | {"providers", "_wire", "_retry", "_vault"},
}


def imports_of(source: str, *, for_types: bool = True) -> set[str]:
    """Full dotted names, relative imports resolved; for `from a import b` both `a` and `a.b`."""
    tree = ast.parse((PACKAGE / source).read_text(encoding="utf-8"))
    guards = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    unloaded = {inner for guard in guards for line in guard.body for inner in ast.walk(line)}
    here = ("secretbridge", *Path(source).parts[:-1])
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in unloaded and not for_types:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def third_parties(source: str, *, for_types: bool = True) -> set[str]:
    tops = {name.partition(".")[0] for name in imports_of(source, for_types=for_types)}
    return tops - set(sys.stdlib_module_names) - {"secretbridge"}


def declared(requirements: list[str]) -> set[str]:
    # Each distribution we use is imported by its own name, but for python-dotenv.
    named = {re.split(r"[^\w-]", line, maxsplit=1)[0].replace("-", "_").lower() for line in requirements}
    return {"dotenv" if name == "python_dotenv" else name for name in named}


@pytest.mark.parametrize("library", ONLY_HOME)
def test_each_fenced_library_is_loaded_by_its_one_module_and_the_stand_ins_alone(library: str) -> None:
    # An annotation may name a library's type: it loads nothing.
    importers = {source for source in SOURCES if library in third_parties(source, for_types=False)}
    strangers = {source for source in importers if not source.startswith("testing/")} - ONLY_HOME[library]
    assert strangers == set()


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_knows_only_the_layers_below_it(layer: str) -> None:
    above = {f"secretbridge.{module}" for module in FORBIDDEN[layer]}
    breaches = {
        (source, name)
        for source in SOURCES
        if source == layer or (not layer.endswith(".py") and source.startswith(layer))
        for name in imports_of(source)
        if ".".join(name.split(".")[:2]) in above
    }
    assert breaches == set()


def test_migrations_load_no_bridge() -> None:
    breaches = {
        (source, name)
        for source in SOURCES
        if source.startswith("migrate/")
        for name in imports_of(source, for_types=False)
        if name.startswith(("secretbridge._sync", "secretbridge._async"))
    }
    assert breaches == set()


def test_the_command_line_uses_public_names_only() -> None:
    breaches = {
        (source, name)
        for source in SOURCES
        if source.startswith("cli/")
        for name in imports_of(source)
        if name.startswith("secretbridge._") or re.match(r"secretbridge\.(?!cli\b)\w+\._", name)
    }
    assert breaches == set()


def test_the_product_never_imports_its_stand_ins() -> None:
    importers = {
        source
        for source in SOURCES
        if not source.startswith("testing/")
        and any(name.startswith("secretbridge.testing") for name in imports_of(source))
    }
    assert importers == set()


def test_every_library_that_the_package_imports_is_declared() -> None:
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    optional = declared([line for name, lines in extras.items() if name != "testing" for line in lines])
    allowed = declared(PROJECT["dependencies"]) | optional
    # pytest loads the plugin in testing/, so it is there whenever the plugin is.
    allowed_in_testing = allowed | declared(extras["testing"]) | {"pytest"}
    undeclared = {
        (source, library)
        for source in SOURCES
        for library in third_parties(source)
        - (allowed_in_testing if source.startswith("testing/") else allowed)
    }
    assert undeclared == set()


def test_every_declared_dependency_is_imported_by_the_package() -> None:
    product = {source for source in SOURCES if not source.startswith("testing/")}
    imported = {library for source in product for library in third_parties(source, for_types=False)}
    assert declared(PROJECT["dependencies"]) - imported == set()
