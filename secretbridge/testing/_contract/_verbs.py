"""The contract's tests of operations and fields: a yes works, a no is refused, what is left out stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge import errors
from secretbridge.testing._contract._base import SETTABLE, ContractBase, applies, complaints, stateful
from secretbridge.testing._contract._place import Call, plain

if TYPE_CHECKING:
    from secretbridge.testing._contract._place import Face, Outcome, Place

__all__ = ["VerbTests"]

_DEFAULTS = {"active": True, "protected": False, "default_for_tool": False}


class VerbTests(ContractBase):
    """Operations and fields."""

    def test_the_capabilities_are_those_of_the_provider(self, face: Face) -> None:
        """What the test class says is what the adapter says."""
        with complaints() as noted, self.holding(face, *self.kept) as place:
            of = place.subject.provider.capabilities
            noted.unless(of == self.capabilities, "set `capabilities` to those of the provider under test")
            if self.recording is not None:
                return
            held = place.row(self.names[0])
            noted.unless(held, "`held` must tell what `seed` has put in, under `name`")
            for name in {"value", *self.kept}:
                noted.unless(
                    held and held.get(name) == plain(self.sample(name)),
                    f"`seed` must keep, and `held` must tell, {name!r}",
                )

    @stateful("what the store holds after each call")
    def test_each_operation_that_the_capabilities_name_works(self, face: Face) -> None:
        """Each is tried on a store of its own."""
        with complaints() as noted:
            for operation, call in self.calls().items():
                with self.holding(face) as place:
                    outcome = place.outcome(call)
                    noted.unless(outcome.error is None, f"{operation}: {call} came to {outcome}")
                    problem = self._undone(operation, outcome, place)
                    noted.unless(outcome.error or not problem, f"{operation}: {problem}")

    def _undone(self, operation: str, outcome: Outcome, place: Place) -> str:
        """Say what an operation left undone, in its result and in the store."""
        first, second, _ = self.names
        names = [row["name"] for row in place.state()]
        row, value = place.row(second if operation == "create" else first), self.sample("value", 1)
        match operation:
            case "list":
                listed = [secret.name for secret in outcome.result]
                return "" if listed.count(first) == 1 else f"the listing tells {listed}"
            case "get":
                return "" if outcome.result.name == first else f"it is named {outcome.result.name!r}"
            case "create":
                done = row is not None and row["value"] == value and names.count(second) == 1
                return "" if done else f"the store holds {names} afterwards, or another value"
            case "delete":
                return "" if self._gone(place, first) else "it is still in the store"
            case _:
                changed = "value" not in self.capabilities.update or (
                    row is not None and row["value"] == value
                )
                return "" if changed and names.count(first) == 1 else "the store does not hold the new value"

    def _gone(self, place: Place, name: str) -> bool:
        row = place.row(name)
        return row is None or (self.deletes_softly and row.get("active") is False)

    def test_an_operation_that_the_capabilities_lack_is_refused_before_anything_is_sent(
        self, face: Face
    ) -> None:
        """And the refusal says what to do instead, from ``why_not``."""
        first, second, _ = self.names
        value = {"value": self.sample("value", 1)}
        calls = {
            "list": Call("list_secrets"),
            "get": Call("get_secret", (first,)),
            "create": Call("create_secret", (second,), value),
            "update": Call("update_secret", (first,), value),
            "put": Call("put_secret", (first,), value),
            "delete": Call("delete_secret", (first,)),
        }
        with complaints() as noted:
            for operation in sorted(calls.keys() - self.capabilities.operations):
                with self.holding(face) as place:
                    outcome = place.outcome(calls[operation])
                    refused = isinstance(outcome.error, errors.UnsupportedOperation)
                    noted.unless(refused, f"{operation} came to {outcome}")
                    noted.unless(not place.requests, f"{operation}: something was sent")
                    noted.unless(
                        self.capabilities.why_not.get(operation),
                        f"{operation}: `why_not` must say what to do instead",
                    )

    @stateful("what the store holds after each update")
    @applies(lambda of: bool(of.capabilities.update))
    def test_each_field_that_can_be_changed_arrives_and_the_others_stay(self, face: Face) -> None:
        """A field left out of an update stays as it is: send exactly what is in ``changes``, and no null."""
        with complaints() as noted:
            for name in [field for field in SETTABLE if field in self.capabilities.update]:
                with self.holding(face, *self.kept) as place:
                    before = place.row(self.names[0]) or {}
                    given: dict[str, Any] = {name: self.sample(name, 1)}
                    outcome = place.outcome(
                        Call("update_secret", (self.names[0],), {**given, "allow_one_way": True})
                    )
                    noted.unless(outcome.error is None, f"{name}: the update came to {outcome}")
                    wanted = {**before, "name" if name == "new_name" else name: plain(given[name])}
                    after = place.row(str(wanted["name"]))
                    noted.unless(after == wanted, _difference(name, wanted, after))

    @stateful("what the store holds after the update")
    @applies(lambda of: len(of.capabilities.update - {"extra", "protected"}) > 1)
    def test_all_fields_together_arrive_in_one_update(self, face: Face) -> None:
        """None is dropped because another one is there."""
        last = {"protected", *self.capabilities.one_way}  # what comes with these may be refused
        fields = [name for name in SETTABLE if name in self.capabilities.update and name not in last]
        with complaints() as noted, self.holding(face, *self.kept) as place:
            before = place.row(self.names[0]) or {}
            given: dict[str, Any] = {name: self.sample(name, 1) for name in fields}
            outcome = place.outcome(Call("update_secret", (self.names[0],), given))
            noted.unless(outcome.error is None, f"the update came to {outcome}")
            wanted = {**before, **{name: plain(field) for name, field in given.items() if name != "new_name"}}
            wanted["name"] = given.get("new_name", before["name"])
            after = place.row(str(wanted["name"]))
            noted.unless(after == wanted, _difference("all together", wanted, after))

    @stateful("what the store holds after each update")
    @applies(lambda of: bool(of.capabilities.clear))
    def test_each_field_that_can_be_cleared_is_empty_after_none(self, face: Face) -> None:
        """None clears: say it as the store wants it (null, an empty text, a removed key)."""
        with complaints() as noted:
            for name in sorted(self.capabilities.clear):
                with self.holding(face, *self.kept) as place:
                    before = place.row(self.names[0]) or {}
                    outcome = place.outcome(Call("update_secret", (self.names[0],), {name: None}))
                    noted.unless(outcome.error is None, f"{name}: clearing came to {outcome}")
                    wanted = {key: field for key, field in before.items() if key != name}
                    after = place.row(self.names[0])
                    noted.unless(after == wanted, _difference(name, wanted, after))

    @applies(lambda of: "update" in of.capabilities.operations)
    def test_each_field_that_cannot_be_changed_or_cleared_is_refused_before_anything_is_sent(
        self, face: Face
    ) -> None:
        """And the refusal says what to do instead."""
        of = self.capabilities
        given: list[dict[str, Any]] = [
            {name: self.sample(name, 1)} for name in SETTABLE if name not in of.update
        ]
        given += [{name: None} for name in SETTABLE if name not in of.clear]
        with complaints() as noted, self.holding(face, *self.kept) as place:
            before = place.state()
            for fields in given:
                outcome = place.outcome(Call("update_secret", (self.names[0],), fields))
                refused = isinstance(outcome.error, errors.InvalidRequest)
                noted.unless(refused, f"{fields}: it came to {outcome}")
                noted.unless(not place.requests, f"{fields}: something was sent")
                violations = getattr(outcome.error, "violations", ())
                told = any(one.remedy for one in violations)
                noted.unless(told, f"{fields}: `why_not` must say what to do instead")
            noted.unless(place.state() == before, "the store has changed")

    @applies(lambda of: bool(of.capabilities.one_way))
    def test_what_cannot_be_taken_back_needs_consent(self, face: Face) -> None:
        """``allow_one_way=True`` is asked for, and nothing is sent before."""
        with complaints() as noted, self.holding(face) as place:
            for name in sorted(self.capabilities.one_way):
                outcome = place.outcome(Call("update_secret", (self.names[0],), {name: self.sample(name, 1)}))
                refused = isinstance(outcome.error, errors.InvalidRequest)
                noted.unless(refused and not place.requests, f"{name}: it came to {outcome}")

    @stateful("what the store holds of a new secret")
    @applies(lambda of: "create" in of.capabilities.operations)
    def test_a_new_secret_has_each_field_it_was_given_and_defaults_elsewhere(self, face: Face) -> None:
        """Create sends every field it is given, and invents none."""
        verbs = [verb for verb in ("create", "put") if verb in self.capabilities.operations]
        with complaints() as noted:
            for verb in verbs:
                for name in ["value", *self.kept]:
                    with self.place(face) as place:
                        given = {"value": self.sample("value"), name: self.sample(name, 1)}
                        fields = {**given, "allow_one_way": True}
                        outcome = place.outcome(Call(f"{verb}_secret", (self.names[0],), fields))
                        noted.unless(outcome.error is None, f"{verb} with {name}: it came to {outcome}")
                        row = place.row(self.names[0]) or {}
                        wanted = {"name": self.names[0], **{key: plain(one) for key, one in given.items()}}
                        noted.unless(
                            _without_defaults(row) == _without_defaults(wanted),
                            _difference(f"{verb} with {name}", wanted, row),
                        )

    @stateful("what the store held before, and holds afterwards")
    @applies(lambda of: "put" in of.capabilities.operations)
    def test_put_replaces_a_secret_as_if_newly_created(self, face: Face) -> None:
        """A field left out returns to its default; where it cannot, the put is refused before a change."""
        resettable = [name for name in self.kept if name not in self.capabilities.one_way]
        with complaints() as noted:
            for name in resettable:
                if name == "protected":
                    continue  # a protected secret refuses the put, as it should
                with self.place(face) as place:
                    old = self.sample(name, 1)
                    place.seed(self.names[0], {"value": self.sample("value"), name: old})
                    before = place.state()
                    outcome = place.outcome(
                        Call("put_secret", (self.names[0],), {"value": self.sample("value", 1)})
                    )
                    if (
                        isinstance(outcome.error, errors.UnsupportedField)
                        and name in self.capabilities.resets
                    ):
                        noted.unless(place.state() == before, f"{name}: refused, and yet something changed")
                        continue
                    noted.unless(outcome.error is None, f"{name}: the put came to {outcome}")
                    wanted = {"name": self.names[0], "value": self.sample("value", 1)}
                    row = place.row(self.names[0]) or {}
                    noted.unless(
                        _without_defaults(row) == wanted, _difference(f"put after {name}", wanted, row)
                    )

    @stateful("what the store holds")
    @applies(lambda of: "get" in of.capabilities.operations)
    def test_reading_one_secret_tells_what_get_tells_promises(self, face: Face) -> None:
        """No more and no less; times to the millisecond."""
        of = self.capabilities
        with complaints() as noted, self.holding(face, *self.kept) as place:
            held = place.row(self.names[0]) or {}
            secret = place.do("get_secret", self.names[0])
            for name in sorted((of.get_tells | of.list_tells) & {"value", *self.kept}):
                told = plain(getattr(secret, name))
                noted.unless(told == held.get(name), f"{name}: told otherwise than it is held")
            noted.unless(
                (secret.value is not None) == of.reads_values, "`get_tells` is wrong about the value"
            )

    @stateful("what the store holds: twelve secrets")
    @applies(lambda of: "list" in of.capabilities.operations)
    def test_the_listing_tells_every_secret_once_and_no_value(self, face: Face) -> None:
        """Follow every page to the last one, and tell what ``list_tells`` promises."""
        names = [f"{self.names[0]}_{number}" for number in range(12)]
        with complaints() as noted, self.place(face) as place:
            for name in names:
                place.seed(name, {field: self.sample(field) for field in ["value", *self.kept]})
            for how, given in (("list_secrets", {}), ("iter_secrets", {"page_size": 5})):
                listed = place.do(how, **given)
                found = sorted(secret.name for secret in listed if secret.name in names)
                noted.unless(found == sorted(names), f"{how}: of {len(names)} secrets it told {len(found)}")
                noted.unless(all(secret.value is None for secret in listed), f"{how}: a value is told")
                for secret in listed:
                    held = place.row(secret.name) or {}
                    for name in sorted(self.capabilities.list_tells & {*self.kept}):
                        same = _same_or_default(name, plain(getattr(secret, name)), held.get(name))
                        noted.unless(same, f"{how}: {name} is told otherwise than it is held")

    @stateful("a store that tells what was written to it")
    @applies(
        lambda of: bool(of.capabilities.update & (of.capabilities.get_tells | of.capabilities.list_tells))
    )
    def test_verify_says_true_where_the_change_can_be_read_back(self, face: Face) -> None:
        """What is read back is what was sent."""
        of = self.capabilities
        with complaints() as noted:
            for name in sorted(of.update & (of.get_tells | of.list_tells) - {"active"}):
                with self.holding(face, *self.kept) as place:
                    given = {name: self.sample(name, 1), "allow_one_way": True, "verify": True}
                    outcome = place.outcome(Call("update_secret", (self.names[0],), given))
                    verified = getattr(outcome.result, "verified", None)
                    noted.unless(verified is True, f"{name}: verified is {verified}; it came to {outcome}")

    @stateful("a store that counts versions")
    @applies(lambda of: of.capabilities.compare_and_set)
    def test_a_change_of_another_version_is_a_conflict(self, face: Face) -> None:
        """``if_version`` is kept: the right one passes, another one changes nothing."""
        with complaints() as noted, self.holding(face) as place:
            version = place.do("get_secret", self.names[0]).version
            before = place.state()
            given = {"value": self.sample("value", 1)}
            late = place.outcome(
                Call("update_secret", (self.names[0],), {**given, "if_version": version + 5})
            )
            lost = isinstance(late.error, errors.Conflict) and late.error.applied is False
            noted.unless(lost and place.state() == before, f"another version: it came to {late}")
            right = place.outcome(Call("update_secret", (self.names[0],), {**given, "if_version": version}))
            noted.unless(right.error is None, f"the right version: it came to {right}")

    @applies(lambda of: not of.capabilities.compare_and_set and "update" in of.capabilities.operations)
    def test_a_version_is_refused_where_there_is_no_compare_and_set(self, face: Face) -> None:
        """It is not ignored."""
        with self.holding(face) as place, complaints() as noted:
            change = self.every_call()["update"].named or {}
            outcome = place.outcome(Call("update_secret", (self.names[0],), {**change, "if_version": 1}))
            refused = isinstance(outcome.error, errors.UnsupportedField) and not place.requests
            noted.unless(refused, f"it came to {outcome}")


def _without_defaults(row: dict[str, object]) -> dict[str, object]:
    return {key: field for key, field in row.items() if key not in _DEFAULTS or field != _DEFAULTS[key]}


def _same_or_default(name: str, told: object, held: object) -> bool:
    return told == held or (held is None and told in {None, _DEFAULTS.get(name)})


def _difference(where: str, wanted: object, found: object) -> str:
    return f"{where}: the store should hold {wanted} and holds {found}"
