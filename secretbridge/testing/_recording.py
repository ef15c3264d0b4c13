"""Recorded requests with their replies, in place of a stand-in: each call of the contract is played back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from secretbridge._json import is_array, is_object
from secretbridge.testing._exchange import RecordedRequest, Reply
from secretbridge.testing._placeholders import Placeholders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from secretbridge.testing._placeholders import Kind, Matched

__all__ = ["Exchange", "Recording", "Replay"]

#: What an exchange may say in a file.
_KEYS: Final = frozenset({"request", "body", "status", "reply", "text", "headers"})
_NO_BODY: Final = object()
_NO_PLACEHOLDERS: Final = Placeholders({})
#: What stands in a file beside the calls.
_PLACEHOLDERS: Final = "placeholders"
_LAST_SUCCESS: Final = 299


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that an adapter sends, and what the store answered.

    Args:
        request: Method, path and query as on the wire: ``"PATCH /v1/secrets/s-1"``.
        reply: The answer.
        body: The request's body: bytes for one that is compared as it is, anything else for JSON. Left out:
            no body. Headers are not recorded, so that no credential is.
    """

    request: str
    reply: Reply
    body: object = field(default=_NO_BODY, repr=False)

    def fits(self, request: RecordedRequest, placeholders: Placeholders = _NO_PLACEHOLDERS) -> bool:
        """Say whether a request is this one; the order of keys in JSON does not matter."""
        return self.matched(request, placeholders) is not None

    def matched(self, request: RecordedRequest, placeholders: Placeholders) -> Matched | None:
        """Give what a request has in the place of each placeholder; None: it is another request."""
        found: Matched = {}
        fit = placeholders.fit(self.request, f"{request.method} {request.path}", found, in_path=True)
        if self.body is _NO_BODY:
            fit = fit and request.body == b""
        elif isinstance(self.body, bytes):
            fit = fit and placeholders.fit(self.body.decode("latin-1"), request.body.decode("latin-1"), found)
        else:
            try:
                fit = fit and placeholders.fit(self.body, request.json(), found)
            except ValueError:
                fit = False
        return found if fit else None

    def answer(self, matched: Matched, placeholders: Placeholders) -> Reply:
        """Give the reply to a request that fits, with what it had in the place of each placeholder."""
        reply, fill = self.reply, placeholders.filled
        headers = tuple((name, str(fill(text, matched))) for name, text in reply.headers)
        body = str(fill(reply.body, matched)) if isinstance(reply.body, str) else reply.body
        return replace(reply, json=fill(reply.json, matched), body=body, headers=headers)

    def check(self, placeholders: Placeholders) -> set[str]:
        """Give the placeholders of the request.

        Raises:
            ValueError: one is in the reply alone, so that nobody knows what it stands for.
        """
        reply = self.reply
        told = placeholders.within([reply.json, reply.body, *(text for _, text in reply.headers)])
        body = self.body.decode("latin-1") if isinstance(self.body, bytes) else self.body
        asked = placeholders.within([self.request, body])
        if alone := sorted(told - asked):
            raise ValueError(f"{self.request!r}: {', '.join(alone)} is in the reply and not in the request")
        return asked

    @property
    def told(self) -> str:
        """The request as it was recorded."""
        body = self.body
        if not isinstance(body, bytes):
            body = "" if body is _NO_BODY else json.dumps(body, sort_keys=True)
        return f"{self.request} {body!r}"

    @property
    def succeeded(self) -> bool:
        """Whether the store did what was asked."""
        return self.reply.status <= _LAST_SUCCESS


