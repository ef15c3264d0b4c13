"""What ``plan``, ``migrate``, ``resume`` and ``undo`` share: rules, stores, and what is shown of them."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from secretbridge.cli._command import adding
from secretbridge.cli._kinds import ConnectionName, OneOf
from secretbridge.cli._session import Doing, Session
from secretbridge.cli._stores import opened
from secretbridge.cli._telling import progress
from secretbridge.migrate import CONSENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from click.shell_completion import CompletionItem

    from secretbridge import SecretBridge
    from secretbridge.migrate import Plan

__all__ = [
    "Stores",
    "journal_option",
    "planned",
    "rule_options",
    "rules_of",
    "store_of_undo",
    "stores",
    "vault_option",
]

F = TypeVar("F", bound="Callable[..., Any]")

_RULES: Final = ("select", "exclude", "rename", "prefix", "case", "on_conflict", "accept", "rules")


def rule_options() -> Callable[[F], F]:
    """Add the options that say which secrets go, under which names, and what may be lost."""
    options = [
        click.option(
            "--select", multiple=True, metavar="PATTERN",
            help="Take these names: a glob, or re: and a regular expression. Without it, all.",
        ),
        click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave these out."),
        click.option(
            "--rename", multiple=True, metavar="OLD=NEW|TEMPLATE",
            help="Call one secret otherwise, or all of them: 'OLD_{name}'.",
        ),
        click.option("--prefix", metavar="TEXT", help="What is put before every name."),
        click.option(
            "--case", type=OneOf("upper", "lower", "snake", "upper_snake"), help="How names are written.",
        ),
        click.option(
            "--on-conflict", type=OneOf("refuse", "skip", "update"),
            help="What to do where the target has another value; refuse without it.",
        ),
        click.option(
            "--accept", type=OneOf(*CONSENTS), multiple=True, metavar="KIND",
            help=f"Consent to a loss: {', '.join(CONSENTS)}.",
        ),
        click.option("--rules", metavar="FILE.toml", help="The rules in a file; options count for more."),
        click.option(
            "--values-from", type=ConnectionName(), metavar="CONNECTION",
            help="Where the values are, if the source never tells them.",
        ),
    ]  # fmt: skip
    return adding(options)


def vault_option() -> Callable[[F], F]:
    """Add the option that says where replaced values are kept for an undo."""
    return click.option(
        "--vault",
        type=ConnectionName(),
        metavar="CONNECTION",
        help="The vault that keeps replaced values for undo; the embedded one without it.",
    )


def journal_option(*, there: bool = True) -> Callable[[F], F]:
    """Add the option that says where the journals of runs are; without ``there``, where they are to be."""

    def folders(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(text, type="dir")]

    return click.option(
        "--journal",
        metavar="FOLDER",
        shell_complete=folders,
        callback=_there if there else None,
        help="The folder of the journals; in the user's state folder without it.",
    )


def _there(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    """Give the folder, if there is one: a folder that was mistyped is not to be made.

    Raises:
        BadParameter: there is none; what was written is not repeated.
    """
    if given is not None and not ctx.resilient_parsing and not os.path.isdir(os.path.expanduser(given)):  # noqa: PTH111, PTH112 - pathlib would load for this alone
        raise click.BadParameter("names no folder, so nothing was begun with a journal there", ctx, param)
    return given


def rules_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the rules out of the options, as the library takes them; what was not given is left out.

    Raises:
        UsageError: --rename is given as a template and as pairs, or is neither.
    """
    rules = {name: given for name in _RULES if (given := options.pop(name)) not in {None, ()}}
    renamed = rules.pop("rename", ())
    if len(renamed) == 1 and "{name}" in renamed[0] and "=" not in renamed[0]:
        return {**rules, "rename": renamed[0]}
    names: dict[str, str] = {}
    for one in renamed:
        old, _, new = one.rpartition("=")  # the last = counts: a name may hold one
        if not old or not new or old in names:
            raise click.UsageError("--rename takes OLD=NEW, each old name once, or one template with {name}.")
        names[old] = new
    return {**rules, "rename": names} if names else rules


def planned(session: Session, ends: Stores, rules: dict[str, Any]) -> Plan:
    """Make a plan."""
    from secretbridge import migrate

    session.doing = Doing("plan the migration")
    given = dict(rules)
    whole = migrate.Rules.of(given.pop("rules", None), **given)
    made = migrate.plan(
        ends.source,
        ends.target,
        rules=whole,
        values_from=ends.values,
        vault=ends.vault,
        progress=progress(session),
    )
    session.doing = None
    return made


def store_of_undo(
    session: Session, chosen: str | None, ends: tuple[str, ...], *, no_undo: bool
) -> str | None:
    """Give the connection that keeps replaced values, or None.

    The embedded vault keeps none of a migration from or to itself: its own secrets would be among them.

    Raises:
        UsageError: both options are given, or the vault is one of the ends.
    """
    if chosen is not None and no_undo:
        raise click.UsageError("--vault and --no-undo are given together; give one of them.")
    if no_undo:
        return None
    name = chosen or "vault"
    place = _place(session, name)
    itself = name in ends or (place is not None and place in [_place(session, end) for end in ends])
    if itself and chosen is not None:
        raise click.UsageError(
            "--vault names one of the stores; name another vault, or another environment of this one."
        )
    return None if itself else name


def _place(session: Session, name: str) -> tuple[object, object] | None:
    """Give the file and the environment of a vault; None for another store."""
    from secretbridge import connect_vault, connections

    session.doing = Doing("read the connections")
    meant = next((one for one in connections(config=session.config) if one.name == name), None)
    if meant is None or meant.provider != "local":
        return None
    place = connect_vault(name, config=session.config).location()
    session.doing = None
    return place, meant.options.get("environment", "development")


class Stores(NamedTuple):
    """The stores of a migration, opened."""

    source: SecretBridge
    target: SecretBridge
    values: SecretBridge | None
    vault: SecretBridge | None


@contextmanager
def stores(
    session: Session, source: str, target: str, *, values: str | None, vault: str | None
) -> Generator[Stores]:
    """Open them; they are closed at the end."""
    with ExitStack() as stack:
        yield Stores(*(
            None if name is None else stack.enter_context(opened(session, name))
            for name in (source, target, values, vault)
        ))  # type: ignore[arg-type]  # the first two are named  # fmt: skip
