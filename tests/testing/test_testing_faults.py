"""The catalogue of faults: each is named and told, strikes when it is told to, and does on the wire what it says."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Workspace
from connector_core.testing.faults import ALL, CATALOGUE, Answer, Exchange, Fault, Faulty, fault, listed, reply

HEAD = "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox\r\nAccept: application/json\r\n\r\n"


@contextmanager
def served(*names: str | Fault, people: int = 7, **more: Any) -> Iterator[tuple[LoopbackServer, list[Fault]]]:
    workspace = Workspace(seed=1)
    workspace.populate(people)
    faults = [fault(each) if isinstance(each, str) else each for each in names]
    clock = FakeClock()
    with LoopbackServer(Faulty(ScimApp(workspace, clock=clock), faults, clock=clock, **more)) as server:
        yield server, faults


def get(server: LoopbackServer, path: str = "/Users") -> tuple[int, Any]:
    """Status and body, as JSON where it is some."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request("GET", path, headers={"Authorization": "Bearer sandbox"})
        answer = connection.getresponse()
        body = answer.read()
    try:
        return answer.status, json.loads(body)
    except ValueError:
        return answer.status, body


def raw(server: LoopbackServer, path: str = "/Users") -> bytes:
    """All that comes on the wire until it ends; raises what the socket raises."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as line:
        line.sendall(HEAD.format(path=path).encode())
        return b"".join(iter(lambda: line.recv(65536), b""))


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_fault_says_what_it_does() -> None:
    """A name in one form, a number where the documentation has one, one sentence, and requests that it can strike."""
    for name, about in CATALOGUE.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]+", name) and about.name == name
        assert about.summary.endswith(".") and "\n" not in about.summary, name
        assert about.kinds and about.kinds <= ALL, name
        assert (about.number is not None) == bool(re.match(r"p\d\d", name))
    assert (CATALOGUE["p19b_unknown_attributes"].number, CATALOGUE["p02_total_is_page_length"].number) == (
        "P19b",
        "P02",
    )


def test_a_name_that_is_none_is_a_key_error() -> None:
    """A misspelt fault would otherwise be one that never strikes."""
    with pytest.raises(KeyError):
        fault("p99_nothing")


def test_skip_times_and_kinds_say_when_it_strikes() -> None:
    """It passes over the first requests, then strikes so often, and only requests of its kind; it counts."""
    with served(fault("p72_401", skip=1, times=2, kinds=["list"])) as (server, (struck,)):
        statuses = [get(server, path)[0] for path in ("/Users", "/Users/7", "/Users", "/Users", "/Users")]
    assert statuses == [200, 404, 401, 401, 200]
    assert struck.fired == 2


def test_what_changes_nothing_has_not_fired() -> None:
    """A fault that finds nothing to spoil is not counted: it has tested nothing."""
    with served("p05_resources_absent", "p27_ids_as_numbers") as (server, faults):
        get(server)
        assert [each.fired for each in faults] == [0, 0]
    with served("p05_resources_absent", people=0) as (server, (struck,)):
        assert "Resources" not in get(server)[1]
        assert struck.fired == 1


def test_faults_are_laid_over_each_other() -> None:
    """The first is outermost: it sees what the second made of the answer."""
    with served("p12_total_as_text", "p01_count_capped") as (server, faults):
        _, document = get(server)
    assert (document["totalResults"], len(document["Resources"])) == ("7", 3)
    assert [each.fired for each in faults] == [1, 1]


def test_a_fault_that_asks_twice_has_it_done_once() -> None:
    """A write is carried out once, however often a fault looks at its answer."""
    workspace = Workspace(seed=1)
    over = fault("packed_and_damaged")
    with (
        LoopbackServer(Faulty(ScimApp(workspace), [over])) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection,
    ):
        connection.request("POST", "/Users", '{"userName": "ada@example.com"}', {"Authorization": "Bearer sandbox"})
        connection.getresponse().read()
    assert (len(workspace), over.fired) == (1, 1)


def test_hooks_see_each_request_and_its_answer() -> None:
    """People may come and go before a request is looked at; what leaves can be listened to."""
    seen: list[tuple[str, int]] = []

    def after(exchange: Exchange, answer: Answer) -> None:
        seen.append((exchange.kind, answer.status))

    def before(exchange: Exchange) -> None:
        seen.append((exchange.kind, 0))

    with served("p67_filter_refused_501", before=before, after=after) as (server, _):
        get(server, "/Users?filter=x")
    assert seen == [("filter", 0), ("filter", 501)]


def test_a_fault_of_ones_own() -> None:
    """A function put into the catalogue is a fault like any other."""

    @listed(ALL)
    def tea_time(exchange: Exchange, proceed: Any) -> Answer | None:
        """418."""
        return reply(418)

    try:
        with served("tea_time") as (server, (struck,)):
            assert (get(server)[0], struck.fired) == (418, 1)
    finally:
        del CATALOGUE["tea_time"]


# -- the wire ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reset_before_the_reply", "p75_reset_after_it_was_done", "reset_in_the_reply"])
def test_a_reset_is_a_reset(name: str) -> None:
    """The client's socket is told so; it is no mere end."""
    with served(name) as (server, (struck,)), pytest.raises(ConnectionResetError):
        raw(server)
    assert struck.fired == 1


