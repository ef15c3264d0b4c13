"""A JSON file is one flat object of texts, or it is refused by the names of what is wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from file_cases import opened, read
from hypothesis import given, settings
from hypothesis import strategies as st

from secretbridge import SecretBridge, errors
from secretbridge.providers.jsonfile import JsonFile

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'["canary"]', "is no JSON object"),
        (b'"canary"', "is no JSON object"),
        (b"null", "is no JSON object"),
        (b'{"A": "canary", "B": 71}', "has a number under 'B'"),
        (b'{"A": NaN}', "has a number under 'A'"),
        (b'{"A": ' + b"7" * 5000 + b"}", "has a number under 'A'"),
        (b'{"A": {"x": "canary"}}', "has an object under 'A'"),
        (b'{"A": ["canary"]}', "has a list under 'A'"),
        (b'{"A": true}', "has true or false under 'A'"),
        (b'{"A": null}', "has null under 'A'"),
        (b'{"A": "canary", "A": "x"}', "has the name 'A' twice"),
        (b'{"A": "\\ud800canary"}', "half of a surrogate pair under 'A'"),
        (b'{"\\ud800": "canary"}', r"half of a surrogate pair under '\\ud800'"),
        (b'{"A": "canary",\n "B": \n}', "not JSON in line 3, column 1"),
        (b'{"A": "\\canary"}', "not JSON in line 1, column 8"),
        (b'\xef\xbb\xbf{"A": "canary"}', "not JSON in line 1"),
        (b'{"A":\n "canary\xff"}', "not UTF-8 in line 2"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_of_texts_is_refused_without_a_value(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(content)
    bridge = SecretBridge(JsonFile(path))
    for act in (bridge.list_secrets, lambda: bridge.put_secret("N", value="v")):
        with pytest.raises(errors.InvalidRequest) as caught:
            act()
        assert told.replace("\\\\", "\\") in str(caught.value)
        assert not any(word in str(caught.value) for word in ("canary", "71", "777"))
        assert caught.value.applied is False
    assert path.read_bytes() == content


def test_the_file_is_written_with_two_spaces_in_its_order_and_in_utf_8(tmp_path: Path) -> None:
    path, bridge = opened(tmp_path, JsonFile)
    path.write_text('{"b":"1","a":"2"}', encoding="utf-8")
    bridge.put_secret("ü", value="ß\n")
    bridge.put_secret("b", value="3")
    assert path.read_bytes().decode() == '{\n  "b": "3",\n  "a": "2",\n  "ü": "ß\\n"\n}\n'


def test_an_empty_file_reads_as_empty(tmp_path: Path) -> None:
    path, bridge = opened(tmp_path, JsonFile)
    path.touch()
    assert bridge.list_secrets() == []


@settings(max_examples=50, deadline=None)
@given(name=st.from_regex(r"[^\W\d]\w{0,6}", fullmatch=True), value=TEXTS, held=st.dictionaries(TEXTS, TEXTS))
def test_whatever_is_put_is_read_back(name: str, value: str, held: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "secrets.json")
        path.write_text(json.dumps(held), encoding="utf-8")
        bridge = SecretBridge(JsonFile(path))
        bridge.put_secret(name, value=value)
        assert list(read(path).items()) == list({**held, name: value}.items())
        assert bridge.get_secret(name).reveal() == value
