"""What is taken without pydantic is what its models would have taken, and as they would."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from config_place import Project, project
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from secretbridge._config._check import connection_findings
from secretbridge._config._plain import OF_BRIDGES, OURS, plain
from secretbridge._config._tables import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["project"]

KEYS = sorted({key for kinds in OURS.values() for key in kinds} | {"retry", "timeout", "pace", "nonsense"})
VALUES = st.one_of(
    st.sampled_from(
        [
            "env:KEY", "env:1", "vault:a/b", "keyring:s/u", "file:x", "file:", "command:a b", "command:'",
            "in clear", "", "production", "nowhere", "https://one.example", "a\0b", "off", "provider",
        ]
    ),
    st.booleans(),
    st.integers(-1, 2),
    st.lists(st.sampled_from(["A", "B", 1]), max_size=2),
    st.sampled_from([{"command": ["a"]}, {"command": [], "time_limit": 1}, {"attempts": 1}, {}]),
)  # fmt: skip
TABLES = st.builds(
    lambda provider, options: {"provider": provider, **options},
    st.sampled_from([*OURS, "acme", ""]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
)


def modelled(table: Mapping[str, object]) -> dict[str, Any] | None:
    """What the model says, or None where it refuses."""
    try:
        model = OWN[str(table["provider"])].model_validate(table)
    except (ValidationError, KeyError):
        return None
    return {key: getattr(model, key) for key in model.model_fields_set if key != "provider"}


@given(TABLES)
def test_what_is_taken_is_what_the_model_takes(table: dict[str, object]) -> None:
    taken = plain(table)
    if taken is not None:
        assert (taken.provider, taken.given) == (table["provider"], modelled(table))
        assert connection_findings(("connections", "x"), table, wanted=True) == []


@given(TABLES)
def test_what_the_model_takes_is_taken_unless_it_has_options_of_bridges(table: dict[str, object]) -> None:
    if modelled(table) is not None and not table.keys() & OF_BRIDGES:
        assert plain(table) is not None


@pytest.mark.parametrize("name", OWN)
def test_it_knows_the_keys_of_each_model_and_what_they_need(name: str) -> None:
    fields = {key: one for key, one in OWN[name].model_fields.items() if key not in {"provider", *OF_BRIDGES}}
    assert set(OURS[name]) == set(fields)
    assert {key for key, kind in OURS[name].items() if kind.endswith("!")} == {
        key for key, one in fields.items() if one.is_required()
    }


def test_plain_connections_load_no_pydantic(project: Project) -> None:
    project.write(
        '[connections.one]\nprovider = "dotenv"\npath = "x.env"\n'
        '[connections.two]\nprovider = "wix"\nsite_id = "s"\napi_key = "env:KEY"\n'
    )
    code = (
        "import sys; from secretbridge import connect, connections; connections(); connect('one'); "
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
