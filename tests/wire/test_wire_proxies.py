"""Proxies are chosen as httpx.Client chooses them, and used."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from authorities import Authority
from loopback import FACES, INFO, READ, UPDATE, Say, ask, failure, http, ionet, judged, served

from secretbridge import Retry, SecretBridge
from secretbridge._wire import proxy_for

# Making one that trusts somebody is most of a client's cost.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
P1, P2, P3 = "http://one.example:3128", "http://two.example:3128", "http://three.example:3128"
URLS = [
    "https://api.example.com/secrets/",
    "https://example.com/",
    "https://example.com:8443/",
    "https://wwwexample.com/",
    "http://example.com:80/",
    "http://localhost:8000/",
    "https://localhost/",
    "https://sub.localhost/",
    "https://127.0.0.1:9/",
    "https://10.1.2.3/",
    "https://110.1.2.3/",
    "https://[::1]:9/",
    "https://[fe80::1]/",
    "https://xn--bcher-kva.example/",
]
PROXIES: list[dict[str, str]] = [
    {},
    {"HTTPS_PROXY": P1},
    {"HTTP_PROXY": P1},
    {"ALL_PROXY": P1},
    {"all_proxy": P1, "https_proxy": P2},
    {"HTTPS_PROXY": P1, "HTTP_PROXY": P2, "ALL_PROXY": P3},
    {"HTTPS_PROXY": P1, "https_proxy": P2},
    {"HTTPS_PROXY": P1, "https_proxy": ""},
    {"HTTPS_PROXY": "one.example:3128", "ALL_PROXY": "user:pass@two.example"},
    {"HTTPS_PROXY": "", "ALL_PROXY": P3},
    {"FTP_PROXY": P1, "APT_PROXY": P2},
]
EXCEPTIONS = [
    "*", "example.com", ".example.com", "*.example.com", "EXAMPLE.com", "api.example.com", "example.com:8443",
    "example.com:443", "example.com:80", ":8443", "localhost", "LocalHost", "localhost:8000", "127.0.0.1",
    "127.0.0.1:9", "127.0.0.0/8", "10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "0.1.2.3", "::1", "fe80::1",
    "https://example.com", "http://example.com", "all://example.com", "https://*.example.com",
    "https://*example.com", "https://", "http://", "all://", "all://*", "https://*", "all://*:8443",
    "https://example.com:8443", "https://[::1]:9", "xn--bcher-kva.example", "com", ".com", ".", "e",
    ",", ", ,", "example.com, localhost", " example.com ,,*", "example.com,*:1", "nothing.example",
    "example.com/path", "user@example.com",
    "example.com:99999",
]  # fmt: skip
#: What httpx cannot read it refuses when the client is made; so do we, before anything is sent.
UNREADABLE = [
    "example.com:nonsense", "[::1]", "https://[::1", "exa mple.com:80x", "https://a:b:c",
    "fe80::/10", "bücher.example",
]  # fmt: skip


def chosen_by_httpx(url: str) -> str | None:
    """The proxy of a real client: of the transport it would take, by the environment's settings."""
    made: dict[int, str] = {}

    class Client(httpx.Client):
        def _init_proxy_transport(self, proxy: httpx.Proxy, *_: Any, **__: Any) -> httpx.BaseTransport:
            transport = httpx.MockTransport(lambda _: httpx.Response(200))
            auth = "" if proxy.raw_auth is None else b":".join(proxy.raw_auth).decode() + "@"
            made[id(transport)] = str(proxy.url).replace("://", f"://{auth}")
            return transport

    with Client(verify=NO_AUTHORITIES) as client:  # a client with a transport would heed no environment
        return made.get(id(client._transport_for_url(httpx.URL(url))))


