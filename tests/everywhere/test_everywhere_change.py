"""One change reaches every target; the failure of one stops no other, and each says what came of it."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from everywhere_stores import (
    ALL,
    FACES,
    NAME,
    NEW,
    OLD,
    READABLE,
    Stores,
    at_a_write,
    everywhere,
    kinds,
    stores,
)

from secretbridge import (
    AsyncSecretBridge,
    LeftOut,
    NoReply,
    NotApplied,
    PartialUpdate,
    ProviderUnavailable,
    RateLimited,
    SecretBridge,
    SecretNotFound,
    Unknown,
    Updated,
    update_everywhere,
    update_everywhere_async,
)
from secretbridge.testing import Lost, Refused, Reply

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["stores"]


@FACES
def test_one_change_reaches_every_kind_of_store(stores: Stores, face: str) -> None:
    result = everywhere(face, stores, ALL, value=NEW)
    assert stores.values() == dict.fromkeys(ALL, NEW)
    assert kinds(result) == ["Updated"] * len(ALL)
    assert result.complete
    assert [one.provider for one in result] == [*ALL[:4], "local", "dotenv", "jsonfile"]
    assert all(0 < one.seconds < 60 for one in result)


@FACES
def test_what_was_read_back_is_checked_and_the_rest_is_best_effort(stores: Stores, face: str) -> None:
    result = everywhere(face, stores, ["wix", "ionet", "vault"], value=NEW, verify=True)
    told = [(one.guarantee, one.verified, one.version) for one in result.updated]
    assert told == [("checked", True, None), ("best-effort", None, None), ("checked", True, 2)]


@FACES
def test_the_failure_of_one_target_stops_no_other(stores: Stores, face: str) -> None:
    stores.wix.script(Reply(401, {"message": "no"}))
    stores.insforge.script(Lost())
    with pytest.raises(PartialUpdate) as caught:
        everywhere(face, stores, ["wix", "insforge", "ionet", "vault"], value=NEW)
    result = caught.value.results
    assert kinds(result) == ["NotApplied", "Unknown", "Updated", "Updated"]
    assert (caught.value.applied, caught.value.transient) == (None, False)
    assert stores.values(["wix", "ionet", "vault"]) == {"wix": OLD, "ionet": NEW, "vault": NEW}
    assert str(caught.value).startswith(
        "'STRIPE_KEY' was updated in 2 of 4 targets; Wix: not applied (AuthenticationError: "
    )
    assert "InsForge: unknown (NoReply: " in str(caught.value)


@FACES
def test_without_check_the_results_come_back_all_the_same(stores: Stores, face: str) -> None:
    stores.wix.script(Reply(500))
    result = everywhere(face, stores, ["wix", "vault"], value=NEW, check=False)
    assert (kinds(result), result.complete) == (["NotApplied", "Updated"], False)


@pytest.mark.parametrize(
    ("fault", "kind", "error"),
    [
        (Refused(), NotApplied, "NotSent"),
        (Lost(), Unknown, NoReply),
        (Lost("reset"), Unknown, NoReply),
        (Reply(500), Unknown, ProviderUnavailable),
        (Reply(503), Unknown, ProviderUnavailable),
        (Reply(429), NotApplied, RateLimited),
        (Reply(404, {"message": "no", "error": "NOT_FOUND", "statusCode": 404}), NotApplied, SecretNotFound),
        (Reply(200, body=b"<html>"), Unknown, "UnexpectedReply"),
    ],
)
@FACES
def test_each_ending_of_an_exchange_has_its_class(
    stores: Stores, face: str, fault: Refused | Lost | Reply, kind: type, error: type | str
) -> None:
    stores.insforge.script(fault)
    result = everywhere(face, stores, ["insforge", "vault"], value=NEW, check=False)
    first = result.results[0]
    assert type(first) is kind
    assert isinstance(first, (NotApplied, Unknown))
    name = error if isinstance(error, str) else error.__name__
    assert type(first.error).__name__ == name
    assert stores.value("vault") == NEW


def test_nothing_in_effect_anywhere_is_said_so(stores: Stores) -> None:
    stores.wix.script(Reply(401))
    stores.insforge.script(Reply(429))
    with pytest.raises(PartialUpdate) as caught:
        everywhere("blocking", stores, ["wix", "insforge"], value=NEW)
    assert (caught.value.applied, caught.value.transient) == (False, False)


def test_where_only_passing_failures_happened_the_error_is_transient(stores: Stores) -> None:
    stores.insforge.script(Reply(429))
    with pytest.raises(PartialUpdate) as caught:
        everywhere("blocking", stores, ["insforge", "vault"], value=NEW)
    assert (caught.value.applied, caught.value.transient) == (None, True)


@FACES
def test_a_target_is_a_name_a_bridge_a_provider_or_one_of_them_with_another_name(
    stores: Stores, face: str, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        f'[connections.vault-here]\nprovider = "local"\nlocation = "{stores.folder}/vault.db"\n'
        f'key_file = "{stores.folder}/vault.key"\n'
    )
    config.chmod(0o600)
    with SecretBridge(stores.provider("vault")) as bridge:
        bridge.create_secret("OTHER", value=OLD)
    more = ["vault-here", ("vault-here", "OTHER"), stores.provider("dotenv")]
    result = everywhere(face, stores, ["wix"], *more, value=NEW, config=str(config))
    assert [(one.target, one.secret) for one in result] == [
        ("Wix", NAME),
        ("vault-here:STRIPE_KEY", NAME),
        ("vault-here:OTHER", "OTHER"),
        ("the dotenv file", NAME),
    ]
    assert stores.values(["wix", "vault", "dotenv"]) == dict.fromkeys(["wix", "vault", "dotenv"], NEW)
    with SecretBridge(stores.provider("vault")) as bridge:
        assert bridge.get_secret("OTHER").reveal() == NEW


def test_results_are_found_by_name_and_by_place(stores: Stores) -> None:
    result = everywhere("blocking", stores, ["wix", "vault"], value=NEW)
    assert result["Wix"] is result[0]
    assert (len(result), list(result)) == (2, list(result.results))
    with pytest.raises(KeyError):
        result["nowhere"]


def test_two_stores_of_one_kind_are_told_apart_by_a_number(stores: Stores, tmp_path: Path) -> None:
    other = Stores(tmp_path)
    more = [other.provider("dotenv"), stores.provider("dotenv")]
    result = everywhere("blocking", stores, [], *more, value=NEW)
    assert [one.target for one in result] == [
        "the dotenv file:STRIPE_KEY #1",
        "the dotenv file:STRIPE_KEY #2",
    ]


@FACES
def test_bridges_that_were_given_stay_open_and_what_was_opened_is_closed(stores: Stores, face: str) -> None:
    closed: list[str] = []
    provider: Any = stores.provider("vault")
    opening = provider._vault

    def seen(channel: object) -> Any:
        vault = opening(channel)
        close = vault.close

        def noted() -> None:
            closed.append("vault")
            close()

        vault.close = noted
        return vault

    provider._vault = seen
    everywhere(face, stores, ["wix"], provider, value=NEW)
    assert closed == ["vault"]

    async def given() -> str:
        async with AsyncSecretBridge(stores.provider("vault")) as bridge:
            await update_everywhere_async(NAME, targets=[bridge], value=OLD)
            return (await bridge.get_secret(NAME)).reveal()

    assert anyio.run(given) == OLD


@FACES
def test_fields_are_three_valued_as_in_update_secret(stores: Stores, face: str) -> None:
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    with SecretBridge(stores.provider("vault")) as bridge:
        bridge.update_secret(NAME, description="text", active=True)
        everywhere(face, stores, [], stores.provider("vault"), expires_at=moment, description=None)
        seen = bridge.get_secret(NAME)
    assert (seen.reveal(), seen.description, seen.expires_at) == (OLD, None, moment)


@FACES
def test_a_target_that_cannot_hold_the_change_is_left_out_where_asked(stores: Stores, face: str) -> None:
    names = ["wix", "vault", "ionet"]
    result = everywhere(face, stores, names, value=NEW, description="d", leave_out_unfit=True)
    assert kinds(result) == ["Updated", "Updated", "LeftOut"]
    assert result.complete
    (left,) = result.left_out
    assert isinstance(left, LeftOut)
    assert "description" in str(left.error)
    assert stores.values(names) == {"wix": NEW, "vault": NEW, "ionet": OLD}
    assert stores.ionet.calls == []


@FACES
def test_what_reads_back_otherwise_is_not_called_updated(stores: Stores, face: str) -> None:
    at_a_write(stores.insforge, after=lambda: stores.insforge.seed(NAME, "somebody-elses"), method="PUT")
    result = everywhere(face, stores, ["insforge"], value=NEW, verify=True, check=False)
    (first,) = result.unknown
    assert type(first.error).__name__ == "Unverified"


def test_a_change_that_was_made_counts_even_where_reading_it_back_fails(stores: Stores) -> None:
    at_a_write(stores.insforge, after=lambda: stores.insforge.script(Reply(401)), method="PUT")
    result = everywhere("blocking", stores, ["insforge"], value=NEW, verify=True)
    (first,) = result.updated
    assert (first.verified, first.guarantee, type(first.error).__name__) == (
        None,
        "best-effort",
        "AuthenticationError",
    )


def test_targets_are_worked_on_side_by_side(stores: Stores) -> None:
    for service in (stores.wix, stores.insforge, stores.ionet, stores.appfarm):
        service.latency = 0.15
    result = everywhere("blocking", stores, ["wix", "insforge", "ionet", "appfarm"], value=NEW)
    assert sum(one.seconds for one in result) > 0.9  # four of them, two with a listing before the write
    assert max(one.seconds for one in result) < 0.7


def test_over_sockets_the_stores_are_reached_by_their_names(stores: Stores, tmp_path: Path) -> None:
    with stores.wix.serve() as wix, stores.insforge.serve() as insforge:
        (tmp_path / "key").write_text(stores.wix.api_key)
        (tmp_path / "ik").write_text(stores.insforge.api_key)
        config = tmp_path / "mine.toml"
        config.write_text(
            f'[connections.a]\nprovider = "wix"\nbase_url = "{wix}"\nsite_id = "{stores.wix.site_id}"\n'
            f'api_key = "file:key"\n[connections.b]\nprovider = "insforge"\nbase_url = "{insforge}"\n'
            'api_key = "file:ik"\n'
        )
        for path in tmp_path.glob("[kim]*"):
            path.chmod(0o600)
        result = update_everywhere(NAME, targets=["a", "b"], value=NEW, config=config)
    assert [one.target for one in result] == ["a", "b"]
    assert stores.values(["wix", "insforge"]) == {"wix": NEW, "insforge": NEW}


def test_the_plain_data_of_a_result_tells_all_but_values(stores: Stores) -> None:
    stores.wix.script(Reply(429))
    result = everywhere("blocking", stores, ["wix", "vault"], value=NEW, check=False)
    plain = result.to_json()
    for one in plain["results"]:
        assert one.pop("seconds") > 0
        one.pop("error", {}).pop("message", None)
    assert plain == {
        "run_id": None,
        "complete": False,
        "results": [
            {"target": "Wix", "secret": NAME, "provider": "wix", "state": "not applied"},
            {
                "target": "the vault",
                "secret": NAME,
                "provider": "local",
                "state": "updated",
                "guarantee": "best-effort",
                "verified": None,
                "version": 2,
            },
        ],
    }


def test_both_faces_have_the_same_parameters_and_docstring() -> None:
    one, other = inspect.signature(update_everywhere), inspect.signature(update_everywhere_async)
    assert list(one.parameters) == list(other.parameters)
    defaults = [parameter.default for parameter in one.parameters.values()]
    assert defaults == [parameter.default for parameter in other.parameters.values()]
    assert inspect.getdoc(update_everywhere) == inspect.getdoc(update_everywhere_async)


def test_it_takes_the_fields_that_update_secret_takes() -> None:
    fields = list(inspect.signature(SecretBridge.update_secret).parameters)[2:]
    ours = list(inspect.signature(update_everywhere).parameters)
    assert [name for name in fields if name not in ours] == ["id", "if_version"]


def test_what_every_store_tells_after_the_change_is_the_new_value(stores: Stores) -> None:
    everywhere("blocking", stores, READABLE, value=NEW, verify=True)
    assert stores.values(READABLE) == dict.fromkeys(READABLE, NEW)
    assert isinstance(everywhere("blocking", stores, ["vault"], value=OLD)[0], Updated)
