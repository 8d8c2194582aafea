"""One request and its reply: what is sent, what is refused, what is read."""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest
import vcr  # type: ignore[import-untyped]
from test_http_kit import Seen, reply, serving, silent, then_close, then_reset, using

from connector_core.clock import SystemClock
from connector_core.errors import ConfigurationError, GuardRefused, Interrupted, ProtocolError, Unreachable
from connector_core.http import HttpEvent, HttpPolicy
from connector_core.model import Secret

TOKEN = "s3cr3t/token+of=workspace"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


# -- what is sent ----------------------------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_given() -> None:
    """Method, path, query, headers and body arrive, with a user agent that says who asks."""
    with serving(reply(201, b'{"id": "1"}')) as server, using() as client:
        answer = client.request(
            "post", f"{server.url}/Users?x=1", params={"y": 2}, headers={"content-type": "text/plain"}, body=b"hello"
        )
    assert (answer.status, answer.json(), answer.method) == (201, {"id": "1"}, "POST")
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/Users?x=1&y=2", b"hello")
    assert seen.headers["content-type"] == "text/plain"
    assert seen.headers["user-agent"] == f"connector-core/{version('connector-core')}"
    assert client.requests == 1


def test_p68_a_plus_in_an_address_stays_a_plus() -> None:
    """Parameters are percent-encoded, spaces and plus signs too."""
    with serving(reply()) as server, using() as client:
        client.request("GET", f"{server.url}/Users", params={"filter": 'userName eq "a+b@example.com"'})
    assert server.seen[0].target == "/Users?filter=userName%20eq%20%22a%2Bb%40example.com%22"


def test_p27_an_encoded_id_is_not_decoded_on_the_way() -> None:
    """A percent-encoded slash in a path stays encoded."""
    with serving(reply()) as server, using() as client:
        client.request("GET", f"{server.url}/Users/a%2Fb%40c")
    assert server.seen[0].target == "/Users/a%2Fb%40c"


def test_p58_a_delete_has_no_body_and_no_content_type() -> None:
    """Nothing is added to a request that has no body."""
    with serving(reply(204, b"")) as server, using() as client:
        assert client.request("DELETE", f"{server.url}/Users/1").body == b""
    assert {"content-type", "content-length"}.isdisjoint(server.seen[0].headers)


def test_own_headers_win_over_defaults_in_any_case() -> None:
    """A caller's user agent replaces ours, and is not sent twice."""
    with serving(reply()) as server, using() as client:
        client.request("GET", server.url, headers={"user-AGENT": "mine"})
    assert server.seen[0].headers["user-agent"] == "mine"


def test_connections_are_kept_open() -> None:
    """Ten requests in a row need one connection, statuses of failure among them."""
    with serving(reply(), reply(404, b"no"), reply(204, b""), reply()) as server, using() as client:
        for _ in range(10):
            client.request("GET", server.url)
    assert server.connections == 1


