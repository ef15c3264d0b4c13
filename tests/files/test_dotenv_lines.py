"""A dotenv file keeps, byte for byte, what a change is not about, and python-dotenv reads what was put."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import pytest
from dotenv import dotenv_values, load_dotenv
from dotenv.parser import parse_stream
from file_cases import read
from hypothesis import given, settings
from hypothesis import strategies as st

from secretbridge import SecretBridge, errors
from secretbridge._checks import target_violations
from secretbridge.providers.dotenv import Dotenv

FILE = (
    "# first comment\n\n  export  A = 'one' # why A\n\nB=\"two\\nlines\"\r\n'C D' =three\n"
    "MULTI='x\ny'   # after\nLONE\nexport LATE\nA=later# no comment\n\n# last"
)


def accepted(name: str) -> bool:
    return not list(target_violations(Dotenv.capabilities, "put", name, None))


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40) | st.text(
    "ab \t\n\r'\"\\#$={}\x85\u2028\ufeff", max_size=20
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.text(
    "aA0 '\"#\\.$-", min_size=1, max_size=8
)
ACCEPTED = NAMES.filter(accepted)
PIECES = st.lists(
    st.sampled_from(
        [
            "\n",
            "  \t\n",
            "\r\n",
            "# note\n",
            "  # indented\r\n",
            "A=1\n",
            "A = 'x' # c\n",
            "export A=2\r\n",
            "\n\n B='multi\nline'\n",
            'B="dou\\"ble\\\\" #c\n',
            "B=un quoted # c\n",
            "B= # only a comment\n",
            "'C D'=3\n",
            "A\n",
            "export B # c\n",
            "C#x=1\n",
            "A=\r",
        ]
    ),
    max_size=8,
)


def bridge_to(path: Path, content: str | bytes) -> SecretBridge:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return SecretBridge(Dotenv(path))


def after(path: Path, content: str, name: str, value: str) -> str:
    bridge_to(path, content).put_secret(name, value=value)
    return path.read_bytes().decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_an_update_changes_the_value_and_nothing_beside_it(path: Path) -> None:
    assert after(path, FILE, "B", "new value") == FILE.replace('"two\\nlines"', "'new value'")
    assert after(path, FILE, "C D", "x") == FILE.replace("three", "x")
    assert after(path, FILE, "MULTI", "z") == FILE.replace("'x\ny'", "z")
    assert after(path, "export A= # c\n", "A", "v") == "export A= v # c\n"
    assert after(path, "A=#c\n", "A", "v") == "A=v\n"  # no comment: python-dotenv takes #c for the value
    assert after(path, "A=b c # d\r\n", "A", "it's") == "A='it\\'s' # d\r\n"


def test_of_duplicates_the_last_is_read_and_changed(path: Path) -> None:
    bridge = bridge_to(path, FILE)
    assert bridge.get_secret("A").reveal() == "later# no comment"
    assert after(path, FILE, "A", "new") == FILE.replace("A=later# no comment", "A=new")
    assert read(path)["A"] == "new"


def test_delete_takes_all_entries_of_a_name_and_leaves_blank_lines(path: Path) -> None:
    bridge_to(path, FILE).delete_secret("A")
    expected = FILE.replace("  export  A = 'one' # why A\n", "").replace("A=later# no comment\n", "")
    assert path.read_bytes().decode() == expected


def test_a_rename_keeps_the_place_and_takes_earlier_entries_away(path: Path) -> None:
    bridge_to(path, FILE).update_secret("A", new_name="Z Z")
    expected = FILE.replace("  export  A = 'one' # why A\n", "").replace("A=later", "'Z Z'=later")
    assert path.read_bytes().decode() == expected
    bridge_to(path, "export A='1' # c\n").update_secret("A", new_name="B", value="x y")
    assert path.read_bytes() == b"export B='x y' # c\n"


def test_a_name_without_a_value_is_no_secret_and_can_become_one(path: Path) -> None:
    bridge = bridge_to(path, FILE)
    assert [one.name for one in bridge.list_secrets()] == ["A", "B", "C D", "MULTI"]
    for act in (lambda: bridge.get_secret("LONE"), lambda: bridge.delete_secret("LONE")):
        with pytest.raises(errors.SecretNotFound):
            act()
    bridge.create_secret("LATE", value="v")
    assert path.read_bytes().decode() == FILE.replace("export LATE\n", "export LATE=v\n")
    bridge.update_secret("B", new_name="LONE")
    assert read(path)["LONE"] == "two\nlines"


def test_a_new_entry_comes_last_on_a_line_of_its_own_with_the_files_line_end(path: Path) -> None:
    assert after(path, "A=1", "B", "2") == "A=1\nB=2\n"
    assert after(path, "A=1\r\n", "B", "2") == "A=1\r\nB=2\r\n"
    assert after(path, "", "B", "") == "B=''\n"
    assert after(path, "# c", "B", "#") == "# c\nB='#'\n"


def test_a_byte_order_mark_stays(path: Path) -> None:
    assert after(path, "\ufeffA=1\n", "A", "2") == "\ufeffA=2\n"
    assert read(path) == {"A": "2"}
    with pytest.raises(errors.InvalidRequest, match="second byte order mark"):
        bridge_to(path, "\ufeff\ufeffA=1\n").list_secrets()


def test_line_ends_in_values_are_read_as_python_dotenv_reads_them(path: Path) -> None:
    bridge = bridge_to(path, b"A='x\r\ny\rz'\r\nB=\"q\\r\\n\"\r\n")
    assert (
        {name: bridge.get_secret(name).reveal() for name in "AB"}
        == read(path)
        == {
            "A": "x\ny\nz",
            "B": "q\r\n",
        }
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [("A=1\nB='rest\nC=2\n", 2), ("\n\n\nno good\n", 4), ("\r\nA='x' y\r\n", 2), ("=v", 1)],
)
def test_a_line_that_cannot_be_read_is_told_by_its_number_alone(path: Path, content: str, line: int) -> None:
    bridge = bridge_to(path, content)
    for act in (bridge.list_secrets, lambda: bridge.put_secret("N", value="v")):
        with pytest.raises(errors.InvalidRequest, match=f"line {line} is not as python-dotenv") as caught:
            act()
        assert caught.value.applied is False
        assert not any(word in str(caught.value) for word in ("rest", "good", "'x'"))
    assert path.read_bytes() == content.encode()


def test_what_is_not_utf_8_is_refused_with_its_line(path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="not UTF-8 in line 2"):
        bridge_to(path, b"A=1\nB=\xff\n").list_secrets()


def test_a_template_is_kept_as_written_and_only_an_interpolating_reader_replaces_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBT_HOST", "example.org")
    bridge = bridge_to(path, "")
    bridge.put_secret("SBT_URL", value="https://${SBT_HOST}/$x")
    assert bridge.get_secret("SBT_URL").reveal() == "https://${SBT_HOST}/$x"
    assert path.read_text() == "SBT_URL='https://${SBT_HOST}/$x'\n"
    assert dotenv_values(path) == {"SBT_URL": "https://example.org/$x"}


def test_load_dotenv_takes_every_name_and_value_that_is_accepted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = bridge_to(path, "")
    for name in ("SBT_A", "SBT B#"):
        monkeypatch.setenv(name, "")
        bridge.put_secret(name, value="a\r\n'\"\\ #ü")
    assert load_dotenv(path, override=True, interpolate=False)
    assert (os.environ["SBT_A"], os.environ["SBT B#"]) == ("a\r\n'\"\\ #ü", "a\r\n'\"\\ #ü")


def test_without_python_dotenv_the_advice_says_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv.parser", None)
    with pytest.raises(errors.InvalidRequest, match=r"pip install 'secretbridge\[dotenv\]'"):
        SecretBridge(Dotenv(path)).list_secrets()


def test_a_python_dotenv_that_would_read_something_else_stops_the_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secretbridge.providers.dotenv._written", lambda value: f"'{value}'")
    bridge = bridge_to(path, "A=1\n")
    with pytest.raises(errors.InvalidRequest, match="cannot hold the value of 'A'") as caught:
        bridge.put_secret("A", value="canary'")
    assert "canary" not in str(caught.value)
    assert path.read_bytes() == b"A=1\n"


@settings(max_examples=150, deadline=None)
@given(
    pieces=PIECES,
    writes=st.lists(st.tuples(ACCEPTED | st.sampled_from("AB"), VALUES), min_size=1, max_size=3),
)
def test_whatever_is_put_is_read_back_and_the_rest_stays(
    pieces: list[str], writes: list[tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        bridge = bridge_to(path, "".join(pieces))
        expected = read(path)
        for name, value in writes:
            before = path.read_bytes().decode()
            bridge.put_secret(name, value=value)
            expected[name] = value
            assert read(path) == expected
            assert bridge.get_secret(name).reveal() == value
            start, end = around(before, name)
            changed = path.read_bytes().decode()
            assert changed[: len(start)] == start
            assert changed[len(changed) - len(end) :] == end


@settings(max_examples=100, deadline=None)
@given(pieces=PIECES, name=st.sampled_from(["A", "B"]), new_name=ACCEPTED | st.sampled_from(["B", "C D"]))
def test_what_is_renamed_or_deleted_is_so_and_the_rest_stays(
    pieces: list[str], name: str, new_name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        bridge = bridge_to(path, "".join([*pieces[:4], f"{name}=there # c\n", *pieces[4:]]))
        held = read(path)
        if held[name] is None:
            expected: type[Exception] | None = errors.SecretNotFound
        else:
            expected = errors.SecretExists if held.get(new_name) is not None and new_name != name else None
        if expected is not None:
            with pytest.raises(expected):
                bridge.update_secret(name, new_name=new_name)
            assert read(path) == held
            return
        bridge.update_secret(name, new_name=new_name)
        value = held.pop(name)
        held.pop(new_name, None)
        assert read(path) == {**held, new_name: value}
        bridge.delete_secret(new_name)
        assert read(path) == held


def around(text: str, name: str) -> tuple[str, str]:
    """What stands before and after the entry of a name that counts; all, where it is new."""
    pieces = [(one.key, one.original.string) for one in parse_stream(io.StringIO(text, newline=""))]
    places = [place for place, (key, _) in enumerate(pieces) if key == name]
    if not places:
        return text, ""
    strings = [string for _, string in pieces]
    place = places[-1]
    entry = strings[place]
    return "".join(strings[:place]) + entry[: len(entry) - len(entry.lstrip())], "".join(strings[place + 1 :])
