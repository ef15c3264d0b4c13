"""What the vault can keep and how much, for its faces; and the checks of a bulk write, which go by it."""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._checks import fields_given, refuse, target_violations, update_violations
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import SecretStr

    from secretbridge._models import Fields, Operation

__all__ = ["CAPABILITIES", "checked", "write_violations"]

_NO_TOOLS: Final = "the vault binds nothing to tools; leave this out"
_ALL: Final = frozenset({"value", "description", "active", "protected", "expires_at"})
#: Violations that one error lists.
_MOST_VIOLATIONS: Final = 20

CAPABILITIES: Final = Capabilities(
    provider="local",
    title="the vault",
    operations=frozenset({"list", "get", "create", "update", "put", "delete"}),
    create=_ALL,
    update=_ALL | {"new_name"},
    clear=frozenset({"description", "expires_at"}),
    why_not=MappingProxyType({"tool_name": _NO_TOOLS, "tool_arg": _NO_TOOLS, "default_for_tool": _NO_TOOLS}),
    addressed_by=MappingProxyType({"get": "either", "update": "either", "delete": "either"}),
    name=Limit(min_length=1, max_length=1024),
    limits=MappingProxyType({"value": Limit(max_length=16_777_216), "description": Limit(max_length=65_536)}),
    list_tells=_ALL - {"value"},
    get_tells=_ALL,
    compare_and_set=True,
    notes=MappingProxyType(
        {
            "active": "an inactive secret is listed but not handed out",
            "protected": "accepts no change but protected=False",
            "environments": "one file holds all of them; the connection chooses one",
        }
    ),
)


def checked(secrets: Mapping[str, str | SecretStr]) -> Iterable[tuple[str, Fields]]:
    """Give these secrets as names and fields.

    Raises:
        InvalidRequest: one of them cannot be kept.
    """
    try:
        given = list(secrets.items())
    except AttributeError:
        given = None
    if given is None:
        remedy = "give a dict of names and values"
        raise InvalidRequest(violations=[Violation("secrets", "is not a mapping", remedy)])
    wrong: list[Violation] = []
    fields = [(name, _fields("create", name, value, wrong)) for name, value in given]
    refuse(CAPABILITIES, "create", wrong[:_MOST_VIOLATIONS])
    return fields


def write_violations(writes: Iterable[tuple[str, object]]) -> Iterator[Violation]:
    """Find what is wrong with the writes of ``write_many()``, the first twenty."""
    return islice((one for name, value in writes for one in _of_write(name, value)), _MOST_VIOLATIONS)


def _of_write(name: str, value: object) -> list[Violation]:
    wrong: list[Violation] = []
    if value is None:
        wrong += _named(name, target_violations(CAPABILITIES, "delete", name, None))
    else:
        _fields("put", name, value, wrong)
        if not wrong and isinstance(value, str):
            wrong.append(Violation(f"value of {name!r}", "is a bare str", "give a SecretStr"))
    return wrong


def _fields(operation: Operation, name: str, value: object, wrong: list[Violation]) -> Fields:
    found = [*target_violations(CAPABILITIES, operation, name, None)]
    fields = fields_given({"value": value}, found)
    if not found:
        found += update_violations(CAPABILITIES, fields, allow_one_way=False, if_version=None, creates=True)
    wrong += _named(name, found)
    return fields


def _named(name: str, found: Iterable[Violation]) -> Iterator[Violation]:
    return (Violation(f"{one.field} of {name!r}", one.problem, one.remedy) for one in found)