@pytest.mark.parametrize("value", ["Bearer abc\r\nX-Evil: 1", "Bearer abc\n", "Bearer abc\x00", "Bearer “abc”"])
def test_p78_header_values_with_control_characters_are_refused(value: str) -> None:
    """A token pasted with a line break or typographic quotes is refused unsent and unshown."""
    with serving(reply()) as server, using() as client:
        with pytest.raises(ConfigurationError) as caught:
            client.request("GET", server.url, auth=lambda renew: {"Authorization": value})
        with pytest.raises(ConfigurationError):
            client.request("GET", server.url, headers={"X-Key": value})
    assert "abc" not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/scim",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "ftp://api.example.com/",
        "api.example.com/scim",
        "https://",
        "",
        "https://ada:secret-word@api.example.com/",
        "https://api.example.com:99999/",
    ],
)
def test_p74_addresses_that_a_token_must_not_go_to_are_refused(url: str) -> None:
    """Plain http is for this machine alone; user names, other schemes and broken addresses are refused."""
    with using() as client, pytest.raises(ConfigurationError) as caught:
        client.request("GET", url)
    assert "secret-word" not in f"{caught.value}{caught.value.hint}"
    assert client.requests == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_loopback_may_be_asked_over_plain_http(host: str) -> None:
    """This machine is reached over http, whatever proxies the environment names."""
    environ = {"ALL_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with serving(reply()) as server, using(environ=environ) as client:
        assert client.request("GET", f"http://{host}:{server.port}/").status == 200


# -- what comes back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 400, 401, 403, 404, 409, 412, 501])
def test_other_statuses_come_back_as_they_are(status: int) -> None:
    """A status that is not retried is for the caller to judge."""
    with serving(reply(status, b"" if status == 204 else b"why")) as server, using() as client:
        assert client.request("GET", server.url).status == status
    assert len(server.seen) == 1


def test_head_has_no_body() -> None:
    """The length that a HEAD announces is not waited for."""
    with serving(reply(200, b"", Content_Length="5")) as server, using() as client:
        assert client.request("HEAD", server.url).body == b""


def test_headers_are_looked_up_in_any_case() -> None:
    """`Response.headers` ignores case."""
    with serving(reply(ETag='W/"1"')) as server, using() as client:
        assert client.request("GET", server.url).headers["etag"] == 'W/"1"'


RAW_DEFLATE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(b'{"a": 1}', mtime=0),
    "x-gzip": gzip.compress(b'{"a"', mtime=0) + gzip.compress(b": 1}", mtime=0),
    "deflate": zlib.compress(b'{"a": 1}'),
    "Deflate": RAW_DEFLATE.compress(b'{"a": 1}') + RAW_DEFLATE.flush(),
    "GZIP": b'{"a": 1}',
    "identity": b'{"a": 1}',
}


@pytest.mark.parametrize("encoding", PACKED)
def test_packed_replies_are_unpacked(encoding: str) -> None:
    """gzip in one or several members, both kinds of deflate, and a label that a proxy left on an unpacked body."""
    with serving(reply(body=PACKED[encoding], Content_Encoding=encoding)) as server, using() as client:
        assert client.request("GET", server.url).json() == {"a": 1}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", PACKED["gzip"][:-3]), ("deflate", PACKED["deflate"][:-5]), ("gzip", b"\x1f\x8bnonsense"), ("br", b"?")],
)
def test_damaged_packing_is_an_error(encoding: str, body: bytes) -> None:
    """A packed body that is cut short, damaged or of an unknown kind is never taken for a shorter reply."""
    with (
        serving(reply(body=body, Content_Encoding=encoding)) as server,
        using() as client,
        pytest.raises(ProtocolError, match=r"GET http://127\.0\.0\.1:\d+/x was answered with .*packed"),
    ):
        client.request("GET", f"{server.url}/x")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_p77_a_gzip_bomb_is_refused(encoding: str) -> None:
    """A small reply that unpacks to more than the cap is refused, and not unpacked further."""
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = reply(body=pack(bytes(50_000_000)), Content_Encoding=encoding)
    with (
        serving(bomb) as server,
        using(policy=HttpPolicy(max_body=1_000_000)) as client,
        pytest.raises(ProtocolError, match="more than 1,000,000 bytes"),
    ):
        client.request("GET", server.url)


def test_p77_a_page_of_100_megabytes_is_refused_in_mid_stream() -> None:
    """A reply without end is left at the cap: the server cannot get rid of the rest."""
    sent = 0

    def zeros(connection: socket.socket, seen: Seen) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(bytes(1_000_000))
            sent += 1_000_000

    with (
        serving(zeros) as server,
        using(policy=HttpPolicy(max_body=2_000_000)) as client,
        pytest.raises(ProtocolError, match="more than 2,000,000 bytes"),
    ):
        client.request("GET", server.url)
    assert sent < 50_000_000
    assert len(server.seen) == 1


