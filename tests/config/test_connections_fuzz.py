"""Whatever a file holds: a connection or an error of ours that tells lines and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from config_place import CANARY, Project, project
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from secretbridge import InvalidRequest
from secretbridge._config import connect
from secretbridge._config._lines import lines

__all__ = ["project"]

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KEYS = st.sampled_from(
    [
        "provider",
        "api_key",
        "site_id",
        "base_url",
        "secrets",
        "path",
        "timeout",
        "retry",
        "pace",
        "location",
        "credentials",
        "environment",
        "passphrase",
        "x.y",
        '"q r"',
        f'"{CANARY}"',
        "connections",
    ]
)
VALUES = st.sampled_from(
    [
        '"wix"',
        '"local"',
        '"ionet"',
        '"insforge"',
        '"acme"',
        "7",
        "-0.5",
        "nan",
        "true",
        "1979-05-27",
        "[]",
        f'"{CANARY}"',
        f'"env:{CANARY}"',
        f'"file:{CANARY}"',
        '"vault:a"',
        f'["{CANARY}"]',
        '"""\n[a]\n"""',
        "{ attempts = 2 }",
        f'{{ command = ["{CANARY}"] }}',
        f"'''{CANARY}\n'''",
        "[\n1, # ]\n]",
        "{}",
    ]
)
HEADERS = st.sampled_from(
    [
        "[connections.one]",
        "[connections.two]",
        "[connections]",
        f'[connections."{CANARY}"]',
        "[[many]]",
        "[connections.one.retry]",
        "[connections.one.credentials]",
        "# [note]",
        "",
        "[x",
        "= 3",
    ]
)
STATEMENTS = st.one_of(HEADERS, st.builds("{} = {}".format, KEYS, VALUES))
TEXTS = st.one_of(
    st.lists(STATEMENTS, max_size=12).map("\n".join),
    st.lists(STATEMENTS, max_size=8).map(lambda rows: "[connections.one]\n" + "\r\n".join(rows)),
    st.text(max_size=60),
)


@SETTINGS
@given(TEXTS)
@example('[connections.one]\nprovider = "local"\nlocation = "\\u0000"\n')
def test_any_text_gives_a_bridge_or_an_error_of_ours(project: Project, text: str) -> None:
    project.write(text)
    problem: InvalidRequest | None = None
    try:
        connect("one")
    except InvalidRequest as error:
        problem = error
    if problem is not None:
        told = str(problem).replace(f"{project.folder}/", "")
        assert CANARY not in re.sub(rf"{CANARY} \(secretbridge.toml\)", "", told)
        assert all(
            re.match(r"secretbridge\.toml(:\d+)?: |name: ", str(one).replace(f"{project.folder}/", ""))
            for one in problem.violations
        )


@SETTINGS
@given(st.binary(max_size=60))
def test_any_bytes_give_an_error_of_ours(project: Project, content: bytes) -> None:
    Path(project.write("")).write_bytes(content)
    with pytest.raises(InvalidRequest):
        connect("one")


@SETTINGS
@given(st.lists(STATEMENTS, max_size=12).map("\n".join))
def test_the_line_of_a_key_is_found_in_whatever_tomllib_takes(text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines(text)
    rows = text.split("\n")
    waiting: list[tuple[tuple[str, ...], dict[str, object]]] = [((), tree)]
    while waiting:
        above, keys = waiting.pop()
        for key, value in keys.items():
            assert key in rows[found[(*above, key)] - 1]
            if isinstance(value, dict):
                waiting.append(((*above, key), value))
