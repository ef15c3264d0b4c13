"""Larder's adapter broken on purpose, once for each promise, and the test that must notice."""

from __future__ import annotations

import logging
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.lowlevel
from contract_mutation import caught
from pydantic import SecretStr
from secretbridge_larder import Larder

from secretbridge import Secret, errors
from secretbridge._models import Target

NO_STOP = BaseException


class Meddling(Larder):
    """Lets a subclass see each request on its way to the channel, and its reply on its way back."""

    async def _ask(self, channel: Any, *given: Any, **named: Any) -> Any:
        owner = self

        class Between:
            async def exchange(self, request: Any, judge: Any) -> Any:
                return await owner.meddled(channel, request, judge)

        return await super()._ask(Between(), *given, **named)  # type: ignore[arg-type]  # all that _ask uses

    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        return await channel.exchange(request, judge)


# Fields.

ARRIVES = "each_field_that_can_be_changed_arrives_and_the_others_stay"


@caught(ARRIVES, "drops a field", "description: the store should hold")
class DropsAField(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        kept = {key: given for key, given in changes.items() if key != "description"}
        return await super().update(channel, target, kept, **more)


@caught(ARRIVES, "sends null for a field that was left out", "value: the store should hold")
class NullForUnset(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        return await super().update(channel, target, {"description": None, **changes}, **more)


@caught(ARRIVES, "puts a default in the place of a field that was left out", "value: the store should hold")
class DefaultForUnset(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        return await super().update(
            channel, target, {"description": "changed by a script", **changes}, **more
        )


@caught("all_fields_together_arrive_in_one_update", "sends one field of several", "all together")
class OneOfSeveral(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        if len(changes) > 1 and "value" in changes:
            changes = {"value": changes["value"]}
        return await super().update(channel, target, changes, **more)


@caught("each_field_that_can_be_cleared_is_empty_after_none", "takes None for left out", "should hold")
class NoneForUnset(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        kept = {key: given for key, given in changes.items() if given is not None}
        return await super().update(channel, target, kept, **more)


@caught(
    "the_same_change_twice_comes_to_the_same_as_once",
    "clears a field whose new value is the old one",
    "the second one changed something",
)
class ClearsTheUnchanged(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        old = await self.get(channel, target)
        if old.value == changes.get("value"):
            changes = {**changes, "value": SecretStr("-")}
        return await super().update(channel, target, changes, **more)


@caught(
    "a_new_secret_has_each_field_it_was_given_and_defaults_elsewhere",
    "makes a new secret without its expiry",
    "create with expires_at",
)
class CreatesWithoutExpiry(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        kept = {key: given for key, given in fields.items() if key != "expires_at"}
        return await super().create(channel, name, kept)  # type: ignore[arg-type]  # a part of them


@caught("put_replaces_a_secret_as_if_newly_created", "leaves the old note where put replaces", "put after")
class PutUpdates(Larder):
    capabilities = replace(Larder.capabilities, emulates_put=False)

    async def put(self, channel: Any, name: str, fields: Any) -> Secret:
        rows, _ = await self.list_page(channel, None, 100)
        for row in rows:
            if row.name == name:
                return await self.update(channel, Target(name, row.id), fields)
        return await self.create(channel, name, fields)


# Operations and what they tell.


@caught("each_operation_that_the_capabilities_name_works", "names an operation it does not have", "create")
class NoCreate(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        raise NotImplementedError


@caught(
    "an_operation_that_the_capabilities_lack_is_refused_before_anything_is_sent",
    "lacks an operation and does not say what to do instead",
    "must say what to do instead",
)
class LacksSilently(Larder):
    capabilities = replace(
        Larder.capabilities, operations=frozenset({"list", "get", "create", "update", "put"}), why_not={}
    )


@caught("the_capabilities_are_those_of_the_provider", "has other capabilities than it was tested for", "set")
class OtherCapabilities(Larder):
    capabilities = replace(Larder.capabilities, max_in_flight=1)


LISTING = "the_listing_tells_every_secret_once_and_no_value"


@caught(LISTING, "lists only the first page", "of 12 secrets it told 5")
class FirstPageOnly(Larder):
    async def list_page(self, channel: Any, cursor: Any, size: int) -> Any:
        return (await super().list_page(channel, cursor, size))[0], None


@caught(LISTING, "tells values in a listing", "a value is told")
class ListsValues(Larder):
    async def list_page(self, channel: Any, cursor: Any, size: int) -> Any:
        rows, following = await super().list_page(channel, cursor, size)
        return [await self.get(channel, Target(row.name, row.id)) for row in rows], following


@caught("reading_one_secret_tells_what_get_tells_promises", "promises a field that it does not tell", "told")
class TellsNoNote(Larder):
    async def get(self, channel: Any, target: Any) -> Secret:
        return replace(await super().get(channel, target), description=None)


@caught(
    "verify_says_true_where_the_change_can_be_read_back", "tells an expiry by the day", "verified is False"
)
class TellsDays(Larder):
    async def get(self, channel: Any, target: Any) -> Secret:
        secret = await super().get(channel, target)
        at = secret.expires_at
        return replace(secret, expires_at=at and at.replace(hour=0, minute=0, second=0))


@caught("reading_sends_nothing_that_changes_state", "notes in the store that it was read", "get sent PATCH")
class WritesOnRead(Larder):
    async def get(self, channel: Any, target: Any) -> Secret:
        await self.update(channel, target, {"description": "read"})
        return await super().get(channel, target)


# Names, ids and texts.


@caught("a_secret_is_reached_by_its_name_and_by_its_id", "takes the last secret for the one meant", "another")
class TakesTheLast(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        rows, _ = await self.list_page(channel, None, 100)
        return await super().update(channel, Target(rows[-1].name, rows[-1].id), changes, **more)


MISSING = "a_secret_that_is_not_there_is_not_found"


@caught(MISSING, "ignores a 404", "update by id came to no error")
class IgnoresNotFound(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except errors.SecretNotFound:
            return Secret(name=target.name or "", id=target.id)


@caught(MISSING, "makes a new secret where there is none to update", "the store has changed")
class MakesTheMissing(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except errors.SecretNotFound:
            return await self.create(channel, target.name or target.id, changes)


@caught(
    "deleting_what_is_not_there_succeeds_where_it_was_asked_for",
    "calls a missing secret a refusal",
    "Rejected",
)
class MissingIsRejected(Larder):
    async def list_page(self, channel: Any, cursor: Any, size: int) -> Any:
        rows, following = await super().list_page(channel, cursor, size)
        if "CONTRACT_THREE" not in {row.name for row in rows}:
            raise errors.Rejected("no such thing", provider="larder", operation="list")
        return rows, following


@caught(
    "a_taken_name_is_refused_and_its_secret_stays", "calls a taken name a conflict of versions", "Conflict"
)
class TakenIsConflict(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        try:
            return await super().create(channel, name, fields)
        except errors.SecretExists:
            raise errors.Conflict("taken", provider="larder", operation="create") from None


@caught("a_taken_name_is_refused_and_its_secret_stays", "overwrites a secret whose name is taken", "no error")
class Overwrites(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        try:
            return await super().create(channel, name, fields)
        except errors.SecretExists:
            rows, _ = await self.list_page(channel, None, 100)
            (id_,) = (row.id for row in rows if row.name == name)
            return await self.update(channel, Target(name, id_), fields)


@caught("what_changed_behind_the_bridge_is_seen", "keeps what it has read and tells it again", "an old value")
class TellsOldValues(Larder):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.read: dict[str, Secret] = {}

    async def get(self, channel: Any, target: Any) -> Secret:
        if target.id not in self.read:
            self.read[target.id] = await super().get(channel, target)
        return self.read[target.id]


@caught(
    "after_a_renaming_the_new_name_leads_there_and_the_old_one_nowhere",
    "tells the old name after a renaming",
    "by its new name",
)
class TellsOldNames(TellsOldValues):
    pass


ALPHABETS = "a_name_of_every_alphabet_that_the_limits_allow_is_kept_as_it_is"


@caught(ALPHABETS, "normalises the name", "under another name")
class NormalisesNames(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        return await super().create(channel, unicodedata.normalize("NFC", name), fields)


@caught(ALPHABETS, "trims the name", "under another name")
class TrimsNames(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        return await super().create(channel, name.strip(), fields)


@caught("a_value_of_every_alphabet_that_the_limits_allow_is_kept_as_it_is", "trims the value", "is held as")
class TrimsValues(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        if "value" in changes:
            changes = {**changes, "value": SecretStr(changes["value"].get_secret_value().strip())}
        return await super().update(channel, target, changes, **more)


@caught("a_text_is_kept_at_its_limits_and_refused_just_past_them", "truncates the value", "not held as")
class TruncatesValues(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        if "value" in changes:
            changes = {**changes, "value": SecretStr(changes["value"].get_secret_value()[:4096])}
        return await super().update(channel, target, changes, **more)


# Failures.

REFUSAL = "each_refusal_is_its_own_error_and_says_whether_the_change_was_made"


@caught(REFUSAL, "says of a failing server that nothing was done", "whether it was made is not known")
class SureOfFailure(Larder):
    def _refusal(self, *given: Any) -> Any:
        error = super()._refusal(*given)
        error.applied = False
        return error


@caught(REFUSAL, "says of every refusal that its outcome is unknown", "and nothing was done")
class NeverSure(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except errors.SecretBridgeError as error:
            error.applied = None
            raise


@caught(REFUSAL, "makes one error of all refusals", "Rejected")
class OneErrorForAll(Larder):
    def _refusal(self, request: Any, reply: Any, secrets: Any) -> Any:
        return errors.Rejected("no", provider="larder", operation=request.operation)


@caught("each_recorded_refusal_comes_to_its_error", "does not read the store's own codes", "a sealed shelf")
class ReadsNoCodes(Larder):
    def _fault(self, request: Any, reply: Any, document: Any) -> Any:
        return super()._fault(request, reply, None)


LOST = "an_answer_that_is_lost_leaves_the_change_unknown"


@caught(LOST, "takes a lost answer for done", "came to no error")
class LostIsDone(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except errors.NoReply:
            return Secret(name=target.name or "", id=target.id)


@caught(LOST, "says of a lost answer that nothing was done", "whether it was made is not known")
class LostIsNothing(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        try:
            return await super().create(channel, name, fields)
        except errors.NoReply as error:
            error.applied = False
            raise


@caught(
    "a_request_that_never_went_out_is_not_applied",
    "says of a request that never went out that its outcome is unknown",
    "and nothing was done",
)
class UnsentIsUnknown(NeverSure):
    pass


@caught("a_redirect_is_never_followed", "follows a redirect", "2 requests went out|3 requests went out")
class FollowsRedirects(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        try:
            return await channel.exchange(request, judge)
        except errors.WrongAddress:
            request.url = "https://elsewhere.invalid/secrets"
            return await channel.exchange(request, judge)


@caught("a_success_of_another_shape_is_not_taken_for_done", "takes any 200 for success", "came to no error")
class AnythingGoes(Larder):
    async def delete(self, channel: Any, target: Any) -> None:
        await self._ask(channel, "delete", "DELETE", f"/v1/secrets/{target.id}", secret=str(target))


@caught("a_create_whose_answer_was_lost_is_not_sent_again", "repeats a POST", "requests went out that create")
class RepeatsPost(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        request.idempotent = True
        return await channel.exchange(request, judge)


@caught(
    "what_is_repeated_ends_in_the_same_state_as_once",
    "says after a repeat that nothing was done",
    "applied is False, and the store has changed",
)
class ForgetsTheFirstTry(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        try:
            return await super().create(channel, name, fields)
        except errors.SecretBridgeError as error:
            error.applied = False
            raise


ONCE = "each_request_carries_each_header_once_and_its_secrets_in_no_address"


@caught(ONCE, "sends its credential twice", "authorization more than once")
class HeaderTwice(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        request.headers = (*request.headers, (b"authorization", b"Bearer other"))
        return await channel.exchange(request, judge)


@caught(ONCE, "puts the value into the address", "has a secret in its address")
class ValueInAddress(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        if b"value-two-2" in request.body:
            request.url += "?value=value-two-2"
        return await channel.exchange(request, judge)


# Secrecy.

ECHOED = "a_refusal_that_repeats_value_and_credential_shows_neither"


@caught(ECHOED, "shows the store's words as they are", "the value is in the Rejected")
class ShowsWords(Larder):
    def _refusal(self, request: Any, reply: Any, secrets: Any) -> Any:
        return errors.Rejected(reply.body.decode(), provider="larder", operation=request.operation)


@caught(ECHOED, "cuts the value out of the store's words, and leaves its encoded forms", "reversed")
class PatchesWords(Larder):
    def _refusal(self, request: Any, reply: Any, secrets: Any) -> Any:
        words = reply.body.decode()
        for secret in secrets:
            words = words.replace(secret, "***")
        return errors.Rejected(words, provider="larder", operation=request.operation)


@caught(ECHOED, "hangs the request on its errors", "the value is in the")
class KeepsTheRequest(Larder):
    def _refusal(self, request: Any, reply: Any, secrets: Any) -> Any:
        error: Any = super()._refusal(request, reply, secrets)
        error.body = request.body
        return error


@caught(
    "a_failure_in_the_store_shows_neither_value_nor_credential",
    "leaks the value in an error of its own",
    "the value is in the SecretExists",
)
class LeaksOnTaken(Larder):
    async def create(self, channel: Any, name: str, fields: Any) -> Secret:
        try:
            return await super().create(channel, name, fields)
        except errors.SecretExists:
            text = f"{name} is there; {fields['value'].get_secret_value()} was not kept"
            raise errors.SecretExists(text, provider="larder", operation="create") from None


QUIET = "a_success_shows_neither_value_nor_credential"


@caught(QUIET, "logs the value", "in a log, a warning or output")
class LogsTheValue(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        logging.getLogger("larder").debug("sending %r", request.body)
        return await channel.exchange(request, judge)


@caught(QUIET, "logs the credential", "the credential is in a log")
class LogsTheKey(Meddling):
    async def meddled(self, channel: Any, request: Any, judge: Any) -> Any:
        logging.getLogger("larder").info("sending with %r", request.auth.headers())
        return await channel.exchange(request, judge)


@caught("the_provider_itself_shows_no_credential", "shows its credential in its repr", "shows the credential")
class ShowsItsKey(Larder):
    def __repr__(self) -> str:
        return f"Larder({self._auth.headers()})"


# Waiting.

WAITS = "nothing_is_waited_for_but_the_channel"


@caught(WAITS, "blocks the event loop", "blocked the event loop: open", faces=("asyncio", "trio"))
class BlocksTheLoop(Larder):
    async def get(self, channel: Any, target: Any) -> Secret:
        Path(__file__).with_suffix(".txt").exists()
        with Path("/dev/null").open(encoding="utf-8"):  # noqa: ASYNC230 - that is what is wrong with it
            return await super().get(channel, target)


@caught(WAITS, "sleeps", "slept: time.sleep")
class Sleeps(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        time.sleep(0)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().update(channel, target, changes, **more)


@caught(WAITS, "waits on the event loop by itself", "came to|awaited something other")
class WaitsByItself(Larder):
    async def delete(self, channel: Any, target: Any) -> None:
        await anyio.lowlevel.checkpoint()
        await super().delete(channel, target)


@caught("the_pause_that_a_store_asks_for_is_kept_and_no_other", "repeats after a 429 at once", "paused for")
class ImpatientRepeats(Larder):
    async def list_page(self, channel: Any, cursor: Any, size: int) -> Any:
        try:
            once = channel.with_options(
                timeout=channel.timeout, retry=replace(channel.retry, attempts=1), pace=None
            )
            return await super().list_page(once, cursor, size)
        except errors.RateLimited:
            return await super().list_page(channel, cursor, size)


@caught(
    "a_call_can_be_broken_off_at_every_wait_and_the_bridge_goes_on", "swallows a cancellation", "swallowed"
)
class SwallowsCancellation(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        try:
            return await super().update(channel, target, changes, **more)
        except NO_STOP:
            return Secret(name=target.name or "", id=target.id)


@caught(
    "calls_side_by_side_do_not_mix",
    "keeps a call's fields on itself between two steps",
    "holds another value",
    faces=("asyncio", "trio"),
)
class MixesCalls(Larder):
    async def update(self, channel: Any, target: Any, changes: Any, **more: Any) -> Secret:
        self.changes = changes
        await self.get(channel, target)
        return await super().update(channel, target, self.changes, **more)
