"""Runs a command line from its words to its exit code."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, Final

import click

from secretbridge.cli import _output
from secretbridge.cli._session import Code, Session, Stop
from secretbridge.cli._table import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secretbridge.cli._trouble import Trouble

__all__ = ["run"]

_PROGRAM: Final = "secretbridge"
#: What the completion scripts set.
_COMPLETE: Final = "_SECRETBRIDGE_COMPLETE"
#: An option as it may be repeated: no value that was written as one.
_OPTION: Final = r"--?[a-z][a-z-]{0,24}"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run; every foreseeable error is told in words, and none leaves as a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    session = Session()
    _output.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        code = _guarded(session, lambda: _called(session, words), words)
        return _flushed(session, code)


def _called(session: Session, words: list[str]) -> int:
    """Answer the shell, or run the command; click's own ``main`` would end a broken pipe with 1."""
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        try:
            return shell_complete(ROOT, {}, _PROGRAM, _COMPLETE, instruction)
        except IndexError:  # click takes the first part of a word, and one of nothing but blanks has none
            return Code.DONE
    try:
        with ROOT.make_context(_PROGRAM, words, obj=session) as context:
            returned: int | None = ROOT.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return returned or Code.DONE


def _guarded(session: Session, call: Callable[[], int], words: Sequence[str] = ()) -> int:
    """Give the exit code of a call, whatever comes up in it."""
    trouble: Trouble
    try:
        return call()
    except click.UsageError as error:
        session.json = session.json or "--json" in words  # it may stand behind what could not be read
        trouble = _of_usage(error)
    except (KeyboardInterrupt, click.Abort):
        trouble = _words().of_interrupt(session)
    except Stop as stop:
        trouble = _words().of_stop(session, stop)
    except BrokenPipeError:
        return _broken_pipe(session)
    except Exception as error:  # noqa: BLE001 - nothing may leave as a traceback: it could show a value
        trouble = _of_exception(session, error)
    try:
        return _words().tell(session, trouble)  # type: ignore[no-any-return]  # it gives a Code
    except OSError:  # nobody reads standard error
        return trouble.code


def _words() -> Any:  # noqa: ANN401 - the module
    """Load what puts an end into words; most runs need none."""
    from secretbridge.cli import _trouble

    return _trouble


def _of_exception(session: Session, error: Exception) -> Trouble:
    import errno

    from secretbridge.cli import _trouble
    from secretbridge.errors import SecretBridgeError

    if isinstance(error, SecretBridgeError):
        return _trouble.of_error(session, error)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EIO}:
        stop = Stop("The output could not be written.", why=f"{os.strerror(error.errno)}.",
                    code=Code.PARTLY if session.done else Code.FAILED)  # fmt: skip
        return _trouble.of_stop(session, stop)
    return _trouble.of_surprise(session, error)


def _of_usage(error: click.UsageError) -> Trouble:
    """Put a wrong command line into words, without what was written."""
    import re

    from secretbridge.cli._trouble import Trouble

    path = error.ctx.command_path if error.ctx else "secretbridge"
    what, do = error.message, f"{path} --help shows what there is."
    if isinstance(error, click.NoSuchOption):
        # An option is repeated where it looks like one: what stands there may be a value.
        known = re.fullmatch(_OPTION, error.option_name)
        what = f"There is no option {error.option_name} here." if known else "There is no such option here."
        if error.possibilities:
            what += f" Did you mean {' or '.join(sorted(error.possibilities))}?"
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        what = f"{_called_here(error.param)} is missing."
        if error.param.name in {"store", "to"}:
            do = "Name a store: secretbridge connections list shows them, and vault is the embedded one."
    elif isinstance(error, click.BadParameter) and error.param is not None:
        what = f"{_called_here(error.param)} {error.message}."
    elif isinstance(error, click.BadOptionUsage):
        what = f"{error.option_name} is given without what belongs to it, or with what does not."
    return Trouble(Code.USAGE, what, (), do, facts={"type": "UsageError", "applied": False})


def _called_here(param: click.Parameter) -> str:
    """Give an option by its longest name, an argument by what the help calls it."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return str(param.metavar or param.name)


def _flushed(session: Session, code: int) -> int:
    """Write out what is still held back, so that the exit code tells if it could not be."""

    def flush() -> int:
        sys.stdout.flush()
        return code

    return _guarded(session, flush)


def _broken_pipe(session: Session) -> int:
    """Stop quietly where the reader went away, as ``head`` does; what was done counts as done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    doing = session.doing
    return Code.UNKNOWN if doing is not None and doing.changes else Code.DONE


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _output.warn(f"{message}.".replace("..", "."))
