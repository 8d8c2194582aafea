"""What is sent again, when, and who waits for whom."""

from __future__ import annotations

import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest
from test_http_kit import Seen, dead_port, reply, serving, silent, then_reset, using

from connector_core.clock import SystemClock
from connector_core.errors import CredentialsRefused, Interrupted, RateLimited, Unreachable
from connector_core.http import HttpClient, HttpEvent, HttpPolicy, remedy
from connector_core.http.limits import RateLimit
from connector_core.testing.clock import FakeClock

READS = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


# -- which -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", READS)
def test_reads_are_repeated_after_passing_faults(method: str, status: int) -> None:
    """A read meets a fault twice and then succeeds."""
    fault = reply(status, b"", Content_Length="0")
    with serving(fault, fault, reply(200, b"", Content_Length="0")) as server, using() as client:
        assert client.request(method, server.url).status == 200
    assert len(server.seen) == 3


@pytest.mark.parametrize(("status", "wait"), [(500, "1"), (502, "1"), (503, ""), (503, "soon"), (504, "1")])
@pytest.mark.parametrize("method", WRITES)
def test_p75_writes_are_not_repeated_where_something_may_have_been_done(method: str, status: int, wait: str) -> None:
    """A write is sent once where the status does not prove that nothing was done."""
    with serving(reply(status, Retry_After=wait), reply()) as server, using() as client:
        assert client.request(method, server.url).status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize(("status", "wait"), [(429, ""), (429, "soon"), (429, "3"), (503, "3")])