def length(came: bytes) -> tuple[int, int]:
    """What a reply says of its body's length, and what came."""
    head, _, body = came.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.I)
    return int(found[1]) if found else -1, len(body)


WIRE: dict[str, Callable[[bytes], bool]] = {
    "reply_cut_short": lambda came: length(came)[0] // 2 == length(came)[1],
    "longer_than_it_says": lambda came: length(came)[0] < length(came)[1],
    "shorter_than_it_says": lambda came: length(came)[0] > length(came)[1] > 0,
    "p76_drips": lambda came: length(came)[0] == length(came)[1],
    "no_http_at_all": lambda came: came.startswith(b"220 "),
    "headers_without_end": lambda came: came.count(b"\r\n") > 1000,
    "p77_page_of_100_megabytes": lambda came: length(came)[0] == length(came)[1] > 100_000_000,
}


@pytest.mark.parametrize("name", WIRE)
def test_on_the_wire_it_is_as_it_says(name: str) -> None:
    """What comes is as wrong as the fault says, byte for byte."""
    with served(name) as (server, (struck,)):
        assert WIRE[name](raw(server))
    assert struck.fired == 1


@pytest.mark.parametrize("name", ["p76_silent_and_not_done", "p76_silent_and_done", "p76_silent_in_the_reply"])
def test_silence_lasts_until_the_client_goes(name: str) -> None:
    """Nothing more comes, and the server is rid of the connection when the client hangs up."""
    with served(name) as (server, (struck,)):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=0.1)) as line:
            line.sendall(HEAD.format(path="/Users").encode())
            with pytest.raises(TimeoutError):
                while line.recv(65536):
                    pass
        assert get(server)[0] == 200
    assert struck.fired == 1


def test_time_is_taken_from_the_clock() -> None:
    """A minute of 503 passes on the clock that the server was given, and so does a reply that drips."""
    with served("unavailable_for_a_minute") as (server, _):
        app = server._server.app
        assert isinstance(app, Faulty) and isinstance(app.clock, FakeClock)
        assert get(server)[0] == 503
        app.clock.advance(59)
        assert get(server)[0] == 503
        app.clock.advance(2)
        assert get(server)[0] == 200
    with served("p76_drips") as (server, _):
        raw(server)
        app = server._server.app
        assert isinstance(app, Faulty) and 140 < app.clock.monotonic() < 160


# -- certificates -----------------------------------------------------------------------------------------------------

PAST: dict[str, Any] = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2021, 1, 1, tzinfo=UTC)}
CERTIFICATES = {
    "right": ("127.0.0.1", {}, None),
    "expired": ("127.0.0.1", PAST, "its certificate has expired"),
    "wrong name": ("other.example.com", {}, "its certificate is for another host name"),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_p74_nothing_is_said_to_a_server_with_a_wrong_certificate(tmp_path: Path, case: str) -> None:
    """Over TLS a sync ends right, or fails in words before the token has left; the picture stays as it was."""
    from chaos.stage import TOKEN

    from connector_core.errors import Unreachable
    from connector_core.host.host import Host
    from connector_core_whimsical import plugin

    name, dates, reason = CERTIFICATES[case]
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **dates).configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    workspace = Workspace(seed=1)
    workspace.populate(3)
    seen: list[Exchange] = []
    app = Faulty(ScimApp(workspace, token=TOKEN), before=seen.append)
    with LoopbackServer(app, tls=context) as server:
        assert server.url.startswith("https://")
        host = Host(
            tmp_path / "state.db", plugins={"whimsical": plugin}, installed=False, clock=FakeClock(),
            environ={"SSL_CERT_FILE": str(trusted)},
        )  # fmt: skip
        connection = host.connection("whimsical", settings={"token": TOKEN, "base_url": server.url}, managed=True)
        if reason is None:
            assert connection.sync().sync.status == "complete"
            return
        for ask in (connection.sync, lambda: connection.grant("editor", "ada@example.com")):
            with pytest.raises(Unreachable, match=reason):
                ask()
        assert [finding.level for finding in connection.check()] == ["error"]
    assert seen == []
