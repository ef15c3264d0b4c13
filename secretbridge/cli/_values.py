"""Where a value comes from: a hidden prompt, standard input, a file, another store, or the secrets module.

Never from the argument list: ``--value`` exists to say so, and does not repeat what it was given.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from secretbridge.cli._command import adding
from secretbridge.cli._kinds import OneOf, Place, Whole
from secretbridge.cli._output import warn
from secretbridge.cli._session import Code, Doing, Session, Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pydantic import SecretStr

    from secretbridge.cli._kinds import Address

__all__ = ["Source", "source_of", "value_of", "value_options"]

F = TypeVar("F", bound="Callable[..., Any]")

#: Bytes; the vault takes 16 Mi characters, and no store more.
_MOST: Final = 67_108_864
_LENGTH: Final = 32
_ALPHABETS: Final = {
    "alphanumeric": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "digits": "0123456789",
    "hex": "0123456789abcdef",
    "url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "printable": "".join(map(chr, range(33, 127))),
}


class Source(NamedTuple):
    """Where the value comes from, as the options say; each is None or False where it was not given."""

    ask: bool
    stdin: bool
    file: str | None
    store: Address | None
    generate: int | None
    alphabet: str | None
    strip_newline: bool
    allow_empty: bool

    def given(self) -> list[str]:
        """Give the sources that were chosen."""
        named = {
            "--ask": self.ask,
            "--stdin": self.stdin,
            "--file": self.file is not None,
            "--from": self.store is not None,
            "--generate": self.generate is not None,
        }
        return [name for name, given in named.items() if given]


def _refuse_value(ctx: click.Context, param: click.Parameter, value: object) -> None:  # noqa: ARG001 - click's
    if value is not None and not ctx.resilient_parsing:
        raise click.UsageError(
            "A value is not taken from the command line: others on this machine can read a process's"
            " arguments, and shells keep them in their history. If it was a real one, change it."
            " Give it by a hidden prompt (--ask), --stdin, --file, --from or --generate.",
            ctx,
        )


def value_options() -> Callable[[F], F]:
    """Add the options for the value."""
    options = [
        click.option("--ask", is_flag=True, help="Ask for the value twice, without showing it."),
        click.option("--stdin", is_flag=True, help="Read the value from standard input, to its end."),
        click.option("--file", "file", metavar="FILE", help="Read the value from a file."),
        click.option(
            "--from", "from_", type=Place(), metavar="CONNECTION:NAME",
            help="Take the value of a secret in another store.",
        ),
        click.option(
            "--generate", type=Whole(1, 4096), is_flag=False, flag_value=str(_LENGTH), metavar="[LENGTH]",
            help=f"Make a random value of so many characters; {_LENGTH} if no number follows.",
        ),
        click.option(
            "--alphabet", type=OneOf(*_ALPHABETS),
            help="What --generate draws from; alphanumeric by default.",
        ),
        click.option(
            "--strip-newline", is_flag=True,
            help="Take one line end off the end of --stdin or --file. Without it every byte counts.",
        ),
        click.option("--allow-empty", is_flag=True, help="Accept a value of no characters."),
        click.option("--value", hidden=True, expose_value=False, callback=_refuse_value, is_eager=True),
    ]  # fmt: skip
    return adding(options)


def source_of(options: dict[str, Any]) -> Source:
    """Take the options for the value out of those of a command.

    Raises:
        UsageError: two sources are given, or an option that belongs to another.
    """
    source = Source(
        ask=options.pop("ask"),
        stdin=options.pop("stdin"),
        file=options.pop("file"),
        store=options.pop("from_"),
        generate=options.pop("generate"),
        alphabet=options.pop("alphabet"),
        strip_newline=options.pop("strip_newline"),
        allow_empty=options.pop("allow_empty"),
    )
    chosen = source.given()
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} name several values; give one of them.")
    if source.alphabet is not None and source.generate is None:
        raise click.UsageError("--alphabet goes with --generate.")
    if source.strip_newline and not (source.stdin or source.file is not None):
        raise click.UsageError("--strip-newline goes with --stdin or --file.")
    return source


def value_of(session: Session, source: Source, name: str) -> SecretStr:
    """Give the value; asks for it on the terminal where no source was chosen.

    Raises:
        Stop: there is no terminal to ask on, or what was read cannot be used.
    """
    from pydantic import SecretStr

    if source.store is not None:
        return _of_store(session, source.store)
    if source.generate is not None:
        import secrets

        letters = _ALPHABETS[source.alphabet or "alphanumeric"]
        return SecretStr("".join(secrets.choice(letters) for _ in range(source.generate)))
    if source.stdin:
        value = _read(sys.stdin.buffer, "Standard input", source)
    elif source.file is not None:
        value = _of_file(source.file, source)
    else:
        value = _asked(name)
    if not value and not source.allow_empty:
        raise Stop(
            "The value is empty; nothing was sent.",
            why="That is most often a command that failed, or a file that was not written yet.",
            do="Say --allow-empty if it is meant.",
            code=Code.USAGE,
        )
    return SecretStr(value)


def _of_store(session: Session, address: Address) -> SecretStr:
    from secretbridge.cli._stores import opened, revealed

    with opened(session, address.store) as bridge:
        session.doing = Doing(f"read {address.name!r} in {address.store}")
        secret = bridge.get_secret(address.name, metadata=False)
        session.doing = None
    return revealed(secret, address.store, ending="; nothing was sent")


def _of_file(path: str, source: Source) -> str:
    problem = ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would load for this alone
            return _read(file, "The file", source)
    except (OSError, ValueError) as failure:
        problem = (failure.strerror if isinstance(failure, OSError) else "") or "it is no usable path"
    raise Stop(
        "The file of the value could not be read; nothing was sent.",
        why=f"{problem}.",
        do="Check --file.",
        code=Code.USAGE,
    )


def _read(stream: BinaryIO, what: str, source: Source) -> str:
    content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise Stop(f"{what} is longer than {_MOST:,} bytes; nothing was sent.", code=Code.USAGE)
    try:
        value = content.decode()
    except UnicodeDecodeError:
        value = None  # outside of the except block: the error holds the bytes
    if value is None:
        raise Stop(f"{what} is not UTF-8; nothing was sent.", do="Encode it, in base64 say.", code=Code.USAGE)
    ending = "\r\n" if value.endswith("\r\n") else "\n" if value.endswith("\n") else ""
    if source.strip_newline:
        return value.removesuffix(ending) if ending else value
    if ending and value != ending:
        warn("The value ends with a line end, which is kept; --strip-newline takes it off.")
    return value


def _asked(name: str) -> str:
    """Ask twice, without an echo."""
    if not sys.stdin.isatty():
        raise Stop(
            "There is no value; nothing was sent.",
            why="Standard input is no terminal to ask on.",
            do="Give --stdin, --file FILE, --from CONNECTION:NAME or --generate.",
            code=Code.USAGE,
        )
    from getpass import getpass

    try:
        first = getpass(f"Value of {name}: ", stream=sys.stderr)
        second = getpass("Once more: ", stream=sys.stderr)
    except EOFError:
        raise Stop("No value was given; nothing was sent.") from None
    if first != second:
        raise Stop("The two are not the same; nothing was sent.", do="Try again.")
    return first
