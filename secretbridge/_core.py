"""The verbs, written once: check, find the secret, call the adapter, read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from secretbridge._checks import (
    fields_given,
    refuse,
    require_operation,
    target_violations,
    update_violations,
)
from secretbridge._models import Secret, Target
from secretbridge._runtime import finish
from secretbridge._unset import UNSET
from secretbridge.errors import (
    AmbiguousSecret,
    InvalidRequest,
    SecretBridgeError,
    SecretExists,
    SecretExpired,
    SecretNotFound,
    UnsupportedField,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from secretbridge._capabilities import Capabilities
    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Write
    from secretbridge._provider import Page, Provider

__all__ = ["Core", "equal"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: What a field is in a new secret; clearing and setting to this come to the same.
_DEFAULTS: Final[Mapping[str, bool]] = {"active": True, "protected": False, "default_for_tool": False}


def _blocking_form(provider: Provider, verb: str) -> Any:  # noqa: ANN401 - a method of a signature of its own
    """Give a store's blocking form of a verb; None without one, or where a subclass changes the verb."""
    for kind in type(provider).__mro__:
        if f"{verb}_blocking" in vars(kind):
            return getattr(provider, f"{verb}_blocking")
        if verb in vars(kind):
            return None
    return None


class Core:
    """One provider over one channel."""

    def __init__(self, provider: Provider, channel: Channel) -> None:
        self.provider = provider
        self.channel = channel
        self.capabilities: Capabilities = provider.capabilities
        #: The store's own blocking read, where it has one and this is the blocking face.
        self._get_blocking: Callable[[Channel, str | None, str | None], Secret] | None = (
            _blocking_form(provider, "get") if channel.blocks else None
        )
        #: The same for an update that renames nothing.
        self._update_blocking: (
            Callable[[Channel, str | None, str | None, Fields, int | None], Secret] | None
        ) = _blocking_form(provider, "update") if channel.blocks else None

    def get_blocking(self, name: str | None, id_: str | None, *, metadata: bool) -> Secret:
        """Give one secret; the same as ``get``, without a coroutine where the store needs none."""
        if self._get_blocking is None:
            return finish(self.get(name, id_, metadata=metadata))
        require_operation(self.capabilities, "get")
        if wrong := target_violations(self.capabilities, "get", name, id_):
            refuse(self.capabilities, "get", wrong)
        return self._get_blocking(self.channel, name, id_)

    def update_blocking(
        self,
        name: str | None,
        id_: str | None,
        arguments: Mapping[str, object],
        *,
        if_version: int | None,
        allow_one_way: bool,
        verify: bool,
    ) -> Secret:
        """Change exactly the given fields; as ``update``, without a coroutine where the store needs none."""
        if self._update_blocking is None or verify or arguments["new_name"] is not UNSET:
            update = self.update(
                name, id_, arguments, if_version=if_version, allow_one_way=allow_one_way, verify=verify
            )
            return finish(update)
        changes = self.check_update(name, id_, arguments, if_version=if_version, allow_one_way=allow_one_way)
        return self._update_blocking(self.channel, name, id_, changes, if_version)

    async def page(self, cursor: str | None, page_size: object) -> Page:
        """Give one page of the listing, without values, and the cursor of the next one or None."""
        require_operation(self.capabilities, "list")
        if isinstance(page_size, bool) or not isinstance(page_size, int) or not 1 <= page_size <= 10_000:  # noqa: PLR2004 - see the message
            raise InvalidRequest(
                violations=[Violation("page_size", "is not a whole number from 1 to 10,000")]
            )
        return await self.provider.list_page(self.channel, cursor, page_size)

    async def get(self, name: str | None, id_: str | None, *, metadata: bool) -> Secret:
        """Give one secret; where value and metadata are told apart, both are asked for."""
        of = self.capabilities
        require_operation(of, "get")
        refuse(of, "get", target_violations(of, "get", name, id_))
        target = Target(name, id_)
        addressed = of.addressed_by.get("get")
        if addressed == "either":
            secret = await self.provider.get(self.channel, target)
        else:
            if addressed == "name" and id_ is not None:
                self.channel.names.forget()  # a name may have passed to another secret: ask who bears it now
            secret = await self._at("get", target, lambda at: self.provider.get(self.channel, at))
        if metadata and not of.list_tells <= of.get_tells:
            listed = _find(await self.list(), Target(secret.name, secret.id))
            if listed is not None and listed.name != secret.name:  # renamed meanwhile
                secret = await self.provider.get(self.channel, Target(listed.name, listed.id))
            if listed is not None:
                return replace(listed, value=secret.value)
        return secret

    async def create(self, name: str, arguments: Mapping[str, object], *, allow_one_way: bool) -> Secret:
        """Make a new secret."""
        fields = self._new("create", name, arguments, allow_one_way=allow_one_way)
        return await self._created(name, fields)

    async def _created(self, name: str, fields: Fields) -> Secret:
        secret = await self.provider.create(self.channel, name, fields)
        if secret.id is not None:
            self.channel.names.add(secret.name, secret.id)
        return secret

    async def put(self, name: str, arguments: Mapping[str, object], *, allow_one_way: bool) -> Secret:
        """Create, or replace as if newly created."""
        fields = self._new("put", name, arguments, allow_one_way=allow_one_way)
        if not self.capabilities.emulates_put:
            return await self.provider.put(self.channel, name, fields)
        existing = await self._listed(name)
        if existing is None:
            try:
                return await self._created(name, fields)
            except SecretExists:
                self.channel.names.forget()
            existing = await self._listed(name)
            if existing is None:
                raise SecretNotFound(
                    f"{self.capabilities.title} says that {name!r} exists, but does not list it.",
                    provider=self.capabilities.provider,
                    operation="put",
                )
        target = Target(name, existing.id)
        return await self.provider.update(self.channel, target, self._replacing(existing, fields))

    async def update(
        self,
        name: str | None,
        id_: str | None,
        arguments: Mapping[str, object],
        *,
        if_version: int | None,
        allow_one_way: bool,
        verify: bool,
    ) -> Secret:
        """Change exactly the given fields."""
        changes = self.check_update(name, id_, arguments, if_version=if_version, allow_one_way=allow_one_way)
        target = Target(name, id_)
        try:
            secret = await self._at(
                "update",
                target,
                lambda at: self.provider.update(self.channel, at, changes, if_version=if_version),
            )
        except SecretBridgeError as error:
            if "new_name" in changes and error.applied is not False:
                self.channel.names.forget()  # who bears which name is not known any more
            raise
        if "new_name" in changes and secret.id is not None:
            self.channel.names.remove(secret.id)
            self.channel.names.add(changes["new_name"], secret.id)
        if verify:
            return await self._verified(secret, changes)
        return secret

    def check_update(
        self,
        name: str | None,
        id_: str | None,
        arguments: Mapping[str, object],
        *,
        if_version: int | None,
        allow_one_way: bool,
    ) -> Fields:
        """Give the changes that an update would send, or refuse them; nothing is sent."""
        of = self.capabilities
        require_operation(of, "update")
        wrong: list[Violation] = [*target_violations(of, "update", name, id_)]
        changes = fields_given(arguments, wrong)
        if not changes:
            wrong.append(Violation("", "nothing is to be changed", "give at least one field"))
        found = [*update_violations(of, changes, allow_one_way=allow_one_way, if_version=if_version)]
        if wrong or found:
            spoken_of = {one.field for one in wrong}
            wrong += [one for one in found if one.field not in spoken_of]
        else:
            wrong += self.provider.check("update", Target(name, id_), changes)
        if wrong:
            refuse(of, "update", wrong)
        return changes

    async def change_many(
        self, writes: Sequence[Write], *, allow_one_way: bool
    ) -> list[Secret | SecretBridgeError]:
        """Create and change many secrets in one step, where the provider has ``change_many``.

        What is refused, here or there, is given as the error that says why; the rest stands.
        """
        found: list[Secret | SecretBridgeError | None] = []
        fit: list[Write] = []
        for write in writes:
            try:
                fields = self._fields_of(write, allow_one_way=allow_one_way)
            except InvalidRequest as error:
                found.append(error)
            else:
                found.append(None)
                fit.append(write._replace(fields=fields))
        many: Any = self.provider
        told = iter(await many.change_many(self.channel, fit) if fit else ())
        return [next(told) if one is None else one for one in found]

    def _fields_of(self, write: Write, *, allow_one_way: bool) -> Fields:
        if write.creates:
            return self._new("create", write.name, write.fields, allow_one_way=allow_one_way)
        return self.check_update(
            write.name, None, write.fields, if_version=write.if_version, allow_one_way=allow_one_way
        )

    async def delete(self, name: str | None, id_: str | None, *, missing_ok: bool) -> None:
        """Delete a secret."""
        of = self.capabilities
        require_operation(of, "delete")
        refuse(of, "delete", target_violations(of, "delete", name, id_))
        gone: Target | None = None

        async def delete(at: Target) -> None:
            nonlocal gone
            gone = at
            await self.provider.delete(self.channel, at)

        try:
            await self._at("delete", Target(name, id_), delete)
        except SecretNotFound as error:
            # Unknown means that an earlier try of ours got no answer: what it asked for is so now.
            if error.applied is False and not missing_ok:
                raise
        if gone is not None and gone.id is not None:
            self.channel.names.remove(gone.id)

    def _new(
        self, operation: Operation, name: str, arguments: Mapping[str, object], *, allow_one_way: bool
    ) -> Fields:
        """Check the fields of a new secret; None is the default there, so it is left out."""
        of = self.capabilities
        require_operation(of, operation)
        wrong: list[Violation] = [*target_violations(of, operation, name, None)]
        fields = fields_given(arguments, wrong)
        spoken_of = {one.field for one in wrong}
        wrong += [
            one
            for one in update_violations(
                of, fields, allow_one_way=allow_one_way, if_version=None, creates=True
            )
            if one.field not in spoken_of
        ]
        target = Target(name)
        refuse(of, operation, [*wrong, *([] if wrong else self.provider.check(operation, target, fields))])
        return {key: given for key, given in fields.items() if given is not None}  # type: ignore[return-value]  # a part of a Fields is one

    def _replacing(self, existing: Secret, fields: Fields) -> Fields:
        """Complete the fields of a put so that nothing of the old secret remains."""
        of = self.capabilities
        whole: dict[str, Any] = dict(fields)
        stuck: list[Violation] = []
        for name in sorted(of.create - {"value"} - whole.keys()):
            old = getattr(existing, name)
            if old is None or old == _DEFAULTS.get(name, ""):
                continue
            if name in _DEFAULTS:
                whole[name] = _DEFAULTS[name]
            elif name in of.clear:
                whole[name] = None
            else:
                stuck.append(Violation(name, "is set and cannot be reset", of.resets.get(name, "")))
        if stuck:
            raise UnsupportedField(
                f"Refused before anything was changed: {of.title} cannot replace {existing.name!r}",
                violations=stuck,
                advice="Use update_secret(), which leaves such a field as it is.",
            )
        return whole  # type: ignore[return-value]  # built from a Fields

    async def list(self) -> list[Secret]:
        """Give everything, without values, and remember who is called what."""
        secrets, cursor = await self.page(None, 1000)
        while cursor is not None:
            following, cursor = await self.page(cursor, 1000)
            secrets += following
        self.channel.names.learn((secret.name, secret.id) for secret in secrets if secret.id is not None)
        return secrets

    async def _listed(self, name: str) -> Secret | None:
        """Give the one listed secret of a name, or None."""
        found = [secret for secret in await self.list() if secret.name == name]
        if len(found) > 1:
            raise self._ambiguous(name, [secret.id or "" for secret in found], "put")
        return found[0] if found else None

    async def _at(self, operation: Operation, target: Target, act: Callable[[Target], Awaitable[T]]) -> T:
        """Do something to a secret, named as the provider wants it; look again where memory was wrong."""
        wanted = self.capabilities.addressed_by.get(operation, "either")
        if wanted == "either" or (target.id if wanted == "id" else target.name) is not None:
            return await act(target)
        names = self.channel.names
        # Two ids in memory can be one that went and one that came while something else was listed: look anew.
        remembered = names.fresh and (target.name is None or len(names.ids(target.name)) <= 1)
        found = self._remembered(target) if remembered else None
        missing: SecretNotFound | None = None
        if found is not None:
            try:
                return await act(found)
            except SecretNotFound as error:
                if error.applied is not False:
                    raise
                missing = error
            names.forget()
        listed = await self._looked_up(operation, target)
        if listed is not None and (missing is None or listed != found):
            return await act(listed)
        raise missing or SecretNotFound(
            f"{self.capabilities.title} has no secret {'named' if target.name else 'of id'} {str(target)!r}.",
            provider=self.capabilities.provider,
            operation=operation,
            advice="list_secrets() shows what is there.",
        )

    def _remembered(self, target: Target) -> Target | None:
        """Complete a target from what the last listing told."""
        names = self.channel.names
        if target.name is None:
            name = names.name(target.id or "")
            return None if name is None else Target(name, target.id)
        ids = names.ids(target.name)
        return Target(target.name, ids[0]) if ids else None

    async def _looked_up(self, operation: Operation, target: Target) -> Target | None:
        """Complete a target from a listing of our own: another thread may have learned from an older one."""
        known = [(secret.name, secret.id) for secret in await self.list() if secret.id is not None]
        if target.name is None:
            return next((Target(name, id_) for name, id_ in known if id_ == target.id), None)
        ids = [id_ for name, id_ in known if name == target.name]
        if len(ids) > 1:
            raise self._ambiguous(target.name, ids, operation)
        return Target(target.name, ids[0]) if ids else None

    def _ambiguous(self, name: str, ids: Sequence[str], operation: Operation) -> AmbiguousSecret:
        error = AmbiguousSecret(
            f"{self.capabilities.title} has {len(ids)} secrets named {name!r}: {', '.join(ids)}.",
            provider=self.capabilities.provider,
            operation=operation,
            advice="Name the one you mean by id=.",
        )
        error.ids = tuple(ids)
        return error

    async def _verified(self, secret: Secret, changes: Fields) -> Secret:
        """Read back what can be read and say whether it is as it was sent."""
        of = self.capabilities
        told = of.get_tells | of.list_tells | ({"new_name"} if "list" in of.operations else set[str]())
        if not told:
            return replace(secret, verified=None)
        try:
            seen, hidden = await self._seen(secret, wants_value="value" in changes)
        except SecretBridgeError as error:
            error.applied = True  # the write was acknowledged; only the reading failed
            raise
        if seen is None:
            return replace(secret, verified=False)
        as_sent: list[bool | None] = []
        for name, sent in changes.items():
            if name not in told or (name == "value" and hidden):
                as_sent.append(None)
            else:
                as_sent.append(equal(sent, seen.name if name == "new_name" else getattr(seen, name)))
        verified = False if False in as_sent else None if None in as_sent else True
        return replace(seen, verified=verified)

    async def _seen(self, secret: Secret, *, wants_value: bool) -> tuple[Secret | None, bool]:
        """Read a secret back, and say whether its value is hidden: an inactive one is only listed."""
        of = self.capabilities
        target = Target(secret.name or None, secret.id)  # a change by id may not have learned the name
        got: Secret | None = None
        if "get" in of.operations and (wants_value or of.list_tells <= of.get_tells):
            at = Target(None, secret.id) if of.addressed_by.get("get") == "id" else target
            try:
                got = await self._at("get", at, lambda at: self.provider.get(self.channel, at))
            except (SecretNotFound, SecretExpired):
                got = None
            if got is not None and of.list_tells <= of.get_tells:
                return got, False
        listed = _find(await self.list(), target)
        if listed is None or got is None:
            return listed, True
        return replace(listed, value=got.value), False

    async def close(self) -> None:
        """Let go of all connections."""
        await self.channel.close()


def _find(secrets: list[Secret], target: Target) -> Secret | None:
    """Give the secret of an id, or where no id is known of a name."""
    if target.id is not None:
        return next((secret for secret in secrets if secret.id == target.id), None)
    return next((secret for secret in secrets if secret.name == target.name), None)


def equal(sent: object, seen: object) -> bool:
    """Compare what was sent with what was read: an empty text is no text, and times count in milliseconds."""
    if isinstance(sent, datetime) and isinstance(seen, datetime):
        return (sent - _EPOCH) // _MILLISECOND == (seen - _EPOCH) // _MILLISECOND
    if isinstance(sent, str) or sent is None:
        return (sent or None) == (seen or None)
    return sent == seen
