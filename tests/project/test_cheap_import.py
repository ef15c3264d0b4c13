"""What `import secretbridge` costs, seen from a fresh process."""

import os
import subprocess
import sys

import pytest

EXPENSIVE = {"anyio", "asyncio", "cryptography", "httpx", "pydantic", "sqlite3", "ssl", "tenacity"}


def modules_after(statement: str) -> set[str]:
    # Coverage's start-up hook imports modules of its own, which would be taken for ours.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_expensive() -> None:
    assert modules_after("import secretbridge") & EXPENSIVE == set()


def test_importing_an_error_class_loads_nothing_expensive() -> None:
    assert modules_after("from secretbridge import SecretNotFound") & EXPENSIVE == set()


@pytest.mark.parametrize("library", ["httpx", "pydantic"])
def test_importing_the_bridge_and_the_vault_leaves_the_library_alone(library: str) -> None:
    assert library not in modules_after("from secretbridge import SecretBridge, Local")


def test_the_check_would_see_an_expensive_module() -> None:
    assert {"asyncio", "ssl"} <= modules_after("import secretbridge, asyncio, ssl")
