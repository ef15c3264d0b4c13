"""Makes the provider of a connection that was checked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from secretbridge._config._access import expanded
from secretbridge._config._ask import asker, missing_library
from secretbridge._config._check import Finding, nearest, validated
from secretbridge._config._plain import OF_BRIDGES, OURS, PATHS, Plain
from secretbridge._config._references import Reference
from secretbridge._models import Retry, Timeout
from secretbridge.errors import InvalidRequest, Violation
from secretbridge.providers import provider_class

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from secretbridge._config._file import File
    from secretbridge._config._tables import ConnectionTable
    from secretbridge._provider import Provider

__all__ = ["placed", "provider_of"]


def provider_of(file: File, name: str) -> tuple[Provider, dict[str, Any]]:
    """Give the provider of a connection, and the bridge's options.

    Raises:
        InvalidRequest: the provider is not known or refuses an option; every violation names the line.
    """
    where = ("connections", name)
    model = validated(file.connections[name])
    fields, extra = _given(model)
    written: dict[str, tuple[tuple[str, ...], object]] = {
        key: ((*where, key), value)
        for key, value in {**fields, **extra}.items()
        if key not in {"provider", "credentials", *OF_BRIDGES}
    }
    apart: Mapping[str, Reference] = getattr(model, "credentials", {})
    written |= {key: ((*where, "credentials", key), value) for key, value in apart.items()}
    make = _class(file, model, where, written)
    options: dict[str, Any] = {}
    findings: list[Finding] = []
    for key, (path, value) in written.items():
        options[key] = value
        if isinstance(value, Reference):
            problem, remedy = missing_library(value)
            if problem:
                findings.append(Finding(path, f"the reference {problem}", remedy))
            options[key] = asker(value, file.path.parent, file.place(*path))
        elif key in PATHS.get(model.provider, ()):
            options[key] = placed(file, str(value))
    _raise(file, findings)
    return _made(file, where, make, options), _settings(fields)


def _given(model: ConnectionTable | Plain) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Give the options that are set, and those that only the adapter knows."""
    if isinstance(model, Plain):
        return {"provider": model.provider, **model.given}, {}
    fields = {key: getattr(model, key) for key in type(model).model_fields if key in model.model_fields_set}
    return fields, model.model_extra or {}


def placed(file: File, written: str) -> Path | str:
    """Give a path as it counts from the file's folder; what is no path stays as it is."""
    return written if "://" in written else file.path.parent / expanded(written)


def _class(
    file: File,
    model: ConnectionTable | Plain,
    where: tuple[str, ...],
    written: Mapping[str, tuple[tuple[str, ...], object]],
) -> Callable[..., Provider]:
    """Give the adapter, if it is installed and takes these options."""
    if model.provider in OURS:
        return provider_class(model.provider)
    path = (*where, "provider")
    try:
        make = provider_class(model.provider)
    except InvalidRequest as refused:
        located = _located(file, path, refused)
    else:
        _raise(file, _misfits(make, where, written))
        return make
    raise located


def _misfits(
    make: Callable[..., Provider],
    where: tuple[str, ...],
    written: Mapping[str, tuple[tuple[str, ...], object]],
) -> list[Finding]:
    """Compare the options with the signature of an adapter from elsewhere."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):  # it does not tell
        return []
    named = {one.name: one for one in parameters if one.kind in {one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD}}
    findings = [
        Finding((*where, key), f"{key} is missing", "add it, or under credentials if it is one")
        for key, parameter in named.items()
        if parameter.default is parameter.empty and key not in written
    ]
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        findings += [
            Finding(path, "unknown key", _nearest_option(key, named))
            for key, (path, _) in written.items()
            if key not in named
        ]
    return findings


def _nearest_option(written: str, named: Collection[str]) -> str:
    return nearest(written, named) if named else "this provider has no options"


def _made(
    file: File, where: tuple[str, ...], make: Callable[..., Provider], options: Mapping[str, Any]
) -> Provider:
    failure: InvalidRequest
    try:
        return make(**options)
    except InvalidRequest as refused:
        failure = _located(file, where, refused)
    except Exception as error:  # noqa: BLE001 - an adapter from elsewhere may fail in any way
        problem = f"the provider could not be made: {type(error).__name__}"
        failure = InvalidRequest(violations=[file.violation(Finding(where, problem))])
    raise failure


def _located(file: File, where: tuple[str, ...], refused: InvalidRequest) -> InvalidRequest:
    """Add the lines to what an adapter says."""
    return InvalidRequest(
        violations=[
            Violation(file.place(*where, one.field), f"{one.field} {one.problem}".lstrip(), one.remedy)
            for one in refused.violations
        ]
    )


def _settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Write the bridge's options as it takes them."""
    settings = {key: fields[key] for key in ("timeout", "pace") if fields.get(key) is not None}
    if "timeout" in settings and not isinstance(settings["timeout"], float):
        settings["timeout"] = Timeout(**settings["timeout"].model_dump())
    if settings.get("pace") == "off":
        settings["pace"] = None
    if fields.get("retry") is not None:
        settings["retry"] = Retry(**fields["retry"].model_dump())
    return settings


def _raise(file: File, findings: list[Finding]) -> None:
    if findings:
        raise InvalidRequest(violations=[file.violation(finding) for finding in findings])