def test_a_body_of_exactly_the_cap_is_taken() -> None:
    """The cap itself is allowed, packed or not."""
    with (
        serving(reply(body=bytes(1000)), reply(body=gzip.compress(bytes(1000)), Content_Encoding="gzip")) as server,
        using(policy=HttpPolicy(max_body=1000)) as client,
    ):
        assert [len(client.request("GET", server.url).body) for _ in range(2)] == [1000, 1000]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_replies_are_put_together() -> None:
    """Chunks become one body and the connection stays usable."""
    chunked = CHUNKED + b"3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"
    with serving(chunked) as server, using() as client:
        assert [client.request("GET", server.url).json() for _ in range(2)] == [[1, 2], [1, 2]]
    assert server.connections == 1


BROKEN = {
    "closed without a word": then_close(b""),
    "reset without a word": then_reset(),
    "reset in mid-body": then_reset(reply(body=b"[1,2]")[:-2]),
    "shorter than announced": then_close(reply(body=b"[1,2]", Content_Length="500")),
    "chunks cut short": then_close(CHUNKED + b"5\r\n[1,"),
    "chunks without an end": then_close(CHUNKED + b"3\r\n[1]\r\n"),
    "not HTTP": then_close(b"SSH-2.0-OpenSSH_9.6\r\n"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_p75_a_read_survives_a_broken_reply(fault: str) -> None:
    """A read whose reply breaks off is repeated, and never taken for a shorter reply."""
    with serving(BROKEN[fault], reply(body=b"[1,2]")) as server, using() as client:
        assert client.request("GET", server.url).json() == [1, 2]
    assert len(server.seen) == 2


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_p75_a_write_is_not_repeated_after_a_broken_reply(method: str, fault: str) -> None:
    """A write that may have been carried out is sent once, and the error says that its outcome is not known."""
    with serving(BROKEN[fault], reply()) as server, using() as client, pytest.raises(Unreachable, match="not known"):
        client.request(method, server.url, body=b"{}")
    assert len(server.seen) == 1


def test_a_longer_body_than_announced_does_not_leak_into_the_next_reply() -> None:
    """What follows a reply's announced end is not taken for the next reply."""
    smuggled = reply(body=b"[1]") + reply(body=b'"stolen"')
    with serving(smuggled, reply(body=b"[2]")) as server, using() as client:
        assert client.request("GET", server.url).json() == [1]
        assert client.request("GET", server.url).json() == [2]


def test_a_recorded_reply_is_read_like_a_real_one(tmp_path: Path) -> None:
    """vcrpy puts objects of its own in place of urllib3's, and keeps the label of what it unpacked."""
    packed = reply(body=gzip.compress(b"[1]"), Content_Encoding="gzip")
    answers = []
    with serving(packed) as server:
        for mode in ("once", "none"):
            with vcr.use_cassette(str(tmp_path / "cassette.yaml"), record_mode=mode), using() as client:
                answers += [
                    client.request("GET", f"{server.url}/Users", params={"startIndex": n}).json() for n in (1, 2)
                ]
    assert (answers, len(server.seen), server.connections) == ([[1]] * 4, 2, 1)


# -- redirects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_p47_redirects_are_never_followed(method: str, status: int) -> None:
    """The other host is never contacted, with or without the token, and the error names its origin alone."""
    with serving(reply()) as other, using(secrets=[Secret(TOKEN)]) as client:
        moved = reply(status, Location=f"{other.url}/path?token={TOKEN}")
        with serving(moved) as server, pytest.raises(ProtocolError) as caught:
            client.request(method, server.url, auth=lambda renew: BEARER)
    assert (other.connections, len(server.seen)) == (0, 1)
    assert f"({status}) to {other.url}, which" in str(caught.value)
    assert "/path" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "words"), [("/other", "another path"), ("", "another path"), ("http://[", "not un")]
)
def test_p47_a_redirect_to_nowhere_is_told_in_words(location: str, words: str) -> None:
    """A redirect within the same place, to nothing or to nonsense is an error like any other."""
    with serving(reply(302, Location=location)) as server, using() as client, pytest.raises(ProtocolError, match=words):
        client.request("GET", server.url)


