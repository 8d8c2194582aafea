"""The token goes to the configured address and nowhere else, whatever a server, a proxy or a variable would like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from connector_core import Host
from connector_core.errors import ConfigurationError, ConnectorCoreError, ProtocolError
from connector_core.host.connection import Connection
from connector_core.http import HttpPolicy
from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Workspace

TOKEN = "a-token-that-nobody-guesses"
POLICY = HttpPolicy(retry_budget=2.0, read_timeout=5.0)


class Recorder:
    """A server on another port that would answer everything, and writes down whoever comes."""

    def __init__(self) -> None:
        self.visits: list[tuple[str, str, str]] = []

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        headers = json.dumps({k: v for k, v in environ.items() if k.startswith("HTTP_")}, default=str)
        self.visits.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], headers))
        start("200 OK", [("Content-Type", "application/scim+json")])
        return [b'{"totalResults": 0, "Resources": []}']


@contextmanager
def recorder() -> Iterator[tuple[Recorder, LoopbackServer]]:
    recording = Recorder()
    with LoopbackServer(recording) as server:
        yield recording, server


def connected(folder: Path, url: str, environ: dict[str, str] | None = None) -> Connection:
    host = Host(folder / "s.db", clock=FakeClock(), http_policy=POLICY, environ=environ)
    return host.connection("whimsical", settings={"token": TOKEN, "base_url": url}, managed=True)


CALLS: dict[str, Callable[[Connection], object]] = {
    "check": lambda c: c.check(),
    "sync": lambda c: c.sync(),
    "create": lambda c: c.create_account("new@example.com", role="editor"),
    "grant": lambda c: c.grant("editor", "ada@example.com"),
    "delete": lambda c: c.delete_account("ada@example.com", yes=True),
}


def workspace() -> ScimApp:
    here = Workspace(seed=1)
    here.add("ada@example.com", email="ada@example.com", given_name="Ada", role=False)
    return ScimApp(here, token=TOKEN)


# -- redirects -------------------------------------------------------------------------------------------------------

ELSEWHERE = {
    "another port": lambda port: f"http://127.0.0.1:{port}/scim-v2/Users",
    "another name of this machine": lambda port: f"http://localhost:{port}/scim-v2/Users",
    "no scheme": lambda port: f"//127.0.0.1:{port}/Users",
    "a name before the @": lambda port: f"http://api.whimsical.com@127.0.0.1:{port}/Users",
    "backslashes": lambda port: f"http:\\\\127.0.0.1:{port}\\Users",
}


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("writes_only", [False, True])
def test_p47_p74_nobody_is_visited_by_redirect(tmp_path: Path, status: int, place: str, writes_only: bool) -> None:
    """Reads and writes, every form of address: the one redirected to never hears of us."""
    app = workspace()
    with recorder() as (recording, other):

        def redirecting(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if writes_only and environ["REQUEST_METHOD"] == "GET":
                return app(environ, start)
            environ["wsgi.input"].read()
            start(f"{status} Elsewhere", [("Location", ELSEWHERE[place](other.port))])
            return []

        with LoopbackServer(redirecting) as server:
            for call in CALLS.values():
                try:
                    call(connected(tmp_path, server.url))
                except ConnectorCoreError as error:
                    assert isinstance(error, ProtocolError) or error.exit_code in (2, 5)
    assert recording.visits == []


def test_p34_nobody_is_visited_for_what_stands_in_a_reply(tmp_path: Path) -> None:
    """Addresses in rows, cursors, links and locations are data: none of them is asked."""
    with recorder() as (recording, other):
        away = f"http://127.0.0.1:{other.port}/Users/1"
        app = workspace()

        def meddling(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            head: list[Any] = []
            body = b"".join(app(environ, lambda *answer: head.append(answer) or (lambda _: None)))
            document = json.loads(body) if body else {}
            rows = document.get("Resources", [document] if document else [])
            for row in rows:
                row["meta"] = {"location": away, "resourceType": away}
                row["$ref"] = row["profileUrl"] = row["photos"] = away
            if "Resources" in document and "cursor=" not in environ["QUERY_STRING"]:
                document["nextCursor"] = away
            names = ("Location", "Content-Location", "Refresh")
            links = [("Link", f'<{away}>; rel="next"'), *((name, away) for name in names)]
            start(head[0][0], [("Content-Type", "application/scim+json"), *links])
            return [json.dumps(document).encode()] if document else []

        with LoopbackServer(meddling) as server:
            for call in CALLS.values():
                try:
                    call(connected(tmp_path, server.url))
                except ConnectorCoreError as error:
                    assert error.exit_code == 5
    assert recording.visits == []


# -- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_is_sent_what_is_for_this_machine(tmp_path: Path, name: str) -> None:
    """An address on loopback is reached directly, whatever the environment says."""
    with recorder() as (recording, other), LoopbackServer(workspace()) as server:
        connection = connected(tmp_path, server.url, environ={name: f"http://127.0.0.1:{other.port}"})
        assert connection.sync().sync.status == "complete"
    assert recording.visits == []


def test_a_proxy_sees_where_to_and_no_token(tmp_path: Path) -> None:
    """It is asked for a tunnel; that it answers as if it were the application changes nothing."""
    with recorder() as (recording, other):
        environ = {"HTTPS_PROXY": f"http://proxy-user:proxy-password@127.0.0.1:{other.port}"}
        with pytest.raises(ConnectorCoreError) as caught:
            connected(tmp_path, "https://api.example.com/scim-v2", environ=environ).sync()
    assert caught.value.exit_code == 5
    assert {method for method, _, _ in recording.visits} <= {"CONNECT"}
    assert TOKEN not in repr(recording.visits)
    assert "proxy-password" not in str(caught.value)


# -- plain http ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/scim-v2", "http://127.0.0.1.example.com", "http://localhost.example.com/",
        "http://127.0.0.1@api.example.com/", "http://0x7f.1.example.com", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1/",
        "http://0.0.0.0.example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "http:///Users", "//127.0.0.1/",
    ],
)  # fmt: skip
def test_p74_plain_http_is_for_this_machine_alone(tmp_path: Path, url: str) -> None:
    """Refused before anything leaves, as a mistake of the configuration (exit 3)."""
    for name, call in CALLS.items():
        if name == "check":
            continue
        with pytest.raises(ConfigurationError) as caught:
            call(connected(tmp_path, url))
        assert caught.value.exit_code == 3


def test_the_recorder_would_notice() -> None:
    """Whoever comes is written down, with what they bring."""
    import urllib3

    with recorder() as (recording, other):
        urllib3.request("GET", f"{other.url}/x", headers={"Authorization": f"Bearer {TOKEN}"})
    assert recording.visits[0][:2] == ("GET", "/x") and TOKEN in recording.visits[0][2]
