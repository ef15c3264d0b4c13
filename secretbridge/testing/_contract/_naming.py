"""The contract's tests of how a secret is named, and of the texts that names and values may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from secretbridge import errors
from secretbridge._checks import fields_given, update_violations
from secretbridge.testing._contract._base import ContractBase, applies, complaints, stateful
from secretbridge.testing._contract._place import Call, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge._capabilities import Limit
    from secretbridge.testing._contract._place import Face, Place

__all__ = ["NASTY_NAMES", "NASTY_TEXTS", "NamingTests"]

#: Names that something on the way to a store may take for something else. Core refuses some everywhere.
NASTY_NAMES: Final = (
    "lower", "MiXeD", "_", "9", "a-b", "a.b", "a b", " a", "a ", "a%b", "a%2Fb", "%00", "a+b", "a&b=c",
    "a?b=c", "a#b", "a;b", "a:b", "a@b", "$a", "~a", "a*b", "a|b", "(a)", "[a]", "{a}", "<a>", "'a'", '"a"',
    "a\\b", "a,b", "a=b", "!a", "`a`", "^a", "null", "None", "true", "0", "-1", "__proto__", "con", "..a",
    "a..", "...", "\u00e9", "e\u0301", "\u00df", "\u0130", "\u65e5\u672c\u8a9e", "\U0001f511", "\u202ea",
    "a\u200bb", "\ufeffa", "\u00a0", "a/b", "..", ".", "", " ", "a\nb", "a\r\nb", "a\tb", "a\x00b", "a\x7fb",
    "a\x85b", "a\u2028b", "a\ud800b",
)  # fmt: skip

#: Values that something on the way to a store may cut, trim, translate or run.
NASTY_TEXTS: Final = (
    "lower", " leading", "trailing ", "tab\tbed", "two\nlines", "end of line\n", "c\r\nd", "\r", "\\",
    "a\\nb",
    '"quoted"', "'quoted'", "`run`", "$HOME ${HOME} $(id) %HOME%", "a=b", "# no comment", "a # b", "{}",
    '{"a": [1]}', "null", "true", "1234", "1e400", "0123", "%41%2F%", "a+b&c=d?e", "&amp;<b>", "a;b,c:d",
    "é e\u0301 ß İ", "日本語 текст", "🔑👩‍👩‍👧", "\u202eabc",
    "zero\u200bwidth", "\ufeffbom\ufeff", "\u00a0space\u00a0",
    "line\u2028end", "next\x85line", "del\x7fete", "bell\x07bell", "esc\x1b[31m", "nul\x00nul",
    "half \ud800 pair", "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
    "    ", "\U0001d518", "\uffff\ufffd",
)  # fmt: skip

#: The longest text that is tried: longer limits would cost more time than they show.
_LONGEST: Final = 100_000
_LETTERS: Final = "Nn0é"


class NamingTests(ContractBase):
    """Names, ids and texts."""

    nasty_names = NASTY_NAMES
    nasty_texts = NASTY_TEXTS

    def _addressed(self) -> Iterator[tuple[str, Call]]:
        """The calls to one existing secret."""
        yield from (
            (name, call) for name, call in self.calls().items() if name in {"get", "update", "delete"}
        )

    @stateful("a neighbour that stays as it is")
    def test_a_secret_is_reached_by_its_name_and_by_its_id(self, face: Face) -> None:
        """Where the store tells ids, both reach the same secret and leave its neighbour alone."""
        with complaints() as noted:
            for operation, call in self._addressed():
                for way in ("name", "id"):
                    with self.holding(face) as place:
                        place.seed(self.names[1], {"value": self.sample("value")})
                        neighbour = place.row(self.names[1])
                        ids = place.ids(self.names[0])
                        if way == "id" and not (ids and self._takes_ids()):
                            continue
                        named = {"id": ids[0]} if way == "id" else {"name": self.names[0]}
                        outcome = place.outcome(Call(call.method, (), {**named, **(call.named or {})}))
                        noted.unless(outcome.error is None, f"{operation} by {way} came to {outcome}")
                        noted.unless(
                            place.row(self.names[1]) == neighbour,
                            f"{operation} by {way}: another secret has changed",
                        )
                        if operation == "get" and outcome.error is None:
                            right = outcome.result.name == self.names[0]
                            noted.unless(right, f"get by {way} gave {outcome.result.name!r}")

    def _takes_ids(self) -> bool:
        return "list" in self.capabilities.operations or "id" in self.capabilities.addressed_by.values()

    @stateful("that nothing comes into being")
    def test_a_secret_that_is_not_there_is_not_found(self, face: Face) -> None:
        """SecretNotFound, by name and by id, with applied False, and nothing comes into being."""
        with complaints() as noted:
            for operation, call in self._addressed():
                if self.deletes_softly and operation == "delete":
                    continue  # to delete what is deleted is the same to such a store
                for way in ("name", "id"):
                    with self.holding(face) as place:
                        place.seed(self.names[1], {"value": self.sample("value")})
                        ids = place.ids(self.names[1])
                        if way == "id" and not (ids and self._takes_ids()):
                            continue
                        absent = {"name": self.names[2]} if way == "name" else {"id": _another(ids[0])}
                        before = place.state()
                        outcome = place.outcome(Call(call.method, (), {**absent, **(call.named or {})}))
                        where = f"{operation} by {way}"
                        noted.unless(isinstance(outcome.error, self.missing), f"{where} came to {outcome}")
                        applied = getattr(outcome.error, "applied", None)
                        noted.unless(applied is False, f"{where}: applied is {applied} and nothing was done")
                        noted.unless(place.state() == before, f"{where}: the store has changed")

    @applies(lambda of: "delete" in of.capabilities.operations)
    def test_deleting_what_is_not_there_succeeds_where_it_was_asked_for(self, face: Face) -> None:
        """``missing_ok=True``."""
        with self.holding(face) as place, complaints() as noted:
            outcome = place.outcome(
                Call("delete_secret", (self.names[2],), {"missing_ok": True}, "delete absent")
            )
            noted.unless(outcome.error is None, f"it came to {outcome}")

    @stateful("that the secret stays")
    @applies(lambda of: of.unique_names and "create" in of.capabilities.operations)
    def test_a_taken_name_is_refused_and_its_secret_stays(self, face: Face) -> None:
        """SecretExists with applied False, from create and from renaming."""
        with complaints() as noted, self.holding(face) as place:
            place.seed(self.names[1], {"value": self.sample("value")})
            before = place.state()
            calls = [Call("create_secret", (self.names[0],), {"value": self.sample("value", 1)})]
            if "new_name" in self.capabilities.update:
                calls.append(Call("update_secret", (self.names[0],), {"new_name": self.names[1]}))
            for call in calls:
                outcome = place.outcome(call)
                taken = isinstance(outcome.error, errors.SecretExists) and outcome.error.applied is False
                noted.unless(taken, f"{call} came to {outcome}")
                noted.unless(place.state() == before, f"{call}: the store has changed")

    @stateful("several secrets of one name")
    @applies(lambda of: not of.unique_names)
    def test_a_name_that_several_bear_is_ambiguous_and_the_error_tells_their_ids(self, face: Face) -> None:
        """None of them is touched."""
        with complaints() as noted:
            for operation, call in self._addressed():
                with self.holding(face) as place:
                    place.seed(self.names[0], {"value": self.sample("value", 1)})
                    before, ids = place.state(), place.ids(self.names[0])
                    error = place.outcome(call).error
                    said = isinstance(error, errors.AmbiguousSecret) and sorted(error.ids) == sorted(ids)
                    noted.unless(said, f"{operation} came to {error!r}")
                    noted.unless(place.state() == before, f"{operation}: the store has changed")

    @stateful("a store that somebody else changes, too")
    @applies(lambda of: "get" in of.capabilities.operations and of.capabilities.reads_values)
    def test_what_changed_behind_the_bridge_is_seen(self, face: Face) -> None:
        """An adapter keeps no copy: the second reading asks the store again."""
        with complaints() as noted, self.place(face) as one:
            one.seed(self.names[0], {"value": self.sample("value")})
            one.do("get_secret", self.names[0])
            if "update" in self.capabilities.operations:
                provider = type(one)(self.make_beside(one), face)
                provider.do("update_secret", self.names[0], value=self.sample("value", 1))
            else:
                one.seed(self.names[0], {"value": self.sample("value", 1)})
            told = one.do("get_secret", self.names[0]).reveal()
            noted.unless(told == self.sample("value", 1), "an old value was told: ask the store every time")

    def make_beside(self, place: Place) -> Any:
        """Give another adapter over the store of a place, as another client; a copy unless overridden."""
        import copy
        from dataclasses import replace

        provider = object.__new__(type(place.subject.provider))
        provider.__dict__.update(copy.copy(vars(place.subject.provider)))
        return replace(place.subject, provider=provider)

    @stateful("a store that has renamed a secret")
    @applies(lambda of: "new_name" in of.capabilities.update and "get" in of.capabilities.operations)
    def test_after_a_renaming_the_new_name_leads_there_and_the_old_one_nowhere(self, face: Face) -> None:
        """Also where the old name was looked up before."""
        with complaints() as noted, self.holding(face) as place:
            place.do("get_secret", self.names[0])
            place.do("update_secret", self.names[0], new_name=self.names[2])
            new = place.outcome(Call("get_secret", (self.names[2],)))
            found = new.error is None and new.result.name == self.names[2]
            noted.unless(found, f"by its new name it came to {new}")
            old = place.outcome(Call("get_secret", (self.names[0],)))
            lost = isinstance(old.error, errors.SecretNotFound)
            noted.unless(lost, f"by its old name it came to {old}")

    @stateful("what the store makes of some sixty names")
    @applies(lambda of: bool({"create", "update"} & of.capabilities.operations))
    def test_a_name_of_every_alphabet_that_the_limits_allow_is_kept_as_it_is(self, face: Face) -> None:
        """Encode a name where it goes into a path, and never trim, fold or normalise it."""
        creates = "create" in self.capabilities.operations
        with complaints() as noted, self.place(face) as place:
            for name in dict.fromkeys([*self.names, *self.nasty_names]):
                if self.refused_name(place.subject, "create" if creates else "update", name):
                    continue
                if not creates:
                    place.seed(name, {"value": self.sample("value")})
                else:
                    made = place.outcome(Call("create_secret", (name,), {"value": self.sample("value")}))
                    noted.unless(made.error is None, f"create {name!a} came to {made}")
                noted.unless(place.row(name), f"{name!a}: the store holds it under another name")
                self._use(place, name, noted)

    def _use(self, place: Place, name: str, noted: Any) -> None:
        """Change, read and delete a secret by its name."""
        operations = self.capabilities.operations
        if "value" in self.capabilities.update:
            value = self.sample("value", 1)
            changed = place.outcome(Call("update_secret", (name,), {"value": value}))
            noted.unless(changed.error is None, f"update {name!a} came to {changed}")
            noted.unless((place.row(name) or {}).get("value") == value, f"update {name!a} changed another")
        if "get" in operations:
            got = place.outcome(Call("get_secret", (name,)))
            right = got.error is None and got.result.name == name
            noted.unless(right, f"get {name!a} came to {got}")
        if "delete" in operations:
            gone = place.outcome(Call("delete_secret", (name,)))
            noted.unless(gone.error is None, f"delete {name!a} came to {gone}")

    def test_a_name_beyond_the_limits_is_refused_before_anything_is_sent(self, face: Face) -> None:
        """The limits stand in ``capabilities.name``; what they cannot say, ``check()`` says."""
        limit = self.capabilities.name
        long = [] if limit.max_length is None else ["N" * (limit.max_length + 1)]
        short = ["N" * (limit.min_length - 1)] if limit.min_length else []
        with complaints() as noted, self.holding(face) as place:
            before = place.state()
            operation: Any = "create" if "create" in self.capabilities.operations else "get"
            operation = operation if operation in self.capabilities.operations else "update"
            given = {} if operation == "get" else {"value": self.sample("value", 1)}
            for name in [*long, *short, *self.nasty_names]:
                if name in self.nasty_names and not self.refused_name(place.subject, operation, name):
                    continue
                outcome = place.outcome(Call(f"{operation}_secret", (name,), given))
                refused = isinstance(outcome.error, errors.InvalidRequest)
                noted.unless(refused, f"{name[:40]!a} came to {outcome}")
                noted.unless(not place.requests, f"{name[:40]!a}: something was sent")
            noted.unless(place.state() == before, "the store has changed")

    @stateful("what the store makes of some forty values")
    @applies(lambda of: "value" in of.capabilities.update)
    def test_a_value_of_every_alphabet_that_the_limits_allow_is_kept_as_it_is(self, face: Face) -> None:
        """Encode it for the wire, and never trim, fold or normalise it."""
        with complaints() as noted, self.holding(face) as place:
            for text in self.nasty_texts:
                if self._refused_text("value", text):
                    continue
                outcome = place.outcome(Call("update_secret", (self.names[0],), {"value": text}))
                noted.unless(outcome.error is None, f"{text!a} came to {outcome}")
                held = (place.row(self.names[0]) or {}).get("value", "")
                noted.unless(held == text, f"{text!a} is held as {held!a}")
                if self.capabilities.reads_values and outcome.error is None:
                    told = place.do("get_secret", self.names[0], metadata=False).reveal()
                    noted.unless(told == text, f"{text!a} is told as {told!a}")

    @stateful("what the store makes of long texts")
    @applies(lambda of: "update" in of.capabilities.operations)
    def test_a_text_is_kept_at_its_limits_and_refused_just_past_them(self, face: Face) -> None:
        """Lengths count characters, not bytes. What is refused is refused before anything is sent."""
        limits = {"new_name": self.capabilities.name, **self.capabilities.limits}
        with complaints() as noted:
            for field, limit in limits.items():
                if field not in self.capabilities.update:
                    continue
                for size, fits in _sizes(limit):
                    text = _text_of(size, limit)
                    if text is None or (field == "new_name" and not text.strip()):
                        continue
                    with self.holding(face) as place:
                        self._measure(place, field, text, fits, noted)

    def _measure(self, place: Place, field: str, text: str, fits: bool, noted: Any) -> None:  # noqa: FBT001 - private
        outcome = place.outcome(Call("update_secret", (self.names[0],), {field: text}))
        where = f"{field} of {len(text):,} characters"
        if not fits:
            refused = isinstance(outcome.error, errors.InvalidRequest) and not place.requests
            noted.unless(refused, f"{where} is past its limit and came to {outcome}")
            return
        noted.unless(outcome.error is None, f"{where} is within its limit and came to {outcome}")
        name = text if field == "new_name" else self.names[0]
        held = (place.row(name) or {}).get("name" if field == "new_name" else field)
        noted.unless(held == plain(text), f"{where} is not held as it was given")

    def _refused_text(self, field: str, text: str) -> bool:
        fields = fields_given({field: text}, [])
        return bool([*update_violations(self.capabilities, fields, allow_one_way=True, if_version=None)])


def _another(id_: str) -> str:
    """Give an id of the same form that is nobody's."""
    last = "0" if id_[-1] != "0" else "1"
    return id_[:-1] + last


def _sizes(limit: Limit) -> Iterator[tuple[int, bool]]:
    if limit.min_length:
        yield limit.min_length, True
        yield limit.min_length - 1, False
    if limit.max_length is not None and limit.max_length <= _LONGEST:
        yield limit.max_length, True
        yield limit.max_length + 1, False


def _text_of(size: int, limit: Limit) -> str | None:
    """Give a text of a size that the pattern allows; None where no letter of ours does."""
    for letter in reversed(_LETTERS):
        if not limit.pattern or re.fullmatch(limit.pattern, letter * max(size, 1)):
            return letter * size
    return None
