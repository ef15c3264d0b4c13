"""A plan from JSON takes its stores in whatever way they are written, and no others."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, bridged, filled, place, provider_of
from test_run_together import spelled

from secretbridge import Dotenv, InvalidRequest, Local, Wix, migrate
from secretbridge.migrate import Plan
from secretbridge.testing import InsForgeStandIn, WixStandIn

if TYPE_CHECKING:
    from postgres_server import Server

__all__ = ["place"]


def refusal(text: str, source: Any, target: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        Plan.from_json(text, source, target)
    return [(one.field, one.problem.partition(" (")[0]) for one in caught.value.violations]


@pytest.mark.parametrize("url", ["https://{host}/", "HTTPS://{upper}", "https://{host}:443/"])
@pytest.mark.parametrize("standin", [WixStandIn(), InsForgeStandIn()])
def test_an_address_may_be_written_in_another_way(place: Place, standin: Any, url: str) -> None:
    host = standin.base_url.partition("//")[2].rstrip("/")
    address = url.format(host=host, upper=host.upper())
    with bridged(standin) as target:
        text = migrate.plan(place.env(A="1"), target).to_json()
    again = Plan.from_json(text, place.env(), provider_of(standin, address))
    assert again.fingerprint() == migrate.Plan.from_json(text, place.env(), target).fingerprint()


def test_another_address_or_another_site_is_another_store(place: Place) -> None:
    wix, insforge = WixStandIn(), InsForgeStandIn()
    texts = []
    for standin in (wix, insforge):
        with bridged(standin) as target:
            texts.append(migrate.plan(place.env(A="1"), target).to_json())
    elsewhere = provider_of(insforge, "https://other.example")
    another = Wix(api_key=wix.api_key, site_id=wix.site_id[::-1], base_url=wix.base_url)
    assert [refusal(texts[0], place.env(), another), refusal(texts[1], place.env(), elsewhere)] == [
        [("target", "is Wix")],
        [("target", "is InsForge")],
    ]


def test_a_path_may_be_relative_or_a_link(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    text = migrate.plan(place.env(A="1"), place.json()).to_json()
    (place.folder / "link.env").symlink_to("app.env")
    monkeypatch.chdir(place.folder)
    again = [Plan.from_json(text, Dotenv(name), place.json()) for name in ("app.env", "./link.env")]
    other = refusal(text, Dotenv(os.fspath(place.folder / "other.env")), place.json())
    assert [[plan.moved() for plan in again], other] == [[[], []], [("source", "is the dotenv file")]]


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_vault_on_postgresql_is_taken_by_another_url_and_another_vault_is_not(
    place: Place, postgres: Server, end: str
) -> None:
    key, url = place.folder / "pg.key", postgres.url()
    ours = {"source": place.env(A="1"), "target": place.json(B="2")}
    text = migrate.plan(**{**ours, end: filled(Local(url, key_file=key), C="3")}).to_json()
    again = Plan.from_json(text, **{**ours, end: Local(spelled(url), key_file=key)})
    theirs = filled(Local(postgres.url(), key_file=place.folder / "other.key"), C="3")
    strange = Plan.from_json(text, **{**ours, end: theirs})
    refused: list[list[str]] = []
    for verb in (strange.moved, partial(strange.apply, journal=place.folder / "runs")):
        with pytest.raises(InvalidRequest) as caught:
            verb()
        refused.append([f"{one.field}: {one.problem}" for one in caught.value.violations])
    other = f"{end}: is another store than the one that the plan was made for"
    assert [again.moved(), again.to_json(), again.apply(journal=place.folder / "runs").state, refused] == [
        [],
        Plan.from_json(text, **{**ours, end: Local(url, key_file=key)}).to_json(),
        "done",
        [[other]] * 2,
    ]


def test_another_environment_of_a_vault_on_postgresql_is_another_store(
    place: Place, postgres: Server
) -> None:
    key, url = place.folder / "pg.key", postgres.url()
    text = migrate.plan(place.env(A="1"), filled(Local(url, "production", key_file=key), C="3")).to_json()
    assert refusal(text, place.env(), Local(url, "staging", key_file=key)) == [("target", "is the vault")]
