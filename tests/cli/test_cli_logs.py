"""The log: of syncs and operations, by level, while it is written, and how it is kept from growing for ever."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import Home, workspace
from kit.served import Around

from connector_core.store.connections import ConnectionRef, connection_id
from connector_core.store.database import open_writer, transaction
from connector_core.store.elapsed import DAY
from connector_core.store.logs import KEPT_DAYS, LogBuffer, lines, trim
from connector_core.testing import FakeClock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def messages(home: Home, *arguments: str) -> list[str]:
    done = home("logs", "whimsical", *arguments, "--json")
    assert done.code == 0, done
    return [line["message"] for line in done.document["logs"]]


# -- what is in it ---------------------------------------------------------------------------------------------


def test_the_log_of_an_operation_says_who_why_what_was_sent_and_what_came(home: Home) -> None:
    """By its number; each request at level debug."""
    with workspace(3) as there:
        home.connect(there.url, managed="true")
        done = home("grant", "whimsical", "editor", "p001@example.com", "--reason", "TICKET-7", "--json")
    number = str(done.document["operation"]["id"])
    asked, ended = messages(home, number)
    assert asked.endswith(
        "asks: grant role:editor:assigned for p001@example.com, who is enabled, holds role:viewer:assigned; "
        "reason: TICKET-7"
    )
    assert ended == "done: changed, verified, role:viewer:assigned ended with it"
    methods = [m.split()[0] for m in messages(home, number, "--level", "debug") if "answered" in m]
    assert methods[0] == "GET"
    assert methods.count("PATCH") == 1


def test_what_was_refused_before_it_became_an_operation_is_logged(home: Home) -> None:
    """An error before anything was asked of an account is in no journal, but in the log of the connection."""
    with workspace(3) as there:
        home.connect(there.url, managed="true")
        assert home("delete-user", "whimsical", "nemo@example.com", "--yes").code == 2
    assert any(m.startswith("unknown_name: the application has no user") for m in messages(home, "--all"))


def test_an_operation_that_fails_is_an_error_in_its_log(home: Home) -> None:
    """The application's own words are in it."""
    with workspace(3, around=refusing("PATCH")) as there:
        home.connect(there.url, managed="true")
        done = home("grant", "whimsical", "editor", "p001@example.com", "--json")
    assert done.code == 5
    lines = messages(home, str(done.document["operation"]["id"]), "--level", "error")
    assert len(lines) == 1
    assert lines[0].startswith("failed: ")
    assert "the seats are taken" in lines[0]


def test_the_log_of_a_sync_counts_its_requests_and_waits(home: Home) -> None:
    """How many were answered how, what was repeated, and how long that took."""
    with workspace(3, around=refusing("GET", times=1, status="429 Too Many Requests")) as there:
        home.connect(there.url)
        assert home("run", "whimsical").code == 0
    rows = home("logs", "whimsical", "--json").document["logs"]
    (summed,) = [row for row in rows if row["message"].startswith("requests: ")]
    assert summed["data"]["replies"] == {"200": 2, "429": 1}
    assert summed["data"]["retries"] == 1
    assert any("answered 429, again in" in row["message"] for row in rows)


def test_a_failed_sync_says_in_its_log_what_to_do(home: Home) -> None:
    """The reason as an error, and the hint below it."""
    with workspace(3) as there:
        home.connect(there.url, token="revoked")
        assert home("run", "whimsical").code == 4
    rows = home("logs", "whimsical", "--json").document["logs"]
    at = next(n for n, row in enumerate(rows) if row["level"] == "error")
    assert "401" in rows[at]["message"]
    assert rows[at + 1]["message"].startswith("what to do: ")


def test_levels_and_limits_narrow_the_log(home: Home) -> None:
    """At least that level; the last lines only; a number and --all contradict each other."""
    with workspace(3) as there:
        home.connect(there.url, managed="true")
        assert home("run", "whimsical").code == 0
        assert home("delete-user", "whimsical", "p001@example.com").code == 8
    everything = messages(home, "--all")
    assert messages(home, "--all", "--level", "warning") == [m for m in everything if m.startswith("refused: ")]
    assert messages(home, "--all", "--limit", "2") == everything[-2:]
    assert home("logs", "whimsical", "1", "--all").code == 2
    assert home("logs", "whimsical", "--follow", "--limit", "2").code == 2


# -- while it is written ---------------------------------------------------------------------------------------


