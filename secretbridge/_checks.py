"""What core refuses before anything is sent: pure functions over Capabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from secretbridge._capabilities import Limit
from secretbridge._models import secret_str
from secretbridge._unset import UNSET
from secretbridge.errors import InvalidRequest, UnsupportedField, UnsupportedOperation, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge._capabilities import Capabilities
    from secretbridge._models import Fields, Operation

__all__ = ["fields_given", "refuse", "require_operation", "target_violations", "update_violations"]

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Slashes part paths, and control characters hide in logs and headers.
_NOT_IN_NAMES: Final = re.compile(r"[/\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BOOLEANS: Final = frozenset({"active", "protected", "default_for_tool"})
_ANY: Final = Limit()


class Lacking(Violation):
    """A violation because the provider lacks something, whatever the argument's content."""

    __slots__ = ()


def require_operation(of: Capabilities, operation: Operation) -> None:
    """Refuse an operation that the provider does not have.

    Raises:
        UnsupportedOperation: with the reason.
    """
    if operation not in of.operations:
        raise UnsupportedOperation(
            f"Refused before anything was sent: {of.title} has no {operation}.",
            advice=of.why_not.get(operation, ""),
        )


def fields_given(arguments: Mapping[str, object], wrong: list[Violation]) -> Fields:
    """Take the fields that were given, values wrapped as SecretStr; note what is of a wrong type."""
    given: dict[str, Any] = {name: one for name, one in arguments.items() if one is not UNSET}
    if given.get("extra") == {}:
        del given["extra"]
    for name, argument in given.items():
        if argument is None:
            continue
        if name == "value":
            given[name] = _wrapped(argument, wrong)
        elif problem := _type_problem(name, argument):
            wrong.append(problem)
    return given  # type: ignore[return-value]  # the names are those of Fields


def _wrapped(value: object, wrong: list[Violation]) -> object:
    wrapper = secret_str()
    if isinstance(value, str):
        return wrapper(value)
    plain = value.get_secret_value() if isinstance(value, wrapper) else None
    if not isinstance(plain, str):
        wrong.append(_no_text("value", plain if isinstance(value, wrapper) else value, "a str or SecretStr"))
        return None
    return value


def _no_text(name: str, argument: object, wanted: str = "a str") -> Violation:
    if isinstance(argument, (bytes, bytearray, memoryview)):
        remedy = "decode it, for example with .decode('utf-8'); secretbridge keeps texts"
        return Violation(name, "is given as bytes, not as text", remedy)
    return Violation(name, f"is not a text but {type(argument).__name__}", f"give {wanted}")


def _type_problem(name: str, argument: object) -> Violation | None:
    if name in _BOOLEANS:
        return None if isinstance(argument, bool) else Violation(name, "is not True or False", "give a bool")
    if name == "expires_at":
        if not isinstance(argument, datetime):
            return Violation(name, "is not a datetime", "for example datetime.now(UTC) + timedelta(days=90)")
        if argument.utcoffset() is None:
            return Violation(
                name, "has no time zone", "say which is meant: no zone is guessed; UTC for example"
            )
        return None if _has_utc(argument) else Violation(name, "has no day in UTC", "choose a nearer one")
    if name == "extra":
        return None if isinstance(argument, Mapping) else Violation(name, "is not a mapping", "give a dict")
    return None if isinstance(argument, str) else _no_text(name, argument)


