"""The canary matrix: every public callable, every outcome that we can bring about, every way out.

The callables are found by looking (``secrecy_inventory``), each is wrapped while the scenarios run
(``secrecy_watch``), and what it returns or raises goes through every channel of ``canary_channels``. Logs,
warnings, streams, audit events, names of threads and tasks, the environment and all files are searched besides.
A public callable that no scenario calls fails the test: so none is forgotten.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import secrecy_watch
from secrecy_inventory import callables, commands, public_classes
from secrecy_scenarios import FACES, IN_THE_CLEAR, SCENARIOS, Ground
from secrecy_watch import CREDENTIAL, VALUE, watched
from test_cli_canary import STEPS, command_of

from secretbridge import SecretBridge, SecretBridgeError, errors, testing

if TYPE_CHECKING:
    from pathlib import Path

#: What no scenario calls, and why that is right.
NOT_CALLED = {
    "KeyWrapper.wrap": "a protocol: the code is the caller's",
    "KeyWrapper.unwrap": "a protocol: the code is the caller's",
}


def test_nothing_public_shows_a_value_or_a_credential_and_nothing_public_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks: set[str] = set()
    returned: set[str] = set()
    raised: set[str] = set()
    seen: set[str] = set()
    for number, (name, scenario) in enumerate(SCENARIOS.items()):
        for face in FACES:
            folder = tmp_path / f"{number}-{face}"
            (folder / "tmp").mkdir(parents=True, mode=0o700)
            folder.chmod(0o700)
            with monkeypatch.context() as patch:
                patch.setattr(tempfile, "tempdir", str(folder / "tmp"))
                patch.chdir(folder)
                with watched(patch) as watch:
                    scenario(Ground(folder, watch, patch), face)
                    watch.files(folder, but=IN_THE_CLEAR)
            leaks |= {f"{name} on {face}: {leak}" for leak in watch.leaks}
            returned |= watch.returned
            raised |= set(watch.raised)
            seen |= watch.seen
    assert sorted(leaks) == []
    public = {label for label in callables() if not label.startswith("testing.")}
    assert sorted(public - returned - raised - NOT_CALLED.keys()) == []
