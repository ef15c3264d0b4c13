"""The contract's tests of secrecy, of waiting, and of calls that are broken off or made side by side."""

from __future__ import annotations

import io
import logging
import pickle
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from secretbridge import errors
from secretbridge._models import Retry
from secretbridge.testing._canary import forms, found_in, told_by
from secretbridge.testing._contract._base import ContractBase, applies, complaints, stateful
from secretbridge.testing._contract._naming import NASTY_NAMES
from secretbridge.testing._contract._place import Call, Outcome
from secretbridge.testing._exchange import Lost, Pass, Refused, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from secretbridge.testing._contract._base import Complaints
    from secretbridge.testing._contract._place import Face, Place
    from secretbridge.testing._exchange import Fault

__all__ = ["QuietTests"]

_STATUSES: Final = (200, 400, 401, 404, 409, 422, 429, 500)
_TOGETHER: Final = 4


class QuietTests(ContractBase):
    """Secrecy and waiting."""

    def _marked(self) -> dict[str, Call]:
        """The calls, with the marked value in place of the sample."""
        fresh = {"value": self.marked_value}
        return {
            name: replace(call, named={**call.named, **fresh} if call.named else call.named)
            for name, call in self.calls().items()
            if not call.named or "value" in call.named
        }

    def _clean(self, where: str, place: Place, outcome: Outcome, heard: str, noted: Complaints) -> None:
        told = told_by(outcome.error if outcome.error is not None else outcome.result)
        if outcome.error is not None:
            try:
                told += pickle.dumps(outcome.error).decode("latin-1")
            except Exception as error:  # noqa: BLE001 - told below
                noted.unless(condition=False, what=f"{where}: its error cannot be pickled ({error})")
        for what, secret in (("the value", self.marked_value), ("the credential", place.subject.credential)):
            if secret:
                found = found_in(told, secret)
                noted.unless(not found, f"{where}: {what} is in the {_kind(outcome)} ({', '.join(found)})")
                found = found_in(heard, secret)
                noted.unless(
                    not found, f"{where}: {what} is in a log, a warning or output ({', '.join(found)})"
                )

    def test_a_success_shows_neither_value_nor_credential(self, face: Face) -> None:
        """Not in the result's text, a log at DEBUG, a warning or on the standard streams."""
        with complaints() as noted:
            for operation, call in self._marked().items():
                with self.place(face) as place, overheard() as heard:
                    place.seed(self.names[0], {"value": self.marked_value})
                    outcome = place.outcome(call)
                self._clean(operation, place, outcome, heard(), noted)

    def test_a_failure_in_the_store_shows_neither_value_nor_credential(self, face: Face) -> None:
        """A secret that is missing, or taken, is told by its name."""
        with complaints() as noted:
            for operation, call in self._marked().items():
                if operation == "list":
                    continue
                absent = Call(call.method, (self.names[2],), call.named, f"{operation} absent")
                taken = Call(call.method, (self.names[0],), call.named, f"{operation} taken")
                with self.place(face) as place, overheard() as heard:
                    place.seed(self.names[0], {"value": self.marked_value})
                    chosen = taken if operation == "create" else absent
                    if self.recording is not None and chosen.recorded not in self.recording.calls:
                        continue  # RecordedTests asks for those that are to be there
                    outcome = place.outcome(chosen)
                self._clean(operation, place, outcome, heard(), noted)

    @applies(lambda of: of.uses_http)
    def test_a_refusal_that_repeats_value_and_credential_shows_neither(self, face: Face) -> None:
        """A vendor's text that holds any part of a secret, in any encoding, is dropped whole."""
        with complaints() as noted:
            for operation, call in self._marked().items():
                for ending, fault in self._endings().items():
                    for number in range(2):
                        with self.place(face) as place, overheard() as heard:
                            place.seed(self.names[0], {"value": self.marked_value})
                            place.script(*[Pass()] * number, fault(place))
                            outcome = place.outcome(call)
                        if len(place.requests) <= number:
                            break
                        where = f"{operation}, {ending} at request {number + 1}"
                        if outcome.error is None:  # what such a reply may say is the store's to know
                            outcome = Outcome()
                        self._clean(where, place, outcome, heard(), noted)

    def _endings(self) -> dict[str, Callable[[Place], Fault]]:
        """Ways in which a store may repeat all that it was sent."""

        def echo(status: int) -> Callable[[Place], Fault]:
            def fault(place: Place) -> Fault:
                secrets = [self.marked_value, *filter(None, [place.subject.credential])]
                words = [piece for secret in secrets for piece in forms(secret).values()]
                return Reply(status, json=_echo(words, status), headers=_echoing(secrets[-1]))

            return fault

        endings: dict[str, Callable[[Place], Fault]] = {f"{status}": echo(status) for status in _STATUSES}
        text = f"{self.marked_value}"
        endings["a web page"] = lambda _: Reply(
            200, body=f"<html>{text}", headers=[("Content-Type", "text/html")]
        )
        endings["an answer lost"] = lambda _: Lost()
        endings["a request not sent"] = lambda _: Refused()
        return endings

    @applies(lambda of: "update" in of.capabilities.operations)
    def test_a_refusal_before_sending_shows_neither_value_nor_credential(self, face: Face) -> None:
        """What is wrong is told by field and length, not by content."""
        with complaints() as noted, self.holding(face) as place, overheard() as heard:
            wrong: list[tuple[str, dict[str, Any]]] = [
                (self.names[0], {"value": self.marked_value, "tool_name": 7}),
                (self.names[0], {"value": self.marked_value.encode()}),
            ]
            wrong += [
                (name, {"value": self.marked_value})
                for name in (self.names[0], *NASTY_NAMES)
                if self.refused_name(place.subject, "update", name)
            ]
            for name, fields in wrong:
                outcome = place.outcome(Call("update_secret", (name,), fields))
                refused = isinstance(outcome.error, errors.InvalidRequest)
                noted.unless(refused and not place.requests, f"it came to {outcome}")
                self._clean("what is refused", place, outcome, heard(), noted)

    def test_the_provider_itself_shows_no_credential(self, face: Face) -> None:
        """Not in its repr, nor in a pickle."""
        with complaints() as noted, self.place(face) as place:
            provider, secret = place.subject.provider, place.subject.credential
            told = f"{provider!r} {provider!s} {place.bridge!r}"
            try:
                told += pickle.dumps(provider).decode("latin-1")
            except Exception as error:  # noqa: BLE001 - that it cannot be pickled is good
                told += str(error)
            noted.unless(
                not secret or not found_in(told, secret), "its repr or its pickle shows the credential"
            )

    # Waiting.

    def test_nothing_is_waited_for_but_the_channel(self, face: Face) -> None:
        """No sleep of its own, no file or socket on the event loop: what blocks goes through channel.call."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                with self.holding(face) as place:
                    place.outcome(call)  # what is imported late, or opened once, is there the second time
                with self.holding(face) as place:
                    outcome = place.outcome(call)
                noted.unless(outcome.error is None, f"{operation} came to {outcome}")
                noted.unless(not place.watch.foreign, f"{operation} awaited something other than its channel")
                slept = [what for what in place.watch.blocked if what.startswith("time.sleep")]
                noted.unless(not slept, f"{operation} slept: {', '.join(slept)}")
                if face != "sync":
                    blocking = ", ".join(place.watch.blocked)
                    noted.unless(not blocking, f"{operation} blocked the event loop: {blocking}")
                noted.unless(not place.watch.waits, f"{operation} paused for {place.watch.waits} s")

    @applies(lambda of: of.uses_http)
    def test_the_pause_that_a_store_asks_for_is_kept_and_no_other(self, face: Face) -> None:
        """429 with Retry-After: the channel waits for just that long, then sends the same again."""
        reply = Reply(429, json={}, headers=[("Retry-After", "7")])
        with complaints() as noted:
            for operation, call in self.calls().items():
                with self.holding(face, retry=Retry(attempts=2)) as place:
                    place.script(reply)
                    outcome = place.outcome(call)
                    noted.unless(outcome.error is None, f"{operation} came to {outcome}")
                    noted.unless(place.watch.waits == [7.0], f"{operation} paused for {place.watch.waits} s")

    def test_a_call_can_be_broken_off_at_every_wait_and_the_bridge_goes_on(self, face: Face) -> None:
        """Cancellation, or Ctrl-C, passes through the adapter; afterwards the same bridge works."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                with self.holding(face) as place:
                    place.outcome(call)
                    steps = place.watch.steps
                for step in range(1, steps + 1):
                    for when in ("before", "after"):
                        with self.holding(face) as place:
                            problem = place.cancelled(call, step, when)
                            where = f"{operation}, broken off {when} wait {step}"
                            noted.unless(not problem, f"{where}: it {problem}")
                            again = place.outcome(call)
                            works = again.error is None or isinstance(again.error, errors.SecretBridgeError)
                            noted.unless(works, f"{where}: afterwards it came to {again}")

    @stateful("several secrets beside one another")
    @applies(lambda of: "value" in of.capabilities.update)
    def test_calls_side_by_side_do_not_mix(self, face: Face) -> None:
        """An adapter keeps nothing between its steps: each secret gets the value that it was given."""
        names = [*self.names, *(f"{self.names[0]}_{number}" for number in range(3, _TOGETHER))]
        with complaints() as noted, self.place(face) as place:
            names = [name for name in names if not self.refused_name(place.subject, "update", name)]
            for name in names:
                place.seed(name, {"value": self.sample("value")})
            values = {name: f"{self.sample('value', 1)}-{number}" for number, name in enumerate(names)}
            outcomes = place.side_by_side(
                [Call("update_secret", (name,), {"value": value}) for name, value in values.items()]
            )
            for name, outcome in zip(names, outcomes, strict=True):
                noted.unless(outcome.error is None, f"{name} came to {outcome}")
                held = (place.row(name) or {}).get("value")
                noted.unless(held == values[name], f"{name} holds another value than it was given")


