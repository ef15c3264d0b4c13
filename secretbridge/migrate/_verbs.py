"""The verbs that plan, blocking and on an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretbridge._runtime import finish
from secretbridge.migrate._planning import make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import SecretStr

    from secretbridge._async import AsyncSecretBridge
    from secretbridge._provider import Provider
    from secretbridge._sync import SecretBridge
    from secretbridge.migrate._plan import Plan
    from secretbridge.migrate._rules import Case, Rename, RulesGiven, Transform
    from secretbridge.migrate._types import OnConflict, Progress

__all__ = ["plan", "plan_async"]


def plan(
    source: SecretBridge | Provider,
    target: SecretBridge | Provider,
    *,
    rules: RulesGiven = None,
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    rename: Rename | None = None,
    case: Case | None = None,
    prefix: str | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    on_conflict: OnConflict | None = None,
    accept: str | Sequence[str] | None = None,
    environments: Mapping[str, str] | None = None,
    values_from: SecretBridge | Provider | Mapping[str, SecretStr] | Callable[[str], SecretStr] | None = None,
    vault: SecretBridge | Provider | None = None,
    progress: Progress | bool | None = None,
) -> Plan:
    """Say what a migration would do, lose and cost; writes nothing, and keeps no value.

    Args:
        source: where secrets come from: a bridge, which stays open, or a provider, opened for the time.
        target: where they are to be written; likewise.
        rules: the rules together: ``Rules``, a mapping, or the path of a TOML file. What is given beside them
            counts for more.
        select: a pattern or several: a glob, or ``"re:"`` and a regular expression. Without it, every secret.
        exclude: likewise, for what is left out.
        rename: a template such as ``"OLD_{name}"``, a mapping of names, or the path of a TOML file with one.
        case: upper, lower, snake or upper_snake.
        prefix: what is put before every name.
        transform: makes the value that is written of the one that is read: a function with a name, its
            place as ``"module:function"``, or a mapping of patterns to such.
        on_conflict: what to do where the target has a secret of the name with another value: ``"refuse"``
            (what counts without it), ``"skip"`` or ``"update"``.
        accept: what may be lost or done for good, by the words of ``migrate.CONSENTS``.
        environments: environment -> template of names; see ``Rules``.
        values_from: where the values are, if the source never tells them: a bridge or a provider, a
            mapping of SecretStr, or a callable that is asked for each name when the plan is applied.
        vault: where a run keeps the values that it replaces, for an undo: a bridge or a provider, normally
            ``Local``.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.

    Raises:
        InvalidRequest: something is wrong with the rules or the ends; all of it is named.
        SecretBridgeError: one of the ends cannot be read.
    """
    return finish(
        make(
            source,
            target,
            rules,
            {
                "select": select,
                "exclude": exclude,
                "rename": rename,
                "case": case,
                "prefix": prefix,
                "transform": transform,
                "on_conflict": on_conflict,
                "accept": accept,
                "environments": environments,
            },
            values_from,
            vault,
            waits=False,
            progress=progress,
        )
    )


async def plan_async(
    source: AsyncSecretBridge | Provider,
    target: AsyncSecretBridge | Provider,
    *,
    rules: RulesGiven = None,
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    rename: Rename | None = None,
    case: Case | None = None,
    prefix: str | None = None,
    transform: Transform | Mapping[str, Transform] | None = None,
    on_conflict: OnConflict | None = None,
    accept: str | Sequence[str] | None = None,
    environments: Mapping[str, str] | None = None,
    values_from: AsyncSecretBridge
    | Provider
    | Mapping[str, SecretStr]
    | Callable[[str], SecretStr]
    | None = None,
    vault: AsyncSecretBridge | Provider | None = None,
    progress: Progress | bool | None = None,
) -> Plan:
    """Say what a migration would do, lose and cost; writes nothing, and keeps no value.

    Args:
        source: where secrets come from: a bridge, which stays open, or a provider, opened for the time.
        target: where they are to be written; likewise.
        rules: the rules together: ``Rules``, a mapping, or the path of a TOML file. What is given beside them
            counts for more.
        select: a pattern or several: a glob, or ``"re:"`` and a regular expression. Without it, every secret.
        exclude: likewise, for what is left out.
        rename: a template such as ``"OLD_{name}"``, a mapping of names, or the path of a TOML file with one.
        case: upper, lower, snake or upper_snake.
        prefix: what is put before every name.
        transform: makes the value that is written of the one that is read: a function with a name, its
            place as ``"module:function"``, or a mapping of patterns to such.
        on_conflict: what to do where the target has a secret of the name with another value: ``"refuse"``
            (what counts without it), ``"skip"`` or ``"update"``.
        accept: what may be lost or done for good, by the words of ``migrate.CONSENTS``.
        environments: environment -> template of names; see ``Rules``.
        values_from: where the values are, if the source never tells them: a bridge or a provider, a
            mapping of SecretStr, or a callable that is asked for each name when the plan is applied.
        vault: where a run keeps the values that it replaces, for an undo: a bridge or a provider, normally
            ``Local``.
        progress: called with an ``Event`` at each step; True shows how far it is on standard error.

    Raises:
        InvalidRequest: something is wrong with the rules or the ends; all of it is named.
        SecretBridgeError: one of the ends cannot be read.
    """
    return await make(
        source,
        target,
        rules,
        {
            "select": select,
            "exclude": exclude,
            "rename": rename,
            "case": case,
            "prefix": prefix,
            "transform": transform,
            "on_conflict": on_conflict,
            "accept": accept,
            "environments": environments,
        },
        values_from,
        vault,
        waits=True,
        progress=progress,
    )
