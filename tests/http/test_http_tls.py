"""Certificates and proxies, both real."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from test_http_kit import Seen, Server, dead_port, reply, serving, then_close, using

from connector_core.errors import ConfigurationError, Unreachable


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def _context(ca: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    past: dict[str, Any] = {
        "not_before": datetime(2020, 1, 1, tzinfo=UTC),
        "not_after": datetime(2021, 1, 1, tzinfo=UTC),
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **(past if expired else {})).configure_cert(context)
    return context


# -- certificates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_named_by_the_environment_are_trusted(ca: trustme.CA, ca_file: str, variable: str) -> None:
    """Both customary variables are read from the mapping that is given."""
    with serving(reply(), tls=_context(ca, "localhost")) as server, using(environ={variable: ca_file}) as client:
        assert client.request("GET", f"https://localhost:{server.port}/").status == 200


CERTIFICATES = {
    "unknown": (("localhost",), False, "does not trust", "SSL_CERT_FILE"),
    "expired": (("localhost",), True, "has expired", "clock"),
    "other name": (("other.example.com",), False, "another host name", "address"),
}


@pytest.mark.parametrize("case", CERTIFICATES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_p74_a_wrong_certificate_is_told_and_not_retried(ca: trustme.CA, ca_file: str, method: str, case: str) -> None:
    """The error says what is wrong and what to do; nothing of the request was sent."""
    names, expired, reason, hint = CERTIFICATES[case]
    environ = {} if case == "unknown" else {"SSL_CERT_FILE": ca_file}
    with (
        serving(reply(), tls=_context(ca, *names, expired=expired)) as server,
        using(environ=environ) as client,
        pytest.raises(Unreachable, match=reason) as caught,
    ):
        client.request(method, f"https://localhost:{server.port}/")
    assert hint in (caught.value.hint or "")
    assert "not known" not in str(caught.value)
    assert (client.requests, server.seen) == (1, [])


def test_a_server_without_tls_is_given_up_early() -> None:
    """https:// to a port that speaks http is a mistake in the address, not a passing fault."""
    with (
        serving(then_close(reply(400))) as server,
        using() as client,
        pytest.raises(Unreachable, match="no secure connection comes about"),
    ):
        client.request("GET", f"https://127.0.0.1:{server.port}/")
    assert client.requests == 3


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_certificates_that_cannot_be_read_are_a_mistake_in_the_settings(tmp_path: Path, content: str | None) -> None:
    """The error names the variable and the file, before anything is sent."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with (
        using(environ={"SSL_CERT_FILE": str(path)}) as client,
        pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE.*ca\.pem"),
    ):
        client.request("GET", "https://api.example.com/")
    assert client.requests == 0


# -- proxies ---------------------------------------------------------------------------------------------------


class Tunnel:
    """A step of the scripted server: as a proxy, it connects each CONNECT to ``port`` of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, inner: socket.socket, seen: Seen) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as outer:
            inner.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(outer, inner))
            back.start()
            _pump(inner, outer)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def _application_behind_a_proxy(ca: trustme.CA) -> Iterator[tuple[Server, Server]]:
    with (
        serving(reply(), tls=_context(ca, "api.example.com")) as application,
        serving(Tunnel(application.port)) as proxy,
    ):
        yield application, proxy


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_requests_go_through_the_proxy(ca: trustme.CA, ca_file: str, variable: str) -> None:
    """The application is reached by its name through a tunnel; the proxy sees neither path nor token."""
    with _application_behind_a_proxy(ca) as (application, proxy):
        environ = {variable: f"127.0.0.1:{proxy.port}", "SSL_CERT_FILE": ca_file}
        with using(environ=environ) as client:
            auth = {"Authorization": "Bearer token-value"}
            assert client.request("GET", "https://api.example.com/Users", auth=lambda renew: auth).status == 200
    (connect,), (seen,) = proxy.seen, application.seen
    assert (connect.method, connect.target) == ("CONNECT", "api.example.com:443")
    assert "authorization" not in connect.headers
    assert (seen.target, seen.headers["authorization"]) == ("/Users", "Bearer token-value")


