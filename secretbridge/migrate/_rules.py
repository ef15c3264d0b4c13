"""The rules of a migration as data: which secrets, under which names, and what to do where one is there."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import translate
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from secretbridge.errors import InvalidRequest, Violation
from secretbridge.migrate._types import CONSENTS, OnConflict

__all__ = ["Case", "Rename", "Rules", "RulesGiven", "Transform", "name_of", "pattern_of"]

Case = Literal["upper", "lower", "snake", "upper_snake"]
#: A template such as ``"OLD_{name}"``, a mapping of names, or the path of a TOML file that holds one.
Rename: TypeAlias = "str | Mapping[str, str] | os.PathLike[str]"
#: Makes a value of a value; as a callable with a name, or as ``"module:function"``.
Transform: TypeAlias = "str | Callable[[str], str]"
#: Rules together: as they are, as a mapping of their names, or as the path of a TOML file with one.
RulesGiven: TypeAlias = "Rules | Mapping[str, object] | str | os.PathLike[str] | None"

_REGEX: Final = "re:"
_NAME: Final = "{name}"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def _none() -> Mapping[str, Any]:
    return _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which secrets are taken, under which names, and what is done where one is there already.

    A pattern is a glob (``*``, ``?``, ``[…]``; upper and lower case differ) that the whole name has to match,
    or ``"re:"`` and a regular expression that is searched in it: ``"re:^STRIPE_|_KEY$"``.

    Attributes:
        select: patterns; a name is taken if one of them matches. Empty takes every name.
        exclude: patterns; a name that one of them matches is left out.
        rename: a template with ``{name}`` in it once, a mapping of source names to target names, or the path
            of a TOML file with such a mapping. A name in a mapping becomes exactly what stands there; every
            other name goes through ``case`` and ``prefix``.
        case: upper, lower, snake (``stripeKey`` → ``stripe_key``) or upper_snake.
        prefix: what is put before every name, after ``case``.
        transform: makes the value that is written of the one that was read: a callable with a name, its place
            as ``"module:function"``, or a mapping of patterns to such; the first that matches counts.
        on_conflict: what to do where the target has a secret of the name with another value: skip, update
            or refuse.
        accept: what may be lost or done for good; words of ``migrate.CONSENTS``.
        environments: environment → template. Where the source has environments, the template of the one it is
            opened in is put round every name last. Where only the target has, it is taken off: names
            that do not have its shape are left out.

    Raises:
        InvalidRequest: something is wrong with the rules; all of it is named.
    """

    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    rename: Rename = ""
    case: Case | None = None
    prefix: str = ""
    transform: Transform | Mapping[str, Transform] = field(default_factory=_none)
    on_conflict: OnConflict = "refuse"
    accept: Sequence[str] = ()
    environments: Mapping[str, str] = field(default_factory=_none)

    def __post_init__(self) -> None:
        wrong: list[Violation] = []
        checks: Mapping[str, Callable[[Any, list[Violation]], object]] = {
            "select": _patterns("select"),
            "exclude": _patterns("exclude"),
            "rename": _rename,
            "case": _one_of("case", (*get_args(Case), None)),
            "prefix": _prefix,
            "transform": _transforms,
            "on_conflict": _one_of("on_conflict", get_args(OnConflict)),
            "accept": _accept,
            "environments": _environments,
        }
        for name, check in checks.items():
            object.__setattr__(self, name, check(getattr(self, name), wrong))
        if wrong:
            raise InvalidRequest("Refused before anything was read", violations=wrong)

    @classmethod
    def of(cls, given: RulesGiven, **more: object) -> Rules:
        """Take rules as a caller may give them, and what he gives beside them; that counts for more.

        Args:
            given: rules, a mapping of their names, or the path of a TOML file with such a mapping.
            more: single rules; None leaves what ``given`` says.

        Raises:
            InvalidRequest: something is wrong with them; all of it is named.
        """
        wrong: list[Violation] = []
        whole: dict[str, Any] = {
            **_whole(given, wrong),
            **{name: rule for name, rule in more.items() if rule is not None},
        }
        known = [field.name for field in fields(cls)]
        for name in [name for name in whole if name not in known]:
            del whole[name]
            wrong.append(Violation(str(name), "is no rule", _nearest(name, known)))
        try:
            rules: Rules | None = cls(**whole)
        except InvalidRequest as error:
            rules = None
            wrong += error.violations
        if rules is None or wrong:
            raise InvalidRequest("Refused before anything was read", violations=wrong)
        return rules

    def document(self) -> dict[str, object]:
        """Give the rules for JSON; of a transform, its name."""
        return {
            "select": list(self.select),
            "exclude": list(self.exclude),
            "rename": self.rename if isinstance(self.rename, str) else dict(self.table),
            "case": self.case,
            "prefix": self.prefix,
            "transform": {pattern: name_of(function) for pattern, function in self.transforms.items()},
            "on_conflict": self.on_conflict,
            "accept": list(self.accept),
            "environments": dict(self.environments),
        }

    @property
    def table(self) -> Mapping[str, str]:
        """The names that are renamed one by one."""
        return self.rename if isinstance(self.rename, Mapping) else _NONE

    @property
    def transforms(self) -> Mapping[str, Callable[[str], str]]:
        """Pattern → what makes the value."""
        return self.transform  # type: ignore[return-value]  # as __post_init__ left it