@pytest.mark.parametrize("method", WRITES)
def test_p62_writes_are_repeated_where_the_server_refused_them(method: str, status: int, wait: str) -> None:
    """A 429, and a 503 that says when to come back, prove that nothing was done."""
    with serving(reply(status, Retry_After=wait), reply()) as server, using() as client:
        assert client.request(method, server.url, body=b"{}").status == 200
    assert [seen.body for seen in server.seen] == [b"{}", b"{}"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_connection_is_tried_three_times(method: str) -> None:
    """Where nothing was sent, reads and writes alike are tried three times within ten seconds."""
    clock, url = FakeClock(), f"http://127.0.0.1:{dead_port()}/"
    with (
        using(clock, policy=HttpPolicy(backoff_first=2.0)) as client,
        pytest.raises(Unreachable, match=r"^\w+ http://127.*: no connection comes about \(Connection refused\)$"),
    ):
        client.request(method, url)
    assert client.requests == 3
    assert len(clock.sleeps) == 2 and sum(clock.sleeps) <= 10


def test_a_refused_connection_is_given_up_when_its_time_is_over() -> None:
    """Fewer tries are made where waits are long."""
    clock = FakeClock()
    with using(clock, policy=HttpPolicy(backoff_first=50, backoff_max=50)) as client, pytest.raises(Unreachable):
        client.request("GET", f"http://127.0.0.1:{dead_port()}/")
    assert client.requests == 2
    assert sum(clock.sleeps) <= 10


def test_an_unknown_host_is_told_as_such() -> None:
    """The error names the host and says what to check."""
    with using() as client, pytest.raises(Unreachable, match=r"no-such-host\.invalid.*name is not known") as caught:
        client.request("GET", "https://no-such-host.invalid/Users")
    assert "address" in (caught.value.hint or "")
    assert client.requests == 3


def test_an_impossible_host_is_not_tried_again() -> None:
    """A host name that cannot exist is one attempt."""
    with using() as client, pytest.raises(Unreachable, match="not a possible one"):
        client.request("GET", f"https://{'x' * 70}.example.com/")
    assert client.requests == 1


# -- when ------------------------------------------------------------------------------------------------------


def test_the_last_reply_comes_back_when_the_budget_is_spent() -> None:
    """After two minutes of failures the last one is handed over as it is."""
    clock = FakeClock()
    with serving(reply(503, b"down")) as server, using(clock) as client:
        answer = client.request("GET", server.url)
    assert (answer.status, answer.body) == (503, b"down")
    assert 60 < sum(clock.sleeps) <= 120
    assert len(server.seen) == len(clock.sleeps) + 1


def test_broken_connections_end_as_unreachable_when_the_budget_is_spent() -> None:
    """A server that always breaks off is given up after two minutes."""
    clock = FakeClock()
    with (
        serving(then_reset()) as server,
        using(clock) as client,
        pytest.raises(Unreachable, match="the connection broke"),
    ):
        client.request("GET", server.url)
    assert 60 < sum(clock.sleeps) <= 120


def test_own_waits_grow_with_full_jitter() -> None:
    """A wait is anything up to a limit that doubles, to at most 20 seconds; another seed waits otherwise."""
    taken = []
    for seed in (1, 2):
        clock = FakeClock()
        with serving(reply(500)) as server, using(clock, seed=random.Random(seed)) as client:
            client.request("GET", server.url)
        assert all(wait <= min(20, 0.5 * 2**n) for n, wait in enumerate(clock.sleeps))
        assert max(clock.sleeps) > 8
        taken.append(clock.sleeps[:5])
    assert taken[0] != taken[1]


@pytest.mark.parametrize("header", ["Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"])
def test_p61_the_wait_that_the_server_asks_for_is_kept(header: str) -> None:
    """A 429 is repeated after the time it names, and a little."""
    clock = FakeClock()
    named: dict[str, Any] = {header: "42"}
    with serving(reply(429, **named), reply()) as server, using(clock) as client:
        client.request("GET", server.url)
    assert 42 <= sum(clock.sleeps) <= 42 * 1.1


def test_p61_a_date_is_waited_for() -> None:
    """An HTTP date counts from the clock's now."""
    clock = FakeClock()
    date = formatdate(clock.now() + 30, usegmt=True)
    with serving(reply(503, Retry_After=date), reply()) as server, using(clock) as client:
        client.request("GET", server.url)
    assert 30 <= sum(clock.sleeps) <= 33


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset", "RateLimit-Reset"])
@pytest.mark.parametrize("ahead", [-3600.0, 7.0, 3600.0, 86_400.0])
@pytest.mark.parametrize("written", ["date", "epoch", "milliseconds"])
def test_p61_a_moment_is_read_by_the_clock_of_the_server(header: str, ahead: float, written: str) -> None:
    """Thirty seconds by the reply's own ``Date`` are thirty seconds, however wrong either clock is."""
    clock = FakeClock()
    now = clock.now() + ahead
    ways = {
        "date": formatdate(now + 30, usegmt=True),
        "epoch": str(int(now + 30)),
        "milliseconds": str(int(now + 30) * 1000),
    }
    headers = {header.replace("-", "_"): ways[written], "Date": formatdate(now, usegmt=True)}
    with serving(reply(429, **headers), reply()) as server, using(clock) as client:
        client.request("GET", server.url)
    assert 29 <= sum(clock.sleeps) <= 33


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Jan 2027 08:01:00 GMT", ""])
def test_p61_a_date_that_is_none_is_not_counted_from(date: str) -> None:
    """Without a ``Date`` that can be read, a moment counts from this machine's clock."""
    clock = FakeClock()
    moment = formatdate(clock.now() + 30, usegmt=True)
    with serving(reply(429, Retry_After=moment, Date=date), reply()) as server, using(clock) as client:
        client.request("GET", server.url)
    assert 29 <= sum(clock.sleeps) <= 33


def test_p61_a_reset_header_means_nothing_on_a_503() -> None:
    """A rate limit header on another status does not make anybody wait."""
    clock = FakeClock()
    with serving(reply(503, X_RateLimit_Reset="3000"), reply()) as server, using(clock) as client:
        client.request("GET", server.url)
    assert sum(clock.sleeps) < 1


def test_p62_a_long_wait_is_cut_to_five_minutes() -> None:
    """Six hours are not slept through: after five minutes it is tried again, then given up."""
    clock = FakeClock()
    with (
        serving(reply(429, Retry_After="21600")) as server,
        using(clock) as client,
        pytest.raises(RateLimited) as caught,
    ):
        client.request("GET", server.url)
    assert caught.value.retry_after == 21600
    assert len(server.seen) == 2
    assert 300 <= sum(clock.sleeps) <= 330


@pytest.mark.parametrize("wait", ["0", "1", "-3"])
def test_endless_short_waits_end_with_the_budget(wait: str) -> None:
    """A server that says "at once" for ever is believed for two minutes, and not asked faster than one that fails."""
    clock = FakeClock()
    with serving(reply(429, Retry_After=wait)) as server, using(clock) as client, pytest.raises(RateLimited):
        client.request("GET", server.url)
    assert 100 <= sum(clock.sleeps) <= 144
    assert len(server.seen) < 30


def test_a_429_without_a_time_is_rate_limited_in_the_end() -> None:
    """Where no time is named, `retry_after` is None."""
    with serving(reply(429)) as server, using() as client, pytest.raises(RateLimited) as caught:
        client.request("POST", server.url)
    assert caught.value.retry_after is None


# -- the deadline ----------------------------------------------------------------------------------------------


def test_no_wait_goes_past_the_deadline() -> None:
    """A wait that would end after the deadline is not begun: the 429 is told at once."""
    clock = FakeClock()
    with serving(reply(429, Retry_After="16")) as server, using(clock, policy=HttpPolicy(deadline=15)) as client:
        with pytest.raises(RateLimited):
            client.request("GET", server.url)
        with pytest.raises(RateLimited, match="longer than there is time"):
            client.request("GET", server.url)
    assert (clock.sleeps, len(server.seen)) == ([], 1)


def test_the_last_reply_comes_back_before_the_deadline() -> None:
    """A failure that is repeated until the deadline is told as that failure."""
    clock = FakeClock()
    with serving(reply(500)) as server, using(clock, policy=HttpPolicy(deadline=15)) as client:
        assert client.request("GET", server.url).status == 500
    assert 1 < sum(clock.sleeps) <= 15


def test_nothing_is_sent_after_the_deadline() -> None:
    """The deadline is the client's, not a request's."""
    clock = FakeClock()
    with serving(reply()) as server, using(clock, policy=HttpPolicy(deadline=15)) as client:
        client.request("GET", server.url)
        clock.advance(15)
        with pytest.raises(Unreachable, match="the 15 s allowed are over"):
            client.request("GET", server.url)
    assert len(server.seen) == 1


def test_the_deadline_cuts_a_silent_read_short() -> None:
    """A read waits no longer than the deadline allows."""
    done = threading.Event()
    with serving(silent(done)) as server:
        began = time.monotonic()
        with using(SystemClock(), policy=HttpPolicy(deadline=0.2)) as client, pytest.raises(Unreachable):
            client.request("GET", server.url)
        done.set()
    assert time.monotonic() - began < 2


# -- limits ----------------------------------------------------------------------------------------------------


def test_others_on_the_same_limit_wait_too() -> None:
    """After a 429 nobody on that limit sends before the time is over; another limit goes on."""
    clock, events = FakeClock(), list[HttpEvent]()
    with (
        serving(reply(429, Retry_After="60"), reply()) as server,
        using(clock, policy=HttpPolicy(retry_budget=0), on_event=events.append) as client,
    ):
        with pytest.raises(RateLimited):
            client.request("GET", server.url, limit="writes")
        client.request("GET", server.url, limit="reads")
        assert clock.sleeps == []
        client.request("GET", server.url, limit="writes")
    assert 60 <= sum(clock.sleeps) <= 66
    assert [event.seconds for event in events if event.kind == "wait"] == clock.sleeps


@pytest.mark.parametrize(("status", "closed"), [(429, True), (503, True), (500, False)])
def test_a_limit_is_closed_without_a_time_too(status: int, closed: bool) -> None:
    """Where a 429 or 503 names no time, our own wait is for all; after another fault only this request waits."""
    left: list[float] = []

    def look(event: HttpEvent) -> None:
        left.append(client._limits["default"].remaining())

    client: HttpClient
    with serving(reply(status), reply()) as server, using(on_event=look) as client:
        client.request("GET", server.url)
    waiting = left[3]  # after "request", "response" and "retry"
    assert (waiting > 0) is closed


def test_a_shorter_wait_does_not_cut_a_longer_one_short() -> None:
    """Of two threads that were told to wait, the longer wait stands."""
    clock = FakeClock()
    limit = RateLimit(clock)
    limit.close_for(60)
    limit.close_for(1)
    clock.advance(20)
    assert limit.remaining() == 40


def test_threads_on_one_limit_wait_together() -> None:
    """Eight threads, one 429: none of the others sends anything until its time is over."""
    arrived: list[float] = []

    def limited(connection: socket.socket, seen: Seen) -> None:
        arrived.append(time.monotonic())
        connection.sendall(reply(429, Retry_After="0.3") if len(arrived) == 1 else reply())

    with serving(limited) as server, using(SystemClock(), pool_size=8) as client, ThreadPoolExecutor(8) as threads:
        first = threads.submit(client.request, "GET", server.url)
        while client._limits["default"].remaining() == 0:
            time.sleep(0.001)
        others = list(threads.map(lambda _: client.request("GET", server.url), range(7)))
    assert {first.result().status, *(answer.status for answer in others)} == {200}
    assert len(arrived) == 9
    assert min(arrived[1:]) - arrived[0] >= 0.3


def test_requests_are_spaced_under_a_limit_that_was_set() -> None:
    """Evenly, a little slower than the limit allows, and without a word; another limit is not slowed down."""
    clock, events = FakeClock(), list[HttpEvent]()
    with serving(reply()) as server, using(clock, on_event=events.append) as client:
        client.set_rate(10)
        for _ in range(5):
            client.request("GET", server.url)
        assert clock.sleeps == [pytest.approx(1 / 9.5)] * 4
        client.request("GET", server.url, limit="writes")
    assert len(clock.sleeps) == 4
    assert {event.kind for event in events} == {"request", "response"}


def test_after_a_refusal_requests_are_spaced_by_what_was_let_through() -> None:
    """Twenty came through at once, then one was refused: not quite twenty a second is where looking begins."""
    clock = FakeClock()
    with serving(*[reply()] * 20, reply(429, Retry_After="1"), reply()) as server, using(clock) as client:
        for _ in range(21):
            client.request("GET", server.url)
        assert client.refused == 1
        clock.sleeps.clear()
        for _ in range(3):
            client.request("GET", server.url)
    assert len(clock.sleeps) == 3
    assert 1 / 17 >= clock.sleeps[0] >= clock.sleeps[-1] >= 1 / 40


@pytest.mark.parametrize("wait", ["429 with a time", "backoff"])
def test_a_cancel_ends_a_wait_at_once(wait: str) -> None:
    """Somebody who stops a run does not wait for the server's five minutes."""
    cancel = threading.Event()
    step = reply(429, Retry_After="300") if wait == "429 with a time" else reply(500)
    policy = HttpPolicy(backoff_first=100, backoff_max=100)
    with serving(step) as server, using(SystemClock(), cancel=cancel, policy=policy) as client:
        threading.Timer(0.1, cancel.set).start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            client.request("GET", server.url)
    assert time.monotonic() - began < 2


# -- credentials -----------------------------------------------------------------------------------------------


class Tokens:
    """Credentials that can be renewed: each renewal is one number more."""

    def __init__(self, *, renewable: bool = True) -> None:
        self.renewals = 0
        self._renewable = renewable

    def __call__(self, renew: bool) -> dict[str, str]:
        if renew:
            time.sleep(0.05)  # long enough for the other threads to come
            self.renewals += 1
        return {"Authorization": f"Bearer token-{self.renewals if self._renewable else 0}"}


def test_a_401_is_answered_with_renewed_credentials() -> None:
    """After a 401 the request goes out once more, with what `auth(True)` gave; writes too, as nothing was done."""
    tokens = Tokens()
    with serving(reply(401), reply()) as server, using() as client:
        assert client.request("POST", server.url, auth=tokens).status == 200
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer token-0", "Bearer token-1"]


@pytest.mark.parametrize(("renewable", "sent"), [(True, 2), (False, 1)])
def test_p72_a_401_that_stays_comes_back(renewable: bool, sent: int) -> None:
    """It is renewed once, and not sent again at all with the same credentials."""
    tokens = Tokens(renewable=renewable)
    with serving(reply(401)) as server, using() as client:
        answer = client.request("GET", server.url, auth=tokens)
    assert (answer.status, len(server.seen), tokens.renewals) == (401, sent, 1)
    assert remedy(answer.status, answer.method) is CredentialsRefused


def test_p72_credentials_are_renewed_once_a_request() -> None:
    """A server that goes on refusing, other faults in between, does not make us ask again and again."""
    tokens = Tokens()
    with serving(reply(401), reply(503), reply(401)) as server, using() as client:
        assert client.request("GET", server.url, auth=tokens).status == 401
    assert (tokens.renewals, len(server.seen)) == (1, 3)


def test_threads_that_meet_a_401_renew_once() -> None:
    """Eight threads whose credentials expire together ask for new ones once."""
    tokens = Tokens()
    met = threading.Barrier(8)

    def expired(connection: socket.socket, seen: Seen) -> None:
        old = seen.headers["authorization"] == "Bearer token-0"
        if old:
            met.wait(5)
        connection.sendall(reply(401 if old else 200))

    with serving(expired) as server, using() as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.request("GET", server.url, auth=tokens), range(8)))
    assert {answer.status for answer in answers} == {200}
    assert (tokens.renewals, client.requests) == (1, 16)


def test_renewing_may_itself_send_requests() -> None:
    """An `auth` that asks a token endpoint through the same client does not lock itself out."""
    with serving(reply(401), reply(body=b"new"), reply()) as server, using() as client:

        def auth(renew: bool) -> dict[str, str]:
            token = client.request("GET", f"{server.url}/token", auth=fixed).body.decode() if renew else "old"
            return {"Authorization": f"Bearer {token}"}

        def fixed(renew: bool) -> dict[str, str]:
            return {"X-Key": "client-key"}

        assert client.request("GET", server.url, auth=auth).status == 200
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer old", None, "Bearer new"]
