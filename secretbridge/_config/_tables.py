"""What a connection may hold, as pydantic models; docs/secretbridge.schema.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from secretbridge._config._references import ENVIRONMENT, SCHEMES, TIME_LIMIT, Malformed, Reference, reference
from secretbridge._json import is_array, is_object

__all__ = ["OWN", "TAGS", "ConnectionTable", "Other", "json_schema"]


def _pace(written: object) -> float | Literal["provider", "off"]:
    if written == "provider":
        return "provider"
    if written == "off":
        return "off"
    if isinstance(written, (int, float)) and not isinstance(written, bool) and 0 < written < float("inf"):
        return float(written)
    raise Malformed("is not a rate", 'write "provider", "off" or requests a minute')


def _place(written: str) -> str:
    if not written or "\0" in written:
        raise Malformed("is not a path", "give the path of a file")
    return written


def _environment(written: str) -> str:
    if not ENVIRONMENT.fullmatch(written):
        raise Malformed("names no environment of a vault", "for example production")
    return written


Credential = Annotated[
    Reference,
    PlainValidator(reference),
    WithJsonSchema(
        {
            "description": "Where the credential is; never the credential itself.",
            "anyOf": [
                {"type": "string", "pattern": f"^({'|'.join(SCHEMES)}):.+"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["command"],
                    "properties": {
                        "command": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                        "time_limit": {
                            "type": "number",
                            "exclusiveMinimum": 0,
                            "maximum": 3600,
                            "default": TIME_LIMIT,
                            "description": "Seconds that the command may take.",
                        },
                    },
                },
            ],
        }
    ),
]
Pace = Annotated[
    float | Literal["provider", "off"],
    PlainValidator(_pace),
    WithJsonSchema(
        {
            "description": 'Requests a minute; "provider": its known rate; "off": no pacing.',
            "anyOf": [{"enum": ["provider", "off"]}, {"type": "number", "exclusiveMinimum": 0}],
        }
    ),
]
#: The default of what may be left out. TOML has no null, so None is no value that the types need to know.
_LEFT_OUT: Any = None
_Place = Annotated[str, AfterValidator(_place)]
_Environment = Annotated[
    str,
    AfterValidator(_environment),
    Field(
        description="One of the vault's environments.",
        json_schema_extra={
            "pattern": f"^{ENVIRONMENT.pattern}$",
            "examples": ["development", "test", "staging", "production"],
        },
    ),
]
#: As of Retry and Timeout: more than eleven days is a slip.
_LONGEST: Final = 1_000_000
_Seconds = Annotated[float, Field(ge=0, le=_LONGEST, allow_inf_nan=False)]
_Limit = Annotated[float, Field(gt=0, le=_LONGEST, allow_inf_nan=False)]
_Create = Annotated[bool, Field(description="Whether an absent file reads as empty and is created.")]
_Allow = Annotated[bool, Field(description="Allow a base_url without TLS beyond loopback.")]


class _Table(BaseModel, frozen=True):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class RetryTable(_Table, frozen=True):
    """When an exchange is repeated."""

    attempts: Annotated[int, Field(ge=1, le=100, description="Tries in all; 1 repeats nothing.")] = 4
    total: Annotated[_Seconds, Field(description="Seconds after which no further try is begun.")] = 60.0
    first_wait: Annotated[_Seconds, Field(description="Seconds, upper bound of the first wait.")] = 0.5
    max_wait: Annotated[_Seconds, Field(description="Seconds, upper bound of every random wait.")] = 20.0
    max_retry_after: Annotated[_Seconds, Field(description="Seconds that a provider may ask for.")] = 60.0


class TimeoutTable(_Table, frozen=True):
    """How long each step of an exchange may take."""

    connect: Annotated[_Limit, Field(description="Seconds for the connection, TLS included.")] = 5.0
    read: Annotated[_Limit, Field(description="Seconds for each piece of the answer.")] = 30.0
    write: Annotated[_Limit, Field(description="Seconds for each piece of the request to be taken.")] = 30.0
    pool: Annotated[_Limit, Field(description="Seconds for a free connection.")] = 30.0


#: What pydantic puts among the keys of a finding about a timeout; no key of TOML needs to look so.
TAGS: Final = frozenset({"=seconds", "=steps"})

_TimeoutOption = Annotated[
    Annotated[float, Field(gt=0, le=_LONGEST, allow_inf_nan=False), Tag("=seconds")]
    | Annotated[TimeoutTable, Tag("=steps")],
    Discriminator(lambda written: "=steps" if isinstance(written, dict) else "=seconds"),
    Field(description="Seconds for each step, or a table of the four steps."),
]


class ConnectionTable(_Table, frozen=True):
    """What every connection may hold besides its provider's own options."""

    provider: str
    timeout: _TimeoutOption = _LEFT_OUT
    retry: RetryTable = _LEFT_OUT
    pace: Pace = _LEFT_OUT


