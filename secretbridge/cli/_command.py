"""What all commands share: common options, and errors of usage that repeat nothing of what was written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import click

from secretbridge.cli._session import Code, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click.shell_completion import CompletionItem

__all__ = ["Entry", "Family", "StoreCommand", "adding", "command"]

F = TypeVar("F", bound="Callable[..., Any]")


def _common(*, json: bool) -> list[click.Parameter]:
    """Give the options that every command has."""

    def files(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(text, type="file")]

    options: list[click.Parameter] = [
        click.Option(
            ["--config"],
            metavar="FILE",
            help="The file of connections to use in place of all others.",
            callback=_remember,
            is_eager=True,
            shell_complete=files,
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            help="Say nothing but what was asked for.",
            callback=_remember,
            is_eager=True,
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            help="With an error, tell its class, its codes and the request's id.",
            callback=_remember,
            is_eager=True,
        ),
    ]
    if json:
        told = "Print JSON, as docs/cli.schema.json describes it."
        options.insert(
            0, click.Option(["--json"], is_flag=True, help=told, callback=_remember, is_eager=True)
        )
    return options


_COMMON = frozenset({"config", "json", "quiet", "verbose"})


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ANN401 - as click hands it
    if not ctx.resilient_parsing:
        setattr(ctx.ensure_object(Session), str(param.name), value)
    return value


class StoreCommand(click.Command):
    """A command with the common options; its function gets the session first."""

    def __init__(self, name: str, *, json: bool = True, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(name, **attributes)
        self.params += _common(json=json)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; what is too many is not repeated: it could be a value."""
        given, ctx.allow_extra_args = ctx.allow_extra_args, True
        super().parse_args(ctx, args)
        ctx.allow_extra_args = given
        if ctx.args and not given and not ctx.resilient_parsing:
            ctx.fail(
                f"{ctx.command_path} takes fewer arguments; a value never stands among them."
                " (Others on this machine can read a process's arguments, and shells keep them.)"
            )
        return ctx.args

    def invoke(self, ctx: click.Context) -> object:
        """Call the command."""
        for name in _COMMON & ctx.params.keys():
            del ctx.params[name]
        return ctx.invoke(self.callback, ctx.ensure_object(Session), **ctx.params)  # type: ignore[arg-type]  # ours have a function


def command(
    name: str,
    *,
    json: bool = True,
    **attributes: Any,  # noqa: ANN401 - click's own
) -> Callable[[Callable[..., object]], StoreCommand]:
    """Make a command of a function; its docstring is the help."""

    def made(function: Callable[..., object]) -> StoreCommand:
        params = list(reversed(getattr(function, "__click_params__", [])))
        help_ = (function.__doc__ or "").strip()
        return StoreCommand(name, json=json, callback=function, params=params, help=help_, **attributes)

    return made


class Entry(NamedTuple):
    """A line of the table of commands.

    Attributes:
        module: the module below ``secretbridge.cli`` that has it.
        attribute: what it is called there.
        short: what it does, in a line; the first sentence of its help.
    """

    module: str
    attribute: str
    short: str


class Family(click.Group):
    """A group that loads a command when it is called, and lists all of them without loading one."""

    def __init__(self, name: str, *, table: Mapping[str, Entry | Family], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(name, **attributes)
        self.table = table

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; without any, show the help and end as a wrong command line does."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(Code.USAGE)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Give the names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Load one."""
        entry = self.table.get(cmd_name)
        if entry is None or isinstance(entry, Family):
            return entry
        found: click.Command = getattr(import_module(f"secretbridge.cli.{entry.module}"), entry.attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown word is not repeated."""
        if args and args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            self._unknown(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, word: str) -> NoReturn:
        from difflib import get_close_matches

        close = get_close_matches(word, self.table, n=1)
        ctx.fail(
            f"{ctx.command_path} has no such command" + (f"; did you mean {close[0]}?" if close else ".")
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands with their lines."""
        rows = [
            (name, entry.short if isinstance(entry, Entry) else str(entry.short_help))
            for name, entry in self.table.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Offer the commands, without loading them, and the group's own options."""
        from click.shell_completion import CompletionItem

        items = [
            CompletionItem(name, help=entry.short if isinstance(entry, Entry) else entry.short_help)
            for name, entry in self.table.items()
            if name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def adding(options: list[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Add several options to a command, in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add
