"""What each store promises to two clients at once, written down without a look at how it is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from order_check import START, Ended, Next

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from order_check import Done, Outcome, State, Step

MISSING: Outcome = ("SecretNotFound", False)
EXISTS: Outcome = ("SecretExists", False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A vault's secret, or what is left of one: its version counts on."""

    version: int = 0
    value: str = ""
    description: str | None = None
    there: bool = False


class OfVault:
    """The vault: each call is one step, and no name shows a version twice.

    A change of a secret under its name is one version more. What comes to a name that nothing bore may skip
    some.
    """

    def steps(self, state: Mapping[str, Kept], done: Done, at: Next) -> Iterable[Step]:
        """Do the whole call."""
        del at
        name, given = done.call.name, done.call.given
        old = state.get(name, Kept())
        version = old.version + 1
        match done.call.verb:
            case "get":
                told = ("done", old.value, old.description, old.version) if old.there else MISSING
                yield state, Ended(told)
            case "list":
                told = tuple(sorted((one, kept.version) for one, kept in state.items() if kept.there))
                yield state, Ended(("done", told))
            case "create" if old.there:
                yield state, Ended(EXISTS)
            case "create" | "put":
                version = version if old.there else _told_above(done, old.version)
                new = Kept(version, given["value"], None, there=True)
                yield {**state, name: new}, Ended(("done", version))
            case _ if not old.there:
                yield state, Ended(MISSING)
            case "delete":
                yield {**state, name: Kept(version)}, Ended(("done",))
            case "rename":
                yield self._renamed(state, done)
            case _ if given.get("if_version", old.version) != old.version:
                yield state, Ended(("Conflict", False, old.version))
            case _:
                changes = {key: one for key, one in given.items() if key != "if_version"}
                yield {**state, name: replace(old, version=version, **changes)}, Ended(("done", version))

    @staticmethod
    def _renamed(state: Mapping[str, Kept], done: Done) -> Step:
        name, new_name = done.call.name, done.call.given["new_name"]
        old, other = state[name], state.get(new_name, Kept())
        if other.there:
            return state, Ended(EXISTS)
        version = _told_above(done, max(old.version, other.version))
        moved = {name: Kept(version), new_name: replace(old, version=version)}
        return {**state, **moved}, Ended(("done", version))

    def shown(self, state: Mapping[str, Kept]) -> object:
        """Give all that is there, with everything told of it."""
        return {
            name: (kept.value, kept.description, kept.version) for name, kept in state.items() if kept.there
        }


def _told_above(done: Done, least: int) -> int:
    """The version that a call told, where it is above what its name has shown."""
    told = done.outcome[-1]
    return told if isinstance(told, int) and told > least else least + 1


@dataclass(frozen=True, slots=True)
class Rows:
    """A service's secrets, and which id each client believes a name to bear.

    Attributes:
        rows: id -> name and value; the ids count up.
        made: how many there have been.
        known: the listing that each client believes, by name; None: it will look.
    """

    rows: Mapping[int, tuple[str, str]]
    made: int
    known: tuple[Mapping[str, tuple[int, ...]] | None, ...] = (None, None)

    def ids(self, name: str) -> tuple[int, ...]:
        """The ids that bear a name."""
        return tuple(id_ for id_, row in self.rows.items() if row[0] == name)

    def with_row(self, name: str, value: str) -> Rows:
        """One secret more."""
        return replace(self, rows={**self.rows, self.made: (name, value)}, made=self.made + 1)

    def without(self, id_: int) -> Rows:
        """One less."""
        return replace(self, rows={one: row for one, row in self.rows.items() if one != id_})

    def knowing(self, client: int, known: Mapping[str, tuple[int, ...]] | None) -> Rows:
        """The same, with another memory of one client."""
        return replace(
            self, known=tuple(known if one == client else old for one, old in enumerate(self.known))
        )

    def looked(self, client: int) -> Rows:
        """A client has listed."""
        return self.knowing(client, {name: self.ids(name) for name, _ in self.rows.values()})

    def remembered(self, client: int, name: str) -> tuple[int, ...]:
        """The ids that a client believes to bear a name."""
        known = self.known[client]
        return () if known is None else known.get(name, ())

    def noting(self, client: int, name: str, *ids: int) -> Rows:
        """A client notes which ids bear a name, if it believes a listing at all."""
        known = self.known[client]
        return self if known is None else self.knowing(client, {**known, name: ids})