def assert_as_httpx(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        for url in URLS:
            ours = proxy_for(httpx.URL(url))
            normal = None if ours is None else str(httpx.URL(ours)).replace(":[secure]@", ":pass@")
            assert (settings, url, normal) == (settings, url, chosen_by_httpx(url))


@pytest.mark.parametrize("proxies", PROXIES, ids=str)
def test_the_proxy_is_the_one_that_httpx_would_choose(
    proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_as_httpx(monkeypatch, proxies)


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_the_exceptions_are_the_ones_that_httpx_would_make(
    exception: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_as_httpx(monkeypatch, {"HTTPS_PROXY": P1, "HTTP_PROXY": P2, "NO_PROXY": exception})
    assert_as_httpx(monkeypatch, {"ALL_PROXY": P3, "no_proxy": exception})


@pytest.mark.parametrize("exception", UNREADABLE)
def test_an_exception_that_httpx_cannot_read_is_an_error_before_anything_is_sent(
    exception: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", P1)
    monkeypatch.setenv("NO_PROXY", exception)
    with pytest.raises(httpx.InvalidURL):
        httpx.Client()
    for face in FACES:
        error = failure(face, "https://example.com", UPDATE, retry=Retry())
        assert judged(error) == ("NotSent", False, False)
        assert "NO_PROXY" in error.advice
        assert exception not in str(error)
        assert error.__context__ is None


@pytest.mark.parametrize("proxy", ["ftp://one.example", "http://user:hidden-word@[::1", "nonsense://"])
@pytest.mark.parametrize("face", FACES)
def test_a_proxy_that_cannot_be_used_is_an_error_that_does_not_show_it(
    face: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = failure(face, "https://example.com", UPDATE, retry=Retry())
    assert judged(error) == ("NotSent", False, False)
    assert "HTTPS_PROXY" in error.advice
    assert "hidden-word" not in str(error)
    assert error.__context__ is None


@pytest.mark.parametrize("face", FACES)
def test_plain_http_to_a_proxy_names_the_whole_address(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(http(200, INFO)) as proxy, served() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", ""))
        assert ask(face, server.url, READ).name == "TOKEN"
        assert server.accepted == 0
        assert proxy.requests[0].startswith(f"GET {server.url}/secrets/{READ[1]['id']} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("face", FACES)
def test_no_proxy_leads_past_the_proxy(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as proxy, served(http(200, INFO)) as server:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(face, server.url, READ).name == "TOKEN"
        assert (proxy.accepted, server.accepted) == (0, 1)


@pytest.mark.parametrize("face", FACES)
def test_tls_goes_through_the_proxy_in_a_tunnel_that_it_cannot_read(
    face: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with served(http(200, INFO), context=authority.server()) as server, tunnelling() as (url, heard):
        monkeypatch.setenv("HTTPS_PROXY", url)
        assert ask(face, server.url, READ).name == "TOKEN"
        assert [line.split(b"\r\n")[0] for line in heard] == [
            f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1".encode()
        ]
        assert b"x-api-key" not in heard[0]
        assert len(server.requests) == 1


@pytest.mark.parametrize("face", FACES)
def test_a_proxy_that_does_not_connect_is_not_sent(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(Say(http(407, b"who are you?"), "close")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = failure(face, "https://secrets.example", UPDATE)
        assert judged(error) == ("NotSent", False, True)
        assert "the proxy did not connect" in str(error)
        assert proxy.requests[0].startswith(b"CONNECT secrets.example:443 ")


def test_the_proxy_is_chosen_once_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        served() as proxy,
        served(http(200, INFO)) as server,
        SecretBridge(ionet(server.url), pace=None, retry=None) as bridge,
    ):
        bridge.get_secret(**READ[1])
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        bridge.get_secret(**READ[1])
        assert (proxy.accepted, server.accepted) == (0, 1)


def tunnelling() -> Any:
    """A proxy that understands CONNECT and nothing else."""

    @contextmanager
    def serve() -> Any:
        heard: list[bytes] = []
        threads: list[threading.Thread] = []
        listener = socket.create_server(("127.0.0.1", 0))

        def pipe(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65_536):
                    sink.sendall(data)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def connect() -> None:
            client, _ = listener.accept()
            with client:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += client.recv(1)
                heard.append(head)
                host, port = head.split()[1].decode().rsplit(":", 1)
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    back = threading.Thread(target=pipe, args=(server, client))
                    back.start()
                    pipe(client, server)
                    back.join(5)

        threads.append(threading.Thread(target=connect))
        threads[0].start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        finally:
            threads[0].join(5)
            listener.close()

    return serve()
