"""The check of every request of the suite can fail, and says what is wrong without a value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from secretbridge.testing import RecordedRequest
from secretbridge.testing._constraints import VENDORS, violations

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TWO = "2 of x-api-key, authorization, token, not one credential"
HEADERS: dict[str, dict[str, str]] = {
    "ionet": {"x-api-key": "key"},
    "wix": {"Authorization": "IST.key", "wix-site-id": "site"},
    "insforge": {"Authorization": "Bearer ik_key"},
    "appfarm": {"Authorization": "Bearer key"},
}
GOOD: list[tuple[str, str, str, Any]] = [
    ("ionet", "GET", "/secrets/", None),
    ("ionet", "POST", "/secrets/", {"secret_name": "N", "secret_value": "1234", "tool_name": "t"}),
    ("ionet", "PATCH", f"/secrets/{UUID}", {"is_default_for_tool": True}),
    ("ionet", "DELETE", f"/secrets/{UUID}", None),
    ("wix", "GET", "/api/v1/secrets/name/a%23b", None),
    ("wix", "POST", "/api/v1/secrets", {"secret": {"name": "a#b", "value": "v"}}),
    ("wix", "PATCH", "/_api/cloud-secrets-vault-server/api/v1/secrets/id", {"secret": {"description": ""}}),
    ("insforge", "PUT", "/api/secrets/A_1", {"value": "", "expiresAt": None}),
    ("insforge", "POST", "/api/secrets", {"key": "A", "value": "v", "expiresAt": "2026-01-01T00:00:00Z"}),
    ("appfarm", "POST", "/api/services/a/b", {"secret": "S", "value": "v", "request_id": UUID}),
]
BAD: list[tuple[str, str, str, Any, str]] = [
    ("ionet", "GET", "/secrets", None, "no such call: GET of a path that fits none"),
    ("ionet", "GET", f"/secrets/{UUID}/", None, "no such call: GET of a path that fits none"),
    ("ionet", "PATCH", f"/secrets/{UUID}", {"tool_name": None}, "tool_name is null"),
    ("ionet", "PATCH", f"/secrets/{UUID}", {}, "the body changes nothing"),
    ("ionet", "PATCH", f"/secrets/{UUID}", {"value": "1234"}, "'value' is no field"),
    ("ionet", "PATCH", f"/secrets/{UUID}", {"secret_value": "123"}, "secret_value is too short or long"),
    ("ionet", "PATCH", f"/secrets/{UUID}", {"is_default_for_tool": 1}, "is_default_for_tool is no bool"),
    ("ionet", "POST", "/secrets/", {"secret_name": "N"}, "secret_value is missing"),
    ("ionet", "DELETE", f"/secrets/{UUID}", {"a": 1}, "a body where none is taken"),
    ("wix", "GET", "/api/v1/secrets/name/a#b", None, "no such call: GET of a path that fits none"),
    ("wix", "POST", "/api/v1/secrets", {"name": "a", "value": "v"}, "not wrapped in secret alone"),
    ("wix", "PATCH", "/api/v1/secrets/id", {"secret": {"name": "wixName"}}, "name is not of its form"),
    ("wix", "PATCH", "/api/v1/secrets/id", {"secret": {"value": ""}}, "value is too short or long"),
    ("insforge", "POST", "/api/secrets", {"key": "a", "value": "v"}, "key is not of its form"),
    ("insforge", "PUT", "/api/secrets/A", {"expiresAt": "2026-01-01"}, "expiresAt is not of its form"),
    ("insforge", "PUT", "/api/secrets/A", {"value": "\ud800"}, "value has a lone surrogate"),
    ("insforge", "PUT", "/api/secrets/A", {"value": 5}, "value is no str"),
    ("insforge", "PUT", "/api/secrets/A", [], "the body is no JSON object"),
    ("appfarm", "GET", "/api/services/a/b", None, "no such call: GET of a path that fits none"),
    ("appfarm", "POST", "/api/services/a/b", {"secret": "S", "value": "v"}, "request_id is missing"),
]  # fmt: skip


def found(vendor: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> list[str]:
    content = b"" if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if content else {}
    request = RecordedRequest(method, path, tuple({**kind, **headers}.items()), content)
    return violations(VENDORS[vendor], request)


@pytest.mark.parametrize(("vendor", "method", "path", "body"), GOOD)
def test_a_request_as_the_vendor_publishes_it_is_right(
    vendor: str, method: str, path: str, body: Any
) -> None:
    assert found(vendor, method, path, body, HEADERS[vendor]) == []


@pytest.mark.parametrize(("vendor", "method", "path", "body", "said"), BAD)
def test_a_request_that_is_not_is_named(vendor: str, method: str, path: str, body: Any, said: str) -> None:
    assert said in found(vendor, method, path, body, HEADERS[vendor])


@pytest.mark.parametrize(
    ("vendor", "headers", "said"),
    [
        ("ionet", {}, "0 of x-api-key, authorization, token, not one credential"),
        ("ionet", {"x-api-key": "a", "token": "b"}, TWO),
        ("ionet", {"Authorization": "key"}, "authorization is not of its form"),
        ("ionet", {"x-api-key": "a", "If-None-Match": "*"}, "If-None-Match is sent"),
        ("wix", {"Authorization": "Bearer key", "wix-site-id": "s"}, "authorization is not of its form"),
        ("wix", {"Authorization": "key"}, "0 of wix-site-id, wix-account-id, not one header"),
        ("insforge", {"Authorization": "bearer key"}, "authorization is not of its form"),
    ],
)  # fmt: skip
def test_headers_that_are_not_right_are_named(vendor: str, headers: dict[str, str], said: str) -> None:
    method, path, body = next(one[1:] for one in GOOD if one[0] == vendor)
    assert said in found(vendor, method, path, body, headers)


def test_a_body_that_is_no_json_or_too_long_is_named() -> None:
    headers = (*HEADERS["insforge"].items(), ("Content-Type", "text/plain"))
    long = RecordedRequest("PUT", "/api/secrets/A", headers, b" " * 100_000_001)
    assert violations(VENDORS["insforge"], long) == [
        "Content-Type is not application/json", "the body is too long", "the body is no JSON object",
    ]  # fmt: skip


TEST = """
import subprocess, sys
import httpx, pytest
from secretbridge import IoNet
from secretbridge.testing import IoNetStandIn, ScriptedRuntime, answer