class ById:
    """Wix and io.net: a name is looked up, then the id is written to; there is no compare-and-set.

    Args:
        unique: whether the service lets one secret alone bear a name.
        tells: whether it tells values.
    """

    def __init__(self, *, unique: bool, tells: bool) -> None:
        self._unique, self._tells = unique, tells

    def steps(self, state: Rows, done: Done, at: Next) -> Iterator[Step]:
        """Do one request."""
        verb, name = done.call.verb, done.call.name
        if verb == "list":
            names = tuple(sorted(row[0] for row in state.rows.values()))
            yield state.looked(done.client), Ended(("done", names))
        elif verb == "get" and self._tells:
            ids = state.ids(name)
            yield state, Ended(("done", state.rows[ids[0]][1]) if ids else MISSING)
        elif verb == "create" or at.name == "make":
            yield self._made(state, done, again=verb == "put")
        elif at.name == "write":
            yield self._written(state, done, *at.found)
        else:
            yield self._found(state, done, at)

    def _found(self, state: Rows, done: Done, at: Next) -> Step:
        """Look who bears the name, in memory or in a new listing."""
        verb, name = done.call.verb, done.call.name
        known = state.remembered(done.client, name)
        if at is START and verb != "put" and len(known) == 1:
            return self._written(state, done, known[0], remembered=True)
        state, ids = state.looked(done.client), state.ids(name)
        if len(ids) > 1:
            return state, Ended(("AmbiguousSecret", False))
        if ids and (at.name != "again" or at.found != ids[0]):
            return state, Next("write", (ids[0],))
        if verb == "put" and at is START:
            return state, Next("make")
        return state, Ended(MISSING)

    def _made(self, state: Rows, done: Done, *, again: bool) -> Step:
        name = done.call.name
        if self._unique and state.ids(name):
            return state, Next("again") if again else Ended(EXISTS)
        known = state.remembered(done.client, name)
        made = state.noting(done.client, name, *known, state.made)
        return made.with_row(name, done.call.given["value"]), Ended(("done",))

    def _written(self, state: Rows, done: Done, id_: int, *, remembered: bool = False) -> Step:
        verb, name = done.call.verb, done.call.name
        if id_ not in state.rows:
            if remembered:
                return state.knowing(done.client, None), Next("again", id_)
            return state, Ended(MISSING)
        if verb == "get":
            return state, Ended(("done", None))
        if verb == "delete":
            rest = (one for one in state.remembered(done.client, name) if one != id_)
            return state.noting(done.client, name, *rest).without(id_), Ended(("done",))
        rows = {**state.rows, id_: (name, done.call.given["value"])}
        return replace(state, rows=rows), Ended(("done",))

    def shown(self, state: Rows) -> object:
        """Give names and values, several times where there are several."""
        return Counter(state.rows.values())


@dataclass(frozen=True, slots=True)
class Row:
    """InsForge's secret; what is deleted stays, inactive.

    Attributes:
        revived: when the call ended whose POST made it active again: one that began before may do it too.
    """

    value: str
    active: bool = True
    revived: int = -1


class OfInsForge:
    """InsForge: PUT changes what is there, deleted or not, and only POST makes a new row."""

    def steps(self, state: Mapping[str, Row], done: Done, at: Next) -> Iterator[Step]:
        """Do one request."""
        verb, name = done.call.verb, done.call.name
        row = state.get(name)
        value = done.call.given.get("value", "")
        if verb == "list":
            told = tuple(sorted((one, kept.active) for one, kept in state.items()))
            yield state, Ended(("done", told))
        elif verb == "get":
            yield state, Ended(("done", row.value) if row and row.active else MISSING)
        elif at.name == "confirm":
            seen = row is not None and row.active and row.value == value
            yield state, Ended(("done",) if seen else ("Unverified", None))
        elif at.name == "make" or (verb == "create" and at is START):
            yield from self._posted(state, done)
        elif row is None:
            yield state, Next("make") if verb == "put" else Ended(MISSING)
        elif verb == "delete":
            yield {**state, name: replace(row, active=False)}, Ended(("done",))
        else:
            changed = replace(row, value=value, active=verb != "update" or row.active)
            yield {**state, name: changed}, Next("confirm") if verb == "put" else Ended(("done",))

    @staticmethod
    def _posted(state: Mapping[str, Row], done: Done) -> Iterator[Step]:
        verb, name, row = done.call.verb, done.call.name, state.get(done.call.name)
        if row is not None and row.active:
            yield state, Next("write") if verb == "put" else Ended(EXISTS)
        if row is None or not row.active or done.began < row.revived:
            made = Row(done.call.given["value"], revived=-1 if row is None else done.ended)
            yield {**state, name: made}, Next("confirm" if verb == "put" else "write")

    def shown(self, state: Mapping[str, Row]) -> object:
        """Give every row, deleted ones too."""
        return {name: (row.value, row.active) for name, row in state.items()}


class OfAppfarm:
    """An endpoint of Appfarm's: the last value stays; a locked secret keeps its own."""

    def steps(self, state: Mapping[str, Any], done: Done, at: Next) -> Iterator[Step]:
        """Do the whole call."""
        del at
        name = done.call.name
        if name == "LOCKED":
            yield state, Ended(("SecretProtected", False))
        else:
            yield {**state, name: done.call.given["value"]}, Ended(("done",))

    def shown(self, state: State) -> object:
        """Give every value."""
        return state
