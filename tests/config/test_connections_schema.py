"""docs/secretbridge.schema.json is what the models say."""

from __future__ import annotations

import inspect
import json
import tomllib
from pathlib import Path

import pytest

from secretbridge import Retry, Timeout
from secretbridge._config._plain import OF_BRIDGES, PATHS
from secretbridge._config._tables import (
    OWN,
    Other,
    RetryTable,
    TimeoutTable,
    _File,
    json_schema,
)
from secretbridge.providers import _OWN, provider_class

PUBLISHED = Path(__file__).parents[2] / "docs" / "secretbridge.schema.json"


def test_the_published_schema_is_what_the_models_say() -> None:
    # To renew it: python -c "import json; from secretbridge._config._tables import json_schema;
    # print(json.dumps(json_schema(), indent=2, ensure_ascii=False))" > docs/secretbridge.schema.json
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("name", OWN)
def test_a_table_has_exactly_the_options_of_its_adapter(name: str) -> None:
    parameters = set(inspect.signature(provider_class(name)).parameters)
    parameters -= {"credential", "expect_head"}  # an object, and what changes: no file can hold them
    assert set(OWN[name].model_fields) == {"provider", *OF_BRIDGES, *parameters}


@pytest.mark.parametrize("name", OWN)
def test_a_table_needs_what_its_adapter_needs(name: str) -> None:
    parameters = inspect.signature(provider_class(name)).parameters.values()
    needed = {one.name for one in parameters if one.default is one.empty}
    assert {key for key, one in OWN[name].model_fields.items() if one.is_required()} == {"provider", *needed}


def test_the_models_of_the_schema_take_each_table_by_its_provider() -> None:
    text = """
[connections.a]
provider = "wix"
site_id = "s"
api_key = "env:A"
[connections.b]
provider = "acme"
credentials = { token = "env:A" }
host = "h"
"""
    made = _File.model_validate(tomllib.loads(text)).connections
    assert {name: type(one) for name, one in made.items()} == {"a": OWN["wix"], "b": Other}


def test_the_table_of_retries_has_the_defaults_of_the_library() -> None:
    assert Retry(**RetryTable().model_dump()) == Retry()


def test_the_table_of_timeouts_has_the_defaults_of_the_library() -> None:
    assert Timeout(**TimeoutTable().model_dump()) == Timeout()


def test_every_adapter_of_the_package_has_a_table_of_its_own() -> None:
    assert set(OWN) == set(_OWN)


def test_every_option_that_holds_a_path_is_one_of_its_table() -> None:
    found = {(name, key) for name, keys in PATHS.items() for key in keys}
    known = {(name, key) for name, table in OWN.items() for key in table.model_fields}
    assert found - known == set()


def test_no_credential_of_the_schema_takes_a_text_without_a_scheme() -> None:
    tables = json_schema()["$defs"]
    credentials = {
        (table, key): one
        for table, schema in tables.items()
        for key, one in schema["properties"].items()
        if key in {"api_key", "bearer", "token", "passphrase"}
    }
    assert len(credentials) == 7
    for one in credentials.values():
        texts = [choice for choice in one["anyOf"] if choice["type"] == "string"]
        assert [text["pattern"] for text in texts] == ["^(env|file|keyring|vault|command):.+"]