def _whole(given: object, wrong: list[Violation]) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Rules):
        return {field.name: getattr(given, field.name) for field in fields(given)}
    if isinstance(given, Mapping):
        # Cast, as below: isinstance leaves unknown what it holds.
        return dict(cast("Mapping[str, Any]", given))
    return _toml("rules", given, wrong)


def _toml(argument: str, path: object, wrong: list[Violation]) -> dict[str, Any]:
    if not isinstance(path, (str, os.PathLike)):
        wrong.append(Violation(argument, "is neither a mapping nor a path", "give the path of a TOML file"))
        return {}
    try:
        file = Path(cast("str | os.PathLike[str]", path))
        return tomllib.loads(file.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        wrong.append(Violation(argument, f"cannot be read: {error.strerror}", "give the path of a TOML file"))
    except ValueError as error:  # TOMLDecodeError, or no UTF-8
        place = re.search(r"line \d+", str(error))
        problem = f"is not TOML{f' in {place[0]}' if place else ''}"
        wrong.append(Violation(argument, problem, 'write it as NAME = "NEW_NAME"'))
    return {}


def _nearest(word: object, known: Sequence[str]) -> str:
    near = get_close_matches(str(word), known, n=1, cutoff=0.4)
    listed = f"known are {', '.join(known)}"
    return f"{near[0]} is meant? {listed}" if near else listed


def pattern_of(pattern: str) -> Callable[[str], object]:
    """Give what says whether a name matches a pattern.

    Raises:
        re.error: it is no regular expression.
    """
    if pattern.startswith(_REGEX):
        return re.compile(pattern.removeprefix(_REGEX)).search
    return re.compile(translate(pattern)).match


def _pattern_problem(pattern: object) -> str:
    if not isinstance(pattern, str) or not pattern.removeprefix(_REGEX):
        return "is empty or not a text"
    try:
        pattern_of(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error.msg}"
    return ""


def _patterns(rule: str) -> Callable[[Any, list[Violation]], tuple[str, ...]]:
    def check(given: object, wrong: list[Violation]) -> tuple[str, ...]:
        listed = (given,) if isinstance(given, str) else given
        if not isinstance(listed, Sequence):
            wrong.append(Violation(rule, "is neither a pattern nor a list of them", 'for example "STRIPE_*"'))
            return ()
        patterns = cast("Sequence[str]", listed)  # what is no text is told of below
        wrong += [
            Violation(rule, problem, 'give a glob such as "STRIPE_*", or "re:" and a regular expression')
            for pattern in patterns
            if (problem := _pattern_problem(pattern))
        ]
        return tuple(patterns)

    return check


def _one_of(rule: str, known: tuple[str | None, ...]) -> Callable[[Any, list[Violation]], object]:
    def check(given: object, wrong: list[Violation]) -> object:
        if given not in known:
            wrong.append(Violation(rule, f"{given!r} is not known", _nearest(given, [k for k in known if k])))
        return given

    return check


def _prefix(given: object, wrong: list[Violation]) -> object:
    if not isinstance(given, str):
        wrong.append(Violation("prefix", "is not a text", "for example APP_"))
    return given


def _accept(given: object, wrong: list[Violation]) -> tuple[str, ...]:
    listed = (given,) if isinstance(given, str) else given
    if not isinstance(listed, (Sequence, set, frozenset)):
        wrong.append(Violation("accept", "is not a list of words", 'for example ["description"]'))
        return ()
    words = cast("Collection[object]", listed)
    wrong += [
        Violation("accept", f"{word!r} is nothing to consent to", _nearest(word, list(CONSENTS)))
        for word in words
        if not isinstance(word, str) or word not in CONSENTS
    ]
    return tuple(sorted({word for word in words if isinstance(word, str)}))


def _template_problem(template: object) -> str:
    if not isinstance(template, str):
        return "is not a text"
    return "" if template.count(_NAME) == 1 else f"{template!r} does not hold {_NAME} once"


def _rename(given: object, wrong: list[Violation]) -> object:
    if isinstance(given, str) and (_NAME in given or not given.endswith(".toml")):
        if given and (problem := _template_problem(given)):
            wrong.append(Violation("rename", problem, f'for example "OLD_{_NAME}"'))
        return given
    if isinstance(given, Mapping):
        return _table(cast("Mapping[Any, object]", given), wrong)
    if isinstance(given, (str, os.PathLike)):
        return _table(_toml("rename", cast("str | os.PathLike[str]", given), wrong), wrong)
    wrong.append(Violation("rename", "is neither a template nor a mapping", f'for example "OLD_{_NAME}"'))
    return ""


def _table(given: Mapping[Any, Any], wrong: list[Violation]) -> Mapping[str, str]:
    sources: dict[str, list[str]] = {}
    for old, new in given.items():
        if not isinstance(old, str) or not isinstance(new, str) or not new:
            wrong.append(Violation("rename", f"maps {old!r} to no name", "give texts"))
        else:
            sources.setdefault(new, []).append(old)
    wrong += [
        Violation("rename", f"maps {' and '.join(map(repr, olds))} to one name, {new!r}", "give each its own")
        for new, olds in sources.items()
        if len(olds) > 1
    ]
    return MappingProxyType(dict(given))


def name_of(function: Callable[[str], str]) -> str:
    """Give the place of a transform, as ``module:function``."""
    return f"{function.__module__}:{function.__qualname__}"


def _transforms(given: object, wrong: list[Violation]) -> Mapping[str, Callable[[str], str]]:
    listed = cast("Mapping[Any, object]", given) if isinstance(given, Mapping) else {"*": given}
    found: dict[str, Callable[[str], str]] = {}
    for pattern, transform in listed.items():
        if problem := _pattern_problem(pattern):
            wrong.append(Violation("transform", problem))
        function = _imported(transform, wrong) if isinstance(transform, str) else transform
        if function is None:
            continue
        name = getattr(function, "__qualname__", "<lambda>")
        if not callable(function) or not getattr(function, "__module__", "") or "<lambda>" in name:
            remedy = 'give a function that was defined with a name, or its place as "module:function"'
            wrong.append(Violation("transform", "is no callable with a name", remedy))
            continue
        found[pattern] = cast("Callable[[str], str]", function)
    return MappingProxyType(found)


def _imported(place: str, wrong: list[Violation]) -> Callable[[str], str] | None:
    module, _, name = place.partition(":")
    problem = "" if module and name else "is no place of a function"
    found: Any = None
    if not problem:
        try:
            found = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except Exception as error:  # noqa: BLE001 - a foreign module may fail in any way
            problem = f"cannot be loaded: {type(error).__name__}"
    if problem:
        wrong.append(Violation("transform", f"{place!r} {problem}", 'write it as "module:function"'))
        return None
    return found  # type: ignore[no-any-return]  # _transforms looks whether it is callable


def _environments(given: object, wrong: list[Violation]) -> Mapping[str, str]:
    if not isinstance(given, Mapping):
        remedy = f'for example {{"production": "PROD_{_NAME}"}}'
        wrong.append(Violation("environments", "is not a mapping of environments to templates", remedy))
        return _NONE
    templates = cast("Mapping[str, Any]", given)
    for environment, template in templates.items():
        if problem := _template_problem(template):
            wrong.append(Violation(f"environments.{environment}", problem, f'for example "PROD_{_NAME}"'))
    return MappingProxyType(dict(templates))
