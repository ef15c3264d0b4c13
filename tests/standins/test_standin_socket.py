"""The loopback server as seen by bytes on a socket."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Reply

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.bad_requests("what a stand-in refuses is shown here")


def say(standin: IoNetStandIn, sent: bytes) -> bytes:
    """Send bytes, close our side, and read to the end."""
    with standin.serve() as base_url:
        address = ("127.0.0.1", urlsplit(base_url).port)
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


def test_two_requests_sent_at_once_get_two_answers() -> None:
    asked = b"GET /api/v1/secrets/ HTTP/1.1\r\nHost: x\r\nx-api-key: ionet-key\r\n\r\n"
    answered = say(IoNetStandIn(), asked * 2)
    assert answered.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answered.count(b"Content-Length: 11\r\n") == 2
    assert answered.endswith(b'{"data":[]}')


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /api/v1/secrets/ HTTP/1.0\r\nx-api-key: ionet-key\r\n\r\n",
        b"GET /api/v1/secrets/ HTTP/1.1\r\nx-api-key: ionet-key\r\nConnection: Close\r\n\r\n",
    ],
)
def test_a_client_that_wants_the_connection_closed_gets_that(asked: bytes) -> None:
    answered = say(IoNetStandIn(), asked * 2)
    assert answered.count(b"HTTP/1.1 200 OK") == 1
    assert b"Connection: close\r\n" in answered


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET / HTTP/2\r\n\r\n", b"400"),
        (b"POST /api/v1/secrets/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /api/v1/secrets/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ],
)
def test_what_is_not_understood_is_answered_and_not_handled(asked: bytes, status: bytes) -> None:
    standin = IoNetStandIn()
    assert say(standin, asked).split(b" ")[1] == status
    assert standin.requests == []


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST /api/v1/secrets/ HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
    ],
)
def test_a_request_that_breaks_off_is_not_handled(asked: bytes) -> None:
    standin = IoNetStandIn()
    assert say(standin, asked) == b""
    assert standin.requests == []


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_none(status: int) -> None:
    standin = IoNetStandIn()
    standin.script(Reply(status, body="x"))
    answered = say(standin, b"GET / HTTP/1.1\r\n\r\n")
    assert answered.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in answered


def test_a_head_request_gets_the_length_and_no_body() -> None:
    answered = say(IoNetStandIn(), b"HEAD /nowhere HTTP/1.1\r\n\r\n")
    assert answered.endswith(b"\r\n\r\n")
    assert b"Content-Length: 22\r\n" in answered


def test_a_scripted_length_may_be_a_lie() -> None:
    standin = IoNetStandIn()
    standin.script(Reply(200, body="{}", headers=[("Content-Length", "99")]))
    with (
        standin.serve() as base_url,
        httpx.Client(trust_env=False) as client,
        client.stream("GET", f"{base_url}/secrets/") as reply,
    ):
        assert reply.headers.get_list("content-length") == ["99"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, valid for a day, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "standin.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_it_speaks_tls_where_a_context_is_given(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    standin = InsForgeStandIn()
    trusting = ssl.create_default_context(cafile=str(certificate))
    with (
        standin.serve(ssl_context=context) as base_url,
        httpx.Client(verify=trusting, trust_env=False) as client,
    ):
        assert base_url.startswith("https://127.0.0.1:")
        assert [client.get(f"{base_url}/api/health").json()["status"] for _ in range(2)] == ["ok", "ok"]


def test_a_client_that_does_not_trust_the_certificate_leaves_the_server_unharmed(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    standin = InsForgeStandIn()
    trusting = ssl.create_default_context(cafile=str(certificate))
    with standin.serve(ssl_context=context) as base_url:
        with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError):
            client.get(f"{base_url}/api/health")
        with httpx.Client(verify=trusting, trust_env=False) as client:
            assert client.get(f"{base_url}/api/health").status_code == 200