def _kind(outcome: Outcome) -> str:
    return "result" if outcome.error is None else type(outcome.error).__name__


def _echo(words: list[str], status: int) -> Mapping[str, object]:
    """A body that says everything again, in every place where stores say something."""
    first = words[status % len(words)]
    row = {
        "field": first,
        "name": first,
        "message": first,
        "msg": first,
        "type": first,
        "loc": ["body", first],
    }
    keys = (
        "message",
        "error",
        "code",
        "title",
        "reason",
        "description",
        "status",
        "statusCode",
        "type",
        "id",
    )
    places = dict.fromkeys(keys, first)
    every = [{**row, "message": word, "msg": word, "field": word, "description": word} for word in words]
    vendor = {
        "applicationError": {"code": first, "data": words},
        "validationError": {"fieldViolations": every},
    }
    return {**places, "detail": every, "details": vendor, "errors": every, "data": words, first: first}


def _echoing(secret: str) -> list[tuple[str, str]]:
    return [(name, secret) for name in ("x-request-id", "location", "retry-after", "set-cookie")]


@contextmanager
def overheard() -> Generator[Callable[[], str]]:
    """Listen to every logger at DEBUG, to warnings and to the standard streams."""
    stream, printed = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    loggers = [root, *(logging.getLogger(name) for name in (*logging.root.manager.loggerDict,))]
    levels = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    others = root.handlers
    root.handlers = [handler]  # else pytest keeps it all, and prints it where a test fails
    with warnings.catch_warnings(record=True) as warned, redirect_stdout(printed), redirect_stderr(printed):
        warnings.simplefilter("always")
        try:
            yield lambda: "\n".join(
                [stream.getvalue(), printed.getvalue(), *(str(one.message) for one in warned)]
            )
        finally:
            root.handlers = others
            for logger, old in levels.items():
                logger.setLevel(old)
            root.setLevel(level)