class Recording:
    """What was recorded of a store: for each call of the contract its exchanges, in turn.

    Args:
        calls: the call's name -> its exchanges. The name of another call in place of an exchange stands for
            all exchanges of that one.
        placeholders: texts that stand in requests for what is new every time -> its kind: ``uuid``, ``time``
            (a date and time of ISO 8601) or ``number``. In the reply to the same request the text stands for
            what was sent.

    Raises:
        ValueError: a call is named that is not there, or names itself; a placeholder is of no such kind,
            stands in no request, or in a reply alone.
    """

    def __init__(
        self,
        calls: Mapping[str, Sequence[Exchange | str]],
        *,
        placeholders: Mapping[str, Kind] | None = None,
    ) -> None:
        self.calls: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
            {name: tuple(_resolved(calls, name, ())) for name in calls}
        )
        self.placeholders = Placeholders(placeholders or {})
        used = {text for each in self.calls.values() for one in each for text in one.check(self.placeholders)}
        if unused := sorted(set(placeholders or ()) - used):
            raise ValueError(f"{', '.join(unused)} is a placeholder and stands in no request")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a recording from a file of JSON; docs/adapter-guide.md tells what stands in it.

        Raises:
            ValueError: it is no recording; says which call and what is wrong.
        """
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        placeholders = document.pop(_PLACEHOLDERS, {}) if is_object(document) else None
        if not is_object(placeholders) or not all(is_array(one) for one in document.values()):
            raise ValueError(f"{Path(path).name} is no recording: it maps the names of calls to lists")
        calls = {name: [_read(name, one) for one in given] for name, given in document.items()}
        return cls(calls, placeholders=placeholders)

    def __repr__(self) -> str:
        return f"Recording({', '.join(self.calls)})"


class Replay(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers as was recorded; a request that was not recorded is written down, and refused.

    Args:
        recording: what there is.
        changes_state: says whether a request may change the store.

    Attributes:
        call: whose exchanges come first; those of other calls answer too.
        played: the exchanges so far.
        missing: the requests that were not recorded.
    """

    def __init__(self, recording: Recording, changes_state: Callable[[RecordedRequest], bool]) -> None:
        self._recording = recording
        self._changes_state = changes_state
        self._changes: set[str] = set()
        self.call = ""
        self.played: list[Exchange] = []
        self.missing: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the blocking face."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the awaited face."""
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode("latin-1")
        asked = RecordedRequest(request.method, path, body=request.content)
        exchange = self._found(asked)
        if exchange is None:
            sent = f" with {request.content.decode(errors='replace')}" if request.content else ""
            self.missing.append(f"{request.method} {path}{sent}")
            raise httpx.ConnectError("not recorded", request=request)
        self.played.append(exchange)
        if exchange.succeeded and self._changes_state(asked):
            self._changes.add(exchange.told)
        placeholders = self._recording.placeholders
        reply = exchange.answer(exchange.matched(asked, placeholders) or {}, placeholders).as_reply()
        return httpx.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)

    def changes(self) -> list[Mapping[str, object]]:
        """Give the changes that the store has taken, each once: all that a recording knows of its state."""
        return [{"name": change} for change in sorted(self._changes)]

    def _found(self, request: RecordedRequest) -> Exchange | None:
        """Take the call's own next one, then one that it had, then one of another call."""
        of = self._recording
        own = [one for one in of.calls.get(self.call, ()) if one.fits(request, of.placeholders)]
        others = (one for each in of.calls.values() for one in each if one.fits(request, of.placeholders))
        fresh = (one for one in own if not any(one is played for played in self.played))
        return next(fresh, None) or next(reversed(own), None) or next(others, None)


def _resolved(
    calls: Mapping[str, Sequence[Exchange | str]], name: str, above: tuple[str, ...]
) -> list[Exchange]:
    if name in above or name not in calls:
        what = "names itself" if name in above else "is not there"
        raise ValueError(f"the recording of {above[-1]!r} leads to {name!r}, which {what}")
    found: list[Exchange] = []
    for one in calls[name]:
        found += _resolved(calls, one, (*above, name)) if isinstance(one, str) else [one]
    return found


def _read(name: str, given: Any) -> Exchange | str:  # noqa: ANN401 - whatever stands in the file
    if isinstance(given, str):
        return given
    if not is_object(given) or not isinstance(given.get("request"), str) or "status" not in given:
        raise ValueError(f"{name!r}: an exchange has at least a `request` and a `status`")
    if unknown := sorted(given.keys() - _KEYS):
        raise ValueError(f"{name!r}: an exchange has no {', '.join(unknown)}")
    reply = Reply(
        given["status"],
        json=given.get("reply"),
        body=given.get("text", ""),
        headers=tuple(given.get("headers", {}).items()),
    )
    return Exchange(given["request"], reply, given.get("body", _NO_BODY))
