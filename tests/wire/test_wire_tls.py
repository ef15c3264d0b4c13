"""Certificates: whom a bridge trusts, and that nothing is said to anybody else."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from authorities import Authority
from loopback import CREATE, FACES, INFO, READ, UPDATE, ask, failure, http, judged, served

from secretbridge import Retry

if TYPE_CHECKING:
    from pathlib import Path

faces = pytest.mark.parametrize("face", FACES)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@faces
@pytest.mark.parametrize("call", [UPDATE, CREATE, READ], ids=["update", "create", "read"])
def test_an_unknown_certificate_is_not_sent_to_and_not_tried_again(
    face: str, call: Any, authority: Authority
) -> None:
    with served(context=authority.server()) as server:
        error = failure(face, server.url, call, retry=Retry())
        assert server.requests == []
        assert server.accepted == 1
    assert judged(error) == ("NotSent", False, False)
    assert "SSL_CERT_FILE" in error.advice
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "certificate verify failed" not in str(error)


@faces
@pytest.mark.parametrize(("host", "days"), [("127.0.0.2", 9), ("secrets.example", 9), ("127.0.0.1", -1)])
def test_a_certificate_of_another_host_or_time_is_not_sent_to(
    face: str, host: str, days: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with served(context=authority.server(host, days=days)) as server:
        error = failure(face, server.url, UPDATE)
        assert server.requests == []
    assert judged(error) == ("NotSent", False, False)


@faces
def test_ssl_cert_file_names_who_is_trusted(
    face: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with served(http(200, INFO), context=authority.server()) as server:
        assert ask(face, server.url, READ).name == "TOKEN"


@faces
def test_ssl_cert_dir_names_who_is_trusted(
    face: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = subprocess.run(
        ["openssl", "x509", "-subject_hash", "-noout", "-in", authority.file],
        check=True,
        capture_output=True,
        text=True,
    )
    (tmp_path / f"{named.stdout.strip()}.0").write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with served(http(200, INFO), context=authority.server()) as server:
        assert ask(face, server.url, READ).name == "TOKEN"


@faces
@pytest.mark.parametrize("content", [None, "this is no certificate"])
def test_an_ssl_cert_file_that_cannot_be_read_is_an_error_before_anything_is_sent(
    face: str, content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    error = failure(face, "https://127.0.0.1:1", UPDATE, retry=Retry())
    assert judged(error) == ("NotSent", False, False)
    assert "SSL_CERT_FILE" in error.advice
    assert error.__context__ is None


@faces
def test_a_transport_handed_in_brings_its_own_certificate(face: str, authority: Authority) -> None:
    asks = authority.server()
    asks.verify_mode = ssl.CERT_REQUIRED
    asks.load_verify_locations(authority.file)
    shows = ssl.create_default_context(cafile=authority.file)
    shows.load_cert_chain(authority.issue("client.example"))
    kind: Any = httpx.HTTPTransport if face == "blocking" else httpx.AsyncHTTPTransport
    with served(http(200, INFO), context=asks) as server:
        assert ask(face, server.url, READ, transport=kind(verify=shows)).name == "TOKEN"
        without = ssl.create_default_context(cafile=authority.file)
        error = failure(face, server.url, UPDATE, transport=kind(verify=without))
        assert error.applied is not True
        assert len(server.requests) == 1
