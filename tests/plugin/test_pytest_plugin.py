"""The fixtures that other projects' tests get, tried in projects of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
LEAKS = """
    import base64, logging, subprocess, sys, warnings
    VALUE = "Zq7+Kx4/wV9&jH2_Tz3-Yp8~Rd5"

    def test_printed(secretbridge_canary):
        print(secretbridge_canary(VALUE))

    def test_written_by_a_child(secretbridge_canary):
        subprocess.run(["echo", secretbridge_canary(VALUE)], check=True)

    def test_logged_at_debug(secretbridge_canary):
        logging.getLogger("job").debug("token %s", secretbridge_canary(VALUE))

    def test_logged_with_its_error(secretbridge_canary):
        try:
            raise ValueError(secretbridge_canary(VALUE))
        except ValueError:
            logging.getLogger("job").exception("it failed")

    def test_warned_of(secretbridge_canary):
        warnings.warn(secretbridge_canary(VALUE))

    def test_in_a_file(secretbridge_canary, tmp_path):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "state.json").write_text(secretbridge_canary(VALUE))

    def test_in_a_file_name(secretbridge_canary, tmp_path):
        (tmp_path / secretbridge_canary("Zq7-Kx4-wV9-jH2")).touch()

    def test_encoded(secretbridge_canary):
        value = secretbridge_canary(VALUE).encode()
        print("Authorization: Basic " + base64.b64encode(b"me:" + value).decode())

    def test_in_part(secretbridge_canary):
        print(secretbridge_canary(VALUE)[:10])
"""
CLEAN = """
    import logging
    from pathlib import Path
    import pytest
    from secretbridge import Retry, SecretBridge, errors
    from secretbridge.testing import Lost, Pass, Reply
    VALUE = "Zq7+Kx4/wV9&jH2_Tz3-Yp8~Rd5"

    def test_a_vault_that_is_real(secretbridge_vault, secretbridge_canary, tmp_path):
        with SecretBridge(secretbridge_vault) as bridge:
            bridge.create_secret("TOKEN", value=secretbridge_canary(VALUE))
        with SecretBridge(secretbridge_vault) as bridge:
            assert bridge.get_secret("TOKEN").reveal() == VALUE
        assert [path.name for path in sorted(tmp_path.rglob("vault.*"))][0] == "vault.db"

    @pytest.mark.parametrize("name", ["ionet", "wix", "insforge", "appfarm"])
    def test_services_in_process_and_on_a_socket(name, request, secretbridge_canary):
        service = request.getfixturevalue(f"secretbridge_{name}")
        service.standin.seed("TOKEN", "old-value")
        assert service.bridge().update_secret("TOKEN", value=secretbridge_canary(VALUE)).name in {"TOKEN", ""}
        assert service.standin.secret("TOKEN").value == VALUE
        assert service.url.startswith("http://127.0.0.1:")
        with SecretBridge(service.served) as bridge:
            bridge.update_secret("TOKEN", value="another-value")
        assert service.standin.secret("TOKEN").value == "another-value"

    def test_faults_and_pauses(secretbridge_wix, secretbridge_waits):
        secretbridge_wix.standin.seed("TOKEN", "old-value")
        secretbridge_wix.script(Pass(), Reply(429, headers=[("Retry-After", "30")]))
        bridge = secretbridge_wix.bridge(retry=Retry(attempts=2))
        bridge.update_secret("TOKEN", value="new-value")
        assert secretbridge_waits == secretbridge_wix.waits == [30.0]
        secretbridge_wix.script(Lost())
        with pytest.raises(errors.NoReply):
            bridge.with_options(retry=None).delete_secret("TOKEN")

    def test_pauses_of_the_awaited_face_pass_at_once(secretbridge_insforge):
        import anyio
        secretbridge_insforge.standin.seed("TOKEN", "old-value")
        secretbridge_insforge.script(Reply(429, headers=[("Retry-After", "50")]))

        async def work():
            async with secretbridge_insforge.async_bridge() as bridge:
                await bridge.update_secret("TOKEN", value="new-value")

        anyio.run(work)
        assert secretbridge_insforge.waits == [50.0]

    def test_a_file_that_is_meant_to_hold_it(secretbridge_canary, tmp_path):
        (tmp_path / ".env").write_text(secretbridge_canary(VALUE))
        secretbridge_canary.allow(tmp_path / ".env")

    def test_output_that_the_test_takes_away(secretbridge_canary, capsys):
        print(secretbridge_canary(VALUE))
        assert "as it is" in secretbridge_canary.found_in(capsys.readouterr().out)

    def test_a_value_that_is_too_short(secretbridge_canary):
        with pytest.raises(ValueError, match="at least 8"):
            secretbridge_canary("short")
