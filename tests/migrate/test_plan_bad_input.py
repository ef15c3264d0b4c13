"""What is refused before anything is written, and mostly before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from migrate_place import Place, actions, bridged, bridged_async, filled, place, provider_of
from pydantic import SecretStr

from secretbridge import (
    AsyncSecretBridge,
    InsForge,
    InvalidRequest,
    JsonFile,
    Local,
    SecretBridge,
    Wix,
    migrate,
)
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretbridge._channel import Channel

__all__ = ["place"]

KEY: dict[str, Any] = {"api_key": "IST.key"}


def same_file(place: Place) -> tuple[Any, Any]:
    source = place.env()
    (place.folder / "link.env").symlink_to(source.path)
    return source, place.env("link.env")


def same_vault(place: Place) -> tuple[Any, Any]:
    return place.vault(), Local(str(place.folder / "." / "vault.db"), "production", key_file="other.key")


def same_site(_: Place) -> tuple[Any, Any]:
    return Wix(**KEY, site_id="s1"), Wix(**KEY, site_id="s1", base_url="https://www.wixapis.com")


def same_project(_: Place) -> tuple[Any, Any]:
    return InsForge("https://a.insforge.app/", **KEY), InsForge("https://a.insforge.app", api_key="other")


def same_provider(place: Place) -> tuple[Any, Any]:
    provider = Wix(**KEY, site_id="s1")
    return provider, SecretBridge(provider)


@pytest.mark.parametrize("ends", [same_file, same_vault, same_site, same_project, same_provider])
def test_the_same_store_as_source_and_target_is_refused_before_anything_is_sent(
    place: Place, ends: Callable[[Place], tuple[Any, Any]]
) -> None:
    with pytest.raises(InvalidRequest, match="target: and source are the same store"):
        migrate.plan(*ends(place))


def test_one_account_of_ionet_is_known_by_its_ids(place: Place) -> None:
    one, other = IoNetStandIn(), IoNetStandIn()
    one.seed("KEY", "1234")
    other.seed("KEY", "5678")
    values = {"KEY": SecretStr("1234")}
    with pytest.raises(InvalidRequest, match="and source list the same ids: they are one store"):
        migrate.plan(bridged(one), bridged(one), values_from=values)
    assert actions(migrate.plan(bridged(one), bridged(other), values_from=values)) == {"KEY": "refuse"}


@pytest.mark.parametrize("other", ["staging", "development"])
def test_two_environments_of_one_vault_are_two_stores(place: Place, other: str) -> None:
    source = filled(place.vault(), KEY="1")
    assert actions(migrate.plan(source, place.vault(other))) == {"KEY": "create"}


class Told(JsonFile):
    """A file that tells which store it is as a test says: one answer after the other, the last for good."""

    def __init__(self, path: Path, *answers: tuple[str, str]) -> None:
        super().__init__(path)
        self._answers = [*answers]

    async def identity(self, channel: Channel) -> tuple[str, str]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_one_store_is_known_though_somebody_writes_between_the_two_looks_at_it(place: Place) -> None:
    source = Told(place.folder / "a.json", ("it", "1"), ("it", "2"))
    target = Told(place.folder / "b.json", ("it", "2"))
    with pytest.raises(InvalidRequest, match="target: and source are the same store"):
        migrate.plan(source, target)


@pytest.mark.parametrize("theirs", [("it", "2"), ("another", "1")])
def test_a_copy_that_has_gone_its_own_way_and_another_store_are_two_stores(
    place: Place, theirs: tuple[str, str]
) -> None:
    place.json("a.json", KEY="1")
    source, target = Told(place.folder / "a.json", ("it", "1")), Told(place.folder / "b.json", theirs)
    assert actions(migrate.plan(source, target)) == {"KEY": "create"}


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_sent(place: Place) -> None:
    target = WixStandIn()
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(
            IoNetStandIn,  # type: ignore[arg-type]  # what the test is about
            AsyncSecretBridge(provider_of(target), transport=target.transport()),  # type: ignore[arg-type]  # likewise
            select="re:[",
            rename={"A": "X", "B": "X"},
            on_conflict="overwrite",  # type: ignore[arg-type]  # likewise
            values_from=3,  # type: ignore[arg-type]  # likewise
            vault="vault",  # type: ignore[arg-type]  # likewise
        )
    assert [one.field for one in caught.value.violations] == [
        "select", "rename", "on_conflict", "source", "vault", "values_from",
    ]  # fmt: skip
    assert target.calls == []


def test_patterns_and_names_that_speak_of_nothing_are_all_named(place: Place) -> None:
    source = place.env(KEY="1", OTHER="2")
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(
            source, place.json(), select=["K*", "NONE*", "re:^$"], rename={"OTHER": "X", "KEY": "Y", "Z": "Z"}
        )
    assert [(one.field, one.problem) for one in caught.value.violations] == [
        ("select", "'NONE*' selects nothing at the source"),
        ("select", "'re:^$' selects nothing at the source"),
        ("rename", "speaks of 'OTHER', which is not selected at the source"),
        ("rename", "speaks of 'Z', which is not selected at the source"),
    ]


def test_a_dotenv_file_that_cannot_be_read_is_refused_by_line_without_its_content(place: Place) -> None:
    source = place.env(A="1")
    source.path.write_text("A=1\nB='canary\n")
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(source, place.json())
    assert "line 2 is not as python-dotenv can read it" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"KEY": "bare"}, "has no SecretStr under 'KEY'"),
        (SecretStr, "is no place of values"),
        (provider_of(IoNetStandIn()), "io.net never tells a value"),
    ],
)
def test_values_from_no_place_of_values_is_refused(place: Place, values: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(place.env(), place.json(), values_from=values)
    assert [(one.field, one.problem) for one in caught.value.violations] == [("values_from", problem)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("a str", "values_from was asked and gave str, no SecretStr."),
        (ValueError("canary"), "values_from was asked and raised ValueError."),
    ],
)
def test_somebody_who_answers_wrongly_is_told_so_without_the_answer(answer: Any, reason: str) -> None:
    from secretbridge import SecretNotFound
    from secretbridge.migrate._values import Given

    def ask(_: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(SecretNotFound) as caught:
        SecretBridge(Given(ask)).get_secret("KEY", metadata=False)
    assert (str(caught.value), caught.value.__context__) == (reason, None)


def test_a_callable_answers_for_one_name_at_a_time() -> None:
    from secretbridge.migrate._values import Given

    given: Any = Given(lambda name: SecretStr(f"value of {name}"))
    told = SecretBridge(given).get_secret("KEY", metadata=False).reveal()
    assert (told, repr(given), given.check("get", None, {})) == ("value of KEY", "Given()", ())


def test_a_blocking_bridge_is_refused_on_an_event_loop(place: Place) -> None:
    async def main() -> None:
        with pytest.raises(InvalidRequest, match="source: is a blocking bridge"):
            await migrate.plan_async(bridged(WixStandIn()), place.env())  # type: ignore[arg-type]  # the point

    anyio.run(main)


def test_an_async_bridge_is_refused_without_an_event_loop(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="source: is an AsyncSecretBridge"):
        migrate.plan(bridged_async(WixStandIn()), place.env())  # type: ignore[arg-type]  # the point


def test_a_source_that_lists_nothing_is_refused(place: Place) -> None:
    from secretbridge.migrate._values import Given

    with pytest.raises(InvalidRequest, match="source: values_from lists nothing"):
        migrate.plan(Given({}), place.env())


def test_a_target_that_is_none_is_refused(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="target: is neither a bridge nor a provider"):
        migrate.plan(place.env(), "app.env")  # type: ignore[arg-type]  # the point


def test_a_source_that_cannot_be_reached_ends_the_plan_with_its_own_error(place: Place) -> None:
    from secretbridge import AuthenticationError

    standin = InsForgeStandIn()
    bridge = SecretBridge(
        InsForge(standin.base_url, api_key="ik_wrong"), transport=standin.transport(), retry=None
    )
    with pytest.raises(AuthenticationError):
        migrate.plan(bridge, place.env())