def test_following_a_connection_shows_lines_as_they_come(home: Home) -> None:
    """Also before the first sync; a wait can be seen while it lasts; Ctrl-C ends it quietly."""
    with workspace(3, around=refusing("GET", times=1, status="429 Too Many Requests", wait="2")) as there:
        home.connect(there.url)
        with home.start("logs", "whimsical", "--follow", "--json") as follower, home.start("run", "whimsical") as run:
            assert follower.stdout is not None
            seen = [json.loads(follower.stdout.readline())]
            while "again in" not in seen[-1]["message"]:
                seen.append(json.loads(follower.stdout.readline()))
            assert run.poll() is None  # it waits still
            while not seen[-1]["message"].startswith("requests: "):
                seen.append(json.loads(follower.stdout.readline()))
            run.communicate()
            follower.send_signal(signal.SIGINT)
            assert follower.stdout.read() == ""
            assert follower.stderr is not None
            assert follower.stderr.read() == ""
            assert follower.wait(timeout=10) == 130
    assert {line["sync"] for line in seen} == {1}


def test_following_a_sync_ends_with_it(home: Home) -> None:
    """All lines of it, from its first, and exit 0."""
    with workspace(3) as there:
        home.connect(there.url)
        assert home("run", "whimsical").code == 0
    done = home("logs", "whimsical", "1", "--follow")
    assert done.code == 0
    assert [line.split("  ")[-1] for line in done.out.splitlines()] == messages(home, "1")
    assert home("logs", "whimsical", "7", "--follow").code == 2


def refusing(method: str, *, times: int = 1_000_000, status: str = "403 Forbidden", wait: str = "0") -> Around:
    """Requests of that method are refused so many times."""
    left, lock = [times], threading.Lock()

    def around(app: WSGIApplication) -> WSGIApplication:
        def refuse(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            with lock:
                refused = environ["REQUEST_METHOD"] == method and left[0] > 0
                left[0] -= refused
            if not refused:
                return app(environ, start)
            start(status, [("Content-Type", "application/scim+json"), ("Retry-After", wait)])
            error = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": "the seats are taken"}
            return [json.dumps(error).encode()]

        return refuse

    return around


# -- how much of it is kept ------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterable[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "s.db")) as db:
        yield db


def test_a_sitting_writes_a_thousand_lines_of_one_level(store: sqlite3.Connection) -> None:
    """How many more there were is said, and the last line is there all the same."""
    connection = connection_id(store, ConnectionRef(name="x", connector="x"))
    log = LogBuffer(connection, FakeClock(), str)
    for number in range(1500):
        log.add("warning", f"row {number}")
    log.add("info", "something else")
    with transaction(store):
        log.write(store, "info", "complete")
    written = [line.message for _, line in lines(store, connection)]
    assert written[:1000] == [f"row {number}" for number in range(1000)]
    assert written[1000:] == ["something else", "500 more lines of this level were left out", "complete"]


def test_lines_are_forgotten_by_age_and_by_number(store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The youngest stay."""
    clock = FakeClock()
    connection = connection_id(store, ConnectionRef(name="x", connector="x"))
    for message in ("old", "young"):
        LogBuffer(connection, clock, str).write(store, "info", message)
        live(store, clock, KEPT_DAYS / 2 + 1)
    assert [line.message for _, line in lines(store, connection)] == ["young"]
    for number in range(5):
        LogBuffer(connection, clock, str).write(store, "info", str(number))
    monkeypatch.setattr("connector_core.store.logs.KEPT_LINES", 3)
    trim(store, clock)
    assert [line.message for _, line in lines(store, connection)] == ["2", "3", "4"]
    live(store, clock, 2 * KEPT_DAYS)
    assert list(lines(store, connection)) == []


@pytest.mark.parametrize("jump", [3650.0, -3650.0])
def test_a_clock_that_is_set_forgets_no_line(store: sqlite3.Connection, jump: float) -> None:
    """Only days that were witnessed make a line old, also after the clock is right again."""
    connection = connection_id(store, ConnectionRef(name="x", connector="x"))
    LogBuffer(connection, FakeClock(), str).write(store, "info", "before")
    for clock in (FakeClock(), FakeClock(FakeClock().now() + jump * DAY), FakeClock()):
        live(store, clock, 20.0)
        assert [line.message for _, line in lines(store, connection)] == ["before"]
    live(store, FakeClock(), KEPT_DAYS)
    assert list(lines(store, connection)) == []


def live(store: sqlite3.Connection, clock: FakeClock, days: float) -> None:
    """Let a day after the other go by, each with its sync."""
    trim(store, clock)
    for _ in range(int(days)):
        clock.advance(DAY)
        trim(store, clock)
