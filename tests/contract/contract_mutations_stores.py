"""Broken adapters of stores that Larder is not: with versions, one-way fields, shared names, or recorded.

Those that say one thing on the class and do another are caught by tests of what is refused before anything is
sent: there the core judges by the capabilities, and an adapter can only tell it wrong ones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from contract_mutation import caught
from larder_standin import LarderStandIn
from larder_subject import larder
from secretbridge_larder import WIRE, Larder, Row, Whole

from secretbridge import Secret, errors
from secretbridge.adapter import Fault, Limit, to_json
from secretbridge.errors import Violation
from secretbridge.testing import Recording, Subject, json_reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretbridge.testing import RecordedRequest, StandInReply

KEY = "lk_Vb5Nm8Qw2Er6Ty"
RECORDING = Recording.load(
    Path(__file__).parents[2] / "examples/secretbridge-larder/tests/larder_recording.json"
)


def from_recording(kind: type[Larder]) -> Subject:
    """An adapter without a store."""
    return Subject(provider=kind(api_key=KEY), credential=KEY)


# Good adapters of stores that can do less, or that wait otherwise.


class Fixed(Larder):
    """Its values stay as they were made."""

    capabilities = replace(Larder.capabilities, update=Larder.capabilities.update - {"value"})


class Numbered(Larder):
    """Its descriptions have letters that the contract does not try."""

    capabilities = replace(
        Larder.capabilities,
        limits={**Larder.capabilities.limits, "description": Limit(max_length=5, pattern="[x-z]*")},
    )


class Gathers(Larder):
    """Does what it does side by side with nothing."""

    async def get(self, channel: Any, target: Any) -> Secret:
        whole = super().get
        found: list[Secret] = await channel.gather([lambda: whole(channel, target)], 1)
        return found[0]


class TurnsCancellation(Larder):
    """Takes an interruption for a failure of its own."""

    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except BaseException as error:
            raise KeyError(target.name) from error


# Versions.


class VersionedStandIn(LarderStandIn):
    """A shelf that counts versions, and takes a change of the right one alone."""

    def _one(self, request: RecordedRequest, row: dict[str, Any]) -> StandInReply:
        version = row.setdefault("version", 1)
        if request.method == "GET":
            return json_reply(200, {"note": None, **row})
        if request.method == "PATCH" and request.json().get("if_version", version) != version:
            return json_reply(412, {"code": "another_version"})
        row["version"] = version + 1
        return super()._one(request, row)


class VersionedWhole(Whole):
    version: int


class Versioned(Larder):
    """The adapter of such a shelf, as it should be."""

    capabilities = replace(Larder.capabilities, compare_and_set=True)

    async def get(self, channel: Any, target: Any) -> Secret:
        reply = await self._ask(
            channel, "get", "GET", f"/v1/secrets/{target.id}", secret=str(target), reads=True
        )
        row = self._parse(VersionedWhole, "get", reply)
        return replace(row.secret(row.value), version=row.version)

    async def update(
        self, channel: Any, target: Any, changes: Any, *, if_version: int | None = None
    ) -> Secret:
        given = {WIRE[name]: value for name, value in changes.items()}
        body = to_json(given if if_version is None else {**given, "if_version": if_version})
        path = f"/v1/secrets/{target.id}"
        reply = await self._ask(
            channel, "update", "PATCH", path, secret=str(target), body=body, value=changes.get("value")
        )
        return self._parse(Row, "update", reply).secret()

    def _fault(self, request: Any, reply: Any, document: Any) -> Fault:
        if reply.status == 412:
            return Fault(errors.Conflict, "another_version")
        return super()._fault(request, reply, document)


def versioned(kind: type[Larder]) -> Subject:
    return larder(kind, VersionedStandIn())


@caught(
    "a_change_of_another_version_is_a_conflict",
    "sends no version with a change",
    "another version: it came to no error",
    subject=versioned,
)
class SendsNoVersion(Versioned):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        return await super().update(channel, target, changes)


@caught(
    "a_change_of_another_version_is_a_conflict",
    "calls another version a refusal",
    "another version: it came to Rejected",
    subject=versioned,
)
class AnotherVersionIsRejected(Versioned):
    def _fault(self, request: Any, reply: Any, document: Any) -> Fault:
        return Fault(None, None) if reply.status == 412 else super()._fault(request, reply, document)


# Names that several bear.


@caught(
    "a_name_that_several_bear_is_ambiguous_and_the_error_tells_their_ids",
    "hides all but one secret of a name",
    "came to",
    settings={"unique_names": False},
)
class HidesTheOthers(Larder):
    async def list_page(self, channel: Any, cursor: Any, size: int) -> Any:
        rows, following = await super().list_page(channel, cursor, size)
        return [*{row.name: row for row in rows}.values()], following


# What the core refuses before the adapter is asked: by what the adapter says it can.


class SaysOtherwise(Larder):
    """Tells the core other capabilities than stand on its class."""

    other: ClassVar[dict[str, Any]]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.capabilities = replace(type(self).capabilities, **self.other)


@caught(
    "a_version_is_refused_where_there_is_no_compare_and_set",
    "takes a version and ignores it",
    "it came to no error",
)
class IgnoresTheVersion(SaysOtherwise):
    other: ClassVar[dict[str, Any]] = {"compare_and_set": True}


@caught(
    "each_field_that_cannot_be_changed_or_cleared_is_refused_before_anything_is_sent",
    "takes a field that the store does not have, and drops it",
    "something was sent",
)
class TakesAndDrops(SaysOtherwise):
    other: ClassVar[dict[str, Any]] = {"update": Larder.capabilities.update | {"tool_name"}}

    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        kept = {name: given for name, given in changes.items() if name in WIRE}
        return await super().update(channel, target, kept, **more)


@caught(
    "a_name_beyond_the_limits_is_refused_before_anything_is_sent",
    "sends a name that is too long",
    "something was sent",
)
class SendsLongNames(SaysOtherwise):
    other: ClassVar[dict[str, Any]] = {"name": Limit(min_length=1)}


class Consenting(Larder):
    """Larder with a field that cannot be taken back, as it should be."""

    capabilities = replace(
        Larder.capabilities,
        update=Larder.capabilities.update | {"protected"},
        one_way={"protected": "it is protected for good"},
        why_not={**Larder.capabilities.why_not, "protected": "it is protected for good"},
    )


@caught(
    "what_cannot_be_taken_back_needs_consent",
    "asks for no consent to what cannot be taken back",
    "protected: it came to",
)
class AsksForNoConsent(SaysOtherwise, Consenting):
    other: ClassVar[dict[str, Any]] = {"one_way": {}}

    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        kept = {name: given for name, given in changes.items() if name in WIRE}
        return await super().update(channel, target, kept, **more)


@caught(
    "a_refusal_before_sending_shows_neither_value_nor_credential",
    "repeats the value in a check of its own",
    "the value is in the InvalidRequest",
)
class RepeatsInCheck(Larder):
    def check(self, operation: Any, target: Any, fields: Any) -> Iterator[Violation]:
        del operation, target
        if "value" in fields:
            yield Violation("value", f"{fields['value'].get_secret_value()} is not to its taste")


# Over recorded replies.

AS_RECORDED = "each_call_sends_just_what_was_recorded_and_takes_the_answer"
RECORDED: dict[str, Any] = {"subject": from_recording, "settings": {"recording": RECORDING}}


@caught(
    "each_call_that_the_capabilities_ask_for_is_recorded_or_said_not_to_be",
    "can do more than was recorded",
    "'update tool_name' is not recorded",
    **RECORDED,
)
class MoreThanRecorded(Larder):
    capabilities = replace(Larder.capabilities, update=Larder.capabilities.update | {"tool_name"})


@caught(AS_RECORDED, "drops a field, without a store that shows it", "not in the recording", **RECORDED)
class DropsWhatWasRecorded(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        kept = {key: given for key, given in changes.items() if key != "description"}
        return await super().update(channel, target, kept, **more)


@caught(AS_RECORDED, "sends nothing, and says that it has", "update: not as recorded", **RECORDED)
class SendsNothing(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        return Secret(name=target.name, id=target.id)


__all__ = ["RECORDING", "Consenting", "Versioned", "from_recording", "versioned"]
