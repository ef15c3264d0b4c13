"""What an adapter is: the contract between core and a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pydantic import SecretStr

    from secretbridge._capabilities import Capabilities
    from secretbridge._channel import Channel
    from secretbridge._models import Fields, Operation, Secret, Target, Write
    from secretbridge.errors import SecretBridgeError, Violation

__all__ = ["Beyond", "Page", "Provider"]

#: One page of a listing, and the cursor of the next one or None.
Page = tuple[list["Secret"], "str | None"]


@runtime_checkable
class Provider(Protocol):
    """An adapter: which store, with which credential, and how each operation is said there.

    Core has checked every argument against ``capabilities`` before it calls, calls only operations named
    there, and fills in the name or the id that ``addressed_by`` asks for. An adapter keeps no state, never
    sleeps, repeats or logs: ``channel`` does. It waits for nothing but ``channel``.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this provider can do."""
        ...

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Give one page of at most ``size`` secrets (all at once where the provider has no pages)."""
        ...

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret with all that ``capabilities.get_tells`` promises."""
        ...

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Make a new secret; SecretExists where the name is taken."""
        ...

    async def update(
        self, channel: Channel, target: Target, changes: Fields, *, if_version: int | None = None
    ) -> Secret:
        """Change exactly the given fields."""
        ...

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create, or replace as if newly created."""
        ...

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret; SecretNotFound where there is none."""
        ...

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:
        """Give what is wrong with a call beyond ``capabilities``, from its arguments alone."""
        ...


class Beyond(Protocol):
    """What an adapter may offer beyond ``Provider``, for migrations; each is looked for by its name.

    An adapter takes over what it has and leaves the rest out; it does not derive from this class.
    """

    @property
    def store(self) -> str:
        """Which store this is, without a credential: a path, or an address with a project."""
        ...

    @property
    def environment(self) -> str:
        """Which of the store's environments the connection chose."""
        ...

    @property
    def declared(self) -> Collection[str]:
        """The names that are there, where the provider cannot list them."""
        ...

    @property
    def moved_by_reading(self) -> Collection[str]:
        """Fields of ``Secret`` that change when a value is read."""
        ...

    @property
    def costs(self) -> Mapping[Operation, int]:
        """Requests that an operation takes, where that is not one."""
        ...

    @property
    def reads_whole(self) -> bool:
        """Whether ``read_many`` costs the same for one name and for all."""
        ...

    async def read_many(self, channel: Channel, names: Iterable[str]) -> Sequence[Secret]:
        """Give many secrets with their values, in the order asked for."""
        ...

    async def list_names(self, channel: Channel) -> Sequence[str]:
        """Give the names alone, where they are all that a listing tells."""
        ...

    async def read_values(self, channel: Channel, names: Iterable[str]) -> Sequence[SecretStr]:
        """Give many values, in the order asked for."""
        ...

    async def environments_of(self, channel: Channel, ids: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """Give the other environments in which secrets have a value, by id; without any, it is left out."""
        ...

    async def write_many(self, channel: Channel, writes: Iterable[tuple[str, SecretStr | None]]) -> None:
        """Put many values, all or none; None deletes. For stores that keep values and nothing else."""
        ...

    async def change_many(
        self, channel: Channel, writes: Sequence[Write]
    ) -> Sequence[Secret | SecretBridgeError]:
        """Create and change many secrets in one step; what is refused is given as its error, the rest stands.

        An error that is raised is about all of them.
        """
        ...

    async def identity(self, channel: Channel) -> tuple[str, str]:
        """Give which store this is, where one may be reached in several ways, and a sign of what it holds.

        Two ways lead to one store where both are the same at the same moment.
        """
        ...

    async def denied(self, channel: Channel, wanted: Iterable[tuple[Operation, str]]) -> Sequence[str]:
        """Say why the credential may not do this to these names, in order; "" where it may."""
        ...