"""
TELLS = """
    import sys

    def test_nothing_heavy_is_loaded_for_tests_that_use_no_fixture():
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert loaded & {"anyio", "httpx", "pydantic", "sqlite3", "cryptography"} == set()
        assert "secretbridge.testing._standin" not in sys.modules
        assert "secretbridge.testing.pytest_plugin" in sys.modules
"""


def run_pytest(folder: Path, source: str, *arguments: str, measured: bool = True) -> tuple[int, str]:
    """Run tests in a project of their own, with no other plugin than ours."""
    # Coverage's start-up hook imports modules of its own, which would be taken for ours.
    environment = {
        name: text for name, text in os.environ.items() if measured or not name.startswith("COVERAGE_")
    }
    (folder / "test_theirs.py").write_text(textwrap.dedent(source), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "secretbridge.testing.pytest_plugin", "-q", "-ra"),
            *("-p", "no:cacheprovider", "--basetemp", str(folder / "temp"), *arguments),
        ],
        cwd=folder,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def outcomes(said: str) -> dict[str, int]:
    """How many tests came to what, from pytest's last line."""
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", said)}


def test_a_value_that_turns_up_fails_its_test_wherever_it_is_and_is_not_shown_again(tmp_path: Path) -> None:
    _, said = run_pytest(tmp_path, LEAKS, "--show-capture=no", "--disable-warnings", "--tb=short")
    assert outcomes(said) == {"failed": LEAKS.count("def test_")}
    places = re.findall(r"a canary's value is in ([^(]+) \(", said)
    assert {place.partition(" temp")[0] for place in places} >= {
        "the captured output",
        "a log or a warning",
        "the file deep/state.json",
        "the name of the file Zq7-Kx4-wV9-jH2",
    }


def test_the_fixtures_do_what_they_say_without_a_network_and_without_waiting(tmp_path: Path) -> None:
    _, said = run_pytest(tmp_path, CLEAN)
    assert outcomes(said) == {"passed": CLEAN.count("def test_") + 3}, said


def test_the_plugin_loads_nothing_before_a_fixture_is_asked_for(tmp_path: Path) -> None:
    _, said = run_pytest(tmp_path, TELLS, measured=False)
    assert outcomes(said) == {"passed": 1}, said


def test_a_test_that_fails_by_itself_is_told_of_the_leak_too(tmp_path: Path) -> None:
    source = """
    def test_both(secretbridge_canary):
        print(secretbridge_canary("Zq7+Kx4/wV9&jH2"))
        raise RuntimeError("of its own")
    """
    _, said = run_pytest(tmp_path, source)
    assert outcomes(said) == {"failed": 1}
    assert "of its own" in said
    assert "a canary's value is in the captured output" in said


def test_the_example_in_the_docs_is_a_test_that_passes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    (job,) = re.findall(r"```py title=\"refresh.py\"\n(.*?)```", text, re.DOTALL)
    (tests,) = re.findall(r"```py title=\"test_refresh.py\"\n(.*?)```", text, re.DOTALL)
    (tmp_path / "refresh.py").write_text(job, encoding="utf-8")
    _, said = run_pytest(tmp_path, tests)
    assert outcomes(said) == {"passed": tests.count("def test_")}, said


def test_pytest_finds_the_plugin_where_the_package_is_installed(pytestconfig: pytest.Config) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nsecretbridge = "secretbridge.testing.pytest_plugin"\n' in text
