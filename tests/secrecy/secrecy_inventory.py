"""What is public, found by looking: functions, classes, their methods and properties, commands."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import secretbridge
import secretbridge.testing
from secretbridge import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = {"": secretbridge, "migrate.": migrate, "testing.": secretbridge.testing}


class Found(NamedTuple):
    """One public callable: what it is called here, and where it can be wrapped."""

    label: str
    owner: Any
    name: str
    given: Any


def public_classes() -> dict[str, type]:
    """Every public class but the errors, and those that public properties lead to, such as Vault.slots."""
    found = {
        f"{prefix}{name}": thing
        for prefix, place in _PLACES.items()
        for name in place.__all__
        if inspect.isclass(thing := getattr(place, name)) and not issubclass(thing, BaseException)
    }
    for kind in list(found.values()):
        found.update({name: one for name, one in _led_to(kind) if one not in found.values()})
    return found


def _led_to(kind: type) -> Iterator[tuple[str, type]]:
    for name, given in inspect.getmembers_static(kind):
        told = given.fget.__annotations__.get("return") if isinstance(given, property) else None
        if name.startswith("_") or not isinstance(told, str):
            continue
        for word in re.findall(r"[A-Z]\w+", told):
            one = _class_of_ours(word)
            if one is not None:
                yield word, one


def _class_of_ours(name: str) -> type | None:
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("secretbridge.") and not module_name.startswith("secretbridge.testing"):
            thing = vars(module).get(name)
            if inspect.isclass(thing) and thing.__module__ == module_name:
                return None if issubclass(thing, BaseException) else thing
    return None


def callables() -> dict[str, Found]:
    """Every public function, constructor, method and property, by its label."""
    found: dict[str, Found] = {}
    for prefix, place in _PLACES.items():
        for name in place.__all__:
            thing = getattr(place, name)
            if inspect.isfunction(thing):
                found[f"{prefix}{name}"] = Found(f"{prefix}{name}", place, name, thing)
    for label, kind in public_classes().items():
        found.update({one.label: one for one in _of_class(label, kind)})
    return found


def _of_class(label: str, kind: type) -> Iterator[Found]:
    if "__init__" in vars(kind) and inspect.isfunction(vars(kind)["__init__"]):
        yield Found(label, kind, "__init__", vars(kind)["__init__"])
    for name, given in inspect.getmembers_static(kind):
        owner = next((base for base in kind.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith("secretbridge"):
            continue
        bare = given.__func__ if isinstance(given, (classmethod, staticmethod)) else given
        if inspect.isfunction(bare) or isinstance(given, property):
            yield Found(f"{label}.{name}", owner, name, given)


def commands() -> set[str]:
    """The whole name of every command of the command line."""
    import click

    from secretbridge.cli import _table

    found: set[str] = set()

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        if not isinstance(command, click.Group):
            found.add(" ".join(words))
            return
        with click.Context(command) as context:
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, (*words, name))

    walk(_table.ROOT, ())
    return found
