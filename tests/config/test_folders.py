"""The user's folders are those that platformdirs tells, whatever the environment says."""

from __future__ import annotations

import sys

import platformdirs
import pytest

from secretbridge._folders import config_folder, data_folder, state_folder


@pytest.mark.parametrize("value", [None, "", "  ", "/somewhere", "relative", "~/x", "/with blanks/x "])
def test_they_are_what_platformdirs_says(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    told = (config_folder(), data_folder(), state_folder())
    assert told == (
        platformdirs.user_config_path("secretbridge"),
        platformdirs.user_data_path("secretbridge"),
        platformdirs.user_state_path("secretbridge"),
    )


def test_on_other_systems_platformdirs_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert config_folder() == platformdirs.user_config_path("secretbridge")
