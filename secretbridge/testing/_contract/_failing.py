"""The contract's tests of everything that goes wrong: which error, and whether the change was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from secretbridge import errors
from secretbridge._models import Retry
from secretbridge.testing._contract._base import ContractBase, applies, complaints
from secretbridge.testing._exchange import Lost, Pass, Refused, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing._contract._base import Complaints
    from secretbridge.testing._contract._place import Call, Face, Outcome, Place
    from secretbridge.testing._exchange import Fault

__all__ = ["FailingTests"]

#: After these the server may have begun.
_UNKNOWN: Final = frozenset({408, 500, 502, 503, 504, 507})
_ELSEWHERE: Final = (("Location", "https://elsewhere.invalid/secrets"),)
_PAGE: Final = Reply(
    200, body="<!doctype html><title>Sign in</title>", headers=[("Content-Type", "text/html")]
)
_PATIENT: Final = Retry(attempts=3, first_wait=0.5, max_wait=1.0)


def _over_http(of: type[ContractBase]) -> bool:
    return of.uses_http


def _changes_over_http(of: type[ContractBase]) -> bool:
    return of.uses_http and bool({"create", "update", "put", "delete"} & of.capabilities.operations)


class FailingTests(ContractBase):
    """Failures: nothing acknowledged is lost, nothing unknown is called done."""

    def _each_request(self, face: Face, call: Call) -> Iterator[tuple[int, bool, bool]]:
        """Each request of a call: its place, whether it changes state, and whether one before it does."""
        with self.holding(face) as place:
            place.outcome(call)
            changing = [self.changes_state(request) for request in place.requests]
        for number, changes in enumerate(changing):
            yield number, changes, any(changing[:number])

    def _done(self, face: Face, call: Call) -> list[dict[str, object]]:
        """What the store holds when a call went well."""
        with self.holding(face) as place:
            place.outcome(call)
            return place.state()

    def _faulted(self, place: Place, call: Call, number: int, *faults: Fault) -> Outcome:
        place.script(*[Pass()] * number, *faults)
        return place.outcome(call)

    def _honest(  # noqa: PLR0917 - private
        self, where: str, outcome: Outcome, place: Place, before: Any, done: Any, noted: Complaints
    ) -> None:
        """Compare what an error says with what the store holds."""
        now = place.state()
        applied = getattr(outcome.error, "applied", None)
        if outcome.error is None:
            noted.unless(now == done, f"{where}: called done, and the store does not hold it")
        elif applied is False:
            noted.unless(now == before, f"{where}: applied is False, and the store has changed")
        elif applied is True:
            noted.unless(now != before, f"{where}: applied is True, and nothing has changed")

    @applies(_over_http)
    def test_each_refusal_is_its_own_error_and_says_whether_the_change_was_made(self, face: Face) -> None:
        """A 4xx refuses: applied is False. A 5xx may come after the change: None, but False for a reading."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                done = self._done(face, call)
                for number, changes, after in self._each_request(face, call):
                    for status in self.all_statuses:
                        with self.holding(face) as place:
                            before = place.state()
                            reply = Reply(status, json={}, headers=_ELSEWHERE)
                            outcome = self._faulted(place, call, number, reply)
                            where = f"{operation}, {status} to request {number + 1}"
                            self._honest(where, outcome, place, before, done, noted)
                            if outcome.error is None:
                                continue  # it went another way, and the store shows that it was right
                            kinds = self.expected(status)
                            noted.unless(isinstance(outcome.error, kinds), f"{where} came to {outcome}")
                            self._says(where, outcome, after, changes and status in _UNKNOWN, noted)

    def _says(self, where: str, outcome: Outcome, after: bool, unknown: bool, noted: Complaints) -> None:  # noqa: FBT001 - private
        applied = getattr(outcome.error, "applied", "not said")
        if after:
            noted.unless(applied is not False, f"{where}: applied is False after an earlier change")
        elif unknown:
            noted.unless(applied is None, f"{where}: applied is {applied}; whether it was made is not known")
        else:
            noted.unless(applied is False, f"{where}: applied is {applied}, and nothing was done")

    @applies(lambda of: of.uses_http and bool(of.refusals))
    def test_each_recorded_refusal_comes_to_its_error(self, face: Face) -> None:
        """The vendor's own bodies, as given in ``refusals``."""
        with complaints() as noted:
            for name, (reply, kind) in self.refusals.items():
                for operation, call in self.changing_calls().items():
                    steps = [*self._each_request(face, call)]
                    number = next(number for number, changes, _ in steps if changes)
                    with self.holding(face) as place:
                        outcome = self._faulted(place, call, number, reply)
                        noted.unless(
                            outcome.error is None or isinstance(outcome.error, kind),
                            f"{name} at {operation} came to {outcome}",
                        )

    @applies(_over_http)
    def test_an_answer_that_is_lost_leaves_the_change_unknown(self, face: Face) -> None:
        """The store has handled the request: NoReply with applied None, and False for a reading."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                for number, changes, after in self._each_request(face, call):
                    for how in ("closed", "reset"):
                        with self.holding(face) as place:
                            outcome = self._faulted(place, call, number, Lost(how))
                            where = f"{operation}, answer {number + 1} lost ({how})"
                            lost = isinstance(outcome.error, errors.NoReply)
                            noted.unless(lost, f"{where} came to {outcome}")
                            self._says(where, outcome, after, changes, noted)

    @applies(_over_http)
    def test_a_request_that_never_went_out_is_not_applied(self, face: Face) -> None:
        """NotSent with applied False."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                for number, _, after in self._each_request(face, call):
                    with self.holding(face) as place:
                        outcome = self._faulted(place, call, number, Refused())
                        where = f"{operation}, request {number + 1} not sent"
                        noted.unless(isinstance(outcome.error, errors.NotSent), f"{where} came to {outcome}")
                        self._says(where, outcome, after, unknown=False, noted=noted)

    @applies(_over_http)
    def test_a_redirect_is_never_followed(self, face: Face) -> None:
        """The credential and the value would go to wherever it leads."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                for number, _, _ in self._each_request(face, call):
                    for status in (301, 302, 303, 307, 308):
                        with self.holding(face) as place:
                            reply = Reply(status, headers=_ELSEWHERE)
                            outcome = self._faulted(place, call, number, reply)
                            where = f"{operation}, {status} to request {number + 1}"
                            wrong = isinstance(outcome.error, errors.WrongAddress)
                            noted.unless(wrong, f"{where} came to {outcome}")
                            sent = len(place.requests)
                            noted.unless(sent == number + 1, f"{where}: {sent} requests went out")

    @applies(_over_http)
    def test_a_success_of_another_shape_is_not_taken_for_done(self, face: Face) -> None:
        """A web page, or JSON that breaks off: UnexpectedReply with applied None, and False for a reading."""
        replies = [_PAGE, Reply(200, body=b'{"half":', headers=[("Content-Type", "application/json")])]
        replies.append(Reply(200, body=b"[]", headers=[("Content-Type", "application/json")]))
        with complaints() as noted:
            for operation, call in self.calls().items():
                for number, changes, after in self._each_request(face, call):
                    for reply in replies[: 1 if operation in self.unread and changes else None]:
                        with self.holding(face) as place:
                            outcome = self._faulted(place, call, number, reply)
                            where = f"{operation}, {reply.body!r} to request {number + 1}"
                            strange = isinstance(outcome.error, errors.UnexpectedReply)
                            noted.unless(strange, f"{where} came to {outcome}")
                            self._says(where, outcome, after, changes, noted)

    @applies(
        lambda of: of.uses_http and "create" in of.capabilities.operations and "create" not in of.not_recorded
    )
    def test_a_create_whose_answer_was_lost_is_not_sent_again(self, face: Face) -> None:
        """A second one could make a second secret, or meet the first: ``idempotent=False``."""
        call = self.calls()["create"]
        number = next(number for number, changes, _ in self._each_request(face, call) if changes)
        with complaints() as noted, self.holding(face, retry=_PATIENT) as place:
            outcome = self._faulted(place, call, number, Lost())
            sent = [request for request in place.requests if self.changes_state(request)]
            noted.unless(len(sent) == 1, f"{len(sent)} requests went out that create; it came to {outcome}")
            names = [row["name"] for row in place.state()]
            once = names.count(self.names[1]) == 1 or self.recording is not None
            noted.unless(once, f"the store holds {names}")
            self._says("its answer lost", outcome, after=False, unknown=True, noted=noted)

    @applies(_changes_over_http)
    def test_what_is_repeated_ends_in_the_same_state_as_once(self, face: Face) -> None:
        """Where the channel repeats a request after a lost answer, the outcome is told as it is."""
        with complaints() as noted:
            for operation, call in self.changing_calls().items():
                done = self._done(face, call)
                for number, changes, _ in self._each_request(face, call):
                    if not changes:
                        continue
                    with self.holding(face, retry=_PATIENT) as place:
                        before = place.state()
                        outcome = self._faulted(place, call, number, Lost())
                        where = f"{operation}, answer {number + 1} lost"
                        self._honest(where, outcome, place, before, done, noted)
                        known = outcome.error is None or getattr(outcome.error, "applied", None) is not False
                        noted.unless(known, f"{where}: applied is False, and the store has changed")

    @applies(lambda of: bool({"update", "put"} & of.capabilities.operations))
    def test_the_same_change_twice_comes_to_the_same_as_once(self, face: Face) -> None:
        """And a change to what is there already is made all the same: nothing is cleared or skipped."""
        calls = {name: call for name, call in self.calls().items() if name in {"update", "put"}}
        with complaints() as noted:
            for operation, call in calls.items():
                with self.holding(face) as place:
                    first = place.outcome(call)
                    once = place.state()
                    second = place.outcome(call)
                    both = first.error is None and second.error is None
                    noted.unless(both, f"{operation} came to {first}, then to {second}")
                    noted.unless(place.state() == once, f"{operation}: the second one changed something")

    @applies(lambda of: bool({"list", "get"} & of.capabilities.operations))
    def test_reading_sends_nothing_that_changes_state(self, face: Face) -> None:
        """Neither the method of a request nor the store shows a change."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                if operation not in {"list", "get"}:
                    continue
                with self.holding(face, *self.kept) as place:
                    before = place.state()
                    place.outcome(call)
                    noted.unless(place.state() == before, f"{operation}: the store has changed")
                    for request in place.requests:
                        changes = self.changes_state(request)
                        noted.unless(not changes, f"{operation} sent {request.method} {request.route}")

    @applies(_over_http)
    def test_each_request_carries_each_header_once_and_its_secrets_in_no_address(self, face: Face) -> None:
        """Addresses are logged everywhere; two credentials in one request are a riddle to the server."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                with self.holding(face) as place:
                    place.outcome(call)
                    for request in place.requests:
                        names = [name.lower() for name, _ in request.headers]
                        twice = sorted({name for name in names if names.count(name) > 1})
                        noted.unless(not twice, f"{operation} sent {', '.join(twice)} more than once")
                        value, secret = self.sample("value", 1), place.subject.credential
                        clean = value not in request.path and not (secret and secret in request.path)
                        noted.unless(clean, f"{operation} has a secret in its address")
                        beside = any(value in text for _, text in request.headers)
                        noted.unless(not beside, f"{operation} has the value in a header")