# -- slowness --------------------------------------------------------------------------------------------------


def test_p76_a_silent_server_runs_into_the_read_timeout() -> None:
    """A read that is not answered in time is repeated."""
    done = threading.Event()
    with serving(silent(done), reply()) as server:
        with using(policy=HttpPolicy(read_timeout=0.1)) as client:
            assert client.request("GET", server.url).status == 200
        done.set()


def test_p76_a_server_that_drips_runs_into_the_budget() -> None:
    """A byte now and then does not keep a request alive for ever."""

    def drip(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b".")
            time.sleep(0.02)

    policy = HttpPolicy(read_timeout=0.2, retry_budget=0.2)
    with serving(drip) as server, using(SystemClock(), policy=policy) as client:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="took too long"):
            client.request("GET", server.url)
    assert time.monotonic() - began < 2


def test_p76_a_slow_reply_is_taken_where_nothing_may_be_repeated() -> None:
    """A policy without retries does not shorten the time that a reply may take."""

    def slow(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            time.sleep(0.01)
            connection.sendall(b"1")

    with serving(slow) as server, using(SystemClock(), policy=HttpPolicy(retry_budget=0)) as client:
        assert client.request("GET", server.url).json() == 1111


def test_a_cancel_ends_a_reply_that_drips() -> None:
    """A reply that is not here within the read timeout after a cancel is given up."""
    cancel = threading.Event()
    policy = HttpPolicy(read_timeout=0.2)

    def drip(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n.")
        cancel.set()
        for _ in range(999):
            connection.sendall(b".")
            time.sleep(0.01)

    with serving(drip) as server, using(SystemClock(), cancel=cancel, policy=policy) as client:
        began = time.monotonic()
        with pytest.raises(Interrupted):
            client.request("GET", server.url)
    assert time.monotonic() - began < 5


def test_a_cancel_still_takes_the_reply_in_hand() -> None:
    """What is arriving when a cancel comes is read to its end: the page in hand is not lost."""
    cancel = threading.Event()

    def slow(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1")
        cancel.set()
        time.sleep(0.05)
        connection.sendall(b"111")

    with serving(slow) as server, using(SystemClock(), cancel=cancel) as client:
        assert client.request("GET", server.url).json() == 1111


def test_nothing_is_sent_after_a_cancel() -> None:
    """A client that was cancelled sends nothing more."""
    cancel = threading.Event()
    cancel.set()
    with serving(reply()) as server, using(cancel=cancel) as client, pytest.raises(Interrupted):
        client.request("GET", server.url)
    assert server.seen == []


# -- before a write --------------------------------------------------------------------------------------------


def test_before_write_sees_each_write_and_no_read() -> None:
    """It is called with method, address and body, before the request leaves."""
    calls: list[tuple[str, str, bytes | None, int]] = []
    with (
        serving(reply()) as server,
        using(before_write=lambda m, url, body: calls.append((m, url, body, len(server.seen)))) as client,
    ):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            client.request(method, f"{server.url}/Users", body=b"x" if method == "PATCH" else None)
    assert [call[0] for call in calls] == ["POST", "PUT", "PATCH", "DELETE"]
    assert calls[2] == ("PATCH", f"{server.url}/Users", b"x", 5)


def test_what_before_write_raises_stops_the_write() -> None:
    """Its exception is passed on unchanged, and nothing leaves."""
    stop = GuardRefused("dry run")

    def refuse(method: str, url: str, body: bytes | None) -> None:
        raise stop

    with serving(reply()) as server, using(before_write=refuse) as client, pytest.raises(GuardRefused) as caught:
        client.request("POST", server.url)
    assert caught.value is stop
    assert (server.connections, client.requests) == (0, 0)


def test_before_write_is_asked_once_for_a_write_that_is_repeated() -> None:
    """A write repeated after a 429 and a 401 was announced already."""
    calls: list[str] = []
    steps = (reply(429, Retry_After="1"), reply(401), reply())
    with serving(*steps) as server, using(before_write=lambda *call: calls.append(call[0])) as client:
        auth = iter(["old", "old", "old", "new"])
        client.request("PATCH", server.url, auth=lambda renew: {"Authorization": f"Bearer {next(auth)}"})
    assert (len(server.seen), calls) == (3, ["PATCH"])


def test_a_write_with_an_unusable_proxy_is_not_announced() -> None:
    """What is wrong with the settings is found before the write is written down as sent."""
    calls: list[str] = []
    environ = {"HTTPS_PROXY": "socks5://127.0.0.1:1"}
    with (
        using(before_write=lambda *call: calls.append(call[0]), environ=environ) as client,
        pytest.raises(ConfigurationError),
    ):
        client.request("POST", "https://api.example.com/")
    assert (calls, client.requests) == ([], 0)


# -- secrets ---------------------------------------------------------------------------------------------------


def test_p74_a_secret_is_in_nothing_printable() -> None:
    """Not in events, reprs and errors, though the path, the redirect and the server's words hold it."""
    events: list[HttpEvent] = []
    location = f"https://{'x' * 9}.{re.sub('[^a-z]', '', TOKEN)}.example.com/{TOKEN}"
    steps = (reply(body=TOKEN.encode()), reply(302, Location=location), then_reset())
    printed = []
    with serving(*steps) as server, using(secrets=[Secret(TOKEN)], on_event=events.append) as client:
        url = f"{server.url}/s3cr3t%2Ftoken%2Bof%3Dworkspace"
        printed.append(repr(client.request("GET", server.url, params={"key": TOKEN}, auth=lambda renew: BEARER)))
        for method in ("GET", "POST"):
            with pytest.raises((ProtocolError, Unreachable)) as caught:
                client.request(method, url, auth=lambda renew: BEARER)
            printed += [str(caught.value), repr(caught.value), str(caught.value.hint)]
        printed += [repr(client), repr(events)]
    assert "s3cr3t" not in "".join(printed)
    assert "***" in printed[1]
    assert {event.url for event in events} == {"/", "/***"}


def test_p74_credentials_from_auth_are_learnt() -> None:
    """A token that nobody declared is hidden once it was used, and so is what Basic wraps."""
    with serving(reply()) as server, using() as client:
        client.request("GET", server.url, auth=lambda renew: {"Authorization": "Bearer rotated-value"})
        client.request("GET", server.url, auth=lambda renew: {"Authorization": "Basic YWRhOnBhc3MtcGhyYXNl"})
        text = client.mask("Bearer rotated-value; rotated-value; pass-phrase; YWRhOnBhc3MtcGhyYXNl")
    assert text == "***; ***; ***; ***"


# -- threads and events ----------------------------------------------------------------------------------------


def test_sixteen_threads_share_a_client() -> None:
    """Every thread gets the replies to its own requests, and all requests are counted."""

    def echo(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(reply(body=seen.target.encode()))

    with serving(echo) as server, using(pool_size=16) as client, ThreadPoolExecutor(16) as threads:
        paths = [f"/{number}".encode() for number in range(400)]
        bodies = list(threads.map(lambda path: client.request("GET", server.url + path.decode()).body, paths))
    assert (bodies, client.requests) == (paths, 400)
    assert server.connections <= 16


def test_events_tell_each_step() -> None:
    """A request that is repeated tells all of it, in order."""
    events: list[HttpEvent] = []
    with serving(reply(429, Retry_After="7"), reply()) as server, using(on_event=events.append) as client:
        client.request("GET", f"{server.url}/Users?filter=x")
    kinds = [(event.kind, event.method, event.url, event.status) for event in events]
    assert kinds == [
        ("request", "GET", "/Users", None),
        ("response", "GET", "/Users", 429),
        ("retry", "GET", "/Users", 429),
        ("wait", "GET", "/Users", None),
        ("request", "GET", "/Users", None),
        ("response", "GET", "/Users", 200),
    ]
    assert events[2].seconds == 7
    assert 7 <= (events[3].seconds or 0) <= 7.7