def _has_utc(moment: datetime) -> bool:
    """Say whether UTC has this moment too: the first and last day of the calendar may fall off its ends."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True


def update_violations(
    of: Capabilities, fields: Fields, *, allow_one_way: bool, if_version: object, creates: bool = False
) -> Iterable[Violation]:
    """Find everything that the provider cannot do with these fields.

    ``creates`` is True for create and put, where None means the default and is no clearing.
    """
    possible = of.create if creates else of.update
    for name, argument in fields.items():
        if name not in possible:
            if argument is None and creates:
                continue
            yield Lacking(name, f"{of.title} cannot keep it", of.why_not.get(name, "leave it out"))
        elif argument is None:
            if not creates and name not in of.clear:
                yield Lacking(name, f"cannot be cleared at {of.title}", _clear_remedy(of, name))
            elif creates and name == "value":
                yield Violation(name, "is missing", "a new secret needs a value")
        else:
            yield from _content(of, name, argument)
            if name in of.one_way and argument and not allow_one_way:
                yield Violation(name, of.one_way[name], "if that is wanted, say allow_one_way=True")
    if if_version is not None:
        if not of.compare_and_set:
            yield Lacking(
                "if_version", f"{of.title} cannot keep it", of.why_not.get("if_version", "leave it out")
            )
        elif isinstance(if_version, bool) or not isinstance(if_version, int) or if_version < 1:
            yield Violation("if_version", "is not a version number", "take it from Secret.version")


def _clear_remedy(of: Capabilities, name: str) -> str:
    if name == "value":
        return "delete_secret() takes the secret away; a value cannot be nothing"
    if name in _BOOLEANS:
        return "give True or False"
    if name == "new_name":
        return "a secret needs a name"
    return of.why_not.get("clear", "leave it out to keep it, or set another")


def _content(of: Capabilities, name: str, argument: object) -> Iterable[Violation]:
    reveal = getattr(argument, "get_secret_value", None) if name == "value" else None
    text = argument if reveal is None else reveal()
    if not isinstance(text, str):
        return ()
    if name == "new_name":
        return _name(text, of.name, "new_name")
    limit = of.limits.get(name, _ANY)
    longest = limit.max_length
    plain = text.isascii() and not limit.pattern
    if plain and limit.min_length <= len(text) and (longest is None or len(text) <= longest):
        return ()  # nearly every text: an update of the vault is too quick for more checks
    return (*_length(name, text, limit), *_surrogates(name, text))


def _length(name: str, text: str, limit: Limit, *, pattern: bool = True) -> Iterable[Violation]:
    size = len(text)
    if size < limit.min_length:
        yield Violation(
            name, f"has {size:,} characters, fewer than {limit.min_length:,}", "give a longer one"
        )
    if limit.max_length is not None and size > limit.max_length:
        yield Violation(name, f"has {size:,} characters, more than {limit.max_length:,}", "shorten it")
    if pattern and limit.pattern and size and not re.fullmatch(limit.pattern, text):
        yield Violation(name, "has characters that are not allowed", f"allowed are {limit.meaning}")


def _surrogates(name: str, text: str) -> Iterable[Violation]:
    if not text.isascii() and _SURROGATE.search(text):
        yield Violation(
            name, "holds half of a surrogate pair", "it is no character; fix where it was decoded"
        )


def _name(text: str, limit: Limit, field: str) -> Iterable[Violation]:
    if not text.strip():
        yield Violation(field, "is empty", "give the secret's name")
        return
    wrong = [*_surrogates(field, text)]
    if text in {".", ".."} or _NOT_IN_NAMES.search(text):
        remedy = "an existing secret of such a name is reached by id=; a new one needs another"
        wrong.append(Violation(field, "holds a slash or a control character, or is only dots", remedy))
    yield from wrong
    yield from _length(field, text, limit, pattern=not wrong)  # one character is wrong but once


def target_violations(
    of: Capabilities, operation: Operation, name: object, id_: object
) -> Iterable[Violation]:
    """Find what is wrong with how a secret is named."""
    if id_ is None and isinstance(name, str) and name.isidentifier() and name.isascii():
        # Nearly every name is plain like this: looking one up in the vault is too quick for more checks.
        longest = of.name.max_length
        limited = of.name.pattern and (operation in {"create", "put"} or not of.finds_any_name)
        if not limited and (longest is None or len(name) <= longest):
            return ()
    return _target_violations(of, operation, name, id_)


def _target_violations(
    of: Capabilities, operation: Operation, name: object, id_: object
) -> Iterable[Violation]:
    if (name is None) == (id_ is None):
        given = "name and id are both given" if name is not None else "neither name nor id is given"
        yield Violation("name", given, "name the secret by one of the two")
        return
    if name is not None:
        if not isinstance(name, str):
            yield _no_text("name", name)
            return
        limited = operation in {"create", "put"} or not of.finds_any_name
        yield from _name(name, of.name if limited else Limit(max_length=of.name.max_length), "name")
        return
    if "list" not in of.operations and of.addressed_by.get(operation) == "name":
        yield Lacking("id", f"{of.title} tells no ids", of.why_not.get("id", "name the secret by its name"))
    elif problem := _id_problem(of, id_):
        yield Violation("id", problem, "give the id as list_secrets() shows it")


def _id_problem(of: Capabilities, id_: object) -> str:
    if not isinstance(id_, str) or not id_.strip():
        return "is empty or not a text"
    if of.id_is_uuid and not _is_uuid(id_):
        return "is not a UUID"
    if _NOT_IN_NAMES.search(id_) or _SURROGATE.search(id_) or id_ in {".", ".."}:
        return "holds a slash, a control character or half of a surrogate pair, or is only dots"
    return ""


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def refuse(of: Capabilities, operation: Operation, found: Iterable[Violation]) -> None:
    """Raise one error for all violations, if there are any.

    Raises:
        UnsupportedField: every violation is about something that the provider lacks.
        InvalidRequest: anything else is wrong.
    """
    wrong = tuple(found)
    if not wrong:
        return
    kind = UnsupportedField if all(isinstance(one, Lacking) for one in wrong) else InvalidRequest
    raise kind(
        f"Refused before anything was sent: {of.title} cannot {operation} this secret so",
        violations=[Violation(*one) for one in wrong],
    )
