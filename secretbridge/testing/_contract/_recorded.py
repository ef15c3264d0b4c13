"""The contract's tests over recorded replies, where there is no store that keeps state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from secretbridge import errors
from secretbridge.testing._contract._base import SETTABLE, ContractBase, applies, complaints
from secretbridge.testing._contract._place import Call, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secretbridge._models import Secret
    from secretbridge.errors import SecretBridgeError
    from secretbridge.testing._contract._base import Complaints
    from secretbridge.testing._contract._place import Face, Outcome, Place
    from secretbridge.testing._recording import Exchange

__all__ = ["RecordedTests"]

#: A recording may have this beside what the capabilities ask for: answers to other ways of an adapter.
_OTHERWISE = "otherwise"


class _Wanted(NamedTuple):
    """A call that is to be recorded, and the error that it comes to, if to any."""

    call: Call
    error: type[SecretBridgeError] | None = None


class RecordedTests(ContractBase):
    """Each call sends what was recorded, and takes the answer for what it says."""

    def _wanted(self) -> dict[str, _Wanted]:
        """Give every call that the capabilities ask for, by the name of its recording."""
        calls = [
            *(_Wanted(call) for call in self.every_call().values()),
            *(_Wanted(call) for call in self._changes()),
            *self._misses(),
        ]
        if "create" in self.capabilities.operations and self.kept:
            fields = {name: self.sample(name) for name in self.kept}
            fields |= {"value": self.sample("value", 1), "allow_one_way": True}
            calls.append(_Wanted(Call("create_secret", (self.names[1],), fields, "create everything")))
        return {wanted.call.recorded: wanted for wanted in calls}

    def _changes(self) -> Iterator[Call]:
        """Updates of each field alone, of all together, and of each that can be cleared."""
        of = self.capabilities

        def update(recorded: str, **fields: Any) -> Call:
            return Call("update_secret", (self.names[0],), fields, recorded)

        fields = [field for field in SETTABLE if field in of.update]
        for name in fields:
            if name != "value":
                yield update(f"update {name}", **{name: self.sample(name, 1)}, allow_one_way=True)
        last = {"protected", *of.one_way}  # what comes with these may be refused
        if len(together := [name for name in fields if name not in last]) > 1:
            yield update("update everything", **{name: self.sample(name, 1) for name in together})
        for cleared in sorted(of.clear):
            yield update(f"clear {cleared}", **{cleared: None})

    def _misses(self) -> Iterator[_Wanted]:
        """Calls to a secret that is not there, and the making of one that is."""
        for name, call in self.every_call().items():
            if name in {"get", "update", "delete"}:
                absent = Call(call.method, (self.names[2],), call.named, f"{name} absent")
                soft = self.deletes_softly and name == "delete"
                yield _Wanted(absent, None if soft else self.missing)
            elif name == "create" and self.unique_names:
                taken = Call(call.method, (self.names[0],), call.named, "create taken")
                yield _Wanted(taken, errors.SecretExists)

    def _known(self) -> Mapping[str, tuple[Exchange, ...]]:
        return {} if self.recording is None else self.recording.calls

    @applies(lambda of: of.recording is not None)
    def test_each_call_that_the_capabilities_ask_for_is_recorded_or_said_not_to_be(self, face: Face) -> None:
        """``not_recorded`` gives the reason for each that is not: nothing is left out in silence."""
        del face
        wanted, known = self._wanted(), self._known()
        with complaints() as noted:
            for name in wanted:
                said = name in known or self.not_recorded.get(name)
                noted.unless(said, f"{name!r} is not recorded, and `not_recorded` does not say why")
            for name in self.not_recorded:
                noted.unless(name in wanted, f"`not_recorded` has {name!r}, which is no call to record")
                noted.unless(name not in known, f"`not_recorded` has {name!r}, which is recorded")
            for name in known:
                asked = name in wanted or name.startswith(_OTHERWISE)
                noted.unless(asked, f"{name!r} is recorded, and no call of this name is made")

    @applies(lambda of: of.recording is not None)
    def test_each_call_sends_just_what_was_recorded_and_takes_the_answer(self, face: Face) -> None:
        """Each field it was given, as the store calls it, and nothing else; in the recorded order."""
        with complaints() as noted:
            for name, (call, error) in self._wanted().items():
                if name not in self._known():
                    continue  # said in `not_recorded`, or the test above fails
                with self.place(face) as place:
                    self._as_recorded(place, call, error, noted)

    def _as_recorded(
        self, place: Place, call: Call, error: type[SecretBridgeError] | None, noted: Complaints
    ) -> None:
        name = call.recorded
        try:
            outcome = place.outcome(call)
        except AssertionError as missing:
            noted.unless(condition=False, what=str(missing))
            return
        played = [] if place.replay is None else place.replay.played
        recorded = list(self._known()[name])
        left = [one.request for one in recorded[len(played) :]]
        same = played == recorded
        noted.unless(same, f"{name}: not as recorded; it did not send {', '.join(left) or 'all in turn'}")
        if error is None:
            noted.unless(outcome.error is None, f"{name} came to {outcome}")
            self._told(name, outcome, noted)
        else:
            noted.unless(isinstance(outcome.error, error), f"{name} came to {outcome}")
            applied = getattr(outcome.error, "applied", None)
            noted.unless(applied is False, f"{name}: applied is {applied} and nothing was done")

    def _told(self, name: str, outcome: Outcome, noted: Complaints) -> None:
        """Compare what is told of the first secret with the first samples: with these it was recorded."""
        of = self.capabilities
        if outcome.error is not None or name not in {"list", "get"}:
            return
        secrets: list[Secret] = outcome.result if name == "list" else [outcome.result]
        found = [secret for secret in secrets if secret.name == self.names[0]]
        noted.unless(len(found) == 1, f"{name}: {self.names[0]} is told {len(found)} times")
        hidden = name == "list" or not of.reads_values
        noted.unless(
            all((secret.value is None) == hidden for secret in secrets), f"{name}: wrong about the value"
        )
        promised = of.list_tells if name == "list" else of.get_tells | of.list_tells
        for secret in found:
            for one in sorted(promised & {*self.kept, *([] if hidden else ["value"])}):
                same = plain(getattr(secret, one)) == plain(self.sample(one))
                noted.unless(same, f"{name}: {one} is told otherwise than it was recorded")
