"""Never run: what a type checker must see where an adapter is written and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, assert_type

from secretbridge import IoNet
from secretbridge.adapter import (
    Capabilities,
    Channel,
    HeaderAuth,
    HttpProvider,
    Page,
    Provider,
    Secret,
    Target,
)
from secretbridge.testing import (
    Exchange,
    IoNetStandIn,
    ProviderContract,
    Recording,
    Reply,
    ScriptedRuntime,
    Subject,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mine(HttpProvider):
    capabilities = Capabilities(
        provider="mine", title="mine", operations=frozenset({"list"}), addressed_by={"get": "id"}
    )

    def __init__(self) -> None:
        super().__init__("https://mine.example", HeaderAuth("key", "k", header="X-Key"), allow_http=False)

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        reply = await self._ask(channel, "list", "GET", "/secrets", reads=True)
        return [Secret(name=str(reply.status))], None

    async def get(self, channel: Channel, target: Target) -> Secret:
        return Secret(name=target.name or "", id=target.id)


class TestMine(ProviderContract):
    capabilities = Mine.capabilities
    unique_names = False

    def make(self) -> Subject:
        standin = IoNetStandIn()
        standin.script(Reply(503))
        return Subject(
            provider=IoNet(api_key=standin.api_key),
            seed=lambda name, fields: standin.seed(name, str(fields["value"])),
            held=lambda: [{"name": row.name, "value": row.value} for row in standin.secrets],
            transport=standin.transport(),
        )


class TestRecorded(ProviderContract):
    capabilities = IoNet.capabilities
    recording = Recording(
        {"list": [Exchange("GET /secrets", Reply(200))], "get": ["list"]}, placeholders={"<id>": "uuid"}
    )
    not_recorded: ClassVar[Mapping[str, str]] = {"delete": "our account may not"}

    def make(self) -> Subject:
        return Subject(provider=IoNet(api_key="k"), credential="k")


def use(contract: TestMine) -> None:
    assert_type(Recording.load("recording.json"), Recording)
    assert_type(contract.make(), Subject)
    assert_type(contract.make().provider, Provider)
    assert_type(ScriptedRuntime(), ScriptedRuntime)
