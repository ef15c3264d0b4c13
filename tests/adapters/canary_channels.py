"""Every way out for a secret that we know. A new one is a function more, decorated with ``channel``."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from secretbridge import AsyncSecretBridge, SecretBridge, errors


@dataclass
class Outcome:
    """What a call came to, and what was said meanwhile."""

    results: list[object] = field(default_factory=list)
    error: BaseException | None = None
    log: str = ""
    warned: str = ""
    printed: str = ""

    @property
    def things(self) -> list[object]:
        """All that a caller gets into his hands."""
        return [*self.results, *([] if self.error is None else [self.error])]


Channel = Callable[[Outcome], Iterator[str]]
CHANNELS: dict[str, Channel] = {}


def channel(function: Channel) -> Channel:
    """Add a channel to those that are searched."""
    CHANNELS[function.__name__] = function
    return function


@channel
def text(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        yield f"{thing!r} {thing!s} {thing:} {thing=} {[thing]} {thing!a}"


@channel
def dataclass_as_dict(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
            try:
                yield repr(dataclasses.asdict(thing))
            except (
                TypeError
            ) as error:  # a Secret need not be copied field by field; its text counts all the same
                yield repr(error)


@channel
def a_pickle(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        try:
            data = pickle.dumps(thing)
        except TypeError as error:
            assert not isinstance(thing, BaseException), f"{type(thing).__name__} cannot be pickled"
            yield str(error)
        else:
            assert isinstance(thing, BaseException) or not hasattr(thing, "reveal"), "a Secret was pickled"
            yield data.decode("latin-1")
            yield data.decode("utf-8", "ignore")


@channel
def a_traceback(outcome: Outcome) -> Iterator[str]:
    if outcome.error is not None:
        yield "".join(traceback.format_exception(outcome.error))


@channel
def json_of_what_has_none(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        yield json.dumps(thing, default=repr)
        yield json.dumps([thing], default=str, ensure_ascii=False)


@channel
def a_copy(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        for make in (copy.copy, copy.deepcopy):
            try:
                again = make(thing)
            except TypeError as error:  # a bridge, a plan: not to be copied
                yield str(error)
            else:
                yield f"{again!r} {again!s}"


@channel
def pretty_printed(outcome: Outcome) -> Iterator[str]:
    for thing in outcome.things:
        yield pprint.pformat(thing)


def hooks_for_what_nobody_catches(error: BaseException) -> Iterator[str]:
    """As the interpreter, a thread, a logger and an exception group tell of an error.

    It is no channel of each outcome: a traceback is one, and these say the same, more slowly.
    """
    said = io.StringIO()
    with redirect_stderr(said):
        sys.__excepthook__(type(error), error, error.__traceback__)
        threading.__excepthook__(
            threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
        )
    yield said.getvalue()
    record = logging.LogRecord("any", logging.ERROR, "", 0, "%s", (error,), None)
    record.exc_info = (type(error), error, error.__traceback__)
    yield logging.Formatter().format(record)
    group = BaseExceptionGroup("several", [error])
    yield f"{group!r} {''.join(traceback.format_exception(group))}"


@channel
def attributes_and_chains(outcome: Outcome) -> Iterator[str]:
    """An error holds nothing secret, not even wrapped; other things may hold it in a SecretStr."""
    for thing in outcome.things:
        if isinstance(thing, (SecretBridge, AsyncSecretBridge)):
            continue  # it leads to the vendor's stand-in, which knows everything
        yield from _inside(thing, set(), unwrap=isinstance(thing, BaseException))


@channel
def logs(outcome: Outcome) -> Iterator[str]:
    yield outcome.log


@channel
def warnings(outcome: Outcome) -> Iterator[str]:
    yield outcome.warned


@channel
def standard_streams(outcome: Outcome) -> Iterator[str]:
    yield outcome.printed


def _inside(thing: Any, seen: set[int], *, unwrap: bool) -> Iterator[str]:
    if id(thing) in seen or isinstance(thing, type):
        return
    seen.add(id(thing))
    if isinstance(thing, SecretStr):
        yield thing.get_secret_value() if unwrap else repr(thing)
    elif isinstance(thing, bytes):
        yield thing.decode("latin-1")
    elif isinstance(thing, Mapping):
        for part in (*thing.keys(), *thing.values()):
            yield from _inside(part, seen, unwrap=unwrap)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        for part in thing:
            yield from _inside(part, seen, unwrap=unwrap)
    else:
        yield str(thing)
        for part in _held(thing):
            yield from _inside(part, seen, unwrap=unwrap)


def _held(thing: Any) -> Iterator[Any]:
    """What an object holds: attributes, slots, and all that hangs on an exception but its frames."""
    yield getattr(thing, "__dict__", {})
    if isinstance(thing, errors.SecretBridgeError):
        # A class may define further attributes: what it has and its instance does not is harmless.
        yield [getattr(thing, name, None) for name in ("message", "violations", "ids", "code", "request_id")]
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        yield [getattr(thing, name, None) for name in ([slots] if isinstance(slots, str) else slots)]
    if isinstance(thing, BaseException):
        yield thing.args
        yield getattr(thing, "__notes__", ())
        yield [thing.__cause__, thing.__context__]
