"""Writes what docs hold of the command line: ``python tests/cli/cli_documents.py``; a test compares.

The help of every command goes into docs/cli-reference.md, the types of secretbridge/cli/_shapes.py, and of
the modules that it imports, as a JSON schema into docs/cli.schema.json.
"""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import click
from pydantic import BaseModel, ConfigDict, create_model

from secretbridge.cli._command import Family
from secretbridge.cli._shapes import SHAPES
from secretbridge.cli._table import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "cli-reference.md"
SCHEMA = DOCS / "cli.schema.json"
_WIDTH = 88


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command and group, in the order of the table, by its whole name."""
    yield from _below(ROOT, _root())


def _root() -> click.Context:
    return click.Context(ROOT, info_name="secretbridge", terminal_width=_WIDTH, **ROOT.context_settings)


def _below(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield context.command_path, command, context
    if isinstance(command, Family):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            inner = click.Context(found, info_name=name, parent=context, terminal_width=_WIDTH)
            yield from _below(found, inner)


def reference() -> str:
    """The help of every command."""
    parts = [
        "# The command line: every command\n\nWhat `--help` says; [cli.md](cli.md) shows them at work.\n"
    ]
    parts += [
        f"## {path}\n\n```text\n{command.get_help(context)}\n```\n" for path, command, context in commands()
    ]
    return "\n".join(parts)


def models() -> dict[str, type[BaseModel]]:
    """Give a strict model for each command's JSON."""
    made: dict[type, type[BaseModel]] = {}
    return {command: _model(shape, made) for command, shape in SHAPES.items()}


def _model(shape: Any, made: dict[type, type[BaseModel]]) -> type[BaseModel]:
    if shape not in made:
        fields: dict[str, Any] = {}
        for name, hint in get_type_hints(shape, include_extras=True).items():
            left_out = get_origin(hint) is NotRequired
            fields[name] = (_typed(get_args(hint)[0] if left_out else hint, made), None if left_out else ...)
        config = ConfigDict(extra="forbid", strict=True)
        made[shape] = create_model(shape.__name__, __config__=config, __doc__=shape.__doc__, **fields)
    return made[shape]


def _typed(hint: Any, made: dict[type, type[BaseModel]]) -> Any:
    """Put models in the place of typed dictionaries, at any depth."""
    if is_typeddict(hint):
        return _model(hint, made)
    inner = tuple(_typed(one, made) if get_origin(hint) is not None else one for one in get_args(hint))
    if get_origin(hint) is list:
        return list[inner[0]]  # type: ignore[valid-type]  # made at run time
    if get_origin(hint) in {Union, types.UnionType}:
        return Union[inner]  # noqa: UP007 - of a tuple
    return hint


def schema() -> str:
    """Give the JSON schema: a definition for each command, and what failures look like."""
    definitions: dict[str, Any] = {}
    commands_: dict[str, Any] = {}
    for command, model in models().items():
        one = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= one.pop("$defs", {})
        definitions[model.__name__] = one
        commands_[command] = {"$ref": f"#/$defs/{model.__name__}"}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What secretbridge prints with --json",
        "description": "commands holds a schema for the output of each command; errors go to standard error.",
        "commands": commands_,
        "$defs": {name: _trimmed(one) for name, one in sorted(definitions.items())},
    }
    return json.dumps(whole, indent=2) + "\n"


def _trimmed(node: Any) -> Any:
    """Leave out what repeats the names, or what only some versions of pydantic write."""
    if isinstance(node, list):
        return [_trimmed(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _trimmed(one)
        for key, one in node.items()
        if not (key == "title" and isinstance(one, str))
        and not (key == "default" and one is None)
        and not (key == "additionalProperties" and one is True)
        and not (key == "enum" and "const" in node)
    }


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
