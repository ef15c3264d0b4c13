"""What the stand-in of Wix knows of Wix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reaching import Clock, Reach, both_ways

from secretbridge.testing import Reply, WixStandIn

if TYPE_CHECKING:
    import httpx

SITES = ("site-one", "site-two")
KEY = {"authorization": "IST.wix-key", "wix-site-id": "site-one"}
SECRETS = "/api/v1/secrets"

pytestmark = [both_ways, pytest.mark.bad_requests("what a stand-in refuses is shown here")]


@pytest.fixture
def standin() -> WixStandIn:
    return WixStandIn(site_ids=SITES, account_id="account-one")


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["details"]["applicationError"]["code"]


def violations(reply: httpx.Response) -> list[tuple[str, str]]:
    assert reply.status_code == 400
    found = reply.json()["details"]["validationError"]["fieldViolations"]
    return [(violation["field"], violation["violatedRule"]) for violation in found]


def test_a_secret_goes_in_wrapped_and_comes_out_by_name(standin: WixStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        new = {"name": "STRIPE", "value": "canary-value", "description": "billing"}
        created = client.post(SECRETS, json={"secret": new})
        listed = client.get(SECRETS)
        value = client.get(f"{SECRETS}/name/STRIPE")
    row = standin.secret("STRIPE")
    assert (created.status_code, created.json()) == (200, {"id": row.id})
    assert "canary-value" not in listed.text
    (shown,) = listed.json()["secrets"]
    assert sorted(shown) == ["createdDate", "description", "id", "name", "updatedDate"]
    assert (shown["id"], shown["name"], shown["description"]) == (row.id, "STRIPE", "billing")
    assert value.json() == {"value": "canary-value"}
    assert (row.value, row.owner) == ("canary-value", "site-one")


@pytest.mark.parametrize("prefix", ["", "/_api/cloud-secrets-vault-server"])
@pytest.mark.parametrize("base", ["https://www.wixapis.com", "https://vendor.example/proxy"])
def test_both_documented_urls_lead_to_the_same_vault(reach: Reach, prefix: str, base: str) -> None:
    standin = WixStandIn(base_url=base, site_ids=SITES)
    standin.seed("STRIPE", "canary-value")
    with reach(standin, KEY) as client:
        assert client.get(f"{prefix}{SECRETS}/name/STRIPE").json() == {"value": "canary-value"}


def test_the_short_url_works_under_the_default_address(standin: WixStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        short = client.base_url.copy_with(path=SECRETS)
        assert client.get(short).json() == {"secrets": []}
    assert standin.calls == ["GET /api/v1/secrets"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value": "new"}, ("STRIPE", "new", "billing")),
        ({"name": "STRIPE_2"}, ("STRIPE_2", "old", "billing")),
        ({"description": "money"}, ("STRIPE", "old", "money")),
        ({"description": ""}, ("STRIPE", "old", "")),
        ({"description": None}, ("STRIPE", "old", "billing")),
        ({"name": "STRIPE", "value": "new"}, ("STRIPE", "new", "billing")),
        ({}, ("STRIPE", "old", "billing")),
        ({"unknown": "x"}, ("STRIPE", "old", "billing")),
    ],
)
def test_the_presence_of_a_field_is_the_mask(
    standin: WixStandIn, reach: Reach, change: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    row = standin.seed("STRIPE", "old", description="billing")
    with reach(standin, KEY) as client:
        reply = client.patch(f"{SECRETS}/{row.id}", json={"secret": change})
    assert (reply.status_code, reply.json()) == (200, {})
    (after,) = standin.secrets
    assert (after.name, after.value, after.description) == expected


def test_a_deleted_secret_is_gone_at_once(standin: WixStandIn, reach: Reach) -> None:
    row = standin.seed("STRIPE", "old")
    with reach(standin, KEY) as client:
        assert client.delete(f"{SECRETS}/{row.id}").json() == {}
        assert code(client.get(f"{SECRETS}/name/STRIPE")) == (404, "NOT_FOUND")
        assert code(client.delete(f"{SECRETS}/{row.id}")) == (404, "NOT_FOUND")
    assert standin.secrets == ()


@pytest.mark.parametrize(("service_codes", "prefix"), [(False, ""), (True, "SECRET_")])
def test_missing_and_existing_have_their_codes(reach: Reach, service_codes: bool, prefix: str) -> None:  # noqa: FBT001  # a parameter of the table
    standin = WixStandIn(site_ids=SITES, service_codes=service_codes)
    standin.seed("STRIPE", "old")
    other = standin.seed("OTHER", "old")
    with reach(standin, KEY) as client:
        new = {"secret": {"name": "STRIPE", "value": "new"}}
        assert code(client.post(SECRETS, json=new)) == (409, f"{prefix}ALREADY_EXISTS")
        assert code(client.patch(f"{SECRETS}/{other.id}", json=new)) == (409, f"{prefix}ALREADY_EXISTS")
        assert code(client.patch(f"{SECRETS}/no-such", json=new)) == (404, f"{prefix}NOT_FOUND")
    assert {secret.value for secret in standin.secrets} == {"old"}


@pytest.mark.parametrize(
    ("credential", "status"),
    [("IST.wix-key", 200), ("Bearer IST.wix-key", 401), ("wrong", 401), ("ist.wix-key", 401)],
)
def test_the_key_goes_without_bearer(standin: WixStandIn, reach: Reach, credential: str, status: int) -> None:
    with reach(standin, {**KEY, "authorization": credential}) as client:
        reply = client.get(SECRETS)
    assert reply.status_code == status
    if status == 401:
        assert code(reply) == (401, "UNAUTHENTICATED")


def test_without_any_credential_it_is_401(standin: WixStandIn, reach: Reach) -> None:
    with reach(standin, {"wix-site-id": "site-one"}) as client:
        assert code(client.get(SECRETS)) == (401, "UNAUTHENTICATED")


def test_an_access_token_names_its_site_by_itself(standin: WixStandIn, reach: Reach) -> None:
    standin.seed("STRIPE", "of-one")
    with reach(standin, {"authorization": standin.access_token}) as client:
        assert client.get(f"{SECRETS}/name/STRIPE").json() == {"value": "of-one"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (400, "INVALID_ARGUMENT")),
        ({"wix-site-id": "site-one", "wix-account-id": "account-one"}, (400, "INVALID_ARGUMENT")),
        ({"wix-site-id": "site-three"}, (403, "PERMISSION_DENIED")),
        ({"wix-account-id": "account-two"}, (403, "PERMISSION_DENIED")),
    ],
)
def test_exactly_one_known_site_or_account_is_needed(
    standin: WixStandIn, reach: Reach, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    with reach(standin, {"authorization": "IST.wix-key", **headers}) as client:
        assert code(client.get(SECRETS)) == expected


def test_each_site_and_the_account_have_secrets_of_their_own(standin: WixStandIn, reach: Reach) -> None:
    row = standin.seed("STRIPE", "of-one")
    standin.seed("STRIPE", "of-two", owner="site-two")
    standin.seed("STRIPE", "of-account", owner="account-one")
    with reach(standin, {"authorization": "IST.wix-key"}) as client:
        path = f"{SECRETS}/name/STRIPE"
        assert client.get(path, headers={"wix-site-id": "site-one"}).json() == {"value": "of-one"}
        assert client.get(path, headers={"wix-site-id": "site-two"}).json() == {"value": "of-two"}
        assert client.get(path, headers={"wix-account-id": "account-one"}).json() == {"value": "of-account"}
        foreign = {"wix-site-id": "site-two"}
        assert client.delete(f"{SECRETS}/{row.id}", headers=foreign).status_code == 404
        change = {"secret": {"value": "new"}}
        assert client.patch(f"{SECRETS}/{row.id}", json=change, headers=foreign).status_code == 404
        assert len(client.get(SECRETS, headers=foreign).json()["secrets"]) == 1
    assert standin.secret("STRIPE").value == "of-one"
    assert standin.secret("STRIPE", owner="site-two").value == "of-two"


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"name": "", "value": "v"}, [("secret.name", "MIN_LENGTH")]),
        ({"name": "n" * 51, "value": "v"}, [("secret.name", "MAX_LENGTH")]),
        ({"name": "a b", "value": "v"}, [("secret.name", "FORMAT")]),
        ({"name": "a/b", "value": "v"}, [("secret.name", "FORMAT")]),
        ({"name": "é", "value": "v"}, [("secret.name", "FORMAT")]),
        ({"name": "A\n", "value": "v"}, [("secret.name", "FORMAT")]),
        ({"name": "wixA", "value": "v"}, [("secret.name", "FORMAT")]),
        ({"name": "A", "value": ""}, [("secret.value", "MIN_LENGTH")]),
        ({"name": "A", "value": "v" * 3501}, [("secret.value", "MAX_LENGTH")]),
        ({"name": "A", "value": 5}, [("secret.value", "FORMAT")]),
        ({"name": "A", "value": "v", "description": "d" * 201}, [("secret.description", "MAX_LENGTH")]),
        ({"name": "A"}, [("secret.value", "REQUIRED_FIELD")]),
        ({"name": None, "value": "v"}, [("secret.name", "REQUIRED_FIELD")]),
        ({}, [("secret.name", "REQUIRED_FIELD"), ("secret.value", "REQUIRED_FIELD")]),
        (
            {"name": "a b", "value": ""},
            [("secret.name", "FORMAT"), ("secret.value", "MIN_LENGTH")],
        ),
    ],
)
def test_a_bad_field_is_a_violation_of_it(
    standin: WixStandIn, reach: Reach, new: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with reach(standin, KEY) as client:
        assert violations(client.post(SECRETS, json={"secret": new})) == expected
    assert standin.secrets == ()


@pytest.mark.parametrize(
    "new",
    [
        {"name": "n" * 50, "value": "v" * 3500, "description": "d" * 200},
        {"name": "_+=-@#$09azAZ", "value": "🔑\r\n", "description": "é"},
        {"name": "Wix", "value": " "},
    ],
)
def test_what_is_at_the_limits_goes_in(standin: WixStandIn, reach: Reach, new: dict[str, str]) -> None:
    with reach(standin, KEY) as client:
        assert client.post(SECRETS, json={"secret": new}).status_code == 200
    assert standin.secret(new["name"]).value == new["value"]


def test_a_violation_repeats_the_rejected_secret(standin: WixStandIn, reach: Reach) -> None:
    row = standin.seed("STRIPE", "old")
    canary = "canary" * 600
    with reach(standin, KEY) as client:
        reply = client.patch(f"{SECRETS}/{row.id}", json={"secret": {"value": canary}})
    (violation,) = reply.json()["details"]["validationError"]["fieldViolations"]
    assert violation["data"] == {"value": canary}
    assert standin.secret("STRIPE") == row


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", [("body", "FORMAT")]),
        (b"{", [("body", "FORMAT")]),
        (b"[]", [("secret", "REQUIRED_FIELD")]),
        (b'{"name":"A","value":"v"}', [("secret", "REQUIRED_FIELD")]),
        (b'{"secret":"v"}', [("secret", "REQUIRED_FIELD")]),
    ],
)
def test_without_the_wrapper_it_is_a_violation(
    standin: WixStandIn, reach: Reach, body: bytes, expected: list[tuple[str, str]]
) -> None:
    with reach(standin, KEY) as client:
        assert violations(client.post(SECRETS, content=body)) == expected


def test_a_name_in_the_path_is_percent_decoded(standin: WixStandIn, reach: Reach) -> None:
    standin.seed("a#b@c$d+e=f", "canary-value")
    with reach(standin, KEY) as client:
        encoded = client.get(f"{SECRETS}/name/a%23b%40c%24d%2Be%3Df")
        plain = client.get(f"{SECRETS}/name/a#b@c$d+e=f")
    assert encoded.json() == {"value": "canary-value"}
    assert plain.status_code == 404  # the client kept what follows the # for itself


def test_every_answer_has_a_request_id_of_its_own(reach: Reach) -> None:
    standin = WixStandIn(site_ids=SITES, rate_limit=(4, 60))
    with reach(standin, KEY) as client:
        replies = [
            client.get(SECRETS),
            client.get("/nowhere"),
            client.get(SECRETS, headers={"authorization": "wrong"}),
            client.post(SECRETS),
            client.get(SECRETS),
        ]
    assert [reply.status_code for reply in replies] == [200, 404, 401, 400, 429]
    assert len({reply.headers["x-wix-request-id"] for reply in replies}) == 5
    assert code(replies[-1]) == (429, "RESOURCE_EXHAUSTED")


def test_without_the_members_area_only_a_value_can_be_read(standin: WixStandIn, reach: Reach) -> None:
    row = standin.seed("STRIPE", "canary-value")
    standin.members_area = False
    with reach(standin, KEY) as client:
        new = {"secret": {"name": "A", "value": "v"}}
        for reply in (
            client.get(SECRETS),
            client.post(SECRETS, json=new),
            client.patch(f"{SECRETS}/{row.id}", json=new),
            client.delete(f"{SECRETS}/{row.id}"),
        ):
            assert code(reply) == (428, "FAILED_PRECONDITION")
        assert client.get(f"{SECRETS}/name/STRIPE").json() == {"value": "canary-value"}
    assert standin.secrets == (row,)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/secrets"),
        ("PUT", f"{SECRETS}/some-id"),
        ("GET", f"{SECRETS}/some-id"),
        ("GET", f"{SECRETS}/name/a/b"),
        ("GET", f"{SECRETS}extra"),
    ],
)
def test_a_wrong_path_is_a_404_of_html(standin: WixStandIn, reach: Reach, method: str, path: str) -> None:
    with reach(standin, KEY) as client:
        reply = client.request(method, path)
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html")


def test_stamps_follow_the_clock(reach: Reach) -> None:
    clock = Clock(1_735_689_600.0)
    standin = WixStandIn(site_ids=SITES, clock=clock)
    row = standin.seed("STRIPE", "old")
    clock.now += 60
    with reach(standin, KEY) as client:
        client.patch(f"{SECRETS}/{row.id}", json={"secret": {"value": "new"}})
        (shown,) = client.get(SECRETS).json()["secrets"]
    assert shown["createdDate"] == "2025-01-01T00:00:00.000Z"
    assert shown["updatedDate"] == "2025-01-01T00:01:00.000Z"


def test_a_missing_permission_can_be_scripted_as_the_401_that_wix_sometimes_gives(
    standin: WixStandIn, reach: Reach
) -> None:
    standin.script(Reply(401, json={"message": "Unauthorized", "details": {}}))
    with reach(standin, KEY) as client:
        assert [client.get(SECRETS).status_code for _ in range(2)] == [401, 200]


def test_the_secret_of_an_unknown_name_is_a_lookup_error(standin: WixStandIn, reach: Reach) -> None:
    with reach(standin, KEY), pytest.raises(LookupError, match="no secret is named 'A'"):
        standin.secret("A")
