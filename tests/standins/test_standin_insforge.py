"""What the stand-in of InsForge knows of InsForge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from reaching import Clock, Reach, both_ways

from secretbridge.testing import InsForgeStandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_800_000_000.0
KEY = {"authorization": "Bearer ik_insforge-key"}
SECRETS = "/api/secrets"
A = f"{SECRETS}/A"

pytestmark = [both_ways, pytest.mark.bad_requests("what a stand-in refuses is shown here")]


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def standin(clock: Clock) -> InsForgeStandIn:
    return InsForgeStandIn(clock=clock, platform_rows=False)


def code(reply: httpx.Response) -> tuple[int, str]:
    body = reply.json()
    assert body["statusCode"] == reply.status_code
    return reply.status_code, body["error"]


def row_of(standin: InsForgeStandIn, client: httpx.Client, name: str) -> Mapping[str, Any]:
    """The row as the listing shows it."""
    (row,) = [row for row in client.get(SECRETS).json()["secrets"] if row["key"] == name]
    assert row["id"] == standin.secret(name).id
    found: Mapping[str, Any] = row
    return found


# Each call, as it should be.


def test_a_secret_goes_in_is_listed_without_its_value_and_comes_out(
    standin: InsForgeStandIn, reach: Reach
) -> None:
    with reach(standin, KEY) as client:
        created = client.post(SECRETS, json={"key": "A", "value": "canary-value"})
        listed = client.get(SECRETS)
        value = client.get(A)
    assert created.status_code == 201
    assert created.json() == {
        "success": True,
        "message": "Secret A has been created successfully",
        "id": standin.secret("A").id,
    }
    assert "canary-value" not in listed.text
    assert listed.json() == {
        "secrets": [
            {
                "id": standin.secret("A").id,
                "key": "A",
                "isActive": True,
                "isReserved": False,
                "lastUsedAt": None,
                "expiresAt": None,
                "createdAt": "2027-01-15T08:00:00.000Z",
                "updatedAt": "2027-01-15T08:00:00.000Z",
            }
        ]
    }
    assert value.json() == {"key": "A", "value": "canary-value"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value": "new"}, ("new", True, False, NOW + 60)),
        ({"isActive": False}, ("old", False, False, NOW + 60)),
        ({"isActive": None}, ("old", None, False, NOW + 60)),
        ({"isReserved": True}, ("old", True, True, NOW + 60)),
        ({"expiresAt": None}, ("old", True, False, None)),
        ({"expiresAt": ""}, ("old", True, False, None)),
        ({"value": "new", "unknown": 1}, ("new", True, False, NOW + 60)),
    ],
)
def test_put_is_partial(
    standin: InsForgeStandIn, reach: Reach, change: dict[str, Any], expected: tuple[object, ...]
) -> None:
    standin.seed("A", "old", expires_at=NOW + 60)
    with reach(standin, KEY) as client:
        reply = client.put(A, json=change)
    assert (reply.status_code, reply.json()["success"]) == (200, True)
    row = standin.secret("A")
    assert (row.value, row.active, row.reserved, row.expires_at) == expected


def test_put_creates_nothing_and_cannot_rename(standin: InsForgeStandIn, reach: Reach) -> None:
    with reach(standin, KEY) as client:
        assert code(client.put(A, json={"value": "new"})) == (404, "SECRET_NOT_FOUND")
        standin.seed("A", "old")
        assert client.put(A, json={"key": "B", "value": "new"}).status_code == 200
    assert [(row.name, row.value) for row in standin.secrets] == [("A", "new")]


def test_health_needs_no_credential(standin: InsForgeStandIn, reach: Reach) -> None:
    with reach(standin, {}) as client:
        reply = client.get("/api/health")
    assert (reply.status_code, reply.json()) == (
        200,
        {
            "status": "ok",
            "version": "2.3.1",
            "service": "Insforge OSS Backend",
            "timestamp": "2027-01-15T08:00:00.000Z",
        },
    )


# Who may.


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": "Bearer ik_insforge-key"}, (200, "")),
        ({"x-api-key": "ik_insforge-key"}, (200, "")),
        ({"authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.admin.stand-in"}, (200, "")),
        ({}, (401, "AUTH_INVALID_CREDENTIALS")),
        ({"authorization": "bearer ik_insforge-key"}, (401, "AUTH_INVALID_CREDENTIALS")),
        ({"authorization": "ik_insforge-key"}, (401, "AUTH_INVALID_CREDENTIALS")),
        ({"authorization": "Bearer ik_wrong"}, (401, "AUTH_INVALID_API_KEY")),
        ({"x-api-key": "ik_wrong"}, (401, "AUTH_INVALID_API_KEY")),
        ({"authorization": "Bearer eyJ.expired.x"}, (401, "AUTH_UNAUTHORIZED")),
        ({"authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.user.stand-in"}, (403, "AUTH_UNAUTHORIZED")),
        (
            {
                "authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.admin.stand-in",
                "x-api-key": "ik_wrong",
            },
            (401, "AUTH_INVALID_API_KEY"),
        ),
    ],
)
def test_a_credential_is_judged_by_its_shape(
    standin: InsForgeStandIn, reach: Reach, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    with reach(standin, headers) as client:
        reply = client.get(SECRETS)
    assert (reply.status_code, reply.json().get("error", "")) == expected


def test_a_false_401_looks_like_a_wrong_key_and_changes_nothing(
    standin: InsForgeStandIn, reach: Reach
) -> None:
    standin.script(InsForgeStandIn.FALSE_401)
    with reach(standin, KEY) as client:
        false = client.post(SECRETS, json={"key": "A", "value": "v"})
        right = client.get(SECRETS)
        wrong = client.get(SECRETS, headers={"authorization": "Bearer ik_wrong"})
    assert code(false) == (401, "AUTH_INVALID_API_KEY")
    assert false.json() == wrong.json()
    assert right.json() == {"secrets": []}


@pytest.mark.parametrize(("in_flight", "expected"), [(4, 0), (12, 4)])
def test_a_good_key_is_turned_away_only_in_a_crowd(
    standin: InsForgeStandIn, reach: Reach, in_flight: int, expected: int
) -> None:
    standin.false_401, standin.latency = 2, 0.02
    statuses: list[int] = []

    async def ask(client: httpx.AsyncClient) -> None:
        statuses.append((await client.get(SECRETS)).status_code)

    async def crowd() -> None:
        transport = standin.transport()
        async with (
            httpx.AsyncClient(base_url=standin.base_url, transport=transport, headers=KEY) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(in_flight):
                group.start_soon(ask, client)

    asyncio.run(crowd())
    assert statuses.count(401) == expected
    assert statuses.count(200) == in_flight - expected
    assert standin.most_in_flight == in_flight


# What a client gets wrong, and how the server says so.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "INVALID_INPUT")),
        ({"key": "A"}, (400, "INVALID_INPUT")),
        ({"key": "A", "value": ""}, (400, "INVALID_INPUT")),
        ({"key": "", "value": "v"}, (400, "INVALID_INPUT")),
        ({"key": "a", "value": "v"}, (400, "INVALID_INPUT")),
        ({"key": "A-B", "value": "v"}, (400, "INVALID_INPUT")),
        ({"key": "A\n", "value": "v"}, (400, "INVALID_INPUT")),
        ([], (400, "INVALID_INPUT")),
        ({"key": "A", "value": 5}, (500, "INTERNAL_ERROR")),
        ({"key": 5, "value": "v"}, (500, "INTERNAL_ERROR")),
        ({"key": ["A"], "value": "v"}, (500, "INTERNAL_ERROR")),
        ({"key": "A", "value": "v", "isReserved": "yes"}, (500, "INTERNAL_ERROR")),
        ({"key": "A", "value": "v", "expiresAt": "tomorrow"}, (500, "INTERNAL_ERROR")),
    ],
)
def test_a_bad_post_is_400_or_500(
    standin: InsForgeStandIn, reach: Reach, body: object, expected: tuple[int, str]
) -> None:
    with reach(standin, KEY) as client:
        assert code(client.post(SECRETS, json=body)) == expected
    assert standin.secrets == ()


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"unknown": 1},
        {"value": 5},
        {"value": None},
        {"isActive": "false"},
        {"isReserved": 1},
        {"expiresAt": "tomorrow"},
        {"expiresAt": 1e300},
        {"expiresAt": ["2030-01-01"]},
        {"value": "new", "isActive": "yes"},
    ],
)
def test_a_bad_put_is_500_and_changes_nothing(standin: InsForgeStandIn, reach: Reach, body: object) -> None:
    row = standin.seed("A", "old")
    with reach(standin, KEY) as client:
        assert code(client.put(A, json=body)) == (500, "INTERNAL_ERROR")
    assert standin.secret("A") == row


@pytest.mark.parametrize("body", [b"{", b"\xff", b'"text"', b"5", b"null"])
def test_a_body_that_is_no_json_object_is_400_whoever_asks(
    standin: InsForgeStandIn, reach: Reach, body: bytes
) -> None:
    with reach(standin, {"content-type": "application/json"}) as client:
        assert code(client.post(SECRETS, content=body)) == (400, "INVALID_INPUT")


def test_a_body_of_another_type_is_not_read(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("A", "old")
    with reach(standin, {**KEY, "content-type": "text/plain"}) as client:
        assert code(client.put(A, content=b'{"value":"new"}')) == (500, "INTERNAL_ERROR")
    assert standin.secret("A").value == "old"


def test_a_body_over_the_limit_is_500(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("A", "old")
    standin.body_limit = 1000
    with reach(standin, KEY) as client:
        assert client.put(A, json={"value": "v" * 900}).status_code == 200
        assert code(client.put(A, json={"value": "v" * 1000})) == (500, "INTERNAL_ERROR")
    assert standin.secret("A").value == "v" * 900


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/secrets"),
        ("GET", "/api/secret"),
        ("PATCH", A),
        ("DELETE", SECRETS),
        ("GET", f"{A}/value"),
        ("GET", "/extra/api/secrets"),
    ],
)
def test_a_wrong_address_is_a_404_of_its_own_kind(
    standin: InsForgeStandIn, reach: Reach, method: str, path: str
) -> None:
    with reach(standin, KEY) as client:
        reply = client.request(method, path)
    assert code(reply) == (404, "NOT_FOUND")
    assert reply.json()["message"] == f"Endpoint {path} not found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(("older", "expected"), [(False, "SECRET_NOT_FOUND"), (True, "NOT_FOUND")])
def test_a_missing_secret_has_another_code_in_older_versions(
    reach: Reach,
    method: str,
    older: bool,  # noqa: FBT001  # a parameter of the table
    expected: str,
) -> None:
    with reach(InsForgeStandIn(older=older), KEY) as client:
        reply = client.request(method, A)
    assert code(reply) == (404, expected)
    assert "Endpoint" not in reply.json()["message"]


@pytest.mark.parametrize(("older", "expected"), [(False, "SECRET_ALREADY_EXISTS"), (True, "INVALID_INPUT")])
@pytest.mark.parametrize("expires_at", [None, NOW - 60])
def test_post_on_an_active_key_is_409_even_if_it_has_expired(
    clock: Clock,
    reach: Reach,
    older: bool,  # noqa: FBT001  # a parameter of the table
    expected: str,
    expires_at: float | None,
) -> None:
    standin = InsForgeStandIn(older=older, clock=clock)
    row = standin.seed("A", "old", expires_at=expires_at)
    with reach(standin, KEY) as client:
        assert code(client.post(SECRETS, json={"key": "A", "value": "new"})) == (409, expected)
    assert standin.secret("A") == row


# The traps, in the order in which the documents number them.


def test_trap_1_updated_at_moves_when_a_value_is_read(
    standin: InsForgeStandIn, clock: Clock, reach: Reach
) -> None:
    standin.seed("A", "old")
    clock.now += 1
    with reach(standin, KEY) as client:
        client.get(SECRETS)
        assert row_of(standin, client, "A")["updatedAt"] == "2027-01-15T08:00:00.000Z"
        client.get(A)
        row = row_of(standin, client, "A")
    assert (row["updatedAt"], row["lastUsedAt"]) == ("2027-01-15T08:00:01.000Z", "2027-01-15T08:00:01.000Z")


def test_trap_2_post_revives_a_deleted_row_with_its_old_expiry(
    standin: InsForgeStandIn, reach: Reach
) -> None:
    row = standin.seed("A", "old", active=False, expires_at=NOW - 60)
    with reach(standin, KEY) as client:
        revived = client.post(SECRETS, json={"key": "A", "value": "new"})
        assert (revived.status_code, revived.json()["id"]) == (201, row.id)
        assert code(client.get(A)) == (404, "SECRET_NOT_FOUND")
    after = standin.secret("A")
    assert (after.value, after.active, after.expires_at) == ("new", True, NOW - 60)


def test_trap_2_a_post_that_names_an_expiry_sets_it(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("A", "old", active=False, expires_at=NOW - 60)
    with reach(standin, KEY) as client:
        new = {"key": "A", "value": "new", "expiresAt": "2027-01-15T09:00:00Z"}
        assert client.post(SECRETS, json=new).status_code == 201
        assert client.get(A).json()["value"] == "new"


@pytest.mark.parametrize(
    ("active", "expires_at", "along"),
    [(False, None, {"isActive": True}), (True, NOW, {"expiresAt": None}), (None, None, {"isActive": True})],
)
def test_trap_3_put_on_a_dead_row_is_200_and_it_stays_unreadable(
    standin: InsForgeStandIn,
    reach: Reach,
    active: bool | None,  # noqa: FBT001  # a parameter of the table
    expires_at: float | None,
    along: dict[str, object],
) -> None:
    standin.null_flags = True
    standin.seed("A", "old", active=active, expires_at=expires_at)
    with reach(standin, KEY) as client:
        assert client.put(A, json={"value": "new"}).status_code == 200
        assert client.get(A).status_code == 404
        assert client.put(A, json={"value": "newer", **along}).status_code == 200
        assert client.get(A).json()["value"] == "newer"


@pytest.mark.parametrize("change", [{"value": "new"}, {"isReserved": False}, {}])
def test_trap_4_reserved_is_a_one_way_door(
    standin: InsForgeStandIn, reach: Reach, change: dict[str, object]
) -> None:
    standin.seed("A", "old")
    with reach(standin, KEY) as client:
        assert client.put(A, json={"isReserved": True}).status_code == 200
        assert code(client.put(A, json=change)) == (403, "FORBIDDEN")
        assert code(client.delete(A)) == (403, "FORBIDDEN")
        assert client.get(A).json()["value"] == "old"


def test_trap_6_an_empty_value_is_400_with_post_and_200_with_put(
    standin: InsForgeStandIn, reach: Reach
) -> None:
    with reach(standin, KEY) as client:
        assert client.post(SECRETS, json={"key": "A", "value": ""}).status_code == 400
        assert client.post(SECRETS, json={"key": "A", "value": "placeholder"}).status_code == 201
        assert client.put(A, json={"value": ""}).status_code == 200
        assert client.get(A).json() == {"key": "A", "value": ""}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (None, None),
        (0, None),
        ("2030-01-02T03:04:05.678Z", "2030-01-02T03:04:05.678Z"),
        ("2030-01-02T03:04:05.678999Z", "2030-01-02T03:04:05.678Z"),
        ("2030-01-02T05:04:05+02:00", "2030-01-02T03:04:05.000Z"),
        ("2030-01-02", "2030-01-02T00:00:00.000Z"),
        (1_893_553_445_678, "2030-01-02T03:04:05.678Z"),
        (1_893_553_445, "1970-01-22T21:59:13.445Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_trap_7_an_expiry_is_iso_or_milliseconds(
    standin: InsForgeStandIn, reach: Reach, sent: object, shown: str | None
) -> None:
    standin.seed("A", "old", expires_at=NOW + 60)
    with reach(standin, KEY) as client:
        assert client.put(A, json={"expiresAt": sent}).status_code == 200
        assert row_of(standin, client, "A")["expiresAt"] == shown
        assert client.post(SECRETS, json={"key": "B", "value": "v", "expiresAt": sent}).status_code == 201
        assert row_of(standin, client, "B")["expiresAt"] == shown


@pytest.mark.parametrize("value", ["🔑é", "a\r\nb\n", "\x00", " ", "\\ud800", "v" * 1_000_000])
def test_trap_8_values_come_back_exactly(standin: InsForgeStandIn, reach: Reach, value: str) -> None:
    standin.seed("A", "old")
    with reach(standin, KEY) as client:
        client.put(A, json={"value": value})
        assert client.get(A).json()["value"] == value


def test_trap_8_but_half_a_surrogate_pair_is_replaced_without_a_word(
    standin: InsForgeStandIn, reach: Reach
) -> None:
    standin.seed("A", "old")
    with reach(standin, {**KEY, "content-type": "application/json"}) as client:
        body = rb'{"value":"a\ud800b \ud83d\udd11"}'
        assert client.put(A, content=body).status_code == 200
        assert client.get(A).json()["value"] == "a\ufffdb 🔑"


def test_trap_9_the_key_pattern_is_not_looked_at_in_a_path(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("old/name ä", "old")
    with reach(standin, KEY) as client:
        path = f"{SECRETS}/old%2Fname%20%C3%A4"
        assert client.put(path, json={"value": "new"}).status_code == 200
        assert client.get(path).json() == {"key": "old/name ä", "value": "new"}
        assert client.delete(path).status_code == 200


@pytest.mark.parametrize(("deleted", "expected"), [(True, [201, 201]), (False, [201, 409])])
def test_trap_10_of_two_racing_revives_both_get_201(
    standin: InsForgeStandIn,
    reach: Reach,
    deleted: bool,  # noqa: FBT001  # a parameter of the table
    expected: list[int],
) -> None:
    if deleted:
        standin.seed("A", "old", active=False)
    statuses: list[int] = []

    async def create(client: httpx.AsyncClient, value: str) -> None:
        reply = await client.post(SECRETS, json={"key": "A", "value": value})
        statuses.append(reply.status_code)

    async def race() -> None:
        transport = standin.transport()
        async with (
            httpx.AsyncClient(base_url=standin.base_url, transport=transport, headers=KEY) as client,
            anyio.create_task_group() as group,
        ):
            group.start_soon(create, client, "one")
            group.start_soon(create, client, "two")

    asyncio.run(race())
    assert sorted(statuses) == expected
    with reach(standin, KEY) as client:
        assert client.post(SECRETS, json={"key": "A", "value": "three"}).status_code == 409


def test_trap_11_every_answer_has_an_etag_and_knows_its_own(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("A", "old")
    with reach(standin, KEY) as client:
        replies = [
            client.get(A),
            client.get("/api/health"),
            client.get(f"{SECRETS}/NONE"),
            client.put(A, json={}),
            client.get(SECRETS, headers={"authorization": ""}),
        ]
        assert [reply.status_code for reply in replies] == [200, 200, 404, 500, 401]
        etags = [reply.headers["etag"] for reply in replies]
        same = client.get(A, headers={"if-none-match": etags[0]})
        failed = client.get(f"{SECRETS}/NONE", headers={"if-none-match": etags[2]})
        client.put(A, json={"value": "new"})
        changed = client.get(A, headers={"if-none-match": etags[0]})
    assert len(set(etags)) == 5
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etags[0])
    assert failed.status_code == 404
    assert changed.json()["value"] == "new"


# Rows and flags.


def test_delete_is_soft_and_can_be_repeated(standin: InsForgeStandIn, reach: Reach) -> None:
    row = standin.seed("A", "old")
    with reach(standin, KEY) as client:
        assert [client.delete(A).status_code for _ in range(2)] == [200, 200]
        assert client.get(A).status_code == 404
        assert row_of(standin, client, "A")["isActive"] is False
    assert (standin.secret("A").id, standin.secret("A").value) == (row.id, "old")


def test_an_expired_row_is_listed_and_cannot_be_read(
    standin: InsForgeStandIn, clock: Clock, reach: Reach
) -> None:
    standin.seed("A", "old", expires_at=NOW + 1)
    with reach(standin, KEY) as client:
        assert client.get(A).status_code == 200
        clock.now += 1
        assert client.get(A).status_code == 404
        assert row_of(standin, client, "A")["isActive"] is True


def test_the_platforms_rows_are_listed_and_reserved(reach: Reach) -> None:
    standin = InsForgeStandIn()
    with reach(standin, KEY) as client:
        rows = client.get(SECRETS).json()["secrets"]
        assert sorted(row["key"] for row in rows) == ["ANON_KEY", "API_KEY", "JWT_SECRET"]
        assert {row["isReserved"] for row in rows} == {True}
        assert code(client.put(f"{SECRETS}/API_KEY", json={"value": "new"})) == (403, "FORBIDDEN")
    assert standin.secret("API_KEY").value == standin.api_key


def test_the_newest_is_listed_first(standin: InsForgeStandIn, clock: Clock, reach: Reach) -> None:
    for name in "ABC":
        standin.seed(name, "v")
        clock.now += 1
    with reach(standin, KEY) as client:
        assert [row["key"] for row in client.get(SECRETS).json()["secrets"]] == ["C", "B", "A"]


def test_flags_that_were_never_set_may_be_null(reach: Reach) -> None:
    standin = InsForgeStandIn(null_flags=True, platform_rows=False)
    standin.seed("A", "v")
    standin.seed("B", "v", active=True, reserved=True)
    with reach(standin, KEY) as client:
        first, second = row_of(standin, client, "A"), row_of(standin, client, "B")
    assert (first["isActive"], first["isReserved"]) == (None, None)
    assert (second["isActive"], second["isReserved"]) == (True, True)


def test_a_trailing_slash_does_no_harm(standin: InsForgeStandIn, reach: Reach) -> None:
    standin.seed("A", "old")
    with reach(standin, KEY) as client:
        assert client.get(f"{SECRETS}/").status_code == client.get(f"{A}/").status_code == 200


def test_a_project_may_live_under_a_path(reach: Reach) -> None:
    standin = InsForgeStandIn(base_url="https://host.example/project", rate_limit=(1, 60))
    with reach(standin, KEY) as client:
        assert client.get(SECRETS).status_code == 200
        assert code(client.get(SECRETS)) == (429, "RATE_LIMITED")
    assert standin.calls == ["GET /project/api/secrets"] * 2