class IoNetTable(ConnectionTable, frozen=True):
    """io.net: exactly one of api_key, bearer and token."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in ("api_key", "bearer", "token")]}
    )
    provider: Literal["ionet"]
    api_key: Credential = _LEFT_OUT
    bearer: Credential = _LEFT_OUT
    token: Credential = _LEFT_OUT
    base_url: str = _LEFT_OUT
    allow_http: _Allow = _LEFT_OUT


class WixTable(ConnectionTable, frozen=True):
    """Wix: exactly one of site_id and account_id."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in ("site_id", "account_id")]}
    )
    provider: Literal["wix"]
    api_key: Credential
    site_id: str = _LEFT_OUT
    account_id: str = _LEFT_OUT
    base_url: str = _LEFT_OUT
    allow_http: _Allow = _LEFT_OUT


class InsForgeTable(ConnectionTable, frozen=True):
    """One InsForge project."""

    provider: Literal["insforge"]
    base_url: str
    api_key: Credential
    allow_http: _Allow = _LEFT_OUT


class AppfarmTable(ConnectionTable, frozen=True):
    """One endpoint of an Appfarm solution, in one environment."""

    provider: Literal["appfarm"]
    base_url: str
    api_key: Credential
    path: str
    secrets: list[str]
    allow_http: _Allow = _LEFT_OUT


class LocalTable(ConnectionTable, frozen=True):
    """The embedded vault, in one environment; relative paths start from the file's folder."""

    provider: Literal["local"]
    location: _Place = _LEFT_OUT
    environment: _Environment = _LEFT_OUT
    passphrase: Credential = _LEFT_OUT
    key_file: _Place = _LEFT_OUT
    account_key: Credential = _LEFT_OUT


class DotenvTable(ConnectionTable, frozen=True):
    """A dotenv file; a relative path starts from the folder of this configuration."""

    provider: Literal["dotenv"]
    path: _Place
    create: _Create = _LEFT_OUT


class JsonFileTable(ConnectionTable, frozen=True):
    """A JSON file of names and texts; a relative path starts from the folder of this configuration."""

    provider: Literal["jsonfile"]
    path: _Place
    create: _Create = _LEFT_OUT


class EnvironTable(ConnectionTable, frozen=True):
    """The environment variables of the process, to read from."""

    provider: Literal["environ"]
    prefix: Annotated[str, Field(description="Only variables whose names begin so, named without it.")] = (
        _LEFT_OUT
    )


#: The adapters of this package, each with its table.
OWN: Final[dict[str, type[ConnectionTable]]] = {
    "appfarm": AppfarmTable,
    "dotenv": DotenvTable,
    "environ": EnvironTable,
    "insforge": InsForgeTable,
    "ionet": IoNetTable,
    "jsonfile": JsonFileTable,
    "local": LocalTable,
    "wix": WixTable,
}


class Other(ConnectionTable, frozen=True):
    """A provider of another package: its credentials apart, its other options as it calls them."""

    model_config = ConfigDict(extra="allow")
    provider: Annotated[str, Field(min_length=1, json_schema_extra={"not": {"enum": [*OWN]}})]
    credentials: dict[str, Credential] = {}


def _kind(table: Any) -> str:  # noqa: ANN401 - pydantic hands in whatever stands there
    provider = table.get("provider") if is_object(table) else None
    return provider if provider in OWN else "other"


class _File(_Table, frozen=True):
    """Named connections of secretbridge."""

    connections: dict[
        str,
        Annotated[
            Annotated[AppfarmTable, Tag("appfarm")]
            | Annotated[DotenvTable, Tag("dotenv")]
            | Annotated[EnvironTable, Tag("environ")]
            | Annotated[InsForgeTable, Tag("insforge")]
            | Annotated[IoNetTable, Tag("ionet")]
            | Annotated[JsonFileTable, Tag("jsonfile")]
            | Annotated[LocalTable, Tag("local")]
            | Annotated[WixTable, Tag("wix")]
            | Annotated[Other, Tag("other")],
            Discriminator(_kind),
        ],
    ] = {}


def json_schema() -> dict[str, Any]:
    """Give the JSON schema of the file, for editors."""
    schema: dict[str, Any] = _trimmed(_File.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "secretbridge.toml", **schema}


def _trimmed(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Leave out what only some versions of pydantic write, or what says nothing.

    That is titles, which repeat the names, an enum beside a const, and null, which TOML does not have.
    """
    if is_array(node):
        return [_trimmed(one) for one in node]
    if not is_object(node):
        return node
    return {
        key: _trimmed(one)
        for key, one in node.items()
        if not (key == "title" and isinstance(one, str))
        and not (key == "enum" and "const" in node)
        and not (key == "default" and one is None)
    }
