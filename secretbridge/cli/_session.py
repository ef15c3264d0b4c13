"""What one run of the command line knows: the options that all commands have, and what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Code", "Doing", "Session", "Stop"]


class Code(IntEnum):
    """The exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    UNKNOWN = 4
    REFUSED = 5
    INTERRUPTED = 130


class Stop(Exception):
    """A foreseen end of a command, in words.

    Args:
        what: one sentence: what is so.
        why: one sentence, or "".
        do: what to do, in one sentence, or "".
        code: the exit code.
    """

    def __init__(self, what: str, *, why: str = "", do: str = "", code: Code = Code.FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do
        self.code = code


@dataclass(frozen=True)
class Doing:
    """What is under way, for the words of an error or an interruption.

    Attributes:
        what: a verb and its object, such as ``"update 'TOKEN' in vault"``.
        changes: whether it changes something.
        look: how to find out what became of it.
        so_far: what is known to be done of it, as a sentence, or "".
        nothing: what to say where the library refused it.
    """

    what: str
    changes: bool = False
    look: str = ""
    so_far: str = ""
    nothing: str = "nothing was sent"


@dataclass
class Session:
    """One run; its options are filled in while the command line is read.

    Attributes:
        config: the file of connections to use in place of all others, or None.
        json: print JSON.
        quiet: print no notes.
        verbose: tell the classes of errors, codes and ids of requests.
        doing: what is under way, or None between two steps.
        done: what has been changed so far, as sentences.
        stopping: Ctrl-C was answered already, on a line of its own.
    """

    config: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    doing: Doing | None = None
    done: tuple[str, ...] = ()
    stopping: bool = False

    def changed(self, sentence: str) -> None:
        """Note that something has been changed, and that nothing is under way now."""
        self.done = (*self.done, sentence)
        self.doing = None