def test_credentials_of_a_proxy_go_to_the_proxy_alone(ca: trustme.CA, ca_file: str) -> None:
    """User and password in the proxy's address are sent to it, and are hidden from then on."""
    with _application_behind_a_proxy(ca) as (application, proxy):
        environ = {"HTTPS_PROXY": f"http://ada:pass-phrase@127.0.0.1:{proxy.port}", "SSL_CERT_FILE": ca_file}
        with using(environ=environ) as client:
            client.request("GET", "https://api.example.com/")
            assert client.mask("a pass-phrase") == "a ***"
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic YWRhOnBhc3MtcGhyYXNl"
    assert "proxy-authorization" not in application.seen[0].headers


def test_a_proxys_password_may_hold_what_addresses_must_quote() -> None:
    """``p@ss:w/rd%`` is written with percent signs in an address, and sent as it is."""
    with serving(then_close(reply(407))) as proxy:
        environ = {"HTTPS_PROXY": f"http://ada:p%40ss%3Aw%2Frd%25@127.0.0.1:{proxy.port}"}
        with using(environ=environ) as client, pytest.raises(Unreachable):
            client.request("GET", "https://api.example.com/")
        assert client.mask("p@ss:w/rd%") == client.mask("p%40ss%3Aw%2Frd%25") == "***"
    sent = base64.b64decode(proxy.seen[0].headers["proxy-authorization"].removeprefix("Basic "))
    assert sent == b"ada:p@ss:w/rd%"


@pytest.mark.parametrize("no_proxy", ["localhost", "unrelated.example.org", "*", ""])
def test_loopback_is_never_proxied(ca: trustme.CA, ca_file: str, no_proxy: str) -> None:
    """This machine is reached directly, also over https."""
    environ = {"HTTPS_PROXY": f"127.0.0.1:{dead_port()}", "NO_PROXY": no_proxy, "SSL_CERT_FILE": ca_file}
    with serving(reply(), tls=_context(ca, "localhost")) as server, using(environ=environ) as client:
        assert client.request("GET", f"https://localhost:{server.port}/").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_proxy_that_refuses_is_told(method: str) -> None:
    """A 407 of the proxy is no reply of the application: nothing was sent, and the hint names the proxy."""
    with (
        serving(then_close(reply(407))) as proxy,
        using(environ={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}) as client,
        pytest.raises(Unreachable, match=r"proxy refused to connect .*407") as caught,
    ):
        client.request(method, "https://api.example.com/")
    assert "HTTPS_PROXY" in (caught.value.hint or "")
    assert "not known" not in str(caught.value)


def test_p74_a_proxy_that_repeats_its_password_gives_it_to_nobody() -> None:
    """Of what a proxy says when it refuses, only the number is shown: any of its words may be cut anywhere."""
    password = "s3cr3t-" * 8
    answer = f"HTTP/1.1 407 {'x' * 30}{password}\r\n\r\n".encode()
    with (
        serving(then_close(answer)) as proxy,
        using(environ={"HTTPS_PROXY": f"http://me:{password}@127.0.0.1:{proxy.port}"}) as client,
        pytest.raises(Unreachable, match=r"proxy refused to connect \(407\)") as caught,
    ):
        client.request("GET", "https://api.example.com/")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["http://me:s3cr3t@[::1", "http://me:s3cr3t@a:99999", "me:s3cr3t@a:b", "http://me:s3cr3t\u20ac@a:1"]
)
def test_p74_a_proxy_that_is_not_understood_is_not_quoted(proxy: str) -> None:
    """A mistake of the configuration, found before anything leaves; a password may stand in it."""
    with using(environ={"HTTPS_PROXY": proxy}) as client, pytest.raises(ConfigurationError, match="proxy") as caught:
        client.request("GET", "https://api.example.com/")
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_proxy_that_cannot_be_reached_is_told() -> None:
    """The error speaks of the proxy, not of the application."""
    with (
        using(environ={"HTTPS_PROXY": f"http://127.0.0.1:{dead_port()}"}) as client,
        pytest.raises(Unreachable, match="the proxy cannot be reached"),
    ):
        client.request("POST", "https://api.example.com/")
    assert client.requests == 3