def send():
    standin = IoNetStandIn()
    row = standin.seed("NAME", "canary-value")
    with httpx.Client(base_url=standin.base_url, transport=standin.transport()) as client:
        client.patch(f"/secrets/{row.id}", json={"secret_value": None}, headers={"x-api-key": "k"})

def test_one():
    send()

@pytest.mark.bad_requests("on purpose")
def test_two():
    send()

@pytest.fixture
def late():
    yield
    send()

def test_three(late):
    pass

CHILD = "import test_it; test_it.send()"

def test_four():
    subprocess.run([sys.executable, "-c", CHILD], check=True)

@pytest.mark.bad_requests("on purpose")
def test_five():
    subprocess.run([sys.executable, "-c", CHILD], check=True)

def test_six():
    rows = {"data": [{"secret_id": "no-uuid", "secret_name": "NAME"}]}
    runtime = ScriptedRuntime(answer(200, rows), answer(200))
    runtime.bridge(IoNet(api_key="canary-key")).delete_secret("NAME")

def test_seven():
    # What was sent before is not laid at this one's door.
    pass
"""


def test_a_test_that_sends_a_bad_request_fails_unless_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    arguments = ["-p", "request_check", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", "--tb=short"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-W", "ignore::pytest.PytestUnknownMarkWarning", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'faults'}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 failed, 4 passed, 1 error" in done.stdout
    shown, _, _ = done.stdout.partition("short test summary info")  # which is longer in CI
    assert shown.count("ionet: PATCH: secret_value is null") == 3
    assert shown.count("ionet: DELETE: no such call: DELETE of a path that fits none") == 1
    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == ["test_it.py::test_one", "test_it.py::test_four", "test_it.py::test_six"]
    assert ("canary-value" in done.stdout, "canary-key" in done.stdout) == (False, False)
