"""What loads when: a process that only uses the vault pays for nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

PROGRAM = """
import json, sys

HEAVY = ("httpx", "httpcore", "pydantic", "tenacity", "anyio", "asyncio", "ssl")

def loaded():
    return [name for name in HEAVY if name in sys.modules]

from secretbridge import Local, SecretBridge
report = {"imported": loaded()}
with SecretBridge(Local(sys.argv[1], key_file=sys.argv[2])) as bridge:
    report["opened and listed"] = [len(bridge.list_secrets()), loaded()]
    bridge.delete_secret("NAME", missing_ok=True)
    report["deleted"] = loaded()
    bridge.create_secret("NAME", value="value")
    bridge.update_secret("NAME", value="another")
    report["updated"] = loaded()
print(json.dumps(report))
"""


def test_the_vault_loads_no_http_and_pydantic_only_with_the_first_value(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "vault.db", tmp_path / "vault.key"],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["imported"] == []
    assert report["opened and listed"] == [0, []]
    assert report["deleted"] == []
    assert "pydantic" in report["updated"]
    assert not {"httpx", "httpcore", "tenacity", "anyio", "ssl"} & set(report["updated"])


def test_the_main_job_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "secretbridge"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m secretbridge \"$@\"\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        [EXAMPLES / "main_job.sh"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(EXAMPLES.parent), "TMPDIR": str(tmp_path)},
    )
    assert "Updated 'OAUTH_TOKEN' in vault (value, expires_at). It is at version 2. It was read back" in (
        " ".join(done.stderr.split())
    )
    assert "That was refused with exit code 2." in done.stdout
    assert [path.name for path in tmp_path.glob("tmp.*")] == []


def test_the_main_job_from_python_does_what_it_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "main_job.py"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert "4 entries of example.env are in the vault." in done.stdout
    assert "OAUTH_TOKEN has a new value: version 2, read back: True." in done.stdout
    assert "SMTP_PASSWORD has no description now: None." in done.stdout
    assert "refused, applied: False" in done.stdout
    assert "leave this out" in done.stdout
    listed = [line.split()[0] for line in done.stdout.splitlines()[-4:]]
    assert sorted(listed) == ["DATABASE_URL", "OAUTH_TOKEN", "SMTP_PASSWORD", "STRIPE_KEY"]
    for line in (EXAMPLES / "example.env").read_text().splitlines():
        value = line.partition("=")[2].split("#")[0].strip("\"' ")
        assert not value or value not in done.stdout + done.stderr
