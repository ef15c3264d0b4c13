"""The verbs mean on a file what they mean everywhere."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from file_cases import FORMATS, new_path, opened, read
from pydantic import SecretStr

from secretbridge import AsyncSecretBridge, SecretBridge, errors
from secretbridge._capabilities import FIELDS, table
from secretbridge._channel import Channel
from secretbridge._models import Retry, Timeout
from secretbridge._provider import Provider
from secretbridge._runtime import BlockingRuntime, finish
from secretbridge.providers.dotenv import Dotenv
from secretbridge.providers.environ import Environment
from secretbridge.providers.jsonfile import JsonFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge.providers._file_provider import FileProvider

GIVEN: dict[str, Any] = {
    "description": "text",
    "active": False,
    "protected": True,
    "expires_at": datetime(2031, 1, 1, tzinfo=UTC),
    "tool_name": "agno__linear",
    "tool_arg": "api_token",
    "default_for_tool": True,
    "extra": {"a": 1},
}
Kind = type["FileProvider"]
both = pytest.mark.parametrize("kind", FORMATS)


def channel() -> Channel:
    return Channel(BlockingRuntime(), timeout=Timeout(), retry=Retry())


@both
def test_what_is_put_is_told_and_is_in_the_file(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind)
    bridge.put_secret("B", value="one")
    bridge.create_secret("A", value="two words")
    bridge.put_secret("B", value="three")
    assert [secret.name for secret in bridge.list_secrets()] == ["B", "A"]
    assert bridge.get_secret("B").reveal() == "three"
    assert read(path) == {"B": "three", "A": "two words"}


@both
def test_an_update_changes_value_and_name_and_is_read_back(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one", B="two", C="three")
    assert bridge.update_secret("B", new_name="D", value="four", verify=True).verified is True
    assert list(read(path).items()) == [("A", "one"), ("D", "four"), ("C", "three")]
    assert bridge.update_secret("D", new_name="E").name == "E"
    assert bridge.update_secret("E", new_name="E").name == "E"
    assert list(read(path).items()) == [("A", "one"), ("E", "four"), ("C", "three")]


@both
def test_what_is_deleted_is_gone(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one", B="two")
    bridge.delete_secret("A")
    assert read(path) == {"B": "two"}
    bridge.delete_secret("A", missing_ok=True)


@both
def test_what_is_not_there_is_not_found(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one")
    before = path.read_bytes()
    for act in (
        lambda: bridge.get_secret("B"),
        lambda: bridge.update_secret("B", value="v"),
        lambda: bridge.delete_secret("B"),
    ):
        with pytest.raises(errors.SecretNotFound) as caught:
            act()
        assert caught.value.applied is False
    assert path.read_bytes() == before


@both
def test_a_name_that_is_taken_is_not_given_twice(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one", B="two")
    before = path.read_bytes()
    with pytest.raises(errors.SecretExists):
        bridge.create_secret("A", value="v")
    with pytest.raises(errors.SecretExists) as caught:
        bridge.update_secret("A", new_name="B")
    assert caught.value.applied is False
    assert path.read_bytes() == before


@both
def test_a_missing_file_reads_as_empty_or_is_refused_as_was_asked(tmp_path: Path, kind: Kind) -> None:
    path = new_path(tmp_path, kind)
    assert SecretBridge(kind(path)).list_secrets() == []
    strict = SecretBridge(kind(path, create=False))
    with pytest.raises(errors.InvalidRequest, match="is not there"):
        strict.list_secrets()
    with pytest.raises(errors.InvalidRequest, match="is not there"):
        strict.put_secret("A", value="v")
    assert list(tmp_path.glob("*secret*")) == []
    SecretBridge(kind(path)).put_secret("A", value="v")
    assert strict.get_secret("A").reveal() == "v"


@both
@pytest.mark.parametrize("field", [name for name in FIELDS if name not in {"value", "new_name"}])
def test_a_field_that_a_file_has_not_is_refused(tmp_path: Path, kind: Kind, field: str) -> None:
    path, bridge = opened(tmp_path, kind, A="one")
    before = path.read_bytes()
    arguments: dict[str, Any] = {field: GIVEN[field]}
    acts: list[Callable[[], object]] = [
        lambda: bridge.update_secret("A", **arguments),
        lambda: bridge.put_secret("A", value="v", **arguments),
        lambda: bridge.create_secret("B", value="v", **arguments),
    ]
    for act in acts:
        with pytest.raises(errors.UnsupportedField) as caught:
            act()
        assert caught.value.violations[0].remedy
    assert path.read_bytes() == before


@both
def test_a_version_and_nothing_as_a_value_are_refused(tmp_path: Path, kind: Kind) -> None:
    path, bridge = opened(tmp_path, kind, A="one")
    with pytest.raises(errors.UnsupportedField, match="if_version"):
        bridge.update_secret("A", value="two", if_version=1)
    with pytest.raises(errors.UnsupportedField, match="cannot be cleared"):
        bridge.update_secret("A", value=None)
    with pytest.raises(errors.SecretNotFound, match="no secret of id 'A'"):
        bridge.get_secret(id="A")
    assert read(path) == {"A": "one"}


@pytest.mark.parametrize("name", ["A=B", "'A", "it's here", "\ufeffA", "a/b", "new\nline", " "])
def test_names_that_a_dotenv_file_cannot_carry_are_refused(tmp_path: Path, name: str) -> None:
    path, bridge = opened(tmp_path, Dotenv, A="one")
    with pytest.raises(errors.InvalidRequest):
        bridge.put_secret(name, value="v")
    with pytest.raises(errors.InvalidRequest):
        bridge.update_secret("A", new_name=name)
    assert read(path) == {"A": "one"}


def test_a_value_that_no_environment_holds_is_refused(tmp_path: Path) -> None:
    path, bridge = opened(tmp_path, Dotenv, A="one")
    with pytest.raises(errors.InvalidRequest, match="NUL") as caught:
        bridge.update_secret("A", value="hidden\0value")
    assert "hidden" not in str(caught.value)
    assert read(path) == {"A": "one"}
    json_path, bridge = opened(tmp_path, JsonFile)
    bridge.put_secret("A", value="a\0b")
    assert read(json_path) == {"A": "a\0b"}


@both
def test_many_writes_are_one_replacement(tmp_path: Path, kind: Kind) -> None:
    path, _ = opened(tmp_path, kind, OLD="one", KEPT="two")
    provider, way = kind(path), channel()
    entries = [(f"NAME_{number}", f"value {number}") for number in range(10_000)]
    writes = [(name, SecretStr(value)) for name, value in entries]
    inode = path.stat().st_ino
    finish(provider.write_many(way, [*writes, ("OLD", None), ("ABSENT", None)]))
    assert read(path) == {"KEPT": "two", **dict(entries)}
    assert path.stat().st_ino != inode
    told = finish(provider.read_many(way, ["NAME_9999", "KEPT"]))
    assert [(secret.name, secret.reveal()) for secret in told] == [
        ("NAME_9999", "value 9999"),
        ("KEPT", "two"),
    ]
    finish(provider.write_many(way, [(name, None) for name, _ in writes]))
    assert read(path) == {"KEPT": "two"}


@both
def test_of_many_writes_to_a_name_the_last_one_counts(tmp_path: Path, kind: Kind) -> None:
    path, _ = opened(tmp_path, kind)
    writes = [("A", SecretStr("1")), ("A", None), ("B", SecretStr("2")), ("A", SecretStr("3")), ("B", None)]
    finish(kind(path).write_many(channel(), writes))
    assert read(path) == {"A": "3"}


@both
def test_many_writes_are_refused_whole_and_all_at_once(tmp_path: Path, kind: Kind) -> None:
    path, _ = opened(tmp_path, kind, A="one")
    wrong: list[Any] = [
        ("A", SecretStr("two")),
        ("a/b", SecretStr("v")),
        ("C", "bare"),
        ("", None),
        (7, None),
    ]
    with pytest.raises(errors.InvalidRequest) as caught:
        finish(kind(path).write_many(channel(), wrong))
    assert [one.field for one in caught.value.violations] == [
        "name of 'a/b'",
        "value of 'C'",
        "name of ''",
        "name of 7",
    ]
    assert "bare" not in str(caught.value).replace("a bare str", "")
    assert read(path) == {"A": "one"}
    with pytest.raises(errors.SecretNotFound):
        finish(kind(path).read_many(channel(), ["A", "B"]))


@both
def test_the_asyncio_face_does_the_same(tmp_path: Path, kind: Kind) -> None:
    path = new_path(tmp_path, kind)

    async def work() -> str:
        async with AsyncSecretBridge(kind(path)) as bridge:
            await asyncio.gather(*(bridge.put_secret(f"N{number}", value="v") for number in range(12)))
            await bridge.update_secret("N3", value="new")
            await bridge.delete_secret("N4")
            return (await bridge.get_secret("N3")).reveal()

    assert asyncio.run(work()) == "new"
    assert read(path) == {f"N{number}": "new" if number == 3 else "v" for number in range(12) if number != 4}


@both
def test_a_provider_shows_its_path_alone_and_is_not_pickled(tmp_path: Path, kind: Kind) -> None:
    path, _ = opened(tmp_path, kind, A="hidden")
    provider = kind(path)
    assert repr(provider) == f"{kind.__name__}({str(path)!r})"
    assert provider.path == path
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(provider)
    assert isinstance(provider, Provider)


@both
@pytest.mark.parametrize("path", ["", b"a", None, 3, "a\0b"])
def test_what_is_no_path_is_refused(kind: Kind, path: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="path: is not a path"):
        kind(path)


@both
def test_whether_to_create_is_a_yes_or_no(kind: Kind) -> None:
    wrong: Any = "yes"
    with pytest.raises(errors.InvalidRequest, match="create: is not True or False"):
        kind("x", create=wrong)


@both
def test_no_traceback_with_its_variables_shows_a_value(tmp_path: Path, kind: Kind) -> None:
    path = new_path(tmp_path, kind)
    contents = {
        Dotenv: [b"A='canary\nB=x\n", b"A=canary\nno good line\n", b"A=canary\n\xff"],
        JsonFile: [b'{"A": "canary"', b'{"A": "canary", "B": 1}', b'{"A": "canary\xff"}', b'"canary"'],
    }[kind]
    bridge = SecretBridge(kind(path))
    for content in contents:
        path.write_bytes(content)
        for act in (bridge.list_secrets, lambda: bridge.put_secret("B", value="canary")):
            with pytest.raises(errors.InvalidRequest) as caught:
                act()
            shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            # This test's own frame names the canary; the product's frames must not.
            del shown.stack[0]
            product = [one for one in shown.stack if "secretbridge/providers" in one.filename]
            assert product
            assert "canary" not in repr([one.locals for one in product])
            assert "canary" not in str(caught.value)
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert path.read_bytes() == content


def test_the_capabilities_print_as_a_table() -> None:
    text = table(Dotenv.capabilities, JsonFile.capabilities, Environment.capabilities)
    assert text.startswith("| | the dotenv file | the JSON file | the environment |\n")
    assert "| new_name | set | set | no |" in text
    assert "| value | create, set | create, set | no |" in text
